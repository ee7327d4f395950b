"""What is known of one enrollment at one instant, as a walk through the flow asks for it; what was not gathered is not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from omnicli.engine import timing
from omnicli.engine.house import House
from omnicli.model.campaign import Fact
from omnicli.model.decision import Stand, Standing, Tally, TouchPlan, Why, Write
from omnicli.model.literals import Moment


class _Unasked(Exception):
    """Something that was not gathered: another round of this instant will know it."""


@dataclass(frozen=True, slots=True)
class _Ended:
    reason: str


@dataclass(frozen=True, slots=True)
class _Again:
    """Stand there and ask again in the next round of this instant."""

    stand: Stand


#: What a step leads to: the next step's id (None: the end), a place to stand, another round, or the end of the pass.
_Onward = str | Stand | _Again | _Ended | None


class Known:
    """One enrollment on its way through the flow in one instant: `at` is when the present step was reached, `clock` when the touch of the
    send just passed ended (None after any other step)."""

    __slots__ = ("at", "clock", "converted_at", "house", "now", "personal", "s", "tally", "touches", "why", "writes", "zone")

    def __init__(self, standing: Standing, house: House, tally: Tally, now: datetime) -> None:
        self.s, self.house, self.tally, self.now = standing, house, tally, now
        self.at = now
        self.clock: datetime | None = None
        self.touches: list[TouchPlan] = []
        self.writes: list[Write] = []
        self.why: list[Why] = []
        self.converted_at: datetime | None = None
        self.personal = False  # whether the answer leans on who this is
        self.zone: tzinfo = house.calendar.zone(standing.country, standing.time_zone, standing.region)

    def _same(self) -> Stand:
        s = self.s
        due = None if s.touch_open else s.due_at if s.settled is not None else s.wait_until or s.due_at
        return Stand(s.step or "", s.since, due, s.wait_from, s.wait_until, s.held_by, s.held_from, s.tried, s.touch_open)

    def _truth(self, condition: str) -> bool:
        try:
            return self.s.truths[condition]
        except KeyError:
            raise _Unasked(condition) from None

    def _say(self, rule: str, answer: str, values: Mapping[str, Any] | None = None, step: str = "") -> None:
        self.why.append(Why(step or self.s.step or "", rule, answer, values or {}))

    def _due(self, moment: Moment) -> timing.Due:
        """When the moment falls for the step reached at `at`; what it leans on must have been asked."""
        s = self.s
        facts: dict[str, Any] = {}
        if moment.kind == "best hour" and s.hours is None:
            raise _Unasked("best hour")
        if moment.kind == "anchor" and moment.anchor not in (None, "enter"):
            if moment.anchor.startswith("contact."):
                self._attribute(moment.anchor)
            else:
                facts[moment.anchor] = self._fact_day(moment.anchor)
        return timing.due(moment, reached=self.at, zone=self.zone, send_time=self.house.project.send_time,
                          entered_at=s.entered_at, facts=facts, attributes=s.attributes, hours=s.hours or {})  # fmt: skip

    def _attribute(self, path: str) -> Any:
        name = path.removeprefix("contact.")
        if name not in self.s.attributes:
            raise _Unasked(path)
        return self.s.attributes[name]

    def _fact_day(self, anchor: str) -> date | datetime | None:
        found = self.house.fact(anchor)
        if found is None:
            return None
        message, name, fact = found
        told = told_day(self.s.told, message, name)
        return told if told is not None else self._reckoned(fact)

    def _reckoned(self, fact: Fact) -> date | datetime | None:
        """The day that a date fact would say to this person, before anybody was told."""
        value = fact.value
        if fact.by_persona is not None:
            value = fact.by_persona.get(self.s.persona or "", fact.by_persona.get("default"))
        elif fact.by_language is not None:
            value = fact.by_language.get(self.s.language, fact.by_language.get(self.s.language.partition("-")[0]))
        elif fact.from_ is not None:
            owner, _, field = fact.from_.partition(".")
            value = self._attribute(fact.from_) if owner == "contact" else self.s.event.get(field)
            return timing.as_date(value)
        if not isinstance(value, Moment):
            return timing.as_date(value)
        due = timing.due(value, reached=self.s.entered_at, zone=self.zone, send_time=self.house.project.send_time,
                         entered_at=self.s.entered_at, attributes=self.s.attributes)  # fmt: skip
        return due.at.astimezone(self.zone).date() if due.at is not None else None


def told_day(told: Mapping[str, Any], message: str, name: str) -> date | datetime | None:
    """The day that this pass was told, or None: `enrollment.told` keeps {message: {fact: [type, spelling]}}."""
    kept = told.get(message)
    found = kept.get(name) if isinstance(kept, Mapping) else None
    if found is None:
        return None
    kind, value = found
    return timing.as_date(value) if kind == "date" else None
