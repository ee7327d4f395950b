"""What a written answer asks for: to stop, to begin again, help, perhaps to stop, or nothing of the kind.

A keyword is the whole message; a sentence counts as a refusal only when it leaves no doubt, so `unstoppable` unsubscribes nobody;
doubt stops marketing and calls a person. The words are data (`keywords.yaml`), dated (docs/delivery 17).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from omnicli.text import fold

Word = Literal["stop", "start", "help", "doubt"]
#: Beyond this nothing is searched for sentences: nobody refuses in so many words, and a reply quotes what it answers.
LONGEST = 1000
_UNSEEN = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")
#: Letters that stand for others in a disguised keyword.
_DISGUISE = str.maketrans("0013457", "ooieast")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of `keywords.yaml`, folded: sets of whole messages, and one pattern for each kind of sentence."""

    whole: Mapping[str, Word]
    polite: re.Pattern[str]
    keeps: re.Pattern[str]
    refusals: re.Pattern[str]
    doubts: re.Pattern[str]


def bare(text: str) -> str:
    """Words only: folded, without accents, punctuation and letters that nobody sees."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in fold(_UNSEEN.sub("", text))).split())


def keyword(text: str) -> str:
    """The first word of an answer, folded, without punctuation: what `replied where (keyword = oui)` asks."""
    words = bare(text).split()
    return words[0] if words else ""


@lru_cache(maxsize=4096)
def said(text: str) -> Word | None:
    """What this message asks for, or None: it is about something else."""
    words = bare(text)
    known = the_words()
    whole = known.whole.get(words) or known.whole.get(_spelled_out(words))
    if whole is not None or not words or len(words) > LONGEST:
        return whole
    if known.keeps.search(words):
        return None
    if known.whole.get(" ".join(known.polite.sub(" ", words).split())) == "stop" or known.refusals.search(words):
        return "stop"
    return "doubt" if known.doubts.search(words) or _disguised(words, known) else None


def of_payload(payload: Mapping[str, Any]) -> Word | None:
    """What a reply asks for: what the provider took it for and answered already (`opt_out`), else what its text says. A START that
    anybody may have written in another's name (`unproved`) undoes nothing (docs/delivery S20)."""
    taken = str(payload.get("opt_out") or "").lower()
    found: Word | None = taken if taken in ("stop", "start", "help") else said(str(payload.get("text") or ""))  # type: ignore[assignment]
    return None if found == "start" and payload.get("unproved") else found


@lru_cache(maxsize=1)
def the_words() -> Words:
    """The data file, read once."""
    import yaml

    found = yaml.safe_load((Path(__file__).parent / "keywords.yaml").read_text("utf-8"))
    kinds: tuple[Word, ...] = ("stop", "start", "help")
    whole = {bare(word): kind for kind in kinds for word in found[kind]}
    return Words(whole, *(_pattern(found[name]) for name in ("polite", "keeps", "refusals", "doubts")))


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Any of these phrases between the bounds of words; `...` is up to four words."""
    parts = [
        r"(?: \w+){0,4} ".join(re.escape(bare(part)) for part in phrase.split("...")).replace("dont", "don ?t")
        for phrase in phrases
    ]
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(parts, key=len, reverse=True))})(?!\w)")


def _spelled_out(words: str) -> str:
    """`s t o p` as one word; anything else as it is."""
    letters = words.split(" ")
    return "".join(letters) if len(letters) > 2 and all(len(letter) == 1 for letter in letters) else words


def _disguised(words: str, known: Words) -> bool:
    """A keyword with digits for letters: a person should look."""
    return known.whole.get(words.translate(_DISGUISE)) == "stop"
