"""Touches whose fate nobody knows: shown, proved, parked, given up, or taken as a risk by somebody with a name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from omnicli.store.outbox.claims import Stray
from omnicli.store.outbox.statements import fetch, listed, run
from omnicli.store.outbox.values import ENDS


def doubt(connection: sa.Connection, strays: Sequence[Stray]) -> None:
    """Sending under a lease that is over: nobody knows."""
    ids = listed(s.id for s in strays)
    run(
        connection,
        f"UPDATE attempt SET outcome = 'unknown', detail = 'the sender died' WHERE touch_id IN ({ids}) AND outcome = 'intent'",
    )
    run(
        connection,
        f"UPDATE touch SET send_state = 'unknown', lease_by = NULL, lease_until = NULL WHERE id IN ({ids}) AND send_state = 'sending'",
    )


@dataclass(frozen=True, slots=True)
class Doubt:
    """A touch whose fate nobody knows: its open attempt, since when, and what may be done with it."""

    id: int
    key: bytes
    state: str
    n: int
    started_at: int
    channel: str
    purpose: str
    provider: str
    enrollment_id: int
    message: str
    facts: str | None
    told: str | None


def doubts(connection: sa.Connection, states: Sequence[str] = ("unknown", "parked")) -> list[Doubt]:
    """Unknown and parked touches, oldest attempt first."""
    marks = ",".join("?" * len(states))
    rows = fetch(
        connection,
        "SELECT t.id, t.touch_key, t.send_state, a.n, a.started_at, t.channel, t.purpose, h.provider, t.enrollment_id, t.message, t.facts, e.told"
        " FROM touch t JOIN attempt a ON a.touch_id = t.id AND a.outcome = 'unknown' JOIN handover h ON h.id = a.handover_id"
        f" JOIN enrollment e ON e.id = t.enrollment_id WHERE t.send_state IN ({marks}) ORDER BY a.started_at, t.touch_key",
        *states,
    )
    return [Doubt(*row) for row in rows]


def park(connection: sa.Connection, touches: Sequence[int]) -> None:
    """A person must decide."""
    run(connection, f"UPDATE touch SET send_state = 'parked' WHERE id IN ({listed(touches)}) AND send_state = 'unknown'")


def close_attempt(
    connection: sa.Connection, touch: int, n: int, outcome: str, *, ref: str | None = None, by: str | None = None
) -> None:
    """A reconciliation or a person says how an unknown attempt ended."""
    run(connection, "UPDATE attempt SET outcome = ?, provider_ref = coalesce(?, provider_ref), waived_by = ? WHERE touch_id = ? AND n = ? AND outcome = 'unknown'",
         outcome, ref, by, touch, n)  # fmt: skip


def move(
    connection: sa.Connection, touch: int, state: str, *, now: int, reason: str | None = None, due_at: int | None = None
) -> None:
    """Move one touch along `touch_move` (the trigger refuses anything else)."""
    ended = now if state in ENDS else None
    run(connection, "UPDATE touch SET send_state = ?, reason = coalesce(?, reason), settled_at = ?, due_at = coalesce(?, due_at) WHERE id = ?",
         state, reason, ended, due_at, touch)  # fmt: skip


def tell(connection: sa.Connection, enrollment: int, told: str) -> None:
    """What a pass has been told (docs/consistency)."""
    run(connection, "UPDATE enrollment SET told = ? WHERE id = ?", told, enrollment)


def open_doubts(connection: sa.Connection, versions: Collection[int] | None) -> int:
    """How many touches are unknown or parked now."""
    only = "" if versions is None else f" AND version_id IN ({listed(versions)})"
    return int(fetch(connection, f"SELECT count(*) FROM touch WHERE send_state IN ('unknown','parked'){only}")[0][0])


def settle_unknown(connection: sa.Connection, touch: int, n: int, *, ref: str, now: int) -> bool:
    """Evidence says that this attempt was accepted; True when it settled an unknown or parked touch."""
    open_ = run(
        connection,
        "UPDATE attempt SET outcome = 'accepted', provider_ref = ? WHERE touch_id = ? AND n = ? AND outcome IN ('unknown','intent')",
        ref,
        touch,
        n,
    )
    if not open_:
        return False
    return bool(
        run(
            connection,
            "UPDATE touch SET send_state = 'accepted', settled_at = ? WHERE id = ? AND send_state IN ('unknown','parked')",
            now,
            touch,
        )
    )


def archived(connection: sa.Connection, touch: int) -> tuple[bytes, bytes] | None:
    """(packed parts of the skeleton, packed values) of what this touch carried, or None."""
    rows = fetch(
        connection,
        'SELECT s.parts, r."values" FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id WHERE r.touch_id = ?',
        touch,
    )
    return (bytes(rows[0][0]), bytes(rows[0][1])) if rows else None
