"""What one element of SendGrid's event webhook says, as a Receipt. Any field may be missing, odd or false: nothing is indexed blindly.

An element with our signed id is about that touch; one without is heard only where it bars an address (a bounce, a complaint, a
refusal), for others may send with the same account. A forged id makes the element unreadable (docs/delivery 15, providers 2.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from omnicli import clock, guards
from omnicli.model.response import RECEIPT, Receipt, Response
from omnicli.model.signed import Marked, read_mark
from omnicli.text import printable

NAME, CHANNEL, ARGUMENT = "sendgrid", "email", "omni"
_KEPT = 300
#: Why SendGrid dropped a message → the bar that it holds and we may not (rules.md SU-11).
HELD = {
    "bounced address": "hard",
    "invalid": "hard",
    "unsubscribed address": "unsubscribed",
    "spam reporting address": "complained",
}
#: Words that bar an address even when nobody says which message it was about.
_BARRING = frozenset({"bounced", "complained", "unsubscribed"})
SEPARATOR = "\x1f"


def receipt(element: Any, raw: bytes, *, keys: Mapping[int, bytes], topics: Mapping[int, str], now: datetime) -> Receipt:
    """The element as a Receipt; `raw` are its bytes as they came. `topics`: unsubscribe group → topic."""
    if not isinstance(element, dict):
        return unreadable(raw, "not an object")
    written = element.get(ARGUMENT)
    marked = read_mark(keys, written) if isinstance(written, str) else None
    key = _key(element, marked)
    event_id = _text(element, "sg_event_id")[:200] or None
    if written is not None and marked is None and guards.on("sendgrid_mark"):
        return Receipt(NAME, unreadable(raw, "").key, raw, note="an id that omni did not sign")
    said = _said(element, topics)
    if isinstance(said, str):
        return Receipt(NAME, key, raw, event_id=event_id, note=said)
    name, payload = said
    bars = name in _BARRING or bool(payload.get("suppress"))
    if name == "unsubscribed" and not payload:
        bars = False  # a group that is none of ours
    address = _text(element, "email")
    if marked is None and not (address and bars):
        return Receipt(NAME, key, raw, event_id=event_id, note="foreign: not about a message of omni's")
    if ref := _ref(element):
        payload["ref"] = ref
    response = Response(
        event_id or key.hex(), "", name, _at(element, now), NAME, CHANNEL, touch=marked.touch if marked else None,
        attempt=marked.attempt if marked else None, address=address or None, machine=element.get("sg_machine_open") is True,
        payload={k: v for k, v in payload.items() if v},
    )  # fmt: skip
    return Receipt(NAME, key, raw, response, event_id)


def unreadable(raw: bytes, note: str) -> Receipt:
    """Kept as it came: its key is the hash of its bytes."""
    return Receipt(NAME, hashlib.blake2b(raw, digest_size=16, person=b"sendgrid raw").digest(), raw, note=note)


def _said(element: Mapping[str, Any], topics: Mapping[int, str]) -> tuple[str, dict[str, Any]] | str:
    """(name, payload) of the Response, or why there is none."""
    kind = _text(element, "event")
    match kind:
        case "processed":
            return RECEIPT, {"state": kind}
        case "deferred":
            return RECEIPT, {"state": kind, "code": _status(element), "reason": _text(element, "response")}
        case "delivered":
            return "delivered", {}
        case "bounce":
            return "bounced", {"kind": _bounce(element), "code": _status(element), "reason": _text(element, "reason")}
        case "dropped":
            reason = _text(element, "reason")
            return RECEIPT, {"state": kind, "code": kind, "reason": reason, "suppress": HELD.get(reason.strip().lower())}
        case "open":
            return "opened", {}
        case "click":
            return "clicked", {"link": _text(element, "url", 2000)}
        case "spamreport":
            return "complained", {}
        case "unsubscribe":
            return "unsubscribed", {"scope": "everything"}
        case "group_unsubscribe":
            topic = topics.get(_number(element.get("asm_group_id")) or 0)
            return "unsubscribed", {"topic": topic} if topic else {}  # else the topic of its touch
        case "group_resubscribe":
            return "resubscribed at the provider: kept, it lifts nothing"
        case "account_status_change":
            return f"the account's status changed: {_text(element, 'type') or '?'}"
    return f"an event that omni does not know: {kind[:40] or '?'}"


def _bounce(element: Mapping[str, Any]) -> str:
    """`blocked` is the sender's matter (SU-04); a full mailbox and 4.x.x are soft (SU-03); the rest is hard."""
    kind, status = _text(element, "type").lower(), _status(element)
    if kind == "blocked" or status.startswith("5.7."):
        return "block"
    if status.startswith("4.") or status.endswith(".2.2"):
        return "soft"
    return "hard" if kind == "bounce" or status.startswith("5.") else "soft"


def _status(element: Mapping[str, Any]) -> str:
    """The enhanced code: of its own field, else of the words that quote the other server (`550 5.1.1 …`)."""
    for word in (_text(element, "status"), *(_text(element, "reason") or _text(element, "response")).split()[:3]):
        if word.count(".") == 2 and word.replace(".", "").isdecimal() and word.isascii() and len(word) < 12:
            return word
    return ""


def _key(element: Mapping[str, Any], marked: Marked | None) -> bytes:
    """A hash over what it says, for ids change when an event is posted again (docs/delivery 15)."""
    whose = (
        f"{marked.touch}.{marked.attempt}"
        if marked
        else f"{_text(element, 'sg_message_id', 400)}{SEPARATOR}{_text(element, 'email', 400)}"
    )
    rest = (_flat(element.get(name, "")) for name in ("event", "timestamp", "url", "reason", "useragent"))
    seconds = _number(element.get("timestamp")) or 0
    return hashed(seconds if 0 < seconds < 1 << 32 else 0, SEPARATOR.join((whose, *rest)))


_EVENT = hashlib.blake2b(digest_size=16, person=b"sendgrid event")


def hashed(seconds: int, said: str) -> bytes:
    """16 bytes of a hash behind 4 of the instant, which is among what is hashed: new keys then lie side by side in the index, and a
    commit writes the few pages at its end instead of one for each event."""
    state = _EVENT.copy()
    state.update(said.encode("utf-8", "surrogatepass"))
    return seconds.to_bytes(4, "big") + state.digest()


def _flat(value: Any) -> str:
    """A field as it enters the key; lists and objects, which no event has there, as nothing (their text may be endless)."""
    return str(value)[:2000] if isinstance(value, str | int | float) else ""


def _ref(element: Mapping[str, Any]) -> str:
    """The X-Message-Id that `sg_message_id` begins with."""
    return _text(element, "sg_message_id", 200).partition(".")[0]


def _at(element: Mapping[str, Any], now: datetime) -> datetime:
    """When it happened; now, where that is missing, absurd, to come, or so long ago that it would pass for a replay: the post itself
    is signed with its instant, and a bounce must not be lost for a broken clock."""
    seconds = _number(element.get("timestamp"))
    if seconds is None or not 0 < seconds < 10**11:
        return now
    at = clock.from_ms(seconds * 1000)
    return min(at, now) if now - timedelta(days=365) < at <= now + timedelta(days=1) else now


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if abs(value) < 1e15 else None
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _text(element: Mapping[str, Any], name: str, most: int = _KEPT) -> str:
    """A field as one line of text; what is no text (numbers are) counts as missing."""
    value = element.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value) if not isinstance(value, int) or abs(value) < 10**18 else ""
    return printable(value[: most * 2])[:most] if isinstance(value, str) else ""
