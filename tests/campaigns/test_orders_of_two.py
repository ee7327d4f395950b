"""Two at once on a real PostgreSQL: what one has committed the other heeds, whichever came first; nobody writes over what he did not see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stores
from delivering import SENDS, Delivery, a_campaign
from living import Living, welcome

from omnicli import clock
from omnicli.campaigns import admission, deciding, doors, life
from omnicli.campaigns import run as running
from omnicli.campaigns.windows import Ceiling
from omnicli.store import outbox, setting

shared = pytest.mark.skipif(not stores.POSTGRESQL, reason="a file has one writer at a time")


class Other:
    """Somebody else's deed, in a thread and a transaction of its own."""

    def __init__(self, stage: Delivery, deed: Callable[[], Any]) -> None:
        self.stage, self.said, self.failed = stage, None, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(deed,), daemon=True)
        self.thread.start()

    def _run(self, deed: Callable[[], Any]) -> None:
        try:
            self.said = deed()
        except Exception as error:
            self.failed = error
        self.over.set()

    def waits(self) -> bool:
        """Whether it stands behind a lock; False when it went through."""
        while not self.over.wait(0.01):
            with self.stage.store.read() as connection:
                query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                if connection.exec_driver_sql(query).scalar():
                    return True
        return False

    def done(self) -> Any:
        self.thread.join(20)
        assert self.over.is_set()
        if self.failed is not None:
            raise self.failed
        return self.said


@pytest.fixture
def stage(tmp_path: Path) -> Delivery:
    return Delivery(tmp_path, a_campaign(SENDS), file=True)


@contextmanager
def writing(stage: Delivery, deed: Callable[[Any], Any]) -> Iterator[Any]:
    """A transaction that has done this and is open still."""
    with stage.store.write() as connection:
        yield deed(connection)


def in_one(stage: Delivery, deed: Callable[[Any], Any]) -> Any:
    with stage.store.write() as connection:
        return deed(connection)


def the_touches(stage: Delivery) -> list[int]:
    return [row[0] for row in stage.rows("SELECT id FROM touch ORDER BY id")]


# --- campaigns as they stand ----------------------------------------------------------------------------------------
@shared
@pytest.mark.parametrize("verb", [life.stop, life.pause])
def test_a_stop_waits_for_intents_under_way_so_that_no_call_begins_after_it(
    stage: Delivery, monkeypatch: pytest.MonkeyPatch, verb: Callable[..., Any]
) -> None:
    stage.sign_up("lea")
    stage.decide()
    met: list[bool] = []
    others: list[Other] = []
    passed = admission.Admission._passed

    def and_somebody_stops(self: Any, *args: Any, **named: Any) -> Any:
        found = passed(self, *args, **named)
        others.append(Other(stage, lambda: verb(stage.store, "bienvenue", now=stage.now)))
        met.append(others[0].waits())
        return found

    monkeypatch.setattr(admission.Admission, "_passed", and_somebody_stops)
    stage.dispatch()
    others[0].done()
    assert met == [True]


@shared
def test_who_resumes_a_campaign_does_not_take_back_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Living(tmp_path, welcome(), file=True)
    stage.start("bienvenue")
    stage.pause()
    others: list[Other] = []
    eased = life._ease

    def and_somebody_stops(*args: Any) -> Any:
        others.append(Other(stage, lambda: life.stop(stage.store, "bienvenue", now=stage.now)))
        others[0].waits()
        return eased(*args)

    monkeypatch.setattr(life, "_ease", and_somebody_stops)
    stage.resume()
    others[0].done()
    assert stage.row("SELECT state FROM campaign")[0] == "stopped"


def test_nobody_comes_into_a_campaign_that_was_paused_as_the_doors_opened_and_all_come_later(
    stage: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.sign_up("lea", "max")
    stage.fold()
    opened = doors._Door.open

    def paused_first(self: Any) -> None:
        life.pause(stage.store, "bienvenue", now=stage.now)
        opened(self)

    with monkeypatch.context() as patch:
        patch.setattr(doors._Door, "open", paused_first)
        assert stage.enter().count == 0
    life.resume(stage.store, stage.loaded, "bienvenue", now=stage.now)
    assert stage.enter().count == 2


# --- what came back -------------------------------------------------------------------------------------------------
@shared
def test_who_answers_while_a_decision_is_taken_is_looked_at_again(stage: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.sign_up("lea")
    stage.send()
    stage.now += timedelta(days=1)
    stage.says("lea", "signup")
    in_one(stage, lambda c: c.exec_driver_sql(f"UPDATE contact SET changed_at = {clock.to_ms(stage.now)}"))
    others: list[Other] = []
    record = deciding.turns.record

    def and_the_answer_is_folded(*args: Any, **named: Any) -> None:
        others.append(Other(stage, stage.fold))
        others[0].waits()
        record(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(deciding.turns, "record", and_the_answer_is_folded)
        stage.turn(batch=1)
    assert others[0].done().events == 1
    assert stage.row("SELECT due_at FROM enrollment")[0] == clock.to_ms(stage.now)


@shared
def test_what_a_provider_says_of_an_attempt_whose_sender_says_no_at_this_moment_is_a_contradiction(stage: Delivery) -> None:
    stage.sign_up("lea")
    stage.decide()
    said: list[Any] = []

    def at_the_call(_handed: Any) -> None:
        if said:
            return
        (touch,) = the_touches(stage)

        def not_sent(connection: Any) -> None:
            connection.exec_driver_sql("UPDATE attempt SET outcome = 'not_sent'")
            connection.exec_driver_sql("UPDATE touch SET send_state = 'retry', lease_by = NULL, lease_until = NULL")

        with writing(stage, not_sent):
            other = Other(
                stage, lambda: in_one(stage, lambda c: outbox.proof(c, touch, 1, ref="r", source="p", now=clock.to_ms(stage.now)))
            )
            other.waits()
        said.append((other.done(), stage.row("SELECT send_state FROM touch")[0]))

    stage.provider.before = at_the_call
    stage.dispatch()
    assert said == [("contradiction", "retry")]


# --- the gate -------------------------------------------------------------------------------------------------------
def claimed(stage: Delivery, *ids: int) -> list[outbox.Stray]:
    def claim(connection: Any) -> list[outbox.Stray]:
        outbox.claim(connection, ids, worker="w", until=clock.to_ms(stage.now))
        return outbox.leased(connection)

    found: list[outbox.Stray] = in_one(stage, claim)
    return found


@shared
def test_a_lease_that_is_ended_at_this_moment_is_nobodys_at_the_gate(stage: Delivery) -> None:
    stage.sign_up("lea")
    stage.decide()
    ids = the_touches(stage)
    strays = claimed(stage, *ids)
    with writing(stage, lambda c: outbox.release(c, strays)):
        other = Other(stage, lambda: in_one(stage, lambda c: outbox.guards(c, ids, worker="w")))
        assert other.waits()
    assert other.done() == {}


@shared
def test_two_who_share_an_address_are_asked_about_one_after_the_other(stage: Delivery) -> None:
    stage.sign_up("lea", "max")
    in_one(stage, lambda c: c.exec_driver_sql("UPDATE address SET norm = 'deux@example.com'"))
    stage.decide()
    first, second = the_touches(stage)
    claimed(stage, first, second)
    with writing(stage, lambda c: outbox.guards(c, [first], worker="w")) as found:
        assert set(found) == {first}
        other = Other(stage, lambda: in_one(stage, lambda c: outbox.guards(c, [second], worker="w")))
        assert other.waits()
    assert set(other.done()) == {second}


@shared
def test_the_people_of_a_day_are_counted_by_one_at_a_time(stage: Delivery) -> None:
    class Whatsapp:
        channel = "whatsapp"

    def count(connection: Any) -> None:
        Ceiling(10).read(connection, [Whatsapp()], now=stage.now)  # type: ignore[list-item]

    with writing(stage, count):
        other = Other(stage, lambda: in_one(stage, count))
        assert other.waits()
    other.done()


# --- after an outage ------------------------------------------------------------------------------------------------
def test_who_delivers_before_anybody_noted_an_outage_holds_back_what_is_too_late_all_the_same(stage: Delivery) -> None:
    stage.sign_up("lea")
    stage.decide()
    in_one(stage, lambda c: setting.put(c, running.LAST_END, str(clock.to_ms(stage.now - timedelta(hours=1)))))
    stage.now += timedelta(days=1)
    report = running.part(stage.store, stage.loaded, "dispatch", names=("bienvenue",), now=stage.now, live=False,
                          providers=stage.providers, renderer=stage.renderer)  # fmt: skip
    assert (report.accepted, report.skipped) == (0, 1)
    assert stage.row("SELECT reason FROM touch")[0] == "expired"
