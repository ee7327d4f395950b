"""Whether a condition is the same for everybody: found only where it is certain (`A003`)."""

from __future__ import annotations

from omnicli.condition import meaning as m


def always(tree: m.Meaning) -> bool | None:
    """True or False when it holds for everybody or nobody, whatever the base; None when it depends."""
    match tree:
        case m.Constant(truth=truth):
            return truth
        case m.Not(part=part):
            inner = always(part)
            return None if inner is None else not inner
        case m.Use(part=part):
            return always(part)
        case m.All(parts=parts):
            return _joined(parts, deciding=False)
        case m.AnyOf(parts=parts):
            return _joined(parts, deciding=True)
        case m.Known(left=left):
            return True if _never_missing(left) else None
        case m.Compare(left=left, operator=operator, right=right) if _counts(left) and isinstance(right, (int, float)):
            return _count(operator, right)
        case m.OneOf(left=left, values=values, negated=True) if left.kind.choices and set(values) >= set(left.kind.choices):
            return False
        case m.Happened(term=term):
            return False if term.where is not None and always(term.where) is False else None
        case m.Ordered(left=left, side="after", point=m.Point(kind="now" | "today" | "from_now")):
            return False if _past(left) else None
    return None


def _count(operator: str, figure: float) -> bool | None:
    """A count is a whole number from 0."""
    if figure < 0 or (operator in ("=", "!=") and figure != int(figure)):
        return operator in ("!=", ">", ">=")
    if figure == 0 and operator in ("<", ">="):
        return operator == ">="
    return None


def _past(left: m.Left) -> bool:
    """Instants of events are never later than now."""
    if isinstance(left, m.Measure):
        return left.field is None and left.function in ("first", "last")
    return isinstance(left, m.Field) and left.name == "at"


def _joined(parts: tuple[m.Meaning, ...], *, deciding: bool) -> bool | None:
    """`and` (False decides) and `or` (True decides) are mirror images; a part and its own negation decide too."""
    flat = tuple(_flat(parts, m.AnyOf if deciding else m.All))
    truths = [always(part) for part in flat]
    if deciding in truths or any(_negated(part) in flat for part in flat):
        return deciding
    if truths and all(truth is (not deciding) for truth in truths):
        return not deciding
    return deciding if _figures_decide(flat, deciding=deciding) else None


def _flat(parts: tuple[m.Meaning, ...], kind: type[m.All] | type[m.AnyOf]) -> list[m.Meaning]:
    found: list[m.Meaning] = []
    for part in parts:
        bare = _bare(part)
        found.extend(_flat(bare.parts, kind) if isinstance(bare, kind) else [bare])
    return found


def _bare(part: m.Meaning) -> m.Meaning:
    while isinstance(part, m.Use):
        part = part.part
    return part


def _negated(part: m.Meaning) -> m.Meaning:
    return part.part if isinstance(part, m.Not) else m.Not(part)


_MIRROR = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
Claim = tuple[str, m.Stored]


def _figures_decide(flat: tuple[m.Meaning, ...], *, deciding: bool) -> bool:
    """Whether comparisons of one term with values exclude each other (`and`), or leave nothing out (`or`, where the term
    is never missing)."""
    claims: dict[m.Left, list[Claim]] = {}
    for part in flat:
        if isinstance(part, m.Compare) and isinstance(part.right, (str, int, float)):
            operator = _MIRROR[part.operator] if deciding else part.operator
            claims.setdefault(part.left, []).append((operator, part.right))
    return any(_none(found, left) for left, found in claims.items() if not deciding or _never_missing(left))


def _none(claims: list[Claim], left: m.Left) -> bool:
    """No value fulfils all the claims."""
    exact = {value for operator, value in claims if operator == "="}
    if len(exact) > 1:
        return True
    if exact:
        return not all(holds(next(iter(exact)), operator, value) for operator, value in claims)
    low = [(value, operator == ">") for operator, value in claims if operator in (">", ">=")]
    high = [(value, operator == "<") for operator, value in claims if operator in ("<", "<=")]
    if _counts(left):
        low.append((0, False))
    for least, above in low:
        for most, below in high:
            if isinstance(least, str) or isinstance(most, str):
                continue
            if least > most or (least == most and (above or below)):
                return True
            if _counts(left) and int(least) == least and int(most) == most and most - least <= 1 and above and below:
                return True
    return False


def holds(left: m.Stored, operator: str, right: m.Stored) -> bool:
    """The comparison of two values of one type."""
    if isinstance(left, str) or isinstance(right, str):
        return (left == right) == (operator == "=")
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]


def _counts(left: m.Left) -> bool:
    return isinstance(left, m.Measure) and left.function == "count"


def _never_missing(left: m.Left) -> bool:
    match left:
        case m.Measure(function=function):
            return function in ("count", "sum")
        case m.Permission(what=what):
            return what != "consent"
        case m.Attribute(name=name):
            return name in ("id", "created")
        case m.Field(name=name):
            return name == "at"
    return False
