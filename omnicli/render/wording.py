"""Which words a message has for a language and register, and whom a campaign means by a persona's name."""

from __future__ import annotations

from collections.abc import Mapping

from omnicli.model.campaign import Campaign, Message
from omnicli.model.project import Persona, Project


def look_up(message: Message, language: str, register: str | None) -> dict[str, str]:
    """The slots written for a language and register, slot by slot: `fr-CA/tu`, `fr-CA`, `fr/tu`, `fr` (5.5)."""
    found: dict[str, str] = {}
    for key in reversed(chain(language, register)):
        found.update(message.say.get(key, {}))
    return found


def chain(language: str, register: str | None) -> tuple[str, ...]:
    """The keys of `say` that are asked, nearest first."""
    tags = [language] + ([language.split("-")[0]] if "-" in language else [])
    return tuple(key for tag in tags for key in ((f"{tag}/{register}", tag) if register else (tag,)))


def persona_of(project: Project, campaign: Campaign, name: str | None) -> Persona | None:
    """The persona a campaign means by this name."""
    if name is None:
        return None
    if isinstance(campaign.personas, Mapping) and name in campaign.personas:
        return campaign.personas[name]
    return project.personas.get(name)
