"""A scenario file as values: people, their stories line by line, what is expected, and what holds always (docs/scenarios)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from omnicli.model.literals import Money

Manner = Literal["accept", "refuse", "fail", "unknown", "slow"]


@dataclass(frozen=True, slots=True)
class Environment:
    """What surrounds a story: how the provider of a channel answers, what is left of the budget, whether the campaign is paused."""

    provider: Mapping[str, Manner] = field(default_factory=dict)
    budget_left: Money | None = None
    paused: bool = False
