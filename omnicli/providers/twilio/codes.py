"""Says what an answer of Twilio means for a touch, and what a code in a callback means for the person: a function of values.

The codes stand in `data/codes.yaml`, dated; one that is not there goes by its HTTP class (docs/delivery 9, docs/providers 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from omnicli.model.literals import Duration
from omnicli.model.touch import Outcome, Reach
from omnicli.providers.exchange import retry_at
from omnicli.providers.twilio.wire import Answer
from omnicli.texts import t

#: What a message or a call is called by Twilio.
SID = re.compile(r"(SM|MM|CA)[0-9a-fA-F]{32}")
_UNCLEAR = frozenset({408})


@dataclass(frozen=True, slots=True)
class Answered:
    """What a code means in an answer. `report`: lint should have caught it; `country`: that country is closed to this account."""

    kind: Literal["rejected", "not_sent"]
    halts: Reach | None = None
    bad_address: bool = False
    suppress: str | None = None
    wait: timedelta | None = None
    report: bool = False
    country: bool = False


@dataclass(frozen=True, slots=True)
class CalledBack:
    """What a code means in a status callback: the event it is, how hard, and which bar the provider holds."""

    event: Literal["bounced", "failed"]
    kind: str | None = None
    suppress: str | None = None
    halts: Reach | None = None
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """One line of the table."""

    number: int
    means: str
    answer: Answered | None = None
    callback: CalledBack | None = None


@lru_cache(maxsize=1)
def table() -> Mapping[int, Code]:
    """All codes that omni knows."""
    written = yaml.safe_load(files(__package__).joinpath("data/codes.yaml").read_text("utf-8"))
    return {number: _code(number, line) for number, line in written["codes"].items()}


def _code(number: int, line: Mapping[str, Any]) -> Code:
    answer, callback = line.get("answer"), line.get("callback")
    if answer is not None:
        wait = Duration.parse(answer["wait"]).about if "wait" in answer else None
        rest = {key: value for key, value in answer.items() if key not in ("class", "wait")}
        answer = Answered(answer["class"], wait=wait, **rest)
    return Code(number, line["means"], answer, CalledBack(**callback) if callback else None)


def unlisted(codes: Iterable[str | None]) -> list[str]:
    """Those of these codes that look like Twilio's and are not in the table, once each, for `omni doctor`."""
    return sorted({c for c in codes if c and c.isdigit() and len(c) >= 5 and int(c) not in table()})


def classify(answer: Answer, *, now: datetime, asked: str = "") -> Outcome:
    """What a whole answer to a request to send means for the touch; `asked` says to what, for the detail (the channel).

    2xx without a usable id is `unknown`: it was taken. 408 and 5xx are `unknown`, whatever their body says.
    """
    said = answer.json()
    told: Mapping[str, Any] = said if isinstance(said, dict) else {}
    status = answer.status
    if 200 <= status < 300:
        return _taken(told, status)
    code = _number(told.get("code"))
    name = str(code) if code is not None else str(status)
    detail = _detail(told, status)
    if status >= 500 or status in _UNCLEAR or status < 200:
        return Outcome("unknown", code=name, detail=detail, http_status=status)
    if 300 <= status < 400:
        why = t("redirects are not followed ({status})", "les redirections ne sont pas suivies ({status})", status=status)
        return Outcome("not_sent", code=name, detail=why, halt=True, http_status=status)
    listed = table().get(code or 0)
    if listed is not None and listed.answer is not None:
        return _listed(listed.answer, name, detail, answer, now)
    return _by_class(answer, name, detail, now)


def _taken(told: Mapping[str, Any], status: int) -> Outcome:
    sid = told.get("sid")
    if isinstance(sid, str) and SID.fullmatch(sid):
        return Outcome("accepted", ref=sid, http_status=status)
    why = t("taken, but the answer names no message", "pris, mais la réponse ne nomme aucun message")
    return Outcome("unknown", code=str(status), detail=why, http_status=status)


def _listed(means: Answered, code: str, detail: str, answer: Answer, now: datetime) -> Outcome:
    again = None
    if means.kind == "not_sent":
        again = now + means.wait if means.wait else retry_at(answer.headers.get("retry-after"), now)
    return Outcome(
        means.kind, code=code, detail=detail, retry_at=again, halt=means.halts is not None, halts=means.halts or "account",
        bad_address=means.bad_address, suppress=means.suppress, http_status=answer.status,
    )  # fmt: skip


def _by_class(answer: Answer, code: str, detail: str, now: datetime) -> Outcome:
    if answer.status in (401, 403):
        return Outcome("not_sent", code=code, detail=detail, halt=True, http_status=answer.status)
    if answer.status == 429:
        return Outcome(
            "not_sent", code=code, detail=detail, retry_at=retry_at(answer.headers.get("retry-after"), now), http_status=429
        )
    return Outcome("rejected", code=code, detail=detail, http_status=answer.status)


def read_date(text: str | None) -> datetime | None:
    """An instant as Twilio writes it (RFC 2822), UTC; None when it is none."""
    try:
        found = parsedate_to_datetime(text or "")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):  # the last day of the year 9999 has no tomorrow
        return None


def _number(code: object) -> int | None:
    if isinstance(code, bool) or not isinstance(code, int | str):
        return None
    text = str(code)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _detail(told: Mapping[str, Any], status: int) -> str:
    """What Twilio says, without the number that it likes to repeat."""
    message = told.get("message") or told.get("detail") or told.get("title")
    text = str(message) if message else f"answered {status}"
    return re.sub(r"\+?\d[\d \-.]{6,}\d", "…", text)[:200]


def called_back(code: object) -> CalledBack | None:
    """What a code in a callback means; None for those that are not listed for callbacks."""
    number = _number(code)
    found = table().get(number) if number is not None else None
    return found.callback if found else None
