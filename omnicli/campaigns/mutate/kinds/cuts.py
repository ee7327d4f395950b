"""Facts that are cut: a text shortened in the middle of a value, a slice of a code, a line broken inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from omnicli.campaigns.mutate.edit import PLACEHOLDER, Print
from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.seed import Candidate, Reading
from omnicli.campaigns.mutate.sowing import at_print, fact_prints, title, word_prints

_LEAST = 4


def cut(write: Callable[[str, int], str]) -> Callable[[Field], Iterator[Candidate]]:
    """The kind that cuts a print after n characters, n inside a fact's value."""

    def candidates(field: Field) -> Iterator[Candidate]:
        for reading in field.voices:
            for file, found, what, n in _cuts(field, reading):
                name = f"{title(reading)} {file}:{found.line}:{found.column} {what} after {n}"
                yield Candidate(name, partial(at_print, field, reading, file, found, write(found.expression, n), "M006"))

    return candidates


def truncated(expression: str, n: int) -> str:
    return f'{{{{ ({expression})|truncate({n}, true, "") }}}}'


def sliced(expression: str, n: int) -> str:
    return f"{{{{ ({expression})[:{n}] }}}}"


def wrapped(field: Field) -> Iterator[Candidate]:
    """Lines of fewer characters than a code has: it is broken in two."""
    for reading in field.voices:
        codes = {fact: len(field.shown(reading, fact)) for fact in field.facts(reading, "code")}
        prints = [(file, found, fact) for file, fact, found in fact_prints(field, reading, "code")]
        prints += [
            (file, found, fact)
            for file, found in word_prints(field, reading)
            for fact in codes
            if _holds(field, reading, found, fact)
        ]
        for file, found, fact in prints:
            for width in (codes[fact] // 2, codes[fact] - 2):
                instead = f"{{{{ ({found.expression})|wordwrap({width}) }}}}"
                yield Candidate(f"{title(reading)} {file}:{found.line}:{found.column} {fact} at {width}",
                                partial(at_print, field, reading, file, found, instead, "M006"))  # fmt: skip


def _cuts(field: Field, reading: Reading) -> Iterator[tuple[str, Print, str, int]]:
    """Template, print, what is cut, and after how many characters."""
    for file, fact, found in fact_prints(field, reading, "money", "date", "code"):
        shown = field.shown(reading, fact)
        if len(shown) >= _LEAST:
            yield file, found, fact, len(shown) // 2
    for file, found in word_prints(field, reading):
        for words in field.words(reading):
            if words.slot in found.slots and "{first_name" not in words.text:
                for fact, start, length in _laid(field, reading, words.text):
                    if length >= _LEAST:
                        yield file, found, f"{fact} in {words.slot}", start + length // 2


def _laid(field: Field, reading: Reading, text: str) -> Iterator[tuple[str, int, int]]:
    """Where each fact's value begins in the words once they are filled in, and how long it is."""
    known, moved = field.facts(reading, "money", "date", "code"), 0
    for found in PLACEHOLDER.finditer(text):
        shown = field.shown(reading, found[1], found[2] or "")
        if found[1] in known:
            yield found[1], found.start() + moved, len(shown)
        moved += len(shown) - len(found[0])


def _holds(field: Field, reading: Reading, found: Print, fact: str) -> bool:
    return any(words.slot in found.slots and f"{{{fact}}}" in words.text for words in field.words(reading))
