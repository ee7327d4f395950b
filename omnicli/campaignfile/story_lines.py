"""The lines of a story: each has one verb, and what else it may hold depends on it (docs/scenarios 2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from omnicli import clock
from omnicli.campaignfile.check import PRESENT, typed
from omnicli.campaignfile.reading import Reading, read_wall
from omnicli.campaignfile.source import KeyPath, Map
from omnicli.campaignfile.story_people import BUILT_IN, read_consent, read_value
from omnicli.model import literals as lit
from omnicli.model.campaign import Campaign, Choose, Split, WaitStep
from omnicli.model.decision import HOLDS, SKIP_REASONS
from omnicli.model.flow import Flow
from omnicli.model.project import BUILT_IN_EVENTS, Project
from omnicli.model.story import (
    After,
    At,
    Changes,
    Consents,
    ExpectHeld,
    ExpectNothing,
    ExpectSkipped,
    ExpectState,
    ExpectTouch,
    Happens,
    Note,
    Person,
    Placed,
    StoryLine,
    Wall,
)  # fmt: skip
from omnicli.texts import t

#: Verb → what else may stand in its line.
VERBS: Mapping[str, tuple[str, ...]] = {
    "event": ("with", "of", "happened", "who"), "after": ("who",), "at": ("who",), "change": ("who",), "consent": ("who",),
    "expect": ("says", "not_says", "parts", "step", "language", "link", "for", "who"), "note": ("who",),
}  # fmt: skip
#: What only stands below an expected touch.
BELOW = ("says", "not_says", "parts", "step", "language", "link")
STATES = ("exit", "goal", "step", "persona", "branch", "arm")
#: Events that only omni itself writes.
OWN_EVENTS = frozenset({"entered", "converted", "exited"})


def _no_such_step(kind: str) -> str:
    if kind == "arm":
        return t("the campaign has no 'split'; give it one, or take this line away",
                 "la campagne n'a pas de « split » ; donnez-lui-en un, ou retirez cette ligne")  # fmt: skip
    return t("the campaign has no 'wait' with answers and no 'choose'; give it one, or take this line away",
             "la campagne n'a ni « wait » avec réponses ni « choose » ; donnez-lui-en un, ou retirez cette ligne")  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What may be named in a story: of the campaign of the file, and of those that stand beside it."""

    project: Project
    campaigns: tuple[Campaign, ...]

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        return tuple(Flow.of(campaign) for campaign in self.campaigns)

    @cached_property
    def steps(self) -> tuple[str, ...]:
        return tuple(node for flow in self.flows for node in flow.nodes)

    @cached_property
    def messages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for campaign in self.campaigns for name in campaign.messages))

    @cached_property
    def events(self) -> tuple[str, ...]:
        return tuple(name for name in (*self.project.events, *self.project.sla, *BUILT_IN_EVENTS) if name not in OWN_EVENTS)

    @cached_property
    def personas(self) -> tuple[str, ...]:
        own = self.campaigns[0].personas if self.campaigns else None
        return tuple(own) if own is not None else tuple(self.project.personas)

    @cached_property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Split id → its arms."""
        return {node.id: tuple(node.step.split) for flow in self.flows for node in flow if isinstance(node.step, Split)}

    @cached_property
    def branches(self) -> dict[str, tuple[str, ...]]:
        """Wait or choose → the names of its branches: terms and `nothing`, conditions and `else`."""
        found: dict[str, tuple[str, ...]] = {}
        for node in (node for flow in self.flows for node in flow):
            if isinstance(node.step, WaitStep) and node.branches:
                found[node.id] = tuple(label for label, _ in node.branches)
            elif isinstance(node.step, Choose):
                found[node.id] = (*(option.if_ or "else" for option in node.step.choose), "none")
        return found


class Lines:
    """Reads the lines of one story. `late`: the last moment that is certain, so that a clock turned back is told where it stands."""

    def __init__(self, reading: Reading, names: Names, people: Sequence[Person], start: Wall | None) -> None:
        self.reading, self.names = reading, names
        self.people = tuple(person.name for person in people)
        self.late = start
        countries = len(names.project.countries) > 1
        own = any("time_zone" in person.values or (countries and "country" in person.values) for person in people)
        self.apart = timedelta(hours=26) if own else timedelta()  # so far two clocks of the story may be from each other

    def read(self, path: KeyPath) -> tuple[StoryLine, ...]:
        return tuple(line for each in self.reading.sequence(path) if (line := self._line(each)) is not None)

    def _line(self, path: KeyPath) -> StoryLine | None:
        here = self.reading.find(path)
        verbs = (
            [key for key in here if key in VERBS and not (key == "consent" and "change" in here)] if isinstance(here, Map) else []
        )
        if not isinstance(here, Map) or len(verbs) != 1:
            self._no_verb(path, here, verbs)
            return None
        verb = verbs[0]
        for key in here:
            if key != verb and key not in VERBS[verb]:
                self.reading.unknown_key((*path, key), VERBS[verb], f"'{verb}'")
        line, column = self.reading.line((*path, verb))
        scalar = here[verb] if isinstance(here[verb], str) else ""
        common: dict[str, Any] = {"line": line, "column": column, "who": self._who(path, here, verb), "text": str(scalar)}
        read: Callable[[KeyPath, Map, dict[str, Any]], StoryLine | None] = getattr(self, f"_{verb}")
        return read(path, here, common)

    def _no_verb(self, path: KeyPath, here: Any, verbs: Sequence[str]) -> None:
        if not isinstance(here, Map):
            self.reading.wrong(path, t("a line: one of {all}", "une ligne : {all}", all=", ".join(VERBS)), here)
        elif verbs:
            message = t(
                "one line, one verb: found '{a}' and '{b}'",
                "une ligne, un verbe : « {a} » et « {b} » s'y trouvent",
                a=verbs[0],
                b=verbs[1],
            )
            self.reading.say("S007", (*path, verbs[1]), message, key=True)
        else:
            first = next(iter(here), None)
            if first is None:
                self.reading.wrong(path, t("a line: one of {all}", "une ligne : {all}", all=", ".join(VERBS)), None)
            else:
                self.reading.unknown_key((*path, first), tuple(VERBS), t("a line of a story", "une ligne d'histoire"))

    def _who(self, path: KeyPath, here: Map, verb: str) -> str | None:
        if "who" in here:
            return self.reading.word((*path, "who"), self.people)
        if len(self.people) > 1 and verb not in ("after", "at", "note"):
            message = t(
                "several people live this story: 'who' says whom this line means",
                "plusieurs personnes vivent cette histoire : « who » dit de qui il s'agit",
            )
            self.reading.say("S001", (*path, verb), message, key=True)
        return None

    # --- what happens -----------------------------------------------------------------------------------------------
    def _event(self, path: KeyPath, here: Map, common: dict[str, Any]) -> StoryLine | None:
        event = self.reading.text((*path, "event"))
        if event is None:
            return None
        if event not in self.names.events:
            if event in PRESENT:
                self.reading.participle((*path, "event"), event, frozenset())
            else:
                self.reading.unknown_value((*path, "event"), event, self.names.events)
            return None
        of = self.reading.text((*path, "of")) if "of" in here else None
        if of is not None and not self.reading.among((*path, "of"), of, (*self.names.steps, *self.names.messages)):
            of = None
        payload = self._payload((*path, "with"), event) if self.reading.has((*path, "with")) else {}
        happened = self.reading.wall((*path, "happened")) if "happened" in here else None
        return Happens(event=event, payload=payload, of=of, happened=happened, **common)

    def _payload(self, path: KeyPath, event: str) -> dict[str, Any]:
        declared = self.names.project.events.get(event, {})
        here = self.reading.mapping(path, (*declared, *_SAID) if declared else (), open_=not declared)
        found: dict[str, Any] = {}
        for key in here or ():
            text = self.reading.text((*path, key))
            if text is None or (declared and key not in declared and key not in _SAID):
                continue
            if key in declared:
                typed(self.reading, (*path, key), declared[key], text)
            elif key == "channel":
                self.reading.among((*path, key), text, tuple(self.names.project.channels))
            found[key] = text
        return found

    def _after(self, path: KeyPath, here: Map, common: dict[str, Any]) -> StoryLine | None:
        length = self.reading.literal((*path, "after"), lit.Duration.timeout)
        if length is None:
            return None
        if self.late is not None and length.about.days >= 3:  # a certain part of it, whatever the zones
            if self.late.moment.year + length.about.days // 365 > clock.YEARS[1]:
                most = clock.YEARS[1]
                self.reading.say(
                    "S003", (*path, "after"), t("calendars end with {year}", "les calendriers s'arrêtent en {year}", year=most)
                )
                return None
            self.late = Wall(self.late.moment + length.about * 0.9, self.late.zone)
        return After(after=length, **common)

    def _at(self, path: KeyPath, here: Map, common: dict[str, Any]) -> StoryLine | None:
        wall = self.reading.wall((*path, "at"))
        if wall is None:
            return None
        if self.late is not None and wall.zone == self.late.zone and wall.moment < self.late.moment - self.apart:
            message = t("the clock does not go back: it stands at {late} or later", "l'horloge ne recule pas : elle est au {late} ou plus tard",
                        late=self.late)  # fmt: skip
            self.reading.say("S003", (*path, "at"), message)
            return None
        self.late = max(wall, self.late, key=lambda one: one.moment) if self.late is not None and self.apart else wall
        return At(at=wall, **common)

    def _change(self, path: KeyPath, here: Map, common: dict[str, Any]) -> StoryLine | None:
        attributes = self.names.project.contacts.attributes
        at = (*path, "change")
        written = self.reading.mapping(at, (*attributes, *BUILT_IN[1:]))
        values = {key: read_value(self.reading, (*at, key), attributes[key]) if key in attributes else self.reading.text((*at, key))
                  for key in written or () if key in attributes or key in BUILT_IN[1:]}  # fmt: skip
        return Changes(change=values, **common)

    def _consent(self, path: KeyPath, here: Map, common: dict[str, Any]) -> StoryLine | None:
        said = read_consent(self.reading, self.names.project, (*path, "consent"))
        return Consents(consent=said or {}, **common)

    def _note(self, path: KeyPath, here: Map, common: dict[str, Any]) -> StoryLine | None:
        text = self.reading.text((*path, "note"))
        return Note(note=text, **common) if text is not None else None

    # --- what is expected -------------------------------------------------------------------------------------------
    def _expect(self, path: KeyPath, here: Map, common: dict[str, Any]) -> StoryLine | None:
        at = (*path, "expect")
        text = self.reading.text(at)
        if text is None:
            return None
        first, _, rest = text.partition(" ")
        rest = rest.strip()
        start = len(first) + 1
        if first != "nothing" and "for" in here:
            self.reading.unknown_key((*path, "for"), BELOW, t("an expected touch", "un envoi attendu"))
        if first in ("nothing", "held", "skipped", *STATES):
            for key in (key for key in BELOW if key in here):
                message = t("'{k}' stands below an expected touch only", "« {k} » ne se met que sous un envoi attendu", k=key)
                self.reading.say("S002", (*path, key), message, key=True)
        match first:
            case "nothing" if not rest:
                length = self.reading.literal((*path, "for"), lit.Duration.parse) if "for" in here else None
                return ExpectNothing(for_=length, **common)
            case "held":
                return ExpectHeld(guard=rest, **common) if self.reading.among(at, rest, HOLDS, start=start) else None
            case "skipped":
                return ExpectSkipped(reason=rest, **common) if self.reading.among(at, rest, SKIP_REASONS, start=start) else None
            case _ if first in STATES:
                return self._state(at, first, rest, start, common)
        return self._touch(path, here, text, common)

    def _state(self, at: KeyPath, kind: Any, rest: str, start: int, common: dict[str, Any]) -> StoryLine | None:
        names, among = self.names, self.reading.among
        match kind:
            case "goal" if not rest:
                return ExpectState(kind="goal", **common)
            case "exit" if rest:
                return ExpectState(kind="exit", value=rest, **common)
            case "step":
                return ExpectState(kind="step", value=rest, **common) if among(at, rest, names.steps, start=start) else None
            case "persona":
                return ExpectState(kind="persona", value=rest, **common) if among(at, rest, names.personas, start=start) else None
            case "branch" | "arm":
                known: Mapping[str, tuple[str, ...]] = names.branches if kind == "branch" else names.splits
                step, _, value = rest.partition(" ")
                value = value.strip()
                if not among(at, step, tuple(known), start=start, none=_no_such_step(kind)):
                    return None
                if not among(at, value, known[step], start=start + len(step) + 1):
                    return None
                return ExpectState(kind=kind, of=step, value=value, **common)
        self.reading.wrong(at, t("'{k}' and what it must be", "« {k} » et sa valeur", k=kind), f"{kind} {rest}".strip())
        return None

    def _touch(self, path: KeyPath, here: Map, text: str, common: dict[str, Any]) -> StoryLine | None:
        at = (*path, "expect")
        found = _TOUCH.fullmatch(text)
        channels = tuple(self.names.project.channels)
        if found is None:
            first = text.split()[0]
            if first not in channels:
                self.reading.among(at, first, (*channels, "nothing", "held", "skipped", *STATES))
                return None
            wanted = t(
                "'<channel> <message>', perhaps 'at <moment>'", "« <canal> <message> », suivi au besoin de « at <moment> »"
            )
            self.reading.wrong(at, wanted, text)
            return None
        channel, message, moment = found["channel"], found["message"], found["at"]
        good = self.reading.among(
            at, channel, (*channels, "nothing", "held", "skipped", *STATES) if channel not in channels else channels
        )
        webhooks = tuple(self.names.project.webhooks)
        good = self.reading.among(at, message, (*self.names.messages, *webhooks), start=found.start("message")) and good
        wall = self.reading.parsed(at, moment, read_wall, start=found.start("at")) if moment else None
        if not good or (moment and wall is None):
            return None
        return ExpectTouch(channel=channel, message=message, at=wall, **self._below(path, here), **common)

    def _below(self, path: KeyPath, here: Map) -> dict[str, Any]:
        """What stands below a touch; each with the line of its own."""
        found: dict[str, Any] = {}
        for key in ("says", "not_says"):
            if key in here:
                found[key] = tuple(Placed(*one) for one in self.reading.texts((*path, key)))
        reads: Mapping[str, Callable[[KeyPath], Any]] = {
            "parts": lambda at: self.reading.literal(at, _count),
            "step": lambda at: self.reading.word(at, self.names.steps),
            "language": lambda at: self.reading.literal(at, lit.parse_language),
            "link": lambda at: self.reading.text(at),
        }
        for key, read in reads.items():
            if key in here and (value := read((*path, key))) is not None:
                found[key] = Placed(value, *self.reading.line((*path, key)))
        return found


#: Fields that any response may carry.
_SAID = ("channel", "text", "keyword", "digits", "reason", "place", "kind", "scope", "topic", "code")
_TOUCH = re.compile(r"(?P<channel>[a-z]\S*) +(?P<message>[a-z]\S*)(?: +at +(?P<at>\S.*))?")


def _count(text: str) -> int:
    number = lit.parse_number(text)
    if number != int(number) or number < 1:
        raise lit.LiteralError("S003", t("a whole number from 1", "un nombre entier à partir de 1"), text)
    return int(number)


__all__ = ["BELOW", "STATES", "VERBS", "Lines", "Names"]
