"""GET /q/TOKEN: somebody holds a phone over the paper. The scan is noted, the first apart from the others, and the phone goes where
the code points, or stays on a page with what was promised."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from omnicli.channels import MEDIA
from omnicli.model.campaign import Campaign
from omnicli.render import forms
from omnicli.render.renderer import look_up
from omnicli.render.words import Placeholder, WordsError, parse_words
from omnicli.service.web.answers import missing
from omnicli.service.web.click import is_web, redirect, target_of
from omnicli.service.web.intake import NotStored, Overloaded
from omnicli.service.web.paper import Paper, spoken
from omnicli.service.web.said import SOURCE, by_machine, receipt
from omnicli.service.web.site import Site
from omnicli.store import readers
from omnicli.store.inbox import dedup_key
from omnicli.store.readers import Named

_SHOWN = ("offer", "code", "deadline", "price", "was")


async def scan(request: Request) -> Response:
    """302 to the fact's address, else the landing page."""
    site: Site = request.app.state.site
    found = await run_in_threadpool(site.opened, request.path_params["token"], "scan")
    if found is None:
        return missing(request)
    touch, number = found
    target = await run_in_threadpool(target_of, site, touch, number)
    with suppress(NotStored, Overloaded):
        await _note(request, site, touch, number, target)
    return redirect(target) if target is not None else await run_in_threadpool(_page, request, site, touch)


async def _note(request: Request, site: Site, touch: Named, number: int, target: str | None) -> None:
    """The first scan has an id that no other can have; every later one says that it came later (rules QR-03)."""
    first = f"scanned:{touch.touch}"
    with site.store.read() as connection:
        again = readers.came(connection, SOURCE, dedup_key(SOURCE, first))
    by = None if again or by_machine(request) else first
    await site.keep(
        [
            receipt(
                "scanned",
                touch,
                request,
                site,
                now=site.now(),
                number=number,
                id=by,
                link=target,
                first="no" if by is None else "yes",
            )
        ]
    )


def _page(request: Request, site: Site, touch: Named) -> Response:
    paper: Paper = request.app.state.paper
    tree = site.tree(touch.version_id)
    facts = _facts(site, touch)
    words = _words(tree, touch, facts)
    link = touch.facts.get("link", ("", None))[1]
    shown: dict[str, Any] = {name: facts.get(name) for name in _SHOWN}
    title = words.get("headline") or words.get("short") or spoken(touch.language, "For you", "Pour vous")
    cta = words.get("cta") or spoken(touch.language, "Go to the shop", "Voir la boutique")
    there = link if link and is_web(link) else None
    return paper.page("landing", touch.language, title=title, body=words.get("body"), link=there, cta=cta, **shown)


def _facts(site: Site, touch: Named) -> dict[str, str]:
    """What this person was told, as a page prints it."""
    locale = forms.locale_of(touch.language, tuple(site.project.countries))
    found: dict[str, str] = {}
    for name, (kind, value) in touch.facts.items():
        with suppress(forms.CannotShow, ValueError, ArithmeticError, KeyError):
            if value is not None:
                found[name] = forms.show(kind, value, "", locale=locale, medium=MEDIA["email"], places=site.project.places)
    return found


def _words(tree: Campaign, touch: Named, facts: dict[str, str]) -> dict[str, str]:
    """The slots of the message that say nothing but facts: a page has no name to greet."""
    message: Any = tree.messages.get(touch.message)
    if message is None:
        return {}
    found: dict[str, str] = {}
    for slot, text in look_up(message, touch.language, None).items():
        with suppress(WordsError, KeyError):
            pieces = parse_words(text)
            found[slot] = "".join(_filled(piece, facts) if isinstance(piece, Placeholder) else piece for piece in pieces)
    return found


def _filled(piece: Placeholder, facts: dict[str, str]) -> str:
    if piece.plurals or piece.form:
        raise KeyError(piece.name)
    return facts[piece.name]
