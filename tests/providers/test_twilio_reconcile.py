"""What Twilio's lists say of attempts whose fate nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fake_twilio import FakeTwilio
from twilio_values import LEA, NOW, TOUCH, US, a_call, a_provider, a_whatsapp, an_sms, close_all

from omnicli.model.touch import Doubtful, Evidence


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    with FakeTwilio() as running:
        running.clock = NOW.timestamp
        yield running
        close_all()


def doubt(**changes: Any) -> Doubtful:
    written: dict[str, Any] = {"touch": TOUCH, "attempt": 1, "channel": "sms", "started_at": NOW, "address": LEA, "sender": US,
                               "parts": {"body": "Bonjour Léa"}}  # fmt: skip
    return Doubtful(**(written | changes))


def asked(fake: FakeTwilio, *doubts: Doubtful) -> list[Evidence | None]:
    return a_provider(fake.url).reconcile(doubts, now=NOW + timedelta(minutes=2))


def lost(fake: FakeTwilio, *handed: Any) -> list[str]:
    """Messages that Twilio took and did not answer for."""
    fake.behave("lose")
    assert {o.outcome for o in a_provider(fake.url).send(handed, now=NOW)} == {"unknown"}
    fake.reset()
    return [*fake.messages, *fake.calls]


def test_one_message_that_fits_is_proof_and_names_itself(fake: FakeTwilio) -> None:
    (sid,) = lost(fake, an_sms())
    (found,) = asked(fake, doubt())
    assert found is not None
    assert (found.found, found.ref) == (1, sid)


def test_none_and_several_are_told_apart(fake: FakeTwilio) -> None:
    assert [e.found for e in asked(fake, doubt()) if e] == [0]
    lost(fake, an_sms(), an_sms())
    (found,) = asked(fake, doubt())
    assert found is not None
    assert (found.found, found.ref) == (2, None)


@pytest.mark.parametrize(
    "other",
    [
        {"address": "+33639980002"}, {"parts": {"body": "Autre chose"}}, {"started_at": NOW - timedelta(minutes=11)},
        {"started_at": NOW + timedelta(minutes=11)}, {"sender": "+15555550199"}, {"channel": "whatsapp"},
    ],
)  # fmt: skip
def test_another_person_other_words_another_time_or_sender_is_no_proof(fake: FakeTwilio, other: dict[str, Any]) -> None:
    lost(fake, an_sms())
    (found,) = asked(fake, doubt(**other))
    assert found is not None
    assert found.found == 0


def test_white_space_that_twilio_put_in_order_is_the_same_message(fake: FakeTwilio) -> None:
    lost(fake, an_sms("Bonjour  Léa \n"))
    (found,) = asked(fake, doubt(parts={"body": "Bonjour Léa"}))
    assert found is not None
    assert found.found == 1


def test_a_sender_of_a_service_is_not_asked_for(fake: FakeTwilio) -> None:
    lost(fake, an_sms())
    (found,) = asked(fake, doubt(sender=None))
    assert found is not None
    assert found.found == 1


def test_midnight_lies_between_two_lists(fake: FakeTwilio) -> None:
    midnight = NOW.replace(hour=0, minute=3)
    fake.clock = (midnight - timedelta(minutes=5)).timestamp
    lost(fake, an_sms())
    (found,) = asked(fake, doubt(started_at=midnight))
    assert found is not None
    assert found.found == 1


def test_a_call_is_found_in_the_list_of_calls(fake: FakeTwilio) -> None:
    (sid,) = lost(fake, a_call())
    (found,) = asked(fake, doubt(channel="voice", parts={"script": "…"}))
    assert found is not None
    assert (found.found, found.ref) == (1, sid)


def test_what_is_not_listed_yet_is_not_found_and_is_asked_again_by_the_caller(fake: FakeTwilio) -> None:
    (sid,) = lost(fake, an_sms())
    fake.hidden_lists = 2
    (first,) = asked(fake, doubt())
    fake.hidden_lists = 0
    (second,) = asked(fake, doubt())
    assert first is not None
    assert second is not None
    assert (first.found, second.ref) == (0, sid)


@pytest.mark.parametrize(
    ("what", "with_"), [("refuse", {"status": 500}), ("refuse", {"status": 401}), ("lose", {}), ("garbage", {})]
)
def test_a_list_that_could_not_be_asked_is_no_evidence_of_absence(fake: FakeTwilio, what: str, with_: dict[str, Any]) -> None:
    fake.behave(what, on="any", **with_)
    assert asked(fake, doubt()) == [None]
    assert asked(fake, doubt(address=None)) == [None]


def test_a_template_in_other_words_is_left_to_a_person(fake: FakeTwilio) -> None:
    lost(fake, a_whatsapp("Bonjour", window_until=NOW + timedelta(hours=1)))
    (found,) = asked(fake, doubt(channel="whatsapp", parts={"body": "Bonjour Léa"}))
    assert found is not None
    assert (found.found, found.ref) == (2, None)
    (found,) = asked(fake, doubt(channel="whatsapp", parts={"body": "Bonjour"}))
    assert found is not None
    assert found.found == 1
