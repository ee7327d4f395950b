"""Reads the settings of `providers.twilio`: who we are there, where it is reached, who hears back. Nothing deeper reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from omnicli.errors import Exit, OmniError
from omnicli.model.literals import Duration, LiteralError
from omnicli.providers.base_url import base_url
from omnicli.settings import Secret, resolve
from omnicli.settings import text as plain
from omnicli.text import did_you_mean
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.model.project import Project

#: Twilio's products, each on a host of its own: name → (host, the variable that moves it).
HOSTS: Mapping[str, tuple[str, str]] = {
    "api": ("api.twilio.com", "OMNI_TWILIO_API_URL"), "messaging": ("messaging.twilio.com", "OMNI_TWILIO_MESSAGING_URL"),
    "content": ("content.twilio.com", "OMNI_TWILIO_CONTENT_URL"), "voice": ("voice.twilio.com", "OMNI_TWILIO_VOICE_URL"),
}  # fmt: skip

STATUS, INBOUND = "/webhooks/twilio/status", "/webhooks/twilio/inbound"
#: More tries of a callback than Twilio makes by itself (docs/providers 3): on 5xx, connect and read timeouts.
REPEATS = "#rc=3&rp=5xx,ct,rt"

_KEYS = frozenset({"account_sid", "auth_token", "api_key", "api_secret", "base_url", "messaging_service", "in_flight", "connect_timeout",
                   "read_timeout", "countries", "opt_out_key", "answers", "webhook_keys", "smart_encoded", "shorten_urls"})  # fmt: skip
_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at Twilio. `tokens` verify what it posts: the auth token, and shared keys (two while rotating); times in
    seconds; `hosts` maps Twilio's hosts to where they are reached; `answers`: who answers STOP and HELP, `twilio` or `omni`."""

    sid: str
    user: str
    password: Secret
    hosts: Mapping[str, str]
    tokens: tuple[Secret, ...] = ()
    public_url: str | None = None
    service: str | None = None
    in_flight: int = 16
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    countries: tuple[str, ...] = ()
    opt_out_key: str = "9"
    answers: str = "twilio"
    smart_encoded: bool = False
    shorten_urls: bool = False
    overridden: Mapping[str, str] = field(default_factory=dict)

    def status_url(self, mark: str) -> str | None:
        """Where Twilio tells what became of this attempt; None without a public address."""
        return f"{self.public_url}{STATUS}?o={mark}{REPEATS}" if self.public_url else None

    def pressed_url(self, mark: str, language: str) -> str | None:
        """Where Twilio tells which keys were pressed in this call, which is in that language."""
        return f"{self.public_url}{INBOUND}?o={mark}&l={language[:2]}{REPEATS}" if self.public_url else None


def read_account(project: Project, settings: Mapping[str, Any]) -> Account:
    """The account of these settings; OmniError (exit 4) names the one that is missing or odd."""
    unknown = sorted(set(settings) - _KEYS)
    if unknown:
        raise _odd(unknown[0], t("is no setting.{hint}", "n'est pas un réglage.{hint}", hint=did_you_mean(unknown[0], _KEYS)))
    sid = _text(settings, "account_sid")
    if sid is None or not _SID.fullmatch(sid):
        raise _odd(
            "account_sid",
            t("is AC and 32 digits (write ${{TWILIO_ACCOUNT_SID}})", "vaut AC et 32 chiffres (écrivez ${{TWILIO_ACCOUNT_SID}})"),
        )
    user, password = _login(settings, sid)
    service = _text(settings, "messaging_service")
    if service is not None and not _SERVICE.fullmatch(service):
        raise _odd("messaging_service", t("is MG and 32 digits", "vaut MG et 32 chiffres"))
    hosts, overridden = _hosts(settings.get("base_url") or {})
    return Account(
        sid, user, password, hosts, _tokens(settings), _public(project.public_url), service, _number(settings, "in_flight", 16),
        _seconds(settings, "connect_timeout", 5.0), _seconds(settings, "read_timeout", 60.0), _countries(project, settings),
        _key(settings), _choice(settings, "answers", ("twilio", "omni")), _yes(settings, "smart_encoded"), _yes(settings, "shorten_urls"),
        overridden,
    )  # fmt: skip


def _login(settings: Mapping[str, Any], sid: str) -> tuple[str, Secret]:
    """An API key with its secret where there is one, else the account with its token."""
    key, secret, token = _text(settings, "api_key"), settings.get("api_secret"), settings.get("auth_token")
    if key is not None and secret is not None:
        return key, _secret(secret)
    if token is not None:
        return sid, _secret(token)
    raise _odd(
        "auth_token",
        t("is missing (or api_key and api_secret; write ${{NAME}})", "manque (ou api_key et api_secret ; écrivez ${{NOM}})"),
    )


def _tokens(settings: Mapping[str, Any]) -> tuple[Secret, ...]:
    listed = settings.get("webhook_keys") or ()
    found = [settings["auth_token"]] if settings.get("auth_token") is not None else []
    found += [listed] if isinstance(listed, str | Secret) else list(listed)
    return tuple(dict.fromkeys(_secret(resolve(one) if isinstance(one, str) else one) for one in found))


def _hosts(settings: Any) -> tuple[dict[str, str], dict[str, str]]:
    if not isinstance(settings, Mapping):
        raise _odd(
            "base_url", t("is a mapping: api, messaging, content, voice", "est une table : api, messaging, content, voice")
        )
    if unknown := sorted(set(settings) - set(HOSTS)):
        raise _odd(f"base_url.{unknown[0]}", t("is not one of {all}", "n'est pas parmi {all}", all=", ".join(HOSTS)))
    hosts: dict[str, str] = {}
    moved: dict[str, str] = {}
    for name, (host, variable) in HOSTS.items():
        base = base_url(settings.get(name), variable, f"https://{host}", where=f"providers.twilio.base_url.{name}")
        hosts[host] = base.url
        if base.overridden:
            moved[host] = base.url
    return hosts, moved


def _public(url: object) -> str | None:
    """The public address without a slash at its end. Twilio calls no host with an underscore in its name."""
    if not url:
        return None
    text = str(url).rstrip("/")
    if "_" in (urlsplit(text).hostname or ""):
        raise OmniError(
            t("public_url: Twilio calls no host with an underscore", "public_url : Twilio n'appelle pas d'hôte avec un tiret bas"),
            code="S003", exit=Exit.REFUSED,
        )  # fmt: skip
    return text


def _countries(project: Project, settings: Mapping[str, Any]) -> tuple[str, ...]:
    listed = settings.get("countries")
    if listed is None:
        return tuple(project.countries)
    return tuple(str(one).upper() for one in ([listed] if isinstance(listed, str) else listed))


def _key(settings: Mapping[str, Any]) -> str:
    text = _text(settings, "opt_out_key") or "9"
    if text not in tuple("0123456789*"):
        raise _odd("opt_out_key", t("is one key of the telephone", "est une touche du téléphone"))
    return text


def _choice(settings: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    text = _text(settings, key) or choices[0]
    if text not in choices:
        raise _odd(key, t("is one of {all}", "est parmi {all}", all=", ".join(choices)))
    return text


def _yes(settings: Mapping[str, Any], key: str) -> bool:
    return _choice(settings, key, ("no", "yes")) == "yes" if not isinstance(settings.get(key), bool) else bool(settings[key])


def _text(settings: Mapping[str, Any], key: str) -> str | None:
    value = settings.get(key)
    return plain(value if isinstance(value, Secret) else str(value)).strip() if value is not None else None


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(str(value))


def _number(settings: Mapping[str, Any], key: str, default: int) -> int:
    text = _text(settings, key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
        raise _odd(key, t("is a number from 1 to 1,000", "est un nombre de 1 à 1 000"))
    return int(text)


def _seconds(settings: Mapping[str, Any], key: str, default: float) -> float:
    text = _text(settings, key)
    if text is None:
        return default
    try:
        found = Duration.timeout(text).about.total_seconds()
    except LiteralError:
        found = 0.0
    if found <= 0:
        raise _odd(key, t("is a duration such as 60 seconds", "est une durée comme 60 seconds"))
    return found


def _odd(key: str, what: str) -> OmniError:
    return OmniError(f"providers.twilio.{key} {what}", code="S003", exit=Exit.REFUSED)
