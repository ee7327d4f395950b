"""The fakes themselves: what they are told they do, and what they took they remember."""

from __future__ import annotations

import base64
import http.client
import json
import smtplib
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fake_http import post
from fake_log import read_log
from fake_receiver import FakeReceiver
from fake_sendgrid import SIGNATURE, TIMESTAMP, FakeSendGrid
from fake_smtp import ACCEPT_CUT, CUT, FakeSmtp
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio

HERE = Path(__file__).parent
MARKS = ["a" * 32 + ".1." + "0" * 14, "b" * 32 + ".2." + "0" * 14]
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


def a_mail() -> dict[str, object]:
    people = [
        {"to": [{"email": f"{name}@example.com"}], "substitutions": {"-0-": name.title()}, "custom_args": {"omni": mark}}
        for name, mark in zip(("anna", "bea"), MARKS, strict=True)
    ]
    return {
        "personalizations": people, "from": {"email": "shop@example.com"}, "subject": "Hello -0-",
        "content": [{"type": "text/plain", "value": "Dear -0-,"}, {"type": "text/html", "value": "<p>-0-</p>"}],
    }  # fmt: skip


def send(fake: FakeSendGrid, mail: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=2)
    try:
        connection.request(
            "POST", "/v3/mail/send", json.dumps(mail), {"Authorization": "Bearer k", "Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_sendgrid_works_out_what_each_person_received(tmp_path: Path) -> None:
    with FakeSendGrid(log=tmp_path / "log") as fake:
        assert send(fake, a_mail()) == (202, b"")
        assert [(m.to, m.subject, m.text, m.html) for m in fake.messages] == [
            ("anna@example.com", "Hello Anna", "Dear Anna,", "<p>Anna</p>"), ("bea@example.com", "Hello Bea", "Dear Bea,", "<p>Bea</p>"),
        ]  # fmt: skip
    assert [(line["touch"], line["attempt"]) for line in read_log(tmp_path / "log")] == [("a" * 32, 1), ("b" * 32, 2)]


def test_sendgrid_names_what_it_refuses_and_takes_none_of_it() -> None:
    mail = a_mail()
    mail["personalizations"][1]["to"] = [{"email": "nobody"}]  # type: ignore[index]
    with FakeSendGrid() as fake:
        status, body = send(fake, mail)
        assert status == 400
        assert json.loads(body)["errors"][0]["field"] == "personalizations.1.to.0.email"
        assert not fake.log


@pytest.mark.parametrize(
    ("what", "taken"),
    [
        ("hold", 2),
        ("lose", 2),
        ("half", 2),
        ("garbage", 2),
        ("length", 2),
        ("twice", 2),
        ("ignore", 0),
        ("drop", 0),
        ("refuse", 0),
    ],
)
def test_a_behaviour_decides_who_was_reached(what: str, taken: int) -> None:
    with FakeSendGrid() as fake:
        fake.behave(what, times=1)
        try:
            connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=0.2)
            connection.request("POST", "/v3/mail/send", json.dumps(a_mail()), {"Authorization": "Bearer k"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        assert len(fake.log) == taken
        assert send(fake, a_mail())[0] == 202


def test_a_behaviour_may_hold_for_one_text_only_and_for_the_whole_connection() -> None:
    with FakeSendGrid() as fake:
        fake.behave("refuse", status=429, headers={"X-RateLimit-Reset": "1"}, match="anna@example.com")
        assert send(fake, a_mail())[0] == 429
        other = a_mail()
        other["personalizations"] = other["personalizations"][1:]  # type: ignore[index]
        assert send(fake, other)[0] == 202
        fake.behave("drop", at="connect", times=1)
        with pytest.raises(OSError):
            send(fake, other)


def test_events_are_signed_over_the_bytes_and_may_be_lost_repeated_and_shuffled() -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    with FakeSendGrid() as fake, FakeReceiver() as hook:
        send(fake, a_mail())
        assert fake.post_events(hook.url, lose=["bea@example.com"], repeats=2, fresh_ids=True) == [200, 200]
        first, again = (request.json for request in hook.requests)
        assert [(e["email"], e["event"], e["omni"]) for e in first] == [
            ("anna@example.com", k, MARKS[0]) for k in ("processed", "delivered")
        ]
        assert first[0]["sg_event_id"] != again[0]["sg_event_id"]
        heard = hook.requests[0]
        key = serialization.load_der_public_key(base64.b64decode(fake.public_key))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signature = base64.b64decode(heard.headers[SIGNATURE.lower()])
        key.verify(signature, heard.headers[TIMESTAMP.lower()].encode() + heard.body, ec.ECDSA(hashes.SHA256()))


def test_twilio_takes_lists_and_calls_back_with_a_signature_that_the_official_validator_believes() -> None:
    from twilio.request_validator import RequestValidator

    form = {
        "To": "+33639980001",
        "From": "+15555550100",
        "Body": "Bonjour",
        "StatusCallback": f"https://omni.example/s/{MARKS[0]}",
    }
    with FakeTwilio() as fake, FakeReceiver() as hook:
        assert post(fake.url + MESSAGES, urlencode(form).encode(), {"Authorization": BASIC}) == 201
        (sid,) = fake.messages
        assert fake.log.touches() == {"a" * 32: 1}
        assert fake.post_status(sid, "delivered", via=hook.url) == [200]
        heard = hook.requests[0]
        said = {name: values[0] for name, values in heard.form.items()}
        assert RequestValidator(TOKEN).validate(form["StatusCallback"], said, heard.headers["x-twilio-signature"])
        fake.codes["+33639980001"] = 21610
        assert post(fake.url + MESSAGES, urlencode(form).encode(), {"Authorization": BASIC}) == 400
        assert post(fake.url + MESSAGES, urlencode(form).encode(), {}) == 401


def test_smtp_accepts_and_hangs_up_or_refuses_at_any_phase() -> None:
    message = "Message-ID: <" + "c" * 32 + ".3@example.com>\r\nSubject: x\r\n\r\n.hidden\r\n"
    with FakeSmtp() as fake:
        with smtplib.SMTP("127.0.0.1", fake.port, local_hostname="here", timeout=2) as client:
            client.sendmail("a@example.com", "b@example.com", message)
            fake.behave("rcpt", "550 5.1.1 nobody", times=1)
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@example.com", "b@example.com", message)
            fake.behave("dot", ACCEPT_CUT, times=1, match="hidden")
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.sendmail("a@example.com", "b@example.com", message)
        assert fake.log.doubles() == {"c" * 32: 2}
        fake.behave("connect", CUT, times=1)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtplib.SMTP("127.0.0.1", fake.port, timeout=2)
        assert fake.accepted[0].endswith(b"\r\n\r\n.hidden\r\n")


def test_a_fake_in_a_process_of_its_own_is_told_over_http_and_ends_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "fake_smtp.py"), "--log", str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port, control = (int(word) for word in process.stdout.readline().split())
        told = json.dumps({"behave": {"what": "rcpt", "reply": "550 no", "times": 1}}).encode()
        assert post(f"http://127.0.0.1:{control}/_control", told, {}) == 200
        with smtplib.SMTP("127.0.0.1", port, timeout=2) as client:
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@example.com", "b@example.com", "Subject: x\r\n\r\nx\r\n")
            client.sendmail("a@example.com", "b@example.com", "Subject: x\r\n\r\nx\r\n")
        process.stdin.close()
        assert process.wait(5) == 0
    assert [line["to"] for line in read_log(tmp_path / "log")] == ["b@example.com"]
