"""`providers.push` of `omni.yaml` as a provider; what is missing or odd is named, the extra too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnicli.errors import Exit, OmniError
from omnicli.providers import channels_of
from omnicli.providers.declared import Declared
from omnicli.providers.push.provider import SERVICES, TTL, Push
from omnicli.texts import t

_KEYS = (
    "vapid_private_key",
    "vapid_subject",
    "allow_insecure_endpoints",
    "hosts",
    "in_flight",
    "connect_timeout",
    "read_timeout",
)


def open_push(project: Any, settings: Mapping[str, Any], root: Path, *, live: bool) -> Push:
    """The provider of `providers.push`; OmniError names the setting, or the extra, that is missing."""
    said = Declared("push", settings)
    said.only(_KEYS)
    subject = said.word("vapid_subject") or ""
    if not subject.startswith(("mailto:", "https://")):
        raise said.odd("vapid_subject", t("is mailto:… or https://…", "vaut mailto:… ou https://…"))
    declared = channels_of(project, live=live).get("push")
    ttl = declared.ttl.about if declared is not None and declared.ttl is not None else TTL
    return Push(
        _key(said, root), subject, ttl, (*SERVICES, *said.words("hosts")), said.yes("allow_insecure_endpoints"),
        said.seconds("connect_timeout", "5 seconds"), said.seconds("read_timeout", "30 seconds"), in_flight=said.number("in_flight", 16),
    )  # fmt: skip


def _key(said: Declared, root: Path) -> Any:
    """The VAPID key: base64url or PEM as text, or a `.pem` file of the project."""
    try:
        from py_vapid import Vapid02, VapidException  # type: ignore[import-untyped]
    except ImportError:
        raise OmniError(
            t("web push needs the extra 'push'", "les notifications web demandent l'extra « push »"),
            hint="pip install 'omni-campaigns[push]'", code="extra", exit=Exit.REFUSED,
        ) from None  # fmt: skip
    written = said.word("vapid_private_key")
    if not written:
        raise said.odd("vapid_private_key", t("is missing (write ${NAME})", "manque (écrivez ${NOM})"), code="S008")
    try:
        if written.endswith(".pem"):
            return Vapid02.from_pem((root / written).read_bytes())
        return Vapid02.from_pem(written.encode()) if "-----BEGIN" in written else Vapid02.from_string(written)
    except (ValueError, TypeError, OSError, VapidException):
        raise said.odd("vapid_private_key", t("is no VAPID key", "n'est pas une clé VAPID")) from None
