"""What two groups of yes and no say: intervals and tests of docs/measurement 4 and 5, as pure functions of four whole numbers.

A share of nothing is None, never zero. Intervals are two-sided; `level` is 95 % unless told. Golden vectors in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
#: Below this a split of people is no accident: the assignment is broken, and there is no verdict (docs/measurement 4).
BROKEN = 0.001


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with what it lies between."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Interval:
        return Interval(self.value * factor, self.low * factor, self.high * factor)


def z_of(level: float = 0.95) -> float:
    """The quantile of the normal that a two-sided interval of this level takes: 1.959963985 for 95 %."""
    return _NORMAL.inv_cdf(0.5 + level / 2)


def wilson(hits: int, of: int, *, level: float = 0.95) -> Interval | None:
    """The Wilson interval of a share (Wilson 1927)."""
    if not of:
        return None
    z, p = z_of(level), hits / of
    middle, width = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    whole = 1 + z * z / of
    return Interval(p, (middle - width) / whole, (middle + width) / whole)


def newcombe(hits: int, of: int, other_hits: int, other_of: int, *, level: float = 0.95) -> Interval | None:
    """The difference of two shares, first less second, with Newcombe's hybrid of two Wilson intervals (1998, method 10)."""
    one, two = wilson(hits, of, level=level), wilson(other_hits, other_of, level=level)
    if one is None or two is None:
        return None
    difference = one.value - two.value
    low = difference - math.hypot(one.value - one.low, two.high - two.value)
    high = difference + math.hypot(one.high - one.value, two.value - two.low)
    return Interval(difference, low, high)


def ratio(hits: int, of: int, other_hits: int, other_of: int, *, level: float = 0.95) -> Interval | None:
    """First share by second, with the interval of the log method (Katz 1978)."""
    if not (hits and of and other_hits and other_of):
        return None
    value = (hits / of) / (other_hits / other_of)
    width = z_of(level) * math.sqrt(1 / hits - 1 / of + 1 / other_hits - 1 / other_of)
    return Interval(value, value * math.exp(-width), value * math.exp(width))


@dataclass(frozen=True, slots=True)
class Test:
    """A statistic and how often chance alone would give one as large."""

    statistic: float
    p: float


def pooled_z(hits: int, of: int, other_hits: int, other_of: int) -> Test | None:
    """The two-proportion z test with the pooled share."""
    if not of or not other_of:
        return None
    pooled = (hits + other_hits) / (of + other_of)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / other_of))
    if not error:
        return None
    z = (hits / of - other_hits / other_of) / error
    return Test(z, math.erfc(abs(z) / math.sqrt(2)))


def sample_ratio(seen: Sequence[int], shares: Sequence[float]) -> Test | None:
    """χ² of how people fell into two groups against how they were meant to; None for other than two, or nobody."""
    whole, meant = sum(seen), sum(shares)
    if len(seen) != 2 or not whole or not all(shares):
        return None
    chi = sum((n - whole * share / meant) ** 2 / (whole * share / meant) for n, share in zip(seen, shares, strict=True))
    return Test(chi, math.erfc(math.sqrt(chi / 2)))
