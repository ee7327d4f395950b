"""What the engine is given for one enrollment, and what it answers. Frozen values; built straight from the row."""

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


@dataclass(frozen=True, slots=True)
class Standing:
    """One enrollment with all that can be asked about it until the next place where people must stand.

    `step` is the node it stands at (None: entered, at the first step); `since` when that step was reached; `due_at` the
    end of its timer. `tried` are the channels of this step that ended without acceptance. `slots` are (local date
    ordinal of the contact, channel) of counted marketing touches of the last 370 days; `last_counted_at` the newest of
    them. `truths` maps a condition's text to its truth; `firsts` maps an event term to the earliest instant that counts
    for it (wait branches inside the window, goal and exit terms since entry), or None. `hours` are counts of own human
    responses by local hour (for `best hour` steps only). `facts` are dates of facts of this pass by
    `message.fact` (told ones win), `event` the entering event's payload.
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
    erased: bool = False
    complaint_until: datetime | None = None
    reach: Reach = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    slots: tuple[tuple[int, str], ...] = ()
    last_counted_at: datetime | None = None
    truths: Mapping[str, bool] = field(default_factory=dict)
    firsts: Mapping[str, datetime | None] = field(default_factory=dict)
    hours: Mapping[int, int] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    converted: bool = False
    spread: bool = False


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
    `cost` is in millionths of the project's currency."""

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


@dataclass(frozen=True, slots=True)
class Write:
    """A `set`: the attribute, and the change (`=`, `+`, `-`, `clear`) with its raw value."""

    step: str
    attribute: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A `call`: a signed POST to a webhook with these names (fact or attribute) as values."""

    step: str
    webhook: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the enrollment stands after the decision. `due_at` None: it waits for its touch to be settled."""

    step: str
    since: datetime
    due_at: datetime | None
    wait_from: datetime | None = None
    wait_until: datetime | None = None
    held_by: str | None = None
    held_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The engine's answer for one enrollment now. Exactly one of `stand` and `ended` is set.

    `touches` are recorded in order (at most the last is `planned`); `again` asks for another round at this instant (after
    a `set`, whose writes must be gathered again). `converted_at` is the goal's occurrence; `ended` the reason.
    """

    stand: Stand | None
    ended: str | None = None
    touches: tuple[TouchPlan, ...] = ()
    writes: tuple[Write, ...] = ()
    calls: tuple[CallPlan, ...] = ()
    converted_at: datetime | None = None
    again: bool = False
    why: tuple[Why, ...] = ()
