"""Values that contradict the message: typed beside the placeholder, and not quite the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from omnicli.campaigns.mutate.edit import PLACEHOLDER, Print
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.kinds.typed import placeholders
from omnicli.campaigns.mutate.seed import Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import as_typed, beside, fact_prints, in_words, word_prints
from omnicli.campaigns.mutate.spelling import NUMBERS


def numbers(name: str) -> Callable[[Field], Iterator[Candidate]]:
    """The kind that types one sort of wrong figure behind a fact, in the words and in templates."""
    wrong = NUMBERS[name]

    def candidates(field: Field) -> Iterator[Candidate]:
        for words in field.all_words():
            for fact in dict.fromkeys(fact for fact, _ in placeholders(field, words)):
                for title, value in wrong_values(field, words.reading, fact, wrong):
                    yield Candidate(f"{words.name} {fact} {title}", partial(in_say, field, words, fact, value))
        for reading in field.voices:
            yield from _in_templates(field, reading, wrong)

    return candidates


def _in_templates(field: Field, reading: Reading, wrong: Callable[[str], Iterator[tuple[str, str]]]) -> Iterator[Candidate]:
    for file, fact, found in sites(field, reading):
        for title, value in wrong_values(field, reading, fact, wrong):
            name = f"{'/'.join(map(str, reading))} {file}:{found.line} {fact} {title}"
            yield Candidate(name, partial(in_template, field, reading, file, found, fact, value))


def sites(field: Field, reading: Reading) -> Iterator[tuple[str, str, Print]]:
    """Prints behind which a wrong value of a fact can stand: the fact's own, and the words'."""
    yield from fact_prints(field, reading)
    for file, found in word_prints(field, reading):
        for fact in field.facts(reading):
            yield file, fact, found


def wrong_values(
    field: Field, reading: Reading, fact: str, wrong: Callable[[str], Iterator[tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    """Wrong plain values of a fact that are no other fact's value either."""
    kind, value = field.resolved(reading, fact)
    if kind not in ("percent", "money", "number", "code"):
        return
    right = {field.resolved(reading, other)[1] for other in field.message(reading).facts}
    for title, found in wrong(value):
        if found not in right:
            yield title, found


def in_say(field: Field, words: Words, fact: str, value: str) -> Seed | None:
    kind, _ = field.resolved(words.reading, fact)
    typed = field.format(words.reading, kind, value)
    first = next(one for one in PLACEHOLDER.finditer(words.text) if one[1] == fact)
    return in_words(field, words, f"{words.text[: first.end()]} ({typed}){words.text[first.end() :]}", "M003")


def in_template(field: Field, reading: Reading, file: str, found: Print, fact: str, value: str) -> Seed | None:
    kind, _ = field.resolved(reading, fact)
    typed = field.format(reading, kind, value)
    return beside(field, reading, file, found, f" ({as_typed(file, typed)})", "M003")
