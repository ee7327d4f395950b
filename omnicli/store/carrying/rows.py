"""Rows of one table, out of a store in the order of their key and into another: COPY on PostgreSQL, one statement for many rows on SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store.carrying.shape import Shape
from omnicli.texts import t

Row = tuple[Any, ...]
#: Rows read and written at a time: a batch is one transaction of the target.
BATCH = 10_000
_TYPES = {"int": "int8", "real": "float8", "text": "text", "blob": "bytea", "any": "text"}
_NAMES = count(1)


def pages(
    connection: sa.Connection, shape: Shape, *, after: Sequence[Any] | None = None, batch: int = BATCH
) -> Iterator[list[Row]]:
    """The rows of the table whose key comes after this one, by key, in pages; no page is empty. One snapshot: the connection's."""
    driver: Any = connection.connection.driver_connection
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    key = ", ".join(_quoted(shape.columns[place]) for place in shape.key)
    past = f" WHERE ({key}) > ({', '.join([mark] * len(shape.key))})" if after is not None else ""
    query = f"SELECT {_list(shape.columns)} FROM {_quoted(shape.name)}{past} ORDER BY {key}"
    if connection.dialect.name == "postgresql":
        with driver.cursor(name=f"omni_rows_{next(_NAMES)}", binary=True) as cursor:
            cursor.itersize = batch
            cursor.execute(query, tuple(after or ()))
            while page := cursor.fetchmany(batch):
                yield page
        return
    cursor = driver.execute(query, tuple(after or ()))
    while page := cursor.fetchmany(batch):
        yield page


def pour(connection: sa.Connection, shape: Shape, rows: Sequence[Row]) -> None:
    """Put the rows into the table; OmniError when PostgreSQL cannot hold a text (a NUL in it)."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "postgresql":
        marks = ", ".join("?" * len(shape.columns))
        driver.executemany(f"INSERT INTO {_quoted(shape.name)} ({_list(shape.columns)}) VALUES ({marks})", rows)
        return
    real = [place for place, kind in enumerate(shape.kinds) if kind == "real"]
    table = f"{_quoted(shape.name)} ({_list(shape.columns)})"
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types([_TYPES[kind] for kind in shape.kinds])
            for row in _floats(rows, real) if real else rows:
                copy.write_row(row)
    except driver.DataError as error:
        raise _unfit(shape, str(error).splitlines()[0]) from None


def renumber(connection: sa.Connection, shape: Shape) -> None:
    """Let the next row that the store numbers itself come after those that were put in."""
    if connection.dialect.name == "postgresql" and shape.counted:
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{_quoted(shape.name)}', 'id'), greatest((SELECT max(id) FROM {_quoted(shape.name)}), 1), "
            f"EXISTS (SELECT 1 FROM {_quoted(shape.name)}))"
        )


def _unfit(shape: Shape, why: str) -> OmniError:
    return OmniError(
        t("a row of {table} does not fit into PostgreSQL: {why}", "une ligne de {table} n'entre pas dans PostgreSQL : {why}", table=shape.name, why=why),
        hint=t("mend it where it is, then copy again", "corrigez-la à la source, puis recopiez"), code="copy", exit=Exit.REFUSED,
    )  # fmt: skip


def _floats(rows: Sequence[Row], real: Sequence[int]) -> Iterator[Row]:
    """Whole numbers in columns of fractions, which SQLite lets stand, as fractions."""
    for row in rows:
        changed = list(row)
        for place in real:
            if changed[place] is not None:
                changed[place] = float(changed[place])
        yield tuple(changed)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))
