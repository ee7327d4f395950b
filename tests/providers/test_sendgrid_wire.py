"""What came of a call is observed, not guessed: one request on the wire an attempt, and the class that its end deserves."""

from __future__ import annotations

import gc
import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fake_sendgrid import FakeSendGrid
from sendgrid_values import API_KEY, NOW, a_letter, a_provider

from omnicli.providers.sendgrid import client, provider
from omnicli.providers.sendgrid.provider import SendGrid


@pytest.fixture
def fake() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as one:
        yield one


@pytest.fixture
def sendgrid(fake: FakeSendGrid) -> SendGrid:
    return a_provider(fake.url)


def three() -> list[Any]:
    return [a_letter(n) for n in range(3)]


def test_everybody_gets_their_own_mail_in_one_request(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    handed = [a_letter(n) for n in range(500)]
    outcomes = sendgrid.send(handed, now=NOW)
    assert len(fake.requests) == 1
    assert {outcome.outcome for outcome in outcomes} == {"accepted"}
    assert all(outcome.ref == fake.messages[0].id for outcome in outcomes)
    read = [(m.to, m.subject, m.text, m.html, m.mark) for m in fake.messages]
    assert read == [
        (o.address, *(o.rendered.parts[p] for p in ("subject", "text", "html")), o.mark) for o in handed if o.rendered
    ]


@pytest.mark.parametrize(("behaviour", "options", "outcome", "reached"), [
    ("lose", {}, "unknown", 3), ("half", {}, "unknown", 3), ("garbage", {}, "unknown", 3), ("length", {}, "unknown", 3),
    ("twice", {}, "accepted", 3), ("drop", {"at": "headers"}, "unknown", 0),
    ("refuse", {"status": 500}, "unknown", 0), ("refuse", {"status": 502}, "unknown", 0), ("refuse", {"status": 503}, "unknown", 0),
    ("refuse", {"status": 408}, "unknown", 0), ("refuse", {"status": 500, "accepts": True}, "unknown", 3),
    ("refuse", {"status": 202}, "unknown", 0), ("refuse", {"status": 201}, "unknown", 0),
    ("refuse", {"status": 401}, "not_sent", 0), ("refuse", {"status": 403}, "not_sent", 0), ("refuse", {"status": 429}, "not_sent", 0),
])  # fmt: skip
def test_each_end_of_a_call_has_its_class_and_nothing_is_repeated(
    behaviour: str, options: dict[str, Any], outcome: str, reached: int, fake: FakeSendGrid, sendgrid: SendGrid
) -> None:
    fake.behave(behaviour, **options)
    outcomes = sendgrid.send(three(), now=NOW)
    assert {one.outcome for one in outcomes} == {outcome}
    assert fake.connections == 1
    assert len(fake.messages) == reached


def test_silence_is_unknown_after_the_read_timeout(fake: FakeSendGrid) -> None:
    fake.behave("hold")
    outcomes = a_provider(fake.url, read_timeout="1 second").send(three(), now=NOW)
    assert {(one.outcome, one.code, one.detail) for one in outcomes} == {("unknown", "lost", "timed out")}
    assert fake.connections == 1


def test_an_answer_that_drips_is_unknown_when_the_whole_time_is_over(fake: FakeSendGrid) -> None:
    fake.behave("drip", seconds=0.2)
    outcomes = a_provider(fake.url, read_timeout="1 second").send(three(), now=NOW)
    assert {(one.outcome, one.detail) for one in outcomes} == {("unknown", "timed out")}


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcomes = a_provider(f"http://127.0.0.1:{port}").send(three(), now=NOW)
    assert {(one.outcome, one.code, one.halt) for one in outcomes} == {("not_sent", "connect", False)}


def test_a_handshake_that_fails_sent_nothing() -> None:
    """Whoever is there speaks no TLS: a connection stood, but not yet the one that letters travel on."""
    heard: list[bytes] = []

    def answer(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            heard.append(peer.recv(4096))
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        outcomes = a_provider(f"https://127.0.0.1:{server.getsockname()[1]}").send(three(), now=NOW)
        thread.join()
    assert {(one.outcome, one.code) for one in outcomes} == {("not_sent", "connect")}
    assert b"Zo" not in heard[0]


def test_a_host_without_a_name_sent_nothing() -> None:
    outcomes = a_provider("http://nowhere.invalid").send(three(), now=NOW)
    assert {one.outcome for one in outcomes} == {"not_sent"}


@pytest.mark.guards("no_redirects")
def test_redirects_are_not_followed(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    with FakeSendGrid() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            fake.behave("refuse", times=1, status=status, headers={"Location": elsewhere.url + "/v3/mail/send"})
            outcomes = sendgrid.send(three(), now=NOW)
            assert {(one.outcome, one.halt, one.halts) for one in outcomes} == {("not_sent", True, "account")}
        assert elsewhere.requests == []


def test_proxies_of_the_environment_are_ignored(fake: FakeSendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSendGrid() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert a_provider(fake.url).send(three(), now=NOW)[0].outcome == "accepted"
        assert proxy.connections == 0


# --- 400 and its kin --------------------------------------------------------------------------------------------------------
def errors(*fields: str | None) -> dict[str, Any]:
    return {"errors": [{"message": "Does not contain a valid address.", "field": field, "help": None} for field in fields]}


def test_who_is_named_is_refused_and_the_others_go_again_at_once(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    fake.behave("refuse", status=400, body=errors("personalizations.1.to.0.email"))
    first, named, last = sendgrid.send(three(), now=NOW)
    assert (named.outcome, named.bad_address, named.code) == ("rejected", True, "400")
    assert {(one.outcome, one.free, one.halve) for one in (first, last)} == {("not_sent", True, False)}


def test_places_in_the_answer_are_those_of_the_request_not_of_the_call(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    """Whoever was set aside before shifts the others."""
    fake.behave("refuse", status=400, body=errors("personalizations.1.substitutions"))
    outcomes = sendgrid.send([a_letter(0, address="nobody"), a_letter(1), a_letter(2), a_letter(3)], now=NOW)
    assert [one.outcome for one in outcomes] == ["rejected", "not_sent", "rejected", "not_sent"]
    assert not outcomes[2].bad_address


@pytest.mark.parametrize("body", [errors(None), errors("personalizations"), errors("personalizations.99.to"), {}, [], {"errors": "x"}, b"<html>", None])  # fmt: skip
def test_when_nobody_is_named_the_request_is_halved_until_the_culprit_stands_alone(
    body: Any, fake: FakeSendGrid, sendgrid: SendGrid
) -> None:
    fake.behave("refuse", status=400, body=body)
    assert {(one.outcome, one.free, one.halve) for one in sendgrid.send(three(), now=NOW)} == {("not_sent", True, True)}
    alone = sendgrid.send([a_letter(1)], now=NOW)[0]
    assert (alone.outcome, alone.halve) == ("rejected", False)


@pytest.mark.parametrize("field", ["from.email", "content.0.value", "template_id", "subject", "asm.group_id", "ip_pool_name", "categories", "reply_to.email"])  # fmt: skip
def test_what_is_wrong_with_the_message_stops_its_campaign_and_fails_nobody(
    field: str, fake: FakeSendGrid, sendgrid: SendGrid
) -> None:
    fake.behave("refuse", status=400, body=errors(field))
    outcomes = sendgrid.send(three(), now=NOW)
    assert {(one.outcome, one.halt, one.halts) for one in outcomes} == {("not_sent", True, "campaign")}
    assert field in (outcomes[0].detail or "")


def test_413_halves_and_refuses_whoever_is_too_big_alone(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    fake.behave("refuse", status=413)
    assert {(one.outcome, one.free, one.halve) for one in sendgrid.send(three(), now=NOW)} == {("not_sent", True, True)}
    assert sendgrid.send([a_letter(1)], now=NOW)[0].outcome == "rejected"


def test_a_request_beyond_30_mb_is_never_written(fake: FakeSendGrid, sendgrid: SendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST", 500)
    assert {(one.outcome, one.halve, one.code) for one in sendgrid.send(three(), now=NOW)} == {("not_sent", True, "size")}
    assert sendgrid.send([a_letter(1)], now=NOW)[0].outcome == "rejected"
    assert fake.connections == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_halts_the_account_and_fails_nobody(status: int, fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    fake.behave("refuse", status=status)
    outcomes = sendgrid.send(three(), now=NOW)
    assert {(one.outcome, one.halt, one.halts, one.http_status) for one in outcomes} == {("not_sent", True, "account", status)}


# --- 429 ----------------------------------------------------------------------------------------------------------------------
def test_429_waits_until_it_is_told(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    fake.behave("refuse", status=429, headers={"X-RateLimit-Reset": str(int(NOW.timestamp()) + 42)})
    assert sendgrid.send(three(), now=NOW)[0].retry_at == NOW + timedelta(seconds=42)


def test_429_without_a_word_waits_one_second_and_twice_as_long_each_time(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    fake.behave("refuse", times=4, status=429)
    waits = [(sendgrid.send(three(), now=NOW)[0].retry_at or NOW) - NOW for _ in range(4)]
    assert [wait.total_seconds() for wait in waits] == [1, 2, 4, 8]
    assert sendgrid.send(three(), now=NOW)[0].outcome == "accepted"
    fake.behave("refuse", times=1, status=429)
    assert sendgrid.send(three(), now=NOW)[0].retry_at == NOW + timedelta(seconds=1)


# --- sandbox, doubles of addresses, limits ------------------------------------------------------------------------------------
def test_sandbox_mode_sends_nobody_anything_and_says_so(fake: FakeSendGrid) -> None:
    outcomes = a_provider(fake.url, sandbox="yes").send(three(), now=NOW)
    assert {(one.outcome, one.code, one.halt) for one in outcomes} == {("not_sent", "sandbox", True)}
    assert fake.messages == []
    assert json.loads(fake.requests[0].body)["mail_settings"]["sandbox_mode"] == {"enable": True}


def test_those_who_do_not_fit_are_free_to_go_again(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    twice = replace(a_letter(5), address="p1@example.com")
    left = [a_letter(1), twice, a_letter(2)]
    outcomes = sendgrid.send(left, now=NOW)
    assert [(one.outcome, one.free) for one in outcomes] == [("accepted", False), ("not_sent", True), ("accepted", False)]
    assert sendgrid.send([twice], now=NOW)[0].outcome == "accepted"
    assert len(fake.requests) == 2


def test_somebody_too_heavy_for_a_batch_is_set_aside(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    heavy = a_letter(2, values=("Z", "é" * 6000, "l", "b", "x", "l", "r"))
    assert [one.outcome for one in sendgrid.send([a_letter(1), heavy], now=NOW)] == ["accepted", "not_sent"]
    assert (
        sendgrid.send([heavy, a_letter(3, values=("Z", "à" * 6000, "l", "b", "x", "l", "r"))], now=NOW)[0].outcome == "accepted"
    )
    assert max(len(message.text) for message in fake.messages) > 6000


def test_a_defect_while_the_request_is_written_is_found_by_halving(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    broken = replace(a_letter(2), fills=("too few",))
    assert {(one.outcome, one.halve, one.free) for one in sendgrid.send([a_letter(1), broken], now=NOW)} == {
        ("not_sent", True, True)
    }
    assert sendgrid.send([broken], now=NOW)[0].outcome == "rejected"
    assert fake.connections == 0


# --- the official client, tamed -----------------------------------------------------------------------------------------------
def test_its_times_are_ours(fake: FakeSendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float | None, float | None]] = []
    real = client._Plain.send

    def spy(self: Any, data: Any) -> Any:
        found = real(self, data)
        seen.append((self.timeout, self.sock.gettimeout()))
        return found

    monkeypatch.setattr(client._Plain, "send", spy)
    a_provider(fake.url, connect_timeout="3 seconds", read_timeout="7 seconds").send(three(), now=NOW)
    assert set(seen) == {(3.0, 7.0)}


def test_every_segment_of_a_path_is_our_client(sendgrid: SendGrid) -> None:
    found = sendgrid.api().client
    for segment in ("user", "webhooks", "event", "settings", "all"):
        found = getattr(found, segment)
        assert type(found) is client._Client
    assert type(found.version(3)) is client._Client


def test_one_client_a_thread(sendgrid: SendGrid) -> None:
    found: list[Any] = [sendgrid.api()]
    thread = threading.Thread(target=lambda: found.append(sendgrid.api()))
    thread.start()
    thread.join()
    assert found[0] is not found[1]
    assert sendgrid.api() is found[0]


def test_several_calls_at_a_time_keep_apart(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    calls = [[a_letter(100 * k + n) for n in range(20)] for k in range(6)]
    outcomes: dict[int, list[Any]] = {}
    threads = [threading.Thread(target=lambda k=k: outcomes.update({k: sendgrid.send(calls[k], now=NOW)})) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.outcome for found in outcomes.values() for one in found} == {"accepted"}
    assert len({found[0].ref for found in outcomes.values()}) == 6
    assert sorted(message.to for message in fake.messages) == sorted(one.address for call in calls for one in call)


@pytest.mark.guards("quiet_clients")
def test_no_log_at_any_level_carries_the_key_or_a_letter(fake: FakeSendGrid, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sendgrid = a_provider(fake.url)
    sendgrid.send(three(), now=NOW)
    fake.behave("refuse", status=400, body=errors("from.email"))
    sendgrid.send(three(), now=NOW)
    sendgrid.check(online=True)
    said = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    for secret in (API_KEY, "Bearer", "Zoé", "p1@example.com"):
        assert secret not in said


def test_nothing_of_the_provider_shows_the_key(sendgrid: SendGrid) -> None:
    assert API_KEY not in f"{sendgrid!r} {sendgrid.wishes!r} {sendgrid.account} {vars(sendgrid)!r}"
    assert sendgrid.account == a_provider(sendgrid.wishes.base.url).account


def test_connections_are_closed_behind_every_call(fake: FakeSendGrid, sendgrid: SendGrid) -> None:
    for behaviour in ("answer", "lose", "half", "garbage", "length"):
        fake.behave(behaviour, times=1)
        sendgrid.send(three(), now=NOW)
    gc.collect()  # a socket left open is a ResourceWarning, and warnings are errors here


def test_the_body_is_written_in_two_so_that_a_kill_can_fall_between(
    fake: FakeSendGrid, sendgrid: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[str] = []
    monkeypatch.setattr(client.faults, "point", passed.append)
    sendgrid.send(three(), now=NOW)
    assert passed == ["F08", "F09"]


def test_without_event_webhook_and_without_leave_batches_shrink_to_one(fake: FakeSendGrid) -> None:
    assert a_provider(fake.url, allow_blind_batches="no").batch == 1
    assert a_provider(fake.url, allow_blind_batches="no", event_webhook_keys=[fake.public_key]).batch == 500
    assert a_provider(fake.url).batch == 500


def test_what_dispatch_asks_of_a_provider_is_there(sendgrid: SendGrid) -> None:
    assert (sendgrid.name, sendgrid.channels, sendgrid.in_flight, sendgrid.repeatable, sendgrid.one_request) == (
        "sendgrid",
        ("email",),
        4,
        False,
        True,
    )
    assert sendgrid.read_timeout == 5.0
    assert not sendgrid.alone(a_letter(1))
    assert provider.SendGrid.alone(replace(a_letter(1), pieces=None))
