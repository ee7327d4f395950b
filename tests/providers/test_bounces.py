"""Mails that came back, in the shapes of several servers: what each tells, of which touch, and that nothing forged is believed."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from omnicli.model.response import RECEIPT
from omnicli.model.signed import mark
from omnicli.providers import bounces
from omnicli.providers.bounces import codes

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
KEYS = {0: b"k" * 32}
TOUCH = "7c" * 16
MARK = mark(KEYS[0], TOUCH, 2)
MAILS = Path(__file__).parent / "mails"


def mail(name: str, marked: str = MARK) -> bytes:
    """A sample of `mails/`, with a mark in place of `{mark}`."""
    return (MAILS / name).read_bytes().replace(b"{mark}", marked.encode()).replace(b"{touch}", TOUCH.encode())


SAMPLES = [
    # sample, what, kind, code, words of the reason
    ("postfix_unknown.eml", "bounced", "hard", "5.1.1", "User unknown"),
    ("postfix_delayed.eml", "delayed", None, "4.4.1", "timed out"),
    ("postfix_relayed.eml", "relayed", None, "2.0.0", None),
    ("exim_no_such_user.eml", "bounced", "hard", "5.0.0", "No such user"),
    ("exchange_not_found.eml", "bounced", "hard", "5.1.10", "RecipientNotFound"),
    ("exchange_full.eml", "bounced", "soft", "5.2.2", "mailbox is full"),
    ("gmail_policy.eml", "bounced", "block", "5.7.26", "unauthenticated"),
    ("gmail_inactive.eml", "bounced", "soft", "5.2.1", "disabled"),
    ("delivered.eml", "delivered", None, "2.0.0", None),
    ("two_recipients.eml", "bounced", "hard", "5.1.1", "no such"),
    ("returned_headers_only.eml", "bounced", "hard", "5.1.2", "Host not found"),
    ("envelope_id.eml", "bounced", "soft", "4.4.7", "expired"),
    ("arf_abuse.eml", "complained", None, None, "abuse"),
    ("unsubscribe.eml", "unsubscribed", None, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "what", "kind", "code", "reason"), SAMPLES)
def test_a_notice_tells_of_its_touch_and_whose_fault_it_was(
    name: str, what: str, kind: str | None, code: str | None, reason: str | None
) -> None:
    told = bounces.read(mail(name), KEYS)
    assert (told.what, told.kind, told.code) == (what, kind, code)
    assert (reason or "") in (told.reason or "")
    assert told.marked == (TOUCH, 2)


def test_a_notice_names_the_address_that_failed() -> None:
    assert bounces.read(mail("postfix_unknown.eml"), KEYS).address == "lea@example.org"
    assert bounces.read(mail("arf_abuse.eml"), KEYS).address == "lea@example.org"


@pytest.mark.parametrize(
    "name", ["vacation.eml", "out_of_office.eml", "reply.eml", "read_receipt.eml", "not_spam.eml", "mailing_list.eml"]
)
def test_what_machines_and_people_answer_to_the_bounce_address_is_nothing(name: str) -> None:
    assert bounces.read(mail(name), KEYS).what == "nothing"
    assert bounces.receipt(bounces.read(mail(name), KEYS), mail(name), now=NOW) is None


@pytest.mark.parametrize("name", ["qmail.eml", "exim_old.eml", "no_recipient.eml", "odd_action.eml"])
def test_a_bounce_in_words_of_its_own_is_unclear_and_kept_as_it_came(name: str) -> None:
    told = bounces.read(mail(name), KEYS)
    assert told.what == "unclear"
    kept = bounces.receipt(told, mail(name), now=NOW)
    assert kept is not None
    assert (kept.response, kept.raw) == (None, mail(name))
    assert (kept.note or "").startswith("unclear: ")


def test_a_bounce_becomes_a_response_of_its_touch() -> None:
    raw = mail("postfix_unknown.eml")
    receipt = bounces.receipt(bounces.read(raw, KEYS), raw, now=NOW)
    assert receipt is not None
    assert receipt.response is not None
    response = receipt.response
    assert (response.name, response.touch, response.attempt, response.channel) == ("bounced", TOUCH, 2, "email")
    assert (response.payload["kind"], response.payload["code"]) == ("hard", "5.1.1")
    assert response.id == receipt.key.hex()


def test_a_genuine_mark_does_not_let_its_owner_name_somebody_else() -> None:
    raw = mail("postfix_unknown.eml").replace(b"lea@example.org", b"victim@example.org")
    receipt = bounces.receipt(bounces.read(raw, KEYS), raw, now=NOW)
    assert receipt is not None
    assert receipt.response is not None
    assert (receipt.response.touch, receipt.response.address) == (TOUCH, None)


def test_a_delay_is_a_receipt_that_it_waits() -> None:
    raw = mail("postfix_delayed.eml")
    receipt = bounces.receipt(bounces.read(raw, KEYS), raw, now=NOW)
    assert receipt is not None
    assert receipt.response is not None
    assert (receipt.response.name, receipt.response.payload["state"]) == (RECEIPT, "deferred")


def test_the_same_fact_has_one_key_however_often_it_is_sent() -> None:
    first = bounces.receipt(bounces.read(mail("postfix_unknown.eml"), KEYS), b"1", now=NOW)
    second = bounces.receipt(
        bounces.read(mail("postfix_unknown.eml").replace(b"Message-Id: <", b"Message-Id: <2"), KEYS), b"2", now=NOW
    )
    other = bounces.receipt(bounces.read(mail("postfix_unknown.eml", mark(KEYS[0], TOUCH, 3)), KEYS), b"3", now=NOW)
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.key == second.key != other.key


@pytest.mark.guards("bounce_mark")
@pytest.mark.parametrize("name", [sample[0] for sample in SAMPLES])
def test_a_mark_that_we_did_not_sign_is_not_believed(name: str) -> None:
    forged = mark(b"x" * 32, TOUCH, 2)
    told = bounces.read(mail(name, forged), KEYS)
    assert told.marked is None
    receipt = bounces.receipt(told, mail(name, forged), now=NOW)
    assert receipt is not None
    assert receipt.response is None


def test_servers_that_write_addresses_large_are_understood() -> None:
    raw = mail("postfix_unknown.eml", MARK.upper()).replace(b"bounce+", b"BOUNCE+")
    assert bounces.read(raw, KEYS).marked == (TOUCH, 2)


def test_a_key_that_signed_before_still_proves() -> None:
    assert bounces.read(mail("postfix_unknown.eml"), {0: b"k" * 32, 1: b"n" * 32}).marked == (TOUCH, 2)


def test_a_notice_with_only_our_message_id_says_so_and_no_more() -> None:
    told = bounces.read(mail("message_id_only.eml"), KEYS)
    assert (told.what, told.marked, told.quoted) == ("bounced", None, (TOUCH, 2))


CODES = [
    ("5.1.1", "", "hard"), ("5.1.2", "", "hard"), ("5.1.10", "", "hard"), ("5.4.1", "", "hard"),
    ("5.1.3", "", "soft"), ("5.2.1", "", "soft"), ("5.2.2", "", "soft"), ("5.3.4", "", "soft"), ("5.4.4", "", "soft"),
    ("4.2.2", "", "soft"), ("4.4.7", "", "soft"), ("4.1.1", "", "soft"), ("5.7.1", "", "block"), ("5.7.26", "", "block"),
    ("4.7.0", "", "block"), ("5.1.8", "", "block"), ("5.1.7", "", "block"), ("5.0.0", "550 No such user here", "hard"),
    ("5.0.0", "552 mailbox is full", "soft"), ("5.0.0", "554 blocked by spam policy", "block"), ("5.0.0", "gone", "soft"),
    (None, "user unknown", "hard"), (None, "", "soft"), ("4.0.0", "user unknown", "soft"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "said", "kind"), CODES)
def test_the_code_says_whose_fault_it_was(code: str | None, said: str, kind: str) -> None:
    assert codes.kind_of(code, said) == kind


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        ("5.1.1", "smtp; 550 5.7.1 no", "5.1.1"),
        ("5.0.0", "smtp; 550 5.1.1 no", "5.1.1"),
        ("5.0.0", "smtp; 550 no", "5.0.0"),
        ("", "smtp; 550-5.1.1 no", "5.1.1"),
        (None, "smtp; 552 full", "552"),
        (None, "host 10.5.1.1.2 is away", None),
        ("2.0.0 (ok)", "", "2.0.0"),
    ],
)
def test_the_telling_code_is_taken(status: str | None, said: str, code: str | None) -> None:
    assert codes.code_of(status, said) == code


# --- what is no mail ------------------------------------------------------------------------------------------------
ODD = [
    b"", b"\x00", b"\n\n\n", b"From: \xff\xfe\n\n\x00", b"Content-Type: multipart/report; boundary=\n\n--\n--",
    b"Content-Type: multipart/report; boundary=a\n\n--a\nContent-Type: message/delivery-status\n\n",
    b"Content-Type: message/feedback-report\n\n\x00\xff", b"Content-Type: message/rfc822\n\n" * 60, b"x: " + b"a" * 500_000,
    b"Content-Type: text/plain; charset=nonsense\nContent-Transfer-Encoding: base64\n\n!!!",
    b"From: =?utf-8?b?////?= <mailer-daemon@x>\nSubject: =?x?y?z?=\n\nno",
    b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\nContent-Type: multipart/mixed; boundary=a\n\n" * 3000,
    b"Content-Type: multipart/report; boundary*0*=utf-8''%ff; boundary*1=x\n\n--x",
]  # fmt: skip


@pytest.mark.parametrize("raw", ODD, ids=range(len(ODD)))
def test_no_mail_is_too_odd_to_be_read(raw: bytes) -> None:
    told = bounces.read(raw, KEYS)
    assert told.what in ("nothing", "unclear")


def test_no_bent_notice_raises_or_names_another_touch() -> None:
    """Samples with bytes changed, cut and repeated, by a seed."""
    chance = random.Random(5)
    samples = [mail(name) for name, *_ in SAMPLES]
    for _ in range(400):
        raw = bytearray(chance.choice(samples))
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(raw))
            match chance.randrange(3):
                case 0:
                    raw[at] = chance.randrange(256)
                case 1:
                    del raw[at : at + chance.randint(1, 200)]
                case _:
                    raw[at:at] = raw[at : at + chance.randint(1, 200)]
            if not raw:
                break
        told = bounces.read(bytes(raw), KEYS)
        assert told.marked in (None, (TOUCH, 2))
        bounces.receipt(told, bytes(raw), now=NOW)
