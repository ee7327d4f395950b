"""What the engine is given for one enrollment, and what it answers. Values that nobody changes; built straight from the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from omnicli.model.contact import Reach

#: The closed list of reasons why a touch ends without being accepted (docs/language 8.1, docs/delivery 2).
SKIP_REASONS = (
    "unreachable", "condition", "capped", "expired", "budget", "no_date", "no_words", "barred_by_law", "complaint_open",
    "duplicate", "ended", "stopped", "render_failed", "refused", "exhausted", "stale", "dropped",
)  # fmt: skip

#: What may hold a touch (7, and from delivery the last four).
HOLDS = ("complaint_open", "pack", "cap", "min_gap", "quiet_hours", "budget", "approval", "paused", "hold", "rate", "breaker")


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of the touch that a pass waits for: `accepted rejected skipped held_out`, and when."""

    state: str
    at: datetime
    channel: str
    reason: str | None = None


#: A question for the earliest occurrence of an event term: since `enter` (goals, exits) or inside the `wait`'s window.
First = tuple[Literal["enter", "wait"], str]


# Nobody writes to one; to freeze it would cost 3 µs each, since 43 fields would be set one by one through `object.__setattr__`.
@dataclass(slots=True)
class Standing:
    """One enrollment with all that can be asked about it until the next place where people must stand.

    `step` is the node it stands at (None: entered, at the first step); `since` when that step was reached; `due_at` when
    it was to be looked at; `wait_until` the end of its own timer (a response brings `due_at` forward and leaves it).
    `held_by` the guard that holds the touch, which was due at `held_from`. `settled` is the end of the touch it stood
    on, `touch_open` that this touch has not ended; `tried` are the channels of this step that ended without acceptance.
    `slots` are (local date ordinal of the contact, channel) of counted marketing touches, `last_counted_at` the newest.
    `truths` maps a condition's text to its truth; `firsts` maps (since, event term) to the earliest instant that counts
    for it, or None. What was not asked is not in them. `hours` are counts of own human responses by local hour, None
    when not asked. `told` are facts by message that this pass was told, `event` the entering event's payload.
    """

    id: int
    key: bytes
    contact_id: int
    contact_uid: bytes
    number: int
    entered_at: datetime
    language: str
    persona: str | None
    held_out: bool
    step: str | None
    since: datetime
    due_at: datetime | None
    wait_from: datetime | None = None
    wait_until: datetime | None = None
    held_by: str | None = None
    held_from: datetime | None = None
    settled: Settled | None = None
    touch_open: bool = False
    tried: tuple[str, ...] = ()
    country: str | None = None
    region: str | None = None
    time_zone: str | None = None
    preferred_channel: str | None = None
    last_human_channel: str | None = None
    last_human_at: datetime | None = None
    erased: bool = False
    complaint_until: datetime | None = None
    reach: Reach = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    slots: tuple[tuple[int, str], ...] = ()
    last_counted_at: datetime | None = None
    truths: Mapping[str, bool] = field(default_factory=dict)
    firsts: Mapping[First, datetime | None] = field(default_factory=dict)
    hours: Mapping[int, int] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    converted: bool = False
    spread: bool = False
    place: str | None = None


@dataclass(slots=True)
class Tally:
    """What this turn has already given away: the only thing that one decision leaves to the next.

    `given` are marketing touches of this batch by contact: (local date ordinal, channel, instant). `spent` is money taken or
    reserved by campaign (millionths), the store's sum included; `sends` and `money` count one run for `approve_above`.
    """

    given: dict[int, list[tuple[int, str, datetime]]] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    sends: dict[str, int] = field(default_factory=dict)
    money: dict[str, int] = field(default_factory=dict)

    def add(self, contact_id: int, campaign: str, *, cost: int, counted: tuple[int, str, datetime] | None) -> None:
        """One planned touch; `counted` is its cap slot when caps count it."""
        if counted is not None:
            self.given.setdefault(contact_id, []).append(counted)
        self.spent[campaign] = self.spent.get(campaign, 0) + cost
        self.sends[campaign] = self.sends.get(campaign, 0) + 1
        self.money[campaign] = self.money.get(campaign, 0) + cost

    def next_batch(self) -> None:
        """Forget the slots of a batch that is recorded: the next one gathers them from the store."""
        self.given.clear()


@dataclass(frozen=True, slots=True)
class Why:
    """One line of the explanation: the step, what was asked, with which values, and the answer."""

    step: str
    rule: str
    answer: str
    values: Mapping[str, Any] = field(default_factory=dict)


TouchState = Literal["planned", "skipped", "held_out"]


@dataclass(frozen=True, slots=True)
class TouchPlan:
    """A touch to record. `planned` goes to the outbox at `due_at`; `skipped` has its reason; `held_out` is a ghost.
    `cost` is in millionths of the project's currency; `slot` is the (local date ordinal, channel) that caps count."""

    step: str
    message: str
    channel: str
    purpose: str
    priority: int
    due_at: datetime
    expires_at: datetime
    state: TouchState
    reason: str | None = None
    cost: int = 0
    team: str | None = None
    task_kind: str | None = None
    task_due: datetime | None = None
    place: str | None = None
    slot: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A `set`: the attribute, and the change (`=`, `+`, `-`, `clear`) with its raw value."""

    step: str
    attribute: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the enrollment stands after the decision. `due_at` is when to look again, None while it waits for its touch to be
    settled (`on_touch`); `wait_until` the end of its timer; `held_from` the due instant of a held touch."""

    step: str
    since: datetime
    due_at: datetime | None
    wait_from: datetime | None = None
    wait_until: datetime | None = None
    held_by: str | None = None
    held_from: datetime | None = None
    tried: tuple[str, ...] = ()
    on_touch: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The engine's answer for one enrollment now. Exactly one of `stand` and `ended` is set.

    `touches` are recorded in order (at most the last is `planned`); `again` asks for another round at this instant (after
    a `set`, whose writes must be gathered again, or where something was not asked yet). `converted_at` is the goal's
    occurrence; `ended` the reason. `kind` names it in the ledger: `stay` changes nothing and leaves no row. `premises` are what
    it was taken on, as bytes (engine/premises), where a turn takes it down.
    """

    kind: Literal["send", "wait", "hold", "skip", "held_out", "set", "exit", "again", "stay"]
    stand: Stand | None
    ended: str | None = None
    touches: tuple[TouchPlan, ...] = ()
    writes: tuple[Write, ...] = ()
    converted_at: datetime | None = None
    again: bool = False
    why: tuple[Why, ...] = ()
    premises: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def told(self) -> bool:
        """Whether the ledger gets a line of it."""
        return self.kind not in ("stay", "again") or bool(self.why)

    @property
    def planned(self) -> TouchPlan | None:
        """The touch that goes to the outbox, if there is one."""
        return self.touches[-1] if self.touches and self.touches[-1].state == "planned" else None
