"""What a run does beside sending: it looks at the sender's reputation when something came back, and once a day takes away what was
kept long enough."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from omnicli import clock
from omnicli.campaigns import quality
from omnicli.store import inbox, setting

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

CLEARED = "inbox_cleared"
EACH = timedelta(days=1)


def upkeep(store: Store, loaded: Loaded, *, now: datetime, heard: bool) -> list[str]:
    """Lines for a person. `heard`: something came back since the last look."""
    if store.rehearsed:
        return []
    clear_inbox(store, now=now)
    return quality.watch(store, loaded, now=now) if heard else []


def clear_inbox(store: Store, *, now: datetime) -> None:
    """Once a day: bodies older than 30 days and rows older than 400 go (docs/delivery 15)."""
    with store.read() as connection:
        last = setting.get(connection, CLEARED)
        if last is not None and now - clock.from_ms(int(last)) < EACH:
            return
        if not inbox.ripe(connection, now=now):
            return
    with store.write() as connection:
        inbox.retire(connection, now=now)
        setting.put(connection, CLEARED, str(clock.to_ms(now)))
