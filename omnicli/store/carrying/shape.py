"""What is to be carried: the tables of a store, each with the columns that it really has (declared ones too) and its key, in an order that parents lead."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from omnicli.store import tables
from omnicli.store.tables import metadata

#: Made by the program that prepares a store (`triggers.create`), or the store's own: never carried as they are.
OWN = frozenset({"touch_move", "instance", "setting"})
#: Who is at work in a store: of no meaning in another (docs/delivery 12).
AT_WORK = frozenset({"leader", "worker"})


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its name, its columns with their kinds (`int`, `real`, `text`, `blob`, `any`), and the places of its key among them."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    key: tuple[int, ...]

    @property
    def counted(self) -> bool:
        """Whether its key is a number that the store gives."""
        return [self.columns[place] for place in self.key] == ["id"] and self.kinds[self.key[0]] == "int"

    def only(self, columns: frozenset[str]) -> Shape:
        """The same with those columns alone that another store has too."""
        places = [n for n, column in enumerate(self.columns) if column in columns]
        key = tuple(places.index(place) for place in self.key)
        return Shape(self.name, tuple(self.columns[n] for n in places), tuple(self.kinds[n] for n in places), key)


def shapes(connection: sa.Connection) -> dict[str, Shape]:
    """Every table of ours that stands in this store, parents first."""
    stand = _columns(connection)
    found = {}
    for table in metadata.sorted_tables:
        if columns := stand.get(table.name):
            names = tuple(name for name, _ in columns)
            key = tuple(names.index(column.name) for column in table.primary_key.columns)
            found[table.name] = Shape(table.name, names, tuple(kind for _, kind in columns), key)
    return found


def extra(shape: Shape) -> list[tuple[str, str]]:
    """Columns that the tables of the program do not have: those of declared attributes and event fields, with their kinds."""
    own = {column.name for column in tables.metadata.tables[shape.name].columns}
    return [(name, kind) for name, kind in zip(shape.columns, shape.kinds, strict=True) if name not in own]


def _columns(connection: sa.Connection) -> dict[str, list[tuple[str, str]]]:
    """table → (column, kind) in their order."""
    if connection.dialect.name == "postgresql":
        rows = connection.exec_driver_sql(
            "SELECT c.relname, a.attname, t.typname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_type t ON t.oid = a.atttypid WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' "
            "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
        ).all()
    else:
        rows = connection.exec_driver_sql(
            "SELECT m.name, p.name, lower(p.type) FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY m.name, p.cid"
        ).all()
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        found.setdefault(table, []).append((column, _KINDS.get(kind, "text")))
    return found


_KINDS = {
    "int8": "int", "int4": "int", "int2": "int", "integer": "int", "bigint": "int", "float8": "real", "real": "real", "any": "any",
    "bytea": "blob", "blob": "blob",
}  # fmt: skip
