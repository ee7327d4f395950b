"""The table of forms (campaign-language 5.4), in French and English, by channel."""

from __future__ import annotations

from decimal import Decimal

import pytest
from messages import a_project

from omnicli.channels import MEDIA
from omnicli.render.forms import FORMS, CannotShow, allowed, listed, locale_of, plural, show

EUROPE = ("FR", "BE")


def shown(
    kind: str, value: str, *, form: str = "", language: str = "fr", channel: str = "email", countries: tuple[str, ...] = EUROPE
) -> str:
    return show(kind, value, form, locale=locale_of(language, countries), medium=MEDIA[channel], places=a_project().places)


@pytest.mark.parametrize(
    ("kind", "value", "form", "french", "english", "french_sms"),
    [
        ("percent", "20", "", "20\u202f%", "20%", "20 %"),
        ("percent", "12.5", "", "12,5\u202f%", "12.5%", "12,5 %"),
        ("money", "39.92 EUR", "", "39,92\u00a0€", "€39.92", "39,92 €"),
        ("money", "40.00 EUR", "", "40,00\u00a0€", "€40.00", "40 €"),
        ("money", "40.00 EUR", "short", "40\u00a0€", "€40", "40 €"),
        ("money", "1500 EUR", "full", "1\u202f500,00\u00a0€", "€1,500.00", "1 500,00 €"),
        ("money", "5000 JPY", "", "5\u202f000\u00a0JPY", "JP¥5,000", "5 000 JPY"),
        ("date", "2027-01-31", "", "31 janvier 2027", "31 January 2027", "31/01"),
        ("date", "2027-01-31", "medium", "31 janv. 2027", "31 Jan 2027", "31 janv. 2027"),
        ("date", "2027-01-31", "short", "31/01", "31/01", "31/01"),
        ("date", "2027-01-31", "weekday", "dimanche 31 janvier", "Sunday, 31 January", "dimanche 31 janvier"),
        ("code", "1E10", "", "1E10", "1E10", "1E10"),
        (
            "url",
            "https://www.maisonlune.example/bienvenue",
            "host",
            "maisonlune.example",
            "maisonlune.example",
            "maisonlune.example",
        ),
        ("phone", "+33639980012", "", "06 39 98 00 12", "06 39 98 00 12", "06 39 98 00 12"),
        ("phone", "+33639980012", "international", "+33 6 39 98 00 12", "+33 6 39 98 00 12", "+33 6 39 98 00 12"),
        ("place", "lyon", "", "Maison Lune Lyon", "Maison Lune Lyon", "Maison Lune Lyon"),
        ("place", "lyon", "city", "Lyon", "Lyon", "Lyon"),
        ("place", "lyon", "address", "12 rue des Tisserands", "12 rue des Tisserands", "12 rue des Tisserands"),
        ("number", "1500", "", "1\u202f500", "1,500", "1 500"),
        ("number", "1500.25", "", "1\u202f500,25", "1,500.25", "1 500,25"),
        ("number", "21", "spelled", "vingt et un", "twenty-one", "vingt et un"),
        ("text", "3 minutes", "", "3 minutes", "3 minutes", "3 minutes"),
    ],
)
def test_the_table(kind: str, value: str, form: str, french: str, english: str, french_sms: str) -> None:
    assert same_spaces(shown(kind, value, form=form)) == same_spaces(french)
    assert same_spaces(shown(kind, value, form=form, language="en")) == english
    assert shown(kind, value, form=form, channel="sms") == french_sms


def same_spaces(text: str) -> str:
    """CLDR changes its mind about which no-break space stands where; that it is one is what counts."""
    return text.replace("\u202f", "\u00a0")


def test_where_a_language_is_at_home_it_is_written_as_there() -> None:
    assert shown("date", "2027-01-31", language="en", countries=("US",)) == "January 31, 2027"
    assert shown("date", "2027-01-31", language="en", countries=("FR", "GB")) == "31 January 2027"
    assert shown("money", "1234.50 CHF", language="de", countries=("CH",)) == "CHF\u00a01’234.50"
    assert shown("money", "39.92 CAD", language="fr-CA") == "39,92\u00a0$"


def test_each_channel_has_its_own_form_of_a_date() -> None:
    assert {channel: shown("date", "2027-01-31", channel=channel) for channel in MEDIA} == {
        "email": "31 janvier 2027", "letter": "31 janvier 2027", "voice": "31 janvier 2027", "sms": "31/01", "push": "31/01", "qr": "31/01",
        "whatsapp": "31 janv. 2027", "messenger": "31 janv. 2027", "task": "31 janv. 2027",
    }  # fmt: skip


def test_a_code_is_said_letter_by_letter() -> None:
    assert shown("code", "LUNE20", channel="voice") == "L U N E 2 0"


def test_a_sign_that_costs_a_part_is_written_as_its_code() -> None:
    assert shown("money", "500 INR", channel="sms") == "500 INR"
    assert "₹" in shown("money", "500 INR")


def test_an_unknown_form_names_the_known_ones() -> None:
    with pytest.raises(CannotShow, match="long, medium, short, weekday"):
        shown("date", "2027-01-31", form="tiny")


def test_what_is_printed_is_what_a_check_allows() -> None:
    values = {
        "percent": "20",
        "money": "40.00 EUR",
        "date": "2027-01-31",
        "number": "1500",
        "phone": "+33639980012",
        "place": "lyon",
        "code": "A1",
        "text": "x",
    }
    for kind, value in values.items():
        for channel in MEDIA:
            fits = allowed(kind, value, locale=locale_of("fr", EUROPE), medium=MEDIA[channel], places=a_project().places)
            assert all(shown(kind, value, form=form, channel=channel) in fits for form in ("", *FORMS[kind]))


def test_plurals_are_those_of_the_language() -> None:
    assert [plural(Decimal(n), locale_of("fr")) for n in ("0", "1", "2")] == ["one", "one", "other"]
    assert [plural(Decimal(n), locale_of("en")) for n in ("0", "1", "2")] == ["other", "one", "other"]
    assert [plural(Decimal(n), locale_of("pl")) for n in ("1", "2", "5")] == ["one", "few", "many"]


def test_lists_are_joined_as_the_language_joins_them() -> None:
    assert listed(["lavande", "figue", "rose"], locale_of("fr")) == "lavande, figue et rose"
