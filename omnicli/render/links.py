"""Makes the addresses that people see: the author's link with its UTM words, tracked when clicks are, and a touch's own.

A token is 18 bytes in 24 URL-safe characters: 10 bytes of the touch key, the link number and the key's id in one, and 7
of a keyed BLAKE2b over (purpose, touch, link number). It is bound to its purpose: a click token cannot unsubscribe
(docs/delivery 16). The sandbox's key comes from the project's name, so that its bytes repeat; it opens nothing in live.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from omnicli import guards

#: What a token opens, and the path it stands behind on the own host. `opens` is an opening that is counted and nobody's:
#: its ten bytes name the message instead of a touch.
PATHS = {
    "click": "c", "unsubscribe": "u", "preferences": "p", "web_version": "w", "open": "o", "opens": "o", "scan": "q",
}  # fmt: skip
_PREFIX, _TAG = 10, 7
MAX_LINKS = 31
#: The link number of a scan that leads to no address but to omni's own landing page.
LANDING = 31
_OWN_WORDS = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Signing:
    """The key that tokens are made with; `number` (0 to 7) tells rotated keys apart."""

    key: bytes = field(repr=False)
    number: int = 0

    @classmethod
    def of_sandbox(cls, project: str) -> Signing:
        return cls(hashlib.sha256(f"omni sandbox links {project}".encode()).digest())


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@lru_cache(maxsize=64)
def _keyed(key: bytes, purpose: str) -> Any:
    """A BLAKE2b that has taken its key: copied for each token, which is half the work."""
    return hashlib.blake2b(key=key, digest_size=_TAG, person=purpose.encode()[:16] if guards.on("token_purpose") else b"")


def token(signing: Signing, purpose: str, touch: bytes, number: int = 0) -> str:
    """The token of this touch for one purpose; `number` counts the links of a message from 0."""
    return tokens(signing, purpose, number)(touch)


def tokens(signing: Signing, purpose: str, number: int = 0) -> Callable[[bytes], str]:
    """What makes the tokens of touches for one purpose and link."""
    keyed, end = _keyed(signing.key, purpose), bytes((signing.number << 5 | number,))

    def made(touch: bytes) -> str:
        body = touch[:_PREFIX] + end
        tag = keyed.copy()
        tag.update(body)
        return b2a_base64(body + tag.digest(), newline=False).translate(_URL_SAFE).decode("ascii")

    return made


@dataclass(frozen=True, slots=True)
class Opened:
    """What a good token says: the first 10 bytes of the touch's key, and which link."""

    touch_prefix: bytes
    number: int


def open_token(text: str, purpose: str, keys: Mapping[int, bytes]) -> Opened | None:
    """The touch behind a token, or None when it is not ours, was altered, or was made for another purpose."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii")) if len(text) == 24 else b""
    except (ValueError, UnicodeEncodeError):
        return None
    if len(raw) != _PREFIX + 1 + _TAG:
        return None
    key = keys.get(raw[_PREFIX] >> 5)
    if key is None:
        return None
    body = raw[: _PREFIX + 1]
    tag = _keyed(key, purpose).copy()
    tag.update(body)
    ours = hmac.compare_digest(tag.digest(), raw[_PREFIX + 1 :]) or not guards.on("token_signature")
    return Opened(body[:_PREFIX], body[_PREFIX] & 31) if ours else None


def sum_key(campaign: str, message: str, step: str) -> bytes:
    """What stands for the touch in an `opens` token: the same for everybody who gets this message at this step."""
    return hashlib.blake2b(f"{campaign}\x1f{message}\x1f{step}".encode(), digest_size=_PREFIX, person=b"omni opens").digest()


def safe_word(text: str) -> str:
    """A UTM word: lower case, `[a-z0-9_-]` only (rules LK-02)."""
    return _OWN_WORDS.sub("-", text.lower()).strip("-")


@lru_cache(maxsize=4096)
def with_utm(url: str, words: tuple[tuple[str, str], ...]) -> str:
    """The address with its UTM words behind the parameters it has, before `#`; those that it says itself stay."""
    if not words:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return url
    present = {pair.partition("=")[0] for pair in parts.query.split("&")}
    added = "&".join(f"{name}={quote(value, safe='-_')}" for name, value in words if value and name not in present)
    query = "&".join(filter(None, (parts.query, added)))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))
