"""Every route of `omni serve`, and nothing besides: what is not listed here does not exist."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from omnicli import guards
from omnicli.service.web import answers, click, landing, leaving, metrics, preferences, version, webhooks
from omnicli.service.web.body import Scales
from omnicli.service.web.intake import of_the_store
from omnicli.service.web.paper import Paper
from omnicli.service.web.site import Site

log = logging.getLogger("omni.serve")

#: What every answer carries; a page sets its own policy of contents.
HEADERS = (
    (b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"), (b"referrer-policy", b"no-referrer"), (b"cache-control", b"no-store"),
    (b"x-robots-tag", b"noindex, nofollow"), (b"strict-transport-security", b"max-age=31536000"), (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"cross-origin"), (b"permissions-policy", b"geolocation=(), camera=(), microphone=()"),
)  # fmt: skip
_NOTHING = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


async def robots(request: Request) -> Response:
    """Nothing here is for search engines."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


ROUTES = (
    *(Route(path, webhooks.webhook, methods=["POST"]) for path in webhooks.PATHS),
    Route("/c/{token}", click.click, methods=["GET"]), Route("/o/{token}", click.opening, methods=["GET"]),
    Route("/u/{token}", leaving.unsubscribe, methods=["GET", "POST"]), Route("/p/{token}", preferences.preferences, methods=["GET", "POST"]),
    Route("/q/{token}", landing.scan, methods=["GET"]), Route("/w/{token}", version.web_version, methods=["GET"]),
    Route("/health", metrics.health, methods=["GET"]), Route("/metrics", metrics.metrics, methods=["GET"]),
    Route("/robots.txt", robots, methods=["GET"]),
)  # fmt: skip


def application(site: Site) -> Starlette:
    """The ASGI application of a site. Closing the site stops its writer when the application's lifespan ends."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        site.close()

    extra = [Route(path, webhooks.webhook, methods=["POST"]) for path in site.hearings if path not in webhooks.PATHS]
    app = Starlette(
        routes=[*ROUTES, *extra], lifespan=lifespan, middleware=[Middleware(Marked, site=site)],
        exception_handlers={HTTPException: answers.told},
    )  # fmt: skip
    # a redirect would build an address from what the request calls this host
    app.router.redirect_slashes = not guards.on("no_page_redirect")
    app.state.site, app.state.scales = site, Scales()
    app.state.paper = Paper(site.project, site.loaded.root)
    return app


class Marked:
    """Puts the headers on every answer and counts it by its route, never by its address: that names a person. A fault is answered
    503 when it is the store's, else 500, and logged by its kind and place alone."""

    def __init__(self, app: Any, site: Site) -> None:
        self.app, self.site = app, site

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        begun = False

        async def marked(message: Any) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = message["headers"]
                present = {name for name, _ in headers}
                headers.extend(header for header in HEADERS if header[0] not in present)
                if _NOTHING[0] not in present:
                    headers.append(_NOTHING)
                self.site.answers[(route_of(scope["path"]), message["status"])] += 1
            await send(message)

        try:
            await self.app(scope, receive, marked)
        except Exception as error:
            log.error("%s in %s", type(error).__name__, _where(error))  # its message may quote a person
            if not begun:
                await answers.sorry(Request(scope), 503 if of_the_store(error) else 500)(scope, receive, marked)


def _where(error: BaseException) -> str:
    """File and line of a fault, and nothing of what was being done."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def route_of(path: str) -> str:
    """`/u/…` for `/u/aBc…`: one of a closed list of names."""
    if path in webhooks.PATHS or path in ("/health", "/metrics", "/robots.txt"):
        return path
    head = path[:3]
    return f"{head}…" if head in ("/c/", "/o/", "/u/", "/p/", "/q/", "/w/") else "other"
