"""Every character that nobody can see has its column (Y009): controls, zero-width, bidirectional, and omni's own marks.

In `say`, joiners inside emoji and scripts that need them, direction marks of right-to-left text and the tags of flags
are the author's (docs/language, section 2).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from omnicli.campaignfile.catalogue import finding
from omnicli.campaignfile.source import ESCAPE, Map, Source, unescaped
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.texts import t

_SUSPECT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ue000-\ue002\U000e0000-\U000e007f]"
)
_JOINERS = "\u200c\u200d"
_DIRECTION_MARKS = "\u200e\u200f\u061c"


def invisible_characters(source: Source) -> Iterator[Finding]:
    """Y009 for every character that nobody can see: raw ones anywhere, escaped ones in double quotes."""
    if _SUSPECT.search(source.text):
        for found in _SUSPECT.finditer(source.text):
            line, column = source.line_column(found.start())
            if not _welcome(source, line, column, found.start()):
                yield _invisible(source, line, column, found.group(), 1)
    for span in source.long_spans if "\\" in source.text else ():
        if span.style != '"':
            continue
        raw = source.slice(span)
        if "\\" not in raw:
            continue
        base = source.offset(span.line + 1, span.column + 1)
        for escape in ESCAPE.finditer(raw):
            letter = unescaped(escape.group())
            if letter and letter not in "\t\n\r" and _SUSPECT.match(letter):
                if letter in _JOINERS and _in_words(source, span.line, span.column):
                    continue
                line, column = source.line_column(base + escape.start())
                yield _invisible(source, line, column, letter, len(escape.group()))


def _invisible(source: Source, line: int, column: int, letter: str, width: int) -> Finding:
    place = Place.at(source.file, line + 1, column + 1, width)
    message = t("invisible character U+{code}", "caractère invisible U+{code}", code=f"{ord(letter):04X}")
    if unicodedata.category(letter) == "Co":
        message = t("character U+{code} is reserved: it marks facts in renderings", "le caractère U+{code} est réservé : il marque les faits dans les rendus",
                    code=f"{ord(letter):04X}")  # fmt: skip
    return finding("Y009", place, message, fix=Fix(t("remove it", "l'enlever"), (Edit(place, ""),)))


def _welcome(source: Source, line: int, column: int, offset: int) -> bool:
    """In `say`: joiners beside emoji and letters that need them, direction marks in right-to-left text, tags of flags."""
    letter = source.text[offset]
    around = source.text[max(offset - 1, 0) : offset] + source.text[offset + 1 : offset + 2]
    if letter in _JOINERS:
        fits = len(around) == 2 and any(ord(c) > 0x2FF for c in around)
    elif letter in _DIRECTION_MARKS:
        fits = any(unicodedata.bidirectional(c) in ("R", "AL") for c in source.lines[line])
    elif "\U000e0020" <= letter <= "\U000e007f":
        before = source.text[:offset].rstrip("".join(map(chr, range(0xE0020, 0xE0080))))
        fits = before.endswith("\U0001f3f4")
    else:
        return False
    return fits and _in_words(source, line, column)


def _in_words(source: Source, line: int, column: int) -> bool:
    """Whether the position lies in a `say` text of a message."""
    messages = source.find(("messages",))
    if not isinstance(messages, Map):
        return False
    for message in messages.values():
        say = message.get("say") if isinstance(message, Map) else None
        for slots in say.values() if isinstance(say, Map) else ():
            for span in slots.values_at.values() if isinstance(slots, Map) else ():
                if (span.line, span.column) <= (line, column) < (span.end_line, span.end_column):
                    return True
    return False
