"""Guards: who can be reached, what caps allow and when they open again, how guardrails merge to the stricter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnicli import packs
from omnicli.engine import guard
from omnicli.model.campaign import Campaign, CampaignGuardrails, Enter
from omnicli.model.contact import ChannelReach
from omnicli.model.literals import AtCap, Duration, Rate, Window
from omnicli.model.project import Guardrails, Project

NOW = datetime(2027, 1, 4, 10, 0, tzinfo=UTC)
TODAY = date(2027, 1, 11)
DAYS = ("2026-12-13", "2026-12-14", "2027-01-02", "2027-01-03")
PACKS = packs.load((), date(2027, 1, 4))


def caps(**written: str) -> guard.Caps:
    return {channel: tuple(Rate.parse(text) for text in texts.split(", ")) for channel, texts in written.items()}


def slots(*written: str) -> list[tuple[int, str]]:
    """`sms 2027-01-04` is an SMS that counts on that local date."""
    return [(date.fromisoformat(day).toordinal(), channel) for channel, day in (text.split() for text in written)]


# --- caps: golden tables --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cap", "taken", "opens"),
    [
        # 3 per week is at most 3 on any 7 consecutive dates, today (11 January) included
        ({"email": "3 per week"}, [], None),
        ({"email": "3 per week"}, ["email 2027-01-05", "email 2027-01-06"], None),
        ({"email": "3 per week"}, ["email 2027-01-05", "email 2027-01-06", "email 2027-01-08"], "2027-01-12"),
        ({"email": "3 per week"}, ["email 2027-01-04", "email 2027-01-06", "email 2027-01-08"], None),  # the 4th is 7 days ago
        ({"email": "3 per week"}, ["email 2027-01-09", "email 2027-01-10", "email 2027-01-11"], "2027-01-16"),
        ({"email": "3 per week"}, ["sms 2027-01-05", "email 2027-01-06", "email 2027-01-08"], None),  # another channel
        ({"all": "3 per week"}, ["sms 2027-01-05", "email 2027-01-06", "email 2027-01-08"], "2027-01-12"),
        # per day is one date
        ({"email": "1 per day"}, ["email 2027-01-10"], None),
        ({"email": "1 per day"}, ["email 2027-01-11"], "2027-01-12"),
        ({"email": "1 per day"}, ["email 2027-01-11", "email 2027-01-12"], "2027-01-13"),  # already promised for tomorrow
        # 1 in 3 days
        ({"sms": "1 per 3 days"}, ["sms 2027-01-09"], None),  # never seen as email
        ({"email": "1 per 3 days"}, ["email 2027-01-09"], "2027-01-12"),
        ({"email": "1 per 3 days"}, ["email 2027-01-08"], None),
        ({"email": "4 per 30 days"}, [f"email {day}" for day in DAYS], "2027-01-12"),
        ({"email": "4 per 30 days"}, [f"email {day}" for day in ("2026-12-12", *DAYS[1:])], None),
        # several caps all hold; the date given fits each of them
        ({"email": "1 per day, 3 per week"}, ["email 2027-01-09", "email 2027-01-10", "email 2027-01-11"], "2027-01-16"),
        ({"all": "2 per day", "email": "1 per day"}, ["sms 2027-01-11", "push 2027-01-11"], "2027-01-12"),
        ({"all": "1 per 3 days", "email": "1 per day"}, ["sms 2027-01-12"], "2027-01-15"),  # it would stand two dates before
        # 0 means never, absent means no cap
        ({"email": "0 per day"}, [], "never"),
        ({"all": "0 per week"}, [], "never"),
        ({"sms": "0 per day"}, ["email 2027-01-11"], None),
        # hours count as one date
        ({"email": "1 per 2 hours"}, ["email 2027-01-11"], "2027-01-12"),
    ],
)  # fmt: skip
@pytest.mark.guards("cap")
@pytest.mark.guards("n_day_count")
def test_a_cap_opens_on_the_date_that_the_table_says(cap: dict[str, str], taken: list[str], opens: str | None) -> None:
    found = guard.capped(slots(*taken), caps(**cap), "email", TODAY.toordinal())
    if opens == "never":
        assert found == guard.NEVER
    else:
        assert (found and date.fromordinal(found).isoformat()) == opens


RATES = st.builds(Rate, st.integers(1, 4), st.integers(1, 12), st.just("day"))
RULES = st.fixed_dictionaries(
    {}, optional={"all": st.tuples(RATES, RATES), "email": st.tuples(RATES), "sms": st.tuples(RATES, RATES)}
)


@settings(max_examples=120, deadline=None, database=None)
@given(rules=RULES, wishes=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["email", "sms", "push"])), max_size=40))
def test_no_cap_is_exceeded_on_any_run_of_dates_whatever_the_order(rules: guard.Caps, wishes: list[tuple[int, str]]) -> None:
    """I4, with touches asked for in any order of dates (a zone that changes puts touches on later local dates)."""
    start, taken = TODAY.toordinal(), list[tuple[int, str]]()
    for days, channel in wishes:
        if guard.capped(taken, rules, channel, start + days) is None:
            taken.append((start + days, channel))
    for key, rates in rules.items():
        counted = [day for day, channel in taken if key in ("all", channel)]
        for rate in rates:
            for first in counted:
                assert sum(1 for day in counted if first <= day < first + rate.days) <= rate.count


@settings(max_examples=120, deadline=None, database=None)
@given(rules=RULES, taken=st.lists(st.tuples(st.integers(-20, 6), st.sampled_from(["email", "sms"])), max_size=14))
def test_the_next_date_is_free_and_none_before_it_is(rules: guard.Caps, taken: list[tuple[int, str]]) -> None:
    start = TODAY.toordinal()
    counted = [(start + day, channel) for day, channel in taken]
    opens = guard.capped(counted, rules, "email", start)
    if opens is not None:
        assert opens > start
        assert guard.capped(counted, rules, "email", opens) is None
        assert all(guard.capped(counted, rules, "email", day) is not None for day in range(start, opens))


@settings(max_examples=60, deadline=None, database=None)
@given(
    days=st.lists(st.integers(0, 90), max_size=60), cap=st.sampled_from([None, "1 per day", "9 per week", "90 per month"]),
    countries=st.sampled_from([("FR",), ("US", "FR"), ("FR", "US")]), country=st.sampled_from(["FR", "US", None]),
)  # fmt: skip
def test_nobody_in_france_is_called_more_than_four_times_in_thirty_days(
    days: list[int], cap: str | None, countries: tuple[str, ...], country: str | None
) -> None:
    """D3 (FR-08), whatever the files allow; and nobody else by a French company."""
    project = a_project(countries, **({"cap": caps(voice=cap, all="99 per day")} if cap else {}))
    rules, taken = guard.merge_guardrails(project, None, PACKS).caps_for(country), list[tuple[int, str]]()
    for day in sorted(days):
        if guard.capped(taken, rules, "voice", TODAY.toordinal() + day) is None:
            taken.append((TODAY.toordinal() + day, "voice"))
    if "FR" in (country, countries[0]):
        assert all(sum(1 for day, _ in taken if first <= day < first + 30) <= 4 for first, _ in taken)


def test_the_cap_opens_when_the_local_date_begins() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    assert guard.cap_opens(date(2027, 1, 12).toordinal(), ZoneInfo("Europe/Paris")) == datetime(2027, 1, 11, 23, 0, tzinfo=UTC)
    assert guard.cap_opens(date(2027, 4, 30).toordinal(), cairo) == datetime(2027, 4, 29, 22, 0, tzinfo=UTC)  # it begins at 01:00
    assert guard.cap_opens(guard.NEVER, cairo) is None


@settings(max_examples=150, deadline=None, database=None)
@given(rate=RATES, days=st.lists(st.integers(-14, 14), max_size=12))
def test_a_touch_fits_exactly_when_no_run_of_dates_gets_too_many(rate: Rate, days: list[int]) -> None:
    """Against counting every run of dates, with touches before and after today; a base within its caps."""
    taken: list[int] = []
    for day in days:
        if _most(rate, [*taken, day]) <= rate.count:
            taken.append(day)
    today = TODAY.toordinal()
    found = guard.capped([(today + day, "email") for day in taken], {"email": (rate,)}, "email", today)
    assert (found is None) == (_most(rate, [*taken, 0]) <= rate.count)


def _most(rate: Rate, days: list[int]) -> int:
    """The most touches in any run of dates as long as the cap's period."""
    return max(sum(1 for day in days if first <= day < first + rate.days) for first in days)


def test_a_daily_touch_at_ten_is_never_held_back_by_seconds() -> None:
    taken: list[tuple[int, str]] = []
    for n in range(30):
        assert guard.capped(taken, caps(email="1 per day"), "email", TODAY.toordinal() + n) is None
        taken.append((TODAY.toordinal() + n, "email"))


# --- min_gap and at_cap ---------------------------------------------------------------------------------------------------
@pytest.mark.guards("min_gap")
def test_a_gap_is_counted_from_the_last_touch() -> None:
    paris, last = ZoneInfo("Europe/Paris"), NOW - timedelta(hours=10)
    assert guard.gap_opens(last, Duration(16, "hour"), NOW, paris) == last + timedelta(hours=16)
    assert guard.gap_opens(last, Duration(10, "hour"), NOW, paris) is None
    assert guard.gap_opens(None, Duration(16, "hour"), NOW, paris) is None
    assert guard.gap_opens(last, None, NOW, paris) is None


@pytest.mark.parametrize(
    ("rule", "opens", "outcome"),
    [
        ("skip", timedelta(hours=1), "skip"),
        ("next channel", timedelta(hours=1), "next channel"),
        ("wait up to 2 days, else skip", timedelta(days=2), "wait"),
        ("wait up to 2 days, else skip", timedelta(days=2, seconds=1), "skip"),
        ("wait up to 2 days, else next channel", timedelta(days=3), "next channel"),
        ("wait up to 2 days, else skip", None, "skip"),
    ],
)
def test_at_cap_waits_only_for_what_opens_in_time(rule: str, opens: timedelta | None, outcome: str) -> None:
    assert guard.at_cap(AtCap.parse(rule), NOW, None if opens is None else NOW + opens, ZoneInfo("Europe/Paris")) == outcome


# --- who can be reached ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reach", "marketing", "transactional"),
    [
        (ChannelReach(address=True, granted=True), None, None),
        (ChannelReach(address=False, granted=True), "no_address", "no_address"),
        (ChannelReach(address=True, granted=None), "no_consent", None),
        (ChannelReach(address=True, granted=False), "no_consent", None),
        (ChannelReach(address=True, granted=False, until=NOW), "no_consent", None),
        (ChannelReach(address=True, granted=True, until=NOW), "consent_expired", None),  # valid before its end, not at it
        (ChannelReach(address=True, granted=True, until=NOW + timedelta(seconds=1)), None, None),
        (ChannelReach(address=True, granted=True, bad="hard_bounce"), "bad_address", "bad_address"),
        (ChannelReach(address=True, granted=True, bar="unsubscribed"), "suppressed", None),
        (ChannelReach(address=True, granted=True, bar="soft_bounce", bar_until=NOW), None, None),
        (ChannelReach(address=True, granted=True, bar="soft_bounce", bar_until=NOW + timedelta(days=1)), "suppressed", None),
    ],
)
@pytest.mark.guards("consent", "suppression")
def test_an_opt_out_stops_marketing_and_a_bad_address_stops_all(
    reach: ChannelReach, marketing: str | None, transactional: str | None
) -> None:
    assert guard.reachable({"sms": reach}, "sms", "marketing", NOW) == marketing
    assert guard.reachable({"sms": reach}, "sms", "transactional", NOW) == transactional
    assert guard.reachable({"sms": reach}, "sms", "service", NOW) == transactional


@pytest.mark.parametrize(
    ("purpose", "topic", "reason"),
    [
        ("marketing", "soldes", "suppressed"),
        ("marketing", "atelier", None),
        ("marketing", "nouveautes", None),  # its end has come
        ("marketing", None, None),  # a campaign without a topic is left as a whole channel
        ("service", "soldes", None),
        ("transactional", "soldes", None),
    ],
)
@pytest.mark.guards("suppression")
def test_who_left_a_topic_gets_the_others_and_what_is_no_marketing(purpose: str, topic: str | None, reason: str | None) -> None:
    here = ChannelReach(True, True, left=(("nouveautes", NOW), ("soldes", None)))
    reach = {"email": here, "sms": ChannelReach(True, True)}
    assert guard.reachable(reach, "email", purpose, NOW, topic) == reason
    assert guard.reachable(reach, "sms", purpose, NOW, topic) is None


def test_a_letter_needs_no_consent_but_no_objection_and_a_card_nothing() -> None:
    assert guard.reachable({"letter": ChannelReach(address=True)}, "letter", "marketing", NOW) is None
    assert guard.reachable({"letter": ChannelReach(address=True, granted=False)}, "letter", "marketing", NOW) == "no_consent"
    assert guard.reachable({"letter": ChannelReach(address=True, granted=True, until=NOW)}, "letter", "marketing", NOW) is None
    assert guard.reachable({}, "letter", "marketing", NOW) == "no_address"
    assert guard.reachable({}, "qr", "marketing", NOW) is None
    assert guard.reachable({}, "task", "marketing", NOW) is None


def test_only_marketing_counts() -> None:
    assert [guard.counts(purpose) for purpose in ("marketing", "service", "transactional")] == [True, False, False]


# --- merging --------------------------------------------------------------------------------------------------------------
def a_project(countries: tuple[str, ...] = ("FR",), **written: Any) -> Project:
    return Project.model_validate(
        {"project": "p", "languages": ["fr"], "countries": list(countries), "time_zone": "Europe/Paris",
         "channels": {"email": {"provider": "smtp"}}, "guardrails": Guardrails.model_validate(written)}
    )  # fmt: skip


def a_campaign(**written: Any) -> Campaign:
    return Campaign.model_validate(
        {"campaign": "c", "title": "C", "enter": Enter.model_validate({"when": "signup"}), "messages": {}, "flow": (),
         "guardrails": CampaignGuardrails.model_validate(written)}
    )  # fmt: skip


def windows(*texts: str) -> tuple[Window, ...]:
    return tuple(Window.parse(text) for text in texts)


def plain(rates: tuple[Rate, ...]) -> list[str]:
    return [str(rate) for rate in rates]


def test_where_the_files_are_silent_the_packs_defaults_hold() -> None:
    merged = guard.merge_guardrails(a_project(), None, PACKS)
    found = merged.caps_for("FR")
    assert {channel: plain(rates) for channel, rates in found.items()} == {
        "all": ["2 per day", "5 per week"], "email": ["1 per day", "3 per week"], "sms": ["1 per 3 days", "4 per month"],
        "push": ["1 per day", "4 per week"], "whatsapp": ["1 per week"], "letter": ["1 per month"],
        "voice": ["1 per week", "4 per 30 days"],
    }  # fmt: skip
    assert merged.max_delay == Duration(3, "day")
    assert str(merged.at_cap) == "wait up to 2 days, else skip"
    assert merged.min_gap is None
    assert merged.quiet == {}
    assert merged.budget is None


def test_a_cap_of_the_project_replaces_the_default_of_that_key_only() -> None:
    merged = guard.merge_guardrails(a_project(cap=caps(all="3 per week", sms="2 per month", voice="9 per week")), None, PACKS)
    found = merged.caps_for("FR")
    assert plain(found["all"]) == ["3 per week"]
    assert plain(found["sms"]) == ["2 per month"]
    assert plain(found["email"]) == ["1 per day", "3 per week"]
    assert plain(found["voice"]) == ["4 per 30 days"]  # FR-08: no file can lift it


def test_the_limit_of_a_country_binds_its_people_and_its_senders() -> None:
    merged = guard.merge_guardrails(a_project(("FR", "US"), cap=caps(voice="9 per week")), None, PACKS)
    assert plain(merged.caps_for("US")["voice"]) == ["4 per 30 days"]  # the sender is French
    merged = guard.merge_guardrails(a_project(("US", "FR"), cap=caps(voice="9 per week")), None, PACKS)
    assert plain(merged.caps_for("US")["voice"]) == ["9 per week"]
    assert plain(merged.caps_for("FR")["voice"]) == ["4 per 30 days"]
    assert plain(merged.caps_for("BR")["voice"]) == ["9 per week"]
    assert merged.caps_for(None) == merged.caps_for("BR")  # both are STRICT


def test_a_campaign_can_only_be_stricter() -> None:
    project = a_project(
        cap=caps(email="3 per week"), min_gap=Duration(16, "hour"), max_delay=Duration(3, "day"),
        quiet_hours={"all": windows("20:00-09:00", "sunday")}, at_cap=AtCap.parse("skip"),
    )  # fmt: skip
    looser = a_campaign(
        cap=caps(email="9 per week"),
        min_gap=Duration(1, "hour"),
        max_delay=Duration(9, "day"),
        quiet_hours={"all": windows("22:00-07:00")},
    )
    merged = guard.merge_guardrails(project, looser, PACKS)
    assert plain(merged.caps_for("FR")["email"]) == ["3 per week"]
    assert merged.min_gap == Duration(16, "hour")
    assert merged.max_delay == Duration(3, "day")
    assert merged.quiet["all"] == windows("20:00-09:00", "sunday", "22:00-07:00")
    assert str(merged.at_cap) == "skip"
    stricter = a_campaign(cap=caps(email="2 per week, 4 per 30 days"), min_gap=Duration(2, "day"), max_delay=Duration(1, "day"),
                          quiet_hours={"sms": windows("saturday")})  # fmt: skip
    merged = guard.merge_guardrails(project, stricter, PACKS)
    assert plain(merged.caps_for("FR")["email"]) == ["2 per week", "4 per 30 days"]
    assert merged.min_gap == Duration(2, "day")
    assert merged.max_delay == Duration(1, "day")
    assert merged.quiet["sms"] == windows("saturday")
    assert merged.quiet_own == {"all"}


def test_a_cap_that_another_one_implies_is_dropped() -> None:
    assert plain(guard.strictest([Rate.parse("2 per day"), Rate.parse("2 per week"), Rate.parse("3 per 30 days")])) == [
        "2 per week",
        "3 per 30 days",
    ]


@settings(max_examples=60, deadline=None, database=None)
@given(rates=st.lists(RATES, min_size=1, max_size=5), taken=st.lists(st.integers(-20, 0), max_size=12))
def test_dropping_implied_caps_changes_no_answer(rates: list[Rate], taken: list[int]) -> None:
    counted = [(TODAY.toordinal() + day, "email") for day in taken]
    every = guard.capped(counted, {"email": tuple(rates)}, "email", TODAY.toordinal())
    few = guard.capped(counted, {"email": guard.strictest(rates)}, "email", TODAY.toordinal())
    assert (every is None) == (few is None) or _already_broken(rates, taken)


def _already_broken(rates: list[Rate], taken: list[int]) -> bool:
    return any(sum(1 for day in taken if first <= day < first + rate.days) > rate.count for rate in rates for first in taken)


def test_the_strictest_consent_of_recipient_and_sender_is_asked_for() -> None:
    assert guard.opt_in(PACKS, "US", "US", "email") == "opt_out"
    assert guard.opt_in(PACKS, "US", "FR", "email") == "soft_opt_in"
    assert guard.opt_in(PACKS, None, "FR", "email") == "opt_in"
    assert guard.opt_in(PACKS, "FR", "FR", "voice") == "opt_in"
