"""Facts typed by hand: the value stands where the placeholder stood, and will not follow the message."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaigns.mutate.edit import PLACEHOLDER, Print, put
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import as_typed, at_print, beside, fact_prints, in_words, word_prints

#: What can be recognised as a value wherever it stands; a text or a place cannot.
KINDS = ("percent", "money", "date", "code", "text", "number", "phone")


def in_say(field: Field) -> Iterator[Candidate]:
    """The value as this channel shows it, in the place of its placeholder."""
    for words in field.all_words():
        for n, (fact, form) in enumerate(placeholders(field, words)):
            yield Candidate(f"{words.name} {fact} #{n + 1}", partial(_words, field, words, n, fact, form))


def in_template(field: Field) -> Iterator[Candidate]:
    """The value in the place of a print of the template, or behind the words."""
    for reading in field.voices:
        name = "/".join(map(str, reading))
        for file, fact, found in fact_prints(field, reading, *KINDS):
            yield Candidate(f"{name} {file}:{found.line} {fact}", partial(_print, field, reading, file, found, fact))
        for file, found in word_prints(field, reading):
            for fact in field.facts(reading, *KINDS):
                yield Candidate(f"{name} {file}:{found.line} beside {fact}", partial(_beside, field, reading, file, found, fact))


def placeholders(field: Field, words: Words) -> list[tuple[str, str]]:
    """The facts that a slot prints, with their forms, in order."""
    known = field.message(words.reading).facts
    return [(found[1], found[2] or "") for found in PLACEHOLDER.finditer(words.text) if found[1] in known]


def at_placeholder(field: Field, words: Words, n: int, instead: str) -> str:
    """The words with another text for the n-th placeholder of a fact."""
    known = field.message(words.reading).facts
    found = [one for one in PLACEHOLDER.finditer(words.text) if one[1] in known][n]
    return put(words.text, found.start(), found.end(), instead.replace("{", "{{").replace("}", "}}"))


def _words(field: Field, words: Words, n: int, fact: str, form: str) -> Seed | None:
    shown = field.shown(words.reading, fact, form)
    return in_words(field, words, at_placeholder(field, words, n, shown), "M002") if shown else None


def _print(field: Field, reading: Reading, file: str, found: Print, fact: str) -> Seed | None:
    shown = field.shown(reading, fact)
    return at_print(field, reading, file, found, as_typed(file, shown), "M002") if shown else None


def _beside(field: Field, reading: Reading, file: str, found: Print, fact: str) -> Seed | None:
    shown = field.shown(reading, fact)
    return beside(field, reading, file, found, f" – {as_typed(file, shown)}", "M002") if shown else None
