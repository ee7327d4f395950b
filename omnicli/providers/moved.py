"""Which providers are reached elsewhere than at home: named in each live run, in its question and by `doctor`, so that nobody forgets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from omnicli import settings as environment
from omnicli.errors import OmniError
from omnicli.providers.base_url import loopback
from omnicli.texts import t

#: Provider → (variable, path of the setting, the provider's own addresses).
HOMES: Mapping[str, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    "sendgrid": (("OMNI_SENDGRID_URL", ("base_url",), ("https://api.sendgrid.com", "https://api.eu.sendgrid.com")),),
    "twilio": (
        ("OMNI_TWILIO_API_URL", ("base_url", "api"), ("https://api.twilio.com",)),
        ("OMNI_TWILIO_MESSAGING_URL", ("base_url", "messaging"), ("https://messaging.twilio.com",)),
        ("OMNI_TWILIO_CONTENT_URL", ("base_url", "content"), ("https://content.twilio.com",)),
        ("OMNI_TWILIO_VOICE_URL", ("base_url", "voice"), ("https://voice.twilio.com",)),
    ),
}


def moved(name: str, section: Mapping[str, Any]) -> list[str]:
    """A line for each address to which a variable or a setting moves something of this provider; `section` is its section of `omni.yaml`.

    A relay on loopback is no override of smtp: it is what the documents advise.
    """
    if name == "smtp":
        return _relay()
    found: dict[str, list[str]] = {}
    for variable, path, homes in HOMES.get(name, ()):
        given, source = os.environ.get(variable), variable
        if not given:
            given, source = _written(section, path), f"providers.{name}.{'.'.join(path)}"
        if given and given.rstrip("/") not in homes:
            found.setdefault(given, []).append(source)
    return [
        t("{name} goes to {url} ({source})", "{name} passe par {url} ({source})", name=name, url=url, source=", ".join(sources))
        for url, sources in found.items()
    ]


def _relay() -> list[str]:
    host = os.environ.get("OMNI_SMTP_HOST")
    if not host or loopback(host):
        return []
    return [t("smtp goes to {host} (OMNI_SMTP_HOST)", "smtp passe par {host} (OMNI_SMTP_HOST)", host=host)]


def _written(section: Mapping[str, Any], path: tuple[str, ...]) -> str | None:
    value: Any = section
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(value, str):
        return None
    try:
        return environment.text(environment.resolve(value))
    except OmniError:
        return None
