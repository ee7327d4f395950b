"""POST /webhooks/…: size, signature over the raw bytes, parse, T4, and only then 2xx (docs/delivery 15)."""

from __future__ import annotations

import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from omnicli import guards
from omnicli.model.response import Heard, Incoming
from omnicli.service.web.body import MAIL, WEBHOOK
from omnicli.service.web.intake import NotStored, Overloaded
from omnicli.service.web.site import Site

log = logging.getLogger("omni.serve")

#: Where providers post, whether they are configured or not: an unconfigured one is answered 503, and repeats.
PATHS = ("/webhooks/sendgrid", "/webhooks/sendgrid/inbound", "/webhooks/twilio/status", "/webhooks/twilio/inbound")
#: Where whole mails are posted: turned away for their size they would be lost at once.
MAILS = ("/webhooks/sendgrid/inbound",)
#: Bodies above this are understood in another thread, so that nobody else waits for them.
LARGE = 65_536
#: When a provider that was turned away may come again, in seconds.
AGAIN = "5"


async def webhook(request: Request) -> Response:
    """One post of a provider; 2xx means that everything in it is on disk."""
    site: Site = request.app.state.site
    path: str = request.scope["path"]
    hearing = site.hearings.get(path)
    if hearing is None or site.public_url is None:
        return refused(503, "nothing is configured here")
    async with request.app.state.scales.weighing(request, MAIL if path in MAILS else WEBHOOK) as body:
        incoming = Incoming(request.method, _signed_url(request, site.public_url), _headers(request), body)
        if len(body) > LARGE:
            heard = await run_in_threadpool(hearing.hear, path, incoming, now=site.now())
        else:
            heard = hearing.hear(path, incoming, now=site.now())
        return await _answer(site, hearing.name, heard)


async def _answer(site: Site, name: str, heard: Heard) -> Response:
    if not 200 <= heard.status < 300:
        log.warning("%s: %s %s", name, heard.status, heard.why)
        return refused(heard.status, heard.why)
    if heard.receipts:
        try:
            await site.keep(heard.receipts)
        except (NotStored, Overloaded):
            if guards.on("stored_before_2xx"):
                return refused(503, "come again")
    return Response(heard.body, heard.status, media_type=heard.media_type)


def refused(status: int, why: str) -> Response:
    return Response(why + "\n", status, {"Retry-After": AGAIN} if status == 503 else None, "text/plain")


def _signed_url(request: Request, public_url: str) -> str:
    """The address as the provider signed it: the public one, with path and query as they came."""
    path = request.scope.get("raw_path", b"").decode("ascii", "replace")
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{public_url}{path}?{query}" if query else f"{public_url}{path}"


def _headers(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
