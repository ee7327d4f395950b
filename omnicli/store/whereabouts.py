"""Where a live store on PostgreSQL stands, written in it: so that one that was restored, copied or taken back in time knows it is elsewhere.

The server's identity, the oid of the database and of the schema change with every restore of a dump and every copied database; the WAL
timeline rises with every recovery to a point in time and every standby that takes over (docs/delivery 14).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.store import setting

if TYPE_CHECKING:
    from omnicli.store.connection import Store

#: The setting that holds it.
STANDS = "stands"
_PLACE = (
    "SELECT d.oid::bigint, current_schema()::regnamespace::oid::bigint FROM pg_database d WHERE d.datname = current_database()"
)
#: A service may keep one of these to itself: what cannot be asked is not compared.
_CLUSTER = "SELECT system_identifier::text FROM pg_control_system()"
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"


def here(connection: sa.Connection) -> dict[str, str | int]:
    """What tells this place from others: `database`, `schema`, and where they can be asked `cluster` and `timeline`."""
    database, schema = connection.exec_driver_sql(_PLACE).one()
    found: dict[str, str | int] = {"database": database, "schema": schema}
    for name, query in (("cluster", _CLUSTER), ("timeline", _TIMELINE)):
        try:
            with connection.begin_nested():
                found[name] = str(connection.exec_driver_sql(query).scalar_one())
        except sa.exc.DBAPIError:
            continue
    return found


def moved(connection: sa.Connection) -> str | None:
    """Why this is not where the store was (a word of `holding.WHY`); None where it is, was never noted, or is a file."""
    if connection.dialect.name != "postgresql" or (noted := setting.get(connection, STANDS)) is None:
        return None
    before, now = json.loads(noted), here(connection)
    different = {name for name in before.keys() & now.keys() if before[name] != now[name]}
    if not different:
        return None
    return "timeline" if different == {"timeline"} else "restored" if different == {"schema"} else "server"


def seen(connection: sa.Connection) -> tuple[int | None, ...]:
    """What stays the same as long as this is the store that was opened, within one life of the server: the last of it is when that
    began. Nothing on SQLite, where a file is told from another by its own means."""
    return () if connection.dialect.name != "postgresql" else tuple(connection.exec_driver_sql(_SEEN).one())


#: Whoever drops a schema or a database and makes it again makes another table.
_SEEN = (
    "SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::bigint, to_regclass('instance')::oid::bigint, "
    "(extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint"
)


def note(store: Store, *, again: bool = False) -> None:
    """Let the store remember where it stands, if it does not yet; `again`: also when it did, since a person has looked."""
    if store.dialect != "postgresql" or store.rehearsed:
        return
    with store.read() as connection:
        said = json.dumps(here(connection))
        known = setting.get(connection, STANDS)
    if known is None or (again and known != said):
        with store.write() as connection:
            setting.put(connection, STANDS, said)
