"""R9: around every change of clock on record, quiet hours hold, no day is lost or doubled, and delays are what was written."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from omnicli import packs
from omnicli.engine import timing
from omnicli.engine.calendar import Calendar
from omnicli.engine.occurrence import occurrences
from omnicli.model.literals import Duration, Every, TimeOfDay, Window

TORTURE = Path(__file__).parents[2].parent / "shared/data/torture/dst/dst_transitions_2024_2035.csv"
DAY = timedelta(days=1)

pytestmark = pytest.mark.skipif(not TORTURE.exists(), reason=f"the list of zone transitions is not there: {TORTURE}")


@lru_cache(maxsize=1)
def transitions() -> tuple[tuple[ZoneInfo, datetime, int, int], ...]:
    """(zone, instant, wall minute before the change, minutes by which the clock moved)."""
    with TORTURE.open(encoding="utf-8", newline="") as file:
        return tuple(
            (ZoneInfo(row["zone"]), datetime.fromisoformat(row["utc_instant"]).astimezone(UTC),
             int(row["old_wall_time"][:2]) * 60 + int(row["old_wall_time"][3:]),
             round((float(row["offset_after_h"]) - float(row["offset_before_h"])) * 60))
            for row in csv.DictReader(file)
        )  # fmt: skip


def inside(minute: int, moved: int) -> int:
    """A wall minute that does not exist that day, or exists twice."""
    return (minute + (moved if moved < 0 else 0) + abs(moved) // 2) % 1440


def around(zone: ZoneInfo, instant: datetime, days: int) -> list[date]:
    """The local dates from `days` before to `days` after the change."""
    middle = instant.astimezone(zone).date()
    return [middle + n * DAY for n in range(-days, days + 1)]


def test_the_list_is_the_one_that_the_figures_speak_of() -> None:
    assert len(transitions()) == 4620
    assert len({zone.key for zone, *_ in transitions()}) == 205


def test_quiet_hours_hold_on_every_minute_around_a_change() -> None:
    """The window begins or ends inside the hour that is missing or comes twice."""
    pack = packs.load((), date(2027, 1, 1))
    for zone, instant, minute, moved in transitions():
        edge = inside(minute, moved)
        for window in (
            Window((), TimeOfDay(edge), TimeOfDay((edge + 480) % 1440)),
            Window((), TimeOfDay((edge - 480) % 1440), TimeOfDay(edge)),
        ):
            cal = Calendar.of(zone.key, (), {"all": (window,)}, pack, packs.holidays_of)
            for minutes in (-200, -61, -31, -1, 0, 1, 29, 59, 90, 500):
                start = instant + timedelta(minutes=minutes)
                found = cal.free(start, channel="email", time_zone=zone.key, until=start + DAY)
                assert found.at is not None
                assert not _quiet(window, found.at, zone), (zone.key, found.at)
                assert found.at == start or _quiet(window, start, zone)
                assert found.at == start or _quiet(window, found.at - timedelta(minutes=1), zone)  # not a minute longer


def _quiet(window: Window, instant: datetime, zone: ZoneInfo) -> bool:
    assert window.start is not None
    assert window.end is not None
    local = instant.astimezone(zone)
    minute, start, end = local.hour * 60 + local.minute, window.start.minutes, window.end.minutes
    return start <= minute < end if start < end else minute >= start or minute < end


def test_a_daily_schedule_has_each_date_once() -> None:
    for zone, instant, minute, moved in transitions():
        for time in (TimeOfDay(inside(minute, moved)), TimeOfDay(0)):
            days = around(zone, instant, 2)
            found = [
                o
                for o in occurrences(Every("day", 0, time), zone, instant - 4 * DAY, instant + 4 * DAY)
                if o.date in map(str, days)
            ]
            assert [o.date for o in found] == [str(day) for day in days], zone.key
            assert all(a.at < b.at for a, b in pairwise(found))
            assert all(abs((b.at - a.at) - DAY) <= timedelta(hours=3) for a, b in pairwise(found))


def test_a_weekly_schedule_has_each_week_once() -> None:
    for zone, instant, minute, moved in transitions():
        weekday = instant.astimezone(zone).weekday()
        every = Every("weekday", weekday, TimeOfDay(inside(minute, moved)))
        found = list(occurrences(every, zone, instant - 10 * DAY, instant + 10 * DAY))
        assert all(date.fromisoformat(o.date).weekday() == weekday for o in found)
        assert [date.fromisoformat(b.date) - date.fromisoformat(a.date) for a, b in pairwise(found)] == [7 * DAY] * (
            len(found) - 1
        )
        assert len(found) in (2, 3), zone.key


def starts() -> Iterator[tuple[ZoneInfo, datetime]]:
    for zone, instant, minute, moved in transitions():
        for days in (1, 3):
            yield zone, timing.on_day(instant.astimezone(zone).date() - days * DAY, TimeOfDay(inside(minute, moved)), zone)
        yield zone, instant
        yield zone, instant - timedelta(milliseconds=1)


def test_n_days_are_n_dates_at_the_same_wall_time() -> None:
    for zone, start in starts():
        for n in (1, 3):
            end = timing.add(Duration(n, "day"), start, zone)
            a, b = start.astimezone(zone), end.astimezone(zone)
            assert b.date() - a.date() == n * DAY, zone.key
            moved = datetime.combine(b.date(), b.time()) - datetime.combine(b.date(), a.time())
            assert timedelta(0) <= moved <= timedelta(hours=2)  # forward, and only out of a gap
            assert moved == timedelta(0) or (end - timedelta(hours=3)).astimezone(zone).utcoffset() != b.utcoffset()


def test_n_hours_are_elapsed_time() -> None:
    for zone, start in starts():
        assert timing.add(Duration(72, "hour"), start, zone) - start == 3 * DAY


def test_the_next_time_of_day_is_found_across_a_change() -> None:
    for zone, instant, minute, moved in transitions():
        time = TimeOfDay(inside(minute, moved))
        for reached in (instant - DAY, instant - timedelta(minutes=61), instant, instant + timedelta(minutes=15)):
            at = timing.next_time(time, reached, zone)
            assert timedelta(0) < at - reached <= DAY + timedelta(hours=2, minutes=30)
