"""The record of what a batch decided, in bulk statements within the transaction of the caller (T0)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.engine.house import House
from omnicli.model.decision import Decision, Stand, Standing, TouchPlan, Why
from omnicli.model.ids import touch_keys
from omnicli.store import campaigns
from omnicli.store.bulk import Bulk
from omnicli.store.columns import FOLDED, attribute_column, folded_column, kind_of, to_column
from omnicli.store.gather import Who
from omnicli.text import fold

_TOUCHES = (
    "touch_key", "contact_id", "enrollment_id", "version_id", "step", "message", "channel", "purpose", "priority", "due_at", "expires_at",
    "send_state", "reason", "cost", "created_at", "settled_at", "team", "task_kind", "task_due", "place",
)  # fmt: skip
_insert_touches = Bulk(
    f"INSERT INTO touch ({', '.join(_TOUCHES)}) VALUES ({', '.join(':' + c for c in _TOUCHES)}) ON CONFLICT (touch_key) DO NOTHING",
    *_TOUCHES,
)
_STANDS = ("since", "due_at", "wait_from", "wait_until", "held_by", "held_from", "tried")
_BY_KEY = "(SELECT id FROM touch WHERE touch_key = :touch_key)"
#: The same where every touch of the batch is new.
_NEWEST = ("(SELECT t.id FROM touch t WHERE t.enrollment_id = enrollment.id AND t.step = :at_step AND t.channel = :channel "
           "ORDER BY t.id DESC LIMIT 1)")  # fmt: skip


def _standing(columns: Sequence[str], touch: str = "NULL", *more: str) -> Bulk:
    written = ", ".join(f"{c} = :{c}" for c in columns)
    return Bulk(f"UPDATE enrollment SET {written}, spread = 0, touch_id = {touch} WHERE id = :id", *columns, *more, "id")


#: Whoever stays at a step leaves the index of steps as it is: SQLite writes an index whose column is named, whatever the value.
_stand, _move = _standing(_STANDS), _standing(("step", *_STANDS))
_stand_on_touch = _standing(_STANDS, _NEWEST, "at_step", "channel")
_move_on_touch = _standing(("step", *_STANDS), _NEWEST, "at_step", "channel")
_by_key = {
    _stand_on_touch: _standing(_STANDS, _BY_KEY, "touch_key"),
    _move_on_touch: _standing(("step", *_STANDS), _BY_KEY, "touch_key"),
}
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
#: The statements of a batch in their order, and by which value their rows are sorted: neighbours in a batch are neighbours on disk.
_SORTED = {_insert_touches: 2, _stand: -1, _move: -1, _stand_on_touch: -1, _move_on_touch: -1, _stay: -1, _end: -1, _drop_open_touches: -1,
           _events: 3, _decisions: 0, _changed: -1}  # fmt: skip

Decided = tuple[Standing | Who, House, int, Decision]


@dataclass(slots=True)
class Answered:
    """One answer and everybody who gets it. `standing`: what is known of each of them, with the names of the first."""

    standing: Standing
    house: House
    version_id: int
    decision: Decision
    people: list[Who] = field(default_factory=list)


def record(connection: sa.Connection, answered: Sequence[Answered], *, now: datetime, ground: int | None = None) -> None:
    """Write the decisions of a batch. `ground`: under which `omni.yaml` they were taken (store/grounds)."""
    batch = _Batch(clock.to_ms(now), ground)
    for one in answered:
        batch.add(one)
    convert(connection, batch.goals, now=now)
    batch.write(connection)
    write_attributes(connection, batch.writes, now=now)
    if batch.writes or batch.rows[_changed]:
        campaigns.look_back_if_late(connection, batch.now)


class _Batch:
    """Rows of a batch, by the statement that writes them."""

    def __init__(self, now: int, ground: int | None) -> None:
        self.now, self.ground = now, ground
        self.rows: dict[Bulk, list[tuple[Any, ...]]] = {bulk: [] for bulk in _SORTED}
        self.goals: list[tuple[Standing | Who, House, datetime]] = []
        self.writes: list[Decided] = []

    def add(self, one: Answered) -> None:
        s, decision = one.standing, one.decision
        self._touches(one)
        if decision.converted_at is not None and not s.converted:
            self.goals += [(who, one.house, decision.converted_at) for who in one.people]
        if decision.writes:
            self.writes += [(who, one.house, one.version_id, decision) for who in one.people]
        if decision.stand is None:
            self._ends(one)
        elif decision.kind == "stay":
            due = _ms(decision.stand.due_at)
            self.rows[_stay] += [(due, who.id) for who in one.people]
        else:
            self._stands(one, decision.stand)
        if decision.told:
            self._tells(one)

    def _touches(self, one: Answered) -> None:
        for plan in one.decision.touches:
            named = touch_keys(one.house.project.project, one.house.name, plan.step, plan.channel)
            same = _touch_row(one.version_id, plan, self.now)
            self.rows[_insert_touches] += [(named(w.contact_uid, w.number), w.contact_id, w.id, *same) for w in one.people]

    def _stands(self, one: Answered, stand: Stand) -> None:
        values: tuple[Any, ...] = (_ms(stand.since), _ms(stand.due_at), _ms(stand.wait_from), _ms(stand.wait_until), stand.held_by,
                                   _ms(stand.held_from), " ".join(stand.tried) or None)  # fmt: skip
        moves, planned = stand.step != one.standing.step, one.decision.planned
        if moves:
            values = (stand.step, *values)
        if stand.on_touch and planned is not None:
            values = (*values, planned.step, planned.channel)
            self.rows[_move_on_touch if moves else _stand_on_touch] += [(*values, who.id) for who in one.people]
        else:
            self.rows[_move if moves else _stand] += [(*values, who.id) for who in one.people]

    def _ends(self, one: Answered) -> None:
        now, name, reason = self.now, one.house.name, one.decision.ended
        payload, folded = json.dumps({"reason": reason}), fold(reason) if reason else None
        self.rows[_end] += [(reason, now, who.id) for who in one.people]
        self.rows[_events] += [(who.contact_id, "exited", now, who.id, name, payload, now, folded) for who in one.people]
        self.rows[_changed] += [(now, who.contact_id) for who in one.people]
        if one.standing.touch_open:
            self.rows[_drop_open_touches] += [("ended", now, who.id) for who in one.people]

    def _tells(self, one: Answered) -> None:
        decision = one.decision
        step = decision.stand.step if decision.stand else one.standing.step or ""
        line = self.now, step, decision.kind, why_text(decision.why), decision.premises, self.ground
        self.rows[_decisions] += [(who.id, *line) for who in one.people]

    def write(self, connection: sa.Connection) -> None:
        for rows, place in ((self.rows[bulk], place) for bulk, place in _SORTED.items()):
            rows.sort(key=itemgetter(place))
        touches = self.rows[_insert_touches]
        known = _insert_touches(connection, touches) < len(touches)
        for bulk in _SORTED:
            if known and bulk in _by_key:
                self._on_known(connection, bulk)
            elif bulk is not _insert_touches:
                bulk(connection, self.rows[bulk])

    def _on_known(self, connection: sa.Connection, bulk: Bulk) -> None:
        """Some touch had been planned before: each pass stands on the one of its name."""
        keys = {(row[2], row[4], row[6]): row[0] for row in self.rows[_insert_touches]}
        rows = [(*row[:-3], keys[row[-1], row[-3], row[-2]], row[-1]) for row in self.rows[bulk]]
        _by_key[bulk](connection, rows)
        _pass_by(connection, [(self.now, row[-1]) for row in rows])


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else clock.to_ms(instant)


def _touch_row(version_id: int, plan: TouchPlan, now: int) -> tuple[Any, ...]:
    """What is the same in the touches of all who get one answer."""
    due_at = clock.to_ms(plan.due_at)
    settled = None if plan.state == "planned" else due_at if plan.state == "held_out" else now
    return (
        version_id, plan.step, plan.message, plan.channel, plan.purpose, plan.priority, due_at, clock.to_ms(plan.expires_at), plan.state,
        plan.reason, plan.cost, now, settled, plan.team, plan.task_kind, _ms(plan.task_due), plan.place,
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


def convert(connection: sa.Connection, goals: Sequence[tuple[Standing | Who, House, datetime]], *, now: datetime) -> None:
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
    for (value, names), rows in by_field.items():
        listed = ", ".join(f"'{name}'" for name in names if name.replace("-", "_").replace("_", "a").isalnum())
        Bulk(
            f"UPDATE enrollment SET converted_value = (SELECT event.p_{value.replace('-', '_')} FROM event WHERE event.contact_id = "
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
