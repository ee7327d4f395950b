"""Figures in each other's place: the old and the new price exchanged, and one figure of a sum changed alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaigns.mutate.edit import PLACEHOLDER
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import At, Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import fact_prints, in_file, in_words, templates, title
from omnicli.campaigns.mutate.spelling import NUMBERS

_OTHER = {"was": "price", "price": "was"}
_RELATED = ("price", "was", "offer", "saving")


def swapped(field: Field) -> Iterator[Candidate]:
    """`was` and `price` exchanged, in the words or in the template."""
    for words in field.all_words():
        if {"was", "price"} <= {found[1] for found in PLACEHOLDER.finditer(words.text)}:
            yield Candidate(words.name, partial(_swapped_words, field, words))
    for reading in field.voices:
        for _, file, _ in templates(field, reading):
            names = {fact for where, fact, _ in fact_prints(field, reading) if where == file}
            if {"was", "price"} <= names:
                yield Candidate(f"{title(reading)} {file}", partial(_swapped_prints, field, reading, file))


def alone(field: Field) -> Iterator[Candidate]:
    """Percent, price or former price changed in `facts`, and nothing else."""
    seen: set[tuple[str, str]] = set()
    for reading in field.voices:
        related = [fact for fact in field.facts(reading) if fact in _RELATED]
        if not {"was", "price"} <= set(related) or reading[:2] in seen:
            continue
        seen.add(reading[:2])
        for fact in related:
            kind, value = field.resolved(reading, fact)
            for wrong in NUMBERS.values():
                for name, found in wrong(value):
                    written = f"{found} %" if kind == "percent" else found
                    yield Candidate(f"{title(reading)} {fact} {name} {found}", partial(_changed, field, reading, fact, written))


def _swapped_words(field: Field, words: Words) -> Seed | None:
    text = PLACEHOLDER.sub(lambda one: one[0].replace(one[1], _OTHER.get(one[1], one[1]), 1), words.text)
    return in_words(field, words, text, "M008", "M007")


def _swapped_prints(field: Field, reading: Reading, file: str) -> Seed:
    text = field.texts[file]
    lines = []
    for where, fact, found in reversed(list(fact_prints(field, reading))):
        if where == file and fact in _OTHER:
            swapped = text[found.start : found.end].replace(f"facts.{fact}", f"facts.{_OTHER[fact]}")
            text = text[: found.start] + swapped + text[found.end :]
            lines.append(At(file, line=found.line))
    return Seed(reading, {file: text}, ("M008", "M007"), tuple(lines))


def _changed(field: Field, reading: Reading, fact: str, written: str) -> Seed:
    facts = ("messages", reading.message, "facts")
    related = tuple((*facts, name) for name in field.message(reading).facts if name in _RELATED)
    return in_file(field, reading, {(*facts, fact): written}, "M007", places=related)
