"""One HTTP request is one request on the wire: no retry, no redirect, no proxy, no host outside the map, the phase observed.

The transport under the official client (docs/delivery 9, 18). An error before the connection stood means that nothing was
sent (`NotConnected`); after it nobody knows (`Lost`). A kept connection that idled longer than 5 s is not used again.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, cast
from urllib.parse import SplitResult, urlencode, urlsplit

from twilio.http import HttpClient
from twilio.http.response import Response

from omnicli import clock, faults, guards

#: Seconds that a kept connection may stand idle; the other side closes its own later, so that a dead one is rarely met.
IDLE = 5.0

_log = logging.getLogger("twilio.http_client")
if guards.on("quiet_clients"):
    _log.setLevel(max(_log.level, logging.WARNING))  # below it the client writes addresses and bodies


class WireError(Exception):
    """A request that brought no answer."""


class NotConnected(WireError):
    """Nothing was sent: no name, no route, refused, timed out or not trusted before the connection stood. `trust`: the
    certificate was the reason."""

    def __init__(self, why: str, *, trust: bool = False) -> None:
        super().__init__(why)
        self.trust = trust


class Lost(WireError):
    """The connection stood, and no whole answer came back."""


class ForeignHost(WireError):
    """The client wanted to speak to a host that is not in the map: a defect, or a setting of the environment."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its status, headers by lower-case name, and text."""

    status: int
    headers: Mapping[str, str]
    text: str = field(repr=False)

    def json(self) -> Any:
        """The parsed body, or None when it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Wire(HttpClient):  # type: ignore[misc]
    """The transport of one provider, for several threads; `hosts` maps a host of Twilio's to the address to use instead."""

    def __init__(self, hosts: Mapping[str, str], *, connect_timeout: float = 5.0, read_timeout: float = 60.0) -> None:
        super().__init__(_log, False, read_timeout)
        self.hosts = {name: urlsplit(url) for name, url in hosts.items()}
        self.connect_timeout, self.read_timeout = connect_timeout, read_timeout
        self._here = threading.local()
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[tuple[http.client.HTTPConnection, float]]] = {}

    @property
    def answer(self) -> Answer | None:
        """The last answer that this thread got, None when its last request got none."""
        found: Answer | None = getattr(self._here, "answer", None)
        return found

    @property
    def connected(self) -> bool:
        """Whether the connection of this thread's last request stood."""
        return bool(getattr(self._here, "connected", False))

    def forget(self) -> None:
        """Nothing was asked yet."""
        self._here.answer, self._here.connected = None, False

    def request(  # the signature is the SDK's; redirects are never followed, whatever it says
        self, method: str, url: str, params: dict[str, object] | None = None, data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None, auth: tuple[str, str] | None = None, timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:  # fmt: skip
        """One request and its answer, as the SDK asks for it; WireError when none came back."""
        self.forget()
        base, target = self._target(url, params)
        sent = {**(headers or {}), **_authorization(auth), "Host": base.netloc, "Connection": "keep-alive"}
        body = _body(data, sent)
        connection = self._connection(base)
        self._here.connected = True
        try:
            answer = self._exchange(connection, method.upper(), target, sent, body, timeout or self.read_timeout)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            connection.close()
            raise Lost(_name(error)) from None
        self._here.answer = answer
        return Response(answer.status, answer.text, headers=dict(answer.headers))

    def _target(self, url: str, params: dict[str, object] | None) -> tuple[SplitResult, str]:
        """Where to connect, and what to ask for there: Twilio's own address through the map, or one that the map leads to (the
        next page of a stand-in)."""
        asked = urlsplit(url)
        base = self.hosts.get(asked.netloc) if asked.scheme == "https" else None
        path = (base.path.rstrip("/") if base else "") + asked.path
        base = base or next((b for b in self.hosts.values() if (b.scheme, b.netloc) == (asked.scheme, asked.netloc)), None)
        if base is None:
            raise ForeignHost(asked.hostname or url[:80])
        query = "&".join(filter(None, (asked.query, urlencode(params or {}, doseq=True))))
        return base, path + (f"?{query}" if query else "")

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> Answer:  # fmt: skip
        until = clock.monotonic() + timeout
        connection.response_class = partial(_Whole, until=until)  # type: ignore[assignment]
        connection.sock.settimeout(timeout)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body[: len(body) // 2] or None)
        faults.point("F08")
        if body:
            connection.send(body[len(body) // 2 :])
        faults.point("F09")
        got = connection.getresponse()
        text = got.read().decode("utf-8", "replace")
        answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, text)
        self._keep(connection, close=got.will_close)
        return answer

    # --- connections ------------------------------------------------------------------------------------------------
    def _connection(self, base: SplitResult) -> http.client.HTTPConnection:
        """A kept connection that is still fresh, else a new one that stands; NotConnected when none can be had."""
        key = (base.scheme, base.netloc)
        while True:
            with self._lock:
                kept = self._idle.get(key)
                found = kept.pop() if kept else None
            if found is None:
                return self._connect(base)
            connection, since = found
            if clock.monotonic() - since <= IDLE:
                return connection
            connection.close()

    def _connect(self, base: SplitResult) -> http.client.HTTPConnection:
        host, port = base.hostname or "", base.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=self.connect_timeout, context=_trust())
            if base.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=self.connect_timeout)
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise NotConnected(error.verify_message or "certificate", trust=True) from None
        except (OSError, UnicodeError) as error:
            connection.close()
            raise NotConnected(_name(error)) from None
        return connection

    def _keep(self, connection: http.client.HTTPConnection, *, close: bool) -> None:
        if close:
            connection.close()
            return
        key = ("https" if isinstance(connection, http.client.HTTPSConnection) else "http", _netloc(connection))
        with self._lock:
            self._idle.setdefault(key, []).append((connection, clock.monotonic()))

    def close(self) -> None:
        with self._lock:
            kept, self._idle = self._idle, {}
        for connections in kept.values():
            for connection, _ in connections:
                connection.close()


class _Whole(http.client.HTTPResponse):
    """An answer that is read until an instant and not longer, and whose head came to its end: the standard library takes one that
    was cut off for a whole one."""

    def __init__(self, wire: socket.socket, *args: Any, until: float, **options: Any) -> None:
        super().__init__(cast(socket.socket, _Patient(wire, until)), *args, **options)

    def begin(self) -> None:
        stream: Any = self.fp
        lines = _Lines(stream)
        self.fp = cast(Any, lines)
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = stream
        if lines.last not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(lines.last)


class _Lines:
    """Remembers the last line that was read of a head."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.last = stream, b""

    def readline(self, *size: int) -> bytes:
        self.last = self._stream.readline(*size)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Patient(io.RawIOBase):
    """A socket that is read until an instant: a peer that drips is not waited for longer than one that is silent."""

    def __init__(self, wire: socket.socket, until: float) -> None:
        self._wire, self._until = wire, until

    def makefile(self, _mode: str) -> Any:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        left = self._until - clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._wire.settimeout(left)
        return self._wire.recv_into(room)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _netloc(connection: http.client.HTTPConnection) -> str:
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    return host if connection.port == connection.default_port else f"{host}:{connection.port}"


def _authorization(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    from base64 import b64encode

    return {"Authorization": "Basic " + b64encode(":".join(auth).encode("utf-8")).decode("ascii")}


def _body(data: dict[str, object] | None, headers: dict[str, str]) -> bytes:
    """The body in the form that its content type names, and its length among the headers."""
    if not data:
        body = b""
    elif headers.get("Content-Type", "").startswith("application/json"):
        body = json.dumps(data).encode("utf-8")
    else:
        body = urlencode(data, doseq=True).encode("ascii")
    if body or "Content-Type" in headers:
        headers["Content-Length"] = str(len(body))
    return body


def _name(error: BaseException) -> str:
    return "timed out" if isinstance(error, TimeoutError) else str(error).partition("\n")[0][:120] or type(error).__name__
