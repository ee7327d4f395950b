"""Family M, pages behind links: read only when somebody said --online, and never more than a few megabytes of each."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from omnicli.channels import MEDIA
from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Cell, readable
from omnicli.lint.coherence.plainly import plainly
from omnicli.lint.ground import Chapter, Ground, Path_
from omnicli.lint.rule import rule
from omnicli.model.campaign import Message
from omnicli.model.finding import Finding
from omnicli.render import forms
from omnicli.render.facts import Resolved, fixed_facts
from omnicli.render.samples import languages, personas
from omnicli.texts import t

_SECONDS, _BYTES = 10, 3_000_000
_NOT_READ = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


@rule("M014")
def fact_not_on_page(ground: Ground) -> Iterator[Finding]:
    if not ground.online:
        return
    causes = Causes(ground, "M014")
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            if readable(message) and ground.only in (None, (chapter.name, name)):
                for cell, facts in _told(ground, chapter, name, message):
                    _compare(ground, causes, chapter, cell, facts)
    yield from causes.findings()
    fetched.cache_clear()


def _told(ground: Ground, chapter: Chapter, name: str, message: Message) -> Iterator[tuple[Cell, Mapping[str, Resolved]]]:
    for language in languages(ground.project, chapter.campaign):
        for persona in (*personas(ground.project, chapter.campaign),) or (None,):
            yield Cell(name, "", persona, language, "typical"), fixed_facts(message, persona, language)


def _compare(ground: Ground, causes: Causes, chapter: Chapter, cell: Cell, facts: Mapping[str, Resolved]) -> None:
    for link, (kind, address) in facts.items():
        if kind != "url" or address is None:
            continue
        path: Path_ = ("messages", cell.message, "facts", link)
        place = ground.place(chapter.file, path)
        page, trouble = fetched(address)
        if trouble:
            said = t("{url} cannot be read: {why}", "{url} est illisible : {why}", url=address, why=trouble)
            causes.add(place, said, [cell], path=path, fact=link)
            continue
        for fact, value in facts.items():
            if (fact == "price" or value[0] == "code") and value[1] is not None and not _on(ground, page, value, cell.language):
                said = t(
                    "the page behind the link lacks '{k}' ({v})",
                    "la page derrière le lien n'a pas « {k} » ({v})",
                    k=fact,
                    v=value[1],
                )
                causes.add(place, said, [cell], path=path, fact=fact)


def _on(ground: Ground, page: str, fact: Resolved, language: str) -> bool:
    """True when the page says the fact in a form of any of the project's languages, spaces and capitals aside."""
    for tongue in dict.fromkeys((language, *ground.languages)):
        locale = forms.locale_of(tongue, tuple(ground.project.countries))
        for medium in (MEDIA["email"], MEDIA["sms"]):
            texts = forms.allowed(fact[0], fact[1] or "", locale=locale, medium=medium, places={})
            if any(_even(text) in page for text in texts):
                return True
    return False


def _even(text: str) -> str:
    return "".join(plainly(text).folded.split())


@lru_cache(maxsize=256)
def fetched(address: str) -> tuple[str, str]:
    """(the page's text with spaces and capitals folded, or nothing; why it cannot be read, or nothing)."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    request = Request(address, headers={"User-Agent": "omni message check", "Accept": "text/html"})
    if request.type not in ("http", "https"):
        return "", t("not a web address", "pas une adresse web")
    try:
        with urlopen(request, timeout=_SECONDS) as answer:
            raw = answer.read(_BYTES)
            charset = answer.headers.get_content_charset() or "utf-8"
    except HTTPError as error:
        return "", f"HTTP {error.code}"
    except (URLError, OSError, ValueError) as error:
        return "", str(getattr(error, "reason", error))[:120]
    try:
        text = raw.decode(charset, "replace")
    except LookupError:
        text = raw.decode("utf-8", "replace")
    return _even(html.unescape(_NOT_READ.sub(" ", text))), ""
