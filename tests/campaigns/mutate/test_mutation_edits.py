"""Faults are seeded by pure functions: a figure misspelt, a scalar rewritten, a key taken out, the prints of a template found."""

from __future__ import annotations

import pytest

from omnicli.campaignfile import Source, read_source
from omnicli.campaigns.mutate.edit import addresses, prints, rewrite, with_line, without_key
from omnicli.campaigns.mutate.spelling import another_day, digit_dropped, digits_exchanged, off_by_a_tenth, off_by_one

FILE = """\
messages:
  m:
    facts:
      price: 39.92 EUR   # what they pay
      code: HELLO20
    say:
      fr:
        body: "Prix {price}"
        short: >-
          deux
          lignes
      en: {body: "Price {price}"}
"""


def source() -> Source:
    read, findings = read_source("campaigns/m.yaml", FILE.encode())
    assert not [one for one in findings if one.severity == "error"]
    return read


def test_a_figure_is_off_by_one_or_by_a_tenth() -> None:
    assert list(off_by_one("39.92 EUR")) == [("+1", "40.92 EUR"), ("-1", "38.92 EUR")]
    assert list(off_by_a_tenth("20")) == [("+10 %", "22"), ("-10 %", "18")]
    assert list(off_by_one("1")) == [("+1", "2")]
    assert list(off_by_one("HELLO20")) == []


def test_two_digits_change_places() -> None:
    assert [wrong for _, wrong in digits_exchanged("39.92 EUR")] == ["93.92 EUR", "39.29 EUR"]
    assert [wrong for _, wrong in digits_exchanged("20")] == []
    assert "HELLO02" in [wrong for _, wrong in digits_exchanged("HELLO20")]


def test_one_digit_is_lost() -> None:
    assert [wrong for _, wrong in digit_dropped("39.92 EUR")] == ["9.92 EUR", "3.92 EUR", "39.20 EUR", "39.90 EUR"]
    assert [wrong for _, wrong in digit_dropped("HELLO20")] == ["HELLO0", "HELLO2"]
    assert [wrong for _, wrong in digit_dropped("20")] == ["2"]


def test_a_day_is_one_too_early_or_too_late() -> None:
    assert [wrong for _, wrong in another_day("2027-02-28")] == ["2027-03-01", "2027-02-27"]


def test_scalars_are_rewritten_in_place_and_nothing_else_moves() -> None:
    say = ("messages", "m", "say")
    edited = rewrite(
        source(),
        {(*say, "fr", "body"): "Prix “{price}”", ("messages", "m", "facts", "price"): "1 EUR", (*say, "en", "body"): "X"},
    )
    assert edited == FILE.replace('"Prix {price}"', '"Prix “{price}”"').replace("39.92 EUR", '"1 EUR"').replace(
        '"Price {price}"', '"X"'
    )


def test_a_scalar_of_several_lines_becomes_one() -> None:
    edited = rewrite(source(), {("messages", "m", "say", "fr", "short"): "une ligne"})
    assert 'short: "une ligne"\n' in edited
    assert "deux" not in edited


def test_a_key_is_taken_out_with_all_below_it() -> None:
    assert without_key(source(), ("messages", "m", "say", "fr", "short")) == FILE.replace(
        "        short: >-\n          deux\n          lignes\n", ""
    )
    assert "body" not in without_key(source(), ("messages", "m", "say", "fr")).split("en:")[0]


def test_a_line_comes_above_the_first_key_of_a_block() -> None:
    edited = with_line(source(), ("messages", "m", "facts"), "offer: 20 %")
    assert edited is not None
    assert "    facts:\n      offer: 20 %\n      price:" in edited
    assert with_line(source(), ("messages", "m", "say", "en"), "x: y") is None


PAGE = """\
<html><head><title>{{ say.subject }}</title></head>
<body style="color:{{ brand.colours.ink }}">
{# {{ facts.code }} #}{% if facts.code is defined and 1 < 2 %}
<p>{{ say.body if say.body is defined else facts.code }}</p> {{ facts.price.short }}
{% endif %}<a href="{{ link(facts.link) }}">{{ say.cta }}</a>
"""


def test_prints_are_those_of_the_body_outside_attributes_and_comments() -> None:
    found = prints(PAGE)
    assert [(one.line, one.facts, one.slots) for one in found] == [
        (4, ("code",), ("body",)),
        (4, ("price",), ()),
        (5, (), ("cta",)),
    ]
    assert found[1].expression == "facts.price.short"
    assert PAGE[found[1].start : found[1].end] == "{{ facts.price.short }}"


def test_addresses_are_found_in_attributes_too() -> None:
    assert [(one.line, one.facts) for one in addresses(PAGE)] == [(5, ("link",))]


@pytest.mark.parametrize("template", ["", "{{ say.body }}", "no code at all"])
def test_any_template_is_read(template: str) -> None:
    assert len(prints(template)) == template.count("{{")
