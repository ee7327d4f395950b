"""What every fake stands on: a port on loopback, a thread for each connection, a log, and what it was told to do."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from fake_log import Log, Told


class Gone(Exception):
    """The connection is over."""


class Listening:
    """`with Fake() as fake:` listens on `.host` and `.port`; a subclass says in `_converse` how it speaks on one connection."""

    name = "fake"
    host = "127.0.0.1"

    def __init__(self, *, log: Path | str | None = None, port: int = 0) -> None:
        self.log = Log(log)
        self.told = Told()
        self.connections = 0
        self.remember = True
        self._asked_port = port
        self._lock = threading.Lock()
        self._number = 0
        self._open: set[socket.socket] = set()
        self._over = threading.Event()

    def reset(self) -> None:
        """Answer well again."""
        self.told.clear()

    def clear(self) -> None:
        """Answer well, and forget what was asked and accepted (the log's file keeps it)."""
        self.told.clear()
        self.log.clear()

    def idle(self, seconds: float = 5.0) -> bool:
        """Wait until nobody is connected any more: what was on its way has been taken or lost. False when somebody stays."""
        end = time.monotonic() + seconds
        while self._open and time.monotonic() < end:
            self._over.wait(0.005)
        return not self._open

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, self._asked_port), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"fake {self.name}", daemon=True).start()
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.log.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._converse(connection)
        except (OSError, Gone):
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def _converse(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def _until_gone(self, connection: socket.socket) -> None:
        """Say nothing until the peer closes; its half is enough."""
        while not self._over.is_set():
            readable, _, _ = select.select([connection], [], [], 0.05)
            if readable and not connection.recv(65536):
                break
        raise Gone
