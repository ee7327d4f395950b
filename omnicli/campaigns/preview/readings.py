"""What everybody would read: each message of a campaign by channel, language, persona and reader, in pieces that know their origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from omnicli.campaignfile import Loaded
from omnicli.errors import OmniError
from omnicli.model.campaign import Campaign, Fact
from omnicli.model.finding import Finding
from omnicli.model.project import Persona, Project
from omnicli.render.renderer import Renderer, RenderJob
from omnicli.render.samples import Sample, channels, job_for, languages, personas
from omnicli.render.skeleton import Origin
from omnicli.render.views import CannotRender

#: A piece of a part: its text as it is sent, and where it comes from (None: typed in the template or written in `say`).
Pieces = tuple[tuple[str, Origin], ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked to be shown; None means everything."""

    campaign: str | None = None
    message: str | None = None
    channel: str | None = None
    language: str | None = None
    persona: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader gets: part → pieces; or the reason why nothing."""

    reader: int
    parts: Mapping[str, Pieces] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""

    def text(self, part: str) -> str:
        return "".join(text for text, _ in self.parts.get(part, ()))


@dataclass(frozen=True, slots=True)
class Cell:
    """One message on one channel, for one persona in one language, by every reader; `lacks`: facts that do not reach them."""

    channel: str
    language: str
    persona: str | None
    readings: tuple[Reading, ...]
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """One message with all its cells, and what lint says about it. `facts`: name → how it reads, by language."""

    campaign: Campaign
    name: str
    channels: tuple[str, ...]
    languages: tuple[str, ...]
    personas: Mapping[str, Persona]
    facts: Mapping[str, Mapping[str, tuple[str, ...]]]
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...] = ()


def readings(
    loaded: Loaded, project: Project, wish: Wish, readers: Callable[[Campaign], Sequence[Sample]], *, now: datetime, live: bool = False
) -> tuple[Shown, ...]:  # fmt: skip
    """Every message that is wished for, by the readers of its campaign; a template that cannot be read is the reason why its channel says nothing."""
    renderer = Renderer(loaded.root, project, live=live)
    return tuple(
        _shown(renderer, project, campaign, name, wish, readers(campaign), now)
        for campaign in loaded.campaigns.values()
        if wish.campaign in (None, campaign.campaign) and not loaded.errors(campaign.campaign)
        for name in campaign.messages
        if wish.message in (None, name)
    )


def _shown(renderer: Renderer, project: Project, campaign: Campaign, name: str, wish: Wish, readers: Sequence[Sample], now: datetime) -> Shown:  # fmt: skip
    by = (wish.channel,) if wish.channel else channels(project, campaign, name)
    spoken = _spoken(languages(project, campaign), wish.language, readers)
    known = _known(personas(project, campaign), wish.persona, readers)
    cells = tuple(
        _cell(renderer, [(n, job_for(project, campaign, name, channel=channel, language=language, persona=persona, person=reader, now=now))
                         for n, reader in enumerate(readers)])
        for language in spoken for persona in known or (None,) for channel in by
    )  # fmt: skip
    return Shown(campaign, name, by, spoken, known, _as_read(campaign, name, cells), cells)


def _spoken(of: tuple[str, ...], wished: str | None, readers: Sequence[Sample]) -> tuple[str, ...]:
    """The languages to show: a contact of the store reads in their own."""
    if wished:
        return (wished,)
    own = {reader.language for reader in readers}
    return tuple(one for one in of if one in own) or (of[:1] if own != {None} else of)


def _known(of: Mapping[str, Persona], wished: str | None, readers: Sequence[Sample]) -> Mapping[str, Persona]:
    own = wished or next((reader.persona for reader in readers if reader.persona), None)
    return {own: of[own]} if own is not None and own in of else of


def _cell(renderer: Renderer, jobs: Sequence[tuple[int, RenderJob]]) -> Cell:
    first = jobs[0][1]
    found = tuple(_reading(renderer, n, job) for n, job in jobs)
    return Cell(first.channel, first.language, first.persona, found, _lacks(first, found))


def _reading(renderer: Renderer, n: int, job: RenderJob) -> Reading:
    try:
        return Reading(n, _pieces(renderer, job))
    except CannotRender as error:
        return Reading(n, reason=error.reason, detail=error.detail)
    except OmniError as error:
        return Reading(n, reason=error.code, detail=error.message)


def _pieces(renderer: Renderer, job: RenderJob) -> Mapping[str, Pieces]:
    """Part → pieces, of which those that may differ from one reader to the next keep their origin."""
    traced = renderer.trace(job)
    scanned = next((("fact", link.fact, "qr") for link in traced.links if link.purpose == "scan" and link.fact), None)

    def origin(of: Origin) -> Origin:
        """An address that leads to a fact's page, and a code that does, count as that fact."""
        if not of or of[0] not in _KEPT or of == ("touch", "size"):
            return None
        if of[0] == "link" and (fact := traced.links[of[1]].fact):
            return ("fact", fact, "link")
        return scanned if of[0] == "picture" and scanned else of

    return {part: tuple((piece.text, origin(piece.origin)) for piece in pieces) for part, pieces in traced.parts.items()}


#: Origins of values; everything else (words, template, brand …) is the same for all readers, or makes another skeleton.
_KEPT = frozenset(("fact", "derived", "contact", "link", "address", "picture", "touch", "today", "plural"))


def _lacks(job: RenderJob, found: Sequence[Reading]) -> tuple[str, ...]:
    """The facts that should be told by this channel and stand nowhere in what somebody reads."""
    message = job.campaign.messages[job.message]
    omitted = set(message.omit.get(job.channel, ()))
    lost = {name for reading in found if not reading.reason for name in message.facts if name not in omitted | _told(reading)}
    return tuple(name for name in message.facts if name in lost)


def _told(reading: Reading) -> set[str]:
    return {origin[1] for pieces in reading.parts.values() for _, origin in pieces if origin and origin[0] == "fact"}


def _as_read(campaign: Campaign, name: str, cells: Sequence[Cell]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """How each fact reads in each language, for the first reader, in the order in which the channels say it."""
    found: dict[str, dict[str, dict[str, None]]] = {fact: {} for fact in campaign.messages[name].facts}
    for cell in cells:
        for pieces in cell.readings[0].parts.values() if cell.readings else ():
            for text, origin in pieces:
                if origin and origin[0] == "fact" and origin[1] in found and origin[2] not in ("link", "qr"):
                    found[origin[1]].setdefault(cell.language, {})[text] = None
    written = campaign.messages[name].facts
    return {
        fact: {language: tuple(texts) for language, texts in by.items()} or _written(written[fact]) for fact, by in found.items()
    }


def _written(fact: Fact) -> Mapping[str, tuple[str, ...]]:
    """A fact that is printed nowhere, such as the page behind a button, as its file writes it."""
    values = fact.by_language or fact.by_persona or {"": fact.value}
    return {str(key): (str(value).removeprefix("https://"),) for key, value in values.items() if isinstance(value, str)}
