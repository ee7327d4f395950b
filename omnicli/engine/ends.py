"""What ends a pass from outside of the flow: the goal, and the exits that every marketing campaign has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from omnicli.engine import guard, timing
from omnicli.engine.house import House
from omnicli.model.decision import Standing


def conversion(firsts: Mapping[Any, datetime | None], house: House, entered_at: datetime, zone: Any) -> datetime | None:
    """The earliest occurrence of the goal since entry, if it lies within `within`; passes that ended convert too (4.2)."""
    goal = house.campaign.goal
    found = [at for term in house.goal_terms if (at := firsts["enter", term]) is not None]
    if goal is None or not found:
        return None
    first = min(found)
    return first if goal.within is None or first <= timing.add(goal.within, entered_at, zone) else None


def opted_out(s: Standing, house: House, now: datetime) -> str | None:
    """The built-in exits of marketing: `complained`, or `unsubscribed` from the last channel that was left, by topic or
    altogether (4.5)."""
    topic = house.topic
    bars = {here.barred(now) for here in s.reach.values() if here.bar is not None}
    if topic is not None and any(here.without(topic, now) for here in s.reach.values() if here.left):
        bars.add("unsubscribed")
    if not bars:
        return None
    if "complained" in bars:
        return "complained"
    if not bars & {"unsubscribed", "stop", "objection", "refused"}:
        return None
    left = any(guard.reachable(s.reach, channel, "marketing", now, topic) is None for channel in house.channels_of_people)
    return None if left else "unsubscribed"
