"""Outgoing webhooks on loopback: signed, told apart by one key, called once, and only a whole answer is an answer."""

from __future__ import annotations

import hashlib
import hmac
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_receiver import FakeReceiver

from omnicli.campaignfile import load_project
from omnicli.errors import OmniError
from omnicli.model.touch import Handed, Outcome, Rendered
from omnicli.providers.webhook import Target, Webhooks, classify, open_webhooks, signature
from omnicli.settings import Secret

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
TOUCH = "7c" * 16
BODY = '{"campaign": "bienvenue", "contact": "lea", "prénom": "Léa"}'
HANDED = Handed(TOUCH, 2, "webhook", "bienvenue", "crm", "crm", "lea", "Léa", "fr", None, Rendered("webhook", {"body": BODY}), NOW,
                extra={"webhook": "crm"})  # fmt: skip


@pytest.fixture
def fake() -> Iterator[FakeReceiver]:
    with FakeReceiver() as found:
        yield found


def hooks(fake: FakeReceiver, **changes: Any) -> Webhooks:
    return Webhooks({"crm": replace(Target(f"{fake.url}/hook?a=1", Secret("hunter2"), 1.0, False), **changes)})


def called(fake: FakeReceiver, handed: Handed = HANDED, **changes: Any) -> Outcome:
    return hooks(fake, **changes).send([handed], now=NOW)[0]


def test_a_receiver_can_tell_who_called_and_that_nothing_was_changed(fake: FakeReceiver) -> None:
    """What docs say a receiver does: HMAC-SHA256 over `t`, a dot and the body's bytes."""
    assert called(fake).outcome == "accepted"
    (request,) = fake.requests
    stamp, _, given = request.headers["omni-signature"].partition(",v1=")
    seconds = stamp.removeprefix("t=")
    assert int(seconds) == int(NOW.timestamp())
    assert given == hmac.new(b"hunter2", f"{seconds}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.body == BODY.encode()
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert (request.method, request.path, request.query) == ("POST", "/hook", {"a": ["1"]})


def test_a_signature_is_of_its_secret_its_body_and_its_second() -> None:
    good = signature("a", b"{}", at=5)
    assert len({good, signature("b", b"{}", at=5), signature("a", b"[]", at=5), signature("a", b"{}", at=6)}) == 4
    assert signature("a", b"{}", at=5) == good


def test_without_a_secret_nothing_is_signed(fake: FakeReceiver) -> None:
    called(fake, secret=None)
    assert "omni-signature" not in fake.requests[0].headers


def test_the_key_names_touch_and_attempt_and_stays_when_an_unknown_call_is_made_again(fake: FakeReceiver) -> None:
    again = replace(HANDED, attempt=3, extra={"webhook": "crm", "idempotency_key": f"{TOUCH}.2"})
    fake.idempotent = True
    fake.behave("lose", times=1)
    assert called(fake).outcome == "unknown"
    assert called(fake, again).outcome == "accepted"
    assert [request.headers["idempotency-key"] for request in fake.requests] == [f"{TOUCH}.2"] * 2
    assert len(fake.log) == 1
    assert (hooks(fake).idempotent("crm"), hooks(fake, idempotent=True).idempotent("crm"), hooks(fake).idempotent("x")) == (
        False,
        True,
        False,
    )


MEANINGS = [
    ({"what": "refuse", "status": 400}, "rejected", False), ({"what": "refuse", "status": 404}, "rejected", False),
    ({"what": "refuse", "status": 410}, "rejected", False), ({"what": "refuse", "status": 422}, "rejected", False),
    ({"what": "refuse", "status": 401}, "not_sent", True), ({"what": "refuse", "status": 403}, "not_sent", True),
    ({"what": "refuse", "status": 408}, "unknown", False), ({"what": "refuse", "status": 429}, "not_sent", False),
    ({"what": "refuse", "status": 500}, "unknown", False), ({"what": "refuse", "status": 502}, "unknown", False),
    ({"what": "refuse", "status": 504}, "unknown", False), ({"what": "redirect"}, "not_sent", True),
    ({"what": "redirect", "status": 307}, "not_sent", True), ({"what": "lose"}, "unknown", False), ({"what": "half"}, "unknown", False),
    ({"what": "garbage"}, "unknown", False), ({"what": "length"}, "unknown", False), ({"what": "drop"}, "unknown", False),
    ({"what": "drop", "at": "connect"}, "unknown", False), ({"what": "twice"}, "accepted", False), ({"what": "answer"}, "accepted", False),
]  # fmt: skip


@pytest.mark.guards("whole_answer")
@pytest.mark.parametrize(("does", "outcome", "halt"), MEANINGS)
def test_what_an_answer_means(fake: FakeReceiver, does: dict[str, Any], outcome: str, halt: bool) -> None:
    fake.behave(**does)
    found = called(fake)
    assert (found.outcome, found.halt) == (outcome, halt), found
    assert fake.connections == 1
    assert len(fake.requests) <= 1


@pytest.mark.parametrize("does", [{"what": "hold"}, {"what": "ignore"}, {"what": "drip", "seconds": 0.02}])
def test_who_does_not_answer_in_time_leaves_the_call_unknown(fake: FakeReceiver, does: dict[str, Any]) -> None:
    fake.behave(**does)
    found = called(fake, timeout=0.2)
    assert (found.outcome, found.detail) == ("unknown", "timed out")


def test_nobody_there_is_not_sent(fake: FakeReceiver) -> None:
    with FakeReceiver() as gone:
        pass
    assert called(gone).outcome == "not_sent"


def test_where_no_tls_is_spoken_nothing_is_sent() -> None:
    """A handshake that fails is before the connection stood."""
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def talk() -> None:
            wire, _ = plain.accept()
            with wire:
                wire.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                wire.recv(65536)

        thread = threading.Thread(target=talk)
        thread.start()
        target = Target(f"https://127.0.0.1:{plain.getsockname()[1]}/hook", None, 1.0, False)
        assert Webhooks({"crm": target}).send([HANDED], now=NOW)[0].outcome == "not_sent"
        thread.join()


def test_no_proxy_of_the_environment_is_used(fake: FakeReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeReceiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert called(fake).outcome == "accepted"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("said", "wait"),
    [("30", 30), ("Mon, 04 Jan 2027 09:31:00 GMT", 60), ("tomorrow", None), (None, None), ("Mon, 04 Jan 9999999 1", None)],
)
def test_a_receiver_says_when_to_come_again_in_seconds_or_as_a_date(said: str | None, wait: int | None) -> None:
    found = classify(429, said, "k", NOW)
    assert (found.outcome, found.retry_at) == ("not_sent", None if wait is None else NOW + timedelta(seconds=wait))


def test_a_large_answer_is_whole_though_it_is_not_kept(fake: FakeReceiver) -> None:
    fake.behave("refuse", status=200, body="x" * 300_000)
    assert called(fake).outcome == "accepted"


def test_an_unknown_target_is_refused_by_name(fake: FakeReceiver) -> None:
    found = called(fake, replace(HANDED, extra={"webhook": "erp"}))
    assert (found.outcome, found.code) == ("rejected", "target")
    assert "erp" in (found.detail or "")


PROJECT = """\
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {{email: {{provider: smtp}}}}
webhooks: {{crm: {{url: "{url}", secret: "${{CRM}}", timeout: 3 seconds, idempotent: yes}}}}
"""


def test_targets_come_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", "hunter2")
    (tmp_path / "omni.yaml").write_text(PROJECT.format(url="https://crm.example/hook"))
    found = open_webhooks(load_project(tmp_path).project, {}, tmp_path, live=True)
    assert (found.targets["crm"].timeout, found.read_timeout, found.idempotent("crm")) == (3.0, 8.0, True)
    assert "hunter2" not in repr(found)


def test_only_https_leaves_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", "x")
    project = load_project(_written(tmp_path, "https://crm.example/hook")).project
    assert project is not None
    odd = project.model_copy(
        update={"webhooks": {"crm": project.webhooks["crm"].model_copy(update={"url": "http://crm.example/hook"})}}
    )
    with pytest.raises(OmniError) as refused:
        open_webhooks(odd, {}, tmp_path, live=True)
    assert refused.value.code == "K003"


def _written(folder: Path, url: str) -> Path:
    (folder / "omni.yaml").write_text(PROJECT.format(url=url))
    return folder
