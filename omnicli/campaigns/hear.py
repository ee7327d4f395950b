"""What a provider posted is on disk, and whoever left is barred, before the provider is answered: one transaction (T4).

Two keys know a repeat, either one suffices. What cannot be read is kept as it came. Bars are raised here and not in the later fold,
so that "none starts after an opt-out" is an order of transactions (docs/delivery 15).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli import faults
from omnicli.campaigns import respond
from omnicli.model.response import Receipt
from omnicli.store import inbox
from omnicli.store.outbox.locking import repeating

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


@dataclass(frozen=True, slots=True)
class Taken:
    """What was stored: `new` elements, `repeated` ones, people `opted_out` by the new ones, and how many of the new nobody could read."""

    new: int = 0
    repeated: int = 0
    opted_out: int = 0
    unreadable: int = 0


def hear(
    store: Store, loaded: Loaded, receipts: Sequence[Receipt], *, now: datetime, wait: float | None = None, ever: bool = False
) -> Taken:
    """Store these receipts and raise the bars that they carry, in one transaction. `wait`: seconds for the writer's lock, then
    OmniError `busy` (exit 5) and nothing is stored. What is older than the keys is a replay and dropped, but with `ever`: entries of
    a provider's list may be of any age."""
    oldest = now - inbox.KEYS
    young = [r for r in receipts if ever or (at := r.at) is None or at > oldest]
    if not young:
        return Taken(repeated=len(receipts))

    def stored() -> tuple[list[Receipt], int]:
        with store.write(wait=wait) as connection:
            fresh = inbox.take(connection, young, now=now)
            arrivals = [inbox.arrival(r, now) for r in fresh if r.may_bar and r.response is not None]
            barred = respond.bar_at_once(store, connection, loaded, arrivals, now=now)
            faults.point("F13")
        return fresh, barred

    fresh, barred = repeating(stored)
    faults.point("F14")
    unreadable = sum(1 for r in fresh if r.at is None)
    return Taken(len(fresh), len(receipts) - len(fresh), barred, unreadable)
