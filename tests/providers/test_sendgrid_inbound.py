"""What people write back: their own words, in whatever charset; robots' words are no answer; a signed address unsubscribes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid_values import KEY, KEYS, NOW, wishes
from test_sendgrid_hearing import MARK, PRIVATE, TOUCH, incoming, shown

from omnicli.model.response import Heard, Receipt
from omnicli.model.signed import mark
from omnicli.providers.sendgrid.hearing import INBOUND, SendGridHearing
from omnicli.providers.sendgrid.inbound import form, own_words
from omnicli.providers.strangers import words_of

SHARED = Path(__file__).parents[3] / "shared" / "data"
HEARING = SendGridHearing(wishes(inbound_webhook_keys=[shown(PRIVATE)]), KEYS)
HEAD = "From: Ann <ann@example.com>\nTo: hello@parse.example.com\nSubject: Re: For you\nMessage-ID: <m1@mail.example.com>\n"


def multipart(
    fields: Mapping[str, str | bytes], *, boundary: str = "xYzZY", files: Mapping[str, bytes] | None = None
) -> tuple[bytes, str]:
    body = b""
    for name, value in fields.items():
        raw = value.encode() if isinstance(value, str) else value
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + raw + b"\r\n"
    for name, raw in (files or {}).items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + raw + b"\r\n"  # fmt: skip
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def post(fields: Mapping[str, str | bytes], **more: Any) -> Heard:
    body, kind = multipart(fields, **more)
    return HEARING.hear(INBOUND, incoming(body, **{"content-type": kind}), now=NOW)


def written(text: str = "Thank you!", *, head: str = HEAD, to: str = "hello@parse.example.com", **fields: str | bytes) -> Receipt:
    envelope = json.dumps({"to": [to], "from": "ann@example.com"})
    heard = post(
        {
            "headers": head,
            "from": "Ann <ann@example.com>",
            "to": to,
            "subject": "Re: For you",
            "text": text,
            "envelope": envelope,
            "dkim": "{@example.com : pass}",
            **fields,
        }
    )
    assert heard.status == 200
    (receipt,) = heard.receipts
    return receipt


def test_an_answer_is_a_reply_by_address_with_the_words_of_its_writer() -> None:
    receipt = written(
        "Yes, with pleasure\r\n\r\nOn Tue, 5 Jan 2027 at 09:00, Maison Lune <hello@example.com> wrote:\r\n> Hello Zoé\r\n> bye"
    )
    assert receipt.response is not None
    assert (receipt.response.name, receipt.response.address, receipt.response.channel) == ("replied", "ann@example.com", "email")
    assert receipt.response.payload == {"text": "Yes, with pleasure"}
    assert (receipt.response.id, receipt.event_id, receipt.response.touch) == (
        "<m1@mail.example.com>",
        "<m1@mail.example.com>",
        None,
    )


def test_an_answer_to_a_signed_address_names_its_touch() -> None:
    response = written(to=f"reply+{MARK}@parse.example.com").response
    assert response is not None
    assert (response.name, response.touch, response.attempt) == ("replied", TOUCH, 2)


@pytest.mark.parametrize("to", [f"unsubscribe+{MARK}@parse.example.com", f"UNSUBSCRIBE+{MARK.upper()}@parse.example.com"])
def test_a_mail_to_the_unsubscribe_address_unsubscribes_even_by_a_robot(to: str) -> None:
    response = written("", to=to, head=HEAD + "Auto-Submitted: auto-generated\n").response
    assert response is not None
    assert (response.name, response.touch, response.attempt, dict(response.payload)) == ("unsubscribed", TOUCH, 2, {})


@pytest.mark.parametrize("forged", [MARK.replace("abc", "abd"), "x", mark(b"x" * 32, TOUCH, 2)])
def test_a_forged_unsubscribe_address_unsubscribes_nobody(forged: str) -> None:
    receipt = written(to=f"unsubscribe+{forged}@parse.example.com")
    assert receipt.response is None
    assert "did not sign" in (receipt.note or "")


@pytest.mark.parametrize("line", [
    "Auto-Submitted: auto-replied", "Auto-Submitted: auto-generated; owner-email=x", "Precedence: bulk", "Precedence: auto_reply", "X-Autoreply: yes",
    "X-Auto-Response-Suppress: All", "Content-Type: multipart/report; report-type=delivery-status; boundary=a",
])  # fmt: skip
def test_what_a_machine_answers_is_no_reply(line: str) -> None:
    receipt = written("I am on holiday", head=HEAD + line + "\n")
    assert receipt.response is None
    assert (receipt.note or "").startswith("nobody wrote this")


def test_auto_submitted_no_is_a_person() -> None:
    assert written(head=HEAD + "Auto-Submitted: no\n").response is not None


@pytest.mark.parametrize("sender", ["MAILER-DAEMON@mail.example.com", "postmaster@example.com", "no-reply@example.com"])
def test_mail_servers_do_not_reply(sender: str) -> None:
    assert written(**{"from": sender}).response is None


# --- words ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "words"), [
    ("Yes", "Yes"),
    ("Oui merci\n\nLe mar. 5 janv. 2027 à 09:00, Maison Lune <hello@example.com> a écrit :\n> Bonjour", "Oui merci"),
    ("Oui\n\nLe mar. 5 janv. 2027 à 09:00, Maison Lune\n<hello@example.com> a écrit :\n\n> Bonjour", "Oui"),
    ("Ja\n\nAm 5. Januar 2027 um 09:00 schrieb:\n> Hallo", "Ja"),
    ("No\n-----Original Message-----\nFrom: a\n", "No"),
    ("No\n-----Message d'origine-----\nDe : a\n", "No"),
    ("No\n________________________________\nFrom: a", "No"),
    ("Non\n\nDe : Maison Lune <a@example.com>\nEnvoyé : mardi 5 janvier 2027 09:00\nÀ : Ann\nObjet : x\n\nBonjour", "Non"),
    ("First\n> quoted\nSecond", "First\nSecond"),
    ("STOP\n\n-- \nAnn\n06 39 98 00 00", "STOP"),
    ("Le chat a écrit :", "Le chat a écrit :"),
    ("On Tue, 5 Jan 2027, Maison Lune wrote:\n> Hello\n> bye\n\nYes please", "Yes please"),
    ("On Tue, 5 Jan 2027, Maison Lune wrote:\n> Hello\n> unsubscribe", ""),
    ("On Tue, 5 Jan 2027, Maison Lune wrote:\n\nHello\nunsubscribe", ""),
    ("From: Maison Lune\nSent: Tuesday\n\nHello, unsubscribe here", ""),
    ("A sentence. On which I wrote: nothing", "A sentence. On which I wrote: nothing"),
    ("", ""), ("   \r\n \r\n", ""), ("a\n\n\n\n\nb", "a\n\nb"),
])  # fmt: skip
def test_quotes_and_signatures_are_taken_off(text: str, words: str) -> None:
    assert own_words(text) == words


def test_an_answer_of_html_alone_is_read() -> None:
    html = "<html><head><style>p {}</style></head><body><p>Merci &amp; à bientôt</p><br>Ann<blockquote>Bonjour Zoé</blockquote></body></html>"
    assert words_of(html) == "Merci & à bientôt\nAnn"
    response = written("", html=html).response
    assert response is not None
    assert response.payload["text"] == "Merci & à bientôt\nAnn"


def test_an_answer_that_only_quotes_has_no_words() -> None:
    response = written("> Hello\n> unsubscribe").response
    assert response is not None
    assert dict(response.payload) == {"text": ""}


def test_an_answer_in_the_subject_alone_counts() -> None:
    response = written("", head=HEAD.replace("Re: For you", "=?utf-8?q?STOP_=C3=A0_tout?=")).response
    assert response is not None
    assert response.payload["text"] == "STOP à tout"


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-8", "utf-16"])
def test_each_field_is_read_in_its_charset(charset: str) -> None:
    response = written(text="Déjà reçu, merci".encode(charset), charsets=json.dumps({"text": charset, "to": "UTF-8"})).response  # type: ignore[arg-type]
    assert response is not None
    assert response.payload["text"] == "Déjà reçu, merci"


@pytest.mark.parametrize(
    "charsets",
    ["", "{", "[]", '{"text": 5}', '{"text": "klingon"}', '{"text": "hex"}', '{"text": "idna"}', '{"text": "\\u0000"}'],
)
def test_a_charset_that_is_none_loses_no_answer(charsets: str) -> None:
    response = written(text=b"d\xe9j\xe0", charsets=charsets).response  # type: ignore[arg-type]
    assert response is not None
    assert response.payload["text"].startswith("d")


def test_a_long_answer_is_cut_and_an_attachment_is_left_out() -> None:
    response = written("x" * 50_000).response
    assert response is not None
    assert len(response.payload["text"]) == 20_000
    heard = post(
        {"headers": HEAD, "from": "ann@example.com", "text": "See attached"}, files={"attachment1": b"\x00\xff" * 200_000}
    )
    assert heard.receipts[0].response is not None
    assert len(heard.receipts[0].raw) < 1_000


@pytest.mark.parametrize("text", ["Le \n" * 300_000, "On " + "x " * 400_000, "> " * 400_000, "From: a\n" * 100_000, " " * 800_000, "-" * 800_000,
                                  "unsubscribe+" * 60_000])  # fmt: skip
def test_no_text_makes_the_reader_slow(text: str) -> None:
    began = time.process_time()
    written(text, to=text.replace("\n", " "))
    assert time.process_time() - began < 2.0


# --- repeats, signatures, odd forms -----------------------------------------------------------------------------------------
def test_the_same_mail_again_has_the_same_key_and_another_mail_another() -> None:
    first, again = written("a"), written("a")
    assert (first.key, first.event_id) == (again.key, again.event_id)
    assert written("a", head=HEAD.replace("m1@", "m2@")).key != first.key


def test_without_a_message_id_the_body_tells_mails_apart() -> None:
    head = HEAD.replace("Message-ID: <m1@mail.example.com>\n", "")
    assert written("a", head=head).key == written("a", head=head).key != written("b", head=head).key
    assert written("a", head=head).event_id is None


def test_an_unsigned_mail_is_not_taken() -> None:
    body, kind = multipart({"from": "ann@example.com", "text": "STOP"})
    request = incoming(body, **{"content-type": kind})
    assert HEARING.hear(INBOUND, request, now=NOW).status == 200
    for changed in ({**request.headers, "x-twilio-email-event-webhook-timestamp": "1"}, {}):
        from dataclasses import replace

        assert HEARING.hear(INBOUND, replace(request, headers=changed), now=NOW).status == 403
    assert SendGridHearing(wishes(), KEYS).hear(INBOUND, request, now=NOW).status == 503


def test_the_key_of_events_serves_for_mails_when_they_have_none_of_their_own() -> None:
    body, kind = multipart({"from": "ann@example.com", "text": "Hi"})
    hearing = SendGridHearing(wishes(event_webhook_keys=[shown(PRIVATE)]), {1: KEY})
    assert hearing.hear(INBOUND, incoming(body, **{"content-type": kind}), now=NOW).receipts[0].response is not None


@pytest.mark.parametrize(("body", "kind"), [
    (b"", ""), (b"x", "multipart/form-data"), (b"x", "multipart/form-data; boundary=a"), (b"a=b", "application/x-www-form-urlencoded"),
    (b"{}", "application/json"), (b"--a\r\n\r\n", "multipart/form-data; boundary=a"), (b"--a--\r\n" * 3, 'multipart/form-data; boundary="a'),
    (b"--a\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\ncut", "multipart/form-data; boundary=a"),
    (b"--a\r\n" + b"x: y\r\n" * 1000 + b"\r\nz\r\n--a--\r\n", "multipart/form-data; boundary=a"),
    (multipart({f"f{n}": "x" for n in range(500)}, boundary="a")[0], "multipart/form-data; boundary=a"),
])  # fmt: skip
def test_what_is_no_form_is_kept_and_answered(body: bytes, kind: str) -> None:
    heard = HEARING.hear(INBOUND, incoming(body, **{"content-type": kind}), now=NOW)
    assert heard.status == 200
    assert [receipt.response for receipt in heard.receipts] == [None]
    assert heard.receipts[0].note


def test_a_repeated_field_counts_once_and_the_first_one() -> None:
    one, kind = multipart({"text": "first"}, boundary="a")
    two, _ = multipart({"text": "second"}, boundary="a")
    assert form(kind, one.removesuffix(b"--a--\r\n") + two) == {"text": b"first"}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["headers", "from", "to", "subject", "text", "html", "envelope", "charsets", "email"]),
                       st.one_of(st.text(max_size=40), st.binary(max_size=40)), max_size=6))  # fmt: skip
def test_whatever_stands_in_the_fields_of_a_mail_nothing_raises(fields: dict[str, str | bytes]) -> None:
    sound = {name: value.encode("utf-8", "replace") if isinstance(value, str) else value for name, value in fields.items()}
    heard = post(sound)
    assert heard.status == 200
    assert len(heard.receipts) == 1


def cases() -> list[dict[str, Any]]:
    path = SHARED / "webhooks" / "anymail" / "sendgrid_inbound.json"
    return list(json.loads(path.read_text())) if path.exists() else []


@pytest.mark.skipif(not cases(), reason="no ../shared/data beside the repository")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_mails_as_anymail_has_them_are_answers(case: dict[str, Any]) -> None:
    (receipt,) = post(case["payload"]).receipts
    response = receipt.response
    assert response is not None
    assert response.name == "replied"
    assert response.address in ("from+test@example.org", "test@example.org")
    assert response.payload["text"] in ("Test body plain", "It's a body…")
    assert (receipt.event_id or "").startswith("<CAEPk3R")
