"""SendGrid's way back: what it posts is verified over the raw bytes, read element by element, and never trusted to be well-formed.

No key: 503. A signature that does not fit: 403. What was honestly signed is answered 200 and kept, readable or not, since posting it
again cannot mend it; only bytes that are not UTF-8 are refused (docs/delivery 15).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from omnicli import clock, guards
from omnicli.model.response import Heard, Incoming, Receipt
from omnicli.model.signed import Reader
from omnicli.providers.sendgrid import events, inbound
from omnicli.providers.sendgrid.signature import TIMESTAMP, signed
from omnicli.providers.sendgrid.usual import usual
from omnicli.providers.sendgrid.wishes import Wishes

EVENTS, INBOUND = "/webhooks/sendgrid", "/webhooks/sendgrid/inbound"
#: Repeats are known for so long (docs/delivery 15); an older post is dropped.
REMEMBERED = timedelta(days=400)
#: Elements of one post that are read by themselves: 1 MB of real events has fewer by far. The rest is kept as one.
MOST = 10_000
_SPACE = re.compile(r"[ \t\r\n]*")


class SendGridHearing:
    """The hearing of one account. Holds nothing but keys; safe to call from several threads."""

    name = events.NAME
    paths = (EVENTS, INBOUND)

    def __init__(self, wishes: Wishes, keys: Mapping[int, bytes]) -> None:
        self._wishes, self._keys, self._marks = wishes, keys, Reader(keys)
        self._topics = {number: topic for topic, number in wishes.asm_groups.items()}

    def hear(self, path: str, incoming: Incoming, *, now: datetime) -> Heard:
        """What a request means; see `model.response.Heard`."""
        mail = path == INBOUND
        keys = self._wishes.inbound_keys if mail else self._wishes.event_keys
        if incoming.method.upper() != "POST":
            return Heard(400, why="not a POST")
        if not keys:
            return Heard(503, why="no key configured (providers.sendgrid.event_webhook_keys)")
        as_it_came = incoming.body if guards.on("raw_bytes") else incoming.body.strip()
        if guards.on("sendgrid_signature") and not signed(keys, incoming.headers, as_it_came):
            return Heard(403, why="the signature does not fit")
        if _too_old(incoming.headers.get(TIMESTAMP, ""), now):
            return Heard(200, why="signed longer ago than repeats are known")
        return inbound.read(incoming, keys=self._keys, now=now) if mail else self._events(incoming.body, now)

    def _events(self, body: bytes, now: datetime) -> Heard:
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return Heard(400, why="not UTF-8")
        listed = objects(text, body)
        if listed is None:
            found = [self._receipt(element, raw.encode("utf-8"), now) for element, raw in elements(text)]
        else:
            before, marks = clock.to_ms(now) // 1000, self._marks
            found = [usual(e, raw, marks=marks, before=before) or self._receipt(e, raw, now) for e, raw in listed]
        unread = sum(1 for one in found if one.at is None)
        return Heard(200, found, why=f"{unread} of {len(found)} could not be used" if unread else "")

    def _receipt(self, element: Any, raw: bytes, now: datetime) -> Receipt:
        if element is _BROKEN:
            return events.unreadable(raw, "not JSON, or not a list of events")
        return events.receipt(element, raw, keys=self._keys, topics=self._topics, now=now)


#: What stands between two objects of an array; inside of strings and objects it may stand too.
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")


def objects(text: str, body: bytes) -> list[tuple[dict[str, Any], bytes]] | None:
    """The elements of an array of objects with their own bytes, parsed at one go; None when it is anything else. The places between
    the objects are known for sure when there are exactly as many that look so as there must be."""
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    if type(found) is not list or not 0 < len(found) <= MOST or any(type(element) is not dict for element in found):
        return None
    between = [place.span() for place in _BETWEEN.finditer(body)]
    if len(between) != len(found) - 1:
        return None
    begins = [body.index(b"{"), *(end - 1 for _, end in between)]
    ends = [*(start + 1 for start, _ in between), body.rindex(b"}") + 1]
    return [(element, body[begin:end]) for element, begin, end in zip(found, begins, ends, strict=True)]


_BROKEN = object()


def elements(text: str) -> Iterator[tuple[Any, str]]:
    """The elements of a JSON array with their own text. From the first place on that is not JSON, or that is one
    element too far, the rest is one broken element."""
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        if text.strip():
            yield _BROKEN, text
        return
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]" and not text[at + 1 :].strip():
        return
    for n in itertools.count():
        if n == MOST:
            yield _BROKEN, text[at:]
            return
        try:
            element, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield _BROKEN, text[at:]
            return
        yield element, text[at:end]
        at = _skip(text, end)
        if text[at : at + 1] != ",":
            break
        at = _skip(text, at + 1)
    if text[at : at + 1] != "]" or text[at + 1 :].strip():
        yield _BROKEN, text[at:]


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _too_old(stamp: str, now: datetime) -> bool:
    return stamp.isascii() and stamp.isdecimal() and len(stamp) < 12 and clock.from_ms(int(stamp) * 1000) < now - REMEMBERED
