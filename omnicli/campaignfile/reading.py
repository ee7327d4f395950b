"""Reads one positioned file by hand, key by key: whatever is not as wanted becomes a finding at its place and a None.

Scenario files are read so, because what a line may hold depends on its verb; files of one fixed shape go through `validate`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from omnicli import clock
from omnicli.campaignfile.check import Check, none_to_name
from omnicli.campaignfile.source import KeyPath, Map, Seq
from omnicli.model import literals as lit
from omnicli.model.story import Wall
from omnicli.model.written import Empty, Null, shown
from omnicli.text import nearest
from omnicli.texts import t

T = TypeVar("T")
W = TypeVar("W", bound=str)


class Reading(Check):
    """The findings of one file as it is read."""

    def find(self, path: KeyPath) -> Any:
        return self.source.find(path)

    def line(self, path: KeyPath) -> tuple[int, int]:
        """Line and column, from 1, of the key at the path (of the value where it has none)."""
        place = self.source.place(path, key=bool(path) and isinstance(path[-1], str))
        return place.line, place.column

    def has(self, path: KeyPath) -> bool:
        """Whether something is written there."""
        return not isinstance(self.find(path), Empty | Null | None)

    # --- shapes -----------------------------------------------------------------------------------------------------
    def mapping(self, path: KeyPath, expected: Iterable[str], *, needs: Mapping[str, str] | None = None, where: str = "",
                open_: bool = False) -> Map | None:  # fmt: skip
        """The mapping at the path; unknown keys (S002, unless `open_`) and missing ones (S001: key → what it is) are told."""
        here = self.find(path)
        if not isinstance(here, Map):
            self.wrong(path, t("a mapping (key: value)", "un dictionnaire (clé : valeur)"), here)
            return None
        known = tuple(expected)
        for key in here:
            if not open_ and key not in known:
                self.unknown_key((*path, key), [k for k in known if k not in here] or known, where or self.name(path))
        for key, meaning in (needs or {}).items():
            if key not in here and not any(nearest(other, [key]) for other in here if other not in known):
                place = (*path, next(iter(here))) if here else path
                self.say("S001", place, t("{where} needs '{key}' ({meaning})", "{where} : il manque « {key} » ({meaning})",
                                          where=where or self.name(path), key=key, meaning=meaning), key=bool(here))  # fmt: skip
        return here

    def sequence(self, path: KeyPath) -> Iterator[KeyPath]:
        """The paths of the elements of the list at the path; a single value is a list of one."""
        here = self.find(path)
        if isinstance(here, Seq):
            yield from ((*path, n) for n in range(len(here)))
        elif isinstance(here, Map) or (isinstance(here, str) and not isinstance(here, Empty | Null)):
            yield path

    def name(self, path: KeyPath) -> str:
        return f"'{'.'.join(str(part) for part in path)}'" if path else self.source.file.rsplit("/", 1)[-1]

    # --- values -----------------------------------------------------------------------------------------------------
    def text(self, path: KeyPath) -> str | None:
        """The text at the path, white space collapsed."""
        value = self.find(path)
        if isinstance(value, str) and not isinstance(value, Empty | Null) and value.strip():
            return " ".join(value.split(" ")).strip()
        self.wrong(path, t("a text", "un texte"), value)
        return None

    def texts(self, path: KeyPath) -> list[tuple[str, int, int]]:
        """(text, line, column) of each element of a list, or of the one text."""
        return [(text, *self.line(one)) for one in self.sequence(path) if (text := self.text(one)) is not None]

    def literal(self, path: KeyPath, parse: Callable[[str], T]) -> T | None:
        """What `parse` makes of the scalar at the path."""
        text = self.text(path)
        return None if text is None else self.parsed(path, text, parse)

    def parsed(self, path: KeyPath, text: str, parse: Callable[[str], T], *, start: int = 0) -> T | None:
        """What `parse` makes of a part of the scalar at the path, which begins at `start`."""
        try:
            return parse(text)
        except lit.LiteralError as error:
            whole = self.source.scalar(path) == text
            if error.code == "S004":
                self._say(path, "S004", t("'{v}' is not one of {known}.", "« {v} » ne fait pas partie de : {known}.", v=text, known=error.wanted),
                          text, start)  # fmt: skip
                return None
            message = t("'{k}' wants {wanted}, got '{v}'", "« {k} » demande {wanted}, et non « {v} »",
                        k=self._key(path), wanted=error.wanted, v=shown(text))  # fmt: skip
            note = f"; {error.note}" if error.note else ""
            if whole:
                self.say(error.code, path, message + note, fix=self.write(path, error.fix) if error.fix else None)
            else:
                self._say(path, error.code, message + note, text, start)
        return None

    def yes(self, path: KeyPath) -> bool | None:
        return self.literal(path, lit.parse_yes_no)

    def word(self, path: KeyPath, known: Collection[W]) -> W | None:
        """One word of a closed list (S004)."""
        text = self.text(path)
        found = next((one for one in known if one == text), None)
        if text is not None and found is None:
            self.unknown_value(path, text, known)
        return found

    def among(self, path: KeyPath, word: str, known: Collection[str], *, start: int = 0, none: str = "") -> bool:
        """Whether a word inside the scalar at the path is one of these; told at the word when not. `none`: what mends it where there
        are none at all."""
        if word in known:
            return True
        close = nearest(word, known)
        message = t("'{v}' is not one of {known}.", "« {v} » ne fait pas partie de : {known}.", v=word, known=", ".join(known))
        if not known:
            message = none_to_name(word, none=none)
        if close:
            message += t(" Did you mean '{x}'?", " Vouliez-vous dire « {x} » ?", x=close)
        self._say(path, "S004", message, word, start)
        return False

    def wall(self, path: KeyPath) -> Wall | None:
        """`2027-01-04 11:30`, perhaps with the name of a zone behind it."""
        return self.literal(path, read_wall)

    # --- findings ---------------------------------------------------------------------------------------------------
    def wrong(self, path: KeyPath, wanted: str, got: Any) -> None:
        if isinstance(got, Empty | Null | None) or got == "":
            message = t("'{k}' has nothing behind it; it wants {wanted}", "« {k} » n'a pas de valeur ; il faut {wanted}",
                        k=self._key(path), wanted=wanted)  # fmt: skip
            self.say("S001", path, message)
            return
        message = t("'{k}' wants {wanted}, got '{v}'", "« {k} » demande {wanted}, et non « {v} »",
                    k=self._key(path), wanted=wanted, v=shown(got))  # fmt: skip
        self.say("S003", path, message)

    def _key(self, path: KeyPath) -> str:
        return next((str(part) for part in reversed(path) if isinstance(part, str)), self.source.file)

    def _say(self, path: KeyPath, code: str, message: str, word: str, start: int) -> None:
        """At a word inside a scalar."""
        from omnicli.campaignfile.catalogue import finding
        from omnicli.campaignfile.validate import dotted

        place = self.source.within(path, start, len(word))
        self.findings.append(finding(code, place, message, path=dotted(path)))


_WALL = re.compile(r"(\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2})(?::([0-5]\d))?(?: +([A-Za-z]\S*))?")


def read_wall(text: str) -> Wall:
    """A date and time of day, in a named zone or in the one that its key states; `LiteralError` for anything else."""
    found = _WALL.fullmatch(text)
    if found is None:
        lit.parse_date_time(text)  # a wrong date says what is wrong with it
        raise lit.LiteralError(
            "S003", t("a date and time such as 2027-01-04 11:30", "une date et une heure telles que 2027-01-04 11:30"), text
        )
    moment: datetime = lit.parse_date_time(found[1]) + timedelta(seconds=int(found[2] or 0))
    least, most = clock.YEARS
    if not least <= moment.year <= most:
        raise lit.LiteralError(
            "S003", t("a year between {least} and {most}", "une année entre {least} et {most}", least=least, most=most), text
        )
    if found[3]:
        try:
            ZoneInfo(found[3])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise lit.LiteralError(
                "S003", t("a time zone such as Europe/Paris", "un fuseau tel que Europe/Paris"), found[3]
            ) from None
    return Wall(moment, found[3])
