"""The outbox: claims, intents and outcomes as bulk statements, a batch a transaction, an outcome a touch.

The promise rests on what stands here (docs/delivery 2, 3, 7): a provider is called only after `intend` was committed, and
the index `one_open_attempt` allows one open attempt a touch. Every verb takes a connection inside a transaction; none
opens or commits one. Identifiers written into statements are integers of ours, never text of anybody else.
"""

from __future__ import annotations

from omnicli.store.outbox.asked import bodies, guards, hold_of, mark, slots, spent, standings
from omnicli.store.outbox.claims import (
    BUILT_IN,
    Cursor,
    Entering,
    Stray,
    claim,
    due,
    entering,
    first_attempt,
    leased,
    load,
    phones,
    put_back,
    release,
    renew,
    versions_of,
)  # fmt: skip
from omnicli.store.outbox.doubts import (
    Doubt,
    archived,
    close_attempt,
    doubt,
    doubts,
    move,
    open_doubts,
    park,
    settle_unknown,
    tell,
)  # fmt: skip
from omnicli.store.outbox.intents import intend, keep_skeletons
from omnicli.store.outbox.outcomes import first_outcomes, free_slots, open_tasks, record, remember, skip
from omnicli.store.outbox.values import ENDS, LEASE, Claimed, Guarded, Intent, Result

__all__ = [
    "BUILT_IN", "ENDS", "LEASE", "Claimed", "Cursor", "Doubt", "Entering", "Guarded", "Intent", "Result", "Stray", "archived", "bodies",
    "claim", "close_attempt", "doubt", "doubts", "due", "entering", "first_attempt", "first_outcomes", "free_slots", "guards", "hold_of",
    "intend", "keep_skeletons", "leased", "load", "mark", "move", "open_doubts", "open_tasks", "park", "phones", "put_back", "record",
    "release", "remember", "renew", "settle_unknown", "skip", "slots", "spent", "standings", "tell", "versions_of",
]  # fmt: skip
