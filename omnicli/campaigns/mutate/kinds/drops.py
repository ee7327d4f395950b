"""Facts that get lost: the placeholder is dropped from all the words of a reader, or from the template that shows it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaignfile import KeyPath
from omnicli.campaigns.mutate.edit import PLACEHOLDER, Print, addresses, prints, put, rewrite
from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.seed import At, Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import templates


def in_say(field: Field) -> Iterator[Candidate]:
    """Where only the words show the fact: its placeholder is dropped from each slot that this channel prints."""
    for reading in field.voices:
        for fact in field.facts(reading):
            for name, instead in (("dropped", ""), ("for a word", "…")):
                yield Candidate(
                    f"{'/'.join(map(str, reading))} {fact} {name}", partial(_from_words, field, reading, fact, instead)
                )


def in_template(field: Field) -> Iterator[Candidate]:
    """Where the template shows the fact by itself: its prints are dropped there, and the words no longer hold it either."""
    for reading in field.voices:
        for part, file, _ in templates(field, reading):
            for fact in field.facts(reading):
                for name, instead in (("dropped", ""), ("commented", "{# #}")):
                    yield Candidate(f"{'/'.join(map(str, reading))} {file} {fact} {name}",
                                    partial(_from_template, field, reading, (part, file), fact, instead))  # fmt: skip


def _from_words(field: Field, reading: Reading, fact: str, instead: str) -> Seed | None:
    values = words_without(field, reading, fact, instead)
    if not values or field.brought(reading, fact):
        return None
    file = field.file(reading)
    return Seed(
        reading, {file: rewrite(field.loaded.sources[file], values)}, ("M001",), gone(field, reading, fact, tuple(values))
    )


def _from_template(field: Field, reading: Reading, where: tuple[str, str], fact: str, instead: str) -> Seed | None:
    part, template = where
    text, lines = blanked(field.texts[template], fact, instead)
    if part not in field.brought(reading, fact) and field.resolved(reading, fact)[0] != "url":
        return None
    if not lines:
        return None
    file, values = field.file(reading), words_without(field, reading, fact, "")
    edits = {template: text, file: rewrite(field.loaded.sources[file], values)}
    places = (*(At(template, line=line, about=fact) for line in lines), *gone(field, reading, fact, tuple(values)))
    return Seed(reading, edits, ("M001",), places)


def words_without(field: Field, reading: Reading, fact: str, instead: str) -> dict[KeyPath, str]:
    """The slots of this reader that hold the fact, each without it."""
    found: dict[KeyPath, str] = {}
    for words in field.words(reading):
        text = PLACEHOLDER.sub(lambda one: instead if one[1] == fact else one[0], words.text)
        if text != words.text:
            found[words.path] = text
    return found


def gone(field: Field, reading: Reading, fact: str, slots: tuple[KeyPath, ...]) -> tuple[At, ...]:
    """Where a missing fact may be reported: the slots that held it, or its declaration."""
    file = field.file(reading)
    return tuple(At(file, path, about=fact) for path in (*slots, ("messages", reading.message, "facts", fact)))


def blanked(template: str, fact: str, instead: str) -> tuple[str, tuple[int, ...]]:
    """The template without the prints of a fact (those beside a slot stay), and their lines."""
    lines: list[int] = []
    for found in reversed([one for one in _everywhere(template) if fact in one.facts and not one.slots]):
        template = put(template, found.start, found.end, instead)
        lines.append(found.line)
    return template, tuple(lines)


def _everywhere(template: str) -> list[Print]:
    found = {one.start: one for one in (*prints(template), *addresses(template))}
    return [found[start] for start in sorted(found)]
