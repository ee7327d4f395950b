"""The questions of the engine, asked of a store in memory over the driver itself: the statement is compiled once for the whole simulation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from omnicli.engine import premises
from omnicli.engine.decide import Answers, _Walk
from omnicli.engine.house import House
from omnicli.engine.questions import Questions
from omnicli.model.campaign import Send, WaitStep
from omnicli.model.decision import Decision, Standing, Tally
from omnicli.store import turns

_MINE = sa.text("enrollment.id IN (SELECT value FROM json_each(:ids))")


#: What caps count of a person: (local date, channel) of every counted touch, and when the last one left.
Counted = tuple[tuple[tuple[int, str], ...], datetime | None]


class Ready:
    """A statement compiled once, carried out over the driver itself. Values of `given` that are not given again stay as they were."""

    def __init__(self, query: Any, given: Mapping[str, Any]) -> None:
        compiled: Any = query.compile(dialect=SQLiteDialect_pysqlite(paramstyle="named"))
        expanded = compiled.construct_expanded_state(dict(given))
        self.text = str(expanded.statement)
        self.fixed: dict[str, Any] = dict(expanded.parameters)

    def rows(self, connection: sqlite3.Connection, given: Mapping[str, Any]) -> list[Any]:
        return connection.execute(self.text, {**self.fixed, **given}).fetchall()


class Asked(turns.Gather):
    """`turns.Gather`, for any instant and without a connection of SQLAlchemy. Counted touches are known here: they are not asked."""

    def __init__(self, house: House, questions: Questions, compiler: turns.Asking, *, now: datetime) -> None:
        super().__init__(house, replace(questions, sends=False), compiler, now=now)
        self.whole = questions
        self.ready = Ready(self.everybody.where(_MINE), {**self.parameters, "ids": "[]"})

    def of(self, connection: sqlite3.Connection, ids: Sequence[int], counted: Mapping[int, Counted]) -> list[Standing]:
        """What `__call__` gives; `counted` by contact."""
        found = [self.standing(row) for row in self.ready.rows(connection, {**self.parameters, "ids": json.dumps(ids)})]
        for standing in found if self.whole.sends else ():
            if (mine := counted.get(standing.contact_id)) is not None:
                standing.slots, standing.last_counted_at = mine  # nobody has seen it yet
        return found


class Decided(Answers):
    """The engine's answers, without taking down what each was taken on: nobody will ask why of people who do not exist.

    People who differ only in the instant of their entry get one answer where nothing is reckoned from it.
    """

    def __init__(self, house: House, now: datetime, *, dated: bool) -> None:
        super().__init__(house, now)
        self.dated = dated
        self.kept: dict[tuple[Any, ...], tuple[Decision, Any]] = {}

    def decide(self, standing: Standing, tally: Tally) -> Decision:
        s = standing
        if not self.pays or (s.firsts and any(s.firsts.values())):
            return _Walk(s, self.house, tally, self.now).decide()
        mappings = [tuple(m.items()) if m else m is None for m in (s.attributes, s.truths, s.hours, s.told, s.event)]
        key = (_plain(s), s.entered_at if self.dated else None, id(s.reach), *mappings)
        try:
            found = self.kept.get(key)
        except TypeError:  # a list among the attributes
            return _Walk(s, self.house, tally, self.now).decide()
        if found is not None:
            return found[0]
        walk = _Walk(s, self.house, tally, self.now)
        decision = walk.decide()
        if not walk.personal:
            self.kept[key] = decision, s.reach  # kept, so that no other reach takes its place in memory
        return decision


_plain = attrgetter(
    *(f.name for f in fields(Standing) if f.name not in {
        *premises.IDENTITY, "attributes", "truths", "firsts", "hours", "told", "event", "reach", "entered_at"}
    )
)  # fmt: skip


def dated(house: House) -> bool:
    """Whether some moment of the flow is reckoned from the instant of entry, or from a fact that may be."""
    for node in house.flow:
        step = node.step
        moment = step.at if isinstance(step, Send) else step.wait.moment if isinstance(step, WaitStep) else None
        if moment is not None and moment.kind == "anchor":
            return True
    return False


def covers(asked: Questions, more: Questions) -> bool:
    """Whether whoever answered `asked` has answered `more` too."""
    return (
        set(more.conditions) <= set(asked.conditions)
        and set(more.firsts) <= set(asked.firsts)
        and set(more.attributes) <= set(asked.attributes)
        and all(have or not want for have, want in
                ((asked.hours, more.hours), (asked.told, more.told), (asked.event, more.event), (asked.sends, more.sends)))
    )  # fmt: skip
