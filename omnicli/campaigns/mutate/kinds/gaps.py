"""Gaps where a name is missing: a placeholder that can be empty and says nothing in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import Candidate
from omnicli.campaigns.mutate.sowing import in_words

_SUBSTITUTE = re.compile(r"\{(\w+)\s+or\s+(?:\"[^\"]*\"|'[^']*')\}")
_GREETING = {"fr": "Bonjour {}, ", "en": "Hello {}, ", "de": "Hallo {}, ", "es": "Hola {}, "}


def without_substitute(field: Field) -> Iterator[Candidate]:
    """The `or "…"` of a name removed or emptied; and a greeting by a name that may be missing."""
    for words in field.all_words():
        for found in _SUBSTITUTE.finditer(words.text):
            for name, text in (("removed", f"{{{found[1]}}}"), ("emptied", f'{{{found[1]} or ""}}')):
                changed = words.text[: found.start()] + text + words.text[found.end() :]
                yield Candidate(f"{words.name} {found[1]} {name}", partial(in_words, field, words, changed, "M011"))
        if words.slot in ("body", "short", "script", "preheader"):
            yield from _greetings(field, words)


def _greetings(field: Field, words: Words) -> Iterator[Candidate]:
    nullable = [
        name
        for name, declared in field.project.contacts.attributes.items()
        if declared.kind == "text" and declared.default is None
    ]
    greeting = _GREETING.get(words.reading.language.split("-")[0], _GREETING["en"])
    for attribute in nullable[:2]:
        for name, text in (("without", f"{{{attribute}}}"), ("empty", f'{{{attribute} or ""}}')):
            changed = greeting.format(text) + words.text
            yield Candidate(f"{words.name} greets {attribute} {name}", partial(in_words, field, words, changed, "M011"))
