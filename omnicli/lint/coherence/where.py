"""Where a piece of a rendering was written: line and column inside `say`, or in the template."""

from __future__ import annotations

import html
from dataclasses import replace
from functools import lru_cache

from omnicli.lint.coherence.grid import Reading
from omnicli.lint.ground import Ground, Path_
from omnicli.model.campaign import Message
from omnicli.model.finding import Place
from omnicli.render.renderer import chain
from omnicli.render.trace import Piece, Span
from omnicli.render.words import WordsError, placeholder_at


def place_of(ground: Ground, reading: Reading, piece: Piece, start: int = 0, width: int | None = None) -> tuple[Place, Path_]:
    """The place and key path of `width` characters from `start` of a piece; all of it without `width`."""
    if piece.slot is not None:
        return _in_words(ground, reading, piece, start, width)
    if piece.span is not None and piece.span.file:
        return in_template(reading, piece.span, start, width if width is not None else len(piece.text)), ()
    path: Path_ = ("messages", reading.name)
    return ground.place(reading.chapter.file, path, key=True), path


def _in_words(ground: Ground, reading: Reading, piece: Piece, start: int, width: int | None) -> tuple[Place, Path_]:
    slot = piece.slot or ""
    key = key_of(reading.message, reading.language, reading.register, slot)
    path: Path_ = ("messages", reading.name, "say", key, slot)
    source = ground.loaded.sources.get(reading.chapter.file)
    text = reading.message.say.get(key, {}).get(slot, "")
    begin, end = extent(text, piece.nth)
    if source is None:
        return ground.place(reading.chapter.file, path), path
    if piece.origin and piece.origin[0] != "words":
        return source.within(path, begin, end - begin), path
    before, whole = piece.text[:start], piece.text[start : start + width if width is not None else None]
    return source.within(path, begin + len(html.unescape(before)), len(html.unescape(whole))), path


def key_of(message: Message, language: str, register: str | None, slot: str) -> str:
    """The key of `say` under which this reader's text of the slot is written."""
    keys = chain(language, register)
    return next((key for key in keys if slot in message.say.get(key, {})), keys[-1])


@lru_cache(maxsize=4096)
def extent(text: str, nth: int) -> tuple[int, int]:
    """Where the n-th constant or placeholder of a text begins and ends."""
    spans = _spans(text)
    return spans[nth] if nth < len(spans) else (0, len(text))


def _spans(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    at = began = 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            at += 2
        elif text[at] == "{":
            try:
                end = placeholder_at(text, at)
            except WordsError:
                return spans
            if at > began:
                spans.append((began, at))
            spans.append((at, end))
            at = began = end
        else:
            at += 1
    if at > began:
        spans.append((began, at))
    return spans


def in_template(reading: Reading, span: Span, start: int = 0, width: int | None = None) -> Place:
    """A span of a template as a place; of typed text the characters from `start`, of an expression all of it."""
    text = reading.renderer.template_text(span.file)
    inner = span.inner(start, start + width) if width is not None else span
    line, column = _line_column(text, inner.start)
    end_line, end_column = _line_column(text, inner.end)
    place = Place(span.file, line, column, end_line, end_column)
    return place if line == end_line else replace(place, end_line=line, end_column=len(text.split("\n")[line - 1]) + 1)


def _line_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
