"""A PostgreSQL store as a SQLite file: what a plan, a rehearsal and a simulation read, as it stands at one instant.

What was said to people (renderings, skeletons), what came in and was folded, and the papers of imports stay behind: they are most of
the bytes, and nothing that is decided looks at them. Keys, constraints, triggers and indexes are those of every SQLite store.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from omnicli.store import tables, triggers
from omnicli.store.carrying.rows import pages, pour
from omnicli.store.carrying.shape import Shape, extra, shapes
from omnicli.store.connection import Store

#: Tables that no decision reads.
BEHIND = frozenset({"rendering", "skeleton", "import_row", "import_job", "audit", "touch_move"})
_STORAGE = {"int": "INTEGER", "real": "REAL", "text": "TEXT", "blob": "BLOB"}


def into_file(store: Store, path: Path) -> None:
    """Make the file, for its owner only. Nothing is locked: the source is read in one snapshot."""
    target = Store.sqlite(path, live=store.live)
    try:
        with store.read() as source, target.write() as connection:
            _carried(source, connection)
    finally:
        target.close()


def _carried(source: sa.Connection, target: sa.Connection) -> None:
    found = shapes(source)
    for table in tables.metadata.sorted_tables:
        target.execute(sa.schema.CreateTable(table))
    for shape in found.values():
        for column, kind in extra(shape):
            target.exec_driver_sql(f'ALTER TABLE "{shape.name}" ADD COLUMN "{column}" {_STORAGE[kind]}')
    for shape in found.values():
        if shape.name not in BEHIND:
            _fill(source, target, shape)
    for table in tables.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            index.create(target)
    triggers.create(target)
    target.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    standing = source.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    target.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (standing,))


def _fill(source: sa.Connection, target: sa.Connection, shape: Shape) -> None:
    unfolded = shape.columns.index("folded_at") if shape.name == "inbox" else None
    for page in pages(source, shape):
        rows = page if unfolded is None else [row for row in page if row[unfolded] is None]
        if rows:
            pour(target, shape, rows)
