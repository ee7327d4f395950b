"""What a simulation counts: whole numbers only, so that parts of the base add up to the whole, in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

#: Whether a pass is held out: how groups are called in every key.
TREATED, HELD_OUT = "treated", "held_out"


@dataclass
class Counts:
    """Every figure by its key. Money in millionths; days and hours count from the first midnight of the project's zone.

    `touches`: (step, channel, what became of it, reason); what becomes of one: `delivered bounced lost rejected skipped held_out
    render_failed`. `load`: (weekday, hour, channel) of accepted touches; `hours`: (hour since the start, channel).
    """

    people: int = 0
    reachable: Counter[str] = field(default_factory=Counter)  # by channel, at the start
    entered: Counter[str] = field(default_factory=Counter)  # by group
    entered_on: Counter[int] = field(default_factory=Counter)  # by day
    personas: Counter[str] = field(default_factory=Counter)  # of passes
    reached: Counter[str] = field(default_factory=Counter)  # passes that came to a step
    touches: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    cost: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (step, channel, month)
    spent_on: Counter[tuple[int, str]] = field(default_factory=Counter)  # (day, channel)
    sent_on: Counter[tuple[int, str]] = field(default_factory=Counter)
    reserved: int = 0  # all that was ever reserved: while it stays below the budget, no budget was felt
    load: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    hours: Counter[tuple[int, str]] = field(default_factory=Counter)
    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (step, channel, answer)
    holds: Counter[tuple[str, str]] = field(default_factory=Counter)  # (step, guard)
    branches: Counter[tuple[str, str]] = field(default_factory=Counter)  # (wait or split, branch)
    ended: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)  # still standing there at the end
    pressure: Counter[int] = field(default_factory=Counter)  # touches a treated person who entered → people
    week: Counter[int] = field(default_factory=Counter)  # most touches in 7 days → people
    converted: Counter[str] = field(default_factory=Counter)  # passes, by group
    days_to_goal: Counter[int] = field(default_factory=Counter)  # of treated passes
    hours_to_goal: Counter[int] = field(default_factory=Counter)
    value: Counter[str] = field(default_factory=Counter)  # minor units, by group
    arms: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (split, arm, passes or converted)
    decisions: int = 0
    instants: int = 0

    def add(self, other: Counts) -> None:
        """Take in another part of the base."""
        for one in fields(self):
            mine: Any = getattr(self, one.name)
            theirs = getattr(other, one.name)
            if isinstance(mine, int):
                setattr(self, one.name, max(mine, theirs) if one.name == "instants" else mine + theirs)
            else:
                mine.update(theirs)
