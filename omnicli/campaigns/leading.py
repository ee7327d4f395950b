"""Tasks that one process does for all who share a store: letting people in, folding what came back, reaping, reconciling.

On SQLite whoever runs holds the project's lock, so it leads. On PostgreSQL the leader holds a lease row, renewed by a thread of its
own, and writes under its fence; whoever finds it held leaves the task to the one who has it (docs/delivery 12).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from omnicli.campaigns.lock import project_lock
from omnicli.campaigns.recover import process_gone
from omnicli.campaigns.worker import ACTIVE, RENEW, name
from omnicli.errors import OmniError
from omnicli.store import leases

if TYPE_CHECKING:
    from pathlib import Path

    from omnicli.store.connection import Store
    from omnicli.store.leases import Lease

#: Fold what came back, let people in, look after what is old.
PLAN = "plan"
#: Reap leases that are over, ask about doubts.
MEND = "mend"


def shared(store: Store) -> bool:
    """Whether other processes may be at the same work at the same time."""
    return store.dialect == "postgresql" and not store.rehearsed


@contextmanager
def leads(store: Store, task: str, *, every: timedelta = timedelta(0)) -> Iterator[Store | None]:
    """The store to do this task with, or None when somebody else does it, or did it less than `every` ago."""
    if not shared(store):
        yield store
        return
    worker = name()
    with store.write() as connection:
        lease = leases.take(connection, task, holder=worker, gone=_gone, every=every // timedelta(milliseconds=1))
    if lease is None:
        yield None
        return
    done, over = False, threading.Event()
    thread = threading.Thread(target=_renewing, args=(store, lease, over), name=f"leads {task}", daemon=True)
    ACTIVE.add(worker)
    thread.start()
    try:
        yield leases.fenced(store, lease)
        done = True
    except OmniError as error:
        if error.code != "deposed":  # another has taken over: what this one had committed stands
            raise
    finally:
        over.set()
        thread.join(timeout=1.0)
        ACTIVE.discard(worker)
        with suppress(Exception), store.write() as connection:
            leases.lay_down(connection, lease, done=done)


def _gone(holder: str) -> bool:
    return process_gone(holder, active=ACTIVE)


def _renewing(store: Store, lease: Lease, over: threading.Event) -> None:
    while not over.wait(RENEW):
        with suppress(Exception), store.write() as connection:  # a server that is away for a moment is the task's to tell
            if not leases.renew(connection, lease):
                return


@contextmanager
def run_lock(store: Store, root: Path, *, live: bool) -> Iterator[None]:
    """One run at a time where the store is a file; on PostgreSQL several may run, on several machines: claims decide."""
    if shared(store):
        yield
        return
    with project_lock(root, live=live):
        yield
