"""A push service of browsers on loopback: it hands out subscriptions, opens what is sent to them as the browser would, and logs it.

Nothing here knows omni. The keys of each device are its own; a message that does not decrypt, lacks TTL, or whose VAPID token was not
signed by the key that it names reached nobody.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from fake_http import Answer, HttpFake, Request, as_process
from fake_log import Line


@dataclass
class Device:
    """A browser that agreed: its private key and its secret."""

    name: str
    key: Any
    auth: bytes = field(default_factory=lambda: os.urandom(16))


@dataclass
class Notified:
    """What one person's device showed."""

    device: str
    told: dict[str, Any]
    headers: dict[str, str]
    claims: dict[str, Any]


class FakePush(HttpFake):
    """`fake.subscription("lea")` is what a browser would give; `fake.notified` what people saw."""

    name = "push"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.doing = {**self.doing, "subscription": None}
        self.devices: dict[str, Device] = {}
        self.notified: list[Notified] = []

    def subscription(self, name: str, **more: Any) -> str:
        """The JSON of `PushSubscription.toJSON()` of a new device called so."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        device = self.devices.setdefault(name, Device(name, ec.generate_private_key(ec.SECP256R1())))
        public = device.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _text(public), "auth": _text(device.auth)}
        found = {"endpoint": f"{self.url}/push/{name}", "expirationTime": None, "keys": keys, **more}
        return json.dumps(found, separators=(",", ":"))

    def answer(self, request: Request) -> Answer:
        device = self.devices.get(request.path.rpartition("/")[2])
        if device is None:
            return Answer(410, {"error": "gone"})
        if "ttl" not in request.headers:
            return Answer(400, {"error": "no TTL"})
        claims = _claims(request.headers.get("authorization", ""))
        if claims is None:
            return Answer(403, {"error": "not signed"})
        opened = _opened(device, request)
        if opened is None:
            return Answer(400, {"error": "does not decrypt"})
        number = f"{self.url}/m/{request.number}"
        line: Line = {"touch": None, "attempt": None, "to": device.name, "hash": hashlib.sha256(opened).hexdigest()}
        shown = Notified(device.name, json.loads(opened), dict(request.headers), claims)
        return Answer(201, None, {"Location": number}, [line], lambda: self.notified.append(shown))


def _opened(device: Device, request: Request) -> bytes | None:
    import http_ece

    if request.headers.get("content-encoding") != "aes128gcm":
        return None
    try:
        found: bytes = http_ece.decrypt(request.body, private_key=device.key, auth_secret=device.auth, version="aes128gcm")
    except (http_ece.ECEException, ValueError):
        return None
    return found


def _claims(authorization: str) -> dict[str, Any] | None:
    """The claims of `vapid t=<token>,k=<key>` when that key signed the token."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    scheme, _, rest = authorization.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    token = parts.get("t", "")
    if scheme.lower() != "vapid" or token.count(".") != 2:
        return None
    signed, _, signature = token.rpartition(".")
    raw = _bytes(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(parts.get("k", "")))
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    try:
        key.verify(der, signed.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return None
    found: dict[str, Any] = json.loads(_bytes(signed.partition(".")[2]))
    return found


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    as_process(FakePush)
