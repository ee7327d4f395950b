"""Words that a persona must not read: one that it avoids, more emoji, exclamation marks or capitals than it bears."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import Candidate
from omnicli.campaigns.mutate.sowing import in_words
from omnicli.model.project import Tone

_EMOJI = ("🕯️", "✨", "🎁", "🌙", "💛", "👩‍👩‍👧", "🇫🇷")
_CRIES = {"fr": ("Vite", "Bravo", "Super", "Enfin", "Oui"), "en": ("Quick", "Great", "Super", "Yes", "Now")}
_SHOUTS = {"fr": "DERNIERS JOURS POUR CHOISIR", "en": "THESE ARE THE LAST DAYS TO CHOOSE"}


def avoided(field: Field) -> Iterator[Candidate]:
    """An avoided word at the beginning or the end, as it is listed or in capitals."""
    for words, tone in _toned(field):
        for word in tone.avoid:
            for name, text in (
                ("behind", f"{words.text} {word}"),
                ("before", f"{word.capitalize()}, {words.text}"),
                ("titled", f"{words.text} {word.title()}"),
            ):
                yield Candidate(_name(words, f"{word} {name}"), partial(in_words, field, words, text, "P001"))


def emoji(field: Field) -> Iterator[Candidate]:
    """One emoji more than the persona bears, and two more."""
    for words, tone in _toned(field):
        for more in (1, 2):
            row = (_EMOJI * 20)[more : more + tone.emoji + more]
            yield Candidate(_name(words, f"+{more}"), partial(in_words, field, words, f"{words.text} {' '.join(row)}", "P003"))


def exclamation(field: Field) -> Iterator[Candidate]:
    """One exclamation mark more than the persona bears, and two more: each behind a word, or in a row."""
    for words, tone in _toned(field):
        cries = _CRIES.get(words.reading.language.split("-")[0], _CRIES["en"])
        for more in (1, 2):
            n = tone.exclamation + more - words.text.count("!")
            texts = {"in a row": "!" * n, "words": " " + " ".join(f"{cry} !" for cry in (cries * 20)[:n])}
            for name, text in texts.items():
                yield Candidate(_name(words, f"{name} +{more}"), partial(in_words, field, words, words.text + text, "P004"))


def capitals(field: Field) -> Iterator[Candidate]:
    """A sentence in capitals."""
    for words, _ in _toned(field):
        text = f"{words.text} {_SHOUTS.get(words.reading.language.split('-')[0], _SHOUTS['en'])}"
        yield Candidate(_name(words, "capitals"), partial(in_words, field, words, text, "P004"))


def _toned(field: Field) -> Iterator[tuple[Words, Tone]]:
    """The words as each persona reads them."""
    for reading in field.readings:
        persona = field.persona(reading)
        if persona is not None:
            for words in field.words(reading):
                yield words, persona.tone


def _name(words: Words, what: str) -> str:
    return f"{words.name} to {words.reading.persona}: {what}"
