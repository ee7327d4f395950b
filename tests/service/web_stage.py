"""A shop whose messages have left, and the service that people and providers come to afterwards: real store, real tokens, real pages."""

from __future__ import annotations

import asyncio
import atexit
import copy
import hashlib
import hmac
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "campaigns"))

import httpx
import sqlalchemy as sa
import stores
from delivering import Delivery, Recorder
from starlette.testclient import TestClient

from omnicli import clock
from omnicli.model.response import Heard, Incoming, Receipt, Response
from omnicli.render import links
from omnicli.service.web.app import application
from omnicli.service.web.site import Site, open_site
from omnicli.store import tables as tb

SHIPPED = Path(__file__).parent.parent.parent / "templates"
OWN = "https://go.maisonlune.example"
OMNI = """
project: maison-lune
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
public_url: https://omni.maisonlune.example
tracking: {domain: https://go.maisonlune.example, opens: OPENS, utm: {source: maison-lune}}
brand:
  name: Maison Lune
  legal_name: Maison Lune SAS
  address: 12 rue des Tisserands, 69004 Lyon
  privacy: https://www.maisonlune.example/vie-privee
  colours: {primary: "#2b2350", accent: "#d9b26a"}
channels:
  email: {provider: smtp, price: 0.001 EUR}
  sms: {provider: twilio, price: 0.05 EUR}
  qr: {provider: file}
contacts:
  attributes: {first_name: text}
events:
  signup: {form: text}
topics:
  nouveautes: {title: Les nouveautés, description: "Deux lettres par mois : collections et avant-premières."}
  offres: {title: Les offres, description: "Remises et ventes privées."}
  atelier: {title: "La vie de l'atelier"}
guardrails: {quiet_hours: [], cap: {all: 50 per day, email: 50 per day, sms: 50 per day, qr: 50 per day}}
"""
CAMPAIGN = """
campaign: bienvenue
title: Bienvenue
topic: offres
goal: {when: signup, within: 30 days}
enter: {when: signup}
messages:
  offre:
    facts:
      offer: 20 %
      code: BIENVENUE20
      was: 49.90 EUR
      price: 39.92 EUR
      deadline: 26 days after enter
      link: https://www.maisonlune.example/bienvenue?vue=liste#haut
    say:
      fr:
        subject: "{offer} sur votre première bougie"
        headline: Bienvenue dans la lune
        body: "Votre bougie Lune à {price} au lieu de {was}, avec le code {code}, jusqu'au {deadline}."
        short: "{offer} sur votre première bougie avec {code}."
        cta: Je découvre
      en:
        subject: "{offer} off your first candle"
        headline: Welcome to the moon
        body: "Your Lune candle for {price} instead of {was} with code {code}, until {deadline}."
        short: "{offer} off your first candle with {code}."
        cta: Shop now
flow:
  - {send: offre, by: email, id: j0}
  - {send: offre, by: sms, id: j1}
  - {send: offre, by: qr, id: j2}
"""


class Shop(Delivery):
    """`lea` reads French, `emma` English; both were sent the offer by e-mail, text message and card."""

    def __init__(
        self, folder: Path, *, opens: str = "aggregate", omni: str = OMNI, people: Sequence[str] = ("lea", "emma"), **options: Any
    ) -> None:
        templates = {path.name: path.read_text("utf-8") for path in SHIPPED.glob("*.j2")}
        super().__init__(folder, CAMPAIGN, omni=omni.replace("OPENS", opens), templates=templates, file=True, **options)
        for name in people:
            self.person(name, consent=("email", "sms"), first_name=name.title(), language="en" if name == "emma" else "fr")
            self.says(name, "signup")
        self.send("2027-01-04 10:00")

    # --- tokens ---------------------------------------------------------------------------------------------------
    def key(self, who: str, step: str = "j0") -> bytes:
        with self.store.read() as connection:
            query = sa.select(tb.touch.c.touch_key).join(tb.contact, tb.contact.c.id == tb.touch.c.contact_id)
            return bytes(connection.execute(query.where(tb.contact.c.source_id == who, tb.touch.c.step == step)).scalar_one())

    def token(self, purpose: str, who: str = "lea", step: str = "j0", number: int = 0) -> str:
        return links.token(self.renderer.signing, purpose, self.key(who, step), number)

    def path(self, purpose: str, who: str = "lea", step: str = "j0", number: int = 0) -> str:
        return f"/{links.PATHS[purpose]}/{self.token(purpose, who, step, number)}"

    # --- what is known afterwards ---------------------------------------------------------------------------------
    def inbox(self) -> list[dict[str, Any]]:
        """The responses that came in, oldest first; None for what could not be read."""
        i = tb.inbox.c
        with self.store.read() as connection:
            rows = connection.execute(sa.select(i.raw).where(i.provider != "test").order_by(i.received_at, i.provider_event_id))
            return [json.loads(row[0]) if row[0] else {} for row in rows]

    def bars(self) -> list[tuple[str, str, str]]:
        s = tb.suppression.c
        with self.store.read() as connection:
            return sorted(tuple(row) for row in connection.execute(sa.select(s.channel, s.scope, s.reason)))

    def digest(self) -> str:
        """Everything in the store but its clock: equal before and after what must change nothing."""
        return hashlib.sha256("\n".join(stores.dump(self.store)).encode()).hexdigest()


_BUILT: dict[str, tuple[Shop, stores.Kept]] = {}


def a_shop(folder: Path, **options: Any) -> Shop:
    """A shop like every other with these options, in a folder of its own: built once, copied afterwards."""
    known = json.dumps(options, sort_keys=True)
    if known not in _BUILT:
        built = Shop(Path(tempfile.mkdtemp(prefix="omni-shop-")), **options)
        _BUILT[known] = built, stores.keep(built.store)
        atexit.register(shutil.rmtree, built.folder, ignore_errors=True)
    shop, kept = _BUILT[known]
    found = copy.copy(shop)
    found.store, found.provider = stores.again(kept, folder), Recorder()
    return found


def ask_all(site: Site, asked: Sequence[tuple[str, str, Mapping[str, str]]]) -> list[httpx.Response]:
    """The answers to many requests (method, path, headers), one after the other on one loop."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application(site), client=("198.51.100.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return [await client.request(method, path, headers=dict(headers)) for method, path, headers in asked]

    return asyncio.run(ask())


@dataclass
class Signed:
    """A provider's way back that is as simple as it can be: JSON, signed with HMAC in one header."""

    key: bytes = b"a key of the test"
    name: str = "signed"
    paths: tuple[str, ...] = ("/webhooks/sendgrid",)
    heard: list[Incoming] = field(default_factory=list)
    touch: str | None = None
    named: str = "delivered"

    def sign(self, body: bytes) -> Mapping[str, str]:
        return {"x-signature": hmac.new(self.key, body, hashlib.sha256).hexdigest()}

    def hear(self, path: str, incoming: Incoming, *, now: datetime) -> Heard:
        self.heard.append(incoming)
        if not hmac.compare_digest(incoming.headers.get("x-signature", ""), self.sign(incoming.body)["x-signature"]):
            return Heard(403, why="forged")
        try:
            elements = json.loads(incoming.body)
            assert isinstance(elements, list)
        except (ValueError, AssertionError, RecursionError):
            return Heard(200, [self.receipt(incoming.body, None, now)])
        return Heard(200, [self.receipt(json.dumps(e).encode(), e, now) for e in elements], b"<Response/>", "text/xml")

    def receipt(self, raw: bytes, element: Any, now: datetime) -> Receipt:
        key = hashlib.sha256(raw).digest()[:16]
        known = element if isinstance(element, dict) and isinstance(element.get("id"), str) else None
        response = None
        if known is not None:
            response = Response(known["id"], "", self.named, now, source=self.name, channel="email", touch=known.get("touch", self.touch),
                                payload={k: v for k, v in known.items() if k in ("link", "topic")})  # fmt: skip
        return Receipt(self.name, key, raw, response, known["id"] if known else None, None if known else "not an event")


@contextmanager
def serving(shop: Shop, *hearings: Any) -> Iterator[tuple[TestClient, Site]]:
    """The service of this shop, without a socket."""
    found = {path: hearing for hearing in hearings for path in hearing.paths}
    site = open_site(shop.store, shop.loaded, live=False, hearings=found)
    site.present = lambda: shop.now
    with TestClient(application(site), base_url="http://testserver", follow_redirects=False) as client:
        client.headers["user-agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605.1.15"
        yield client, site


def ms(when: datetime) -> int:
    return clock.to_ms(when)
