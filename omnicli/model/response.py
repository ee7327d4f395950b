"""Everything that comes back is a Response: a receipt, a click, a reply, a purchase, a visit, a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

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
    attempt: int | None = None  # of that touch, where the provider gave our signed id back
    address: str | None = field(default=None, repr=False)  # who it is about, when only the address says so


#: A receipt that is no event of the ledger: it raises `delivery_state` (payload field `state`: processed queued sent deferred
#: dropped undelivered read) and settles doubts.
RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One HTTP request of a provider, before anybody parsed it. `url` is the public address that the provider signed (from
    `public_url`, never from Host), header names are lower case (a name that came twice is joined by a comma)."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One element of what a provider posted. Either key suffices to know a repeat (docs/delivery 15): `event_id` is the
    provider's, `key` a hash of 16 bytes over what it says (keys that begin alike are cheaper to store). `response` None: honest but unreadable, `note` says why; it is kept."""

    provider: str
    key: bytes
    raw: bytes = field(repr=False)
    response: Response | None = None
    event_id: str | None = None
    note: str | None = None
    may_bar: ClassVar[bool] = True

    @property
    def at(self) -> datetime | None:
        """When it happened; None when nobody can read it."""
        return self.response.at if self.response is not None else None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a webhook said: `status` is the answer to give once the receipts are on disk (200), or at once when there is
    nothing to keep: 403 forged, 503 no key configured, 400 not what this provider posts. `why` is for the log."""

    status: int
    receipts: Sequence[Receipt] = ()
    body: bytes = b""
    media_type: str = "text/plain"
    why: str = ""


class Hearing(Protocol):
    """The way back of a provider: which paths it posts to, and what a request there means. Never raises for what may come."""

    name: str
    paths: tuple[str, ...]

    def hear(self, path: str, incoming: Incoming, *, now: datetime) -> Heard: ...
