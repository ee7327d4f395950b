"""Leaving a topic: what an opt-out that answers a message leaves, what stays, and that no order of hearing matters."""

from __future__ import annotations

import json
import random
from itertools import permutations
from pathlib import Path

import pytest
from delivering import Delivery
from stage import OMNI, Stage, a_campaign, paris

TOPICS = OMNI + "topics:\n  nouveautes: Les nouveautés\n  soldes: {title: Les soldes, description: Deux fois par an}\n"
SENDS = "- {send: offre, id: j0, by: email, else: sms}\n- {wait: 1 day, id: w}\n- {send: offre, id: j1, by: email, else: sms}\n- {wait: 9 days, id: fin}"


def campaigns(**topics: str | None) -> list[str]:
    """One campaign a keyword, with that topic."""
    return [a_campaign(SENDS, name=name, extra=f"topic: {topic}" if topic else "") for name, topic in topics.items()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Léa has had the first message of three campaigns: two with a topic each, one without."""
    stage = Stage(tmp_path, *campaigns(neuf="nouveautes", solde="soldes", club=None), omni=TOPICS)
    stage.person("lea", consent=("email", "sms"))
    stage.says("lea", "signup")
    stage.run("2027-01-04 08:00")
    assert stage.passes() == [f"lea {name} at w" for name in ("club", "neuf", "solde")]
    return stage


def key(stage: Stage, campaign: str, step: str = "j0", who: str = "lea") -> str:
    return stage.row(
        "SELECT x.touch_key FROM touch x JOIN enrollment e ON e.id = x.enrollment_id JOIN campaign c ON c.id = e.campaign_id "
        "JOIN contact k ON k.id = x.contact_id WHERE c.name = :c AND x.step = :s AND k.source_id = :who",
        c=campaign,
        s=step,
        who=who,
    )[0].hex()


def bars(stage: Stage) -> list[tuple[str, str]]:
    return stage.rows("SELECT channel, scope FROM suppression ORDER BY channel, scope")


def reach(stage: Stage) -> dict[str, list]:
    return json.loads(stage.row("SELECT reach FROM contact").reach)


EMAIL, SMS = ("email", "marketing"), ("sms", "marketing")


CASES: list[tuple[dict[str, object], list[tuple[str, str]]]] = [
    ({"touch": "neuf"}, [("email", "topic:nouveautes")]),
    ({"touch": "solde"}, [("email", "topic:soldes")]),
    ({"touch": "club"}, [EMAIL]),  # a campaign without a topic: all marketing on that channel
    ({"touch": "neuf", "channel": "sms"}, [("sms", "topic:nouveautes")]),
    ({"touch": "neuf", "topic": "soldes"}, [("email", "topic:soldes")]),
    ({"touch": "neuf", "topic": "everything"}, [EMAIL, SMS]),
    ({"touch": "neuf", "scope": "Everything"}, [EMAIL, SMS]),
    ({"touch": "neuf", "topic": "everything", "channel": "email"}, [EMAIL]),
    ({"touch": "neuf", "topic": "none of ours"}, [EMAIL, SMS]),
    ({"campaign": "neuf", "channel": "email"}, [("email", "topic:nouveautes")]),
    ({"campaign": "neuf"}, [("email", "topic:nouveautes"), ("sms", "topic:nouveautes")]),
    ({"campaign": "club", "channel": "email"}, [EMAIL]),
    ({"campaign": "gone", "channel": "email"}, [EMAIL]),
    ({"topic": "soldes"}, [("email", "topic:soldes"), ("sms", "topic:soldes")]),
    ({"topic": "soldes", "channel": "sms"}, [("sms", "topic:soldes")]),
    ({"channel": "email"}, [EMAIL]),  # it may answer any message: a guess narrows nothing
    ({"message": "offre", "step": "j0"}, [EMAIL, SMS]),
    ({}, [EMAIL, SMS]),
    ({"touch": "neuf", "machine": True}, []),
]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """As many people as there are cases, each with the first message of the three campaigns."""
    stage = Stage(tmp_path_factory.mktemp("crowd"), *campaigns(neuf="nouveautes", solde="soldes", club=None), omni=TOPICS)
    for n in range(len(CASES)):
        stage.person(f"lea{n}", consent=("email", "sms"))
        stage.says(f"lea{n}", "signup")
    stage.run("2027-01-04 08:00")
    stage.now = paris("2027-01-04 10:00")
    return stage


@pytest.mark.parametrize("n", range(len(CASES)), ids=lambda n: " ".join(f"{k}={v}" for k, v in CASES[n][0].items()) or "nothing")
def test_what_an_opt_out_leaves(crowd: Stage, n: int) -> None:
    (said, left), who = CASES[n], f"lea{n}"
    crowd.says(who, "unsubscribed", **{**said, **({"touch": key(crowd, str(said["touch"]), who=who)} if "touch" in said else {})})
    crowd.fold()
    assert (
        crowd.rows(
            "SELECT s.channel, s.scope FROM suppression s JOIN address a ON a.hmac = s.norm_hmac JOIN contact c ON c.id = a.contact_id "
            "WHERE c.source_id = :who ORDER BY 1, 2",
            who=who,
        )
        == left
    )


def test_without_topics_in_the_project_one_click_leaves_the_channel(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *campaigns(club=None))
    stage.person("lea", consent=("email", "sms"))
    stage.says("lea", "signup")
    stage.run()
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", touch=key(stage, "club"))
    stage.run("2027-01-04 10:01")
    assert bars(stage) == [EMAIL]


def test_only_the_topic_that_was_left_stays_away_and_its_campaign_goes_on_by_the_other_channel(stage: Stage) -> None:
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", touch=key(stage, "neuf"))
    stage.run("2027-01-04 10:01")
    assert reach(stage)["email"] == [1, 1, None, None, None, None, {"nouveautes": None}]
    assert sorted(stage.run("2027-01-05 08:00")) == [
        "lea j1 email accepted 2027-01-05 08:00",
        "lea j1 email accepted 2027-01-05 08:00",
        "lea j1 sms accepted 2027-01-05 08:00",
    ]
    assert stage.rows("SELECT DISTINCT channel FROM touch WHERE touch_key = :k", k=bytes.fromhex(key(stage, "neuf", "j1"))) == [
        ("sms",)
    ]


def test_a_topic_left_on_every_channel_ends_its_own_campaign_as_unsubscribed_and_no_other(stage: Stage) -> None:
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", touch=key(stage, "neuf"))
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", topic="nouveautes", channel="sms")
    stage.run("2027-01-04 10:01")
    assert stage.passes() == ["lea club at w", "lea neuf unsubscribed", "lea solde at w"]
    stage.says("lea", "unsubscribed", at="2027-01-04 11:00", topic="soldes", channel="email")
    stage.says("lea", "replied", at="2027-01-04 11:00", channel="sms", text="STOP")
    stage.run("2027-01-04 11:01")  # by topic on one channel, altogether on the other
    assert stage.passes() == ["lea club at w", "lea neuf unsubscribed", "lea solde unsubscribed"]


def test_a_message_that_is_no_marketing_leaves_by_no_topic(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SENDS, name="neuf", extra="topic: nouveautes\npurpose: service"), omni=TOPICS)
    stage.person("lea", consent=("email", "sms"))
    stage.says("lea", "signup")
    stage.run()
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", topic="nouveautes")
    stage.run("2027-01-04 10:01")
    assert stage.run("2027-01-05 08:00") == ["lea j1 email accepted 2027-01-05 08:00"]
    stage.says("lea", "unsubscribed", at="2027-01-05 10:00", touch=key(stage, "neuf"))
    stage.run("2027-01-05 10:01")
    assert EMAIL in bars(stage)


def test_the_topic_is_that_of_the_version_that_sent_the_message(stage: Stage) -> None:
    stage.rewrite(a_campaign(SENDS, name="neuf", extra="topic: soldes"))
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", touch=key(stage, "neuf"))
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", campaign="neuf", channel="sms")
    stage.run("2027-01-04 10:01")
    assert bars(stage) == [("email", "topic:nouveautes"), ("sms", "topic:soldes")]


def test_a_topic_that_the_project_no_longer_has_is_still_barred_for_those_who_left_it(stage: Stage) -> None:
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", topic="nouveautes", channel="email")
    stage.run("2027-01-04 10:01")
    (stage.folder / "omni.yaml").write_text(OMNI)
    stage.rewrite(a_campaign(SENDS, name="solde"))
    sent = [line for line in stage.run("2027-01-05 08:00") if " sms " in line]
    assert len(sent) == 1


def test_start_gives_back_what_stop_took_and_no_topic(stage: Stage) -> None:
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", topic="soldes", channel="sms")
    stage.says("lea", "replied", at="2027-01-04 10:10", channel="sms", text="stop")
    stage.run("2027-01-04 10:11")
    assert bars(stage) == [SMS, ("sms", "topic:soldes")]
    stage.says("lea", "replied", at="2027-01-04 10:20", channel="sms", text="start")
    stage.run("2027-01-04 10:21")
    assert bars(stage) == [("sms", "topic:soldes")]


def test_the_ledger_says_what_was_left_and_the_log_only_grows(stage: Stage) -> None:
    stage.says("lea", "unsubscribed", at="2027-01-04 10:00", id="u", touch=key(stage, "neuf"))
    for _ in range(3):
        stage.says("lea", "unsubscribed", at="2027-01-04 10:00", id="u", touch=key(stage, "neuf"))
        stage.run("2027-01-04 10:01")
    assert stage.rows("SELECT campaign, step, channel, payload FROM event WHERE name = 'unsubscribed'") == [
        ("neuf", "j0", "email", '{"topic":"nouveautes"}')
    ]
    assert stage.rows("SELECT channel, scope, reason, state FROM suppression_log") == [
        ("email", "topic:nouveautes", "unsubscribed", "barred")
    ]


# --- order ------------------------------------------------------------------------------------------------------------
HEARD = [
    ("unsubscribed", "09:00", {"touch": "neuf"}),
    ("unsubscribed", "09:10", {"touch": "neuf"}),
    ("unsubscribed", "09:20", {"topic": "soldes"}),
    ("replied", "09:30", {"channel": "sms", "text": "STOP"}),
    ("replied", "09:40", {"channel": "sms", "text": "START"}),
    ("unsubscribed", "09:50", {"touch": "club"}),
    ("unsubscribed", "09:55", {"channel": "sms", "campaign": "neuf"}),
    ("complained", "10:00", {"channel": "email"}),
]


def folded(stage: Stage) -> list:
    return [
        stage.rows("SELECT channel, scope, reason, at FROM suppression ORDER BY 1, 2"),
        stage.rows("SELECT source_id, reach FROM contact"),
        stage.rows("SELECT name, at, campaign, channel, payload FROM event ORDER BY name, at, payload"),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_any_repeats_leave_the_same(tmp_path: Path, seed: int) -> None:
    results = []
    for name, shuffled in (("a", False), ("b", True)):
        stage = Stage(tmp_path / name, *campaigns(neuf="nouveautes", solde="soldes", club=None), omni=TOPICS)
        stage.person("lea", consent=("email", "sms"))
        stage.says("lea", "signup", id="s")
        stage.run()
        heard = list(enumerate(HEARD))
        if shuffled:
            random.Random(seed).shuffle(heard)
            heard += heard[:4]
        stage.now = paris("2027-01-04 12:00")
        for n, (event, at, fields) in heard:
            named = {**fields, "touch": key(stage, fields["touch"])} if "touch" in fields else fields
            stage.says("lea", event, at=f"2027-01-04 {at}", id=f"h{n}", **named)
            if shuffled:
                stage.fold()
        stage.fold()
        results.append(folded(stage))
    assert results[0] == results[1]
    assert json.loads(results[0][1][0][1]) == {
        "email": [1, 1, None, None, "complained", None, {"nouveautes": None, "soldes": None}],
        "sms": [1, 1, None, None, None, None, {"nouveautes": None, "soldes": None}],
    }


def test_whatever_order_two_opt_outs_are_folded_in_the_earliest_is_kept(tmp_path: Path) -> None:
    kept = set()
    for n, order in enumerate(permutations(("09:00", "10:00", "11:00"))):
        stage = Stage(tmp_path / str(n), *campaigns(neuf="nouveautes"), omni=TOPICS, at="2027-01-04 12:00")
        stage.person("lea")
        for at in order:
            stage.says("lea", "unsubscribed", at=f"2027-01-04 {at}", topic="soldes")
            stage.fold()
        kept.add(stage.row("SELECT at FROM suppression").at)
    assert kept == {int(paris("2027-01-04 09:00").timestamp() * 1000)}


# --- the gate ---------------------------------------------------------------------------------------------------------
def test_a_topic_left_between_planning_and_sending_is_not_sent(tmp_path: Path) -> None:
    words = [
        text.replace("body: Bonjour", f"body: Bonjour {n}") for n, text in enumerate(campaigns(neuf="nouveautes", solde="soldes"))
    ]
    stage = Delivery(tmp_path, *words, omni=TOPICS)
    for who in ("lea", "paul"):
        stage.person(who, first_name=who)
        stage.says(who, "signup")
    stage.decide()
    stage.says("lea", "unsubscribed", topic="nouveautes", channel="email")
    stage.fold()
    report = stage.dispatch()
    assert (report.accepted, report.skipped) == (3, 1)
    assert stage.rows(
        "SELECT k.source_id, c.name, x.reason FROM touch x JOIN enrollment e ON e.id = x.enrollment_id JOIN campaign c ON c.id = e.campaign_id "
        "JOIN contact k ON k.id = x.contact_id WHERE x.send_state = 'skipped'"
    ) == [("lea", "neuf", "unreachable")]
