"""The settings of `providers.sendgrid`, read once: every key is known, every value has its type, secrets stay secrets.

A wrong one is an OmniError (S003, S008) that names it (docs/providers 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, cast

from omnicli import settings as environment
from omnicli.errors import Exit, OmniError
from omnicli.model.literals import Duration, LiteralError
from omnicli.providers.base_url import Base, base_url
from omnicli.settings import Secret
from omnicli.text import did_you_mean
from omnicli.texts import t

HOST, EU_HOST = "https://api.sendgrid.com", "https://api.eu.sendgrid.com"
VARIABLE = "OMNI_SENDGRID_URL"
MOST = 1000  # personalizations a request (docs/providers 2.1)
_KEYS = ("api_key", "base_url", "batch", "in_flight", "connect_timeout", "read_timeout", "event_webhook_keys", "inbound_webhook_keys",
         "allow_blind_batches", "asm_groups", "tracking", "bypass_unsubscribe", "sandbox", "email_activity", "ip_pool",
         "inbound_domain")  # fmt: skip
_YES, _NO = ("yes", "true", "on"), ("no", "false", "off")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the project wants of SendGrid. Times in seconds. `asm_groups` maps a topic to its unsubscribe group; `event_keys` and
    `inbound_keys` are public keys (base64 DER); `mailto` is the domain whose mail comes back by Inbound Parse."""

    api_key: Secret | None = field(default=None, repr=False)
    base: Base = field(default_factory=lambda: Base(HOST))
    batch: int = 500
    in_flight: int = 4
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    event_keys: tuple[str, ...] = ()
    inbound_keys: tuple[str, ...] = ()
    allow_blind_batches: bool = False
    asm_groups: Mapping[str, int] = field(default_factory=dict)
    tracking: Literal["own", "provider"] = "own"
    bypass_unsubscribe: bool = False
    sandbox: bool = False
    email_activity: bool = False
    ip_pool: str | None = None
    mailto: str | None = None

    @property
    def blind(self) -> bool:
        """Batches whose unknown touches no event would ever settle, and nobody allowed them (docs/delivery 5)."""
        return self.batch > 1 and not self.event_keys and not self.allow_blind_batches


def read(settings: Mapping[str, Any], *, sending: bool = True) -> Wishes:
    """The wishes; `sending` wants the API key too. `${NAME}` inside lists is resolved here."""
    for key in settings:
        if key not in _KEYS:
            _odd(key, t("no such setting.{hint}", "ce réglage n'existe pas.{hint}", hint=did_you_mean(key, _KEYS)))
    given: Mapping[str, Any] = {key: value for key, value in settings.items() if value is not None}
    if sending and not given.get("api_key"):
        raise OmniError(
            t("sendgrid has no API key", "sendgrid n'a pas de clé d'API"),
            hint=t("providers.sendgrid.api_key: ${SENDGRID_API_KEY}", "providers.sendgrid.api_key: ${SENDGRID_API_KEY}"),
            code="S008", exit=Exit.REFUSED,
        )  # fmt: skip
    event_keys = _keys("event_webhook_keys", given)
    base = base_url(
        _text("base_url", given) if given.get("base_url") else None, VARIABLE, HOST, where="providers.sendgrid.base_url"
    )
    return Wishes(
        _secret("api_key", given.get("api_key")), Base(base.url) if base.url == EU_HOST else base, _number("batch", given, 500, MOST),
        _number("in_flight", given, 4, 64), _seconds("connect_timeout", given, "5 seconds"), _seconds("read_timeout", given, "60 seconds"),
        event_keys, _keys("inbound_webhook_keys", given) or event_keys, _yes("allow_blind_batches", given), _groups(given),
        _tracking(given), _yes("bypass_unsubscribe", given), _yes("sandbox", given), _yes("email_activity", given), _pool(given), _domain(given),
    )  # fmt: skip


def _odd(key: str, what: str) -> NoReturn:
    raise OmniError(f"providers.sendgrid.{key}: {what}", code="S003", exit=Exit.REFUSED)


def _text(key: str, given: Mapping[str, Any]) -> str:
    value = given[key]
    if not isinstance(value, str | Secret):
        _odd(key, t("is a text", "est un texte"))
    return environment.text(value).strip()


def _secret(key: str, value: Any) -> Secret | None:
    """The key without the blanks around it; what cannot stand in a header is refused, and not quoted."""
    found = environment.text(value if isinstance(value, Secret) else str(value)).strip() if value else ""
    if not (found.isascii() and found.isprintable()):
        _odd(key, t("holds a character that no key has", "contient un caractère qu'aucune clé n'a"))
    return Secret(found) if found else None


def _number(key: str, given: Mapping[str, Any], usual: int, most: int) -> int:
    value = given.get(key, usual)
    try:
        found = int(str(environment.text(value) if isinstance(value, Secret) else value))
    except ValueError:
        found = 0
    if not 1 <= found <= most:
        _odd(key, t("is a number from 1 to {most}", "est un nombre de 1 à {most}", most=most))
    return found


def _seconds(key: str, given: Mapping[str, Any], usual: str) -> float:
    try:
        return Duration.timeout(str(given.get(key, usual))).about.total_seconds()
    except LiteralError:
        _odd(key, t("is a duration such as 60 seconds", "est une durée comme 60 seconds"))


def _yes(key: str, given: Mapping[str, Any]) -> bool:
    word = str(given.get(key, "no")).strip().lower()
    if word not in (*_YES, *_NO):
        _odd(key, t("is yes or no", "vaut yes ou no"))
    return word in _YES


def _keys(key: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Public keys, each checked: one that cannot be read would refuse every event in silence."""
    from omnicli.providers.sendgrid.signature import public_key

    value = given.get(key, ())
    listed: Sequence[Any] = (value,) if isinstance(value, str | Secret) else value if isinstance(value, list | tuple) else ()
    if value and not listed:
        _odd(key, t("is a list of keys", "est une liste de clés"))
    found: list[str] = []
    for one in listed:
        text = environment.text(_resolved(key, one) if isinstance(one, str) else one).strip()
        if public_key(text) is None:
            _odd(
                key,
                t(
                    "is no public key as SendGrid shows it (base64)",
                    "n'est pas une clé publique telle que SendGrid la montre (base64)",
                ),
            )
        found.append(text)
    return tuple(found)


def _resolved(key: str, text: str) -> str | Secret:
    try:
        return environment.resolve(text)
    except OmniError as error:
        raise OmniError(
            f"providers.sendgrid.{key}: {error.message}", hint=error.hint, code=error.code, exit=Exit.REFUSED
        ) from None


def _groups(given: Mapping[str, Any]) -> Mapping[str, int]:
    value = given.get("asm_groups", {})
    if not isinstance(value, Mapping):
        _odd("asm_groups", t("maps topics to numbers of unsubscribe groups", "associe des thèmes à des numéros de groupes"))
    found: dict[str, int] = {}
    for topic, number in value.items():
        if not str(number).isdecimal() or int(number) < 1:
            _odd(f"asm_groups.{topic}", t("is the number of an unsubscribe group", "est le numéro d'un groupe de désabonnement"))
        found[str(topic)] = int(number)
    return found


def _tracking(given: Mapping[str, Any]) -> Literal["own", "provider"]:
    word = str(given.get("tracking", "own"))
    if word not in ("own", "provider"):
        _odd("tracking", t("is own or provider", "vaut own ou provider"))
    return cast('Literal["own", "provider"]', word)


def _pool(given: Mapping[str, Any]) -> str | None:
    if "ip_pool" not in given:
        return None
    name = _text("ip_pool", given)
    if not 2 <= len(name) <= 64:
        _odd("ip_pool", t("has 2 to 64 characters", "a de 2 à 64 caractères"))
    return name


def _domain(given: Mapping[str, Any]) -> str | None:
    if "inbound_domain" not in given:
        return None
    name = _text("inbound_domain", given)
    if not _DOMAIN.fullmatch(name):
        _odd("inbound_domain", t("is a domain", "est un domaine"))
    return name
