"""Keeps messages and calls out of countries that nobody declared and of numbers that cost whoever calls them (docs/delivery 19, S19)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files

import yaml

from omnicli.texts import t


@lru_cache(maxsize=65_536)
def refused(number: str, countries: tuple[str, ...]) -> tuple[str, str] | None:
    """Why this number (E.164) is not called or written to, as (code, words); None when it may be. No countries: every one.

    A number whose country cannot be told apart from others with its prefix (+1, +44) passes when one of them is declared.
    """
    import phonenumbers
    from phonenumbers import PhoneNumberType as Kind

    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return "address", t("not a telephone number", "pas un numéro de téléphone")
    if phonenumbers.number_type(parsed) in (Kind.PREMIUM_RATE, Kind.SHARED_COST, Kind.PERSONAL_NUMBER):
        return "premium", t("a premium number is never written to or called", "un numéro surtaxé n'est jamais contacté")
    if not countries or "ALL" in countries:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    here: Sequence[str] = (region,) if region else phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    if any(one in countries for one in here):
        return None
    seen = region or f"+{parsed.country_code}"
    return "country", t(
        "{country} is not among the project's countries", "{country} n'est pas dans les pays du projet", country=seen
    )


def undelivered(number: str, on: date) -> str | None:
    """The country of this number when WhatsApp delivers no marketing templates there that day (rules.md WA-05)."""
    countries, since = _closed()
    region = _region(number) if on >= since else None
    return region if region in countries else None


@lru_cache(maxsize=1)
def _closed() -> tuple[frozenset[str], date]:
    found = yaml.safe_load(files(__package__).joinpath("data/limits.yaml").read_text("utf-8"))["whatsapp_marketing"]
    return frozenset(found["countries"]), found["from"]


@lru_cache(maxsize=65_536)
def _region(number: str) -> str | None:
    import phonenumbers

    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return None
