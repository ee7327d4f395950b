"""What a reader sees of a part: its text without mark-up and without what is hidden, each character with the piece it comes from.

For a page: no comments, no `head`, no `display:none`, `visibility:hidden` or `hidden`, no `alt`, no `title`; a preheader, hidden
on purpose because the inbox shows it, is seen (docs/consistency 2).
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

from omnicli.render.trace import Piece

_UNIT = re.compile(
    r"<!--.*?(?:-->|\Z)|<![^>]*>|<(style|script|title|head|template|svg)\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>.*?</\1\s*>"
    r"|<(/?)([a-zA-Z][^\s/>]*)((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>|[^<]+|<",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s="'>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")
_SHEET = re.compile(r"<style\b[^>]*>(.*?)</style\s*>", re.DOTALL | re.IGNORECASE)
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_STRUCK = re.compile(r"line-through", re.IGNORECASE)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_AT_BLOCK = re.compile(r"@[^{};]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
_SPACES = re.compile(r"[ \t\r\n]+|[^ \t\r\n]+(?: [^ \t\r\n]+)*")
_BLOCKS = frozenset((
    "p", "div", "tr", "td", "th", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "section", "article",
    "header", "footer", "main", "br", "hr", "address", "dt", "dd", "dl", "pre", "figure", "body",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link that is seen: where its address stands in the part (`start` to `end`), and its label in the visible text."""

    start: int
    end: int
    label: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Seen:
    """The visible text of one part. `offsets[i]` is where its i-th character stands in the part; `struck` are spans of struck
    text, `alts` spans of the part that only a picture's `alt` says, `asides` what is read beside the text: `alt`, `title`."""

    part: str
    text: str
    offsets: Sequence[int] = field(repr=False)
    pieces: tuple[Piece, ...] = field(repr=False)
    starts: tuple[int, ...] = field(repr=False)
    anchors: tuple[Anchor, ...] = ()
    struck: tuple[tuple[int, int], ...] = ()
    alts: tuple[tuple[int, int], ...] = ()
    asides: tuple[Seen, ...] = ()

    def at(self, index: int) -> tuple[int, int]:
        """The number of the piece that the character comes from, and its place in that piece."""
        return self.in_part(self.offsets[index])

    def in_part(self, offset: int) -> tuple[int, int]:
        n = bisect_right(self.starts, offset) - 1
        return n, offset - self.starts[n]

    @cached_property
    def stretches(self) -> tuple[tuple[int, int, int], ...]:
        """The visible text by the pieces that it comes from: first character, one behind the last, number of the piece."""
        found: list[tuple[int, int, int]] = []
        index, length = 0, len(self.offsets)
        while index < length:
            number = self.in_part(self.offsets[index])[0]
            end = self.starts[number] + len(self.pieces[number].text)
            behind = bisect_left(self.offsets, end, index + 1)
            found.append((index, behind, number))
            index = behind
        return tuple(found)

    def within(self, start: int, end: int) -> list[int]:
        """The numbers of the pieces that stand in a span of the visible text."""
        if start >= end:
            return []
        first = bisect_right(self.stretches, (start, len(self.offsets) + 1, 0)) - 1
        last = bisect_left(self.stretches, (end,))
        return list(dict.fromkeys(number for _, _, number in self.stretches[first:last]))

    def of_part(self, start: int, end: int) -> list[int]:
        """The numbers of the pieces that stand in a span of the part itself."""
        first = self.in_part(start)[0]
        last = self.in_part(max(start, end - 1))[0]
        return list(range(first, last + 1)) if end > start else []


def seen(part: str, pieces: tuple[Piece, ...], *, page: bool) -> Seen:
    """What a reader sees of a part, a page or plain text."""
    starts = tuple(accumulate((len(piece.text) for piece in pieces[:-1]), initial=0)) if pieces else (0,)
    text = "".join([piece.text for piece in pieces])
    if not page:
        return Seen(part, text, range(len(text)), pieces, starts)
    reader = _Page(text, pieces, starts)
    reader.read()
    asides = tuple(_aside(part, text, span, pieces, starts) for span in reader.asides)
    return Seen(
        part,
        "".join(reader.out),
        reader.offsets,
        pieces,
        starts,
        tuple(reader.anchors),
        tuple(reader.struck),
        tuple(reader.alts),
        asides,
    )


def _aside(part: str, text: str, span: tuple[int, int], pieces: tuple[Piece, ...], starts: tuple[int, ...]) -> Seen:
    """An attribute that is read, as text."""
    letters: list[str] = []
    offsets: list[int] = []
    at = span[0]
    while at < span[1]:
        entity = _ENTITY.match(text, at, span[1])
        said = html.unescape(entity[0]) if entity else text[at]
        letters += said
        offsets += [at] * len(said)
        at = entity.end() if entity else at + 1
    return Seen(part, "".join(letters), offsets, pieces, starts)


@dataclass(slots=True)
class _Open:
    """An element that is open: how it changes what is seen, and where its text begins."""

    name: str
    hidden: bool
    struck: bool
    address: tuple[int, int] | None
    began: int


class _Page:
    """Reads a page once, from left to right."""

    def __init__(self, text: str, pieces: Sequence[Piece], starts: Sequence[int]) -> None:
        self.text, self.pieces, self.starts = text, pieces, starts
        self.out: list[str] = []
        self.offsets: list[int] = []
        self.anchors: list[Anchor] = []
        self.struck: list[tuple[int, int]] = []
        self.alts: list[tuple[int, int]] = []
        self.asides: list[tuple[int, int]] = []
        self.open: list[_Open] = []
        self.hidden = 0
        self.hiding = tuple(_hiding_classes(text))
        self.preheaders = tuple(self._preheaders())

    def _preheaders(self) -> Iterator[int]:
        for piece, start in zip(self.pieces, self.starts, strict=False):
            if piece.slot == "preheader" or piece.origin == ("words", "preheader"):
                yield start

    def read(self) -> None:
        for found in _UNIT.finditer(self.text):
            if found[3]:
                self._tag(found)
            elif found[0][:1] != "<" or len(found[0]) == 1:
                self._text(found[0], found.start())

    def _tag(self, found: re.Match[str]) -> None:
        name = found[3].lower()
        if name in _BLOCKS and not self.hidden:
            self._break(found.start())
        if found[2]:
            self._close(name)
            return
        given = _given(found[4] or "")
        base = found.start(4)
        if not self.hidden:
            self.asides += [_span(given.spans[key], base) for key in ("alt", "title", "aria-label") if key in given.spans]
        if name == "img" and not self.hidden and "alt" in given.spans:
            self.alts.append(_span(given.spans["alt"], base))
        if name in _VOID or given.closed:
            return
        hidden = self._hides(given, found.start())
        struck = name in ("s", "del", "strike") or given.struck
        address = _span(given.spans["href"], base) if name == "a" and "href" in given.spans else None
        self.open.append(_Open(name, hidden, struck, address, len(self.out)))
        self.hidden += hidden

    def _hides(self, given: _Given, start: int) -> bool:
        if not (given.hidden or not given.words.isdisjoint(self.hiding)):
            return False
        if self.hidden:
            return True
        end = self.text.find("</", start)
        return not any(start <= at < end for at in self.preheaders)

    def _close(self, name: str) -> None:
        if not any(one.name == name for one in self.open):
            return
        while self.open:
            last = self.open.pop()
            self.hidden -= last.hidden
            if not self.hidden and not last.hidden:
                if last.struck and len(self.out) > last.began:
                    self.struck.append((last.began, len(self.out)))
                if last.address is not None:
                    self.anchors.append(Anchor(*last.address, (last.began, len(self.out))))
            if last.name == name:
                return

    def _break(self, offset: int) -> None:
        if self.out and self.out[-1] != "\n":
            if self.out[-1] == " ":
                self.out.pop()
                self.offsets.pop()
            self.out.append("\n")
            self.offsets.append(offset)

    def _text(self, said: str, start: int) -> None:
        if self.hidden:
            return
        at = 0
        for entity in _ENTITY.finditer(said) if "&" in said else ():
            self._plain(said[at : entity.start()], start + at)
            for letter in html.unescape(entity[0]):
                self._letter(letter, start + entity.start())
            at = entity.end()
        self._plain(said[at:], start + at)

    def _plain(self, said: str, start: int) -> None:
        for found in _SPACES.finditer(said):
            if found[0][0] in " \t\r\n":
                self._letter(" ", start + found.start())
            else:
                self.out += found[0]
                self.offsets += range(start + found.start(), start + found.end())

    def _letter(self, letter: str, offset: int) -> None:
        if letter in " \t\r\n":
            if not self.out or self.out[-1] in " \n":
                return
            letter = " "
        self.out.append(letter)
        self.offsets.append(offset)


class _Given(NamedTuple):
    """The attributes of a tag: where each value stands behind the tag's name (a name without one: the name), its classes as `.name`
    and its id as `#name`, whether it hides, strikes out, or closes the tag."""

    spans: Mapping[str, tuple[int, int]]
    words: frozenset[str]
    hidden: bool
    struck: bool
    closed: bool


@lru_cache(maxsize=4096)
def _given(text: str) -> _Given:
    """Most tags of a template are the same for all its readers."""
    found = {one[1].lower(): one for one in _ATTRIBUTE.finditer(text)}
    spans = {name: one.span(next((n for n in (2, 3, 4) if one[n] is not None), 1)) for name, one in found.items()}
    style = _value(found.get("style"))
    words = {f".{word}" for word in _value(found.get("class")).split()} | {f"#{_value(found.get('id'))}"}
    hidden = "hidden" in found or _NOT_SHOWN.search(style) is not None
    return _Given(spans, frozenset(words), hidden, _STRUCK.search(style) is not None, text.rstrip().endswith("/"))


def _value(found: re.Match[str] | None) -> str:
    return next((group for group in found.groups()[1:] if group is not None), "") if found else ""


def _span(span: tuple[int, int], base: int) -> tuple[int, int]:
    return base + span[0], base + span[1]


def _hiding_classes(text: str) -> Iterator[str]:
    """Selectors such as `.gone` and `#old` that a sheet hides, outside `@media`."""
    for sheet in _SHEET.findall(text):
        for selectors, body in _RULE.findall(_AT_BLOCK.sub("", sheet)):
            if _NOT_SHOWN.search(body):
                for selector in selectors.split(","):
                    word = re.search(r"([.#][\w-]+)\s*$", selector)
                    if word:
                        yield word[1]
