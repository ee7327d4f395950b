"""Knows when free words may go to a person, and holds WhatsApp to the number of people a day that the business may write to.

Batches without WhatsApp and Messenger cost nothing here (rules.md WA-01, WA-03).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from omnicli import clock, guards
from omnicli.model.campaign import Message
from omnicli.store import windows
from omnicli.store.outbox import Claimed
from omnicli.store.outbox.locking import lock_day

if TYPE_CHECKING:
    import sqlalchemy as sa

#: When a touch over the limit asks again, at the latest: places come free all day long.
ASKS = timedelta(hours=1)

Windows = Mapping[tuple[int, str], datetime]


def open_until(connection: sa.Connection, touches: Iterable[Claimed], *, now: datetime) -> Windows:
    """(contact, channel) → the instant before which free words may go, for those who wrote within the last day."""
    contacts = {touch.contact_id for touch in touches if touch.channel in windows.WINDOWED}
    if not contacts:
        return {}
    found = windows.last_written(connection, contacts, now=clock.to_ms(now))
    return {pair: clock.from_ms(at + windows.WINDOW) for pair, at in found.items()}


def approved_for(message: Message, language: str, register: str | None) -> str | None:
    """The template approved for these words: of this register, else of the language (docs/language 5.3)."""
    return (message.approved.get(f"{language}/{register}") if register else None) or message.approved.get(language)


def variables(skeleton: Any, values: Sequence[str]) -> list[str]:
    """The values of a rendering in order of first appearance: what a template calls 1, 2, … One that stands twice counts once,
    by where it comes from and not by how it reads; what a template file prints without the words' help counts each time."""
    order: dict[int, None] = {}
    for piece in skeleton.parts.get("body", ()):
        if isinstance(piece, int):
            twin = getattr(skeleton, "twins", {}).get(piece)
            order[twin[0] if twin else piece] = None
    return [values[n] for n in order]


@dataclass
class Ceiling:
    """The people whom WhatsApp messages went to outside windows within the last day, against `limit` (rules.md WA-03). Those
    that pass are added, so that the next of the group meets them."""

    limit: int
    known: set[bytes] = field(default_factory=set)
    open: Windows = field(default_factory=dict)
    reached: bool = False

    def read(self, connection: sa.Connection, touches: Sequence[Claimed], *, now: datetime) -> None:
        """Look whether the limit can be met by this group at all; only then are people told apart."""
        ours = [touch for touch in touches if touch.channel == "whatsapp"]
        if not ours or not guards.on("whatsapp_limit"):
            self.reached = False
            return
        ms = clock.to_ms(now)
        lock_day(connection)
        self.reached = windows.lately(connection, now=ms, most=self.limit) + len(ours) > self.limit
        if self.reached:
            self.open = open_until(connection, ours, now=now)
            self.known = windows.outside(connection, now=ms)

    def refuses(self, touch: Claimed, address_hash: bytes, now: datetime) -> bool:
        """True when this person would be one too many today."""
        if not self.reached or touch.channel != "whatsapp" or self._inside(touch, now):
            return False
        return address_hash not in self.known and len(self.known) >= self.limit

    def took(self, touch: Claimed, address_hash: bytes, now: datetime) -> None:
        if self.reached and touch.channel == "whatsapp" and not self._inside(touch, now):
            self.known.add(address_hash)

    def _inside(self, touch: Claimed, now: datetime) -> bool:
        until = self.open.get((touch.contact_id, "whatsapp"))
        return until is not None and now < until
