"""One statement for many rows, sent to the driver as it is: SQLAlchemy writes it once a dialect and looks at no row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa


class Bulk:
    """One statement for many rows, sent to the driver as it is; rows are tuples in the order of `names`."""

    def __init__(self, sql: str, *names: str) -> None:
        self.text, self.names = sa.text(sql), names
        self._ready: dict[str, Callable[[sa.Connection, list[tuple[Any, ...]]], Any]] = {}

    def __call__(self, connection: sa.Connection, rows: list[tuple[Any, ...]]) -> int:
        """How many rows it changed."""
        if not rows:
            return 0
        dialect = connection.dialect.name
        if dialect not in self._ready:
            self._ready[dialect] = self._prepare(connection.dialect)
        return int(self._ready[dialect](connection, rows).rowcount)

    def _prepare(self, dialect: sa.Dialect) -> Callable[[sa.Connection, list[tuple[Any, ...]]], Any]:
        compiled: Any = self.text.compile(dialect=dialect)
        names = self.names
        if compiled.positiontup is None:
            return lambda c, rows: c.exec_driver_sql(compiled.string, [dict(zip(names, row, strict=True)) for row in rows])
        order = [names.index(name) for name in compiled.positiontup]
        if order == list(range(len(names))):
            return lambda c, rows: c.exec_driver_sql(compiled.string, rows)
        return lambda c, rows: c.exec_driver_sql(compiled.string, [tuple(row[i] for i in order) for row in rows])
