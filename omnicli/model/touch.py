"""A touch on its way out: what a provider is handed, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

SEND_STATES = ("planned", "claimed", "sending", "retry", "accepted", "rejected", "unknown", "parked", "skipped", "held_out")
OUTCOMES = ("accepted", "rejected", "not_sent", "unknown")

#: The allowed moves of `send_state` (docs/delivery 2); rows of the table `touch_move`, enforced by a trigger.
TOUCH_MOVES = (
    ("planned", "claimed"), ("planned", "skipped"), ("claimed", "sending"), ("claimed", "planned"), ("claimed", "skipped"),
    ("sending", "accepted"), ("sending", "rejected"), ("sending", "retry"), ("sending", "unknown"),
    ("retry", "claimed"), ("retry", "skipped"), ("retry", "accepted"), ("unknown", "accepted"), ("unknown", "retry"), ("unknown", "parked"),
    ("unknown", "skipped"), ("parked", "accepted"), ("parked", "retry"), ("parked", "skipped"), ("parked", "rejected"), ("unknown", "rejected"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as this person would receive it on this channel; `parts` maps part name → text (`subject`, `html`,
    `text`, `body`, `title`, `script`, `card` …). `skeleton` is the hash of the finished skeleton, `values` the personal values
    in the order of their marks (parts separated), so that skeleton + values give the parts again, byte for byte."""

    channel: str
    parts: Mapping[str, str] = field(repr=False)
    skeleton: str = ""
    values: tuple[str, ...] = field(default=(), repr=False)
    links: tuple[str, ...] = field(default=(), repr=False)
    sms_parts: int = 1


@dataclass(frozen=True, slots=True)
class Handed:
    """One touch as a provider gets it. `touch` is its key in hexadecimal; `address` None for channels without one."""

    touch: str
    attempt: int
    channel: str
    campaign: str
    step: str
    message: str
    contact: str
    contact_name: str = field(repr=False)
    language: str = ""
    address: str | None = field(default=None, repr=False)
    rendered: Rendered | None = field(default=None, repr=False)
    at: datetime | None = None
    purpose: str = "marketing"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sender: str | None = None
    reply_to: str | None = None
    pieces: Mapping[str, Sequence[str | int]] | None = field(
        default=None, repr=False
    )  # of the skeleton: constants, indexes of `fills`
    fills: Sequence[str] = field(default=(), repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one touch: `accepted rejected not_sent unknown`; `ref` is the provider's id."""

    outcome: Literal["accepted", "rejected", "not_sent", "unknown"]
    ref: str | None = None
    code: str | None = None
    detail: str | None = None
    retry_at: datetime | None = None
    halt: bool = False
    bad_address: bool = False


class Provider(Protocol):
    """Who carries messages. `send` never raises for what a provider may answer: every touch gets an Outcome, in order."""

    name: str
    channels: tuple[str, ...]
    batch: int

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]: ...

    def close(self) -> None: ...
