"""Web push on loopback: the device opens what was sent, each answer of a push service means one thing, nobody else is called."""

from __future__ import annotations

import builtins
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_push import FakePush

from omnicli.campaignfile import load_project
from omnicli.errors import OmniError
from omnicli.model.touch import Handed, Outcome, Rendered
from omnicli.providers import build
from omnicli.providers.exchange import Answer
from omnicli.providers.push import open_push, provider
from omnicli.providers.push.provider import Push
from omnicli.settings import Secret

vapid = pytest.importorskip("py_vapid")
NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
PARTS = {"title": "Maison Lune", "body": "Léa, votre bougie vous attend : https://go.example/c/TOKEN."}


@pytest.fixture(scope="module")
def key() -> Any:
    found = vapid.Vapid02()
    found.generate_keys()
    return found


@pytest.fixture
def fake() -> Iterator[FakePush]:
    with FakePush() as found:
        yield found


@pytest.fixture
def push(key: Any) -> Push:
    return Push(key, "mailto:bonjour@maisonlune.example", insecure=True, connect_timeout=1, answer_timeout=1)


def a_push(address: str, **changes: Any) -> Handed:
    handed = Handed("7c" * 16, 1, "push", "bienvenue", "j0", "offre", "lea", "Léa", "fr", address, Rendered("push", PARTS), NOW,
                    expires_at=NOW + timedelta(days=3))  # fmt: skip
    return replace(handed, **changes)


def one(push: Push, handed: Handed) -> Outcome:
    return push.send([handed], now=NOW)[0]


def test_a_device_shows_what_was_written(fake: FakePush, push: Push) -> None:
    found = one(push, a_push(fake.subscription("lea")))
    assert (found.outcome, found.ref) == ("accepted", f"{fake.url}/m/1")
    (shown,) = fake.notified
    assert shown.told["title"] == "Maison Lune"
    assert shown.told["body"] == PARTS["body"]
    assert shown.told["url"] == "https://go.example/c/TOKEN"
    assert shown.told["lang"] == "fr"


def test_the_service_is_told_how_long_how_urgent_and_what_takes_its_place(fake: FakePush, push: Push) -> None:
    one(replace(push, ttl=timedelta(hours=4)), a_push(fake.subscription("lea")))
    one(push, a_push(fake.subscription("lea"), purpose="transactional", expires_at=NOW + timedelta(minutes=2), message="code"))
    first, second = (shown.headers for shown in fake.notified)
    assert (first["ttl"], first["urgency"]) == ("14400", "normal")
    assert (second["ttl"], second["urgency"]) == ("120", "high")
    assert len(first["topic"]) == 32
    assert first["topic"] != second["topic"]


def test_the_token_names_the_service_and_us_for_half_a_day(fake: FakePush, push: Push) -> None:
    one(push, a_push(fake.subscription("lea")))
    claims = fake.notified[0].claims
    assert claims == {"aud": fake.url, "sub": "mailto:bonjour@maisonlune.example", "exp": int(NOW.timestamp()) + 12 * 3600}


MEANINGS = [
    # what the service does, outcome, halts, names a dead address
    ({"what": "refuse", "status": 404}, "rejected", False, True),
    ({"what": "refuse", "status": 410}, "rejected", False, True),
    ({"what": "refuse", "status": 400}, "rejected", False, False),
    ({"what": "refuse", "status": 413}, "rejected", False, False),
    ({"what": "refuse", "status": 401}, "not_sent", True, False),
    ({"what": "refuse", "status": 403}, "not_sent", True, False),
    ({"what": "refuse", "status": 429}, "not_sent", False, False),
    ({"what": "refuse", "status": 408}, "unknown", False, False),
    ({"what": "refuse", "status": 500}, "unknown", False, False),
    ({"what": "refuse", "status": 503}, "unknown", False, False),
    ({"what": "redirect"}, "not_sent", True, False),
    ({"what": "lose"}, "unknown", False, False),
    ({"what": "half"}, "unknown", False, False),
    ({"what": "garbage"}, "unknown", False, False),
    ({"what": "length"}, "unknown", False, False),
    ({"what": "drop"}, "unknown", False, False),
]  # fmt: skip


@pytest.mark.parametrize(("does", "outcome", "halt", "bad"), MEANINGS)
def test_what_an_answer_means(fake: FakePush, push: Push, does: dict[str, Any], outcome: str, halt: bool, bad: bool) -> None:
    address = fake.subscription("lea")
    fake.behave(**does)
    found = one(push, a_push(address))
    assert (found.outcome, found.halt, found.bad_address) == (outcome, halt, bad), found
    assert fake.connections == 1
    assert len(fake.requests) <= 1
    if outcome in ("not_sent", "rejected"):
        assert len(fake.log) == 0


def test_a_service_that_drips_is_not_waited_for_longer_than_a_silent_one(fake: FakePush, push: Push) -> None:
    address = fake.subscription("lea")
    fake.behave("drip", seconds=0.05)
    assert one(replace(push, answer_timeout=0.2), a_push(address)).outcome == "unknown"


def test_nobody_there_is_not_sent(push: Push) -> None:
    with FakePush() as gone:
        address = gone.subscription("lea")
    assert one(push, a_push(address)).outcome == "not_sent"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("Mon, 04 Jan 2027 09:32:00 GMT", 120), ("soon", None), ("", None), ("999999999999", 86_400), ("-5", None)],
)
def test_a_service_says_when_to_come_again(said: str, seconds: int | None) -> None:
    found = provider.classify(Answer(429, {"retry-after": said}), "k", NOW)
    assert found.retry_at == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.guards("push_host")
def test_only_known_services_are_called_and_only_by_https(fake: FakePush, push: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_args: Any, **_options: Any) -> None:
        raise AssertionError("a connection")

    subscription = json.loads(fake.subscription("lea"))
    monkeypatch.setattr(socket, "create_connection", nobody)
    careful = replace(push, insecure=False)
    for endpoint in (
        fake.url, "http://fcm.googleapis.com/x", "https://evil.example/fcm.googleapis.com", "https://fcm.googleapis.com.evil.example/x",
        "https://user:word@fcm.googleapis.com/x", "https://fcm.googleapis.com:8443/x", "https://169.254.169.254/latest", "https://localhost/x",
        "https://xfcm.googleapis.com@127.0.0.1/x", "file:///etc/passwd",
    ):  # fmt: skip
        found = one(careful, a_push(json.dumps({**subscription, "endpoint": endpoint})))
        assert found.outcome == "rejected", endpoint
    assert one(push, a_push(json.dumps({**subscription, "endpoint": "http://10.0.0.1/x"}))).code == "endpoint"
    assert careful._may_call("https://updates.push.services.mozilla.com/wpush/v2/x")
    assert replace(careful, hosts=("push.example",))._may_call("https://eu.push.example/x")


@pytest.mark.parametrize(
    "address",
    ["", "token", "[]", "{}", '{"endpoint":"https://fcm.googleapis.com/x"}', '{"endpoint":1,"keys":{"p256dh":"a","auth":"b"}}',
     '{"endpoint":"http://127.0.0.1/x","keys":{"p256dh":"a","auth":"b"}}', '{"endpoint":"https://fcm.googleapis.com/\\r\\nx","keys":{"p256dh":"a","auth":"b"}}'],
)  # fmt: skip
def test_what_is_no_subscription_is_a_dead_address(push: Push, address: str) -> None:
    found = one(push, a_push(address))
    assert (found.outcome, found.bad_address) == ("rejected", True)


def test_a_message_too_large_is_refused_before_it_leaves(fake: FakePush, push: Push) -> None:
    fits = a_push(fake.subscription("lea"), rendered=Rendered("push", {"title": "t", "body": "b" * 3850}))
    over = a_push(fake.subscription("lea"), rendered=Rendered("push", {"title": "t", "body": "é" * 2100}))
    assert one(push, fits).outcome == "accepted"
    assert one(push, over).code == "size"
    assert len(fake.requests) == 1
    assert len(fake.requests[0].body) <= 4096


def test_what_is_over_is_not_sent(fake: FakePush, push: Push) -> None:
    assert one(push, a_push(fake.subscription("lea"), expires_at=NOW)).code == "expired"
    assert fake.requests == []


# --- settings -------------------------------------------------------------------------------------------------------
PROJECT = """\
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {push: {provider: push, ttl: 6 hours}}
"""


def test_a_project_opens_it_with_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: Any) -> None:
    monkeypatch.setenv("VAPID", key.private_pem().decode())
    (tmp_path / "omni.yaml").write_text(
        PROJECT + 'providers: {push: {vapid_private_key: "${VAPID}", vapid_subject: "mailto:a@example.org"}}\n'
    )
    found = build(load_project(tmp_path), live=True)["push"]
    assert isinstance(found, Push)
    assert (found.ttl, found.subject, found.insecure, found.in_flight) == (timedelta(hours=6), "mailto:a@example.org", False, 16)
    assert provider.public_key(found.key) == provider.public_key(key)
    assert found.check(online=False)[0].ok


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"vapid_subject": "mailto:a@b.example"}, "vapid_private_key is missing"),
        ({"vapid_subject": "a@b.example", "vapid_private_key": "x"}, "vapid_subject is mailto"),
        ({"vapid_subject": "mailto:a@b.example", "vapid_private_key": Secret("hunter2")}, "is no VAPID key"),
        ({"vapid_subject": "mailto:a@b.example", "vapid_private_key": "nowhere.pem"}, "is no VAPID key"),
        ({"vapid_subjct": "mailto:a@b.example"}, "Did you mean 'vapid_subject'"),
    ],
)
def test_a_setting_that_is_missing_or_odd_is_named(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    (tmp_path / "omni.yaml").write_text(PROJECT)
    with pytest.raises(OmniError) as refused:
        open_push(load_project(tmp_path).project, settings, tmp_path, live=True)
    assert said in refused.value.message
    assert "hunter2" not in str(refused.value)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        if name.startswith("py_vapid"):
            raise ImportError(name)
        return real(name, *more, **options)

    (tmp_path / "omni.yaml").write_text(PROJECT)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OmniError) as refused:
        open_push(
            load_project(tmp_path).project, {"vapid_subject": "mailto:a@b.example", "vapid_private_key": "x"}, tmp_path, live=True
        )
    assert "omni-campaigns[push]" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "endpoint",
    ["https://fcm.googleapis.com:99999/x", "https://fcm.googleapis.com:abc/x", "https://fcm.googleapis.com:/x", "https://[::1]:1/x",
     "https://fcm.googleapis.com:0/x", "https://[fcm.googleapis.com/x"],
)  # fmt: skip
def test_a_subscription_that_a_stranger_made_up_is_refused_and_raises_nothing(fake: FakePush, push: Push, endpoint: str) -> None:
    """What raises counts as unknown, and some unknown calls in a row shut the account for everybody."""
    address = json.dumps({**json.loads(fake.subscription("eve")), "endpoint": endpoint})
    found = one(push, a_push(address))
    assert (found.outcome, found.code) == ("rejected", "subscription")
