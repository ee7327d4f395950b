"""Values for the tests of Twilio: messages as a provider is handed them, and a provider that speaks to a stand-in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fake_twilio import ACCOUNT, TOKEN

from omnicli.model.project import Project
from omnicli.model.response import Incoming
from omnicli.model.signed import mark
from omnicli.model.touch import Handed, Rendered
from omnicli.providers.twilio import open_hearing, open_twilio
from omnicli.providers.twilio.carrier import Twilio
from omnicli.providers.twilio.hearing import TwilioHearing

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
KEY = bytes(range(32))
TOUCH = "7c" * 16
MARK = mark(KEY, TOUCH, 1)
PUBLIC = "https://omni.example.org"
US, LEA = "+15555550100", "+33639980001"
SID = "SM" + "0a" * 16
OPENED: list[Twilio] = []


def a_project(**changes: Any) -> Project:
    written: dict[str, Any] = {
        "project": "maison", "languages": ["fr", "en"], "countries": ["FR"], "time_zone": "Europe/Paris", "brand": {"name": "Maison Lune"},
        "public_url": PUBLIC, "channels": {"sms": {"provider": "twilio", "from": US}, "voice": {"provider": "twilio", "from": US, "voice": "Polly.Lea"}},
    }  # fmt: skip
    return Project.model_validate(written | changes)


def settings(**changes: Any) -> dict[str, Any]:
    return {"account_sid": ACCOUNT, "auth_token": TOKEN, "connect_timeout": "2 seconds", "read_timeout": "2 seconds", **changes}


def elsewhere(url: str) -> dict[str, Any]:
    """All of Twilio's hosts at one address."""
    return {"base_url": dict.fromkeys(("api", "messaging", "content", "voice"), url)}


def a_provider(url: str, *, project: Project | None = None, seconds: float = 2.0, **changes: Any) -> Twilio:
    """One whose every wait ends after so many seconds."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("OMNI_TWILIO_")]:
            del os.environ[name]
        provider = open_twilio(project or a_project(), settings(**(elsewhere(url) | changes)), Path(), live=True)
    provider.wire.connect_timeout = provider.wire.read_timeout = seconds
    OPENED.append(provider)
    return provider


def close_all() -> None:
    """Hang up whatever a test left open."""
    while OPENED:
        OPENED.pop().close()


def a_hearing(*, project: Project | None = None, **changes: Any) -> TwilioHearing:
    return open_hearing(project or a_project(), settings(**changes), {0: KEY}, live=True)


def an_sms(text: str = "Bonjour Léa", **changes: Any) -> Handed:
    handed = Handed(TOUCH, 1, "sms", "bienvenue", "j0", "offre", "lea", "Léa", "fr", LEA, Rendered("sms", {"body": text}), NOW,
                    sender=US, mark=MARK, expires_at=NOW + timedelta(hours=2))  # fmt: skip
    return replace(handed, **changes)


def a_whatsapp(text: str = "Bonjour Léa, 20 %", **changes: Any) -> Handed:
    return an_sms(text, **{"channel": "whatsapp", "rendered": Rendered("whatsapp", {"body": text}),
                           "pieces": {"body": ("Bonjour ", 0, ", ", 1)}, "fills": ("Léa", "20 %"), **changes})  # fmt: skip


def a_call(script: str = "Bonjour Léa, ici Maison Lune. Votre commande est prête.", **changes: Any) -> Handed:
    return an_sms("", **{"channel": "voice", "rendered": Rendered("voice", {"script": script}), **changes})


def posted(form: Mapping[str, str], signature: Mapping[str, str], *, path: str = "/webhooks/twilio/status", query: str = f"?o={MARK}",
           body: bytes | None = None) -> Incoming:  # fmt: skip
    """A form as it comes in: `signature` are the headers that the stand-in made for the public address."""
    from urllib.parse import urlencode

    headers = {name.lower(): value for name, value in signature.items()}
    return Incoming("POST", f"{PUBLIC}{path}{query}", headers, urlencode(form).encode() if body is None else body)
