"""Facts typed by hand: the value stands where the placeholder stood, and will not follow the message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from omnicli.campaigns.mutate.edit import PLACEHOLDER, Print, put
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import as_typed, at_print, beside, fact_prints, in_words, title, word_prints

#: What can be recognised as a value wherever it stands; a place or an address is not typed into words.
TYPED = ("percent", "money", "date", "code", "text", "number", "phone")


def in_say(field: Field) -> Iterator[Candidate]:
    """The value as this channel shows it, in the place of its placeholder."""
    for words, n, fact, form in every_placeholder(field):
        if shown := field.shown(words.reading, fact, form):
            yield Candidate(f"{words.name} {fact} #{n + 1}", partial(_in_words, field, words, n, shown))


def foreign_in_say(field: Field) -> Iterator[Candidate]:
    """The value in the format of another language of the project."""
    for words, n, fact, _ in every_placeholder(field):
        for language, shown in field.foreign(words.reading, fact):
            yield Candidate(f"{words.name} {fact} #{n + 1} as {language}", partial(_in_words, field, words, n, shown))


def in_template(field: Field) -> Iterator[Candidate]:
    """The value in the place of a print of the template, or behind the words."""
    for reading, file, fact, found, alone in every_print(field):
        if shown := field.shown(reading, fact):
            name = f"{title(reading)} {file}:{found.line}:{found.column}{'' if alone else ' beside'} {fact}"
            yield Candidate(name, partial(_at_print, field, reading, file, found, shown, alone))


def foreign_in_template(field: Field) -> Iterator[Candidate]:
    for reading, file, fact, found, alone in every_print(field):
        for language, shown in field.foreign(reading, fact):
            name = f"{title(reading)} {file}:{found.line}:{found.column}{'' if alone else ' beside'} {fact} as {language}"
            yield Candidate(name, partial(_at_print, field, reading, file, found, shown, alone))


def disguised(dress: Callable[[str], str | None], *, page: bool = True) -> Callable[[Field], Iterator[Candidate]]:
    """The kind that types a value behind the words in a disguise; `page`: only where the template is HTML."""

    def candidates(field: Field) -> Iterator[Candidate]:
        for reading, file, fact, found, alone in every_print(field):
            text = dress(field.shown(reading, fact)) if not alone and (".html" in file or not page) else None
            if text:
                name = f"{title(reading)} {file}:{found.line}:{found.column} {fact}"
                yield Candidate(name, partial(beside, field, reading, file, found, f" {text}", "M002"))

    return candidates


def in_attribute(shown: str) -> str | None:
    return f'<span title="{shown}">*</span>' if shown else None


def beside_comment(shown: str) -> str | None:
    """Split by a comment that no reader sees."""
    half = len(shown) // 2
    return f"{shown[:half]}<!-- x -->{shown[half:]}" if shown else None


def in_cell(shown: str) -> str | None:
    return f'<table role="presentation"><tr><td>{shown}</td></tr></table>' if shown else None


def in_capitals(shown: str) -> str | None:
    return f"SEULEMENT {shown}".upper() if shown else None


def narrow_space(shown: str) -> str | None:
    """With U+202F where a space stood, or before the sign."""
    spaced = shown.replace("\u00a0", " ").replace("%", " %").replace("  ", " ")
    return spaced.replace(" ", "\u202f") if " " in spaced else None


# -- where ---------------------------------------------------------------------------------------------------------
def placeholders(field: Field, words: Words) -> list[tuple[str, str]]:
    """The facts that a slot prints, with their forms, in order."""
    known = field.message(words.reading).facts
    return [(found[1], found[2] or "") for found in PLACEHOLDER.finditer(words.text) if found[1] in known]


def every_placeholder(field: Field) -> Iterator[tuple[Words, int, str, str]]:
    """The words, and the number, fact and form of each placeholder whose value can be typed."""
    for words in field.all_words():
        typed = field.facts(words.reading, *TYPED)
        for n, (fact, form) in enumerate(placeholders(field, words)):
            if fact in typed:
                yield words, n, fact, form


def every_print(field: Field) -> Iterator[tuple[Reading, str, str, Print, bool]]:
    """Reading, template, fact and print: the fact's own (`alone`), or the words', behind which the fact can be typed."""
    for reading in field.voices:
        for file, fact, found in fact_prints(field, reading, *TYPED):
            yield reading, file, fact, found, True
        for file, found in word_prints(field, reading):
            for fact in field.facts(reading, *TYPED):
                yield reading, file, fact, found, False


# -- the edits -----------------------------------------------------------------------------------------------------
def _in_words(field: Field, words: Words, n: int, shown: str) -> Seed | None:
    return in_words(field, words, at_placeholder(field, words, n, shown), "M002")


def at_placeholder(field: Field, words: Words, n: int, instead: str) -> str:
    """The words with another text for the n-th placeholder of a fact."""
    known = field.message(words.reading).facts
    found = [one for one in PLACEHOLDER.finditer(words.text) if one[1] in known][n]
    return put(words.text, found.start(), found.end(), instead.replace("{", "{{").replace("}", "}}"))


def _at_print(field: Field, reading: Reading, file: str, found: Print, shown: str, alone: bool) -> Seed:
    typed = as_typed(file, shown)
    return (
        at_print(field, reading, file, found, typed, "M002")
        if alone
        else beside(field, reading, file, found, f" – {typed}", "M002")
    )
