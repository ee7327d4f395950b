"""Which touches share a call, what becomes of a call that is spoilt, and how many are under way at once (delivery 4, 5)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from delivering import SENDS, Delivery, Recorder, a_campaign, accepted, paris

from omnicli import clock
from omnicli.campaigns.printing import Printer
from omnicli.model.touch import Handed, Outcome


@dataclass
class Requests(Recorder):
    """A provider whose `send` is one request; it keeps who shared each."""

    batch: int = 500
    one_request: bool = True
    requests: list[list[str]] = field(default_factory=list)
    spoilt: frozenset[str] = frozenset()
    field_named: bool = False

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        self.requests.append([one.contact for one in handed])
        bad = [one.contact for one in handed if one.contact in self.spoilt]
        if not bad:
            return super().send(handed, now=now)
        if self.field_named:
            first = bad[0]
            return [Outcome("rejected", code="400", detail="to.email") if one.contact == first else Outcome("not_sent", code="400", free=True)
                    for one in handed]  # fmt: skip
        return [Outcome("not_sent", code="400", detail="bad", halve=True)] * len(handed)


def a_stage(folder: Path, provider: Recorder, people: int, **options: object) -> Delivery:
    stage = Delivery(folder, a_campaign(SENDS, **options), provider=provider)
    stage.sign_up(*(f"c{n:03}" for n in range(people)))
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    return stage


def test_a_request_carries_as_many_as_it_may_and_each_is_a_handover(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, Requests(batch=20), 50)
    assert stage.dispatch().accepted == 50
    assert sorted(map(len, stage.provider.requests)) == [10, 20, 20]
    assert sorted(stage.rows("SELECT size, outcome, account FROM handover")) == [
        (10, "accepted", "test"),
        (20, "accepted", "test"),
        (20, "accepted", "test"),
    ]


def test_what_differs_in_its_words_is_another_request(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), provider=Requests())
    stage.sign_up("anna", "bea")
    stage.sign_up("cora", "dora", language="en")
    stage.send("2027-01-04 10:00")
    assert sorted(sorted(who) for who in stage.provider.requests) == [["anna", "bea"], ["cora", "dora"]]


@pytest.mark.guards("one_address")
def test_an_address_stands_in_a_request_once(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), provider=Requests())
    stage.sign_up("anna", "bea", "cora")
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE address SET value = 'Shared@example.com' WHERE norm = 'anna@email'"))
        connection.execute(sa.text("UPDATE address SET value = 'shared@example.com' WHERE norm = 'bea@email'"))
    assert stage.send("2027-01-04 10:00").accepted == 3
    assert sorted(map(len, stage.provider.requests)) == [1, 2]
    assert not any({"anna", "bea"} <= set(who) for who in stage.provider.requests)


def test_only_marketing_shares_a_request(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, Requests(), 4, extra="purpose: service")
    stage.dispatch()
    assert list(map(len, stage.provider.requests)) == [1, 1, 1, 1]


def test_whom_the_provider_wants_alone_goes_alone(tmp_path: Path) -> None:
    provider = Requests()
    provider.alone = lambda one: one.contact == "c001"  # type: ignore[attr-defined]
    stage = a_stage(tmp_path, provider, 4)
    stage.dispatch()
    assert sorted(map(sorted, stage.provider.requests), key=len) == [["c001"], ["c000", "c002", "c003"]]


# --- spoilt requests ------------------------------------------------------------------------------------------------
def test_a_culprit_that_is_named_is_refused_and_the_others_go_again_at_once_at_no_cost(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, Requests(spoilt=frozenset({"c003", "c007"}), field_named=True), 12)
    report = stage.dispatch()
    assert (report.accepted, report.rejected, report.retried) == (10, 2, 0)
    assert list(map(len, stage.provider.requests)) == [12, 11, 10]
    assert stage.rows("SELECT outcome, free, count(*) FROM attempt GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("accepted", 0, 10), ("not_sent", 1, 21), ("rejected", 0, 2),
    ]  # fmt: skip
    assert {one.attempt for one in stage.provider.handed} == {3}  # the number of the attempt rises: marks stay unique


@pytest.mark.guards("bisect")
def test_a_spoilt_request_is_halved_until_the_culprit_stands_alone(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, Requests(spoilt=frozenset({"c011"})), 32)
    report = stage.dispatch()
    assert (report.accepted, report.rejected) == (31, 1)
    assert len(stage.provider.requests) == 11  # 32 16 16 8 8 4 4 2 2 1 1
    assert stage.rows(
        "SELECT t.send_state, t.reason, c.source_id FROM touch t JOIN contact c ON c.id = t.contact_id WHERE t.send_state <> 'accepted'"
    ) == [("rejected", "refused", "c011")]


def test_a_touch_that_is_free_for_ever_is_given_up_before_its_marks_run_out(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, Recorder(), 1)
    stage.provider.answer = lambda one: Outcome("not_sent", code="?", free=True)
    for _ in range(20):
        stage.dispatch()
        stage.now += timedelta(minutes=16)
    assert stage.touches()[0].startswith("c000 j0 email skipped: exhausted")
    assert max(one.attempt for one in stage.provider.handed) <= 99


# --- several at once ------------------------------------------------------------------------------------------------
def test_as_many_calls_are_under_way_as_the_provider_allows(tmp_path: Path) -> None:
    meeting = threading.Barrier(4, timeout=10)
    provider = Recorder(batch=1, in_flight=4)
    provider.before = lambda _handed: meeting.wait() and None
    stage = a_stage(tmp_path, provider, 8)
    assert stage.dispatch().accepted == 8
    assert not meeting.broken


def test_a_slow_call_keeps_nobody_from_going(tmp_path: Path) -> None:
    others = threading.Semaphore(0)

    def slowly(handed: Sequence[Handed]) -> None:
        if handed[0].contact == "c000":
            for _ in range(9):  # until all nine others have left through the other connection
                assert others.acquire(timeout=10)
        else:
            others.release()

    provider = Recorder(batch=1, in_flight=2, before=slowly)
    stage = a_stage(tmp_path, provider, 10)
    assert stage.dispatch().accepted == 10


def test_at_most_so_many_leave_though_many_are_under_way(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, Requests(batch=3, in_flight=4), 20)
    assert stage.dispatch(max=7).accepted == 7
    assert len(stage.provider.handed) == 7


@pytest.mark.guards("wake_check")
def test_a_machine_that_slept_after_the_intent_sends_nothing_before_it_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_stage(tmp_path, Recorder(), 1)
    awake = iter([100.0, 111.0])
    monkeypatch.setattr(clock, "awake", lambda: next(awake, 200.0))
    assert stage.dispatch().accepted == 1
    assert stage.rows("SELECT outcome, code, free FROM attempt ORDER BY n") == [("not_sent", "late", 1), ("accepted", None, 0)]
    assert [one.attempt for one in stage.provider.handed] == [2]


@pytest.mark.guards("fence")
def test_what_another_worker_took_over_while_it_was_rendered_is_left_to_him(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_stage(tmp_path, Recorder(), 2)
    prints = Printer.print

    def taken_over(*given: Any) -> object:
        with stage.store.write() as connection:
            connection.execute(sa.text("UPDATE touch SET lease_by = 'other.1.1', fence = fence + 1 WHERE id = 1"))
        return prints(*given)

    monkeypatch.setattr(Printer, "print", taken_over)
    stage.dispatch()
    assert len(stage.provider.handed) == 1
    assert stage.rows("SELECT send_state, lease_by FROM touch WHERE id = 1") == [("claimed", "other.1.1")]


def test_the_same_touch_is_accepted_once_whatever_its_mark(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, Recorder(answer=accepted), 3)
    stage.dispatch()
    assert len({one.mark for one in stage.provider.handed}) == 3


def test_one_round_takes_everybody_though_other_providers_are_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the others has nothing to do, and never ends the round of those that have."""
    from omnicli.campaigns import claiming as module

    monkeypatch.setattr(module, "CLAIM", 10)
    stage = a_stage(tmp_path, Requests(batch=4, in_flight=2), 75)
    idle = Recorder(name="idle")
    monkeypatch.setattr(
        type(stage), "providers", property(lambda self: {"email": self.provider, "webhook": idle, "sms": Recorder(name="other")})
    )
    assert stage.dispatch().accepted == 75
    assert len(stage.provider.requests) == 19  # full ones, but for the last
