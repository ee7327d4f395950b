"""One notification: whose browser it is for, what its page is told, and the bytes that only that browser can read (RFC 8291)."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from omnicli.model.touch import Handed

_LINK = re.compile(r"https?://[^\s<>\"]+")
_AFTER_LINK = ".,;:!?)»"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser takes messages, and the keys that only it can open them with."""

    endpoint: str
    keys: Mapping[str, str] = field(repr=False)

    @property
    def origin(self) -> str:
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"


def read_subscription(text: str) -> Subscription | None:
    """The subscription of `PushSubscription.toJSON()`, or None for what is none."""
    try:
        found = json.loads(text)
        keys = {name: str(found["keys"][name]) for name in ("p256dh", "auth")}
        endpoint = str(found["endpoint"])
        parts = urlsplit(endpoint)
        whole = parts.hostname and parts.port != 0 and not parts.netloc.endswith(":")  # a port that is none raises
        return Subscription(endpoint, keys) if whole and endpoint.isascii() and endpoint.isprintable() else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def payload(one: Handed) -> bytes:
    """What the page's service worker is given, as JSON: `title`, `body`, `url` (the first link of the body), `tag`, `lang`."""
    parts = one.rendered.parts if one.rendered else {}
    link = _LINK.search(parts.get("body", ""))
    found = {"title": parts.get("title", ""), "body": parts.get("body", ""), "url": link[0].rstrip(_AFTER_LINK) if link else "",
             "tag": topic(one), "lang": one.language}  # fmt: skip
    return json.dumps({name: value for name, value in found.items() if value}, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def topic(one: Handed) -> str:
    """The collapse key: a newer push of the same message takes the place of one that waits (RFC 8030 5.4: 32 characters)."""
    named = f"{one.campaign}\x1f{one.message}\x1f{one.step}".encode()
    return urlsafe_b64encode(hashlib.blake2b(named, digest_size=24).digest()).decode("ascii")


def encrypted(to: Subscription, message: bytes) -> bytes:
    """The message as only this browser can read it; ValueError when its keys are no keys."""
    from pywebpush import WebPusher, WebPushException

    try:
        found = WebPusher({"endpoint": to.endpoint, "keys": dict(to.keys)}).encode(message, content_encoding="aes128gcm")
        return bytes(found["body"])
    except (ValueError, TypeError, IndexError, WebPushException) as error:
        raise ValueError(str(error)) from None
