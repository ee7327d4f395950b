"""What a text states is found in every spelling of every language of the project, at its place, with its value."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from babel.dates import format_date
from babel.numbers import format_currency, format_percent
from hypothesis import given, settings
from hypothesis import strategies as st

from omnicli.channels import MEDIA
from omnicli.lint.coherence.mentions import Mention, comparable, mentions
from omnicli.lint.coherence.plainly import plainly
from omnicli.render.forms import FORMS, allowed, locale_of

BOTH = ("fr", "en")
NB, NARROW = "\u00a0", "\u202f"


def read(text: str, *languages: str, **more: Any) -> list[tuple[str, str, Any]]:
    return [(m.kind, m.text, m.value) for m in mentions(text, languages or BOTH, **more)]


def the(text: str, *languages: str, **more: Any) -> Mention:
    found = mentions(text, languages or BOTH, **more)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("49,90 €", "49.90"), (f"49,90{NB}€", "49.90"), (f"49,90{NARROW}€", "49.90"), ("49,90€", "49.90"), ("€49.90", "49.90"), ("€ 49.90", "49.90"),
        ("EUR 49.90", "49.90"), ("49.90 EUR", "49.90"), ("49,90 euros", "49.90"), ("49,90 EUROS", "49.90"), ("49€90", "49.90"), ("49,- €", "49"), ("1 234,50 €", "1234.50"),
        (f"1{NARROW}234,50{NB}€", "1234.50"), ("€1,234.50", "1234.50"), ("1.234,50 €", "1234.50"), ("1'234.50 EUR", "1234.50"), ("1.500 €", "1500"), ("3 000 000 €", "3000000"), ("４９，９０ €", "49.90"),
        ("\u200e49,90 €\u200f", "49.90"), ("49,90 €¹", "49.90"), ("٤٩ €", "49"),
    ],
)  # fmt: skip
def test_an_amount_is_read_in_every_spelling(text: str, amount: str) -> None:
    assert the(text).value == (Decimal(amount), "EUR")


@pytest.mark.parametrize(
    ("text", "currency"),
    [("$20", "USD"), ("US$ 20", "USD"), ("20 $US", "USD"), ("£20", "GBP"), ("20 £GB", "GBP"), ("20 zł", "PLN"), ("20 Kč", "CZK"), ("CHF 20", "CHF"), ("R$ 20", "BRL"), ("20 ₽", "RUB"), ("¥20", "JPY")],
)  # fmt: skip
def test_signs_name_their_currency(text: str, currency: str) -> None:
    assert the(text).value == (Decimal(20), currency)


def test_a_sign_of_several_countries_may_mean_each_of_them() -> None:
    assert the("20 $").agrees("money", "20 CAD")
    assert the("20 kr").agrees("money", "20 NOK")
    assert not the("20 kr").agrees("money", "20 EUR")


def test_a_number_of_two_meanings_agrees_with_both() -> None:
    assert the("1.500 €").agrees("money", "1500 EUR")
    assert the("1.500 €").agrees("money", "1.5 EUR")


@pytest.mark.parametrize(
    ("text", "number"),
    [("20 %", "20"), ("20%", "20"), (f"20{NARROW}%", "20"), ("-25 %", "25"), ("−25 %", "25"), ("12,5 %", "12.5"), ("12.5%", "12.5"), ("%20", "20"), ("20 pour cent", "20"), ("20 PER CENT", "20"), ("20 percent", "20"),
     ("20 Prozent", "20"), ("20 por ciento", "20"), ("20\u00a0٪", "20"), ("２０％", "20")],
)  # fmt: skip
def test_a_percent_is_read_in_every_spelling(text: str, number: str) -> None:
    found = the(text)
    assert (found.kind, found.value) == ("percent", Decimal(number))


@pytest.mark.parametrize(
    "text",
    [
        "31 janvier 2027", "31 JANVIER 2027", "31 janv. 2027", "dimanche 31 janvier 2027", "dim. 31 janv. 2027", "31 January 2027", "January 31, 2027", "January 31st, 2027", "Sunday, January 31, 2027", "31st of January 2027",
        "31 Jan 2027", "31-Jan-2027", "Jan. 31 2027", "31/01/2027", "31.01.2027", "31-01-2027", "2027-01-31", "31/1/27", "31 / 01 / 2027", f"31{NB}janvier{NB}2027", "３１ janvier 2027", "2027年1月31日", "31 Janvier 2027",
    ],
)  # fmt: skip
def test_a_day_is_read_in_every_spelling(text: str) -> None:
    found = the(text)
    assert (found.value, found.text) == (date(2027, 1, 31), text)


@pytest.mark.parametrize(
    "text", ["1er février", "1 FÉVRIER", "1 FEVRIER", "lundi 1er février", "Feb 1", "February 1st", "01/02", "1 fe\u0301vrier"]
)
def test_a_day_without_its_year_says_month_and_day(text: str) -> None:
    found = the(text)
    assert found.value == (2, 1)
    assert found.agrees("date", "2027-02-01")
    assert found.agrees("date", "2026-02-01")
    assert not found.agrees("date", "2027-02-02")


def test_month_first_is_read_where_a_language_writes_so() -> None:
    assert the("01/02/2027", "fr").readings == (date(2027, 2, 1),)
    assert set(the("01/02/2027", "fr", "en-US").readings) == {date(2027, 2, 1), date(2027, 1, 2)}
    assert the("01/31/2027", "en-US").value == date(2027, 1, 31)


def test_a_french_day_in_english_words_is_seen() -> None:
    assert read("Until 31 janvier, only.") == [("date", "31 janvier", (1, 31))]


def test_german_points_end_a_day_only_where_they_are_written() -> None:
    assert read("Bis 31.01. gilt es", "de") == [("date", "31.01.", (1, 31))]
    assert read("Version 31.01. ist da", "fr") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("BIENVENUE20", "BIENVENUE20"), ("NOEL-2026", "NOEL2026"), ("2026XMAS", "2026XMAS"), ("code SOLDES", "SOLDES"), ("Code : « SOLDES »", "SOLDES"), ("B I E N V E N U E 2 0", "BIENVENUE20"), ("A1B2C3", "A1B2C3")],
)  # fmt: skip
def test_a_code_is_known_by_its_shape(text: str, value: str) -> None:
    assert the(text).value == value


def test_a_known_code_is_found_however_it_is_typed() -> None:
    assert read("tapez bienvenue20 ou Bienvenue21", codes=["BIENVENUE20"]) == [
        ("code", "bienvenue20", "BIENVENUE20"),
        ("code", "Bienvenue21", "BIENVENUE21"),
    ]
    assert read("tapez soldes", codes=["SOLDES"]) == [("code", "soldes", "SOLDES")]


@pytest.mark.parametrize(
    "text",
    ["24H/24", "18H30", "10H", "A4", "CO2", "B2B", "MP3", "500ML", "10CM", "1ER", "SMS STOP TVA SAS", "Code postal", "VOTRE CODE EST ICI", "36180", "69004", "12 rue des Tisserands, 69004 Lyon", "24/7", "1/2", "3/4", "de 10:00 à 19:00",
     "you may 2", "2 x 3", "n° 12", "10-20", "version 2.10", "p. 3"],
)  # fmt: skip
def test_what_only_looks_like_a_fact_is_left_alone(text: str) -> None:
    assert read(text, countries=["FR"]) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("https://maisonlune.example/offre", "https://maisonlune.example/offre"), ("www.maisonlune.example", "https://www.maisonlune.example"), ("maisonlune.example/x?a=1#b", "https://maisonlune.example/x?a=1#b"), ("HTTP://A.example", "HTTP://A.example")],
)  # fmt: skip
def test_an_address_is_found_with_or_without_its_beginning(text: str, value: str) -> None:
    for around in ("{}", "Voir {}.", "({})", "« {} », puis", "{} !"):
        assert [m.value for m in mentions(around.format(text), BOTH)] == [value]


def test_nothing_is_read_inside_addresses_of_web_and_mail() -> None:
    assert [m.kind for m in mentions("https://x.example/31/01/2027/20%25/SALE20", BOTH)] == ["url"]
    assert read("ines20@x.example") == []


@pytest.mark.parametrize(
    "text",
    [
        "+33639980012",
        "+33 6 39 98 00 12",
        "0033 6 39 98 00 12",
        "06 39 98 00 12",
        "06.39.98.00.12",
        f"06{NB}39{NB}98{NB}00{NB}12",
        "0639980012",
    ],
)
def test_a_telephone_number_is_read_as_its_country_dials_it(text: str) -> None:
    found = the(text, countries=["FR"])
    assert (found.kind, found.value, found.text) == ("phone", "+33639980012", text)
    assert found.agrees("phone", "+33639980012")


def test_places_are_those_of_the_text_as_given() -> None:
    text = f"\u200fSoldes\u200f : −25{NARROW}%, soit 39,92{NB}€ jusqu’au 5 aou\u0302t !"
    for found in mentions(text, BOTH):
        assert text[found.start : found.end] == found.text
    assert [m.text for m in mentions(text, BOTH)] == [f"25{NARROW}%", f"39,92{NB}€", "5 aou\u0302t"]


def test_many_figures_in_one_line_stay_apart() -> None:
    assert read("EUR 1.500 $20 49€90 20 % 31/01 3 49,90 €") == [
        ("money", "EUR 1.500", (Decimal(1500), "EUR")), ("money", "$20", (Decimal(20), "USD")), ("money", "49€90", (Decimal("49.90"), "EUR")),
        ("percent", "20 %", Decimal(20)), ("date", "31/01", (1, 31)), ("money", "49,90 €", (Decimal("49.90"), "EUR")),
    ]  # fmt: skip


LANGUAGES = ("fr", "en", "de", "es", "it", "nl", "pt", "pl", "sv", "en-US", "fr-CH", "ar", "ja", "ru", "el", "tr")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(LANGUAGES),
    st.decimals(min_value=Decimal("0.01"), max_value=99999, places=2),
    st.sampled_from(["EUR", "USD", "GBP", "CHF"]),
)
def test_every_amount_that_babel_writes_is_read_again(language: str, amount: Decimal, currency: str) -> None:
    text = format_currency(amount, currency, locale=locale_of(language))
    found = mentions(f"x {text} y", ("fr", language))
    assert [m.kind for m in found] == ["money"], text
    assert found[0].agrees("money", f"{amount} {currency}"), text


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(LANGUAGES),
    st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    st.sampled_from(["short", "medium", "long", "full"]),
)
def test_every_day_that_babel_writes_is_read_again(language: str, day: date, form: str) -> None:
    text = format_date(day, form, locale=locale_of(language))
    found = [m for m in mentions(f"x {text} y", ("fr", language)) if m.kind == "date"]
    assert len(found) == 1, text
    assert found[0].agrees("date", day.isoformat()), text


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(LANGUAGES), st.decimals(min_value=0, max_value=100, places=1))
def test_every_percent_that_babel_writes_is_read_again(language: str, number: Decimal) -> None:
    text = format_percent(number / 100, format="#,##0.# %", locale=locale_of(language))
    found = mentions(f"x {text} y", (language, "fr"))
    assert [(m.kind, m.agrees("percent", str(number))) for m in found] == [("percent", True)], text


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("0123456789.,/-'%€$ \u00a0\u202f\u200fàé\u0301janvFbruyABC@:hxtp+()"), max_size=40))
def test_any_text_is_read_without_overlap_and_at_true_places(text: str) -> None:
    end = 0
    for found in mentions(text, LANGUAGES[:4], countries=["FR", "US"], codes=["A1B2"]):
        assert text[found.start : found.end] == found.text
        assert end <= found.start < found.end
        assert found.value == found.readings[0]
        end = found.end


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_a_plain_text_leads_back_to_its_original(text: str) -> None:
    plain = plainly(text)
    assert len(plain.text) == len(plain.folded)
    for here in range(len(plain.text)):
        start, end = plain.span(here, here + 1)
        assert 0 <= start < end <= len(text)


@pytest.mark.parametrize("language", ["fr", "en", "de", "es", "it", "nl", "pt", "en-US", "fr-CA"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("percent", "20"),
        ("percent", "12.5"),
        ("money", "39.92 EUR"),
        ("money", "1234 EUR"),
        ("date", "2027-01-31"),
        ("code", "BIENVENUE20"),
        ("phone", "+33639980012"),
        ("url", "https://a.example/x"),
    ],
)
def test_each_form_that_a_fact_is_printed_in_is_read_as_that_fact(language: str, kind: str, value: str) -> None:
    for medium in ("email", "sms", "voice"):
        for text in allowed(kind, value, locale=locale_of(language, ("FR", "US")), medium=MEDIA[medium], places={}):
            if kind == "url" and "/" not in text:
                continue
            found = mentions(f"Voilà {text}", (language, "fr"), countries=("FR",), codes=("BIENVENUE20",))
            assert [m.agrees(kind, value) for m in found] == [True], (text, found)
    assert kind in FORMS


def test_a_year_from_now_is_another_day() -> None:
    day = date(2027, 1, 31)
    assert not the("31 janvier 2027").agrees("date", (day + timedelta(days=365)).isoformat())


def test_an_unreadable_spelling_agrees_with_nothing() -> None:
    assert comparable("money", "n/a") is None
    assert comparable("date", "tomorrow") is None
    assert not the("20 %").agrees("money", "20 EUR")
