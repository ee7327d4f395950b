"""Figures as people write them: percents and amounts of money, with the signs, words and separators of every language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from omnicli.lint.coherence.plainly import Found, Plainly, bare

#: A number: groups of three, decimals after a comma or a point, or a Swiss and German `49.–`.
NUMBER = r"(?:\d{1,3}(?:[ '.,]\d{3})+(?!\d)|\d+)(?:[.,]\d{1,4})?"
_BEFORE = r"(?<![\w.,])"

#: How `%` is said in letters, in any language omni meets: typed figures do not ask which language they stand in.
PERCENT = ("%", "pour cent", "pourcent", "percent", "per cent", "pct", "prozent", "por ciento", "por cento", "per cento", "procent", "procento", "prosent", "procenta")  # fmt: skip

#: Signs and words of money that are the same everywhere, and the currencies they may mean, the likeliest first.
SIGNS: Mapping[str, tuple[str, ...]] = {
    "€": ("EUR",), "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"), "£": ("GBP",), "¥": ("JPY", "CNY"), "₹": ("INR",), "₽": ("RUB",), "₺": ("TRY",),
    "₴": ("UAH",), "₪": ("ILS",), "₩": ("KRW",), "zł": ("PLN",), "kč": ("CZK",), "kr": ("SEK", "NOK", "DKK", "ISK"), "kr.": ("DKK",), "ft": ("HUF",), "lei": ("RON",),
    "r$": ("BRL",), "us$": ("USD",), "$us": ("USD",), "ca$": ("CAD",), "$ca": ("CAD",), "a$": ("AUD",), "£gb": ("GBP",), "fr.": ("CHF",), "sfr.": ("CHF",),
    "euro": ("EUR",), "euros": ("EUR",), "dollar": ("USD", "CAD", "AUD"), "dollars": ("USD", "CAD", "AUD"), "pounds": ("GBP",), "livres sterling": ("GBP",),
    "francs": ("CHF",), "franken": ("CHF",),
}  # fmt: skip


def percents(plain: Plainly) -> Iterator[Found]:
    """Percents: `20 %`, `-12,5%`, `%20`, `20 pour cent`; the sign of a discount is not part of what is said."""
    for match in _PERCENT.finditer(plain.folded):
        number = match["after"] or match["before"]
        yield *match.span(), readings(number, decimal_first=True)


_WORDS = "|".join(re.escape(word).replace(r"\ ", " ") for word in PERCENT[1:])
_PERCENT = re.compile(rf"{_BEFORE}(?:(?P<after>{NUMBER}) {{0,2}}(?:%|(?:{_WORDS})\b)|% ?(?P<before>{NUMBER})(?![\w%]| ?%))")


def readings(number: str, *, decimal_first: bool = False) -> tuple[Decimal, ...]:
    """What a written number may mean: `1.500` is 1500 or 1.5; nearly always there is one reading."""
    text = number.replace(" ", "").replace("'", "")
    marks = [letter for letter in text if letter in ".,"]
    if not marks:
        return (Decimal(text),)
    last = text.rindex(marks[-1])
    digits = re.sub(r"[.,]", "", text)
    whole, point = Decimal(digits), Decimal(f"{re.sub(r'[.,]', '', text[:last])}.{text[last + 1 :]}")
    if len(set(marks)) == 2:
        return (point,)
    if len(marks) > 1:
        return (whole,)
    if len(text) - last - 1 != 3 or text[:last] in ("", "0") or last > 3:
        return (point,)
    return (point, whole) if decimal_first else (whole, point)


@lru_cache(maxsize=64)
def _signs(languages: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """What the signs and words beside an amount mean: the common ones, and those of these languages besides."""
    return {bare(sign): currencies for sign, currencies in SIGNS.items()} | _of_languages(languages)


def _of_languages(languages: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """ISO codes, and how these languages write the currencies (`$US`, `DKK`, `Kčs`)."""
    from omnicli.model.literals import CURRENCIES
    from omnicli.render.forms import locale_of

    found = {code.lower(): (code,) for code in CURRENCIES}
    for language in languages:
        for code, sign in locale_of(language).currency_symbols.items():
            if code in CURRENCIES and not sign.isascii():
                found.setdefault(bare(str(sign)), (code,))
    common = {bare(sign) for sign in SIGNS}
    return {sign: codes for sign, codes in found.items() if sign and sign not in common}


def amounts(plain: Plainly, languages: Sequence[str]) -> Iterator[Found]:
    """Amounts of money as (number, currency): `49,90 €`, `EUR 1.500`, `$20`, `49€90`."""
    signs, text, floor = _signs(tuple(languages)), plain.folded, 0
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if start < floor:
            continue
        if split := _SPLIT.match(text, start):
            floor = split.end()
            yield start, floor, ((Decimal(f"{split[1]}.{split[3]}"), signs[split[2]][0]),)
        elif after := _known(_AFTER.match(text, end), signs):
            floor = end + after[1]
            yield start, floor, _valued(match[1], signs[after[0]])
        elif before := _known(_BEFORE_IT.search(text, max(floor, start - 16), start), signs):
            yield start - before[1], end, _valued(match[1], signs[before[0]])


def _known(beside: re.Match[str] | None, signs: Mapping[str, tuple[str, ...]]) -> tuple[str, int] | None:
    """The sign in what stands beside a number, and how many letters it takes with its space; None when it is none."""
    if beside is None:
        return None
    for group in ("dotted", "word", "mark"):
        if beside[group] and beside[group] in signs:
            return beside[group], len(beside["space"]) + len(beside[group])
    return None


def _valued(number: str, currencies: tuple[str, ...]) -> tuple[tuple[Decimal, str], ...]:
    return tuple((amount, currency) for amount in readings(number) for currency in currencies)


#: A number that may be an amount, with the dash that stands for no cents (`49,-`), and the French `49€90`.
_NUMBER = re.compile(rf"(?<![\d.,])({NUMBER})(?:[.,](?:-{{1,2}}|–|—)(?!\d))?")
_SPLIT = re.compile(r"(\d+)([€£$])(\d{2})(?!\d)")
_WORD = r"(?:livres sterling|[^\W\d_]*[$€£¥₹₽₺₴₪₩]?[^\W\d_]*)"
_AFTER = re.compile(rf"(?P<space> {{0,2}})(?P<dotted>(?P<word>(?P<mark>[€£$¥]?){_WORD})\.?)(?!\d)")
_BEFORE_IT = re.compile(rf"(?<![^\W\d_])(?P<dotted>(?P<word>{_WORD}(?P<mark>[€£$¥]?))\.?)(?P<space> {{0,2}})$")
