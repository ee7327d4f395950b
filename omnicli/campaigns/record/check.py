"""Whether a saved plan still holds: every premise asked again, then every touch decided again on a copy of the store.

The answer is what changed, by name; nothing is written. What only time opens (quiet hours, a rate) changes no decision: such
touches wait, and leave when the plan is given again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import run as running
from omnicli.campaigns.bound import Bound
from omnicli.campaigns.record import make, premises
from omnicli.campaigns.record.bond import Bond, bonds_of, consent
from omnicli.campaigns.record.written import Kept, Record
from omnicli.store import campaigns, keys
from omnicli.store import tables as tb
from omnicli.store.rehearsal import rehearsal

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

#: Touch states in which a touch is with a provider, or was: it is not this plan's any more.
GONE = ("accepted", "rejected", "sending", "claimed", "retry", "unknown", "parked")
#: Guards that time alone opens.
OPENS = ("quiet_hours", "pack", "rate", "breaker", "hold", "paused")


@dataclass(frozen=True, slots=True)
class Change:
    """One premise that changed: its kind, its name, and how many of the plan's touches it is about (None: all)."""

    kind: str
    name: str
    people: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`changes` is empty when the plan holds. `gone` touches have left before, `due` leave now, `waiting` ones are held by what
    time opens, `later` ones are not due yet; `cost` is what `due` costs."""

    changes: tuple[Change, ...]
    gone: int = 0
    due: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)
    later: int = 0
    cost: int = 0


def check(store: Store, loaded: Loaded, record: Record, renderer: Renderer, *, now: datetime) -> Verdict:
    """What has become of this plan's premises and touches, at `now`."""
    named = tuple(_named(loaded, record, renderer, live=store.live))
    if named:
        return Verdict(named)
    return _decided(store, loaded, record, now)


# --- the premises that have names -----------------------------------------------------------------------------------
def _named(loaded: Loaded, record: Record, renderer: Renderer, *, live: bool) -> Iterator[Change]:
    assert loaded.project is not None
    for held in record.campaigns:
        if held.name not in loaded.campaigns:
            yield Change("campaign", held.name)
            continue
        now = make.held(loaded, held.name, held.number)
        if now.hash != held.hash:
            paths = premises.changed(held.parts, now.parts) or [""]
            yield from (Change("campaign", f"{held.name} {path}".rstrip()) for path in paths)
    used = {(k.campaign, k.channel) for k in record.touches}
    for name in premises.changed(record.templates, premises.templates(renderer, used)):
        yield Change("template", name)
    settings = premises.settings(loaded.project, {channel for _, channel in used}, live=live)
    for name in premises.changed(record.settings, settings):
        yield Change("setting", f"omni.yaml {name}")


# --- every touch decided again --------------------------------------------------------------------------------------
def _decided(store: Store, loaded: Loaded, record: Record, now: datetime) -> Verdict:
    assert loaded.project is not None
    before = _states(store, record.touches)
    open_ = [k for k in record.touches if before.get(k.touch, ("",))[0] not in GONE]
    gone = len(record.touches) - len(open_)
    if not open_:
        return Verdict((), gone=gone)
    with rehearsal(store) as copy:
        with copy.read() as connection:
            last = connection.scalar(sa.select(sa.func.max(tb.touch.c.id))) or 0
        running.prepare(copy, loaded, record.names, now=now, live=False, apply=True)
        loose = Bound({bytes.fromhex(k.touch): None for k in open_}, frozenset(bytes.fromhex(k.owner) for k in open_))
        running.run(
            copy, loaded, names=record.names, now=now, live=store.live, rehearsed=True, bound=loose, approved=record.names
        )
        look = _Look.of(copy, loaded, record, open_, last, now)
    return look.verdict(open_, gone)


def _states(store: Store, kept: Sequence[Kept]) -> dict[str, tuple[str, Any]]:
    """The touches of these that the store knows: state, and the row."""
    x = tb.touch.c
    found: dict[str, tuple[str, Any]] = {}
    with store.read() as connection:
        for chunk in _chunks([bytes.fromhex(k.touch) for k in kept]):
            for row in connection.execute(sa.select(tb.touch).where(x.touch_key.in_(chunk))):
                found[row.touch_key.hex()] = row.send_state, row
    return found


def _chunks(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(values), 5000):
        yield values[at : at + 5000]


@dataclass(frozen=True, slots=True)
class _Look:
    """What stands in the copy after the rehearsal."""

    now: datetime
    touches: Mapping[str, tuple[str, Any]]
    bonds: Mapping[bytes, Bond]
    passes: Mapping[str, Any]
    people: Mapping[str, Any]
    pepper: bytes
    others: Mapping[tuple[int, str], str]

    @classmethod
    def of(cls, copy: Store, loaded: Loaded, record: Record, kept: Sequence[Kept], last: int, now: datetime) -> _Look:
        assert loaded.project is not None
        pepper = keys.of_store(copy, loaded.project.project).pepper
        e, c, x = tb.enrollment.c, tb.contact.c, tb.touch.c
        passes: dict[str, Any] = {}
        people: dict[str, Any] = {}
        with copy.read() as connection:
            ids = [row.id for row in campaigns.known(connection) if row.name in record.names]
            for chunk in _chunks([bytes.fromhex(k.owner) for k in kept]):
                passes |= {row.key.hex(): row for row in connection.execute(sa.select(tb.enrollment).where(e.key.in_(chunk)))}
            for chunk in _chunks([bytes.fromhex(k.person) for k in kept]):
                asked = sa.select(c.uid, c.erased_at, c.reach).where(c.uid.in_(chunk))
                people |= {row.uid.hex(): row for row in connection.execute(asked)}
            new = sa.select(x.enrollment_id, x.step, x.channel).where(x.id > last, x.send_state != "skipped")
            others = {(row[0], row[1]): row[2] for row in connection.execute(new)}
        bonds = bonds_of(copy, loaded, ids, after=last, since=now)
        return cls(now, _states(copy, kept), bonds, passes, people, pepper, others)

    def verdict(self, kept: Sequence[Kept], gone: int) -> Verdict:
        changes: Counter[tuple[str, str]] = Counter()
        waiting: Counter[str] = Counter()
        due = later = cost = 0
        for k in kept:
            if found := self.change(k):
                changes[found] += 1
            elif guard := self.held(k):
                waiting[guard] += 1
            elif self.touches.get(k.touch, ("",))[0] == "accepted":
                due, cost = due + 1, cost + k.cost
            else:
                later += 1
        listed = tuple(Change(kind, name, n) for (kind, name), n in sorted(changes.items(), key=_first))
        return Verdict(listed, gone, due, dict(sorted(waiting.items())), later, cost)

    # --- one touch --------------------------------------------------------------------------------------------------
    def change(self, k: Kept) -> tuple[str, str] | None:
        """What makes this touch another one than planned, or none at all; None: it is decided as planned."""
        person = self.people.get(k.person)
        if person is None or person.erased_at is not None:
            return "erased", ""
        if consent(self.pepper, person.reach, k.channel).hex() != k.consent:
            return "consent", k.channel
        return self._ended(k) or self._said(k)

    def _ended(self, k: Kept) -> tuple[str, str] | None:
        state, row = self.touches.get(k.touch, ("", None))
        owner = self.passes.get(k.owner)
        if state == "skipped":
            if owner is not None and owner.state == "ended" and row.reason == "ended":
                return "left", owner.reason or "end"
            return "skip", row.reason
        if state:
            return None
        if owner is None:
            return None if k.at > self.now else ("entry", k.campaign)
        if owner.state == "ended":
            return "left", owner.reason or "end"
        other = self.others.get((owner.id, k.step))
        if other is not None and other != k.channel:
            return "channel", f"{k.channel} → {other}"
        if owner.held_by is not None and owner.held_by not in OPENS and owner.step == k.step:
            return "guard", owner.held_by
        return ("moved", k.step) if k.at <= self.now and self.held(k) is None else None

    def _said(self, k: Kept) -> tuple[str, str] | None:
        bond = self.bonds.get(bytes.fromhex(k.touch))
        if bond is None or bond.sent.hex() == k.sent:
            return ("price", k.channel) if bond is not None and self.touches[k.touch][1].cost != k.cost else None
        if bond.version != k.version:
            return "version", k.campaign
        told = dict(bond.facts)
        for name in sorted({*told, *k.facts}):
            if told.get(name) != k.facts.get(name):
                return "fact", f"{k.message}.{name}"
        return ("address", k.channel) if bond.words.hex() == k.words else ("words", k.message)

    def held(self, k: Kept) -> str | None:
        """The guard that keeps it for a while and that time opens."""
        state, row = self.touches.get(k.touch, ("", None))
        if state == "planned" and row.held_by in OPENS and row.due_at > clock.to_ms(self.now):
            return str(row.held_by)
        owner = self.passes.get(k.owner)
        if not state and owner is not None and owner.step == k.step and owner.held_by in OPENS:
            return str(owner.held_by)
        return None


#: The order in which changes are told: what explains the others first.
_ORDER = (
    "erased",
    "consent",
    "version",
    "fact",
    "price",
    "address",
    "words",
    "left",
    "entry",
    "channel",
    "guard",
    "skip",
    "moved",
)


def _first(item: tuple[tuple[str, str], int]) -> tuple[int, int, str]:
    (kind, name), count = item
    return _ORDER.index(kind), -count, name
