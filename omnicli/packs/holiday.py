"""Public holidays by country, region and year, as frozen sets; the library is imported when the first one is asked."""

from __future__ import annotations

from datetime import date
from functools import lru_cache


@lru_cache(maxsize=4096)
def holidays_of(country: str, region: str | None, year: int) -> frozenset[date]:
    """The public holidays of the country in this year, with those of the region where it is known (`67`, `FR-67`).

    A country that the library `holidays` does not know has none; an unknown region has those of its country.
    """
    import holidays

    code = _subdivision(country, region) if region else None
    try:
        found = holidays.country_holidays(country, subdiv=code, years=year)
    except NotImplementedError:
        return frozenset()
    return frozenset(day for day in found if day.year == year)


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
