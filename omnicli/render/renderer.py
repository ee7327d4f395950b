"""Turns a planned touch into exactly what its reader gets, and keeps skeleton and values apart so that it can be shown again.

One `Renderer` serves one thread: the hook listens to one rendering at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import nodes

from omnicli.channels import MEDIA, Part
from omnicli.channels.sms import count_sms
from omnicli.model.campaign import Campaign, Message
from omnicli.model.project import Project
from omnicli.model.touch import Rendered
from omnicli.render import links, required
from omnicli.render.facts import ResolvedFacts, resolve_facts
from omnicli.render.finished import finished_parts
from omnicli.render.job import Edition, RenderFailure, RenderJob
from omnicli.render.opening import Opener, own_host
from omnicli.render.running import Runner
from omnicli.render.said import Written
from omnicli.render.sandbox import Templates
from omnicli.render.sheet import Sheet
from omnicli.render.shelf import Shelf, read_templates
from omnicli.render.skeleton import Parts, Recorder, Skeleton, read
from omnicli.render.trace import Draft, Traced, Tracer
from omnicli.render.tracing import Tracing
from omnicli.render.views import MISTAKES, CannotRender, Own
from omnicli.render.wording import chain, look_up, persona_of

__all__ = ["Edition", "RenderFailure", "RenderJob", "Renderer", "chain", "finished_parts", "look_up", "own_host", "persona_of",
           "read_templates", "rendered"]  # fmt: skip


class Renderer:
    """The templates of a project, compiled when they are first needed; `sources` (path below `templates/` → text) win over the
    disk, which is not read at all without `disk`. OmniError J001/J006 for one that is refused."""

    def __init__(
        self, root: Path, project: Project, *, live: bool = False, signing: links.Signing | None = None,
        sources: Mapping[str, str] | None = None, disk: bool = True,
    ) -> None:  # fmt: skip
        self.root, self.project, self.live = root, project, live
        self.signing = signing or links.Signing.of_sandbox(project.project)
        self.recorder = Recorder()
        self.shelf = Shelf({**(read_templates(root) if disk else {}), **(sources or {})}, self.recorder)
        self.sources = self.shelf.sources
        self.own = own_host(project, live=live)
        self._runner = Runner(self.shelf, self.recorder)
        self._opener = Opener(project, self.shelf, self.recorder, self.signing, self.own)
        self._sheets: dict[Any, Sheet] = {}
        self._bare: dict[Any, Sheet] = {}
        self._tracer: Tracer | None = None
        self._keep: dict[int, Campaign] = {}
        self._learnt: dict[str, Skeleton] = {}

    # -- what can be written -----------------------------------------------------------------------------------------
    def template(self, channel: str, ext: str, campaign: str = "") -> str | None:
        """The file that makes this part: the campaign's own, else the channel's; None without one."""
        return self.shelf.template(channel, ext, campaign)

    def needs(self, channel: str, campaign: str = "") -> tuple[required.Use, ...] | None:
        """The slots that the channel's templates need; None when a template is missing (R008)."""
        return self.shelf.needs(channel, campaign)

    def tree(self, name: str) -> nodes.Template:
        """The syntax tree of a template; OmniError with its place when it cannot be read."""
        return self.shelf.tree(name)

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
        sheet = self.sheet(job.edition)
        self._turn(sheet, job)
        try:
            said, values = self._runner.values(sheet)
        except MISTAKES as error:
            raise _mistake(sheet, error) from error
        return rendered(said.skeleton, values)

    def batch(self, jobs: Iterable[RenderJob]) -> list[Rendered | RenderFailure]:
        """The messages of many, in order; one who cannot be written to does not stop the others."""
        out: list[Rendered | RenderFailure] = []
        for job in jobs:
            try:
                out.append(self.render(job))
            except CannotRender as error:
                out.append(RenderFailure(job.touch, error.reason, error.detail))
        return out

    def write(
        self, sheet: Sheet, contact: Mapping[str, Any], facts: ResolvedFacts, touch: bytes, zone: str, at: datetime, *,
        extra: Mapping[str, str | Sequence[str]], common: object = None,
    ) -> Written:  # fmt: skip
        """One reader's message as the archive keeps it: the same skeleton and values as `render`, never put together. `common` says
        with whom the facts are shared (`Program.write`). CannotRender says why there is none."""
        sheet.reader.turn_to(contact, facts, touch, zone, at)
        sheet.say_besides(extra)
        try:
            if sheet.program is not None:
                return sheet.program.write(common)
            said, values = self._runner.values(sheet)
            return said.written(values)
        except MISTAKES as error:
            raise _mistake(sheet, error) from error

    def skeleton(self, hash: str) -> Skeleton:
        """A skeleton that this renderer made or learnt, by `Rendered.skeleton`."""
        made = self._runner.said.get(hash)
        return made.skeleton if made is not None else self._learnt[hash]

    def learn(self, blob: bytes) -> None:
        """A skeleton that a renderer of another process made, as the store keeps it."""
        found = read(blob)
        self._learnt[found.hash] = found

    def pack(self, rendered: Rendered) -> bytes:
        """The values of a rendering as the store keeps them."""
        return self.skeleton(rendered.skeleton).pack(rendered.values)

    def resolve(self, job: RenderJob) -> ResolvedFacts:
        """The job's facts, when the caller has not resolved them."""
        return resolve_facts(
            job.campaign.messages[job.message], persona=job.persona, language=job.language, entered_at=job.entered_at or job.at,
            zone=job.zone, attributes=job.contact, event=job.event, places=self.project.places, project=self.project,
        )  # fmt: skip

    def _turn(self, sheet: Sheet, job: RenderJob) -> None:
        facts = job.facts if job.facts is not None else self.resolve(job)
        sheet.reader.turn_to(job.contact, facts, bytes.fromhex(job.touch), job.zone, job.at)
        sheet.say_besides(job.extra)

    def addresses(self, job: RenderJob) -> Mapping[str, str]:
        """The touch's own addresses: `unsubscribe` (https, else mailto), and with an own host `preferences`, `web_version`."""
        sheet = self.sheet(job.edition)
        sheet.reader.touch = bytes.fromhex(job.touch)
        found = {purpose: sheet.variables[purpose] for purpose in ("unsubscribe", "preferences", "web_version")}
        return {purpose: view.plain() for purpose, view in found.items() if isinstance(view, Own)}

    def plain_parts(self, job: RenderJob) -> Mapping[str, str]:
        """The same message rendered without skeleton, unfinished: what tests and checks compare with."""
        sheet = self.sheet(job.edition)
        self._turn(sheet, job)
        return self._runner.plainly(sheet)

    # -- where it comes from -----------------------------------------------------------------------------------------
    def trace(self, job: RenderJob) -> Traced:
        """The message with the origin of every character; CannotRender says why there is none."""
        made = self.render(job)
        facts = job.facts if job.facts is not None else self.resolve(job)
        draft = self.draft(replace(job, facts=facts))
        html = frozenset(part.name for part in MEDIA[job.channel].parts if part.kind == "html")
        template = next(iter(draft.files.values()), "")
        return Traced(job.channel, job.language, job.persona, template, facts.facts, draft.links, draft, made, html)

    def draft(self, job: RenderJob) -> Draft:
        """The message as its templates print it, in pieces, before it is finished: a fraction of the work of `trace`."""
        sheet = self._bare_sheet(job.edition)
        self._turn(sheet, job)
        if self._tracer is None:
            loader = Templates(self.sources)
            self._tracer = Tracer(lambda show: Tracing(loader, self.recorder, show))
        try:
            return self._tracer.draft(sheet, self._named_parts(job))
        except MISTAKES as error:
            raise _mistake(sheet, error) from error

    def template_text(self, file: str) -> str:
        """The text of a template with the offsets that spans count in."""
        return self._tracer.environment.texts.get(file, "") if self._tracer is not None else ""

    def _named_parts(self, job: RenderJob) -> list[tuple[Part, str | None]]:
        """The parts of a message with their templates; those without one are left out, as in production."""
        found: list[tuple[Part, str | None]] = []
        for part in MEDIA[job.channel].parts:
            name = None if part.slot is not None else self.template(job.channel, part.ext or "txt", job.campaign.campaign)
            if part.slot is not None or name is not None:
                found.append((part, name))
        return found

    # -- sheets ------------------------------------------------------------------------------------------------------
    def sheet(self, edition: Edition) -> Sheet:
        """What the readers of this edition share; CannotRender when it lacks words."""
        key = edition.key
        found = self._sheets.get(key)
        if found is None:
            self._keep[id(edition.campaign)] = edition.campaign
            found = self._sheets[key] = self._opener.sheet(edition)
        return found

    def _bare_sheet(self, edition: Edition) -> Sheet:
        """The sheet of an edition without its compiled templates."""
        key = edition.key
        found = self._sheets.get(key) or self._bare.get(key)
        if found is None:
            self._keep[id(edition.campaign)] = edition.campaign
            found = self._bare[key] = self._opener.bare(edition)
        return found


def rendered(skeleton: Skeleton, values: Sequence[str]) -> Rendered:
    """The message of a skeleton and all its values."""
    parts = Parts(skeleton, values)
    count = count_sms(parts["body"]).parts if skeleton.channel == "sms" else 1
    return Rendered(
        channel=skeleton.channel, parts=parts, skeleton=skeleton.hash, values=tuple(values), links=skeleton.links, sms_parts=count
    )


def _mistake(sheet: Sheet, error: Exception) -> CannotRender:
    return CannotRender("render_failed", f"{sheet.name}: {str(error)[:200] or type(error).__name__}")
