"""Many rows as columns, each an array in the bytes in which PostgreSQL takes it: a statement of a line, however many rows it writes.

Rows written out are a text of a thousand marks, which the driver and the server read each time; a column is one value, and what is
the same in all rows is sent once. A third of a sender's processor time went into reading marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import repeat
from struct import Struct
from typing import Any

#: Rows in one statement at most: their columns together weigh some megabytes.
MOST_ROWS = 5_000
_HEAD, _SIZE, _INT = Struct(">iiIii").pack, Struct(">i").pack, Struct(">iq").pack
_EMPTY, _NULL = Struct(">iiI").pack, _SIZE(-1)
_UPDATE = re.compile(r"(UPDATE \w+ SET (?:(?!SELECT).)*?)( WHERE (?:(?!SELECT).)*)", re.DOTALL)


class Ints(bytes):
    """An array of `bigint`."""


class Texts(bytes):
    """An array of `text`."""


class Blobs(bytes):
    """An array of `bytea`."""


#: What PostgreSQL calls the array, and what it calls an element.
_TYPES: dict[type[bytes], tuple[int, int]] = {Ints: (1016, 20), Texts: (1009, 25), Blobs: (1001, 17)}


def ints(values: Iterable[int]) -> Ints:
    """Whole numbers as one value."""
    listed = list(values)
    return Ints(_framed(Ints, len(listed), map(_INT, repeat(8), listed)))


def _framed(kind: type[bytes], count: int, parts: Iterable[bytes]) -> bytes:
    """One dimension, counted from 1."""
    element = _TYPES[kind][1]
    return _HEAD(1, 1, element, count, 1) + b"".join(parts) if count else _EMPTY(0, 0, element)


def _column(values: Sequence[Any]) -> bytes | None:
    """These values as one; None when they are of a kind that goes another way."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return ints(values)
    match kinds - {type(None)}:
        case one if one == {int}:
            return Ints(_framed(Ints, len(values), [_NULL if v is None else _INT(8, v) for v in values]))
        case one if one == {str}:
            return Texts(_framed(Texts, len(values), _sized([None if v is None else v.encode() for v in values])))
        case one if one == {bytes}:
            return Blobs(_framed(Blobs, len(values), _sized(values)))
    return None


def _sized(values: Sequence[bytes | None]) -> Iterable[bytes]:
    return [_NULL if v is None else _SIZE(len(v)) + v for v in values]


# --- statements -----------------------------------------------------------------------------------------------------
#: A statement with the marks of the driver, and its values.
Statement = tuple[str, tuple[Any, ...]]


def inserting(head: str, row: str, tail: str, rows: Sequence[tuple[Any, ...]]) -> Statement | None:
    """`INSERT INTO head` of these rows, `row` is "(?, 'x', ?)"; None when they go another way."""
    packed = _packed(rows, 0)
    return packed and (_insert(head, row, tail, packed[0]), packed[1])


def updating(sql: str, rows: Sequence[tuple[Any, ...]]) -> Statement | None:
    """`UPDATE … SET a = ?, … WHERE … id = ?` of these rows, each named by its last value, which must come once; None when they go
    another way."""
    found = _UPDATE.fullmatch(sql)
    if found is None or len({row[-1] for row in rows}) < len(rows):
        return None
    packed = _packed(rows, found[2].count("?"))
    return packed and (_update(found[1], found[2], packed[0]), packed[1])


def _packed(rows: Sequence[tuple[Any, ...]], apart: int) -> tuple[tuple[bool, ...], tuple[Any, ...]] | None:
    """Which values are the same in all rows (never one of the last `apart`), and the values: those first, then the columns."""
    columns = list(zip(*rows, strict=True))
    free = len(columns) - apart
    same = tuple([n < free and column.count(column[0]) == len(column) for n, column in enumerate(columns)])
    if all(same):
        return None
    arrays = [_column(column) for column, one in zip(columns, same, strict=True) if not one]
    if None in arrays:
        return None
    return same, (*(column[0] for column, one in zip(columns, same, strict=True) if one), *arrays)


@lru_cache(maxsize=512)
def _insert(head: str, row: str, tail: str, same: tuple[bool, ...]) -> str:
    return f"INSERT INTO {head} SELECT {_marked(row, same)[1:-1]} FROM {_rows(same)}{tail}"


@lru_cache(maxsize=512)
def _update(written: str, named: str, same: tuple[bool, ...]) -> str:
    marked = written.count("?")
    return f"{_marked(written, same[:marked])} FROM {_rows(same)}{_marked(named, same[marked:], marked)}"


def _marked(text: str, same: tuple[bool, ...], first: int = 0) -> str:
    """Each mark is the driver's, or names its column."""
    names = iter(["%s" if one else f"r.c{n}" for n, one in enumerate(same, first)])
    return re.sub(r"\?", lambda _: next(names), text.replace("%", "%%"))


def _rows(same: tuple[bool, ...]) -> str:
    columns = [f"c{n}" for n, one in enumerate(same) if not one]
    return f"unnest({', '.join(['%s'] * len(columns))}) AS r ({', '.join(columns)})"


# --- the driver -----------------------------------------------------------------------------------------------------
@cache
def _dumpers() -> tuple[tuple[type[bytes], Any], ...]:
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    def dumper(kind: type[bytes]) -> Any:
        said = {"format": Format.BINARY, "oid": _TYPES[kind][0], "dump": lambda self, value: value}
        return type(f"{kind.__name__}Dumper", (Dumper,), said)

    return tuple((kind, dumper(kind)) for kind in _TYPES)


def teach(connection: Any) -> None:
    """A connection of psycopg takes arrays as they are."""
    for kind, dumper in _dumpers():
        connection.adapters.register_dumper(kind, dumper)
