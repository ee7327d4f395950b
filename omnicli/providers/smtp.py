"""Sends e-mail by SMTP, command by command, so that the phase in which something failed says what became of the mail.

Up to the last byte before the final dot nothing was sent; after the dot was written only an answer can say (docs/delivery
9, RFC 5321, RFC 1047). One recipient a transaction, the dot in a call of its own, connections reused, PIPELINING where the
server offers it. A transaction is never repeated here.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, Literal

from omnicli import clock, faults
from omnicli.errors import Exit, OmniError
from omnicli.model.literals import Duration, LiteralError
from omnicli.model.touch import Handed, Outcome
from omnicli.providers import mime
from omnicli.settings import Secret
from omnicli.settings import text as plain
from omnicli.texts import t

Phase = Literal["connect", "ehlo", "tls", "auth", "mail", "rcpt", "data", "body", "dot"]

#: A connection that stood idle longer than this (seconds) is not used again (docs/delivery 9).
IDLE = 5.0
FRAMES = 512
_BAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.10", "5.4.1"})  # rules.md SU-01
_OWN_FAULT = ("5.7.", "5.1.7", "5.1.8")
_KEYS = frozenset({"host", "port", "tls", "user", "password", "messages_per_connection", "bounce_domain", "bounces", "in_flight",
                   "connect_timeout", "read_timeout", "local_hostname", "ca_file"})  # fmt: skip


class Lost(Exception):
    """The connection ended, timed out or answered what is no reply."""


def classify(phase: Phase, code: int | None, text: str = "") -> Outcome:
    """What an answer means for the mail, by phase; `code` None: the connection was lost, timed out or talked nonsense.

    The table of docs/delivery 9. 5yz at RCPT concerns the recipient; at MAIL, DATA, connecting, greeting or logging in it
    concerns the sender, and codes of authentication, sender and policy halt the account.
    """
    enhanced = _enhanced(text)
    said = f"{code} {text}".strip()[:200] if code is not None else text[:200]
    name = enhanced or (str(code) if code is not None else "lost")
    if code is None:
        return Outcome("unknown" if phase == "dot" else "not_sent", code=name, detail=f"{phase}: {said or 'connection lost'}")
    if phase == "dot" and 200 <= code < 300:
        return Outcome("accepted", code=name, detail=said)
    if phase == "dot" and not 400 <= code < 600:
        return Outcome("unknown", code=name, detail=f"dot: {said}")
    if 500 <= code < 600 and phase in ("rcpt", "dot"):
        return Outcome("rejected", code=name, detail=said, bad_address=phase == "rcpt" and enhanced in _BAD_ADDRESS)
    halt = 500 <= code < 600 and (phase in ("connect", "ehlo", "tls", "auth") or _halts(phase, code, enhanced))
    return Outcome("not_sent", code=name, detail=f"{phase}: {said}", halt=halt)


def _halts(phase: Phase, code: int, enhanced: str | None) -> bool:
    if enhanced is not None:
        return enhanced.startswith(_OWN_FAULT)
    return phase == "mail" and code in (530, 535, 550, 553, 554)


def _enhanced(text: str) -> str | None:
    first = text.split(None, 1)[0] if text.strip() else ""
    numbers = first.split(".")
    return first if len(numbers) == 3 and all(n.isdigit() for n in numbers) else None


@dataclass(frozen=True, slots=True)
class Address:
    """Where the mail goes to. `tls`: `starttls` (required), `implicit` or `none`; times in seconds."""

    host: str
    port: int
    tls: str = "starttls"
    user: str | None = None
    password: str | Secret | None = field(default=None, repr=False)
    messages: int = 1000
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    local_hostname: str = "localhost"
    ca_file: str | None = None


class Connection:
    """One connection, greeted and logged in. `used` counts transactions; after an error it is closed, never patched up."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.used = 0
        self.last = clock.monotonic()
        self.phase: Phase = "connect"
        self.smtp = smtplib.SMTP_SSL(context=self._context(), local_hostname=address.local_hostname, timeout=address.connect_timeout) \
            if address.tls == "implicit" else smtplib.SMTP(local_hostname=address.local_hostname, timeout=address.connect_timeout)  # fmt: skip

    def open(self) -> Outcome | None:
        """Connect, greet, secure, log in; what went wrong, or None."""
        a = self.address
        try:
            self.smtp._host = a.host  # type: ignore[attr-defined]  # smtplib checks the certificate against it
            code, text = self.smtp.connect(a.host, a.port)
            if code != 220:
                return classify("connect", code, _text(text))
            if bad := self._greet():
                return bad
            if a.tls == "starttls" and (bad := self._secure()):
                return bad
            if a.user is not None:
                self.phase = "auth"
                self.smtp.login(a.user, plain(a.password or ""))
            assert self.smtp.sock is not None
            self.smtp.sock.settimeout(a.read_timeout)
            return None
        except smtplib.SMTPAuthenticationError as error:
            return classify("auth", error.smtp_code, _text(error.smtp_error))
        except smtplib.SMTPNotSupportedError as error:
            return Outcome("not_sent", code="auth", detail=str(error), halt=True)
        except smtplib.SMTPResponseException as error:
            return classify(self.phase, error.smtp_code, _text(error.smtp_error))
        except ssl.SSLCertVerificationError as error:
            return Outcome(
                "not_sent",
                code="tls",
                detail=error.verify_message or t("the certificate is not valid", "le certificat n'est pas valide"),
                halt=True,
            )
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return classify(self.phase, None, _name(error))

    def _greet(self) -> Outcome | None:
        self.phase = "ehlo"
        code, text = self.smtp.ehlo()
        return None if code == 250 else classify("ehlo", code, _text(text))

    def _secure(self) -> Outcome | None:
        self.phase = "tls"
        if not self.smtp.has_extn("starttls"):
            return Outcome(
                "not_sent", code="tls", detail=t("the server offers no STARTTLS", "le serveur ne propose pas STARTTLS"), halt=True
            )
        code, text = self.smtp.starttls(context=self._context())
        return classify("tls", code, _text(text)) if code != 220 else self._greet()

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.address.ca_file)

    def stale(self) -> bool:
        return self.used >= self.address.messages or clock.monotonic() - self.last > IDLE

    def offers(self, extension: str) -> bool:
        return bool(self.smtp.has_extn(extension))

    # --- one mail ---------------------------------------------------------------------------------------------------
    def deliver(self, sender: str, recipient: str, message: bytes) -> Outcome:
        """One transaction, whole. `message` is dot-stuffed and ends in CRLF. The connection is closed unless it is clean."""
        self.used += 1
        self.phase = "mail"
        clean = False
        try:
            refused = self._envelope(sender, recipient, len(message))
            if refused is not None:
                clean = self._reset()
                return refused
            self.phase = "body"
            half = len(message) // 2
            self._write(message[:half])
            faults.point("F08")
            self._write(message[half:])
            self.phase = "dot"
            self._write(b".\r\n")
            faults.point("F09")
            code, text = self._reply()
            clean = code != 421
            return classify("dot", code, text)
        except (OSError, Lost) as error:
            return classify(self.phase, None, _name(error))
        finally:
            self.last = clock.monotonic()
            if not clean:
                self.close()

    def _envelope(self, sender: str, recipient: str, size: int) -> Outcome | None:
        options = (f" SIZE={size}" if self.offers("size") else "") + ("" if recipient.isascii() else " SMTPUTF8")
        commands: list[tuple[Phase, str, tuple[int, ...]]] = [
            ("mail", f"MAIL FROM:<{sender}>{options}\r\n", (250,)),
            ("rcpt", f"RCPT TO:<{recipient}>\r\n", (250, 251)),
            ("data", "DATA\r\n", (354,)),
        ]
        if self.offers("pipelining"):
            return self._pipelined(commands)
        for phase, command, good in commands:
            self.phase = phase
            self._write(command.encode("utf-8"))
            code, text = self._reply()
            if code not in good:
                return classify(phase, code, text)
        return None

    def _pipelined(self, commands: Sequence[tuple[Phase, str, tuple[int, ...]]]) -> Outcome | None:
        """All three at once (RFC 2920); the first refusal counts. A server that takes DATA without a recipient gets a dot
        at once: there is nobody whom it could reach."""
        self._write("".join(command for _, command, _ in commands).encode("utf-8"))
        refused: Outcome | None = None
        for phase, _, good in commands:
            self.phase = phase
            code, text = self._reply()
            if code not in good:
                refused = refused or classify(phase, code, text)
            elif phase == "data" and refused is not None:
                self._write(b".\r\n")
                self._reply()
        return refused

    def _reset(self) -> bool:
        self._write(b"RSET\r\n")
        code, _ = self._reply()
        return code == 250

    def _write(self, data: bytes) -> None:
        if self.smtp.sock is None:
            raise Lost("connection closed")
        self.smtp.sock.sendall(data)

    def _reply(self) -> tuple[int, str]:
        try:
            code, text = self.smtp.getreply()
        except (smtplib.SMTPException, ValueError) as error:
            raise Lost(_name(error)) from None
        if not 200 <= code < 600:
            raise Lost(t("no reply: {code}", "pas de réponse : {code}", code=code))
        if code == 421:
            self.used = self.address.messages
        return code, _text(text)

    def close(self) -> None:
        """Hang up, without a word: what was said is said."""
        self.used = self.address.messages
        self.smtp.close()

    def quit(self) -> None:
        try:
            self.smtp.sock.settimeout(2.0)  # type: ignore[union-attr]
            self.smtp.quit()
        except (OSError, AttributeError, smtplib.SMTPException):
            self.smtp.close()


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _name(error: BaseException) -> str:
    return "timed out" if isinstance(error, TimeoutError) else str(error).partition("\n")[0][:120] or type(error).__name__


@dataclass
class Smtp:
    """E-mail through one relay. Safe to call from several threads: each call takes a connection of its own."""

    address: Address
    bounce_domain: str | None = None
    name: str = "smtp"
    channels: tuple[str, ...] = ("email",)
    batch: int = 1
    in_flight: int = 4
    repeatable: bool = False
    connect: Callable[[Address], Connection] = Connection
    _idle: LifoQueue[Connection] = field(default_factory=LifoQueue)
    _frames: OrderedDict[tuple[str, str, str | None], mime.Frame] = field(default_factory=OrderedDict)

    @property
    def account(self) -> str:
        return f"{self.address.user or ''}@{self.address.host}:{self.address.port}"

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [self._one(one, now) for one in handed]

    def _one(self, one: Handed, now: datetime) -> Outcome:
        recipient = mime.one_address(one.address or "")
        if recipient is None:
            return Outcome(
                "rejected", code="address", detail=t("not one plain address", "pas une simple adresse"), bad_address=True
            )
        try:
            message_id, message = self._message(one, recipient, now)
        except mime.HeaderRefused as refused:
            return Outcome("rejected", code="header", detail=str(refused))
        except ValueError as error:
            return Outcome("not_sent", code="sender", detail=str(error), halt=True)
        outcome = self._deliver(self._sender(one), recipient, message)
        if outcome.outcome != "accepted":
            return outcome
        queue = (outcome.detail or "").rpartition(" as ")[2] if " as " in (outcome.detail or "") else ""
        return Outcome("accepted", ref=message_id + (f" {queue[:60]}" if queue else ""))

    def _deliver(self, sender: str, recipient: str, message: bytes) -> Outcome:
        """On a kept connection, else a new one. A kept one that had died before it took anything is opened anew once."""
        connection, fresh = self._taken()
        while True:
            if fresh and (bad := connection.open()) is not None:
                connection.close()
                return bad
            if not recipient.isascii() and not connection.offers("smtputf8"):
                self._idle.put(connection)
                return Outcome(
                    "rejected",
                    code="smtputf8",
                    detail=t("the server takes no address outside ASCII", "le serveur n'accepte que des adresses ASCII"),
                )
            outcome = connection.deliver(sender, recipient, message)
            if fresh or not (outcome.outcome == "not_sent" and connection.phase == "mail" and outcome.code in ("lost", "421")):
                break
            connection, fresh = self.connect(self.address), True
        if connection.stale():
            connection.quit()
        else:
            self._idle.put(connection)
        return outcome

    def _taken(self) -> tuple[Connection, bool]:
        while True:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                return self.connect(self.address), True
            if not connection.stale():
                return connection, False
            connection.quit()

    # --- the message ------------------------------------------------------------------------------------------------
    def _message(self, one: Handed, recipient: str, now: datetime) -> tuple[str, bytes]:
        sender = one.sender or ""
        message_id = f"<{one.touch}.{one.attempt}@{mime.domain_of(sender) or 'localhost'}>"
        person = mime.Person(recipient, message_id, now, f"{one.touch}.{one.attempt}", tuple(self._list_headers(one)))
        return message_id, mime.stuffed(self._frame(one, sender).fill(person, one.fills))

    def _frame(self, one: Handed, sender: str) -> mime.Frame:
        assert one.rendered is not None
        pieces: Mapping[str, Sequence[str | int]] = one.pieces or {name: (text,) for name, text in one.rendered.parts.items()}
        key = (one.rendered.skeleton, sender, one.reply_to)
        if not one.pieces or not key[0]:
            return mime.build_frame(pieces, sender=sender, reply_to=one.reply_to, seed=one.touch)
        found = self._frames.get(key)
        if found is None:
            found = self._frames[key] = mime.build_frame(pieces, sender=sender, reply_to=one.reply_to, seed=key[0])
            if len(self._frames) > FRAMES:
                self._frames.popitem(last=False)
        return found

    def _list_headers(self, one: Handed) -> list[tuple[str, str]]:
        """RFC 2369 and 8058: one-click only with a public https address, always a mailto; both from this touch's token."""
        if one.purpose != "marketing":
            return []
        mailto = f"<mailto:unsubscribe+{one.touch}.{one.attempt}@{self._bounces(one)}>"
        https = one.extra.get("unsubscribe", "")
        found = [("List-Unsubscribe", f"<{https}>, {mailto}" if https.startswith("https://") else mailto)]
        if https.startswith("https://"):
            found.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        if one.extra.get("list_id"):
            found.append(("List-Id", one.extra["list_id"]))
        return found

    def _bounces(self, one: Handed) -> str:
        return self.bounce_domain or mime.domain_of(one.sender or "") or "localhost"

    def _sender(self, one: Handed) -> str:
        """The envelope's sender says which touch a bounce is about (VERP)."""
        return f"bounce+{one.touch}.{one.attempt}@{self._bounces(one)}"

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().quit()
            except Empty:
                return


def open_smtp(project: Any, settings: Mapping[str, Any], _root: Path, *, live: bool) -> Smtp:
    """The provider of `providers.smtp` and the environment; OmniError names the setting that is missing or odd."""
    unknown = sorted(set(settings) - _KEYS)
    if unknown:
        from omnicli.text import did_you_mean

        raise _odd(
            unknown[0], t("no such setting.{hint}", "ce réglage n'existe pas.{hint}", hint=did_you_mean(unknown[0], _KEYS))
        )
    host = os.environ.get("OMNI_SMTP_HOST") or plain(settings.get("host") or "")
    if not host:
        raise OmniError(t("smtp has no server", "smtp n'a pas de serveur"),
                        hint=t("providers.smtp.host in omni.yaml, or OMNI_SMTP_HOST", "providers.smtp.host dans omni.yaml, ou OMNI_SMTP_HOST"),
                        code="S008", exit=Exit.REFUSED)  # fmt: skip
    tls = plain(settings.get("tls") or ("none" if _loopback(host) else "starttls"))
    if tls not in ("starttls", "implicit", "none"):
        raise _odd("tls", t("is starttls, implicit or none", "vaut starttls, implicit ou none"))
    user, password = settings.get("user"), settings.get("password")
    if user is not None and password is None:
        raise _odd("password", t("is missing (write ${{NAME}})", "manque (écrivez ${{NOM}})"))
    mime.self_test()
    return Smtp(
        Address(
            host, _number("port", os.environ.get("OMNI_SMTP_PORT") or settings.get("port") or (465 if tls == "implicit" else 25)), tls,
            plain(user) if user is not None else None, password, _number("messages_per_connection", settings.get("messages_per_connection", 1000)),
            _seconds("connect_timeout", settings.get("connect_timeout", "10 seconds")),
            _seconds("read_timeout", settings.get("read_timeout", "60 seconds")),
            plain(settings.get("local_hostname") or "localhost"), plain(settings["ca_file"]) if settings.get("ca_file") else None,
        ),
        plain(settings["bounce_domain"]) if settings.get("bounce_domain") else None,
        in_flight=_number("in_flight", settings.get("in_flight", 4)),
    )  # fmt: skip


def _loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _number(key: str, value: Any) -> int:
    try:
        found = int(plain(value) if isinstance(value, Secret) else value)
    except (TypeError, ValueError):
        raise _odd(key, t("is a number", "est un nombre")) from None
    if found < 1:
        raise _odd(key, t("is at least 1", "vaut au moins 1"))
    return found


def _seconds(key: str, value: Any) -> float:
    try:
        return Duration.timeout(str(value)).about.total_seconds()
    except LiteralError:
        raise _odd(key, t("is a duration such as 60 seconds", "est une durée comme 60 seconds")) from None


def _odd(key: str, what: str) -> OmniError:
    return OmniError(f"providers.smtp.{key} {what}", code="S003", exit=Exit.REFUSED)
