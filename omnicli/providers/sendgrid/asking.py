"""Questions to the account that change nothing: a GET, its JSON, and a plain reason when there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnicli.errors import Exit, OmniError
from omnicli.providers.sendgrid.classify import Answer, complaints, words_for
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.providers.sendgrid.client import Api


class Unanswered(Exception):
    """No usable answer; `status` is its HTTP status, None when none came."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


def ask(api: Api, path: str, query: Mapping[str, Any] | None = None) -> Any:
    """The JSON of GET /v3/`path`; Unanswered for anything but 200 with JSON."""
    try:
        answer = Answer.of(api.get(path, query))
    except Exception as error:  # the SDK lets through whatever the socket, TLS and HTTP raise
        raise Unanswered(words_for(error)) from None
    if answer.status != 200:
        said = "; ".join(map(str, complaints(answer.body)))
        raise Unanswered(f"{answer.status} {said}".strip()[:200], answer.status)
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unanswered(t("an answer that is no JSON", "une réponse qui n'est pas du JSON"), answer.status) from None


def refusal(path: str, why: Unanswered) -> OmniError:
    """For a person: what could not be asked."""
    key = why.status in (401, 403)
    return OmniError(
        t("sendgrid: {path}: {why}", "sendgrid : {path} : {why}", path=path, why=str(why)),
        hint=t("the API key needs the right to read it", "la clé d'API doit avoir le droit de lire cela") if key
        else t("try again later", "réessayez plus tard"), code="provider", exit=Exit.REFUSED,
    )  # fmt: skip
