"""T4: what a provider posted is on disk with its bars before anybody answers it, once, by either key (docs/delivery 15, 17)."""

from __future__ import annotations

import fcntl
import hashlib
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stage import OMNI, Stage, a_campaign, paris

from omnicli.campaigns.hear import Taken, hear
from omnicli.errors import OmniError
from omnicli.model.contact import read_reach
from omnicli.model.response import RECEIPT, Receipt, Response
from omnicli.people.consent import change_consent
from omnicli.store import consents, holding, inbox
from omnicli.store import tables as tb
from omnicli.store.consents import Bar, fingerprint, pepper

FLOW = "- {send: offre, id: j0, by: email}\n- {wait: 1 day, id: w}\n- {send: offre, id: j1, by: sms, else: email}\n- {wait: 9 days, id: fin}"
NUMBER = "+33639980001"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Léa has had the first e-mail; her attempt 1 is in the store."""
    stage = Stage(tmp_path, a_campaign(FLOW))
    stage.person("lea", consent=("email", "sms"))
    stage.says("lea", "signup")
    stage.run("2027-01-04 08:00")
    an_attempt(stage)
    return stage


def an_attempt(stage: Stage, n: int = 1, outcome: str = "accepted", *, to: str = "lea@email", who: str = "lea") -> None:
    key = pepper(stage.store, stage.loaded.project.project)
    with stage.store.write() as connection:
        id_ = connection.execute(
            sa.text("SELECT x.id FROM touch x JOIN contact c ON c.id = x.contact_id WHERE c.source_id = :w"), {"w": who}
        ).scalar_one()
        connection.execute(tb.handover.insert().values(provider="sendgrid", account="", size=1, started_at=0, outcome="x"))
        connection.execute(
            tb.attempt.insert().values(touch_id=id_, n=n, handover_id=1, fence=0, outcome=outcome, provider_ref="r", address_hash=fingerprint(key, "email", to),
                                       body_sha256=b"", started_at=0, waived_by="policy" if outcome == "waived" else None)
        )  # fmt: skip
        connection.execute(sa.text("UPDATE touch SET attempts = :n WHERE id = :id"), {"n": n, "id": id_})


def touch_of(stage: Stage, who: str = "lea") -> str:
    return stage.row(
        "SELECT x.touch_key FROM touch x JOIN contact c ON c.id = x.contact_id WHERE c.source_id = :w ORDER BY x.id LIMIT 1",
        w=who,
    )[0].hex()


def receipt(stage: Stage, name: str, at: str = "2027-01-04 09:00", *, key: str = "", event_id: str | None = None, who: str | None = "lea", attempt: int = 1,
            **fields: Any) -> Receipt:  # fmt: skip
    own = {k: fields.pop(k) for k in ("channel", "address", "machine") if k in fields}
    named = {"touch": touch_of(stage, who), "attempt": attempt} if who and "address" not in own else {}
    response = Response(event_id or f"{name}-{at}-{key}", "", name, paris(at), source="sendgrid", payload=fields, **named, **own)
    said = f"{name} {at} {key} {sorted(fields.items())} {own}"
    return Receipt("sendgrid", hashlib.blake2b(said.encode(), digest_size=16).digest(), said.encode(), response, event_id)


def heard(stage: Stage, *receipts: Receipt, at: str = "2027-01-04 12:00", **options: Any) -> Taken:
    stage.now = paris(at)
    return hear(stage.store, stage.loaded, receipts, now=stage.now, **options)


def reach(stage: Stage, who: str = "lea") -> Any:
    return read_reach(stage.row("SELECT reach FROM contact WHERE source_id = :w", w=who).reach)


def bars(stage: Stage) -> list[tuple[Any, ...]]:
    return stage.rows("SELECT channel, scope, reason FROM suppression ORDER BY 1, 2, 3")


# --- stored once ------------------------------------------------------------------------------------------------------
@pytest.mark.guards("dedup_key")
def test_a_repeat_under_another_id_is_known_by_what_it_says(stage: Stage) -> None:
    assert heard(stage, receipt(stage, "clicked", event_id="a")) == Taken(new=1)
    assert heard(stage, receipt(stage, "clicked", event_id="b"), receipt(stage, "clicked", event_id="c")) == Taken(repeated=2)
    stage.fold()
    assert stage.row("SELECT count(*) FROM event WHERE name = 'clicked'") == (1,)


@pytest.mark.guards("dedup_event_id")
def test_a_repeat_that_says_it_differently_is_known_by_the_provider_s_id(stage: Stage) -> None:
    one, other = receipt(stage, "clicked", event_id="a"), receipt(stage, "clicked", "2027-01-04 09:01", event_id="a")
    assert one.key != other.key
    assert heard(stage, one, other) == Taken(new=1, repeated=1)
    assert heard(stage, other) == Taken(repeated=1)
    stage.fold()
    assert stage.row("SELECT count(*) FROM event WHERE name = 'clicked'") == (1,)


def test_what_nobody_can_read_is_kept_as_it_came_and_never_folded(stage: Stage) -> None:
    odd = Receipt("twilio", b"k" * 16, b"\xff{", note="no JSON")
    assert heard(stage, odd) == Taken(new=1, unreadable=1)
    assert stage.row("SELECT body, raw, outcome, folded_at IS NULL FROM inbox WHERE provider = 'twilio'") == (
        b"\xff{",
        None,
        "unreadable: no JSON",
        0,
    )
    assert stage.fold().events == 0
    with stage.store.read() as connection:
        assert "twilio" not in {arrival.provider for arrival, _ in inbox.listed(connection)}


def test_a_replay_that_is_older_than_the_keys_is_dropped(stage: Stage) -> None:
    assert heard(stage, receipt(stage, "complained", "2025-11-01 09:00")) == Taken(repeated=1)
    assert bars(stage) == []


@pytest.mark.sqlite_only(reason="writers of PostgreSQL do not take turns")
def test_a_busy_store_is_said_and_nothing_is_stored(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(FLOW), file=True)
    stage.person("lea")
    with open(f"{stage.store.path}.writer", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OmniError, match="busy") as busy:
            heard(stage, receipt(stage, "clicked", who=None, address="lea@email", channel="email"), wait=0.01)
    assert busy.value.code == "busy"
    assert stage.rows("SELECT 1 FROM inbox") == []


def test_hundreds_of_receipts_are_one_transaction(stage: Stage) -> None:
    many = [receipt(stage, "opened", key=str(n), machine=True) for n in range(700)]
    assert heard(stage, *many, *many[:50]) == Taken(new=700, repeated=50)


# --- bars at once -----------------------------------------------------------------------------------------------------
AT_ONCE = [
    ("unsubscribed", {}, ("email", "marketing", "unsubscribed")),
    ("complained", {}, ("email", "marketing", "complained")),
    ("bounced", {"kind": "hard"}, ("email", "all", "bounced")),
    ("failed", {"code": "30005", "channel": "sms", "address": "lea@sms"}, ("sms", "all", "bounced")),
    ("failed", {"code": "21610", "channel": "sms", "address": "lea@sms"}, ("sms", "marketing", "stop")),
    ("replied", {"text": "Stop !", "channel": "sms", "address": "lea@sms"}, ("sms", "marketing", "stop")),
    ("replied", {"text": "?", "opt_out": "stop", "channel": "sms", "address": "lea@sms"}, ("sms", "marketing", "stop")),
    ("replied", {"text": "arrêtez vos messages", "channel": "sms", "address": "lea@sms"}, ("sms", "marketing", "stop")),
    ("replied", {"text": "c'est un spam ?", "channel": "sms", "address": "lea@sms"}, ("sms", "marketing", "doubt")),
    (RECEIPT, {"state": "dropped", "suppress": "hard"}, ("email", "all", "bounced")),
    (RECEIPT, {"state": "dropped", "suppress": "unsubscribed"}, ("email", "marketing", "unsubscribed")),
]


@pytest.mark.guards("opt_out_at_once")
@pytest.mark.parametrize(("name", "said", "bar"), AT_ONCE, ids=[f"{name} {sorted(said.values())}" for name, said, _ in AT_ONCE])
def test_whoever_leaves_is_barred_before_the_provider_is_answered(
    stage: Stage, name: str, said: dict[str, Any], bar: tuple[str, ...]
) -> None:
    assert heard(stage, receipt(stage, name, **said)).opted_out == 1
    assert bars(stage) == [bar]
    assert reach(stage)[bar[0]].bad or reach(stage)[bar[0]].bar
    stage.fold()
    assert bars(stage) == [bar]


NOTHING = [("bounced", {"kind": "soft"}), ("bounced", {"kind": "block"}), ("opened", {}), ("unsubscribed", {"machine": True}), ("failed", {"code": "30003"}),
           ("replied", {"text": "unstoppable !"}), (RECEIPT, {"state": "deferred"})]  # fmt: skip


@pytest.mark.parametrize(("name", "said"), NOTHING)
def test_what_is_no_refusal_bars_nobody(stage: Stage, name: str, said: dict[str, Any]) -> None:
    assert heard(stage, receipt(stage, name, **said)).opted_out == 0
    stage.fold()
    assert bars(stage) == []


def test_a_topic_left_in_a_webhook_leaves_the_others(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(FLOW, extra="topic: soldes"), omni=OMNI + "topics: {soldes: Soldes, neuf: Nouveautés}\n")
    stage.person("lea", consent=("email", "sms"))
    stage.says("lea", "signup")
    stage.run("2027-01-04 08:00")
    an_attempt(stage)
    heard(stage, receipt(stage, "unsubscribed"))
    assert bars(stage) == [("email", "topic:soldes", "unsubscribed")]
    heard(stage, receipt(stage, "unsubscribed", key="2", scope="everything"))
    stage.fold()
    assert ("email", "marketing", "unsubscribed") in bars(stage)


# --- whose it is ------------------------------------------------------------------------------------------------------
def test_a_stop_from_a_number_that_nobody_has_bars_the_number(stage: Stage) -> None:
    heard(stage, receipt(stage, "replied", text="stop", channel="sms", address=NUMBER))
    assert stage.fold().unmatched == 1
    key = pepper(stage.store, stage.loaded.project.project)
    assert stage.rows("SELECT norm_hmac, reason FROM suppression") == [(fingerprint(key, "sms", NUMBER), "stop")]


def test_a_reply_from_a_shared_number_is_of_whoever_was_written_to_last_and_a_stop_of_it_is_everybody_s(stage: Stage) -> None:
    for name in ("max", "zoe"):
        stage.person(name, consent=("email", "sms"))
    with stage.store.write() as connection:
        key = pepper(stage.store, stage.loaded.project.project)
        connection.execute(
            sa.text("UPDATE address SET value = :n, norm = :n, hmac = :h WHERE channel = 'sms'"),
            {"n": NUMBER, "h": fingerprint(key, "sms", NUMBER)},
        )
    stage.run("2027-01-05 09:00")
    stage.says("max", "signup", at="2027-01-05 10:00")
    stage.run("2027-01-05 10:00")
    stage.run("2027-01-06 10:00")
    heard(
        stage, receipt(stage, "replied", "2027-01-06 11:00", text="Quand ?", channel="sms", address=NUMBER), at="2027-01-06 12:00"
    )
    heard(stage, receipt(stage, "replied", "2027-01-06 11:05", text="Stop", channel="sms", address=NUMBER), at="2027-01-06 12:00")
    stage.fold()
    assert set(
        stage.rows("SELECT c.source_id, e.step FROM event e JOIN contact c ON c.id = e.contact_id WHERE e.name = 'replied'")
    ) == {("max", "j1")}
    assert {who: reach(stage, who)["sms"].bar for who in ("lea", "max", "zoe")} == dict.fromkeys(("lea", "max", "zoe"), "stop")


def test_a_bounce_is_of_the_address_that_was_used_not_of_the_new_one(stage: Stage) -> None:
    with stage.store.write() as connection:
        key = pepper(stage.store, stage.loaded.project.project)
        new = {"n": "lea@new.example", "h": fingerprint(key, "email", "lea@new.example")}
        connection.execute(sa.text("UPDATE address SET value = :n, norm = :n, hmac = :h WHERE channel = 'email'"), new)
    heard(stage, receipt(stage, "bounced", kind="hard"))
    stage.fold()
    assert reach(stage)["email"].bad is None
    assert stage.row("SELECT norm_hmac FROM suppression") == (fingerprint(key, "email", "lea@email"),)


def test_an_answer_of_somebody_unknown_is_theirs_once_they_are_imported(stage: Stage) -> None:
    heard(stage, receipt(stage, "replied", text="Bonjour", channel="sms", address="nina@sms"))
    assert stage.fold().unmatched == 1
    stage.person("nina", consent=("sms",))
    with stage.store.write() as connection:
        assert inbox.unfold_unmatched(connection, ["nina"]) == 1
    assert stage.fold().events == 1


# --- STOP, START, doubt -----------------------------------------------------------------------------------------------
def test_start_undoes_a_keyword_and_leaves_what_was_asked_by_hand(stage: Stage) -> None:
    key = pepper(stage.store, stage.loaded.project.project)
    with stage.store.write() as connection:
        consents.suppress(
            connection, [Bar("sms", fingerprint(key, "sms", "lea@sms"), "asked", stage.now, norm="lea@sms")], now=stage.now
        )
    sms = {"channel": "sms", "address": "lea@sms"}
    heard(stage, receipt(stage, "replied", "2027-01-04 09:00", text="Arrêt", **sms))
    stage.fold()
    assert reach(stage)["sms"].bar == "stop"
    heard(stage, receipt(stage, "replied", "2027-01-04 09:05", text="START", **sms))
    assert reach(stage)["sms"].bar == "stop", "what undoes waits for the fold"
    stage.fold()
    assert bars(stage) == [("sms", "marketing", "asked")]
    assert stage.rows("SELECT channel, state, source, proof FROM consent_log WHERE source = 'keyword'") == [
        ("sms", "granted", "keyword", "START")
    ]
    assert stage.row("SELECT at FROM consent WHERE channel = 'sms'") == (0,), "no new permission"


def test_doubt_stops_marketing_and_calls_a_person(stage: Stage) -> None:
    heard(stage, receipt(stage, "replied", text="St0p", channel="sms", address="lea@sms"))
    assert stage.fold().cases == 1
    assert bars(stage) == [("sms", "marketing", "doubt")]
    assert stage.row("SELECT kind, channel, text, state FROM inbox_case") == ("refusal", "sms", "St0p", "open")


def test_a_permission_given_by_hand_settles_a_doubt_and_no_refusal(stage: Stage) -> None:
    for n, text in enumerate(("St0p", "stop")):
        heard(stage, receipt(stage, "replied", f"2027-01-04 09:0{n}", text=text, channel="sms", address="lea@sms"))
    stage.fold()
    assert bars(stage) == [("sms", "marketing", "doubt"), ("sms", "marketing", "stop")]
    change_consent(stage.store, stage.loaded, "lea", "sms", granted=True, now=stage.now)
    assert bars(stage) == [("sms", "marketing", "stop")]
    heard(stage, receipt(stage, "replied", "2027-01-04 09:05", text="merci", channel="sms", address="lea@sms"))
    stage.fold()
    assert bars(stage) == [("sms", "marketing", "stop")]


def test_a_leaving_that_was_taken_back_stays_so_when_it_is_folded_late(stage: Stage) -> None:
    heard(stage, receipt(stage, "unsubscribed"))
    key = pepper(stage.store, stage.loaded.project.project)
    with stage.store.write() as connection:
        consents.lift(
            connection,
            [Bar("email", fingerprint(key, "email", "lea@email"), "unsubscribed", stage.now, norm="lea@email")],
            now=stage.now,
        )
    stage.fold()
    assert bars(stage) == []
    heard(stage, receipt(stage, "unsubscribed", "2027-01-04 13:00"), at="2027-01-04 13:00")
    assert bars(stage) == [("email", "marketing", "unsubscribed")]


# --- what became of the message ---------------------------------------------------------------------------------------
@pytest.mark.guards("sticky_flags")
def test_flags_stick_and_ranks_never_fall(stage: Stage) -> None:
    for n, (name, said) in enumerate([("delivered", {}), ("opened", {}), (RECEIPT, {"state": "processed"}), ("bounced", {"kind": "block"}), ("clicked", {}),
                                      (RECEIPT, {"state": "deferred"}), ("delivered", {})]):  # fmt: skip
        heard(stage, receipt(stage, name, f"2027-01-04 09:0{n}", **said))
        stage.fold()
    assert stage.row("SELECT delivery_state, flags FROM touch") == ("bounced", "clicked opened")
    assert [row[0] for row in stage.rows("SELECT kind FROM evidence ORDER BY id")] == ["delivered", "opened", "processed", "bounced", "clicked", "deferred",
                                                                                      "delivered"]  # fmt: skip
    assert stage.rows("SELECT name FROM event WHERE name IN ('delivered', 'bounced') ORDER BY id") == [
        ("delivered",),
        ("bounced",),
        ("delivered",),
    ]


def test_a_read_receipt_is_delivered_and_opened(stage: Stage) -> None:
    heard(stage, receipt(stage, RECEIPT, state="read"))
    assert stage.fold().receipts == 1
    assert stage.row("SELECT delivery_state, flags FROM touch") == ("delivered", "opened")


@pytest.mark.guards("contradiction")
def test_an_attempt_that_the_store_never_heard_of_puts_it_on_hold(stage: Stage) -> None:
    heard(stage, receipt(stage, "delivered", attempt=2))
    assert stage.fold().contradictions == 1
    with stage.store.read() as connection:
        assert holding.held(connection) == "contradiction"
    assert ("contradiction",) in stage.rows("SELECT kind FROM evidence")


def test_a_touch_that_only_our_key_knows_puts_the_store_on_hold(stage: Stage) -> None:
    response = Response("x", "", "delivered", stage.now, source="sendgrid", touch="ab" * 16, attempt=1)
    heard(stage, Receipt("sendgrid", b"x" * 16, b"", response))
    assert stage.fold().contradictions == 1
    assert stage.row("SELECT hold FROM instance") == ("contradiction",)
    assert stage.row("SELECT outcome FROM inbox WHERE provider = 'sendgrid'") == ("contradiction",)


def test_a_typed_response_about_an_unknown_touch_is_only_unmatched(stage: Stage) -> None:
    stage.says("", "delivered", touch="ab" * 16)
    assert stage.fold().unmatched == 1
    assert stage.row("SELECT hold FROM instance") == (None,)


def test_what_a_provider_held_and_we_did_not_is_counted(stage: Stage) -> None:
    heard(stage, receipt(stage, "failed", code="21610", channel="sms", address="max@sms"))
    assert stage.rows("SELECT source FROM suppression") == [("mirror:sendgrid",)]


# --- kept for how long ------------------------------------------------------------------------------------------------
def test_bodies_go_after_thirty_days_and_keys_after_four_hundred(stage: Stage) -> None:
    heard(stage, receipt(stage, "clicked", event_id="a"))
    stage.fold()
    with stage.store.write() as connection:
        assert inbox.retire(connection, now=stage.now + timedelta(days=29)) == (0, 0)
        assert inbox.retire(connection, now=stage.now + timedelta(days=31)) == (2, 0)
    assert stage.rows("SELECT raw, body FROM inbox") == [(None, None)] * 2
    assert heard(stage, receipt(stage, "clicked", event_id="z")) == Taken(repeated=1)
    with stage.store.write() as connection:
        assert inbox.retire(connection, now=stage.now + timedelta(days=401)) == (0, 2)


# --- again ------------------------------------------------------------------------------------------------------------
def test_a_thousand_stored_requests_again_leave_the_same_state(stage: Stage) -> None:
    said = [("delivered", {}), ("opened", {}), ("clicked", {"link": "https://example.com"}), ("replied", {"text": "stop", "channel": "sms", "address": "lea@sms"}),
            ("replied", {"text": "start", "channel": "sms", "address": "lea@sms"}), ("bounced", {"kind": "soft"}), (RECEIPT, {"state": "deferred"}),
            ("unsubscribed", {}), ("replied", {"text": "merci", "channel": "sms", "address": "x@sms"})]  # fmt: skip
    requests = [
        receipt(stage, *said[n % len(said)][:1], f"2027-01-04 09:{n % 60:02}", key=str(n), **said[n % len(said)][1])
        for n in range(1000)
    ]
    heard(stage, *requests)
    stage.fold()
    before = state_hash(stage)
    for seed in range(2):
        random.Random(seed).shuffle(requests)
        for start in range(0, 1000, 250):
            assert heard(stage, *requests[start : start + 250]).new == 0
        stage.fold()
        assert state_hash(stage) == before


def state_hash(stage: Stage) -> str:
    """Everything that the store holds, row by row."""
    with stage.store.read() as connection:
        return hashlib.sha256(json.dumps(
            {name: sorted(map(repr, connection.execute(table.select()).all())) for name, table in sorted(tb.metadata.tables.items())}
        ).encode()).hexdigest()  # fmt: skip


def test_the_character_nul_is_shown_and_what_it_stands_in_is_heard(stage: Stage) -> None:
    reply = receipt(stage, "replied", event_id="SM\x00 1", channel="sms", text="ST\x00OP, please", more=["\x00", 1])
    left = receipt(stage, "unsubscribed", event_id="SM 2\x00", channel="email", reason="\x00", scope="everything")
    nowhere = receipt(stage, "complained", event_id="SM 3", channel="email", address="\x00@example.com")
    unread = Receipt("sendgrid", b"u" * 16, b"\x00[", None, "\x00", "not\x00readable")
    assert heard(stage, reply, left, nowhere, unread) == Taken(new=4, opted_out=1, unreadable=1)
    assert heard(stage, reply, left, nowhere, unread) == Taken(repeated=4)
    stage.run("2027-01-04 13:00")
    rows = stage.rows("SELECT provider_event_id, outcome, body FROM inbox WHERE provider = 'sendgrid'")
    assert {id: outcome for id, outcome, _ in rows} == {
        inbox.event_hash("sendgrid", "SM 2␀"): "event",
        inbox.event_hash("sendgrid", "SM 3"): "unmatched",
        inbox.event_hash("sendgrid", "SM␀ 1"): "event",
        inbox.event_hash("sendgrid", "␀"): "unreadable: not␀readable",
    }
    assert b"\x00[" in [bytes(body) for _, _, body in rows]
    assert stage.row("SELECT p_text FROM event WHERE name = 'replied'").p_text == "st␀op, please"


def test_what_is_told_by_hand_may_hold_nul_too(stage: Stage) -> None:
    def told(id: str) -> Response:
        return Response(id, "lea", "replied", paris("2027-01-04 09:00"), channel="sms", payload={"text": "a\x00b"})

    with stage.store.write() as connection:
        assert inbox.receive(connection, [told("\x00")], now=stage.now) == 1
        assert inbox.receive(connection, [told("\x00")], now=stage.now) == 0
        assert inbox.known(connection, "omni", ["\x00", "␀"]) == {"\x00"}
        assert inbox.unfolded(connection)[0].response.payload == {"text": "a␀b"}
