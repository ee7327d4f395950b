"""Packs: every rule has a source, a date and both languages; a change of law is a change of data."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from omnicli import packs
from omnicli.model.pack import pack_of, ruling
from omnicli.packs.read import EVERYWHERE

ON = date(2027, 1, 4)
A_PACK = """
pack: ZZ
rules:
  - id: ZZ-01
    severity: G
    kind: hours
    authority: own
    source: a test
    text: {en: no calls, fr: pas d'appels}
    value: {closed: {voice: ["20:00-10:00"]}}
"""


def test_the_countries_that_come_with_omni() -> None:
    assert sorted(packs.load((), ON)) == ["AU", "CA", "DE", "FR", "GB", "STRICT", "US"]
    assert packs.missing(("FR", "BE", "US", "EVERYWHERE")) == ("BE", "EVERYWHERE")


def test_every_rule_says_where_it_comes_from_and_the_unverified_ones_say_so() -> None:
    for file in packs.shipped().values():
        for rule in file.rules:
            assert rule.source, rule.id
            assert rule.text["en"], rule.id
            assert rule.text["fr"], rule.id
            if rule.authority == "?":
                assert rule.stale(ON), f"{rule.id} claims to be checked and to be unknown"


def test_every_american_state_has_zones_that_exist() -> None:
    from omnicli.engine.calendar import zone_table

    zones = packs.load((), ON)["US"].zones
    assert len(zones) == 51
    assert all(zone in zone_table()["US"] for state in zones.values() for zone in state)
    assert zones["FL"] == ("America/New_York", "America/Chicago")


def test_every_pack_says_that_it_is_not_legal_advice() -> None:
    from importlib.resources import files

    for entry in files("omnicli.packs").iterdir():
        if entry.name.endswith(".yaml") and entry.name != "everywhere.yaml":
            assert entry.read_text("utf-8").startswith("# This is not legal advice.")


def test_a_rule_goes_stale_after_a_year() -> None:
    rule = packs.load((), ON)["FR"].rule("FR-08")
    assert rule is not None
    assert rule.checked_on is not None
    assert not rule.stale(rule.checked_on + timedelta(days=365))
    assert rule.stale(rule.checked_on + timedelta(days=366))


@pytest.mark.parametrize(
    ("channel", "closed"),
    [
        ("sms", ["sunday", "holidays", "22:00-08:00"]),
        ("voice", ["saturday", "sunday", "holidays", "20:00-10:00", "13:00-14:00"]),
        ("email", []),
    ],
)
def test_french_hours(channel: str, closed: list[str]) -> None:
    assert [str(window) for window in packs.load((), ON)["FR"].closed.get(channel, ())] == closed


def test_cold_calls_in_france_change_their_rule_on_11_august_2026() -> None:
    before, after = packs.load((), date(2026, 8, 10))["FR"], packs.load((), date(2026, 8, 11))["FR"]
    assert (before.consent["voice"], after.consent["voice"]) == ("opt_out", "opt_in")
    assert before.rule("FR-07")
    assert not before.rule("FR-06")
    assert after.rule("FR-06")
    assert not after.rule("FR-07")


def test_a_country_without_hours_of_its_own_adopts_those_of_strict() -> None:
    found = packs.load((), ON)
    for country in ("CA", "GB", "DE", "AU"):
        assert found[country].closed["voice"] == found["STRICT"].closed["voice"]
        assert found[country].rule("STRICT-02")


def test_the_defaults_of_pr_01_are_in_every_pack() -> None:
    for pack in packs.load((), ON).values():
        assert {channel: [str(rate) for rate in rates] for channel, rates in pack.caps.items()} == {
            "all": ["2 per day", "5 per week"], "email": ["1 per day", "3 per week"], "sms": ["1 per 3 days", "4 per month"],
            "push": ["1 per day", "4 per week"], "whatsapp": ["1 per week"], "letter": ["1 per month"], "voice": ["1 per week"],
        }  # fmt: skip


def test_an_unknown_country_is_strict_and_the_sender_counts() -> None:
    found = packs.load((), ON)
    assert pack_of(found, "BE") is found["STRICT"]
    assert pack_of(found, None) is found["STRICT"]
    assert ruling(found, "FR", "FR") == (found["FR"],)
    assert ruling(found, "US", "FR") == (found["US"], found["FR"])
    assert ruling(found, "US", None) == (found["US"], found["STRICT"])
    assert found["FR"].because("hours", "sms") is found["FR"].rule("FR-05")
    assert EVERYWHERE not in found


@pytest.mark.parametrize(
    ("country", "region", "day", "closed"),
    [
        ("FR", None, "2027-07-14", True), ("FR", None, "2027-03-26", False), ("FR", "67", "2027-03-26", True),  # Good Friday
        ("FR", "FR-68", "2027-12-26", True), ("FR", "57", "2027-12-26", True), ("FR", "75", "2027-12-26", False),
        ("FR", "974", "2027-12-20", True), ("FR", "Nowhere", "2027-12-20", False),
        ("BE", None, "2027-07-21", True), ("US", None, "2027-07-04", True), ("XX", None, "2027-01-01", False),
    ],
)  # fmt: skip
def test_public_holidays_by_country_and_region(country: str, region: str | None, day: str, closed: bool) -> None:
    on = date.fromisoformat(day)
    assert (on in packs.holidays_of(country, region, on.year)) == closed


def test_france_has_eleven_public_holidays() -> None:
    assert [len(packs.holidays_of("FR", None, year)) for year in (2026, 2027)] == [11, 11]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("pack: ZZ", "pak: ZZ", "a pack needs 'pack' and 'rules'"),
        ("rules:", "more: x\nrules:", "unknown key more"),
        ("severity: G", "severity: X", "ZZ-01: severity is one of E W G"),
        ("kind: hours", "kind: ours", "ZZ-01: kind is one of"),
        ("authority: own", "authority: me", "ZZ-01: authority is one of"),
        ("source: a test", "source: ''", "ZZ-01: a rule needs its source"),
        ("fr: pas d'appels", "de: keine Anrufe", "in en and fr"),
        ("20:00-10:00", "20h-10h", "ZZ-01: wants"),
        ("closed:", "opened:", "ZZ-01: unknown value opened"),
        ("source: a test", "source: a test\n    from: 2027-02-30", "ZZ-01: from wants a date"),
        ("- id: ZZ-01\n", "- idd: ZZ-01\n", "a rule needs an id"),
    ],
)
def test_a_pack_out_of_shape_is_refused_by_rule(before: str, after: str, message: str) -> None:
    assert before in A_PACK
    with pytest.raises(packs.PackError, match=message):
        packs.read(A_PACK.replace(before, after), "zz.yaml")


def test_a_pack_in_shape_is_read() -> None:
    file = packs.read(A_PACK, "zz.yaml")
    assert str(file.rules[0].value["closed"]["voice"][0]) == "20:00-10:00"
