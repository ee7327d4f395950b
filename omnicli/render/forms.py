"""Prints a fact's value in its form, in the reader's language, as Babel writes it: `39,92 €`, `31 January 2027`, `20 %`.

The same function prints and proves: the forms that a check allows are those that this module makes (docs/consistency 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omnicli.channels import Medium
from omnicli.texts import t

if TYPE_CHECKING:
    from babel import Locale

#: Forms of each type; the first is the default where the medium has no other (campaign-language 5.4).
FORMS: Mapping[str, tuple[str, ...]] = {
    "percent": ("plain",), "money": ("full", "short"), "date": ("long", "medium", "short", "weekday"), "code": ("plain",),
    "url": ("link", "host"), "phone": ("national", "international"), "place": ("name", "address", "city"),
    "number": ("plain", "spelled"), "text": ("plain",), "list": ("plain",), "yes or no": ("plain",), "distance": ("plain",), "duration": ("plain",),
}  # fmt: skip
_SPACES = {
    ord(space): " "
    for space in "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t\n"
}


def plain_spaces(text: str) -> str:
    """Every kind of space as U+0020: one no-break space turns an SMS of one part into three."""
    return text if text.isascii() and "\n" not in text and "\t" not in text else text.translate(_SPACES)


@lru_cache(maxsize=256)
def locale_of(language: str, countries: tuple[str, ...] = ()) -> Locale:
    """The locale that numbers and dates of a language are written in.

    A tag with a country (`fr-CA`) says it itself; else the first country of the project where the language is official;
    else, for English, the international one (a Lyon shop writes `31 January 2027`, not `January 31, 2027`).
    """
    from babel import Locale, UnknownLocaleError
    from babel.languages import get_official_languages
    from babel.localedata import exists

    tag, _, region = language.replace("-", "_").partition("_")
    home = [country for country in countries if tag in get_official_languages(country, de_facto=True)]
    wanted = [f"{tag}_{region.upper()}"] if region else [f"{tag}_{country}" for country in home[:1]]
    for name in (*wanted, "en_001" if tag == "en" else tag):
        if exists(name):
            return Locale.parse(name)
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_001")


class CannotShow(ValueError):
    """A value that has no such form."""


def show(kind: str, value: str, form: str, *, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    """A fact's text. `value` is its plain spelling (`39.92 EUR`, `2027-01-31`, `20`); CannotShow for an unknown form."""
    if form and form not in FORMS.get(kind, ("plain",)):
        raise CannotShow(t("a {kind} has no form '{form}' (known: {known})", "pas de forme « {form} » pour {kind} (connues : {known})",
                           kind=kind, form=form, known=", ".join(FORMS.get(kind, ("plain",)))))  # fmt: skip
    form = form or default_form(kind, medium)
    text = _MAKERS[kind](value, form, locale, medium, places)
    return plain_spaces(text) if medium.plain_spaces else text


def default_form(kind: str, medium: Medium) -> str:
    """The form in which this medium prints a type when nothing else is said."""
    return medium.forms.get(kind) or FORMS[kind][0]


def allowed(kind: str, value: str, *, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> frozenset[str]:
    """Every text in which this fact may stand in this medium and language (M004)."""
    found = set()
    for form in FORMS[kind]:
        try:
            found.add(show(kind, value, form, locale=locale, medium=medium, places=places))
        except CannotShow:
            continue
    return frozenset(found)


def _percent(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    from babel.numbers import format_percent

    number = Decimal(value)
    digits = max(0, -int(number.normalize().as_tuple().exponent))
    pattern = locale.percent_formats[None].pattern
    if digits:
        pattern = pattern.replace("#,##0", "#,##0." + "0" * digits)
    return format_percent(number / 100, format=pattern, locale=locale)


def _money(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    from babel.numbers import format_currency, get_currency_symbol

    from omnicli.channels.sms import foreign

    amount, _, currency = value.partition(" ")
    number = Decimal(amount)
    pattern = locale.currency_formats["standard"].pattern
    if form == "short" and number == number.to_integral_value():
        pattern = pattern.replace("0.00", "0")
    if medium.plain_spaces and foreign(get_currency_symbol(currency, locale=locale)):
        pattern = pattern.replace("¤", "¤¤") if "\u00a0" in pattern else pattern.replace("¤", "¤¤\u00a0")
    return format_currency(number, currency, format=pattern, locale=locale, currency_digits="." in pattern)


def _date(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    from babel.dates import format_date, format_skeleton

    day = date.fromisoformat(value)
    match form:
        case "short":
            return (
                str(format_skeleton("Md", day, locale=locale))
                if "Md" in locale.datetime_skeletons
                else format_date(day, "short", locale)
            )
        case "weekday":
            known = locale.datetime_skeletons.get("MMMEd")
            if known is None:
                return format_date(day, "full", locale)
            spelled_out = re.sub("M{3,4}", "MMMM", re.sub("E+", "EEEE", known.pattern))
            return format_date(day, spelled_out, locale)
    return format_date(day, form, locale)


def _code(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    return " ".join(value) if medium.spoken else value


def _url(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    from urllib.parse import urlsplit

    return value if form == "link" else (urlsplit(value).hostname or value).removeprefix("www.")


def _phone(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return value
    how = phonenumbers.PhoneNumberFormat
    return str(phonenumbers.format_number(number, how.NATIONAL if form == "national" else how.INTERNATIONAL))


def _place(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    place = places.get(value)
    if place is None:
        raise CannotShow(t("no place called '{name}'", "pas de lieu nommé « {name} »", name=value))
    text = getattr(place, form, None)
    if text is None:
        raise CannotShow(t("place '{name}' has no {form}", "le lieu « {name} » n'a pas de {form}", name=value, form=form))
    return str(text)


def _number(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    from babel.numbers import format_decimal

    number = Decimal(value)
    if form == "spelled":
        return _spelled(number, locale)
    return format_decimal(number, locale=locale, decimal_quantization=False)


def _spelled(number: Decimal, locale: Locale) -> str:
    from num2words import num2words

    for name in (str(locale), locale.language, "en"):
        try:
            return str(num2words(number, lang=name))
        except NotImplementedError:
            continue
    return str(number)


def _text(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    return value


def _distance(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    """Metres, as metres below a kilometre and as kilometres above."""
    from babel.units import format_unit

    metres = Decimal(value)
    unit, count = ("meter", metres) if metres < 1000 else ("kilometer", metres / 1000)
    return str(format_unit(count.quantize(Decimal("0.1")).normalize() + 0, unit, length="short", locale=locale))


def _duration(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    """Minutes, in the largest unit that they fill."""
    from babel.units import format_unit

    minutes = int(Decimal(value))
    unit, size = next((unit, size) for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)) if minutes % size == 0)
    return str(format_unit(minutes // size, unit, length="long", locale=locale))


def _yes_no(value: str, form: str, locale: Locale, medium: Medium, places: Mapping[str, Any]) -> str:
    words = {
        "fr": ("oui", "non"),
        "de": ("ja", "nein"),
        "es": ("sí", "no"),
        "it": ("sì", "no"),
        "nl": ("ja", "nee"),
        "pt": ("sim", "não"),
    }
    yes, no = words.get(locale.language, ("yes", "no"))
    return yes if value == "yes" else no


_MAKERS = {
    "percent": _percent, "money": _money, "date": _date, "code": _code, "url": _url, "phone": _phone, "place": _place,
    "number": _number, "text": _text, "yes or no": _yes_no, "distance": _distance, "duration": _duration,
}  # fmt: skip


def listed(words: Sequence[str], locale: Locale) -> str:
    """`lavande, figue et rose`."""
    from babel.lists import format_list

    return format_list(list(words), locale=locale)


def plural(number: Decimal, locale: Locale) -> str:
    """The CLDR plural category of a number in a language: `one other few many two zero`."""
    return str(locale.plural_form(number))
