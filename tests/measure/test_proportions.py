"""The golden vectors of docs/measurement 4 and 5, and scipy's answers as an oracle where it is there."""

from __future__ import annotations

import pytest

from omnicli.measure.proportions import BROKEN, newcombe, pooled_z, ratio, sample_ratio, wilson


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-6)


def test_the_golden_vector_of_the_hold_out() -> None:
    test, difference, times = pooled_z(1170, 45_000, 95, 5_000), newcombe(1170, 45_000, 95, 5_000), ratio(1170, 45_000, 95, 5_000)
    assert test is not None
    assert difference is not None
    assert times is not None
    assert (test.statistic, test.p) == (close(2.990257259), close(0.002787426))
    assert difference.value == close(0.007)
    assert (difference.low, difference.high) == (pytest.approx(0.00259152, abs=1e-8), pytest.approx(0.01074952, abs=1e-8))
    more = difference.times(45_000)
    assert (round(more.value), round(more.low, 1), round(more.high, 1)) == (315, 116.6, 483.7)
    assert (times.value, times.low, times.high) == (close(1.368421053), close(1.112507392), close(1.683203357))


def test_a_broken_assignment_is_seen() -> None:
    test = sample_ratio((44_600, 5_400), (0.9, 0.1))
    assert test is not None
    assert (round(test.statistic, 6), test.p) == (35.555556, pytest.approx(2.479e-9, rel=1e-3))
    assert test.p < BROKEN


def test_the_golden_vector_of_a_test() -> None:
    test, difference = pooled_z(260, 10_000, 200, 10_000), newcombe(260, 10_000, 200, 10_000)
    assert test is not None
    assert difference is not None
    assert (test.statistic, test.p) == (close(2.830251653), close(0.004651140))
    assert (difference.low, difference.high) == (pytest.approx(0.00184531, abs=1e-8), pytest.approx(0.01018431, abs=1e-8))


def test_a_share_of_nothing_is_no_share() -> None:
    assert wilson(0, 0) is None
    assert newcombe(1, 2, 0, 0) is None
    assert ratio(0, 10, 1, 10) is None
    assert pooled_z(0, 10, 0, 10) is None


def test_intervals_hold_their_value_and_turn_round_with_the_groups() -> None:
    one, other = newcombe(7, 50, 3, 60), newcombe(3, 60, 7, 50)
    assert one is not None
    assert other is not None
    assert one.low < one.value < one.high
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))


def test_scipy_gives_the_same_wilson_interval() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is an oracle of tests only")
    mine = wilson(31, 420)
    theirs = stats.binomtest(31, 420).proportion_ci(method="wilson")
    assert mine is not None
    assert (mine.low, mine.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))
