"""Promises kept elsewhere: another message on the same path states another value for a fact of the same name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaigns.mutate.edit import rewrite, with_line
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import At, Candidate, Seed

_OTHER = {"percent": ("25 %", "10 %"), "money": ("34.90 EUR", "29.00 EUR"), "code": ("AUTREMENT10", "MERCI7"),
          "date": ("20 days after enter", "12 days after enter")}  # fmt: skip


def elsewhere(field: Field) -> Iterator[Candidate]:
    """A message without that fact is given it, with another value, and says it."""
    for words in field.all_words():
        if words.slot not in ("body", "short"):
            continue
        campaign = field.campaign(words.reading)
        for name, message in campaign.messages.items():
            for fact, declared in message.facts.items():
                if name != words.reading.message and fact not in field.message(words.reading).facts and declared.from_ is None:
                    for value in _OTHER.get(declared.type, ()):
                        yield Candidate(f"{words.name} {fact} {value} beside {name}",
                                        partial(_told, field, words, name, fact, value))  # fmt: skip


def _told(field: Field, words: Words, other: str, fact: str, value: str) -> Seed | None:
    source = field.loaded.sources[words.file]
    facts = ("messages", words.reading.message, "facts")
    declared = with_line(source, facts, f"{fact}: {value}")
    if declared is None:
        return None
    edited = _with_fact(rewrite(source, {words.path: f"{words.text} {{{fact}}}"}), declared, source.text)
    places = (At(words.file, (*facts, fact)), At(words.file, ("messages", other, "facts", fact)))
    return Seed(words.reading, {words.file: edited}, ("M015",), places, with_message=other)


def _with_fact(words: str, facts: str, before: str) -> str:
    """Both edits in one text: the slot's line of the one, the new line of the other."""
    old, said, more = before.split("\n"), words.split("\n"), facts.split("\n")
    at = next(n for n, line in enumerate(more) if n >= len(old) or line != old[n])
    return "\n".join([*said[:at], more[at], *said[at:]])
