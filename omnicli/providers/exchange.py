"""What every HTTP client here stands on: a connection that is known to stand, and an answer that came whole and in time.

Before the connection stood nothing was sent (`NotConnected`); afterwards only a whole answer is an answer (docs/delivery 9, 18). Nothing
is redirected or repeated, nothing that the environment says about proxies is read, and a server that drips is not waited for longer
than one that is silent.
"""

from __future__ import annotations

import http.client
import io
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from omnicli import clock, faults, guards

_PIECE = 65536


class WireError(Exception):
    """A request that brought no answer."""


class NotConnected(WireError):
    """Nothing was sent: no name, no route, refused, timed out or not trusted before the connection stood. `trust`: the
    certificate was the reason."""

    def __init__(self, why: str, *, trust: bool = False) -> None:
        super().__init__(why)
        self.trust = trust


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """What certificates are checked against; made once, for it takes 20 ms."""
    return ssl.create_default_context()


def connect(scheme: str, host: str, port: int | None, *, timeout: float) -> http.client.HTTPConnection:
    """A connection that stands; NotConnected when none can be had."""
    connection: http.client.HTTPConnection | None = None
    try:
        connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout, context=trusted())
            if scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout)
        )
        connection.response_class = Whole
        connection.connect()
        return connection
    except (OSError, ValueError, http.client.HTTPException) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise NotConnected(error.verify_message or "certificate", trust=True) from None
        raise NotConnected(named(error)) from None


def ask(
    connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes, *, timeout: float, most: int
) -> Answer:  # fmt: skip
    """One request on a connection that stands, and its answer, of whose body the first `most` bytes are kept; raises for what is
    not whole after so many seconds. The connection has no socket any more when it cannot be used again."""
    until, half = clock.monotonic() + timeout, len(body) // 2
    connection.sock.settimeout(timeout)
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body[:half])
    faults.point("F08")
    connection.sock.settimeout(_left(until))
    connection.send(body[half:])
    faults.point("F09")
    connection.sock.settimeout(_left(until))
    response = connection.getresponse()
    assert isinstance(response, Whole)
    found = response.kept(most)
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, found)


class Whole(http.client.HTTPResponse):
    """An answer that is read for as long as its socket's time-out says, and whose head and body came to their ends: the standard library
    gives every byte that time, and takes a head that was cut off, with half an id, for a whole one."""

    def __init__(self, sock: Any, *given: Any, **more: Any) -> None:
        super().__init__(sock, *given, **more)
        stream: Any = self.fp
        self._until = _Until(stream.detach(), sock)
        self.fp = io.BufferedReader(self._until)

    def begin(self) -> None:
        super().begin()
        if self._until.ended and guards.on("whole_answer"):
            raise http.client.IncompleteRead(b"")

    def kept(self, most: int) -> bytes:
        """The first bytes of the body, which is read to its end; IncompleteRead when it has none. The answer is closed."""
        try:
            found = self.read(most)
            while self.read(_PIECE):
                pass  # whole, but not kept
            if self.length and guards.on("whole_answer"):  # fewer bytes than were announced: `read(n)` does not say so
                raise http.client.IncompleteRead(found, self.length)
            return found
        finally:
            self.close()


class _Until(io.RawIOBase):
    """A socket's stream that ends with a time-out when the socket's seconds are over, however the bytes drip; `ended` once the peer
    closed."""

    def __init__(self, raw: Any, sock: Any) -> None:
        super().__init__()
        self._raw, self._sock, self._until, self.ended = raw, sock, clock.monotonic() + sock.gettimeout(), False

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int | None:
        left = self._until - clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(room)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _left(until: float) -> float:
    return max(0.001, until - clock.monotonic())


def named(error: BaseException) -> str:
    """An error of the network in its own words."""
    return "timed out" if isinstance(error, TimeoutError) else str(error).partition("\n")[0][:120] or type(error).__name__


def retry_at(header: str | None, now: datetime) -> datetime | None:
    """The instant of a Retry-After header, in seconds or as a date (RFC 9110 10.2.3); None when there is none or it is odd."""
    said = (header or "").strip()
    if said.isascii() and said.isdigit():
        return now + timedelta(seconds=min(int(said[:9]), 86_400))
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        found = parsedate_to_datetime(said)
        return found if found.tzinfo is not None else None
    return None
