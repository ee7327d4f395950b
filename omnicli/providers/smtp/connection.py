"""One connection to a mail server, spoken to command by command, so that the phase in which something failed is known.

One recipient a transaction; the dot in a call of its own; PIPELINING where it is offered (RFC 2920). A transaction is never
repeated here, and nothing is waited for longer than the read timeout, however slowly it drips: once up to the dot, once after it.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from omnicli import clock, faults
from omnicli.model.touch import Outcome
from omnicli.providers.smtp.classify import Phase, classify
from omnicli.settings import Secret
from omnicli.settings import text as plain
from omnicli.texts import t

#: A connection that stood idle longer than this (seconds) is not used again (docs/delivery 9).
IDLE = 5.0
#: Bytes of one line of a reply, and lines of one reply: a server that says more talks nonsense.
LONGEST_LINE, MOST_LINES = 65536, 200


class Lost(Exception):
    """The connection ended, timed out or answered what is no reply."""


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


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who a mail is from and to on the wire; `mark` comes back in notices of servers that keep it (ENVID, RFC 3461)."""

    sender: str
    recipient: str = field(repr=False)
    mark: str = ""


class Connection:
    """One connection, greeted and logged in. `used` counts transactions; after an error it is closed, never patched up."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.used = 0
        self.last = clock.monotonic()
        self.phase: Phase = "connect"
        self.rest = b""  # read, but of a later reply
        self.until = 0.0
        self.smtp: Any = self._client()

    def _client(self) -> smtplib.SMTP:
        name, seconds = self.address.local_hostname, self.address.connect_timeout
        if self.address.tls == "implicit":
            return smtplib.SMTP_SSL(context=self._context(), local_hostname=name, timeout=seconds)
        return smtplib.SMTP(local_hostname=name, timeout=seconds)

    # --- opening ----------------------------------------------------------------------------------------------------
    def open(self) -> Outcome | None:
        """Connect, greet, secure, log in; what went wrong, or None."""
        try:
            bad = self._open()
        except smtplib.SMTPAuthenticationError as error:
            return classify("auth", error.smtp_code, _text(error.smtp_error))
        except smtplib.SMTPNotSupportedError as error:
            return Outcome("not_sent", code="auth", detail=str(error), halt=True)
        except smtplib.SMTPResponseException as error:
            return classify(self.phase, error.smtp_code, _text(error.smtp_error))
        except ssl.SSLCertVerificationError as error:
            said = error.verify_message or t("the certificate is not valid", "le certificat n'est pas valide")
            return Outcome("not_sent", code="tls", detail=said, halt=True)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return classify(self.phase, None, _name(error))
        return bad

    def _open(self) -> Outcome | None:
        a = self.address
        self.smtp._host = a.host  # smtplib checks the certificate against it
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
        self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the dot waits for the body's ACK
        return None

    def _greet(self) -> Outcome | None:
        self.phase = "ehlo"
        code, text = self.smtp.ehlo()
        return None if code == 250 else classify("ehlo", code, _text(text))

    def _secure(self) -> Outcome | None:
        self.phase = "tls"
        if not self.smtp.has_extn("starttls"):
            said = t("the server offers no STARTTLS", "le serveur ne propose pas STARTTLS")
            return Outcome("not_sent", code="tls", detail=said, halt=True)
        code, text = self.smtp.starttls(context=self._context())
        return classify("tls", code, _text(text)) if code != 220 else self._greet()

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.address.ca_file)

    def stale(self) -> bool:
        return self.used >= self.address.messages or clock.monotonic() - self.last > IDLE

    def offers(self, extension: str) -> bool:
        return bool(self.smtp.has_extn(extension))

    # --- one mail ---------------------------------------------------------------------------------------------------
    def deliver(self, envelope: Envelope, message: bytes) -> Outcome:
        """One transaction, whole. `message` is dot-stuffed and ends in CRLF. The connection is closed unless it is clean."""
        self.used += 1
        self.phase = "mail"
        clean = False
        try:
            self._wait_until()
            refused = self._envelope(envelope, len(message))
            if refused is not None:
                clean = self._reset()
                return refused
            self.phase = "body"
            self._write_body(message)
            self.phase = "dot"
            self._wait_until()
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

    def _write_body(self, message: bytes) -> None:
        half = len(message) // 2
        self._write(message[:half])
        faults.point("F08")
        self._write(message[half:])

    def _envelope(self, envelope: Envelope, size: int) -> Outcome | None:
        """MAIL, RCPT and DATA; the first refusal, or None when the server waits for the body."""
        commands: tuple[tuple[Phase, str, tuple[int, ...]], ...] = (
            ("mail", f"MAIL FROM:<{envelope.sender}>{self._options(envelope, size)}\r\n", (250,)),
            ("rcpt", f"RCPT TO:<{envelope.recipient}>\r\n", (250, 251, 252)),
            ("data", "DATA\r\n", (354,)),
        )
        if self.offers("pipelining"):
            return self._pipelined(commands)
        for phase, command, good in commands:
            self.phase = phase
            self._write(command.encode("utf-8"))
            code, text = self._reply()
            if code not in good:
                return classify(phase, code, text)
        return None

    def _options(self, envelope: Envelope, size: int) -> str:
        found = f" SIZE={size}" if self.offers("size") else ""
        if envelope.mark and self.offers("dsn"):
            found += f" RET=HDRS ENVID={envelope.mark}"
        return found if envelope.recipient.isascii() else f"{found} BODY=8BITMIME SMTPUTF8"

    def _pipelined(self, commands: Sequence[tuple[Phase, str, tuple[int, ...]]]) -> Outcome | None:
        """All three at once; the first refusal counts. A server that takes DATA without a recipient gets a dot at once: there
        is nobody whom it could reach."""
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

    # --- bytes ------------------------------------------------------------------------------------------------------
    def _socket(self) -> socket.socket:
        if self.smtp.sock is None:
            raise Lost("connection closed")
        found: socket.socket = self.smtp.sock
        return found

    def _wait_until(self) -> None:
        """What follows has the read timeout, all of it together."""
        self.until = clock.monotonic() + self.address.read_timeout

    def _wire(self) -> socket.socket:
        """The socket, for as long as is left."""
        left = self.until - clock.monotonic()
        if left <= 0:
            raise TimeoutError
        wire = self._socket()
        wire.settimeout(left)
        return wire

    def _write(self, data: bytes) -> None:
        self._wire().sendall(data)

    def _reply(self) -> tuple[int, str]:
        """The next whole reply, its lines joined by spaces; Lost for what is none."""
        code, texts = 0, []
        while True:
            line = self._line()
            if not line[:3].isdigit() or line[3:4] not in (b" ", b"-", b""):
                raise Lost(t("no reply: {said}", "pas de réponse : {said}", said=repr(line[:40])))
            code = int(line[:3])
            texts.append(_text(line[4:]))
            if line[3:4] != b"-":
                break
            if len(texts) > MOST_LINES:
                raise Lost("endless reply")
        if not 200 <= code < 600:
            raise Lost(t("no reply: {said}", "pas de réponse : {said}", said=code))
        if code == 421:
            self.used = self.address.messages
        return code, _joined(texts)

    def _line(self) -> bytes:
        while b"\n" not in self.rest:
            if len(self.rest) > LONGEST_LINE:
                raise Lost("endless line")
            self.rest += self._wire().recv(8192) or self._ended()
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")

    def _ended(self) -> bytes:
        raise Lost("connection closed")

    def close(self) -> None:
        """Hang up, without a word: what was said is said."""
        self.used = self.address.messages
        self.smtp.close()

    def quit(self) -> None:
        """Say goodbye, for two seconds at most."""
        try:
            self._socket().settimeout(2.0)
            self.smtp.quit()
        except (OSError, Lost, AttributeError, smtplib.SMTPException):
            self.smtp.close()


def _joined(texts: Sequence[str]) -> str:
    """The text of a reply of several lines: the enhanced code stands once (RFC 2034 repeats it on every line)."""
    first = texts[0] if texts else ""
    code = first.split(" ", 1)[0]
    return " ".join([first, *(line.removeprefix(f"{code} ") for line in texts[1:])])


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _name(error: BaseException) -> str:
    return "timed out" if isinstance(error, TimeoutError) else str(error).partition("\n")[0][:120] or type(error).__name__
