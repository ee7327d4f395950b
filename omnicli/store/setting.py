"""Small facts of a store by name: the sandbox's clock, the last tick, the project."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from omnicli import clock
from omnicli.store.tables import setting

#: Where a store that is copied into keeps how far that has come, until the copy is whole (carrying/progress).
COPYING = "copying"


def get(connection: sa.Connection, key: str) -> str | None:
    """The text kept under the key, or None."""
    found: str | None = connection.scalar(sa.select(setting.c.value).where(setting.c.key == key))
    return found


def put(connection: sa.Connection, key: str, value: str) -> None:
    """Keep the text under the key."""
    connection.execute(_PUT, {"key": key, "value": value})


def rise(connection: sa.Connection, key: str, instant: datetime) -> None:
    """Keep this instant in milliseconds, unless a later one is kept: whoever writes last may have begun first."""
    connection.execute(_RISE, {"key": key, "value": str(clock.to_ms(instant))})


_PUT = sa.text("INSERT INTO setting (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
_RISE = sa.text(f"{_PUT.text} WHERE CAST(setting.value AS BIGINT) < CAST(excluded.value AS BIGINT)")


def clock_of(connection: sa.Connection) -> datetime | None:
    """The latest instant that this sandbox has lived through, or None in a new one."""
    found = get(connection, "clock")
    return clock.from_ms(int(found)) if found else None


def advance_clock(connection: sa.Connection, instant: datetime) -> None:
    """The sandbox has lived until `instant`; never backwards."""
    rise(connection, "clock", instant)
