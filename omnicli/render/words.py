"""Splits the texts of `say` into constants and placeholders, once, before any template sees them (campaign-language 5.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from omnicli.texts import t

CATEGORIES = ("zero", "one", "two", "few", "many", "other")


class WordsError(ValueError):
    """A text that cannot be read; `column` is 1-based inside the text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.message, self.column = message, column


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{name:form or "instead" | one=… | other=…}`; `column` is where its `{` stands, 1-based."""

    name: str
    form: str = ""
    instead: str | None = None
    plurals: tuple[tuple[str, str], ...] = ()
    column: int = 1


Piece = str | Placeholder

_HEAD = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(?::\s*([A-Za-z_]+)\s*)?")
_OR = re.compile(r"or\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*|\'((?:[^\'\\]|\\.)*)\'\s*')
_CATEGORY = re.compile(r"\|\s*([a-z]+)\s*=\s*([^|}]*)")


@lru_cache(maxsize=8192)
def parse_words(text: str) -> tuple[Piece, ...]:
    """The pieces of a text, constants first joined. WordsError says what is wrong and where."""
    pieces: list[Piece] = []
    constant: list[str] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter in "{}" and text[at : at + 2] == letter * 2:
            constant.append(letter)
            at += 2
        elif letter == "}":
            raise WordsError(
                t("'}' stands alone: write '}}' for a brace", "« } » est seul : écrivez « }} » pour une accolade"), at + 1
            )
        elif letter == "{":
            if constant:
                pieces.append("".join(constant))
                constant = []
            placeholder, at = _placeholder(text, at)
            pieces.append(placeholder)
        else:
            end = min((found for found in (text.find("{", at), text.find("}", at)) if found >= 0), default=len(text))
            constant.append(text[at:end])
            at = end
    if constant:
        pieces.append("".join(constant))
    return tuple(pieces)


def placeholder_at(text: str, start: int) -> int:
    """Where the placeholder ends whose `{` stands at `start`."""
    return _placeholder(text, start)[1]


def placeholders(text: str) -> tuple[Placeholder, ...]:
    return tuple(piece for piece in parse_words(text) if isinstance(piece, Placeholder))


def _placeholder(text: str, start: int) -> tuple[Placeholder, int]:
    head = _HEAD.match(text, start + 1)
    if not head:
        raise WordsError(
            t(
                "a name is expected after '{' (write '{{' for a brace)",
                "un nom est attendu après « { » (écrivez « {{ » pour une accolade)",
            ),
            start + 2,
        )
    at, instead = head.end(), None
    plurals: list[tuple[str, str]] = []
    if word := _OR.match(text, at):
        quoted = _QUOTED.match(text, word.end())
        if not quoted:
            raise WordsError(
                t(
                    "after 'or' a quoted text is expected: or \"…\"",
                    'après « or », un texte entre guillemets est attendu : or "…"',
                ),
                word.end() + 1,
            )
        instead = re.sub(r"\\(.)", r"\1", quoted[1] if quoted[1] is not None else quoted[2])
        at = quoted.end()
    while category := _CATEGORY.match(text, at):
        if category[1] not in CATEGORIES:
            raise WordsError(
                t("'{word}' is no plural category (known: {known})", "« {word} » n'est pas une catégorie de pluriel (connues : {known})",
                  word=category[1], known=", ".join(CATEGORIES)), category.start(1) + 1
            )  # fmt: skip
        plurals.append((category[1], category[2].strip()))
        at = category.end()
    if text[at : at + 1] != "}":
        raise WordsError(
            t("'}' is missing", "il manque « } »")
            if at >= len(text)
            else t("'{letter}' is not expected here", "« {letter} » est inattendu ici", letter=text[at]),
            at + 1,
        )
    if plurals and "other" not in dict(plurals):
        raise WordsError(t("the plural 'other' is missing", "il manque le pluriel « other »"), start + 1)
    return Placeholder(head[1], head[2] or "", instead, tuple(plurals), start + 1), at + 1
