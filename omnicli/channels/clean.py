"""Text as it lies in a cell made fit to be kept: what was repaired is named, what cannot be kept is refused.

`clean` answers from a fast path for what is clean already, which nearly everything is.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from omnicli.texts import t

_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffe\uffff]")
_ODD_SPACE = re.compile("[\t\n\x0b\x0c\r\x1c-\x1f\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: What a spreadsheet is stopped by from reading a cell as a formula; our own exports write it, so it is taken off again.
_GUARDED = re.compile("'(?=[=+\\-@\t\r＝＋－＠])")


class Problem(NamedTuple):
    """What was found in one value: a stable `kind`, whether the value was `repaired` or `refused`, and why in words."""

    kind: str
    outcome: str
    reason: str


class Refused(ValueError):
    """The value cannot be kept."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.problem = Problem(kind, "refused", reason)


def clean(text: str, *, lines: bool = False) -> tuple[str, Problem | None]:
    """The text trimmed, NFC, without control or invisible characters, odd spaces ordinary; and the repair, if any.

    `lines` keeps line ends. Half characters (lone surrogates) are refused.
    """
    if text.isprintable() and text[:1] not in (" ", "'") and text[-1:] != " ":
        return (text if text.isascii() else unicodedata.normalize("NFC", text)), None
    return _mend(text, lines)


def _mend(text: str, lines: bool) -> tuple[str, Problem | None]:
    if _SURROGATE.search(text):
        raise Refused(
            "half_character", t("not a text: it holds half a character", "pas un texte : il contient un demi-caractère")
        )
    problem: Problem | None = None
    if (bare := text.strip()) != text:
        text = bare
        problem = _repaired(
            "spaces", t("spaces around the value were removed", "les espaces autour de la valeur ont été retirées")
        )
    if (bare := _GUARDED.sub("", text, count=1) if _GUARDED.match(text) else text) != text:
        text = bare
        problem = _repaired(
            "apostrophe", t("the apostrophe of a spreadsheet was removed", "l'apostrophe d'un tableur a été retirée")
        )
    if (bare := _mend_spaces(text, lines)) != text:
        text = bare
        problem = _repaired(
            "odd_spaces", t("odd spaces were made ordinary", "des espaces inhabituelles sont devenues ordinaires")
        )
    if _INVISIBLE.search(text):
        text = _INVISIBLE.sub("", text)
        problem = _repaired("invisible", t("invisible characters were removed", "des caractères invisibles ont été retirés"))
    if _CONTROL.search(text):
        text = _CONTROL.sub("", text)
        problem = _repaired("control", t("control characters were removed", "des caractères de contrôle ont été retirés"))
    return unicodedata.normalize("NFC", text.strip()), problem


def _mend_spaces(text: str, lines: bool) -> str:
    if not _ODD_SPACE.search(text):
        return text
    if not lines:
        return _ODD_SPACE.sub(" ", text).strip()
    return "\n".join(_ODD_SPACE.sub(" ", line).strip() for line in re.split("\r\n|[\n\r\x85\u2028\u2029]", text)).strip()


def _repaired(kind: str, reason: str) -> Problem:
    return Problem(kind, "repaired", reason)
