"""Mutation of the engine: the order of the instant, the ends of waits and windows, the counting of caps; the repository's scenarios
kill every mutant (docs/scenarios, bars)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.campaignfile.stories import load_stories
from omnicli.campaigns import respond
from omnicli.campaigns.scenario.suite import suite
from omnicli.engine import calendar, decide, guard, timing, walk

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
Patch = pytest.MonkeyPatch


def later_fold(patch: Patch) -> None:
    """Responses of this very second are left for the next instant."""
    whole = respond.fold

    def fold(store: Any, loaded: Any, *, now: datetime) -> Any:
        with store.read() as connection:
            new = connection.exec_driver_sql(
                f"SELECT 1 FROM inbox WHERE folded_at IS NULL AND received_at >= {clock.to_ms(now)}"
            ).first()
        return respond.Folded() if new is not None else whole(store, loaded, now=now)

    patch.setattr(respond, "fold", fold)


def goal_not_asked(patch: Patch) -> None:
    """The goal ends nothing."""
    patch.setattr(walk, "conversion", lambda *_: None)


def exits_not_asked(patch: Patch) -> None:
    """Exit rules and opt-outs end nothing."""
    patch.setattr(decide._Walk, "_exit_rule", lambda self: None)


def waits(shift: timedelta) -> Callable[[Patch], None]:
    """Every wait ends this much later."""

    def put(patch: Patch) -> None:
        whole = decide._Walk.reach_wait

        def reach(self: Any, node: Any, step: Any) -> Any:
            if self.clock is not None:
                self.clock += shift
            else:
                self.at += shift
            return whole(self, node, step)

        patch.setitem(decide._REACH, decide.WaitStep, reach)

    return put


def answers_ignored(patch: Patch) -> None:
    """A wait takes `nothing`, whatever was answered."""

    def waited(self: Any, node: Any, step: Any) -> Any:
        if self.now < self.s.wait_until:
            return self._same()
        self.at = self.s.wait_until
        self._say("wait", "nothing", {}, node.id)
        return self._nothing(node)

    patch.setattr(decide._Walk, "_waited", waited)


def quiet_never(patch: Patch) -> None:
    """No window holds anything."""
    patch.setattr(calendar.Calendar, "free", lambda self, instant, **_: calendar.Free(instant))


def quiet_in_utc(patch: Patch) -> None:
    """Windows are those of London."""
    from zoneinfo import ZoneInfo

    patch.setattr(calendar.Calendar, "zones", lambda *_: (ZoneInfo("UTC"),))


def cap_counts(shift: int) -> Callable[[Patch], None]:
    """A cap of n holds like one of n + `shift`."""

    def put(patch: Patch) -> None:
        whole = guard.strictest
        patch.setattr(
            guard, "strictest", lambda rates: tuple(replace(one, count=max(1, one.count + shift)) for one in whole(rates))
        )

    return put


def next_time_today(patch: Patch) -> None:
    """`next 10:00` is a day late."""
    whole = timing.next_time
    patch.setattr(timing, "next_time", lambda time, reached, zone: whole(time, reached + timedelta(days=1), zone))


MUTANTS: dict[str, Callable[[Patch], None]] = {
    "the second of a send comes before its responses": later_fold,
    "the goal is not asked": goal_not_asked,
    "exits are not asked": exits_not_asked,
    "waits end a second late": waits(timedelta(minutes=1)),
    "waits end a day early": waits(timedelta(days=-1)),
    "answers are ignored": answers_ignored,
    "no window is quiet": quiet_never,
    "windows are those of UTC": quiet_in_utc,
    "next 10:00 is tomorrow": next_time_today,
    "a cap holds one too few": cap_counts(-1),
    "a cap holds one too many": cap_counts(+1),
}


def failing() -> list[str]:
    """The scenarios of the repository that fail, by file and name."""
    loaded = load_project(ROOT)
    files = load_stories(loaded).files
    return [f"{file.campaign}: {one.name}" for file in suite(loaded, files) for one in file.scenarios if one.failed]


def test_without_a_mutant_every_scenario_passes() -> None:
    assert failing() == []


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_the_scenarios_of_the_repository_kill_the_mutant(name: str, monkeypatch: Patch) -> None:
    MUTANTS[name](monkeypatch)
    assert failing(), f"nobody noticed that {name}"
