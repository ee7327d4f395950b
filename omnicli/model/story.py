"""A scenario file as values: people, their stories line by line, what is expected, and what holds always (docs/scenarios).

Every line knows where it stands in its file, so that whatever is said about it can be said there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from omnicli.model.literals import Duration, Money
from omnicli.model.promise import Promise

Manner = Literal["accept", "refuse", "fail", "unknown", "slow"]
#: How providers may answer in an `environment`; `accept` is what they do otherwise.
MANNERS: tuple[Manner, ...] = ("refuse", "fail", "unknown", "slow", "accept")
#: How far an `expect` may move the clock where nothing else is said.
PATIENCE = Duration(1, "day")


@dataclass(frozen=True, slots=True)
class Wall:
    """A date and time as written; `zone` None: of the project for `start`, of the person in a story."""

    moment: datetime
    zone: str | None = None

    def __str__(self) -> str:
        written = f"{self.moment:%Y-%m-%d %H:%M:%S}" if self.moment.second else f"{self.moment:%Y-%m-%d %H:%M}"
        return written + (f" {self.zone}" if self.zone else "")


@dataclass(frozen=True, slots=True)
class Environment:
    """What surrounds a story: how the provider of a channel answers, what is left of the budget, whether the campaign is paused."""

    provider: Mapping[str, Manner] = field(default_factory=dict)
    budget_left: Money | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who lives a story: `name` as lines call them, `values` as the file writes them, `like` resolved."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a story; `line` and `column` from 1; `who` None: the story's one person."""

    line: int
    column: int = 1
    who: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happens(Line):
    """`event:` with its payload; `of` the step or message that it answers; `happened` when it was, where it is heard of only now."""

    event: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    of: str | None = None
    happened: Wall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class After(Line):
    after: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class At(Line):
    at: Wall


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(Line):
    change: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consents(Line):
    consent: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Line):
    note: str


@dataclass(frozen=True, slots=True)
class Placed:
    """Something expected below a touch, with the line it stands in."""

    value: Any
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectTouch(Line):
    """`<channel> <message> [at <moment>]` and what stands below: `says`, `not_says`, `parts`, `step`, `language`, `link`."""

    channel: str
    message: str
    at: Wall | None = None
    says: tuple[Placed, ...] = ()
    not_says: tuple[Placed, ...] = ()
    parts: Placed | None = None
    step: Placed | None = None
    language: Placed | None = None
    link: Placed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectNothing(Line):
    for_: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectHeld(Line):
    guard: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectSkipped(Line):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectState(Line):
    """The state now: `kind` exit, goal, step, persona, branch or arm; `of` the step of a branch or arm; `value` what it must be."""

    kind: Literal["exit", "goal", "step", "persona", "branch", "arm"]
    value: str = ""
    of: str = ""


StoryLine = (
    Happens | After | At | Changes | Consents | Note | ExpectTouch | ExpectNothing | ExpectHeld | ExpectSkipped | ExpectState
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story. `take` pins arms by split id, `holdout` the hold-out; `empty`: `story: []` stands there to be written by `--update`."""

    name: str
    line: int
    given: tuple[Person, ...]
    story: tuple[StoryLine, ...]
    start: Wall
    patience: Duration = PATIENCE
    take: Mapping[str, str] = field(default_factory=dict)
    holdout: bool = False
    for_each_arm: bool = False
    environment: Environment = field(default_factory=Environment)
    quiet: bool = False
    skip: str | None = None


@dataclass(frozen=True, slots=True)
class Always:
    """One line of `always:`."""

    text: str
    promise: Promise
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class StoryFile:
    """One `campaigns/<name>.test.yaml`: `campaigns` are the one it belongs to, then those that stand beside it."""

    file: str
    campaigns: tuple[str, ...]
    start: Wall
    scenarios: tuple[Scenario, ...]
    always: tuple[Always, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    patience: Duration = PATIENCE

    @property
    def campaign(self) -> str:
        return self.campaigns[0]
