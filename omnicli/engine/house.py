"""Everything about one version of one campaign that a decision needs, frozen, built once a turn.

The flow and the messages are those of the version that the pass entered; guardrails, calendar, prices and the project are the
newest, whatever the version (docs/language 9.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from omnicli.engine.calendar import Calendar
from omnicli.engine.guard import Guarding
from omnicli.model.campaign import Campaign, Fact
from omnicli.model.flow import Flow
from omnicli.model.literals import Ceiling
from omnicli.model.project import Persona, Project

#: (message, channel, language, register) → why these words cannot go that way, or None.
Usable = Callable[[str, str, str, str | None], str | None]

#: Media that nobody is addressed by: they say nothing about the last channel that was left.
WITHOUT_ADDRESS = frozenset({"qr", "task", "webhook"})


def topic_of(campaign: Campaign) -> str | None:
    """The topic that whoever leaves this campaign leaves: of marketing only (docs/language 4)."""
    return campaign.topic if campaign.purpose == "marketing" else None


@dataclass(frozen=True)
class House:
    """`halted`: the campaign is paused and people hold still, only exits and the goal act. `ceiling` is `approve_above` where it
    binds (live, not approved). `pins` fix arms by split id (scenario tests). `ruled_by`: id of the applied version, whose
    guardrails hold, where it is another than the pass's own."""

    project: Project
    campaign: Campaign
    flow: Flow
    guarding: Guarding
    calendar: Calendar
    usable: Usable
    prices: Mapping[str, int] = field(default_factory=dict)
    personas: Mapping[str, Persona] = field(default_factory=dict)
    halted: bool = False
    ceiling: Ceiling | None = None
    pins: Mapping[str, str] = field(default_factory=dict)
    ruled_by: int | None = None

    @property
    def name(self) -> str:
        return self.campaign.campaign

    @cached_property
    def marketing(self) -> bool:
        return self.campaign.purpose == "marketing"

    @cached_property
    def topic(self) -> str | None:
        """What leaving means for this campaign; None: everything."""
        return topic_of(self.campaign)

    @cached_property
    def goal_terms(self) -> tuple[str, ...]:
        return self.campaign.goal.when if self.campaign.goal else ()

    @cached_property
    def spread(self) -> timedelta:
        return self.project.schedule.spread.about

    @cached_property
    def channels_of_people(self) -> tuple[str, ...]:
        """The media of this project by which a person can be addressed."""
        return tuple(name for name in self.project.channels if name not in WITHOUT_ADDRESS)

    def purpose(self, message: str) -> str:
        return self.campaign.messages[message].purpose or self.campaign.purpose

    def priority(self, purpose: str) -> int:
        """1 to 9 of the campaign; transactional and service touches go before all (4)."""
        return self.campaign.priority if purpose == "marketing" else 0

    def fact(self, anchor: str) -> tuple[str, str, Fact] | None:
        """(message, name, fact) of `message.fact` or of a bare fact name; None when there is none."""
        return self._facts.get(anchor)

    @cached_property
    def _facts(self) -> Mapping[str, tuple[str, str, Fact]]:
        found: dict[str, tuple[str, str, Fact]] = {}
        for message, written in self.campaign.messages.items():
            for name, fact in written.facts.items():
                found.setdefault(name, (message, name, fact))
                found[f"{message}.{name}"] = (message, name, fact)
        return found
