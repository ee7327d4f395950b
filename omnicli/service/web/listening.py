"""Listens until told to stop; a slow or silent client costs one connection and no more than ten seconds.

SIGTERM and Ctrl-C: no new request is taken, those in hand are stored and answered, then it leaves. A second signal leaves at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from omnicli.errors import Exit, OmniError
from omnicli.text import system_said
from omnicli.texts import t

#: Seconds for the head of a request, between two requests of a connection, and for those in hand when it stops.
HEAD, IDLE, GRACE = 10, 5, 15
#: Connections and requests at once; whoever comes above is answered 503 without being heard.
AT_ONCE = 600
#: How long the thread that writes may keep the others from Python, in seconds: an answer must not wait for a group to be packed.
TURN = 0.0005
#: After how many new objects Python looks for circles among them, and how often among older ones: a hundred events are hundreds.
LITTER = 10_000, 10, 10
#: The head of a request in bytes.
HEAD_BYTES = 16_384


class PatientProtocol(H11Protocol):
    """HTTP with a limit on how long the head of a request may take: of the first from the connection on, of others from their first byte."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = self.loop.call_later(HEAD, self._too_slow)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self.cycle is not None and self.cycle.response_complete:
            self._deadline = self.loop.call_later(HEAD, self._too_slow)
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.scope
        super().handle_events()
        if self.scope is not before:
            self._heard()

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard()
        super().connection_lost(exc)

    def _heard(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


class _Server(Server):
    """A server that keeps its signals to itself, for being asked to stop is no failure, and that says when it has begun."""

    begun: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.begun()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._asked) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self, number: int, _frame: Any) -> None:
        if self.should_exit:
            os._exit(Exit.INTERRUPTED)
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there (port 0: any that is free); OmniError when somebody else does, or when it is not allowed."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(1024)
    except OSError as error:
        found.close()
        elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        raise OmniError(
            t("cannot listen on {host}:{port}: {why}", "impossible d'écouter sur {host}:{port} : {why}", host=host, port=port, why=system_said(error)),
            hint=t("an address of this machine: --host 127.0.0.1, or 0.0.0.0 for all of them",
                   "une adresse de cette machine : --host 127.0.0.1, ou 0.0.0.0 pour toutes") if elsewhere
            else t("another port: --port 8081", "un autre port : --port 8081"), code="port", exit=Exit.REFUSED,
        ) from None  # fmt: skip
    return found


def listen(app: Any, listening: socket.socket, *, begun: Callable[[], None] = lambda: None) -> None:
    """Serve the application on this socket until told to stop. Must be called from the main thread (it takes the signals)."""
    config = Config(
        app, http=PatientProtocol, ws="none", lifespan="on", access_log=False, log_config=None, proxy_headers=False, server_header=False,
        date_header=True, limit_concurrency=AT_ONCE, timeout_keep_alive=IDLE, timeout_graceful_shutdown=GRACE, h11_max_incomplete_event_size=HEAD_BYTES,
    )  # fmt: skip
    server = _Server(config)
    server.begun = begun
    sys.setswitchinterval(TURN)
    gc.collect()
    gc.freeze()  # the project and the libraries stay: nobody waits while they are searched for what could go
    gc.set_threshold(*LITTER)
    asyncio.run(server.serve(sockets=[listening]))
