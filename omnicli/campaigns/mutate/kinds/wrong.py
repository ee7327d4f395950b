"""Values that contradict the message: typed beside the placeholder, and not quite the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

from omnicli.campaignfile import KeyPath
from omnicli.campaigns.mutate.edit import PLACEHOLDER, Print
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.kinds.typed import placeholders
from omnicli.campaigns.mutate.seed import Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import as_typed, beside, fact_prints, in_file, in_words, title, word_prints
from omnicli.campaigns.mutate.spelling import NUMBERS, Wrong, another_day


def numbers(name: str) -> Callable[[Field], Iterator[Candidate]]:
    """The kind that types one sort of wrong figure behind a fact, in the words and in templates."""
    return lambda field: _beside_facts(field, partial(wrong_figures, wrong=NUMBERS[name]), "M003")


def days(field: Field) -> Iterator[Candidate]:
    """The day after or before."""
    yield from _beside_facts(field, _other_days, "M003")


def years(field: Field) -> Iterator[Candidate]:
    """The right day, without its year: it will be wrong in a year, and tells nothing of the message now."""
    yield from _beside_facts(field, _no_year, "M003", "M002")


def days_and_months(field: Field) -> Iterator[Candidate]:
    """Day and month exchanged, where both could be either: the fact is first given such a day of next year."""
    for words in field.all_words():
        for fact in _dates(field, words):
            path = _written(field, words.reading, fact)
            if path is not None:
                yield Candidate(f"{words.name} {fact}", partial(_exchanged, field, words, fact, path))


# -- wrong texts ---------------------------------------------------------------------------------------------------
def wrong_figures(field: Field, reading: Reading, fact: str, *, wrong: Wrong) -> Iterator[tuple[str, str]]:
    """Wrong figures as this channel prints them, each with a name; none is another fact's value."""
    kind, value = field.resolved(reading, fact)
    if kind not in ("percent", "money", "number", "code"):
        return
    right = {field.resolved(reading, other)[1] for other in field.message(reading).facts}
    for name, found in wrong(value):
        if found not in right:
            yield name, field.format(reading, kind, found)


def _other_days(field: Field, reading: Reading, fact: str) -> Iterator[tuple[str, str]]:
    kind, value = field.resolved(reading, fact)
    if kind == "date":
        for name, found in another_day(value):
            yield name, field.format(reading, kind, found)


def _no_year(field: Field, reading: Reading, fact: str) -> Iterator[tuple[str, str]]:
    kind, value = field.resolved(reading, fact)
    if kind == "date":
        text = field.format(reading, kind, value, "long").replace(value[:4], "").strip(" ,.")
        yield "without year", text


# -- where they are typed ------------------------------------------------------------------------------------------
def _beside_facts(
    field: Field, texts: Callable[[Field, Reading, str], Iterator[tuple[str, str]]], *codes: str
) -> Iterator[Candidate]:
    for words in field.all_words():
        for fact in dict.fromkeys(fact for fact, _ in placeholders(field, words)):
            for name, text in texts(field, words.reading, fact):
                yield Candidate(f"{words.name} {fact} {name}", partial(_in_say, field, words, fact, text, *codes))
    for reading in field.voices:
        for file, fact, found in _sites(field, reading):
            for name, text in texts(field, reading, fact):
                full = f"{title(reading)} {file}:{found.line}:{found.column} {fact} {name}"
                yield Candidate(full, partial(_in_template, field, reading, file, found, text, *codes))


def _sites(field: Field, reading: Reading) -> Iterator[tuple[str, str, Print]]:
    """Prints behind which a wrong value of a fact can stand: the fact's own, and the words'."""
    yield from fact_prints(field, reading)
    for file, found in word_prints(field, reading):
        for fact in field.facts(reading):
            yield file, fact, found


def _in_say(field: Field, words: Words, fact: str, text: str, *codes: str) -> Seed | None:
    first = next(one for one in PLACEHOLDER.finditer(words.text) if one[1] == fact)
    return in_words(field, words, f"{words.text[: first.end()]} ({text}){words.text[first.end() :]}", *codes)


def _in_template(field: Field, reading: Reading, file: str, found: Print, text: str, *codes: str) -> Seed:
    return beside(field, reading, file, found, f" ({as_typed(file, text)})", *codes)


# -- day and month -------------------------------------------------------------------------------------------------
def _dates(field: Field, words: Words) -> Iterator[str]:
    known = field.facts(words.reading, "date")
    return (fact for fact in dict.fromkeys(fact for fact, _ in placeholders(field, words)) if fact in known)


def _written(field: Field, reading: Reading, fact: str) -> KeyPath | None:
    """Where the fact's short form stands; None for a long one."""
    path = ("messages", reading.message, "facts", fact)
    return path if field.loaded.sources[field.file(reading)].scalar(path) is not None else None


def _exchanged(field: Field, words: Words, fact: str, path: KeyPath) -> Seed:
    """`5 April` in the message, `4 May` beside it, written in figures as the language does."""
    right, wrong = date(field.now.year + 1, 4, 5), date(field.now.year + 1, 5, 4)
    first = next(one for one in PLACEHOLDER.finditer(words.text) if one[1] == fact)
    typed = f"{wrong:%d/%m/%Y}"
    text = f"{words.text[: first.end()]} ({typed}){words.text[first.end() :]}"
    return in_file(field, words.reading, {path: right.isoformat(), words.path: text}, "M003", places=(words.path,))
