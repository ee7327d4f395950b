"""Finds what a text states as a fact: percents, amounts, dates, codes, addresses and telephone numbers, each with its value.

A mention is read with the formats of all the project's languages at once: a French date typed into English words is one too
(docs/consistency 3). Positions are those of the text as given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from omnicli.lint.coherence import amounts, days, tokens
from omnicli.lint.coherence.plainly import Found, Plainly, plainly

Kind = Literal["percent", "money", "date", "code", "url", "phone"]


@dataclass(frozen=True, slots=True)
class Mention:
    """`text` stands at `start` to `end`. `value` is what it most likely says and `readings` all it may say: percent a Decimal,
    money (Decimal, currency), date a date or (month, day), code folded capitals, url an address, phone E.164."""

    kind: Kind
    start: int
    end: int
    text: str
    value: Any
    readings: tuple[Any, ...]

    def agrees(self, kind: str, spelled: str) -> bool:
        """True when this may be what a fact of this type and plain spelling (`39.92 EUR`, `2027-01-31`, `20`) states."""
        if kind != self.kind:
            return False
        wanted = comparable(kind, spelled)
        return any(_same(reading, wanted) for reading in self.readings)


def comparable(kind: str, spelled: str) -> Any:
    """A fact's plain spelling as the value of a mention that says it; None when it cannot be read."""
    try:
        match kind:
            case "percent":
                return abs(Decimal(spelled.removesuffix("%").strip()))
            case "money":
                amount, _, currency = spelled.partition(" ")
                return Decimal(amount), currency
            case "date":
                return date.fromisoformat(spelled[:10])
            case "code":
                return tokens.folded_code(spelled)
            case "phone":
                return "+" + "".join(filter(str.isdigit, spelled))
    except (ArithmeticError, ValueError):
        return None
    return spelled


def _same(reading: Any, wanted: Any) -> bool:
    if isinstance(wanted, date) and isinstance(reading, tuple):
        return reading == (wanted.month, wanted.day)
    return bool(reading == wanted)


def mentions(
    text: str, languages: Sequence[str], *, countries: Sequence[str] = (), codes: Collection[str] = (),
) -> tuple[Mention, ...]:  # fmt: skip
    """Everything that the text states, in the order of the text, no two overlapping.

    `languages` are all of the project's; `countries` read national telephone numbers; `codes` are the code facts of the
    message, so that `bienvenue21` is seen beside `BIENVENUE20`.
    """
    if not text or text.isspace():
        return ()
    return _read(text, tuple(languages), tuple(countries), tuple(codes))


@lru_cache(maxsize=8192)
def _read(text: str, languages: tuple[str, ...], countries: tuple[str, ...], codes: tuple[str, ...]) -> tuple[Mention, ...]:
    """The renderings of a grid share most of their text: each is read once."""
    plain = plainly(text)
    taken: list[tuple[int, int]] = []
    made: list[Mention] = []
    for kind, found in _searches(plain, languages, countries, codes):
        for start, end, readings in found:
            if readings and not any(start < above and below < end for below, above in taken):
                taken.append((start, end))
                if kind is not None:
                    first, last = plain.span(start, end)
                    made.append(Mention(kind, first, last, text[first:last], readings[0], readings))
    return tuple(sorted(made, key=lambda mention: mention.start))


def _searches(
    plain: Plainly, languages: tuple[str, ...], countries: Sequence[str], codes: Collection[str]
) -> Iterator[tuple[Kind | None, Iterator[Found]]]:
    """What is looked for, the surest first: whatever one has taken is not read again as another."""
    yield None, tokens.mail_addresses(plain)
    yield "url", tokens.addresses(plain)
    if any(letter.isdigit() for letter in plain.text):
        yield "date", days.days_with_year(plain, languages)
        yield "money", amounts.amounts(plain, languages)
        yield "percent", amounts.percents(plain)
        yield "date", days.days(plain, languages)
        yield "phone", tokens.phones(plain, countries)
        yield "date", days.days_without_year(plain, languages)
    yield "code", tokens.codes(plain, codes)
