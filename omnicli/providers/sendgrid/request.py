"""One request of mail/send: a skeleton that all share, and for each person what is theirs.

Filled in by SendGrid, every message equals, byte for byte, the one rendered whole: tags occur in no text and no value, are
never a prefix of one another, and stand apart for HTML and plain text, since the provider escapes nothing (docs/delivery 5).
People are written as JSON column by column: a dict each, and the client's own way of writing it, would take four times as long.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from json.encoder import encode_basestring_ascii
from typing import Any

from omnicli import guards
from omnicli.model.touch import Handed
from omnicli.providers.sendgrid.sift import SUBSTITUTIONS, Group
from omnicli.providers.sendgrid.wishes import Wishes

#: Parts in the order that the provider wants: plain text first.
TYPES = (("text", "text/plain"), ("html", "text/html"))
_NONCE = 10  # characters, of 32 kinds
_OFF = {"enable": False}
#: What stands at one place of every person's text: theirs, or one for all.
Column = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Body:
    """The contents of a request with their tags; `values[n]` are what `tags[n]` stands for, person by person."""

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
    people[0] = '{"personalizations":[' + people[0]
    people[-1] += f"],{json.dumps(shared)[1:]}"
    return ",".join(people).encode("ascii")


def mail_for_nobody(sender: tuple[str, str]) -> bytes:
    """A request in sandbox mode: SendGrid checks key, sender and form, and sends nothing (docs/providers 2.1)."""
    return json.dumps({
        "personalizations": [{"to": [{"email": sender[1]}]}], "from": _mailbox(sender), "subject": "omni doctor",
        "content": [{"type": "text/plain", "value": "omni doctor"}], "mail_settings": {"sandbox_mode": {"enable": True}},
    }).encode()  # fmt: skip


# --- who ----------------------------------------------------------------------------------------------------------------
def _people(group: Group, body: Body, *, personal: bool) -> list[str]:
    """A personalization each, as JSON: one recipient, our id, and what is this person's alone."""
    columns: list[Column] = ['{"to":[{"email":', _quoted(group.addresses), '}],"custom_args":{"omni":', _quoted(group.marks), "}"]
    if personal:
        columns += [',"subject":', _quoted(_sound_row(group.subjects))]
    if group.headers or any(group.unsubscribes):
        columns += [',"headers":{', *_headers(group), "}"]
    if body.tags:
        columns += [',"substitutions":{', _substitutions(body), "}"]
    return _rows([*columns, "}"], len(group.ones))


def _rows(columns: Sequence[Column], size: int) -> list[str]:
    """Columns side by side as one text a person; a text alone is everybody's."""
    return list(map("".join, zip(*[repeat(c, size) if isinstance(c, str) else c for c in columns], strict=True)))


def _quoted(texts: Sequence[str]) -> list[str]:
    """Each text as JSON, ASCII only. A column in which nothing needs an escape, as most are, is seen to at once."""
    column = "\n".join(texts)
    plain = column.isascii() and '"' not in column and "\\" not in column and column.count("\n") == len(texts) - 1
    if plain and column.replace("\n", " ").isprintable():
        return f'"{column}"'.replace("\n", '"\n"').split("\n")
    return list(map(encode_basestring_ascii, texts))


def _headers(group: Group) -> list[Column]:
    """List-Unsubscribe is everybody's own; one-click (RFC 8058) wherever it names an https address; the rest is shared."""
    rest = "".join(f",{json.dumps(name)}:{json.dumps(text)}" for name, text in group.headers.items())
    if not group.unsubscribes[0]:
        return [rest[1:]]
    click = ',"List-Unsubscribe-Post":"List-Unsubscribe=One-Click"'
    clicks = [click if text.startswith("<https://") else "" for text in group.unsubscribes]
    return ['"List-Unsubscribe":', _quoted(group.unsubscribes), clicks, rest]


def _substitutions(body: Body) -> list[str]:
    """Tags with their values; Overfull when somebody's are more than the provider takes."""
    columns: list[Column] = []
    for tag, values in zip(body.tags, body.values, strict=True):
        columns += [f"{',' if columns else ''}{json.dumps(tag)}:", _quoted(values)]
    found = _rows(columns, len(body.values[0]))
    if max(map(len, found)) > SUBSTITUTIONS:  # what is quoted is never shorter than its bytes
        heavy = {n for n, text in enumerate(found) if len(text) > SUBSTITUTIONS and _bytes(body, n) > SUBSTITUTIONS}
        if heavy:
            raise Overfull(heavy)
    return found


def _bytes(body: Body, n: int) -> int:
    return sum(len(tag) + len(values[n].encode("utf-8", "replace")) for tag, values in zip(body.tags, body.values, strict=True))


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
    apart = guards.on("tags_by_part")

    def said(part: str, piece: str | int) -> str:
        if isinstance(piece, str):
            return piece
        if piece in constant:
            return str(constant[piece])
        where = part if apart else ""
        return tags.setdefault((where, twins[piece]), f"-{nonce}.{part[0]}.{len(tags):0{width}d}-")

    contents = {part: _sound("".join([said(part, piece) for piece in pieces.get(part, ())])) for part, _ in TYPES}
    return Body(contents, tuple(tags.values()), [_sound_row(columns[n]) for _, n in tags])


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
        if (nonce[: _NONCE // 2] not in text and nonce[_NONCE // 2 :] not in text) or not guards.on("tag_nonce"):
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
    if first.message and len({one.message for one in ones}) == 1:
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
