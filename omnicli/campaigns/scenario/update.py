"""`--update`: the story that was observed, written where `story: []` stands, and a failing line replaced by what there was instead.

Only the lines concerned change; comments, order and everything else stay byte for byte. Nothing is written without being shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from omnicli.campaigns.scenario.expect import at_wall
from omnicli.campaigns.scenario.play import Player
from omnicli.campaigns.scenario.played import FilePlayed, Played
from omnicli.campaigns.scenario.world import World
from omnicli.model.story import ExpectTouch, Scenario, StoryFile
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded

#: How long a scenario with an empty story is watched.
WATCHED = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines `first` to `last` (from 1, inclusive) of a file become `lines`; `why` is what the person is asked."""

    file: str
    scenario: str
    first: int
    last: int
    lines: tuple[str, ...]
    before: tuple[str, ...]
    why: str


def edits(loaded: Loaded, file: StoryFile, played: FilePlayed, text: str) -> Iterator[Edit]:
    """What could be written into this file: for each empty story, and for each failing `expect` of a touch."""
    rows = text.splitlines()
    by_name = {one.name: one for one in file.scenarios}
    for one in played.scenarios:
        scenario = by_name.get(one.name)
        if scenario is None:
            continue
        if not scenario.story:
            yield from _story(loaded, file, scenario, rows)
        elif one.failure is not None:
            yield from _line(file, scenario, one, rows)


def write(text: str, chosen: Sequence[Edit]) -> str:
    """The text with these edits, from the last line to the first; line ends stay as they are."""
    rows = text.splitlines(keepends=True)
    end = "\r\n" if rows and rows[0].endswith("\r\n") else "\n"
    for one in sorted(chosen, key=lambda edit: -edit.first):
        rows[one.first - 1 : one.last] = [line + end for line in one.lines]
    return "".join(rows)


def update(
    root: Callable[[str], str], keep: Callable[[str, str], None], found: Sequence[Edit], asks: Callable[[Edit], bool]
) -> int:
    """Write those edits that are answered with yes; how many. `root` reads a file, `keep` writes it."""
    chosen = [one for one in found if asks(one)]
    for file in dict.fromkeys(one.file for one in chosen):
        keep(file, write(root(file), [one for one in chosen if one.file == file]))
    return len(chosen)


# --- an empty story -------------------------------------------------------------------------------------------------
def _story(loaded: Loaded, file: StoryFile, scenario: Scenario, rows: Sequence[str]) -> Iterator[Edit]:
    """`story: []` with what happens when nobody does anything: entering by the first event, then the touches."""
    place = next((n for n in range(scenario.line, len(rows) + 1) if re.match(r"\s*story:\s*\[\s*\]", rows[n - 1])), None)
    if place is None:
        return
    old = rows[place - 1]
    indent = " " * (len(old) - len(old.lstrip()))
    comment = old[old.index("]") + 1 :]
    lines = [f"{indent}  - {line}" for line in watched(loaded, file, scenario)]
    if lines:
        why = t("write what was observed into '{name}'?", "écrire dans « {name} » ce qui a été observé ?", name=scenario.name)
        yield Edit(file.file, scenario.name, place, place, (f"{indent}story:{comment}", *lines), (old,), why)


def watched(loaded: Loaded, file: StoryFile, scenario: Scenario) -> list[str]:
    """The lines of a story in which the person enters and stays silent."""
    assert loaded.project is not None
    entering = loaded.campaigns[file.campaign].enter.when
    start = at_wall(scenario.start, ZoneInfo(loaded.project.time_zone))
    with World(
        loaded, file.campaigns, start=start, arms=scenario.take, held_out=scenario.holdout, environment=scenario.environment
    ) as world:
        player = Player(world, file, scenario, scenario.take)
        who = next(iter(player.people.values()))
        lines = []
        if entering:
            event = entering[0].split(" ")[0]
            world.event(who, event, {})
            lines.append(f"event: {event}")
        return [*lines, *_seen(world, player, who)]


def _seen(world: World, player: Player, who: str) -> Iterator[str]:
    """Each touch as it left, after the time that lies before it; then how the pass ended."""
    world.live_until(world.start + WATCHED)
    before, zone = world.start, player.zone(who)
    for one in world.touches(who):
        if not one.accepted:
            continue
        days = (one.at.astimezone(zone).date() - before.astimezone(zone).date()).days
        if days > 1:
            yield f"after: {days - 1} days" if days > 2 else "after: 1 day"
        yield f"expect: {one.channel} {one.message} at {one.at.astimezone(zone):%Y-%m-%d %H:%M}"
        before = one.at
    ended = next((way for way in reversed(world.standing(who)) if way.ended_at is not None), None)
    if ended is not None and ended.ended_at is not None:
        if ended.ended_at > before:
            yield f"at: {(ended.ended_at + timedelta(minutes=1)).astimezone(zone):%Y-%m-%d %H:%M}"
        yield f"expect: exit {ended.reason}"


# --- a failing line ---------------------------------------------------------------------------------------------------
def _line(file: StoryFile, scenario: Scenario, one: Played, rows: Sequence[str]) -> Iterator[Edit]:
    """The line of a touch that came otherwise, with the touch that came."""
    assert one.failure is not None
    line = next((x for x in scenario.story if x.line == one.failure.line), None)
    got = re.match(r"(\S+) (\S+)", one.failure.got)
    if not isinstance(line, ExpectTouch) or got is None:
        return
    number = sum(isinstance(x, ExpectTouch) for x in scenario.story[: scenario.story.index(line)])
    if number >= len(one.observed) or not one.observed[number].startswith(f"{got[1]} {got[2]}"):
        return
    old = rows[line.line - 1]
    seen = one.observed[number] if line.at is not None else f"{got[1]} {got[2]}"
    found = re.match(r"(\s*(?:- )?expect:\s*)(?:[^#]*?)(\s+#.*)?$", old)
    if found is not None:
        new = f"{found[1]}{seen}{found[2] or ''}"
        yield Edit(file.file, scenario.name, line.line, line.line, (new,), (old,),
                   t("replace line {n}?", "remplacer la ligne {n} ?", n=line.line))  # fmt: skip
