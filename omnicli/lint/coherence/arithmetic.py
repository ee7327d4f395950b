"""Whether the facts of a message add up: price, was, offer and saving by their names, others by their `check:` (docs/consistency 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from omnicli.model.literals import MINOR_DIGITS
from omnicli.render.facts import Resolved

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]+)?)\s*(%)?|([A-Za-z_][\w-]*)|(.))")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with what it counts: a currency, `%`, or nothing."""

    value: Decimal
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """`fact` should read `expected`; `why` is the reckoning: `was - offer`."""

    fact: str
    why: str
    expected: Amount | None
    others: tuple[str, ...] = ()


class CannotReckon(ValueError):
    """A reckoning that has no meaning: an unknown fact, two currencies, a missing operand."""


def amount(fact: Resolved) -> Amount | None:
    """A money, percent or number fact as an amount."""
    kind, written = fact
    if written is None:
        return None
    try:
        if kind == "money":
            number, _, currency = written.partition(" ")
            return Amount(Decimal(number), currency)
        if kind in ("percent", "number"):
            return Amount(abs(Decimal(written)) if kind == "percent" else Decimal(written), "%" if kind == "percent" else "")
    except ArithmeticError:
        return None
    return None


def rounded(value: Decimal, currency: str) -> Decimal:
    """To the currency's minor unit, half up."""
    return value.quantize(Decimal(1).scaleb(-MINOR_DIGITS.get(currency, 2)), ROUND_HALF_UP)


def close(one: Amount, other: Amount) -> bool:
    """Equal within one minor unit of the currency."""
    if one.unit != other.unit:
        return False
    minor = Decimal(1).scaleb(-MINOR_DIGITS.get(one.unit, 2)) if one.unit not in ("", "%") else Decimal("0.01")
    return abs(rounded(one.value, one.unit) - rounded(other.value, other.unit)) <= minor


def mismatches(facts: Mapping[str, Resolved], checks: Mapping[str, str]) -> Iterator[Mismatch]:
    """What does not add up in one reader's facts. `checks` maps a fact to the reckoning that it must equal."""
    known = {name: found for name, fact in facts.items() if (found := amount(fact)) is not None}
    currencies = {name: found.unit for name, found in known.items() if facts[name][0] == "money"}
    if len(set(currencies.values())) > 1:
        odd = next(name for name, unit in currencies.items() if unit != next(iter(currencies.values())))
        yield Mismatch(odd, " ≠ ".join(dict.fromkeys(currencies.values())), None, tuple(currencies))
        return
    yield from _by_name(known)
    for name, reckoning in checks.items():
        if name not in known:
            continue
        try:
            expected = reckon(reckoning, known)
        except CannotReckon:
            continue
        if not close(known[name], Amount(expected.value, known[name].unit if expected.unit == "" else expected.unit)):
            yield Mismatch(name, reckoning, expected)


def _by_name(known: Mapping[str, Amount]) -> Iterator[Mismatch]:
    price, was, offer, saving = (known.get(name) for name in ("price", "was", "offer", "saving"))
    price, was, saving = (one if one is not None and one.unit not in ("", "%") else None for one in (price, was, saving))
    if price and was and price.value >= was.value:
        yield Mismatch("price", "price < was", None, ("was",))
        return
    if price and was and offer and offer.unit:
        expected = was.value * (1 - offer.value / 100) if offer.unit == "%" else was.value - offer.value
        if not close(price, Amount(expected, was.unit)):
            yield Mismatch("price", "was - offer", Amount(rounded(expected, was.unit), was.unit), ("was", "offer"))
    if price and was and saving and not close(saving, Amount(was.value - price.value, was.unit)):
        yield Mismatch("saving", "was - price", Amount(rounded(was.value - price.value, was.unit), was.unit), ("was", "price"))
    if (
        was
        and saving
        and offer
        and not price
        and offer.unit == "%"
        and not close(saving, Amount(was.value * offer.value / 100, was.unit))
    ):
        yield Mismatch(
            "saving", "was × offer", Amount(rounded(was.value * offer.value / 100, was.unit), was.unit), ("was", "offer")
        )


def reckon(text: str, known: Mapping[str, Amount]) -> Amount:
    """`was - price`, `2 * unit`, `was - 20 %`: sums and products of facts and numbers. CannotReckon otherwise."""
    tokens = [
        (number, percent, name, sign)
        for number, percent, name, sign in _TOKEN.findall(text.strip())
        if number or name or sign.strip()
    ]
    value, rest = _sum(tokens, known)
    if rest:
        raise CannotReckon(text)
    return value


_Tokens = list[tuple[str, str, str, str]]


def _sum(tokens: _Tokens, known: Mapping[str, Amount]) -> tuple[Amount, _Tokens]:
    left, rest = _product(tokens, known)
    while rest and rest[0][3] in ("+", "-", "−"):
        sign = rest[0][3]
        right, rest = _product(rest[1:], known)
        if right.unit == "%" and left.unit != "%":
            right = Amount(left.value * right.value / 100, left.unit)
        elif right.unit != left.unit:
            raise CannotReckon(f"{left.unit} {sign} {right.unit}")
        left = Amount(left.value + right.value if sign == "+" else left.value - right.value, left.unit)
    return left, rest


def _product(tokens: _Tokens, known: Mapping[str, Amount]) -> tuple[Amount, _Tokens]:
    left, rest = _operand(tokens, known)
    while rest and rest[0][3] in ("*", "×", "/"):
        sign = rest[0][3]
        right, rest = _operand(rest[1:], known)
        factor = right.value / 100 if right.unit == "%" else right.value
        if sign == "/" and not factor:
            raise CannotReckon("/ 0")
        value = left.value / factor if sign == "/" else left.value * factor
        left = Amount(
            value, left.unit if right.unit in ("", "%") else "" if sign == "/" and left.unit == right.unit else right.unit
        )
    return left, rest


def _operand(tokens: _Tokens, known: Mapping[str, Amount]) -> tuple[Amount, _Tokens]:
    if not tokens:
        raise CannotReckon("…")
    number, percent, name, sign = tokens[0]
    if number:
        return Amount(Decimal(number), percent), tokens[1:]
    if name in known:
        return known[name], tokens[1:]
    if sign == "(":
        value, rest = _sum(tokens[1:], known)
        if rest and rest[0][3] == ")":
            return value, rest[1:]
    raise CannotReckon(name or sign)
