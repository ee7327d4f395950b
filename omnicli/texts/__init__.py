"""What omni says, in French and English: both stand side by side where they are said, so neither can be forgotten."""

from __future__ import annotations

import os

LANGUAGES = ("en", "fr")
_language = "en"


def use(language: str | None) -> None:
    """Choose the language of this process: `--lang`, else OMNI_LANG, else the locale, else English."""
    global _language
    for wanted in (
        language,
        os.environ.get("OMNI_LANG"),
        os.environ.get("LC_ALL"),
        os.environ.get("LC_MESSAGES"),
        os.environ.get("LANG"),
    ):
        if wanted:
            _language = "fr" if wanted.lower().startswith("fr") else "en"
            return
    _language = "en"


def language() -> str:
    return _language


def t(english: str, french: str, /, **values: object) -> str:
    """The text in the language in use, `{name}` filled in."""
    text = french if _language == "fr" else english
    return text.format(**values) if values else text


def several(count: int, english: tuple[str, str], french: tuple[str, str], /, **values: object) -> str:
    """A text that counts, `(one, many)` in each language, `{n}` the count (or as `values` write it); French counts nothing as one."""
    said = french if _language == "fr" else english
    one = count == 1 or (count == 0 and _language == "fr")
    return said[0 if one else 1].format(**({"n": count} | values))
