"""Countries, languages and time zones as people write them, made the codes that omni keeps, or refused with a hint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from zoneinfo import available_timezones

from omnicli.channels.clean import Problem, Refused
from omnicli.text import fold, nearest
from omnicli.texts import t

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?")


def _meant(text: str, known: Iterable[str]) -> str | None:
    """The nearest of many names; only those of nearly the same length and letters are compared letter by letter."""
    if len(text) > 60:
        return None
    letters = set(fold(text))
    return nearest(text, [name for name in known if abs(len(name) - len(text)) <= 2 and len(letters ^ set(name.casefold())) <= 4])


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
        return found, Problem(
            "zone_spelling", "repaired", t("the time zone is written {zone}", "ce fuseau s'écrit {zone}", zone=found)
        )
    meant = _meant(text, zones.values())
    hint = f" ({meant}?)" if meant else ""
    raise Refused("no_such_zone", t("no such time zone{hint}", "ce fuseau horaire n'existe pas{hint}", hint=hint))


@cache
def _codes() -> frozenset[str]:
    """The ISO 3166 codes that the time zone database lists; Babel's names are loaded only when a cell is none of them."""
    from importlib.resources import files

    lines = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text(encoding="utf-8").splitlines()
    return frozenset(line[:2] for line in lines if re.match(r"[A-Z]{2}\t", line))


@cache
def _names() -> dict[str, str]:
    """Folded names in six languages, alpha-3 codes and what people write instead → code."""
    from babel import Locale
    from babel.core import get_global

    names: dict[str, str] = {}
    for language in ("de", "es", "it", "nl", "fr", "en"):
        for code, name in Locale(language).territories.items():
            if code in _codes():
                names[fold(str(name))] = str(code)
    for alias, found in get_global("territory_aliases").items():
        if len(found) == 1 and found[0] in _codes() and alias.isalpha():
            names.setdefault(fold(alias), found[0])
    return names | {"uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "great britain": "GB", "angleterre": "GB", "usa": "US",
                    "u.s.a.": "US", "etats unis": "US", "reunion": "RE", "ile de la reunion": "RE", "la reunion": "RE"}  # fmt: skip


def country(text: str) -> tuple[str, Problem | None]:
    """An ISO 3166 alpha-2 code; names and other codes that mean one country are repaired."""
    if text in _codes():
        return text, None
    names = _names()
    found = text.upper() if text.upper() in _codes() else names.get(fold(text))
    if found:
        return found, Problem(
            "country_spelling", "repaired", t("the country is written {code}", "ce pays s'écrit {code}", code=found)
        )
    meant = _meant(text, names)
    hint = f" ({names[meant]}?)" if meant else ""
    raise Refused("no_such_country", t("no such country: write its two letters{hint}", "ce pays n'existe pas : écrivez ses deux lettres{hint}",
                                       hint=hint))  # fmt: skip


#: ISO 639-1: what nearly every file has, known without Babel.
_ISO_639 = """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et
    eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk
    kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny
    oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk
    tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """
_TWO = frozenset(_ISO_639.split())


@cache
def _languages() -> tuple[frozenset[str], dict[str, str]]:
    """Every code that Babel knows; folded names in French, English and the language itself → code."""
    from babel import Locale

    names: dict[str, str] = {}
    for spoken in ("fr", "en"):
        names.update(
            {
                fold(str(name)): str(code)
                for code, name in Locale(spoken).languages.items()
                if re.fullmatch("[a-z]{2,3}", str(code))
            }
        )
    for code in (
        "fr",
        "en",
        "de",
        "es",
        "it",
        "nl",
        "pt",
        "pl",
        "sv",
        "da",
        "fi",
        "el",
        "cs",
        "ro",
        "hu",
        "tr",
        "ru",
        "uk",
        "ar",
        "zh",
        "ja",
    ):
        names[fold(Locale.parse(code).get_language_name(code) or code)] = code
    return _TWO | frozenset(names.values()), names


def language(text: str) -> tuple[str, Problem | None]:
    """A language tag (`fr`, `fr-CA`); other spellings and names are repaired."""
    found = _TAG.fullmatch(text)
    if found and (found[1].lower() in _TWO or found[1].lower() in _languages()[0]):
        parts = [found[1].lower(), found[2].title() if found[2] else "", found[3].upper() if found[3] else ""]
        tag = "-".join(part for part in parts if part)
        return tag, None if tag == text else _spelt(tag)
    names = _languages()[1]
    if code := names.get(fold(text)):
        return code, _spelt(code)
    meant = _meant(text, names)
    hint = f" ({names[meant]}?)" if meant else ""
    raise Refused("no_such_language", t("no such language: write its code, such as fr{hint}", "cette langue n'existe pas : écrivez son code, tel que fr{hint}",
                                        hint=hint))  # fmt: skip


def _spelt(tag: str) -> Problem:
    return Problem("language_spelling", "repaired", t("the language is written {tag}", "cette langue s'écrit {tag}", tag=tag))
