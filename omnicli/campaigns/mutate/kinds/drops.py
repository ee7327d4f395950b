"""Facts that get lost: the placeholder is dropped from all the words of a reader, or from the template that shows it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.seed import At, Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import blanked, gone, in_file, shown_by_template, title, words_without


def in_say(field: Field) -> Iterator[Candidate]:
    """Where only the words show the fact: its placeholder is dropped from each slot that this channel prints."""
    for reading in field.voices:
        for fact in field.facts(reading):
            if not field.brought(reading, fact) and words_without(field, reading, fact):
                for name, instead in (("dropped", ""), ("for dots", "…")):
                    yield Candidate(f"{title(reading)} {fact} {name}", partial(_from_words, field, reading, fact, instead))


def in_template(field: Field) -> Iterator[Candidate]:
    """Where the template shows the fact by itself: its prints are dropped there, and the words no longer hold it either."""
    for reading in field.voices:
        for file, fact in shown_by_template(field, reading):
            for name, instead in (("dropped", ""), ("commented", "{# {{ … }} #}")):
                yield Candidate(
                    f"{title(reading)} {file} {fact} {name}", partial(from_template, field, reading, file, fact, instead)
                )


def _from_words(field: Field, reading: Reading, fact: str, instead: str) -> Seed:
    values = words_without(field, reading, fact, instead)
    seed = in_file(field, reading, values, "M001")
    return Seed(reading, seed.edits, seed.codes, gone(field, reading, fact, tuple(values)))


def from_template(field: Field, reading: Reading, template: str, fact: str, instead: str, *codes: str) -> Seed:
    """The fact's prints replaced in one template, and gone from the words; `{}` in `instead` is the print itself."""
    text, lines = blanked(field.texts[template], fact, instead)
    values = words_without(field, reading, fact)
    places = (*(At(template, line=line, about=fact) for line in lines), *gone(field, reading, fact, tuple(values)))
    words = dict(in_file(field, reading, values).edits) if values else {}
    return Seed(reading, {**words, template: text}, codes or ("M001",), places)
