"""Outgoing webhooks of `call` steps: a signed POST of JSON, settled by a 2xx, never redirected, never repeated here."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from omnicli import clock, faults
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Handed, Outcome
from omnicli.settings import Secret, resolve, text
from omnicli.texts import t

_REJECTED = frozenset({400, 404, 405, 409, 410, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Target:
    """One webhook of `omni.yaml`; `timeout` in seconds."""

    url: str
    secret: str | Secret | None
    timeout: float
    idempotent: bool


@dataclass(frozen=True)
class Webhooks:
    """Calls each target by itself. The body is signed: `Omni-Signature: t=<unix seconds>,v1=<HMAC-SHA256 of t.body>`."""

    targets: Mapping[str, Target]
    name: str = "webhook"
    channels: tuple[str, ...] = ("webhook",)
    batch: int = 1
    in_flight: int = 8
    repeatable: bool = False
    account: str = "webhook"

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [self._one(one, now) for one in handed]

    def _one(self, one: Handed, now: datetime) -> Outcome:
        target = self.targets.get(one.extra.get("webhook", one.message))
        if target is None:
            return Outcome(
                "rejected",
                code="target",
                detail=t("no webhook called '{name}'", "pas de webhook nommé « {name} »", name=one.message),
            )
        body = (one.rendered.parts["body"] if one.rendered else "{}").encode("utf-8")
        return post(target, body, key=f"{one.touch}.{one.attempt}", now=now)

    def close(self) -> None:
        """Nothing is kept open."""


def post(target: Target, body: bytes, *, key: str, now: datetime) -> Outcome:
    """One POST; what its end means (docs/delivery 9). Only before the connection stood is a failure `not_sent`."""
    parts = urlsplit(target.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=target.timeout)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        return Outcome("not_sent", code="tls", detail=error.verify_message or "certificate", halt=True)
    except OSError as error:
        return Outcome("not_sent", code="connect", detail=str(error)[:120] or type(error).__name__)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, _headers(target, body, key, now))
        faults.point("F09")
        answer = connection.getresponse()
        answer.read(65536)
        return classify(answer.status, answer.getheader("Retry-After"), key, now)
    except (OSError, http.client.HTTPException) as error:
        return Outcome("unknown", code="lost", detail=str(error)[:120] or type(error).__name__)
    finally:
        connection.close()


def _headers(target: Target, body: bytes, key: str, now: datetime) -> dict[str, str]:
    found = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": key, "User-Agent": "omni"}
    if target.secret is not None:
        stamp = str(clock.to_ms(now) // 1000)
        mark = hmac.new(text(target.secret).encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        found["Omni-Signature"] = f"t={stamp},v1={mark}"
    return found


def classify(status: int, retry_after: str | None, key: str, now: datetime) -> Outcome:
    """What a complete answer means."""
    from datetime import timedelta

    code = str(status)
    if 200 <= status < 300:
        return Outcome("accepted", ref=key, code=code)
    if 300 <= status < 400:
        return Outcome(
            "not_sent", code=code, detail=t("redirects are not followed", "les redirections ne sont pas suivies"), halt=True
        )
    if status in (401, 403):
        return Outcome("not_sent", code=code, detail=t("not allowed", "interdit"), halt=True)
    if status == 429:
        wait = int(retry_after) if retry_after and retry_after.isdigit() else 0
        return Outcome("not_sent", code=code, detail="too many", retry_at=now + timedelta(seconds=wait))
    if status in _REJECTED:
        return Outcome("rejected", code=code, detail=f"answered {status}")
    return Outcome("unknown" if status == 408 or status >= 500 else "rejected", code=code, detail=f"answered {status}")


def open_webhooks(project: Any, _settings: Mapping[str, Any], _root: Path, *, live: bool) -> Webhooks:
    found: dict[str, Target] = {}
    for name, declared in project.webhooks.items():
        parts = urlsplit(declared.url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise OmniError(
                t("webhooks.{name}: only https", "webhooks.{name} : https seulement", name=name), code="K003", exit=Exit.REFUSED
            )
        secret = resolve(declared.secret) if declared.secret else None
        found[name] = Target(declared.url, secret, max(1.0, declared.timeout.about.total_seconds()), declared.idempotent)
    return Webhooks(found)
