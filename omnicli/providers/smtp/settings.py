"""`providers.smtp` of `omni.yaml` and the environment as a provider; whatever is missing or odd is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnicli.errors import Exit, OmniError
from omnicli.providers import mime
from omnicli.providers.bounces.mailboxes import box_at
from omnicli.providers.declared import Declared
from omnicli.providers.smtp.connection import Address
from omnicli.providers.smtp.provider import BATCH, Smtp
from omnicli.texts import t

_KEYS = ("host", "port", "tls", "user", "password", "messages_per_connection", "bounce_domain", "bounces", "in_flight", "connect_timeout",
         "read_timeout", "local_hostname", "ca_file", "batch")  # fmt: skip


def open_smtp(project: Any, settings: Mapping[str, Any], root: Path, *, live: bool) -> Smtp:
    """The provider of `providers.smtp` and the environment; OmniError names the setting that is missing or odd."""
    said = Declared("smtp", settings)
    said.only(_KEYS)
    mime.self_test()
    return Smtp(
        _address(said), said.word("bounce_domain"), batch=said.number("batch", BATCH), in_flight=said.number("in_flight", 4),
        bounces=box_at(said.word("bounces"), root),
    )  # fmt: skip


def _address(said: Declared) -> Address:
    host = _host(said)
    tls = said.word("tls") or ("none" if _loopback(host) else "starttls")
    if tls not in ("starttls", "implicit", "none"):
        raise said.odd("tls", t("is starttls, implicit or none", "vaut starttls, implicit ou none"))
    user, password = said.word("user"), said.values.get("password")
    if user is not None and password is None:
        raise said.odd("password", t("is missing (write ${NAME})", "manque (écrivez ${NOM})"))
    return Address(
        host, _port(said, tls), tls, user, password, said.number("messages_per_connection", 1000),
        said.seconds("connect_timeout", "10 seconds"), said.seconds("read_timeout", "60 seconds"), said.word("local_hostname") or "localhost",
        said.word("ca_file"),
    )  # fmt: skip


def _host(said: Declared) -> str:
    host = os.environ.get("OMNI_SMTP_HOST") or said.word("host")
    if not host:
        raise OmniError(
            t("smtp has no server", "smtp n'a pas de serveur"),
            hint=t("providers.smtp.host in omni.yaml, or OMNI_SMTP_HOST", "providers.smtp.host dans omni.yaml, ou OMNI_SMTP_HOST"),
            code="S008", exit=Exit.REFUSED,
        )  # fmt: skip
    return host


def _port(said: Declared, tls: str) -> int:
    given = os.environ.get("OMNI_SMTP_PORT")
    return (Declared("smtp", {"port": given}) if given else said).number("port", 465 if tls == "implicit" else 25)


def _loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
