"""Who carries messages in a virtual world: nobody, and each answers as the scenario's `environment` says.

Acceptance takes no time unless a provider is `slow`: its answer is lost and comes half a minute later as a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from omnicli.model.story import Manner
from omnicli.model.touch import Handed, Outcome, Provider

MANNERS: tuple[Manner, ...] = ("accept", "refuse", "fail", "unknown", "slow")
#: How long a slow provider takes.
SLOW = timedelta(seconds=30)


@dataclass
class Carrier:
    """One manner of answering, for every channel that has it. `late` are slow touches: key in hexadecimal → when they are accepted."""

    manner: Manner
    channels: tuple[str, ...]
    handed: dict[str, Handed]
    late: dict[str, datetime] = field(default_factory=dict)
    batch: int = 1000
    in_flight: int = 1
    evidence_after: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        self.name = self.account = f"scenario-{self.manner}"
        self.repeatable = self.manner == "accept"

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [self._answer(one, now) for one in handed]

    def _answer(self, one: Handed, now: datetime) -> Outcome:
        if self.manner in ("accept", "slow", "unknown"):
            self.handed[one.touch] = one
        match self.manner:
            case "refuse":
                return Outcome("rejected", code="refused")
            case "fail":
                return Outcome("not_sent", code="unavailable")
            case "unknown":
                return Outcome("unknown", code="lost")
            case "slow":
                self.late[one.touch] = now + SLOW
                return Outcome("unknown", code="slow")
        return Outcome("accepted", ref="scenario")

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Carriers(Mapping[str, Provider]):
    """Channel → who carries it. `handed` keeps every message that left, by the touch's key in hexadecimal."""

    channels: tuple[str, ...]
    manners: Mapping[str, Manner] = field(default_factory=dict)
    handed: dict[str, Handed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by = {manner: Carrier(manner, self.channels, self.handed) for manner in MANNERS}

    def __getitem__(self, channel: str) -> Provider:
        if channel not in self.channels:
            raise KeyError(channel)
        carrier: Provider = self._by[self.manners.get(channel, "accept")]
        return carrier

    def __iter__(self) -> Iterator[str]:
        return iter(self.channels)

    def __len__(self) -> int:
        return len(self.channels)

    @property
    def late(self) -> dict[str, datetime]:
        """Slow touches that nobody has heard of yet."""
        return self._by["slow"].late
