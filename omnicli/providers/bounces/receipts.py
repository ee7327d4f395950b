"""What a mail tells as a receipt that can be stored: once for one fact, however often the same notice is sent or read."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from omnicli.model.response import RECEIPT, Receipt, Response
from omnicli.model.signed import Marked
from omnicli.providers.bounces.read import Told
from omnicli.texts import t

PROVIDER = "smtp"
#: Bytes of a mail that are kept beside its meaning.
KEPT = 64 * 1024

_NAMES = {"bounced": "bounced", "delivered": "delivered", "complained": "complained", "unsubscribed": "unsubscribed",
          "delayed": RECEIPT, "relayed": RECEIPT}  # fmt: skip
_STATES = {"delayed": "deferred", "relayed": "sent"}


def receipt(told: Told, raw: bytes, *, now: datetime) -> Receipt | None:
    """The receipt of one mail, or None for a mail that is nothing. A fact that no signed mark ties to a touch is kept unread:
    anybody can write to a bounce address."""
    if told.what == "nothing":
        return None
    if told.what == "unclear" or told.marked is None:
        nobody = t("nothing of ours in it says which touch", "rien de nous n'y dit quel envoi")
        why = told.reason or "" if told.what == "unclear" else nobody
        return Receipt(PROVIDER, _hash(b"raw", raw[:KEPT]), raw[:KEPT], note=t("unclear: {why}", "peu clair : {why}", why=why))
    key = _key(told, told.marked)
    return Receipt(PROVIDER, key, raw[:KEPT], _response(told, told.marked, key, now))


def believed(told: Told, who: Marked) -> Told:
    """The same, about the touch that a store vouches for."""
    return replace(told, marked=who)


def _response(told: Told, who: Marked, key: bytes, now: datetime) -> Response:
    """About the touch, and not about the address that the notice names: whoever has a mail of ours could name another's."""
    return Response(
        key.hex(),
        "",
        _NAMES[told.what],
        now,
        source=PROVIDER,
        channel="email",
        touch=who.touch,
        attempt=who.attempt,
        payload=_payload(told),
    )


def _payload(told: Told) -> dict[str, str]:
    found: dict[str, str | None] = {"reason": told.reason} if told.what in ("bounced", "complained") else {}
    if told.what == "bounced":
        found.update(kind=told.kind, code=told.code)
    if told.what in _STATES:
        found.update(state=_STATES[told.what], code=told.code)
    return {name: value for name, value in found.items() if value}


def _key(told: Told, who: Marked) -> bytes:
    """One fact has one key: what, of which attempt, by which code."""
    return _hash(told.what.encode(), f"{who.touch}.{who.attempt}.{told.code or ''}".encode())


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"\x1f".join(parts), digest_size=16, person=b"omni mail").digest()
