"""Small facts of a store by name: the sandbox's clock, the last tick, the project."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from omnicli import clock
from omnicli.store.tables import setting


def get(connection: sa.Connection, key: str) -> str | None:
    """The text kept under the key, or None."""
    found: str | None = connection.scalar(sa.select(setting.c.value).where(setting.c.key == key))
    return found


def put(connection: sa.Connection, key: str, value: str) -> None:
    """Keep the text under the key."""
    if connection.execute(sa.update(setting).where(setting.c.key == key).values(value=value)).rowcount == 0:
        connection.execute(sa.insert(setting).values(key=key, value=value))


def clock_of(connection: sa.Connection) -> datetime | None:
    """The latest instant that this sandbox has lived through, or None in a new one."""
    found = get(connection, "clock")
    return clock.from_ms(int(found)) if found else None


def advance_clock(connection: sa.Connection, instant: datetime) -> None:
    """The sandbox has lived until `instant`; never backwards."""
    lived = clock_of(connection)
    if lived is None or instant > lived:
        put(connection, "clock", str(clock.to_ms(instant)))
