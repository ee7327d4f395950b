"""SMTP on loopback: what each answer at each phase means, and what a mail looks like on the wire."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from misbehaving import CUT, NONSENSE, SILENT, Server

from omnicli.errors import OmniError
from omnicli.model.touch import Handed, Outcome, Rendered
from omnicli.providers import smtp
from omnicli.settings import Secret

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
PIECES: Mapping[str, tuple[str | int, ...]] = {
    "subject": (0, ", votre bougie"), "text": ("Bonjour ", 0, ",\n\nÀ bientôt.\n.\nfin"), "html": ("<p>Bonjour ", 0, "</p>\n<p>À bientôt.</p>"),
}  # fmt: skip


def a_mail(name: str = "Léa", *, touch: str = "7c" * 16, **changes: Any) -> Handed:
    said = {part: "".join((name,)[p] if isinstance(p, int) else p for p in pieces) for part, pieces in PIECES.items()}
    handed = Handed(
        touch, 1, "email", "bienvenue", "j0", "offre", "lea", name, "fr", "lea@example.org", Rendered("email", said, "s" * 64, (name,)), NOW,
        sender="Maison Lune <bonjour@maisonlune.example>", pieces=PIECES, fills=(name,), extra={"unsubscribe": "https://go.example/u/TOKEN"},
    )  # fmt: skip
    return replace(handed, **changes)


def a_provider(port: int, **changes: Any) -> smtp.Smtp:
    address = smtp.Address(
        "127.0.0.1", port, "none", connect_timeout=changes.pop("connect_timeout", 2), read_timeout=changes.pop("read_timeout", 2)
    )
    return smtp.Smtp(replace(address, **changes))


def sent(server: Server, mail: Handed | None = None, **changes: Any) -> Outcome:
    provider = a_provider(server.port, **changes)
    outcome = provider.send([mail or a_mail()], now=NOW)[0]
    provider.close()
    return outcome


# --- what each answer means -----------------------------------------------------------------------------------------
PHASES = [
    # phase, what the server does, outcome, halts the account, names a bad address
    ("connect", CUT, "not_sent", False, False),
    ("connect", SILENT, "not_sent", False, False),
    ("connect", "421 4.3.2 later", "not_sent", False, False),
    ("connect", "554 5.7.1 blocked", "not_sent", True, False),
    ("ehlo", CUT, "not_sent", False, False),
    ("ehlo", "550 5.7.1 who are you", "not_sent", True, False),
    ("mail", CUT, "not_sent", False, False),
    ("mail", SILENT, "not_sent", False, False),
    ("mail", NONSENSE, "not_sent", False, False),
    ("mail", "451 4.3.0 later", "not_sent", False, False),
    ("mail", "550 5.1.8 sender refused", "not_sent", True, False),
    ("mail", "552 5.3.4 too big", "not_sent", False, False),
    ("rcpt", CUT, "not_sent", False, False),
    ("rcpt", "450 4.2.1 greylisted", "not_sent", False, False),
    ("rcpt", "550 5.1.1 no such user", "rejected", False, True),
    ("rcpt", "552 5.2.2 mailbox full", "rejected", False, False),
    ("rcpt", "550 5.7.1 policy", "rejected", False, False),
    ("rcpt", "550 no", "rejected", False, False),
    ("data", CUT, "not_sent", False, False),
    ("data", "451 4.3.0 later", "not_sent", False, False),
    ("data", "554 5.7.0 policy", "not_sent", True, False),
    ("data", "554 5.5.1 no valid recipients", "not_sent", False, False),
    ("body", CUT, "not_sent", False, False),
    ("dot", "250 2.0.0 Ok: queued as 4XyZ", "accepted", False, False),
    ("dot", "451 4.3.0 later", "not_sent", False, False),
    ("dot", "554 5.7.1 spam", "rejected", False, False),
    ("dot", CUT, "unknown", False, False),
    ("dot", SILENT, "unknown", False, False),
    ("dot", NONSENSE, "unknown", False, False),
]  # fmt: skip


CASES = [(*case, pipelining) for case in PHASES for pipelining in (False, True)
         if not pipelining or (case[0] not in ("connect", "ehlo") and case[1] != SILENT)]  # fmt: skip


@pytest.mark.parametrize(("phase", "does", "outcome", "halt", "bad", "pipelining"), CASES)
def test_what_an_answer_at_a_phase_means(phase: str, does: str, outcome: str, halt: bool, bad: bool, pipelining: bool) -> None:
    with Server({phase: does}, extensions=("PIPELINING", "SIZE 1000000") if pipelining else ()) as server:
        mail = a_mail()
        if phase == "body":  # long enough that the server hangs up in the middle of it
            mail = a_mail(pieces={**PIECES, "html": ("x" * 4_000_000,)})
        found = sent(server, mail, read_timeout=0.4, connect_timeout=0.4)
    assert (found.outcome, found.halt, found.bad_address) == (outcome, halt, bad), found
    if outcome in ("not_sent", "rejected"):
        assert server.accepted == []


def test_a_server_that_is_not_there_was_never_sent_to() -> None:
    with Server() as server:
        port = server.port
    assert a_provider(port).send([a_mail()], now=NOW)[0].outcome == "not_sent"


def test_the_message_id_and_the_relays_queue_are_kept() -> None:
    with Server() as server:
        assert sent(server).ref == f"<{'7c' * 16}.1@maisonlune.example> 4XyZ"


def test_a_recipient_refused_in_a_pipeline_gets_no_message() -> None:
    """A server that answers 354 though it took no recipient is given a dot at once (RFC 2920)."""
    with Server({"rcpt": "550 5.1.1 no", "dot": "554 nobody"}, extensions=("PIPELINING",)) as server:
        assert sent(server).outcome == "rejected"
    assert server.accepted == []


# --- connections ----------------------------------------------------------------------------------------------------
def test_one_connection_carries_many_mails_one_recipient_a_transaction() -> None:
    with Server() as server:
        provider = a_provider(server.port)
        outcomes = provider.send([a_mail(touch=f"{n:032x}") for n in range(20)], now=NOW)
        provider.close()
    assert {o.outcome for o in outcomes} == {"accepted"}
    assert (server.connections, len(server.accepted)) == (1, 20)
    assert [c for c in server.commands if c.startswith("RCPT")] == ["RCPT TO:<lea@example.org>"] * 20


def test_a_connection_is_left_after_so_many_messages() -> None:
    with Server() as server:
        provider = a_provider(server.port, messages=3)
        provider.send([a_mail(touch=f"{n:032x}") for n in range(7)], now=NOW)
        provider.close()
    assert (server.connections, len(server.accepted)) == (3, 7)


def test_a_kept_connection_that_died_is_opened_anew_and_the_mail_leaves_once() -> None:
    with Server() as server:
        provider = a_provider(server.port)
        provider.send([a_mail(touch="01" * 16)], now=NOW)
        kept = provider._idle.get_nowait()
        kept.smtp.sock.shutdown(socket.SHUT_RDWR)
        provider._idle.put(kept)
        outcome = provider.send([a_mail(touch="02" * 16)], now=NOW)[0]
        provider.close()
    assert outcome.outcome == "accepted"
    assert (server.connections, len(server.accepted)) == (2, 2)


def test_after_a_refusal_the_next_mail_goes_over_the_same_connection() -> None:
    with Server({"rcpt": "550 5.1.1 no"}) as server:
        provider = a_provider(server.port)
        provider.send([a_mail()], now=NOW)
        server.says.clear()
        assert provider.send([a_mail()], now=NOW)[0].outcome == "accepted"
        provider.close()
    assert server.connections == 1
    assert "RSET" in server.commands


def test_four_threads_have_a_connection_each() -> None:
    with Server() as server:
        provider = a_provider(server.port)
        threads = [
            threading.Thread(target=provider.send, args=([a_mail(touch=f"{n}{m:031x}") for m in range(5)],), kwargs={"now": NOW})
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        provider.close()
    assert len(server.accepted) == 20
    assert server.connections <= 4


# --- what is on the wire --------------------------------------------------------------------------------------------
def test_a_mail_reads_back_as_it_was_written() -> None:
    with Server() as server:
        sent(server, a_mail("Zoé & Cº"))
    (raw,) = server.accepted
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    read = message_from_bytes(raw, policy=default)
    assert read["Subject"] == "Zoé & Cº, votre bougie"
    assert read["From"] == "Maison Lune <bonjour@maisonlune.example>"
    assert read["To"] == "lea@example.org"
    assert read["Date"].datetime == NOW
    assert read["Message-ID"] == f"<{'7c' * 16}.1@maisonlune.example>"
    text, html = read.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n").rstrip("\n") == "Bonjour Zoé & Cº,\n\nÀ bientôt.\n.\nfin"
    assert html.get_content().replace("\r\n", "\n").rstrip("\n") == "<p>Bonjour Zoé & Cº</p>\n<p>À bientôt.</p>"


def test_one_click_unsubscribing_only_with_a_public_address() -> None:
    with Server() as server:
        sent(server)
        sent(server, a_mail(extra={}))
        sent(server, a_mail(purpose="transactional"))
    one_click, mailto, receipt = (message_from_bytes(raw, policy=default) for raw in server.accepted)
    address = f"<mailto:unsubscribe+{'7c' * 16}.1@maisonlune.example>"
    assert one_click["List-Unsubscribe"] == f"<https://go.example/u/TOKEN>, {address}"
    assert one_click["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (mailto["List-Unsubscribe"], mailto["List-Unsubscribe-Post"]) == (address, None)
    assert receipt["List-Unsubscribe"] is None


def test_a_bounce_says_which_touch_it_is_about() -> None:
    with Server() as server:
        sent(server)
    assert f"MAIL FROM:<bounce+{'7c' * 16}.1@maisonlune.example>" in server.commands[1]


BREAKING = [
    "a\r\nBcc: x@example.org",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\x00b",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "=?utf-8?q?=0ABcc?=",
    "x =?iso-8859-1?B?WA==?= y",
]


@pytest.mark.guards("header_values")
@pytest.mark.parametrize("name", BREAKING)
def test_a_value_that_would_break_a_header_is_refused_and_nothing_leaves(name: str) -> None:
    with Server() as server:
        found = sent(server, a_mail(name))
    assert (found.outcome, found.code) == ("rejected", "header")
    assert "Subject" in (found.detail or "")
    assert server.commands == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "lea",
        "a@b@c",
        "a@b,c@d",
        "a b@c",
        "a@b\r\nRCPT TO:<x@y>",
        "<a@b>",
        "a@b>",
        "a;b@c",
        "@b",
        "a@",
        "a\x00@b",
        "a" * 300 + "@b",
    ],
)
@pytest.mark.guards("plain_address")
def test_only_one_plain_address_is_written_to(address: str) -> None:
    with Server() as server:
        assert sent(server, a_mail(address=address)).outcome == "rejected"
    assert server.commands == []


def test_an_address_outside_ascii_needs_a_server_that_takes_it() -> None:
    with Server() as server:
        assert sent(server, a_mail(address="zoé@example.org")).code == "smtputf8"
        assert sent(server, a_mail(address="zoe@exämple.org")).outcome == "accepted"
    assert "RCPT TO:<zoe@xn--exmple-cua.org>" in server.commands
    with Server(extensions=("SMTPUTF8", "8BITMIME")) as server:
        assert sent(server, a_mail(address="zoé@example.org")).outcome == "accepted"
    assert any("SMTPUTF8" in command for command in server.commands)


def test_lines_that_begin_with_a_dot_arrive_whole() -> None:
    pieces = {**PIECES, "text": (".\n..\n.x ", 0, "\n."), "html": (".", 0)}
    with Server() as server:
        sent(server, a_mail("Léa", pieces=pieces))
    text, html = message_from_bytes(server.accepted[0], policy=default).iter_parts()
    assert text.get_content().replace("\r\n", "\n").rstrip("\n") == ".\n..\n.x Léa\n."
    assert html.get_content().strip() == ".Léa"


# --- logging in, TLS, settings --------------------------------------------------------------------------------------
def test_a_refused_log_in_halts_the_account_and_fails_nobody() -> None:
    with Server({"auth": "535 5.7.8 no"}, extensions=("AUTH PLAIN",)) as server:
        found = sent(server, user="omni", password=Secret("hunter2"))
    assert (found.outcome, found.halt) == ("not_sent", True)
    assert "hunter2" not in repr(found)


def test_without_starttls_nothing_is_said_in_the_clear() -> None:
    with Server(extensions=("AUTH PLAIN",)) as server:
        found = sent(server, tls="starttls", user="omni", password=Secret("hunter2"))
    assert (found.outcome, found.halt, found.code) == ("not_sent", True, "tls")
    assert not any("AUTH" in command for command in server.commands)


@contextmanager
def a_real_server(**options: Any) -> Iterator[tuple[int, list[Any]]]:
    """aiosmtpd: a second opinion on our SMTP."""
    from aiosmtpd.controller import Controller

    class Keep:
        def __init__(self) -> None:
            self.taken: list[Any] = []

        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
            self.taken.append(envelope)
            return "250 2.0.0 Ok: queued as AIO1"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keep = Keep()
    controller = Controller(keep, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port, keep.taken
    finally:
        controller.stop()


def test_a_server_of_somebody_else_takes_our_mail() -> None:
    with a_real_server() as (port, taken):
        provider = a_provider(port)
        outcomes = provider.send([a_mail(touch=f"{n:032x}") for n in range(3)], now=NOW)
        provider.close()
    assert [o.outcome for o in outcomes] == ["accepted"] * 3
    assert [envelope.rcpt_tos for envelope in taken] == [["lea@example.org"]] * 3


def a_certificate(folder: Path) -> tuple[Path, Path]:
    import subprocess

    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("no openssl here")
    return key, cert


def test_starttls_and_implicit_tls_check_the_certificate(tmp_path: Path) -> None:
    key, cert = a_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with a_real_server(tls_context=context, require_starttls=True) as (port, taken):
        assert a_provider(port, tls="starttls").send([a_mail()], now=NOW)[0].code == "tls"
        trusted = a_provider(port, tls="starttls", ca_file=str(cert))
        assert trusted.send([a_mail()], now=NOW)[0].outcome == "accepted"
        trusted.close()
        assert len(taken) == 1


def test_settings_say_what_is_missing_or_odd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OMNI_SMTP_HOST", raising=False)
    monkeypatch.delenv("OMNI_SMTP_PORT", raising=False)

    def opened(**settings: Any) -> smtp.Smtp:
        return smtp.open_smtp(None, settings, tmp_path, live=True)

    for settings, said in (
        ({}, "no server"), ({"host": "h", "tls": "maybe"}, "tls"), ({"host": "h", "port": "x"}, "port"), ({"host": "h", "user": "u"}, "password"),
        ({"host": "h", "read_timeout": "soon"}, "read_timeout"), ({"hots": "h"}, "Did you mean 'host'"),
    ):  # fmt: skip
        with pytest.raises(OmniError, match=said):
            opened(**settings)
    found = opened(host="mail.example.org", user="u", password=Secret("p"), tls="implicit", messages_per_connection="20")
    assert (found.address.port, found.address.messages, found.account) == (465, 20, "u@mail.example.org:465")
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("OMNI_SMTP_PORT", "2525")
    assert (opened().address.port, opened().address.tls) == (2525, "none")
