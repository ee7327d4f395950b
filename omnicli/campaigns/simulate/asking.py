"""The questions of the engine, asked of a store in memory over the driver itself: the statement is compiled once for the whole simulation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from omnicli.engine.house import House
from omnicli.engine.questions import Questions
from omnicli.engine.walk import _Walk
from omnicli.model.campaign import Send, WaitStep
from omnicli.model.decision import Decision, Settled, Standing, Tally
from omnicli.store import turns
from omnicli.store.gather import _CORE, WHO

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
        self.known = _known(house, len(self.everybody.selected_columns))
        behind = len(CORE) + len(questions.conditions)
        self._firsts = slice(behind, behind + len(questions.firsts)) if questions.firsts else None

    def rows_of(self, connection: sqlite3.Connection, ids: Sequence[int]) -> list[Any]:
        return self.ready.rows(connection, {**self.parameters, "ids": json.dumps(ids)})

    def happened(self, row: Sequence[Any]) -> bool:
        """Whether something that this flow listens to has happened to this person alone."""
        return self._firsts is not None and any(row[self._firsts])

    def standing_with(self, row: Any, counted: Counted | None) -> Standing:
        standing = self.standing(row)
        if counted is not None and self.whole.sends:
            standing.slots, standing.last_counted_at = counted  # nobody has seen it yet
        return standing

    def of(self, connection: sqlite3.Connection, ids: Sequence[int]) -> list[Standing]:
        """What `__call__` gives, of whom nothing was counted."""
        return [self.standing(row) for row in self.rows_of(connection, ids)]


CORE = [column.name for column in _CORE]
_AT = {name: place for place, name in enumerate(CORE)}
CONVERTED = _AT["converted_at"]


def _known(house: House, width: int) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What of a row may bear on an answer: not who it is; nor when, where only whether is asked."""
    without = {CONVERTED}
    if not dated(house):
        without.add(_AT["entered_at"])
    if "whatsapp" not in house.project.channels:
        without.add(_AT["last_human_at"])  # nothing else is open for a while after the person wrote
    return itemgetter(*(place for place in range(WHO, width) if place not in without))


class Here:
    """One answer of the engine, to one person or to all of whom the same is known; and what was answered behind its touch."""

    __slots__ = ("behind", "decision", "standing")

    def __init__(self, standing: Standing, decision: Decision, *, shared: bool) -> None:
        self.standing, self.decision = standing, decision
        self.behind: dict[tuple[str, str | None], Here] | None = {} if shared else None


class Answers:
    """The engine's answers of one instant, without taking down what each was taken on: nobody will ask why of people who do not exist.

    People of whom the same is known get one answer, and after the same end of the same touch the same again: the engine is asked once.
    """

    def __init__(self, house: House, now: datetime, tally: Tally) -> None:
        self.house, self.now, self.tally = house, now, tally
        self.shares = house.guarding.budget is None and house.ceiling is None
        self.kept: dict[tuple[Any, ...], Here] = {}

    def of(self, asked: Asked, row: Sequence[Any], counted: Counted | None) -> Here:
        """To whoever this row is about."""
        if not self.shares or asked.happened(row):
            return self._decide(asked.standing_with(row, counted), shares=False)
        key = asked.known(row), row[CONVERTED] is None, counted
        here = self.kept.get(key)
        if here is None:
            here = self._decide(asked.standing_with(row, counted), shares=True)
            if here.behind is not None:
                self.kept[key] = here
        return here

    def behind(self, here: Here, end: Settled, stand: Callable[[], Standing]) -> Here:
        """To the same person, whose touch ended so; `stand` says where that leaves them."""
        if here.behind is None:
            return self._decide(stand(), shares=False)
        key = end.state, end.reason
        found = here.behind.get(key)
        if found is None:
            found = self._decide(stand(), shares=True)
            if found.behind is not None:
                here.behind[key] = found
        return found

    def _decide(self, standing: Standing, *, shares: bool) -> Here:
        walk = _Walk(standing, self.house, self.tally, self.now)
        decision = walk.decide()
        own = walk.personal or decision.writes or decision.converted_at is not None
        return Here(standing, decision, shared=shares and not own)


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
