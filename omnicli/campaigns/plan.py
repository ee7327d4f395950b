"""A plan is a run that nobody carries out: the very decisions, taken on a copy of the store that is thrown away.

What falls due now is exact: the same fold, enter, turn and gate as `run`, with providers that carry nothing. With `until`
the copy lives on in silence (nobody answers, nobody new appears), from one due instant to the next; what no answer can
change on the way is exact too, the rest is a forecast and says on what it rests (cli 4.1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import run as running
from omnicli.campaigns import versions
from omnicli.campaigns.basis import Bases, Basis
from omnicli.campaigns.record.bond import Bond, bonds_of
from omnicli.model.campaign import Choose, Send, WaitStep
from omnicli.model.flow import Flow
from omnicli.store import campaigns
from omnicli.store import tables as tb
from omnicli.store.campaigns import Version
from omnicli.store.rehearsal import rehearsal

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: A plan looks at most this many instants ahead, whatever `until` says.
MOST_INSTANTS = 2000
_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Planned:
    """One touch that the run would make, or would decide not to make. `at` is when it leaves, `zone` the contact's own;
    `state` is `send skipped held_out`; `cost` in millionths. `why` are the lines of the decision that made it; `basis` is what a
    forecast rests on."""

    touch: str
    campaign: str
    contact: str
    step: str
    message: str
    channel: str
    purpose: str
    at: datetime
    zone: str
    state: str
    reason: str | None
    cost: int
    persona: str | None
    exact: bool
    wanted: str | None = None
    bond: Bond | None = None
    why: tuple[Mapping[str, Any], ...] = ()
    basis: Basis | None = None

    @property
    def odds(self) -> float:
        """How likely it is made: 1 when nothing is known against it."""
        return self.basis.odds if self.basis is not None else 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody whose touch a guard holds at the instant of the plan: which guard, since when, until when it asks again."""

    campaign: str
    contact: str
    step: str
    guard: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Subject:
    """The campaign as the plan sees it: the version that would be in force, and what the run would announce first."""

    name: str
    version: Version
    announced: str | None
    budget: int | None
    spent: int
    state: str


@dataclass(frozen=True)
class Plan:
    """Everything that a run would do at `now`, and until `until` in silence. Touches are in the order in which they leave."""

    now: datetime
    until: datetime
    currency: str
    zone: str
    subjects: tuple[Subject, ...]
    touches: tuple[Planned, ...]
    held: tuple[Waiting, ...]
    next_due: datetime | None
    entered: Mapping[str, int] = field(default_factory=dict)

    @property
    def sends(self) -> tuple[Planned, ...]:
        return tuple(p for p in self.touches if p.state == "send")

    @property
    def silent(self) -> tuple[Planned, ...]:
        """Ghost touches of held-out people."""
        return tuple(p for p in self.touches if p.state == "held_out")

    @property
    def dropped(self) -> tuple[Planned, ...]:
        """Touches that would be skipped, each with its reason."""
        return tuple(p for p in self.touches if p.state == "skipped")

    @property
    def cost(self) -> int:
        return sum(p.cost for p in self.sends)


def plan(
    store: Store, loaded: Loaded, names: Sequence[str], *, now: datetime, until: datetime | None = None, live: bool = False,
    contact: str | None = None, progress: Callable[[int], None] | None = None, binding: bool = False,
) -> Plan:  # fmt: skip
    """The plan of the named campaigns, as if their files were applied. Changes nothing. `contact` cuts it to one person
    (the source's id). `binding`: with everything that a saved plan keeps of each touch, and as if it were approved. Raises as
    `run` does for unknown and unfit campaigns."""
    assert loaded.project is not None
    end = max(until or now, now)
    with rehearsal(store) as copy:
        announced = running.prepare(copy, loaded, names, now=now, live=False, apply=True)
        before = _before(copy)
        ids = _ids(copy, names)
        doubt = _Doubt(copy, ids)
        entered: dict[str, int] = {}
        for instant in _instants(copy, loaded, ids, now, end):
            report = running.run(
                copy, loaded, names=names, now=instant, live=live, rehearsed=True, approved=names if binding else ()
            )
            for name, count in report.entered.items():
                entered[name] = entered.get(name, 0) + count
            if instant == now:
                held = tuple(_held(copy, ids, contact))
            doubt.look(instant)
            if progress is not None:
                progress(1)
        bonds = bonds_of(copy, loaded, ids, after=before.touch, since=now) if binding else {}
        touches = tuple(_touches(copy, ids, before, doubt, now, end, contact, loaded.project.time_zone, bonds))
        subjects = tuple(_subjects(copy, names, {a.name: a.kind for a in announced}))
        with copy.read() as connection:
            ahead = campaigns.next_due(connection, ids)
    return Plan(now, end, loaded.project.currency, loaded.project.time_zone, subjects, touches, held, ahead, entered)


def _instants(copy: Store, loaded: Loaded, ids: Sequence[int], now: datetime, end: datetime) -> Iterator[datetime]:
    """`now`, then every later instant at which something falls due, on the grid of the ticks, up to `end`."""
    assert loaded.project is not None
    yield now
    grid = max(loaded.project.schedule.every.about, timedelta(minutes=1))
    known = sorted(_openings(copy, loaded, ids, now, end))
    at = now
    for _ in range(MOST_INSTANTS):
        with copy.read() as connection:
            due = campaigns.next_due(connection, ids)
        coming = [_tick(due, grid)] if due is not None else []
        coming += [k for k in known if k > at][:1]
        later = min((max(c, at + timedelta(milliseconds=1)) for c in coming), default=None)
        if later is None or (later > end and (due is None or due > end)):
            return
        at = min(later, end)
        yield at
        if at == end:
            return


def _tick(instant: datetime, grid: timedelta) -> datetime:
    """The first tick at or after the instant."""
    return clock.EPOCH + -((clock.EPOCH - instant) // grid) * grid


def _openings(copy: Store, loaded: Loaded, ids: Sequence[int], now: datetime, end: datetime) -> Iterator[datetime]:
    """Instants at which people may enter without an event: occurrences, else every hour for dates and conditions."""
    from omnicli.engine.occurrence import occurrences

    assert loaded.project is not None
    zone = ZoneInfo(loaded.project.time_zone)
    with copy.read() as connection:
        rows = [row for row in campaigns.known(connection, states=("running",)) if row.id in ids and row.version_id is not None]
        entering = [versions.standing_tree(connection, row.version_id).enter for row in rows if row.version_id is not None]
    for enter in entering:
        if enter.form in ("every", "at"):
            wanted = enter.every or enter.at
            assert wanted is not None
            yield from (o.at for o in islice(occurrences(wanted, zone, now, end), MOST_INSTANTS))
        elif enter.form != "when":
            hour = timedelta(hours=1)
            at = _tick(now + timedelta(milliseconds=1), hour)
            while at <= end:
                yield at
                at += hour


# --- what was there before ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Before:
    """The newest touch and ledger line before the rehearsal, and the touches that were already waiting to leave."""

    touch: int
    decision: int
    waiting: frozenset[int]


def _before(copy: Store) -> _Before:
    x = tb.touch.c
    with copy.read() as connection:
        return _Before(
            connection.scalar(sa.select(sa.func.max(x.id))) or 0,
            connection.scalar(sa.select(sa.func.max(tb.decision.c.id))) or 0,
            frozenset(connection.scalars(sa.select(x.id).where(x.send_state.in_(("planned", "retry"))))),
        )


def _ids(copy: Store, names: Sequence[str]) -> tuple[int, ...]:
    with copy.read() as connection:
        return tuple(row.id for row in campaigns.known(connection) if row.name in set(names))


def _subjects(copy: Store, names: Sequence[str], announced: Mapping[str, str]) -> Iterator[Subject]:
    e, x = tb.enrollment.c, tb.touch.c
    with copy.read() as connection:
        for row in campaigns.known(connection):
            if row.name not in set(names) or row.version_id is None:
                continue
            budget = versions.standing_tree(connection, row.version_id).guardrails.budget
            spent = connection.scalar(
                sa.select(sa.func.coalesce(sa.func.sum(x.cost), 0))
                .select_from(tb.touch.join(tb.enrollment, e.id == x.enrollment_id))
                .where(e.campaign_id == row.id, x.send_state.not_in(("skipped", "rejected", "held_out")))
            )
            yield Subject(row.name, campaigns.version(connection, row.version_id), announced.get(row.name),
                          budget.micro if budget is not None else None, int(spent or 0), row.state)  # fmt: skip


def _held(copy: Store, ids: Sequence[int], contact: str | None) -> Iterator[Waiting]:
    """Who is held by a guard once everything due now has been decided."""
    e = tb.enrollment.c
    query = (
        sa.select(tb.campaign.c.name, tb.contact.c.source_id, e.step, e.held_by, e.held_from, e.due_at)
        .join(tb.contact, tb.contact.c.id == e.contact_id)
        .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        .where(e.campaign_id.in_(ids), e.state == "open", e.held_by.is_not(None), e.held_out == 0)
        .order_by(e.held_by, tb.contact.c.uid)
    )
    with copy.read() as connection:
        for name, source, step, guard, since, until in connection.execute(query):
            if contact in (None, source):
                yield Waiting(name, source, step or "", guard, clock.from_ms(since) if since else None,
                              clock.from_ms(until) if until else None)  # fmt: skip


# --- what may still change ------------------------------------------------------------------------------------------
class _Doubt:
    """Which touches an answer can change: those of passes that stood at a place where an answer decides, after `now`, and
    those of steps that ask a condition or follow people's habits (`if`, `preferred`, `best hour`) later than `now`."""

    def __init__(self, copy: Store, ids: Sequence[int]) -> None:
        self._copy = copy
        self._ids = ids
        self._passes: dict[int, int] = {}
        self._flows: dict[int, Flow] = {}
        self._listening: dict[int, tuple[str, ...]] = {}

    def look(self, instant: datetime) -> None:
        """Note since when each pass stands, or has stood, where an answer decides."""
        e = tb.enrollment.c
        with self._copy.read() as connection:
            for version_id in connection.scalars(sa.select(e.version_id).where(e.campaign_id.in_(self._ids)).distinct()).all():
                flow = self._flow(connection, version_id)
                listening = self._listening.setdefault(version_id, tuple(n.id for n in flow if _listens(flow, n.id)))
                if listening:
                    here = sa.select(e.id).where(e.version_id == version_id, e.state == "open", e.step.in_(listening))
                    for enrollment in connection.scalars(here):
                        self._passes.setdefault(enrollment, clock.to_ms(instant))

    def exact(self, connection: sa.Connection, version_id: int, enrollment: int, step: str, decided_at: int, now_ms: int) -> bool:
        """True when no answer can change this touch any more."""
        if decided_at <= now_ms:
            return True
        if self._passes.get(enrollment, decided_at) < decided_at:
            return False
        flow = self._flow(connection, version_id)
        send = flow.nodes[step].step if step in flow.nodes else None
        return not isinstance(send, Send) or (send.if_ is None and send.by != "preferred" and send.at.kind != "best hour")

    def _flow(self, connection: sa.Connection, version_id: int) -> Flow:
        if version_id not in self._flows:
            self._flows[version_id] = Flow.of(versions.standing_tree(connection, version_id))
        return self._flows[version_id]


def _listens(flow: Flow, step: str) -> bool:
    """True for a place from which the way goes by an answer or a condition: a `for:`, or a `choose` right behind it."""
    node = flow[step]
    if isinstance(node.step, WaitStep) and node.step.for_ is not None:
        return True
    if not node.stands:
        return False
    after, seen = node.next, set[str]()
    while after is not None and after not in seen:
        seen.add(after)
        if isinstance(flow[after].step, Choose):
            return True
        if flow[after].stands:
            return False
        after = flow[after].next
    return False


# --- the touches ----------------------------------------------------------------------------------------------------
def _touches(
    copy: Store, ids: Sequence[int], before: _Before, doubt: _Doubt, now: datetime, end: datetime, contact: str | None, zone: str,
    bonds: Mapping[bytes, Bond],
) -> Iterator[Planned]:  # fmt: skip
    """Every touch that the rehearsal made or settled, in the order in which it leaves."""
    e, x, c = tb.enrollment.c, tb.touch.c, tb.contact.c
    query = (
        sa.select(*x, e.campaign_id, e.persona, c.source_id, c.time_zone, tb.campaign.c.name)
        .join(tb.enrollment, e.id == x.enrollment_id)
        .join(tb.contact, c.id == x.contact_id)
        .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        .where(e.campaign_id.in_(ids), sa.or_(x.id > before.touch, x.settled_at >= clock.to_ms(now)))
        .order_by(sa.func.coalesce(x.settled_at, x.due_at), x.priority, x.due_at, x.touch_key)
    )  # fmt: skip
    now_ms, end_ms = clock.to_ms(now), clock.to_ms(end)
    with copy.read() as connection:
        whys = _reasons(connection, before.decision)
        bases = Bases(connection, tuple(ids), before=before.decision)
        for row in connection.execute(query):
            if row.id <= before.touch and row.id not in before.waiting:
                continue
            if contact not in (None, row.source_id):
                continue
            state = _state(row.send_state)
            if state is None:
                continue
            at = max(row.due_at, now_ms) if row.settled_at is None or row.due_at <= end_ms else row.settled_at
            exact = doubt.exact(connection, row.version_id, row.enrollment_id, row.step, row.created_at, now_ms)
            resting = (row.campaign_id, row.version_id, row.enrollment_id, row.persona, row.created_at)
            yield Planned(
                row.touch_key.hex(), row.name, row.source_id, row.step, row.message, row.channel, row.purpose, clock.from_ms(at),
                row.time_zone or zone, state, row.reason, row.cost, row.persona, exact, bond=bonds.get(row.touch_key),
                why=whys.get((row.enrollment_id, row.step), ()), basis=None if exact else bases.of(*resting),
            )  # fmt: skip


def _state(send_state: str) -> str | None:
    """What a rehearsed touch means; None for one that would not have left by the end of the plan."""
    if send_state in ("accepted", "held_out"):
        return "send" if send_state == "accepted" else "held_out"
    return "skipped" if send_state in ("skipped", "rejected") else None


def _reasons(connection: sa.Connection, after: int) -> dict[tuple[int, str], tuple[Mapping[str, Any], ...]]:
    """The ledger lines of this rehearsal by (pass, step)."""
    d = tb.decision.c
    found: dict[tuple[int, str], tuple[Mapping[str, Any], ...]] = {}
    for enrollment, step, why in connection.execute(sa.select(d.enrollment_id, d.step, d.why).where(d.id > after).order_by(d.id)):
        for line in json.loads(why) if why else ():
            key = (enrollment, line.get("step") or step)
            found[key] = (*found.get(key, ()), line)
    return found
