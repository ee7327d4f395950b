"""A YAML file as values that know where they stand: any key path, and any character of a scalar, has its line and column.

Mappings are `Map` (a dict), lists `Seq` (a list), scalars plain `str`; nothing is ever typed by YAML.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from omnicli.model.finding import Place

KeyPath = tuple[str | int, ...]

BREAK = re.compile(r"\r\n|\r|\n")
ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r?\n[ \t]*|.)", re.DOTALL)
_SIMPLE_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b", " ": " ",
    '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


class Span(NamedTuple):
    """Where a node stands: lines and columns from 0, the end exclusive; `style` is `'' ' " | >`, `{` or `[` for flow
    collections, `block` for the others."""

    line: int
    column: int
    end_line: int
    end_column: int
    style: str


class Map(dict[str, Any]):
    """A mapping as written: its values, and where each key and each value stands."""

    __slots__ = ("keys_at", "span", "values_at")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.keys_at: dict[str, Span] = {}
        self.values_at: dict[str, Span] = {}


class Seq(list[Any]):
    """A list as written, with the place of each element."""

    __slots__ = ("span", "values_at")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.values_at: list[Span] = []


@dataclass
class Source:
    """One file as it lies on the disk. `root` is None when its YAML cannot be read."""

    file: str
    text: str
    root: Any = None
    long_spans: tuple[Span, ...] = ()

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends; a byte-order mark is not part of the first."""
        return tuple(BREAK.split(self.text))

    @cached_property
    def line_ends(self) -> str:
        """What ends a line in this file: CRLF or LF."""
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def comments(self) -> tuple[tuple[int, int, str], ...]:
        """Every comment as (line from 1, column from 1, text from its `#` on)."""
        return tuple(_comments(self.lines, self.long_spans))

    def find(self, path: KeyPath) -> Any:
        """The value at a key path, or None."""
        here = self.root
        for part in path:
            if isinstance(here, Map) and part in here:
                here = here[str(part)]
            elif isinstance(here, Seq) and isinstance(part, int) and -len(here) <= part < len(here):
                here = here[part]
            else:
                return None
        return here

    def scalar(self, path: KeyPath) -> str | None:
        """The raw text of the scalar at the path, or None when no scalar stands there."""
        value = self.find(path)
        return str(value) if isinstance(value, str) else None

    def span(self, path: KeyPath, *, key: bool = False) -> Span:
        """The span of the value (or key) at the path, else of the nearest thing around it."""
        here, found = self.root, whole_span(self.root)
        for n, part in enumerate(path):
            last = n == len(path) - 1
            if isinstance(here, Map) and part in here.keys_at:
                name = str(part)
                found = here.keys_at[name] if key and last else here.values_at[name]
                if found.style == "block" and not (isinstance(here.get(name), Map | Seq) and not last):
                    found = here.keys_at[name]
                here = here.get(name)
            elif isinstance(here, Seq) and isinstance(part, int) and part < len(here.values_at):
                found = here.values_at[part]
                here = here[part]
            else:
                break
        if found.style == "block" and isinstance(here, Map) and here.keys_at:
            return next(iter(here.keys_at.values()))
        return found

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """The position of the value (or key) at the path; of what surrounds it when nothing stands there."""
        return self.at(self.span(path, key=key))

    def at(self, span: Span) -> Place:
        """A span as a place; one that runs over several lines ends with its first."""
        if span.end_line != span.line:
            width = len(self.lines[span.line]) if span.line < len(self.lines) else 0
            return Place.at(self.file, span.line + 1, span.column + 1, max(width - span.column, 1))
        return Place.at(self.file, span.line + 1, span.column + 1, span.end_column - span.column)

    def slice(self, span: Span) -> str:
        """The raw text of a span, quotes included."""
        return self.text[self._offset(span.line, span.column) : self._offset(span.end_line, span.end_column)]

    def exact(self, span: Span) -> Place:
        """The whole span, over several lines too: what an edit replaces."""
        return Place(self.file, span.line + 1, span.column + 1, span.end_line + 1, span.end_column + 1)

    def within(self, path: KeyPath, start: int, width: int = 1) -> Place:
        """The place of `width` characters from `start` (from 0) of the scalar's value, in the file's own text."""
        span = self.span(path)
        value = self.scalar(path)
        if value is None or span.style in ("block", "{", "["):
            return self.at(span)
        offsets = _aligned(self.slice(span), span.style)
        before = sum(1 for c in value[:start] if not c.isspace())
        inside = sum(1 for c in value[start : start + max(width, 1)] if not c.isspace())
        if not offsets or before + max(inside, 1) > len(offsets):
            return self.at(span)
        base = self._offset(span.line, span.column)
        first, last = offsets[before], offsets[before + max(inside, 1) - 1]
        line, column = self.line_column(base + first[0])
        end_line, end_column = self.line_column(base + last[1])
        if end_line != line:
            end_line, end_column = line, len(self.lines[line])
        return Place(self.file, line + 1, column + 1, end_line + 1, max(end_column, column + 1) + 1)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return (0, *(m.end() for m in BREAK.finditer(self.text)))

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line] + column if line < len(self._starts) else len(self.text)

    def line_column(self, offset: int) -> tuple[int, int]:
        """Line and column, from 0, of an index in `text`."""
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]

    def offset(self, line: int, column: int) -> int:
        """The index in `text` of a line and column counted from 1 (as in `Place`)."""
        return self._offset(line - 1, column - 1)


def whole_span(root: Any) -> Span:
    return root.span if isinstance(root, Map | Seq) else Span(0, 0, 0, 1, "")


def _comments(lines: Sequence[str], spans: Sequence[Span]) -> Iterator[tuple[int, int, str]]:
    inside: dict[int, list[tuple[int, int]]] = {}
    for span in spans:
        first = span.line + 1 if span.style in "|>" else span.line
        for line in range(first, span.end_line + 1):
            start = 0 if line > span.line else span.column
            inside.setdefault(line, []).append((start, span.end_column if line == span.end_line else 1 << 30))
    for n, text in enumerate(lines):
        for mark in re.finditer(r"(?:^|(?<=[ \t]))#", text):
            if not any(start <= mark.start() < end for start, end in inside.get(n, ())):
                yield n + 1, mark.start() + 1, text[mark.start() :]
                break


def _aligned(raw: str, style: str) -> list[tuple[int, int]]:
    """For each character of the value that is no white space, where it begins and ends in the raw text."""
    found: list[tuple[int, int]] = []
    start, end = 0, len(raw)
    if style in ("'", '"'):
        start, end = 1, len(raw) - 1
    elif style in ("|", ">"):
        start = len(raw.split("\n", 1)[0])
    i = start
    while i < end:
        width, letter = 1, raw[i]
        if style == '"' and letter == "\\" and (escape := ESCAPE.match(raw, i)):
            width, letter = len(escape.group()), unescaped(escape.group())
        elif style == "'" and raw.startswith("''", i):
            width = 2
        if letter and not letter.isspace():
            found.append((i, i + width))
        i += width
    return found


def unescaped(escape: str) -> str:
    """What a backslash escape of a double-quoted scalar stands for."""
    code = escape[1:]
    if code[0] in "xuU" and len(code) > 1:
        return chr(int(code[1:], 16))
    return "" if code.lstrip("\r").startswith("\n") else _SIMPLE_ESCAPES.get(code, code)
