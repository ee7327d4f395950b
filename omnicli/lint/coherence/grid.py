"""The renderings of a project, made once a lint and shared by every rule: each message as each channel shows it to each reader.

Renderings equal in skeleton are one `Reading`; its `cells` say whose (docs/consistency 1). Nothing is rendered before a rule asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from omnicli.channels import MEDIA, Medium
from omnicli.errors import OmniError
from omnicli.lint.coherence.visible import Seen, seen
from omnicli.model.campaign import Message
from omnicli.model.project import Persona
from omnicli.model.written import unknown
from omnicli.render import samples
from omnicli.render.facts import Resolved, ResolvedFacts, fixed_facts, resolve_facts
from omnicli.render.renderer import Renderer, RenderJob, finished_parts
from omnicli.render.trace import Draft, Piece
from omnicli.render.views import CannotRender

if TYPE_CHECKING:
    from omnicli.lint.ground import Chapter, Ground


@dataclass(frozen=True, slots=True)
class Cell:
    """One rendering of the grid."""

    message: str
    channel: str
    persona: str | None
    language: str
    contact: str


@dataclass(frozen=True, eq=False)
class Reading:
    """What all the people of `cells` read, values aside. `draft` is the rendering of the first; `facts` its resolved facts. `drafts`:
    what the `longest` contact reads, where it was rendered as the reading's own persona. `told`: what `once` keeps."""

    chapter: Chapter
    message: Message
    name: str
    channel: str
    language: str
    register: str | None
    persona: str | None
    draft: Draft = field(repr=False)
    facts: Mapping[str, Resolved] = field(repr=False)
    cells: list[Cell] = field(repr=False)
    renderer: Renderer = field(repr=False)
    job: RenderJob = field(repr=False)
    drafts: dict[str, Draft] = field(default_factory=dict, repr=False)
    told: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def medium(self) -> Medium:
        return MEDIA[self.channel]

    @cached_property
    def seen(self) -> Mapping[str, Seen]:
        """Part → what a reader sees of it."""
        pages = {part.name for part in self.medium.parts if part.kind == "html"}
        return {name: seen(name, pieces, page=name in pages) for name, pieces in self.draft.parts.items()}

    @cached_property
    def views(self) -> tuple[tuple[str, tuple[Seen, ...]], ...]:
        """What one reader has before them: an e-mail is read as a page or as plain text, each with its subject."""
        parts = self.seen
        if self.channel != "email":
            return (("", tuple(parts.values())),)
        made = [("html", "html"), ("text", "text")]
        return tuple((name, (parts["subject"], parts[part])) for name, part in made if part in parts)

    @cached_property
    def finished(self) -> Mapping[str, str]:
        """The texts as they would be sent, style sheets in-lined: what lengths and weights are measured on."""
        return finished_parts(self.medium, {name: self.draft.text(name) for name in self.draft.parts})

    @cached_property
    def longest(self) -> Mapping[str, str]:
        """The finished texts of the `longest` contact among these readers, or of the first when they do not read so much."""
        if all(cell.contact != "longest" for cell in self.cells) or self.cells[0].contact == "longest":
            return self.finished
        draft = self.drafts.get("longest")
        if draft is None:
            project = self.renderer.project
            who = samples.sample(project, "longest", now=self.job.at)
            job = samples.job_for(project, self.chapter.campaign, self.name, channel=self.channel, language=self.language,
                                  persona=self.persona, person=who, now=self.job.at)  # fmt: skip
            draft = self.renderer.draft(job)
        return finished_parts(self.medium, {name: draft.text(name) for name in draft.parts})

    @property
    def omitted(self) -> frozenset[str]:
        return frozenset(self.message.omit.get(self.channel, ()))


_Of = ParamSpec("_Of")
_Found = TypeVar("_Found")


def once(look: Callable[Concatenate[Reading, _Of], _Found]) -> Callable[Concatenate[Reading, _Of], _Found]:
    """What several rules ask of a reading is found once; what it is asked with is known by its identity."""

    @wraps(look)
    def kept(reading: Reading, /, *of: _Of.args, **how: _Of.kwargs) -> _Found:
        key = look, *map(id, of), *how.items()
        if key not in reading.told:
            reading.told[key] = of, look(reading, *of, **how)
        found: _Found = reading.told[key][1]
        return found

    return kept


@dataclass(frozen=True, slots=True)
class Failure:
    """A rendering that could not be made, and why."""

    chapter: Chapter = field(repr=False)
    cell: Cell
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class OneReader:
    """One person of the store instead of the four samples: what they were told already (message → fact → [type, value]) stands."""

    sample: samples.Sample = field(repr=False)
    told: Mapping[str, Any] = field(default_factory=dict, repr=False)
    entered_at: datetime | None = None


class Grid:
    """All renderings of a project, by campaign and message, when they are asked for."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.counts: dict[str, int] = {}
        self.failures: list[Failure] = []
        self._known: dict[tuple[str, str], tuple[Reading, ...]] = {}
        self._asking: dict[tuple[str, str], bool] = {}

    @cached_property
    def renderer(self) -> Renderer:
        sources = {file.removeprefix("templates/"): text for file, text in self.ground.overlay.items()}
        return Renderer(self.ground.root, self.ground.project, sources=sources)

    @cached_property
    def now(self) -> datetime:
        """Noon of today where the project is: what lint says changes with the day, never with the hour. One reader's now is now."""
        if self.ground.reader is not None:
            return self.ground.now
        here = self.ground.now.astimezone(ZoneInfo(self.ground.project.time_zone))
        return here.replace(hour=12, minute=0, second=0, microsecond=0).astimezone(UTC)

    @cached_property
    def people(self) -> Mapping[str, samples.Sample]:
        if self.ground.reader is not None:
            return {self.ground.reader.sample.name: self.ground.reader.sample}
        return {name: samples.sample(self.ground.project, name, now=self.now) for name in samples.SAMPLES}

    @property
    def count(self) -> int:
        """Renderings made so far."""
        return sum(self.counts.values())

    @property
    def skeletons(self) -> int:
        return sum(map(len, self._known.values()))

    @property
    def messages(self) -> int:
        return len(self._known)

    def of(self, chapter: Chapter, name: str) -> tuple[Reading, ...]:
        """The readings of one message: channels × personas × languages × four people, equal skeletons once."""
        key = (chapter.name, name)
        if key not in self._known:
            try:
                self._known[key] = tuple(self._made(chapter, name))
            except (
                OmniError,
                ZoneInfoNotFoundError,
            ):  # a template that is refused, a zone that is none: J001, J003, J006, T005 say so
                self._known[key] = ()
        return self._known[key]

    def _made(self, chapter: Chapter, name: str) -> Iterator[Reading]:
        found: dict[Any, Reading] = {}
        same: dict[Any, Reading | CannotRender] = {}
        for cell, job, persona in self._jobs(chapter, name):
            self.counts[chapter.name] = self.counts.get(chapter.name, 0) + 1
            alike = self._alike(chapter, cell, persona)
            if alike not in same:
                same[alike] = self._reading(chapter, cell, job, persona, found)
            reading = same[alike]
            if isinstance(reading, CannotRender):
                self.failures.append(Failure(chapter, cell, reason=reading.reason, detail=reading.detail))
            else:
                reading.cells.append(cell)
        yield from found.values()

    def _reading(
        self, chapter: Chapter, cell: Cell, job: RenderJob, persona: Persona | None, found: dict[Any, Reading]
    ) -> Reading | CannotRender:
        """The reading with the skeleton of this rendering: a known one, or a new one."""
        message = chapter.campaign.messages[cell.message]
        try:
            resolved = self._resolved(job)
            draft = self.renderer.draft(replace(job, facts=resolved))
        except CannotRender as error:
            return error
        key = (cell.channel, cell.language, _skeleton(draft), _fixed(message, cell))
        if key not in found:
            register = persona.tone.address if persona else None
            found[key] = Reading(chapter, message, cell.message, cell.channel, cell.language, register, cell.persona, draft,
                                 resolved.facts, [], self.renderer, job)  # fmt: skip
        if cell.contact == "longest" and cell.persona == found[key].persona and self.ground.reader is None:
            found[key].drafts["longest"] = draft
        return found[key]

    def _resolved(self, job: RenderJob) -> ResolvedFacts:
        one = self.ground.reader
        if one is None:
            return self.renderer.resolve(job)
        return resolve_facts(
            job.campaign.messages[job.message], persona=job.persona, language=job.language, entered_at=one.entered_at or job.at,
            zone=job.zone, attributes=job.contact, event=job.event, told=one.told.get(job.message), places=self.ground.project.places,
            project=self.ground.project,
        )  # fmt: skip

    def _alike(self, chapter: Chapter, cell: Cell, persona: Persona | None) -> Any:
        """What decides a rendering, so that two personas of one register are rendered once where no template asks for the persona."""
        message = chapter.campaign.messages[cell.message]
        asked = cell.persona if self._asks_persona(cell.channel, chapter.name) else None
        register = persona.tone.address if persona else None
        return cell.channel, cell.language, cell.contact, register, _fixed(message, cell), asked

    def _asks_persona(self, channel: str, campaign: str) -> bool:
        """True when a template of the channel may look at the persona; every template that includes or imports is taken to."""
        known = self._asking.get((channel, campaign))
        if known is None:
            names = [
                self.renderer.template(channel, part.ext or "txt", campaign) for part in MEDIA[channel].parts if part.slot is None
            ]
            texts = [self.renderer.sources[name] for name in names if name is not None]
            known = self._asking[(channel, campaign)] = any(map(_names_persona, texts))
        return known

    def _jobs(self, chapter: Chapter, name: str) -> Iterator[tuple[Cell, RenderJob, Persona | None]]:
        project, campaign = self.ground.project, chapter.campaign
        known = samples.personas(project, campaign)
        readers: Sequence[tuple[str | None, Persona | None]] = list(known.items()) or [(None, None)]
        spoken = samples.languages(project, campaign)
        if self.ground.reader is not None:
            who = self.ground.reader.sample
            readers = [one for one in readers if one[0] == who.persona] or readers[-1:]
            spoken = (who.language,) if who.language in spoken else spoken[:1]
        for channel in samples.channels(project, campaign, name):
            step = samples.step_of(campaign, name, channel)
            for language in spoken:
                for persona, value in readers:
                    for person, who in self.people.items():
                        cell = Cell(name, channel, persona, language, person)
                        job = samples.job_for(project, campaign, name, channel=channel, language=language, persona=persona, person=who,
                                              now=self.now, step=step)  # fmt: skip
                        yield cell, job, value


_PERSONA = re.compile(r"\bpersona\b|\{%-?\+?\s*(?:include|import|from|extends)\b")


@lru_cache(maxsize=256)
def _names_persona(text: str) -> bool:
    return _PERSONA.search(text) is not None


@lru_cache(maxsize=64)
def zone_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def readable(message: Message) -> bool:
    """False for a message in which something could not be read: there is a finding about it already."""
    values = [message.facts, message.say, *message.facts.values(), *message.say.values()]
    values += [text for texts in message.say.values() if not unknown(texts) for text in texts.values()]
    values += [
        one for fact in message.facts.values() if not unknown(fact) for one in (fact.value, fact.by_persona, fact.by_language)
    ]
    return not any(unknown(value) for value in values)


def _skeleton(draft: Draft) -> tuple[Any, ...]:
    """What is the same for all who share a skeleton: constants as they are, values by where they come from."""
    return tuple(
        (name, tuple([_kept(piece) for piece in pieces])) for name, pieces in draft.parts.items()
    )  # fmt: skip


_VALUES = frozenset(("contact", "touch", "address", "picture", "link", "today"))


def _kept(piece: Piece) -> Any:
    origin = piece.origin or ("template",)
    if origin[0] == "fact" or origin[0] in _VALUES:
        return origin, bool(piece.text), piece.span
    return origin, piece.text


def _fixed(message: Message, cell: Cell) -> tuple[tuple[str, Resolved], ...]:
    return tuple(sorted(fixed_facts(message, cell.persona, cell.language).items()))


def compressed(cells: Sequence[Cell]) -> dict[str, Any]:
    """The grid of a finding: `{message, channel, persona, language, contact}`, each the values that occur, joined."""
    columns = ("message", "channel", "persona", "language", "contact")
    found = {}
    for column in columns:
        values = list(dict.fromkeys(str(getattr(cell, column)) for cell in cells if getattr(cell, column) is not None))
        if values and not (column == "contact" and len(values) == len(samples.SAMPLES)):
            found[column] = ", ".join(values)
    return found
