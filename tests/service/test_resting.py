"""A tick of which it is known that it would find nothing asks three indexes; and whoever comes is served by the next one all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from campaigns.stage import Stage, a_campaign, paris

from omnicli.service.scheduler import Ticked, tick

pytestmark = pytest.mark.sqlite_only(reason="on PostgreSQL workers share the rounds and nobody rests")
WAITS = a_campaign("- {wait: 2 days, id: w}\n- {send: offre, id: s, by: email}")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Somebody waits for two days; two ticks of this minute found nothing."""
    stage = Stage(tmp_path, WAITS, file=True)
    stage.person("lea", consent=("email",))
    stage.says("lea", "signup")
    ticked(stage, "2027-01-04 10:00:00")
    ticked(stage, "2027-01-04 10:01:00")
    ticked(stage, "2027-01-04 10:01:10")
    return stage


def ticked(stage: Stage, at: str) -> Ticked:
    stage.now = paris(at)
    return tick(stage.store, stage.loaded, live=False, now=stage.now)


@contextmanager
def heard(stage: Stage) -> Iterator[list[str]]:
    """What the store is asked meanwhile."""
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    engines = (stage.store.reader, stage.store.writer)
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)


def test_a_tick_that_would_find_nothing_asks_whether_something_is_due_and_writes_nothing(stage: Stage) -> None:
    with heard(stage) as asked:
        done = ticked(stage, "2027-01-04 10:01:20")
    assert done.report is not None
    assert not done.report.happened
    assert len(asked) <= 6
    assert all(statement.startswith("SELECT ") for statement in asked)


def test_a_minute_later_everything_is_looked_at_again(stage: Stage) -> None:
    with heard(stage) as asked:
        ticked(stage, "2027-01-04 10:02:00")
    assert any("campaign_version" in statement for statement in asked)


def test_whoever_comes_meanwhile_is_let_in(stage: Stage) -> None:
    stage.person("zoe", consent=("email",))
    stage.says("zoe", "signup")
    done = ticked(stage, "2027-01-04 10:01:20")
    assert done.report is not None
    assert done.report.entered == {"bienvenue": 1}


def test_what_falls_due_within_the_minute_is_decided(stage: Stage) -> None:
    with stage.store.write() as connection:
        connection.execute(
            sa.text("UPDATE enrollment SET due_at = :at, wait_until = :at"),
            {"at": int(paris("2027-01-04 10:03:30").timestamp() * 1000)},
        )
    ticked(stage, "2027-01-04 10:03:00")
    assert not ticked(stage, "2027-01-04 10:03:20").report.happened  # type: ignore[union-attr]
    done = ticked(stage, "2027-01-04 10:03:30")
    assert done.report is not None
    assert done.report.decided


def test_a_project_that_was_read_again_is_looked_at(stage: Stage) -> None:
    stage.loaded = stage.load()
    with heard(stage) as asked:
        ticked(stage, "2027-01-04 10:01:20")
    assert any("campaign_version" in statement for statement in asked)
