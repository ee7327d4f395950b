"""Wrong values that look right: a number off by one or a tenth, digits exchanged or lost, a day too late."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

#: A plain value of a fact (`39.92 EUR`, `20`, `BIENVENUE20`) → wrong ones, with a name each.
Wrong = Callable[[str], Iterator[tuple[str, str]]]


def off_by_one(value: str) -> Iterator[tuple[str, str]]:
    yield from _moved(value, "+1", lambda number: number + 1)
    yield from _moved(value, "-1", lambda number: number - 1)


def off_by_a_tenth(value: str) -> Iterator[tuple[str, str]]:
    yield from _moved(value, "+10 %", lambda number: number * Decimal("1.1"))
    yield from _moved(value, "-10 %", lambda number: number * Decimal("0.9"))


def digits_exchanged(value: str) -> Iterator[tuple[str, str]]:
    """Two neighbours exchanged, letters and digits of a code alike."""
    head, tail = _halves(value)
    for at in range(len(head) - 1):
        pair = head[at : at + 2]
        if pair.isalnum() and pair[0] != pair[1] and not (at == 0 and pair[1] == "0"):
            yield f"{pair} at {at + 1}", head[:at] + pair[::-1] + head[at + 2 :] + tail


def digit_dropped(value: str) -> Iterator[tuple[str, str]]:
    head, tail = _halves(value)
    for at, letter in enumerate(head):
        rest = head[:at] + head[at + 1 :]
        if letter.isdigit() and rest.strip(".0") and not rest.startswith((".", "0")) and not rest.endswith("."):
            yield f"{letter} at {at + 1}", (_cents(rest) if "." in rest else rest) + tail


def another_day(value: str) -> Iterator[tuple[str, str]]:
    for name, days in (("the day after", 1), ("the day before", -1)):
        yield name, (date.fromisoformat(value) + timedelta(days=days)).isoformat()


NUMBERS: Mapping[str, Wrong] = {
    "off-by-one": off_by_one, "off-by-a-tenth": off_by_a_tenth, "digits-exchanged": digits_exchanged, "digit-dropped": digit_dropped,
}  # fmt: skip


def _halves(value: str) -> tuple[str, str]:
    """The figure and what follows it (` EUR`)."""
    head, space, tail = value.partition(" ")
    return head, space + tail


def _cents(number: str) -> str:
    return str(Decimal(number).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _moved(value: str, name: str, change: Callable[[Decimal], Decimal]) -> Iterator[tuple[str, str]]:
    head, tail = _halves(value)
    try:
        number = Decimal(head)
    except ArithmeticError:
        return
    moved = change(number).quantize(Decimal("0.01") if tail else Decimal(1), ROUND_HALF_UP)
    if moved > 0 and moved != number:
        yield name, f"{moved}{tail}"
