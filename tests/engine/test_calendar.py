"""Free moments: quiet hours, the packs' hours, zones that are known, guessed or unknown (campaign-language 7.2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnicli import clock, packs
from omnicli.engine import calendar
from omnicli.engine.calendar import Calendar
from omnicli.model.literals import Duration, TimeOfDay, Window

PACKS = packs.load((), date(2027, 1, 4))
MINUTE = timedelta(minutes=1)


def windows(*texts: str) -> tuple[Window, ...]:
    return tuple(Window.parse(text) for text in texts)


def a_calendar(
    *quiet: str, countries: tuple[str, ...] = ("FR",), zone: str = "Europe/Paris", **by_channel: tuple[str, ...]
) -> Calendar:
    written = {**({"all": windows(*quiet)} if quiet else {}), **{c: windows(*texts) for c, texts in by_channel.items()}}
    return Calendar.of(zone, countries, written, PACKS, packs.holidays_of)


def wall(text: str, zone: str = "Europe/Paris") -> datetime:
    return clock.wall(datetime.fromisoformat(text), ZoneInfo(zone))


def leaves(cal: Calendar, asked: str, *, zone: str = "Europe/Paris", days: int = 14, **who: Any) -> str:
    """`2027-01-04 10:00` when and `(guard)` why not at once, in the wall time of `zone`."""
    who = {"channel": "email", "country": "FR", **who}
    start = wall(asked, zone)
    found = cal.free(start, until=start + timedelta(days=days), **who)
    reason = f" ({found.guard})" if found.guard else ""
    return (f"{found.at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" if found.at else "never") + reason


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2027-01-04 09:00", "2027-01-04 09:00"),  # half-open: 09:00 is free
        ("2027-01-04 19:59", "2027-01-04 19:59"),
        ("2027-01-04 20:00", "2027-01-05 09:00 (quiet_hours)"),  # nothing leaves from 20:00 on
        ("2027-01-04 03:00", "2027-01-04 09:00 (quiet_hours)"),  # the window of the evening before
        ("2027-01-02 21:00", "2027-01-04 09:00 (quiet_hours)"),  # Saturday night, Sunday, Sunday night
        ("2027-03-27 20:30", "2027-03-30 09:00 (quiet_hours)"),  # Easter: Saturday evening to Tuesday, over a change of clocks
        ("2026-12-31 21:00", "2027-01-02 09:00 (quiet_hours)"),  # the year's end: New Year's Day is a holiday
    ],
)
def test_a_held_touch_waits_for_the_first_free_moment(asked: str, expected: str) -> None:
    assert leaves(a_calendar("20:00-09:00", "sunday", "holidays"), asked) == expected


@pytest.mark.parametrize(
    ("quiet", "asked", "expected"),
    [
        ("sunday 20:00-09:00", "2027-01-03 19:59", "2027-01-03 19:59"),  # it belongs to the day it begins
        ("sunday 20:00-09:00", "2027-01-04 08:59", "2027-01-04 09:00 (quiet_hours)"),
        ("sunday 20:00-09:00", "2027-01-03 08:59", "2027-01-03 08:59"),
        ("monday-friday 12:00-14:00", "2027-01-04 13:00", "2027-01-04 14:00 (quiet_hours)"),
        ("monday-friday 12:00-14:00", "2027-01-09 13:00", "2027-01-09 13:00"),
        ("saturday-monday", "2027-01-09 13:00", "2027-01-12 00:00 (quiet_hours)"),
        ("22:00-24:00", "2027-01-04 23:59", "2027-01-05 00:00 (quiet_hours)"),
        ("holidays", "2027-05-06 10:00", "2027-05-07 00:00 (quiet_hours)"),  # Ascension
        ("holidays DE", "2027-10-03 10:00", "2027-10-04 00:00 (quiet_hours)"),
        ("holidays DE", "2027-07-14 10:00", "2027-07-14 10:00"),
    ],
)
def test_windows_mean_what_they_say(quiet: str, asked: str, expected: str) -> None:
    assert leaves(a_calendar(quiet), asked) == expected


@pytest.mark.parametrize(
    ("zone", "quiet", "asked", "free"),
    [
        # Paris, 28 March 2027: 02:00 becomes 03:00 (01:00Z)
        ("Europe/Paris", "22:00-02:30", "2027-03-28 00:59", "2027-03-28 01:00"),  # the window ends where the gap begins
        ("Europe/Paris", "02:30-08:00", "2027-03-28 01:00", "2027-03-28 06:00"),
        ("Europe/Paris", "02:30-08:00", "2027-03-28 00:59", "2027-03-28 00:59"),
        # Paris, 31 October 2027: 03:00 becomes 02:00 (01:00Z); 02:15 is quiet both times, 02:45 is not
        ("Europe/Paris", "22:00-02:30", "2027-10-30 23:00", "2027-10-31 00:30"),
        ("Europe/Paris", "22:00-02:30", "2027-10-31 00:45", "2027-10-31 00:45"),
        ("Europe/Paris", "22:00-02:30", "2027-10-31 01:15", "2027-10-31 01:30"),
        ("Europe/Paris", "02:30-08:00", "2027-10-31 00:45", "2027-10-31 01:00"),
        ("Europe/Paris", "02:30-08:00", "2027-10-31 01:45", "2027-10-31 07:00"),
        # Lord Howe, 3 October 2027: 02:00 becomes 02:30 (2 October 15:30Z); 4 April: 02:00 becomes 01:30 (3 April 15:00Z)
        ("Australia/Lord_Howe", "22:00-02:15", "2027-10-02 15:00", "2027-10-02 15:30"),
        ("Australia/Lord_Howe", "02:15-08:00", "2027-10-02 15:30", "2027-10-02 21:00"),
        ("Australia/Lord_Howe", "22:00-01:45", "2027-04-03 15:10", "2027-04-03 15:15"),
        ("Australia/Lord_Howe", "22:00-01:45", "2027-04-03 14:50", "2027-04-03 14:50"),
        # Troll, 28 March 2027: 01:00 becomes 03:00 (01:00Z); 31 October: 03:00 becomes 01:00 (01:00Z)
        ("Antarctica/Troll", "22:00-02:00", "2027-03-28 00:59", "2027-03-28 01:00"),
        ("Antarctica/Troll", "02:00-08:00", "2027-03-28 01:00", "2027-03-28 06:00"),
        ("Antarctica/Troll", "22:00-02:00", "2027-10-31 01:30", "2027-10-31 02:00"),
        # Cairo, 30 April 2027: midnight becomes 01:00 (29 April 22:00Z): the day begins at 01:00
        ("Africa/Cairo", "friday", "2027-04-29 21:59", "2027-04-29 21:59"),
        ("Africa/Cairo", "friday", "2027-04-29 22:00", "2027-04-30 21:00"),
    ],
)
def test_where_clocks_change_the_wall_clock_decides(zone: str, quiet: str, asked: str, free: str) -> None:
    """`asked` and `free` in UTC."""
    start = datetime.fromisoformat(asked).replace(tzinfo=UTC)
    found = a_calendar(quiet).free(start, channel="email", country="FR", time_zone=zone, until=start + timedelta(days=2))
    assert found.at == datetime.fromisoformat(free).replace(tzinfo=UTC)


def test_holidays_are_those_of_the_contacts_country_and_region() -> None:
    cal = a_calendar("holidays", countries=("FR", "BE"))
    assert leaves(cal, "2027-07-21 10:00", country="BE", zone="Europe/Brussels").startswith("2027-07-22 00:00")
    assert leaves(cal, "2027-07-21 10:00", country="FR") == "2027-07-21 10:00"
    assert leaves(cal, "2027-12-26 10:00", country="FR") == "2027-12-26 10:00"
    assert leaves(cal, "2027-12-26 10:00", country="FR", region="FR-67").startswith("2027-12-27 00:00")  # Alsace
    assert leaves(cal, "2027-07-14 10:00", country=None).startswith("2027-07-15 00:00")  # the project's first


@pytest.mark.parametrize(
    ("at", "asked", "expected"),
    [
        ("10:00", "2027-01-03 10:00", "2027-01-04 10:00 (quiet_hours)"),  # not at 09:00
        ("10:00", "2027-01-04 10:00", "2027-01-04 10:00"),
        ("08:00", "2027-01-04 08:00", "never (quiet_hours)"),  # a time that is always quiet
        ("02:30", "2027-03-27 02:30", "never (quiet_hours)"),
        ("10:00", "2027-03-27 20:00", "2027-03-30 10:00 (quiet_hours)"),
        ("09:00", "2027-01-03 09:00", "2027-01-04 09:00 (quiet_hours)"),  # at the very opening
        ("19:59", "2027-01-03 19:59", "2027-01-04 19:59 (quiet_hours)"),
    ],
)
def test_a_touch_with_a_time_of_day_waits_for_that_time(at: str, asked: str, expected: str) -> None:
    assert leaves(a_calendar("20:00-09:00", "sunday", "holidays"), asked, at=TimeOfDay.parse(at)) == expected


def test_what_opens_too_late_is_not_free() -> None:
    cal = a_calendar("20:00-09:00", "sunday", "holidays")
    assert leaves(cal, "2027-03-27 20:30", days=2) == "never (quiet_hours)"
    assert leaves(cal, "2027-03-27 20:30", days=2, at=TimeOfDay(600)) == "never (quiet_hours)"
    start = wall("2027-01-04 20:30")
    assert cal.free(start, channel="email", country="FR", until=wall("2027-01-05 09:00")).at == wall("2027-01-05 09:00")
    assert cal.free(start, channel="email", country="FR", until=wall("2027-01-05 08:59")).at is None


def test_a_held_touch_takes_its_place_after_the_opening() -> None:
    cal, start, half_hour = a_calendar("20:00-09:00"), wall("2027-01-04 21:00"), Duration(30, "minute")
    places = [cal.free(start, channel="email", country="FR", key=bytes([n]), spread=half_hour).at for n in range(64)]
    assert all(place and wall("2027-01-05 09:00") <= place < wall("2027-01-05 09:30") for place in places)
    assert len(set(places)) == 64
    assert cal.free(start, channel="email", country="FR", key=b"\x01", spread=half_hour).at == places[1]
    assert cal.free(start, channel="email", country="FR", key=b"\x01", spread=half_hour, at=TimeOfDay(600)).at == wall(
        "2027-01-05 10:00"
    )
    noon = wall("2027-01-04 12:00")
    assert cal.free(noon, channel="email", country="FR", key=b"\x01", spread=half_hour).at == noon  # free: at once
    narrow = a_calendar("20:00-09:00", "09:10-10:00")
    inside = [narrow.free(start, channel="email", country="FR", key=bytes([n]), spread=half_hour).at for n in range(64)]
    assert all(place and place < wall("2027-01-05 09:10") for place in inside)


def test_the_spread_is_not_cut_where_a_block_of_days_ends() -> None:
    cal = a_calendar("20:00-09:00", zone="Pacific/Auckland")
    number = date(2027, 1, 4).toordinal() // calendar.BLOCK_DAYS + 1
    edge = datetime.fromordinal(number * calendar.BLOCK_DAYS).replace(tzinfo=UTC)
    cal = Calendar.of("Etc/UTC", ("FR",), {"all": windows("22:00-23:45")}, PACKS, packs.holidays_of)
    places = [
        cal.free(
            edge - timedelta(hours=1),
            channel="email",
            country="FR",
            time_zone="Etc/UTC",
            key=bytes([n]),
            spread=Duration(30, "minute"),
        ).at
        for n in range(64)
    ]
    assert any(place and place > edge for place in places)
    assert all(place and edge - timedelta(minutes=15) <= place < edge + timedelta(minutes=15) for place in places)


# --- purposes and packs -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("channel", "purpose", "expected"),
    [
        ("sms", "marketing", "2027-01-04 08:00 (pack)"),
        ("voice", "marketing", "2027-01-04 10:00 (pack)"),
        ("email", "marketing", "2027-01-03 21:00"),
        ("whatsapp", "marketing", "2027-01-03 21:00"),
        ("push", "marketing", "2027-01-03 21:00"),
        ("sms", "service", "2027-01-04 08:00 (quiet_hours)"),
        ("voice", "service", "2027-01-04 08:00 (quiet_hours)"),
        ("email", "service", "2027-01-03 21:00"),
        ("sms", "transactional", "2027-01-03 21:00"),
        ("voice", "transactional", "2027-01-03 21:00"),
    ],
)
def test_on_a_sunday_night_in_france(channel: str, purpose: str, expected: str) -> None:
    assert leaves(a_calendar(), "2027-01-03 21:00", channel=channel, purpose=purpose) == expected


def test_no_file_lifts_what_a_pack_forbids() -> None:
    cal = a_calendar("03:00-03:01")
    assert leaves(cal, "2027-01-03 12:00", channel="sms") == "2027-01-04 08:00 (pack)"
    assert leaves(cal, "2027-01-04 21:00", channel="sms") == "2027-01-04 21:00"  # the default ends at 20:00, the file lifts it
    assert leaves(a_calendar(), "2027-01-04 21:00", channel="sms") == "2027-01-05 08:00 (quiet_hours)"
    assert leaves(cal, "2027-01-04 22:00", channel="sms") == "2027-01-05 08:00 (pack)"
    assert leaves(cal, "2027-01-04 13:30", channel="voice") == "2027-01-04 14:00 (pack)"


def test_a_campaign_adds_to_the_packs_default_and_does_not_replace_it() -> None:
    cal = Calendar.of("Europe/Paris", ("FR",), {"sms": windows("12:00-13:00")}, PACKS, packs.holidays_of, own=())
    assert leaves(cal, "2027-01-04 12:30", channel="sms") == "2027-01-04 13:00 (quiet_hours)"
    assert leaves(cal, "2027-01-04 21:00", channel="sms") == "2027-01-05 08:00 (quiet_hours)"
    own = Calendar.of("Europe/Paris", ("FR",), {"sms": windows("12:00-13:00")}, PACKS, packs.holidays_of, own=("sms",))
    assert leaves(own, "2027-01-04 21:00", channel="sms") == "2027-01-04 21:00"


def test_the_strictest_of_recipient_and_sender_holds() -> None:
    new_york = {"country": "US", "time_zone": "America/New_York", "zone": "America/New_York", "channel": "sms"}
    american, french = a_calendar("03:00-03:01", countries=("US", "FR")), a_calendar("03:00-03:01", countries=("FR", "US"))
    assert leaves(american, "2027-01-03 12:00", **new_york) == "2027-01-03 12:00"
    assert leaves(french, "2027-01-03 12:00", **new_york) == "2027-01-04 08:00 (pack)"
    assert leaves(american, "2027-01-04 20:30", **new_york) == "2027-01-04 20:30"
    florida = {**new_york, "region": "US-FL"}
    assert leaves(american, "2027-01-04 20:30", **florida) == "2027-01-05 08:00 (pack)"


@pytest.mark.parametrize("country", [None, "BR", "XX", "BE", "CA", "DE"])
def test_an_unknown_country_gets_the_strict_pack(country: str | None) -> None:
    zone = "Europe/Paris"
    for channel in ("sms", "voice", "whatsapp", "messenger", "push"):
        who = {"country": country, "time_zone": zone, "channel": channel}
        found = leaves(a_calendar(countries=("US",)), "2027-01-03 12:00", **who)
        assert found == "2027-01-04 09:00 (pack)"
    assert (
        leaves(a_calendar(countries=("US",)), "2027-01-04 12:00", country=country, time_zone=zone, channel="sms")
        == "2027-01-04 12:00"
    )


def test_what_a_pack_forbids_at_any_hour_is_barred_by_law() -> None:
    from dataclasses import replace

    barred = {**PACKS, "FR": replace(PACKS["FR"], closed={"voice": windows("monday-sunday")})}
    cal = Calendar.of("Europe/Paris", ("FR",), {}, barred, packs.holidays_of)
    found = cal.free(wall("2027-01-04 12:00"), channel="voice", country="FR", until=wall("2027-02-04 12:00"))
    assert (found.at, found.guard, found.law) == (None, "pack", True)
    quiet = a_calendar("monday-sunday").free(wall("2027-01-04 12:00"), channel="email", country="FR")
    assert (quiet.at, quiet.guard, quiet.law) == (None, "quiet_hours", False)


# --- zones --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("country", "time_zone", "region", "working", "zones"),
    [
        ("FR", "America/Martinique", None, "America/Martinique", 1),
        ("FR", None, None, "Europe/Paris", 1),
        ("FR", "Mars/Olympus", None, "Europe/Paris", 1),  # not a zone
        ("RE", None, None, "Indian/Reunion", 1),
        ("US", None, None, "America/New_York", 29),
        ("US", None, "CA", "America/Los_Angeles", 1),
        ("US", None, "US-FL", "America/New_York", 2),
        ("US", None, "ZZ", "America/New_York", 29),
        ("XX", None, None, "Europe/Paris", 2),  # the project's countries: Paris, Brussels
        (None, None, None, "Europe/Paris", 2),
    ],
)
def test_a_contact_without_a_zone_has_a_working_zone_and_all_it_may_live_in(
    country: str | None, time_zone: str | None, region: str | None, working: str, zones: int
) -> None:
    cal = a_calendar(countries=("FR", "BE"))
    assert cal.zone(country, time_zone, region).key == working
    assert len(cal.zones(country, time_zone, region)) == zones


def test_without_a_zone_a_moment_is_free_only_if_it_is_free_in_every_zone_of_the_country() -> None:
    cal = a_calendar("20:00-09:00", countries=("US",), zone="America/New_York")
    found = cal.free(wall("2027-01-04 10:00", "America/New_York"), channel="email", country="US", until=wall("2027-01-06 10:00"))
    assert found.at == wall("2027-01-04 09:00", "Pacific/Honolulu") == wall("2027-01-04 14:00", "America/New_York")
    evening = cal.free(
        wall("2027-01-04 20:00", "America/New_York"), channel="email", country="US", until=wall("2027-01-06 10:00")
    )
    assert evening.at == wall("2027-01-05 09:00", "Pacific/Honolulu")


def test_zones_that_are_never_free_together_open_never() -> None:
    cal = a_calendar("20:00-09:00", countries=("FR", "US", "AU"))
    found = cal.free(wall("2027-01-04 10:00"), channel="email", until=wall("2027-02-04 10:00"))
    assert (found.at, found.guard, found.law) == (None, "quiet_hours", False)
    assert leaves(cal, "2027-01-04 10:00", country="FR") == "2027-01-04 10:00"


@pytest.mark.parametrize(
    ("texts", "minutes"),
    [((), 10080), (("20:00-09:00",), 4620), (("20:00-09:00", "sunday"), 3960), (("monday-sunday",), 0), (("12:00-00:00", "00:00-12:00"), 0),
     (("sunday 20:00-09:00",), 10080 - 780), (("sunday 20:00-09:00", "monday 00:00-09:00"), 10080 - 780), (("holidays",), 10080)],
)  # fmt: skip
def test_free_minutes_of_a_week(texts: tuple[str, ...], minutes: int) -> None:
    assert calendar.free_minutes(windows(*texts)) == minutes
    assert calendar.never_opens(windows(*texts)) == (minutes == 0)


def test_blocked_time_is_merged_and_clipped() -> None:
    cal = a_calendar("20:00-09:00", "sunday")
    spans = cal.blocked(wall("2027-01-02 12:00"), wall("2027-01-04 21:00"), channel="email", country="FR")
    assert spans == ((wall("2027-01-02 20:00"), wall("2027-01-04 09:00")), (wall("2027-01-04 20:00"), wall("2027-01-04 21:00")))


def test_how_long_silence_lasts_and_how_much_time_is_free() -> None:
    cal = a_calendar("20:00-09:00", "sunday", "holidays")
    week = (wall("2027-03-22 00:00"), wall("2027-04-05 00:00"))
    assert cal.longest_silence(*week, channel="email", country="FR") == timedelta(hours=60)  # Easter, an hour short in spring
    assert cal.free_time(*week, channel="email", country="FR") == timedelta(hours=11 * 11)
    assert cal.longest_silence(*week, channel="email", purpose="transactional", country="FR") == timedelta(0)


def test_what_never_opens_is_not_looked_for_for_ever() -> None:
    cal, start = a_calendar("monday-sunday"), wall("2027-01-04 12:00")
    assert cal.free(start, channel="email", country="FR", until=datetime(9000, 1, 1, tzinfo=UTC)).at is None
    assert cal.free(start, channel="email", country="FR", until=datetime(9000, 1, 1, tzinfo=UTC), at=TimeOfDay(600)).at is None


def test_blocked_time_is_compiled_once_a_key_and_not_once_a_contact() -> None:
    cal = a_calendar("20:00-09:00", "sunday", "holidays", "19:17-19:18")
    before = calendar.compile_block.cache_info().misses
    for n in range(2000):
        cal.free(wall("2027-01-04 00:00") + n * timedelta(minutes=11), channel="email", country="FR", time_zone="Europe/Paris")
    assert calendar.compile_block.cache_info().misses - before <= 2 * 5  # blocks of 8 days, for the pack and for all


def test_importing_the_rules_does_not_import_the_holidays() -> None:
    import subprocess
    import sys

    code = (
        "import sys, omnicli.packs, omnicli.engine.calendar, datetime; omnicli.packs.load((), datetime.date(2027, 1, 4)); "
        "sys.exit('holidays' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- properties -----------------------------------------------------------------------------------------------------------------
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Pacific/Apia",
)
DAY_PARTS = st.builds(
    lambda days, start, length: Window(days, TimeOfDay(start), TimeOfDay((start + length) % 1440)),
    st.sampled_from([(), (6,), (5, 6), (0, 1, 2, 3, 4)]), st.integers(0, 95).map(lambda n: n * 15), st.integers(1, 95).map(lambda n: n * 15),
)  # fmt: skip
WINDOWS = st.lists(st.one_of(DAY_PARTS, st.sampled_from(windows("sunday", "holidays", "holidays DE"))), max_size=3)
INSTANTS = st.integers(0, 4 * 365 * 96).map(lambda n: datetime(2026, 1, 1, 0, 7, tzinfo=UTC) + n * timedelta(minutes=15))


def stands_in(window: Window, local: datetime, country: str) -> bool:
    """The oracle: whether the wall clock shows a time inside the window, day by day, minute by minute."""
    minute, day = local.hour * 60 + local.minute, local.date()

    def begins(on: date) -> bool:
        if window.holidays:
            return on in packs.holidays_of(window.country or country, None, on.year)
        return not window.days or on.weekday() in window.days

    if window.start is None or window.end is None:
        return begins(day)
    start, end = window.start.minutes, window.end.minutes or 1440
    if start < end:
        return begins(day) and start <= minute < end
    return (begins(day) and minute >= start) or (begins(day - timedelta(days=1)) and minute < end)


@settings(max_examples=150, deadline=None, database=None)
@given(written=WINDOWS, instant=INSTANTS, zone=st.sampled_from(ZONES))
@pytest.mark.guards("quiet_hours")
def test_the_first_free_moment_is_free_and_none_before_it_is(written: list[Window], instant: datetime, zone: str) -> None:
    cal, tz = Calendar.of(zone, ("FR",), {"all": tuple(written)}, PACKS, packs.holidays_of), ZoneInfo(zone)

    def quiet(at: datetime) -> bool:
        return any(stands_in(window, at.astimezone(tz), "FR") for window in written)

    found = cal.free(instant, channel="email", country="FR", time_zone=zone, until=instant + timedelta(days=9))
    last = found.at or instant + timedelta(days=4)
    assert found.at is None or not quiet(found.at)
    assert (found.guard is None) == (found.at == instant)
    at = instant
    while at < last:
        assert quiet(at)
        at += 5 * MINUTE


@settings(max_examples=100, deadline=None, database=None)
@given(written=WINDOWS, instant=INSTANTS, country=st.sampled_from(["US", "FR", None, "AU"]), minutes=st.integers(0, 95))
def test_in_unknown_zones_what_is_free_is_free_everywhere(
    written: list[Window], instant: datetime, country: str | None, minutes: int
) -> None:
    """I5, and PR-08: never "send anyway"; with a time of day as well."""
    cal = Calendar.of("Europe/Paris", ("FR", "US"), {"all": tuple(written)}, PACKS, packs.holidays_of)
    for at in (None, TimeOfDay(minutes * 15)):
        found = cal.free(instant, channel="email", country=country, until=instant + timedelta(days=8), at=at)
        if found.at is not None:
            assert instant <= found.at <= instant + timedelta(days=8)
            for zone in cal.zones(country, None):
                assert not any(stands_in(window, found.at.astimezone(zone), country or "FR") for window in written)
            if at is not None and found.at != instant:
                local = found.at.astimezone(cal.zone(country, None))
                assert (local.hour * 60 + local.minute == at.minutes) or local.utcoffset() != (
                    found.at - timedelta(days=1)
                ).astimezone(local.tzinfo).utcoffset()


@settings(max_examples=150, deadline=None, database=None)
@given(
    written=WINDOWS, instant=INSTANTS, channel=st.sampled_from(["sms", "voice"]), region=st.sampled_from([None, "67", "FR-68", "974"]),
    at=st.one_of(st.none(), st.integers(0, 95).map(lambda n: TimeOfDay(n * 15))), countries=st.sampled_from([("FR",), ("US", "FR"), ()]),
)  # fmt: skip
@pytest.mark.guards("pack")
def test_in_france_marketing_keeps_its_days_and_hours_whatever_a_file_says(
    written: list[Window], instant: datetime, channel: str, region: str | None, at: TimeOfDay | None, countries: tuple[str, ...]
) -> None:
    """D3: no SMS on Sundays and holidays nor at night, no call outside 10-13 and 14-20 from Monday to Friday."""
    cal = Calendar.of("Europe/Paris", countries, {"all": tuple(written)}, PACKS, packs.holidays_of)
    found = cal.free(
        instant,
        channel=channel,
        country="FR",
        region=region,
        until=instant + timedelta(days=9),
        at=at,
        key=b"k",
        spread=timedelta(hours=1),
    )
    if found.at is None:
        return
    local = found.at.astimezone(ZoneInfo("Europe/Paris"))
    assert local.date() not in packs.holidays_of("FR", region, local.year)
    if channel == "sms":
        assert local.weekday() != 6
        assert 8 <= local.hour < 22
    else:
        assert local.weekday() < 5
        assert 10 <= local.hour < 13 or 14 <= local.hour < 20


@settings(max_examples=60, deadline=None, database=None)
@given(first=WINDOWS, more=WINDOWS, instant=INSTANTS)
def test_a_window_more_never_frees_a_moment(first: list[Window], more: list[Window], instant: datetime) -> None:
    """D15, for windows: adding one never lets a touch leave earlier."""
    few = Calendar.of("Europe/Paris", ("FR",), {"all": tuple(first)}, PACKS, packs.holidays_of)
    many = Calendar.of("Europe/Paris", ("FR",), {"all": tuple(first + more)}, PACKS, packs.holidays_of)
    until = instant + timedelta(days=9)
    early, late = (cal.free(instant, channel="email", country="FR", until=until).at for cal in (few, many))
    assert late is None or (early is not None and early <= late)
