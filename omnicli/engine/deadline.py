"""Deadlines that run only while somebody is there: a duration counted in a team's open windows (docs/language 3, `teams`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo

from omnicli import clock
from omnicli.model.literals import Duration, TimeOfDay, Window

#: A team without one open minute in so many days is taken to be always there.
HORIZON = 400


def deadline(start: datetime, length: Duration, *, hours: Sequence[Window], zone: tzinfo) -> datetime:
    """The instant by which `length` of open time has passed since `start`. Minutes and hours run while a window is open;
    days, weeks and longer are counted in days that have one, and end at the same time of day, or at that day's closing."""
    if not hours:
        return length.after(start, zone)
    if length.elapsed:
        return _elapsed(start, length.about, hours=hours, zone=zone)
    local = start.astimezone(zone)
    left = (length.shift(local.date()) - local.date()).days if length.unit != "week" else length.count * 7
    for opening, closing in _openings(local.date() + timedelta(days=1), hours, zone):
        left -= 1
        if left <= 0:
            same = clock.wall(datetime.combine(opening.astimezone(zone).date(), local.time().replace(tzinfo=None)), zone)
            return min(max(same, opening), closing)
    return length.after(start, zone)


def _elapsed(start: datetime, length: timedelta, *, hours: Sequence[Window], zone: tzinfo) -> datetime:
    left = length
    for opening, closing in _openings(start.astimezone(zone).date(), hours, zone, each=True):
        begin = max(opening, start)
        if begin >= closing:
            continue
        if closing - begin >= left:
            return begin + left
        left -= closing - begin
    return start + length


def _openings(day: date, hours: Sequence[Window], zone: tzinfo, *, each: bool = False) -> Iterator[tuple[datetime, datetime]]:
    """Open spans from `day` on, in order: every window with `each`, else one from first opening to last closing a day."""
    for n in range(HORIZON):
        here = day + timedelta(days=n)
        spans = sorted(
            (_at(here, window.start or TimeOfDay(0), zone), _at(here, window.end or TimeOfDay(1440), zone))
            for window in hours
            if not window.holidays and (not window.days or here.weekday() in window.days)
        )
        if each:
            yield from spans
        elif spans:
            yield spans[0][0], max(end for _, end in spans)


def _at(day: date, moment: TimeOfDay, zone: tzinfo) -> datetime:
    return clock.wall(datetime.combine(day, time()) + timedelta(minutes=moment.minutes), zone)
