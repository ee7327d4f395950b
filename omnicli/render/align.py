"""Lays the pieces of an unfinished text over the finished one: finishing moves spaces, spells characters and in-lines styles.

The result always joins to the finished text, byte for byte; where the two part ways, what is new counts as the template's.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnicli.render.trace import Piece

Unit = tuple[str, str, int]

#: A unit of HTML: a comment, a style sheet, a tag, an entity, or a character.
_UNIT = re.compile(
    r"<!.*?>|<style\b.*?</style\s*>|</?[a-zA-Z](?:[^>\"']|\"[^\"]*\"|'[^']*')*>|&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);|.",
    re.DOTALL,
)
_NAME = re.compile(r"</?[a-zA-Z][^\s/>]*")
_VALUE = re.compile(r"""([^\s=\"'>/]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LOOK_AHEAD = 1500
_SURE = 6


def align(text: str, pieces: Sequence[Piece], *, html: bool) -> tuple[Piece, ...]:
    """The finished text in pieces with the origins of the unfinished ones."""
    if "".join([piece.text for piece in pieces]) == text:
        return tuple(pieces)
    owners = [n for n, piece in enumerate(pieces) for _ in piece.text]
    new = list(_units(text) if html else ((c, c, i) for i, c in enumerate(text)))
    source = "".join([piece.text for piece in pieces])
    old = list(_units(source) if html else ((c, c, i) for i, c in enumerate(source)))
    return tuple(_joined(_owned(new, old, owners), pieces))


def align_text(text: str, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The plain text that was made from a page, in pieces with the origins of the page's."""
    owners = [n for n, piece in enumerate(pieces) for _ in piece.text]
    page = "".join([piece.text for piece in pieces])
    new = [(c, c, i) for i, c in enumerate(text)]
    return tuple(_joined(_owned(new, list(_seen(page)), owners), pieces))


def _units(text: str) -> Iterator[Unit]:
    """(as written, as read, where) of every character, entity, comment, sheet and tag; a tag reads as its name."""
    for found in _UNIT.finditer(text):
        said = found[0]
        yield said, _read(said), found.start()


def _read(said: str) -> str:
    if len(said) == 1:
        return said
    if said[0] == "&":
        return html.unescape(said)
    name = _NAME.match(said)
    return name[0].lower() if name else "<!"


_TAG = re.compile(r"<!--.*?-->|<(style|script|title|head)\b.*?</\1\s*>|<[^>]*>|&[#\w]+;|.", re.DOTALL)
_HREF = re.compile(r"""\b(?:href|alt)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def _seen(page: str) -> Iterator[tuple[str, str, int]]:
    """The characters of a page that its plain text may hold, in order: text, and behind a link its address."""
    waiting: list[tuple[str, int]] = []
    for found in _TAG.finditer(page):
        said = found[0]
        if said[0] != "<" or len(said) == 1:
            yield said, html.unescape(said), found.start()
        elif said[:3] == "</a" and waiting:
            address, at = waiting.pop()
            yield from ((c, c, at + i) for i, c in enumerate(address))
        elif href := _HREF.search(said):
            at = found.start() + (href.start(1) if href[1] is not None else href.start(2))
            if said[:2].lower() == "<a":
                waiting.append((href[1] or href[2] or "", at))
            else:
                yield from ((c, c, at + i) for i, c in enumerate(href[1] or href[2] or ""))


def _owned(new: Sequence[Unit], old: Sequence[Unit], owners: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Each unit of the new text with the piece that it comes from, -1 for none."""
    at = 0
    for n, (said, read, _) in enumerate(new):
        if at >= len(old) or not _same(read, old[at][1]):
            if read.isspace():
                yield said, owners[old[at - 1][2]] if at else -1
                continue
            ahead = _ahead(new, n, old, at)
            if ahead is None:
                yield said, -1
                continue
            at = ahead
        if len(said) > 1 and said[0] == "<":
            yield from _tag(said, old[at], owners)
        else:
            yield said, owners[old[at][2]]
        at += 1


def _tag(said: str, old: Unit, owners: Sequence[int]) -> Iterator[tuple[str, int]]:
    """A tag in pieces: its values belong to whom they belonged before, the rest to whoever began the tag."""
    written, _, start = old
    mine = owners[start]
    if said == written:
        yield from ((c, owners[start + i]) for i, c in enumerate(said))
        return
    values = {found[1].lower(): found for found in _VALUE.finditer(written)}
    at = 0
    for found in _VALUE.finditer(said):
        before = values.get(found[1].lower())
        group = found.lastindex or 0
        if before is None or group < 2 or html.unescape(before[before.lastindex or 0]) != html.unescape(found[group]):
            continue
        first = start + before.start(before.lastindex or 0)
        yield said[at : found.start(group)], mine
        yield from _spread(found[group], before[before.lastindex or 0], first, owners)
        at = found.end(group)
    yield said[at:], mine


def _spread(value: str, before: str, first: int, owners: Sequence[int]) -> Iterator[tuple[str, int]]:
    """A value's characters with their owners; one spelled otherwise belongs to whom its first character did."""
    if value == before:
        yield from ((c, owners[first + i]) for i, c in enumerate(value))
    elif value:
        yield value, owners[first]


def _same(one: str, other: str) -> bool:
    return one == other or (one.isspace() and other.isspace())


def _ahead(new: Sequence[Unit], n: int, old: Sequence[Unit], at: int) -> int | None:
    """Where the old text goes on as the new one does: the next place with the same run of characters, spaces aside."""
    wanted = _run(new, n)
    for start in range(at, min(len(old), at + _LOOK_AHEAD)):
        if old[start][1] == wanted[0] and _run(old, start) == wanted:
            return start
    return None


def _run(units: Sequence[Unit], start: int) -> list[str]:
    out: list[str] = []
    for _, read, _ in units[start : start + 4 * _SURE]:
        if not read.isspace():
            out.append(read)
            if len(out) == _SURE:
                break
    return out


def _joined(owned: Iterable[tuple[str, int]], pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Neighbours of one piece as one."""
    from omnicli.render.trace import Piece

    texts: list[str] = []
    last = -2
    for said, n in owned:
        if not said:
            continue
        if n != last and texts:
            yield _made(Piece, "".join(texts), pieces, last)
            texts = []
        texts.append(said)
        last = n
    if texts:
        yield _made(Piece, "".join(texts), pieces, last)


def _made(kind: type[Piece], text: str, pieces: Sequence[Piece], n: int) -> Piece:
    return pieces[n]._replace(text=text) if n >= 0 else kind(text, ("template",))
