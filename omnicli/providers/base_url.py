"""Where a provider is reached: the environment wins over the setting, the setting over the provider's own address.

An address that is neither https nor on loopback is refused, so that no key and no message travels open (docs/providers 1).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from omnicli.errors import Exit, OmniError
from omnicli.settings import Secret
from omnicli.settings import text as revealed
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Base:
    """An address without a slash at its end; `overridden` when it is not the provider's own."""

    url: str
    overridden: bool = False


def base_url(setting: str | Secret | None, variable: str, default: str, *, where: str) -> Base:
    """The address to use. `where` names the setting in messages; OmniError (exit 4) for anything but https or loopback."""
    given = os.environ.get(variable)
    source, text = (variable, given) if given else (where, revealed(setting)) if setting else ("", default)
    url = text.strip().rstrip("/")
    if source and (why := wrong(url)):
        raise OmniError(
            t("{source}: {why}", "{source} : {why}", source=source, why=why),
            hint=t("https://…, or http://127.0.0.1:PORT for a stand-in of yours",
                   "https://…, ou http://127.0.0.1:PORT pour un serveur d'essai à vous"), code="S008", exit=Exit.REFUSED,
        )  # fmt: skip
    return Base(url, url != default.rstrip("/"))


def wrong(url: str) -> str | None:
    """Why an address cannot be used, or None."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return t("this is no address", "ce n'est pas une adresse")
    if not host or parts.scheme not in ("http", "https") or any(c.isspace() for c in url):
        return t("this is no address", "ce n'est pas une adresse")
    if parts.username is not None or parts.query or parts.fragment:
        return t("no user, query or fragment belongs here", "ni utilisateur, ni requête, ni fragment ici")
    if parts.scheme != "https" and not loopback(host):
        return t("only https leaves this machine", "seul https sort de cette machine")
    return None


def loopback(host: str) -> bool:
    """Whether the host is this machine."""
    return host in ("localhost", "::1") or (host.startswith("127.") and all(c.isdigit() or c == "." for c in host))
