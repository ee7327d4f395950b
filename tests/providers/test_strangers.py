"""One mail of a stranger takes milliseconds and raises nothing, whatever is in it: neither the service nor a tick waits for it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from sendgrid_values import KEYS, NOW
from test_sendgrid_inbound import multipart

from omnicli.model.response import Heard, Incoming
from omnicli.providers.bounces import read as read_bounce
from omnicli.providers.bounces.mailboxes import Mbox
from omnicli.providers.sendgrid import inbound
from omnicli.providers.strangers import address, decode, open_mail, words_of

#: Seconds; before the bounds each of these took ten or more, or raised.
SOON = 1.5
USUAL = {"from": "ann@example.com", "to": "hello@example.com", "headers": "Message-ID: <1@example.com>", "envelope": "{}"}
NESTED = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(1000))

POSTS: Mapping[str, Mapping[str, str | bytes]] = {
    "spaces behind From:": {"text": "From: a\n" + " " * 99_000 + "x"},
    "tags without an end": {"html": "<a " * 66_000},
    "comments without an end": {"html": "<!--" * 50_000},
    "ends without an end": {"html": "</" * 99_000},
    "instructions without an end": {"html": "<?" * 99_000},
    "an endless domain": {"text": "xn--" + "zz9a" * 2_000_000, "charsets": json.dumps({"text": "idna"})},
    "an endless label": {"text": "a-" + "zz9a" * 2_000_000, "charsets": json.dumps({"text": "punycode"})},
    "a subject in an absurd charset": {"headers": "Subject: =?punycode?q?a-" + "zz9a" * 25_000 + "?="},
    "a subject of encoded words": {"headers": "Subject: " + "=?utf-8?b?YQ==?= " * 50_000},
    "a sender of signs": {"from": "a@" * 500_000},
    "comments in comments": {"from": "(" * 5000 + "ann@example.com"},
    "parts in parts": {"email": "From: ann@example.com\r\n" + NESTED + "Content-Type: text/plain\r\n\r\nhi\r\n"},
    "mails in mails": {"email": "Content-Type: message/rfc822\r\n\r\n" * 5000 + "hi"},
    "many parts": {"email": "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\n\r\nx\r\n" * 300_000},
}
BOUNCES: Mapping[str, bytes] = {
    "a quote of semicolons": b'From: a\r\nContent-Type: multipart/report; a="' + b";" * 250_000 + b"\r\n\r\n",
    "parts in parts": NESTED[:12_000].encode() + b"Content-Type: text/plain\r\n\r\n" + b"a\n" * 110_000,
    "a parameter in pieces": b"Content-Type: multipart/report; " + b"".join(b"a*%d=x;" % n for n in range(22_000)) + b"\r\n\r\n",
    "mails in mails": b"Content-Type: message/rfc822\r\n\r\n" * 8000,
    "a quote of semicolons in a group": b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\nContent-Type: multipart/x; a=\""
    + b";" * 250_000 + b"\r\n\r\n",
}  # fmt: skip


def post(fields: Mapping[str, str | bytes]) -> Heard:
    body, kind = multipart({**({} if "email" in fields else USUAL), **fields})
    return inbound.read(Incoming("POST", "https://x.example/", {"content-type": kind}, body), keys=KEYS, now=NOW)


@pytest.mark.parametrize("name", POSTS)
def test_a_mail_that_is_posted_is_read_or_kept_at_once(name: str) -> None:
    begun = time.perf_counter()
    heard = post(POSTS[name])
    assert time.perf_counter() - begun < SOON
    assert (heard.status, len(heard.receipts)) == (200, 1)


@pytest.mark.parametrize("name", BOUNCES)
def test_a_mail_in_the_bounce_box_is_read_or_kept_at_once(name: str) -> None:
    begun = time.perf_counter()
    read_bounce(BOUNCES[name], KEYS)
    assert time.perf_counter() - begun < SOON


def test_whatever_raises_within_a_mail_is_kept_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_text: str) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(inbound, "open_headers", broken)
    (receipt,) = post({"text": "hello"}).receipts
    assert (receipt.response, receipt.note) == (None, "not readable: RecursionError")


def test_an_mbox_of_short_lines_is_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(b"From x\n" + b"a\n" * 200_000 + b"\nFrom y\nb\n")
    first, second = Mbox(tmp_path / "box").take(10)
    assert (len(first.raw), second.raw) == (256 * 1024, b"b\n")


def test_a_usual_forward_within_reports_is_still_opened() -> None:
    mail = open_mail(b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20)) + b"\nhi\n")
    assert [part.get_content_type() for part in mail.walk()].count("multipart/mixed") == 20


def test_html_is_read_without_quotes_styles_and_references() -> None:
    said = "<style>p{}</style><p>Oui &amp; merci&nbsp;!<br>À <b>demain</b></p><!-- <p>no</p> --><blockquote>old <p>x</p></blockquote><p>1 < 2"
    assert " ".join(words_of(said).split()) == "Oui & merci ! À demain 1 < 2"


def test_an_absurd_charset_is_read_as_utf_8() -> None:
    assert decode("été".encode(), "punycode") == decode("été".encode(), "zlib") == decode("été".encode(), "no such") == "été"
    assert decode("été".encode("latin-1"), "iso-8859-1") == "été"
    decode(b"\\ud800", "unicode_escape").encode()  # half a letter could not be stored


def test_an_address_is_found_or_not_and_nothing_is_raised() -> None:
    assert address("Ann <ann@example.com>") == "ann@example.com"
    assert address("(" * 100_000 + "ann@example.com") == ""
