"""When something is due: every form of a moment (campaign-language 2.2) as one pure function of instants and a zone.

Instants are aware and UTC. A wall time that does not exist moves forward by the gap; one that exists twice means the
first. Days, weeks, months and years are calendar steps in the zone; minutes and hours are elapsed time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock_time
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from omnicli import clock, guards
from omnicli.model.literals import Duration, Moment, TimeOfDay

#: `best hour` needs this many own responses; fewer say nothing (2.2).
ENOUGH_RESPONSES = 5
MIDNIGHT = TimeOfDay(0)

#: Other people's systems write 9999-12-31 for "never" and 0001-01-01 for "unknown": neither may stop a turn.
FAR = datetime(9000, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(1000, 1, 1, tzinfo=UTC)

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NO_HOURS: Mapping[int, int] = MappingProxyType({})
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Due:
    """When a moment falls. `at`: when a `send` is due, or a `wait` is over (the instant reached, for a past moment; None
    when the anchor is missing). `time`: the time of day that a held touch waits for (7.2), None when none was written.
    `written`: the moment's own instant, also when it is past: what a date fact says."""

    at: datetime | None
    missing: bool = False
    past: bool = False
    time: TimeOfDay | None = None
    written: datetime | None = None


def due(
    moment: Moment, *, reached: datetime, zone: tzinfo, send_time: TimeOfDay, entered_at: datetime | None = None,
    facts: Mapping[str, Any] = _NOTHING, attributes: Mapping[str, Any] = _NOTHING, hours: Mapping[int, int] = _NO_HOURS,
) -> Due:  # fmt: skip
    """When `moment` falls for a step reached at `reached`, in the contact's working zone.

    `facts` holds dates by `message.fact` (a bare name is found when one message has it), `attributes` those of the contact
    (a date, an instant, ISO text, or milliseconds, as the store keeps them), `hours` the number of own human responses of
    the last 180 days by local hour.
    """
    match moment.kind:
        case "now":
            return Due(reached, written=reached)
        case "time":
            return _placed(next_time(moment.time or send_time, reached, zone), reached, moment.time)
        case "best hour":
            time = best_hour(hours, send_time)
            return _placed(next_time(time, reached, zone), reached, time)
        case "weekday":
            return _placed(next_weekday(moment.weekday or 0, moment.time or send_time, reached, zone), reached, moment.time)
        case "date":
            assert moment.day is not None
            return _placed(on_day(moment.day, moment.time or send_time, zone), reached, moment.time)
    anchor = _anchor(moment.anchor or "", entered_at, facts, attributes)
    if anchor is None:
        return Due(None, missing=True, time=moment.time)
    return _placed(from_anchor(moment, anchor, zone, send_time), reached, moment.time)


def _placed(at: datetime, reached: datetime, time: TimeOfDay | None) -> Due:
    """A moment already past when the step is reached means now (a wait is passed at once)."""
    return Due(max(at, reached), past=at < reached, time=time, written=at)


def day_of(
    moment: Moment, *, zone: tzinfo, entered_at: datetime, attributes: Mapping[str, Any] = _NOTHING,
    facts: Mapping[str, Any] = _NOTHING,
) -> date | None:  # fmt: skip
    """The calendar day that a date fact (`26 days after enter`, `2027-01-31`) says to this person, past or not; None when
    its anchor is missing."""
    if moment.kind == "date":
        return moment.day
    found = due(
        moment, reached=entered_at, zone=zone, send_time=MIDNIGHT, entered_at=entered_at, attributes=attributes, facts=facts
    )
    return found.written.astimezone(zone).date() if found.written is not None else None


def from_anchor(moment: Moment, anchor: date | datetime, zone: tzinfo, send_time: TimeOfDay) -> datetime:
    """`2 days before deadline at 10:00`: from a day (at `send_time` when nothing says otherwise) or from an instant."""
    sign = -1 if moment.direction == "before" else 1
    length = moment.length
    if isinstance(anchor, datetime):
        at = anchor if length is None else _step(length, anchor, zone, sign)
        return at if moment.time is None else on_day(at.astimezone(zone).date(), moment.time, zone)
    if length is None or not length.elapsed:
        return on_day(anchor if length is None else _shifted(anchor, length, sign), moment.time or send_time, zone)
    at = _step(length, on_day(anchor, send_time, zone), zone, sign)
    return at if moment.time is None else on_day(at.astimezone(zone).date(), moment.time, zone)


def _shifted(day: date, length: Duration, sign: int) -> date:
    try:
        moved = length.shift(day, sign * length.count)
    except (ValueError, OverflowError):
        return (FAR if sign > 0 else LONG_AGO).date()
    return min(max(moved, LONG_AGO.date()), FAR.date())


def _anchor(
    name: str, entered_at: datetime | None, facts: Mapping[str, Any], attributes: Mapping[str, Any]
) -> date | datetime | None:
    """The day or instant that an anchor names, or None when this contact lacks it."""
    if name == "enter":
        return entered_at
    if name.startswith("contact."):
        return as_date(attributes.get(name[8:]))
    if name in facts:
        return as_date(facts[name])
    found = [value for key, value in facts.items() if key.rpartition(".")[2] == name] if "." not in name else []
    return as_date(found[0]) if len(found) == 1 else None


def as_date(value: Any) -> date | datetime | None:
    """A stored date (`2027-01-31`) or instant (milliseconds, or ISO text with its offset) as a value; None for nothing, and
    for a text that is no date: a payload may say anything, and one person's must not stop a turn."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, int):
            return clock.from_ms(value)
        text = str(value or "").strip()
        return date.fromisoformat(text) if len(text) == 10 else as_date(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def on_day(day: date, time: TimeOfDay, zone: tzinfo) -> datetime:
    """The instant of a time of day on a calendar day in the zone (24:00 is midnight at its end)."""
    if not LONG_AGO.year <= day.year < FAR.year:
        return FAR if day.year >= FAR.year else LONG_AGO
    if time.minutes >= 1440:
        day, time = day + _DAY, TimeOfDay(time.minutes - 1440)
    return clock.wall(datetime.combine(day, clock_time(time.minutes // 60, time.minutes % 60)), zone)


def next_time(time: TimeOfDay, reached: datetime, zone: tzinfo) -> datetime:
    """The first such time of day strictly after `reached`."""
    return next(at for day in _days(reached, zone) if (at := on_day(day, time, zone)) > reached)


def next_weekday(weekday: int, time: TimeOfDay, reached: datetime, zone: tzinfo) -> datetime:
    """The first such weekday (0 is Monday) at that time strictly after `reached`."""
    return next(at for day in _days(reached, zone) if day.weekday() == weekday and (at := on_day(day, time, zone)) > reached)


def _days(reached: datetime, zone: tzinfo) -> Iterator[date]:
    """Local days from that of `reached` on; from the day before in the small hours, since a gap at midnight moves a
    wall time of the evening before into the new day."""
    local = reached.astimezone(zone)
    day = local.date() if local.hour >= 3 else local.date() - _DAY
    while True:
        yield day
        day += _DAY


def best_hour(hours: Mapping[int, int], send_time: TimeOfDay) -> TimeOfDay:
    """The local hour of most own responses, when there are enough of them; ties go to the earlier hour."""
    if sum(hours.values()) < ENOUGH_RESPONSES:
        return send_time
    return TimeOfDay(60 * min(hours, key=lambda hour: (-hours[hour], hour)))


def add(duration: Duration, instant: datetime, zone: tzinfo) -> datetime:
    """The instant this long after `instant`: calendar units step on the wall clock of the zone."""
    return _step(duration, instant, zone, 1)


def before(duration: Duration, instant: datetime, zone: tzinfo) -> datetime:
    """The instant this long before `instant`."""
    return _step(duration, instant, zone, -1)


def _step(duration: Duration, instant: datetime, zone: tzinfo, sign: int) -> datetime:
    """As `_stepped`, remembered for instants in UTC: those who are due together step from the same instant."""
    return _remembered(duration, instant, zone, sign) if instant.tzinfo is UTC else _stepped(duration, instant, zone, sign)


def _stepped(duration: Duration, instant: datetime, zone: tzinfo, sign: int) -> datetime:
    """Beyond what the calendar can count, `FAR` and `LONG_AGO` stand for ever and for never yet."""
    try:
        moved = _moved(duration, instant, zone, sign)
    except (ValueError, OverflowError):
        return FAR if sign > 0 else LONG_AGO
    return min(max(moved, LONG_AGO), FAR)


_remembered = lru_cache(maxsize=4096)(_stepped)


def _moved(duration: Duration, instant: datetime, zone: tzinfo, sign: int) -> datetime:
    if duration.unit == "minute":
        return instant + timedelta(minutes=sign * duration.count)
    if duration.unit == "hour":
        return instant + timedelta(hours=sign * duration.count)
    local = instant.astimezone(zone)
    moved = duration.shift(local.date(), sign * duration.count)
    return clock.wall(datetime.combine(moved, local.time()), zone)


def expires(due_at: datetime, max_delay: Duration, zone: tzinfo) -> datetime:
    """The last instant at which a touch due then may still leave (7, `max_delay`)."""
    return add(max_delay, due_at, zone)


def draw(key: bytes, purpose: str, scale: int) -> int:
    """A number in [0, scale) that is always the same for this key and purpose (8.3: SHA-256, first 8 bytes)."""
    return int.from_bytes(hashlib.sha256(purpose.encode() + b"\x1f" + key).digest()[:8], "big") % scale


def spread(key: bytes, window: timedelta | Duration) -> timedelta:
    """The place of a touch inside `window`, in whole milliseconds, by the hash of its key; always the same."""
    length = window.about if isinstance(window, Duration) else window
    ms = length // timedelta(milliseconds=1)
    return timedelta(milliseconds=draw(key, "spread", ms)) if ms > 0 and guards.on("spread") else timedelta(0)


@lru_cache(maxsize=1024)
def local_day(instant: datetime, zone: tzinfo) -> int:
    """The ordinal of the local date (what caps count)."""
    return instant.astimezone(zone).toordinal()


def yearly(day: date, year: int) -> date:
    """The anniversary of a day in a year: 29 February falls on the 28th in other years (PR-13)."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
