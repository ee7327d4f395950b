"""Who is at work: a row for each process of `omni worker`, renewed at every beat, by the database's own clock."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from omnicli.store.leases import now_ms
from omnicli.store.outbox.statements import fetch, run

#: Who has not been seen for so many milliseconds is not alive.
ALIVE = 60_000
#: Who has not been seen for so long is forgotten at the next beat of any worker: its leases ended long before (a minute, a call's timeout).
FORGOTTEN = 3_600_000


@dataclass(frozen=True, slots=True)
class Member:
    """One process. Instants in milliseconds; `done` jobs so far."""

    name: str
    host: str
    started_at: int
    seen_at: int
    threads: int
    done: int


def seen(connection: sa.Connection, *, name: str, host: str, threads: int, done: int) -> None:
    """This process lives. Those not seen for an hour are forgotten: they hold nothing any more, others have their work."""
    now = now_ms(connection)
    run(
        connection,
        "INSERT INTO worker (name, host, started_at, seen_at, threads, done) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, done = excluded.done",
        name, host, now, now, threads, done,
    )  # fmt: skip
    run(connection, "DELETE FROM worker WHERE seen_at < ?", now - FORGOTTEN)


def left(connection: sa.Connection, name: str) -> None:
    """This process has gone home."""
    run(connection, "DELETE FROM worker WHERE name = ?", name)


def alive(connection: sa.Connection) -> list[Member]:
    """Who was seen within a minute, by name."""
    least = now_ms(connection) - ALIVE
    return [one for one in everybody(connection) if one.seen_at >= least]


def everybody(connection: sa.Connection) -> list[Member]:
    """Who was seen and did not take leave, and is not forgotten yet, by host and name: those who were killed or stand still too."""
    rows = fetch(connection, "SELECT name, host, started_at, seen_at, threads, done FROM worker ORDER BY host, name")
    return [Member(*row) for row in rows]


def leading(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """(task, who leads it, until when in milliseconds), by task, for those that somebody leads."""
    rows = fetch(connection, "SELECT task, held_by, until FROM leader WHERE held_by IS NOT NULL ORDER BY task")
    return [(row[0], row[1], row[2]) for row in rows]


def process(name: str) -> str:
    """What all names of one process begin with (campaigns/worker): its machine, its number and its own mark."""
    return name.rpartition("-")[0] or name
