"""Reads the settings of `providers.twilio`: who we are there, where it is reached, who hears back. Nothing deeper reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from omnicli.errors import Exit, OmniError
from omnicli.providers.base_url import base_url
from omnicli.providers.declared import Declared
from omnicli.settings import Secret, resolve
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

_KEYS = ("account_sid", "auth_token", "api_key", "api_secret", "base_url", "messaging_service", "in_flight", "connect_timeout",
         "read_timeout", "countries", "opt_out_key", "answers", "webhook_keys", "smart_encoded", "shorten_urls")  # fmt: skip
_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at Twilio. `tokens` verify what it posts: the auth token, and others while rotating; times in seconds;
    `hosts` maps Twilio's hosts to where they are reached, `overridden` those that are elsewhere; `answers`: who answers STOP and
    HELP, `twilio` or `omni`."""

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
    declared = Declared("twilio", settings)
    declared.only(_KEYS)
    sid = declared.word("account_sid") or ""
    if not _SID.fullmatch(sid):
        raise declared.odd("account_sid", t("is AC and 32 digits (write ${NAME})", "vaut AC et 32 chiffres (écrivez ${NOM})"))
    user, password = _login(declared, sid)
    service = declared.word("messaging_service")
    if service is not None and not _SERVICE.fullmatch(service):
        raise declared.odd("messaging_service", t("is MG and 32 digits", "vaut MG et 32 chiffres"))
    hosts, overridden = _hosts(declared)
    return Account(
        sid, user, password, hosts, tokens=_tokens(declared), public_url=_public(project.public_url), service=service,
        in_flight=declared.number("in_flight", 16), connect_timeout=declared.seconds("connect_timeout", "5 seconds"),
        read_timeout=declared.seconds("read_timeout", "60 seconds"), countries=_countries(project, declared),
        opt_out_key=_choice(declared, "opt_out_key", "9", "0123456789*"), answers=_choice(declared, "answers", "twilio", ("twilio", "omni")),
        smart_encoded=declared.yes("smart_encoded"), shorten_urls=declared.yes("shorten_urls"), overridden=overridden,
    )  # fmt: skip


def _login(declared: Declared, sid: str) -> tuple[str, Secret]:
    """An API key with its secret where there is one, else the account with its token."""
    key, secret, token = (declared.word(name) for name in ("api_key", "api_secret", "auth_token"))
    if key and secret:
        return key, Secret(secret)
    if token:
        return sid, Secret(token)
    raise declared.odd(
        "auth_token", t("is missing (or api_key and api_secret; write ${NAME})", "manque (ou api_key et api_secret ; écrivez ${NOM})")
    )  # fmt: skip


def _tokens(declared: Declared) -> tuple[Secret, ...]:
    more = declared.values.get("webhook_keys") or ()
    written = [declared.values.get("auth_token"), *((more,) if isinstance(more, str | Secret) else more)]
    found = [resolve(one) if isinstance(one, str) else one for one in written if one]
    return tuple(dict.fromkeys(one if isinstance(one, Secret) else Secret(str(one)) for one in found))


def _hosts(declared: Declared) -> tuple[dict[str, str], dict[str, str]]:
    settings = declared.values.get("base_url") or {}
    if not isinstance(settings, Mapping) or set(settings) - set(HOSTS):
        raise declared.odd("base_url", t("is a mapping of {all}", "est une table de {all}", all=", ".join(HOSTS)))
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
        why = t(
            "public_url: Twilio calls no host with an underscore", "public_url : Twilio n'appelle pas d'hôte avec un tiret bas"
        )
        raise OmniError(why, code="S003", exit=Exit.REFUSED)
    return text


def _countries(project: Project, declared: Declared) -> tuple[str, ...]:
    if declared.values.get("countries") is None:
        return tuple(map(str, project.countries))
    return tuple(word.upper() for word in declared.words("countries"))


def _choice(declared: Declared, key: str, otherwise: str, choices: tuple[str, ...] | str) -> str:
    found = declared.word(key) or otherwise
    if found not in tuple(choices):
        raise declared.odd(key, t("is one of {all}", "est parmi {all}", all=", ".join(choices)))
    return found
