"""What a person wants to receive, chosen by that person: leaving a topic, coming back to it, leaving everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from omnicli import guards
from omnicli.model.contact import ChannelReach
from omnicli.model.project import EVERYTHING
from omnicli.people.rejoin import agree, rejoin
from omnicli.service.web.answers import missing, sorry
from omnicli.service.web.body import read_form
from omnicli.service.web.intake import NotStored, Overloaded
from omnicli.service.web.leaving import who
from omnicli.service.web.paper import Paper, spoken
from omnicli.service.web.said import leaving
from omnicli.service.web.site import BUSY, Site
from omnicli.store import readers
from omnicli.store.readers import Named

#: The one choice of a project without topics: all marketing on the channel.
ALL = "all"
_UNDONE = {
    "complained": ("You reported a message as unwanted, so nothing more is sent here. Write to us if that was a mistake.",
                   "Vous avez signalé un message comme indésirable : plus rien n’est envoyé ici. Écrivez-nous si c’était une erreur."),
    "stop": ("You answered STOP. Answer START to the same number to come back.",
             "Vous avez répondu STOP. Répondez START au même numéro pour revenir."),
    "": ("Nothing can be sent to this address at the moment.", "Rien ne peut être envoyé à cette adresse pour le moment."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the page: a topic, or all; `on` when the person receives it."""

    name: str
    title: str
    description: str | None
    on: bool


async def preferences(request: Request) -> Response:
    """GET, HEAD and POST /p/TOKEN."""
    site: Site = request.app.state.site
    text = request.path_params["token"]
    found = await run_in_threadpool(site.opened, text, "preferences")
    if found is None:
        return missing(request)
    touch, said = found[0], ""
    if request.method == "POST" or not guards.on("post_only"):
        form = await read_form(request)
        try:
            said = await _change(site, touch, form)
        except (NotStored, Overloaded):
            return sorry(request, 503, touch.language)
        again = await run_in_threadpool(site.opened, text, "preferences")
        touch = again[0] if again is not None else touch
    return await run_in_threadpool(_show, request, site, touch, said)


def _show(request: Request, site: Site, touch: Named, said: str) -> Response:
    paper: Paper = request.app.state.paper
    now = site.now()
    opens = None
    if site.project.tracking.opens == "consented" and touch.channel == "email":
        with site.store.read() as connection:
            opens = touch.contact_id in readers.agreed(connection, [touch.contact_id])
    choices = choices_of(site, touch, now)
    gone = not any(choice.on for choice in choices) and all(
        r.barred(now) or r.bad for r in touch.reach.values() if r.address and r.granted is not False
    )
    return paper.page("preferences", touch.language, saved=said, channel=touch.channel, who=who(site, touch), choices=choices,
                      barred=_barred(touch, now), opens=opens, gone=gone, action=request.url.path)  # fmt: skip


def choices_of(site: Site, touch: Named, now: datetime) -> list[Choice]:
    """The topics of the project on this message's channel, and which of them the person receives."""
    reach = touch.reach.get(touch.channel, ChannelReach())
    barred = reach.barred(now) is not None or reach.bad is not None or reach.granted is False
    if not site.project.topics:
        title = spoken(touch.language, "Offers and news", "Offres et nouvelles")
        return [Choice(ALL, title, None, not barred)]
    return [
        Choice(name, topic.title, topic.description, not barred and not reach.without(name, now))
        for name, topic in site.project.topics.items()
    ]


def _barred(touch: Named, now: datetime) -> str | None:
    """Why the person cannot come back by a page; None when a page suffices."""
    reach = touch.reach.get(touch.channel, ChannelReach())
    why = reach.bad or reach.barred(now)
    if why is None or (why == "unsubscribed" and not reach.bad):
        return None
    return spoken(touch.language, *_UNDONE.get(why, _UNDONE[""]))


async def _change(site: Site, touch: Named, form: dict[str, list[str]]) -> str:
    """Do what the form says; what to tell the person."""
    now = site.now()
    if form.get("do") == ["everything"]:
        await site.keep([leaving(touch, site, now=now, topic=EVERYTHING)])
        return spoken(touch.language, "Nothing more is sent to you.", "Plus rien ne vous sera envoyé.")
    if form.get("do") != ["save"] or _barred(touch, now) is not None:
        return ""
    wanted = set(form.get("topic", ()))
    choices = choices_of(site, touch, now)
    gone = [c.name for c in choices if c.on and c.name not in wanted]
    back = [c.name for c in choices if not c.on and c.name in wanted]
    if gone:
        await site.keep([leaving(touch, site, now=now, topic=None if name == ALL else name, by="preferences") for name in gone])
    if back:
        away = [c.name for c in choices if c.name not in wanted]
        proof = f"/p, {touch.language}: " + ", ".join(c.title for c in choices if c.name in back)
        await site.act(lambda: rejoin(site.store, touch.contact_id, touch.channel, back=[n for n in back if n != ALL],
                                      away=[n for n in away if n != ALL], now=now, proof=proof, wait=BUSY))  # fmt: skip
    await _opens(site, touch, form, now)
    return spoken(touch.language, "It takes effect at once.", "C’est immédiat.")


async def _opens(site: Site, touch: Named, form: dict[str, list[str]], now: datetime) -> None:
    """Whether openings may be noted, where the page asked."""
    if site.project.tracking.opens != "consented" or touch.channel != "email":
        return
    yes = form.get("opens") == ["yes"]
    with site.store.read() as connection:
        before = touch.contact_id in readers.agreed(connection, [touch.contact_id])
    if yes != before:
        await site.act(lambda: agree(site.store, touch.contact_id, touch.channel, readers.OPENS, yes, now=now,
                                     proof=f"/p, {touch.language}", wait=BUSY))  # fmt: skip
