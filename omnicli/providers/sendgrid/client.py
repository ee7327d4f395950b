"""SendGrid's official client with its traps closed: time-outs, one request a call, no redirect, no proxy, and a witness.

The witness says how far a request came, so that "not sent" is observed and never guessed: an error before the connection
stood is `not_sent`, any later one is not (docs/delivery 9, 18). One client a thread: its headers are one mutable dict.
"""

from __future__ import annotations

import http.client
import io
import logging
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from python_http_client.client import Client
from sendgrid import SendGridAPIClient

from omnicli import clock, faults, guards

#: It logs bodies and the Authorization header at DEBUG, whoever asks for DEBUG.
if guards.on("quiet_clients"):
    logging.getLogger("python_http_client").setLevel(logging.WARNING)
    logging.getLogger("python_http_client.client").setLevel(logging.WARNING)

#: A request beyond this is refused before it is written (docs/providers 2.1: < 30 MB); an answer is read so far and no further.
LARGEST, LONGEST_ANSWER = 30_000_000, 8_000_000


def secure() -> ssl.SSLContext:
    """What a certificate is checked against; made once a provider, for it takes 20 ms."""
    return ssl.create_default_context()


class TooLarge(Exception):
    """A request that SendGrid would refuse for its size; nothing was sent."""


@dataclass(slots=True)
class Witness:
    """How far one request came."""

    connected: bool = False
    written: bool = False


class _Lines:
    """A stream that remembers the line it gave last."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.last = stream, b""

    def readline(self, *limit: int) -> bytes:
        self.last = self.stream.readline(*limit)
        return self.last


class _Until(io.RawIOBase):
    """A socket's stream that ends with a time-out when so many seconds are over, however the bytes drip."""

    def __init__(self, raw: Any, sock: Any) -> None:
        super().__init__()
        self._raw, self._sock, self._until = raw, sock, clock.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        found: int | None = self._raw.readinto(buffer)
        return found

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Whole(http.client.HTTPResponse):
    """An answer that came whole, within the read time-out. The standard library gives every byte that time, and takes a head that was
    cut off, with half an id, for a whole one."""

    def __init__(self, sock: Any, *given: Any, **more: Any) -> None:
        super().__init__(sock, *given, **more)
        stream: Any = self.fp
        self.fp = io.BufferedReader(_Until(stream.detach(), sock))

    def begin(self) -> None:
        stream: Any = self.fp
        lines = self.fp = _Lines(stream)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = stream
        if lines.last not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(lines.last)


class _Noting:
    """What the connections do besides: they note that they stand, and where a test may kill the process."""

    witness: Witness
    read_timeout: float
    sock: Any

    def connect(self) -> None:
        """Connect (and shake hands, for TLS) within the connect time-out; from here on nothing is certain any more."""
        super().connect()  # type: ignore[misc]
        self.sock.settimeout(self.read_timeout)
        self.witness.connected = True

    def send(self, data: Any) -> None:
        """The head goes whole; the body in two writes, a fault point between them (F08)."""
        if self.sock is None or not isinstance(data, bytes) or not self.witness.written:
            self.witness.written = True
            super().send(data)  # type: ignore[misc]
            return
        body, half = memoryview(data), len(data) // 2
        super().send(body[:half])  # type: ignore[misc]
        faults.point("F08")
        super().send(body[half:])  # type: ignore[misc]

    def getresponse(self) -> http.client.HTTPResponse:
        faults.point("F09")
        return super().getresponse()  # type: ignore[misc,no-any-return]


class _Plain(_Noting, http.client.HTTPConnection):
    response_class = _Whole


class _Secure(_Noting, http.client.HTTPSConnection):
    response_class = _Whole


class _Wire(urllib.request.AbstractHTTPHandler):
    """Opens http and https with our connections, and nothing else."""

    def __init__(self, read_timeout: float, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self.read_timeout, self.context = read_timeout, context
        self.witness = Witness()
        self.body: bytes | None = None

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(self._made, _Plain), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(self._made, _Secure, context=self.context or secure()), request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _made(self, kind: type[Any], host: str, **options: Any) -> Any:
        connection = kind(host, **options)
        connection.witness, connection.read_timeout = self.witness, self.read_timeout
        return connection


@dataclass(frozen=True, slots=True)
class _Bounded:
    """An answer, of which no more is read than any honest one has."""

    answer: Any = field(repr=False)

    def getcode(self) -> int:
        return int(self.answer.status)

    def read(self) -> bytes:
        try:
            body: bytes = self.answer.read(LONGEST_ANSWER)
            if self.answer.length:  # fewer bytes than were announced: `read(n)` does not say so
                raise http.client.IncompleteRead(body, self.answer.length)
            return body
        finally:
            self.answer.close()

    def info(self) -> Any:
        return self.answer.headers


class _Client(Client):  # type: ignore[misc]
    """The SDK's client over our wire. Every segment of a path is a client again, so `_build_client` hands ours on."""

    def __init__(self, *, wire: _Wire, opener: urllib.request.OpenerDirector, connect_timeout: float, **given: Any) -> None:
        super().__init__(**given)
        self._wire, self._opener, self._connect_timeout = wire, opener, connect_timeout

    def _build_client(self, name: Any = None) -> _Client:
        path = [*self._url_path, name] if name else self._url_path
        return _Client(wire=self._wire, opener=self._opener, connect_timeout=self._connect_timeout, host=self.host, version=self._version,
                       request_headers=self.request_headers, url_path=path, append_slash=self.append_slash)  # fmt: skip

    def _make_request(self, opener: Any, request: urllib.request.Request, timeout: Any = None) -> _Bounded:
        """One request on one new connection, through our opener and not the one at hand, which obeys the environment's proxies and
        follows redirects. Any status is an answer. The body is the one that omni wrote."""
        if self._wire.body is not None:
            request.data = self._wire.body
        through = self._opener if guards.on("no_redirects") else opener
        return _Bounded(through.open(request, timeout=self._connect_timeout))


class Api(SendGridAPIClient):  # type: ignore[misc]
    """The official API client, for one thread. `witness` is that of the newest request."""

    def __init__(
        self, api_key: str, host: str, *, connect_timeout: float, read_timeout: float, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(api_key=api_key, host=host)
        self._wire = _Wire(read_timeout, context)
        opener = urllib.request.OpenerDirector()
        opener.add_handler(self._wire)
        self.client = _Client(wire=self._wire, opener=opener, connect_timeout=connect_timeout, host=host,
                              request_headers=self._default_headers, version=3)  # fmt: skip

    @property
    def witness(self) -> Witness:
        return self._wire.witness

    def post_mail(self, mail: bytes, witness: Witness | None = None) -> Any:
        """POST /v3/mail/send of this JSON; the SDK's Response (status_code, headers, body). TooLarge before anything was written.

        The SDK would write a dict as JSON by itself and once more for a line of its log that nobody may read.
        """
        if len(mail) > LARGEST:
            raise TooLarge
        self._wire.witness, self._wire.body = witness or Witness(), mail
        try:
            return self.client.mail.send.post(request_body={})
        finally:
            self._wire.body = None

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """GET of a path below /v3, such as `suppression/bounces`."""
        self._wire.witness = Witness()
        return self.client._(path).get(query_params=dict(query or {}))
