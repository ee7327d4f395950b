"""Moments: each written form, at the instant a step is reached, gives the instant it is due (campaign-language 2.2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnicli import clock
from omnicli.engine import timing
from omnicli.model.literals import Duration, Moment, TimeOfDay

PARIS = ZoneInfo("Europe/Paris")


def wall(text: str, zone: str = "Europe/Paris") -> datetime:
    return clock.wall(datetime.fromisoformat(text), ZoneInfo(zone))


def when(moment: str, reached: str, zone: str = "Europe/Paris", **given: Any) -> timing.Due:
    return timing.due(Moment.parse(moment), reached=wall(reached, zone), zone=ZoneInfo(zone), send_time=TimeOfDay(600), **given)


def local(due: timing.Due, zone: str = "Europe/Paris") -> str:
    assert due.at is not None
    return due.at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("moment", "reached", "expected"),
    [
        ("now", "2027-01-04 11:30", "2027-01-04 11:30"),
        ("next 10:00", "2027-01-04 11:30", "2027-01-05 10:00"),
        ("10:00", "2027-01-04 09:59", "2027-01-04 10:00"),
        ("next 10:00", "2027-01-04 10:00", "2027-01-05 10:00"),  # strictly after
        ("next monday 09:00", "2027-01-04 08:59", "2027-01-04 09:00"),
        ("next monday 09:00", "2027-01-04 09:00", "2027-01-11 09:00"),
        ("next friday", "2027-01-04 11:30", "2027-01-08 10:00"),  # send_time
        ("2027-01-31", "2027-01-04 11:30", "2027-01-31 10:00"),
        ("2027-01-31 18:45", "2027-01-04 11:30", "2027-01-31 18:45"),
        ("best hour", "2027-01-04 11:30", "2027-01-05 10:00"),  # nobody knows: send_time
        # clocks: 02:30 does not exist on 28 March 2027, and exists twice on 31 October
        ("next 02:30", "2027-03-27 12:00", "2027-03-28 03:30"),
        ("next 02:30", "2027-03-28 03:10", "2027-03-28 03:30"),
        ("2027-03-28 02:30", "2027-03-01 12:00", "2027-03-28 03:30"),
    ],
)
def test_a_moment_falls_where_the_page_says(moment: str, reached: str, expected: str) -> None:
    assert local(when(moment, reached)) == expected


def test_a_time_that_exists_twice_means_the_first() -> None:
    assert when("next 02:30", "2027-10-30 12:00").at == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_after_the_first_of_two_the_next_one_is_tomorrow() -> None:
    between = datetime(2027, 10, 31, 0, 45, tzinfo=UTC)  # 02:45, first time round
    due = timing.due(Moment.parse("next 02:30"), reached=between, zone=PARIS, send_time=TimeOfDay(600))
    assert local(due) == "2027-11-01 02:30"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2 days after enter", "2027-01-06 11:30"),
        ("2 days after enter at 10:00", "2027-01-06 10:00"),
        ("36 hours after enter", "2027-01-05 23:30"),
        ("36 hours after enter at 08:00", "2027-01-05 08:00"),  # the local day on which the 36 hours end
        ("26 days after enter", "2027-01-30 11:30"),
        ("1 month after enter", "2027-02-04 11:30"),
        ("offre.deadline", "2027-01-30 10:00"),
        ("deadline at 18:00", "2027-01-30 18:00"),
        ("2 days before offre.deadline at 10:00", "2027-01-28 10:00"),
        ("2 days before deadline", "2027-01-28 10:00"),
        ("2 hours before deadline", "2027-01-30 08:00"),  # from send_time of that day
        ("7 days before contact.renewal", "2027-02-22 10:00"),
        ("contact.appointment", "2027-01-20 15:00"),
        ("1 day before contact.appointment at 18:00", "2027-01-19 18:00"),
    ],
)
def test_an_anchor_counts_from_enter_a_fact_or_an_attribute(moment: str, expected: str) -> None:
    due = when(
        moment, "2027-01-04 11:30", entered_at=wall("2027-01-04 11:30"), facts={"offre.deadline": date(2027, 1, 30)},
        attributes={"renewal": "2027-03-01", "appointment": clock.to_ms(wall("2027-01-20 15:00"))},
    )  # fmt: skip
    assert local(due) == expected
    assert not due.past
    assert not due.missing


@pytest.mark.parametrize(
    "moment", ["contact.renewal", "3 days before contact.renewal at 10:00", "deadline", "other.deadline", "enter"]
)
def test_an_anchor_that_the_contact_lacks_is_missing(moment: str) -> None:
    due = when(
        moment, "2027-01-04 11:30", attributes={"renewal": None}, facts={"a.deadline": date(2027, 1, 1), "b.deadline": None}
    )
    assert due.missing
    assert due.at is None


def test_a_past_moment_means_now() -> None:
    due = when("2 days before deadline at 10:00", "2027-01-29 08:00", facts={"offre.deadline": date(2027, 1, 30)})
    assert due.past
    assert local(due) == "2027-01-29 08:00"


@pytest.mark.parametrize(
    ("moment", "day"),
    [("2026-12-31", "2026-12-31"), ("26 days after enter", "2027-01-30"), ("3 days before contact.renewal", "2026-11-28"),
     ("contact.renewal", "2026-12-01"), ("contact.nothing", None), ("1 hour after enter", "2027-01-04")],
)  # fmt: skip
def test_a_date_fact_says_its_own_day_even_when_it_is_past(moment: str, day: str | None) -> None:
    said = timing.day_of(
        Moment.parse(moment), zone=PARIS, entered_at=wall("2027-01-04 11:30"), attributes={"renewal": "2026-12-01"}
    )
    assert said == (date.fromisoformat(day) if day else None)


def test_the_very_instant_is_not_past() -> None:
    assert not when("2027-01-04 11:30", "2027-01-04 11:30").past


@pytest.mark.parametrize(
    ("moment", "time"), [("next 10:00", 600), ("next monday", None), ("next monday 09:00", 540), ("now", None),
                         ("best hour", 600), ("deadline at 18:00", 1080), ("deadline", None)]
)  # fmt: skip
def test_a_held_touch_keeps_the_time_of_day_that_was_written(moment: str, time: int | None) -> None:
    due = when(moment, "2027-01-04 11:30", facts={"m.deadline": date(2027, 2, 1)})
    assert due.time == (None if time is None else TimeOfDay(time))


@pytest.mark.parametrize(
    ("hours", "best"),
    [
        ({}, "10:00"),
        ({18: 4}, "10:00"),  # four answers say nothing
        ({18: 5}, "18:00"),
        ({18: 3, 9: 3}, "09:00"),  # a tie goes to the earlier hour
        ({20: 4, 7: 1, 9: 3}, "20:00"),
        ({0: 9, 23: 2}, "00:00"),
    ],
)
def test_the_best_hour_is_the_hour_of_most_own_answers(hours: dict[int, int], best: str) -> None:
    assert str(timing.best_hour(hours, TimeOfDay(600))) == best
    assert local(when("best hour", "2027-01-04 12:00", hours=hours)).endswith(best)


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        ("2027-03-27 10:00", "1 day", "2027-03-28 10:00"),  # 23 hours
        ("2027-10-30 10:00", "1 day", "2027-10-31 10:00"),  # 25 hours
        ("2027-03-27 10:00", "24 hours", "2027-03-28 11:00"),
        ("2027-03-27 02:30", "1 day", "2027-03-28 03:30"),
        ("2027-01-31 10:00", "1 month", "2027-02-28 10:00"),
        ("2028-01-31 10:00", "1 month", "2028-02-29 10:00"),
        ("2028-02-29 10:00", "1 year", "2029-02-28 10:00"),
        ("2027-01-04 10:00", "2 weeks", "2027-01-18 10:00"),
        ("2027-01-04 10:00", "90 minutes", "2027-01-04 11:30"),
    ],
)
def test_days_are_calendar_steps_and_hours_are_elapsed_time(start: str, length: str, expected: str) -> None:
    at = timing.add(Duration.parse(length), wall(start), PARIS)
    assert at == wall(expected)
    assert timing.expires(wall(start), Duration.parse(length), PARIS) == at


def test_midnight_at_the_end_of_a_day_is_the_next_days_beginning() -> None:
    assert timing.on_day(date(2027, 1, 4), TimeOfDay(1440), PARIS) == wall("2027-01-05 00:00")
    assert timing.on_day(date(2027, 1, 4), TimeOfDay(1439), PARIS) == wall("2027-01-04 23:59")


def test_29_february_is_kept_on_the_28th_in_other_years() -> None:
    assert timing.yearly(date(2024, 2, 29), 2027) == date(2027, 2, 28)
    assert timing.yearly(date(2024, 2, 29), 2028) == date(2028, 2, 29)
    assert timing.yearly(date(2024, 3, 1), 2027) == date(2027, 3, 1)


@pytest.mark.guards("spread")
def test_the_spread_is_the_same_every_time_and_even() -> None:
    window = Duration(30, "minute")
    places = [timing.spread(bytes([n % 256, n // 256]), window) for n in range(2000)]
    assert places == [timing.spread(bytes([n % 256, n // 256]), timedelta(minutes=30)) for n in range(2000)]
    assert all(timedelta(0) <= place < timedelta(minutes=30) for place in places)
    tenths = [sum(1 for place in places if place // timedelta(minutes=3) == i) for i in range(10)]
    assert min(tenths) > 150
    assert timing.spread(b"key", timedelta(0)) == timedelta(0)


@pytest.mark.parametrize(
    "length", [Duration(9000, "year"), Duration(10**11, "day"), Duration(10**13, "hour"), Duration(10**12, "month")]
)
def test_a_length_beyond_the_calendar_is_for_ever_and_stops_nothing(length: Duration) -> None:
    now = wall("2027-01-04 10:00")
    assert timing.add(length, now, PARIS) == timing.FAR
    assert timing.before(length, now, PARIS) == timing.LONG_AGO


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York", "Etc/UTC"])
@pytest.mark.parametrize(
    "moment", ["contact.end", "contact.end at 23:59", "1 month after contact.end", "36 hours before contact.end"]
)
def test_the_dates_that_mean_never_and_unknown_stop_nothing(zone: str, moment: str) -> None:
    never = when(moment, "2027-01-04 11:30", zone=zone, attributes={"end": "9999-12-31"}).at
    assert never is not None
    assert never.year >= 8999
    assert when(moment, "2027-01-04 11:30", zone=zone, attributes={"end": "0001-01-01"}).past


@pytest.mark.parametrize("value", [None, "", "soon", "2027-02-30", "2027-13-01 10:00", 10**30, [], {}, "31/01/2027"])
def test_what_is_no_date_is_missing(value: object) -> None:
    assert timing.as_date(value) is None
    assert when("contact.renewal", "2027-01-04 11:30", attributes={"renewal": value}).missing


@settings(max_examples=150, deadline=None, database=None)
@given(
    reached=st.integers(20_000, 23_000).map(lambda day: 1440 * day).flatmap(lambda m: st.integers(m, m + 1439)),
    zone=st.sampled_from(
        ["Europe/Paris", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Cairo", "America/Nuuk", "Asia/Kathmandu"]
    ),
    minutes=st.integers(0, 1439),
)
def test_the_next_time_is_strictly_later_and_none_lies_between(reached: int, zone: str, minutes: int) -> None:
    start, tz, time = clock.from_ms(reached * 60_000), ZoneInfo(zone), TimeOfDay(minutes)
    at = timing.next_time(time, start, tz)
    assert timedelta(0) < at - start <= timedelta(hours=26, minutes=30)
    day = at.astimezone(tz).date()
    assert at in [timing.on_day(day + timedelta(days=n), time, tz) for n in (-1, 0)]
    between = [timing.on_day(start.astimezone(tz).date() + timedelta(days=n), time, tz) for n in range(-1, 3)]
    assert min(moment for moment in between if moment > start) == at
