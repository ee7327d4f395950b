"""One statement for many rows, sent to the driver as it is: SQLAlchemy writes it once a dialect and looks at no row.

Opening the indexes of a table costs as much as writing a row into them. So rows are inserted a hundred a statement, and rows that get
the same values are updated by one statement for all of their ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from omnicli.store import arrays
from omnicli.store.listed import listed

#: Values in one statement: every SQLite takes so many.
MOST_VALUES = 999
#: From so many ids on, one statement for all of them is cheaper than one each.
ALIKE = 8
_NAME = re.compile(r"(?<![:\w]):(\w+)")
_INSERT = re.compile(r"(INSERT INTO .*? VALUES )(\([^()]*\))(.*)", re.DOTALL)
_BY_ID = " WHERE id = :id"

Rows = Sequence[tuple[Any, ...]]


class Bulk:
    """A statement with `:name`s for rows that are tuples in the order of `names`."""

    def __init__(self, sql: str, *names: str) -> None:
        self.sql = sql
        asked = _NAME.findall(sql)
        self._marked = _NAME.sub("?", sql)
        self._pick = None if tuple(asked) == names else _picker([names.index(name) for name in asked])
        self._insert = _INSERT.fullmatch(sql)
        self._columns = _unnamed(self._insert.groups()) if self._insert is not None else ("", "", "")
        self._by_id = sql.endswith(_BY_ID) and names[-1] == asked[-1] == "id" and asked.count("id") == 1

    def __call__(self, connection: sa.Connection, rows: Rows) -> int:
        """How many rows it changed."""
        if not rows:
            return 0
        if self._pick is not None:
            rows = [self._pick(row) for row in rows]
        if self._insert is not None:
            return self._inserted(connection, rows)
        if self._by_id and len(rows) > ALIKE and len({row[-1] for row in rows}) == len(rows):
            return self._groups(connection, rows)
        return self._each(connection, rows)

    def _each(self, connection: sa.Connection, rows: Rows) -> int:
        name = connection.dialect.name
        whole = arrays.updating(self._marked, rows) if name == "postgresql" and len(rows) > 1 else None
        return connection.exec_driver_sql(*(whole or (_driven(name, self.sql), list(rows)))).rowcount

    def _inserted(self, connection: sa.Connection, rows: Rows) -> int:
        assert self._insert is not None
        if connection.dialect.name == "sqlite":
            return self._hundreds(connection, rows)
        head, row, tail = self._columns
        changed = 0
        for start in range(0, len(rows), arrays.MOST_ROWS):
            part = rows[start : start + arrays.MOST_ROWS]
            whole = arrays.inserting(head, row, tail, part)
            changed += connection.exec_driver_sql(*whole).rowcount if whole else self._hundreds(connection, part)
        return changed

    def _hundreds(self, connection: sa.Connection, rows: Rows) -> int:
        assert self._insert is not None
        most, changed = MOST_VALUES // max(1, len(rows[0])), 0
        for start in range(0, len(rows), most):
            part = rows[start : start + most]
            sql = _repeated(connection.dialect.name, *self._insert.groups(), len(part))
            changed += connection.exec_driver_sql(sql, tuple(chain.from_iterable(part))).rowcount
        return changed

    def _groups(self, connection: sa.Connection, rows: Rows) -> int:
        """Every id once: the order of the groups says nothing."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for row in rows:
            alike.setdefault(row[:-1], []).append(row[-1])
        changed, few = 0, []
        name = connection.dialect.name
        for values, ids in alike.items():
            if len(ids) > ALIKE:
                changed += connection.exec_driver_sql(_for_all(name, self.sql), (*values, listed(name, ids))).rowcount
            else:
                few += [(*values, id_) for id_ in ids]
        return changed + (self._each(connection, few) if few else 0)


#: What stands behind a column whose values are `listed`.
IDS = {"sqlite": "IN (SELECT value FROM json_each(?))", "postgresql": "= ANY(%s)"}


@lru_cache(maxsize=256)
def _driven(dialect: str, sql: str) -> str:
    """With the marks of the driver."""
    return _NAME.sub("?", sql) if dialect == "sqlite" else _NAME.sub("%s", sql.replace("%", "%%"))


@lru_cache(maxsize=256)
def _repeated(dialect: str, head: str, row: str, tail: str, count: int) -> str:
    return _driven(dialect, head + ",".join([row] * count) + tail)


@lru_cache(maxsize=256)
def _for_all(dialect: str, sql: str) -> str:
    return f"{_driven(dialect, sql.removesuffix(_BY_ID))} WHERE id {IDS[dialect]}"


def _unnamed(parts: Sequence[str]) -> tuple[str, str, str]:
    head, row, tail = (_NAME.sub("?", part) for part in parts)
    return head.removeprefix("INSERT INTO ").removesuffix(" VALUES "), row, tail


def _picker(places: list[int]) -> Any:
    if len(places) == 1:
        place = places[0]
        return lambda row: (row[place],)
    return itemgetter(*places)
