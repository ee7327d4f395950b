"""GET /w/TOKEN prints the archived message again: its bytes, but for what would follow the reader; it changes nothing."""

from __future__ import annotations

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from omnicli.render.links import open_token
from omnicli.render.skeleton import escape, restore, targets
from omnicli.service.web.answers import missing
from omnicli.service.web.paper import Paper, spoken
from omnicli.service.web.site import Site
from omnicli.store import readers
from omnicli.store.readers import Named

#: A message may show pictures and wear its own styles; it runs nothing, posts nothing and is framed by nobody.
POLICY = "default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; font-src https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HTML = ("html", "card")


async def web_version(request: Request) -> Response:
    """The message of this token, without its tracking."""
    site: Site = request.app.state.site
    return await run_in_threadpool(_print, request, site)


def _print(request: Request, site: Site) -> Response:
    found = site.opened(request.path_params["token"], "web_version")
    if found is None:
        return missing(request)
    touch = found[0]
    with site.store.read() as connection:
        kept = readers.archived(connection, touch.id)
    if kept is None:
        return missing(request)
    parts, lead = dict(restore(*kept)), targets(*kept)
    for name in _HTML:
        if name in parts:
            return HTMLResponse(untracked(parts[name], site, lead, html=True), headers={"Content-Security-Policy": POLICY})
    return _as_text(request, site, touch, parts, lead)


def _as_text(request: Request, site: Site, touch: Named, parts: dict[str, str], lead: tuple[str, ...]) -> Response:
    paper: Paper = request.app.state.paper
    texts = [text for name, text in parts.items() if name not in ("subject", "title")]
    title = parts.get("title") or parts.get("subject") or spoken(touch.language, "Your message", "Votre message")
    return paper.page("version", touch.language, title=title, text=untracked("\n\n".join(texts), site, lead, html=False))


def untracked(text: str, site: Site, lead: tuple[str, ...], *, html: bool) -> str:
    """The text with each tracked address replaced by where it leads, and without the picture that tells of an opening."""
    if site.own is None:
        return text
    own = re.escape(escape(site.own) if html else site.own)
    if html:
        text = re.sub(rf"[ \t]*<img\b[^>]*\bsrc=[\"']{own}/o/[^>]*>\n?", "", text)

    def bare(link: re.Match[str]) -> str:
        found = open_token(link[1], "click", site.verifying)
        if found is None or found.number >= len(lead):
            return link[0]
        return escape(lead[found.number]) if html else lead[found.number]

    return re.sub(rf"{own}/c/([A-Za-z0-9_-]{{24}})", bare, text)
