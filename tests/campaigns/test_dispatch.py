"""Delivery on a real store: what leaves, what is written, what is held, skipped, tried again or shown as unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from delivering import OMNI, SENDS, Delivery, Recorder, a_campaign, accepted, paris

from omnicli import clock
from omnicli.campaigns import round as module
from omnicli.campaigns.dispatch import resolve
from omnicli.campaigns.press import Order
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Handed, Outcome
from omnicli.render.skeleton import restore
from omnicli.store import consents
from omnicli.store import tables as tb

CAPPED = OMNI.replace("cap: {all: 50 per day, email: 50 per day", "cap: {all: 1 per day, email: 50 per day")
QUIET = OMNI.replace("quiet_hours: []", "quiet_hours: [20:00-09:00, sunday]")


def answering(**by_contact: Outcome) -> Callable[[Handed], Outcome]:
    """Answers as told for these contacts, accepts the others."""
    return lambda one: by_contact.get(one.contact) or accepted(one)


def decided(stage: Delivery, at: str = "2027-01-04 10:00") -> None:
    from delivering import paris

    stage.now = paris(at)
    stage.decide()


# --- what leaves ----------------------------------------------------------------------------------------------------
def test_a_due_touch_is_claimed_rendered_handed_over_and_recorded(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea", "paul")
    report = stage.send("2027-01-04 10:00")
    assert (report.accepted, report.by_channel, report.cost) == (2, {"email": 2}, 2000)
    assert sorted(stage.provider.reached()) == ["lea j0", "paul j0"]
    assert stage.touches() == ["lea j0 email accepted 2027-01-04 10:00", "paul j0 email accepted 2027-01-04 10:00"]
    assert stage.rows("SELECT outcome, count(*) FROM attempt GROUP BY 1") == [("accepted", 2)]
    assert stage.passes() == ["lea bienvenue at repos", "paul bienvenue at repos"]


def test_the_same_instant_twice_sends_nothing_more(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    assert stage.send().accepted == 0
    assert len(stage.provider.handed) == 1


def test_the_archive_gives_the_exact_message_again(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea", "paul", "zoé")
    stage.send("2027-01-04 10:00")
    rows = stage.rows(
        'SELECT t.touch_key, s.parts, r."values" FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id JOIN touch t ON t.id = r.touch_id'
    )
    kept = {key.hex(): dict(restore(parts, values)) for key, parts, values in rows}
    assert kept == {one.touch: dict(one.rendered.parts) for one in stage.provider.handed}
    assert stage.rows("SELECT count(*) FROM skeleton") == [(1,)]


def test_intents_stand_on_disk_before_the_provider_is_called(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), file=True)
    stage.sign_up("lea", "paul")
    seen: list[tuple[str, str]] = []
    stage.provider.before = lambda _handed: seen.extend(
        stage.rows("SELECT t.send_state, a.outcome FROM attempt a JOIN touch t ON t.id = a.touch_id")
    )
    stage.send("2027-01-04 10:00")
    assert seen == [("sending", "intent"), ("sending", "intent")]


def test_at_most_so_many_touches_and_only_by_that_channel(tmp_path: Path) -> None:
    flow = "- {send: offre, by: email, id: a}\n- {send: offre, by: sms, id: b}"
    stage = Delivery(tmp_path, a_campaign(flow))
    for n in range(5):
        stage.sign_up(f"c{n}", consent=("email", "sms"))
    decided(stage)
    assert stage.dispatch(max=2).accepted == 2
    assert stage.dispatch(only={"channel": "sms"}).accepted == 0
    assert stage.dispatch().accepted == 3
    stage.decide()
    assert stage.dispatch(only={"channel": "sms"}).by_channel == {"sms": 5}


def test_what_was_told_first_is_told_again(tmp_path: Path) -> None:
    facts = "    facts: {price: 39.92 EUR, deadline: 5 days after enter}\n"
    flow = "- {send: offre, by: email, id: a}\n- {wait: 1 day, id: w}\n- {send: offre, by: email, id: b}"
    text = (
        a_campaign(flow)
        .replace("  offre:\n", "  offre:\n" + facts)
        .replace("body: Bonjour,", 'body: "{price} {deadline:short}",')
    )
    stage = Delivery(tmp_path, text)
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    told = stage.row("SELECT told FROM enrollment").told
    assert json.loads(told) == {"offre": {"price": ["money", "39.92 EUR"], "deadline": ["date", "2027-01-09"]}}
    assert stage.row("SELECT facts FROM touch").facts is None
    stage.send("2027-01-05 10:00")
    first, second = (one.rendered.parts["html"] for one in stage.provider.handed)
    assert "39,92" in first
    assert first == second


# --- the gate -------------------------------------------------------------------------------------------------------
@pytest.mark.guards("gate_reachable")
def test_an_opt_out_between_planning_and_sending_wins(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea", "paul")
    decided(stage)
    lea = stage.row("SELECT id FROM contact WHERE source_id = 'lea'").id
    with stage.store.write() as connection:
        bars = consents.bars_of(connection, lea, "email", "unsubscribed", at=stage.now)
        consents.suppress(connection, bars, now=stage.now)
    report = stage.dispatch()
    assert (report.accepted, report.skipped, stage.provider.reached()) == (1, 1, ["paul j0"])
    assert "lea j0 email skipped: unreachable 2027-01-04 10:00" in stage.touches()


def test_an_opt_out_while_it_is_rendered_wins_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), file=True)
    stage.sign_up("lea", "paul")
    decided(stage)
    take = Order.take

    def opted_out_meanwhile(order: Order) -> object:
        with stage.store.write() as connection:
            lea = connection.scalar(sa.text("SELECT id FROM contact WHERE source_id = 'lea'"))
            consents.suppress(connection, consents.bars_of(connection, lea, "email", "stop", at=stage.now), now=stage.now)
        return take(order)

    monkeypatch.setattr(Order, "take", opted_out_meanwhile)
    stage.dispatch()
    assert stage.provider.reached() == ["paul j0"]


@pytest.mark.guards("gate_exits")
def test_an_order_one_second_ago_stops_the_reminder(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS, extra="goal: {when: purchase}"))
    stage.sign_up("lea", "paul")
    decided(stage)
    stage.says("lea", "purchase", value="10 EUR")
    stage.fold()
    stage.dispatch()
    assert stage.provider.reached() == ["paul j0"]
    assert "lea j0 email skipped: ended 2027-01-04 10:00" in stage.touches()
    stage.turn()
    assert stage.passes("lea") == ["lea bienvenue goal"]


def test_the_event_that_let_somebody_in_is_no_reason_to_leave(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS, extra="goal: {when: signup}\nexit: [{when: signup, as: again}]"))
    stage.sign_up("lea")
    decided(stage)
    stage.dispatch()
    assert stage.provider.reached() == ["lea j0"]


def test_an_order_after_the_goals_time_stops_nothing(tmp_path: Path) -> None:
    flow = SENDS.replace("1 day", "3 days")
    stage = Delivery(tmp_path, a_campaign(flow, extra="goal: {when: purchase, within: 1 day}"))
    stage.sign_up("lea")
    decided(stage)
    stage.dispatch()
    stage.now = paris("2027-01-07 10:00")
    stage.says("lea", "purchase", value="10 EUR")
    stage.fold()
    stage.turn()
    stage.dispatch()
    assert stage.provider.reached() == ["lea j0", "lea j1"]


@pytest.mark.guards("gate_exits")
def test_an_exit_rule_that_became_true_stops_it(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS, extra="exit: [{if: orders > 0, as: customer}]"))
    stage.sign_up("lea", "paul", orders=0)
    decided(stage)
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE contact SET a_orders = 1 WHERE source_id = 'lea'"))
    stage.dispatch()
    assert stage.provider.reached() == ["paul j0"]


@pytest.mark.guards("gate_hours")
def test_quiet_hours_hold_a_claimed_touch_until_they_end(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), omni=QUIET)
    stage.sign_up("lea")
    decided(stage, "2027-01-04 19:59")
    stage.now += timedelta(minutes=2)
    report = stage.dispatch()
    assert (report.accepted, report.held) == (0, 1)
    row = stage.row("SELECT send_state, held_by, due_at FROM touch")
    assert (row.send_state, row.held_by) == ("planned", "quiet_hours")
    assert paris("2027-01-05 09:00") <= clock.from_ms(row.due_at) <= paris("2027-01-05 12:00")
    assert stage.send("2027-01-05 12:00").accepted == 1


def test_a_cap_counts_what_left_for_another_campaign(tmp_path: Path) -> None:
    other = a_campaign(SENDS.replace("j0", "k0").replace("j1", "k1"), name="autre", messages="").replace("Bonjour", "Salut")
    stage = Delivery(tmp_path, a_campaign(SENDS), other, omni=CAPPED)
    stage.sign_up("lea")
    report = stage.send("2027-01-04 10:00")
    assert report.accepted == 1
    assert len(stage.provider.handed) == 1
    assert stage.rows("SELECT count(*) FROM cap_slot WHERE rule <> 'all'") == [(1,)]


@pytest.mark.guards("gate_caps")
def test_a_cap_that_was_filled_after_the_decision_holds_the_touch(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), omni=CAPPED)
    stage.sign_up("lea")
    decided(stage)
    with stage.store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO cap_slot (contact_id, local_date, rule, slot, touch_id, at) SELECT contact_id, '2027-01-04', 'email', 1, id, due_at FROM touch"
        )
    assert stage.dispatch().accepted == 0
    assert stage.provider.handed == []


@pytest.mark.guards("gate_erasure")
def test_who_was_erased_after_the_decision_gets_nothing(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea", "paul")
    decided(stage)
    with stage.store.write() as connection:
        connection.execute(
            sa.text("UPDATE contact SET erased_at = :now WHERE source_id = 'lea'"), {"now": clock.to_ms(stage.now)}
        )
    stage.dispatch()
    assert stage.provider.reached() == ["paul j0"]


@pytest.mark.guards("gate_complaint")
def test_a_complaint_after_the_decision_holds_what_advertises(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea", "paul")
    decided(stage)
    until = clock.to_ms(stage.now + timedelta(hours=30))
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE contact SET complaint_until = :until WHERE source_id = 'lea'"), {"until": until})
    assert stage.dispatch().held == 1
    assert stage.provider.reached() == ["paul j0"]


@pytest.mark.guards("gate_budget")
def test_a_budget_that_was_used_up_after_the_decision_holds_the_rest(tmp_path: Path) -> None:
    """A message may cost more than was planned (a text of three parts): what is known last counts."""
    stage = Delivery(tmp_path, a_campaign(SENDS, extra="guardrails: {budget: 0.01 EUR}"))
    stage.sign_up("lea", "paul")
    decided(stage)
    assert stage.dispatch(max=1).accepted == 1
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE touch SET cost = 10000 WHERE send_state = 'accepted'"))
    report = stage.dispatch()
    assert (report.accepted, report.held) == (0, 1)
    assert len(stage.provider.handed) == 1


@pytest.mark.guards("content_repeat")
def test_the_same_words_to_the_same_address_leave_once_a_day(tmp_path: Path) -> None:
    """Two passes that say the same, as a wrong touch key would make them: the second net."""
    other = a_campaign(SENDS.replace("j0", "k0").replace("j1", "k1"), name="autre")
    stage = Delivery(tmp_path, a_campaign(SENDS), other)
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    assert len(stage.provider.handed) == 1
    assert [line.split()[3:5] for line in stage.touches() if "skipped" in line] == [["skipped:", "duplicate"]]


def test_the_same_words_go_to_an_address_once_a_day_whoever_shares_it(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    stage.sign_up("leo", first_name="Lea")
    with stage.store.write() as connection:
        connection.exec_driver_sql(
            "UPDATE address SET (value, norm, hmac) = (SELECT value, norm, hmac FROM address WHERE value = 'lea@email')"
        )
    stage.send("2027-01-04 11:00")
    assert stage.provider.reached() == ["lea j0"]
    assert stage.touches("leo")[0].startswith("leo j0 email skipped: duplicate")
    stage.sign_up("max")
    stage.send("2027-01-04 12:00")
    assert stage.provider.reached() == ["lea j0", "max j0"]


@pytest.mark.guards("stop_flag")
def test_a_stopped_campaign_sends_nothing_and_a_paused_one_waits(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    decided(stage)
    stage.state("bienvenue", state="paused", pause_people="hold")
    assert stage.dispatch().accepted == 0
    assert stage.touches() == ["lea j0 email planned 2027-01-04 10:00"]
    stage.state("bienvenue", state="stopped")
    assert stage.dispatch().skipped == 1
    assert stage.touches() == ["lea j0 email skipped: stopped 2027-01-04 10:00"]


@pytest.mark.guards("stale_data")
def test_a_number_older_than_it_may_be_is_not_told(tmp_path: Path) -> None:
    live = "    facts:\n      stock: {type: number, from: contact.visits, max_age: 2 hours}\n    say:"
    text = a_campaign("- {wait: 3 hours, id: w}\n- {send: offre, by: email, id: j0}").replace("    say:", live)
    stage = Delivery(
        tmp_path, text.replace("body: Bonjour", 'body: "Encore {stock}"').replace("body: Hello", 'body: "{stock} left"')
    )
    stage.sign_up("anna", visits=3)
    stage.send("2027-01-04 08:00")
    stage.says("anna", "purchase", at="2027-01-04 10:30", value="10 EUR")  # what happens to a person makes no number younger
    stage.send("2027-01-04 11:00")
    assert stage.touches() == ["anna j0 email skipped: stale 2027-01-04 11:00"]


@pytest.mark.guards("gate_expiry")
def test_a_touch_past_its_time_expires(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    decided(stage)
    stage.now += timedelta(days=4)
    assert stage.dispatch().skipped == 1
    assert stage.touches("lea")[0].startswith("lea j0 email skipped: expired")


def test_a_late_tick_lets_old_touches_expire(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    decided(stage)
    stage.now += timedelta(hours=20)
    assert stage.dispatch(late_after=stage.now - timedelta(hours=12)).skipped == 1


def test_a_late_tick_sends_what_was_due_before_the_last_one_ended(tmp_path: Path) -> None:
    """Ticks ran and something held it (an account left alone, a full disk): that is not lateness."""
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    decided(stage)
    late = {"late_after": stage.now + timedelta(hours=8), "late_since": stage.now + timedelta(hours=1)}
    stage.now += timedelta(hours=20)
    assert stage.dispatch(**late).accepted == 1


def test_when_another_omni_changed_the_tables_nothing_is_claimed(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    decided(stage)
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    report = stage.dispatch()
    assert (report.accepted, report.stuck) == (0, True)
    assert "9999" in report.problems[0]
    assert stage.touches("lea")[0].startswith("lea j0 email planned")


def test_a_store_on_hold_sends_nothing(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    decided(stage)
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE instance SET hold = 'restored'"))
    with pytest.raises(OmniError) as refused:
        stage.dispatch()
    assert (refused.value.exit, stage.provider.handed) == (Exit.REFUSED, [])


def test_who_cannot_be_written_to_is_skipped_by_field_and_the_others_are_sent(tmp_path: Path) -> None:
    text = a_campaign(SENDS).replace("body: Bonjour,", 'body: "Bonjour {city}",')
    stage = Delivery(tmp_path, text)
    stage.sign_up("lea", city="Lyon")
    stage.sign_up("paul")
    report = stage.send("2027-01-04 10:00")
    assert (report.accepted, report.render_failed) == (1, 1)
    assert "paul j0 email skipped: render_failed 2027-01-04 10:00" in stage.touches()
    assert "city" in stage.row("SELECT detail FROM evidence").detail
    assert any("city" in problem for problem in report.problems)


# --- what providers answer ------------------------------------------------------------------------------------------
def test_a_refusal_ends_the_touch_frees_its_slot_and_bars_the_address(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.provider.answer = answering(lea=Outcome("rejected", code="5.1.1", detail="no such user", bad_address=True))
    stage.sign_up("lea", "paul")
    report = stage.send("2027-01-04 10:00")
    assert (report.accepted, report.rejected) == (1, 1)
    assert "lea j0 email rejected: refused 2027-01-04 10:00" in stage.touches()
    assert stage.row("SELECT bad FROM address WHERE value = 'lea@email'").bad == "bounced"
    assert "bounced" in stage.row("SELECT reach FROM contact WHERE source_id = 'lea'").reach
    assert stage.rows("SELECT count(*) FROM cap_slot s JOIN touch t ON t.id = s.touch_id WHERE t.send_state = 'rejected'") == [
        (0,)
    ]


def test_after_a_refusal_the_next_channel_of_else_is_tried(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign("- {send: offre, by: email, else: [sms], id: j0}"))
    stage.provider.answer = lambda one: Outcome("rejected", code="x") if one.channel == "email" else accepted(one)
    stage.sign_up("lea", consent=("email", "sms"))
    stage.send("2027-01-04 10:00")
    assert [one.channel for one in stage.provider.handed] == ["email", "sms"]


def test_what_was_not_sent_is_tried_again_later_and_then_given_up(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign("- {send: offre, by: email, id: j0}"))
    stage.provider.answer = lambda one: Outcome("not_sent", code="4.3.2", detail="later")
    stage.sign_up("lea")
    decided(stage)
    assert stage.dispatch().retried == 1
    assert stage.dispatch().retried == 0  # not before its time
    for _ in range(10):
        stage.now += timedelta(minutes=16)
        stage.dispatch()
    assert stage.touches()[0].startswith("lea j0 email skipped: exhausted")
    assert stage.rows("SELECT n, outcome FROM attempt") == [(n, "not_sent") for n in range(1, 6)]
    assert stage.rows("SELECT count(*) FROM cap_slot") == [(0,)]
    stage.turn()
    assert stage.passes() == ["lea bienvenue end"]


def test_an_account_that_refuses_us_is_left_alone_and_nobody_is_failed(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), provider=Recorder(batch=1))
    stage.provider.answer = lambda one: Outcome("not_sent", code="535", detail="authentication failed", halt=True)
    stage.sign_up("a", "b", "c")
    decided(stage)
    report = stage.dispatch()
    assert (stage.provider.calls, report.retried, report.held) == (1, 1, 2)
    assert "authentication failed" in report.problems[0]
    assert stage.rows("SELECT held_by, count(*) FROM touch WHERE send_state = 'planned' GROUP BY 1") == [("breaker", 2)]


def test_five_failures_in_a_row_end_the_round(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS), provider=Recorder(batch=1))
    stage.provider.answer = lambda one: Outcome("not_sent", code="lost")
    stage.sign_up(*(f"c{n}" for n in range(9)))
    decided(stage)
    stage.dispatch()
    assert stage.provider.calls == 5


@pytest.mark.guards("defect_is_unknown")
def test_a_provider_that_raises_leaves_an_unknown_touch_and_says_so(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))

    def broken(_one: Handed) -> Outcome:
        raise RuntimeError("bug")

    stage.provider.answer = broken
    stage.sign_up("lea")
    decided(stage)
    report = stage.dispatch()
    assert (report.unknown, report.open_unknown) == (1, 1)
    assert "RuntimeError" in report.problems[0]


def test_a_live_channel_keeps_to_its_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Delivery(
        tmp_path,
        a_campaign(SENDS),
        omni=OMNI.replace("price: 0.001 EUR", "price: 0.001 EUR, rate: 10 per second"),
        provider=Recorder(batch=2),
    )
    slept: list[float] = []
    begun = clock.now()
    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(seconds=sum(slept)))
    monkeypatch.setattr(module.time, "sleep", slept.append)
    stage.sign_up(*(f"c{n}" for n in range(6)))
    decided(stage)
    assert stage.dispatch(live=True).accepted == 6
    assert len(slept) == 2  # three calls of two: the first leaves at once
    assert sum(slept) > 0.3


# --- unknown --------------------------------------------------------------------------------------------------------
def lost(_one: Handed) -> Outcome:
    return Outcome("unknown", code="lost", detail="dot: timed out")


def an_unknown(tmp_path: Path, **options: object) -> Delivery:
    stage = Delivery(tmp_path, a_campaign(SENDS), **options)
    stage.provider.answer = lost
    stage.sign_up("lea")
    decided(stage)
    report = stage.dispatch()
    assert (report.unknown, report.unknown_touches, report.open_unknown) == (1, (stage.provider.handed[0].touch,), 1)
    return stage


def test_an_unknown_touch_of_marketing_is_parked_and_never_sent_again(tmp_path: Path) -> None:
    stage = an_unknown(tmp_path)
    stage.provider.answer = accepted
    for _ in range(3):
        stage.now += timedelta(days=1)
        stage.send()
    assert len(stage.provider.handed) == 1
    assert stage.touches()[0].startswith("lea j0 email parked")
    assert stage.passes() == ["lea bienvenue at j0"]
    assert stage.rows("SELECT count(*) FROM cap_slot WHERE rule <> 'all'") == [(1,)]  # it may have arrived: it counts


@pytest.mark.parametrize(
    ("how", "ends", "passes"), [("accepted", "accepted", "at repos"), ("drop", "skipped: dropped", "at repos")]
)
def test_a_person_decides_what_became_of_it(tmp_path: Path, how: str, ends: str, passes: str) -> None:
    stage = an_unknown(tmp_path)
    touch = stage.provider.handed[0].touch
    resolve(stage.store, touch[:8], how, because="asked the relay", who="ines", now=stage.now)
    assert f"lea j0 email {ends}" in stage.touches()[0]
    assert stage.rows("SELECT source, kind, detail FROM evidence") == [("person:ines", f"resolve:{how}", "asked the relay")]
    stage.turn()
    assert stage.passes() == [f"lea bienvenue {passes}"]


@pytest.mark.parametrize(("how", "first"), [("not-sent", "not_sent"), ("resend", "waived")])
def test_a_person_may_have_it_sent_again(tmp_path: Path, how: str, first: str) -> None:
    stage = an_unknown(tmp_path)
    stage.provider.answer = accepted
    resolve(stage.store, stage.provider.handed[0].touch, how, because="sure", who="ines", now=stage.now)
    stage.dispatch()
    assert stage.rows("SELECT n, outcome FROM attempt") == [(1, first), (2, "accepted")]
    assert len(stage.provider.handed) == 2


def test_resolving_what_is_not_unknown_is_refused(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    with pytest.raises(OmniError):
        resolve(stage.store, "abc", "accepted", because="x", who="ines", now=stage.now)


def test_a_service_message_may_be_resent_by_policy_after_an_hour(tmp_path: Path) -> None:
    omni = OMNI.replace("email: {provider: smtp,", "email: {provider: smtp, on_unknown: resend,")
    stage = Delivery(tmp_path, a_campaign(SENDS, extra="purpose: service"), omni=omni)
    stage.provider.answer = lost
    stage.sign_up("lea")
    decided(stage)
    stage.dispatch()
    stage.provider.answer = accepted
    stage.now += timedelta(minutes=30)
    assert stage.dispatch().accepted == 0
    stage.now += timedelta(minutes=31)
    assert stage.dispatch().accepted == 1
    assert stage.rows("SELECT n, outcome, waived_by FROM attempt") == [
        (1, "waived", "policy: on_unknown resend"),
        (2, "accepted", None),
    ]


# --- what the store itself forbids ----------------------------------------------------------------------------------
@pytest.mark.guards("one_open_attempt")
def test_the_store_allows_one_open_attempt_a_touch(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    again = "INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, address_hash, body_sha256, started_at) SELECT touch_id, 2, handover_id, 1, '{}', address_hash, body_sha256, 0 FROM attempt"
    for outcome in ("intent", "unknown", "accepted"):
        with pytest.raises(sa.exc.IntegrityError), stage.store.write() as connection:
            connection.exec_driver_sql(again.format(outcome).replace("'accepted', x", "'accepted', x"))
    with stage.store.write() as connection:
        connection.exec_driver_sql(again.format("not_sent"))


@pytest.mark.guards("touch_key")
def test_the_store_allows_one_touch_a_key(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    again = (
        "INSERT INTO touch (touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, send_state,"
        " created_at) SELECT touch_key, contact_id, enrollment_id, version_id, 'j9', message, channel, purpose, priority, due_at, expires_at, 'planned',"
        " created_at FROM touch WHERE id = 1"
    )
    with pytest.raises(sa.exc.IntegrityError), stage.store.write() as connection:
        connection.exec_driver_sql(again)


@pytest.mark.guards("touch_move")
def test_sending_never_returns_to_planned(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    with pytest.raises(sa.exc.IntegrityError), stage.store.write() as connection:
        connection.execute(sa.update(tb.touch).values(send_state="planned"))


@pytest.mark.guards("fence_in_t3")
def test_a_worker_that_lost_its_lease_only_leaves_evidence(tmp_path: Path) -> None:
    """It was frozen after the intent; meanwhile the touch was reaped as unknown. What it knows settles it."""
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    decided(stage)

    def reaped(_handed: object) -> None:
        with stage.store.write() as connection:
            connection.execute(sa.text("UPDATE attempt SET outcome = 'unknown'"))
            connection.execute(sa.text("UPDATE touch SET send_state = 'unknown', lease_by = NULL, lease_until = NULL"))

    stage.provider.before = reaped
    stage.dispatch()
    assert stage.rows("SELECT source, kind FROM evidence") == [("worker", "accepted")]
    assert stage.touches() == ["lea j0 email accepted 2027-01-04 10:00"]


# --- work for people, calls -----------------------------------------------------------------------------------------
def test_a_task_becomes_a_row_of_work_in_the_commit_that_accepts_it(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign("- {send: offre, by: task, team: conseil, due: 2 days, id: appel}"))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    assert stage.rows("SELECT team, state FROM task") == [("conseil", "open")]


def test_a_call_step_carries_its_values(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign("- {call: crm, with: {first: first_name}, id: hook}\n- {wait: 1 day, id: w}"))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    (one,) = stage.provider.handed
    assert (one.channel, json.loads(one.rendered.parts["body"])["first"]) == ("webhook", "Lea")
    assert stage.passes() == ["lea bienvenue at w"]


# --- the canary -----------------------------------------------------------------------------------------------------
def test_a_mistake_that_would_spoil_everybody_pauses_the_campaign_and_spoils_nobody(tmp_path: Path) -> None:
    text = a_campaign(SENDS).replace("body: Bonjour,", 'body: "Bonjour {city}",')
    stage = Delivery(tmp_path, text)
    for n in range(30):
        stage.sign_up(f"p{n}", **({"city": "Lyon"} if n < 5 else {}))
    decided(stage)
    report = stage.dispatch()
    assert (report.accepted, report.skipped, report.render_failed) == (0, 0, 25)
    assert stage.row("SELECT state, pause_people FROM campaign").state == "paused"
    assert any("omni campaign resume bienvenue" in problem for problem in report.problems)
    assert {line.split()[3] for line in stage.touches()} == {"planned"}


def test_a_few_failures_among_many_pause_nothing(tmp_path: Path) -> None:
    text = a_campaign(SENDS).replace("body: Bonjour,", 'body: "Bonjour {city}",')
    stage = Delivery(tmp_path, text)
    for n in range(30):
        stage.sign_up(f"p{n}", **({"city": "Lyon"} if n >= 19 else {}))
    report = stage.send("2027-01-04 10:00")
    assert (report.accepted, report.render_failed) == (11, 19)
    assert stage.row("SELECT state FROM campaign").state == "running"


def test_twenty_refusals_among_the_first_hundred_pause_the_campaign(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    for n in range(60):
        stage.sign_up(f"p{n}")
    stage.provider.answer = lambda _one: Outcome("rejected", code="550", detail="sender refused")
    stage.provider.batch = 10
    decided(stage)
    assert stage.dispatch().rejected == 20
    assert stage.row("SELECT state FROM campaign").state == "paused"
    assert sum("planned" in line for line in stage.touches()) == 40
