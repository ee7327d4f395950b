"""Measures how loud and how long a text is: its emoji, its `!`, its capitals and the length of its sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: BMP letters that are shown as emoji by themselves (Unicode emoji-data, Emoji_Presentation).
_SHOWN = (
    "⌚⌛⏩⏪⏫⏬⏰⏳◽◾☔☕♈♉♊♋♌♍♎♏♐♑♒♓♿⚓⚡⚪⚫⚽⚾⛄⛅⛎⛔⛪⛲⛳⛵⛺⛽✅✊✋✨❌❎❓❔❕❗➕➖➗➰➿⬛⬜⭐⭕"
)
_ONE = (
    rf"(?:[\U0001f1e6-\U0001f1ff]{{2}}|[\U0001f000-\U0001faff{_SHOWN}]|[\u2190-\u2bff\u3030\u303d\u3297\u3299©®™0-9#*](?=\ufe0f))"
)
_EMOJI = re.compile(rf"{_ONE}[\ufe0f\u20e3\U0001f3fb-\U0001f3ff]*(?:\u200d{_ONE}[\ufe0f\U0001f3fb-\U0001f3ff]*)*")
_LOUD = re.compile(
    r"(?<![\w'’-])(?:[^\W\d_a-zß-öø-ÿ]{2,}(?:['’-][^\W\d_a-zß-öø-ÿ]+)*[ ,;:\u00a0\u202f]+){2,}[^\W\d_a-zß-öø-ÿ]{2,}(?![\w'’])"
)
_SENTENCE = re.compile(r"[^.!?…\n]+")
_WORD = re.compile(r"[^\W_]+(?:[.,:'’-][^\W_]+)*")


def emoji(text: str) -> Iterator[tuple[int, int]]:
    """Where each emoji stands; a family of four is one, a flag is one."""
    if not text.isascii():
        for match in _EMOJI.finditer(text):
            yield match.span()


def exclamations(text: str) -> Iterator[tuple[int, int]]:
    """Where each `!` stands, wide and inverted ones of a pair counted once."""
    for match in re.finditer("[!！]", text):
        yield match.span()


def loud(text: str) -> Iterator[tuple[int, int]]:
    """Three words or more in capitals, one after the other."""
    for match in _LOUD.finditer(text):
        if match[0] == match[0].upper():
            yield match.span()


def words_a_sentence(text: str) -> tuple[float, int]:
    """Words a sentence on average, and how many sentences there are."""
    sentences = [len(_WORD.findall(sentence)) for sentence in _SENTENCE.findall(text)]
    counted = [count for count in sentences if count]
    return (sum(counted) / len(counted), len(counted)) if counted else (0.0, 0)


def words(text: str) -> int:
    """How many words there are to say."""
    return len(_WORD.findall(text))
