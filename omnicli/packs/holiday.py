"""Public holidays by country, region and year, as frozen sets; the library is imported when the first one is asked."""

from __future__ import annotations

import sys
from datetime import date
from functools import lru_cache


@lru_cache(maxsize=4096)
def holidays_of(country: str, region: str | None, year: int) -> frozenset[date]:
    """The public holidays of the country in this year, with those of the region where it is known (`67`, `FR-67`).

    A country that the library `holidays` does not know has none; an unknown region has those of its country.
    """
    import holidays

    _one_by_one()
    code = _subdivision(country, region) if region else None
    try:
        found = holidays.country_holidays(country, subdiv=code, years=year)
    except NotImplementedError:
        return frozenset()
    return frozenset(day for day in found if day.year == year)


def _one_by_one() -> None:
    """The package of the library's countries imports all 250 of them: 0.13 s of processor for every command that decides. Put there
    without having been run, it is the folder in which the library finds each country when it is asked."""
    from importlib.util import find_spec, module_from_spec

    name = "holidays.countries"
    if name not in sys.modules and (found := find_spec(name)) is not None:
        sys.modules[name] = module_from_spec(found)


@lru_cache(maxsize=1024)
def _subdivision(country: str, region: str) -> str | None:
    """The library's name of a region: its code, its ISO 3166-2 code, one of its aliases, or what the pack says."""
    import holidays

    from omnicli.packs.read import shipped

    known = holidays.list_supported_countries(include_aliases=True).get(country, [])
    bare = region.removeprefix(f"{country}-")
    pack = shipped().get(country)
    said: dict[str, str] = {}
    for rule in pack.rules if pack else ():
        said.update(rule.value.get("regions", {}) if rule.kind == "holidays" else {})
    for name in (said.get(bare), bare, region):
        if name in known:
            return str(name)
    return None
