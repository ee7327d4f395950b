"""Each literal parses its one spelling, prints it back, and says what would have been right."""

from __future__ import annotations

import pytest

from omnicli.model import literals as lit
from omnicli.model.campaign import shape
from omnicli.model.literals import LiteralError


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (lit.Percent.parse, "20 %"), (lit.Percent.parse, "0.5 %"), (lit.Money.parse, "39.90 EUR"), (lit.Money.parse, "1500 JPY"),
        (lit.Money.price, "0.001 EUR"), (lit.Duration.parse, "3 days"), (lit.Duration.parse, "1 month"), (lit.Duration.timeout, "10 seconds"),
        (lit.Distance.parse, "10 km"), (lit.Distance.parse, "3 cm"), (lit.TimeOfDay.parse, "09:05"), (lit.Rate.parse, "3 per week"),
        (lit.Rate.parse, "4 per 30 days"), (lit.Moment.parse, "now"), (lit.Moment.parse, "best hour"), (lit.Moment.parse, "next 10:00"),
        (lit.Moment.parse, "next monday 09:00"), (lit.Moment.parse, "2027-01-31 10:00"), (lit.Moment.parse, "26 days after enter"),
        (lit.Moment.parse, "2 days before offre-bienvenue.deadline at 10:00"), (lit.Moment.parse, "contact.renewal"),
        (lit.Window.parse, "20:00-09:00"), (lit.Window.parse, "sunday"), (lit.Window.parse, "monday-friday 12:00-14:00"),
        (lit.Window.parse, "friday-monday"), (lit.Window.parse, "holidays FR"), (lit.Window.parse, "18:00-24:00"),
        (lit.AtCap.parse, "wait up to 2 days, else next channel"), (lit.AtCap.parse, "skip"), (lit.Every.parse, "monday 09:00"),
        (lit.Every.parse, "day 1 of month 09:00"), (lit.Every.parse, "day 07:00"), (lit.Again.parse, "after 180 days"),
        (lit.Wait.parse, "until next 10:00"), (lit.Wait.parse, "up to 3 days"), (lit.Ceiling.parse, "5000 sends"),
        (lit.Change.parse, "+1"), (lit.Change.parse, "clear"), (lit.Decide.parse, "after 2000 contacts in 5 looks at 95 %"),
    ],
)  # fmt: skip
def test_what_is_written_is_printed_back(parse, text):
    value = parse(text)
    assert str(value) == text
    assert parse(str(value)) == value


@pytest.mark.parametrize(
    ("parse", "text", "code", "fix"),
    [
        (lit.parse_number, "1 500", "S003", "1500"), (lit.parse_number, "1,5", "S003", "1.5"), (lit.parse_number, ".5", "S003", "0.5"),
        (lit.parse_number, "1e3", "S003", None), (lit.parse_yes_no, "true", "S003", "yes"), (lit.parse_yes_no, "maybe", "S003", None),
        (lit.Percent.parse, "0.2", "S003", None), (lit.Percent.parse, "20,5 %", "S003", "20.5 %"), (lit.Percent.parse, "120 %", "S003", None),
        (lit.Money.parse, "39,92 €", "S003", "39.92 EUR"), (lit.Money.parse, "€39.92", "S003", "39.92 EUR"),
        (lit.Money.parse, "39.92", "S005", None), (lit.Money.parse, "0.001 EUR", "S003", None), (lit.Money.parse, "5 XXX", "S003", None),
        (lit.Money.parse, "39.92 eur", "S003", "39.92 EUR"), (lit.Duration.parse, "3d", "S003", "3 days"),
        (lit.Duration.parse, "3 dyas", "S003", "3 days"), (lit.Duration.parse, "0 days", "S003", None),
        (lit.Duration.parse, "999999 years", "S003", None), (lit.TimeOfDay.parse, "10h30", "S003", "10:30"),
        (lit.TimeOfDay.parse, "24:00", "S003", None), (lit.parse_date, "2027-02-30", "S003", None),
        (lit.Every.parse, "moonday 09:00", "T003", None), (lit.parse_name, "Offre Bienvenue", "S003", "offre-bienvenue"),
        (lit.parse_language, "FR", "S003", "fr"), (lit.parse_language, "fr_ca", "S003", "fr-CA"), (lit.parse_country, "UK", "S003", "GB"),
        (lit.parse_currency, "eur", "S003", "EUR"), (lit.parse_url, "example.com/x", "S003", "https://example.com/x"),
        (lit.parse_words_key, "fr/TU", "S003", "fr/tu"), (lit.parse_words_key, "FR/vous", "S003", "fr/vous"),
    ],
)  # fmt: skip
def test_what_is_not_meant_so_is_refused_with_the_right_form(parse, text, code, fix):
    with pytest.raises(LiteralError) as error:
        parse(text)
    assert (error.value.code, error.value.fix) == (code, fix)
    if fix is not None:
        parse(fix)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("20 %", "percent"), ("39.92 EUR", "money"), ("39,92 €", "money"), ("2027-01-31", "date"), ("26 days after enter", "date"),
        ("2 days before contact.renewal at 10:00", "date"), ("31/01/2027", "date"), ("https://example.com/x", "url"), ("+33 6 39 98 00 12", "phone"),
        ("12", "number"), ("-0.5", "number"), ("BIENVENUE20", "code"), ("1E10", "code"), ("NOEL-2027", "code"), ("3 minutes", "text"),
        ("deux bougies", "text"), ("A", "text"),
    ],
)  # fmt: skip
def test_the_shape_of_a_short_fact_says_its_type(text, kind):
    assert shape(text) == kind
