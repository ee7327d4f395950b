"""SendGrid's official client with its traps closed: time-outs, one request a call, no redirect, no proxy, and a witness.

The witness says how far a request came, so that "not sent" is observed and never guessed: an error before the connection
stood is `not_sent`, any later one is not (docs/delivery 9, 18). One client a thread: its headers are one mutable dict.
"""

from __future__ import annotations

import http.client
import logging
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from python_http_client.client import Client
from sendgrid import SendGridAPIClient

from omnicli import faults, guards
from omnicli.providers import exchange

#: It logs bodies and the Authorization header at DEBUG, whoever asks for DEBUG.
if guards.on("quiet_clients"):
    logging.getLogger("python_http_client").setLevel(logging.WARNING)
    logging.getLogger("python_http_client.client").setLevel(logging.WARNING)

#: A request beyond this is refused before it is written (docs/providers 2.1: < 30 MB); of an answer so much is kept.
LARGEST, LONGEST_ANSWER = 30_000_000, 8_000_000


class TooLarge(Exception):
    """A request that SendGrid would refuse for its size; nothing was sent."""


@dataclass(slots=True)
class Witness:
    """How far one request came."""

    connected: bool = False
    written: bool = False


class _Plain(http.client.HTTPConnection):
    """Notes that it stands, and where a test may kill the process."""

    response_class = exchange.Whole
    witness: Witness
    read_timeout: float

    def connect(self) -> None:
        """Connect (and shake hands, for TLS) within the connect time-out; from here on nothing is certain any more."""
        super().connect()
        self.sock.settimeout(self.read_timeout)
        self.witness.connected = True

    def send(self, data: Any) -> None:
        """The head goes whole; the body in two writes, a fault point between them (F08)."""
        if self.sock is None or not isinstance(data, bytes) or not self.witness.written:
            self.witness.written = True
            super().send(data)
            return
        body, half = memoryview(data), len(data) // 2
        super().send(body[:half])
        faults.point("F08")
        super().send(body[half:])

    def getresponse(self) -> http.client.HTTPResponse:
        faults.point("F09")
        return super().getresponse()


class _Secure(_Plain, http.client.HTTPSConnection):
    """The same through TLS."""


class _Wire(urllib.request.AbstractHTTPHandler):
    """Opens http and https with our connections, and nothing else."""

    def __init__(self, read_timeout: float) -> None:
        super().__init__()
        self.read_timeout = read_timeout
        self.witness = Witness()
        self.body: bytes | None = None

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(self._made, _Plain), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(self._made, _Secure, context=exchange.trusted()), request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _made(self, kind: type[Any], host: str, **options: Any) -> Any:
        connection = kind(host, **options)
        connection.witness, connection.read_timeout = self.witness, self.read_timeout
        return connection


@dataclass(frozen=True, slots=True)
class _Bounded:
    """An answer as the SDK reads it, of which no more is kept than any honest one has."""

    answer: exchange.Whole = field(repr=False)

    def getcode(self) -> int:
        return int(self.answer.status)

    def read(self) -> bytes:
        return self.answer.kept(LONGEST_ANSWER)

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

    def __init__(self, api_key: str, host: str, *, connect_timeout: float, read_timeout: float) -> None:
        super().__init__(api_key=api_key, host=host)
        self._wire = _Wire(read_timeout)
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
