"""An account that answers badly is left alone by everybody, probed, and believed again; what an answer bars stays barred."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import stores
from delivering import OMNI, SENDS, Delivery, Recorder, a_campaign, accepted, paris

from omnicli import clock
from omnicli.campaigns import canary
from omnicli.model.touch import Handed, Outcome
from omnicli.store import accounts, outbox, room

ONE = "- {send: offre, by: email, id: j0}"


def a_stage(folder: Path, people: int, *, batch: int = 1, flow: str = ONE, **options: object) -> Delivery:
    stage = Delivery(folder, a_campaign(flow), provider=Recorder(batch=batch), **options)
    stage.sign_up(*(f"c{n:03}" for n in range(people)), consent=("email", "sms"))
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    return stage


def account(stage: Delivery) -> accounts.Account:
    with stage.store.read() as connection:
        return next((row for *name, row in accounts.standing(connection) if name == ["recorder", "test"]), accounts.Account())


def states(stage: Delivery) -> Counter[str]:
    return Counter(dict(stage.rows("SELECT send_state, count(*) FROM touch GROUP BY 1")))


def busy(_one: Handed) -> Outcome:
    return Outcome("not_sent", code="429", detail="busy", http_status=429)


@pytest.mark.guards("breaker")
def test_an_account_that_was_left_alone_stays_so_for_other_rounds_and_is_probed_by_one_touch(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 20)
    stage.provider.answer = busy
    stage.dispatch()
    assert (stage.provider.calls, account(stage).state, account(stage).why) == (5, "open", "busy")
    held = stage.rows("SELECT held_by, due_at FROM touch WHERE held_by IS NOT NULL GROUP BY 1, 2")
    assert held == [("breaker", clock.to_ms(stage.now) + 30_000)]
    stage.now += timedelta(seconds=29)
    stage.dispatch()
    assert stage.provider.calls == 5
    stage.now += timedelta(seconds=2)
    stage.dispatch()
    assert (stage.provider.calls, account(stage).state) == (6, "open")  # one probe, and it failed
    stage.provider.answer = accepted
    stage.now += timedelta(seconds=61)
    assert stage.dispatch().accepted >= 14
    stage.now += timedelta(minutes=16)
    stage.dispatch()
    assert states(stage) == {"accepted": 20}
    assert account(stage).state == "closed"


def test_when_who_was_to_probe_falls_out_at_the_gate_the_next_in_line_probes(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 8)
    stage.provider.answer = busy
    stage.dispatch()
    assert account(stage).state == "open"
    stage.now += timedelta(seconds=31)
    first = stage.rows("SELECT id FROM touch WHERE send_state IN ('planned','retry') ORDER BY priority, due_at, touch_key")[:2]
    with stage.store.write() as connection:
        ids = ",".join(str(row[0]) for row in first)
        connection.exec_driver_sql(f"UPDATE touch SET expires_at = {clock.to_ms(stage.now) - 1} WHERE id IN ({ids})")
    stage.provider.answer = accepted
    report = stage.dispatch()
    assert (report.accepted, report.skipped, account(stage).state) == (6, 2, "closed")


def test_a_probe_carries_one_touch_though_requests_are_large(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 30, batch=10)
    stage.provider.answer = lambda _one: Outcome("unknown", code="503", http_status=503)
    stage.dispatch()
    assert len(stage.provider.handed) == 30  # three requests in a row, then nothing
    stage.sign_up("late", consent=("email",))
    stage.sign_up("later", consent=("email",))
    stage.now += timedelta(seconds=31)
    stage.decide()
    stage.dispatch()
    assert len(stage.provider.handed) == 31
    assert states(stage)["planned"] == 1


@pytest.mark.guards("slow_start")
def test_after_a_big_unknown_request_ten_go_at_a_time_and_twice_as_many_each_time(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 240, batch=60)
    sizes: list[int] = []
    stage.provider.before = lambda handed: sizes.append(len(handed))
    stage.provider.answer = lambda _one: Outcome("unknown", code="lost")
    report = stage.dispatch()
    assert (sizes, report.unknown, report.held) == ([60], 60, 180)
    stage.provider.answer = accepted
    stage.now += timedelta(seconds=31)
    stage.dispatch()
    assert sizes == [60, 1, 20, 39, 60, 60]  # 39: the rest of a request that was cut


@pytest.mark.guards("breaker")
def test_who_does_not_know_us_is_left_alone_until_a_person_has_mended_it_and_nobody_is_failed(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 3)
    stage.provider.answer = lambda _one: Outcome("not_sent", code="401", detail="no such key", halt=True, http_status=401)
    for _ in range(8):
        stage.dispatch()
        stage.now += timedelta(minutes=20)
    assert stage.provider.calls == 1
    assert stage.rows("SELECT outcome, free FROM attempt") == [("not_sent", 1)]  # it used up none of its tries
    with stage.store.write() as connection:
        assert accounts.close(connection, "recorder", "test")
        assert not accounts.close(connection, "recorder", "test")
    stage.provider.answer = accepted
    assert stage.dispatch().accepted == 3


def test_a_channel_that_is_shut_waits_and_the_others_go(tmp_path: Path) -> None:
    by_sms = a_campaign("- {send: offre, by: sms, id: k0}", name="autre")
    stage = Delivery(tmp_path, a_campaign(ONE), by_sms, provider=Recorder(batch=1))
    stage.sign_up("anna", "bea", "cora", consent=("email", "sms"))
    stage.now = paris("2027-01-04 10:00")
    stage.provider.answer = lambda one: (
        Outcome("not_sent", code="21606", detail="no such sender", halt=True, halts="channel")
        if one.channel == "sms"
        else accepted(one)
    )
    stage.decide()
    stage.dispatch()
    assert Counter(one.channel for one in stage.provider.handed) == {"email": 3, "sms": 1}
    assert stage.rows("SELECT held_by, due_at FROM touch WHERE held_by IS NOT NULL GROUP BY 1, 2") == [
        ("breaker", clock.to_ms(stage.now + timedelta(minutes=15)))
    ]
    assert account(stage).state == "closed"


def test_a_campaign_that_a_provider_refuses_for_everybody_is_paused_with_the_reason(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 5)
    stage.provider.answer = lambda _one: Outcome(
        "not_sent", code="400", detail="the template is empty", halt=True, halts="campaign"
    )
    report = stage.dispatch()
    assert stage.provider.calls == 1
    assert stage.rows("SELECT state, because FROM campaign") == [("paused", "the template is empty")]
    assert any("the template is empty" in line for line in report.problems)
    assert states(stage) == {"planned": 4, "retry": 1}
    assert account(stage).state == "closed"


def test_a_bar_that_the_provider_holds_is_mirrored(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 2)
    stage.provider.answer = lambda one: (
        Outcome("rejected", code="21610", suppress="stop") if one.contact == "c000" else accepted(one)
    )
    stage.dispatch()
    assert stage.rows("SELECT channel, reason, source FROM suppression") == [("email", "stop", "21610")]
    assert '"stop"' in stage.row("SELECT reach FROM contact WHERE source_id = 'c000'").reach


@pytest.mark.guards("retry_budget")
def test_retries_that_do_not_help_wait_for_the_next_minute(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 40)
    places: dict[str, int] = {}

    def every_other(one: Handed) -> Outcome:
        return busy(one) if places.setdefault(one.contact, len(places)) % 2 else accepted(one)

    stage.provider.answer = every_other
    stage.dispatch()
    assert stage.provider.calls == 40
    stage.now += timedelta(seconds=10)
    tried: list[int] = []
    for _ in range(4):
        before = stage.provider.calls
        stage.dispatch()
        tried.append(stage.provider.calls - before)
        stage.now += timedelta(seconds=5)
        with stage.store.write() as connection:  # the storm is about the budget here, not about the breaker
            accounts.close(connection, "recorder", "test")
    assert sum(tried) <= 5
    assert stage.rows("SELECT count(*) > 0 FROM touch WHERE held_by = 'rate'") == [(1,)]


def test_touches_far_back_in_the_rate_wait_without_a_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_stage(tmp_path, 5, omni=OMNI.replace("price: 0.001 EUR", "price: 0.001 EUR, rate: 1 per hour"))
    assert stage.dispatch(live=True).accepted == 1
    rows = stage.rows("SELECT held_by, due_at FROM touch WHERE send_state = 'planned' ORDER BY due_at")
    assert [held for held, _ in rows] == ["rate"] * 4
    gaps = [after[1] - before[1] for before, after in pairwise(rows)]
    assert gaps == [3_600_000] * 3


@pytest.mark.guards("canary")
def test_a_version_whose_first_messages_fail_stops_before_it_fails_everybody(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 60, batch=10)
    stage.provider.answer = lambda _one: Outcome("rejected", code="550", detail="sender refused")
    assert stage.dispatch().rejected == 20
    assert stage.row("SELECT state FROM campaign").state == "paused"


def test_flows_go_on_when_the_account_is_well(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 2, flow=SENDS)
    stage.dispatch()
    assert stage.rows("SELECT state, calls, retries FROM account") == [("closed", 2, 0)]


def test_what_waits_for_a_person_is_told_by_every_round(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, 4)
    stage.provider.answer = lambda _one: Outcome("not_sent", code="401", detail="who?", halt=True, http_status=401)
    stage.dispatch()
    assert account(stage).needs_person
    stage.now += timedelta(hours=1)
    report = stage.dispatch()
    assert (report.stuck, stage.provider.calls) == (True, 1)
    assert any("recorder is left alone until it is mended (who?)" in line for line in report.problems)
    with stage.store.write() as connection:
        accounts.close(connection, "recorder", "test")
    stage.provider.answer = accepted
    report = stage.dispatch()
    assert (report.stuck, report.accepted, report.problems) == (False, 4, ())


def test_a_round_without_room_on_the_disk_says_that_something_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_stage(tmp_path, 2)
    monkeypatch.setattr(room, "room", lambda _path: "the disk is nearly full")
    report = stage.dispatch()
    assert (report.stuck, report.accepted, report.problems) == (True, 0, ("the disk is nearly full",))


def a_big_stage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    """90 due, and more than 60 are many; half of them go first. What is older than the version's first 100 is not asked."""
    monkeypatch.setattr(canary, "MANY", 60)
    monkeypatch.setattr(canary, "SHARE", 2)
    monkeypatch.setattr(canary.Canary, "judge", lambda *_a, **_k: set())
    return a_stage(folder, 90, batch=10)


def test_of_a_large_sending_the_first_part_goes_alone_and_stops_the_rest_when_a_fifth_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_big_stage(tmp_path, monkeypatch)
    stage.provider.answer = lambda one: Outcome("rejected", code="550") if int(one.contact[1:]) % 2 else accepted(one)
    report = stage.dispatch(live=True)
    assert len(stage.provider.handed) == 45
    assert states(stage)["planned"] == 45
    assert any("is paused" in line for line in report.problems)
    assert stage.rows("SELECT state FROM campaign") == [("paused",)]


def test_of_a_large_sending_the_rest_follows_when_its_first_part_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_big_stage(tmp_path, monkeypatch)
    assert stage.dispatch(live=True).accepted == 90
    assert sorted(Counter(one.contact for one in stage.provider.handed).values()) == [1] * 90
    assert stage.provider.calls == 10  # 45 in five calls, and 45 more


def test_a_sending_that_is_limited_tries_nothing_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_big_stage(tmp_path, monkeypatch)
    assert stage.dispatch(live=True, max=50).accepted == 50
    assert stage.provider.calls == 5


@pytest.mark.skipif(not stores.POSTGRESQL, reason="where one writes at a time nobody writes between a look and an intent")
def test_an_account_that_somebody_shuts_while_intents_are_written_calls_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_stage(tmp_path, 4)
    other, intend = stores.open_store(tmp_path), outbox.intend

    def meanwhile(connection: sa.Connection, *calls: Any, **words: Any) -> list[int]:
        monkeypatch.setattr(outbox, "intend", intend)
        with other.write() as theirs:
            shut = accounts.Account(state="open", why="no credit", needs_person=True)
            accounts.save(theirs, "recorder", "test", shut)
        return intend(connection, *calls, **words)

    monkeypatch.setattr(outbox, "intend", meanwhile)
    report = stage.dispatch()
    assert (stage.provider.calls, report.accepted) == (0, 0)
    assert (states(stage), stage.rows("SELECT count(*) FROM attempt")) == ({"planned": 4}, [(0,)])
