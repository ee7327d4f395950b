"""Two addresses: the page, and whether it is still the newest. An error in a file is shown on the page and never ends the service."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from omnicli.campaigns.preview.page import Preview, page, whole
from omnicli.errors import OmniError
from omnicli.service.preview.watch import fingerprint
from omnicli.texts import t

#: Seconds that a question for changes is kept open, and between two looks at the files.
PATIENCE, LOOK = 20.0, 0.3
#: A page may only be asked for by its own name: no other site can read it through a name that it points here.
HOSTS = ["127.0.0.1", "localhost"]
#: Asks until something has changed, then loads again; the switches and the place on the page are kept.
RELOAD = """
const kept = 'omni-preview', boxes = () => [...document.querySelectorAll('input')];
try { const was = JSON.parse(sessionStorage.getItem(kept) || 'null');
  if (was) { for (const e of boxes()) if (e.id) e.checked = was.on.includes(e.id); scrollTo(0, was.y) } } catch (e) {}
const keep = () => sessionStorage.setItem(kept, JSON.stringify({ on: boxes().filter(e => e.checked && e.id).map(e => e.id), y: scrollY }));
const ask = async () => { for (;;) { try {
  const answer = await fetch('/changed?since=SINCE', { cache: 'no-store' });
  if (answer.ok && await answer.text() !== 'SINCE') { keep(); location.reload(); return }
} catch (e) { await new Promise(done => setTimeout(done, 1000)) } } };
ask();
"""


class Desk:
    """The newest page, drawn once for each state of the files."""

    def __init__(self, root: Path, draw: Callable[[], Preview]) -> None:
        self.root, self.draw = root, draw
        self._lock = threading.Lock()
        self._known: tuple[str, str] = ("", "")

    def html(self) -> str:
        """The page of the files as they are now."""
        with self._lock:
            state = fingerprint(self.root)
            if self._known[0] != state:
                self._known = state, self._drawn(RELOAD.replace("SINCE", state))
            return self._known[1]

    def _drawn(self, script: str) -> str:
        try:
            return page(self.draw(), script=script)
        except OmniError as error:
            return _trouble(error.message, error.hint, script)
        except Exception as error:  # a page being edited must come back by itself, whatever it was
            return _trouble(
                f"{type(error).__name__}: {error}",
                t("mend it and save: the page follows", "corrigez et enregistrez : la page suit"),
                script,
            )


def _trouble(what: str, hint: str, script: str) -> str:
    title = t("This cannot be shown yet", "Ceci ne peut pas encore être montré")
    body = (
        f'<header class="top"><p class="eyebrow"><b>{escape(t("Preview", "Aperçu"))}</b></p><h1>{escape(title)}</h1>'
        f'<ul class="findings"><li class="error"><span>{escape(what)}</span><small>{escape(hint)}</small></li></ul></header>'
    )
    return whole(title, body, script=script)


def application(root: Path, draw: Callable[[], Preview]) -> Starlette:
    """The ASGI application: `draw` reads the project anew and gathers the page; OmniError becomes a page that says so."""
    desk = Desk(root, draw)

    async def shown(request: Request) -> Response:
        return HTMLResponse(await asyncio.to_thread(desk.html), headers={"cache-control": "no-store"})

    async def changed(request: Request) -> Response:
        """The state of the files, as soon as it is another than `since`; after a while in any case."""
        since = request.query_params.get("since", "")
        for _ in range(round(PATIENCE / LOOK)):
            now = fingerprint(root)
            if now != since or await request.is_disconnected():
                return PlainTextResponse(now)
            await asyncio.sleep(LOOK)
        return PlainTextResponse(since)

    routes = [Route("/", shown, methods=["GET"]), Route("/changed", changed, methods=["GET"])]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)])
