"""Asks which messages a provider took and never told the end of: its callbacks may have been lost while nobody listened."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from omnicli import clock
from omnicli.model.touch import Doubtful
from omnicli.store.outbox.statements import fetch

#: A message says its end within minutes; after three days nobody asks any more.
YOUNGEST, OLDEST = timedelta(minutes=10), timedelta(days=3)
#: Asked about at once at most; the others are next.
MOST = 5000


def unheard(connection: sa.Connection, provider: str, *, now: datetime) -> list[Doubtful]:
    """Accepted attempts of that provider without a final state, oldest first, with the provider's id as `ref`."""
    rows = fetch(
        connection,
        "SELECT t.touch_key, a.n, t.channel, a.started_at, a.provider_ref, s.value FROM touch t"
        " JOIN attempt a ON a.touch_id = t.id AND a.outcome = 'accepted' JOIN handover h ON h.id = a.handover_id"
        " LEFT JOIN address s ON s.contact_id = t.contact_id AND s.channel = t.channel"
        " WHERE t.send_state = 'accepted' AND t.delivery_state IN ('none','processed','queued','sent','deferred') AND t.settled_at BETWEEN ? AND ?"
        f" AND h.provider = ? AND a.provider_ref IS NOT NULL ORDER BY a.started_at, t.touch_key LIMIT {MOST}",
        clock.to_ms(now - OLDEST), clock.to_ms(now - YOUNGEST), provider,
    )  # fmt: skip
    return [
        Doubtful(bytes(key).hex(), n, channel, clock.from_ms(at), address, ref=ref) for key, n, channel, at, ref, address in rows
    ]
