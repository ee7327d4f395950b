"""Counts the parts of an SMS as carriers do: GSM-7 where every character has a place in it, else UCS-2.

Source: GSM 03.38 (3GPP TS 23.038) for the alphabet, 3GPP TS 23.040 for concatenation: a single message holds 160 septets
or 70 UTF-16 units, each part of a longer one 153 or 67, and no character is split between two parts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: Characters that take an escape before them, so two septets.
EXTENDED = frozenset("\f^{}\\[~]|€")

#: What may be written instead of a character that forces UCS-2 (rules SM-02); proposed, never done by itself.
PLAINER = {
    "ç": "c", "ê": "e", "ë": "e", "â": "a", "î": "i", "ï": "i", "ô": "o", "û": "u", "œ": "oe", "Œ": "OE", "À": "A", "È": "E",
    "Ê": "E", "Ô": "O", "Î": "I", "Û": "U", "’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "…": "...",
    "–": "-", "—": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200a": " ",
}  # fmt: skip


#: Units in a message of one part, and in each part of a longer one (3GPP TS 23.040).
SIZES = {"GSM-7": (160, 153), "UCS-2": (70, 67)}


@dataclass(frozen=True, slots=True)
class Count:
    """`units` are septets (GSM-7) or UTF-16 units (UCS-2)."""

    encoding: Literal["GSM-7", "UCS-2"]
    parts: int
    units: int

    @property
    def size(self) -> int:
        """Units that one part of this text holds."""
        single, several = SIZES[self.encoding]
        return single if self.parts == 1 else several


def count_sms(text: str) -> Count:
    """Encoding, parts (an empty text is one) and units of a text as it would be sent."""
    beyond = set(text) - BASIC
    if beyond <= EXTENDED:
        units = len(text) + sum(map(text.count, beyond))
        return _counted("GSM-7", text, units, double=beyond)
    wide = {letter for letter in beyond if ord(letter) > 0xFFFF}
    units = len(text) + sum(map(text.count, wide))
    return _counted("UCS-2", text, units, double=wide)


def foreign(text: str) -> tuple[str, ...]:
    """The characters that have no place in GSM-7, once each, in order of appearance."""
    return tuple(dict.fromkeys(letter for letter in text if letter not in BASIC and letter not in EXTENDED))


def _counted(encoding: Literal["GSM-7", "UCS-2"], text: str, units: int, *, double: Collection[str]) -> Count:
    single, several = SIZES[encoding]
    if units <= single:
        return Count(encoding, 1, units)
    least = -(-units // several)
    if not double or least == -(-units // (several - 1)):  # a character of two units leaves at most one unit of a part unused
        return Count(encoding, least, units)
    parts, used = 1, 0
    for letter in text:
        size = 2 if letter in double else 1
        if used + size > several:
            parts, used = parts + 1, 0
        used += size
    return Count(encoding, parts, units)
