"""`providers.smtp` of `omni.yaml` and the environment as a provider; whatever is missing or odd is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnicli.errors import Exit, OmniError
from omnicli.model.literals import Duration, LiteralError
from omnicli.providers import mime
from omnicli.providers.smtp.connection import Address
from omnicli.providers.smtp.provider import Smtp
from omnicli.settings import Secret
from omnicli.settings import text as plain
from omnicli.texts import t

_KEYS = frozenset({"host", "port", "tls", "user", "password", "messages_per_connection", "bounce_domain", "bounces", "in_flight",
                   "connect_timeout", "read_timeout", "local_hostname", "ca_file"})  # fmt: skip


def open_smtp(project: Any, settings: Mapping[str, Any], root: Path, *, live: bool) -> Smtp:
    """The provider of `providers.smtp` and the environment; OmniError names the setting that is missing or odd."""
    _refuse_unknown(settings)
    mime.self_test()
    return Smtp(
        _address(settings), _word(settings, "bounce_domain"), in_flight=_number("in_flight", settings.get("in_flight", 4)),
        bounces=mailbox_path(settings, root),
    )  # fmt: skip


def mailbox_path(settings: Mapping[str, Any], root: Path) -> Path | None:
    """The Maildir or mbox that bounces lie in, seen from the project's folder; None when none is set."""
    written = _word(settings, "bounces")
    return root / Path(written).expanduser() if written else None


def _address(settings: Mapping[str, Any]) -> Address:
    host = _host(settings)
    tls = plain(settings.get("tls") or ("none" if _loopback(host) else "starttls"))
    if tls not in ("starttls", "implicit", "none"):
        raise _odd("tls", t("is starttls, implicit or none", "vaut starttls, implicit ou none"))
    user, password = settings.get("user"), settings.get("password")
    if user is not None and password is None:
        raise _odd("password", t("is missing (write ${{NAME}})", "manque (écrivez ${{NOM}})"))
    port = os.environ.get("OMNI_SMTP_PORT") or settings.get("port") or (465 if tls == "implicit" else 25)
    return Address(
        host, _number("port", port), tls, plain(user) if user is not None else None, password,
        _number("messages_per_connection", settings.get("messages_per_connection", 1000)),
        _seconds("connect_timeout", settings.get("connect_timeout", "10 seconds")),
        _seconds("read_timeout", settings.get("read_timeout", "60 seconds")),
        _word(settings, "local_hostname") or "localhost", _word(settings, "ca_file"),
    )  # fmt: skip


def _host(settings: Mapping[str, Any]) -> str:
    host = os.environ.get("OMNI_SMTP_HOST") or _word(settings, "host")
    if not host:
        raise OmniError(
            t("smtp has no server", "smtp n'a pas de serveur"),
            hint=t("providers.smtp.host in omni.yaml, or OMNI_SMTP_HOST", "providers.smtp.host dans omni.yaml, ou OMNI_SMTP_HOST"),
            code="S008", exit=Exit.REFUSED,
        )  # fmt: skip
    return host


def _refuse_unknown(settings: Mapping[str, Any]) -> None:
    for key in sorted(set(settings) - _KEYS):
        from omnicli.text import did_you_mean

        raise _odd(key, t("no such setting.{hint}", "ce réglage n'existe pas.{hint}", hint=did_you_mean(key, _KEYS)))


def _word(settings: Mapping[str, Any], key: str) -> str | None:
    return plain(settings[key]) if settings.get(key) else None


def _loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _number(key: str, value: Any) -> int:
    try:
        found = int(plain(value) if isinstance(value, Secret) else value)
    except (TypeError, ValueError):
        raise _odd(key, t("is a number", "est un nombre")) from None
    if found < 1:
        raise _odd(key, t("is at least 1", "vaut au moins 1"))
    return found


def _seconds(key: str, value: Any) -> float:
    try:
        return Duration.timeout(str(value)).about.total_seconds()
    except LiteralError:
        raise _odd(key, t("is a duration such as 60 seconds", "est une durée comme 60 seconds")) from None


def _odd(key: str, what: str) -> OmniError:
    return OmniError(f"providers.smtp.{key} {what}", code="S003", exit=Exit.REFUSED)
