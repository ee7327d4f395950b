"""Is omni itself installed as it must be: Python, its packages, SQLite, the time zones, what it builds."""

from __future__ import annotations

import re
import sqlite3
import sys
from importlib import metadata

from omnicli import __version__
from omnicli.campaigns import startup
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Sign, Signs
from omnicli.texts import t

#: What an extra brings: the package by which it is known.
EXTRAS = {"dns": "checkdmarc", "push": "pywebpush", "xlsx": "openpyxl", "postgres": "psycopg"}


def installation() -> Signs:
    """Everything that needs no project."""
    found = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < (3, 11)
    yield Sign("python", WRONG if old else WELL, f"omni {__version__}, Python {found}", "Python ≥ 3.11" if old else "")
    yield from _packages()
    yield _sqlite(sqlite3.sqlite_version_info, sqlite3.sqlite_version)
    yield _zones()
    fault = startup.header_fault()
    yield (
        Sign("headers", WELL, t("messages built here read as they should", "les messages faits ici se lisent comme il faut"))
        if fault is None
        else Sign("headers", WRONG, fault, t("do not send with this installation", "n'envoyez rien avec cette installation"))
    )


def _packages() -> Signs:
    missing = [name for name in _required() if version(name) is None]
    if missing:
        yield Sign(
            "packages",
            WRONG,
            t("missing: {names}", "il manque : {names}", names=", ".join(missing)),
            "pip install --upgrade omni-campaigns",
        )
    if (old := startup.jinja_too_old()) is not None:
        said = t("Jinja {v} is too old: its sandbox has holes", "Jinja {v} est trop ancien : son bac à sable fuit", v=old)
        yield Sign("jinja", WRONG, said, "pip install 'jinja2>=3.1.6'")
    have = [name for name, package in EXTRAS.items() if version(package) is not None]
    if not missing:
        extras = ", ".join(have) or t("none", "aucun")
        yield Sign("packages", WELL, t("packages there; extras: {extras}", "paquets présents ; extras : {extras}", extras=extras))


def version(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _required() -> list[str]:
    """What omni's own metadata asks for, without extras; nothing when it runs from a folder."""
    try:
        lines = metadata.requires("omni-campaigns") or []
    except metadata.PackageNotFoundError:
        return []
    found = [re.match(r"[A-Za-z0-9._-]+", line) for line in lines if "extra ==" not in line]
    return [one[0] for one in found if one is not None]


def wal_reset_bug(linked: tuple[int, int, int]) -> bool:
    """Whether this SQLite has the WAL-reset bug: 3.7.0 to 3.51.2, mended too in 3.50.7 and 3.44.6 (docs/delivery 8)."""
    if not (3, 7, 0) <= linked <= (3, 51, 2):
        return False
    return not (linked[:2] == (3, 50) and linked[2] >= 7) and not (linked[:2] == (3, 44) and linked[2] >= 6)


def _sqlite(linked: tuple[int, ...], text: str) -> Sign:
    if not wal_reset_bug((linked[0], linked[1], linked[2])):
        return Sign("sqlite", WELL, f"SQLite {text}")
    return Sign(
        "sqlite", NOTE,
        t("SQLite {v} has the WAL-reset bug: omni keeps clear of it, other programs may not", "SQLite {v} a le bogue « WAL-reset » : omni l'évite, d'autres programmes non", v=text),
        t("do not open the file with other tools while omni runs", "n'ouvrez pas le fichier avec d'autres outils quand omni tourne"),
    )  # fmt: skip


def _zones() -> Sign:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    found = version("tzdata")
    try:
        ZoneInfo("Europe/Paris")
    except ZoneInfoNotFoundError:
        return Sign("zones", WRONG, t("no time zones are installed", "aucun fuseau horaire n'est installé"), "pip install tzdata")
    return Sign("zones", WELL, f"tzdata {_letter(found)}" if found else t("time zones of the system", "fuseaux du système"))


def _letter(number: str) -> str:
    """`2026.3` is what zone people call 2026c."""
    year, _, rank = number.partition(".")
    return f"{year}{chr(96 + int(rank))}" if rank.isdigit() and 0 < int(rank) < 27 else number
