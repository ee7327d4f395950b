"""Claims (T1): who is due and may be rendered next, taken under a lease in the transaction in which others are recorded.

A claim takes touches as they lie on disk, at most `CLAIM` of them, and none of a channel that is shut or whose line is full.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli import clock
from omnicli.campaigns import canary
from omnicli.campaigns.line import Line
from omnicli.campaigns.press import Presses
from omnicli.campaigns.recording import Again
from omnicli.campaigns.report import DispatchReport
from omnicli.campaigns.worker import lease
from omnicli.engine import breaker
from omnicli.store import outbox, preparing, room
from omnicli.store.accounts import Book
from omnicli.store.outbox import Claimed, Cursor
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaigns.bound import Bound
    from omnicli.store.connection import Store

#: Touches a claim takes at most; a line that has more than so many waiting is given no more.
CLAIM = 1000
#: One of several workers claims at least so many.
LEAST = 50
#: Rendering processes are worth their start from so many due touches on: nobody counts further.
COUNTED = 5001


@dataclass(frozen=True, slots=True)
class Asked:
    """What a round was asked for: of which campaigns and channels (None: all), at most how many (None: all)."""

    campaigns: Collection[str] | None = None
    channels: Collection[str] | None = None
    most: int | None = None


@dataclass(eq=False)
class Claims:
    """One round's claims. `more`: somebody may still be due; `dry`: the last look found nobody. `trial`: the first hundredth of a
    large sending, which goes alone."""

    store: Store
    presses: Presses
    lines: Mapping[str, Line]
    worker: str
    report: DispatchReport
    now: datetime
    bound: Bound | None = None
    asked: Asked = field(default_factory=Asked)
    cursor: Cursor | None = None
    more: bool = True
    dry: bool = False
    trial: canary.Trial | None = None

    def __post_init__(self) -> None:
        self.now_ms = clock.to_ms(self.now)
        self.each = list(dict.fromkeys(self.lines.values()))
        self.size = CLAIM if self.store.dialect == "sqlite" else self._share()

    def _share(self) -> int:
        """What one of several workers claims at once: some calls' worth, so that others find something too while these are on their way."""
        calls = max((line.in_flight * line.batch for line in self.each if not line.repeatable), default=CLAIM)
        return max(LEAST, min(CLAIM, 4 * calls))

    def begin(self, trial: canary.Trial | None = None) -> None:
        """From the first touch that is due, of this trial or of all."""
        self.trial, self.cursor, self.more, self.dry = trial, None, True, False

    # --- who is due -------------------------------------------------------------------------------------------------
    def due(
        self, connection: sa.Connection, limit: int, *, without: Collection[str] = (), channels: Collection[str] | None = None,
        lock: bool = False,
    ) -> list[tuple[int, int, int, bytes]]:  # fmt: skip
        """The next due touches behind the cursor: (id, priority, due instant, key)."""
        versions = outbox.versions_of(connection, self.asked.campaigns, running=True)
        if self.trial is not None:
            versions, limit = (self.trial.version,) if self.trial.version in versions else (), min(limit, self.trial.left)
        if not versions or limit <= 0:
            return []
        after, most = self.cursor, limit if self.bound is None else max(limit, CLAIM)
        below = self.trial.below if self.trial is not None else None
        while True:
            found = outbox.due(
                connection, now=self.now_ms, versions=versions, channels=channels or self.asked.channels, limit=most, after=after,
                without=without, below=below, lock=lock,
            )  # fmt: skip
            mine = found if self.bound is None else [row for row in found if row[3] in self.bound.touches]
            if mine or len(found) < most:
                return mine[:limit]
            after = Cursor.behind(found[-1])

    # --- T1 ---------------------------------------------------------------------------------------------------------
    def claim(
        self, connection: sa.Connection, book: Book, limit: int, *, at: datetime, waiting: Callable[[], bool]
    ) -> list[Claimed]:
        """The next batch. `waiting`: whether calls are under way or queued, after which a full line has room again."""
        if not self._may(connection):
            return []
        crowded = {channel for channel, line in self.lines.items() if line.queued >= CLAIM and not line.repeatable}
        shut = self._shut(book, at)
        self._tell_shut(connection, book, shut)
        found = self.due(connection, limit, without=crowded | shut, lock=True)
        self.dry = not found
        if not found:
            self.more = bool((limit <= 0 or crowded) and waiting())
            return []
        ids = [row[0] for row in found]
        if self.trial is not None:
            self.trial.ids += ids
        self.cursor = Cursor.behind(found[-1])
        self.presses.learn(connection)
        if self.unwritten:
            return outbox.pick(connection, ids, attributes=self.presses.columns)
        outbox.claim(connection, ids, worker=self.worker, until=lease(connection))
        return outbox.load(connection, ids, attributes=self.presses.columns)

    @property
    def unwritten(self) -> bool:
        """Whether claims need not be written: nobody is called any more, and where one writes at a time a touch that somebody else took
        meanwhile is seen before it is carried twice (docs/decisions/nobody-is-called)."""
        return self.store.dialect == "sqlite" and all(line.known is not None for line in self.each)

    def again(self, connection: sa.Connection, wanted: Sequence[Again]) -> list[tuple[Again, list[Claimed]]]:
        """What goes again at once is claimed by name, in the transaction that recorded it."""
        found: list[tuple[Again, list[Claimed]]] = []
        for one in wanted:
            outbox.claim(connection, one.ids, worker=self.worker, until=lease(connection))
            found.append((one, outbox.load(connection, one.ids, attributes=self.presses.columns)))
        if found:
            self.presses.learn(connection)
        return found

    def _may(self, connection: sa.Connection) -> bool:
        """Whether the disk has room and the tables are those that this program knows."""
        why = room.room(self.store.path)
        if why is None and (newer := preparing.overtaken(connection)) is not None:
            why = f"{newer.message} → {newer.hint}"
        if why is not None:
            self.report.problem(why)
            self.report.stuck = True
            self.more = False
        return why is None

    # --- channels of which nothing is claimed -----------------------------------------------------------------------
    def _shut(self, book: Book, at: datetime) -> set[str]:
        """Channels that are shut, or whose account is left alone."""
        found = {channel for line in self.each for channel in line.shut}
        for channel, line in self.lines.items():
            if not line.repeatable and not line.probing:
                verdict = breaker.may(book.glance(line.provider.name, line.account, paced=bool(line.pace)), clock.to_ms(at))
                if verdict.kind == "wait":
                    found.add(channel)
        return found

    def _tell_shut(self, connection: sa.Connection, book: Book, shut: set[str]) -> None:
        """What is due and waits for a person to mend an account is told by every round, not only by the one that it refused."""
        channels = self.asked.channels
        for line in self.each if shut and self.cursor is None else ():
            account = book.glance(line.provider.name, line.account) if not line.repeatable else breaker.Account()
            carried = {
                c for c, other in self.lines.items() if other is line and c in shut and (channels is None or c in channels)
            }
            if account.needs_person and account.state != "closed" and carried and self.due(connection, 1, channels=carried):
                self.report.stuck = True
                self.report.problem(
                    t("{name} is left alone until it is mended ({why}): omni doctor --live --provider {name}",
                      "{name} est laissé de côté jusqu'à réparation ({why}) : omni doctor --live --provider {name}",
                      name=line.provider.name, why=account.why or "?")
                )  # fmt: skip
