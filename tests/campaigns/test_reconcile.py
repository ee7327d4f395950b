"""Touches whose fate nobody knows: asked about, proved, or given to the policy once silence is an answer (delivery 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from delivering import OMNI, Delivery, Recorder, a_campaign, accepted, paris

from omnicli import clock
from omnicli.campaigns.dispatch import resolve
from omnicli.model.touch import Doubtful, Evidence, Handed, Outcome
from omnicli.store import outbox

ONE = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"
RESEND = OMNI.replace("email: {provider: smtp,", "email: {provider: smtp, on_unknown: resend,")


def lost(_one: Handed) -> Outcome:
    return Outcome("unknown", code="lost")


@dataclass
class Asked(Recorder):
    """A provider whose records can be asked; `says` in turn."""

    says: list[Evidence | None] = field(default_factory=list)
    asked: list[Doubtful] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)

    def reconcile(self, doubtful: Sequence[Doubtful], *, now: datetime) -> list[Evidence | None]:
        self.asked += doubtful
        self.at.append(now)
        return [self.says.pop(0) if self.says else Evidence(0) for _ in doubtful]


def a_doubt(folder: Path, provider: Recorder, *people: str, **options: object) -> Delivery:
    omni = options.pop("omni", OMNI)
    stage = Delivery(folder, a_campaign(ONE, **options), provider=provider, omni=omni)  # type: ignore[arg-type]
    provider.answer = lost
    stage.sign_up(*(people or ("lea",)))
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    stage.dispatch()
    provider.answer = accepted
    return stage


def pass_time(stage: Delivery, **time: float) -> None:
    stage.now += timedelta(**time)
    stage.dispatch()


def states(stage: Delivery) -> list[str]:
    return [row[0] for row in stage.rows("SELECT send_state FROM touch ORDER BY id")]


# --- a provider that can be asked -----------------------------------------------------------------------------------
def test_exactly_one_match_is_proof(tmp_path: Path) -> None:
    provider = Asked(says=[Evidence(1, "SM7", "delivered")])
    stage = a_doubt(tmp_path, provider)
    pass_time(stage, seconds=30)
    assert provider.asked == []  # too young: it may not be listed yet
    pass_time(stage, seconds=40)
    assert states(stage) == ["accepted"]
    assert stage.rows("SELECT outcome, provider_ref FROM attempt") == [("accepted", "SM7")]
    (question,) = provider.asked
    assert (question.address, question.channel, question.started_at) == ("lea@email", "email", paris("2027-01-04 10:00"))
    assert question.parts == dict(provider.handed[0].rendered.parts)
    stage.turn()
    assert stage.passes() == ["lea bienvenue at w"]


def test_nothing_there_counts_only_when_it_was_asked_twice_some_minutes_apart(tmp_path: Path) -> None:
    provider = Asked()
    stage = a_doubt(tmp_path, provider)
    pass_time(stage, minutes=1)
    assert (len(provider.asked), states(stage)) == (1, ["unknown"])
    pass_time(stage, seconds=119)
    assert (len(provider.asked), states(stage)) == (1, ["unknown"])
    pass_time(stage, seconds=1)
    assert (len(provider.asked), states(stage)) == (2, ["parked"])
    assert stage.rows("SELECT source, kind, detail FROM evidence") == [("recorder", "asked", "found 0")] * 2
    pass_time(stage, days=2)
    assert (len(provider.asked), len(provider.handed)) == (2, 1)


def test_a_message_that_is_listed_late_is_found_by_the_second_question(tmp_path: Path) -> None:
    provider = Asked(says=[Evidence(0), Evidence(1, "SM8")])
    stage = a_doubt(tmp_path, provider)
    pass_time(stage, minutes=1)
    pass_time(stage, minutes=2)
    assert states(stage) == ["accepted"]


def test_several_matches_need_a_person(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Asked(says=[Evidence(2, detail="SM1 SM2")]))
    pass_time(stage, minutes=1)
    assert states(stage) == ["parked"]
    assert stage.rows("SELECT detail FROM evidence") == [("SM1 SM2",)]


def test_a_provider_that_fails_to_answer_is_asked_again(tmp_path: Path) -> None:
    provider = Asked()
    stage = a_doubt(tmp_path, provider)
    provider.reconcile = lambda *_a, **_k: 1 / 0  # type: ignore[method-assign]
    stage.now += timedelta(minutes=1)
    assert any("ZeroDivisionError" in line for line in stage.dispatch().problems)
    assert states(stage) == ["unknown"]


def test_a_list_that_cannot_be_asked_is_no_answer(tmp_path: Path) -> None:
    provider = Asked(name="twilio")
    answer = provider.reconcile
    provider.reconcile = lambda doubtful, **_k: [None] * len(doubtful)  # type: ignore[method-assign, assignment]
    stage = a_doubt(tmp_path, provider)
    for minutes in (1, 5, 60, 600):
        pass_time(stage, minutes=minutes)
    assert states(stage) == ["unknown"]
    provider.reconcile = answer  # type: ignore[method-assign]
    provider.says = [Evidence(1, "SM9")]
    pass_time(stage, minutes=1)
    assert states(stage) == ["accepted"]


def test_a_list_that_answered_once_and_never_again_leaves_it_to_the_policy_after_a_day(tmp_path: Path) -> None:
    provider = Asked()
    stage = a_doubt(tmp_path, provider)
    pass_time(stage, minutes=1)
    provider.reconcile = lambda doubtful, **_k: [None] * len(doubtful)  # type: ignore[method-assign, assignment]
    pass_time(stage, hours=23)
    assert states(stage) == ["unknown"]
    pass_time(stage, hours=1)
    assert states(stage) == ["parked"]


# --- events ---------------------------------------------------------------------------------------------------------
def test_a_providers_own_event_settles_it(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder(name="sendgrid"))
    proved(stage, 1, 1, "settled")
    assert states(stage) == ["accepted"]


def proved(stage: Delivery, touch: int, n: int, result: str) -> None:
    with stage.store.write() as connection:
        assert outbox.proof(connection, touch, n, ref="ev", source="sendgrid", now=clock.to_ms(stage.now)) == result


@pytest.mark.guards("own_event_settles")
def test_proof_settles_what_is_open_and_contradicts_what_is_closed(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder(name="sendgrid"))
    proved(stage, 1, 1, "settled")
    proved(stage, 1, 1, "known")
    proved(stage, 1, 2, "contradiction")
    stage.turn()
    assert stage.passes() == ["lea bienvenue at w"]


def test_a_refused_attempt_that_arrived_is_a_contradiction(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(ONE))
    stage.provider.answer = lambda _one: Outcome("rejected", code="400")
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    proved(stage, 1, 1, "contradiction")
    assert states(stage) == ["rejected"]
    assert stage.rows("SELECT kind FROM evidence") == [("contradiction",)]


@pytest.mark.guards("path_alive")
def test_silence_is_an_answer_only_where_the_path_was_seen_to_speak(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder(name="sendgrid", batch=1))
    stage.sign_up(*(f"p{n:02}" for n in range(20)))
    stage.now += timedelta(seconds=20)
    stage.decide()
    stage.dispatch()
    pass_time(stage, minutes=16)
    assert states(stage)[0] == "unknown"  # the others left, but nobody was heard of: perhaps no event comes at all
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE touch SET delivery_state = 'delivered' WHERE send_state = 'accepted' AND id < 21"))
    pass_time(stage, minutes=1)
    assert states(stage)[0] == "unknown"  # 19
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE touch SET delivery_state = 'delivered' WHERE send_state = 'accepted'"))
    pass_time(stage, minutes=1)
    assert states(stage)[0] == "parked"


def test_a_path_that_is_never_heard_of_keeps_nobody_waiting_for_more_than_a_day(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder(name="sendgrid"))
    pass_time(stage, hours=23)
    assert states(stage) == ["unknown"]
    pass_time(stage, hours=1)
    assert states(stage) == ["parked"]


def test_one_event_for_a_sister_shows_that_the_request_arrived(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder(name="sendgrid"), "anna", "bea", "cora", extra="purpose: service", omni=RESEND)
    proved(stage, 1, 1, "settled")
    pass_time(stage, hours=2)
    assert states(stage) == ["accepted", "unknown", "unknown"]  # neither parked after 15 minutes nor resent
    pass_time(stage, hours=22)
    assert states(stage) == ["accepted", "parked", "parked"]
    assert len(stage.provider.handed) == 3


# --- the policy -----------------------------------------------------------------------------------------------------
@pytest.mark.guards("park_marketing")
def test_marketing_is_parked_whatever_the_policy_says(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder(), omni=RESEND)
    for _ in range(3):
        pass_time(stage, hours=1)
    assert (states(stage), len(stage.provider.handed)) == (["parked"], 1)


@pytest.mark.guards("waived_before_resend")
def test_a_resend_waits_an_hour_gives_up_the_old_attempt_and_is_counted_when_both_arrive(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder(), extra="purpose: service", omni=RESEND)
    pass_time(stage, minutes=59)
    assert states(stage) == ["unknown"]
    pass_time(stage, minutes=1)
    assert states(stage) == ["accepted"]
    assert stage.rows("SELECT n, outcome FROM attempt") == [(1, "waived"), (2, "accepted")]
    proved(stage, 1, 1, "duplicate")
    assert stage.rows("SELECT kind FROM evidence") == [(outbox.DUPLICATE,)]


def test_nobody_is_called_twice_by_a_policy(tmp_path: Path) -> None:
    omni = OMNI.replace("voice: {provider: task,", "voice: {provider: task, on_unknown: resend,")
    stage = a_doubt(tmp_path, Recorder(), extra="purpose: service", omni=omni)
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE touch SET channel = 'voice'")
    pass_time(stage, hours=2)
    assert (states(stage), len(stage.provider.handed)) == (["parked"], 1)


def test_proof_for_a_waived_attempt_drops_the_resend_that_has_not_begun(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Recorder())
    resolve(stage.store, stage.provider.handed[0].touch, "resend", because="sure", who="ines", now=stage.now)
    proved(stage, 1, 1, "settled")
    stage.dispatch()
    assert (states(stage), len(stage.provider.handed)) == (["accepted"], 1)


def test_a_resend_waits_longer_than_a_call_may_last(tmp_path: Path) -> None:
    provider = Recorder()
    provider.read_timeout = 7200.0  # type: ignore[attr-defined]
    stage = a_doubt(tmp_path, provider, extra="purpose: service", omni=RESEND)
    pass_time(stage, hours=2)
    assert states(stage) == ["unknown"]
    pass_time(stage, minutes=3)
    assert states(stage) == ["accepted"]


def test_a_receiver_that_knows_keys_again_gets_the_same_key_again(tmp_path: Path) -> None:
    omni = OMNI.replace("https://crm.example/hook}", "https://crm.example/hook, idempotent: yes}")
    stage = Delivery(tmp_path, a_campaign("- {call: crm, id: hook}\n- {wait: 1 day, id: w}"), omni=omni)
    stage.provider.answer = lost
    stage.sign_up("lea")
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    stage.dispatch()
    stage.provider.answer = accepted
    pass_time(stage, seconds=30)
    pass_time(stage, seconds=30)
    assert states(stage) == ["accepted"]
    keys = [one.extra["idempotency_key"] for one in stage.provider.handed]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert stage.rows("SELECT n, outcome FROM attempt") == [(1, "waived"), (2, "accepted")]


def test_the_list_of_doubts_says_who_was_asked_and_what_was_said(tmp_path: Path) -> None:
    stage = a_doubt(tmp_path, Asked(says=[Evidence(2, detail="SM1 SM2")]))
    pass_time(stage, minutes=1)
    with stage.store.read() as connection:
        (doubt,) = outbox.doubts(connection)
        seen = outbox.evidence(connection, [doubt.id])
    assert (doubt.provider, doubt.account, doubt.state) == ("recorder", "test", "parked")
    assert [row[1:] for row in seen[doubt.id]] == [("recorder", "asked", "SM1 SM2")]
