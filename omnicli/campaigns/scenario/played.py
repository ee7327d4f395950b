"""What became of scenarios: values that travel between processes and say no more than a person is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from omnicli.campaigns.scenario.always import Breach

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A line that life did not bear out: where it stands, what it expected, what there was instead."""

    line: int
    column: int
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline, on the person's clock."""

    at: datetime
    text: str
    who: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """A property of `always` (or one of those that hold without being written) that this life broke."""

    who: str
    breach: Breach


@dataclass(frozen=True, slots=True)
class Lived:
    """Of one person at the end of a story: what coverage, `--update` and the JSON read. `decisions` are (step, rule, answer)."""

    who: str
    zone: str
    language: str | None
    persona: str | None
    touches: tuple[Mapping[str, Any], ...] = ()
    decisions: tuple[tuple[str, str, str], ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """One scenario (or one arm of it) that was played. `days`: calendar days from its start to where its clock stood at the end."""

    file: str
    campaign: str
    name: str
    line: int
    status: Status
    days: int = 0
    failure: Failure | None = None
    timeline: tuple[Moment, ...] = ()
    broken: tuple[Broken, ...] = ()
    lived: tuple[Lived, ...] = ()
    because: str | None = None
    lives: int = 1
    observed: tuple[str, ...] = ()
    arms: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.status == "failed" or bool(self.broken)


@dataclass(frozen=True, slots=True)
class FilePlayed:
    """All scenarios of one file, in its order; `properties` counts the lines of its `always`."""

    file: str
    campaign: str
    scenarios: Sequence[Played]
    properties: int = 0

    @property
    def failed(self) -> int:
        return sum(one.status == "failed" for one in self.scenarios)

    @property
    def broken(self) -> tuple[tuple[Played, Broken], ...]:
        return tuple((one, broken) for one in self.scenarios for broken in one.broken)

    @property
    def lives(self) -> int:
        return sum(one.lives for one in self.scenarios if one.status != "skipped")

    @property
    def wrong(self) -> bool:
        return bool(self.failed or self.broken)
