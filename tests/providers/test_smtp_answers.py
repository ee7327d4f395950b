"""Every phase of SMTP × every class of answer has one meaning; what drips, babbles or answers on many lines is read for what it is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from fake_smtp import FakeSmtp

from omnicli import clock
from omnicli.model.signed import mark, read_mark
from omnicli.model.touch import Handed, Outcome, Rendered
from omnicli.providers.smtp import Address, Connection, Smtp, classify
from omnicli.providers.smtp.classify import Phase, enhanced_code
from omnicli.providers.smtp.provider import BATCH

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
KEY = b"k" * 32
PHASES: tuple[Phase, ...] = get_args(Phase)


def a_mail(n: int = 1, **changes: Any) -> Handed:
    touch = f"{n:032x}"
    parts = {"subject": "Votre bougie", "text": "Bonjour"}
    handed = Handed(touch, 1, "email", "bienvenue", "j0", "offre", "lea", "Léa", "fr", "lea@example.org", Rendered("email", parts), NOW,
                    sender="Maison Lune <bonjour@maisonlune.example>", mark=mark(KEY, touch, 1))  # fmt: skip
    return replace(handed, **changes)


def a_provider(port: int, **changes: Any) -> Smtp:
    return Smtp(Address("127.0.0.1", port, "none", connect_timeout=1, read_timeout=changes.pop("read_timeout", 1), **changes))


def sent(fake: FakeSmtp, mail: Handed | None = None, **changes: Any) -> Outcome:
    provider = a_provider(fake.port, **changes)
    try:
        return provider.send([mail or a_mail()], now=NOW)[0]
    finally:
        provider.close()


# --- the table --------------------------------------------------------------------------------------------------------
def meant(phase: Phase, code: int | None, enhanced: str) -> str:
    """The table of docs/delivery 9, written a second time: outcome, `!` when it halts, `x` when the address is dead."""
    if code is None:
        return "unknown" if phase == "dot" else "not_sent"
    match phase, code // 100:
        case "dot", 2:
            return "accepted"
        case "dot", 3:
            return "unknown"
        case (("rcpt" | "dot"), 5) if code not in (530, 535) and enhanced not in ("5.1.7", "5.1.8"):
            dead = enhanced in ("5.1.1", "5.1.2", "5.1.10", "5.4.1") or (code == 556 and not enhanced)
            return "rejected x" if dead else "rejected"
        case (("connect" | "ehlo" | "tls" | "auth"), 5):
            return "not_sent !"
        case _, 5 if code in (530, 535) or enhanced.startswith("5.7.") or enhanced in ("5.1.7", "5.1.8"):
            return "not_sent !"
        case "mail", 5 if not enhanced and code in (550, 553, 554):
            return "not_sent !"
    return "not_sent"


ANSWERS: tuple[tuple[int | None, str], ...] = (
    (None, ""), (220, ""), (250, "2.0.0"), (354, ""), (421, "4.3.2"), (450, "4.2.1"), (451, ""), (452, "4.2.2"), (454, "4.7.0"),
    (500, "5.5.2"), (502, ""), (503, "5.5.1"), (521, ""), (530, "5.7.0"), (535, "5.7.8"), (550, ""), (550, "5.1.1"), (550, "5.1.2"), (550, "5.1.10"),
    (550, "5.4.1"), (550, "5.7.1"), (550, "5.7.26"), (551, "5.1.6"), (552, "5.2.2"), (552, "5.3.4"), (553, ""), (553, "5.1.7"), (553, "5.1.8"), (554, ""), (554, "5.7.1"),
    (556, ""), (556, "5.1.10"), (571, "5.7.1"),
)  # fmt: skip


@pytest.mark.parametrize("phase", PHASES)
def test_every_answer_at_every_phase_has_one_meaning(phase: Phase) -> None:
    for code, enhanced in ANSWERS:
        found = classify(phase, code, f"{enhanced} whatever".strip())
        said = found.outcome + (" !" if found.halt else "") + (" x" if found.bad_address else "")
        assert said == meant(phase, code, enhanced), (phase, code, enhanced)


def test_nothing_before_the_dot_is_unknown_and_nothing_but_an_answer_to_it_accepts() -> None:
    outcomes = {(phase, classify(phase, code, enhanced).outcome) for phase in PHASES for code, enhanced in ANSWERS}
    assert {phase for phase, outcome in outcomes if outcome == "unknown"} == {"dot"}
    assert {phase for phase, outcome in outcomes if outcome == "accepted"} == {"dot"}


@pytest.mark.parametrize(
    ("text", "code"),
    [("5.1.1 no", "5.1.1"), ("2.0.0 Ok: queued as X", "2.0.0"), ("no 5.1.1", None), ("5.1.1: no", None), ("5.1 no", None), ("", None),
     ("127.0.0.1 says no", None), ("5.7.26 no", "5.7.26"), ("4.2.1\tlater", "4.2.1"), ("9.1.1 no", None)],
)  # fmt: skip
def test_an_enhanced_code_stands_first(text: str, code: str | None) -> None:
    assert enhanced_code(text) == code


# --- what comes over the wire -------------------------------------------------------------------------------------------
def test_answers_on_many_lines_are_read_whole_and_their_code_once() -> None:
    with FakeSmtp() as fake:
        fake.behave("rcpt", "550-5.7.26 not\r\n550-5.7.26 authenticated\r\n550 5.7.26 at all")
        found = sent(fake)
    assert (found.outcome, found.code, found.detail) == ("rejected", "5.7.26", "550 5.7.26 not authenticated at all")


@pytest.mark.parametrize("reply", ["x" * 70_000, "\r\n".join(["250-more"] * 400) + "\r\n250 end", "99 odd", "250?odd", "ÿ\x00"])
def test_a_server_that_babbles_after_the_dot_leaves_the_mail_unknown(reply: str) -> None:
    with FakeSmtp() as fake:
        fake.behave("dot", reply)
        assert sent(fake).outcome == "unknown"


def test_a_421_after_a_mail_ends_the_connection_and_the_next_mail_finds_another() -> None:
    with FakeSmtp() as fake:
        fake.behave("dot", "421 4.3.2 going down", times=1)
        provider = a_provider(fake.port)
        first, second = provider.send([a_mail(1), a_mail(2)], now=NOW)
        provider.close()
    assert (first.outcome, second.outcome) == ("not_sent", "accepted")
    assert len(fake.accepted) == 1


def test_each_mail_is_one_transaction_and_reaches_one_person_once() -> None:
    """One MAIL, one RCPT, one DATA an attempt: nothing is repeated, whatever was answered."""
    for reply in ("451 4.3.0 later", "550 5.1.1 no", "554 5.7.1 no", "421 4.3.2 later"):
        for phase in ("rcpt", "data", "dot"):
            with FakeSmtp() as fake:
                fake.behave(phase, reply)
                sent(fake)
                verbs = [command.split(" ")[0].split(":")[0].upper() for command in fake.commands]
                assert verbs.count("MAIL") == 1, (phase, reply)
                assert verbs.count("RCPT") == 1
                assert len(fake.log) == 0


# --- what a mail carries back -------------------------------------------------------------------------------------------
def test_the_mark_stands_wherever_something_may_come_back() -> None:
    with FakeSmtp() as fake:
        sent(fake, a_mail(extra={"unsubscribe": "https://go.example/u/T", "list_id": "<nouveautes.maison.example>"}))
    (raw,) = fake.accepted
    mine = a_mail().mark
    text = raw.decode()
    assert f"X-Omni-Id: {mine}\r\n" in text
    assert f"<mailto:unsubscribe+{mine}@maisonlune.example>" in text.replace("\r\n ", " ")
    assert f"Message-ID: <{a_mail().touch}.1@maisonlune.example>\r\n" in text
    assert any(f"bounce+{mine}@maisonlune.example" in command for command in fake.commands)


def test_our_local_parts_keep_within_64_characters_and_survive_capitals() -> None:
    longest = mark(KEY, "f" * 32, 99)
    for box in ("bounce", "unsubscribe"):
        assert len(f"{box}+{longest}") <= 64
    assert read_mark({0: KEY}, longest.upper()) == ("f" * 32, 99)


def test_bounces_come_back_to_the_domain_that_is_set() -> None:
    with FakeSmtp() as fake:
        provider = replace_domain(a_provider(fake.port), "retours.example")
        provider.send([a_mail()], now=NOW)
        provider.close()
    assert any("@retours.example>" in command for command in fake.commands)
    assert b"@retours.example>" in fake.accepted[0]


def replace_domain(provider: Smtp, domain: str) -> Smtp:
    provider.bounce_domain = domain
    return provider


class Keeping(Connection):
    """A connection whose server offers to keep our mark (RFC 3461)."""

    def offers(self, extension: str) -> bool:
        return extension == "dsn"


def test_a_server_that_keeps_envelope_ids_is_given_the_mark() -> None:
    with FakeSmtp() as fake:
        provider = a_provider(fake.port)
        provider.connect = Keeping
        assert provider.send([a_mail()], now=NOW)[0].outcome == "accepted"
        provider.close()
    assert any(f" RET=HDRS ENVID={a_mail().mark}" in command for command in fake.commands)


# --- calls of several ---------------------------------------------------------------------------------------------------
@pytest.mark.guards("wake_check")
def test_no_mail_of_a_call_is_begun_when_the_machine_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's word is seconds old at most; what comes later is asked anew, at no cost of an attempt."""
    times = iter([0.0, 0.0, 4.9, 5.0, 3600.0])
    with FakeSmtp() as fake:
        provider = a_provider(fake.port)
        monkeypatch.setattr(clock, "awake", lambda: next(times))
        outcomes = provider.send([a_mail(n) for n in range(4)], now=NOW)
        provider.close()
    assert [(o.outcome, o.free) for o in outcomes] == [
        ("accepted", False),
        ("accepted", False),
        ("not_sent", True),
        ("not_sent", True),
    ]
    assert len(fake.accepted) == 2


def test_a_call_is_small_and_its_time_is_known() -> None:
    provider = a_provider(25, read_timeout=60)
    assert (provider.batch, provider.in_flight, BATCH) == (4, 4, 4)
    assert provider.read_timeout == 5 + 1 + 2 * 60


# --- what doctor asks ---------------------------------------------------------------------------------------------------
def test_a_relay_that_lets_us_in_is_ready(tmp_path: Path) -> None:
    with FakeSmtp() as fake:
        provider = a_provider(fake.port)
        login, bounces = provider.check(online=True)
        assert (login.ok, bounces.ok, bounces.fix) == (True, None, "providers.smtp.bounces")
        provider.bounces = tmp_path
        assert [one.ok for one in provider.check(online=False)] == [None, True]
        fake.behave("connect", "554 5.7.1 not you")
        refused = provider.check(online=True)[0]
    assert (refused.ok, "not you" in refused.seen) == (False, True)


# --- somebody else's server ---------------------------------------------------------------------------------------------
@contextmanager
def smtp_sink(folder: Path, *options: str) -> Iterator[int]:
    """Postfix's smtp-sink, which writes every mail to a file."""
    import os
    import socket

    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/postfix/sbin")
    if program is None:
        pytest.skip("no smtp-sink here (Postfix)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    who = ["-u", "nobody"] if os.geteuid() == 0 else []
    running = subprocess.Popen([program, *who, *options, f"127.0.0.1:{port}", "16"], cwd=folder, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1000):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                os.sched_yield()
        yield port
    finally:
        running.terminate()
        running.wait(5)


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ((), "accepted"),
        (("-p",), "accepted"),
        (("-8",), "accepted"),
        (("-r", "rcpt"), "not_sent"),
        (("-f", "rcpt"), "rejected"),
        (("-r", "data"), "not_sent"),
        (("-f", "."), "rejected"),
        (("-r", "."), "not_sent"),
        (("-q", "data"), "not_sent"),
        (("-q", "."), "unknown"),
        (("-q", "mail"), "not_sent"),
    ],
)
def test_postfix_means_what_we_take_it_to_mean(tmp_path: Path, options: tuple[str, ...], outcome: str) -> None:
    with smtp_sink(tmp_path, *options) as port:
        provider = a_provider(port)
        found = provider.send([a_mail(n) for n in range(3)], now=NOW)
        provider.close()
    assert [one.outcome for one in found] == [outcome] * 3
