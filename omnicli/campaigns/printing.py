"""Renders touches without a store: facts resolved, words written, values packed. The same in every process, so the same bytes.

People who get one message by one channel in one language share a desk; those among them who were told nothing else and entered
within the same day share their facts, and what follows from these is made once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.render.facts import by_entry, by_entry_day, resolve_facts
from omnicli.render.job import Edition
from omnicli.render.program import FIXED
from omnicli.render.views import CannotRender
from omnicli.store.outbox import BUILT_IN, Claimed, Entering
from omnicli.text import printable

if TYPE_CHECKING:
    from omnicli.model.campaign import Campaign, Message
    from omnicli.render.facts import ResolvedFacts
    from omnicli.render.renderer import Renderer
    from omnicli.render.sheet import Sheet

#: Channels whose templates see `touch.*`: who it is for, where, until when.
WORDED = frozenset({"task", "voice", "letter", "qr"})
_NO_WORDS: Mapping[str, str] = {}
#: Within a quarter of an hour of the clocks no zone changes its day but at its ends, in milliseconds.
_QUARTER = 900_000
#: Resolved facts that one desk keeps.
_KEPT = 20_000


class Copy(NamedTuple):
    """One touch's message: what `Renderer.write` gives, and what it would tell (JSON) when its pass was not told before."""

    skeleton: str
    values: bytes
    body_hash: bytes
    sms_parts: int
    facts: str | None


class Spoilt(NamedTuple):
    """Why a touch has no message."""

    reason: str
    detail: str


class Slip(NamedTuple):
    """A touch as another process is told of it: what is its own, what it shares with others, what only templates of work and print
    see. Each field as in `Claimed`."""

    key: bytes
    contact_id: int
    entered_at: int
    entered_event: int | None
    told: str | None
    attributes: tuple[Any, ...]
    version_id: int
    message: str
    channel: str
    language: str
    persona: str | None
    step: str
    purpose: str
    country: str | None
    time_zone: str | None
    region: str | None
    source_id: str
    team: str | None
    task_kind: str | None
    place: str | None
    address: str | None
    task_due: int | None


class Beside(NamedTuple):
    """What a batch needs besides its rows: entering events, numbers to call, who agreed that openings are noted."""

    events: Mapping[int, Entering] = {}
    phones: Mapping[int, str] = {}
    watched: Set[int] = frozenset()


class Row(Mapping[str, Any]):
    """A person as templates see one, straight from the columns of the store."""

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Sequence[Any]) -> None:
        self._places, self._values = places, values

    def get(self, name: str, default: Any = None) -> Any:
        place = self._places.get(name)
        return default if place is None else self._values[place]

    def __getitem__(self, name: str) -> Any:
        return self._values[self._places[name]]

    def __iter__(self) -> Any:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Shared(NamedTuple):
    """Facts, their JSON, the zone that dates them, and whom they are shared with (`Program.write`)."""

    facts: ResolvedFacts
    told: str | None
    zone: str
    common: object


@dataclass(slots=True)
class Desk:
    """One edition: its sheet, or why it has none. `named`: how its message is called in what a pass was told."""

    edition: Edition
    message: Message
    sheet: Sheet | None
    spoilt: Spoilt | None
    by_entry: bool
    by_day: bool
    worded: bool
    named: str
    known: dict[Any, Shared] = field(default_factory=dict)


class Printer:
    """`campaign(version)` and `zone(version, country, time zone, region)` say what only the house knows."""

    def __init__(
        self, renderer: Renderer, *, now: datetime, campaign: Callable[[int], Campaign],
        zone: Callable[[int, str | None, str | None, str | None], str],
    ) -> None:  # fmt: skip
        self.renderer, self.project, self.now = renderer, renderer.project, now
        self.campaign, self.zone = campaign, zone
        self.places = {name: n for n, name in enumerate((*self.project.contacts.attributes, *BUILT_IN))}
        self._desks: dict[Any, Desk] = {}

    def print(self, touches: Sequence[Claimed | Slip], beside: Beside) -> list[Copy | Spoilt]:
        """The message of each touch, in order. Each one's message must be in its version; calls of webhooks are none of ours."""
        desks, watched, write, now, places = self._desks, beside.watched, self.renderer.write, self.now, self.places
        kind = _KIND[type(touches[0])] if touches else _KIND[Slip]
        found: list[Copy | Spoilt] = []
        for touch in touches:
            key = (kind(touch), touch.contact_id in watched)
            desk = desks.get(key)
            if desk is None:
                desk = desks[key] = self._desk(key)
            if desk.sheet is None:
                assert desk.spoilt is not None
                found.append(desk.spoilt)
                continue
            contact = Row(places, touch.attributes)
            shared = self._facts(desk, touch, contact, beside)
            extra = words(touch, contact, beside.phones.get(touch.contact_id)) if desk.worded else _NO_WORDS
            try:
                written = write(desk.sheet, contact, shared.facts, touch.key, shared.zone, now, extra=extra, common=shared.common)
            except CannotRender as error:
                found.append(Spoilt(error.reason, printable(error.detail)))
            else:
                found.append(Copy(*written, shared.told))
        return found

    def _desk(self, key: tuple[Any, ...]) -> Desk:
        (version, name, channel, language, persona, step, purpose), watched = key
        campaign = self.campaign(version)
        edition = Edition(campaign, name, channel, language, persona, step, purpose, watched)
        message = campaign.messages[name]
        sheet, spoilt = None, None
        try:
            sheet = self.renderer.sheet(edition)
        except CannotRender as error:
            spoilt = Spoilt(error.reason, printable(error.detail))
        return Desk(
            edition,
            message,
            sheet,
            spoilt,
            by_entry(message),
            by_entry_day(message),
            edition.channel in WORDED,
            f'"{name}"' if name.isascii() else "",
        )

    # -- facts -------------------------------------------------------------------------------------------------------
    def _facts(self, desk: Desk, touch: Claimed | Slip, contact: Row, beside: Beside) -> Shared:
        """The facts of this message for this person; those of many are found and not made."""
        again = bool(touch.told) and desk.named in (touch.told or "")
        if not desk.by_entry or again:
            return self._resolved(desk, touch, contact, beside, None if again else FIXED)
        entered = touch.entered_at // _QUARTER if desk.by_day else touch.entered_at
        key = (touch.version_id, touch.country, touch.time_zone, touch.region, entered)
        found = desk.known.get(key)
        if found is None:
            found = self._resolved(desk, touch, contact, beside, None)
            found = found._replace(common=found.facts)
            if not desk.by_day or _one_day(entered, found.zone):
                if len(desk.known) > _KEPT:
                    desk.known.clear()
                desk.known[key] = found
        return found

    def _resolved(self, desk: Desk, touch: Claimed | Slip, contact: Row, beside: Beside, common: object) -> Shared:
        told: Mapping[str, Any] = json.loads(touch.told) if touch.told else {}
        event = beside.events.get(touch.entered_event or 0)
        anchors = {
            f"{m}.{name}": value for m, facts in told.items() for name, (kind, value) in facts.items() if kind == "date" and value
        }
        zone = self.zone(touch.version_id, touch.country, touch.time_zone, touch.region)
        resolved = resolve_facts(
            desk.message, persona=touch.persona, language=touch.language, entered_at=_instant(touch.entered_at), zone=zone,
            attributes=contact, event=event.payload if event else {}, told=told.get(touch.message), places=self.project.places,
            project=self.project, anchors=anchors,
        )  # fmt: skip
        return Shared(resolved, resolved.as_json() if touch.message not in told else None, zone, common)


#: What people share who share a desk: the fields of an edition behind its campaign.
_KIND = {
    row: itemgetter(*(row._fields.index(name) for name in ("version_id", *Edition._fields[1:-1]))) for row in (Claimed, Slip)
}
_instant = lru_cache(maxsize=65536)(clock.from_ms)


def _one_day(quarter: int, zone: str) -> bool:
    """Whether this quarter of an hour begins and ends on the same local day."""
    where = ZoneInfo(zone)
    first, last = clock.from_ms(quarter * _QUARTER), clock.from_ms(quarter * _QUARTER + _QUARTER - 1)
    return first.astimezone(where).date() == last.astimezone(where).date()


def words(touch: Claimed | Slip, contact: Mapping[str, Any], phone: str | None) -> dict[str, str]:
    """What templates of work and print see as `touch.*`; what there is not is left out."""
    address = {"voice": "phone", "letter": "address"}.get(touch.channel)
    found = {
        "phone": phone,
        "contact": name_of(contact) or touch.source_id,
        "team": touch.team,
        "kind": touch.task_kind,
        "place": touch.place,
    }
    if address is not None:
        found[address] = touch.address
    if touch.task_due is not None:
        found["due"] = clock.from_ms(touch.task_due).date().isoformat()
    return {name: word for name, word in found.items() if word}


def name_of(contact: Mapping[str, Any]) -> str:
    return " ".join(str(contact[key]) for key in ("first_name", "last_name") if contact.get(key))
