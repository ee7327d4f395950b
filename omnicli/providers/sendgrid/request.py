"""One request of mail/send: a skeleton that all share, and for each person what is theirs.

Filled in by SendGrid, every message equals, byte for byte, the one rendered whole: tags occur in no text and no value, are
never a prefix of one another, and stand apart for HTML and plain text, since the provider escapes nothing (docs/delivery 5).
People are written as JSON one by one: a dict each, and the client's own way of writing it, would take three times as long.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from omnicli.model.touch import Handed
from omnicli.providers.sendgrid.sift import SUBSTITUTIONS, Group
from omnicli.providers.sendgrid.wishes import Wishes

#: Parts in the order that the provider wants: plain text first.
TYPES = (("text", "text/plain"), ("html", "text/html"))
_NONCE = 10  # characters, of 32 kinds
_OFF = {"enable": False}


@dataclass(frozen=True, slots=True)
class Body:
    """The contents of a request with their tags; `tags[n]` stands, for each person, for that one's `values[n]`."""

    contents: Mapping[str, str] = field(repr=False)
    tags: tuple[str, ...] = ()
    values: Sequence[Sequence[str]] = field(default=(), repr=False)


class Overfull(Exception):
    """These people's values are beyond the limit: they must go alone. `places` count within the group."""

    def __init__(self, places: set[int]) -> None:
        super().__init__(len(places))
        self.places = places


def build(group: Group, wishes: Wishes) -> bytes:
    """The request as SendGrid wants it (JSON). Overfull when somebody's substitutions are more than it takes."""
    first, body = group.ones[0], _body(group)
    shared: dict[str, Any] = {
        "from": _mailbox(group.sender),
        "content": [{"type": kind, "value": body.contents[part]} for part, kind in TYPES if body.contents.get(part)],
        "categories": _categories(group.ones),
        "mail_settings": _mail_settings(first, wishes),
        "tracking_settings": _tracking(wishes),
    }
    one_subject = group.subjects.count(group.subjects[0]) == len(group.subjects)
    if one_subject:
        shared["subject"] = _sound(group.subjects[0])
    if group.reply_to is not None:
        shared["reply_to"] = _mailbox(group.reply_to)
    if first.purpose == "marketing" and (number := wishes.asm_groups.get(first.topic or "")):
        shared["asm"] = {"group_id": number}
    if wishes.ip_pool:
        shared["ip_pool_name"] = wishes.ip_pool
    people = _people(group, body, personal=not one_subject)
    return f'{{"personalizations":[{people}],{json.dumps(shared)[1:]}'.encode("ascii")


def mail_for_nobody(sender: tuple[str, str]) -> bytes:
    """A request in sandbox mode: SendGrid checks key, sender and form, and sends nothing (docs/providers 2.1)."""
    return json.dumps({
        "personalizations": [{"to": [{"email": sender[1]}]}], "from": _mailbox(sender), "subject": "omni doctor",
        "content": [{"type": "text/plain", "value": "omni doctor"}], "mail_settings": {"sandbox_mode": {"enable": True}},
    }).encode()  # fmt: skip


# --- who ----------------------------------------------------------------------------------------------------------------
def _people(group: Group, body: Body, *, personal: bool) -> str:
    """A personalization each, as JSON: one recipient, our id, and what is this person's alone."""
    columns = [[f'{{"to":[{{"email":{quoted(to)}}}],"custom_args":{{"omni":{quoted(mark)}}}'
                for to, mark in zip(group.addresses, group.marks, strict=True)]]  # fmt: skip
    if personal:
        columns.append([f',"subject":{quoted(subject)}' for subject in _sound_row(group.subjects)])
    if group.headers or any(group.unsubscribes):
        columns.append(_headers(group))
    if body.tags:
        columns.append(_substitutions(body))
    return ",".join([*map("".join, zip(*columns, repeat("}", len(group.ones)), strict=True))])


def _headers(group: Group) -> list[str]:
    """Header values of each: List-Unsubscribe is everybody's own; one-click (RFC 8058) wherever it names an https address."""
    rest = "".join(f",{quoted(name)}:{quoted(text)}" for name, text in group.headers.items())
    if not group.unsubscribes[0]:
        return [f',"headers":{{{rest[1:]}}}'] * len(group.ones)
    click = ',"List-Unsubscribe-Post":"List-Unsubscribe=One-Click"'
    return [
        f',"headers":{{"List-Unsubscribe":{quoted(text)}{click if text.startswith("<https://") else ""}{rest}}}'
        for text in group.unsubscribes
    ]  # fmt: skip


def _substitutions(body: Body) -> list[str]:
    tags = [f"{quoted(tag)}:" for tag in body.tags]
    if len(tags) == 1:
        only = tags[0]
        found = [f"{only}{quoted(values[0])}" for values in body.values]
    else:
        found = [",".join([tag + quoted(value) for tag, value in zip(tags, values, strict=True)]) for values in body.values]
    if max(map(len, found)) > SUBSTITUTIONS:  # what is quoted is never shorter than its bytes
        heavy = {n for n, text in enumerate(found) if len(text) > SUBSTITUTIONS and _bytes(body, n) > SUBSTITUTIONS}
        if heavy:
            raise Overfull(heavy)
    return [f',"substitutions":{{{text}}}' for text in found]


def _bytes(body: Body, n: int) -> int:
    return sum(len(tag) + len(value.encode("utf-8", "replace")) for tag, value in zip(body.tags, body.values[n], strict=True))


def _mailbox(sender: tuple[str, str]) -> dict[str, str]:
    name, address = sender
    return {"email": address, "name": name} if name else {"email": address}


# --- what -----------------------------------------------------------------------------------------------------------------
def _body(group: Group) -> Body:
    """Constants as they are; a value that is the same for everybody is a constant too; the others become tags."""
    first, many = group.ones[0], len(group.ones)
    if many == 1 or first.pieces is None:
        return Body({part: _whole(first, part) for part, _ in TYPES})
    pieces = first.pieces
    columns = list(zip(*[one.fills for one in group.ones], strict=True))
    used = sorted({piece for part, _ in TYPES for piece in pieces.get(part, ()) if isinstance(piece, int)})
    constant = {n: columns[n][0] for n in used if columns[n].count(columns[n][0]) == many}
    twins = _twins(columns, [n for n in used if n not in constant])
    nonce = _nonce(group.marks, pieces, constant.values(), chain.from_iterable(columns[n] for n in set(twins.values())))
    width = len(str(2 * len(used)))
    tags: dict[tuple[str, int], str] = {}

    def said(part: str, piece: str | int) -> str:
        if isinstance(piece, str):
            return piece
        if piece in constant:
            return str(constant[piece])
        return tags.setdefault((part, twins[piece]), f"-{nonce}.{part[0]}.{len(tags):0{width}d}-")

    contents = {part: _sound("".join([said(part, piece) for piece in pieces.get(part, ())])) for part, _ in TYPES}
    chosen = [_sound_row(columns[n]) for _, n in tags]
    return Body(contents, tuple(tags.values()), list(zip(*chosen, strict=True)))


def _twins(columns: Sequence[tuple[str, ...]], differing: Sequence[int]) -> dict[int, int]:
    """Value → the first one that everybody has the same there, so that both need one tag."""
    first: dict[tuple[str, ...], int] = {}
    return {n: first.setdefault(columns[n], n) for n in differing}


def _whole(one: Handed, part: str) -> str:
    if one.pieces is None:
        return _sound(one.rendered.parts.get(part, "") if one.rendered else "")
    return _sound("".join([one.fills[piece] if isinstance(piece, int) else piece for piece in one.pieces.get(part, ())]))


def _nonce(marks: Sequence[str], pieces: Mapping[str, Sequence[str | int]], *values: Iterable[str]) -> str:
    """Characters that stand in no constant and no value, derived from the request and derived anew until they do not. Neither half
    of them does, so they cannot arise where a value meets its neighbour."""
    constants = (piece for part in pieces.values() for piece in part if isinstance(piece, str))
    text = "\x1f".join(chain(constants, *values))
    seed = hashlib.sha256("\x1f".join(marks).encode("utf-8", "replace")).digest()
    for n in range(10_000):
        digest = hashlib.sha256(seed + n.to_bytes(4, "big")).digest()
        nonce = base64.b32encode(digest)[:_NONCE].decode("ascii").lower()
        if nonce[: _NONCE // 2] not in text and nonce[_NONCE // 2 :] not in text:
            return nonce
    raise AssertionError("no nonce")


def _sound(text: str) -> str:
    """The text without halves of surrogate pairs, which no bytes can say."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def _sound_row(texts: Sequence[str]) -> Sequence[str]:
    try:
        "".join(texts).encode("utf-8")
        return texts
    except UnicodeEncodeError:
        return [_sound(text) for text in texts]


# --- how ------------------------------------------------------------------------------------------------------------------
def _categories(ones: Sequence[Handed]) -> list[str]:
    """Campaign, and message where all have the same: names of files, at most 255 characters, never the same twice."""
    first = ones[0]
    found = [first.campaign[:255]]
    if first.message and all(one.message == first.message for one in ones):
        found.append(f"{first.campaign}/{first.message}"[:255])
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
