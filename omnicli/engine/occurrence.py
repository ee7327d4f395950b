"""Occurrences of `every:` and `at:` (campaign-language 4.4): exactly one for each local date, whatever the clocks do.

Computed from wall time and zone, never by adding seconds: a wall time in a gap moves forward by the gap, one that exists
twice means the first, and the key (local date, slot) stops a second one (docs/delivery 13).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from omnicli import clock
from omnicli.engine.timing import on_day
from omnicli.model.literals import Every

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """`date` (ISO text) and `slot` (`09:00`) are the key in the project's zone; `at` the instant, UTC."""

    date: str
    slot: str
    at: datetime


def occurrences(schedule: Every | datetime, zone: tzinfo, after: datetime, until: datetime) -> Iterator[Occurrence]:
    """Those with `after` < instant <= `until`, in order. A naive datetime is a single one (`at: 2027-01-12 10:00`)."""
    if isinstance(schedule, datetime):
        at = clock.wall(schedule, zone)
        if after < at <= until:
            yield Occurrence(schedule.date().isoformat(), f"{schedule:%H:%M}", at)
        return
    day, last = after.astimezone(zone).date() - _DAY, until.astimezone(zone).date() + _DAY
    while day <= last:
        if schedule.on(day):
            at = on_day(day, schedule.time, zone)
            if after < at <= until:
                yield Occurrence(day.isoformat(), str(schedule.time), at)
        day += _DAY


def latest(schedule: Every | datetime, zone: tzinfo, after: datetime, until: datetime) -> Occurrence | None:
    """The newest of them: what was missed is made up once, never several times (docs/delivery 13)."""
    if isinstance(schedule, datetime):
        return next(occurrences(schedule, zone, after, until), None)
    day: date = until.astimezone(zone).date() + _DAY
    first = after.astimezone(zone).date() - _DAY
    while day >= first:
        if schedule.on(day):
            at = on_day(day, schedule.time, zone)
            if after < at <= until:
                return Occurrence(day.isoformat(), str(schedule.time), at)
        day -= _DAY
    return None
