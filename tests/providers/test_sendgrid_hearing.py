"""What SendGrid posts back: believed only when signed, understood element by element, kept whatever it is, never an exception."""

from __future__ import annotations

import base64
import itertools
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid_values import KEY, KEYS, NOW, wishes

from omnicli.model.response import RECEIPT, Heard, Incoming, Response
from omnicli.model.signed import mark
from omnicli.providers.sendgrid.hearing import EVENTS, SendGridHearing, elements
from omnicli.providers.sendgrid.signature import SIGNATURE, TIMESTAMP, signed

SHARED = Path(__file__).parents[3] / "shared" / "data"
TOUCH = "00000000000000000000000000000abc"
MARK = mark(KEY, TOUCH, 2)
PRIVATE, OLD = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def shown(key: Any) -> str:
    """A public key as SendGrid shows it."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def incoming(body: bytes, *, key: Any = PRIVATE, at: datetime = NOW, **headers: str) -> Incoming:
    stamp = str(int(at.timestamp()))
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    return Incoming("POST", "https://omni.example/webhooks/sendgrid", {SIGNATURE: signature, TIMESTAMP: stamp, **headers}, body)


def a_hearing(**settings: Any) -> SendGridHearing:
    return SendGridHearing(wishes(**{"event_webhook_keys": [shown(PRIVATE)], "asm_groups": {"news": 77}, **settings}), KEYS)


HEARING = a_hearing()


def hear(*events: Any) -> Heard:
    return HEARING.hear(EVENTS, incoming(json.dumps(list(events)).encode()), now=NOW)


def said(**event: Any) -> Response:
    """The Response of one event about our touch."""
    given = {
        "email": "p1@example.com",
        "timestamp": int(NOW.timestamp()) - 60,
        "sg_event_id": "e1",
        "sg_message_id": "abc.recvd-1-0",
        "omni": MARK,
    }
    heard = hear({**given, **event})
    assert heard.status == 200
    (receipt,) = heard.receipts
    assert receipt.response is not None, receipt.note
    return receipt.response


def note(event: Any) -> str:
    (receipt,) = hear(event).receipts
    assert receipt.response is None
    return receipt.note or ""


# --- the signature ----------------------------------------------------------------------------------------------------------
def vectors() -> list[dict[str, Any]]:
    path = SHARED / "webhooks" / "sendgrid" / "signature_vectors.json"
    return list(json.loads(path.read_text())["vectors"]) if path.exists() else []


@pytest.mark.skipif(not vectors(), reason="no ../shared/data beside the repository")
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_signatures_of_the_official_clients_are_judged_as_they_judge_them(vector: dict[str, Any]) -> None:
    headers = {SIGNATURE: vector["signature"], TIMESTAMP: vector["timestamp"]}
    assert signed([vector["public_key"]], headers, vector["payload"].encode()) is vector["expect"]


def test_the_official_verifier_agrees_with_ours() -> None:
    from sendgrid.helpers.eventwebhook import EventWebhook

    for body in (b"[]", "[é]\r\n".encode(), b""):
        request = incoming(body)
        assert signed([shown(PRIVATE)], request.headers, body)
        assert EventWebhook(shown(PRIVATE)).verify_signature(
            body.decode(), request.headers[SIGNATURE], request.headers[TIMESTAMP]
        )


@pytest.mark.guards("raw_bytes")
@pytest.mark.parametrize("body", [b"[]\r\n", b" [ ]", b'[{"b": 1,  "a":1.0}]\n', '["é\\u00e9"]\r\n'.encode()])
def test_what_was_signed_are_the_bytes_as_they_came_blanks_and_all(body: bytes) -> None:
    assert HEARING.hear(EVENTS, incoming(body), now=NOW).status == 200


@pytest.mark.guards("sendgrid_signature")
def test_every_changed_byte_is_noticed() -> None:
    request = incoming(b'[{"event":"open"}]\r\n')
    for n in range(len(request.body)):
        changed = bytes([*request.body[:n], request.body[n] ^ 1, *request.body[n + 1 :]])
        assert HEARING.hear(EVENTS, replace(request, body=changed), now=NOW).status == 403
    assert HEARING.hear(EVENTS, replace(request, body=request.body.strip()), now=NOW).status == 403


@pytest.mark.parametrize("headers", [
    {}, {SIGNATURE: ""}, {TIMESTAMP: ""}, {SIGNATURE: "%%%"}, {SIGNATURE: "é"}, {SIGNATURE: "MEUC"}, {TIMESTAMP: "é"}, {TIMESTAMP: "1"},
    {SIGNATURE: "QUJD, QUJD"}, {SIGNATURE: base64.b64encode(b"x" * 70).decode()},
])  # fmt: skip
def test_what_is_missing_or_odd_means_not_signed(headers: dict[str, str]) -> None:
    request = incoming(b"[]")
    given = {**request.headers, **headers} if headers else {}
    assert HEARING.hear(EVENTS, replace(request, headers=given), now=NOW).status == 403


def test_two_keys_hold_while_they_are_exchanged() -> None:
    both = a_hearing(event_webhook_keys=[shown(OLD), shown(PRIVATE)])
    assert [both.hear(EVENTS, incoming(b"[]", key=key), now=NOW).status for key in (OLD, PRIVATE)] == [200, 200]
    assert HEARING.hear(EVENTS, incoming(b"[]", key=OLD), now=NOW).status == 403


def test_without_a_key_nothing_is_taken() -> None:
    assert a_hearing(event_webhook_keys=[]).hear(EVENTS, incoming(b"[]"), now=NOW).status == 503


def test_a_post_from_before_what_is_remembered_is_dropped_and_not_repeated() -> None:
    heard = HEARING.hear(EVENTS, incoming(b'[{"event":"open"}]', at=NOW - timedelta(days=401)), now=NOW)
    assert (heard.status, list(heard.receipts)) == (200, [])


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert HEARING.hear(EVENTS, incoming(b'[{"event":"\xff"}]'), now=NOW).status == 400


def test_only_a_post_is_heard() -> None:
    assert HEARING.hear(EVENTS, replace(incoming(b"[]"), method="GET"), now=NOW).status == 400


# --- every event ------------------------------------------------------------------------------------------------------------
def test_an_event_names_touch_attempt_instant_and_the_id_of_its_request() -> None:
    response = said(event="delivered")
    assert (response.name, response.touch, response.attempt, response.source, response.channel) == (
        "delivered",
        TOUCH,
        2,
        "sendgrid",
        "email",
    )
    assert (response.id, response.at, response.address) == ("e1", NOW - timedelta(seconds=60), "p1@example.com")
    assert response.payload == {"ref": "abc"}


@pytest.mark.parametrize(("event", "name", "payload"), [
    ({"event": "processed"}, RECEIPT, {"state": "processed"}),
    ({"event": "deferred", "response": "421 4.7.0 try again", "attempt": "1"}, RECEIPT, {"state": "deferred", "code": "4.7.0", "reason": "421 4.7.0 try again"}),
    ({"event": "open", "useragent": "x"}, "opened", {}),
    ({"event": "click", "url": "https://example.com/a?b=c"}, "clicked", {"link": "https://example.com/a?b=c"}),
    ({"event": "spamreport"}, "complained", {}),
    ({"event": "unsubscribe"}, "unsubscribed", {"scope": "everything"}),
    ({"event": "group_unsubscribe", "asm_group_id": 77}, "unsubscribed", {"topic": "news"}),
    ({"event": "group_unsubscribe", "asm_group_id": "77"}, "unsubscribed", {"topic": "news"}),
    ({"event": "group_unsubscribe", "asm_group_id": 5}, "unsubscribed", {}),
    ({"event": "group_unsubscribe"}, "unsubscribed", {}),
    ({"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 unknown"}, "bounced", {"kind": "hard", "code": "5.1.1", "reason": "550 5.1.1 unknown"}),
    ({"event": "bounce", "type": "bounce", "reason": "550 5.1.1 unknown"}, "bounced", {"kind": "hard", "code": "5.1.1", "reason": "550 5.1.1 unknown"}),
    ({"event": "bounce", "type": "bounce", "reason": "unresolvable domain"}, "bounced", {"kind": "hard", "reason": "unresolvable domain"}),
    ({"event": "bounce", "type": "blocked", "status": "4.7.1"}, "bounced", {"kind": "block", "code": "4.7.1"}),
    ({"event": "bounce", "type": "bounce", "status": "5.7.1"}, "bounced", {"kind": "block", "code": "5.7.1"}),
    ({"event": "bounce", "type": "bounce", "status": "5.2.2"}, "bounced", {"kind": "soft", "code": "5.2.2"}),
    ({"event": "bounce", "status": "4.4.1"}, "bounced", {"kind": "soft", "code": "4.4.1"}),
    ({"event": "bounce", "status": "5.4.1"}, "bounced", {"kind": "hard", "code": "5.4.1"}),
    ({"event": "bounce"}, "bounced", {"kind": "soft"}),
    ({"event": "dropped", "reason": "Bounced Address"}, RECEIPT, {"state": "dropped", "code": "dropped", "reason": "Bounced Address", "suppress": "hard"}),
    ({"event": "dropped", "reason": "Invalid"}, RECEIPT, {"state": "dropped", "code": "dropped", "reason": "Invalid", "suppress": "hard"}),
    ({"event": "dropped", "reason": "Unsubscribed Address"}, RECEIPT, {"state": "dropped", "code": "dropped", "reason": "Unsubscribed Address", "suppress": "unsubscribed"}),
    ({"event": "dropped", "reason": "Spam Reporting Address"}, RECEIPT, {"state": "dropped", "code": "dropped", "reason": "Spam Reporting Address", "suppress": "complained"}),
    ({"event": "dropped", "reason": "Spam Content"}, RECEIPT, {"state": "dropped", "code": "dropped", "reason": "Spam Content"}),
    ({"event": "dropped"}, RECEIPT, {"state": "dropped", "code": "dropped"}),
])  # fmt: skip
def test_every_event_has_its_meaning(event: dict[str, Any], name: str, payload: dict[str, Any]) -> None:
    response = said(**event)
    assert (response.name, dict(response.payload)) == (name, {**payload, "ref": "abc"})


@pytest.mark.parametrize(("flag", "machine"), [(True, True), (False, False), ("true", False), (None, False), (1, False)])
def test_an_open_by_a_machine_says_so(flag: Any, machine: bool) -> None:
    assert said(event="open", sg_machine_open=flag).machine is machine


@pytest.mark.parametrize("event", ["group_resubscribe", "account_status_change", "brand_new", "", None, 7, ["open"], {"a": 1}])
def test_an_event_without_effect_is_kept_with_its_reason(event: Any) -> None:
    assert note({"event": event, "omni": MARK})


@pytest.mark.parametrize("element", [None, 1, "open", [], [{"event": "open"}], True])
def test_an_element_that_is_no_object_is_kept(element: Any) -> None:
    assert note(element) == "not an object"


@pytest.mark.parametrize("stamp", [None, "x", True, -1, 0, 10**30, 1e300, "1e9", [], int(NOW.timestamp()) + 10**7])
def test_an_absurd_instant_is_now(stamp: Any) -> None:
    assert said(event="open", timestamp=stamp).at == NOW


def test_an_instant_may_be_a_text_or_have_a_fraction() -> None:
    seconds = int(NOW.timestamp()) - 5
    assert (
        said(event="open", timestamp=str(seconds)).at
        == said(event="open", timestamp=seconds + 0.5).at
        == NOW - timedelta(seconds=5)
    )


@pytest.mark.parametrize("event", ["processed", "delivered", "deferred", "bounce", "dropped", "open", "click", "spamreport", "unsubscribe", "group_unsubscribe"])  # fmt: skip
def test_no_field_is_needed_but_the_event_and_our_id(event: str) -> None:
    (receipt,) = hear({"event": event, "omni": MARK}).receipts
    assert receipt.response is not None
    assert receipt.response.id == receipt.key.hex()
    assert (receipt.event_id, receipt.response.address, receipt.response.at) == (None, None, NOW)


# --- ids ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("forged", [MARK.replace("abc", "abd"), MARK[:-1], "", TOUCH, 7, ["x"], mark(b"x" * 32, TOUCH, 2), MARK + " "])  # fmt: skip
@pytest.mark.guards("signed_ids", "sendgrid_mark")
def test_a_foreign_id_in_an_honest_post_is_refused_for_that_element(forged: Any) -> None:
    heard = hear({"event": "delivered", "omni": forged}, {"event": "delivered", "omni": MARK})
    assert [receipt.response is None for receipt in heard.receipts] == [True, False]
    assert "not sign" in (heard.receipts[0].note or "")


def test_an_id_signed_with_an_older_key_still_counts() -> None:
    hearing = SendGridHearing(wishes(event_webhook_keys=[shown(PRIVATE)]), {1: KEY, 2: b"n" * 32})
    heard = hearing.hear(EVENTS, incoming(json.dumps([{"event": "open", "omni": mark(b"n" * 32, TOUCH, 1)}]).encode()), now=NOW)
    assert heard.receipts[0].response is not None


@pytest.mark.parametrize(("event", "heard"), [
    ({"event": "bounce", "type": "bounce"}, True), ({"event": "spamreport"}, True), ({"event": "unsubscribe"}, True),
    ({"event": "dropped", "reason": "Bounced Address"}, True), ({"event": "group_unsubscribe", "asm_group_id": 77}, True),
    ({"event": "group_unsubscribe", "asm_group_id": 5}, False), ({"event": "dropped", "reason": "Spam Content"}, False),
    ({"event": "delivered"}, False), ({"event": "open"}, False), ({"event": "click", "url": "https://example.com"}, False), ({"event": "processed"}, False),
])  # fmt: skip
def test_mails_of_others_with_the_same_account_are_heard_only_where_they_bar_an_address(
    event: dict[str, Any], heard: bool
) -> None:
    (receipt,) = hear({"email": "p9@example.com", **event}).receipts
    assert (receipt.response is not None) is heard
    if receipt.response is not None:
        assert (receipt.response.touch, receipt.response.address) == (None, "p9@example.com")
    else:
        assert (receipt.note or "").startswith("foreign")


# --- repeats --------------------------------------------------------------------------------------------------------------------
def keys_of(*events: Mapping[str, Any]) -> list[tuple[bytes, str | None]]:
    return [(receipt.key, receipt.event_id) for receipt in hear(*events).receipts]


def test_a_repeat_is_known_by_what_it_says_although_its_id_changed() -> None:
    event = {"event": "open", "omni": MARK, "timestamp": 1, "useragent": "x", "sg_event_id": "one", "email": "p1@example.com"}
    (first, a), (second, b) = keys_of(event, {**event, "sg_event_id": "two"})
    assert first == second
    assert (a, b) == ("one", "two")


@pytest.mark.parametrize("changed", [{"event": "click"}, {"timestamp": 2}, {"url": "https://example.com/b"}, {"reason": "y"}, {"useragent": "z"},
                                     {"omni": mark(KEY, TOUCH, 3)}])  # fmt: skip
def test_another_event_is_another_key(changed: dict[str, Any]) -> None:
    event = {"event": "open", "omni": MARK, "timestamp": 1, "url": "u", "reason": "r", "useragent": "x"}
    (first, _), (second, _) = keys_of(event, {**event, **changed})
    assert first != second


def test_without_our_id_message_and_address_tell_events_apart() -> None:
    event = {"event": "spamreport", "timestamp": 1, "sg_message_id": "m", "email": "p1@example.com"}
    found = {key for key, _ in keys_of(event, {**event, "email": "p2@example.com"}, {**event, "sg_message_id": "n"}, event)}
    assert len(found) == 3


def test_the_order_of_fields_and_spaces_change_nothing() -> None:
    bodies = [b'[{"event":"open","omni":"%s","timestamp":1}]', b'[ {"timestamp": 1 ,"omni":"%s","event":"open"}\r\n]']
    found = [HEARING.hear(EVENTS, incoming(body % MARK.encode()), now=NOW).receipts[0] for body in bodies]
    assert found[0].key == found[1].key
    assert found[0].raw != found[1].raw  # kept as they came


# --- odd bodies -------------------------------------------------------------------------------------------------------------------
def test_what_follows_a_broken_place_is_one_unreadable_element() -> None:
    body = b'[{"event":"open","omni":"%s"}, {"event":"click"' % MARK.encode()
    heard = HEARING.hear(EVENTS, incoming(body), now=NOW)
    assert [receipt.response is None for receipt in heard.receipts] == [False, True]
    assert heard.receipts[1].raw == b'{"event":"click"'


@pytest.mark.parametrize("body", [b"{}", b"null", b"1", b'"x"', b"[", b"[,]", b"[1,]", b"[1 2]", b"[] []", b"\x00", b"[NaN]", b"[Infinity]",
                                  b"[" * 100_000, b'[{"a":' * 50_000, b"[" + b"9" * 5_000 + b"]", b'["\\ud800"]', "﻿[]".encode()])  # fmt: skip
def test_what_is_no_list_of_events_is_kept_whole_and_answered(body: bytes) -> None:
    heard = HEARING.hear(EVENTS, incoming(body), now=NOW)
    assert heard.status == 200
    assert heard.receipts
    assert all(receipt.response is None and receipt.note for receipt in heard.receipts)
    assert all(len(receipt.key) == 16 for receipt in heard.receipts)


def test_lists_in_lists_where_a_text_belongs_are_no_exception() -> None:
    for depth in range(100, 1100, 7):
        body = b'[{"event":"click","omni":"%s","url":%s}]' % (MARK.encode(), b"[" * depth + b"]" * depth)
        assert HEARING.hear(EVENTS, incoming(body), now=NOW).status == 200


@pytest.mark.parametrize("body", [b"", b"[]", b" [ ] \r\n"])
def test_an_empty_post_is_answered_and_leaves_nothing(body: bytes) -> None:
    heard = HEARING.hear(EVENTS, incoming(body), now=NOW)
    assert (heard.status, list(heard.receipts)) == (200, [])


def torture() -> Iterator[Path]:
    yield from sorted((SHARED / "torture" / "json").glob("test_*/*.json"))


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data beside the repository")
def test_no_json_of_the_torture_set_raises_and_all_of_it_is_kept() -> None:
    for path in torture():
        raw = path.read_bytes()
        for body in (raw, b"[" + raw + b"]", b'[{"event":"open","omni":"%s","x":' % MARK.encode() + raw + b"}]"):
            heard = HEARING.hear(EVENTS, incoming(body), now=NOW)
            assert heard.status in (200, 400), path.name
            if heard.status == 400:
                with pytest.raises(UnicodeDecodeError):
                    body.decode("utf-8")
            if path.name.startswith("y_") and body is not raw and b"omni" not in body:
                assert len(heard.receipts) == 1, path.name
            assert all(receipt.response is not None or receipt.note for receipt in heard.receipts)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6)  # fmt: skip
FIELDS = (
    "email",
    "timestamp",
    "event",
    "sg_event_id",
    "sg_message_id",
    "omni",
    "type",
    "reason",
    "status",
    "url",
    "asm_group_id",
    "sg_machine_open",
    "response",
)
EVENT_NAMES = (
    "processed",
    "delivered",
    "deferred",
    "bounce",
    "dropped",
    "open",
    "click",
    "spamreport",
    "unsubscribe",
    "group_unsubscribe",
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from([*EVENT_NAMES, MARK]), max_size=9), max_size=4))
def test_whatever_stands_in_the_fields_nothing_raises(events: list[dict[str, Any]]) -> None:
    heard = HEARING.hear(EVENTS, incoming(json.dumps(events).encode()), now=NOW)
    assert heard.status == 200
    assert all(receipt.response is None or (receipt.response.id and receipt.response.at <= NOW) for receipt in heard.receipts)


@settings(max_examples=100, deadline=None)
@given(st.lists(JSON, max_size=6))
def test_the_elements_of_a_list_are_those_that_json_finds(values: list[Any]) -> None:
    text = json.dumps(values)
    if "NaN" in text or "Infinity" in text:
        return
    assert [element for element, _ in elements(text)] == json.loads(text)
    assert [json.loads(raw) for _, raw in elements(text)] == json.loads(text)


# --- others' eyes -----------------------------------------------------------------------------------------------------------------
#: What Anymail calls it → what omni does (RECEIPT with a state, or the name of a response).
ANYMAIL = {"queued": {"processed"}, "delivered": {"delivered"}, "rejected": {"dropped"}, "bounced": {"bounced"}, "deferred": {"deferred"},
           "opened": {"opened"}, "clicked": {"clicked"}, "complained": {"complained"}, "unsubscribed": {"unsubscribed"}}  # fmt: skip
REASONS = {"invalid": "hard", "bounced": "hard", "unsubscribed": "unsubscribed", "spam": "complained", None: None}


def cases() -> list[dict[str, Any]]:
    path = SHARED / "webhooks" / "anymail" / "sendgrid_webhooks.json"
    return list(json.loads(path.read_text())) if path.exists() else []


@pytest.mark.skipif(not cases(), reason="no ../shared/data beside the repository")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_events_mean_what_anymail_takes_them_for(case: dict[str, Any]) -> None:
    ours = [{**event, "omni": MARK} for event in case["payload"]]
    (receipt,) = hear(*ours).receipts
    response, expected = receipt.response, case["expected"]
    assert response is not None
    if "event_type" in expected:
        assert response.payload.get("state", response.name) in ANYMAIL[expected["event_type"]]
    if "event_id" in expected:
        assert (receipt.event_id, response.id) == (expected["event_id"], expected["event_id"])
    if "timestamp" in expected:
        assert response.at == datetime.fromisoformat(expected["timestamp"].replace("Z", "+00:00")).astimezone(UTC)
    if "recipient" in expected:
        assert response.address == expected["recipient"]
    if "reject_reason" in expected:
        assert response.payload.get("suppress") == REASONS[expected["reject_reason"]]
    if "click_url" in expected:
        assert response.payload["link"] == expected["click_url"]


def test_anymail_reads_the_events_of_our_stand_in_as_we_do() -> None:
    """The stand-in was written by us: another reader keeps it honest."""
    django = pytest.importorskip("django.conf")
    if not django.settings.configured:
        django.settings.configure(ANYMAIL={}, DEFAULT_CHARSET="utf-8", USE_TZ=True)
    from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
    from fake_sendgrid import FakeSendGrid, Message

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it still reads SendGrid's events, and says that nobody tends that any more
        view = SendGridTrackingWebhookView(webhook_secret="name:word")
    fake = FakeSendGrid()
    fake.port = 1  # it need not run to write an event
    fake.clock = lambda: NOW.timestamp() - 60
    message = Message(
        "p1@example.com", "s", "h", "t", "a@example.com", {}, {"omni": MARK}, ("spring",), {"group_id": 77}, 1, "id1"
    )
    for kind in EVENT_NAMES:
        event = fake.event(message, kind)
        theirs = view.esp_to_anymail_event(event)
        response = said(**event)
        assert response.payload.get("state", response.name) in ANYMAIL[theirs.event_type], kind
        assert (theirs.recipient, theirs.event_id, theirs.timestamp) == (response.address, response.id, response.at)
        assert theirs.click_url == response.payload.get("link")


def test_any_order_and_repeats_give_the_same_receipts() -> None:
    events: Sequence[dict[str, Any]] = [
        {"event": name, "omni": MARK, "timestamp": n, "sg_event_id": name} for n, name in enumerate(EVENT_NAMES[:4])
    ]
    found = {frozenset(keys_of(*order, *order[:2])) for order in itertools.permutations(events)}
    assert len(found) == 1
