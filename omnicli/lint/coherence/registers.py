"""Which words address a reader in the other register than theirs, language by language, from `registers.yaml`.

A language without a list is judged by nobody, and `omni doctor` says so; an empty list means one form for everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Any

_FORMAL = frozenset(("vous", "formal"))
_START = r"(?:^|(?<=[.!?…:\n»])|(?<=[.!?…:»] )|(?<=[!?:»\u00a0\u202f] ))"
_INSIDE = r"(?<=[\w,;)\u2013-] )"


@cache
def _lists() -> Mapping[str, Mapping[str, Any]]:
    import yaml

    text = (resources.files("omnicli.lint.coherence") / "registers.yaml").read_text("utf-8")
    loaded: dict[str, Mapping[str, Any]] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {str(language): lists for language, lists in loaded.items()}


def without_list(languages: Iterable[str]) -> tuple[str, ...]:
    """The languages whose registers nobody judges."""
    return tuple(tag for tag in languages if tag.split("-")[0] not in _lists())


@lru_cache(maxsize=64)
def foreign_to(language: str, register: str) -> re.Pattern[str] | None:
    """What a reader addressed as `register` (tu, vous, formal, informal) must not read in this language; None when all may."""
    lists = _lists().get(language.split("-")[0])
    other = "informal" if register in _FORMAL else "formal"
    return _pattern(lists[other]) if lists and other in lists else None


def _pattern(lists: Mapping[str, Any]) -> re.Pattern[str]:
    kept = lists.get("not_after", {})
    parts = [_word(word, others) for word, others in kept.items()]
    parts += _any([word for word in lists.get("words", ()) if word not in kept], before=r"(?<![\w'’])")
    parts += [rf"(?<![\w'’-])(?i:{letter})['’](?=\w)" for letter in lists.get("elided", ())]
    parts += _any(lists.get("starts", ()), before=_START)
    parts += [rf"{_INSIDE}{word}(?!\w)" for word in lists.get("capital", ())]
    parts += [rf"(?<!\w)(?i:{phrase})(?!\w)" for phrase in lists.get("phrases", ())]
    spared = "|".join(lists.get("except", ()))
    parts += [rf"(?<![\w'’-])(?!(?i:{spared})(?!\w))(?i:\w{{2,}}{ending})(?![\w'’])" for ending in lists.get("endings", ())]
    return re.compile("|".join(parts), re.MULTILINE)


def _any(words: Sequence[str], *, before: str) -> list[str]:
    """One pattern for all the words, the longest first, with either apostrophe."""
    spelled = [re.escape(word).replace("'", "['’]") for word in sorted(words, key=len, reverse=True)]
    return [rf"{before}(?i:{'|'.join(spelled)})(?![\w'’])"] if spelled else []


def _word(word: str, not_after: Iterable[str]) -> str:
    """A whole word, unless one of the others stands before it."""
    before = "".join(rf"(?<!\b{other} )" for other in (*not_after, *(one.capitalize() for one in not_after)))
    return rf"(?<![\w'’]){before}(?i:{re.escape(word)})(?![\w'’])"
