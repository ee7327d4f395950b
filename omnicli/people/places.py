"""Countries, languages and time zones as people write them, made the codes that omni keeps, or refused with a hint."""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import available_timezones

from omnicli.people.clean import Problem, Refused
from omnicli.text import fold, nearest
from omnicli.texts import t

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?")


@cache
def _zones() -> dict[str, str]:
    """Folded name → zone; files of the zone database that are no places are left out."""
    found = {zone.casefold(): zone for zone in available_timezones()}
    for odd in ("factory", "posixrules", "localtime", "leapseconds"):
        found.pop(odd, None)
    return found


def time_zone(text: str) -> tuple[str, Problem | None]:
    """An IANA name, old ones too; another case is repaired."""
    zones = _zones()
    found = zones.get(text.casefold().replace(" ", "_"))
    if found == text:
        return text, None
    if found:
        return found, Problem("zone_spelling", "repaired", t("the time zone is written {zone}", "ce fuseau s'écrit {zone}", zone=found))
    meant = nearest(text, zones.values()) if len(text) < 60 else None
    hint = f" ({meant}?)" if meant else ""
    raise Refused("no_such_zone", t("no such time zone{hint}", "ce fuseau horaire n'existe pas{hint}", hint=hint))


@cache
def _countries() -> tuple[frozenset[str], dict[str, str]]:
    """ISO 3166 codes; folded French and English names, alpha-3 codes and what people write instead → code."""
    from babel import Locale
    from babel.core import get_global

    codes = frozenset(code for code in Locale("en").territories if re.fullmatch(r"[A-Z]{2}", code)) - {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}
    names: dict[str, str] = {}
    for language in ("de", "es", "it", "nl", "fr", "en"):
        names.update({fold(name): code for code, name in Locale(language).territories.items() if code in codes})
    for alias, found in get_global("territory_aliases").items():
        if len(found) == 1 and found[0] in codes and alias.isalpha():
            names.setdefault(fold(alias), found[0])
    names |= {"uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "great britain": "GB", "angleterre": "GB", "usa": "US", "u.s.a.": "US",
              "etats unis": "US", "reunion": "RE", "ile de la reunion": "RE", "la reunion": "RE"}  # fmt: skip
    return codes, names


def country(text: str) -> tuple[str, Problem | None]:
    """An ISO 3166 alpha-2 code; names and other codes that mean one country are repaired."""
    codes, names = _countries()
    if text in codes:
        return text, None
    found = text.upper() if text.upper() in codes else names.get(fold(text))
    if found:
        return found, Problem("country_spelling", "repaired", t("the country is written {code}", "ce pays s'écrit {code}", code=found))
    meant = nearest(text, names) if len(text) < 60 else None
    hint = f" ({names[meant]}?)" if meant else ""
    raise Refused("no_such_country", t("no such country: write its two letters{hint}", "ce pays n'existe pas : écrivez ses deux lettres{hint}",
                                       hint=hint))  # fmt: skip


@cache
def _languages() -> tuple[frozenset[str], dict[str, str]]:
    from babel import Locale

    known = Locale("en").languages
    names: dict[str, str] = {}
    for spoken in ("fr", "en"):
        names.update({fold(name): code for code, name in Locale(spoken).languages.items() if re.fullmatch("[a-z]{2,3}", code)})
    for code in ("fr", "en", "de", "es", "it", "nl", "pt", "pl", "sv", "da", "fi", "el", "cs", "ro", "hu", "tr", "ru", "uk", "ar", "zh", "ja"):
        own = Locale.parse(code).get_language_name(code)
        names[fold(own or code)] = code
    return frozenset(code for code in known if re.fullmatch("[a-z]{2,3}", code)), names


def language(text: str) -> tuple[str, Problem | None]:
    """A language tag (`fr`, `fr-CA`); other spellings and names are repaired."""
    codes, names = _languages()
    found = _TAG.fullmatch(text)
    if found and found[1].lower() in codes:
        parts = [found[1].lower(), found[2].title() if found[2] else "", found[3].upper() if found[3] else ""]
        tag = "-".join(part for part in parts if part)
        return tag, None if tag == text else _spelt(tag)
    if code := names.get(fold(text)):
        return code, _spelt(code)
    meant = nearest(text, names) if len(text) < 60 else None
    hint = f" ({names[meant]}?)" if meant else ""
    raise Refused("no_such_language", t("no such language: write its code, such as fr{hint}", "cette langue n'existe pas : écrivez son code, tel que fr{hint}",
                                        hint=hint))  # fmt: skip


def _spelt(tag: str) -> Problem:
    return Problem("language_spelling", "repaired", t("the language is written {tag}", "cette langue s'écrit {tag}", tag=tag))
