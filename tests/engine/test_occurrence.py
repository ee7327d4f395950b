"""Schedules: one occurrence for each local date, in zones whose clocks do everything (campaign-language 4.4, R9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from omnicli.engine.occurrence import latest, occurrences
from omnicli.model.literals import Every


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(every: str, zone: str, after: str, until: str) -> list[str]:
    tz = ZoneInfo(zone)
    found = occurrences(Every.parse(every), tz, at(after), at(until))
    return [f"{o.date} {o.slot} = {o.at:%d %H:%M}Z = {o.at.astimezone(tz):%d %H:%M}" for o in found]


@pytest.mark.parametrize(
    ("every", "zone", "after", "until", "expected"),
    [
        pytest.param(
            "day 02:30", "Europe/Paris", "2027-03-26 12:00", "2027-03-29 12:00",
            ["2027-03-27 02:30 = 27 01:30Z = 27 02:30",
             "2027-03-28 02:30 = 28 01:30Z = 28 03:30",
             "2027-03-29 02:30 = 29 00:30Z = 29 02:30"],
            id="Paris, a gap of an hour"),
        pytest.param(
            "day 02:30", "Europe/Paris", "2027-10-30 12:00", "2027-11-01 12:00",
            ["2027-10-31 02:30 = 31 00:30Z = 31 02:30",
             "2027-11-01 02:30 = 01 01:30Z = 01 02:30"],
            id="Paris, twice 02:30: the first"),
        pytest.param(
            "day 02:15", "Australia/Lord_Howe", "2027-10-02 12:00", "2027-10-03 20:00",
            ["2027-10-03 02:15 = 02 15:45Z = 03 02:45",
             "2027-10-04 02:15 = 03 15:15Z = 04 02:15"],
            id="Lord Howe, a gap of 30 minutes"),
        pytest.param(
            "day 01:45", "Australia/Lord_Howe", "2027-04-02 12:00", "2027-04-05 00:00",
            ["2027-04-03 01:45 = 02 14:45Z = 03 01:45",
             "2027-04-04 01:45 = 03 14:45Z = 04 01:45",
             "2027-04-05 01:45 = 04 15:15Z = 05 01:45"],
            id="Lord Howe, 30 minutes twice"),
        pytest.param(
            "day 02:30", "Antarctica/Troll", "2027-03-27 12:00", "2027-03-29 12:00",
            ["2027-03-28 02:30 = 28 02:30Z = 28 04:30",
             "2027-03-29 02:30 = 29 00:30Z = 29 02:30"],
            id="Troll, a gap of two hours"),
        pytest.param(
            "day 02:30", "Antarctica/Troll", "2027-10-30 12:00", "2027-11-01 12:00",
            ["2027-10-31 02:30 = 31 00:30Z = 31 02:30",
             "2027-11-01 02:30 = 01 02:30Z = 01 02:30"],
            id="Troll, two hours twice"),
        pytest.param(
            "day 00:00", "Africa/Cairo", "2027-04-28 12:00", "2027-04-30 23:00",
            ["2027-04-29 00:00 = 28 22:00Z = 29 00:00",
             "2027-04-30 00:00 = 29 22:00Z = 30 01:00",
             "2027-05-01 00:00 = 30 21:00Z = 01 00:00"],
            id="Cairo, no midnight on 30 April"),
        pytest.param(
            "day 23:30", "Africa/Cairo", "2027-10-27 12:00", "2027-10-30 12:00",
            ["2027-10-27 23:30 = 27 20:30Z = 27 23:30",
             "2027-10-28 23:30 = 28 20:30Z = 28 23:30",
             "2027-10-29 23:30 = 29 21:30Z = 29 23:30"],
            id="Cairo, 23:30 twice on 28 October: the first"),
        pytest.param(
            "sunday 00:30", "America/Havana", "2027-03-07 12:00", "2027-03-22 12:00",
            ["2027-03-14 00:30 = 14 05:30Z = 14 01:30",
             "2027-03-21 00:30 = 21 04:30Z = 21 00:30"],
            id="Havana, weekly, in the gap at midnight"),
        pytest.param(
            "day 31 of month 09:00", "Europe/Paris", "2027-01-01 00:00", "2027-04-30 12:00",
            ["2027-01-31 09:00 = 31 08:00Z = 31 09:00",
             "2027-02-28 09:00 = 28 08:00Z = 28 09:00",
             "2027-03-31 09:00 = 31 07:00Z = 31 09:00",
              "2027-04-30 09:00 = 30 07:00Z = 30 09:00"],
            id="the last day of each month"),
        pytest.param(
            "monday 09:00", "Europe/Paris", "2027-01-04 08:00", "2027-01-11 08:00",
            ["2027-01-11 09:00 = 11 08:00Z = 11 09:00"],
            id="the end counts, the beginning does not"),
    ],
)  # fmt: skip
def test_a_schedule_fires_once_a_local_date(every: str, zone: str, after: str, until: str, expected: list[str]) -> None:
    assert fired(every, zone, after, until) == expected


def test_a_single_occurrence_is_at_its_wall_time_in_the_projects_zone() -> None:
    paris = ZoneInfo("Europe/Paris")
    once = datetime(2027, 1, 12, 10, 0)  # noqa: DTZ001 - wall time, as the file has it
    found = list(occurrences(once, paris, at("2027-01-01"), at("2027-02-01")))
    assert [(o.date, o.slot, o.at) for o in found] == [("2027-01-12", "10:00", at("2027-01-12 09:00"))]
    assert list(occurrences(once, paris, at("2027-01-12 09:00"), at("2027-02-01"))) == []
    assert latest(once, paris, at("2027-01-01"), at("2027-01-12 08:59")) is None


def test_what_was_missed_is_made_up_once() -> None:
    newest = latest(Every.parse("day 07:00"), ZoneInfo("Europe/Paris"), at("2027-01-01 12:00"), at("2027-01-10 05:59"))
    assert newest is not None
    assert newest.date == "2027-01-09"
    assert latest(Every.parse("monday 07:00"), ZoneInfo("Europe/Paris"), at("2027-01-05 12:00"), at("2027-01-10 12:00")) is None


@pytest.mark.parametrize(
    ("every", "times"),
    [("day 02:30", 365), ("sunday 02:30", 52), ("day 28 of month 02:30", 12), ("day 00:00", 365), ("day 23:59", 365)],
)
@pytest.mark.parametrize(
    "zone", ["Europe/Paris", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Cairo", "America/Nuuk", "Pacific/Chatham"]
)
def test_ticks_of_any_length_see_the_same_occurrences(every: str, times: int, zone: str) -> None:
    tz, schedule = ZoneInfo(zone), Every.parse(every)
    start, end = at("2027-01-01"), at("2028-01-01")
    whole = list(occurrences(schedule, tz, start, end))
    parts, edge = [], start
    while edge < end:
        step = min(edge + timedelta(hours=37, minutes=13), end)
        parts += occurrences(schedule, tz, edge, step)
        newest = latest(schedule, tz, edge, step)
        assert newest == (parts[-1] if parts and parts[-1].at > edge else None)
        edge = step
    assert parts == whole
    assert len({(o.date, o.slot) for o in whole}) == len(whole)
    assert whole == sorted(whole, key=lambda o: o.at)
    assert len(whole) == times
