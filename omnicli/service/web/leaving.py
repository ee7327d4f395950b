"""Unsubscribing: GET shows and changes nothing, whoever calls; POST acts at once and as often as it is sent (RFC 8058)."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from omnicli import guards
from omnicli.engine.house import topic_of
from omnicli.model.project import EVERYTHING
from omnicli.service.web.answers import missing, sorry
from omnicli.service.web.body import read_form
from omnicli.service.web.intake import NotStored, Overloaded
from omnicli.service.web.paper import Paper
from omnicli.service.web.said import leaving
from omnicli.service.web.site import Site
from omnicli.store import readers
from omnicli.store.readers import Named
from omnicli.text import mask

#: Media whose addresses a person knows by heart.
_SHOWN = ("email", "sms", "whatsapp", "voice")


async def unsubscribe(request: Request) -> Response:
    """GET, HEAD and POST /u/TOKEN."""
    site: Site = request.app.state.site
    found = await run_in_threadpool(site.opened, request.path_params["token"], "unsubscribe")
    if found is None:
        return missing(request)
    if request.method == "POST" or not guards.on("post_only"):
        return await _leave(request, site, found[0])
    return await run_in_threadpool(_show, request, site, found[0])


def _show(request: Request, site: Site, touch: Named) -> Response:
    paper: Paper = request.app.state.paper
    return paper.page("unsubscribe", touch.language, topic=title(site, topic(site, touch)), channel=touch.channel, who=who(site, touch),
                      action=request.url.path, preferences=site.address("preferences", touch))  # fmt: skip


async def _leave(request: Request, site: Site, touch: Named) -> Response:
    form = await read_form(request)
    everything = form.get("scope") == [EVERYTHING]
    by = "one-click" if "List-Unsubscribe" in form else "button"
    try:
        await site.keep([leaving(touch, site, now=site.now(), topic=EVERYTHING if everything else None, by=by)])
    except (NotStored, Overloaded):
        return sorry(request, 503, touch.language)
    paper: Paper = request.app.state.paper
    named = await run_in_threadpool(topic, site, touch)
    return paper.page("left", touch.language, everything=everything, topic=title(site, named), channel=touch.channel,
                      action=request.url.path, preferences=site.address("preferences", touch))  # fmt: skip


def topic(site: Site, touch: Named) -> str | None:
    """The topic that whoever leaves by this message leaves; None: all marketing on its channel."""
    found = topic_of(site.tree(touch.version_id))
    return found if found in site.project.topics else None


def title(site: Site, name: str | None) -> str | None:
    return site.project.topics[name].title if name is not None else None


def who(site: Site, touch: Named) -> str | None:
    """The address that it is about, so that its owner knows it again and nobody else learns it."""
    if touch.channel not in _SHOWN:
        return None
    with site.store.read() as connection:
        address = readers.address(connection, touch.contact_id, touch.channel)
    return mask(address) if address else None
