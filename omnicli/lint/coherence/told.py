"""The facts of a reading as this channel and language may print them, and which of them reach the reader."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from omnicli.channels import MEDIA, Medium
from omnicli.lint.coherence.grid import Reading, once
from omnicli.lint.coherence.visible import Seen
from omnicli.render import forms
from omnicli.render.trace import Piece

View = tuple[str, tuple[Seen, ...]]


def allowed(reading: Reading, fact: str) -> frozenset[str]:
    """Every text in which the fact may stand here; empty when this reader has no such fact."""
    kind, value = reading.facts.get(fact, ("", None))
    if value is None:
        return frozenset()
    project, medium = reading.renderer.project, reading.medium
    home = tuple(project.countries)
    if kind != "place" and MEDIA.get(medium.name) is medium:
        return _allowed(kind, value, reading.language, home, medium.name)
    return _forms(kind, value, reading.language, home, medium, project.places)


@lru_cache(maxsize=8192)
def _allowed(kind: str, value: str, language: str, home: tuple[str, ...], medium: str) -> frozenset[str]:
    """Of what does not hang on the places of a project: hundreds of readings ask about the same few facts."""
    return _forms(kind, value, language, home, MEDIA[medium], {})


def _forms(
    kind: str, value: str, language: str, home: tuple[str, ...], medium: Medium, places: Mapping[str, Any]
) -> frozenset[str]:
    try:
        return forms.allowed(kind, value, locale=forms.locale_of(language, home), medium=medium, places=places)
    except (ValueError, ArithmeticError, LookupError):
        return frozenset()


def shown(reading: Reading, fact: str) -> str:
    """The fact as this channel prints it."""
    kind, value = reading.facts.get(fact, ("", None))
    if value is None:
        return ""
    project = reading.renderer.project
    locale = forms.locale_of(reading.language, tuple(project.countries))
    try:
        return forms.show(kind, value, "", locale=locale, medium=reading.medium, places=project.places)
    except (ValueError, ArithmeticError, LookupError):
        return value


def said(piece: Piece, *, page: bool) -> str:
    return html.unescape(piece.text) if page else piece.text


def reached(reading: Reading, view: View) -> dict[str, int]:
    """Fact → where its first mark stands in the visible text of the view (counted over its parts)."""
    return _reached(reading, *view[1])


@once
def _reached(reading: Reading, *parts: Seen) -> dict[str, int]:
    found: dict[str, int] = {}
    length = 0
    for seen in parts:
        for at, _, number in seen.stretches:
            for fact in facts_of(reading, seen.pieces[number]):
                found.setdefault(fact, length + at)
        for anchor in seen.anchors:
            for number in seen.of_part(anchor.start, anchor.end):
                for fact in facts_of(reading, seen.pieces[number]):
                    found.setdefault(fact, length + anchor.label[0])
        length += len(seen.text)
    for link in reading.draft.links:
        if link.purpose == "scan" and link.fact and any(map(_is_picture, parts)):
            found.setdefault(link.fact, 0)
    return found


def _is_picture(seen: Seen) -> bool:
    return any((piece.origin or ("",))[0] == "picture" for piece in seen.pieces)


def facts_of(reading: Reading, piece: Piece) -> tuple[str, ...]:
    """The fact that a piece prints whole, or that its link leads to."""
    match piece.origin:
        case ("fact" | "plural", str(name), *_):
            return (name,)
        case ("link", int(number)):
            fact = reading.draft.links[number].fact
            return (fact,) if fact else ()
    return ()
