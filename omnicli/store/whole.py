"""Is a database whole: its file or indexes, its references, its constraints, its triggers. Asked of the database itself; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from omnicli.store import tables, triggers
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `wrong` counts what is not as it must be."""

    name: str
    title: str
    wrong: int
    detail: str = ""


def whole(connection: sa.Connection) -> list[Check]:
    """Everything that can be asked of this kind of store."""
    return list(_file(connection) if connection.dialect.name == "sqlite" else _schema(connection))


# --- SQLite ---------------------------------------------------------------------------------------------------------
def _file(connection: sa.Connection) -> Iterator[Check]:
    said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    wrong = [line for line in said if line != "ok"]
    yield Check("integrity", t("the file is whole", "le fichier est intact"), len(wrong), "; ".join(wrong[:3]))
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    yield _orphans(len(orphans), {str(row[0]) for row in orphans})
    stand = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars())
    yield _triggers(stand)


def _orphans(count: int, where: set[str]) -> Check:
    return Check("orphans", t("no orphans", "pas d'orphelins"), count, ", ".join(sorted(where)))


def _triggers(stand: set[str]) -> Check:
    missing = sorted(set(triggers.triggers()) - stand)
    return Check("triggers", t("every trigger stands", "tous les déclencheurs sont là"), len(missing), ", ".join(missing))


# --- PostgreSQL -----------------------------------------------------------------------------------------------------
_HERE = "relnamespace = current_schema()::regnamespace"


def _schema(connection: sa.Connection) -> Iterator[Check]:
    yield _indexes(connection)
    yield _constraints(connection)
    lost = {str(key.parent): _lost(connection, key) for table in tables.metadata.sorted_tables for key in table.foreign_keys}
    yield _orphans(sum(lost.values()), {name for name, count in lost.items() if count})
    query = f"SELECT g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE c.{_HERE} AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')"
    yield _triggers(set(connection.exec_driver_sql(query).scalars()))


def _indexes(connection: sa.Connection) -> Check:
    """Indexes that are not valid; with the extension amcheck those that do not hold together."""
    query = (
        "SELECT c.oid::bigint, c.relname, i.indisvalid AND i.indisready, a.amname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        f"JOIN pg_am a ON a.oid = c.relam WHERE c.{_HERE} ORDER BY c.relname"
    )
    found = connection.exec_driver_sql(query).all()
    wrong = [name for _, name, valid, _ in found if not valid]
    home = connection.exec_driver_sql(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'amcheck'"
    ).scalar()
    if home is None:
        title = t(
            "every index is valid (CREATE EXTENSION amcheck looks inside too)",
            "tous les index sont valides (CREATE EXTENSION amcheck regarde aussi dedans)",
        )
        return Check("integrity", title, len(wrong), ", ".join(wrong[:3]))
    for oid, name, valid, kind in found:
        if valid and kind == "btree" and not _holds_together(connection, f"{home}.bt_index_check", oid):
            wrong.append(name)
    return Check(
        "integrity",
        t("every index is valid and holds together (amcheck)", "tous les index sont valides et cohérents (amcheck)"),
        len(wrong),
        ", ".join(wrong[:3]),
    )


def _holds_together(connection: sa.Connection, function: str, index: int) -> bool:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"SELECT {function}({index}::regclass)")
    except sa.exc.DBAPIError as error:
        return getattr(error.orig, "sqlstate", None) == "42501"  # not allowed to look: nothing was found
    return True


def _constraints(connection: sa.Connection) -> Check:
    """Those of the program that are not there, or were never checked against what stood before them."""
    stand = connection.exec_driver_sql(
        f"SELECT conname, convalidated FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.{_HERE} "
        f"UNION SELECT c.relname, true FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.{_HERE} AND i.indisunique"
    ).all()
    valid = {name for name, checked in stand if checked}
    missing = sorted(_wanted() - valid)
    return Check(
        "constraints",
        t("every constraint stands and holds", "toutes les contraintes sont là et tiennent"),
        len(missing),
        ", ".join(missing[:3]),
    )


def _wanted() -> set[str]:
    name = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
    found = set()
    for table in tables.metadata.tables.values():
        found |= {str(name.format_constraint(one)) for one in table.constraints}
        found |= {str(name.format_index(one)) for one in table.indexes if one.unique}
    return {one.strip('"') for one in found}


def _lost(connection: sa.Connection, key: sa.ForeignKey) -> int:
    """Rows whose reference leads nowhere: a key holds them off, unless somebody switched it off."""
    child, parent = key.parent, key.column.table.alias("parent")
    there = sa.exists().where(parent.c[key.column.name] == child)
    return int(connection.scalar(sa.select(sa.func.count()).select_from(child.table).where(child.is_not(None), ~there)) or 0)
