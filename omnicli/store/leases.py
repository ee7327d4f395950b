"""Leases of tasks that one process does for all: a row with an end and a fence, in the store and by its own clock (docs/delivery 12).

A lease only saves work; the fence decides. Whoever leads writes through a store that locks the row of its fence at the beginning of
each transaction: a leader who slept past its lease finds another fence there and writes nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnicli import clock
from omnicli.errors import Exit, OmniError
from omnicli.store.outbox.statements import fetch, run
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.store.connection import Store

#: How long a leader holds without renewing, in milliseconds.
LEASE = 60_000


@dataclass(frozen=True, slots=True)
class Lease:
    """One term of leading a task."""

    task: str
    holder: str
    fence: int


def now_ms(connection: sa.Connection) -> int:
    """The present by which leases end: the database's own where machines share it, else this machine's."""
    if connection.dialect.name != "postgresql":
        return clock.to_ms(clock.now())
    return int(fetch(connection, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")[0][0])


def take(connection: sa.Connection, task: str, *, holder: str, gone: Callable[[str], bool], every: int = 0) -> Lease | None:
    """A term of that task, or None: while another holds it (and is not `gone`), or when it was done less than `every` ms ago."""
    run(connection, "INSERT INTO leader (task) VALUES (?) ON CONFLICT DO NOTHING", task)
    rows = fetch(connection, "SELECT held_by, until, fence, done_at FROM leader WHERE task = ?" + _locked(connection), task)
    now = now_ms(connection)
    if not rows:  # its leader is writing at this moment
        return None
    held_by, until, fence, done_at = rows[0]
    if (held_by is not None and until >= now and not gone(held_by)) or now - done_at < every:
        return None
    run(connection, "UPDATE leader SET held_by = ?, until = ?, fence = ? WHERE task = ?", holder, now + LEASE, fence + 1, task)
    return Lease(task, holder, fence + 1)


def _locked(connection: sa.Connection) -> str:
    return " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""


def renew(connection: sa.Connection, lease: Lease) -> bool:
    """Hold on for another term's length; False when another leads by now."""
    until = now_ms(connection) + LEASE
    return run(connection, "UPDATE leader SET until = ? WHERE task = ? AND fence = ?", until, lease.task, lease.fence) > 0


def lay_down(connection: sa.Connection, lease: Lease, *, done: bool) -> None:
    """The task is free again. `done`: it was carried out, so that nobody does it again at once."""
    done_at = f", done_at = {now_ms(connection)}" if done else ""
    run(connection, f"UPDATE leader SET held_by = NULL, until = 0{done_at} WHERE task = ? AND fence = ?", lease.task, lease.fence)


def hold(connection: sa.Connection, lease: Lease) -> None:
    """Lock the row of this term until the transaction ends; OmniError (exit 5) when another leads by now."""
    if not fetch(connection, "SELECT 1 FROM leader WHERE task = ? AND fence = ? FOR UPDATE", lease.task, lease.fence):
        raise OmniError(
            t("another process has taken over ({task})", "un autre processus a pris le relais ({task})", task=lease.task),
            hint=t("it does what this one began", "il fait ce que celui-ci avait commencé"), code="deposed", exit=Exit.LOCKED,
        )  # fmt: skip


def fenced(store: Store, lease: Lease) -> Store:
    """The same store, in which each write begins by locking the row of this term."""
    led = copy.copy(store)
    led.lease = lease
    return led
