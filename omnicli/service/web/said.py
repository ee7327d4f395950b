"""What people do on the public pages, as responses: a click, a scan, an opening, a leaving; each with what a later verdict needs."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request

from omnicli import clock
from omnicli.model.response import Receipt, Response
from omnicli.service.web.site import Site
from omnicli.store.inbox import dedup_key
from omnicli.store.readers import Named

SOURCE = "web"
#: Agents that say themselves that nobody reads: programs, previews, scanners, image proxies (measurement 2).
_PROGRAMS = re.compile(
    r"bot\b|bot/|crawl|spider|preview|scan|proxy|prefetch|monitor|curl/|wget/|python-|java/|go-http|okhttp|libwww|axios|headless"
    r"|barracuda|mimecast|proofpoint|facebookexternalhit|whatsapp/|slack|skypeuri|bingpreview|googleimageproxy|yahoomailproxy", re.IGNORECASE,
)  # fmt: skip


def receipt(
    name: str, touch: Named, request: Request, site: Site, *, now: datetime, number: int = 0, id: str | None = None, **payload: Any,
) -> Receipt:  # fmt: skip
    """A click, scan or opening of this touch's link `number`. `id` None: the same by one device within a second is one."""
    device = _device(request, site)
    known = id or f"{name}:{touch.touch}:{number}:{device}:{clock.to_ms(now) // 1000}"
    said = {**payload, "agent": _agent(request), "device": device}
    response = Response(known, "", name, now, source=SOURCE, channel=touch.channel, touch=touch.touch, machine=by_machine(request),
                        payload={key: value for key, value in said.items() if value})  # fmt: skip
    return Receipt(SOURCE, dedup_key(SOURCE, known), b"", response, known)


def leaving(touch: Named, site: Site, *, now: datetime, topic: str | None = None, by: str = "button") -> Receipt:
    """The person leaves what this message belongs to; with `topic` that topic, or everything everywhere."""
    known = f"unsubscribed:{touch.touch}:{topic or ''}:{clock.to_ms(now)}:{site.intake.serial()}"
    payload: Mapping[str, Any] = {"by": by, **({"topic": topic} if topic else {})}
    everywhere = topic == "everything"
    response = Response(known, "", "unsubscribed", now, source=SOURCE, channel=None if everywhere else touch.channel, touch=touch.touch,
                        payload=payload)  # fmt: skip
    return Receipt(SOURCE, dedup_key(SOURCE, known), b"", response, known)


def by_machine(request: Request) -> bool:
    """Whether the request says itself that no person made it; everything doubtful is judged later, by measurement."""
    if request.method == "HEAD":
        return True
    asked = " ".join(request.headers.get(name, "") for name in ("purpose", "sec-purpose", "x-purpose", "x-moz")).lower()
    agent = request.headers.get("user-agent", "")
    return "prefetch" in asked or "preview" in asked or not agent or _PROGRAMS.search(agent) is not None


def _agent(request: Request) -> str:
    return "".join(letter for letter in request.headers.get("user-agent", "")[:200] if letter.isprintable())


def _device(request: Request, site: Site) -> str:
    """What tells two devices apart and names neither: a keyed hash of agent and network."""
    client = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    network = _network(forwarded or client)
    text = f"{network}\x1f{request.headers.get('user-agent', '')}".encode("utf-8", "replace")
    return hmac.new(site.signing.key, b"omni device\x1f" + text, hashlib.sha256).hexdigest()[:12]


def _network(address: str) -> str:
    return address.rpartition(".")[0] if "." in address else ":".join(address.split(":")[:3])
