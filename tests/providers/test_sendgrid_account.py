"""Settings, what `doctor` and a live start ask, lists of bars, and the account's own records of doubtful touches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fake_sendgrid import FakeSendGrid
from sendgrid_values import API_KEY, KEY, NOW, a_provider
from test_sendgrid_hearing import OLD, PRIVATE, shown

from omnicli.errors import Exit, OmniError
from omnicli.model.signed import mark
from omnicli.model.touch import Doubtful, Evidence, Ready
from omnicli.providers import BUILT_IN, HEARINGS
from omnicli.providers.sendgrid import open_hearing, open_sendgrid
from omnicli.providers.sendgrid.wishes import EU_HOST, HOST, VARIABLE, read
from omnicli.settings import Secret


@pytest.fixture
def fake() -> Iterator[FakeSendGrid]:
    with FakeSendGrid(key=API_KEY) as one:
        yield one


# --- settings -----------------------------------------------------------------------------------------------------------------
def test_sendgrid_is_one_of_the_built_in_providers() -> None:
    assert "sendgrid" in BUILT_IN
    assert "sendgrid" in HEARINGS


def test_the_usual_settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    w = open_sendgrid(None, {"api_key": Secret("SG.x")}, tmp_path, live=True).wishes
    assert (w.base.url, w.base.overridden, w.batch, w.in_flight, w.connect_timeout, w.read_timeout) == (
        HOST,
        False,
        500,
        4,
        5.0,
        60.0,
    )
    assert (w.tracking, w.sandbox, w.bypass_unsubscribe, w.email_activity, w.blind) == ("own", False, False, False, True)


def test_europe_has_a_host_of_its_own_which_is_no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    base = read({"api_key": Secret("x"), "base_url": EU_HOST}).base
    assert (base.url, base.overridden) == (EU_HOST, False)


def test_the_environment_names_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:9999/")
    base = read({"api_key": Secret("x"), "base_url": EU_HOST}).base
    assert (base.url, base.overridden) == ("http://127.0.0.1:9999", True)


@pytest.mark.parametrize(("settings", "words"), [
    ({"bacth": 5}, "batch"), ({"batch": 0}, "1 to 1000"), ({"batch": 1001}, "1 to 1000"), ({"batch": "many"}, "1 to 1000"), ({"in_flight": 0}, "in_flight"),
    ({"connect_timeout": "soon"}, "duration"), ({"tracking": "both"}, "own or provider"), ({"sandbox": "perhaps"}, "yes or no"),
    ({"event_webhook_keys": ["no key"]}, "public key"), ({"event_webhook_keys": {"a": 1}}, "list"), ({"asm_groups": {"news": "x"}}, "news"),
    ({"asm_groups": ["news"]}, "topics"), ({"ip_pool": "a"}, "2 to 64"), ({"base_url": "http://example.com"}, "https"), ({"inbound_domain": "a b"}, "domain"),
    ({"event_webhook_keys": ["${OMNI_TEST_NO_SUCH_KEY}"]}, "OMNI_TEST_NO_SUCH_KEY"),
])  # fmt: skip
def test_a_wrong_setting_is_named(settings: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(OmniError) as refused:
        read({"api_key": Secret("x"), **settings})
    assert words in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.exit == Exit.REFUSED


def test_sending_needs_a_key_and_hearing_does_not(tmp_path: Any) -> None:
    with pytest.raises(OmniError, match="API key"):
        open_sendgrid(None, {}, tmp_path, live=True)
    assert open_hearing(None, {"event_webhook_keys": [shown(PRIVATE)]}, {1: KEY}, live=True).paths == (
        "/webhooks/sendgrid",
        "/webhooks/sendgrid/inbound",
    )


def test_keys_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_TEST_WEBHOOK_KEY", shown(PRIVATE))
    assert read({"api_key": Secret("x"), "event_webhook_keys": ["${OMNI_TEST_WEBHOOK_KEY}", shown(OLD)]}).event_keys == (
        shown(PRIVATE),
        shown(OLD),
    )


# --- ready? -------------------------------------------------------------------------------------------------------------------
PROJECT = SimpleNamespace(
    topics={"news": None}, public_url="https://omni.example", environments={},
    channels={"email": SimpleNamespace(from_="Maison Lune <hello@example.com>")},
)  # fmt: skip
GOOD = {"enabled": True, "url": "https://omni.example/webhooks/sendgrid", "public_key": shown(PRIVATE),
        **dict.fromkeys(("processed", "deferred", "delivered", "bounce", "dropped", "spam_report", "unsubscribe", "group_unsubscribe"), True)}  # fmt: skip


def asked(fake: FakeSendGrid, *, online: bool = False, project: Any = PROJECT, **settings: Any) -> dict[str, Ready]:
    given = {"event_webhook_keys": [shown(PRIVATE)], "asm_groups": {"news": 77}, **settings}
    return {one.name: one for one in a_provider(fake.url, project=project, **given).check(online=online)}


def test_offline_the_settings_are_looked_at_and_no_socket_is_opened(fake: FakeSendGrid) -> None:
    assert {name: one.ok for name, one in asked(fake).items()} == {
        "key": True,
        "sandbox": True,
        "batch": True,
        "asm_groups": True,
    }
    assert fake.connections == 0


@pytest.mark.parametrize(("settings", "name"), [({"sandbox": "yes"}, "sandbox"), ({"event_webhook_keys": [], "allow_blind_batches": "no"}, "batch"),
                                                ({"asm_groups": {"nwes": 5}}, "asm_groups")])  # fmt: skip
def test_a_live_start_has_a_reason_to_refuse(settings: dict[str, Any], name: str, fake: FakeSendGrid) -> None:
    found = asked(fake, **settings)[name]
    assert found.ok is False
    assert found.fix


def test_online_the_account_is_asked_and_nobody_gets_a_mail(fake: FakeSendGrid) -> None:
    fake.settings["/v3/user/webhooks/event/settings/all"] = {"webhooks": [{"url": "https://other.example"}, GOOD]}
    fake.lists["/v3/asm/groups"] = [{"id": 77, "name": "News"}]
    found = asked(fake, online=True)
    assert {name: one.ok for name, one in found.items() if one.ok is not True} == {}
    assert {"mail/send", "webhook", "signature", "unsubscribe groups"} <= set(found)
    assert fake.messages == []


@pytest.mark.parametrize(("webhooks", "name"), [
    ([], "webhook"), ([{**GOOD, "url": "https://omni.example/elsewhere"}], "webhook"), ([{**GOOD, "enabled": False}], "webhook"),
    ([{**GOOD, "spam_report": False}], "webhook"), ([{**GOOD, "public_key": None}], "signature"), ([{**GOOD, "public_key": shown(OLD)}], "signature"),
])  # fmt: skip
def test_a_webhook_that_is_not_as_it_must_be_is_seen(webhooks: list[Any], name: str, fake: FakeSendGrid) -> None:
    fake.settings["/v3/user/webhooks/event/settings/all"] = {"webhooks": webhooks}
    assert asked(fake, online=True)[name].ok is False


@pytest.mark.parametrize("webhooks", [None, [], {"webhooks": None}, {"webhooks": [1, None]}, "x"])
def test_answers_of_another_shape_are_no_exception(webhooks: Any, fake: FakeSendGrid) -> None:
    fake.settings["/v3/user/webhooks/event/settings/all"] = webhooks
    assert asked(fake, online=True)["webhook"].ok is False


@pytest.mark.parametrize(
    ("behaviour", "options"),
    [("refuse", {"status": 401}), ("refuse", {"status": 403}), ("lose", {}), ("refuse", {"status": 500})],
)
def test_a_key_that_does_not_open_is_seen(behaviour: str, options: dict[str, Any], fake: FakeSendGrid) -> None:
    fake.behave(behaviour, on="any", **options)
    found = asked(fake, online=True)
    assert [found[name].ok for name in ("mail/send", "webhook", "unsubscribe groups")] == [False, False, False]
    assert API_KEY not in repr(found)


def test_without_a_sender_or_a_public_address_nothing_is_invented(fake: FakeSendGrid) -> None:
    bare = SimpleNamespace(topics={}, public_url=None, environments={}, channels={})
    found = asked(fake, online=True, project=bare, asm_groups={})
    assert found["mail/send"].ok is None
    assert found["webhook"].ok is False  # keys without an address at which anybody could post


# --- lists --------------------------------------------------------------------------------------------------------------------
def test_every_list_is_pulled_page_by_page_and_says_what_it_bars(fake: FakeSendGrid) -> None:
    seconds = int(NOW.timestamp())
    rows = [{"created": seconds, "email": f"b{n}@example.com", "reason": "550 no", "status": "5.1.1"} for n in range(1203)]
    fake.lists["/v3/suppression/bounces"] = rows
    fake.lists["/v3/suppression/spam_reports"] = [{"created": seconds, "email": "c@example.com", "ip": "192.0.2.1"}]
    fake.lists["/v3/suppression/unsubscribes"] = [{"created": seconds, "email": "u@example.com"}]
    fake.lists["/v3/suppression/invalid_emails"] = [{"created": seconds, "email": "i@example.com", "reason": "Mail domain"}]
    fake.lists["/v3/asm/groups/77/suppressions"] = ["g@example.com"]
    found = list(a_provider(fake.url, asm_groups={"news": 77}).lists())
    said = {(r.response.name, r.response.address): dict(r.response.payload) for r in found if r.response}
    assert len(found) == len({r.key for r in found}) == 1207
    assert said["bounced", "b7@example.com"] == {"kind": "hard", "code": "5.1.1", "reason": "550 no"}
    assert said["bounced", "i@example.com"] == {"kind": "hard", "code": "invalid", "reason": "Mail domain"}
    assert said["complained", "c@example.com"] == {}
    assert said["unsubscribed", "u@example.com"] == {"scope": "everything"}
    assert said["unsubscribed", "g@example.com"] == {"topic": "news"}
    assert all(request.method == "GET" for request in fake.requests)  # pulling only ever adds


def test_pulling_again_gives_the_same_keys_and_since_is_asked_of_the_provider(fake: FakeSendGrid) -> None:
    old, new = int((NOW - timedelta(days=9)).timestamp()), int(NOW.timestamp())
    fake.lists["/v3/suppression/bounces"] = [
        {"created": old, "email": "a@example.com"},
        {"created": new, "email": "b@example.com"},
    ]
    provider = a_provider(fake.url)
    assert [r.key for r in provider.lists()] == [r.key for r in provider.lists()]
    assert [r.response.address for r in provider.lists(NOW - timedelta(days=1)) if r.response] == ["b@example.com"]


def test_rows_of_another_shape_are_left_out(fake: FakeSendGrid) -> None:
    fake.lists["/v3/suppression/bounces"] = [None, 1, {}, {"email": 5}, {"email": "a@example.com", "created": True}]
    (only,) = a_provider(fake.url).lists()
    assert only.response is not None
    assert only.response.address == "a@example.com"


def test_a_list_that_may_not_be_read_says_so(fake: FakeSendGrid) -> None:
    fake.behave("refuse", on="any", status=403)
    with pytest.raises(OmniError, match="suppression/bounces") as refused:
        list(a_provider(fake.url).lists())
    assert refused.value.hint


# --- records of doubtful touches ------------------------------------------------------------------------------------------------
def doubtful(address: str | None = "p1@example.com") -> Doubtful:
    return Doubtful("0" * 29 + "abc", 2, "email", NOW, address, parts={"subject": "s"})


def test_without_the_add_on_nothing_can_be_asked(fake: FakeSendGrid) -> None:
    assert a_provider(fake.url).reconcile([doubtful()], now=NOW) == [None]
    assert fake.connections == 0


def test_email_activity_counts_only_what_carries_our_id(fake: FakeSendGrid) -> None:
    provider = a_provider(fake.url, email_activity="yes")
    ours = mark(KEY, "0" * 29 + "abc", 2)
    fake.lists["/v3/messages"] = [{"msg_id": "one.recvd-1", "subject": "s"}, {"msg_id": "two.recvd-1", "subject": "s"}]
    fake.settings["/v3/messages/one.recvd-1"] = {"unique_args": {"omni": ours}}
    fake.settings["/v3/messages/two.recvd-1"] = {"unique_args": {"omni": mark(KEY, "0" * 29 + "abc", 1)}}
    assert provider.reconcile([doubtful()], now=NOW) == [Evidence(1, "one", "email activity: 1 of 2")]
    fake.lists["/v3/messages"] = []
    assert provider.reconcile([doubtful()], now=NOW)[0] == Evidence(0, None, "email activity: 0 of 0")


@pytest.mark.parametrize("address", [None, 'a"b@example.com'])
def test_an_address_that_cannot_be_asked_about_is_not(address: str | None, fake: FakeSendGrid) -> None:
    assert a_provider(fake.url, email_activity="yes").reconcile([doubtful(address)], now=NOW) == [None]


@pytest.mark.parametrize(("behaviour", "options"), [("refuse", {"status": 403}), ("lose", {}), ("garbage", {})])
def test_no_answer_is_no_evidence(behaviour: str, options: dict[str, Any], fake: FakeSendGrid) -> None:
    fake.behave(behaviour, on="any", **options)
    assert a_provider(fake.url, email_activity="yes").reconcile([doubtful()], now=NOW) == [None]
