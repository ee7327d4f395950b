"""Webhooks: nothing is believed before its signature, nothing is acknowledged before it is on disk, and nonsense breaks nothing."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from starlette.testclient import TestClient
from web_stage import Shop, Signed, a_shop, serving

from benchmarks import webhook as bench
from omnicli.campaigns import hear
from omnicli.model.response import Heard, Incoming, Receipt
from omnicli.providers.sendgrid import open_hearing
from omnicli.service.web import intake as intakes
from omnicli.service.web.intake import Intake, NotStored, Overloaded
from omnicli.store import room

PATH = "/webhooks/sendgrid"
PARSING = Path(__file__).parents[2].parent / "shared/data/torture/json/test_parsing"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    found = a_shop(tmp_path_factory.mktemp("shop"))
    yield found
    found.store.close()


def post(client: TestClient, signed: Signed, body: bytes, **headers: str) -> Any:
    return client.post(PATH, content=body, headers={**signed.sign(body), **headers})


def events(*ids: str) -> bytes:
    return json.dumps([{"id": id} for id in ids]).encode()


def test_two_hundred_means_that_it_is_on_disk(shop: Shop) -> None:
    signed = Signed()
    with serving(shop, signed) as (client, site):
        answer = post(client, signed, events("one", "two"))
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
            200,
            "<Response/>",
            "text/xml; charset=utf-8",
        )
        assert {r.get("id") for r in shop.inbox()} >= {"one", "two"}
        assert post(client, signed, events("one", "two")).status_code == 200
        assert (site.intake.counts.new, site.intake.counts.repeated) == (2, 2)


def test_a_forged_an_unsigned_and_an_altered_one_leave_nothing(shop: Shop) -> None:
    signed, body = Signed(), events("forged")
    before = shop.digest()
    with serving(shop, signed) as (client, site):
        assert client.post(PATH, content=body).status_code == 403
        assert client.post(PATH, content=body, headers=Signed(key=b"another").sign(body)).status_code == 403
        for n in range(len(body)):
            altered = body[:n] + bytes([body[n] ^ 1]) + body[n + 1 :]
            assert client.post(PATH, content=altered, headers=signed.sign(body)).status_code == 403
        assert site.answers[(PATH, 403)] == len(body) + 2
    assert shop.digest() == before


def test_the_url_that_was_signed_is_ours_whatever_the_request_says(shop: Shop) -> None:
    signed = Signed()
    with serving(shop, signed) as (client, _):
        client.post(
            PATH + "?x=1&y=%2F",
            content=b"[]",
            headers={"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"},
        )
        client.post(PATH, content=b"[]", headers=[("x-signature", "one"), ("x-signature", "two")])
    assert [i.url for i in signed.heard] == [
        "https://omni.maisonlune.example/webhooks/sendgrid?x=1&y=%2F",
        "https://omni.maisonlune.example/webhooks/sendgrid",
    ]
    assert signed.heard[1].headers["x-signature"] == "one, two"


def test_without_a_key_nothing_is_taken(shop: Shop) -> None:
    with serving(shop) as (client, _):
        answers = [
            client.post(path, content=b"[]")
            for path in (
                "/webhooks/sendgrid",
                "/webhooks/sendgrid/inbound",
                "/webhooks/twilio/status",
                "/webhooks/twilio/inbound",
            )
        ]
    assert [(a.status_code, a.headers["retry-after"]) for a in answers] == [(503, "5")] * 4


def test_only_post_and_only_up_to_a_megabyte(shop: Shop) -> None:
    signed = Signed()
    with serving(shop, signed) as (client, _):
        assert {client.request(method, PATH).status_code for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")} == {405}
        assert client.post(PATH, content=b"x" * 1_000_001).status_code == 413
        assert client.post(PATH, content=iter([b"x" * 600_000] * 2)).status_code == 413
        assert client.post(PATH, content=b"[]", headers={"content-length": "9" * 30}).status_code in (400, 413)
        large = json.dumps([{"id": f"large-{n}", "pad": "x" * 900} for n in range(1000)]).encode()
        assert post(client, signed, large).status_code == 200
    assert {len(i.body) for i in signed.heard} == {len(large)}


def test_the_json_test_suite_with_a_good_signature_of_sendgrid_s_never_breaks_anything(shop: Shop) -> None:
    if not PARSING.is_dir():
        pytest.skip("no ../shared/data here")
    private, files = bench.key(), sorted(PARSING.glob("*.json"))
    hearing = open_hearing(shop.loaded.project, {"event_webhook_keys": [bench.public(private)]}, {0: b"k" * 32}, live=True)
    assert len(files) == 318
    event = b'[{"event": "bounce", "email": "lea@email", "type": "bounce", "sg_event_id": "\\ud800", "reason": "\\ud800 5.1.1"}]'
    odd = [
        b"[" * 100_000,
        b"[" + b"9" * 5_000 + b"]",
        event,
        event.replace(b"\\ud800", b"\\u0000"),
        b"[NaN]",
        b"\xff\xfe",
        b"",
        b"null",
        b"[{}]" * 9,
    ]
    found = set()
    with serving(shop, hearing) as (client, site):
        site.intake.gather = 0
        for body in [*(f.read_bytes() for f in files), *odd]:
            head, _, sent = bench.request(body, private).partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            found.add(client.post(PATH, content=sent, headers=headers).status_code)
        assert found <= {200, 400}
        assert client.post(PATH, content=b"[]", headers=headers).status_code == 403
        assert site.intake.counts.unreadable > 100


@pytest.mark.sqlite_only(reason="the disk of a PostgreSQL server is not measured from here")
def test_the_disk_floor_answers_503_and_the_store_stays_as_it_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "usage", lambda _folder: (10**12, 10**12 - 1, 1))
    before, signed = shop.digest(), Signed()
    with serving(shop, signed) as (client, _):
        assert post(client, signed, events("no-room")).status_code == 503
        assert client.get("/health").status_code == 503
        assert client.get(shop.path("click")).status_code == 302
        assert shop.digest() == before
        assert client.post(shop.path("unsubscribe")).status_code == 200  # what the floor keeps room for


@pytest.mark.guards("stored_before_2xx")
@pytest.mark.sqlite_only(reason="writers of PostgreSQL do not take turns")
def test_a_store_that_another_process_holds_is_answered_503_and_the_repeat_goes_in(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    from omnicli.service.web import site as sites

    monkeypatch.setattr(sites, "BUSY", 0.05)
    signed = Signed()
    with serving(shop, signed) as (client, _), Path(f"{shop.store.path}.writer").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert post(client, signed, events("busy")).status_code == 503
        assert "busy" not in {r.get("id") for r in shop.inbox()}
        fcntl.flock(other, fcntl.LOCK_UN)
        assert post(client, signed, events("busy")).status_code == 200
    assert "busy" in {r.get("id") for r in shop.inbox()}


@pytest.mark.parametrize(
    ("error", "status"),
    [(sqlite3.OperationalError("database is locked: lea@example.com"), 503), (KeyError("lea@example.com"), 500)],
)
def test_a_fault_is_a_page_and_its_log_quotes_nobody(shop: Shop, error: Exception, status: int, caplog: pytest.LogCaptureFixture,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def broken(*_: Any) -> None:
        raise error

    with serving(shop) as (client, site):
        monkeypatch.setattr(site, "opened", broken)
        answer = client.get(shop.path("unsubscribe"))
    assert answer.status_code == status
    assert "<html" in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert type(error).__name__ in caplog.text
    assert "lea@example.com" not in caplog.text + answer.text


# --- the intake -------------------------------------------------------------------------------------------------------
def receipt(id: str) -> Receipt:
    return Receipt("test", id.encode().ljust(16, b"."), id.encode(), None, id)


class Kept:
    """Stores in memory, as it is told: refuses the poisoned, or everything."""

    def __init__(self, poison: Sequence[str] = (), error: Exception | None = None) -> None:
        self.poison, self.error, self.ids, self.groups = set(poison), error, [], []

    def __call__(self, receipts: Sequence[Receipt]) -> hear.Taken:
        self.groups.append(len(receipts))
        if self.error is not None:
            raise self.error
        if any(r.event_id in self.poison for r in receipts):
            raise ValueError("poison")
        self.ids += [(r.event_id, r.note) for r in receipts]
        return hear.Taken(new=len(receipts))


def test_what_comes_together_is_one_commit() -> None:
    kept = Kept()
    intake = Intake(kept, gather=0.05)
    promises = [intake.put([receipt(str(n))]) for n in range(40)]
    assert {p.result(5).new for p in promises} == {40}
    intake.close()
    assert (kept.groups, intake.counts.commits) == ([40], 1)


def test_one_poisoned_element_fails_nobody_else_and_is_kept_as_unreadable() -> None:
    kept = Kept(poison=["p"])
    intake = Intake(kept, gather=0.05)
    promises = [intake.put([receipt(id), receipt(f"{id}2")]) for id in "abcpdefg"]
    for promise in promises:
        promise.result(5)
    intake.close()
    assert {id for id, _ in kept.ids} == {id + n for id in "abcpdefg" for n in ("", "2")} - {"p"} | {None}
    assert [note for id, note in kept.ids if id is None] == ["could not be stored: ValueError"]
    assert intake.counts.failed == 0


def test_a_group_whose_commit_fails_acknowledges_nobody() -> None:
    kept = Kept(error=sqlite3.OperationalError("disk I/O error"))
    intake = Intake(kept, gather=0.05)
    promises = [intake.put([receipt(str(n))]) for n in range(10)]
    for promise in promises:
        with pytest.raises(NotStored):
            promise.result(5)
    kept.error = None
    assert intake.put([receipt("again")]).result(5).new == 1
    intake.close()
    assert kept.groups == [10, 1]


def test_above_its_capacity_it_says_so_at_once_and_keeps_what_it_took() -> None:
    kept = Kept()
    intake = Intake(kept, gather=0.2, most=5)
    promises = [intake.put([receipt(str(n))]) for n in range(5)]
    with pytest.raises(Overloaded):
        intake.put([receipt("too much")])
    assert [p.result(5).new for p in promises] == [5] * 5
    intake.close()
    with pytest.raises(Overloaded):
        intake.put([receipt("closed")])


def test_whoever_comes_while_the_oldest_waits_too_long_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "PATIENCE", -1.0)
    intake = Intake(Kept(), gather=0.2)
    first = intake.put([receipt("first")])
    with pytest.raises(Overloaded):
        intake.put([receipt("second")])
    assert first.result(5).new == 1
    intake.close()


def test_closing_stores_what_waits() -> None:
    kept = Kept()
    intake = Intake(kept, gather=5)
    promise = intake.put([receipt("last")])
    intake.close()
    assert promise.result(0).new == 1


def test_things_to_do_take_their_turn_and_their_failures_are_their_own() -> None:
    intake = Intake(Kept(), gather=0.01)
    done = intake.act(lambda: "done")
    broken = intake.act(lambda: 1 / 0)
    after = intake.put([receipt("after")])
    assert done.result(5) == "done"
    with pytest.raises(NotStored):
        broken.result(5)
    assert after.result(5).new == 1
    intake.close()


def test_a_hearing_that_says_no_is_answered_as_it_says(shop: Shop) -> None:
    class No(Signed):
        def hear(self, path: str, incoming: Incoming, *, now: Any) -> Heard:
            return Heard(400, why="not an event")

    with serving(shop, No()) as (client, _):
        assert client.post(PATH, content=b"x").status_code == 400


# --- metrics ----------------------------------------------------------------------------------------------------------
def test_metrics_are_for_this_machine_or_for_the_token(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(shop) as (client, _):
        client.get(shop.path("unsubscribe"))
        page = client.get("/metrics")
        assert 'omni_serve_answers_total{route="/u/…",status="200"} 1' in page.text
        assert client.get("/metrics", headers={"x-forwarded-for": "198.51.100.7"}).status_code == 404
        monkeypatch.setenv("OMNI_METRICS_TOKEN", "s3cret")
        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 404
        assert (
            client.get("/metrics", headers={"authorization": "Bearer s3cret", "x-forwarded-for": "198.51.100.7"}).status_code
            == 200
        )
    for line in page.text.splitlines():
        assert shop.token("unsubscribe") not in line


def test_the_inventory_of_routes_is_this_one() -> None:
    from omnicli.service.web.app import ROUTES

    assert sorted((route.path, *sorted(route.methods or ())) for route in ROUTES) == [
        ("/c/{token}", "GET", "HEAD"), ("/health", "GET", "HEAD"), ("/metrics", "GET", "HEAD"), ("/o/{token}", "GET", "HEAD"),
        ("/p/{token}", "GET", "HEAD", "POST"), ("/q/{token}", "GET", "HEAD"), ("/robots.txt", "GET", "HEAD"), ("/u/{token}", "GET", "HEAD", "POST"),
        ("/w/{token}", "GET", "HEAD"), ("/webhooks/sendgrid", "POST"), ("/webhooks/sendgrid/inbound", "POST"), ("/webhooks/twilio/inbound", "POST"),
        ("/webhooks/twilio/status", "POST"),
    ]  # fmt: skip


# --- the real Twilio --------------------------------------------------------------------------------------------------
def test_an_answer_by_text_message_is_verified_by_the_public_address_and_answered_in_twilio_s_words(tmp_path: Path) -> None:
    from twilio.request_validator import RequestValidator

    from omnicli.providers.twilio import open_hearing as open_twilio

    shop = a_shop(tmp_path)
    sid = "AC" + "0" * 32
    hearing = open_twilio(
        shop.loaded.project, {"account_sid": sid, "auth_token": "a token of the test"}, {0: b"k" * 32}, live=True
    )
    form = {
        "AccountSid": sid,
        "MessageSid": "SM" + "1" * 32,
        "From": "+33639980001",
        "To": "+33639989999",
        "Body": "STOP",
        "NumMedia": "0",
    }
    address = "https://omni.maisonlune.example/webhooks/twilio/inbound"
    good = RequestValidator("a token of the test").compute_signature(address, form)
    wrong = RequestValidator("a token of the test").compute_signature("http://evil.example/webhooks/twilio/inbound", form)
    with serving(shop, hearing) as (client, _):
        spoofed = client.post(
            "/webhooks/twilio/inbound", data=form, headers={"x-twilio-signature": wrong, "host": "evil.example"}
        )
        answers = [client.post("/webhooks/twilio/inbound", data=form, headers={"x-twilio-signature": good}) for _ in range(2)]
    assert spoofed.status_code == 403
    assert [(a.status_code, a.headers["content-type"].partition(";")[0]) for a in answers] == [(200, "text/xml")] * 2
    assert "<Response" in answers[0].text
    assert [(r["name"], r["address"], r["payload"]["text"]) for r in shop.inbox()] == [("replied", "+33639980001", "STOP")]
