"""Who is at work: a name that no restart inherits, and leases that stand as long as its round runs (docs/delivery 12)."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

from omnicli import clock
from omnicli.campaigns.recover import machine
from omnicli.store import leases, outbox

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.store.connection import Store

#: Leases are renewed after this many seconds.
RENEW = 15.0
#: A call must start within this many seconds of its intent's commit, by a clock that counts sleep (docs/delivery 3).
FRESH = 10.0
#: A call's lease outlives its read timeout by this.
AFTER_TIMEOUT = 30.0
#: Rounds of this process that are under way: their leases stand.
ACTIVE: set[str] = set()

_numbers = count(1)
_process: tuple[int, str] = (0, "")


def name() -> str:
    """`machine.pid.uuid-round`: a pid tells whether it still lives, the uuid that it is this process and none before it."""
    global _process
    if _process[0] != os.getpid():
        _process = (os.getpid(), uuid.uuid4().hex[:12])
    return f"{machine()}.{os.getpid()}.{_process[1]}-{next(_numbers)}"


def lease(connection: sa.Connection | None = None, seconds: float = outbox.LEASE / 1000) -> int:
    """Until when a claim or a call holds, by the clock that those who share the store share: leases are about processes, not about `now`."""
    present = leases.now_ms(connection) if connection is not None else clock.to_ms(clock.now())
    return present + int(seconds * 1000)


@contextmanager
def at_work(store: Store, worker: str) -> Iterator[None]:
    """While this lasts the worker's leases stand, and a thread of its own renews them every 15 s. A store in memory is seen by
    nobody else: nothing is renewed there."""
    ACTIVE.add(worker)
    done = threading.Event()
    thread = threading.Thread(target=_renewing, args=(store, worker, done), name="leases", daemon=True)
    if not store.in_memory:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.ident is not None:
            thread.join(timeout=1.0)
        ACTIVE.discard(worker)


def _renewing(store: Store, worker: str, done: threading.Event) -> None:
    while not done.wait(RENEW):
        with suppress(Exception), store.write() as connection:  # a full disk is the round's to tell
            outbox.renew(connection, worker=worker, until=lease(connection))
