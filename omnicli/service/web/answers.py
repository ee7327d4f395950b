"""Answers that look the same whatever went wrong: nobody learns from them whether a token was guessed, altered or forgotten."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

#: Title and text of a failure: English, French.
_SAID = {
    404: (("This page does not exist", "The address is incomplete, or no longer valid. Open it again from your message."),
          ("Cette page n’existe pas", "L’adresse est incomplète, ou n’est plus valable. Rouvrez-la depuis votre message.")),
    503: (("One moment, please", "We could not note it just now. Please try again in a few seconds."),
          ("Un instant, s’il vous plaît", "Nous n’avons pas pu l’enregistrer à l’instant. Réessayez dans quelques secondes.")),
    500: (("Something went wrong", "It is our fault, and it is noted. Please try again later."),
          ("Quelque chose s’est mal passé", "C’est de notre faute, et c’est noté. Réessayez plus tard.")),
}  # fmt: skip


def missing(request: Request) -> Response:
    """The one answer to every token that opens nothing."""
    return sorry(request, 404)


def sorry(request: Request, status: int, language: str | None = None) -> Response:
    """A failure as a page."""
    paper = request.app.state.paper
    spoken = language or _asked(request) or paper.language
    title, text = _SAID[status][1 if spoken.startswith("fr") else 0]
    page: Response = paper.page("sorry", spoken, status=status, title=title, text=text)
    if status == 503:
        page.headers["Retry-After"] = "5"
    return page


def _asked(request: Request) -> str | None:
    """What the browser would rather read, where it is one of ours."""
    first = request.headers.get("accept-language", "")[:2].lower()
    return first if first in ("fr", "en") else None


async def told(request: Request, error: Exception) -> Response:
    """What Starlette found wrong: an unknown path as the page, everything else in a word."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return missing(request)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)
