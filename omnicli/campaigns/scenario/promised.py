"""What a campaign promises without a line of `always`: its guardrails, its goal and its exit events, as phrases that a life can break.

Counted from the files alone, so that an engine that forgets one of them is found out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnicli.model import promise as p
from omnicli.model.literals import WEEKDAYS, Duration, Rate, TimeOfDay, Window

if TYPE_CHECKING:
    from omnicli.model.campaign import Campaign
    from omnicli.model.project import Guardrails, Project

MIDNIGHT = TimeOfDay(0)


def promised(campaign: Campaign, project: Project) -> tuple[p.Promise, ...]:
    """The promises of a marketing campaign; service and transactional ones are exempt from most guardrails."""
    if campaign.purpose != "marketing" or any(message.purpose for message in campaign.messages.values()):
        return tuple(dict.fromkeys(_ends(campaign)))
    found = [*_guarded(project.guardrails), *_guarded(campaign.guardrails), *_ends(campaign)]
    return tuple(dict.fromkeys(found))


def _guarded(rails: Guardrails) -> Iterator[p.Promise]:
    for key, rates in rails.cap.items():
        yield from (p.AtMost(rate.count, _length(rate), None if key == "all" else key) for rate in rates)
    if rails.min_gap is not None:
        yield p.Apart(rails.min_gap)
    for key, windows in rails.quiet_hours.items():
        for window in windows:
            yield from _quiet(window, None if key == "all" else key)


def _length(rate: Rate) -> Duration:
    return Duration(rate.days, "day")


def _quiet(window: Window, channel: str | None) -> Iterator[p.Promise]:
    """Windows that are one phrase: hours of every day, whole weekdays, the person's holidays."""
    if window.holidays:
        yield from () if window.country else (p.NotOn("holidays", channel),)
    elif window.start is None:
        yield from (p.NotOn(WEEKDAYS[day], channel) for day in window.days)
    elif not window.days and window.end is not None:
        yield p.NotBetween(window.start, window.end, channel)


def _ends(campaign: Campaign) -> Iterator[p.Promise]:
    """After the goal, and after an event that ends the pass, nothing more of that pass."""
    goal = campaign.goal
    if goal is not None and goal.then == "exit":
        yield from (p.NothingAfter(term, goal.within) for term in goal.when if term.isidentifier())
    yield from (p.NothingAfter(rule.when) for rule in campaign.exit if rule.when and rule.when.isidentifier())
