"""Cells to stored values, a column of a chunk at a time: what a value is depends on its text alone, so each is read once.

A `Memory` remembers what it read (bounded), so that a column of a million rows costs a dictionary look-up a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from omnicli.channels import addresses
from omnicli.channels.clean import Problem, Refused, clean
from omnicli.model.project import Project
from omnicli.model.vocabulary import Kind
from omnicli.people import places
from omnicli.people.mapping import Target
from omnicli.store.columns import NO, YES, ValueRefused, kind_of, to_column
from omnicli.text import fold, nearest
from omnicli.texts import t

#: (stored value, its second form: folded copy or norm, what was found)
Read = tuple[Any, Any, Problem | None]
Parse = Callable[[Any], Read]
#: The values and second forms of cells that need no repair; None when one of them may.
Plain = Callable[[Sequence[str]], tuple[list[Any], list[Any]] | None]
MANY, BLOCK = 50_000, 32
NOTHING = frozenset({"null", "nil", "none", "n/a", "na", "nan", "#n/a", "\\n", "-", "--", "?"})


class Memory:
    """A parser with a memory: `read(keys)` gives the values, their second forms and the problems by place.

    Where nearly every cell is another one (ids, addresses), remembering costs more than reading: then it stops, and what needs
    no repair is read a block of cells at a time by `plain`.
    """

    __slots__ = ("_first", "_parse", "_plain", "_problems", "_second", "_various")

    def __init__(self, parse: Parse, plain: Plain | None = None) -> None:
        self._parse, self._plain = parse, plain
        self._various = False
        self._forget()

    def _forget(self) -> None:
        self._first: dict[Any, Any] = {}
        self._second: dict[Any, Any] = {}
        self._problems: dict[Any, Problem] = {}

    def read(self, keys: Sequence[Any]) -> tuple[list[Any], list[Any], list[tuple[int, Problem]]]:
        if self._various:
            return self._read_various(keys)
        different = set(keys)
        self._various = len(different) > 0.6 * len(keys) > 600
        if len(self._first) > MANY:
            self._forget()
        for key in different.difference(self._first):
            self._first[key], self._second[key], problem = self._parse(key)
            if problem is not None:
                self._problems[key] = problem
        values = list(map(self._first.__getitem__, keys))
        seconds = list(map(self._second.__getitem__, keys))
        if not self._problems or self._problems.keys().isdisjoint(different):
            return values, seconds, []
        problems = self._problems
        return values, seconds, [(place, problems[key]) for place, key in enumerate(keys) if key in problems]

    def _read_various(self, keys: Sequence[Any]) -> tuple[list[Any], list[Any], list[tuple[int, Problem]]]:
        values: list[Any] = []
        seconds: list[Any] = []
        problems: list[tuple[int, Problem]] = []
        for start in range(0, len(keys), BLOCK):
            block = keys[start : start + BLOCK]
            read = self._plain(block) if self._plain is not None else None
            if read is not None:
                values += read[0]
                seconds += read[1]
                continue
            for place, key in enumerate(block, start):
                value, second, problem = self._parse(key)
                values.append(value)
                seconds.append(second)
                if problem is not None:
                    problems.append((place, problem))
        return values, seconds, problems


def memory(target: Target, project: Project, at: datetime) -> Memory:
    """What reads the cells of this target."""
    plain: Plain | None = None
    match target.kind:
        case "id":
            plain = _plain_ids
        case "address" if target.name == "email":
            plain = addresses.plain_emails
        case "attribute" if (
            not target.form and not target.written and kind_of(project.contacts.attributes[target.name]).name == "number"
        ):
            plain = _plain_numbers
    return Memory(parser(target, project, at), plain)


def _plain_ids(texts: Sequence[str]) -> tuple[list[Any], list[Any]] | None:
    whole = "".join(texts)
    if not (whole.isascii() and whole.isalnum() and all(texts)) or max(map(len, texts)) > 200:
        return None
    return list(texts), [None] * len(texts)


def _plain_numbers(texts: Sequence[str]) -> tuple[list[Any], list[Any]] | None:
    whole = "".join(texts)
    if not (whole.isascii() and whole.isdecimal()) or max(map(len, texts)) > 15:
        return None
    return [float(text) if text else None for text in texts], [None] * len(texts)


def parser(target: Target, project: Project, at: datetime) -> Parse:
    """How cells of this target are read; telephone numbers take (country, cell) as their key."""
    match target.kind:
        case "id":
            return _careful(_id)
        case "built_in":
            return _careful(_built_in(target, project, at))
        case "attribute":
            return _careful(_attribute(target, project, at))
        case "address":
            return _careful_address(target)
        case "consent":
            return _careful(_consent(target, project, at))
    raise ValueError(f"nothing is read into {target}")


def _careful(parse: Callable[[str], Read]) -> Parse:
    def read(text: str) -> Read:
        if not text:
            return None, None, None
        try:
            return parse(text)
        except Refused as refused:
            return None, None, refused.problem
        except ValueRefused as refused:
            return None, None, Problem("wrong_type", "refused", str(refused))

    return read


# --- who and where --------------------------------------------------------------------------------------------------
def _id(text: str) -> Read:
    if text.isascii() and text.isalnum() and len(text) <= 200:
        return text, None, None
    bare, problem = clean(text)
    if not bare:
        return None, None, None
    if len(bare) > 200:
        raise Refused("id_too_long", t("an id has at most 200 characters", "un identifiant a au plus 200 caractères"))
    return bare, None, problem


def _built_in(target: Target, project: Project, at: datetime) -> Callable[[str], Read]:
    name = target.name
    if name == "created":
        return lambda text: _typed(Kind("time"), text, project.time_zone, target.written, at)
    known: Mapping[str, Callable[[str], tuple[str, Problem | None]]] = {
        "language": places.language, "country": places.country, "time_zone": places.time_zone,
        "preferred_channel": lambda text: _one_of(text, project.channels, "channel"),
        "place": lambda text: _one_of(text, project.places, "place") if project.places else (text, None),
    }  # fmt: skip

    def read(text: str) -> Read:
        bare, problem = clean(text)
        if not bare:
            return None, None, None
        value, second = known[name](bare)
        return value, None, second or problem

    return read


def _one_of(text: str, known: Mapping[str, Any], what: str) -> tuple[str, Problem | None]:
    if text in known:
        return text, None
    same = next((name for name in known if fold(name) == fold(text)), None)
    if same:
        return same, Problem("spelling", "repaired", t("written {name} in omni.yaml", "s'écrit {name} dans omni.yaml", name=same))
    meant = nearest(text, known)
    hint = f" ({meant}?)" if meant else ""
    reason = (t("no channel of omni.yaml{hint}", "pas un canal d'omni.yaml{hint}", hint=hint) if what == "channel" else
              t("no place of omni.yaml{hint}", "pas un lieu d'omni.yaml{hint}", hint=hint))  # fmt: skip
    raise Refused(f"no_such_{what}", reason)


PHONES = ("sms", "whatsapp", "voice")


def _careful_address(target: Target) -> Parse:
    if target.part:
        return _careful(_letter_line)
    if target.name in PHONES:
        return _phone
    read = {"email": addresses.email, "letter": addresses.postal, "push": addresses.push}.get(target.name, addresses.identifier)
    lines = target.name == "letter"
    if target.name == "email":
        return _careful(lambda text: addresses.plain_email(text) or _one_address(text, read, lines))
    return _careful(lambda text: _one_address(text, read, lines))


def _one_address(text: str, read: Callable[[str], tuple[str, str]], lines: bool) -> Read:
    bare, problem = clean(text, lines=lines)
    if not bare:
        return None, None, None
    if problem is not None and problem.kind == "control" and not lines:
        raise Refused("control", t("control characters stand in it", "des caractères de contrôle s'y trouvent"))
    return (*read(bare), problem)


def _phone(key: tuple[str | None, str]) -> Read:
    country, text = key
    if not text:
        return None, None, None
    try:
        return _one_address(text, lambda bare: addresses.phone(bare, country), False)
    except Refused as refused:
        return None, None, refused.problem


def _letter_line(text: str) -> Read:
    bare, problem = clean(text)
    return bare or None, None, problem if bare else None


# --- consents -------------------------------------------------------------------------------------------------------
_GRANTED = YES | {"granted", "opt-in", "optin", "opted in", "subscribed", "accepted", "inscrit", "accordé", "abonné"}
_DENIED = NO | {
    "denied",
    "withdrawn",
    "opt-out",
    "optout",
    "opted out",
    "unsubscribed",
    "refused",
    "refusé",
    "désinscrit",
    "retiré",
    "désabonné",
}


def _consent(target: Target, project: Project, at: datetime) -> Callable[[str], Read]:
    if target.part == "on":
        return lambda text: _typed(Kind("time"), text, project.time_zone, target.written, at)
    if target.part == "from":
        return lambda text: (clean(text)[0] or None, None, None)
    return _consent_state


def _consent_state(text: str) -> Read:
    bare, _ = clean(text)
    word = bare.casefold()
    if word in _GRANTED:
        return 1, None, None
    if word in _DENIED:
        return 0, None, None
    if not word or word in NOTHING:
        return None, None, None
    raise Refused("not_a_consent", t("wants yes, no, or nothing when never asked", "veut yes, no, ou rien si jamais demandé"))


# --- attributes -----------------------------------------------------------------------------------------------------
def _attribute(target: Target, project: Project, at: datetime) -> Callable[[str], Read]:
    kind = kind_of(project.contacts.attributes[target.name])
    zone = project.time_zone
    if target.form in ("month_of", "day_of", "year_of"):
        part = target.form.removesuffix("_of")
        return lambda text: _part_of_date(part, text, zone, target.written, at)
    if kind.name in ("text", "code"):
        return lambda text: _words(kind, text)
    if kind.name == "number" and not target.written:
        return lambda text: _whole(text) or _typed(kind, text, zone, "", at)
    return lambda text: _typed(kind, text, zone, target.written, at)


def _whole(text: str) -> Read | None:
    """The commonest number of all: a few plain digits."""
    return (float(text), None, None) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _words(kind: Kind, text: str) -> Read:
    bare, problem = clean(text)
    if not bare:
        return None, None, None
    return bare, fold(bare) if kind.name == "text" else None, problem


def _part_of_date(part: str, text: str, zone: str, written: str, at: datetime) -> Read:
    stored, _, problem = _typed(Kind("date"), text, zone, written, at)
    return (None if stored is None else float(getattr(date.fromisoformat(stored), part))), None, problem


def _typed(kind: Kind, text: str, zone: str, written: str, at: datetime) -> Read:
    bare, problem = clean(text) if "\x1f" not in text else (text, None)
    if not bare:
        return None, None, None
    if bare.casefold() in NOTHING and bare not in kind.choices:
        return (
            None,
            None,
            Problem("no_value", "repaired", t("'{word}' was taken as empty", "« {word} » a été pris pour vide", word=bare)),
        )
    if written:
        bare = _read_written(bare, written, at)
    try:
        return (*to_column(kind, bare, zone=zone), problem)
    except ValueRefused:
        mended = _mended(kind, bare, zone)
        if mended is None:
            raise
        value, said = mended
        return (*to_column(kind, value, zone=zone), said)


def _mended(kind: Kind, text: str, zone: str) -> tuple[object, Problem] | None:
    """A value that can only mean one thing, in the spelling that is wanted; None when it cannot be told."""
    if kind.name in ("number", "percent", "money"):
        figure = _plain_number(text, kind)
        if figure is not None:
            reason = t("written {figure}", "s'écrit {figure}", figure=figure)
            return figure, Problem("number_spelling", "repaired", reason)
    if kind.name == "date" and re.match(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", text):
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            return None
        day = instant.astimezone(ZoneInfo(zone)).date() if instant.tzinfo else instant.date()
        return day, Problem(
            "time_of_day",
            "repaired",
            t("the time of day was left out: {day}", "l'heure a été laissée : {day}", day=day.isoformat()),
        )
    return None


def _plain_number(text: str, kind: Kind) -> str | None:
    """`1 234,56` and `1,234.56` are 1234.56; `1,234` may be two things and is none."""
    figure = re.sub(r"[\s'’\u00a0\u202f]", "", text)
    if kind.name == "money":
        symbols = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
        figure = figure.replace(symbols.get(kind.currency or "", "\0"), "").removesuffix(kind.currency or "\0")
    if kind.name == "percent":
        figure = figure.removesuffix("%")
    if re.fullmatch(r"-?\d+(\.\d+)?", figure):
        return figure
    if re.fullmatch(r"-?\d+,\d{1,2}", figure) or re.fullmatch(r"-?\d+,\d{4,}", figure):
        return figure.replace(",", ".")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+\.\d+", figure) or re.fullmatch(r"-?\d{1,3}(,\d{3}){2,}", figure):
        return figure.replace(",", "")
    if re.fullmatch(r"-?\d{1,3}(\.\d{3})+,\d+", figure) or re.fullmatch(r"-?\d{1,3}(\.\d{3}){2,}", figure):
        return figure.replace(".", "").replace(",", ".")
    return None


def _read_written(text: str, pattern: str, at: datetime) -> str:
    """A date in the spelling that the map states, as ISO text."""
    words = re.split(r"[./\- ]+", text)
    if pattern == "yyyymmdd":
        words = [text[:4], text[4:6], text[6:8]] if re.fullmatch(r"\d{8}", text) else []
    order = ["yyyy", "mm", "dd"] if pattern == "yyyymmdd" else pattern.split("/")
    if len(words) < 3 or not all(word.isdecimal() for word in words[:3]):
        raise Refused("not_that_date", t("wants a date written {pattern}", "veut une date écrite {pattern}", pattern=pattern))
    found = dict(zip((name[0] for name in order), (int(word) for word in words[:3]), strict=True))
    year = found["y"] if "yyyy" in order else found["y"] + (1900 if found["y"] > at.year % 100 else 2000)
    try:
        return date(year, found["m"], found["d"]).isoformat()
    except ValueError:
        raise Refused(
            "not_that_date", t("wants a date written {pattern}", "veut une date écrite {pattern}", pattern=pattern)
        ) from None
