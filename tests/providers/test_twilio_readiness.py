"""What doctor and a live start are told of Twilio, and what settings are refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio
from twilio_values import PUBLIC, a_hearing, a_project, a_provider, close_all

from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Ready
from omnicli.providers.twilio.carrier import Twilio
from omnicli.providers.twilio.readiness import Wanted

SERVICE = "MG" + "1f" * 16


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    with FakeTwilio() as running:
        yield running
        close_all()


def checked(provider: Twilio, *, online: bool = True) -> dict[str, Ready]:
    return {one.name: one for one in provider.check(online=online)}


def test_a_good_account_is_said_to_be_good(fake: FakeTwilio) -> None:
    fake.numbers = [
        {
            "sid": "PN" + "0" * 32,
            "phone_number": "+15555550100",
            "sms_url": f"{PUBLIC}/webhooks/twilio/inbound",
            "account_sid": ACCOUNT,
        }
    ]
    found = checked(a_provider(fake.url))
    assert set(found) == {"callbacks", "signature", "account", "inbound +15555550100"}
    assert all(one.ok for one in found.values())


def test_offline_nobody_is_asked(fake: FakeTwilio) -> None:
    assert set(checked(a_provider(fake.url), online=False)) == {"callbacks", "signature"}
    assert fake.connections == 0


def test_what_is_missing_says_what_mends_it(fake: FakeTwilio) -> None:
    found = checked(a_provider(fake.url, project=a_project(public_url=None)), online=False)
    assert found["callbacks"].ok is False
    assert "public_url" in (found["callbacks"].fix or "")
    found = checked(a_provider(fake.url, auth_token=None, api_key="SK1", api_secret="s"), online=False)
    assert found["signature"].ok is False


def test_a_wrong_token_is_said_once_and_nothing_more_is_asked(fake: FakeTwilio) -> None:
    found = checked(a_provider(fake.url, auth_token="wrong"))
    assert found["account"].ok is False
    assert "20003" in found["account"].seen
    assert len(fake.requests) == 1


def test_numbers_and_services_must_tell_us_what_people_write(fake: FakeTwilio) -> None:
    fake.numbers = [
        {
            "sid": "PN" + "0" * 32,
            "phone_number": "+15555550100",
            "sms_url": "https://demo.twilio.com/welcome",
            "account_sid": ACCOUNT,
        }
    ]
    found = checked(a_provider(fake.url))["inbound +15555550100"]
    assert (found.ok, found.fix) == (False, f"let it call {PUBLIC}/webhooks/twilio/inbound")
    fake.services[SERVICE] = {"sid": SERVICE, "account_sid": ACCOUNT, "friendly_name": "Lune", "inbound_request_url": None}
    found = checked(a_provider(fake.url, messaging_service=SERVICE))["inbound messaging_service"]
    assert (found.ok, found.seen) == (False, "answers go nowhere")
    assert checked(a_provider(fake.url, messaging_service="MG" + "2f" * 16))["messaging_service"].ok is False


def test_every_template_that_a_campaign_names_is_looked_at(fake: FakeTwilio) -> None:
    for n, (name, status, language) in enumerate(
        [("good", "approved", "fr"), ("slow", "pending", "fr"), ("english", "approved", "en"), ("never", "", "fr")]
    ):
        sid = "HX" + f"{n:032x}"
        fake.contents[sid] = {"sid": sid, "friendly_name": name, "language": language, "variables": {"1": "x"}, "types": {}}
        fake.approvals[sid] = {"name": name, "status": status} if status else {}
    provider = a_provider(fake.url)
    provider.wanted = tuple(
        Wanted("bienvenue", "offre", "fr/tu", name) for name in ("good", "slow", "english", "never", "nowhere")
    )
    said = [(one.ok, one.seen) for one in provider.check(online=True) if one.name.startswith("bienvenue")]
    assert said == [
        (True, "good: approved, 1 value"), (False, "slow: pending"), (False, "english is in 'en'"), (False, "never: never handed in"),
        (False, "no template nowhere"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("channel", "declared", "more", "seen"),
    [
        ("sms", {}, {}, "there is none"), ("sms", {"from": "LUNE"}, {}, None), ("sms", {"from": "36180"}, {}, None), ("sms", {}, {"messaging_service": SERVICE}, None),
        ("sms", {"from": "Maison Lune Paris"}, {}, "cannot be one"), ("sms", {"from": "Lune!"}, {}, "cannot be one"), ("whatsapp", {"from": "LUNE"}, {}, "cannot be one"),
        ("voice", {"from": "LUNE"}, {}, "cannot be one"), ("voice", {"from": "+33162000000"}, {}, None), ("voice", {}, {"messaging_service": SERVICE}, "there is none"),
    ],
)  # fmt: skip
def test_a_channel_without_a_fitting_sender_is_named_before_anything_is_sent(
    channel: str, declared: dict[str, Any], more: dict[str, Any], seen: str | None
) -> None:
    project = a_project(channels={channel: {"provider": "twilio", **declared}})
    found = checked(a_provider("http://127.0.0.1:9", project=project, **more), online=False).get(f"sender {channel}")
    assert (found is None) == (seen is None)
    assert found is None or (
        found.ok is False and seen is not None and seen in found.seen and found.fix == f"channels.{channel}.from"
    )


def test_a_machine_that_could_not_hear_an_objection_is_named() -> None:
    project = a_project(public_url=None, channels={"voice": {"provider": "twilio", "from": "+33162000000"}})
    found = checked(a_provider("http://127.0.0.1:9", project=project), online=False)["sender voice"]
    assert (found.ok, found.fix) == (False, "public_url")


def test_what_campaigns_name_is_learnt_from_them(fake: FakeTwilio) -> None:
    from types import SimpleNamespace

    provider = a_provider(fake.url)
    provider.expect({"b": SimpleNamespace(messages={"offre": SimpleNamespace(approved={"fr/tu": "x", "en": "y"})})})  # type: ignore[dict-item]
    assert [(one.key, one.template) for one in provider.wanted] == [("fr/tu", "x"), ("en", "y")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"account_sid": "AC1"}, "account_sid"), ({"account_sid": None}, "account_sid"), ({"auth_token": None}, "auth_token"),
        ({"messaging_service": "MG1"}, "messaging_service"), ({"in_flight": "none"}, "in_flight"), ({"read_timeout": "soon"}, "read_timeout"),
        ({"opt_out_key": "12"}, "opt_out_key"), ({"answers": "nobody"}, "answers"), ({"base_url": {"lookup": "https://x.example"}}, "base_url"),
        ({"base_url": "https://x.example"}, "base_url"), ({"base_url": {"api": "http://x.example"}}, "base_url.api"), ({"acount_sid": "x"}, "acount_sid"),
    ],
)  # fmt: skip
def test_a_setting_that_is_missing_or_odd_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OmniError) as refused:
        a_provider("https://api.example", **changes)
    assert said in refused.value.message
    assert refused.value.exit == Exit.REFUSED
    assert TOKEN not in str(refused.value)


def test_a_host_with_an_underscore_is_refused_for_twilio_never_calls_it() -> None:
    with pytest.raises(OmniError, match="underscore"):
        a_hearing(project=a_project(public_url="https://my_host.example.org"))


def test_a_moved_address_is_known_to_be_moved(fake: FakeTwilio) -> None:
    assert a_provider(fake.url).account_settings.overridden["api.twilio.com"] == fake.url
