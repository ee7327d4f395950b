"""How many people each arm of a test needs before a difference can be seen (docs/measurement 5).

Two-sided test of two proportions with the pooled variance, as most textbooks print it; rounded up. Pure: no store, no clock.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist

#: The share of false alarms and of real differences seen that omni reckons with.
LEVEL, POWER = 0.05, 0.80


def per_arm(before: float, after: float, *, level: float = LEVEL, power: float = POWER) -> int:
    """People per arm to see `before` become `after` (shares from 0 to 1, not equal)."""
    if not (0 <= before <= 1 and 0 <= after <= 1) or before == after:
        raise ValueError("two different shares between 0 and 1 are wanted")
    normal = NormalDist()
    mean = (before + after) / 2
    doubt = normal.inv_cdf(1 - level / 2) * sqrt(2 * mean * (1 - mean))
    sight = normal.inv_cdf(power) * sqrt(before * (1 - before) + after * (1 - after))
    return ceil(((doubt + sight) / (after - before)) ** 2)


def visible(before: float, people: int, *, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest rise of the share `before` that `people` per arm can show, to a hundredth of a point; 1 - before at most."""
    low, high = 0.0, 1.0 - before
    if people < 1 or high <= 0 or per_arm(before, 1.0, level=level, power=power) > people:
        return high
    while high - low > 0.0001:
        middle = (low + high) / 2
        low, high = (low, middle) if per_arm(before, before + middle, level=level, power=power) <= people else (middle, high)
    return high
