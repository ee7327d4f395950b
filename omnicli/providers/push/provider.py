"""Web push: one encrypted, VAPID-signed request a touch to the push service that the person's browser named (RFC 8030, 8292).

The endpoint is an address that a stranger wrote: only known push services are called, by https, never redirected (docs/providers 6,
docs/delivery S21).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from omnicli import clock, guards
from omnicli.model.touch import Doubtful, Evidence, Handed, Outcome, Ready
from omnicli.providers import posting
from omnicli.providers.exchange import Answer, retry_at
from omnicli.providers.push.notification import Subscription, encrypted, payload, read_subscription, topic
from omnicli.texts import t

#: Push services of browsers, their hosts or the ends of them.
SERVICES = ("fcm.googleapis.com", "push.services.mozilla.com", "notify.windows.com", "push.apple.com")
#: Bytes of an encrypted message that every service takes (RFC 8030 7.2, rules.md PS-01).
LARGEST = 4096
#: How long a device that is off may still get it, when `channels.push.ttl` says nothing.
TTL = timedelta(days=1)
#: How long a signature of ours holds (RFC 8292: at most a day).
SIGNED_FOR = timedelta(hours=12)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Push:
    """Notifications through the services of browsers. Safe to call from several threads."""

    key: Any = field(repr=False)
    subject: str = ""
    ttl: timedelta = TTL
    hosts: tuple[str, ...] = SERVICES
    insecure: bool = False
    connect_timeout: float = 5.0
    answer_timeout: float = 30.0
    name: str = "push"
    channels: tuple[str, ...] = ("push",)
    batch: int = 1
    in_flight: int = 16
    repeatable: bool = False
    account: str = "push"

    @property
    def read_timeout(self) -> float:
        """Seconds that one call may take."""
        return self.connect_timeout + self.answer_timeout

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [self._one(one, now) for one in handed]

    def _one(self, one: Handed, now: datetime) -> Outcome:
        to = read_subscription(one.address or "")
        if to is None:
            said = t("not a subscription of a browser", "pas un abonnement de navigateur")
            return Outcome("rejected", code="subscription", detail=said, bad_address=True)
        if not self._may_call(to.endpoint):
            said = t("its push service is not one of ours", "son service push n'est pas des nôtres")
            return Outcome("rejected", code="endpoint", detail=said)
        lives = _lives(one, self.ttl, now)
        if lives <= timedelta():
            return Outcome("rejected", code="expired", detail=t("its time is over", "son temps est passé"))
        try:
            body, headers = encrypted(to, payload(one)), self._headers(one, to, lives, now)
        except ValueError:
            said = t("the keys of the subscription are not whole", "les clés de l'abonnement ne sont pas entières")
            return Outcome("rejected", code="subscription", detail=said, bad_address=True)
        if len(body) > LARGEST:
            said = t(
                "{n} bytes; push services take {most}",
                "{n} octets ; les services push en prennent {most}",
                n=len(body),
                most=LARGEST,
            )
            return Outcome("rejected", code="size", detail=said)
        answer = posting.post(to.endpoint, body, headers, connect=self.connect_timeout, read=self.answer_timeout)
        return answer if isinstance(answer, Outcome) else classify(answer, f"{one.touch}.{one.attempt}", now)

    def _may_call(self, endpoint: str) -> bool:
        parts = urlsplit(endpoint)
        host = (parts.hostname or "").lower()
        if parts.username or parts.password:
            return False
        if self.insecure and host in _LOOPBACK:
            return parts.scheme in ("http", "https")
        known = any(host == one or host.endswith(f".{one}") for one in self.hosts)
        return (parts.scheme == "https" and parts.port in (None, 443) and known) or not guards.on("push_host")

    def _headers(self, one: Handed, to: Subscription, lives: timedelta, now: datetime) -> dict[str, str]:
        from py_vapid import VapidException  # type: ignore[import-untyped]

        claims = {"aud": to.origin, "sub": self.subject, "exp": clock.to_ms(now + SIGNED_FOR) // 1000}
        try:
            signed = self.key.sign(dict(claims))
        except VapidException as error:  # an origin that it does not take for one
            raise ValueError(str(error)) from None
        return {
            **{str(name): str(value) for name, value in signed.items()},
            "Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream", "TTL": str(int(lives.total_seconds())),
            "Urgency": "normal" if one.purpose == "marketing" else "high", "Topic": topic(one), "User-Agent": "omni",
        }  # fmt: skip

    # --- what doctor and reconciliation ask -------------------------------------------------------------------------
    def reconcile(self, doubtful: Sequence[Doubtful], *, now: datetime) -> list[Evidence | None]:
        """A push service keeps nothing that could be asked."""
        return [None] * len(doubtful)

    def check(self, *, online: bool) -> list[Ready]:
        """The key was read when the provider was opened; its public half is what browsers must have subscribed with."""
        return [Ready("push key", True, public_key(self.key))]

    def close(self) -> None:
        """Nothing is kept open."""


def classify(answer: Answer, key: str, now: datetime) -> Outcome:
    """What a complete answer of a push service means (docs/delivery 9)."""
    status, code = answer.status, str(answer.status)
    said = f"{code} {' '.join(answer.body[:150].decode('utf-8', 'replace').split())}".strip()
    if 200 <= status < 300:
        return Outcome("accepted", ref=answer.headers.get("location") or key, code=code, http_status=status)
    if status in (404, 410):
        return Outcome("rejected", code=code, detail=said, bad_address=True, http_status=status)
    if 300 <= status < 400 or status in (401, 403):
        return Outcome("not_sent", code=code, detail=said, halt=True, http_status=status)
    if status == 429:
        at = retry_at(answer.headers.get("retry-after"), now)
        return Outcome("not_sent", code=code, detail=said, retry_at=at, http_status=status)
    doubtful = status == 408 or not 400 <= status < 500
    return Outcome("unknown" if doubtful else "rejected", code=code, detail=said, http_status=status)


def _lives(one: Handed, ttl: timedelta, now: datetime) -> timedelta:
    """How long the service may keep it: never beyond the touch's own end."""
    return ttl if one.expires_at is None else min(ttl, one.expires_at - now)


def public_key(key: Any) -> str:
    """The application server key that browsers subscribe with, base64url."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = key.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(raw).decode("ascii").rstrip("=")
