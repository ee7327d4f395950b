"""Everything that must be known of those who stand at one step, in one SELECT: who they are first, then what is known of them.

People of whom the same is known have the same row behind the first columns, and may share one answer (campaigns/turn).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from omnicli import clock
from omnicli.engine.house import House
from omnicli.engine.questions import Questions
from omnicli.model.contact import read_reach
from omnicli.model.decision import First, Settled, Standing
from omnicli.model.project import Project
from omnicli.model.response import HUMAN
from omnicli.store.columns import attribute_column
from omnicli.store.listed import listed, one_of
from omnicli.store.tables import cap_slot, contact, enrollment, event, touch

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


class Who(NamedTuple):
    """Whose pass it is: what differs between people of whom the same is known."""

    id: int
    key: bytes
    contact_id: int
    number: int
    contact_uid: bytes


WHO = len(Who._fields)
Row = tuple[Any, ...]


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
        self.query = self.everybody.where(one_of(enrollment.c.id, sa.bindparam("ids")))
        self._reckon = compiler.parameters
        self.parameters = self._parameters(now)

    def at(self, now: datetime) -> None:
        """Ask the same at another instant: what depends on it is a parameter of the statement."""
        self.now, self.parameters = now, self._parameters(now)

    def _parameters(self, now: datetime) -> dict[str, object]:
        ours = _slots_since(now) if self.questions.sends else {}
        return {**self._reckon(now), **ours, **(_human_span(now) if self.questions.hours else {})}

    def __call__(self, connection: sa.Connection, ids: Sequence[int]) -> list[Standing]:
        return [self.standing(row) for row in self.rows(connection, ids)]

    def rows(self, connection: sa.Connection, ids: Sequence[int]) -> list[Row]:
        """What stands in the store of these, in no order: `row[:WHO]` says who it is, `row[WHO:]` all that is known."""
        found: Any = connection.execute(self.query, {**self.parameters, "ids": listed(connection.dialect.name, ids)}).all()
        return list(found)

    def standing(self, row: Row) -> Standing:
        """A row as the engine reads it."""
        (id_, key, contact_id, number, uid, entered_at, language, persona, held_out, step, since, due_at, wait_from, wait_until, held_by,
         held_from, spread, tried, converted_at, country, region, time_zone, preferred, last_channel, last_at, erased_at,
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


#: Who it is, then what is known: `Who` has as many columns.
_CORE = (
    enrollment.c.id, enrollment.c.key, enrollment.c.contact_id, enrollment.c["pass"], contact.c.uid,
    enrollment.c.entered_at, enrollment.c.language,
    enrollment.c.persona, enrollment.c.held_out, enrollment.c.step, enrollment.c.since, enrollment.c.due_at, enrollment.c.wait_from,
    enrollment.c.wait_until, enrollment.c.held_by, enrollment.c.held_from, enrollment.c.spread, enrollment.c.tried,
    enrollment.c.converted_at, contact.c.country, contact.c.region, contact.c.time_zone, contact.c.preferred_channel,
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
