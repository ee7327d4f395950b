"""What comes back is folded once, in any order, to the same state (docs/language 4.2, 6.4, 8; docs/delivery 15, 17)."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from stage import Stage, a_campaign, paris

from omnicli.campaigns import respond
from omnicli.campaigns.respond import keyword
from omnicli.store.inbox import Arrival

FLOW = """
- {send: offre, id: j0, by: email}
- wait: up to 3 days
  id: reponse
  for:
    replied where (keyword in (oui, yes)): [{exit: oui}]
    replied: [{exit: autre}]
    clicked: [{exit: clic}]
    nothing: []
- {send: offre, id: j3, by: sms, else: [email]}
- {wait: 5 days, id: fin}
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path, a_campaign(FLOW, extra="goal: {when: purchase, within: 10 days, value: value}"))
    stage.person("lea", consent=("email", "sms"))
    stage.says("lea", "signup")
    stage.run()
    return stage


def event(stage: Stage, name: str) -> tuple:
    return stage.row(
        "SELECT campaign, message, step, channel, enrollment_id IS NOT NULL FROM event WHERE name = :name", name=name
    )


# --- whose, and which touch -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "said", [{}, {"channel": "email"}, {"campaign": "bienvenue"}, {"campaign": "bienvenue", "step": "j0"}, {"message": "offre"}]
)
def test_an_answer_is_matched_to_the_touch_it_answers(stage: Stage, said: dict) -> None:
    stage.says("lea", "clicked", at="2027-01-04 09:00", **said)
    stage.run("2027-01-04 09:01")
    assert event(stage, "clicked") == ("bienvenue", "offre", "j0", "email", 1)
    assert stage.passes() == ["lea bienvenue clic"]


@pytest.mark.parametrize("said", [{"channel": "sms"}, {"campaign": "autre"}, {"step": "j9"}, {"machine": True}])
def test_an_answer_to_something_else_changes_nothing_here(stage: Stage, said: dict) -> None:
    stage.says("lea", "clicked", at="2027-01-04 09:00", **said)
    stage.run("2027-01-04 09:01")
    assert stage.passes() == ["lea bienvenue at reponse"]


def test_a_touch_is_named_by_its_key(stage: Stage) -> None:
    key = stage.row("SELECT touch_key FROM touch")[0].hex()
    stage.says("", "clicked", at="2027-01-04 09:00", touch=key)
    stage.run("2027-01-04 09:01")
    assert stage.passes() == ["lea bienvenue clic"]


def test_a_response_of_somebody_unknown_waits_in_the_inbox(stage: Stage) -> None:
    stage.says("nobody", "purchase", value="5 EUR")
    folded = stage.fold()
    assert (folded.events, folded.unmatched) == (0, 1)
    assert stage.row("SELECT outcome FROM inbox WHERE outcome <> 'event'") == ("unmatched",)


def test_a_payload_that_is_not_what_the_event_declares_is_refused_with_its_reason(stage: Stage) -> None:
    stage.says("lea", "purchase", value="dix euros")
    assert stage.fold().refused == 1
    assert stage.row("SELECT outcome FROM inbox WHERE outcome LIKE 'refused%'")[0].startswith("refused: value: ")


def test_a_response_from_the_future_waits_until_it_has_happened(stage: Stage) -> None:
    stage.says("lea", "clicked", at="2027-01-05 09:00")
    stage.now = paris("2027-01-04 12:00")
    assert stage.fold().events == 0
    stage.run("2027-01-05 09:00")
    assert stage.passes() == ["lea bienvenue clic"]


def test_two_who_fold_at_once_fold_each_response_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import and a worker, say: both have read what waits before either writes."""
    stage.now = paris("2027-01-04 10:00")
    stage.says("lea", "purchase", at="2027-01-04 09:00", value="5 EUR")
    both_have_read = threading.Barrier(2)
    read = respond._waiting

    def waiting(*args: Any, **named: Any) -> list[Arrival]:
        found = read(*args, **named)
        if named["after"] is None:
            both_have_read.wait(timeout=10)
        return found

    monkeypatch.setattr(respond, "_waiting", waiting)
    with ThreadPoolExecutor(2) as pool:
        folded = list(pool.map(lambda _: respond.fold(stage.store, stage.loaded, now=stage.now), range(2)))
    assert sorted(one.events for one in folded) == [0, 1]
    assert stage.row("SELECT count(*) FROM event WHERE name = 'purchase'") == (1,)


def test_the_same_response_twice_is_one(stage: Stage) -> None:
    stage.now = paris("2027-01-04 10:00")
    for _ in range(3):
        stage.says("lea", "purchase", id="p1", value="5 EUR")
        stage.fold()
    assert stage.row("SELECT count(*) FROM event WHERE name = 'purchase'") == (1,)


# --- what a reply says ------------------------------------------------------------------------------------------------
def test_the_keyword_is_the_first_word_folded() -> None:
    assert [keyword(text) for text in ("Oui !", "  ÔUI, merci", "1", "…", "«Stop» svp")] == ["oui", "oui", "1", "", "stop"]


@pytest.mark.parametrize(("text", "reason"), [("Oui, avec plaisir", "oui"), ("YES!", "oui"), ("peut-être", "autre")])
def test_a_reply_takes_the_branch_of_its_keyword(stage: Stage, text: str, reason: str) -> None:
    stage.says("lea", "replied", at="2027-01-04 10:00", channel="email", text=text)
    stage.run("2027-01-04 10:01")
    assert stage.passes() == [f"lea bienvenue {reason}"]


# --- order ------------------------------------------------------------------------------------------------------------
def state(stage: Stage) -> list:
    """Everything that the fold may have changed, without integer ids."""
    return [
        stage.rows("SELECT name, at, campaign, step, channel, payload FROM event ORDER BY name, at, payload"),
        stage.rows("SELECT source_id, last_human_channel, last_human_at, reach, complaint_until FROM contact ORDER BY 1"),
        stage.rows("SELECT delivery_state, flags, send_state FROM touch ORDER BY touch_key"),
        stage.rows("SELECT reason, converted_at, converted_value, state FROM enrollment ORDER BY key"),
        stage.rows("SELECT channel, reason, at FROM suppression ORDER BY 1, 2"),
    ]


HEARD = [
    ("delivered", "09:00", {}),
    ("opened", "09:10", {}),
    ("clicked", "10:00", {}),
    ("replied", "10:05", {"channel": "sms", "text": "STOP"}),
    ("replied", "10:07", {"channel": "sms", "text": "START"}),
    ("replied", "10:08", {"channel": "sms", "text": "stop"}),
    ("purchase", "10:10", {"value": "39.92 EUR"}),
    ("purchase", "11:10", {"value": "10 EUR"}),
    ("bounced", "11:30", {"channel": "email"}),
]


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_any_repeats_give_the_same_state(tmp_path: Path, seed: int) -> None:
    results = []
    for name, shuffled in (("a", False), ("b", True)):
        stage = Stage(
            tmp_path / name,
            a_campaign(
                "- {send: offre, id: j0, by: email}\n- {wait: 2 days, id: w}", extra="goal: {when: purchase, value: value}"
            ),
        )
        stage.person("lea", consent=("email", "sms"))
        stage.says("lea", "signup", id="s")
        stage.run()
        heard = list(enumerate(HEARD))
        if shuffled:
            random.Random(seed).shuffle(heard)
            heard += heard[:3]
        stage.now = paris("2027-01-04 12:00")
        for n, (event_name, at, fields) in heard:
            stage.says("lea", event_name, at=f"2027-01-04 {at}", id=f"h{n}", **fields)
            if shuffled:
                stage.fold()
        stage.fold()
        results.append(state(stage))
    assert results[0] == results[1]


# --- what it does to the person ---------------------------------------------------------------------------------------
def test_the_newest_human_answer_names_the_last_channel(stage: Stage) -> None:
    stage.says("lea", "replied", at="2027-01-04 10:00", channel="sms", text="?")
    stage.says("lea", "clicked", at="2027-01-04 09:00", channel="email")
    stage.says("lea", "clicked", at="2027-01-04 11:00", channel="whatsapp", machine=True)
    stage.run("2027-01-04 12:00")
    assert stage.row("SELECT last_human_channel FROM contact") == ("sms",)


def test_stop_bars_that_channel_only_and_the_pass_goes_on_by_the_others(stage: Stage) -> None:
    stage.says("lea", "replied", at="2027-01-04 10:00", channel="sms", text="Stop.")
    stage.run("2027-01-04 10:01")
    assert stage.rows("SELECT channel, reason FROM suppression") == [("sms", "stop")]
    assert stage.run("2027-01-07 08:00") == ["lea j3 email accepted 2027-01-07 08:00"]


def test_start_undoes_a_stop_that_is_older_and_nothing_else(stage: Stage) -> None:
    stage.says("lea", "replied", at="2027-01-04 10:00", channel="sms", text="stop")
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", channel="email")
    stage.run("2027-01-04 10:01")
    stage.says("lea", "replied", at="2027-01-04 09:00", channel="sms", text="start")
    stage.run("2027-01-04 10:02")
    assert stage.rows("SELECT channel, reason FROM suppression ORDER BY 1") == [("email", "unsubscribed"), ("sms", "stop")]
    stage.says("lea", "replied", at="2027-01-04 11:00", channel="sms", text="start")
    stage.run("2027-01-04 11:01")
    assert stage.rows("SELECT channel, reason FROM suppression") == [("email", "unsubscribed")]


def test_a_sentence_that_contains_stop_is_no_keyword(stage: Stage) -> None:
    stage.says("lea", "replied", at="2027-01-04 10:00", channel="sms", text="ne stop pas, continuez")
    stage.run("2027-01-04 10:01")
    assert stage.rows("SELECT * FROM suppression") == []


def test_unsubscribing_from_the_last_channel_ends_the_pass(stage: Stage) -> None:
    stage.says("lea", "clicked", at="2027-01-04 08:30", step="nothing")
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", channel="email")
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", channel="sms")
    stage.run("2027-01-04 10:01")
    assert stage.passes() == ["lea bienvenue unsubscribed"]


def test_unsubscribing_without_a_channel_leaves_everything_whatever_was_sent_last(stage: Stage) -> None:
    assert stage.rows("SELECT channel FROM touch WHERE send_state = 'accepted'")
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00")
    stage.run("2027-01-04 10:01")
    everything = [("email", "unsubscribed"), ("sms", "unsubscribed")]
    assert stage.rows("SELECT channel, reason FROM suppression ORDER BY 1") == everything
    assert stage.passes() == ["lea bienvenue unsubscribed"]
    for hour, word in ((11, "stop"), (12, "start")):  # START undoes a STOP, not a farewell
        stage.says("lea", "replied", at=f"2027-01-04 {hour}:00", channel="sms", text=word)
        stage.run(f"2027-01-04 {hour}:01")
    assert stage.rows("SELECT channel, reason FROM suppression ORDER BY 1") == everything


def test_the_spam_button_ends_marketing_and_a_dead_address_is_not_used_again(stage: Stage) -> None:
    stage.says("lea", "bounced", at="2027-01-04 10:00", channel="email")
    stage.run("2027-01-04 10:01")
    assert stage.row("SELECT bad FROM address WHERE channel = 'email'") == ("bounced",)
    stage.says("lea", "complained", at="2027-01-04 11:00", channel="sms")
    stage.run("2027-01-04 11:01")
    assert stage.passes() == ["lea bienvenue complained"]


def test_a_complaint_opens_a_case_with_deadlines_in_the_teams_hours_and_holds_marketing(stage: Stage) -> None:
    stage.says("lea", "complaint", at="2027-01-05 17:50", channel="email", text="Bougie cassée")
    folded = stage.run("2027-01-05 17:51")
    assert folded == []
    first = int(paris("2027-01-06 09:20").timestamp() * 1000)
    assert stage.row("SELECT kind, team, state, first_due, text FROM inbox_case") == (
        "complaint",
        "conseil",
        "open",
        first,
        "Bougie cassée",
    )
    assert stage.run("2027-01-07 08:00") == []
    assert stage.passes() == ["lea bienvenue at j3 held complaint_open"]


# --- wake, goal -------------------------------------------------------------------------------------------------------
def test_an_answer_brings_the_pass_up_at_once_and_one_without_a_branch_leaves_the_timer(stage: Stage) -> None:
    before = stage.row("SELECT due_at, wait_until FROM enrollment")
    stage.says("lea", "delivered", at="2027-01-04 09:00", channel="email")
    stage.now = paris("2027-01-04 09:00")
    stage.fold()
    assert stage.row("SELECT due_at FROM enrollment") == (1799049600000,)
    stage.turn()
    assert stage.row("SELECT due_at, wait_until FROM enrollment") == before


def test_a_pass_that_ended_converts_until_within_is_over(stage: Stage) -> None:
    stage.says("lea", "clicked", at="2027-01-04 09:00")
    stage.run("2027-01-04 09:01")
    assert stage.passes() == ["lea bienvenue clic"]
    stage.says("lea", "purchase", at="2027-01-13 09:00", value="12.34 EUR")
    stage.run("2027-01-13 10:00")
    at = int(paris("2027-01-13 09:00").timestamp() * 1000)
    assert stage.row("SELECT reason, converted_at, converted_value FROM enrollment") == ("clic", at, 1234)
    assert stage.row("SELECT count(*) FROM event WHERE name = 'converted'") == (1,)


def test_after_within_nothing_converts(stage: Stage) -> None:
    stage.says("lea", "clicked", at="2027-01-04 09:00")
    stage.run("2027-01-04 09:01")
    stage.says("lea", "purchase", at="2027-01-14 08:01", value="5 EUR")
    stage.run("2027-01-14 10:00")
    assert stage.row("SELECT converted_at FROM enrollment") == (None,)


def test_what_happened_to_the_message_never_falls_back(stage: Stage) -> None:
    for name, at in (("bounced", "09:05"), ("delivered", "09:00"), ("clicked", "09:10"), ("opened", "09:08")):
        stage.says("lea", name, at=f"2027-01-04 {at}", channel="email", kind="soft")
        stage.run("2027-01-04 09:30")
    assert stage.row("SELECT delivery_state, flags FROM touch WHERE step = 'j0'") == ("bounced", "clicked opened")
