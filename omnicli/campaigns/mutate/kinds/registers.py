"""Words of the other register: a whole text exchanged, or one pronoun, one possessive, one imperative in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from omnicli.campaigns.mutate.edit import PLACEHOLDER
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import Candidate
from omnicli.campaigns.mutate.sowing import in_words

#: Language and register → a word of it → the same of the other register.
PRONOUNS = {
    ("fr", "tu"): {"tu": "vous", "te": "vous", "toi": "vous", "t'": "vous "},
    ("fr", "vous"): {"vous": "te"},
    ("de", "tu"): {"du": "Sie", "dich": "Sie", "dir": "Ihnen"},
    ("de", "vous"): {"Sie": "du", "Ihnen": "dir"},
}
POSSESSIVES = {
    ("fr", "tu"): {"ton": "votre", "ta": "votre", "tes": "vos"},
    ("fr", "vous"): {"votre": "ton", "vos": "tes"},
    ("de", "tu"): {"dein": "Ihr", "deine": "Ihre", "deinen": "Ihren"},
    ("de", "vous"): {"Ihr": "dein", "Ihre": "deine", "Ihren": "deinen"},
}
_ORDERS = (
    ("Trouve", "Trouvez"), ("Réponds", "Répondez"), ("Viens", "Venez"), ("Choisis", "Choisissez"), ("Regarde", "Regardez"),
    ("Reviens", "Revenez"), ("Passe", "Passez"), ("Clique", "Cliquez"), ("Prends", "Prenez"), ("Écris", "Écrivez"), ("Dis", "Dites"),
)  # fmt: skip
IMPERATIVES = {
    ("fr", "tu"): dict(_ORDERS),
    ("fr", "vous"): {there: here for here, there in _ORDERS},
}
#: One imperative each, and nothing else that tells the register.
SENTENCES = {
    "tu": ("Viens en boutique.", "Regarde par ici.", "Choisis la bonne.", "Écris-nous.", "Prends le temps.", "Reviens bientôt.", "Dis-nous tout."),
    "vous": ("Venez en boutique.", "Regardez par ici.", "Choisissez la bonne.", "Écrivez-nous.", "Prenez le temps.", "Revenez bientôt.", "Dites-nous tout."),
}  # fmt: skip
_INFORMAL = {"informal": "tu", "formal": "vous"}


def swapped(field: Field) -> Iterator[Candidate]:
    """The text of the other register, where it holds a word that tells which it is."""
    for words, language, register in _addressed(field):
        key = str(words.path[-2])
        other = next(
            (one for one in field.message(words.reading).say if one != key and one.split("/")[0] == key.split("/")[0]), None
        )
        text = field.message(words.reading).say[other].get(words.slot) if other else None
        if text is not None and _telling(str(text), language, "vous" if register == "tu" else "tu"):
            yield Candidate(words.name, partial(in_words, field, words, str(text), "P002"))


def one_word(table: Mapping[tuple[str, str], Mapping[str, str]]) -> Callable[[Field], Iterator[Candidate]]:
    """The kind that exchanges one word of the table, each occurrence a mutant of its own."""

    def candidates(field: Field) -> Iterator[Candidate]:
        for words, language, register in _addressed(field):
            for n, (found, other) in enumerate(_found(words.text, table.get((language, register), {}))):
                text = words.text[: found.start()] + _cased(found[0], other) + words.text[found.end() :]
                yield Candidate(f"{words.name} {found[0]} #{n + 1}", partial(in_words, field, words, text, "P002"))

    return candidates


def imperatives(field: Field) -> Iterator[Candidate]:
    """One imperative exchanged, or one sentence with an imperative of the other register at the end of the text."""
    yield from one_word(IMPERATIVES)(field)
    for words, language, register in _addressed(field):
        if language == "fr" and words.slot in ("body", "short", "script", "preheader"):
            for sentence in SENTENCES["vous" if register == "tu" else "tu"]:
                text = f"{words.text.rstrip('.')}. {sentence}"
                yield Candidate(f"{words.name} + {sentence}", partial(in_words, field, words, text, "P002"))


def _addressed(field: Field) -> Iterator[tuple[Words, str, str]]:
    """Words with their language and register, where the persona is addressed in one."""
    for words in field.all_words():
        register = field.register(words.reading)
        if register is not None:
            yield words, words.reading.language.split("-")[0], _INFORMAL.get(register, register)


def _found(text: str, table: Mapping[str, str]) -> Iterator[tuple[re.Match[str], str]]:
    """Occurrences of the table's words outside placeholders."""
    held = [found.span() for found in PLACEHOLDER.finditer(text)]
    for word, other in table.items():
        edge = "" if word.endswith("'") else r"(?!\w)"
        for found in re.finditer(rf"(?<!\w){re.escape(word)}{edge}", text, re.IGNORECASE):
            if not any(start <= found.start() < end for start, end in held):
                yield found, other


def _cased(word: str, other: str) -> str:
    return other[0].upper() + other[1:] if word[:1].isupper() else other


def _telling(text: str, language: str, register: str) -> bool:
    """True when the text holds a pronoun, possessive or imperative of the register."""
    tables = (PRONOUNS, POSSESSIVES, IMPERATIVES)
    return any(next(_found(text, table.get((language, register), {})), None) for table in tables)
