"""Turns a planned touch into exactly what its reader gets, and keeps skeleton and values apart so that it can be shown again.

One `Renderer` serves one thread: the hook listens to one rendering at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes

from omnicli import guards
from omnicli.channels import MEDIA, Medium, Part
from omnicli.channels.sms import count_sms
from omnicli.errors import Exit, OmniError
from omnicli.model.campaign import Campaign, Message
from omnicli.model.project import Persona, Project
from omnicli.model.touch import Rendered
from omnicli.render import colours, finish, links, required
from omnicli.render.facts import ResolvedFacts, certain, fixed_facts, resolve_facts
from omnicli.render.fold import Fold, is_straight
from omnicli.render.forms import plain_spaces
from omnicli.render.links import with_utm
from omnicli.render.reader import Reader
from omnicli.render.sandbox import MAX_CHUNKS, MAX_OUTPUT, Sandbox, Templates, TooMuch
from omnicli.render.skeleton import AGAIN, MARK, OPEN, SAME, Origin, Parts, Recorder, Skeleton, TooManyValues, build, escape
from omnicli.render.trace import Draft, Traced, Tracer
from omnicli.render.tracing import Tracing
from omnicli.render.views import (
    CannotRender,
    Constant,
    ContactView,
    FactView,
    Fields,
    Fill,
    Lacking,
    Link,
    Own,
    Picture,
    Printed,
    SayView,
    Slot,
    Today,
)
from omnicli.render.words import Placeholder, WordsError, parse_words
from omnicli.texts import t

#: Name and text of a template → its syntax tree, which nobody changes.
_TREES: dict[tuple[str, str], nodes.Template] = {}
_POISON = 20
_SOME, _MANY = 8, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """One touch to render. `contact` maps attribute names to columns of the store or typed values; `touch` is its key in
    hexadecimal; `persona` the name, of the campaign's or the project's personas; `zone` the contact's working zone; `extra` what
    templates of work and print see as `touch.<name>` (texts, or lines such as an address). `opens`: this person agreed that
    openings are noted (asked only where `tracking.opens: consented`)."""

    campaign: Campaign
    message: str
    channel: str
    language: str
    touch: str
    at: datetime
    zone: str
    contact: Mapping[str, Any] = field(repr=False)
    facts: ResolvedFacts | None = field(default=None, repr=False)
    persona: str | None = None
    step: str = ""
    purpose: str = "marketing"
    country: str | None = None
    entered_at: datetime | None = None
    event: Mapping[str, Any] = field(default_factory=dict, repr=False)
    extra: Mapping[str, str | Sequence[str]] = field(default_factory=dict, repr=False)
    opens: bool = False


@dataclass(frozen=True, slots=True)
class RenderFailure:
    """Why this person gets no such message: a skip reason, and what to look at."""

    touch: str
    reason: str
    detail: str


@dataclass(slots=True)
class _Made:
    """One part of a message and the compiled template that makes it."""

    part: Part
    template: Template | None
    plain: Template | None
    whole: bool
    context: Any = None
    folded: tuple[nodes.Template, Mapping[str, Any]] | None = None


@dataclass(slots=True)
class _Sheet:
    """Everything about (campaign, message, channel, language, persona, step, purpose) that is the same for all people."""

    medium: Medium
    reader: Reader
    variables: dict[str, Any]
    made: list[_Made]
    name: str
    extra: Fields
    persona: str | None
    language: str
    skeletons: dict[Any, tuple[Skeleton, tuple[int, ...]]] = field(default_factory=dict)
    whole: str | None = None
    misses: int = 0
    readers: int = 0
    straight: bool = False
    program: Program | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """How the values of a straight message are made without running its template: `fills` make the kept ones, `again` the
    escaped or plain repetitions, and `layout` picks them into their places."""

    skeleton: Skeleton
    fills: tuple[tuple[Fill, bool], ...]
    again: tuple[tuple[int, Callable[[str], str]], ...]
    layout: Callable[[Sequence[str]], tuple[str, ...]]
    targets: tuple[str, ...]
    addresses: tuple[int, ...] = ()


class Renderer:
    """The templates of a project, compiled when they are first needed; `sources` (path below `templates/` → text) win over the
    disk. OmniError J001/J006 for one that is refused."""

    def __init__(
        self, root: Path, project: Project, *, live: bool = False, signing: links.Signing | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.root, self.project, self.live = root, project, live
        self.signing = signing or links.Signing.of_sandbox(project.project)
        self.sources = {**read_templates(root), **(sources or {})}
        self.recorder = Recorder()
        loader = Templates(self.sources)
        self._marking = Sandbox(loader, self.recorder, marking=True)
        self._plain = Sandbox(loader, self.recorder, marking=False)
        self._trees: dict[str, nodes.Template] = {}
        self._wholes: dict[str, str | None] = {}
        self._needs: dict[tuple[str, str], tuple[required.Use, ...] | None] = {}
        self._sheets: dict[Any, _Sheet] = {}
        self._bare: dict[Any, _Sheet] = {}
        self._tracer: Tracer | None = None
        self._skeletons: dict[str, Skeleton] = {}
        self._keep: dict[int, Campaign] = {}
        self.own = own_host(project, live=live)

    # -- what can be written -----------------------------------------------------------------------------------------
    def template(self, channel: str, ext: str, campaign: str = "") -> str | None:
        """The file that makes this part: the campaign's own, else the channel's; None without one."""
        for name in (f"{channel}.{campaign}.{ext}.j2", f"{channel}.{ext}.j2"):
            if name in self.sources:
                return name
        return None

    def needs(self, channel: str, campaign: str = "") -> tuple[required.Use, ...] | None:
        """The slots that the channel's templates need; None when a template is missing (R008)."""
        key = (channel, campaign)
        if key not in self._needs:
            self._needs[key] = self._read_needs(channel, campaign)
        return self._needs[key]

    def _read_needs(self, channel: str, campaign: str) -> tuple[required.Use, ...] | None:
        medium = MEDIA.get(channel)
        if medium is None:
            return None
        found: list[required.Use] = []
        for part in medium.parts:
            if part.slot:
                found.append(required.Use(part.slot, frozenset(), 1))
            if part.ext is None:
                continue
            name = self.template(channel, part.ext, campaign)
            if name is None:
                if part.required:
                    return None
                continue
            found += required.uses(
                self.tree(name), name=name, include=lambda other: self.tree(other) if other in self.sources else None
            )
        return tuple(found)

    def tree(self, name: str) -> nodes.Template:
        """The syntax tree of a template; OmniError with its place when it cannot be read."""
        if name not in self._trees:
            key = (name, self.sources[name])
            try:
                found = _TREES.get(key) or self._plain.parse(self.sources[name], name, name)
            except TemplateSyntaxError as error:
                raise _refused(name, error) from None
            if len(_TREES) >= 256:
                _TREES.clear()
            self._trees[name] = _TREES[key] = found
        return self._trees[name]

    def usable(
        self, message: Message, channel: str, language: str, register: str | None = None, *, campaign: str = ""
    ) -> str | None:
        """None when this message can be written so, else `no template` or `no_words`."""
        needs = self.needs(channel, campaign)
        if needs is None:
            return "no template"
        written = frozenset(look_up(message, language, register))
        return "no_words" if required.missing(needs, written) else None

    # -- rendering ---------------------------------------------------------------------------------------------------
    def render(self, job: RenderJob) -> Rendered:
        """The message for one person; CannotRender says why not."""
        return self._render(job)

    def batch(self, jobs: Iterable[RenderJob]) -> list[Rendered | RenderFailure]:
        """The messages of many, in order; one who cannot be written to does not stop the others."""
        out: list[Rendered | RenderFailure] = []
        for job in jobs:
            try:
                out.append(self._render(job))
            except CannotRender as error:
                out.append(RenderFailure(job.touch, error.reason, error.detail))
        return out

    def skeleton(self, hash: str) -> Skeleton:
        """A skeleton that this renderer made, by `Rendered.skeleton`."""
        return self._skeletons[hash]

    def pack(self, rendered: Rendered) -> bytes:
        """The values of a rendering as the store keeps them."""
        return self._skeletons[rendered.skeleton].pack(rendered.values)

    def _render(self, job: RenderJob) -> Rendered:
        sheet = self._sheet(job)
        facts = job.facts if job.facts is not None else self.resolve(job)
        self._turn(sheet, job, facts)
        try:
            program = sheet.program
            if program is not None:
                made = [fill(html) for fill, html in program.fills]
                made += [again(made[n]) for n, again in program.again]
                _weighed(program.skeleton, sum(map(len, made)))
                values = program.layout(made)
                _check_addresses(values, program.addresses)
                return self._rendered(sheet, program.skeleton, values, program.targets)
            if sheet.whole is None:
                sheet.readers += 1
                if sheet.readers in (_SOME, _MANY):
                    self._quicken(sheet)
                found = self._marked(sheet)
                if found is not None:
                    return self._rendered(sheet, *found, tuple(self.recorder.targets))
            return self._rendered(sheet, *self._as_a_whole(sheet), tuple(self.recorder.targets))
        except CannotRender:
            raise
        except (
            TemplateError,
            TooManyValues,
            RuntimeError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise CannotRender("render_failed", f"{sheet.name}: {str(error)[:200] or type(error).__name__}") from error

    def _turn(self, sheet: _Sheet, job: RenderJob, facts: ResolvedFacts) -> None:
        sheet.reader.turn_to(job.contact, facts, bytes.fromhex(job.touch), job.zone, job.at)
        if job.extra or len(sheet.extra.values_) > 1:
            sheet.extra.values_ = {
                "size": sheet.extra.values_["size"],
                **{name: _extra(name, text, sheet.reader) for name, text in job.extra.items()},
            }

    def resolve(self, job: RenderJob) -> ResolvedFacts:
        """The job's facts, when the caller has not resolved them."""
        return resolve_facts(
            job.campaign.messages[job.message], persona=job.persona, language=job.language, entered_at=job.entered_at or job.at,
            zone=job.zone, attributes=job.contact, event=job.event, places=self.project.places, project=self.project,
        )  # fmt: skip

    def _marked(self, sheet: _Sheet) -> tuple[Skeleton, tuple[str, ...]] | None:
        """Skeleton and values; None when the values show that the text must be rendered whole."""
        recorder = self.recorder
        recorder.begin(sheet.reader, marking=True)
        key = self._chunks(sheet, self._marking)
        values = recorder.values
        known = sheet.skeletons.get((key, tuple(recorder.targets)) if recorder.targets else key)
        if known is None:
            known = self._new_skeleton(sheet)
            if known is None:
                return None
        skeleton, addresses = known
        joined = "".join(values)
        _weighed(skeleton, len(joined))
        if not joined.isascii() and (OPEN in joined or "\ue002" in joined):
            sheet.misses += 1
            if sheet.misses >= _POISON:
                sheet.whole = "its values contain marks"
            return None
        _check_addresses(values, addresses)
        return skeleton, skeleton.complete(values)

    def _chunks(self, sheet: _Sheet, environment: Sandbox) -> tuple[Any, ...]:
        """What each part's template yields, as tuples of chunks."""
        environment.begin()
        return tuple([self._run(made, sheet, environment) for made in sheet.made])

    def _run(self, made: _Made, sheet: _Sheet, environment: Sandbox) -> tuple[str, ...]:
        part = made.part
        if part.slot is not None:
            slot = sheet.variables["say"].look(part.slot)
            return (environment.hook_text(slot),)
        marking = environment is self._marking
        template = made.template if marking else made.plain
        if template is None:
            return ()
        context = made.context if marking else None
        if context is None:
            context = template.new_context(sheet.variables, shared=True)
            if marking and _reusable(self.tree(template.name or "")):
                made.context = context
        if part.block is not None and part.block in template.blocks:
            stream = template.blocks[part.block](context)
        elif part.ext is None:
            return (sheet.variables["brand"].values_["name"],)
        else:
            stream = template.root_render_func(context)
        chunks = tuple(islice(stream, MAX_CHUNKS + 1))
        if len(chunks) > MAX_CHUNKS and guards.on("output_limit"):
            raise TooMuch(t("the message grows too long", "le message devient trop long"))
        return chunks

    def _new_skeleton(self, sheet: _Sheet) -> tuple[Skeleton, tuple[int, ...]] | None:
        """Looks at a skeleton for the first time: runs once more with its origins, checks, finishes and keeps it."""
        recorder = self.recorder
        recorder.begin(sheet.reader, marking=True, tracing=True)
        key = self._chunks(sheet, self._marking)
        texts = {made.part.name: finish.strip_captured(list(chunks)) for made, chunks in zip(sheet.made, key, strict=True)}
        addresses: list[int] = []
        for made in sheet.made:
            if made.part.kind != "html":
                continue
            try:
                found = finish.places(texts[made.part.name])
            except finish.UnsafePlace as error:
                raise CannotRender("render_failed", f"{sheet.name}: {error}") from None
            sheet.whole = found.whole or finish.depends_on_values(texts[made.part.name]) or sheet.whole
            addresses += found.addresses
        if sheet.whole:
            return None
        skeleton = self._finished(sheet, texts, list(recorder.origins or ()), tuple(recorder.targets))
        safe = {n for n, origin in enumerate(recorder.origins or ()) if origin and origin[0] in ("link", "address")}
        known = skeleton, tuple(n for n in addresses if n not in safe)
        if sheet.straight:
            sheet.program = self._program(sheet, *known)
        if len(sheet.skeletons) > 2_000:
            sheet.skeletons.clear()
        sheet.skeletons[(key, tuple(recorder.targets)) if recorder.targets else key] = known
        return known

    def _finished(self, sheet: _Sheet, texts: dict[str, str], origins: list[Origin], targets: Sequence[str]) -> Skeleton:
        html_parts = {part.name for part in sheet.medium.parts if part.kind == "html"}
        escaped = [False] * len(origins)
        for name in html_parts & texts.keys():
            for mark in MARK.finditer(texts[name]):
                escaped[int(mark[1])] = True
        parts = finished_parts(sheet.medium, texts)
        made: dict[int, int] = {}
        if sheet.medium.name == "email" and "text" not in parts:
            pictures = {n for n, origin in enumerate(origins) if origin and origin[0] == "picture"}
            seen = MARK.sub(lambda mark: "" if int(mark[1]) in pictures else mark[0], parts["html"])
            parts["text"], made = finish.renumber(finish.to_text(seen), len(origins))
        skeleton = build(
            sheet.medium.name,
            sheet.name,
            parts,
            origins=origins,
            html=escaped,
            made=made,
            usual=self._usual(sheet, origins),
            links=targets,
        )
        self._skeletons[skeleton.hash] = skeleton
        return skeleton

    def _usual(self, sheet: _Sheet, origins: Sequence[Origin]) -> dict[tuple[Origin, bool], str]:
        """What the message's facts read for everybody who was not told otherwise: the sample that values are kept against."""
        usual: dict[tuple[Origin, bool], str] = {}
        fixed = fixed_facts(sheet.reader.message, sheet.persona, sheet.language)
        for origin in origins:
            if not origin or origin[0] not in ("fact", "url"):
                continue
            kind, value = fixed.get(origin[1], ("", None))
            if value is None:
                continue
            text = with_utm(value, sheet.reader.utm) if origin[0] == "url" else sheet.reader.formed(kind, value, origin[2])
            usual[(origin, False)], usual[(origin, True)] = text, escape(text)
        return usual

    def _program(self, sheet: _Sheet, skeleton: Skeleton, addresses: tuple[int, ...]) -> Program | None:
        """How to make the values of a straight message; None when one of them takes its template."""
        fills: list[tuple[Fill, bool]] = []
        for n in skeleton.kept:
            fill = sheet.reader.filler(skeleton.origins[n])
            if fill is None:
                return None
            fills.append((fill, skeleton.html[n]))
        place = {n: at for at, n in enumerate(skeleton.kept)}
        again: dict[tuple[int, str], int] = {}
        for n, (first, how) in skeleton.twins.items():
            key = (place[first], how)
            place[n] = key[0] if how == SAME else again.setdefault(key, len(fills) + len(again))
        layout = [place[n] for n in range(skeleton.size)]
        pick = (lambda made: tuple(made[n] for n in layout)) if len(layout) < 2 else itemgetter(*layout)
        repeated = tuple((n, AGAIN[how]) for n, how in again)
        return Program(skeleton, tuple(fills), repeated, pick, tuple(skeleton.links), addresses)

    def _quicken(self, sheet: _Sheet) -> None:
        """What pays off once a message has several readers: folding; and once it has many: compiling what was folded."""
        if sheet.readers == _MANY:
            self._compile_folded(sheet)
            return
        self._fold(sheet)
        if sheet.straight and len(sheet.skeletons) == 1:
            sheet.program = self._program(sheet, *next(iter(sheet.skeletons.values())))

    def _fold(self, sheet: _Sheet) -> None:
        """Decides once what is the same for all readers of this message. A straight one runs no template from now on; of
        the others the folded templates are compiled once there are readers enough."""
        self.recorder.person = sheet.reader
        sure = certain(sheet.reader.message, sheet.persona, sheet.language) - sheet.reader.facts_view.omitted
        statics = {name: value for name, value in sheet.variables.items() if name not in ("contact", "touch")}
        straight = True
        for made in sheet.made:
            if made.template is None:
                continue
            name = made.template.name or ""
            fold = Fold(self._marking, statics, sure, made.part.name)
            tree = fold.template(self._marking.parse(self.sources[name], name, name))
            if tree is None:
                straight = False
                continue
            blocks = {block.name: block.body for block in tree.find_all(nodes.Block)}
            straight = straight and is_straight(blocks.get(made.part.block or "", tree.body), fold.views)
            made.folded = tree, fold.views
        sheet.straight = straight

    def _compile_folded(self, sheet: _Sheet) -> None:
        for made in sheet.made:
            if made.template is None or made.folded is None:
                continue
            tree, views = made.folded
            name = made.template.name or ""
            code = self._marking.compile(tree, name, f"templates/{name}")
            made.template = Template.from_code(self._marking, code, {}, None)
            sheet.variables.update(views)
            made.folded, made.context = None, None

    def _as_a_whole(self, sheet: _Sheet) -> tuple[Skeleton, tuple[str, ...]]:
        """The message rendered without marks: each part is one value."""
        recorder = self.recorder
        recorder.begin(sheet.reader, marking=False)
        key = self._chunks(sheet, self._plain)
        texts = {made.part.name: "".join(chunks) for made, chunks in zip(sheet.made, key, strict=True)}
        if sum(map(len, texts.values())) > MAX_OUTPUT and guards.on("output_limit"):
            raise TooMuch(t("the message grows too long", "le message devient trop long"))
        parts = finished_parts(sheet.medium, texts)
        if sheet.medium.name == "email" and "text" not in parts:
            parts["text"] = finish.to_text(parts["html"])
        names = tuple(parts)
        found = sheet.skeletons.get(("whole", names, tuple(recorder.targets)))
        if found is None:
            whole = {name: f"{OPEN}{n}\ue001" for n, name in enumerate(names)}
            skeleton = build(
                sheet.medium.name, sheet.name, whole, origins=[None] * len(names), html=[False] * len(names), made={}, usual={},
                links=tuple(recorder.targets),
            )  # fmt: skip
            self._skeletons[skeleton.hash] = skeleton
            found = sheet.skeletons[("whole", names, tuple(recorder.targets))] = skeleton, ()
        return found[0], tuple(parts.values())

    def _rendered(self, sheet: _Sheet, skeleton: Skeleton, values: tuple[str, ...], targets: tuple[str, ...]) -> Rendered:
        parts = Parts(skeleton, values)
        count = count_sms(parts["body"]).parts if sheet.medium.name == "sms" else 1
        return Rendered(
            channel=sheet.medium.name, parts=parts, skeleton=skeleton.hash, values=values, links=targets, sms_parts=count
        )

    def addresses(self, job: RenderJob) -> Mapping[str, str]:
        """The touch's own addresses: `unsubscribe` (https, else mailto), and with an own host `preferences`, `web_version`."""
        sheet = self._sheet(job)
        sheet.reader.touch = bytes.fromhex(job.touch)
        found = {purpose: sheet.variables[purpose] for purpose in ("unsubscribe", "preferences", "web_version")}
        return {purpose: view.plain() for purpose, view in found.items() if isinstance(view, Own)}

    def plain_parts(self, job: RenderJob) -> Mapping[str, str]:
        """The same message rendered without skeleton, unfinished: what tests and checks compare with."""
        sheet = self._sheet(job)
        facts = job.facts if job.facts is not None else self.resolve(job)
        self._turn(sheet, job, facts)
        self.recorder.begin(sheet.reader, marking=False)
        key = self._chunks(sheet, self._plain)
        return {made.part.name: "".join(chunks) for made, chunks in zip(sheet.made, key, strict=True)}

    # -- where it comes from -----------------------------------------------------------------------------------------
    def trace(self, job: RenderJob) -> Traced:
        """The message with the origin of every character; CannotRender says why there is none."""
        rendered = self.render(job)
        facts = job.facts if job.facts is not None else self.resolve(job)
        draft = self.draft(replace(job, facts=facts))
        html = frozenset(part.name for part in MEDIA[job.channel].parts if part.kind == "html")
        return Traced(
            job.channel,
            job.language,
            job.persona,
            next(iter(draft.files.values()), ""),
            facts.facts,
            draft.links,
            draft,
            rendered,
            html,
        )

    def draft(self, job: RenderJob) -> Draft:
        """The message as its templates print it, in pieces, before it is finished: a fraction of the work of `trace`."""
        sheet = self._bare_sheet(job)
        facts = job.facts if job.facts is not None else self.resolve(job)
        self._turn(sheet, job, facts)
        if self._tracer is None:
            loader = Templates(self.sources)
            self._tracer = Tracer(lambda show: Tracing(loader, self.recorder, show))
        try:
            return self._tracer.draft(sheet, self._named_parts(job))
        except CannotRender:
            raise
        except (TemplateError, RuntimeError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise CannotRender("render_failed", f"{sheet.name}: {str(error)[:200] or type(error).__name__}") from error

    def template_text(self, file: str) -> str:
        """The text of a template with the offsets that spans count in."""
        return self._tracer.environment.texts.get(file, "") if self._tracer is not None else ""

    def _bare_sheet(self, job: RenderJob) -> _Sheet:
        """The sheet of a message without its compiled templates."""
        key = (id(job.campaign), job.message, job.channel, job.language, job.persona, job.step, job.purpose, job.opens)
        found = self._sheets.get(key) or self._bare.get(key)
        if found is None:
            self._keep[id(job.campaign)] = job.campaign
            found = self._bare[key] = self._opened(job)
        return found

    def _named_parts(self, job: RenderJob) -> list[tuple[Part, str | None]]:
        """The parts of a message with their templates; those without one are left out, as in production."""
        found: list[tuple[Part, str | None]] = []
        for part in MEDIA[job.channel].parts:
            name = None if part.slot is not None else self.template(job.channel, part.ext or "txt", job.campaign.campaign)
            if part.slot is not None or name is not None:
                found.append((part, name))
        return found

    # -- sheets ------------------------------------------------------------------------------------------------------
    def _sheet(self, job: RenderJob) -> _Sheet:
        key = (id(job.campaign), job.message, job.channel, job.language, job.persona, job.step, job.purpose, job.opens)
        found = self._sheets.get(key)
        if found is None:
            self._keep[id(job.campaign)] = job.campaign
            found = self._sheets[key] = self._new_sheet(job)
        return found

    def _new_sheet(self, job: RenderJob) -> _Sheet:
        sheet = self._opened(job)
        sheet.made = [one for one in (self._made(part, job) for part in sheet.medium.parts) if one is not None]
        sheet.whole = next(filter(None, map(self._rendered_whole, self._closure(sheet.made))), None)
        return sheet

    def _opened(self, job: RenderJob) -> _Sheet:
        """A sheet with its words, its reader and what templates see, but no templates yet."""
        medium = MEDIA.get(job.channel)
        if medium is None:
            raise CannotRender("render_failed", t("no medium '{channel}'", "pas de support « {channel} »", channel=job.channel))
        message = job.campaign.messages.get(job.message)
        if message is None:
            raise CannotRender(
                "render_failed",
                t(
                    "campaign '{campaign}' has no message '{name}'",
                    "la campagne « {campaign} » n'a pas de message « {name} »",
                    campaign=job.campaign.campaign,
                    name=job.message,
                ),
            )
        persona = persona_of(self.project, job.campaign, job.persona)
        register = persona.tone.address if persona else None
        words = look_up(message, job.language, register)
        needs = self.needs(job.channel, job.campaign.campaign)
        if needs is None:
            raise CannotRender(
                "no_words",
                t("templates/{channel}.*.j2 does not exist", "templates/{channel}.*.j2 n'existe pas", channel=job.channel),
            )
        if lacking := required.missing(needs, frozenset(words)):
            where = f"{job.language}/{register}" if register else job.language
            raise CannotRender(
                "no_words",
                t(
                    "'{name}' has no '{slot}' in {where}, which {template} needs",
                    "« {name} » n'a pas de « {slot} » en {where}, dont {template} a besoin",
                    name=job.message,
                    slot=lacking.slot,
                    where=where,
                    template=lacking.template or job.channel,
                ),
            )
        tracked = medium.tracked and self.own is not None and self.project.tracking.clicks is not False
        reader = Reader(
            project=self.project, message=message, name=job.message, medium=medium, language=job.language, recorder=self.recorder,
            own=self.own, tracked=tracked, utm=self._utm(job, medium), signing=self.signing, mailto=self._mailto(medium), size="",
        )  # fmt: skip
        variables, extra = self._variables(job, reader, persona, words)
        return _Sheet(medium, reader, variables, [], self._name(job), extra, job.persona, job.language)

    def _rendered_whole(self, name: str) -> str | None:
        if name not in self._wholes:
            self._wholes[name] = required.rendered_whole(self.tree(name))
        return self._wholes[name]

    def _name(self, job: RenderJob) -> str:
        return f"{job.campaign.campaign}/{job.message} × {job.channel} × {job.language}"

    def _made(self, part: Part, job: RenderJob) -> _Made | None:
        if part.slot is not None:
            return _Made(part, None, None, False)
        ext = part.ext or "txt"
        name = self.template(job.channel, ext, job.campaign.campaign)
        if name is None:
            return None
        try:
            return _Made(part, self._marking.get_template(name), self._plain.get_template(name), False)
        except TemplateSyntaxError as error:
            raise _refused(name, error) from None

    def _closure(self, made: Sequence[_Made]) -> list[str]:
        """The templates of a message and all they include, each compiled before the hook listens."""
        todo = [one.template.name or "" for one in made if one.template is not None]
        found: list[str] = []
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.append(name)
            for node in self.tree(name).find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
                other = required.named(node)
                if other in self.sources:
                    self._marking.get_template(other)
                    self._plain.get_template(other)
                    todo.append(other)
        return found

    def _utm(self, job: RenderJob, medium: Medium) -> tuple[tuple[str, str], ...]:
        utm = self.project.tracking.utm
        if utm is None:
            return ()
        source = utm.source or (self.project.brand.name if self.project.brand else self.project.project)
        words = (("utm_source", source), ("utm_medium", utm.mediums.get(job.channel, medium.utm)), ("utm_campaign", job.campaign.campaign),
                 ("utm_content", job.message), ("utm_id", job.step))  # fmt: skip
        return tuple((name, links.safe_word(value)) for name, value in words if value)

    def _mailto(self, medium: Medium) -> str:
        """Where a reader without a web address can unsubscribe: a mail to the sender."""
        from email.utils import parseaddr

        channel = self.project.channels.get("email")
        address = parseaddr((channel.reply_to or channel.from_ or "") if channel else "")[1]
        return f"mailto:{address}?subject=unsubscribe" if address else ""

    def _variables(
        self, job: RenderJob, reader: Reader, persona: Persona | None, words: Mapping[str, str]
    ) -> tuple[dict[str, Any], Fields]:
        recorder = self.recorder
        extra = Fields("touch", {"size": Constant(self._size(job.channel))})
        marketing = job.purpose == "marketing"
        variables: dict[str, Any] = {
            "say": self._say(job, reader, words), "facts": reader.facts_view,
            "contact": ContactView(frozenset(reader.kinds), recorder), "brand": self._brand(reader),
            "persona": _persona(persona, reader), "language": Constant(job.language), "now": Today(recorder), "touch": extra,
            "message": Fields("message", {"name": Constant(job.message), "purpose": Constant(job.purpose)}),
            "stop": Constant(reader.folded(self._stop(job))),
            "direction": Constant("rtl" if reader.locale.text_direction == "right-to-left" else "ltr"),
        }  # fmt: skip
        for purpose in ("unsubscribe", "preferences", "web_version"):
            offered = self.own is not None or (purpose == "unsubscribe" and bool(reader.mailto))
            wanted = marketing or purpose == "web_version"
            variables[purpose] = Own(purpose, recorder) if offered and wanted else Lacking(_no_address(purpose), name=purpose)
        variables["landing"] = Own("scan", recorder) if self.own is not None else Lacking(_no_address("landing"), name="landing")
        variables["pixel"] = self._pixel(job)
        variables["link"], variables["qr"] = _link_function(recorder), _qr_function(recorder)
        return variables, extra

    def _pixel(self, job: RenderJob) -> Any:
        """The address of the picture that tells of an opening (rules CO-07): where openings are only counted it is the same for
        everybody and names nobody, where they are noted by person only whoever agreed has one."""
        how = self.project.tracking.opens
        if self.own is None or job.channel != "email" or how == "off" or (how == "consented" and not job.opens):
            return Lacking(_no_address("pixel"), name="pixel")
        if how == "consented":
            return Own("open", self.recorder)
        counted = links.token(self.signing, "opens", links.sum_key(job.campaign.campaign, job.message, job.step))
        return Constant(f"{self.own}/{links.PATHS['opens']}/{counted}")

    def _say(self, job: RenderJob, reader: Reader, words: Mapping[str, str]) -> SayView:
        slots: dict[str, Slot] = {}
        for slot, text in words.items():
            try:
                pieces = parse_words(text)
            except WordsError as error:
                raise CannotRender("render_failed", f"'{job.message}', {slot}: {error.message} (column {error.column})") from None
            slots[slot] = Slot(
                [reader.fill(piece) if isinstance(piece, Placeholder) else reader.folded(piece) for piece in pieces],
                self.recorder,
            )
        return SayView(slots, t("'{name}' in {language}", "« {name} » en {language}", name=job.message, language=job.language))

    def _brand(self, reader: Reader) -> Fields:
        brand = self.project.brand
        given = {key: getattr(brand, key) for key in ("name", "legal_name", "address", "privacy", "logo")} if brand else {}
        values: dict[str, Any] = {key: Constant(reader.folded(text)) for key, text in given.items() if text is not None}
        values.setdefault("name", Constant(self.project.project))
        values["font"] = Constant(colours.font(brand.font if brand else None))
        values["colours"] = Fields(
            "brand.colours", {key: Constant(colour) for key, colour in colours.palette(brand.colours if brand else {}).items()}
        )
        if "logo" in values and not values["logo"].startswith("https://"):
            del values["logo"]  # a file of the project: nobody's mail program could fetch it
        return Fields("brand", values)

    def _size(self, channel: str) -> str:
        """How large a code is printed, in millimetres."""
        settings = self.project.channels.get(channel)
        return f"{float(settings.size.metres * 1000):g}mm" if settings is not None and settings.size is not None else "30mm"

    def _stop(self, job: RenderJob) -> str:
        """The STOP words of a marketing SMS (rules FR-04, SM-07); nothing elsewhere."""
        if job.purpose != "marketing" or job.channel != "sms":
            return ""
        settings = self.project.channels.get("sms")
        number = settings.stop if settings else None
        french = job.language.split("-")[0] == "fr"
        if number:
            return f"STOP au {number}" if french else f"STOP to {number}"
        return "Répondez STOP pour ne plus recevoir" if french else "Reply STOP to opt out"


def own_host(project: Project, *, live: bool) -> str | None:
    """Where every link that people see stands: `tracking.domain`, in live as that environment overrides it, else `public_url`."""
    there = project.environments["live"].tracking.domain if live and "live" in project.environments else None
    return str(there or project.tracking.domain or project.public_url or "").rstrip("/") or None


def _weighed(skeleton: Skeleton, values: int) -> None:
    """TooMuch for a message longer than any mail program shows."""
    constants, often = skeleton.weight
    if constants + often * values > MAX_OUTPUT and guards.on("output_limit"):
        raise TooMuch(t("the message grows too long", "le message devient trop long"))


def _check_addresses(values: Sequence[str], addresses: Sequence[int]) -> None:
    """CannotRender when a value that stands where an address must stand is none."""
    for n in addresses:
        if not finish.is_address(values[n]):
            raise CannotRender(
                "render_failed",
                t("a value used as an address is not a web address", "une valeur servant d'adresse n'est pas une adresse web"),
            )


def finished_parts(medium: Medium, texts: Mapping[str, str]) -> dict[str, str]:
    """The parts as they are sent: style sheets in-lined, lines tidied."""
    out: dict[str, str] = {}
    for part in medium.parts:
        if part.name not in texts:
            continue
        text = texts[part.name]
        if part.kind == "html":
            out[part.name] = finish.inline_css(text) if medium.name == "email" else text
        elif part.kind == "line":
            out[part.name] = finish.one_line(text) if guards.on("header_line") else text
        else:
            tidy = finish.tidy_markdown(text) if part.ext == "md" else finish.tidy_text(text)
            out[part.name] = "\n".join(map(plain_spaces, tidy.split("\n"))) if medium.plain_spaces else tidy
    return out


def look_up(message: Message, language: str, register: str | None) -> dict[str, str]:
    """The slots written for a language and register, slot by slot: `fr-CA/tu`, `fr-CA`, `fr/tu`, `fr` (5.5)."""
    found: dict[str, str] = {}
    for key in reversed(chain(language, register)):
        found.update(message.say.get(key, {}))
    return found


def chain(language: str, register: str | None) -> tuple[str, ...]:
    """The keys of `say` that are asked, nearest first."""
    tags = [language] + ([language.split("-")[0]] if "-" in language else [])
    return tuple(key for tag in tags for key in ((f"{tag}/{register}", tag) if register else (tag,)))


def persona_of(project: Project, campaign: Campaign, name: str | None) -> Persona | None:
    """The persona a campaign means by this name."""
    if name is None:
        return None
    if isinstance(campaign.personas, Mapping) and name in campaign.personas:
        return campaign.personas[name]
    return project.personas.get(name)


def _persona(persona: Persona | None, reader: Reader) -> Any:
    if persona is None:
        return Lacking(t("this contact has no persona", "ce contact n'a pas de persona"), name="persona")
    lists = {
        key: tuple(Constant(reader.folded(text)) for text in getattr(persona, key))
        for key in ("needs", "problems", "interests", "levers")
    }
    return Fields("persona", {"title": Constant(reader.folded(persona.title)), **lists})


def _extra(name: str, value: str | Sequence[str], reader: Reader) -> Any:
    """What the touch says besides: a text, or lines (an address always is)."""
    lines = tuple(reader.cleaned(line) for line in (value.splitlines() if isinstance(value, str) else value) if line.strip())
    if name == "address" or not isinstance(value, str) or "\n" in value:
        return lines
    return lines[0] if lines else ""


def _link_function(recorder: Recorder) -> Any:
    made: dict[Any, Link] = {}

    def link(target: Any) -> Any:
        if isinstance(target, Lacking):
            return target
        if isinstance(target, Own):
            return target
        key = target.name if isinstance(target, FactView) else ("", str(target))
        if key not in made:
            made[key] = Link(target if isinstance(target, FactView) else Constant(str(target)), recorder)
        return made[key]

    link.for_templates = True  # type: ignore[attr-defined]
    return link


def _qr_function(recorder: Recorder) -> Any:
    def qr(target: Any) -> Any:
        if isinstance(target, Lacking):
            return target
        inner = target.target if isinstance(target, Link) else target
        return Picture(inner if isinstance(inner, Printed) else Constant(str(inner)), recorder, "qr")

    qr.for_templates = True  # type: ignore[attr-defined]
    return qr


def _reusable(tree: nodes.Template) -> bool:
    """True when a template leaves nothing behind in its context, so that one context serves everybody."""
    kinds = (nodes.Extends, nodes.Assign, nodes.AssignBlock, nodes.Import, nodes.FromImport, nodes.Macro)
    return next(tree.find_all(kinds), None) is None


def read_templates(root: Path) -> dict[str, str]:
    """The texts of `templates/**/*.j2` by their path below it; links that lead out of the folder are not followed (S29)."""
    folder = root / "templates"
    found: dict[str, str] = {}
    if not folder.is_dir():
        return found
    inside = folder.resolve()
    for path in sorted(folder.rglob("*.j2")):
        if path.is_file() and path.resolve().is_relative_to(inside):
            found[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8", "replace")
    return found


def _refused(name: str, error: TemplateSyntaxError) -> OmniError:
    return OmniError(
        t("templates/{name}:{line}: {what}", "templates/{name}:{line} : {what}", name=name, line=error.lineno, what=error.message),
        hint=t("`omni lint` shows the place", "« omni lint » montre l'endroit"), code="template", exit=Exit.FINDINGS,
    )  # fmt: skip


def _no_address(purpose: str) -> str:
    return t("there is no {purpose} address here", "il n'y a pas d'adresse {purpose} ici", purpose=purpose)
