"""How the service is: /health for whoever balances load, /metrics for whoever watches, from this machine or with the token."""

from __future__ import annotations

import hmac
import os

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from omnicli import __version__
from omnicli.service.web.answers import missing
from omnicli.service.web.site import Site

#: The environment variable with the token of /metrics; with it, being on this machine does not suffice any more.
TOKEN = "OMNI_METRICS_TOKEN"
_HERE = ("127.0.0.1", "::1", "localhost", "testclient")
#: What this machine calls itself. Another name comes by a proxy, or by a page that names itself after this machine (DNS rebinding).
_CALLED = ("127.0.0.1", "::1", "localhost", "testserver")
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via", "cf-connecting-ip")


async def health(request: Request) -> Response:
    """200 when the store can be read and the disk has room, else 503; never a word about what is in it."""
    site: Site = request.app.state.site
    well = site.full() is None and await run_in_threadpool(_readable, site)
    return JSONResponse({"status": "ok" if well else "unwell"}, 200 if well else 503)


def _readable(site: Site) -> bool:
    try:
        with site.store.read() as connection:
            connection.exec_driver_sql("SELECT 1 FROM instance").first()
    except Exception:
        return False
    return site.store.there()


async def metrics(request: Request) -> Response:
    """Prometheus text. To everybody else this path does not exist (S30)."""
    site: Site = request.app.state.site
    return PlainTextResponse(_text(site), media_type="text/plain; version=0.0.4") if _may(request) else missing(request)


def _may(request: Request) -> bool:
    token = os.environ.get(TOKEN)
    if token:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.encode())
    here = request.client is not None and request.client.host in _HERE and request.url.hostname in _CALLED
    return here and not any(name in request.headers for name in _PASSED_ON)


def _text(site: Site) -> str:
    c = site.intake.counts
    lines = [
        "# TYPE omni_serve_info gauge", f'omni_serve_info{{version="{__version__}",environment="{"live" if site.live else "sandbox"}"}} 1',
        "# HELP omni_serve_answers_total Requests by route and status.", "# TYPE omni_serve_answers_total counter",
        *(f'omni_serve_answers_total{{route="{route}",status="{status}"}} {n}' for (route, status), n in sorted(site.answers.items())),
        "# HELP omni_serve_receipts_total Elements of webhooks and pages, as they were taken.", "# TYPE omni_serve_receipts_total counter",
        *(f'omni_serve_receipts_total{{kind="{kind}"}} {n}' for kind, n in (("new", c.new), ("repeated", c.repeated), ("unreadable", c.unreadable))),
        "# TYPE omni_serve_opted_out_total counter", f"omni_serve_opted_out_total {c.opted_out}",
        "# TYPE omni_serve_commits_total counter", f"omni_serve_commits_total {c.commits}",
        "# HELP omni_serve_turned_away_total Requests answered 503: too much waiting, no room, or not stored.",
        "# TYPE omni_serve_turned_away_total counter", f"omni_serve_turned_away_total {c.refused + c.failed}",
        "# TYPE omni_serve_waiting gauge", f"omni_serve_waiting {site.intake.waiting()}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
