"""What SendGrid signed, turned against us: parts of the body in the timestamp, too many elements, halves of letters."""

from __future__ import annotations

import json
from urllib.error import URLError

import pytest
from sendgrid_values import NOW, wishes
from test_sendgrid_hearing import HEARING, MARK, TOUCH, incoming
from test_sendgrid_inbound import written

from omnicli.campaigns.respond import keywords
from omnicli.errors import OmniError
from omnicli.model.response import Incoming
from omnicli.providers.sendgrid.classify import words_for
from omnicli.providers.sendgrid.hearing import EVENTS, MOST
from omnicli.providers.sendgrid.signature import TIMESTAMP
from omnicli.settings import Secret
from omnicli.store.inbox import write_raw

BOUNCE = {
    "event": "bounce",
    "type": "bounce",
    "status": "5.1.1",
    "email": "p1@example.com",
    "timestamp": int(NOW.timestamp()),
    "omni": MARK,
}


def shifted(genuine: Incoming, n: int) -> Incoming:
    """The same signed text with the border between timestamp and body moved by n bytes."""
    stamp = genuine.headers[TIMESTAMP]
    said = stamp.encode() + genuine.body
    border = len(stamp) + n
    return Incoming("POST", genuine.url, {**genuine.headers, TIMESTAMP: said[:border].decode("latin-1")}, said[border:])


def test_the_border_between_timestamp_and_body_stands_where_it_was_signed() -> None:
    genuine = incoming(json.dumps([BOUNCE]).encode())
    assert HEARING.hear(EVENTS, genuine, now=NOW).status == 200
    assert {HEARING.hear(EVENTS, shifted(genuine, n), now=NOW).status for n in range(-10, len(genuine.body) + 1) if n} == {403}


def test_more_elements_than_any_real_post_has_are_kept_as_one() -> None:
    for body in (
        b"[" + b"{}," * 300_000 + b"1]",
        b"[" + b",".join(b"%d" % n for n in range(140_000)) + b"]",
        b"[" + b"{}," * 90_000 + b"{}]",
    ):
        heard = HEARING.hear(EVENTS, incoming(body), now=NOW)
        assert heard.status == 200
        assert len(heard.receipts) == MOST + 1


def test_a_bounce_with_half_a_letter_still_bars() -> None:
    body = json.dumps([{**BOUNCE, "reason": "no \ud800 such user", "sg_event_id": "\udfff1", "email": "p1@example.com\udc00"}])
    (receipt,) = HEARING.hear(EVENTS, incoming(body.encode()), now=NOW).receipts
    assert receipt.response is not None
    assert receipt.response.name == "bounced"
    assert b"no  such user" in write_raw(receipt.response)


def test_a_mark_says_whom_a_mail_is_about_and_a_from_that_nobody_proved_does_not() -> None:
    marked = {"to": f"unsubscribe+{MARK}@parse.example.com"}
    forged, proved = written("x", dkim="none", **marked).response, written("x", **marked).response
    assert forged is not None
    assert proved is not None
    assert (forged.touch, forged.address, proved.address) == (TOUCH, None, "ann@example.com")


@pytest.mark.parametrize(
    ("dkim", "word"),
    [("", None), ("none", None), ("{@example.com : fail}", None), ("{@evil.example : pass}", None), ("{@ple.com : pass}", None),
     ("{@example.com : pass}", "start"), ("{@other.example : fail, @Example.com : pass}", "start")],
)  # fmt: skip
def test_a_start_in_anothers_name_undoes_nothing_and_a_stop_always_counts(dkim: str, word: str | None) -> None:
    for text, means in (("START", word), ("STOP", "stop")):
        response = written(text, dkim=dkim).response
        assert response is not None
        assert keywords.of_payload(response.payload) == means


@pytest.mark.parametrize("key", ["SG.CANARY\r\nX: y", "SG.CANARY\x00", "SG.CANARYé", "SG.\u200bCANARY"])
def test_a_key_with_a_character_that_no_key_has_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(OmniError) as refused:
        wishes(api_key=Secret(key))
    assert "api_key" in refused.value.message
    assert "CANARY" not in f"{refused.value.message} {refused.value.hint}"


def test_blanks_around_a_key_are_none_of_it() -> None:
    read = wishes(api_key=Secret("\tSG.canary\r\n")).api_key
    assert read is not None
    assert read.reveal() == "SG.canary"


def test_an_error_is_told_without_what_it_quotes_but_for_the_networks_own_words() -> None:
    assert words_for(ValueError(b"Invalid header value b'Bearer SG.CANARY'")) == "ValueError"
    assert (
        words_for(URLError(ConnectionRefusedError(111, "Connection refused")))
        == "ConnectionRefusedError: [Errno 111] Connection refused"
    )
    assert words_for(URLError(TimeoutError())) == "timed out"


def test_a_bounce_with_a_broken_clock_is_no_replay_and_still_bars() -> None:
    """Receipts older than the keys are dropped when they are stored; the post was signed today."""
    (receipt,) = HEARING.hear(EVENTS, incoming(json.dumps([{**BOUNCE, "timestamp": 1}]).encode()), now=NOW).receipts
    assert receipt.response is not None
    assert receipt.response.at == NOW
