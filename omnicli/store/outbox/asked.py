"""What the gate asks of the store inside T2, set-based."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from omnicli.store.outbox.locking import locked
from omnicli.store.outbox.statements import fetch
from omnicli.store.outbox.values import Claimed, Guarded


def mark(connection: sa.Connection) -> object:
    """A value that stays the same as long as nobody else writes: neither another connection nor this one. None where the
    store cannot tell (then everything is read again)."""
    if connection.dialect.name != "sqlite":
        return None
    raw: Any = connection.connection.driver_connection
    return (id(raw), raw.total_changes, raw.execute("PRAGMA data_version").fetchone()[0])


def guards(connection: sa.Connection, ids: Sequence[int], *, worker: str) -> dict[int, Guarded]:
    """What the gate asks, by touch id, of those that are still ours. Where there are row locks: these contacts and those who share an
    address with them, then the touches, each in id order; a lease that another ends meanwhile is over or ours, never both."""
    if connection.dialect.name == "postgresql":
        fetch(
            connection,
            "SELECT id FROM contact WHERE id IN (SELECT contact_id FROM touch WHERE id IN (?*) UNION SELECT o.contact_id FROM touch t"
            " JOIN address a ON a.contact_id = t.contact_id JOIN address o ON o.channel = a.channel AND o.norm = a.norm"
            " WHERE t.id IN (?*) AND t.purpose = 'marketing') ORDER BY id FOR NO KEY UPDATE",
            ids,
            ids,
        )
    rows = fetch(
        connection,
        "SELECT t.id, e.state, e.touch_id, c.erased_at, c.reach, c.complaint_until"
        " FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN contact c ON c.id = t.contact_id"
        " WHERE t.id IN (?*) AND t.send_state = 'claimed' AND t.lease_by = ?"
        + (f" ORDER BY t.id{lock} OF t" if (lock := locked(connection)) else ""),
        ids,
        worker,
    )
    return {row[0]: Guarded(*row) for row in rows}


def untaken(connection: sa.Connection, touches: Sequence[Claimed]) -> dict[int, Guarded]:
    """The same of touches that were picked and not claimed: those that nobody has taken, moved or told otherwise since."""
    rows = fetch(
        connection,
        "SELECT t.id, e.state, e.touch_id, c.erased_at, c.reach, c.complaint_until,"
        " t.fence + 1, t.contact_id, t.version_id, t.step, t.message, t.channel, t.purpose, t.due_at, t.expires_at, t.facts, e.told"
        " FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN contact c ON c.id = t.contact_id"
        " WHERE t.id IN (?*) AND t.send_state IN ('planned','retry')",
        [t.id for t in touches],
    )
    picked = {t.id: (t.fence, t.contact_id, t.version_id, t.step, t.message, t.channel, t.purpose, t.due_at, t.expires_at, t.facts, t.told)
              for t in touches}  # fmt: skip
    return {row[0]: Guarded(*row[:6]) for row in rows if row[6:] == picked[row[0]]}


def standings(connection: sa.Connection) -> dict[int, tuple[str, str | None]]:
    """State and `pause_people` of each version's campaign, by version id."""
    rows = fetch(
        connection, "SELECT v.id, k.state, k.pause_people FROM campaign_version v JOIN campaign k ON k.id = v.campaign_id"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def slots(connection: sa.Connection, contacts: Collection[int], *, since: str) -> list[tuple[Any, ...]]:
    """Counted touches of these contacts from that local date on: (contact, local date, channel, number, instant)."""
    if not contacts:
        return []
    return fetch(
        connection,
        "SELECT contact_id, local_date, rule, slot, at FROM cap_slot WHERE contact_id IN (?*) AND local_date >= ? AND rule <> 'all'",
        contacts,
        since,
    )


def sharers(connection: sa.Connection, contacts: Collection[int]) -> set[int]:
    """Other contacts who have an address of these people: a couple's, a family's, somebody's twice."""
    if not contacts:
        return set()
    rows = fetch(
        connection,
        "SELECT DISTINCT o.contact_id FROM address a JOIN address o ON o.channel = a.channel AND o.norm = a.norm AND o.contact_id <> a.contact_id"
        " WHERE a.contact_id IN (?*)",
        contacts,
    )
    return {row[0] for row in rows}


def bodies(connection: sa.Connection, contacts: Collection[int], *, since: int) -> set[tuple[str, bytes, bytes]]:
    """(channel, address hash, body hash) of what left, or may have left, for these contacts since that instant."""
    if not contacts:
        return set()
    rows = fetch(
        connection,
        "SELECT t.channel, a.address_hash, a.body_sha256 FROM touch t JOIN attempt a ON a.touch_id = t.id"
        " WHERE t.contact_id IN (?*) AND a.started_at > ? AND a.outcome IN ('intent','unknown','accepted')",
        contacts,
        since,
    )
    return {(row[0], bytes(row[1]), bytes(row[2])) for row in rows}


def hold_of(connection: sa.Connection) -> str | None:
    """Why this store is on HOLD, or None (docs/delivery 14)."""
    rows = fetch(connection, "SELECT hold FROM instance WHERE hold IS NOT NULL LIMIT 1")
    return rows[0][0] if rows else None


def spent(connection: sa.Connection, campaign: str) -> int:
    """Millionths that the touches of a campaign cost or may yet cost, but for those still planned or claimed."""
    rows = fetch(
        connection,
        "SELECT coalesce(sum(t.cost), 0) FROM campaign k JOIN enrollment e ON e.campaign_id = k.id JOIN touch t ON t.enrollment_id = e.id"
        " WHERE k.name = ? AND t.send_state IN ('sending','accepted','unknown','parked','retry')",
        campaign,
    )
    return int(rows[0][0])
