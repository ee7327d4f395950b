"""R11 on PostgreSQL: the connection is cut at the k-th statement and at every commit, for every k until a round gets through (tests.md 2).

Every time: no call without a committed intent, one clean error, and the next round, with the same store, takes up where this one
stopped. Where a commit was done and its answer lost, nobody is handed over twice, and whoever may have been is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import postgres_server
import pytest
import stores
from bare_stage import Delivery, Recorder, a_campaign, paris
from cuts import cutting
from sizes import SIZES
from trials import looked

from omnicli.campaigns import journal
from omnicli.errors import OmniError
from omnicli.model.touch import Handed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("on_postgresql")]

FLOW = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"
PEOPLE = ("anna", "bea", "cora")
#: Every statement, but for a quick look.
STEP = int(SIZES["cut_step"])
DOUBT = {"unknown", "parked", "sending", "claimed"}


class Row:
    """A campaign of three people, decided and due, as often as it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reached = self.doubles = self.lost = self.parked = 0
        self.stage = Delivery(folder / "made", a_campaign(FLOW), file=True)
        self.stage.sign_up(*PEOPLE)
        self.stage.now = paris("2027-01-04 10:00")
        self.stage.decide()
        self.kept = stores.keep(self.stage.store)

    @contextmanager
    def again(self, k: int, *, in_flight: int = 1) -> Iterator[Delivery]:
        """The same once more, with a provider that looks whether its intents are committed before it takes anything."""
        folder = self.folder / str(k)
        folder.mkdir()
        self.stage.store = stores.again(self.kept, folder)
        address = stores.url_of(folder)

        def committed(handed: Sequence[Handed]) -> None:
            import psycopg

            with psycopg.connect(address, autocommit=True) as other:
                for one in handed:
                    sql = ("SELECT count(*) FROM omni_sandbox.attempt a JOIN omni_sandbox.touch t ON t.id = a.touch_id "
                           "WHERE t.touch_key = %s AND a.n = %s AND a.outcome = 'intent'")  # fmt: skip
                    assert other.execute(sql, (bytes.fromhex(one.touch), one.attempt)).fetchone() == (1,)

        self.stage.provider = Recorder(batch=1, in_flight=in_flight, before=committed)
        try:
            yield self.stage
            self._count()
        finally:
            self.stage.store.close()
            postgres_server.command(f"DROP DATABASE {address.rpartition('/')[2]} WITH (FORCE)")

    def _count(self) -> None:
        """What became of everybody, for the report."""
        handed = Counter(one.contact for one in self.stage.provider.handed)
        states = dict(self.stage.rows("SELECT c.source_id, t.send_state FROM touch t JOIN contact c ON c.id = t.contact_id"))
        self.reached += len(handed)
        self.doubles += sum(count > 1 for count in handed.values())
        self.parked += sum(state in DOUBT for state in states.values())
        self.lost += sum(not handed[who] and states.get(who) not in DOUBT for who in PEOPLE)

    def told(self, point: str, cuts: int) -> None:
        looked(
            "cuts",
            point,
            kills=cuts,
            people=len(PEOPLE),
            reached=self.reached,
            doubles=self.doubles,
            lost=self.lost,
            parked=self.parked,
        )


def tried(stage: Delivery, refusals: list[OmniError]) -> None:
    try:
        stage.dispatch(patience=0.0)
    except OmniError as error:
        refusals.append(error)


def ended_well(stage: Delivery) -> None:
    """Whoever tries again finds everybody accepted, once."""
    stage.dispatch(patience=0.0)
    assert dict(stage.rows("SELECT send_state, count(*) FROM touch GROUP BY 1")) == {"accepted": 3}
    assert Counter(one.contact for one in stage.provider.handed) == dict.fromkeys(PEOPLE, 1)
    assert stage.rows("SELECT outcome, count(*) FROM attempt GROUP BY 1") == [("accepted", 3)]
    assert stage.rows("SELECT count(*) FROM cap_slot WHERE rule <> 'all'") == [(3,)]
    assert journal.pending(stage.store) == []


def nobody_twice(stage: Delivery) -> None:
    """After a round of now and one when every lease is over: each handed over at most once, and whoever was not is shown."""
    stage.dispatch(patience=0.0)
    stage.now += timedelta(minutes=10)
    stage.dispatch(patience=0.0)
    handed = Counter(one.contact for one in stage.provider.handed)
    assert max(handed.values(), default=0) <= 1
    states = dict(stage.rows("SELECT c.source_id, t.send_state FROM touch t JOIN contact c ON c.id = t.contact_id"))
    assert set(states) == set(PEOPLE)
    for who, state in states.items():
        assert state == "accepted" if handed[who] and state not in DOUBT else state in DOUBT, (who, state)


def test_a_connection_cut_at_the_kth_statement_loses_and_doubles_nothing(tmp_path: Path) -> None:
    row, refusals = Row(tmp_path), list[OmniError]()
    for k in range(1, 500, STEP):
        with row.again(k, in_flight=3) as stage:
            with cutting(stage.store, statement=lambda n, k=k: n == k) as said:
                tried(stage, refusals)
            ended_well(stage)
            if said.statements < k:
                break
    row.told("at the k-th statement", len(refusals))
    assert len(refusals) > 15 / STEP  # otherwise this test looks at nothing
    assert {error.code for error in refusals} == {"store"}


def test_a_server_that_is_gone_from_the_kth_statement_on_loses_and_doubles_nothing(tmp_path: Path) -> None:
    row, refusals = Row(tmp_path), list[OmniError]()
    for k in range(1, 500, 3 * STEP):
        with row.again(k, in_flight=3) as stage:
            with cutting(stage.store, statement=lambda n, k=k: n >= k) as said:
                tried(stage, refusals)
            ended_well(stage)
            if said.statements < k:
                break
    row.told("from the k-th statement on", len(refusals))
    assert len(refusals) > 15 / STEP / 3
    assert {error.code for error in refusals} == {"store"}


def test_a_connection_cut_before_the_kth_commit_loses_and_doubles_nothing(tmp_path: Path) -> None:
    row, refusals = Row(tmp_path), list[OmniError]()
    for k in range(1, 100):
        with row.again(k) as stage:
            with cutting(stage.store, commit=lambda n, k=k: n == k) as said:
                tried(stage, refusals)
            ended_well(stage)
            if said.commits < k:
                break
    row.told("before a commit", len(refusals))
    assert len(refusals) > 5
    assert {error.code for error in refusals} == {"store"}


def test_a_commit_whose_answer_is_lost_sends_nobody_a_second_message(tmp_path: Path) -> None:
    row, refusals = Row(tmp_path), list[OmniError]()
    for k in range(1, 100):
        with row.again(k) as stage:
            with cutting(stage.store, answer=lambda n, k=k: n == k) as said:
                tried(stage, refusals)
            nobody_twice(stage)
            if said.commits < k:
                break
    row.told("behind a commit, its answer lost", len(refusals))
    assert len(refusals) > 5
    assert {error.code for error in refusals} == {"store"}
