"""A mail server on loopback that does as it is told at each phase: any reply, silence, nonsense, or the line cut."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import BinaryIO

#: What a server does instead of a reply.
CUT, SILENT, NONSENSE = "<cut>", "<silent>", "<nonsense>"


@dataclass
class Server:
    """`says` maps a phase (connect ehlo mail rcpt data dot rset) to a reply or to CUT, SILENT, NONSENSE; `body` CUT hangs up while
    the message is read. `accepted` holds what was taken: the only judge of what reached people."""

    says: dict[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("SIZE 1000000",)
    accepted: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Server:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.done = threading.Event()
        self.threads: list[threading.Thread] = []
        self.loop = threading.Thread(target=self._accept, daemon=True)
        self.loop.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.done.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.loop.join(timeout=2)
        for thread in self.threads:
            thread.join(timeout=2)

    def _accept(self) -> None:
        while not self.done.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._talk(connection)
            except (_Cut, OSError):
                return

    def _say(self, connection: socket.socket, phase: str, otherwise: str) -> str:
        reply = self.says.get(phase, otherwise)
        if reply == CUT:
            raise _Cut
        if reply == SILENT:
            self.done.wait(5)
            raise _Cut
        connection.sendall(("?!\x00 what\r\n" if reply == NONSENSE else reply + "\r\n").encode())
        return reply

    def _talk(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            self._converse(connection, lines)

    def _converse(self, connection: socket.socket, lines: BinaryIO) -> None:
        self._say(connection, "connect", "220 here")
        while line := lines.readline():
            text = line.decode("utf-8", "replace").strip()
            self.commands.append(text)
            verb = text.upper().partition(" ")[0]
            match verb:
                case "EHLO":
                    offered = ["here", *self.extensions]
                    self._say(
                        connection,
                        "ehlo",
                        "\r\n".join(f"250{'-' if n < len(offered) - 1 else ' '}{word}" for n, word in enumerate(offered)),
                    )
                case "HELO":
                    self._say(connection, "ehlo", "250 here")
                case "MAIL" | "RCPT" | "RSET":
                    self._say(connection, verb.lower(), "250 fine")
                case "AUTH":
                    self._say(connection, "auth", "235 welcome")
                case "DATA":
                    if self._say(connection, "data", "354 go on").startswith("354"):
                        self._take(connection, lines)
                case "QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                case _:
                    connection.sendall(b"502 no\r\n")

    def _take(self, connection: socket.socket, lines: BinaryIO) -> None:
        message = b""
        while line := lines.readline():
            if line == b".\r\n":
                break
            if self.says.get("body") == CUT:
                raise _Cut
            message += line[1:] if line.startswith(b".") else line
        else:
            raise _Cut
        if self.says.get("dot", "250").startswith(("2", "<")) and message:
            self.accepted.append(message)  # it has it, whatever it says or does not say
        self._say(connection, "dot", "250 2.0.0 Ok: queued as 4XyZ")


class _Cut(Exception):
    """Hang up."""
