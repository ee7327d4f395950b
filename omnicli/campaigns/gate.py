"""The gate: every guard asked again about touches that are about to leave, inside the transaction of their intents (T2).

The first that objects gives the reason, in the order of docs/delivery 3. Asking is arithmetic over what the transaction
read: one `judge` a touch, without a query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from omnicli import clock, guards
from omnicli.campaigns.windows import ASKS, Ceiling
from omnicli.engine import guard
from omnicli.engine.house import House
from omnicli.model.contact import read_reach
from omnicli.model.literals import TimeOfDay
from omnicli.providers import channels_of
from omnicli.store import outbox, tables
from omnicli.store.listed import listed, one_of
from omnicli.store.outbox import Claimed, Guarded
from omnicli.store.outbox.locking import lock_money

if TYPE_CHECKING:
    from omnicli.campaigns.turn import Houses

#: How far back counted touches can matter to a cap: the longest period of a cap is a year.
SLOT_DAYS = 370
#: A touch held by the budget or an open complaint asks again after this.
ASK_AGAIN = timedelta(hours=1)
#: The second net under a wrong touch key: the same body to the same address is not sent twice within this time.
SAME_BODY = timedelta(hours=24)
EARLIEST = clock.from_ms(0)


#: What asks whether passes have left: the statement and its instants, compiled once a version and round.
Leaving = tuple[sa.Select[Any], dict[str, object]]


class Verdict(NamedTuple):
    """`go` (with the cap slot it takes), `lost` (not ours any more), `skip` with its reason, or `wait` until an instant under
    what holds it."""

    kind: str
    reason: str | None = None
    until: datetime | None = None
    slot: tuple[str, str, int] | None = None


GO, LOST = Verdict("go"), Verdict("lost")
#: Channels whose touches are asked about one by one: their rules hang on more than a version and a place.
ALONE = ("whatsapp", "task", "webhook")


def ruled_as(touch: Claimed) -> str:
    """The channel whose rules hold: a task that is a call goes by those of `voice` (docs/language 3.1)."""
    return "voice" if touch.channel == "task" and touch.task_kind == "call" else touch.channel


@dataclass
class Gate:
    """One group's facts, as of one transaction. Slots and bodies of touches that pass are added, so that the next touch of
    the same person in the group meets them.

    `same`: nobody wrote since these touches were loaded, so what was read then is what stands now. The exit rules need not be
    asked again of those decided at this very instant whose pass nothing woke and whose contact did not change since.
    """

    connection: sa.Connection
    houses: Houses
    now: datetime
    worker: str
    late_after: datetime | None = None
    late_since: datetime | None = None
    spent: dict[str, int] = field(default_factory=dict)
    asked: dict[int, Leaving] = field(default_factory=dict)
    same: bool = False
    guarded: Mapping[int, Guarded | Claimed] = field(default_factory=dict)
    standings: Mapping[int, tuple[str, str | None]] = field(default_factory=dict)
    slots: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    last: dict[int, datetime] = field(default_factory=dict)
    taken: dict[tuple[int, str, str], int] = field(default_factory=dict)
    bodies: set[tuple[str, bytes, bytes]] = field(default_factory=set)
    left: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self.ms = clock.to_ms(self.now)
        self.plain: dict[int, bool] = {}
        self._reachable: dict[tuple[str, str, str, str | None], str | None] = {}
        self._open: dict[tuple[object, ...], bool] = {}
        self._zones: dict[tuple[object, ...], tuple[tzinfo, int, str]] = {}
        self._lanes: dict[tuple[object, ...], Verdict] = {}
        self.met: set[int] = set()  # who may be met twice in this group, by person or by address
        whatsapp = channels_of(self.houses.project, live=self.houses.live).get("whatsapp")
        self.ceiling = Ceiling(whatsapp.daily_limit) if whatsapp is not None else None

    def read(self, touches: Sequence[Claimed]) -> None:
        """Bring everything that will be asked about these touches, set-based."""
        self.guarded = {t.id: t for t in touches} if self.same else self._ours(touches)
        lock_money(self.connection, {h.name for v in {t.version_id for t in touches} if (h := self.houses[v]).guarding.budget})
        self.standings = outbox.standings(self.connection)
        self.plain = {
            version: self.standings[version][0] == "running" and self.late_after is None and self.houses[version].guarding.budget is None
            and not any(_never(self.houses[version].guarding.caps_for(country)) for country in {t.country for t in touches})
            for version in {t.version_id for t in touches}
        }  # fmt: skip
        if self.ceiling is not None:
            self.ceiling.read(self.connection, touches, now=self.now)
        counted = {t.contact_id for t in touches if t.purpose == "marketing"}
        since = (self.now - timedelta(days=SLOT_DAYS)).date().isoformat()
        floor = clock.to_ms(self.now - SAME_BODY)
        recent: set[int] = set()
        for contact, day, channel, number, at in outbox.slots(self.connection, counted, since=since):
            self.slots.setdefault(contact, []).append((date.fromisoformat(day).toordinal(), channel))
            self.last[contact] = max(self.last.get(contact, EARLIEST), clock.from_ms(at))
            self.taken[contact, day, channel] = max(number, self.taken.get((contact, day, channel), 0))
            if at > floor:
                recent.add(contact)
        shared = outbox.sharers(self.connection, counted)
        self.met = shared | {contact for contact, times in Counter(t.contact_id for t in touches).items() if times > 1}
        recent |= shared
        self.bodies = outbox.bodies(self.connection, recent, since=floor)
        doubtful = [
            t
            for t in touches
            if not (self.same and t.created_at == self.ms and t.woken_at is None and t.changed_at < t.created_at)
        ]
        self.left = (
            _left(self.connection, doubtful, self.houses, self.now, self.asked) if guards.on("gate_exits") else frozenset()
        )

    def _ours(self, touches: Sequence[Claimed]) -> Mapping[int, Guarded]:
        """Those that nobody took from us since they were loaded, as they stand now."""
        found = outbox.guards(self.connection, [t.id for t in touches], worker=self.worker)
        picked = [t for t in touches if t.id not in found] if self.connection.dialect.name == "sqlite" else []
        return {**found, **outbox.untaken(self.connection, picked)} if picked else found

    @property
    def apart(self) -> bool:
        """Whether nothing that one touch of this group does changes the answer about another."""
        return not self.met and self.ceiling is None and not any(self.houses[v].guarding.budget for v in self.plain)

    # --- one touch --------------------------------------------------------------------------------------------------
    def judge(self, touch: Claimed, *, cost: int, address_hash: bytes, body_hash: bytes, stale: int | None = None) -> Verdict:
        """What becomes of this touch now; the first guard that objects gives the reason. `stale`: from when on its live data is too
        old."""
        facts = self.guarded.get(touch.id)
        if facts is None and guards.on("fence"):
            return LOST
        if stale is None and (plain := self._plainly(touch, facts or touch, address_hash, body_hash)) is not None:
            return plain
        house = self.houses[touch.version_id]
        found = (
            self._campaign(touch)
            or self._pass(touch, facts or touch)
            or self._person(touch, facts or touch, house)
            or self._hours(touch, house)
            or self._caps(touch, house)
            or self._money(touch, house, cost)
            or self._age(stale)
            or self._many(touch, address_hash)
            or self._again(touch, address_hash, body_hash)
            or self._go(touch, house, cost, address_hash, body_hash)
        )
        return self._open_lane(touch, facts or touch, house, found) if found.kind == "go" else found

    def _plainly(self, touch: Claimed, facts: Guarded | Claimed, address_hash: bytes, body_hash: bytes) -> Verdict | None:
        """`go` for the many whom no guard can object to; None sends a touch through all of them."""
        contact = touch.contact_id
        go = self._lanes.get(
            (touch.version_id, touch.channel, touch.purpose, touch.country, touch.region, touch.time_zone, facts.reach)
        )
        if (
            go is None
            or self.ms > touch.expires_at
            or facts.waits_for != touch.id
            or facts.enrollment_state != "open"
            or facts.erased_at is not None
            or facts.complaint_until is not None
            or contact in self.slots
            or touch.enrollment_id in self.left
            or (touch.channel, address_hash, body_hash) in self.bodies
        ):
            return None
        if contact in self.met and touch.purpose == "marketing":
            self._counted(touch, self._day(touch, self.houses[touch.version_id]), address_hash, body_hash)
        return go

    def _open_lane(self, touch: Claimed, facts: Guarded | Claimed, house: House, go: Verdict) -> Verdict:
        """After somebody has gone through all guards: who differs in nothing that those ask of a version, a channel and a place needs to
        be asked about the person only."""
        if self.plain[touch.version_id] and touch.channel not in ALONE:
            key = (touch.version_id, touch.channel, touch.purpose, touch.country, touch.region, touch.time_zone, facts.reach)
            if (
                self._open.get(key[:6])
                and self._reachable.get((facts.reach, touch.channel, touch.purpose, house.topic), "") is None
            ):
                self._lanes[key] = go if go.slot is None else Verdict("go", None, None, (go.slot[0], go.slot[1], 1))
        return go

    def _campaign(self, touch: Claimed) -> Verdict | None:
        state, people = self.standings[touch.version_id]
        if state != "running" and guards.on("stop_flag"):
            if state == "stopped":
                return Verdict("skip", "stopped")
            if state == "paused" and people != "finish":
                return Verdict("wait", "paused", clock.from_ms(touch.due_at))
        if self.ms > touch.expires_at and guards.on("gate_expiry"):
            return Verdict("skip", "expired")
        if self.late_after is not None and self._late(touch):
            return Verdict("skip", "expired")
        return None

    def _late(self, touch: Claimed) -> bool:
        """Due while no tick ran, and too long ago. What was due before the last one ended was held by something: it may wait."""
        assert self.late_after is not None
        seen = self.late_since is not None and touch.due_at <= clock.to_ms(self.late_since)
        return touch.due_at < clock.to_ms(self.late_after) and not seen

    def _pass(self, touch: Claimed, facts: Guarded | Claimed) -> Verdict | None:
        if (
            facts.enrollment_state != "open"
            or (facts.waits_for != touch.id and facts.waits_for is not None)
            or touch.enrollment_id in self.left
        ):
            return Verdict("skip", "ended")
        return None

    def _person(self, touch: Claimed, facts: Guarded | Claimed, house: House) -> Verdict | None:
        if facts.erased_at is not None and guards.on("gate_erasure"):
            return Verdict("skip", "ended")
        if touch.channel == "webhook":
            return None
        key = (facts.reach, ruled_as(touch), touch.purpose, house.topic)
        if key not in self._reachable:
            self._reachable[key] = guard.reachable(read_reach(key[0]), key[1], key[2], self.now, key[3])
        if self._reachable[key] is not None and guards.on("gate_reachable"):
            return Verdict("skip", "unreachable")
        until = facts.complaint_until
        if until is not None and touch.purpose == "marketing" and until > self.ms and guards.on("gate_complaint"):
            return self._wait(
                touch, "complaint_open", min(clock.from_ms(min(until, touch.expires_at)), self.now + ASK_AGAIN), "complaint_open"
            )
        return None

    def _hours(self, touch: Claimed, house: House) -> Verdict | None:
        channel = ruled_as(touch)
        if channel == "webhook":
            return None
        key = (touch.version_id, channel, touch.purpose, touch.country, touch.region, touch.time_zone)
        if key not in self._open:
            probe = house.calendar.free(self.now, channel=channel, purpose=touch.purpose, country=touch.country, region=touch.region,
                                        time_zone=touch.time_zone, until=self.now)  # fmt: skip
            self._open[key] = probe.at == self.now
        return None if self._open[key] or not guards.on("gate_hours") else self._closed(touch, house, channel)

    def _closed(self, touch: Claimed, house: House, channel: str) -> Verdict | None:
        """Outside the free hours: when they open, in time or not."""
        at = _time_of_day(house, touch.step)
        free = house.calendar.free(self.now, channel=channel, purpose=touch.purpose, country=touch.country, region=touch.region,
                                   time_zone=touch.time_zone, until=clock.from_ms(touch.expires_at), at=at, key=touch.key,
                                   spread=house.spread if at is None else timedelta(0))  # fmt: skip
        if free.law:
            return Verdict("skip", "barred_by_law")
        if free.at == self.now:
            return None
        return self._wait(touch, free.guard or "quiet_hours", free.at, "expired")

    def _caps(self, touch: Claimed, house: House) -> Verdict | None:
        if touch.purpose != "marketing":
            return None
        slots = self.slots.get(touch.contact_id, ())
        caps = house.guarding.caps_for(touch.country)
        if not slots and not _never(caps):
            return None
        zone, today, _ = self._day(touch, house)
        day = guard.capped(slots, caps, ruled_as(touch), today)
        if day is not None and guards.on("gate_caps"):
            return self._at_cap(touch, house, "cap", guard.cap_opens(day, zone), zone)
        opens = guard.gap_opens(self.last.get(touch.contact_id), house.guarding.min_gap, self.now, zone)
        return self._at_cap(touch, house, "min_gap", opens, zone) if opens is not None else None

    def _at_cap(self, touch: Claimed, house: House, name: str, opens: datetime | None, zone: tzinfo) -> Verdict:
        """`next channel` at the claim: the touch is skipped `capped`, which wakes the pass, and that tries the next."""
        if guard.at_cap(house.guarding.at_cap, clock.from_ms(touch.due_at), opens, zone) == "wait":
            return self._wait(touch, name, opens, "capped")
        return Verdict("skip", "capped")

    def _money(self, touch: Claimed, house: House, cost: int) -> Verdict | None:
        budget = house.guarding.budget
        if budget is None or not guards.on("gate_budget"):
            return None
        if house.name not in self.spent:
            self.spent[house.name] = outbox.spent(self.connection, house.name)
        if self.spent[house.name] + cost <= budget.micro:
            return None
        return self._wait(touch, "budget", self.now + ASK_AGAIN, "budget")

    def _many(self, touch: Claimed, address_hash: bytes) -> Verdict | None:
        """As many people as WhatsApp allows a day outside their windows (rules.md WA-03)."""
        if self.ceiling is None or not self.ceiling.refuses(touch, address_hash, self.now):
            return None
        return self._wait(touch, "rate", self.now + ASKS, "capped")

    def _age(self, stale: int | None) -> Verdict | None:
        """Live data (a price, a stock) older than its `max_age` is not told."""
        return Verdict("skip", "stale") if stale is not None and self.ms > stale and guards.on("stale_data") else None

    def _again(self, touch: Claimed, address_hash: bytes, body_hash: bytes) -> Verdict | None:
        if not self.bodies or touch.purpose != "marketing" or not guards.on("content_repeat"):
            return None
        return Verdict("skip", "duplicate") if (touch.channel, address_hash, body_hash) in self.bodies else None

    def _go(self, touch: Claimed, house: House, cost: int, address_hash: bytes, body_hash: bytes) -> Verdict:
        if house.name in self.spent:
            self.spent[house.name] += cost
        if self.ceiling is not None:
            self.ceiling.took(touch, address_hash, self.now)
        if touch.purpose != "marketing":
            return GO
        return Verdict("go", None, None, self._counted(touch, self._day(touch, house), address_hash, body_hash))

    def _counted(
        self, touch: Claimed, place: tuple[tzinfo, int, str], address_hash: bytes, body_hash: bytes
    ) -> tuple[str, str, int]:
        """The slot that a touch takes; the next of the same person, or to the same address, in this group meets it."""
        _, today, day = place
        channel, contact = ruled_as(touch), touch.contact_id
        number = self.taken.get((contact, day, channel), 0) + 1
        self.taken[contact, day, channel] = number
        self.slots.setdefault(contact, []).append((today, channel))
        self.last[contact] = self.now
        self.bodies.add((touch.channel, address_hash, body_hash))
        return day, channel, number

    def _wait(self, touch: Claimed, name: str, until: datetime | None, otherwise: str) -> Verdict:
        """Held until then, when that is in time; else it ends with the reason."""
        if until is None or clock.to_ms(until) > touch.expires_at:
            return Verdict("skip", otherwise)
        return Verdict("wait", name, until)

    def _day(self, touch: Claimed, house: House) -> tuple[tzinfo, int, str]:
        """The contact's working zone, and today there as an ordinal and as text."""
        key = (touch.country, touch.time_zone, touch.region)
        found = self._zones.get(key)
        if found is None:
            zone = house.calendar.zone(touch.country, touch.time_zone, touch.region)
            day = self.now.astimezone(zone).date()
            found = self._zones[key] = (zone, day.toordinal(), day.isoformat())
        return found


def _never(caps: guard.Caps) -> bool:
    """Whether some channel is closed altogether (`0 per day`)."""
    return any(rate.count == 0 for rates in caps.values() for rate in rates)


def _time_of_day(house: House, step: str) -> TimeOfDay | None:
    """The time of day that the step's `at:` names, if it names one: a held touch keeps it."""
    node = house.flow.nodes.get(step)
    moment = getattr(node.step, "at", None) if node else None
    return getattr(moment, "time", None)


def _left(
    connection: sa.Connection, touches: Sequence[Claimed], houses: Houses, now: datetime, asked: dict[int, Leaving]
) -> frozenset[int]:
    """Passes whose exit rules or goal have come true since they were decided: one SELECT a version."""
    by: dict[int, list[int]] = {}
    for touch in touches:
        house = houses[touch.version_id]
        if house.campaign.exit or (house.campaign.goal and house.campaign.goal.then == "exit"):
            by.setdefault(touch.version_id, []).append(touch.enrollment_id)
    found: set[int] = set()
    for version, enrollments in by.items():
        if version not in asked:
            asked[version] = leaving(houses, version, now)
        query, parameters = asked[version]
        rows = connection.execute(query, {**parameters, "passes": listed(connection.dialect.name, enrollments)})
        found |= {row.id for row in rows if row.exits or _reached(houses[version], row)}
    return frozenset(found)


def leaving(houses: Houses, version: int, now: datetime) -> Leaving:
    """Of the passes `:passes` of a version: whether an exit rule holds now, and when the goal first happened since entry
    (strictly after it: the event that let somebody in is no reason to leave)."""
    campaign, compiler = houses[version].campaign, houses.compiler(version)
    enrollment, contact = tables.enrollment, tables.contact

    def first(term: str) -> Any:
        return compiler.first(term, since=enrollment.c.entered_at, strict_since=True)

    clauses: list[Any] = [compiler.predicate(rule.if_, where="flow") for rule in campaign.exit if rule.if_]
    clauses += [first(rule.when).is_not(None) for rule in campaign.exit if rule.when]
    goal = campaign.goal if campaign.goal and campaign.goal.then == "exit" else None
    query = (
        sa.select(
            enrollment.c.id, sa.or_(sa.false(), *clauses).label("exits"), enrollment.c.entered_at, contact.c.country, contact.c.time_zone,
            contact.c.region, *(first(term).label(f"goal{n}") for n, term in enumerate(goal.when if goal else ())),
        )
        .select_from(enrollment.join(contact, contact.c.id == enrollment.c.contact_id))
        .where(one_of(enrollment.c.id, sa.bindparam("passes")))
    )  # fmt: skip
    return query, dict(compiler.parameters(now))


#: The columns of `leaving` from which on each is an instant of the goal.
_GOALS = 6


def _reached(house: House, row: Any) -> bool:
    """True when the goal happened within its time, on the calendar of the contact's zone (docs/language 4.2)."""
    goal = house.campaign.goal
    firsts = [at for at in row[_GOALS:] if at is not None]
    if goal is None or not firsts:
        return False
    if goal.within is None:
        return True
    zone = house.calendar.zone(row.country, row.time_zone, row.region)
    return bool(min(firsts) <= clock.to_ms(goal.within.after(clock.from_ms(row.entered_at), zone)))
