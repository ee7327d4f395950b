"""How many people a test needs is what textbooks print, and what statsmodels reckons (docs/measurement 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnicli.measure.size import per_arm, visible


@pytest.mark.parametrize(
    ("before", "after", "people"),
    [(0.02, 0.025, 13_809), (0.03, 0.036, 13_914), (0.05, 0.06, 8_158), (0.10, 0.12, 3_841), (0.20, 0.22, 6_510)],
)
def test_the_golden_sizes(before: float, after: float, people: int) -> None:
    assert per_arm(before, after) == people


@given(st.floats(0.01, 0.9), st.floats(0.005, 0.09))
def test_a_smaller_difference_needs_more_people(before: float, step: float) -> None:
    assert per_arm(before, before + step / 2) >= per_arm(before, before + step)


@given(st.floats(0.01, 0.5), st.integers(200, 100_000))
def test_what_is_visible_needs_no_more_people_than_there_are(before: float, people: int) -> None:
    rise = visible(before, people)
    assert rise == pytest.approx(1 - before) or per_arm(before, before + rise) <= people


def test_few_people_show_nothing_but_everything() -> None:
    assert visible(0.05, 0) == 0.95


@pytest.mark.parametrize("shares", [(0.1, 0.1), (-0.1, 0.2), (0.5, 1.2)])
def test_two_different_shares_are_wanted(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        per_arm(*shares)
