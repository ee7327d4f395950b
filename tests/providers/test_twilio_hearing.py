"""What Twilio says becomes a response, once each; what people write is answered when nobody else did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fake_twilio import ACCOUNT, TOKEN
from twilio.request_validator import RequestValidator
from twilio_values import KEY, LEA, MARK, NOW, PUBLIC, SID, TOUCH, US, a_hearing, a_project, posted

from omnicli.model.response import RECEIPT, Heard, Receipt, Response
from omnicli.model.signed import mark
from omnicli.providers.twilio.hearing import TwilioHearing

STATUS, INBOUND = "/webhooks/twilio/status", "/webhooks/twilio/inbound"
CALL = "CA" + "0b" * 16
EMPTY = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


def say(form: Mapping[str, str], *, path: str = STATUS, query: str = f"?o={MARK}", hearing: TwilioHearing | None = None) -> Heard:
    headers = {"x-twilio-signature": RequestValidator(TOKEN).compute_signature(f"{PUBLIC}{path}{query}", dict(form))}
    return (hearing or a_hearing()).hear(path, posted(form, headers, path=path, query=query), now=NOW)


def receipt(found: Heard) -> Receipt:
    assert found.status == 200
    assert found.media_type == "text/xml"
    return found.receipts[0]


def response(found: Heard) -> Response:
    said = receipt(found).response
    assert said is not None
    return said


def a_status(status: str, code: str | None = None, **more: str) -> dict[str, str]:
    form = {"MessageSid": SID, "SmsSid": SID, "MessageStatus": status, "SmsStatus": status, "AccountSid": ACCOUNT, "From": US, "To": LEA,
            "ApiVersion": "2010-04-01", **more}  # fmt: skip
    return form | ({"ErrorCode": code} if code else {})


def a_call_status(status: str | None, **more: str) -> dict[str, str]:
    form = {
        "CallSid": CALL,
        "AccountSid": ACCOUNT,
        "From": US,
        "To": LEA,
        "ApiVersion": "2010-04-01",
        "Direction": "outbound-api",
        **more,
    }
    return form | ({"CallStatus": status} if status else {})


def a_text(body: str, **more: str) -> dict[str, str]:
    return {"MessageSid": SID, "SmsSid": SID, "SmsMessageSid": SID, "AccountSid": ACCOUNT, "From": LEA, "To": US, "Body": body, "NumMedia": "0",
            "NumSegments": "1", "SmsStatus": "received", "ApiVersion": "2010-04-01", **more}  # fmt: skip


# --- messages -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "code", "name", "payload"),
    [
        ("queued", None, RECEIPT, {"state": "queued"}), ("accepted", None, RECEIPT, {"state": "queued"}), ("sending", None, RECEIPT, {"state": "queued"}),
        ("scheduled", None, RECEIPT, {"state": "queued"}), ("sent", None, RECEIPT, {"state": "sent"}), ("read", None, RECEIPT, {"state": "read"}),
        ("delivered", None, "delivered", {}), ("undelivered", None, "failed", {"code": "undelivered", "reason": "undelivered"}),
        ("canceled", None, "failed", {"code": "canceled", "reason": "canceled"}),
        ("undelivered", "30005", "bounced", {"code": "30005", "reason": "undelivered", "kind": "hard"}),
        ("undelivered", "30003", "failed", {"code": "30003", "reason": "undelivered"}),
        ("failed", "30007", "failed", {"code": "30007", "reason": "failed", "kind": "block"}),
        ("failed", "21610", "failed", {"code": "21610", "reason": "failed", "suppress": "stop"}),
        ("failed", "63016", "failed", {"code": "63016", "reason": "failed"}), ("failed", "99999", "failed", {"code": "99999", "reason": "failed"}),
    ],
)  # fmt: skip
def test_a_status_becomes_a_response_of_its_touch(status: str, code: str | None, name: str, payload: dict[str, Any]) -> None:
    said = response(say(a_status(status, code)))
    assert (said.name, said.payload) == (name, {"ref": SID, **payload})
    assert (said.touch, said.attempt, said.channel, said.address, said.source) == (TOUCH, 1, "sms", LEA, "twilio")


def test_a_status_that_nobody_knows_is_kept() -> None:
    found = receipt(say(a_status("levitating")))
    assert (found.response, found.note) == (None, "nothing that omni knows")


def test_whatsapp_and_messenger_are_told_apart_by_their_addresses() -> None:
    said = response(say(a_status("delivered", To=f"whatsapp:{LEA}", From=f"whatsapp:{US}")))
    assert (said.channel, said.address) == ("whatsapp", LEA)
    said = response(say(a_status("delivered", To="messenger:7711", From="messenger:4242")))
    assert (said.channel, said.address) == ("messenger", "7711")


def test_a_repeat_has_the_same_key_and_another_status_another_one() -> None:
    keys = [receipt(say(form)).key for form in (a_status("sent"), a_status("sent", RawDlrDoneDate="2701040930"), a_status("delivered"),
                                               a_status("failed", "30005"), a_status("failed", "30006"))]  # fmt: skip
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    assert {len(key) for key in keys} == {16}


@pytest.mark.guards("twilio_mark")
@pytest.mark.parametrize(
    "given", [mark(b"x" * 32, TOUCH, 1), MARK[:-1] + ("0" if MARK[-1] != "0" else "1"), TOUCH, "", f"{MARK}&o={MARK}"]
)
def test_an_honest_request_with_a_forged_mark_is_kept_and_acted_on_by_nobody(given: str) -> None:
    found = receipt(say(a_status("delivered"), query=f"?o={given}"))
    if given:
        assert (found.response, found.note) == (None, "a mark that is not ours")
    else:
        assert found.response is not None
        assert found.response.touch is None


def test_a_callback_of_the_service_without_a_mark_says_whom_it_is_about() -> None:
    said = response(say(a_status("delivered"), query=""))
    assert (said.touch, said.attempt, said.address, said.payload["ref"]) == (None, None, LEA, SID)


def test_marks_of_older_keys_still_open() -> None:
    hearing = TwilioHearing(a_hearing().account, {0: b"o" * 32, 3: KEY}, brand="Maison Lune")
    assert response(say(a_status("delivered"), hearing=hearing)).touch == TOUCH


# --- calls ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "more", "name", "payload"),
    [
        ("initiated", {}, RECEIPT, {"state": "sent"}), ("ringing", {}, RECEIPT, {"state": "sent"}), ("in-progress", {}, RECEIPT, {"state": "sent"}),
        ("completed", {"AnsweredBy": "human", "CallDuration": "31"}, "answered", {}), ("completed", {}, "answered", {}),
        ("completed", {"AnsweredBy": "unknown"}, "answered", {}),
        ("completed", {"AnsweredBy": "machine_start"}, "voicemail", {"by": "machine_start"}), (None, {"AnsweredBy": "fax"}, "voicemail", {"by": "fax"}),
        (None, {"AnsweredBy": "human", "MachineDetectionDuration": "2000"}, RECEIPT, {"state": "sent"}),
        ("busy", {}, "no_answer", {"reason": "busy"}), ("no-answer", {}, "no_answer", {"reason": "no-answer"}),
        ("canceled", {}, "failed", {"code": "canceled", "reason": "canceled"}), ("failed", {"ErrorCode": "21211"}, "bounced", {"code": "21211", "reason": "failed", "kind": "hard"}),
        ("failed", {}, "failed", {"code": "failed", "reason": "failed"}),
    ],
)  # fmt: skip
def test_a_call_ends_as_an_answer_a_voicemail_or_nobody(
    status: str | None, more: dict[str, str], name: str, payload: dict[str, Any]
) -> None:
    said = response(say(a_call_status(status, **more)))
    assert (said.name, said.payload) == (name, {"ref": CALL, **payload})
    assert (said.channel, said.touch, said.address) == ("voice", TOUCH, LEA)


def test_a_voicemail_told_twice_is_one() -> None:
    first, last = (
        receipt(say(a_call_status(None, AnsweredBy="machine_start"))),
        receipt(say(a_call_status("completed", AnsweredBy="machine_start"))),
    )
    assert (first.key, first.event_id) == (last.key, last.event_id)


def test_a_call_happened_when_twilio_says_so_unless_it_says_the_future() -> None:
    assert response(say(a_call_status("busy", Timestamp="Mon, 04 Jan 2027 09:29:00 +0000"))).at.minute == 29
    assert response(say(a_call_status("busy", Timestamp="Mon, 04 Jan 2028 09:29:00 +0000"))).at == NOW
    assert response(say(a_call_status("busy", Timestamp="yesterday"))).at == NOW


def test_a_key_is_an_answer_and_the_call_ends_with_thanks() -> None:
    found = say(a_call_status("in-progress", Digits="1"), path=INBOUND, query=f"?o={MARK}&l=fr")
    said = response(found)
    assert (said.name, said.payload["digits"], said.touch, said.channel) == ("answered", "1", TOUCH, "voice")
    assert "Merci, au revoir." in found.body.decode()
    assert '<Say language="fr-FR" voice="Polly.Lea">' in found.body.decode()
    assert found.body.decode().endswith("<Hangup /></Response>")


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "vous ne serez plus appelé"), ("en", "you will not be called again"), ("xx", "not be called")]
)
def test_the_key_that_objects_is_a_refusal_and_ends_the_call(language: str, words: str) -> None:
    found = say(a_call_status("in-progress", Digits="9"), path=INBOUND, query=f"?o={MARK}&l={language}")
    assert response(found).name == "refused"
    assert words in found.body.decode()
    assert "<Hangup" in found.body.decode()


def test_the_key_that_objects_is_a_setting() -> None:
    hearing = a_hearing(opt_out_key="0")
    assert response(say(a_call_status("in-progress", Digits="9"), path=INBOUND, hearing=hearing)).name == "answered"
    assert response(say(a_call_status("in-progress", Digits="0"), path=INBOUND, hearing=hearing)).name == "refused"


def test_no_key_is_no_answer_and_a_call_that_is_not_ours_is_not_answered() -> None:
    assert receipt(say(a_call_status("in-progress"), path=INBOUND)).response is None
    found = say(a_call_status("ringing", Direction="inbound", From=LEA, To=US), path=INBOUND, query="")
    assert (receipt(found).response, found.body) == (None, EMPTY)


# --- what people write ----------------------------------------------------------------------------------------------
def test_a_message_becomes_a_reply_of_its_sender() -> None:
    found = say(a_text("Oui, avec plaisir", FromCity="LYON"), path=INBOUND, query="")
    said = response(found)
    assert (said.name, said.address, said.channel, said.contact, said.touch) == ("replied", LEA, "sms", "", None)
    assert said.payload == {"text": "Oui, avec plaisir", "ref": SID}
    assert (said.id, receipt(found).event_id) == (SID, SID)
    assert found.body == EMPTY


def test_buttons_media_and_what_it_answers_are_kept() -> None:
    form = a_text("Oui", From=f"whatsapp:{LEA}", To=f"whatsapp:{US}", ButtonPayload="yes-1", ButtonText="Oui", NumMedia="2", ProfileName="Léa",
                  MediaUrl0="https://api.twilio.com/x", MediaContentType0="image/jpeg",
                  ChannelMetadata='{"type":"whatsapp","data":{"context":{"ProfileName":"Léa","WaId":"33639980001"}}}', WaId="33639980001", OriginalRepliedMessageSid="SM" + "0c" * 16)  # fmt: skip
    said = response(say(form, path=INBOUND, query=""))
    assert said.channel == "whatsapp"
    assert said.payload == {"text": "Oui", "ref": SID, "button": "yes-1", "media": 2, "in_reply_to": "SM" + "0c" * 16}


@pytest.mark.parametrize("word", ["STOP", "START", "HELP"])
def test_what_twilio_answered_itself_is_said_and_not_answered_again(word: str) -> None:
    found = say(a_text("arret", OptOutType=word), path=INBOUND, query="")
    assert response(found).payload["opt_out"] == word.lower()
    assert found.body == EMPTY


@pytest.mark.parametrize(
    ("body", "to", "answers", "words"),
    [
        ("STOP", US, "twilio", None), ("help", US, "twilio", None), ("Stop.", US, "twilio", None),  # Twilio's own words on a long number
        ("arrêt", US, "twilio", "c'est noté"), ("DÉSABO !", US, "twilio", "c'est noté"), ("aide", US, "twilio", "répondez STOP"),
        ("STOP", "36180", "twilio", "c'est noté"), ("help", "36180", "twilio", "reply STOP"), ("unsubscribe", "36180", "twilio", "noted"),
        ("STOP", f"whatsapp:{US}", "twilio", "c'est noté"), ("STOP", US, "omni", "c'est noté"), ("HELP", US, "omni", "reply STOP"),
        ("arrêtez vos histoires", US, "omni", None), ("unstoppable", "36180", "omni", None), ("oui", "36180", "omni", None), ("", "36180", "omni", None),
    ],
)  # fmt: skip
def test_a_word_is_answered_once_and_only_where_twilio_stays_silent(body: str, to: str, answers: str, words: str | None) -> None:
    hearing = a_hearing(answers=answers)
    sender = f"whatsapp:{LEA}" if to.startswith("whatsapp:") else LEA
    found = say(a_text(body, To=to, From=sender), path=INBOUND, query="", hearing=hearing).body
    if words is None:
        assert found == EMPTY
    else:
        text = found.decode()
        assert words in text
        assert "Maison Lune" in text
        assert text.count("<Message>") == 1
        assert "http" not in text  # no marketing in it, not even a link


def test_a_stop_is_confirmed_once_a_day_and_help_each_time() -> None:
    hearing = a_hearing(answers="omni")
    sids = [SID, "SM" + "1a" * 16, SID]  # the last one is the first again: Twilio did not get our answer
    bodies = [say(a_text("stop", MessageSid=sid), path=INBOUND, query="", hearing=hearing).body for sid in sids]
    assert [b != EMPTY for b in bodies] == [True, False, True]
    assert say(a_text("stop", From="+33639980002"), path=INBOUND, query="", hearing=hearing).body != EMPTY
    assert all(say(a_text("aide"), path=INBOUND, query="", hearing=hearing).body != EMPTY for _ in range(2))


def test_a_house_that_writes_english_answers_in_english() -> None:
    hearing = a_hearing(project=a_project(languages=["en"]), answers="omni")
    assert b"noted" in say(a_text("stop"), path=INBOUND, query="", hearing=hearing).body


def test_a_brand_with_signs_stays_text() -> None:
    hearing = a_hearing(project=a_project(brand={"name": "Lune & <Fils>"}), answers="omni")
    assert b"Lune &amp; &lt;Fils&gt;" in say(a_text("aide"), path=INBOUND, query="", hearing=hearing).body


@pytest.mark.parametrize("stamp", ["Fri, 31 Dec 9999 23:59:59 -1400", "Mon, 01 Jan 0001 00:00:00 +1400", "(" * 5000, "9" * 5000])
def test_an_instant_beyond_all_calendars_is_none(stamp: str) -> None:
    said = response(say(a_call_status("completed", Timestamp=stamp)))
    assert (said.name, said.at <= NOW) == ("answered", True)


def test_whatever_raises_in_a_signed_form_is_kept_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise OverflowError

    monkeypatch.setattr("omnicli.providers.twilio.callbacks.of_message", broken)
    assert receipt(say(a_status("delivered"))).note == "not readable: OverflowError"
