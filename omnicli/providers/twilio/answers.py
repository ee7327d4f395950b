"""Says what Twilio is told to answer a person who writes: nothing, as a rule; help, or that a STOP was heard, once (delivery 17).

Twilio answers its own keywords by itself; omni speaks only where it stays silent: French words, short codes, other channels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from omnicli.text import fold

Asked = Literal["stop", "help"]
EMPTY = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
#: A person who writes STOP again within this time has had the confirmation.
ONCE = timedelta(hours=24)
#: People remembered at most; the oldest are forgotten first.
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Words:
    """Whole messages, folded: `theirs` are answered by Twilio, `ours` by omni, each with the language of the answer ("" : the
    project's); `texts` language → asked → words."""

    theirs: frozenset[str]
    ours: Mapping[str, tuple[Asked, str]]
    texts: Mapping[str, Mapping[str, str]]


@lru_cache(maxsize=1)
def the_words() -> Words:
    """The data file, read once."""
    found: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("data/answers.yaml").read_text("utf-8"))
    ours = {bare(word): (asked, lang) for asked in ("stop", "help") for lang, words in found[asked].items() for word in words}
    return Words(frozenset(map(bare, found["answered_by_twilio"])), ours, found["texts"])  # type: ignore[arg-type]


def bare(text: str) -> str:
    """Words only: folded, without accents and punctuation."""
    return " ".join(re.findall(r"\w+", fold(text)))


class Answers:
    """What to answer whom; remembers whose STOP was confirmed, so that it is said once."""

    def __init__(self, *, brand: str, language: str, who: str) -> None:
        self.brand, self.language, self.who = brand, language[:2] if language[:2] in ("fr", "en") else "en", who
        self._confirmed: dict[tuple[str, str], tuple[datetime, str]] = {}

    def answer(self, fields: Mapping[str, str], *, now: datetime) -> bytes:
        """TwiML: one message, or `<Response/>` when Twilio has answered or nobody asked."""
        found = the_words().ours.get(bare(fields.get("Body", "")))
        if found is None or fields.get("OptOutType") or self._answered(fields):
            return EMPTY
        asked, language = found
        pair = (fields.get("From", ""), fields.get("To", ""))
        if asked == "stop" and not self._first(pair, fields.get("MessageSid", ""), now):
            return EMPTY
        return _message(the_words().texts[language or self.language][asked].format(brand=self.brand))

    def _answered(self, fields: Mapping[str, str]) -> bool:
        """Twilio answers its own words on long numbers by itself, whether or not it says so."""
        long_number = fields.get("To", "").startswith("+")
        return self.who == "twilio" and long_number and bare(fields.get("Body", "")) in the_words().theirs

    def _first(self, pair: tuple[str, str], sid: str, now: datetime) -> bool:
        """Whether this STOP is to be confirmed: the first of the day, or the same one again (Twilio did not get our answer)."""
        last = self._confirmed.get(pair)
        if last is not None and now - last[0] < ONCE:
            return last[1] == sid
        self._confirmed.pop(pair, None)
        self._confirmed[pair] = (now, sid)
        while len(self._confirmed) > MOST:
            self._confirmed.pop(next(iter(self._confirmed)))
        return True


def _message(text: str) -> bytes:
    from twilio.twiml.messaging_response import MessagingResponse

    response = MessagingResponse()
    response.message(text)
    return str(response).encode("utf-8")
