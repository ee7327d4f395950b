"""A mail server on loopback that does as it is told at each phase: any reply, silence, nonsense, or the line cut.

`fake.behave(phase, reply, times=…, match=…)`: phase is `connect ehlo auth mail rcpt data body dot rset quit`; the reply is what it
says (`"550 5.1.1 no such user"`), or CUT (hang up), SILENT (nothing until the peer goes), NONSENSE. At `dot`, ACCEPT_CUT and
ACCEPT_SILENT take the message first; at `body`, CUT hangs up in the middle of the message. `match` is a text of the command, at
`dot` of the message. PIPELINING is offered unless `pipelining=False`; a client that pipelines uninvited is kept in `.violations`.
As a process: `python fake_smtp.py --port 0 --log FILE` prints its port and its control port (HTTP, `POST /_control`).
"""

from __future__ import annotations

import argparse
import hashlib
import select
import socket
import sys
import time
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO

from fake_ground import Gone, Listening
from fake_http import HttpFake
from fake_log import Do, touch_of

CUT, SILENT, NONSENSE = "<cut>", "<silent>", "<nonsense>"
ACCEPT_CUT, ACCEPT_SILENT = "<accept and cut>", "<accept and be silent>"


class FakeSmtp(Listening):
    """`with FakeSmtp() as fake:` gives `.host`, `.port`, `.log`, `.accepted` (bytes of each message), `.commands`, `.behave`."""

    name = "smtp"

    def __init__(
        self,
        *,
        log: Path | str | None = None,
        port: int = 0,
        pipelining: bool = True,
        extensions: Sequence[str] = ("SIZE 10000000",),
    ) -> None:
        super().__init__(log=log, port=port)
        self.extensions = (*extensions, *(("PIPELINING",) if pipelining else ()))
        self.pipelining = pipelining
        self.accepted: list[bytes] = []
        self.commands: list[str] = []
        self.violations: list[str] = []
        self.pause = 0.0  # seconds between taking a message and saying so

    def behave(self, phase: str, reply: str, *, times: int | None = None, match: str | None = None) -> None:
        """See above; the latest told wins, `times` None holds until `reset()`."""
        self.told.add(Do(reply, times, match, phase))

    def clear(self) -> None:
        super().clear()
        self.accepted.clear()
        self.commands.clear()

    def _say(self, connection: socket.socket, phase: str, otherwise: str, text: str = "") -> str:
        do = self.told.next(text, on=(phase,))
        reply = do.what if do is not None else otherwise
        if reply == CUT:
            raise Gone
        if reply == SILENT:
            self._until_gone(connection)
        connection.sendall(("?!\x00 what\r\n" if reply == NONSENSE else reply + "\r\n").encode("utf-8", "replace"))
        return reply

    def _converse(self, connection: socket.socket) -> None:
        self.connections += 1
        with connection.makefile("rb") as lines:
            self._speak(connection, lines)

    def _speak(self, connection: socket.socket, lines: BinaryIO) -> None:
        self._say(connection, "connect", "220 here")
        sender, recipients = "", list[str]()
        while line := lines.readline():
            text = line.decode("utf-8", "replace").strip()
            if self.remember:
                self.commands.append(text)
            verb = text.upper().partition(" ")[0]
            if not self.pipelining and verb != "DATA" and select.select([connection], [], [], 0)[0]:
                self.violations.append(f"more came before the answer to {text}")
            match verb:
                case "EHLO" | "HELO":
                    offered = ["here", *self.extensions] if verb == "EHLO" else ["here"]
                    good = "\r\n".join(f"250{'-' if n < len(offered) - 1 else ' '}{word}" for n, word in enumerate(offered))
                    self._say(connection, "ehlo", good, text)
                case "AUTH":
                    self._say(connection, "auth", "235 welcome", text)
                case "MAIL":
                    if self._say(connection, "mail", "250 fine", text).startswith("2"):
                        sender, recipients = _address(text), []
                case "RCPT":
                    if self._say(connection, "rcpt", "250 fine", text).startswith("2"):
                        recipients.append(_address(text))
                case "RSET":
                    sender, recipients = "", []
                    self._say(connection, "rset", "250 fine", text)
                case "NOOP":
                    self._say(connection, "noop", "250 fine", text)
                case "DATA":
                    if not recipients:
                        self._say(connection, "data", "503 no recipient", text)
                    elif self._say(connection, "data", "354 go on", text).startswith("354"):
                        self._take(connection, lines, sender, recipients)
                        sender, recipients = "", []
                case "QUIT":
                    self._say(connection, "quit", "221 bye", text)
                    return
                case _:
                    connection.sendall(b"502 unknown\r\n")

    def _take(self, connection: socket.socket, lines: BinaryIO, sender: str, recipients: Sequence[str]) -> None:
        if self.told.next("", on=("body",)) is not None:
            lines.readline()
            raise Gone
        taken: list[bytes] = []
        while (line := lines.readline()) != b".\r\n":
            if not line:
                raise Gone
            taken.append(line[1:] if line.startswith(b".") else line)
        message = b"".join(taken)
        do = self.told.next(message.decode("utf-8", "replace"), on=("dot",))
        reply = do.what if do is not None else ""
        if (reply and reply[0] not in "2<") or reply in (CUT, SILENT, NONSENSE):
            self.told.add(Do(reply, 1, None, "dot"))
            self._say(connection, "dot", "")
            return
        number = self._keep(message, sender, recipients)
        if reply == ACCEPT_CUT:
            raise Gone
        if reply == ACCEPT_SILENT:
            self._until_gone(connection)
        if self.pause:
            self._over.wait(self.pause)
        connection.sendall((reply or f"250 queued as Q{number}").encode() + b"\r\n")

    def _keep(self, message: bytes, sender: str, recipients: Sequence[str]) -> int:
        with self._lock:
            self._number += 1
            number = self._number
            if self.remember:
                self.accepted.append(message)
        found = message_from_bytes(message, policy=policy.compat32)
        touch, attempt = touch_of(found.get("X-Omni-Id") or found.get("Message-ID"))
        body = message.partition(b"\r\n\r\n")[2]
        line = {
            "fake": self.name, "request": number, "touch": touch, "attempt": attempt, "from": sender, "subject": str(found.get("Subject", "")),
            "message_id": str(found.get("Message-ID", "")), "hash": hashlib.sha256(body).hexdigest(),
        }  # fmt: skip
        if self.remember:
            line["read"] = _read(found)
        self.log.write({**line, "to": to} for to in recipients)
        return number


def _read(letter: Message) -> str:
    """A hash of what a person reads: subject, text and page, each without the end of its last line."""
    shown = {"text/plain": "", "text/html": ""}
    for part in letter.walk():
        if part.get_content_type() in shown:
            shown[part.get_content_type()] = (
                bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n")
            )
    subject = str(make_header(decode_header(letter.get("Subject", ""))))
    return hashlib.sha256("\n".join((subject, shown["text/plain"], shown["text/html"])).encode()).hexdigest()


def _address(command: str) -> str:
    return command.partition("<")[2].partition(">")[0]


class Control(HttpFake):
    """The control port of a mail server that runs as a process."""

    name = "smtp control"

    def __init__(self, server: FakeSmtp) -> None:
        super().__init__()
        self.server = server

    def behave(self, what: str, **asked: Any) -> None:  # type: ignore[override]
        """`what` is the phase, `reply` what is said."""
        self.server.behave(what, **asked)

    def reset(self) -> None:
        self.server.reset()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--stay", action="store_true")
    said = parser.parse_args(arguments)
    with FakeSmtp(log=said.log, port=said.port, pipelining=not said.no_pipelining) as fake, Control(fake) as control:
        fake.remember = False
        print(fake.port, control.port, flush=True)
        while said.stay:
            time.sleep(3600)
        sys.stdin.read()


if __name__ == "__main__":
    main()
