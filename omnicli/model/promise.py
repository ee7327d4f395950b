"""The closed phrases of `always:` (docs/scenarios 4), each parsed into a value of its own and printed again.

`parse_promise` takes one line and gives the value, or raises `LiteralError` with what was wanted and, where one phrase is
nearest, that phrase. Whether a channel, event or message of that name exists is asked by `named` and answered elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from omnicli.model.literals import WEEKDAYS, Duration, LiteralError, Money, TimeOfDay
from omnicli.text import nearest
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class AtMost:
    """So many accepted marketing touches in any stretch of that length; days are local dates, as a cap counts them."""

    phrase: ClassVar[str] = "at most {count} touches [by {channel}] in any {length}"
    count: int
    length: Duration
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class NotBetween:
    """No touch while the person's clock shows a time in the half-open stretch; it may run over midnight."""

    phrase: ClassVar[str] = "no touch [by {channel}] between {begin} and {end}"
    begin: TimeOfDay
    end: TimeOfDay
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class NotOn:
    """No touch on that weekday, or on public `holidays` of the person's country."""

    phrase: ClassVar[str] = "no touch [by {channel}] on {day}"
    day: str
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class NothingAfter:
    """No marketing touch of a pass in which the event came, once omni knew of it; `within`: only what came so soon after entry counts."""

    phrase: ClassVar[str] = "nothing after {event}"
    event: str
    within: Duration | None = None


@dataclass(frozen=True, slots=True)
class EndsWithin:
    phrase: ClassVar[str] = "every pass ends within {length}"
    length: Duration


@dataclass(frozen=True, slots=True)
class SameFacts:
    """What a message stated to this person in a pass, every later touch of it states too."""

    phrase: ClassVar[str] = "same facts on every channel"


@dataclass(frozen=True, slots=True)
class Apart:
    phrase: ClassVar[str] = "at least {length} between touches"
    length: Duration


@dataclass(frozen=True, slots=True)
class Once:
    phrase: ClassVar[str] = "never {message} twice"
    message: str


@dataclass(frozen=True, slots=True)
class NeverBy:
    phrase: ClassVar[str] = "never {channel}"
    channel: str


@dataclass(frozen=True, slots=True)
class CostsAtMost:
    phrase: ClassVar[str] = "cost at most {money}"
    money: Money


Promise = AtMost | NotBetween | NotOn | NothingAfter | EndsWithin | SameFacts | Apart | Once | NeverBy | CostsAtMost
KINDS: tuple[type[Promise], ...] = (
    AtMost, NotBetween, NotOn, NothingAfter, EndsWithin, SameFacts, Apart, Once, NeverBy, CostsAtMost,
)  # fmt: skip

#: How each slot of a phrase is written, and what reads it.
_SLOTS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "count": (r"\d{1,4}", int), "length": (r"\d+ [a-z]+", Duration.parse), "begin": (r"[\d:hH]+", TimeOfDay.parse),
    "end": (r"[\d:hH]+", lambda text: TimeOfDay.parse(text, end=True)), "day": (rf"{'|'.join(WEEKDAYS)}|holidays", str),
    "money": (r"[\d.,]+ ?\S+", Money.price), "channel": (r"[a-z][\w-]*", str), "event": (r"[a-z][\w-]*", str),
    "message": (r"[a-z][\w-]*", str),
}  # fmt: skip


def _pattern(phrase: str) -> re.Pattern[str]:
    text = (
        re.escape(phrase).replace(r"touches", "touch(?:es)?").replace(r"any\ \{length\}", r"any\ (?:\{length\}|(?P<unit>[a-z]+))")
    )
    text = re.sub(r"\\ \\\[(.+?)\\\]", r"(?: \1)?", text)
    for name, (written, _) in _SLOTS.items():
        text = text.replace(rf"\{{{name}\}}", f"(?P<{name}>{written})")
    return re.compile(text)


_PATTERNS = tuple((kind, _pattern(kind.phrase)) for kind in KINDS)
PHRASES = tuple(kind.phrase.replace("{", "<").replace("}", ">") for kind in KINDS)


def parse_promise(text: str) -> Promise:
    """The promise that a line of `always:` makes; `in any week` is `in any 1 week`."""
    line = " ".join(text.split())
    for kind, pattern in _PATTERNS:
        found = pattern.fullmatch(line)
        if found is not None:
            given = {name: value for name, value in found.groupdict().items() if value is not None}
            if "unit" in given:
                given["length"] = f"1 {given.pop('unit')}"
            return kind(**{name: _SLOTS[name][1](value) for name, value in given.items()})  # type: ignore[arg-type]
    raise LiteralError("S003", t("one of the phrases of always", "une des phrases de always"), text, note=_advice(line))


def _advice(line: str) -> str:
    """The nearest phrase, by its first words, else all of them."""
    begin = {" ".join(phrase.split()[:2]): phrase for phrase in PHRASES}
    meant = nearest(" ".join(line.split()[:2]), begin)
    if meant is not None:
        return t("write '{phrase}'", "écrivez « {phrase} »", phrase=begin[meant])
    return t("the phrases are: {all}", "les phrases sont : {all}", all=" · ".join(PHRASES))


def spelled(promise: Promise) -> str:
    """The line again; it parses to the same value."""
    text = promise.phrase
    if getattr(promise, "channel", None) is None:
        text = re.sub(r" \[.+?\]", "", text)
    text = text.replace("[", "").replace("]", "")
    if isinstance(promise, AtMost) and promise.count == 1:
        text = text.replace("touches", "touch")
    return text.format(**{field.name: getattr(promise, field.name) for field in fields(promise)})


def named(promise: Promise) -> tuple[tuple[str, str], ...]:
    """The names that must exist: (`channel`, `event` or `message`, name)."""
    pairs = ((kind, getattr(promise, kind, None)) for kind in ("channel", "event", "message"))
    return tuple((kind, name) for kind, name in pairs if name is not None)
