"""Statements as the driver runs them: many rows at once, plain tuples back, and texts that stay the same whoever they are about.

A list of ids is one value, written `IN (?*)`: a text that never changes is prepared once, and a connection that remembers its
statements remembers no touches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa

from omnicli.store import arrays

#: Values in one statement: every SQLite takes so many.
MOST_VALUES = 999


def many(connection: sa.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """One statement for many rows, as the driver runs it (SQLAlchemy's Core costs twice as much here)."""
    if not rows:
        return
    name = connection.dialect.name
    whole = arrays.updating(sql, rows) if name == "postgresql" and len(rows) > 1 else None
    connection.exec_driver_sql(*(whole or (dialect(name, sql), list(rows))))


def insert(connection: sa.Connection, head: str, row: str, rows: Sequence[tuple[Any, ...]], tail: str = "") -> None:
    """`INSERT INTO head VALUES row, row, … tail`: opening the indexes of a table costs as much as writing a row into them, so a
    statement of 100 rows takes half the time of 100 statements."""
    if rows and connection.dialect.name == "postgresql" and (whole := arrays.inserting(head, row, tail, rows)) is not None:
        connection.exec_driver_sql(*whole)
        return
    most = MOST_VALUES // max(1, row.count("?"))
    for at in range(0, len(rows), most):
        part = rows[at : at + most]
        connection.exec_driver_sql(
            dialect(connection.dialect.name, _rows(head, row, len(part), tail)), tuple(chain.from_iterable(part))
        )


@lru_cache(maxsize=64)
def _rows(head: str, row: str, count: int, tail: str) -> str:
    return f"INSERT INTO {head} VALUES {','.join([row] * count)}{tail}"


def fetch(connection: sa.Connection, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows as the driver gives them: plain tuples."""
    name = connection.dialect.name
    result = connection.exec_driver_sql(dialect(name, sql), driven(name, values))
    cursor: Any = result.cursor
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    result.close()
    return rows


def run(connection: sa.Connection, sql: str, *values: Any) -> int:
    name = connection.dialect.name
    return connection.exec_driver_sql(dialect(name, sql), driven(name, values)).rowcount


@lru_cache(maxsize=512)
def dialect(name: str, sql: str) -> str:
    """The statement with the marks of the driver."""
    if name == "sqlite":
        return sql.replace("?*", "SELECT value FROM json_each(?)")
    return sql.replace("IN (?*)", "= ANY(?)").replace("?", "%s")


def driven(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values as the driver takes them: ids in one piece."""
    if not any(isinstance(value, (list, set, frozenset, tuple)) for value in values):
        return values
    ids = _as_text if name == "sqlite" else arrays.ints
    return tuple([ids(value) if isinstance(value, (list, set, frozenset, tuple)) else value for value in values])


def _as_text(ids: Collection[int]) -> str:
    return f"[{','.join(map(str, ids))}]"


def listed(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids)) or "NULL"


def for_all(connection: sa.Connection, sql: str, groups: Iterable[tuple[tuple[Any, ...], list[int]]]) -> None:
    """A statement that ends before `= id`, for each group of ids with its own values: one for many, or many at once."""
    few: list[tuple[Any, ...]] = []
    for values, ids in groups:
        if len(ids) > 8:
            run(connection, f"{sql} IN (?*)", *values, ids)
        else:
            few += [(*values, id_) for id_ in ids]
    many(connection, f"{sql} = ?", few)


def grouped(pairs: Iterable[tuple[Any, int]]) -> Iterable[tuple[Any, list[int]]]:
    """Ids by what they share: what is said of many is one statement."""
    found: dict[Any, list[int]] = {}
    for key, id_ in pairs:
        found.setdefault(key, []).append(id_)
    return found.items()
