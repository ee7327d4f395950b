"""Where a fault can be put: the words of a reader, the prints of their templates, and the seeds made from an edited text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from omnicli.campaignfile import KeyPath
from omnicli.campaigns.mutate.edit import PLACEHOLDER, Print, addresses, prints, put, rewrite
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import At, Reading, Seed


def in_words(field: Field, words: Words, text: str, *codes: str) -> Seed | None:
    """The slot with another text; None when it would be the same."""
    if text == words.text:
        return None
    edited = rewrite(field.loaded.sources[words.file], {words.path: text})
    return Seed(words.reading, {words.file: edited}, codes, (At(words.file, words.path),))


def in_file(field: Field, reading: Reading, values: Mapping[KeyPath, str], *codes: str, places: tuple[KeyPath, ...] = ()) -> Seed:
    """The campaign's file with other scalars; the places are those paths, or the given ones."""
    file = field.file(reading)
    edited = rewrite(field.loaded.sources[file], values)
    return Seed(reading, {file: edited}, codes, tuple(At(file, path) for path in places or tuple(values)))


def templates(field: Field, reading: Reading) -> Iterator[tuple[str, str, str]]:
    """Part, file and text of the templates that this reading uses; a file once, with its first part."""
    seen: set[str] = set()
    for part in field.medium(reading).parts:
        name = field.renderer.template(reading.channel, part.ext, reading.campaign) if part.ext else None
        file = f"templates/{name}"
        if name is not None and file not in seen:
            seen.add(file)
            yield part.name, file, field.texts[file]


def fact_prints(field: Field, reading: Reading, *kinds: str) -> Iterator[tuple[str, str, Print]]:
    """Template file, fact and print of each `{{ facts.x }}` that this reading uses by itself (no slot beside it)."""
    known = field.facts(reading, *kinds)
    for _, file, text in templates(field, reading):
        for found in prints(text):
            if len(found.facts) == 1 and not found.slots and found.facts[0] in known:
                yield file, found.facts[0], found


def word_prints(field: Field, reading: Reading) -> Iterator[tuple[str, Print]]:
    """Template file and print of each slot that the body prints."""
    for _, file, text in templates(field, reading):
        for found in prints(text):
            if set(found.slots) & set(field.slots(reading)):
                yield file, found


def link_prints(field: Field, reading: Reading) -> Iterator[tuple[str, str, Print]]:
    """Template file, fact and print of each `{{ link(facts.x) }}`."""
    known = field.facts(reading, "url")
    for _, file, text in templates(field, reading):
        for found in addresses(text):
            if found.facts[0] in known:
                yield file, found.facts[0], found


def shown_by_template(field: Field, reading: Reading) -> Iterator[tuple[str, str]]:
    """Template file and fact, where the template shows the fact whatever the words say; an address always comes from one."""
    for part, file, text in templates(field, reading):
        for fact in field.facts(reading):
            shown = part in field.brought(reading, fact) or field.resolved(reading, fact)[0] == "url"
            if shown and blanked(text, fact)[1]:
                yield file, fact


def words_without(field: Field, reading: Reading, fact: str, instead: str = "") -> dict[KeyPath, str]:
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


def blanked(template: str, fact: str, instead: str = "") -> tuple[str, tuple[int, ...]]:
    """The template with another text for the prints of a fact (those beside a slot stay), and their lines."""
    lines: list[int] = []
    every = {one.start: one for one in (*prints(template), *addresses(template)) if fact in one.facts and not one.slots}
    for start in sorted(every, reverse=True):
        found = every[start]
        template = put(template, start, found.end, instead.replace("{}", template[start : found.end]))
        lines.append(found.line)
    return template, tuple(lines)


def title(reading: Reading) -> str:
    """`bienvenue/offre-bienvenue/sms/fr/camille`."""
    return "/".join(map(str, reading))


def at_print(field: Field, reading: Reading, file: str, found: Print, instead: str, *codes: str) -> Seed:
    """The template with another text for one print."""
    edited = put(field.texts[file], found.start, found.end, instead)
    return Seed(reading, {file: edited}, codes, (At(file, line=found.line),))


def beside(field: Field, reading: Reading, file: str, found: Print, more: str, *codes: str) -> Seed:
    """The template with a text behind one print."""
    return at_print(field, reading, file, found, field.texts[file][found.start : found.end] + more, *codes)


def as_typed(file: str, text: str) -> str:
    """A text as an author would type it into this template."""
    return escape(text, quote=False) if ".html" in file else text
