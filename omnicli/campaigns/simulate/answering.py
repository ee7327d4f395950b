"""Providers and people as the model has them: what becomes of a touch, what is answered and when, and who comes in.

What is drawn lies in a calendar of ticks until its instant has come; then it is folded into the store as any response is.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from omnicli import clock
from omnicli.campaigns.simulate.chances import DAY, MINUTE, PLACE, WHOLE, Chance, Odds, delay, draw, draws
from omnicli.campaigns.simulate.model import Awake

#: What one grows tired of doing.
WILLING = frozenset({"opened", "clicked", "replied", "scanned"})
#: What becomes of a call or a piece of work: one of them.
OUTCOMES = frozenset({"answered", "voicemail", "no_answer", "refused", "callback", "done"})


class Answered(NamedTuple):
    """One thing that a person will do: when, who, what, and which touch it answers (`enrollment` 0: none)."""

    at: int
    contact: int
    name: str
    enrollment: int
    step: str
    message: str
    channel: str


@dataclass
class Calendar:
    """Answers by the tick at which they are heard; `grid` in milliseconds."""

    grid: int
    end: int
    days: dict[int, list[Answered]] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    def add(self, answered: Answered) -> None:
        tick = -(-answered.at // self.grid) * self.grid
        found = self.days.get(tick)
        if found is None:
            found = self.days[tick] = []
            heapq.heappush(self.order, tick)
        found.append(answered)

    @property
    def next(self) -> int | None:
        return self.order[0] if self.order else None

    def due(self, now: int) -> list[Answered]:
        """Everything that has happened by now, in the order in which it happened."""
        found: list[Answered] = []
        while self.order and self.order[0] <= now:
            found += self.days.pop(heapq.heappop(self.order))
        return sorted(found)


class Waking:
    """The hours in which people do things, on their own clocks."""

    def __init__(self, awake: Awake) -> None:
        self.begin, self.end = awake.begin.minutes, awake.end.minutes or 1440

    def at(self, ms: int, zone: tzinfo, when: float) -> int:
        """That instant when they are awake then, else within an hour or two after they get up."""
        minute = (ms + _offset(zone, ms // (6 * 60 * MINUTE))) // MINUTE % 1440
        if self.begin <= minute < self.end:
            return ms
        until = (self.begin - minute) % 1440
        return ms + until * MINUTE + int(when * 90) * MINUTE


@lru_cache(maxsize=65536)
def _offset(zone: tzinfo, quarter: int) -> int:
    """Milliseconds that this zone is ahead of UTC, in a quarter of a day: clocks change at its edges, give or take an hour."""
    instant = clock.from_ms(quarter * 6 * 60 * MINUTE)
    return int((instant.astimezone(zone).utcoffset() or timedelta(0)) / timedelta(milliseconds=1))


class Touch(NamedTuple):
    """One touch as the model sees it."""

    at: int
    contact: int
    uid: str
    number: str
    enrollment: int
    step: str
    message: str
    channel: str
    persona: str | None
    zone: tzinfo
    lately: int  # touches of the last 30 days before this one


class People:
    """What people do after a touch, and what providers do with it."""

    def __init__(
        self, odds: Odds, seed: str, *, goal: str | None, listened: frozenset[str], waking: Waking, calendar: Calendar
    ) -> None:
        self.odds, self.seed, self.goal, self.listened = odds, seed, goal, listened
        self.waking, self.calendar = waking, calendar

    def carry(self, touch: Touch) -> tuple[str, Sequence[str]]:
        """`rejected bounced lost delivered`, and the answers that come by the end; those that matter lie in the calendar now."""
        prospects = self.odds.of(touch.channel, touch.persona, touch.step)
        drawn = draws(self.seed, touch.uid, touch.number, touch.step, touch.channel)
        if drawn[0] < prospects.refused * WHOLE:
            return "rejected", ()
        if drawn[1] < prospects.bounced * WHOLE:
            self._hear(touch, "bounced", touch.at + (1 + drawn[1] % 30) * MINUTE)
            return "bounced", ()
        if drawn[2] < prospects.lost * WHOLE:
            return "lost", ()
        fresh = self.odds.tired**touch.lately
        self._follow(touch, "accepted", touch.at, drawn[3], fresh)
        return "delivered", self._answers(touch, prospects.answers, drawn, fresh)

    def _answers(self, touch: Touch, chances: Sequence[Chance], drawn: Sequence[int], fresh: float) -> Sequence[str]:
        found: list[str] = []
        left: float | None = None  # of the outcomes of a call, one comes about
        for chance in chances:
            if chance.name in OUTCOMES:
                left = drawn[PLACE["answered"]] / WHOLE if left is None else left
                happens, left = left < chance.share, left - chance.share
                left = 2.0 if happens else left
            else:
                happens = drawn[chance.place] < chance.share * (fresh if chance.name in WILLING else 1.0) * WHOLE
            if not happens:
                continue
            when = self._when(touch, chance.name)
            at = self.waking.at(touch.at + delay(chance.half, when), touch.zone, when)
            if at <= self.calendar.end:
                found.append(chance.name)
                self._hear(touch, chance.name, at)
                if chance.name in self.odds.follows:
                    self._follow(
                        touch,
                        chance.name,
                        at,
                        int(draw(self.seed, touch.uid, touch.number, touch.step, "goal after " + chance.name)[0] * WHOLE),
                        1.0,
                    )
        return found

    def _follow(self, touch: Touch, cause: str, at: int, drawn: int, fresh: float) -> None:
        """The goal, where it follows from this."""
        chance = self.odds.follows.get(cause)
        if chance is None or self.goal is None or drawn >= chance.share * fresh * WHOLE:
            return
        when = self._when(touch, "goal after " + cause)
        later = self.waking.at(at + delay(chance.half, when), touch.zone, when)
        if later <= self.calendar.end:
            self.calendar.add(Answered(later, touch.contact, self.goal, 0, "", "", ""))

    def _hear(self, touch: Touch, name: str, at: int) -> None:
        if name in self.listened and at <= self.calendar.end:
            self.calendar.add(Answered(at, touch.contact, name, touch.enrollment, touch.step, touch.message, touch.channel))

    def _when(self, touch: Touch, what: str) -> float:
        return draw(self.seed, touch.uid, touch.number, touch.step, touch.channel, what)[1]

    def alone(self, contact: int, uid: str, number: int, entered: int, zone: tzinfo) -> None:
        """The goal of those who reach it untouched."""
        if self.goal is None:
            return
        whether, when = draw(self.seed, uid, str(number), "goal alone")
        if whether < self.odds.alone:
            at = self.waking.at(entered + MINUTE + int(when * self.odds.within) * MINUTE, zone, when)
            if at <= self.calendar.end:
                self.calendar.add(Answered(at, contact, self.goal, 0, "", "", ""))


def arrival(seed: str, uid: str, share: float, within: float, start: int, zone: tzinfo, waking: Waking) -> int | None:
    """When this person has the event that lets people in, or None for never."""
    whether, when = draw(seed, uid, "arrives")
    if whether >= share:
        return None
    return waking.at(start + MINUTE + int(when * within) * MINUTE, zone, draw(seed, uid, "arrives when")[0])


def midnight(instant: datetime, zone: tzinfo) -> int:
    """The beginning of that day in the zone."""
    local = instant.astimezone(zone)
    return clock.to_ms(clock.wall(local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None), zone))


__all__ = ["DAY", "Answered", "Calendar", "People", "Touch", "Waking", "arrival", "midnight"]
