"""Values formatted by hand in a template: a comma for a point, no space before the sign, a day in capitals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaigns.mutate.edit import Print
from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.seed import Candidate, Reading
from omnicli.campaigns.mutate.sowing import at_print, fact_prints, title, word_prints

_ANY_SPACE = r'|replace("\u00a0", "")|replace("\u202f", "")|replace(" ", "")'
#: Type → filters that an author hangs behind a print.
FILTERS = {
    "money": ('|replace(",", ".")', '|replace(".", ",")', _ANY_SPACE, '|replace("€", "EUR")', '|replace("€", "euros")'),
    "percent": (_ANY_SPACE, '|replace("%", " pct")', '|replace("%", " %")'),
    "date": ("|upper", "|title", '|replace(" ", "-")', '|replace("/", "-")', '|replace(" ", "")'),
}


def by_hand(field: Field) -> Iterator[Candidate]:
    """A print of a fact, or of the words around it, with a filter that writes it in no form of the language."""
    for reading in field.voices:
        for file, fact, found in fact_prints(field, reading, *FILTERS):
            for filters in FILTERS[field.message(reading).facts[fact].type]:
                yield _candidate(field, reading, file, found, f"{{{{ {found.expression}{filters} }}}}", fact, filters)
        for file, found in word_prints(field, reading):
            for filters in _of_words(field, reading, found):
                yield _candidate(field, reading, file, found, f"{{{{ ({found.expression}){filters} }}}}", "words", filters)


def _candidate(field: Field, reading: Reading, file: str, found: Print, instead: str, what: str, filters: str) -> Candidate:
    name = f"{title(reading)} {file}:{found.line}:{found.column} {what} {filters}"
    return Candidate(name, partial(at_print, field, reading, file, found, instead, "M004", "I004"))


def _of_words(field: Field, reading: Reading, found: Print) -> Iterator[str]:
    """The filters that spoil a fact inside the words and leave the words themselves alone enough to be overlooked."""
    text = " ".join(words.text for words in field.words(reading) if words.slot in found.slots)
    shown = {fact: field.shown(reading, fact) for fact in field.facts(reading, "money") if f"{{{fact}" in text}
    if any("," in one for one in shown.values()):
        yield '|replace(",", ".")'
    if any("." in one for one in shown.values()):
        yield '|replace(".", ",")'
    if any("€" in one for one in shown.values()):
        yield '|replace("€", "euros")'
