"""`omni campaign test --fuzz N --seed S`: lives that nobody thought of, and for each promise that one of them breaks the smallest story.

The same seed gives the same lives on every machine. Lives that share a start and providers share a world, which is what makes a
thousand of them quick; a life that fails is lived again alone before it is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.campaigns.scenario import troupe
from omnicli.campaigns.scenario.always import Breach, breaches
from omnicli.campaigns.scenario.edges import edges
from omnicli.campaigns.scenario.lived import Life
from omnicli.campaigns.scenario.lives import Cast, Dice
from omnicli.campaigns.scenario.promised import promised
from omnicli.campaigns.scenario.script import Script, told
from omnicli.campaigns.scenario.shrink import shrink
from omnicli.model import promise as p
from omnicli.model.campaign import Split
from omnicli.model.flow import Flow
from omnicli.model.story import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign

#: How long a generated life lasts after its beginning.
DAYS = timedelta(days=60)
#: Starts besides the file's own: the night before the clocks change in Europe, and the evening before two holidays.
STARTS = ("2027-03-27 22:30", "2026-12-24 17:00")
#: Lives of which each different promise is shrunk; more of them are only counted.
SHRUNK = 12


@dataclass(frozen=True, slots=True)
class Found:
    """One promise that a life broke: which life, the breach, and the smallest script that still breaks it. `lines` were lines of its
    story before. `alone` False: only together with others, so nothing was shrunk."""

    seed: int
    life: int
    breach: Breach
    script: Script
    lines: int
    times: int
    scenario: tuple[str, ...]
    alone: bool = True

    @property
    def story(self) -> tuple[str, ...]:
        """The lines of the story alone."""
        begin = self.scenario.index("  story:")
        return tuple(line.strip() for line in self.scenario[begin + 1 :])


@dataclass(frozen=True)
class FuzzReport:
    """What became of the lives of one campaign. `lived` are the lives themselves: coverage counts them too; `beside` lived along."""

    campaign: str
    seed: int
    lives: int
    days: int
    promises: tuple[str, ...]
    found: tuple[Found, ...]
    lived: tuple[Life, ...]
    beside: tuple[str, ...] = ()

    def json(self) -> dict[str, object]:
        """As `--json` says it."""
        found = [
            {"seed": one.seed, "life": one.life, "promise": one.breach.promise, "at": clock.iso(one.breach.at), "what": one.breach.what,
             "times": one.times, "scenario": "\n".join(one.scenario)}
            for one in self.found
        ]  # fmt: skip
        return {"campaign": self.campaign, "seed": self.seed, "lives": self.lives, "breaches": found}


def fuzz(
    loaded: Loaded, name: str, *, lives: int, seed: int, start: datetime | None = None, promises: Sequence[p.Promise] = (),
    beside: Sequence[str] = (), progress: Callable[[int], None] | None = None, small: bool = True,
) -> FuzzReport:  # fmt: skip
    """Live `lives` generated lives of one campaign; `beside` are campaigns that live too. `promises` are those of its test file.
    `small` False leaves failing lives as they are."""
    work = _Fuzz(loaded, name, seed, start, promises, beside)
    lived = list(work.all(lives, progress))
    found = tuple(work.explain(lived, small))
    return FuzzReport(name, seed, lives, work.days.days, tuple(p.spelled(one) for one in work.promises), found,
                      tuple(life for _, life in lived), work.names[1:])  # fmt: skip


class _Fuzz:
    def __init__(self, loaded: Loaded, name: str, seed: int, start: datetime | None, promises: Sequence[p.Promise], beside: Sequence[str]) -> None:  # fmt: skip
        assert loaded.project is not None
        self.loaded, self.project, self.name, self.seed = loaded, loaded.project, name, seed
        self.names = tuple(dict.fromkeys((name, *beside)))
        self.zone: tzinfo = ZoneInfo(self.project.time_zone)
        first = start or clock.read_instant("2027-01-04 11:30", self.project.time_zone)
        self.starts = (first, *(clock.read_instant(text, self.project.time_zone) for text in STARTS))
        self.campaign: Campaign = loaded.campaigns[name]
        self.promises = tuple(dict.fromkeys((*promises, *promised(self.campaign, self.project))))
        self.edges = edges(loaded, self.campaign, first.date())
        self.unbound = troupe.unbound(loaded)
        self.cast = Cast.of(self.unbound, self.campaign, self.edges, seed, self.names[1:])
        longest = [one.length.about + timedelta(days=2) for one in self.promises if isinstance(one, p.EndsWithin)]
        past = [age.about for ages in self.edges.ages.values() for age in ages if age.about <= timedelta(days=120)]
        self.days = max((DAYS, *longest)) + max(past, default=timedelta())

    # --- living ---------------------------------------------------------------------------------------------------
    def all(self, lives: int, progress: Callable[[int], None] | None) -> Iterator[tuple[Script, Life]]:
        """Every life, those of one world together."""
        groups: dict[tuple[datetime, tuple[tuple[str, str], ...]], list[Script]] = {}
        for number in range(lives):
            script = self.script(number)
            groups.setdefault((script.start, tuple(script.environment.provider.items())), []).append(script)
        for (start, _), scripts in sorted(groups.items()):
            yield from troupe.perform(self.cast, self.names, scripts, until=start + self.days)
            if progress is not None:
                progress(len(scripts))

    def script(self, number: int) -> Script:
        """How life `number` begins."""
        dice = Dice(self.seed, number)
        environment = self.cast.environment(dice)
        early = environment.provider or dice.often(80, "start")
        start = self.starts[0] if early else self.starts[1 + self.seed % len(STARTS)]
        given, consent = self.cast.person(dice)
        silent = self.campaign.holdout is not None and dice.often(5, "held out")
        return Script(
            f"fuzz {self.seed}/{number}",
            number,
            start,
            given,
            consent,
            tuple(self.cast.opening(dice, start)),
            environment,
            silent,
        )

    # --- judging ----------------------------------------------------------------------------------------------------
    def judge(self, life: Life) -> tuple[Breach, ...]:
        return breaches(life, self.promises, campaigns=self.loaded.campaigns)

    def explain(self, lived: Sequence[tuple[Script, Life]], small: bool) -> Iterator[Found]:
        """For each promise that was broken: the life that is easiest to make small, and how many broke it."""
        broken: dict[str, list[tuple[Script, Life, Breach]]] = {}
        for script, life in lived:
            for breach in self.judge(life):
                broken.setdefault(breach.promise, []).append((script, life, breach))
        for promise, cases in sorted(broken.items())[:SHRUNK]:
            cases.sort(key=lambda case: (len(case[0].deeds), len(case[0].given), case[0].number))
            yield self.smallest(promise, cases, small)

    def smallest(self, promise: str, cases: Sequence[tuple[Script, Life, Breach]], small: bool) -> Found:
        for script, life, _ in cases[:3] if small else ():
            pinned = replace(script, arms=_arms(life, self.campaign))
            if (again := self.broken(pinned, promise)) is not None:
                least = shrink(pinned, lambda one: self.broken(one, promise) is not None)
                return self.found(least, self.broken(least, promise) or again, script, len(cases))
        script, life, breach = cases[0]
        return replace(self.found(script, breach, script, len(cases)), alone=False)

    def broken(self, script: Script, promise: str) -> Breach | None:
        """That promise's breach in a life of its own."""
        return next((one for one in self.judge(self.alone(script)) if one.promise == promise), None)

    def alone(self, script: Script) -> Life:
        return troupe.alone(self.unbound, self.names, script, until=script.start + self.days)

    def found(self, script: Script, breach: Breach, before: Script, times: int) -> Found:
        life = self.alone(script)
        lines = self.told(replace(script, arms=_arms(life, self.campaign, until=breach.at)), life, breach)
        return Found(self.seed, script.number, breach, script, len(self.told(before, life, breach)), times, lines)

    def told(self, script: Script, life: Life, breach: Breach) -> tuple[str, ...]:
        """The scenario to paste: it ends where the promise was broken, at the next full minute. Where openings are spread, the name
        of a pasted scenario may draw a later place in them: then it ends with the spread."""
        at = breach.at + (self.project.schedule.spread.about if breach.at.microsecond else timedelta())
        end = at if at == at.replace(second=0, microsecond=0) else at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return tuple(told(script, self.zone, life.zone, end=end, name=f"found by fuzz {self.seed}/{script.number}"))


def _arms(life: Life, campaign: Campaign, *, until: datetime | None = None) -> Mapping[str, str]:
    """The arms that this life drew (up to an instant), so that it draws them again."""
    splits = {node.id for node in Flow.of(campaign) if isinstance(node.step, Split)}
    return {
        one.step: one.label
        for way in life.passes
        for one in way.taken
        if way.campaign == campaign.campaign and one.step in splits and (until is None or one.at <= until)
    }


__all__ = ["Environment", "Found", "FuzzReport", "fuzz"]
