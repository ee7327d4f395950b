"""Acknowledged means on disk: what comes in within ten milliseconds is one commit of one thread, and who is not stored is told.

A transaction that fails acknowledges nobody of its group. When one element is at fault its neighbours are tried without it, and it
is kept as unreadable; when the store is at fault everybody is told to come again (docs/delivery 15).
"""

from __future__ import annotations

import itertools
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.hear import Taken
from omnicli.errors import OmniError
from omnicli.model.response import Receipt

log = logging.getLogger("omni.serve")

#: How long the first of a group waits for others, in seconds, how many receipts are worth a commit at once, and how large a group
#: grows at most.
GATHER, ENOUGH, LARGEST = 0.010, 400, 4000
#: What waits at most: requests, and receipts in them; and how old the oldest may be before newcomers are sent away, in seconds.
MOST_WAITING, MOST_RECEIPTS, PATIENCE = 1000, 50_000, 2.0

Keep = Callable[[Sequence[Receipt]], Taken]


class Overloaded(Exception):
    """More is waiting than can be stored in time: come again."""


class NotStored(Exception):
    """It is not on disk: come again."""


@dataclass(slots=True)
class _Waiting:
    """One request: what it brought, or something to do for it; and who waits for the answer."""

    receipts: Sequence[Receipt]
    deed: Callable[[], Any] | None = None
    answer: Future[Any] = field(default_factory=Future)
    since: float = field(default_factory=clock.monotonic)


@dataclass(slots=True)
class Counts:
    """What went through since the start."""

    new: int = 0
    repeated: int = 0
    opted_out: int = 0
    unreadable: int = 0
    commits: int = 0
    refused: int = 0
    failed: int = 0


class Intake:
    """`put` gives a promise that is kept when the receipts are on disk, and broken (`NotStored`) when they are not."""

    def __init__(self, keep: Keep, *, gather: float = GATHER, most: int = MOST_WAITING) -> None:
        self._keep, self.gather, self._most = keep, gather, most
        self._waiting: deque[_Waiting] = deque()
        self._receipts = 0
        self._serials = itertools.count(1)
        self._stopped = False
        self._oldest: float | None = None  # of the group in hand
        self._changed = threading.Condition()
        self.counts = Counts()
        self._thread = threading.Thread(target=self._run, name="omni-intake", daemon=True)
        self._thread.start()

    # --- what others call -------------------------------------------------------------------------------------------
    def put(self, receipts: Sequence[Receipt]) -> Future[Taken]:
        """Queue these; Overloaded when too much is waiting already, or when the oldest waits too long."""
        return self._queue(_Waiting(receipts))

    def act(self, deed: Callable[[], Any]) -> Future[Any]:
        """Queue something that writes by itself; the promise gives what it returns."""
        return self._queue(_Waiting((), deed))

    def serial(self) -> int:
        """A number that no other call of this process got: two things of one millisecond are two."""
        return next(self._serials)

    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def close(self) -> None:
        """Store what waits, then stop."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _queue(self, one: _Waiting) -> Future[Any]:
        with self._changed:
            if (
                self._stopped
                or len(self._waiting) >= self._most
                or self._receipts + len(one.receipts) > MOST_RECEIPTS
                or self._late()
            ):
                self.counts.refused += 1
                raise Overloaded
            self._waiting.append(one)
            self._receipts += len(one.receipts)
            if len(self._waiting) == 1 or self._receipts >= ENOUGH:  # else the thread that writes is awake, or wakes by itself
                self._changed.notify()
        return one.answer

    def _late(self) -> bool:
        oldest = self._oldest if self._oldest is not None else self._waiting[0].since if self._waiting else None
        return oldest is not None and clock.monotonic() - oldest > PATIENCE

    # --- the one thread that writes ---------------------------------------------------------------------------------
    def _run(self) -> None:
        while group := self._next():
            self._oldest = group[0].since
            if group[0].deed is not None:
                self._do(group[0])
            else:
                self._store(group)
            self._oldest = None

    def _next(self) -> list[_Waiting]:
        """The next group: one deed, or the receipts of many requests; empty when it is time to leave."""
        with self._changed:
            while not self._waiting and not self._stopped:
                self._changed.wait()
            end = clock.monotonic() + self.gather
            while self._waiting and not self._stopped and self._receipts < ENOUGH and (left := end - clock.monotonic()) > 0:
                self._changed.wait(left)
            return self._take()

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and (not group or (self._waiting[0].deed is None and size < LARGEST)):
            one = self._waiting.popleft()
            group.append(one)
            size += len(one.receipts)
            if one.deed is not None:
                break
        self._receipts -= size
        return group

    def _do(self, one: _Waiting) -> None:
        assert one.deed is not None
        try:
            one.answer.set_result(one.deed())
        except Exception as error:
            self._break([one], error)

    def _store(self, group: Sequence[_Waiting]) -> None:
        try:
            taken = self._keep([receipt for one in group for receipt in one.receipts])
        except Exception as error:
            if of_the_store(error):
                self._break(group, error)
            elif len(group) > 1:
                half = len(group) // 2
                self._store(group[:half])
                self._store(group[half:])
            else:
                self._one_by_one(group[0])
            return
        self._count(taken)
        for one in group:
            one.answer.set_result(taken)

    def _one_by_one(self, one: _Waiting) -> None:
        """The request that cannot be stored whole: each element by itself, and one that will not go in as what cannot be read."""
        try:
            for receipt in one.receipts:
                try:
                    self._count(self._keep([receipt]))
                except Exception as error:
                    if of_the_store(error):
                        raise
                    log.warning("an element of %s is kept unread: %s", receipt.provider, type(error).__name__)
                    unread = Receipt(
                        receipt.provider, receipt.key, receipt.raw, note=f"could not be stored: {type(error).__name__}"
                    )
                    self._count(self._keep([unread]))
        except Exception as error:
            self._break([one], error)
        else:
            one.answer.set_result(Taken())

    def _count(self, taken: Taken) -> None:
        c = self.counts
        c.commits += 1
        c.new += taken.new
        c.repeated += taken.repeated
        c.opted_out += taken.opted_out
        c.unreadable += taken.unreadable

    def _break(self, group: Sequence[_Waiting], error: BaseException) -> None:
        self.counts.failed += len(group)
        log.warning("not stored: %s", getattr(error, "code", None) or type(error).__name__)
        for one in group:
            one.answer.set_exception(NotStored())


def of_the_store(error: BaseException) -> bool:
    """Whether the store is at fault (busy, full, an I/O error, on hold …) and not what came in."""
    return isinstance(error, OmniError | sa.exc.OperationalError | sqlite3.OperationalError | OSError | MemoryError)
