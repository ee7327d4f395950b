"""What cron pays: a tick of a new process that finds nothing to do reads the same rows of a store however many people are in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
from delivering import SENDS, Delivery, a_campaign

from omnicli import clock
from omnicli.app import open_project, open_store
from omnicli.campaigns.life import start
from omnicli.service.scheduler import tick
from omnicli.store.connection import Store

pytestmark = pytest.mark.sqlite_only(reason="counts SQLite's steps")

#: Ways in of all kinds that need no instant of their own; the last one is over, and waits for one parked touch.
CAMPAIGNS = {
    "bienvenue": "{when: signup}", "retour": "{if: orders > 100}", "lundi": "{every: monday 10:00}", "tard": "{if: renewal before today}",
    "fini": "{at: 2027-01-03 10:00}", "arret": "{when: signup}",
}  # fmt: skip
PEOPLE = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < :people) "
PASS = (
    PEOPLE
    + "INSERT INTO enrollment (id, key, contact_id, campaign_id, version_id, pass, entered_at, language, step, since, due_at, state, "
    "reason, ended_at) SELECT n + :from, randomblob(16), n, c.id, c.version_id, 1, 0, 'fr', 'repos', 0, :due, :state, :reason, :ended "
    "FROM g, campaign c WHERE c.name = :name"
)
TOUCH = (
    PEOPLE
    + "INSERT INTO touch (touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, "
    "send_state, created_at, settled_at) SELECT randomblob(16), n, n + :from, c.version_id, :step, 'offre', 'email', 'marketing', 5, :due, "
    ":due + 172800000, CASE n WHEN 1 THEN :first ELSE :state END, 0, CASE WHEN n > 1 OR :first = :state THEN :settled END FROM g, campaign c WHERE c.name = :name"
)
STEP = 100_000


def filled(folder: Path, people: int, *, live: bool) -> Path:
    """That many people in flight, as many whose touches wait for tomorrow, as many who have been through; nothing is due."""
    folder.mkdir()
    stage = Delivery(folder, *(a_campaign(SENDS, name=name, enter=way) for name, way in CAMPAIGNS.items()), file=True)
    stage.store.close()
    loaded = open_project(folder)
    store = open_store(loaded, live=live)
    for name in CAMPAIGNS:
        start(store, loaded, name, now=stage.now)
    now = clock.to_ms(stage.now)
    late, before = now + 86_400_000, now - 86_400_000
    with store.write() as connection:
        run = lambda sql, **given: connection.execute(sa.text(sql), {"people": people, **given})  # noqa: E731
        run(
            PEOPLE
            + "INSERT INTO contact (id, uid, source_id, created_at, changed_at, attributes_at, country, time_zone, language, reach) "
            "SELECT n, randomblob(32), 'p' || n, 0, 0, 0, 'FR', 'Europe/Paris', 'fr', '' FROM g"
        )
        run(PEOPLE + "INSERT INTO event (contact_id, name, at, received_at) SELECT n, 'visit', 0, 0 FROM g")
        run(PASS, name="bienvenue", due=late, state="open", reason=None, ended=None, **{"from": 0})
        run(PASS, name="fini", due=None, state="ended", reason="end", ended=before, **{"from": STEP})
        run("ANALYZE")  # long ago: nothing that waits or is in doubt was there yet
        run(TOUCH, name="bienvenue", step="j0", due=before, state="accepted", first="accepted", settled=before, **{"from": 0})
        run(TOUCH, name="bienvenue", step="j1", due=late, state="planned", first="planned", settled=None, **{"from": 0})
        run(TOUCH, name="fini", step="j0", due=before, state="accepted", first="parked", settled=before, **{"from": STEP})
        run("UPDATE campaign SET state = 'stopped' WHERE name = 'arret'")
    tick(store, loaded, live=live, now=stage.now + timedelta(minutes=1))  # the first look of each door
    store.close()
    return folder


@contextmanager
def counted(store: Store) -> Iterator[list[int]]:
    """Steps of SQLite's machine that whoever asks the store lets it do: what it reads, not how long it takes."""
    steps = [0]

    def one() -> int:
        steps[0] += 1
        return 0

    def watch(raw: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        raw.set_progress_handler(one, 1)

    for engine in (store.reader, store.writer):
        engine.dispose()
        sa.event.listen(engine, "connect", watch)
    yield steps


def steps(folder: Path, *, live: bool) -> int:
    loaded = open_project(folder)
    store = open_store(loaded, live=live)
    with counted(store) as found:
        ticked = tick(store, loaded, live=live, now=clock.read_instant("2027-01-04 08:02", "Europe/Paris"))
    store.close()
    assert ticked.report is not None
    assert not ticked.report.happened
    assert ticked.report.doubtful == 1
    return found[0]


@pytest.mark.parametrize("live", [False, True])
def test_a_tick_of_a_new_process_reads_as_much_of_a_large_store_as_of_a_small_one(tmp_path: Path, live: bool) -> None:
    few, many = (steps(filled(tmp_path / str(people), people, live=live), live=live) for people in (100, 2_000))
    assert few > 1_000
    assert many < few * 1.1
