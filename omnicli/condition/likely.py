"""How many a condition's attributes are likely to leave: what decides whether events are asked person by person.

Guesses by the kind of question, as planners make them without statistics. Measured (docs/performance, Conditions): a
correlated EXISTS wins while at most a tenth of the base is left, one pass over the ledger wins above.
"""

from __future__ import annotations

from math import prod

from omnicli.condition import meaning as m

FEW = 0.1
_UNKNOWN = 1.0


def likely(tree: m.Meaning) -> float:
    """The share of the base that the parts without events are guessed to leave; 1 where only events are asked."""
    match tree:
        case m.All(parts=parts):
            return prod(likely(part) for part in parts)
        case m.AnyOf(parts=parts):
            return 1 - prod(1 - likely(part) for part in parts)
        case m.Use(part=part):
            return likely(part)
        case m.Not(part=part):
            return _UNKNOWN if asks_events(part) else 1 - likely(part)
    return _UNKNOWN if asks_events(tree) else _guess(tree)


def _guess(tree: m.Meaning) -> float:
    match tree:
        case m.Constant(truth=truth):
            return 1.0 if truth else 0.0
        case m.Compare(left=left, operator="="):
            return 1 / len(left.kind.choices) if left.kind.choices else 0.05
        case m.OneOf(left=left, values=values, negated=False):
            return min(0.5, len(values) / len(left.kind.choices)) if left.kind.choices else min(0.5, 0.05 * len(values))
        case m.Has() | m.Contains() | m.Starts():
            return 0.1
        case m.OnDay():
            return 0.01
        case m.Near() | m.Enrolled():
            return 0.2
        case m.Compare(operator="!=") | m.OneOf() | m.Known():
            return 0.9
        case m.Yes():
            return 0.5
    return 0.33


def asks_events(tree: m.Meaning) -> bool:
    """Whether it reads the ledger."""
    match tree:
        case m.All(parts=parts) | m.AnyOf(parts=parts):
            return any(asks_events(part) for part in parts)
        case m.Not(part=part) | m.Use(part=part):
            return asks_events(part)
        case m.Happened():
            return True
        case m.Ordered(left=left, point=point):
            lefts = (left, point.left, point.origin.left if point.origin else None)
            return any(isinstance(one, m.Measure) for one in lefts)
        case m.Compare(left=left, right=right):
            return isinstance(left, m.Measure) or isinstance(right, m.Measure)
        case m.OneOf() | m.Known() | m.Contains() | m.Starts() | m.OnDay() | m.Near():
            return isinstance(tree.left, m.Measure)
    return False


def conjuncts(tree: m.Meaning) -> tuple[m.Meaning, ...]:
    """The top-level parts that all must hold, segments looked through."""
    match tree:
        case m.All(parts=parts):
            return tuple(found for part in parts for found in conjuncts(part))
        case m.Use(part=part):
            return conjuncts(part)
    return (tree,)
