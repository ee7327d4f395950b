"""People and answers that nobody thought of, drawn by hashes of (seed, life): the same on every machine, for ever.

Who somebody is comes from the types of attributes and the edges of every condition; what they do is drawn each time they come to
stand somewhere new, at the edges of the time they stand there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from omnicli.campaigns.scenario.edges import Edges
from omnicli.campaigns.scenario.people import ADDRESSED
from omnicli.campaigns.scenario.script import Deed
from omnicli.condition import meaning as m
from omnicli.condition.check import check_event
from omnicli.model import ids
from omnicli.model.campaign import Send, WaitStep
from omnicli.model.flow import Flow
from omnicli.model.project import BUILT_IN_EVENTS
from omnicli.model.story import Environment, Manner
from omnicli.model.vocabulary import Vocabulary, vocabulary

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign
    from omnicli.model.project import Attribute

T = TypeVar("T")
SECOND = timedelta(seconds=1)
#: Zones on both sides of the date line, beside the project's own and none: their clocks show the same time, a day apart, so that people
#: of both share their instants.
FAR = ("Pacific/Kiritimati", "Pacific/Honolulu")
#: Responses that anybody may give to any touch.
ANYWAY = ("unsubscribed", "bounced", "complained", "replied", "clicked")


@dataclass(frozen=True, slots=True)
class Dice:
    """One life's chance. The same words give the same throw."""

    seed: int
    life: int

    def draw(self, scale: int, *words: object) -> int:
        return ids.draw(scale, "lives", str(self.seed), str(self.life), *map(str, words))

    def often(self, percent: int, *words: object) -> bool:
        return self.draw(100, *words) < percent

    def pick(self, options: Sequence[T], *words: object) -> T:
        return options[self.draw(len(options), *words)]


@dataclass(frozen=True)
class Cast:
    """What lives of one campaign are drawn from."""

    loaded: Loaded
    campaign: Campaign
    edges: Edges
    seed: int
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, loaded: Loaded, campaign: Campaign, edges: Edges, seed: int, beside: Sequence[str] = ()) -> Cast:
        """`beside` are campaigns that live too: their ways in are taken now and then."""
        assert loaded.project is not None
        others = {}
        for name in beside:
            known = vocabulary(loaded.project, loaded.campaigns[name], loaded.campaigns)
            others[f"enter {name}"] = _answers(loaded.campaigns[name], known)["enter"]
        answers = _answers(campaign, vocabulary(loaded.project, campaign, loaded.campaigns))
        return cls(loaded, campaign, edges, seed, answers, {name: events for name, events in others.items() if events})

    @property
    def addressed(self) -> tuple[str, ...]:
        assert self.loaded.project is not None
        return tuple(channel for channel in ADDRESSED if channel in self.loaded.project.channels)

    # --- who ----------------------------------------------------------------------------------------------------
    def person(self, dice: Dice) -> tuple[dict[str, str], tuple[str, ...]]:
        """Attributes and built-in columns as a file writes them, and the channels consented to."""
        assert self.loaded.project is not None
        given: dict[str, str] = {}
        languages = self.campaign.languages or self.loaded.project.languages
        if dice.often(80, "language"):
            given["language"] = dice.pick(tuple(languages), "which language")
        if dice.often(30, "zone"):
            given["time_zone"] = dice.pick((*FAR, self.loaded.project.time_zone), "which zone")
        if self.loaded.project.countries and dice.often(70, "country"):
            given["country"] = self.loaded.project.countries[0]
        for name, declared in self.loaded.project.contacts.attributes.items():
            value = self._value(dice, name, declared)
            if value is not None:
                given[name] = value
        consent = tuple(
            channel for channel in self.addressed if dice.often(75 if channel == self._first else 45, "consent", channel)
        )
        if consent and dice.often(10, "prefers"):
            given["preferred_channel"] = dice.pick(consent, "preferred")
        return given, consent

    @property
    def _first(self) -> str:
        """The channel that the campaign asks first."""
        return next((node.step.by for node in Flow.of(self.campaign).sends if isinstance(node.step, Send)), "")

    def _value(self, dice: Dice, name: str, declared: Attribute) -> str | None:
        """Mostly the edge of some condition or nothing; now and then the declared example."""
        choices = tuple(self.edges.attributes.get(name, ()))
        if choices and dice.often(45, "edge", name):
            value = dice.pick(choices, "which", name)
            return None if value.startswith("-") and declared.kind != "number" else value
        if declared.choices and dice.often(50, "choice", name):
            return dice.pick(declared.choices, "word", name)
        return declared.example if dice.often(20, "example", name) else None

    # --- how life begins ------------------------------------------------------------------------------------------
    def opening(self, dice: Dice, start: datetime) -> Iterator[Deed]:
        """What brings somebody in: the entering event, and events as old as conditions ask."""
        later = start
        for name, ages in self.edges.ages.items():
            if name in BUILT_IN_EVENTS or not dice.often(70, "past", name):
                continue
            for n in range(1 + dice.draw(1 + self.edges.counts.get(name, 0), "how many", name)):
                yield Deed(start, "event", name, self.payload(dice, name, "past", n))
            ago = dice.pick(tuple(ages), "age", name).about
            if ago <= timedelta(days=120) and dice.often(60, "wait", name):
                later = max(later, start + ago + dice.pick((-SECOND, timedelta(), SECOND), "edge of age", name))
        entering = self.answers.get("enter", ())
        if entering and dice.often(97, "enters"):
            name = dice.pick(entering, "by")
            yield Deed(later, "event", name, self.payload(dice, name, "enter"))
            for n in range((0, 0, 1, 2)[dice.draw(4, "again")]):
                yield Deed(later + self._again(dice, n), "event", name, self.payload(dice, name, "again", n))

        for other, events in self.beside.items():
            if dice.often(60, other):
                hours = dice.pick((0, 1, 23, 24, 48, 71), "how much later", other)
                name = dice.pick(events, "by", other)
                yield Deed(later + timedelta(hours=hours), "event", name, self.payload(dice, name, other))

    def _again(self, dice: Dice, n: int) -> timedelta:
        """How much later the entering event comes again: at once, or as soon as it may let in again."""
        length = self.campaign.enter.again.after
        if length is None or length.about > timedelta(days=40) or dice.often(30, "at once", n):
            return SECOND * (n + 1)
        return (n + 1) * length.about + dice.pick((-SECOND, timedelta(), SECOND), "edge of again", n)

    def payload(self, dice: Dice, event: str, *words: object) -> dict[str, str]:
        """Values of the declared fields: at the edges of conditions where there are some."""
        assert self.loaded.project is not None
        found: dict[str, str] = {}
        for name, declared in self.loaded.project.events.get(event, {}).items():
            edges = tuple(self.edges.fields.get((event, name), ()))
            if edges:
                found[name] = dice.pick(edges, "field", name, *words)
            elif dice.often(60, "field?", name, *words):
                found[name] = _plain(declared)
        return {name: value for name, value in found.items() if value}

    # --- what they do -----------------------------------------------------------------------------------------------
    def reactions(self, dice: Dice, step: str, since: datetime, until: datetime | None, visit: int, consent: Sequence[str]) -> Iterator[Deed]:  # fmt: skip
        """What somebody does who stands at `step` from `since` until `until`: nothing, mostly."""
        for n in range((0, 0, 0, 1, 1, 2)[dice.draw(6, "how many", step, visit)]):
            words = (step, visit, n)
            at = self._moment(dice, since, until, *words)
            deed = self._deed(dice, step, at, consent, *words)
            yield deed
            if deed.kind == "event" and dice.often(12, "repeat", *words):
                yield Deed(at + SECOND, "event", deed.name, deed.values)
            elif deed.kind == "event" and until is not None and until - SECOND > since and dice.often(8, "late", *words):
                yield Deed(until + SECOND, "event", deed.name, deed.values, was=until - SECOND)

    def _moment(self, dice: Dice, since: datetime, until: datetime | None, *words: object) -> datetime:
        if until is None or until <= since + 2 * SECOND:
            return since + SECOND
        edges = (since + SECOND, until - SECOND, until, until + SECOND, since + (until - since) / 2)
        shared = Dice(self.seed, 0)  # whoever stands there for the same time has the same two edges: they share their instants
        at = edges[(shared.draw(5, "edges", since, until) + dice.draw(2, "edge", *words) * 2) % 5]
        return at.replace(microsecond=0)

    def _deed(self, dice: Dice, step: str, at: datetime, consent: Sequence[str], *words: object) -> Deed:
        """One of: an answer this step waits for, an end of the pass, something anybody may do, a change of heart or of facts."""
        what = dice.draw(100, "what", *words)
        waited, ends = self.answers.get(step, ()), self.answers.get("ends", ())
        if what < 40 and waited:
            name = dice.pick(waited, "answer", *words)
            return Deed(at, "event", name, self._said(dice, name, consent, *words))
        if 40 <= what < 52 and ends:
            name = dice.pick(ends, "end", *words)
            return Deed(at, "event", name, self._said(dice, name, consent, *words))
        if 52 <= what < 74:
            name = dice.pick(ANYWAY, "anyway", *words)
            return Deed(at, "event", name, self._said(dice, name, consent, *words))
        if 74 <= what < 86 and self.addressed:
            channel = dice.pick(self.addressed, "channel", *words)
            return Deed(at, "consent", values={channel: dice.pick(("no", "no", "yes"), "yes", *words)})
        if self.edges.attributes:
            name = dice.pick(tuple(self.edges.attributes), "attribute", *words)
            return Deed(at, "change", values={name: dice.pick(tuple(self.edges.attributes[name]), "value", *words)})
        return Deed(at, "event", "clicked")

    def _said(self, dice: Dice, name: str, consent: Sequence[str], *words: object) -> dict[str, str]:
        """The payload of a response: the channel that is left, STOP, and declared fields."""
        if name == "unsubscribed":
            return {"channel": dice.pick(tuple(consent) or self.addressed, "left", *words)}
        if name == "replied":
            return {"text": dice.pick(("Oui", "STOP", "1", "merci"), "reply", *words)}
        return self.payload(dice, name, *words)

    # --- what surrounds them ------------------------------------------------------------------------------------------
    def environment(self, dice: Dice) -> Environment:
        """Almost always providers accept; else one channel's refuses, loses its answer, or is slow: which, is the seed's choice."""
        if not dice.often(5, "environment"):
            return Environment()
        manners: tuple[Manner, ...] = ("refuse", "unknown", "slow")
        channel = self._first if self._first in self.addressed else self.addressed[0]
        return Environment({channel: Dice(self.seed, 0).pick(manners, "manner")})


def _plain(declared: Attribute) -> str:
    """An ordinary value of a field."""
    if declared.choices:
        return declared.choices[0]
    plain = {"money": f"39.92 {declared.currency}", "number": "1", "text": "some", "code": "A1", "yes or no": "yes", "percent": "20 %",
             "distance": "2 km", "duration": "30 minutes", "date": "2027-02-01"}  # fmt: skip
    return declared.example or plain.get(declared.kind, "")


def _answers(campaign: Campaign, known: Vocabulary) -> dict[str, tuple[str, ...]]:
    """Event names by step that waits for them, under `enter` those that let in, under `ends` those that end a pass."""
    goal = campaign.goal.when if campaign.goal else ()
    ends = (*goal, *(rule.when for rule in campaign.exit if rule.when))
    found: dict[str, tuple[str, ...]] = {"enter": campaign.enter.when or (), "ends": ends}
    for node in Flow.of(campaign):
        if isinstance(node.step, WaitStep) and node.step.for_:
            found[node.id] = tuple(term for term in node.step.for_ if term != "nothing")
    return {key: tuple(dict.fromkeys(name for term in terms if (name := _name(term, known)))) for key, terms in found.items()}


def _name(term: str, known: Vocabulary) -> str | None:
    asked = check_event(term, known).term
    return asked.name if isinstance(asked, m.EventTerm) else None
