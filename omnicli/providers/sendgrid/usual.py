"""The commonest events by the short way: what goes into the inbox straight from the parsed element.

Everything that is unusual in any way (a field that is missing, long or of another type, an id that omni did not sign, anything
that may bar somebody) gives None and goes the long way of `events.receipt`; both give the same bytes (tests compare them).
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from omnicli import clock
from omnicli.model.kept import Kept, quoted
from omnicli.model.response import RECEIPT
from omnicli.model.signed import Reader
from omnicli.providers.sendgrid.events import ARGUMENT, NAME, hashed

_NAMES = {"delivered": "delivered", "processed": RECEIPT, "open": "opened", "click": "clicked"}


def usual(element: Any, raw: bytes, *, marks: Reader, before: int) -> Kept | None:
    """The element as it is kept, or None: it is not that simple. `before`: the present, in seconds since 1970."""
    get = element.get
    kind, seconds, id_, message, address = get("event"), get("timestamp"), get("sg_event_id"), get("sg_message_id"), get("email")
    url, reason, agent = get("url", ""), get("reason", ""), get("useragent", "")
    if not (type(kind) is type(id_) is type(message) is type(address) is type(url) is type(reason) is type(agent) is str):
        return None
    name = _NAMES.get(kind)
    if name is None or type(seconds) is not int or not 0 < seconds <= before:
        return None
    if not (
        0 < len(id_) <= 200
        and 0 < len(message) <= 200
        and 0 < len(address) <= 300
        and len(url) + len(reason) + len(agent) <= 2000
    ):
        return None
    marked = marks(get(ARGUMENT))
    if marked is None or not (id_.isprintable() and message.isprintable() and address.isprintable() and url.isprintable()):
        return None
    touch, attempt = marked
    at, written = _instant(seconds)
    ref = message.partition(".")[0]
    inside = f'"ref":{quoted(ref)}' if ref else ""
    if kind == "processed":
        inside = f'"state":"processed",{inside}'.rstrip(",")
    elif kind == "click" and url:
        inside = f'"link":{quoted(url)},{inside}'.rstrip(",")
    machine = ',"machine":true' if get("sg_machine_open") is True else ""
    payload = f',"payload":{{{inside}}}' if inside else ""
    text = (
        f'{{"id":{quoted(id_)},"contact":"","name":"{name}","at":"{written}","source":"sendgrid","channel":"email","touch":"{touch}",'
        f'"attempt":{attempt},"address":{quoted(address)}{machine}{payload}}}'
    )
    said = f"{touch}.{attempt}\x1f{kind}\x1f{seconds}\x1f{url}\x1f{reason}\x1f{agent}"
    return Kept(NAME, hashed(seconds, said), raw, id_, at, text.encode())


@lru_cache(maxsize=1024)
def _instant(seconds: int) -> tuple[datetime, str]:
    at = clock.from_ms(seconds * 1000)
    return at, clock.iso(at)
