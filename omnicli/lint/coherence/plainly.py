"""A text as figures are read in it: compatibility letters unified, bidirectional marks gone, each position still known.

NFKC makes `４９，９０` and U+202F into what a pattern can read; superscripts are foot notes and vanish. `Plainly.span` leads back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_UNSEEN = frozenset(
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u202e\ufeff\ufe0e\ufe0f"
)
_SUPERSCRIPTS = frozenset("¹²³⁰⁴⁵⁶⁷⁸⁹")
_SAME = {"\u2212": "-", "\u066a": "%", "\u066b": ",", "\u066c": ".", "\u2019": "'", "\u2011": "-", "\u2010": "-"}


@dataclass(frozen=True, slots=True)
class Plainly:
    """`text` is what patterns read, `folded` the same in small letters without accents, letter by letter at the same places.
    `starts` and `ends` lead to the original; empty where every letter stands where it stood."""

    text: str
    folded: str
    starts: tuple[int, ...] = field(default=(), repr=False)
    ends: tuple[int, ...] = field(default=(), repr=False)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text from which `text[start:end]` was made."""
        return (self.starts[start], self.ends[end - 1]) if self.starts else (start, end)


@lru_cache(maxsize=512)
def plainly(text: str) -> Plainly:
    """The text as patterns read it."""
    if text.isascii():
        return Plainly(text, text.lower())
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for odd in _odd(frozenset(text)).finditer(text):
        pieces.append(text[at : odd.start()].translate(_PLAIN))
        starts += range(at, odd.start())
        ends += range(at + 1, odd.start() + 1)
        at = odd.end()
        for start, end in _clusters(odd[0]):
            made = _plain(odd[0][start:end])
            pieces.append(made)
            starts += [odd.start() + start] * len(made)
            ends += [odd.start() + end] * len(made)
    pieces.append(text[at:].translate(_PLAIN))
    if at:
        starts += range(at, len(text))
        ends += range(at + 1, len(text) + 1)
    whole = "".join(pieces)
    return Plainly(whole, whole.translate(_BARE), tuple(starts), tuple(ends))


@lru_cache(maxsize=256)
def _odd(letters: frozenset[str]) -> re.Pattern[str]:
    """Where one of these letters does not become one letter: it, its like beside it, and the letter before, which it may belong to."""
    odd = "".join(sorted(letter for letter in letters if unicodedata.combining(letter) or len(_plain(letter)) != 1))
    return re.compile(f"(?s:.?)[{re.escape(odd)}]+" if odd else "(?!)")


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Spans of a letter with the marks that combine with it."""
    start = 0
    for here, letter in enumerate(text):
        if here and (letter.isascii() or not unicodedata.combining(letter)):
            yield start, here
            start = here
    if text:
        yield start, len(text)


@lru_cache(maxsize=4096)
def _plain(cluster: str) -> str:
    if cluster.isascii():
        return " " if cluster.isspace() else cluster
    kept = "".join(letter for letter in cluster if letter not in _UNSEEN and letter not in _SUPERSCRIPTS)
    return "".join(map(_digit, unicodedata.normalize("NFKC", kept)))


def _digit(letter: str) -> str:
    """Digits of every script as `0` to `9`, every space as one."""
    if letter.isascii():
        return letter
    if letter.isspace():
        return " "
    number = unicodedata.decimal(letter, None)
    return _SAME.get(letter, letter) if number is None else str(number)


@lru_cache(maxsize=4096)
def _bare(letter: str) -> str:
    """One small letter without its accent; one that would become two stays as it is."""
    if letter.isascii():
        return letter.lower()
    found = "".join(part for part in unicodedata.normalize("NFKD", letter.lower()) if not unicodedata.combining(part))
    return found if len(found) == 1 else letter


class _Letters(dict[int, str]):
    """A table for `str.translate` that asks `one` for each letter once."""

    def __init__(self, one: Callable[[str], str]) -> None:
        self.one = one

    def __missing__(self, code: int) -> str:
        self[code] = found = self.one(chr(code))
        return found


_PLAIN, _BARE = _Letters(_plain), _Letters(_bare)


def bare(word: str) -> str:
    """A word as `Plainly.folded` writes it, for the tables that are looked up in it."""
    return plainly(word).folded


Found = tuple[int, int, tuple[object, ...]]  # start and end in the plain text, readings, the likeliest first
