"""Who signed it: the published vectors, the official validator as oracle, and every way of forging that we know."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from twilio_values import LEA, MARK, NOW, PUBLIC, SID, US, a_hearing, a_project, posted

from omnicli.model.response import Incoming
from omnicli.providers.twilio import fields
from omnicli.providers.twilio.signature import signed

VECTORS = Path(__file__).parents[2].parent / "shared" / "data" / "webhooks" / "twilio" / "signature_vectors.json"
URL = f"{PUBLIC}/webhooks/twilio/status?o={MARK}"
STATUS_PATH, INBOUND_PATH = "/webhooks/twilio/status", "/webhooks/twilio/inbound"
STATUS = {"MessageSid": SID, "SmsSid": SID, "MessageStatus": "delivered", "SmsStatus": "delivered", "AccountSid": ACCOUNT, "From": US, "To": LEA,
          "ApiVersion": "2010-04-01"}  # fmt: skip
INBOUND = {"MessageSid": SID, "SmsSid": SID, "SmsMessageSid": SID, "AccountSid": ACCOUNT, "From": LEA, "To": US, "Body": "STOP", "NumMedia": "0",
           "NumSegments": "1", "SmsStatus": "received", "ApiVersion": "2010-04-01", "FromCity": "LYON", "FromCountry": "FR", "ToCity": "",
           "OptOutType": "STOP"}  # fmt: skip


def by_twilio(form: Mapping[str, str], url: str = URL, token: str = TOKEN) -> dict[str, str]:
    return {"x-twilio-signature": RequestValidator(token).compute_signature(url, dict(form))}


def heard(incoming: Incoming, path: str = STATUS_PATH) -> int:
    return a_hearing().hear(path, incoming, now=NOW).status


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return [pytest.param(None, marks=pytest.mark.skip("no ../shared/data/webhooks/twilio beside the repository"))]
    found = json.loads(VECTORS.read_text())
    return [pytest.param((found["auth_token"], one), id=one["name"]) for one in found["vectors"]]


@pytest.mark.parametrize("vector", vectors())
def test_the_published_vectors_verify_but_for_a_name_that_comes_twice(vector: tuple[str, dict[str, Any]]) -> None:
    token, one = vector
    body = one["body"].encode() if "body" in one else urlencode(one["params"], doseq=True).encode()
    incoming = Incoming("POST", one.get("request_url", one["url"]), {"x-twilio-signature": one["signature"]}, body)
    if "duplicate" in one["name"]:
        assert fields.read_form(body) is None
        return
    said = one["body"] if "body" in one else fields.read_form(body)
    assert said is not None
    assert signed(incoming, said, [token])
    assert signed(incoming, said, ["another", token])  # two while one is being changed
    for forged in (
        one["signature"][:-2] + "A=",
        one["signature"].lower(),
        "",
        "é" * 28,
        f"{one['signature']}, {one['signature']}",
    ):
        assert not signed(replace(incoming, headers={"x-twilio-signature": forged}), said, [token])
    assert not signed(incoming, said, [token + " "])
    assert not signed(replace(incoming, headers={}), said, [token])


def test_the_stand_in_and_the_official_validator_sign_alike() -> None:
    with FakeTwilio() as fake:
        assert fake.signed(URL, STATUS)["X-Twilio-Signature"] == by_twilio(STATUS)["x-twilio-signature"]


def test_good_requests_are_heard() -> None:
    assert heard(posted(STATUS, by_twilio(STATUS))) == 200
    url = f"{PUBLIC}{INBOUND_PATH}"
    assert heard(posted(INBOUND, by_twilio(INBOUND, url), path=INBOUND_PATH, query=""), INBOUND_PATH) == 200


def test_a_signature_over_the_fragment_too_is_good_for_that_is_not_documented() -> None:
    assert heard(posted(STATUS, by_twilio(STATUS, URL + "#rc=3&rp=5xx,ct,rt"))) == 200
    assert heard(posted(STATUS, by_twilio(STATUS, URL + "#rc=9"))) == 403


def test_shared_keys_sign_by_sha256() -> None:
    hearing = a_hearing(webhook_keys=["shared-secret"])
    signature = RequestValidator("shared-secret").compute_signature(URL, STATUS, "HMAC_SHA256")
    headers = {
        "x-twilio-signature": signature,
        "x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    assert hearing.hear(STATUS_PATH, posted(STATUS, headers), now=NOW).status == 200
    odd = {**headers, "x-twilio-webhooks-signature-settings": "key=1,algorithm=HMAC_MD5"}
    assert hearing.hear(STATUS_PATH, posted(STATUS, odd), now=NOW).status == 403
    assert hearing.hear(STATUS_PATH, posted(STATUS, {"x-twilio-signature": signature}), now=NOW).status == 403


def test_without_any_token_nothing_is_accepted() -> None:
    hearing = a_hearing(auth_token=None, api_key="SK1", api_secret="secret")
    assert hearing.hear(STATUS_PATH, posted(STATUS, by_twilio(STATUS)), now=NOW).status == 503


@pytest.mark.guards("twilio_signature")
def test_every_flipped_byte_of_a_good_request_is_refused() -> None:
    hearing, good = a_hearing(), posted(STATUS, by_twilio(STATUS))
    rest = random.Random(7)
    for place in range(len(good.body)):
        body = bytearray(good.body)
        body[place] ^= 1 << rest.randrange(7)
        if fields.read_form(bytes(body)) == STATUS:
            continue  # another writing of the same form
        found = hearing.hear(STATUS_PATH, replace(good, body=bytes(body)), now=NOW)
        assert found.status == 403, bytes(body)
        assert not found.receipts


@pytest.mark.parametrize(
    "url",
    [
        f"https://evil.example/webhooks/twilio/status?o={MARK}", f"http://omni.example.org/webhooks/twilio/status?o={MARK}",
        f"{PUBLIC}/webhooks/twilio/status", f"{PUBLIC}/webhooks/twilio/status?o={MARK[:-1]}", f"{PUBLIC}/webhooks/twilio/status?o={MARK}&x=1",
    ],
)  # fmt: skip
def test_another_address_is_another_request(url: str) -> None:
    assert heard(replace(posted(STATUS, by_twilio(STATUS)), url=url)) == 403


@pytest.mark.parametrize(
    "body", [b"", b"=", b"a", b"MessageSid", b"\xff=1", b"a=%ff", b"a=1;b=2", b"a=1&a=1", b"&" * 9, b"[" * 100_000]
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    assert heard(replace(posted(STATUS, by_twilio(STATUS)), body=body)) in (400, 403)


def test_only_posts_to_our_two_paths_are_heard() -> None:
    good = posted(STATUS, by_twilio(STATUS))
    assert heard(replace(good, method="GET")) == 400
    assert a_hearing().hear("/webhooks/twilio", good, now=NOW).status == 400


def test_signed_json_is_kept_and_acted_on_by_nobody() -> None:
    import hashlib

    body = b'{"event": "x"}'
    url = f"{PUBLIC}{STATUS_PATH}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    incoming = Incoming("POST", url, {"x-twilio-signature": signature, "content-type": "application/json; charset=utf-8"}, body)
    found = a_hearing().hear(STATUS_PATH, incoming, now=NOW)
    assert found.status == 200
    assert [r.response for r in found.receipts] == [None]
    assert heard(replace(incoming, body=b'{"event": "y"}')) == 403
    bare = f"{PUBLIC}{STATUS_PATH}"
    assert (
        heard(
            replace(
                incoming,
                url=bare,
                headers={**incoming.headers, "x-twilio-signature": RequestValidator(TOKEN).compute_signature(bare, {})},
            )
        )
        == 403
    )


# --- S13: names and values run together -----------------------------------------------------------------------------
def splits(form: Mapping[str, str]) -> list[dict[str, str]]:
    """Other forms that are signed by the same text: borders moved, fields swallowed."""
    pairs = sorted(form.items())
    text = "".join(name + value for name, value in pairs)
    found: list[dict[str, str]] = []

    def keep(changed: list[tuple[str, str]]) -> None:
        as_form = dict(changed)
        again = "".join(name + as_form[name] for name in sorted(as_form))
        if again == text and as_form != dict(form) and len(as_form) == len(changed) and "" not in as_form:
            found.append(as_form)

    for n, (name, value) in enumerate(pairs):
        for k in range(1, len(name)):
            keep([*pairs[:n], (name[:k], name[k:] + value), *pairs[n + 1 :]])
        for k in range(1, len(value) + 1):
            keep([*pairs[:n], (name + value[:k], value[k:]), *pairs[n + 1 :]])
        for m in range(n + 1, len(pairs)):  # everything up to there becomes this one's value
            swallowed = value + "".join(a + b for a, b in pairs[n + 1 : m + 1])
            keep([*pairs[:n], (name, swallowed), *pairs[m + 1 :]])
            for k in range(1, len(pairs[m][1])):
                keep([*pairs[:n], (name, swallowed[: -len(pairs[m][1]) + k] if k < len(pairs[m][1]) else swallowed),
                      (swallowed[-len(pairs[m][1]) + k :], ""), *pairs[m + 1 :]])  # fmt: skip
    return found


def hidden(form: Mapping[str, str], name: str, field: str, value: str) -> dict[str, str]:
    """A form whose value of `name` hides a field and a value: what somebody might write to be read another way."""
    return {**form, name: f"{form[name]}{field}{value}"}


@pytest.mark.guards("twilio_fields")
@pytest.mark.parametrize(
    ("form", "path"),
    [(STATUS, STATUS_PATH), (INBOUND, INBOUND_PATH), ({**STATUS, "MessageStatus": "failed", "ErrorCode": "30005"}, STATUS_PATH)],
)
def test_no_other_form_with_the_same_signature_is_acted_on(form: dict[str, str], path: str) -> None:
    hearing = a_hearing()
    url = f"{PUBLIC}{path}"
    others = splits(form)
    assert len(others) > 100
    for other in others:
        headers = by_twilio(form, url)
        assert RequestValidator(TOKEN).validate(url, other, headers["x-twilio-signature"])  # the validator alone is taken in
        found = hearing.hear(path, posted(other, headers, path=path, query=""), now=NOW)
        assert found.status == 403 or [r.response for r in found.receipts] == [None], other


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("Body", "From", "+33639980002"), ("Body", "To", "+33639980002"), ("Body", "AccountSid", ACCOUNT), ("FromCity", "OptOutType", "START"),
     ("Body", "NumMedia", "3"), ("FromCity", "To", "+33639980009"), ("Body", "MessageSid", SID)],
)  # fmt: skip
def test_a_value_that_hides_a_field_is_kept_and_not_acted_on(name: str, field: str, value: str) -> None:
    form = hidden(INBOUND, name, field, value)
    url = f"{PUBLIC}{INBOUND_PATH}"
    found = a_hearing().hear(INBOUND_PATH, posted(form, by_twilio(form, url), path=INBOUND_PATH, query=""), now=NOW)
    assert (found.status, [r.response for r in found.receipts]) == (200, [None])
    assert "another field inside" in found.why


@pytest.mark.parametrize(
    "text", ["From Paris with love", "To: me. Body and soul", "STOP ToCall me", "my account sid is AC1", "", "🙂 é ﷽", "a" * 1600]
)
def test_what_people_write_is_no_attack(text: str) -> None:
    form = {**INBOUND, "Body": text}
    found = a_hearing().hear(
        INBOUND_PATH, posted(form, by_twilio(form, f"{PUBLIC}{INBOUND_PATH}"), path=INBOUND_PATH, query=""), now=NOW
    )
    assert found.receipts[0].response is not None
    assert found.receipts[0].response.payload["text"] == text


@pytest.mark.parametrize(
    "changed",
    [
        {"AccountSid": "AC" + "9" * 32},
        {"From": "somebody else"},
        {"MessageSid": "SM1"},
        {"MessageStatus": "<b>"},
        {"ErrorCode": "x"},
    ],
)
def test_an_honest_form_about_others_or_out_of_shape_is_kept_and_not_acted_on(changed: dict[str, str]) -> None:
    form = STATUS | changed
    found = a_hearing().hear(STATUS_PATH, posted(form, by_twilio(form)), now=NOW)
    assert (found.status, [r.response for r in found.receipts]) == (200, [None])


def test_fields_that_twilio_adds_are_no_reason_to_refuse() -> None:
    form = {
        **STATUS,
        "BrandNewThing": "1",
        "MessageStatusReason": "carrier",
        "RawDlrDoneDate": "2701040930",
        "MediaUrl0": "https://x.example/1",
    }
    found = a_hearing().hear(STATUS_PATH, posted(form, by_twilio(form)), now=NOW)
    assert found.receipts[0].response is not None


def test_the_public_address_is_the_settings_and_not_that_of_the_request() -> None:
    project = a_project(public_url="https://other.example")
    good = posted(STATUS, by_twilio(STATUS))
    assert (
        a_hearing(project=project).hear(STATUS_PATH, good, now=NOW).status == 200
    )  # the caller gives the address; see service/web


# --- the oracle -----------------------------------------------------------------------------------------------------
NAMES = st.from_regex(r"[A-Z][A-Za-z]{0,12}", fullmatch=True)
FORMS = st.dictionaries(NAMES, st.text(max_size=20), min_size=1, max_size=8)


@given(FORMS, st.sampled_from(["", "?o=x", "?a=1&b=2"]), st.sampled_from(["", ":443", ":8443"]))
@settings(max_examples=60, deadline=None)
def test_whatever_twilio_signs_is_known_as_signed_and_nothing_else(form: dict[str, str], query: str, port: str) -> None:
    url = f"https://omni.example.org{port}{STATUS_PATH}{query}"
    incoming = Incoming("POST", url, by_twilio(form, url), urlencode(form).encode("utf-8", "strict"))
    assert fields.read_form(incoming.body) == form
    assert signed(incoming, form, [TOKEN])
    assert not signed(incoming, form, [TOKEN + "x"])
    assert not signed(replace(incoming, url=url + "x"), form, [TOKEN])
    name = next(iter(form))
    assert not signed(incoming, {**form, name: form[name] + "x"}, [TOKEN])
    heard = a_hearing().hear(STATUS_PATH, incoming, now=NOW)
    assert (heard.status, [r.response for r in heard.receipts]) == (200, [None])  # honest, and nothing that omni asked for
    twice = urlencode([*form.items(), (name, form[name])]).encode()
    assert fields.read_form(twice) is None


@given(
    st.binary(max_size=300),
    st.dictionaries(
        st.sampled_from(["x-twilio-signature", "content-type", "x-twilio-webhooks-signature-settings"]), st.text(max_size=60)
    ),
)
@settings(max_examples=100, deadline=None)
def test_nothing_that_comes_in_is_a_fault_of_ours(body: bytes, headers: dict[str, str]) -> None:
    for path in (STATUS_PATH, INBOUND_PATH):
        found = a_hearing().hear(path, Incoming("POST", f"{PUBLIC}{path}", headers, body), now=NOW)
        assert found.status == 403
        assert not found.receipts
