"""The clean project as its readers see it: every reading, the words and prints that make it, and how each fact is shown there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache

from omnicli.campaignfile import KeyPath, Loaded
from omnicli.campaigns.mutate.alike import ANOTHER, changed, said
from omnicli.campaigns.mutate.seed import Reading
from omnicli.channels import MEDIA, Medium
from omnicli.lint.ground import Ground
from omnicli.lint.run import lint
from omnicli.model.campaign import Campaign, Message
from omnicli.model.finding import Finding
from omnicli.model.project import Persona
from omnicli.render import forms
from omnicli.render.renderer import Renderer, RenderJob, chain
from omnicli.render.samples import channels, job_for, languages, personas, sample

_SENTINEL = re.compile("\u2042(.+?)\u2042")


@dataclass(frozen=True, slots=True)
class Words:
    """A slot of `say` that a reading prints: where it is written and its text."""

    reading: Reading
    file: str
    path: KeyPath
    text: str

    @property
    def slot(self) -> str:
        return str(self.path[-1])

    @property
    def name(self) -> str:
        """`bienvenue/offre-bienvenue fr/tu.short by sms`."""
        return f"{self.reading.campaign}/{self.reading.message} {self.path[-2]}.{self.slot} by {self.reading.channel}"


class Field:
    """The project at hand, read once. `now` is the instant of the check: relative dates are counted from it."""

    def __init__(self, loaded: Loaded, *, now: datetime) -> None:
        assert loaded.project is not None
        self.loaded, self.now, self.project = loaded, now, loaded.project
        self.texts: Mapping[str, str] = {
            **{file: source.text for file, source in loaded.sources.items()},
            **Ground(loaded, now=now).templates,
        }
        self.renderer = Renderer(loaded.root, loaded.project)

    @cached_property
    def clean(self) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
        """The messages (`campaign/message`) in which the checker finds nothing, and what it finds in the others and in templates."""
        report = lint(self.loaded, now=self.now, select=("M", "P", "C", "I", "K"))
        named = dict.fromkeys((one.campaign, one.message) for one in self.readings)
        wrong = {name: [one for one in report.findings if self._within(one, *name)] for name in named}
        told = [one for all_ in wrong.values() for one in all_]
        told += [one for one in report.findings if one.place.file.startswith("templates/")]
        return tuple("/".join(name) for name, all_ in wrong.items() if not all_), tuple(told)

    def _within(self, finding: Finding, campaign: str, message: str) -> bool:
        path = f"messages.{message}"
        return finding.place.file == self.loaded.file_of(campaign) and f"{finding.path}.".startswith(f"{path}.")

    # -- who reads what ----------------------------------------------------------------------------------------------
    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """Every message × channel × language × persona that can be written."""
        found = (
            Reading(campaign.campaign, message, channel, language, persona)
            for campaign in sorted(self.loaded.campaigns.values(), key=lambda one: one.campaign)
            for message in campaign.messages
            for channel in channels(self.project, campaign, message)
            for language in languages(self.project, campaign)
            for persona in (*personas(self.project, campaign),) or (None,)
        )
        return tuple(one for one in found if self._writable(one))

    @cached_property
    def voices(self) -> tuple[Reading, ...]:
        """One reading for all personas that are spoken to in the same words."""
        found: dict[tuple[object, ...], Reading] = {}
        for reading in self.readings:
            found.setdefault((*reading[:4], tuple(self._written_at(reading, slot) for slot in self.slots(reading))), reading)
        return tuple(found.values())

    def _writable(self, reading: Reading) -> bool:
        message, register = self.message(reading), self.register(reading)
        return self.renderer.usable(message, reading.channel, reading.language, register, campaign=reading.campaign) is None

    # -- the models --------------------------------------------------------------------------------------------------
    def campaign(self, reading: Reading) -> Campaign:
        return self.loaded.campaigns[reading.campaign]

    def message(self, reading: Reading) -> Message:
        return self.campaign(reading).messages[reading.message]

    def persona(self, reading: Reading) -> Persona | None:
        return personas(self.project, self.campaign(reading)).get(reading.persona) if reading.persona else None

    def register(self, reading: Reading) -> str | None:
        persona = self.persona(reading)
        return persona.tone.address if persona else None

    def medium(self, reading: Reading) -> Medium:
        return MEDIA[reading.channel]

    def file(self, reading: Reading) -> str:
        """The campaign's file."""
        return self.loaded.file_of(reading.campaign)

    def facts(self, reading: Reading, *kinds: str) -> tuple[str, ...]:
        """The facts that this channel must show, of these types (all without any)."""
        message = self.message(reading)
        left_out = message.omit.get(reading.channel, ())
        return tuple(name for name, fact in message.facts.items() if name not in left_out and (not kinds or fact.type in kinds))

    # -- words -------------------------------------------------------------------------------------------------------
    def words(self, reading: Reading) -> Iterator[Words]:
        """The slots that this reading prints, in the order of the file."""
        say = self.message(reading).say
        for slot in self.slots(reading):
            key = self._written_at(reading, slot)
            if key:
                path = ("messages", reading.message, "say", key, slot)
                yield Words(reading, self.file(reading), path, str(say[key][slot]))

    def all_words(self) -> Iterator[Words]:
        """The printed slots of all voices, once for each channel that prints them."""
        seen: set[tuple[object, ...]] = set()
        for reading in self.voices:
            for words in self.words(reading):
                key = (*reading[:3], words.path)
                if key not in seen:
                    seen.add(key)
                    yield words

    def _written_at(self, reading: Reading, slot: str) -> str | None:
        say = self.message(reading).say
        return next((key for key in chain(reading.language, self.register(reading)) if slot in say.get(key, {})), None)

    def bare(self, reading: Reading) -> Mapping[str, str]:
        """The parts with each slot's name between asterisms instead of its words: what the template brings by itself."""
        alike = (
            one
            for one in personas(self.project, self.campaign(reading))
            if self.register(reading._replace(persona=one)) == self.register(reading)
        )
        return self._bare(reading._replace(persona=next(alike, reading.persona)))

    @lru_cache(maxsize=4096)  # noqa: B019 -- a field lives as long as its process
    def _bare(self, reading: Reading) -> Mapping[str, str]:
        campaign, message = self.campaign(reading), self.message(reading)
        say = {key: {slot: f"\u2042{slot}\u2042" for slot in slots} for key, slots in message.say.items()}
        changed = message.model_copy(update={"say": say})
        campaign = campaign.model_copy(update={"messages": {**campaign.messages, reading.message: changed}})
        draft = self.renderer.draft(self.job(campaign, reading))
        return {part: draft.text(part) for part in draft.parts}

    def slots(self, reading: Reading) -> tuple[str, ...]:
        printed = {slot for text in self.bare(reading).values() for slot in _SENTINEL.findall(text)}
        known = dict.fromkeys(slot for slots in self.message(reading).say.values() for slot in slots)
        return tuple(slot for slot in known if slot in printed)

    # -- renderings --------------------------------------------------------------------------------------------------
    @lru_cache(maxsize=8192)  # noqa: B019 -- a field lives as long as its process
    def rendered(self, reading: Reading, person: str = "typical") -> Mapping[str, str]:
        """The parts as this person gets them, to the byte. CannotRender says why not."""
        return dict(self.renderer.render(self.job(self.campaign(reading), reading, person)).parts)

    @lru_cache(maxsize=8192)  # noqa: B019 -- a field lives as long as its process
    def said(self, reading: Reading, person: str) -> object:
        """What this person gets of the clean message, comparable with a mutant's."""
        return said(self.renderer, self.job(self.campaign(reading), reading, person))

    def job(self, campaign: Campaign, reading: Reading, person: str = "typical") -> RenderJob:
        """What this reader is sent as one of the four people, or as `another`: the typical one, told other facts."""
        job = job_for(
            self.project, campaign, reading.message, channel=reading.channel, language=reading.language,
            persona=reading.persona, person=sample(self.project, "typical" if person == ANOTHER else person, now=self.now), now=self.now,
        )  # fmt: skip
        return replace(job, facts=changed(self.renderer.resolve(job))) if person == ANOTHER else job

    # -- facts as shown ----------------------------------------------------------------------------------------------
    @lru_cache(maxsize=8192)  # noqa: B019 -- a field lives as long as its process
    def resolved(self, reading: Reading, fact: str) -> tuple[str, str]:
        """Type and plain spelling of a fact for the typical reader; ("", "") when they lack it."""
        kind, value = self.renderer.resolve(self.job(self.campaign(reading), reading)).facts.get(fact, ("", None))
        return (kind, value) if value is not None else ("", "")

    def shown(self, reading: Reading, fact: str, form: str = "", *, language: str | None = None) -> str:
        """The fact as this channel prints it; in another language's format on demand."""
        kind, value = self.resolved(reading, fact)
        return self.format(reading, kind, value, form, language=language) if kind else ""

    def format(self, reading: Reading, kind: str, value: str, form: str = "", *, language: str | None = None) -> str:
        """A plain value as this channel prints it."""
        locale = forms.locale_of(language or reading.language, tuple(self.project.countries))
        return forms.show(kind, value, form, locale=locale, medium=self.medium(reading), places=self.project.places)

    def foreign(self, reading: Reading, fact: str) -> Iterator[tuple[str, str]]:
        """The fact in the formats of the project's other languages, where those differ."""
        own = self.shown(reading, fact)
        for language in self.project.languages:
            text = self.shown(reading, fact, language=language)
            if text and text != own:
                yield language, text

    def brought(self, reading: Reading, fact: str) -> frozenset[str]:
        """The parts in which the template shows this fact by itself, whatever the words say."""
        kind, value = self.resolved(reading, fact)
        texts = {self.format(reading, kind, value, form) for form in forms.FORMS.get(kind, ())} if kind else set()
        return frozenset(part for part, text in self.bare(reading).items() if any(one in text for one in texts))
