"""A touch on its way out: what a provider is handed, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

SEND_STATES = ("planned", "claimed", "sending", "retry", "accepted", "rejected", "unknown", "parked", "skipped", "held_out")
OUTCOMES = ("accepted", "rejected", "not_sent", "unknown")

#: The allowed moves of `send_state` (docs/delivery 2); rows of the table `touch_move`, enforced by a trigger.
TOUCH_MOVES = (
    ("planned", "claimed"), ("planned", "skipped"), ("claimed", "sending"), ("claimed", "planned"), ("claimed", "skipped"),
    ("sending", "accepted"), ("sending", "rejected"), ("sending", "retry"), ("sending", "unknown"),
    ("retry", "claimed"), ("retry", "skipped"), ("retry", "accepted"), ("unknown", "accepted"), ("unknown", "retry"), ("unknown", "parked"),
    ("unknown", "skipped"), ("parked", "accepted"), ("parked", "retry"), ("parked", "skipped"), ("parked", "rejected"), ("unknown", "rejected"),
    ("planned", "accepted"), ("claimed", "accepted"),  # proof for an attempt whose repeat has not begun
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
    mark: str = ""  # the signed id (model/signed.py) that the provider carries and gives back
    topic: str | None = None
    expires_at: datetime | None = None
    window_until: datetime | None = None  # WhatsApp, Messenger: free text is allowed before this instant (rules.md WA-01)
    approved: str | None = None  # WhatsApp: the approved template for use outside the window, a name or `HX…`


#: How far a halting answer reaches: nothing more leaves through that account, on that channel, or of that campaign.
Reach = Literal["account", "channel", "campaign"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one touch: `accepted rejected not_sent unknown`; `ref` is the provider's id.

    `halt`: stop, `halts` says what. `free`: try again at once, at no cost of an attempt (nothing was wrong with this touch).
    `halve`: nobody of this request was sent and nobody knows who spoils it: hand it over in halves. `bad_address` bars the
    address for its channel, `suppress` names another bar that the provider holds (`stop`, `unsubscribed` …; rules.md SU-11).
    """

    outcome: Literal["accepted", "rejected", "not_sent", "unknown"]
    ref: str | None = None
    code: str | None = None
    detail: str | None = None
    retry_at: datetime | None = None
    halt: bool = False
    bad_address: bool = False
    halts: Reach = "account"
    free: bool = False
    halve: bool = False
    suppress: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A touch whose fate nobody knows, as a provider is asked about it: what was sent, to whom, from when on."""

    touch: str
    attempt: int
    channel: str
    started_at: datetime
    address: str | None = field(default=None, repr=False)
    sender: str | None = None
    ref: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a provider's own records say of one doubtful attempt: `found` messages that fit (0, 1, or several), and the id of the one."""

    found: int
    ref: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """One thing that `doctor` and a live `start` ask of a provider: is it as it must be, what was seen, what to do about it.
    `ok` None: not looked at."""

    name: str
    ok: bool | None
    seen: str
    fix: str | None = None


class Provider(Protocol):
    """Who carries messages. `send` never raises for what a provider may answer: every touch gets an Outcome, in order."""

    name: str
    channels: tuple[str, ...]
    batch: int

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]: ...

    def close(self) -> None: ...


@runtime_checkable
class Archiving(Protocol):
    """A provider in whose house the archive carries what need not be handed to it: of those it is only told how many there are."""

    @property
    def said(self) -> Outcome:
        """What `rest` will say, known beforehand: nobody is called for those."""

    def whole(self) -> int:
        """How many more touches it wants handed."""

    def rest(self, counts: Mapping[str, int], *, now: datetime) -> Outcome:
        """So many more, by channel."""
