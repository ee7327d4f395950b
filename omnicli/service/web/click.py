"""A click goes where the archived message said, and nowhere else; it is noted on the way, and never decides anything by itself.

The target comes from the store and from nothing in the request. What cannot be noted in time is not withheld from the reader.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from omnicli import guards
from omnicli.render.links import LANDING
from omnicli.render.skeleton import targets
from omnicli.service.web.answers import missing
from omnicli.service.web.intake import NotStored, Overloaded
from omnicli.service.web.said import receipt
from omnicli.service.web.site import Site
from omnicli.store import readers
from omnicli.store.readers import Named

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_KEPT = ":/%#?=@[]!$&'()*+,;~"


async def click(request: Request) -> Response:
    """GET and HEAD /c/TOKEN: 302 to the stored target."""
    site: Site = request.app.state.site
    found = await run_in_threadpool(_found, site, request.path_params["token"])
    if found is None:
        return missing(request)
    touch, number, target = found
    with suppress(NotStored, Overloaded):
        await site.keep([receipt("clicked", touch, request, site, now=site.now(), number=number, link=target)])
    return redirect(target)


def _found(site: Site, text: str) -> tuple[Named, int, str] | None:
    found = site.opened(text, "click")
    if found is None:
        return None
    target = target_of(site, *found)
    return (*found, target) if target is not None else None


def target_of(site: Site, touch: Named, number: int) -> str | None:
    """Where this link of the message leads, as it was sent; None when the message is no longer kept, or it is no web address."""
    if number == LANDING:
        return None
    with site.store.read() as connection:
        kept = readers.archived(connection, touch.id)
    found = targets(*kept) if kept is not None else ()
    return found[number] if number < len(found) and is_web(found[number]) else None


def is_web(address: str) -> bool:
    """http or https with a host, and no character that could end a header line or a host early."""
    if not guards.on("web_targets"):
        return True
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and address.isprintable() and "\\" not in address
    except ValueError:
        return False


def redirect(target: str) -> Response:
    return RedirectResponse(quote(target, safe=_KEPT), 302)


async def opening(request: Request) -> Response:
    """GET /o/TOKEN: one transparent point. Noted by person only for whoever agreed, else summed, else not noted at all; a bad
    token gets the same picture."""
    site: Site = request.app.state.site
    with suppress(NotStored, Overloaded):
        await _note(site, request)
    return Response(_PIXEL, media_type="image/gif")


async def _note(site: Site, request: Request) -> None:
    how, text, now = site.project.tracking.opens, request.path_params["token"], site.now()
    if how == "aggregate" and (key := site.summed(text)) is not None and request.method == "GET":
        await site.count_opening(key.hex(), now.date().isoformat())
    elif how == "consented" and (found := await run_in_threadpool(site.opened, text, "open")) is not None:
        touch = found[0]
        with site.store.read() as connection:
            agreed = touch.contact_id in readers.agreed(connection, [touch.contact_id])
        if agreed:
            await site.keep([receipt("opened", touch, request, site, now=now)])
