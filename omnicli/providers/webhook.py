"""Outgoing webhooks of `call` steps: a signed POST of JSON, settled by a 2xx, never redirected, never repeated here.

A receiver checks `Omni-Signature: t=<unix seconds>,v1=<hex>` where v1 is HMAC-SHA256, keyed with the secret, of `<t>.` and the body's
bytes as they came; `Idempotency-Key: <touch>.<attempt>` is the same for a call that is repeated because its fate is unknown.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from omnicli import clock
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Doubtful, Evidence, Handed, Outcome
from omnicli.providers import posting
from omnicli.providers.exchange import retry_at
from omnicli.settings import Secret, resolve, text
from omnicli.texts import t

#: Seconds for connecting, whatever the target's timeout.
CONNECT = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """One webhook of `omni.yaml`; `timeout` in seconds."""

    url: str
    secret: str | Secret | None
    timeout: float
    idempotent: bool


@dataclass(frozen=True)
class Webhooks:
    """Calls each target by itself."""

    targets: Mapping[str, Target]
    name: str = "webhook"
    channels: tuple[str, ...] = ("webhook",)
    batch: int = 1
    in_flight: int = 8
    repeatable: bool = False
    account: str = "webhook"

    @property
    def read_timeout(self) -> float:
        """Seconds that the slowest target may take."""
        return max((target.timeout + CONNECT for target in self.targets.values()), default=CONNECT)

    def split(self) -> dict[str, Webhooks]:
        """Each target by itself: one that is out of order, or does not know us, keeps nobody else waiting."""
        return {name: replace(self, targets={name: target}, account=name) for name, target in self.targets.items()}

    def idempotent(self, name: str) -> bool:
        """Whether this target knows a repeated key, so that an unknown call may be made again with the same one."""
        return name in self.targets and self.targets[name].idempotent

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [self._one(one, now) for one in handed]

    def _one(self, one: Handed, now: datetime) -> Outcome:
        name = one.extra.get("webhook", one.message)
        target = self.targets.get(name)
        if target is None:
            said = t("no webhook called '{name}'", "pas de webhook nommé « {name} »", name=name)
            return Outcome("rejected", code="target", detail=said)
        body = (one.rendered.parts["body"] if one.rendered else "{}").encode("utf-8")
        return post(target, body, key=one.extra.get("idempotency_key") or f"{one.touch}.{one.attempt}", now=now)

    def reconcile(self, doubtful: Sequence[Doubtful], *, now: datetime) -> list[Evidence | None]:
        """A receiver cannot be asked; one that is idempotent is told again."""
        return [None] * len(doubtful)

    def close(self) -> None:
        """Nothing is kept open."""


def post(target: Target, body: bytes, *, key: str, now: datetime) -> Outcome:
    """One POST; what its end means (docs/delivery 9)."""
    headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": key, "User-Agent": "omni"}
    if target.secret is not None:
        headers["Omni-Signature"] = signature(text(target.secret), body, at=clock.to_ms(now) // 1000)
    answer = posting.post(target.url, body, headers, connect=min(CONNECT, target.timeout), read=target.timeout)
    return answer if isinstance(answer, Outcome) else classify(answer.status, answer.headers.get("retry-after"), key, now)


def signature(secret: str, body: bytes, *, at: int) -> str:
    """The header that proves who called, and when (`at`: Unix seconds)."""
    mark = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mark}"


def classify(status: int, retry_after: str | None, key: str, now: datetime) -> Outcome:
    """What a complete answer means."""
    code = str(status)
    if 200 <= status < 300:
        return Outcome("accepted", ref=key, code=code, http_status=status)
    if 300 <= status < 400:
        said = t("redirects are not followed", "les redirections ne sont pas suivies")
        return Outcome("not_sent", code=code, detail=said, halt=True, http_status=status)
    if status in (401, 403):
        return Outcome("not_sent", code=code, detail=t("not allowed", "interdit"), halt=True, http_status=status)
    said = f"{code} {t('answered', 'reçu en réponse')}"
    if status == 429:
        return Outcome("not_sent", code=code, detail=said, retry_at=retry_at(retry_after, now), http_status=status)
    doubtful = status == 408 or not 400 <= status < 500
    return Outcome("unknown" if doubtful else "rejected", code=code, detail=said, http_status=status)


def open_webhooks(project: Any, _settings: Mapping[str, Any], _root: Path, *, live: bool) -> Webhooks:
    """The targets of `webhooks` in `omni.yaml`; OmniError K003 for one that is neither https nor on loopback."""
    found: dict[str, Target] = {}
    for name, declared in project.webhooks.items():
        parts = urlsplit(declared.url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            said = t("webhooks.{name}: only https", "webhooks.{name} : https seulement", name=name)
            raise OmniError(said, code="K003", exit=Exit.REFUSED)
        secret = resolve(declared.secret) if declared.secret else None
        found[name] = Target(declared.url, secret, max(1.0, declared.timeout.about.total_seconds()), declared.idempotent)
    return Webhooks(found)
