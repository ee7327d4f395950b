"""Days as people write them: figures in the orders of the project's languages, month names of all of them, year or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from omnicli.lint.coherence.plainly import Found, Plainly, bare

if TYPE_CHECKING:
    from babel import Locale

#: A day of a month in any year, where no year is written.
MonthDay = tuple[int, int]
_FULL = re.compile(r"(?<![\w/.-])(\d{1,4}) ?([/.-]) ?(\d{1,2}) ?\2 ?(\d{2,4})(?![\w/]|[.-]\d)")
_HAN = re.compile(r"(?:(\d{4})年 ?)?(\d{1,2})月 ?(\d{1,2})日")
_SHORT = re.compile(r"(?<![\w/.,-])(\d{1,2})/(\d{1,2})(?![\w/%]|[.,-]\d)")
_DOTTED = re.compile(r"(?<![\w/.,-])(\d{1,2})\. ?(\d{1,2})\.(?!\d)")
_DASHED = re.compile(r"(?<![\w/.,-])(\d{1,2})-(\d{1,2})(?![\w/%]|[.,-]\d)")
_NO_DAYS = frozenset({"24/7", "7/7", "1/2", "1/3", "2/3", "1/4", "3/4", "1/5", "1/10", "5/5", "4/5", "10/10"})


@dataclass(frozen=True, slots=True)
class _Calendar:
    """How the days of some languages are written: month → its number, and the patterns that read them in letters."""

    months: Mapping[str, int]
    day_month: re.Pattern[str]
    month_day: re.Pattern[str]
    weekday: re.Pattern[str]
    month_first: bool
    day_first: bool
    dotted: bool
    dashed: bool


@lru_cache(maxsize=64)
def _calendar(languages: tuple[str, ...]) -> _Calendar:
    from omnicli.render.forms import locale_of

    locales = [locale_of(language) for language in languages]
    months: dict[str, int] = {}
    weekdays: set[str] = set()
    for locale in locales:
        for names in (locale.months["format"], locale.months["stand-alone"]):
            for width in ("wide", "abbreviated"):
                months.update(
                    {bare(str(name)).rstrip("."): number for number, name in names[width].items() if not str(name).isdigit()}
                )
        for width in ("wide", "abbreviated"):
            weekdays |= {bare(str(name)).rstrip(".") for name in locale.days["format"][width].values()}
    short = [str(locale.date_formats["short"].pattern) for locale in locales]
    first = [re.sub(r"[^dM]", "", pattern)[:1] for pattern in short]
    return _Calendar(
        months,
        *_patterns(months, weekdays),
        "M" in first,
        "d" in first or not first,
        any("." in p for p in short),
        any(map(_dashes, locales)),
    )


def _dashes(locale: Locale) -> bool:
    """True where a day without its year is written `31-1`."""
    pattern = locale.datetime_skeletons.get("Md")
    return "-" in str(pattern.pattern if pattern else "")


def _patterns(months: Mapping[str, int], weekdays: set[str]) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    month = "|".join(sorted(map(re.escape, months), key=len, reverse=True))
    week = "|".join(sorted(map(re.escape, weekdays), key=len, reverse=True))
    ordinal = r"(?:er|st|nd|rd|th|e|o|a|ª|º|\.)?"
    year = r"(?:,? {1,2}(?:de[l]? |of )?(?P<year>\d{4})(?!\d)|[-/](?P<dashed>\d{4}|\d{2})(?!\d))?"
    day_month = rf"(?<![\w,./])(?P<day>\d{{1,2}}){ordinal}(?: {{0,2}}|-| of | de |/)(?P<month>{month})(?![a-z])\.?{year}"
    month_day = rf"\b(?P<month>{month})\.? {{1,2}}(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\w:%]| ?%|[.,]\d){year}"
    weekday = rf"\b(?:{week})\.?,? {{1,2}}(?:the |den |el |il |le |dia )?$"
    return re.compile(day_month), re.compile(month_day), re.compile(weekday)


def days_with_year(plain: Plainly, languages: Sequence[str]) -> Iterator[Found]:
    """`31/01/2027`, `2027-01-31`, `31.1.27`: figures only."""
    calendar = _calendar(tuple(languages))
    for match in _FULL.finditer(plain.text):
        left, _, middle, right = match.groups()
        if len(left) == 4:
            found = _dates((int(left), int(middle), int(right)))
        elif len(left) <= 2 and len(right) in (2, 4):
            year = int(right) + (2000 if len(right) == 2 else 0)
            found = _dates(*((year, month, day) for month, day in _orders(calendar, int(left), int(middle))))
        else:
            continue
        if found:
            yield *match.span(), found


def days(plain: Plainly, languages: Sequence[str]) -> Iterator[Found]:
    """Days in letters, with or without year and weekday: `31 janvier 2027`, `Sunday, January 31st`."""
    calendar = _calendar(tuple(languages))
    for match in _HAN.finditer(plain.text):
        yield from _in_letters(match.span(), match[1], int(match[2]), int(match[3]))
    if not calendar.months:
        return
    taken: list[tuple[int, int]] = []
    for pattern in (calendar.day_month, calendar.month_day):
        for match in pattern.finditer(plain.folded):
            if any(start < match.end() and match.start() < end for start, end in taken) or _verb(plain, match):
                continue
            taken.append(match.span())
            yield from _in_letters(
                (_from_weekday(plain, calendar, match.start()), match.end()),
                match["year"] or match["dashed"],
                calendar.months[match["month"]],
                int(match["day"]),
            )


def _from_weekday(plain: Plainly, calendar: _Calendar, start: int) -> int:
    """Where the day begins with its weekday, when one stands before it."""
    found = calendar.weekday.search(plain.folded, max(0, start - 24), start)
    return found.start() if found else start


def _verb(plain: Plainly, match: re.Match[str]) -> bool:
    """`you may 2`, `march 5`: English months begin with a capital."""
    return match["month"] in ("may", "march", "mar") and match["year"] is None and not plain.text[match.start("month")].isupper()


def days_without_year(plain: Plainly, languages: Sequence[str]) -> Iterator[Found]:
    """`31/01` and, where a language writes points, `31.01.`; fractions and `24/7` are no days."""
    calendar = _calendar(tuple(languages))
    for match in _SHORT.finditer(plain.text):
        if match[0] not in _NO_DAYS:
            yield from _short(calendar, match)
    for pattern, written in ((_DOTTED, calendar.dotted), (_DASHED, calendar.dashed)):
        for match in pattern.finditer(plain.text) if written else ():
            yield from _short(calendar, match)


def _short(calendar: _Calendar, match: re.Match[str]) -> Iterator[Found]:
    left, right = int(match[1]), int(match[2])
    orders = _orders(calendar, left, right) + ([(left, right)] if right > 12 else [])  # `1/31` can be read in one way only
    found = tuple(dict.fromkeys(pair for pair in orders if _is_day(*pair)))
    if found:
        yield *match.span(), found


def _orders(calendar: _Calendar, left: int, right: int) -> list[MonthDay]:
    """(month, day) in each order that the languages write, the day first where both do."""
    found = [(right, left)] if calendar.day_first or not calendar.month_first else []
    return found + ([(left, right)] if calendar.month_first else [])


def _in_letters(span: tuple[int, int], year: str | None, month: int, day: int) -> Iterator[Found]:
    if year is None:
        if _is_day(month, day):
            yield *span, ((month, day),)
    elif found := _dates((int(year) + (2000 if len(year) == 2 else 0), month, day)):
        yield *span, found


def _is_day(month: int, day: int) -> bool:
    return bool(_dates((2024, month, day)))


def _dates(*candidates: tuple[int, int, int]) -> tuple[date, ...]:
    found = []
    for candidate in candidates:
        try:
            found.append(date(*candidate))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))
