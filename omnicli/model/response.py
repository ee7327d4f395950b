"""Everything that comes back is a Response: a receipt, a click, a reply, a purchase, a visit, a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Responses by a person: they wake waits, set the last human channel, and feed `best hour`.
HUMAN = frozenset({"clicked", "replied", "scanned", "answered", "callback", "done"})


@dataclass(frozen=True, slots=True)
class Response:
    """One event about a contact. `id` makes it idempotent: the same (source, id) twice is one response. `contact` is the
    source's contact id; `touch` the key of the touch it answers, when known. `payload` fields are raw texts or numbers."""

    id: str
    contact: str
    name: str
    at: datetime
    source: str = "omni"
    channel: str | None = None
    campaign: str | None = None
    message: str | None = None
    step: str | None = None
    touch: str | None = None
    machine: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
