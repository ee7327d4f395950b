"""The pytest plugin: `*.test.yaml` beneath an `omni.yaml` as test items, and lives in Python tests. Off unless a project asks for it.

Switched on by `omni_tests = true` in `[tool.pytest.ini_options]`, or by `-p omnicli.testing` on the command line. Nothing of omni is
imported before a scenario is collected or a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from datetime import datetime

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.scenario.read import Sent
    from omnicli.campaigns.scenario.world import World
    from omnicli.model.story import Scenario, StoryFile

SUFFIX = ".test.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("omni_tests", "collect the *.test.yaml of omni projects", type="bool", default=False)
    parser.addini("omni_project", "the folder that holds omni.yaml (default: the nearest upwards)", default="")


def _asked(config: pytest.Config) -> bool:
    """The project asked, or the command line named the plugin."""
    named = "omnicli.testing" in (config.getoption("plugins", default=None) or ())
    return bool(config.getini("omni_tests")) or named


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith(SUFFIX) or not _asked(parent.config):
        return None
    root = _root_of(file_path)
    return None if root is None else StoryCollector.from_parent(parent, path=file_path, root=root)


def _root_of(path: Path) -> Path | None:
    """The project that a scenario file belongs to: its folder is the project's `campaigns`."""
    folder = path.parent.parent
    return folder if path.parent.name == "campaigns" and (folder / "omni.yaml").is_file() else None


class StoryCollector(pytest.File):
    """One scenario file: an item each scenario."""

    def __init__(self, *, root: Path, **options: Any) -> None:
        super().__init__(**options)
        self.root = root

    def collect(self) -> Iterator[pytest.Item]:
        from omnicli.campaignfile.stories import load_stories

        loaded = _loaded(self.root)
        file = f"campaigns/{self.path.name}"
        stories = load_stories(loaded, files=[file])
        wrong = stories.errors() or tuple(f for one in stories.files for name in one.campaigns for f in loaded.errors(name))
        if wrong:
            raise Unread("\n".join(f"{f.place.file}:{f.place.line}:{f.place.column}: {f.code} {f.message}" for f in wrong))
        for one in stories.files:
            for scenario in one.scenarios:
                item = ScenarioItem.from_parent(self, name=scenario.name, loaded=loaded, file=one, scenario=scenario)
                for mark in (word[1:] for word in scenario.name.split() if word.startswith("@") and len(word) > 1):
                    item.add_marker(mark)
                yield item

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, Unread) else super().repr_failure(excinfo)


class Unread(Exception):
    """A scenario file that cannot be read: its findings, a line each."""


class Differs(Exception):
    """Life differs from the scenario: what a terminal shows of it."""


class ScenarioItem(pytest.Item):
    """One scenario; it fails at its YAML line, without a traceback."""

    def __init__(self, *, loaded: Loaded, file: StoryFile, scenario: Scenario, **options: Any) -> None:
        super().__init__(**options)
        self.loaded, self.file, self.scenario = loaded, file, scenario

    def runtest(self) -> None:
        from omnicli.campaigns.scenario.play import play

        if self.scenario.skip is not None:
            pytest.skip(self.scenario.skip)
        played = play(self.loaded, self.file, self.scenario)
        if any(one.failed for one in played):
            raise Differs(_shown(self.file, [one for one in played if one.failed]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, Differs) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.scenario.line - 1, self.name


def _shown(file: StoryFile, played: Any) -> str:
    """What `omni campaign test` prints of these, without colour."""
    import io

    from rich.console import Console

    from omnicli.campaigns.scenario.played import FilePlayed
    from omnicli.campaigns.scenario.show import show

    text = io.StringIO()
    console = Console(file=text, width=200, no_color=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
    show(console, [FilePlayed(file.file, file.campaign, tuple(played), len(file.always))])
    return text.getvalue().rstrip()


_KNOWN: dict[Path, Loaded] = {}


def _loaded(root: Path) -> Loaded:
    """The project, read once a test run."""
    from omnicli.app import open_project

    if root not in _KNOWN:
        _KNOWN[root] = open_project(root)
    return _KNOWN[root]


# --- lives in Python ------------------------------------------------------------------------------------------------
@pytest.fixture
def omni_project(request: pytest.FixtureRequest) -> Path:
    """The folder of the project: `omni_project` of the ini file, else the nearest with `omni.yaml` from the test upwards."""
    given = str(request.config.getini("omni_project"))
    if given:
        return (request.config.rootpath / given).resolve()
    for folder in (request.path.parent, *request.path.parents):
        if (folder / "omni.yaml").is_file():
            return folder
    pytest.fail(f'no omni.yaml above {request.path}: say omni_project = "…" in the ini file', pytrace=False)


@pytest.fixture
def omni_clock() -> Clock:
    """Where the clock of lives begins; `omni_clock.start = "2027-03-27 11:30"` before the first life."""
    return Clock()


@dataclass
class Clock:
    """`start`: wall time in the project's zone; None takes that of the campaign's first scenario file, else 2027-01-04 11:30."""

    start: str | None = None


@pytest.fixture
def omni_life(omni_project: Path, omni_clock: Clock) -> Iterator[Any]:
    """`omni_life(contact, campaign)`: a name of the campaign's scenario files, or a mapping as they write one."""
    made: list[Life] = []

    def live(
        contact: str | Mapping[str, Any], campaign: str, *, take: Mapping[str, str] | None = None, holdout: bool = False
    ) -> Life:
        life = _life(omni_project, omni_clock, contact, campaign, take=take or {}, holdout=holdout)
        made.append(life)
        return life

    yield live
    for life in made:
        life.world.close()


def _life(
    root: Path, clock_: Clock, contact: str | Mapping[str, Any], campaign: str, *, take: Mapping[str, str], holdout: bool
) -> Life:
    from zoneinfo import ZoneInfo

    from omnicli import clock
    from omnicli.campaignfile.stories import load_stories
    from omnicli.campaigns.scenario.expect import at_wall
    from omnicli.campaigns.scenario.world import World

    loaded = _loaded(root)
    assert loaded.project is not None
    files = load_stories(loaded).of(campaign)
    people = {name: person.values for one in files for name, person in one.people.items()}
    if isinstance(contact, str) and contact not in people:
        pytest.fail(
            f"no contact '{contact}' in the scenario files of {campaign}; there are: {', '.join(people) or 'none'}", pytrace=False
        )
    zone = loaded.project.time_zone
    written = clock_.start or (None if files else "2027-01-04 11:30")
    start = clock.read_instant(written, zone) if written else at_wall(files[0].start, ZoneInfo(zone))
    world = World(loaded, [campaign], start=start, arms=take, held_out=holdout)
    values = people[contact] if isinstance(contact, str) else contact
    return Life(world, world.add(values, name=contact if isinstance(contact, str) else None))


@dataclass
class Life:
    """One person's life in a world of their own, by the engine of `run`. Verbs give the life back, so that they can be chained.

    What is due *at* an instant happens when something is asked, not when the clock gets there: an event can still come before it.
    """

    world: World
    who: str
    _taken: set[int] = field(default_factory=set)

    def event(self, name: str, *, of: str | None = None, **payload: Any) -> Life:
        """This response or event happens now."""
        self.world.event(self.who, name, payload, of=of)
        return self

    def change(self, **values: Any) -> Life:
        self.world.change(self.who, values)
        return self

    def consent(self, **channels: bool) -> Life:
        self.world.consent(self.who, channels)
        return self

    def after(self, length: str) -> Life:
        """The clock moves on (`3 days`), by the person's own calendar."""
        from omnicli.model.literals import Duration

        return self._go(Duration.timeout(length).after(self.world.now, self.world.zone(self.who)))

    def at(self, moment: str, *, before_due: bool = False) -> Life:
        """The clock moves there (`2027-01-05 10:00`, the person's zone); `before_due`: what is due then waits for the next question."""
        from omnicli import clock

        instant = clock.read_instant(moment, str(self.world.zone(self.who)))
        self._go(instant)
        if not before_due:
            self._settle()
        return self

    def _go(self, instant: datetime) -> Life:
        if instant < self.world.now:
            raise ValueError(f"the clock does not go back: it stands at {self.now}")
        self.world.live_until(instant, inclusive=False)
        return self

    def _settle(self) -> None:
        self.world.live_until(self.world.now)

    # --- questions --------------------------------------------------------------------------------------------------
    @property
    def now(self) -> datetime:
        """The clock, in the person's zone."""
        return self.world.now.astimezone(self.world.zone(self.who))

    @property
    def touches(self) -> list[str]:
        """What left so far: `email offre-bienvenue` each."""
        self._settle()
        return [f"{one.channel} {one.message}" for one in self.world.touches(self.who) if one.accepted]

    def next_touch(self, *, within: str = "1 day") -> Sent | None:
        """The next touch that leaves, at most so far ahead; None when none does. Asked again it is the one after."""
        from omnicli.model.literals import Duration

        limit = Duration.timeout(within).after(self.world.now, self.world.zone(self.who))
        self._settle()
        while not (left := [one for one in self.world.touches(self.who) if one.accepted and one.id not in self._taken]):
            due = self.world.next_due()
            if due is None or due > limit:
                return None
            self.world.live(due)
        self._taken.add(left[0].id)
        return left[0]

    def text(self, touch: Sent) -> str:
        """What its reader saw, spaces folded."""
        from omnicli.campaigns.scenario.expect import visible

        return visible(self.world.text(touch))

    @property
    def exit(self) -> str | None:
        """The reason for which the last pass ended; None while it is open."""
        return self._pass("reason")

    @property
    def step(self) -> str | None:
        """Where the last pass stands; None when it has ended."""
        self._settle()
        passes = self.world.standing(self.who)
        return passes[-1].step if passes and passes[-1].state == "open" else None

    @property
    def persona(self) -> str | None:
        return self._pass("persona")

    def _pass(self, name: str) -> str | None:
        self._settle()
        passes = self.world.standing(self.who)
        found: str | None = getattr(passes[-1], name) if passes else None
        return found
