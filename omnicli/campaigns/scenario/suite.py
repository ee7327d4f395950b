"""Plays the scenarios of many files, in this process or in several, and gives what became of them in the order of the files.

Each scenario has a world of its own, so order and company change nothing; the same bytes come out of one process and of eight.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnicli.campaigns.scenario.expect import at_wall
from omnicli.campaigns.scenario.play import Player, play
from omnicli.campaigns.scenario.played import FilePlayed, Played
from omnicli.campaigns.scenario.world import World
from omnicli.model.story import Scenario, StoryFile
from omnicli.text import fold

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.why import Explained


@dataclass
class _Shared:
    """What a forked process finds here instead of being sent it."""

    loaded: Loaded | None = None
    work: Sequence[tuple[StoryFile, Scenario]] = ()


_SHARED = _Shared()


def chosen(files: Sequence[StoryFile], name: str | None) -> list[tuple[StoryFile, Scenario]]:
    """The scenarios whose name has this in it (folded), in order; without a name all."""
    wanted = fold(name) if name else ""
    return [(file, scenario) for file in files for scenario in file.scenarios if wanted in fold(scenario.name)]


def suite(
    loaded: Loaded, files: Sequence[StoryFile], *, name: str | None = None, jobs: int = 1,
    progress: Callable[[int], None] = lambda _n: None,
) -> tuple[FilePlayed, ...]:  # fmt: skip
    """Play them all. `jobs` processes at most; files of which no scenario was chosen are left out."""
    work = chosen(files, name)
    found = _in_processes(loaded, work, jobs, progress) if jobs > 1 and len(work) > 1 else _here(loaded, work, progress)
    by: dict[str, list[Played]] = {}
    for (file, _), played in zip(work, found, strict=True):
        by.setdefault(file.file, []).extend(played)
    return tuple(FilePlayed(f.file, f.campaign, tuple(by[f.file]), len(f.always)) for f in files if f.file in by)


def _here(
    loaded: Loaded, work: Sequence[tuple[StoryFile, Scenario]], progress: Callable[[int], None]
) -> list[tuple[Played, ...]]:
    found = []
    for file, scenario in work:
        found.append(play(loaded, file, scenario))
        progress(1)
    return found


def _in_processes(
    loaded: Loaded, work: Sequence[tuple[StoryFile, Scenario]], jobs: int, progress: Callable[[int], None]
) -> list[tuple[Played, ...]]:
    _SHARED.loaded, _SHARED.work = loaded, work
    found: list[tuple[Played, ...]] = []
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=multiprocessing.get_context("fork")) as pool:
        for played in pool.map(_play, range(len(work))):
            found.append(played)
            progress(1)
    return found


def _play(number: int) -> tuple[Played, ...]:
    assert _SHARED.loaded is not None
    return play(_SHARED.loaded, *_SHARED.work[number])


def trace(loaded: Loaded, file: StoryFile, scenario: Scenario) -> tuple[Explained, ...]:
    """Every decision of a scenario, one explanation a person: the text of `omni contact why`, asked of the scenario's own store."""
    from zoneinfo import ZoneInfo

    from omnicli.campaigns.why import why

    assert loaded.project is not None
    start = at_wall(scenario.start, ZoneInfo(loaded.project.time_zone))
    with World(loaded, file.campaigns, start=start, arms=scenario.take, held_out=scenario.holdout,
               environment=scenario.environment) as world:  # fmt: skip
        player = Player(world, file, scenario, scenario.take)
        player.play()
        return tuple(why(world.store, loaded, who, now=world.now) for who in player.people.values())
