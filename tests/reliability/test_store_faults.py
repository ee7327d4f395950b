"""R11: the store fails at the k-th statement, for every k until a round gets through; it is busy; it is full (tests.md 2).

Every time: no call without a committed intent, one clean error, and the next round takes up where this one stopped: each person is
handed over exactly once, and what came of it is known.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from bare_stage import Delivery, Recorder, a_campaign, paris

from omnicli.campaigns import journal
from omnicli.errors import OmniError
from omnicli.model.touch import Handed
from omnicli.store.connection import Store

FLOW = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"
PEOPLE = ("anna", "bea", "cora")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """A campaign of three people, decided and due; the store closed, so that it can be copied."""
    folder = tmp_path_factory.mktemp("made")
    stage = Delivery(folder, a_campaign(FLOW), file=True)
    stage.sign_up(*PEOPLE)
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    stage.store.close()
    return stage


@contextmanager
def a_copy(stage: Delivery, folder: Path, *, in_flight: int) -> Iterator[Delivery]:
    """The same store again, with a provider that looks whether its intents are on disk before it takes anything."""
    folder.mkdir()
    for file in stage.folder.glob("sandbox.db*"):
        shutil.copy(file, folder / file.name)
    path = folder / "sandbox.db"

    def committed(handed: Sequence[Handed]) -> None:
        with closing(sqlite3.connect(path)) as other:
            for one in handed:
                sql = "SELECT count(*) FROM attempt a JOIN touch t ON t.id = a.touch_id WHERE t.touch_key = ? AND a.n = ? AND a.outcome = 'intent'"
                assert other.execute(sql, (bytes.fromhex(one.touch), one.attempt)).fetchone() == (1,)

    stage.store = Store.sqlite(path)
    stage.provider = Recorder(batch=1, in_flight=in_flight, before=committed)
    try:
        yield stage
    finally:
        stage.store.close()


@contextmanager
def failing(store: Store, fails: Callable[[int], bool]) -> Iterator[list[int]]:
    """Writing statements fail as the driver fails when `fails` says so of their number; gives how many there were."""
    count = [0]

    def execute(*_: Any) -> None:
        count[0] += 1
        if fails(count[0]):
            raise sqlite3.OperationalError("disk I/O error")

    for event in ("do_execute", "do_executemany"):
        sa.event.listen(store.writer, event, execute)
    try:
        yield count
    finally:
        for event in ("do_execute", "do_executemany"):
            sa.event.remove(store.writer, event, execute)


def ended_well(stage: Delivery) -> None:
    """Whoever tries again finds everybody accepted, once."""
    stage.dispatch(patience=0.0)
    assert dict(stage.rows("SELECT send_state, count(*) FROM touch GROUP BY 1")) == {"accepted": 3}
    assert Counter(one.contact for one in stage.provider.handed) == dict.fromkeys(PEOPLE, 1)
    assert stage.rows("SELECT outcome, count(*) FROM attempt GROUP BY 1") == [("accepted", 3)]
    assert stage.rows("SELECT count(*) FROM cap_slot WHERE rule <> 'all'") == [(3,)]
    assert journal.pending(stage.store) == []


@pytest.mark.parametrize(("in_flight", "lasting"), [(1, False), (3, True)], ids=["one failure", "fails from then on"])
def test_a_store_that_fails_at_the_kth_statement_loses_and_doubles_nothing(
    made: Delivery, tmp_path: Path, in_flight: int, lasting: bool
) -> None:
    refusals: list[OmniError] = []
    for k in range(1, 500):
        with a_copy(made, tmp_path / str(k), in_flight=in_flight) as stage:
            with failing(stage.store, _from(k, lasting=lasting)) as count:
                try:
                    stage.dispatch(patience=0.0)
                except OmniError as error:
                    refusals.append(error)
            ended_well(stage)
            if count[0] < k:
                break
    assert len(refusals) > 15  # otherwise this test looks at nothing
    assert {(error.code, "disk I/O error" in error.message) for error in refusals} == {("store", True)}


def _from(k: int, *, lasting: bool) -> Callable[[int], bool]:
    """Fails at the k-th, or from then on."""
    return (lambda n: n >= k) if lasting else (lambda n: n == k)


def test_a_store_that_somebody_else_keeps_busy_sends_nothing_and_says_so(made: Delivery, tmp_path: Path) -> None:
    with a_copy(made, tmp_path / "busy", in_flight=1) as stage:
        with stage.store.writer.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA busy_timeout=0")
        with closing(sqlite3.connect(stage.store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OmniError, match="locked"):
                stage.dispatch(patience=0.0)
            assert stage.provider.handed == []
            other.execute("ROLLBACK")
        ended_well(stage)


def test_a_store_that_is_full_sends_nothing_that_it_cannot_write_down(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(FLOW), provider=Recorder(batch=150))
    stage.sign_up(*(f"c{n}" for n in range(150)))  # more than the pages at hand can hold
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    with stage.store.writer.connect() as connection:
        (tmp_path / "full.db").write_bytes(connection.connection.driver_connection.serialize())
    stage.store = Store.sqlite(tmp_path / "full.db")
    with stage.store.writer.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute(f"PRAGMA max_page_count={raw.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(OmniError, match="full") as refused:
        stage.dispatch(patience=0.0)
    assert (refused.value.code, stage.provider.handed) == ("store", [])
    with stage.store.writer.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA max_page_count=1073741823")
    assert stage.dispatch().accepted == 150
    stage.store.close()


def test_outcomes_that_the_store_does_not_take_are_offered_for_a_minute(
    made: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omnicli.campaigns import round as module

    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    with a_copy(made, tmp_path / "slow", in_flight=3) as stage:
        begun: list[int] = []
        stage.provider.before = lambda _handed: begun.append(1)
        with failing(stage.store, lambda n: bool(begun) and len(slept) < 3), pytest.raises(OmniError):
            stage.dispatch(patience=30.0)
        assert len(slept) == 3
        assert journal.pending(stage.store) == []  # the store took them in the end
        assert stage.rows("SELECT count(*) FROM attempt WHERE outcome = 'accepted'") == [(3,)]
        ended_well(stage)
