"""A connection on which a statement that was sent before goes straight to SQLite: SQLAlchemy wrote its SQL and need not look at it again.

Stores in memory use it, for the virtual worlds of scenarios and simulations; what is kept in a file goes by SQLAlchemy alone.
SQLAlchemy's own way costs 100 to 200 µs a statement, SQLite's a few: whoever asks a hundred small things an instant feels nothing else.
Texts, and statement objects that are sent again and again, are taken this way; new ones, writes of the Core (whose SQL hangs on the values), connections that
somebody listens to, and other databases go the old way. Rows, transactions and errors are the same on both.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

#: A statement object is worth a plan once it was sent so often.
LASTING = 3
_LIST = re.compile(r"\(__\[POSTCOMPILE_(\w+)\]\)")


class Plan(NamedTuple):
    """What SQLite is sent: SQL in pieces between which lists of values stand, the name of each value, those it has by itself, and
    what brings driver's values into the types of the columns."""

    sql: str
    names: tuple[str, ...]
    lists: frozenset[str]
    given: Mapping[str, Any]
    required: frozenset[str]
    readers: tuple[Callable[[Any], Any] | None, ...] | None

    def filled(self, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]] | None:
        """SQL and its values; None when one is missing, or a list is empty."""
        if not self.required <= values.keys():
            return None
        found = {**self.given, **values}
        if not self.lists:
            return self.sql, tuple([found[name] for name in self.names])
        flat: list[Any] = []
        for name in self.names:
            if name not in self.lists:
                flat.append(found[name])
            elif found[name]:
                flat += found[name]
            else:
                return None
        return _LIST.sub(lambda place: f"({','.join('?' * len(found[place[1]]))})", self.sql), tuple(flat)


class Rows(IteratorResult[Any]):
    """Rows of SQLite, as they are asked for."""

    def __init__(self, cursor: sqlite3.Cursor, readers: tuple[Callable[[Any], Any] | None, ...] | None = None) -> None:
        self.cursor, self.rowcount, self.lastrowid = cursor, cursor.rowcount, cursor.lastrowid
        rows: Iterator[Sequence[Any]] = iter(cursor)
        if readers is not None:
            rows = (tuple([read(v) if read is not None else v for read, v in zip(readers, row, strict=True)]) for row in rows)
        names = [column[0] for column in cursor.description or ()]
        super().__init__(SimpleResultMetaData(names), rows)


class Quick(sa.Connection):
    """See above."""

    @property
    def _straight(self) -> bool:
        heard = self._has_events or self.engine._has_events or self.dialect._has_events
        return not heard and self.dialect.name == "sqlite"

    def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        if execution_options is None and self._straight and (plan := _planned(statement, self.dialect)) is not None:
            if isinstance(parameters, list) and parameters and not plan.lists and plan.readers is None:
                many = [plan.filled(values) for values in parameters]
                if None not in many:
                    return Rows(self._sent(plan.sql, [one[1] for one in many if one is not None], many=True))
            elif (parameters is None or isinstance(parameters, dict)) and (filled := plan.filled(parameters or {})) is not None:
                return Rows(self._sent(*filled), plan.readers)
        return super().execute(statement, parameters, execution_options=execution_options)

    def exec_driver_sql(self, statement: str, parameters: Any = None, execution_options: Any = None) -> Any:
        if execution_options is None and self._straight:
            if isinstance(parameters, list) and parameters:
                return Rows(self._sent(statement, parameters, many=True))
            if parameters is None or isinstance(parameters, tuple):
                return Rows(self._sent(statement, parameters or ()))
        return super().exec_driver_sql(statement, parameters, execution_options)

    def _sent(self, sql: str, values: Any, *, many: bool = False) -> sqlite3.Cursor:
        if not self.in_transaction():
            self._autobegin()
        cursor: sqlite3.Cursor = self.connection.cursor()  # type: ignore[assignment]
        try:
            return cursor.executemany(sql, values) if many else cursor.execute(sql, values)
        except sqlite3.Error as error:
            raise sa.exc.DBAPIError.instance(sql, values, error, sqlite3.Error, dialect=self.dialect) from error


_TEXTS: dict[str, Plan | None] = {}
_LASTING: WeakKeyDictionary[Any, Plan | None] = WeakKeyDictionary()
_SEEN: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


def _planned(statement: Any, dialect: sa.Dialect) -> Plan | None:
    """The plan of a text, or of an object that was sent before; None where there is none."""
    if isinstance(statement, sa.TextClause):
        if any(bound.value is not None or bound.expanding for bound in statement._bindparams.values()):
            return None
        if statement.text not in _TEXTS:
            if len(_TEXTS) > 2000:
                _TEXTS.clear()
            _TEXTS[statement.text] = _plan(statement, dialect)
        return _TEXTS[statement.text]
    if statement in _LASTING:
        return _LASTING[statement]
    seen = _SEEN[statement] = _SEEN.get(statement, 0) + 1
    if seen >= LASTING:
        _LASTING[statement] = None if getattr(statement, "is_dml", True) else _plan(statement, dialect)
    return None


def _plan(statement: Any, dialect: sa.Dialect) -> Plan | None:
    """What SQLAlchemy makes of it; None when values need its help on their way in."""
    compiled = statement.compile(dialect=dialect)
    typed = {
        compiled.bind_names[one]: compiled.render_literal_value(one.value, one.type) for one in compiled.literal_execute_params
    }
    names = tuple(name for name in compiled.positiontup or () if name not in typed)
    bound = {name: compiled.binds[name] for name in names}
    lists = frozenset(name for name, one in bound.items() if one.expanding)
    required = frozenset(name for name, one in bound.items() if one.required)
    help_: Mapping[str, Any] = {
        name: made
        for name, made in compiled._bind_processors.items()
        if not isinstance(compiled.binds[name].type, sa.LargeBinary)
    }
    sql = compiled.string
    for name, literal in typed.items():
        sql = sql.replace(f"__[POSTCOMPILE_{name}]", literal)
    if help_.keys() & (required | lists) or {*_LIST.findall(sql)} != lists or compiled.escaped_bind_names:
        return None
    given = {
        name: value
        for name, value in compiled.construct_params({}, _check=False).items()
        if name in bound and name not in required
    }
    given |= {name: made(given[name]) for name, made in help_.items() if name in given}
    readers = tuple(column.type._cached_result_processor(dialect, None) for column in compiled._result_columns or ())
    return Plan(sql, names, lists, given, required, readers if any(readers) else None)
