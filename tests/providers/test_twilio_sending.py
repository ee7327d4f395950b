"""What goes to Twilio, once each; and what every end of that one request means for the touch."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fake_twilio import FakeTwilio
from twilio_values import LEA, MARK, NOW, PUBLIC, US, a_call, a_project, a_provider, a_whatsapp, an_sms, close_all

from omnicli.model.touch import Handed, Outcome, Rendered
from omnicli.providers.twilio.carrier import Twilio
from omnicli.providers.twilio.wire import ForeignHost


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    with FakeTwilio() as running:
        yield running
        close_all()


def sent(fake: FakeTwilio, one: Handed, **changes: Any) -> Outcome:
    provider = a_provider(fake.url, **changes)
    try:
        return provider.send([one], now=NOW)[0]
    finally:
        provider.close()


def form(fake: FakeTwilio) -> dict[str, list[str]]:
    return fake.requests[-1].form


# --- one request, with what belongs into it -------------------------------------------------------------------------
def test_a_text_message_carries_its_words_its_sender_its_end_and_where_to_tell_its_fate(fake: FakeTwilio) -> None:
    outcome = sent(fake, an_sms())
    assert outcome.outcome == "accepted"
    assert outcome.ref in fake.messages
    assert form(fake) == {
        "To": [LEA], "From": [US], "Body": ["Bonjour Léa"], "ValidityPeriod": ["7200"],
        "StatusCallback": [f"{PUBLIC}/webhooks/twilio/status?o={MARK}#rc=3&rp=5xx,ct,rt"],
    }  # fmt: skip
    assert len(fake.requests) == 1


def test_without_a_public_address_no_callback_is_asked_for(fake: FakeTwilio) -> None:
    sent(fake, an_sms(), project=a_project(public_url=None))
    assert "StatusCallback" not in form(fake)


def test_a_messaging_service_sends_for_us_with_our_sender_or_one_of_its_own(fake: FakeTwilio) -> None:
    service = "MG" + "1f" * 16
    assert sent(fake, an_sms(), messaging_service=service).outcome == "accepted"
    assert (form(fake)["MessagingServiceSid"], form(fake)["From"]) == ([service], [US])
    assert sent(fake, an_sms(sender=None), messaging_service=service).outcome == "accepted"
    assert "From" not in form(fake)


def test_without_any_sender_nothing_is_asked_and_the_channel_stops(fake: FakeTwilio) -> None:
    outcome = sent(fake, an_sms(sender=None))
    assert (outcome.outcome, outcome.halt, outcome.halts) == ("not_sent", True, "channel")
    assert fake.requests == []


def test_a_validity_longer_than_twilio_knows_is_left_out_and_a_past_one_sends_nothing(fake: FakeTwilio) -> None:
    sent(fake, an_sms(expires_at=NOW + timedelta(days=3)))
    assert "ValidityPeriod" not in form(fake)
    assert sent(fake, an_sms(expires_at=NOW)).code == "expired"
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "21602"), (" \n", "21602"), ("x" * 1601, "21617"), ("é" * 320, "max_parts"), ("€" * 81 * 2, "max_parts")],
)
def test_what_lint_should_have_caught_is_not_sent(fake: FakeTwilio, text: str, code: str) -> None:
    outcome = sent(fake, an_sms(text))
    assert (outcome.outcome, outcome.code) == ("rejected", code)
    assert fake.requests == []


def test_the_project_may_allow_more_parts(fake: FakeTwilio) -> None:
    project = a_project(channels={"sms": {"provider": "twilio", "from": US, "max_parts": "4"}})
    assert sent(fake, an_sms("é" * 320), project=project).outcome == "accepted"


# --- WhatsApp and Messenger -----------------------------------------------------------------------------------------
def test_inside_the_window_whatsapp_takes_free_words(fake: FakeTwilio) -> None:
    assert sent(fake, a_whatsapp(window_until=NOW + timedelta(seconds=1))).outcome == "accepted"
    assert (form(fake)["To"], form(fake)["From"]) == ([f"whatsapp:{LEA}"], [f"whatsapp:{US}"])
    assert form(fake)["Body"] == ["Bonjour Léa, 20 %"]


@pytest.mark.guards("whatsapp_window")
@pytest.mark.parametrize("until", [None, NOW, NOW - timedelta(hours=1)])
def test_outside_the_window_and_without_a_template_it_is_an_answer_of_no(fake: FakeTwilio, until: Any) -> None:
    for one in (
        a_whatsapp(window_until=until),
        a_whatsapp(channel="messenger", address="7711", window_until=until, approved="HX" + "0" * 32),
    ):
        outcome = sent(fake, one)
        assert (outcome.outcome, outcome.code) == ("rejected", "63016")
    assert fake.requests == []


def test_messenger_takes_free_words_inside_the_window(fake: FakeTwilio) -> None:
    assert (
        sent(fake, a_whatsapp(channel="messenger", address="7711", sender="4242", window_until=NOW + timedelta(hours=1))).outcome
        == "accepted"
    )
    assert (form(fake)["To"], form(fake)["From"]) == (["messenger:7711"], ["messenger:4242"])


def a_template(fake: FakeTwilio, name: str = "offre", *, status: str = "approved", variables: int = 2) -> str:
    sid = "HX" + f"{len(fake.contents):032x}"
    fake.contents[sid] = {"sid": sid, "account_sid": fake.account, "friendly_name": name, "language": "fr",
                          "variables": {str(n + 1): "…" for n in range(variables)}, "types": {"twilio/text": {"body": "…"}}}  # fmt: skip
    fake.approvals[sid] = {"name": name, "status": status}
    return sid


def test_outside_the_window_the_approved_template_goes_with_the_values_in_their_order(fake: FakeTwilio) -> None:
    sid = a_template(fake)
    a_template(fake, status="rejected")  # another of the same name
    provider = a_provider(fake.url)
    outcomes = provider.send([a_whatsapp(approved="offre")] * 2, now=NOW)
    provider.close()
    assert [o.outcome for o in outcomes] == ["accepted", "accepted"]
    assert form(fake)["ContentSid"] == [sid]
    assert json.loads(form(fake)["ContentVariables"][0]) == {"1": "Léa", "2": "20 %"}
    assert "Body" not in form(fake)
    assert [r.method for r in fake.requests] == ["GET", "POST", "POST"]  # the name is looked up once


def test_the_press_says_which_values_a_template_takes(fake: FakeTwilio) -> None:
    a_template(fake, variables=1)
    assert sent(fake, a_whatsapp(approved="offre", extra={"variables": '["Zoé"]'})).outcome == "accepted"
    assert json.loads(form(fake)["ContentVariables"][0]) == {"1": "Zoé"}


@pytest.mark.parametrize(
    ("name", "status", "variables", "outcome", "code", "halts"),
    [
        ("offre", "paused", 2, "rejected", "template", None),
        ("offre", "approved", 3, "not_sent", "63028", "campaign"),
        ("autre", "approved", 2, "not_sent", "template", "campaign"),
    ],
)
def test_a_template_that_cannot_say_it_sends_nothing(
    fake: FakeTwilio, name: str, status: str, variables: int, outcome: str, code: str, halts: str | None
) -> None:
    a_template(fake, status=status, variables=variables)
    found = sent(fake, a_whatsapp(approved=name))
    assert (found.outcome, found.code, found.halts if found.halt else None) == (outcome, code, halts)
    assert [r.method for r in fake.requests] == ["GET"]


def test_a_marketing_template_to_a_number_where_whatsapp_delivers_none_is_not_paid_for(fake: FakeTwilio) -> None:
    american = a_whatsapp(approved="HX" + "b" * 32, address="+12025550123")
    assert sent(fake, american, countries="all").code == "63049"
    assert fake.requests == []
    assert sent(fake, replace(american, purpose="service"), countries="all").outcome == "accepted"
    assert sent(fake, replace(american, address="+14165550123"), countries="all").outcome == "accepted"  # Canada
    assert sent(fake, replace(american, window_until=NOW + timedelta(hours=1)), countries="all").outcome == "accepted"


def test_templates_that_cannot_be_asked_for_mean_that_nothing_was_sent(fake: FakeTwilio) -> None:
    fake.behave("refuse", status=500, on="any")
    assert sent(fake, a_whatsapp(approved="offre")).outcome == "not_sent"
    fake.behave("lose", on="any")
    assert sent(fake, a_whatsapp(approved="offre")).outcome == "not_sent"
    assert not fake.messages


def test_a_long_look_at_the_templates_asks_the_gate_again(fake: FakeTwilio, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnicli.providers.twilio import carrier

    a_template(fake)
    monkeypatch.setattr(carrier, "SLOW", -1.0)
    provider = a_provider(fake.url)
    outcome = provider.send([a_whatsapp(approved="offre")], now=NOW)[0]
    assert (outcome.outcome, outcome.code, outcome.free) == ("not_sent", "late", True)
    monkeypatch.undo()
    assert provider.send([a_whatsapp(approved="offre")], now=NOW)[0].outcome == "accepted"


def test_a_template_by_its_sid_goes_even_when_nobody_can_be_asked(fake: FakeTwilio) -> None:
    fake.behave("refuse", status=503, on="/v1/Content")
    assert sent(fake, a_whatsapp(approved="HX" + "b" * 32)).outcome == "accepted"


# --- where nothing goes to (S19) ------------------------------------------------------------------------------------
@pytest.mark.guards("country_list")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+447700900123", "country"),
        ("+15555550101", "country"),
        ("+33899701234", "premium"),
        ("+447012345678", "premium"),  # a personal number: whoever calls pays as for a premium one
        ("+2396101234", "country"),
        ("pas un", "address"),
    ],
)
def test_countries_that_nobody_declared_and_premium_numbers_cost_no_request(fake: FakeTwilio, number: str, code: str) -> None:
    outcome = sent(fake, an_sms(address=number))
    assert (outcome.outcome, outcome.code) == ("rejected", code)
    assert outcome.bad_address == (code == "address")
    assert fake.requests == []


def test_a_number_of_a_shared_prefix_passes_when_one_of_its_countries_is_declared(fake: FakeTwilio) -> None:
    assert sent(fake, an_sms(address="+15555550101"), countries=["us"]).outcome == "accepted"
    assert sent(fake, an_sms(address="+447700900123"), countries="all").outcome == "accepted"


# --- calls ----------------------------------------------------------------------------------------------------------
def test_a_call_is_one_request_that_hears_every_event_and_detects_machines(fake: FakeTwilio) -> None:
    outcome = sent(fake, a_call())
    assert outcome.ref in fake.calls
    said = form(fake)
    assert said["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
    assert said["MachineDetection"] == ["Enable"]
    assert said["AsyncAmd"] == ["true"]
    assert said["StatusCallback"] == said["AsyncAmdStatusCallback"]
    assert "Url" not in said
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("one", "project", "outcome", "code"),
    [
        (a_call(sender=None), a_project(), "not_sent", "21603"),
        (a_call(), a_project(public_url=None), "not_sent", "public_url"),
        (a_call(" "), a_project(), "rejected", "21602"),
        (a_call("mot " * 1200), a_project(), "rejected", "21617"),
        (a_call(address=None), a_project(), "rejected", "21201"),
    ],
)
def test_a_call_that_cannot_be_made_is_not_asked_for(
    fake: FakeTwilio, one: Handed, project: Any, outcome: str, code: str
) -> None:
    found = sent(fake, one, project=project)
    assert (found.outcome, found.code) == (outcome, code)
    assert fake.requests == []


# --- one request on the wire, whatever happens ----------------------------------------------------------------------
ENDS = [
    # what the stand-in does, with what, outcome
    ("drop", {"at": "connect"}, "unknown"), ("drop", {"at": "headers"}, "unknown"), ("ignore", {}, "unknown"), ("hold", {}, "unknown"),
    ("lose", {}, "unknown"), ("half", {}, "unknown"), ("garbage", {}, "unknown"), ("length", {}, "unknown"),
    ("drip", {"seconds": 0.05}, "unknown"), ("twice", {}, "accepted"), ("delay", {"seconds": 0.05}, "accepted"),
    ("redirect", {"location": "http://127.0.0.1:9/elsewhere"}, "not_sent"),
    ("refuse", {"status": 500}, "unknown"), ("refuse", {"status": 502, "body": b"<html>"}, "unknown"), ("refuse", {"status": 408}, "unknown"),
    ("refuse", {"status": 201, "body": b"{"}, "unknown"), ("refuse", {"status": 201, "body": {"sid": None}}, "unknown"),
    ("refuse", {"status": 200, "body": {"sid": "SM1"}}, "unknown"), ("refuse", {"status": 204, "body": b""}, "unknown"),
    ("refuse", {"status": 401}, "not_sent"), ("refuse", {"status": 403}, "not_sent"), ("refuse", {"status": 429}, "not_sent"),
    ("refuse", {"status": 400, "body": b"no json"}, "rejected"), ("refuse", {"status": 404}, "rejected"),
    ("refuse", {"status": 500, "code": 21211}, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "with_", "outcome"), ENDS, ids=[f"{w}-{v}" for w, v, _ in ENDS])
def test_every_end_of_a_request_has_its_meaning_and_is_no_reason_for_a_second_one(
    fake: FakeTwilio, what: str, with_: dict[str, Any], outcome: str
) -> None:
    fake.behave(what, **with_)
    assert sent(fake, an_sms(), seconds=0.2).outcome == outcome
    assert fake.connections == 1
    assert len(fake.requests) <= 1


def test_an_answer_whose_head_was_cut_off_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut() -> None:
            connection, _ = server.accept()
            with connection:
                while b"Bonjour" not in connection.recv(65536):
                    pass
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Le")

        threading.Thread(target=cut, daemon=True).start()
        provider = a_provider(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert provider.send([an_sms()], now=NOW)[0].outcome == "unknown"


def test_before_the_connection_stands_nothing_was_sent() -> None:
    for url in ("http://127.0.0.1:9", "https://127.0.0.1:9"):
        outcome = a_provider(url).send([an_sms()], now=NOW)[0]
        assert (outcome.outcome, outcome.code) == ("not_sent", "connect")


def test_a_peer_that_speaks_no_tls_has_been_sent_nothing() -> None:
    heard = b""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            nonlocal heard
            connection, _ = server.accept()
            with connection:
                heard = connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        outcome = a_provider(f"https://127.0.0.1:{server.getsockname()[1]}").send([an_sms()], now=NOW)[0]
        thread.join()
    close_all()
    assert outcome.outcome == "not_sent"
    assert b"Bonjour" not in heard


def test_no_proxy_of_the_environment_and_no_region_sees_a_message(fake: FakeTwilio, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "9" * 32)
    assert sent(fake, an_sms()).outcome == "accepted"


def test_a_host_outside_the_map_raises_and_nothing_leaves(fake: FakeTwilio) -> None:
    provider = a_provider(fake.url)
    with pytest.raises(ForeignHost):
        provider.wire.request("GET", "https://lookups.twilio.com/v1/x")
    with pytest.raises(ForeignHost):
        provider.wire.request("GET", "http://api.twilio.com/2010-04-01/x")
    assert fake.connections == 0


def test_connections_are_kept_and_dropped_when_they_idled_too_long(fake: FakeTwilio, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnicli import clock

    provider = a_provider(fake.url)
    assert [o.outcome for o in provider.send([an_sms()] * 3, now=NOW)] == ["accepted"] * 3
    assert fake.connections == 1
    later = clock.monotonic() + 5.1
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    provider.send([an_sms()], now=NOW)
    assert fake.connections == 2
    provider.close()


def test_a_kept_connection_that_died_is_unknown_and_not_asked_again(fake: FakeTwilio) -> None:
    provider = a_provider(fake.url)
    provider.send([an_sms()], now=NOW)
    fake.behave("drop", times=1)
    assert provider.send([an_sms()], now=NOW)[0].outcome == "unknown"
    assert provider.send([an_sms()], now=NOW)[0].outcome == "accepted"
    provider.close()


def test_the_configured_address_may_have_a_path(fake: FakeTwilio) -> None:
    provider = a_provider(f"{fake.url}/omni/twilio")
    provider.send([an_sms()], now=NOW)
    assert fake.requests[-1].path == f"/omni/twilio/2010-04-01/Accounts/{fake.account}/Messages.json"


def test_several_threads_share_one_provider(fake: FakeTwilio) -> None:
    provider = a_provider(fake.url)
    outcomes: list[Outcome] = []
    refused = replace(an_sms(), address="+33639980999")
    fake.codes["+33639980999"] = 21610

    def work(one: Handed) -> None:
        outcomes.extend(provider.send([one] * 5, now=NOW))

    threads = [threading.Thread(target=work, args=(refused if n % 2 else an_sms(),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.close()
    assert sorted(o.outcome for o in outcomes) == ["accepted"] * 15 + ["rejected"] * 15
    assert {o.suppress for o in outcomes if o.outcome == "rejected"} == {"stop"}


@pytest.mark.guards("quiet_clients")
def test_what_the_sdk_logs_names_nobody(fake: FakeTwilio, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sent(fake, an_sms("Bonjour Canari"))
    assert LEA not in caplog.text
    assert "Canari" not in caplog.text


def test_an_account_is_what_breaker_and_rate_know(fake: FakeTwilio) -> None:
    provider: Twilio = a_provider(fake.url, in_flight="3")
    assert (provider.name, provider.account, provider.in_flight, provider.batch, provider.read_timeout) == (
        "twilio",
        fake.account,
        3,
        1,
        2.0,
    )


def test_texts_of_other_media_have_no_part_in_it(fake: FakeTwilio) -> None:
    assert sent(fake, an_sms(rendered=Rendered("sms", {"subject": "x"}))).code == "21602"
