"""Waits for those who are writing into a table at this moment, without a lock that others would stand behind.

Where one writes at a time nobody is under way. On PostgreSQL each transaction that has written into a table holds it in a mode that
pg_locks shows (https://www.postgresql.org/docs/current/explicit-locking.html), until it ends.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock

if TYPE_CHECKING:
    from omnicli.store.connection import Store

#: Seconds that anybody is waited for.
PATIENCE = 5.0

_WRITING = sa.text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND relation = to_regclass(:table) AND granted"
    " AND mode = 'RowExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def ended(store: Store, table: str) -> bool:
    """True once every transaction that had written into this table when it was asked has ended; False when one of them takes too long."""
    if store.dialect != "postgresql":
        return True
    waited, end = _writing(store, table), clock.monotonic() + PATIENCE
    while waited and clock.monotonic() < end:
        time.sleep(0.005)
        waited &= _writing(store, table)
    return not waited


def _writing(store: Store, table: str) -> set[str]:
    with store.read() as connection:
        return set(connection.execute(_WRITING, {"table": table}).scalars())
