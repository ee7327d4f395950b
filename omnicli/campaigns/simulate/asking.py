"""The questions of the engine, asked of a store in memory over the driver itself: the statement is compiled once for the whole simulation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from omnicli.engine.decide import Answers, _Walk
from omnicli.engine.house import House
from omnicli.engine.questions import Questions
from omnicli.model.decision import Decision, Standing, Tally
from omnicli.store import turns

_MINE = sa.text("enrollment.id IN (SELECT value FROM json_each(:ids))")


class Asked(turns.Gather):
    """`turns.Gather`, word for word the same statement, for any instant and without a connection of SQLAlchemy."""

    def __init__(self, house: House, questions: Questions, compiler: turns.Asking, *, now: datetime) -> None:
        super().__init__(house, questions, compiler, now=now)
        dialect = SQLiteDialect_pysqlite(paramstyle="named")
        compiled: Any = self.everybody.where(_MINE).compile(dialect=dialect)
        expanded = compiled.construct_expanded_state({**self.parameters, "ids": "[]"})
        self.text = str(expanded.statement)
        self.fixed: dict[str, Any] = dict(expanded.parameters)

    def of(self, connection: sqlite3.Connection, ids: Sequence[int]) -> list[Standing]:
        """What `__call__` gives."""
        rows = connection.execute(self.text, {**self.fixed, **self.parameters, "ids": json.dumps(ids)}).fetchall()
        return [self._standing(row) for row in rows]


class Decided(Answers):
    """The engine's answers, without taking down what each was taken on: nobody will ask why of people who do not exist."""

    def _found(self, standing: Standing, tally: Tally) -> tuple[Decision, bool]:
        walk = _Walk(standing, self.house, tally, self.now)
        return walk.decide(), walk.personal


def covers(asked: Questions, more: Questions) -> bool:
    """Whether whoever answered `asked` has answered `more` too."""
    return (
        set(more.conditions) <= set(asked.conditions)
        and set(more.firsts) <= set(asked.firsts)
        and set(more.attributes) <= set(asked.attributes)
        and all(have or not want for have, want in
                ((asked.hours, more.hours), (asked.told, more.told), (asked.event, more.event), (asked.sends, more.sends)))
    )  # fmt: skip
