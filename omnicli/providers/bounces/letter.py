"""A mail that came back, taken apart without trust: whatever is in it, nothing here raises and nothing grows.

Headers and parts as text, bounded; and whom the mail names: the signed mark in one of our own addresses, in `X-Omni-Id` of the
returned headers, or in the envelope's id (docs/providers 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message

from omnicli import guards
from omnicli.model.signed import Marked, read_mark
from omnicli.providers.strangers import MOST as MOST
from omnicli.providers.strangers import open_headers, open_mail

#: Parts, and fields of one report, that are looked at.
PARTS, FIELDS = 50, 200
#: Headers in which a delivery agent keeps the envelope's recipient.
ENVELOPE = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to", "cc")

_OURS = re.compile(r"(bounce|unsubscribe)\+([0-9a-f.]{40,52})@", re.I)
_MARK = re.compile(r"([0-9a-f]{32})\.([1-9]\d?)\.")
_MESSAGE_ID = re.compile(r"<([0-9a-f]{32})\.([1-9]\d?)@[^<>\s]+>", re.I)
_ADDRESS = re.compile(r"[^\s<>;,\"()\[\]]{1,64}@[^\s<>;,\"()\[\]]{1,255}")


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: its headers (lower case → values, in order), its parts, and whether the whole of it was read."""

    headers: Mapping[str, Sequence[str]] = field(repr=False)
    parts: Sequence[Message] = field(default=(), repr=False)
    report: str = ""

    def said(self, name: str) -> str:
        """The first value of a header, or nothing."""
        found = self.headers.get(name)
        return found[0] if found else ""

    def written_to(self, box: str) -> Iterator[str]:
        """The mark of each of our own addresses (`bounce`, `unsubscribe`) that the mail was sent to."""
        for name in ENVELOPE:
            for value in self.headers.get(name, ()):
                for found in _OURS.finditer(value):
                    if found[1].lower() == box:
                        yield found[2]


def open_letter(raw: bytes) -> Letter:
    """The mail in its parts. What is no mail at all has no headers and no parts."""
    message = open_mail(raw)
    return Letter(headers_of(message), _parts(message), str(message.get_param("report-type") or "").lower())


def _parts(message: Message) -> list[Message]:
    """The parts of the mail itself, in order; what is inside a returned message is not of this mail."""
    found: list[Message] = []
    waiting = [message]
    while waiting and len(found) < PARTS:
        part = waiting.pop()
        found.append(part)
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            waiting.extend(one for one in reversed(inner[:PARTS]) if isinstance(one, Message))
    return found


def headers_of(message: Message) -> dict[str, list[str]]:
    """Header names in lower case → values without line ends."""
    found: dict[str, list[str]] = {}
    for name, value in message.items()[:FIELDS]:
        found.setdefault(name.lower(), []).append(" ".join(str(value).split())[:2000])
    return found


def text_of(part: Message) -> str:
    """The text of a part, decoded as well as it goes."""
    inner = part.get_payload()
    if isinstance(inner, list):
        return "\n".join(str(one) for one in inner[:PARTS])
    data = part.get_payload(decode=True)
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else str(inner)


def returned(letter: Letter) -> dict[str, list[str]]:
    """The headers of our mail as the notice gives them back: a message, or headers alone; nothing when there is neither."""
    for part in letter.parts:
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload()
            if isinstance(inner, list) and inner and isinstance(inner[0], Message):
                return headers_of(inner[0])
        elif part.get_content_type() in ("text/rfc822-headers", "message/rfc822-headers"):
            return headers_of(open_headers(text_of(part).lstrip()))
    return {}


def marked(letter: Letter, keys: Mapping[int, bytes], *more: str) -> Marked | None:
    """The touch and attempt that a genuine mark names: of the address it came to, of the returned headers, of `more` texts."""
    back = returned(letter)
    sender = [found[2] for value in (*back.get("return-path", ()), *more) for found in _OURS.finditer(value)]
    for text in (*letter.written_to("bounce"), *back.get("x-omni-id", ()), *sender, *more):
        if (found := _genuine(keys, text)) is not None:
            return found
    return None


def _genuine(keys: Mapping[int, bytes], text: str) -> Marked | None:
    """What a mark says when we signed it."""
    if not guards.on("bounce_mark") and (said := _MARK.match(text.strip().lower())):
        return Marked(said[1], int(said[2]))
    return read_mark(keys, text.strip())


def leaving(letter: Letter, keys: Mapping[int, bytes]) -> Marked | None:
    """The touch and attempt of the unsubscribe address that the mail was sent to."""
    return next((found for text in letter.written_to("unsubscribe") if (found := _genuine(keys, text)) is not None), None)


def quoted(letter: Letter) -> Marked | None:
    """The touch and attempt that the returned Message-ID says: unsigned, so only a store can say whether it is true."""
    for value in returned(letter).get("message-id", ()):
        if found := _MESSAGE_ID.search(value):
            return Marked(found[1].lower(), int(found[2]))
    return None


def address_in(text: str) -> str | None:
    """The first address in a text such as `rfc822; lea@example.org`."""
    found = _ADDRESS.search(text.partition(";")[2] if ";" in text else text)
    return found[0] if found else None
