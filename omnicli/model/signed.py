"""Signed ids: what providers and mail servers carry for us and give back, so that an honest messenger cannot name a touch of its own.

A mark is `<touch key in hexadecimal>.<attempt>.<tag>`, at most 50 characters, all of them lower case and safe in a local part, a
custom argument and an address (docs/delivery 15, 16). The tag is 7 bytes of keyed BLAKE2b bound to a purpose.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

from omnicli import guards

_TAG = 7
_MARK = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]?)\.([0-9a-f]{14})")
_PERSON = b"omni mark"


class Marked(NamedTuple):
    """The touch (its key in hexadecimal) and the attempt that a good mark names."""

    touch: str
    attempt: int


def mark(key: bytes, touch: str, attempt: int) -> str:
    """The mark of one attempt of one touch."""
    body = f"{touch}.{attempt}"
    return f"{body}.{_tag(key, body)}"


def read_mark(keys: Mapping[int, bytes], text: str | None) -> Marked | None:
    """What a mark says when one of the keys (all that were ever used) made it, else None. Case does not matter: mail servers
    may change it."""
    found = _MARK.fullmatch((text or "").lower())
    if found is None:
        return None
    body = f"{found[1]}.{found[2]}"
    for key in keys.values():
        if hmac.compare_digest(_tag(key, body), found[3]) or not guards.on("signed_ids"):
            return Marked(found[1], int(found[2]))
    return None


class Reader:
    """`read_mark` for keys that stay the same and marks in small letters, several times as fast: (touch, attempt), both as texts."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._tagging = [hashlib.blake2b(key=key, digest_size=_TAG, person=_PERSON) for key in keys.values()]

    def __call__(self, text: object) -> tuple[str, str] | None:
        if type(text) is not str or _MARK.fullmatch(text) is None:
            return None
        body, tag = text[: -2 * _TAG - 1], text[-2 * _TAG :]
        for tagging in self._tagging:
            state = tagging.copy()
            state.update(body.encode("ascii"))
            if hmac.compare_digest(state.hexdigest(), tag):
                return body[:32], body[33:]
        return None


def _tag(key: bytes, body: str) -> str:
    return hashlib.blake2b(body.encode("ascii"), key=key, digest_size=_TAG, person=_PERSON).hexdigest()
