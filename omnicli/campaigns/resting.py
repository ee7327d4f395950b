"""Tells by a look at three indexes that a tick would find nothing, until the minute is over in which one found nothing.

Whatever depends on time alone begins with a minute, or falls due in an index. SQLite says whether anybody wrote since
(https://sqlite.org/pragma.html#pragma_data_version). On PostgreSQL, where workers share the rounds, nobody rests.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.versions import standing_tree
from omnicli.store import campaigns

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.run import RunReport
    from omnicli.store.connection import Store

#: What brings work beside what is due: happenings, changed people, campaigns as they stand and what is kept for them, a HOLD.
_MARKS = sa.text(
    "SELECT (SELECT max(id) FROM event), (SELECT max(changed_at) FROM contact), (SELECT max(hold) FROM instance), "
    "(SELECT group_concat(id || ' ' || state || ' ' || coalesce(version_id, '') || ' ' || coalesce(pause_people, '')) FROM campaign), "
    "(SELECT group_concat(key || value) FROM setting WHERE key LIKE 'waiting:%')"
)
Marks = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Rest:
    """Nobody was to be served in this minute, with these files, as long as nobody writes."""

    minute: int
    loaded: Loaded
    written: int
    names: tuple[str, ...]


class _Watch:
    """A connection of its own, outside any transaction: only so SQLite counts the commits of all others."""

    def __init__(self, store: Store) -> None:
        path = quote(str(store.path))
        self.connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)
        self.rest: _Rest | None = None

    def written(self) -> int:
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def __del__(self) -> None:
        self.connection.close()


_WATCHES: WeakKeyDictionary[Store, _Watch] = WeakKeyDictionary()


def rests(store: Store, loaded: Loaded, *, now: datetime) -> tuple[str, ...] | None:
    """Names of the campaigns that a tick at `now` would look at in vain; None when it must look."""
    from omnicli.campaigns.run import _somebody_due, _something_to_send

    watch = _WATCHES.get(store)
    rest = watch.rest if watch is not None else None
    if watch is None or rest is None:
        return None
    same = rest.minute == _minute(now) and rest.loaded is loaded and store.there() and rest.written == watch.written()
    if same and not _somebody_due(store, now) and not _something_to_send(store, now):
        return rest.names
    watch.rest = None
    return None


def marks(store: Store) -> Marks | None:
    """What a tick must find unchanged behind it; None where nobody rests."""
    if store.path is None or store.dialect != "sqlite":
        return None
    with store.read() as connection:
        return tuple(connection.execute(_MARKS).one())


def found_nothing(store: Store, loaded: Loaded, before: Marks | None, report: RunReport, *, live: bool) -> None:
    """Rest from here on, if this tick left nothing to be done in its minute and nobody brought anything while it went on."""
    if before is None or report.happened or report.exit or report.problems or not _by_the_minute(store, loaded, live=live):
        return
    watch = _WATCHES.get(store)
    if watch is None:
        watch = _WATCHES[store] = _Watch(store)
    written = watch.written()
    if marks(store) == before and not _came(store):
        watch.rest = _Rest(_minute(report.now), loaded, written, report.names)


def _came(store: Store) -> bool:
    from omnicli.campaigns.run import something_came

    return something_came(store)


def _by_the_minute(store: Store, loaded: Loaded, *, live: bool) -> bool:
    """Whether nothing happens between two minutes that no index knows of: an instant of a person's own, a mail in a box."""
    from omnicli.campaigns.listen import mailbox_of

    assert loaded.project is not None
    declared = loaded.project.contacts.attributes
    with store.read() as connection:
        applied = [row.version_id for row in campaigns.known(connection, states=("running",)) if row.version_id is not None]
        moments = [standing_tree(connection, version).enter.on for version in applied]
    anchors = [(moment.anchor or "").removeprefix("contact.") for moment in moments if moment is not None]
    days = all(name in declared and declared[name].kind != "time" for name in anchors)
    return days and not (live and mailbox_of(loaded) is not None)


def _minute(instant: datetime) -> int:
    return clock.to_ms(instant) // 60_000
