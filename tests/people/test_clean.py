"""What a text may hold when it is kept."""

from __future__ import annotations

import json

import pytest
from shop import SHARED

from omnicli.channels import addresses
from omnicli.channels.clean import Refused, clean
from omnicli.people import places

EXTRA = SHARED / "torture" / "omni-extra" / "inputs.json"
BLNS = SHARED / "torture" / "blns" / "blns.json"


@pytest.mark.parametrize(
    ("raw", "kept", "kind"),
    [
        ("Léa", "Léa", None),
        ("Le\u0301a", "Léa", None),
        ("  Léa ", "Léa", "spaces"),
        ("\u00a0Léa\u2009", "Léa", "spaces"),
        ("Anne\u00a0-\u2009Lise", "Anne - Lise", "odd_spaces"),
        ("a\tb\nc", "a b c", "odd_spaces"),
        ("a\x00b", "ab", "control"),
        ("a\u200bb\u202ec", "abc", "invisible"),
        ("'=1+1", "=1+1", "apostrophe"),
        ("'t Hooft", "'t Hooft", None),
        ("Straße  12", "Straße  12", None),
        ("👩‍👩‍👧", "👩‍👩‍👧", None),
        ("", "", None),
    ],
)
def test_a_text_is_kept_with_its_repair_named(raw, kept, kind):
    text, problem = clean(raw)
    assert (text, problem.kind if problem else None) == (kept, kind)


def test_half_a_character_is_refused():
    with pytest.raises(Refused, match="half a character"):
        clean("a\ud800")


def test_lines_are_kept_where_lines_are_wanted():
    assert clean("12 rue\r\n 69000\tLyon ", lines=True)[0] == "12 rue\n69000 Lyon"


@pytest.mark.skipif(not (EXTRA.exists() and BLNS.exists()), reason=f"{EXTRA} is not there")
def test_no_string_of_the_torture_lists_gets_through_unclean():
    strings = json.loads(BLNS.read_text()) + json.loads(EXTRA.read_text())["text_values"]
    for raw in strings:
        if not isinstance(raw, str):
            continue
        try:
            text, _ = clean(raw)
        except Refused:
            continue
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029\u202e\ufeff" for c in text)
        assert text == text.strip()
        assert clean(text)[0] == text or text.startswith("'")


@pytest.mark.parametrize(
    ("text", "value", "norm"),
    [
        ("a+tag@example.com", "a+tag@example.com", "a+tag@example.com"),
        ("Victoire.S@Example.ORG", "Victoire.S@example.org", "victoire.s@example.org"),
        ("a@bücher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("o'neil@example.co.uk", "o'neil@example.co.uk", "o'neil@example.co.uk"),
    ],
)
def test_an_e_mail_address_keeps_its_letters_and_has_one_norm(text, value, norm):
    assert addresses.email(text) == (value, norm)


@pytest.mark.parametrize(
    "text",
    ['"a b"@example.com', "a@[127.0.0.1]", "a@localhost", "a@example..com", "a@example,com", "aexample.com", "a@b@c.com", "a b@c.com", "a..b@example.com",
     ".a@example.com", "a@example.com.", "Ann <a@example.com>", "mailto:a@example.com", "a@exa_mple.com", "a@-example.com", "a@", "@example.com",
     "ü@example.com", "a@example.com\nBcc: b@example.com", f"{'a' * 65}@example.com", f"a@{'b.' * 130}com", "a@example.com?subject=x"],
)  # fmt: skip
def test_what_is_not_one_address_is_refused(text):
    with pytest.raises(Refused):
        addresses.email(text)


def test_two_addresses_in_one_are_said_to_be_two():
    with pytest.raises(Refused, match="more than one"):
        addresses.email("a@example.com, b@example.com")


@pytest.mark.parametrize(
    ("text", "country", "value"),
    [
        ("+33639981234", None, "+33639981234"), ("06 39 98 12 34", "FR", "+33639981234"), ("06.39.98.12.34", "FR", "+33639981234"),
        ("07700 900619", "GB", "+447700900619"), ("(514) 555-0123", "CA", "+15145550123"), ("+44 (0)1632 960961", "FR", "+441632960961"),
        ("00441632960961", "US", "+441632960961"), ("0692 12 34 56", "RE", "+262692123456"), ("+39 06 698 1234", None, "+39066981234"),
        ("0639981234.0", "FR", "+33639981234"), ("＋３３639981234", None, "+33639981234"),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them_become_e164(text, country, value):
    assert addresses.phone(text, country) == (value, value)


@pytest.mark.parametrize(
    ("text", "country", "reason"),
    [
        ("06 39 98 O4 04", "FR", "not a telephone number: the letter O stands for a nought"),
        ("3.36399E+10", "FR", "a spreadsheet made a power of ten of the number: digits are lost"),
        ("+33 6 39 98 12", "FR", "not a telephone number: too short"),
        ("+999 12 34 56 78", "FR", "not a telephone number: no such country code"),
        ("06 39 98 12 34", None, "not a telephone number: which country? write it with + and the country code"),
        ("+1 415 555 0100 ext 5", None, "not a telephone number to write to: it has an extension"),
        ("+14155550100,+14155550101", None, "more than one telephone number"),
        ("+1415555010012345", None, "not a telephone number: too long"),
        ("sip:x@y", "US", "not a telephone number"), ("=+14155550100", "US", "not a telephone number"), ("+", "US", "not a telephone number"),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_number_is_refused_with_the_reason(text, country, reason):
    with pytest.raises(Refused) as refused:
        addresses.phone(text, country)
    assert refused.value.problem.reason == reason


def test_the_quick_reading_of_numbers_never_differs_from_phonenumbers():
    import random

    import phonenumbers

    from omnicli.channels.numbers import quick

    dice, found = random.Random(7), 0
    regions = ["FR", "GB", "CA", "US", "RE", "DE", "BE", "IT", "MX", "BR", "AR", *sorted(phonenumbers.SUPPORTED_REGIONS)]
    for _ in range(4000):
        country = dice.choice(regions)
        code = str(phonenumbers.country_code_for_region(country))
        digits = "".join(dice.choice("0123456789") for _ in range(dice.randint(3, 12)))
        text = dice.choice((f"+{code}{digits}", f"0{digits}", f"+{digits}", f"{code}{digits}", digits, f"1{digits}"))
        value = quick(text, country)
        if value is not None:
            found += 1
            assert addresses._e164(text, country)[0] == value, (text, country)
    assert found > 300


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (places.time_zone, "Europe/Paris", "Europe/Paris"), (places.time_zone, "europe/london", "Europe/London"),
        (places.time_zone, "America/Montreal", "America/Montreal"), (places.country, "FR", "FR"), (places.country, "france", "FR"),
        (places.country, "Royaume-Uni", "GB"), (places.country, "UK", "GB"), (places.country, "GBR", "GB"), (places.language, "fr_ca", "fr-CA"),
        (places.language, "Français", "fr"), (places.language, "en-GB", "en-GB"),
    ],
)  # fmt: skip
def test_places_become_their_codes(read, text, value):
    assert read(text)[0] == value


@pytest.mark.parametrize(
    ("read", "text", "reason"),
    [
        (places.time_zone, "Europe/Pariss", "no such time zone (Europe/Paris?)"), (places.time_zone, "../etc/passwd", "no such time zone"),
        (places.time_zone, "posixrules", "no such time zone"), (places.time_zone, "UTC+2", "no such time zone"),
        (places.country, "Frnace", "no such country: write its two letters (FR?)"),
        (places.language, "frnch", "no such language: write its code, such as fr (fr?)"),
    ],
)  # fmt: skip
def test_places_that_are_none_are_refused_with_the_nearest(read, text, reason):
    with pytest.raises(Refused) as refused:
        read(text)
    assert refused.value.problem.reason == reason
