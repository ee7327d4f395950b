"""One request of mail/send: a skeleton that all share, and for each person what is theirs.

Filled in by SendGrid, every message equals, byte for byte, the one rendered whole: tags occur in no text and no value, are
never a prefix of one another, and stand apart for HTML and plain text, since the provider escapes nothing (docs/delivery 5).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

from omnicli.model.touch import Handed
from omnicli.providers.sendgrid.sift import Fit
from omnicli.providers.sendgrid.wishes import Wishes

#: Parts in the order that the provider wants: plain text first.
TYPES = (("text", "text/plain"), ("html", "text/html"))
_NONCE = 10  # characters, of 32 kinds
_OFF = {"enable": False}


@dataclass(frozen=True, slots=True)
class Body:
    """The contents of a request with their tags. `tags[n]` stands for value `picks[n]` of each person."""

    contents: Mapping[str, str] = field(repr=False)
    tags: tuple[str, ...] = ()
    picks: tuple[int, ...] = ()


def build(fits: Sequence[Fit], wishes: Wishes) -> dict[str, Any]:
    """The request as SendGrid wants it, for people who share skeleton, sender, purpose and topic. At least one."""
    first = fits[0].one
    fills = _clean([fit.one.fills for fit in fits])
    body = _body(fits, fills)
    request: dict[str, Any] = {
        "personalizations": _people(fits, fills, body),
        "from": _mailbox(fits[0].sender),
        "content": [{"type": kind, "value": body.contents[part]} for part, kind in TYPES if body.contents.get(part)],
        "categories": _categories(fits),
        "mail_settings": _mail_settings(first, wishes),
        "tracking_settings": _tracking(wishes),
    }
    if _one_subject(fits):
        request["subject"] = fits[0].subject
    if fits[0].reply_to is not None:
        request["reply_to"] = _mailbox(fits[0].reply_to)
    if first.purpose == "marketing" and (group := wishes.asm_groups.get(first.topic or "")):
        request["asm"] = {"group_id": group}
    if wishes.ip_pool:
        request["ip_pool_name"] = wishes.ip_pool
    return request


def mail_for_nobody(sender: tuple[str, str]) -> dict[str, Any]:
    """A request in sandbox mode: SendGrid checks key, sender and form, and sends nothing (docs/providers 2.1)."""
    return {
        "personalizations": [{"to": [{"email": sender[1]}]}], "from": _mailbox(sender), "subject": "omni doctor",
        "content": [{"type": "text/plain", "value": "omni doctor"}], "mail_settings": {"sandbox_mode": {"enable": True}},
    }  # fmt: skip


# --- who ----------------------------------------------------------------------------------------------------------------
def _people(fits: Sequence[Fit], fills: Sequence[Sequence[str]], body: Body) -> list[dict[str, Any]]:
    shared, pick = _one_subject(fits), _picker(body.picks)
    people: list[dict[str, Any]] = []
    for fit, values in zip(fits, fills, strict=True):
        person: dict[str, Any] = {"to": [{"email": fit.address}], "custom_args": {"omni": fit.mark}}
        if not shared:
            person["subject"] = fit.subject
        if fit.headers:
            person["headers"] = fit.headers
        if body.tags:
            person["substitutions"] = dict(zip(body.tags, pick(values), strict=True))
        people.append(person)
    return people


def _picker(picks: tuple[int, ...]) -> Any:
    if len(picks) == 1:
        only = picks[0]
        return lambda values: (values[only],)
    return itemgetter(*picks) if picks else lambda _values: ()


def _one_subject(fits: Sequence[Fit]) -> bool:
    first = fits[0].subject
    return all(fit.subject == first for fit in fits)


def _mailbox(sender: tuple[str, str]) -> dict[str, str]:
    name, address = sender
    return {"email": address, "name": name} if name else {"email": address}


# --- what -----------------------------------------------------------------------------------------------------------------
def _body(fits: Sequence[Fit], fills: Sequence[Sequence[str]]) -> Body:
    """Constants as they are; a value that is the same for everybody is a constant too; the others become tags."""
    first = fits[0].one
    if len(fits) == 1 or first.pieces is None:
        assert len(fits) == 1
        return Body({part: _whole(first, part, fills[0]) for part, _ in TYPES})
    columns = list(zip(*fills, strict=True))
    constant = [all(map(column[0].__eq__, column)) for column in columns]
    nonce = _nonce(fits, fills)
    contents: dict[str, str] = {}
    tags: list[str] = []
    picks: list[int] = []
    width = len(str(2 * len(columns)))
    for part, _ in TYPES:
        seen: dict[tuple[str, ...], str] = {}
        text: list[str] = []
        for piece in first.pieces.get(part, ()):
            if isinstance(piece, str):
                text.append(piece)
            elif constant[piece]:
                text.append(columns[piece][0])
            else:
                tag = seen.get(columns[piece])
                if tag is None:
                    tag = seen[columns[piece]] = f"-{nonce}.{part[0]}.{len(tags):0{width}d}-"
                    tags.append(tag)
                    picks.append(piece)
                text.append(tag)
        contents[part] = "".join(text)
    return Body(contents, tuple(tags), tuple(picks))


def _whole(one: Handed, part: str, fills: Sequence[str]) -> str:
    if one.pieces is None:
        assert one.rendered is not None
        return _sound(one.rendered.parts.get(part, ""))
    return "".join(fills[piece] if isinstance(piece, int) else piece for piece in one.pieces.get(part, ()))


def _nonce(fits: Sequence[Fit], fills: Sequence[Sequence[str]]) -> str:
    """Characters that stand in no constant and no value, derived from the request and derived anew until they do not. Neither half
    of them does, so they cannot arise where a value meets its neighbour."""
    pieces = fits[0].one.pieces or {}
    text = "\x1f".join(chain(chain.from_iterable(fills), (p for part in pieces.values() for p in part if isinstance(p, str))))
    seed = hashlib.sha256("\x1f".join(fit.mark for fit in fits).encode("utf-8", "replace")).digest()
    for n in range(10_000):
        digest = hashlib.sha256(seed + n.to_bytes(4, "big")).digest()
        nonce = base64.b32encode(digest)[:_NONCE].decode("ascii").lower()
        if nonce[: _NONCE // 2] not in text and nonce[_NONCE // 2 :] not in text:
            return nonce
    raise AssertionError("no nonce")


def _sound(text: str) -> str:
    """The text without halves of surrogate pairs, which no bytes can say."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _clean(fills: list[Sequence[str]]) -> list[Sequence[str]]:
    try:
        "".join(chain.from_iterable(fills)).encode("utf-8")
        return fills
    except UnicodeEncodeError:
        return [[_sound(value) for value in values] for values in fills]


# --- how ------------------------------------------------------------------------------------------------------------------
def _categories(fits: Sequence[Fit]) -> list[str]:
    """Campaign, and message where all have the same: names of files, so at most 255 characters and never the same."""
    first = fits[0].one
    found = [first.campaign[:255]]
    message = f"{first.campaign}/{first.message}"[:255]
    if first.message and all(fit.one.message == first.message for fit in fits):
        found.append(message)
    return [name for name in dict.fromkeys(found) if name]


def _mail_settings(first: Handed, wishes: Wishes) -> dict[str, Any]:
    found: dict[str, Any] = {"sandbox_mode": {"enable": wishes.sandbox}, "footer": _OFF}
    if wishes.bypass_unsubscribe and first.purpose == "transactional":
        found["bypass_unsubscribe_management"] = {"enable": True}
    return found


def _tracking(wishes: Wishes) -> dict[str, Any]:
    """All of them, whatever the account's own settings say; SendGrid's subscription footer and Analytics never."""
    theirs = wishes.tracking == "provider"
    return {
        "click_tracking": {"enable": theirs, "enable_text": theirs}, "open_tracking": {"enable": theirs},
        "subscription_tracking": _OFF, "ganalytics": _OFF,
    }  # fmt: skip
