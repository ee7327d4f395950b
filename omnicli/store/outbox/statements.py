"""Statements as the driver runs them: many rows at once, plain tuples back. Identifiers in them are integers of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa


def many(connection: sa.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """One statement for many rows, as the driver runs it (SQLAlchemy's Core costs twice as much here)."""
    if rows:
        connection.exec_driver_sql(dialect(connection, sql), list(rows))


def fetch(connection: sa.Connection, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows as the driver gives them: plain tuples."""
    result = connection.exec_driver_sql(dialect(connection, sql), values)
    cursor: Any = result.cursor
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    result.close()
    return rows


def run(connection: sa.Connection, sql: str, *values: Any) -> int:
    return connection.exec_driver_sql(dialect(connection, sql), values).rowcount


def dialect(connection: sa.Connection, sql: str) -> str:
    return sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")


def listed(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids)) or "NULL"


def for_all(connection: sa.Connection, sql: str, groups: Iterable[tuple[tuple[Any, ...], list[int]]]) -> None:
    """A statement that ends before `= id`, for each group of ids with its own values: one for many, or many at once."""
    few: list[tuple[Any, ...]] = []
    for values, ids in groups:
        if len(ids) > 8:
            run(connection, f"{sql} IN ({listed(ids)})", *values)
        else:
            few += [(*values, id_) for id_ in ids]
    many(connection, f"{sql} = ?", few)


def grouped(pairs: Iterable[tuple[Any, int]]) -> Iterable[tuple[Any, list[int]]]:
    """Ids by what they share: what is said of many is one statement."""
    found: dict[Any, list[int]] = {}
    for key, id_ in pairs:
        found.setdefault(key, []).append(id_)
    return found.items()
