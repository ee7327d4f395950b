"""What SendGrid's answer means for each person of a request: the table of docs/delivery 9, and nothing but that table.

Pure: a status, headers and a body go in, an outcome for every person comes out, in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any

from omnicli import clock
from omnicli.model.touch import Outcome
from omnicli.providers.exchange import retry_at
from omnicli.text import printable
from omnicli.texts import t

#: Nobody waits longer than this because an answer says so (docs/delivery 10).
LONGEST_WAIT = timedelta(minutes=15)
#: How much of an answer is kept as `detail`.
_KEPT = 300
_PERSON = re.compile(r"personalizations[.\[]([0-9]{1,4})\b")
_ADDRESS = re.compile(r"personalizations[.\[][0-9]{1,4}\]?\.to\b")
#: Fields that all share: what is wrong with them is wrong with the message, not with a person.
_SHARED = ("from", "reply_to", "reply_to_list", "template_id", "content", "subject", "asm", "ip_pool_name", "categories", "headers",
           "mail_settings", "tracking_settings", "custom_args", "send_at", "batch_id")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, response: Any) -> Answer:
        """From the SDK's Response."""
        return cls(response.status_code, {str(k).lower(): str(v) for k, v in response.headers.items()}, response.body or b"")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of an answer: what it says, and of which field (None: it does not say)."""

    message: str
    field: str | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def classify(answer: Answer, size: int, *, now: datetime, patience: timedelta = timedelta(seconds=1)) -> list[Outcome]:
    """An outcome for each of the `size` people of that request. `patience`: how long a 429 waits that does not say."""
    status, headers = answer.status, answer.headers
    if 400 <= status < 500 and status not in (401, 403, 408, 429):
        return _refused(status, complaints(answer.body), size)
    return [_alike(status, headers, answer, now, patience)] * size


def _alike(status: int, headers: Mapping[str, str], answer: Answer, now: datetime, patience: timedelta) -> Outcome:
    """Answers that mean the same for everybody."""
    said, code = _said(answer), str(status)
    if status == 200:
        return Outcome("not_sent", code="sandbox", halt=True, http_status=status, detail=t(
            "SendGrid took it in sandbox mode: nobody was sent anything", "SendGrid l'a pris en mode bac à sable : rien n'est parti"))  # fmt: skip
    if 200 < status < 300:
        ref = headers.get("x-message-id", "").strip()
        if status == 202 and ref:
            return Outcome("accepted", ref=ref[:200], http_status=status)
        return Outcome("unknown", code=code, http_status=status, detail=t("taken, without an id", "pris, sans identifiant"))
    if 300 <= status < 400:
        return Outcome("not_sent", code=code, halt=True, http_status=status, detail=t(
            "a redirect, which is not followed: the address of the provider is wrong",
            "une redirection, qui n'est pas suivie : l'adresse du prestataire est fausse"))  # fmt: skip
    if status in (401, 403):
        return Outcome("not_sent", code=code, detail=said, halt=True, http_status=status)
    if status == 429:
        return Outcome("not_sent", code=code, detail=said, retry_at=_again(headers, now, patience), http_status=status)
    return Outcome("unknown", code=code, detail=said, http_status=status)  # 408, 5xx, and what is no status at all


def _refused(status: int, errors: Sequence[Complaint], size: int) -> list[Outcome]:
    """400 and its kin are definite: nobody was sent. Who is named is refused, the others go again; a defect of the message stops
    the campaign; else the request is halved until the culprit stands alone (docs/delivery 5)."""
    code, said = str(status), "; ".join(map(str, errors))[:_KEPT] or str(status)
    if status in (404, 405, 415) and size > 1:  # not this message: the address, or what speaks there
        return [Outcome("not_sent", code=code, detail=said, halt=True, http_status=status)] * size
    named = _named(errors, size)
    if named:
        return [_person(code, named[n], status) if n in named else _free(code, status) for n in range(size)]
    if shared := next((e for e in errors if e.field and _root(e.field) in _SHARED), None):
        return [
            Outcome("not_sent", code=code, detail=str(shared)[:_KEPT], halt=True, halts="campaign", http_status=status)
        ] * size
    if size == 1:
        return [Outcome("rejected", code=code, detail=said, http_status=status, halt=status in (404, 405, 415))]
    return [Outcome("not_sent", code=code, detail=said, free=True, halve=True, http_status=status)] * size


def _named(errors: Sequence[Complaint], size: int) -> dict[int, Complaint]:
    """Place in the request → the first complaint about it."""
    named: dict[int, Complaint] = {}
    for error in errors:
        found = _PERSON.match(error.field or "")
        if found and int(found[1]) < size:
            named.setdefault(int(found[1]), error)
    return named


def _person(code: str, error: Complaint, status: int) -> Outcome:
    return Outcome(
        "rejected", code=code, detail=str(error)[:_KEPT], http_status=status, bad_address=bool(_ADDRESS.match(error.field or ""))
    )


def _free(code: str, status: int) -> Outcome:
    return Outcome("not_sent", code=code, free=True, http_status=status, detail=t(
        "another person of the same request was refused", "une autre personne de la même requête a été refusée"))  # fmt: skip


def _root(name: str) -> str:
    return re.split(r"[.\[]", name, maxsplit=1)[0]


def _again(headers: Mapping[str, str], now: datetime, patience: timedelta) -> datetime:
    """When it may go again: the instant in X-RateLimit-Reset (unix seconds) or what Retry-After says, else after `patience`."""
    if (told := retry_at(headers.get("retry-after"), now)) is not None:
        return min(told, now + LONGEST_WAIT)
    reset = headers.get("x-ratelimit-reset", "").strip()
    if reset.isdecimal() and len(reset) < 12:
        at = clock.from_ms(int(reset) * 1000)
        if at > now:
            return min(at, now + LONGEST_WAIT)
    return now + min(patience, LONGEST_WAIT)


def complaints(body: bytes) -> list[Complaint]:
    """The errors of `{"errors": [{message, field, help}]}`; anything else gives none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    listed = found.get("errors") if isinstance(found, dict) else None
    return [_complaint(one) for one in listed if isinstance(one, dict | str)] if isinstance(listed, list) else []


def _complaint(one: Any) -> Complaint:
    if isinstance(one, str):
        return Complaint(printable(one)[:_KEPT])
    name, message = one.get("field"), one.get("message")
    return Complaint(printable(str(message or ""))[:_KEPT], str(name)[:200] if isinstance(name, str) and name else None)


def _said(answer: Answer) -> str:
    return "; ".join(map(str, complaints(answer.body)))[:_KEPT] or str(answer.status)


def words_for(error: BaseException) -> str:
    """What a person is told of an error: the network's own words; of any other only its kind, for it may quote the key (S25)."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return t("timed out", "délai dépassé")
    if isinstance(reason, OSError | HTTPException):
        return f"{type(reason).__name__}: {reason}".partition("\n")[0][:120]
    return type(reason).__name__
