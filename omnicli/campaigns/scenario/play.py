"""Lives one scenario in a world of its own, line by line, and says where life differs from what was expected.

The rules of time are those of docs/scenarios 3: what is due before an instant happens on the way to it, what is due *at* it when the
next line is no event, change or consent any more; only an `expect` of a touch lets time pass by itself, at most `patience`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.campaigns.scenario import lived, timeline
from omnicli.campaigns.scenario.always import breaches
from omnicli.campaigns.scenario.expect import Expecting, Missed, at_wall
from omnicli.campaigns.scenario.played import Broken, Failure, Lived, Moment, Played
from omnicli.campaigns.scenario.promised import promised
from omnicli.campaigns.scenario.read import Sent
from omnicli.campaigns.scenario.world import World
from omnicli.model.story import After, At, Changes, Consents, Happens, Note, Scenario, StoryFile, StoryLine, Wall
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded

#: Lines that happen in the very instant in which something may be due, before it.
AT_ONCE = (Happens, Changes, Consents, Note)
#: Splits that one scenario may reach with `for_each_arm`.
MOST_RUNS = 200


def play(loaded: Loaded, file: StoryFile, scenario: Scenario) -> tuple[Played, ...]:
    """What became of a scenario: one value, or with `for_each_arm` one for each combination of arms that it reached."""
    if scenario.skip is not None:
        return (Played(file.file, file.campaign, scenario.name, scenario.line, "skipped", because=scenario.skip),)
    if not scenario.for_each_arm:
        return (_played(loaded, file, scenario, dict(scenario.take)),)
    found: list[Played] = []
    waiting: list[dict[str, str]] = [dict(scenario.take)]
    while waiting and len(found) < MOST_RUNS:
        take = waiting.pop(0)
        try:
            found.append(_played(loaded, file, scenario, take, each=True))
        except _Reached as split:
            waiting = [{**take, split.step: arm} for arm in split.arms] + waiting
    return tuple(found)


class _Reached(Exception):
    """A split was reached whose arm nothing pins."""

    def __init__(self, step: str, arms: Sequence[str]) -> None:
        super().__init__(step)
        self.step, self.arms = step, tuple(arms)


def _played(loaded: Loaded, file: StoryFile, scenario: Scenario, take: Mapping[str, str], *, each: bool = False) -> Played:
    assert loaded.project is not None
    start = at_wall(scenario.start, ZoneInfo(loaded.project.time_zone))
    with World(
        loaded, file.campaigns, start=start, arms=take, held_out=scenario.holdout, environment=scenario.environment
    ) as world:
        return Player(world, file, scenario, take, each=each).play()


class Player(Expecting):
    """One scenario being lived in a world made for it."""

    def __init__(self, world: World, file: StoryFile, scenario: Scenario, take: Mapping[str, str], *, each: bool = False) -> None:
        super().__init__(world)
        self.file, self.scenario, self.take, self.each = file, scenario, take, each
        several = len(scenario.given) > 1
        identity = f"{file.file}::{scenario.name}"
        self.people = {person.name: f"{identity}::{person.name}" if several else identity for person in scenario.given}
        world.add_all([(self.people[person.name], person.values) for person in scenario.given])
        self.said: list[Moment] = []

    # --- the story --------------------------------------------------------------------------------------------------
    def play(self) -> Played:
        failure = None
        for line in self.scenario.story:
            failure = self._line(line)
            if failure is not None:
                break
        if failure is None:
            failure = self._end()
        return self._played(failure)

    def _line(self, line: StoryLine) -> Failure | None:
        try:
            if not isinstance(line, AT_ONCE):
                self.settle()
            self._do(line)
            self._pinned(line.line, line.column)
        except Missed as missed:
            return Failure(missed.line or line.line, missed.column or line.column, missed.expected or line.text, missed.got)
        return None

    def _do(self, line: StoryLine) -> None:
        who = self.who(line.who)
        match line:
            case Happens():
                self._happens(who, line)
            case After():
                self.go(line.after.after(self.world.now, self.zone(who)))
                return
            case At():
                self.go(self._moment(line.at, who))
                return
            case Changes():
                self.world.change(who, line.change)
                self.say(who, ", ".join(f"{key} = {value}" for key, value in line.change.items()))
            case Consents():
                self.world.consent(who, line.consent)
                self.say(who, ", ".join(f"{channel} {'✔' if yes else '✘'}" for channel, yes in line.consent.items()))
            case Note():
                self.say("", f"« {line.note} »")
            case _:
                self.expect(line, who, self.scenario.patience)

    def _happens(self, who: str, line: Happens) -> None:
        happened = at_wall(line.happened, self.zone(who)) if line.happened else None
        self.world.event(who, line.event, line.payload, of=line.of, at=happened)
        self.say(who, line.event + (f" ({', '.join(str(v) for v in line.payload.values())})" if line.payload else ""))

    def _moment(self, wall: Wall, who: str) -> datetime:
        instant = at_wall(wall, self.zone(who))
        if instant < self.world.now:
            raise Missed(t("the clock does not go back: it stands at {now}", "l'horloge ne recule pas : elle est au {now}",
                           now=timeline.when(self.world.now, self.zone(who))), expected=f"at {wall}")  # fmt: skip
        return instant

    def go(self, instant: datetime) -> None:
        """Move the clock there; what is due before it happens on the way."""
        self.world.live_until(instant, inclusive=False)

    def who(self, name: str | None) -> str:
        """The contact's id of a person of this story."""
        return self.people[name] if name is not None else next(iter(self.people.values()))

    def say(self, who: str, text: str) -> None:
        self.said.append(Moment(self.world.now, text, self._called(who)))

    def _called(self, who: str) -> str:
        return next((name for name, id_ in self.people.items() if id_ == who), "")

    def _end(self) -> Failure | None:
        last = self.scenario.story[-1] if self.scenario.story else None
        line, column = (last.line, last.column) if last else (self.scenario.line, 1)
        try:
            self.settle()
            if self.scenario.quiet:
                for who in self.people.values():
                    self.quiet(who)
            self._pinned(line, column)
        except Missed as missed:
            return Failure(line, column, missed.expected or "end: quiet", missed.got)
        return None

    def _pinned(self, line: int, column: int) -> None:
        """Every split that was reached had its arm pinned."""
        for who in self.people.values():
            for one in self.world.decisions(who):
                if one.rule == "split" and one.step not in self.take:
                    arms = self.arms(one.campaign, one.step)
                    if self.each:
                        raise _Reached(one.step, arms)
                    raise Missed(t("split '{s}' was reached: its arm is chance", "la répartition « {s} » a été atteinte : son bras tient au hasard", s=one.step),
                                 expected=f"take: {{{one.step}: {' | '.join(arms)}}}", line=line, column=column)  # fmt: skip

    def arms(self, campaign: str, step: str) -> tuple[str, ...]:
        return self.world.studio.arms(campaign, step)

    # --- the outcome ------------------------------------------------------------------------------------------------
    def _played(self, failure: Failure | None) -> Played:
        first = next(iter(self.people.values()))
        zone = self.zone(first)
        days = (self.world.now.astimezone(zone).date() - self.world.start.astimezone(zone).date()).days
        found = tuple(self._lived(who) for who in self.people.values())
        suffix = f" [{', '.join(f'{s}: {a}' for s, a in self.take.items() if s not in self.scenario.take)}]" if self.each else ""
        return Played(
            self.file.file, self.file.campaign, self.scenario.name + suffix, self.scenario.line, "failed" if failure else "passed", days,
            failure, tuple(self.timeline()), tuple(self._broken()), found, lives=len(self.people), observed=tuple(self.observed()),
            arms=dict(self.take),
        )  # fmt: skip

    def timeline(self) -> Iterator[Moment]:
        """What was said and what came of it, by instant."""
        moments = [*self.said]
        for who in self.people.values():
            world, name = self.world, self._called(who)
            told = timeline.entries(world.decisions(who), world.standing(who), (*world.touches(who), *world.waiting(who)))
            moments += (Moment(at, text, name) for at, text in told)
        yield from sorted(moments, key=lambda m: clock.to_ms(m.at))

    def _broken(self) -> Iterator[Broken]:
        """Properties of the file, and those that the campaign and omni promise anyway, over each person's life."""
        world = self.world
        campaign, project = world.studio.authored[self.file.campaign], world.project
        promises = tuple(dict.fromkeys([*(one.promise for one in self.file.always), *promised(campaign, project)]))
        for who in self.people.values():
            number = world.ids[who]
            life = lived.lives(world.store, project, end=world.now, contacts=[number], afterwards=world.afterwards)[number]
            for breach in breaches(life, promises, campaigns=world.loaded.campaigns):
                yield Broken(self._called(who), breach)

    def _lived(self, who: str) -> Lived:
        world, passes = self.world, self.world.standing(who)
        last = passes[-1] if passes else None
        zone = self.zone(who)
        return Lived(
            self._called(who), str(zone), last.language if last else None, last.persona if last else None,
            tuple(_row(one, zone) for one in world.touches(who)),
            tuple((one.step, one.rule, one.answer) for one in world.decisions(who)), last.reason if last else None,
        )  # fmt: skip

    def observed(self) -> Iterator[str]:
        """The touches as lines of a story: what `--update` writes."""
        for name, who in self.people.items():
            for one in self.world.touches(who):
                if one.accepted:
                    at = f"{one.at.astimezone(self.zone(who)):%Y-%m-%d %H:%M}"
                    yield (f"{name}: " if len(self.people) > 1 else "") + f"{one.channel} {one.message} at {at}"


def _row(one: Sent, zone: tzinfo) -> Mapping[str, object]:
    return {"step": one.step, "message": one.message, "channel": one.channel, "state": one.state, "reason": one.reason, "at": clock.iso(one.at),
            "time_zone": str(zone), "language": one.language, "persona": one.persona, "campaign": one.campaign}  # fmt: skip
