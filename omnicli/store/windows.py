"""Asks about windows of 24 hours: who wrote to us lately on a channel, and how many were written to outside such a window.

WhatsApp and Messenger take free words for 24 hours after a person's last message; WhatsApp counts the people written to outside
of it (rules.md WA-01, WA-03, ME-01). Set-based: one statement for all the people of a batch.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from omnicli.store.outbox.statements import fetch, listed

#: Channels that have a window.
WINDOWED = ("whatsapp", "messenger")
#: How long a window is, in milliseconds: refused from the last minute on (rules.md WA-01, own).
WINDOW = (24 * 60 - 1) * 60_000
DAY = 24 * 60 * 60_000


def last_written(connection: sa.Connection, contacts: Collection[int], *, now: int) -> dict[tuple[int, str], int]:
    """When these people last wrote, by (contact, channel), within the last day; people write, machines do not."""
    if not contacts:
        return {}
    rows = fetch(
        connection,
        f"SELECT contact_id, channel, max(at) FROM event WHERE contact_id IN ({listed(contacts)}) AND name = 'replied' AND at > ? AND at <= ?"
        " AND machine = 0 AND channel IN ('whatsapp','messenger') GROUP BY contact_id, channel",
        now - DAY, now,
    )  # fmt: skip
    return {(contact, channel): at for contact, channel, at in rows}


def lately(connection: sa.Connection, *, now: int, most: int) -> int:
    """How many WhatsApp messages left, or may have, within the last day: at most `most`, counted in the index alone."""
    rows = fetch(
        connection,
        "SELECT count(*) FROM (SELECT 1 FROM touch WHERE channel = 'whatsapp' AND send_state IN ('sending','accepted','unknown','parked')"
        f" AND (settled_at > ? OR settled_at IS NULL) LIMIT {most}) AS few",
        now - DAY,
    )
    return int(rows[0][0])


def outside(connection: sa.Connection, *, now: int) -> set[bytes]:
    """Fingerprints of the addresses that WhatsApp messages went to, or may have, outside a window within the last day."""
    rows = fetch(
        connection,
        "SELECT DISTINCT a.address_hash FROM touch t JOIN attempt a ON a.touch_id = t.id"
        " WHERE t.channel = 'whatsapp' AND t.send_state IN ('sending','accepted','unknown','parked') AND (t.settled_at > ? OR t.settled_at IS NULL)"
        " AND a.started_at > ? AND a.outcome IN ('intent','unknown','accepted')"
        " AND NOT EXISTS (SELECT 1 FROM event e WHERE e.contact_id = t.contact_id AND e.name = 'replied' AND e.machine = 0"
        f" AND e.channel = 'whatsapp' AND e.at <= a.started_at AND e.at > a.started_at - {WINDOW})",
        now - DAY, now - DAY,
    )  # fmt: skip
    return {bytes(row[0]) for row in rows}
