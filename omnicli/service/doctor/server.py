"""Is the PostgreSQL server fit for a store: its version, its settings, the room in it, its housekeeping, and what the role may."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from omnicli.model.spoken import number
from omnicli.service.doctor import crew
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.store import meeting, room
from omnicli.store import tables as tb
from omnicli.store.postgres import PostgresStore
from omnicli.store.wakeups import schema_of
from omnicli.texts import t

#: Fewer free connections than this are worth a word: each worker takes some.
FREE_CONNECTIONS = 20
#: More dead rows than living ones, and at least so many: autovacuum does not keep up.
DEAD = 100_000


def server(patient: Patient, store: PostgresStore, name: str) -> Signs:
    """Everything that can be asked with the rights of the role."""
    with store.read() as connection:
        found = meeting.ask(connection, store.schema)
        people = connection.scalar(sa.select(sa.func.count()).select_from(tb.contact).where(tb.contact.c.erased_at.is_(None)))
        yield Sign(
            "store",
            WELL,
            t(
                "{name}: {n} contacts, {size} MB",
                "{name} : {n} contacts, {size} Mo",
                name=name,
                n=number(people or 0),
                size=number(_megabytes(connection)),
            ),
        )
        yield from _version(patient, found)
        yield _role(connection, found)
        yield from _collation(found)
        yield from _connections(connection)
        yield from _housekeeping(connection, store.schema)
    yield from crew.workers(patient, store)
    yield from _side_files(patient)


def _version(patient: Patient, found: meeting.Server) -> Iterator[Sign]:
    careless = meeting.careless(found)
    if careless is not None:
        yield Sign("server", WRONG if patient.live else NOTE, careless.message, careless.hint)
    else:
        yield Sign(
            "server",
            WELL,
            t(
                "PostgreSQL {v}: commits wait for the disk",
                "PostgreSQL {v} : les commits attendent le disque",
                v=found.version.split()[0],
            ),
        )
    if shutil.which("pg_dump") is None:
        yield Sign(
            "pg_dump",
            NOTE,
            t(
                "pg_dump is not installed here: omni db backup needs it",
                "pg_dump n'est pas installé ici : omni db backup en a besoin",
            ),
            "apt install postgresql-client",
        )


def _role(connection: sa.Connection, found: meeting.Server) -> Sign:
    row: Any = connection.exec_driver_sql(
        "SELECT rolsuper, rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles WHERE rolname = current_user"
    ).one()
    if row[0]:
        said = t(
            "role {role} is a superuser: omni needs less",
            "le rôle {role} est superutilisateur : omni demande moins",
            role=found.role,
        )
        return Sign("role", NOTE, said, "docs/postgresql.md")
    return Sign("role", WELL, t("role {role} has what it needs", "le rôle {role} a ce qu'il lui faut", role=found.role))


def _collation(found: meeting.Server) -> Iterator[Sign]:
    if found.collation not in ("C", "POSIX", "C.UTF-8", "C.utf8"):
        yield Sign("collation", NOTE, t("the database's collation is {c}: an update of the system can reorder its indexes", "la collation de la base est {c} : une mise à jour du système peut en dérégler les index", c=found.collation),
                   "CREATE DATABASE … LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")  # fmt: skip


def _connections(connection: sa.Connection) -> Iterator[Sign]:
    query = ("SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - "
             "(SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database)::int, current_setting('max_connections')::int")  # fmt: skip
    free, most = connection.exec_driver_sql(query).one()
    said = t("{free} of {most} connections free", "{free} connexions libres sur {most}", free=free, most=most)
    yield (
        Sign("connections", WELL, said)
        if free >= FREE_CONNECTIONS
        else Sign(
            "connections", NOTE, said, t("each worker takes up to its threads and 2", "chaque worker en prend ses fils et 2")
        )
    )


def _housekeeping(connection: sa.Connection, schema: str) -> Iterator[Sign]:
    """Dead rows that nobody takes away, numbers of transactions that run out, sessions that hold both back."""
    yield _dead(connection, schema)
    if connection.exec_driver_sql("SHOW autovacuum").scalar_one() != "on":
        yield Sign("vacuum", WRONG, t("autovacuum is off", "autovacuum est coupé"), "ALTER SYSTEM SET autovacuum = on")
    age = int(
        connection.exec_driver_sql("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()").scalar_one()
    )
    if age > 1_000_000_000:
        yield Sign(
            "vacuum",
            WRONG,
            t(
                "no VACUUM for {n} transactions: the server stops at 2 billion",
                "pas de VACUUM depuis {n} transactions : le serveur s'arrête à 2 milliards",
                n=number(age),
            ),
            "VACUUM (FREEZE)",
        )
    idle = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND xact_start < now() - interval '10 minutes'"
    ).scalar_one()
    if idle:
        yield Sign(
            "vacuum",
            NOTE,
            t(
                "{n} sessions sit in open transactions for over 10 minutes",
                "{n} sessions restent dans une transaction ouverte depuis plus de 10 minutes",
                n=idle,
            ),
            "SELECT * FROM pg_stat_activity WHERE state = 'idle in transaction'",
        )


def _dead(connection: sa.Connection, schema: str) -> Sign:
    """What updates and deletes left in the tables of the store and of its queue, against what lives there."""
    query = ("SELECT relname, n_dead_tup, n_live_tup FROM pg_stat_user_tables WHERE schemaname IN (%s, %s) ORDER BY n_dead_tup DESC, relname")  # fmt: skip
    rows = connection.exec_driver_sql(query, (schema, schema_of(schema))).all()
    lagging = [row for row in rows if row[1] > max(row[2], DEAD)]
    figures = {
        "dead": sum(row[1] for row in rows),
        "live": sum(row[2] for row in rows),
        "tables": {row[0]: row[1] for row in rows[:3] if row[1]},
    }
    if lagging:
        names = ", ".join(f"{row[0]} {number(row[1])}" for row in lagging[:3])
        said = t("autovacuum lags: dead rows in {names}", "autovacuum est en retard : lignes mortes dans {names}", names=names)
        return Sign("dead_rows", NOTE, said, "VACUUM (ANALYZE)", figures)
    said = t("{dead} dead rows beside {live}: autovacuum keeps up", "{dead} lignes mortes pour {live} : autovacuum suit",
             dead=number(figures["dead"]), live=number(figures["live"]))  # fmt: skip
    return Sign("dead_rows", WELL, said, figures=figures)


def _megabytes(connection: sa.Connection) -> float:
    query = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    return round(int(connection.exec_driver_sql(query).scalar_one()) / 1e6)


def _side_files(patient: Patient) -> Iterator[Sign]:
    """The journal of outcomes and the mark of how far the store came lie on this machine."""
    if (why := room.room(patient.path)) is not None:
        yield Sign(
            "room",
            WRONG,
            why,
            t("make room: outcomes could not be kept", "faites de la place : des issues ne pourraient être gardées"),
        )
