"""Prices in millionths: a mail of 0.001 EUR still counts, and a budget ends exactly where it says."""

from __future__ import annotations

import pytest

from omnicli.engine.pricing import cost, over
from omnicli.model.literals import Money


@pytest.mark.parametrize(
    ("price", "parts", "micro"),
    [
        ("0.001 EUR", 1, 1_000),
        ("0.05 EUR", 2, 100_000),
        ("2.50 EUR", 1, 2_500_000),
        ("0.000001 EUR", 3, 3),
        ("5 JPY", 2, 10_000_000),
    ],
)
def test_a_touch_costs_its_price_times_its_parts(price: str, parts: int, micro: int) -> None:
    assert cost(Money.parse(price, decimals=6), parts) == micro


def test_a_channel_without_a_price_costs_nothing_and_no_text_has_less_than_one_part() -> None:
    assert cost(None, 3) == 0
    assert cost(Money.parse("0.05 EUR"), 0) == 50_000


def test_a_budget_covers_what_fits_to_the_last_millionth() -> None:
    budget = Money.parse("1.00 EUR")
    assert not over(budget, 950_000, 50_000)
    assert over(budget, 950_001, 50_000)
    assert not over(None, 10**12, 10**12)


def test_a_thousand_mails_of_a_tenth_of_a_cent_cost_one_euro() -> None:
    assert sum(cost(Money.parse("0.001 EUR", decimals=6)) for _ in range(1000)) == Money.parse("1 EUR").micro
