"""What passes between the outbox and its callers: rows as named tuples, for there are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

#: How long a claim holds without being renewed, in milliseconds of machine time (docs/delivery 12).
LEASE = 60_000
#: States in which a touch has ended.
ENDS = ("accepted", "rejected", "skipped", "held_out")


class Claimed(NamedTuple):
    """A claimed touch with what its rendering and the gate need, straight from the row (a named tuple, for there are many).

    Instants are milliseconds; `told` and `facts` JSON texts; `reach` the folded column; `attributes` column values in the
    order asked for, then `BUILT_IN`.
    """

    id: int
    key: bytes
    fence: int
    attempts: int
    contact_id: int
    enrollment_id: int
    version_id: int
    step: str
    message: str
    channel: str
    purpose: str
    priority: int
    due_at: int
    expires_at: int
    created_at: int
    cost: int
    team: str | None
    task_kind: str | None
    task_due: int | None
    place: str | None
    facts: str | None
    number: int
    entered_at: int
    entered_event: int | None
    language: str
    persona: str | None
    told: str | None
    enrollment_state: str
    waits_for: int | None
    woken_at: int | None
    source_id: str
    uid: bytes
    country: str | None
    region: str | None
    time_zone: str | None
    contact_place: str | None
    changed_at: int
    attributes_at: int
    erased_at: int | None
    reach: str
    complaint_until: int | None
    address: str | None
    address_hmac: bytes | None
    attributes: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"Claimed({self.id}, {self.key.hex()[:8]}, {self.channel}, {self.step})"


class Guarded(NamedTuple):
    """What the gate asks about one claimed touch, as of this transaction; a `Claimed` of it answers the same questions."""

    id: int
    enrollment_state: str
    waits_for: int | None
    erased_at: int | None
    reach: str
    complaint_until: int | None


class Intent(NamedTuple):
    """One attempt about to be made. `facts` is what it would tell, kept with the touch while its fate may become unknown. `skeleton` is the row id of the archived skeleton, `values` its packed values; `slot`
    is (local date, rule, number) of the cap slot it takes, or None."""

    touch: Claimed
    address_hash: bytes
    body_hash: bytes
    skeleton: int
    values: bytes
    facts: str | None
    cost: int
    slot: tuple[str, str, int] | None


class Result(NamedTuple):
    """What became of one attempt: the outcome, and for `not_sent` when it may be tried again (None: never). `free`: it uses up
    none of the touch's tries."""

    touch: Claimed
    n: int
    outcome: str
    ref: str | None = None
    code: str | None = None
    detail: str | None = None
    retry_at: int | None = None
    told: str | None = None
    reason: str = "refused"
    free: bool = False


class Handing(NamedTuple):
    """The intents of one call. `until`: the instant to which the lease is moved (None leaves that of the claim)."""

    provider: str
    account: str
    intents: Sequence[Intent]
    until: int | None = None


class Ended(NamedTuple):
    """One call that came back: the results of its touches, and what the answer as a whole said."""

    handover: int
    results: Sequence[Result]
    http_status: int | None = None
    ref: str | None = None
