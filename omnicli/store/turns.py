"""The verbs of a turn: who is due, all that must be known of them in one SELECT a group, and the record of what was decided.

Due ids are read first, from the index alone; every statement that follows names rows by id, so what waits costs nothing.
Writes are bulk statements, in the transaction of the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import Any, Protocol

import sqlalchemy as sa

from omnicli import clock
from omnicli.engine.house import House
from omnicli.engine.questions import Questions
from omnicli.model.contact import read_reach
from omnicli.model.decision import Decision, First, Settled, Standing, TouchPlan, Why
from omnicli.model.ids import touch_key
from omnicli.model.project import Project
from omnicli.model.response import HUMAN
from omnicli.store.columns import FOLDED, attribute_column, folded_column, kind_of, to_column
from omnicli.store.tables import SPENT, cap_slot, contact, enrollment, event, touch

#: Touch states that are ends, and those that count towards caps though they have no slot yet (delivery 2, 7).
ENDS = frozenset({"accepted", "rejected", "skipped", "held_out"})
BEFORE_SLOT = ("planned", "retry", "claimed")
BEST_HOUR_DAYS = 180
#: The longest period a cap counts over is a few months; slots older than this are never asked for.
LONGEST_CAP = 370


class Asking(Protocol):
    """What compiles conditions (`omnicli.condition.sql.Compiler`)."""

    def predicate(self, text: str, *, where: Any) -> sa.ColumnElement[bool]: ...

    def first(self, term: str, *, since: Any, until: Any = None, strict_since: bool = False) -> Any: ...

    def parameters(self, now: datetime) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True)
class Due:
    """One enrollment that is due: only what its index holds."""

    id: int
    version_id: int
    step: str | None
    due_at: int
    key: bytes


#: The condition of the partial index, word for word: only then does SQLite read that index alone.
_DUE = sa.text("due_at IS NOT NULL AND state = 'open'")


_DUE_FIRST = (
    sa.select(enrollment.c.id, enrollment.c.version_id, enrollment.c.step, enrollment.c.due_at, enrollment.c.key)
    .where(_DUE, enrollment.c.due_at <= sa.bindparam("now", type_=sa.BigInteger()))
    .where(enrollment.c.version_id.in_(sa.bindparam("versions", expanding=True)))
    .order_by(enrollment.c.due_at, enrollment.c.key)
    .limit(sa.bindparam("most", type_=sa.Integer()))
)
_DUE_NEXT = _DUE_FIRST.where(enrollment.c.due_at >= sa.bindparam("after_at", type_=sa.BigInteger())).where(
    sa.or_(
        enrollment.c.due_at > sa.bindparam("after_at", type_=sa.BigInteger()),
        enrollment.c.key > sa.bindparam("after_key", type_=sa.LargeBinary()),
    )
)


def due(
    connection: sa.Connection, versions: Sequence[int], *, now: datetime, limit: int, after: tuple[int, bytes] | None
) -> list[Due]:
    """The next `limit` due enrollments of these versions by (due instant, key), after that position; index only."""
    asked: dict[str, object] = {"now": clock.to_ms(now), "versions": list(versions), "most": limit}
    if after is not None:
        asked |= {"after_at": after[0], "after_key": after[1]}
    return [Due(*row) for row in connection.execute(_DUE_NEXT if after is not None else _DUE_FIRST, asked).all()]


# --- gather ---------------------------------------------------------------------------------------------------------
class Gather:
    """One compiled SELECT for all who stand at one step of one version: every answer that `decide` may need."""

    def __init__(self, house: House, questions: Questions, compiler: Asking, *, now: datetime) -> None:
        self.house, self.questions, self.now = house, questions, now
        columns = [*_CORE]
        truths = [compiler.predicate(text, where="flow") for text in questions.conditions]
        firsts = [_first(compiler, ask) for ask in questions.firsts]
        extras: list[Any] = [sa.literal_column(f"contact.{_column(house.project, name)}") for name in questions.attributes]
        if questions.sends:
            extras += _slots()
        if questions.hours:
            extras.append(_human_instants())
        if questions.told:
            extras.append(enrollment.c.told)
        if questions.event:
            entering = event.alias("entering")
            extras.append(sa.select(entering.c.payload).where(entering.c.id == enrollment.c.entered_event).scalar_subquery())
        asked = [*columns, *truths, *firsts, *extras]
        self.everybody = sa.select(*(column.label(f"c{n}") for n, column in enumerate(asked))).select_from(
            enrollment.join(contact, contact.c.id == enrollment.c.contact_id).outerjoin(
                touch, touch.c.id == enrollment.c.touch_id
            )
        )
        self.query = self.everybody.where(enrollment.c.id.in_(sa.bindparam("ids", expanding=True)))
        self._reckon = compiler.parameters
        self.parameters = self._parameters(now)

    def at(self, now: datetime) -> None:
        """Ask the same at another instant: what depends on it is a parameter of the statement."""
        self.now, self.parameters = now, self._parameters(now)

    def _parameters(self, now: datetime) -> dict[str, object]:
        ours = _slots_since(now) if self.questions.sends else {}
        return {**self._reckon(now), **ours, **(_human_span(now) if self.questions.hours else {})}

    def __call__(self, connection: sa.Connection, ids: Sequence[int]) -> list[Standing]:
        rows = connection.execute(self.query, {**self.parameters, "ids": list(ids)}).all()
        return [self._standing(row) for row in rows]

    def _standing(self, row: Sequence[Any]) -> Standing:
        (id_, key, contact_id, number, entered_at, language, persona, held_out, step, since, due_at, wait_from, wait_until, held_by,
         held_from, spread, tried, converted_at, uid, country, region, time_zone, preferred, last_channel, last_at, erased_at,
         complaint, reach, place, touch_state, settled_at, touch_channel, touch_reason, *rest) = row  # fmt: skip
        q = self.questions
        n = len(q.conditions)
        truths = {text: bool(rest[i]) for i, text in enumerate(q.conditions)}
        firsts = {ask: _instant(rest[n + i]) for i, ask in enumerate(q.firsts)}
        extras = rest[n + len(q.firsts) :]
        attributes = dict(zip(q.attributes, extras, strict=False))
        at = len(q.attributes)
        slots: tuple[tuple[int, str], ...] = ()
        last_counted = None
        hours = told = payload = None
        if q.sends:
            slots, last_counted = self._counted(extras[at], extras[at + 1], extras[at + 2], country, time_zone, region)
            at += 3
        if q.hours:
            hours = _by_hour(extras[at], self.house.calendar.zone(country, time_zone, region))
            at += 1
        if q.told:
            told, at = extras[at], at + 1
        if q.event:
            payload = extras[at]
        settled = Settled(touch_state, _at(settled_at), touch_channel, touch_reason) if touch_state in ENDS else None
        return Standing(
            id_, key, contact_id, uid, number, _at(entered_at), language, persona, bool(held_out), step, _at(since),
            _at(due_at) if due_at is not None else None, _instant(wait_from), _instant(wait_until), held_by, _instant(held_from),
            settled, touch_state is not None and settled is None, tuple(tried.split()) if tried else (), country, region, time_zone,
            preferred, last_channel, _instant(last_at), erased_at is not None, _instant(complaint), read_reach(reach), attributes, slots,
            last_counted, truths, firsts, hours, json.loads(told) if told else {}, json.loads(payload) if payload else {},
            converted_at is not None, bool(spread), place,
        )  # fmt: skip

    def _counted(self, packed: str | None, last: int | None, open_: str | None, country: str | None, time_zone: str | None,
                 region: str | None) -> tuple[tuple[tuple[int, str], ...], datetime | None]:  # fmt: skip
        """(local date, channel) of counted touches, those still in the outbox as of today, and the newest instant."""
        if packed is None and open_ is None:
            return (), None
        slots = [_slot(text) for text in packed.split(",")] if packed else []
        if open_:
            today = self.now.astimezone(self.house.calendar.zone(country, time_zone, region)).toordinal()
            slots += [(today, channel) for channel in open_.split(",")]
            return tuple(sorted(slots)), self.now
        return tuple(sorted(slots)), _instant(last)


_CORE = (
    enrollment.c.id, enrollment.c.key, enrollment.c.contact_id, enrollment.c["pass"], enrollment.c.entered_at, enrollment.c.language,
    enrollment.c.persona, enrollment.c.held_out, enrollment.c.step, enrollment.c.since, enrollment.c.due_at, enrollment.c.wait_from,
    enrollment.c.wait_until, enrollment.c.held_by, enrollment.c.held_from, enrollment.c.spread, enrollment.c.tried,
    enrollment.c.converted_at, contact.c.uid, contact.c.country, contact.c.region, contact.c.time_zone, contact.c.preferred_channel,
    contact.c.last_human_channel, contact.c.last_human_at, contact.c.erased_at, contact.c.complaint_until, contact.c.reach,
    contact.c.place, touch.c.send_state, touch.c.settled_at, touch.c.channel, touch.c.reason,
)  # fmt: skip


#: People of one campaign share most instants.
_at = lru_cache(maxsize=65536)(clock.from_ms)


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else _at(ms)


def _slot(text: str) -> tuple[int, str]:
    day, _, channel = text.partition(" ")
    return datetime.fromisoformat(day).toordinal(), channel


def _column(project: Project, name: str) -> str:
    return attribute_column(name) if name in project.contacts.attributes else name


def _first(compiler: Asking, ask: First) -> Any:
    since, term = ask
    if since == "wait":
        return compiler.first(
            term, since=sa.literal_column("enrollment.wait_from"), until=sa.literal_column("enrollment.wait_until")
        )
    return compiler.first(term, since=sa.literal_column("enrollment.entered_at"), strict_since=True)


def _slots_since(now: datetime) -> dict[str, object]:
    return {"slots_since": (now - timedelta(days=LONGEST_CAP)).date().isoformat()}


def _slots() -> list[Any]:
    """Counted touches of the contact: packed slots, the newest instant, and the channels of those still in the outbox."""
    mine = cap_slot.c.contact_id == contact.c.id
    taken = sa.and_(mine, cap_slot.c.rule != "all", cap_slot.c.local_date >= sa.bindparam("slots_since", type_=sa.Text()))
    waiting = touch.alias("waiting")
    ruled = sa.case((sa.and_(waiting.c.channel == "task", waiting.c.task_kind == "call"), "voice"), else_=waiting.c.channel)
    in_outbox = sa.and_(waiting.c.contact_id == contact.c.id, waiting.c.settled_at.is_(None), waiting.c.purpose == "marketing",
                        waiting.c.send_state.in_(BEFORE_SLOT))  # fmt: skip
    packed = sa.func.aggregate_strings(cap_slot.c.local_date + " " + cap_slot.c.rule, ",")
    return [
        sa.select(packed).where(taken).scalar_subquery(),
        sa.select(sa.func.max(cap_slot.c.at)).where(taken).scalar_subquery(),
        sa.select(sa.func.aggregate_strings(ruled, ",")).where(in_outbox).scalar_subquery(),
    ]


def _human_span(now: datetime) -> dict[str, object]:
    return {"human_since": clock.to_ms(now - timedelta(days=BEST_HOUR_DAYS)), "human_until": clock.to_ms(now)}


def _human_instants() -> Any:
    since, until = sa.bindparam("human_since", type_=sa.BigInteger()), sa.bindparam("human_until", type_=sa.BigInteger())
    own = sa.and_(event.c.contact_id == contact.c.id, event.c.name.in_(sorted(HUMAN)), event.c.at >= since,
                  event.c.at <= until, event.c.machine == 0)  # fmt: skip
    return sa.select(sa.func.aggregate_strings(sa.cast(event.c.at, sa.Text), ",")).where(own).scalar_subquery()


def _by_hour(packed: str | None, zone: tzinfo) -> dict[int, int]:
    counts: dict[int, int] = {}
    for ms in packed.split(",") if packed else ():
        hour = clock.from_ms(int(ms)).astimezone(zone).hour
        counts[hour] = counts.get(hour, 0) + 1
    return counts


# --- record ---------------------------------------------------------------------------------------------------------
class Bulk:
    """One statement for many rows, sent to the driver as it is; rows are tuples in the order of `names`."""

    def __init__(self, sql: str, *names: str) -> None:
        self.text, self.names = sa.text(sql), names
        self._ready: dict[str, Callable[[sa.Connection, list[tuple[Any, ...]]], Any]] = {}

    def __call__(self, connection: sa.Connection, rows: list[tuple[Any, ...]]) -> int:
        """How many rows it changed."""
        if not rows:
            return 0
        dialect = connection.dialect.name
        if dialect not in self._ready:
            self._ready[dialect] = self._prepare(connection.dialect)
        return int(self._ready[dialect](connection, rows).rowcount)

    def _prepare(self, dialect: sa.Dialect) -> Callable[[sa.Connection, list[tuple[Any, ...]]], Any]:
        compiled: Any = self.text.compile(dialect=dialect)
        names = self.names
        if compiled.positiontup is None:
            return lambda c, rows: c.exec_driver_sql(compiled.string, [dict(zip(names, row, strict=True)) for row in rows])
        order = [names.index(name) for name in compiled.positiontup]
        if order == list(range(len(names))):
            return lambda c, rows: c.exec_driver_sql(compiled.string, rows)
        return lambda c, rows: c.exec_driver_sql(compiled.string, [tuple(row[i] for i in order) for row in rows])


_TOUCHES = (
    "touch_key", "contact_id", "enrollment_id", "version_id", "step", "message", "channel", "purpose", "priority", "due_at", "expires_at",
    "send_state", "reason", "cost", "created_at", "settled_at", "team", "task_kind", "task_due", "place",
)  # fmt: skip
_insert_touches = Bulk(
    f"INSERT INTO touch ({', '.join(_TOUCHES)}) VALUES ({', '.join(':' + c for c in _TOUCHES)}) ON CONFLICT (touch_key) DO NOTHING",
    *_TOUCHES,
)
_STANDS = ("step", "since", "due_at", "wait_from", "wait_until", "held_by", "held_from", "tried")
_stand = Bulk(
    f"UPDATE enrollment SET {', '.join(f'{c} = :{c}' for c in _STANDS)}, spread = 0, touch_id = NULL WHERE id = :id",
    *_STANDS,
    "id",
)
_stand_on_touch = Bulk(
    f"UPDATE enrollment SET {', '.join(f'{c} = :{c}' for c in _STANDS)}, spread = 0, "
    "touch_id = (SELECT id FROM touch WHERE touch_key = :touch_key) WHERE id = :id", *_STANDS, "touch_key", "id"
)  # fmt: skip
#: A touch of this name that had ended before (a pass moved back by `migrate`): nothing would ever wake the pass.
_pass_by = Bulk(
    "UPDATE enrollment SET due_at = :now WHERE id = :id AND due_at IS NULL AND EXISTS (SELECT 1 FROM touch WHERE touch.id = "
    "enrollment.touch_id AND touch.send_state IN ('accepted','rejected','skipped','held_out'))", "now", "id"
)  # fmt: skip
_stay = Bulk("UPDATE enrollment SET due_at = :due_at WHERE id = :id", "due_at", "id")
_end = Bulk(
    "UPDATE enrollment SET state = 'ended', reason = :reason, ended_at = :now, due_at = NULL, held_by = NULL, held_from = NULL, spread = 0 "
    "WHERE id = :id", "reason", "now", "id"
)  # fmt: skip
_drop_open_touches = Bulk(
    "UPDATE touch SET send_state = 'skipped', reason = :reason, settled_at = :now WHERE enrollment_id = :id "
    "AND send_state IN ('planned','retry')", "reason", "now", "id"
)  # fmt: skip
_convert = Bulk("UPDATE enrollment SET converted_at = :at WHERE id = :id AND converted_at IS NULL", "at", "id")
_decisions = Bulk(
    "INSERT INTO decision (enrollment_id, at, step, kind, why, premises, ground_id) "
    "VALUES (:enrollment_id, :at, :step, :kind, :why, :premises, :ground_id)",
    "enrollment_id", "at", "step", "kind", "why", "premises", "ground_id",
)  # fmt: skip
_events = Bulk(
    "INSERT INTO event (contact_id, name, at, enrollment_id, campaign, machine, payload, received_at, p_reason) "
    "VALUES (:contact_id, :name, :at, :enrollment_id, :campaign, 0, :payload, :received_at, :reason)",
    "contact_id", "name", "at", "enrollment_id", "campaign", "payload", "received_at", "reason",
)  # fmt: skip
_changed = Bulk("UPDATE contact SET changed_at = :now WHERE id = :id", "now", "id")

Decided = tuple[Standing, House, int, Decision]


def record(connection: sa.Connection, decided: Sequence[Decided], *, now: datetime, ground: int | None = None) -> None:
    """Write a batch of decisions: (standing, house, version id, decision) each. Rows go in the order given. `ground`: under
    which `omni.yaml` they were taken (store/grounds)."""
    ms = clock.to_ms(now)
    touches: list[tuple[Any, ...]] = []
    stands: list[tuple[Any, ...]] = []
    on_touch: list[tuple[Any, ...]] = []
    stays: list[tuple[Any, ...]] = []
    ends: list[tuple[Any, ...]] = []
    drops: list[tuple[Any, ...]] = []
    ledger: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    goals: list[tuple[Standing, House, datetime]] = []
    for s, house, version_id, d in decided:
        key = None
        for plan in d.touches:
            key = _key(house, s, plan)
            touches.append(_touch_row(s, version_id, plan, key, ms))
        if d.converted_at is not None and not s.converted:
            goals.append((s, house, d.converted_at))
        if d.stand is None:
            ends.append((d.ended, ms, s.id))
            events.append((s.contact_id, "exited", ms, s.id, house.name, json.dumps({"reason": d.ended}), ms, _folded(d.ended)))
            if s.touch_open:
                drops.append(("ended", ms, s.id))
        elif d.kind == "stay":
            stays.append((_ms(d.stand.due_at), s.id))
        else:
            stand = d.stand
            values = (stand.step, _ms(stand.since), _ms(stand.due_at), _ms(stand.wait_from), _ms(stand.wait_until), stand.held_by,
                      _ms(stand.held_from), " ".join(stand.tried) or None)  # fmt: skip
            if stand.on_touch and d.planned is not None:
                on_touch.append((*values, key, s.id))
            else:
                stands.append((*values, s.id))
        if d.told:
            step = d.stand.step if d.stand else s.step or ""
            ledger.append((s.id, ms, step, d.kind, why_text(d.why), d.premises, ground))
    new = _insert_touches(
        connection, sorted(touches, key=itemgetter(0))
    )  # neighbours in the order of sending are neighbours on disk
    _stand(connection, stands)
    _stand_on_touch(connection, on_touch)
    if new < len(touches):
        _pass_by(connection, [(ms, row[-1]) for row in on_touch])
    _stay(connection, stays)
    _end(connection, ends)
    _drop_open_touches(connection, drops)
    convert(connection, goals, now=now)
    _events(connection, events)
    _decisions(connection, ledger)
    _changed(connection, [(ms, row[0]) for row in events])
    write_attributes(connection, decided, now=now)


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else clock.to_ms(instant)


def _folded(text: str | None) -> str | None:
    from omnicli.text import fold

    return fold(text) if text else None


def _key(house: House, s: Standing, plan: TouchPlan) -> bytes:
    return touch_key(house.project.project, house.name, s.contact_uid, s.number, plan.step, plan.channel)


def _touch_row(s: Standing, version_id: int, plan: TouchPlan, key: bytes, now: int) -> tuple[Any, ...]:
    due_at = clock.to_ms(plan.due_at)
    settled = None if plan.state == "planned" else due_at if plan.state == "held_out" else now
    return (
        key, s.contact_id, s.id, version_id, plan.step, plan.message, plan.channel, plan.purpose, plan.priority, due_at,
        clock.to_ms(plan.expires_at), plan.state, plan.reason, plan.cost, now, settled, plan.team, plan.task_kind, _ms(plan.task_due),
        plan.place,
    )  # fmt: skip


def why_text(why: Sequence[Why]) -> str | None:
    """The ledger's `why`: a JSON list of `{step, rule, answer, values}`; instants as ISO text. Many people have the same."""
    try:
        key = tuple([(w.step, w.rule, w.answer, *w.values.items(), *map(type, w.values.values())) for w in why])  # True is not 1
        found = _written.get(key)
    except TypeError:  # a value that cannot be hashed
        return _why_text(why)
    if found is None and why:
        if len(_written) > 4096:
            _written.clear()
        found = _written[key] = _why_text(why)
    return found


_written: dict[tuple[Any, ...], str | None] = {}


def _why_text(why: Sequence[Why]) -> str | None:
    lines: list[dict[str, Any]] = []
    for w in why:
        line: dict[str, Any] = {"step": w.step, "rule": w.rule, "answer": w.answer}
        if w.values:
            line["values"] = {name: _spelled(value) if isinstance(value, datetime) else value for name, value in w.values.items()}
        lines.append(line)
    return _compact(lines) if lines else None


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_spelled = lru_cache(maxsize=4096)(clock.iso)


def convert(connection: sa.Connection, goals: Sequence[tuple[Standing, House, datetime]], *, now: datetime) -> None:
    """Record conversions: the instant, the value of the event that was the goal, and the event `converted`."""
    ms = clock.to_ms(now)
    _convert(connection, [(clock.to_ms(at), s.id) for s, _, at in goals])
    _events(
        connection, [(s.contact_id, "converted", clock.to_ms(at), s.id, house.name, None, ms, None) for s, house, at in goals]
    )
    by_field: dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]] = {}
    for s, house, _ in goals:
        goal = house.campaign.goal
        if goal is not None and goal.value is not None:
            names = tuple(sorted({term.split()[0] for term in goal.when}))
            by_field.setdefault((goal.value, names), []).append((s.id,))
    for (field, names), rows in by_field.items():
        listed = ", ".join(f"'{name}'" for name in names if name.replace("-", "_").replace("_", "a").isalnum())
        Bulk(
            f"UPDATE enrollment SET converted_value = (SELECT event.p_{field.replace('-', '_')} FROM event WHERE event.contact_id = "
            f"enrollment.contact_id AND event.name IN ({listed}) AND event.at = enrollment.converted_at AND event.machine = 0 "
            "ORDER BY event.id LIMIT 1) WHERE id = :id", "id"
        )(connection, rows)  # fmt: skip


def write_attributes(connection: sa.Connection, decided: Iterable[Decided], *, now: datetime) -> None:
    """Carry out the `set`s of a batch: typed as declared, the folded copy beside the value."""
    ms = clock.to_ms(now)
    grouped: dict[tuple[str, str], tuple[Bulk, list[tuple[Any, ...]]]] = {}
    for s, house, _, d in decided:
        for change in d.writes:
            name = change.attribute
            declared = house.project.contacts.attributes.get(name)
            kind = kind_of(declared) if declared is not None else None
            value = copy = None
            if change.kind != "clear":
                value, copy = (
                    to_column(kind, change.value, zone=house.project.time_zone) if kind is not None else (change.value, None)
                )
            if (name, change.kind) not in grouped:
                grouped[name, change.kind] = _setter(name, change.kind, kind.name if kind else None), []
            grouped[name, change.kind][1].append((value, copy, ms, s.contact_id))
    for bulk, rows in grouped.values():
        bulk(connection, rows)


def _setter(name: str, change: str, kind: str | None) -> Bulk:
    """`kind` is that of a declared attribute, None for a built-in one."""
    column = name if kind is None else attribute_column(name)
    written = f"{column} = COALESCE({column}, 0) {change} :value" if change in "+-" else f"{column} = :value"
    copied = f", {folded_column(name)} = :folded" if kind in FOLDED else ""
    return Bulk(
        f"UPDATE contact SET {written}{copied}, changed_at = :now, attributes_at = :now WHERE id = :id",
        "value",
        "folded",
        "now",
        "id",
    )


# --- wake -----------------------------------------------------------------------------------------------------------
_wake_touch = Bulk("UPDATE enrollment SET due_at = :at WHERE touch_id = :touch_id AND state = 'open'", "at", "touch_id")
_wake_contact = Bulk(
    "UPDATE enrollment SET due_at = :at WHERE contact_id = :contact_id AND state = 'open' AND (due_at IS NULL OR due_at > :at)",
    "at", "contact_id",
)  # fmt: skip


def settle(connection: sa.Connection, settled: Sequence[tuple[int, str, int | datetime, str | None]]) -> None:
    """Bring up the passes that stand on these touches, which have just ended: (touch id, state, instant, reason)."""
    _wake_touch(
        connection,
        [(at if isinstance(at, int) else clock.to_ms(at), touch_id) for touch_id, state, at, _ in settled if state in ENDS],
    )


def wake(connection: sa.Connection, contact_ids: Iterable[int], now: datetime) -> None:
    """Bring up every open pass of these contacts; the ends of their timers stay as they are."""
    ms = clock.to_ms(now)
    _wake_contact(connection, [(ms, contact_id) for contact_id in contact_ids])


def spent(connection: sa.Connection, versions: Sequence[int]) -> int:
    """Money taken and reserved by the touches of these versions, in millionths: what the budget counts."""
    return int(connection.execute(_COST, {"versions": list(versions)}).scalar_one())


_COST = sa.select(sa.func.coalesce(sa.func.sum(touch.c.cost), 0)).where(
    touch.c.version_id.in_(sa.bindparam("versions", expanding=True)), sa.text(SPENT)
)


def enter(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, campaign: str, now: datetime) -> None:
    """Open passes, due at once, and write `entered` to the ledger. Rows: the columns of `enrollment` but its id and state."""
    ms = clock.to_ms(now)
    _open(connection, [(*(row[c] for c in _OPENED), ms, ms) for row in rows])
    _entered(connection, [(row["contact_id"], row["entered_at"], campaign, ms, row["key"]) for row in rows])
    _entry(connection, [(ms, row["why"], row["key"]) for row in rows])


_OPENED = (
    "key",
    "contact_id",
    "campaign_id",
    "version_id",
    "pass",
    "entered_at",
    "entered_event",
    "language",
    "persona",
    "held_out",
)
_open = Bulk(
    f"INSERT INTO enrollment ({', '.join(_OPENED)}, since, due_at, state) VALUES ({', '.join(':' + c for c in _OPENED)}, :since, :due_at, 'open')",
    *_OPENED, "since", "due_at",
)  # fmt: skip
_entered = Bulk(
    "INSERT INTO event (contact_id, name, at, enrollment_id, campaign, machine, received_at) "
    "SELECT :contact_id, 'entered', :at, id, :campaign, 0, :now FROM enrollment WHERE key = :key",
    "contact_id", "at", "campaign", "now", "key",
)  # fmt: skip
_entry = Bulk(
    "INSERT INTO decision (enrollment_id, at, step, kind, why) SELECT id, :at, '', 'enter', :why FROM enrollment WHERE key = :key",
    "at", "why", "key",
)  # fmt: skip
