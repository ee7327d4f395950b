"""Promises that the writing thread keeps reach those who wait in the event loop: one ring for a whole group, not one for each."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from omnicli.service.web.intake import NotStored

#: How long a request waits for its own commit, in seconds.
COMMIT = 5.0


class Bell:
    """Wakes the event loop from another thread. Nobody who waits cancels what is being stored."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._kept: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._rung = False

    async def kept(self, promise: Future[Any]) -> Any:
        """What was promised; NotStored when it was broken, or not kept in time."""
        waiting: asyncio.Future[Any] = self.loop.create_future()
        promise.add_done_callback(lambda done: self._ring(waiting, done))
        late = self.loop.call_later(COMMIT, _break, waiting)
        try:
            return await waiting
        finally:
            late.cancel()

    def _ring(self, waiting: asyncio.Future[Any], done: Future[Any]) -> None:
        """In the thread that writes. What is put down before the loop begins to look is found, whoever rang."""
        self._kept.append((waiting, done))
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._rung = False
        while self._kept:
            waiting, done = self._kept.popleft()
            if not waiting.done():
                if (error := done.exception()) is not None:
                    waiting.set_exception(error)
                else:
                    waiting.set_result(done.result())


def _break(waiting: asyncio.Future[Any]) -> None:
    if not waiting.done():
        waiting.set_exception(NotStored())
