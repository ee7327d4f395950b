"""Texts beyond what a channel carries or shows: one character or one part too long, and one letter that makes an SMS dear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.seed import Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import in_words
from omnicli.channels.sms import count_sms, foreign
from omnicli.render.views import CannotRender

#: Channel and part → the code that speaks when its budget is passed.
CODES = {
    ("email", "subject"): "C001", ("whatsapp", "body"): "C020", ("push", "title"): "C030", ("push", "body"): "C030",
    ("voice", "script"): "C040",
}  # fmt: skip
_FILLING = {"fr": "quelques mots de plus qui ne disent vraiment rien ", "en": "a few more words that do not say anything at all "}
_DEAR = ("ç", "ê", "’", "…", "œ", "\u00a0–")


def too_long(field: Field) -> Iterator[Candidate]:
    """The words lengthened until the longest contact's text is one over the budget, or some more."""
    for words in field.all_words():
        for part, limit in _limits(field, words.reading).items():
            if words.slot in (part, "short", "headline", "script", "body") and _prints(field, words, part):
                for more in (1, 2, 9):
                    yield Candidate(f"{words.name} {part} +{more}", partial(_lengthened, field, words, part, limit + more))
        if words.reading.channel == "sms":
            for more in (1, 2, 30):
                yield Candidate(f"{words.name} parts +{more}", partial(_more_parts, field, words, more))


def dear_letter(field: Field) -> Iterator[Candidate]:
    """An SMS of 155 characters in one part, with one letter among them that the short alphabet does not have."""
    for words in field.all_words():
        if words.reading.channel == "sms":
            for letter in _DEAR:
                yield Candidate(f"{words.name} {letter}", partial(_dear, field, words, letter))


def filling(language: str, n: int) -> str:
    """n characters of words, the last no space."""
    text = (_FILLING.get(language.split("-")[0], _FILLING["en"]) * (n // 40 + 1))[:n]
    return text[:-1] + "e" if text.endswith(" ") else text


def _limits(field: Field, reading: Reading) -> Mapping[str, int]:
    budgets = field.medium(reading).budgets
    return {one.part: one.limit for one in budgets if one.unit == "characters" and (reading.channel, one.part) in CODES}


def _prints(field: Field, words: Words, part: str) -> bool:
    return f"\u2042{words.slot}\u2042" in field.bare(words.reading).get(part, "")


def _longest(field: Field, reading: Reading) -> Mapping[str, str]:
    try:
        return field.rendered(reading, "longest")
    except CannotRender:
        return {}


def _lengthened(field: Field, words: Words, part: str, wanted: int) -> Seed | None:
    lacking = wanted - len(_longest(field, words.reading).get(part, ""))
    if lacking < 2 or lacking > wanted - 1:
        return None
    code = CODES[(words.reading.channel, part)]
    return in_words(field, words, f"{words.text} {filling(words.reading.language, lacking - 1)}", code)


def _more_parts(field: Field, words: Words, more: int) -> Seed | None:
    """One part more than `max_parts`, and some characters."""
    settings = field.project.channels.get("sms")
    most = settings.max_parts if settings and settings.max_parts else 2
    text = _longest(field, words.reading).get("body", "")
    if not text or count_sms(text).parts > most:
        return None
    n = next(n for n in range(2, 1000) if count_sms(f"{text} {filling(words.reading.language, n - 1)}").parts > most)
    return in_words(field, words, f"{words.text} {filling(words.reading.language, n - 2 + more)}", "C010")


def _dear(field: Field, words: Words, letter: str) -> Seed | None:
    text = field.rendered(words.reading).get("body", "")
    lacking = 155 - count_sms(text).units - len(letter) - 1
    if foreign(text) or lacking < 0:
        return None
    fill = filling(words.reading.language, lacking) if lacking else ""
    return in_words(field, words, f"{words.text} {fill}{letter}", "C011")
