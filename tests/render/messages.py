"""Builds projects, messages and jobs for the tests of rendering, and reads the torture lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from omnicli.model import literals as lit
from omnicli.model.campaign import Campaign, Fact, Message
from omnicli.model.project import Attribute, Brand, Channel, Contacts, Persona, Place, Project, Tone, Tracking
from omnicli.render.renderer import Renderer, RenderJob

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
SHIPPED = ROOT / "omnicli" / "render" / "shipped"
TOUCH = "0123456789abcdef" * 2
NOW = datetime(2027, 1, 5, 9, tzinfo=UTC)
ENTERED = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)
CHANNELS = ("email", "sms", "whatsapp", "messenger", "push", "voice", "letter", "qr", "task")

SAY = {
    "fr/tu": {
        "subject": '{first_name or "Bonjour"}, {offer} sur ta première bougie', "preheader": "Le code {code} t'attend jusqu'au {deadline}.",
        "body": "Ta bougie Lune à {price} au lieu de {was} ({offer}) avec le code {code}, jusqu'au {deadline}.",
        "short": "{offer} sur ta 1re bougie: {price} avec {code} jusqu'au {deadline}", "cta": "J'en profite",
    },
    "en": {
        "subject": '{first_name or "Hello"}, {offer} off your first candle', "body": "Your candle for {price} ({offer} off) with {code}, until {deadline}.",
        "short": "{offer} off: {price} with {code} until {deadline}", "cta": "Shop now",
    },
}  # fmt: skip


def a_project(**changes: Any) -> Project:
    values: dict[str, Any] = {
        "project": "maison-lune", "languages": ("fr", "en"), "countries": ("FR", "BE"), "time_zone": "Europe/Paris",
        "brand": Brand(name="Maison Lune", legal_name="Maison Lune SAS", address="12 rue des Tisserands, 69004 Lyon",
                       privacy="https://www.maisonlune.example/vie-privee", colours={"primary": "#2b2350", "accent": "#e8b04a"}, font="Georgia, serif"),
        "channels": {name: Channel(provider="sandbox") for name in CHANNELS} | {"sms": Channel(provider="sandbox", stop="36180"),
            "email": Channel(provider="sandbox", **{"from": "Maison Lune <bonjour@maisonlune.example>"})},
        "contacts": Contacts(attributes={
            "first_name": Attribute(type="text"), "city": Attribute(type="text"), "website": Attribute(type="text"), "points": Attribute(type="number"),
            "interests": Attribute(type="list"), "basket": Attribute(type="money EUR"), "renewal": Attribute(type="date"), "vip": Attribute(type="yes or no"), "near": Attribute(type="distance"), "delay": Attribute(type="duration"),
        }),
        "personas": {"camille": Persona(title="Camille, la curieuse", match="orders = 0", tone=Tone(address="tu"), needs=("choisir vite",))},
        "tracking": Tracking(domain="https://go.maisonlune.example"),
        "places": {"lyon": Place(name="Maison Lune Lyon", address="12 rue des Tisserands", city="Lyon")},
    }  # fmt: skip
    return Project(**{**values, **changes})


def a_fact(text: str, type: str | None = None, **long_form: Any) -> Fact:
    """`a_fact("20 %")`, `a_fact("26 days after enter")`, `a_fact("", "money", **{"from": "contact.basket"})`."""
    if long_form:
        return Fact(type=type, **long_form)  # type: ignore[arg-type]
    readers = (("percent", lit.Percent.parse), ("money", lit.Money.parse), ("date", lit.Moment.parse))
    for kind, read in readers:
        if type in (None, kind):
            try:
                return Fact(type=kind, value=read(text))  # type: ignore[arg-type]
            except lit.LiteralError:
                continue
    return Fact(type=type or ("url" if text.startswith("http") else "code"), value=text)  # type: ignore[arg-type]


def an_offer(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "facts": {"offer": a_fact("20 %"), "code": a_fact("BIENVENUE20", "code"), "was": a_fact("49.90 EUR"), "price": a_fact("39.92 EUR"),
                  "deadline": a_fact("26 days after enter"), "link": a_fact("https://www.maisonlune.example/bienvenue", "url")},
        "say": SAY,
    }  # fmt: skip
    return Message(**{**values, **changes})


def a_campaign(**messages: Message) -> Campaign:
    return Campaign.model_construct(
        campaign="bienvenue", title="Bienvenue", messages=messages or {"offre": an_offer()}, personas=None
    )


def a_job(
    campaign: Campaign,
    channel: str = "email",
    *,
    message: str | None = None,
    contact: Mapping[str, Any] | None = None,
    **changes: Any,
) -> RenderJob:
    values: dict[str, Any] = {
        "campaign": campaign, "message": message or next(iter(campaign.messages)), "channel": channel, "language": "fr", "persona": "camille",
        "touch": TOUCH, "at": NOW, "entered_at": ENTERED, "zone": "Europe/Paris", "step": "j0",
        "contact": {"first_name": "Léa"} if contact is None else contact,
    }  # fmt: skip
    return RenderJob(**{**values, **changes})


def a_renderer(folder: Path, project: Project | None = None, **templates: str) -> Renderer:
    """A renderer on a project folder with these templates (`sms__txt="…"`), else the shipped ones."""
    (folder / "templates").mkdir(exist_ok=True)
    texts = {name.replace("__", ".") + ".j2": text for name, text in templates.items()} or {
        path.name: path.read_text() for path in SHIPPED.glob("*.j2")
    }
    for name, text in texts.items():
        (folder / "templates" / name).write_text(text)
    return Renderer(folder, project or a_project())


def words(text: str, **others: str) -> dict[str, dict[str, str]]:
    return {"fr": {"subject": "s", "body": text, "short": text, **others}}


def torture(name: str) -> Any:
    path = SHARED / "torture" / name
    if not path.exists():
        pytest.skip(f"the torture list {name} is not here (../shared/data)")
    return (
        json.loads(path.read_text())
        if path.suffix == ".json"
        else [line for line in path.read_text("utf-8", "replace").splitlines() if line]
    )
