"""Weaves what several readers get into one text with marks, so that a page holds what is the same for all of them only once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from omnicli.campaigns.preview.readings import Pieces, Reading
from omnicli.render.skeleton import CLOSE, MARK, OPEN, Origin

_STRAY = re.compile("[\ue000-\ue002]")


@dataclass(frozen=True, slots=True)
class Value:
    """What stands at a mark: where it comes from, and its text for each reader of the weave."""

    origin: Origin
    texts: Mapping[int, str]

    @property
    def first(self) -> str:
        return next(iter(self.texts.values()))


@dataclass(frozen=True, slots=True)
class Weave:
    """One text for several readers: part → text with marks; `values` by the number of the mark."""

    readers: tuple[int, ...]
    parts: Mapping[str, str]
    values: tuple[Value, ...]

    def filled(self, text: str, reader: int) -> str:
        """The text with marks as this reader gets it."""
        return MARK.sub(lambda mark: self.values[int(mark[1])].texts[reader], text)


def weave(readings: Sequence[Reading]) -> tuple[Weave, ...]:
    """One weave for all whose texts differ in values alone; order of the readers is kept."""
    groups: dict[object, list[Reading]] = {}
    for reading in readings:
        if not reading.reason:
            groups.setdefault(_shape(reading), []).append(reading)
    return tuple(_woven(group) for group in groups.values())


def _shape(reading: Reading) -> object:
    return tuple((part, tuple((origin, "" if _is_mark(origin) else text) for text, origin in _joined(pieces))) for part, pieces in reading.parts.items())  # fmt: skip


def _is_mark(origin: Origin) -> bool:
    return bool(origin)


def _joined(pieces: Pieces) -> Iterable[tuple[str, Origin]]:
    """Neighbours without an origin as one piece."""
    so_far = ""
    for text, origin in pieces:
        if origin:
            if so_far:
                yield so_far, None
            so_far = ""
            yield text, origin
        else:
            so_far += text
    if so_far:
        yield so_far, None


def _woven(group: Sequence[Reading]) -> Weave:
    values: list[Value] = []
    parts: dict[str, str] = {}
    for part, pieces in group[0].parts.items():
        rows = [list(_joined(reading.parts[part])) for reading in group]
        found: list[str] = []
        for place, (text, origin) in enumerate(_joined(pieces)):
            if not origin:
                found.append(_STRAY.sub("", text))
                continue
            found.append(f"{OPEN}{len(values)}{CLOSE}")
            values.append(Value(origin, {reading.reader: row[place][0] for reading, row in zip(group, rows, strict=True)}))
        parts[part] = "".join(found)
    return Weave(tuple(reading.reader for reading in group), parts, tuple(values))


def mask(readers: Iterable[int]) -> int:
    """A set of readers as a number, one bit each: the class `m5` is for readers 0 and 2."""
    return sum(1 << n for n in set(readers))


def by_reader(shown: Mapping[int, str], *, everybody: Iterable[int], tag: str = "span") -> str:
    """HTML that is shown to some readers only, equal ones once; bare where it is the same for everybody."""
    same: dict[str, list[int]] = {}
    for reader, html in shown.items():
        same.setdefault(html, []).append(reader)
    if len(same) == 1 and set(shown) == set(everybody):
        return next(iter(same))
    return "".join(f'<{tag} class="m{mask(readers)}">{html}</{tag}>' for html, readers in same.items() if html)


def painted(html: str, one: Weave, paint: Callable[[Value], str]) -> str:
    """The HTML with each mark replaced by what `paint` makes of its value."""
    return MARK.sub(lambda mark: paint(one.values[int(mark[1])]), html)
