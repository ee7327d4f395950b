"""One POST on one fresh connection, and how far it came: never redirected, never through a proxy, never repeated.

The phase is observed: before the connection stood a failure is `not_sent`, afterwards `unknown`, and only a whole answer is an answer
(docs/delivery 9, 18). Nothing that the environment says about proxies is read, and a server that drips is not waited for longer
than one that is silent.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urlsplit

from omnicli import clock, faults, guards
from omnicli.model.touch import Outcome

#: Bytes of an answer's body that are read.
MOST = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


def post(url: str, body: bytes, headers: Mapping[str, str], *, connect: float, read: float) -> Answer | Outcome:
    """POST once. `connect` seconds to stand, then `read` seconds for everything; the Outcome is for what never came to an answer."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=connect)
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        return Outcome("not_sent", code="tls", detail=error.verify_message or "certificate", halt=True)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Outcome("not_sent", code="connect", detail=_named(error))
    try:
        return _exchange(connection, _path(url), body, headers, clock.monotonic() + read)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Outcome("unknown", code="lost", detail=_named(error))
    finally:
        connection.close()


def _exchange(connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str], until: float) -> Answer:
    wire = cast(socket.socket, connection.sock)
    half = len(body) // 2
    wire.settimeout(max(0.001, until - clock.monotonic()))
    connection.putrequest("POST", path, skip_accept_encoding=True)
    for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:half])
    faults.point("F08")
    wire.settimeout(max(0.001, until - clock.monotonic()))
    wire.sendall(body[half:])
    faults.point("F09")
    return _answer(wire, until)


def _answer(wire: socket.socket, until: float) -> Answer:
    """The whole answer; what stays incomplete raises: half a head or half a body is none."""
    patient = _Patient(wire, until)
    response = http.client.HTTPResponse(cast(socket.socket, patient), method="POST")
    try:
        response.begin()
        if patient.ended and guards.on("whole_answer"):
            raise http.client.IncompleteRead(b"")
        found = response.read(MOST)
        while response.read(MOST):
            pass  # whole, but not kept
        if response.length and guards.on("whole_answer"):
            raise http.client.IncompleteRead(found, response.length)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, found)
    finally:
        response.close()


class _Patient(io.RawIOBase):
    """A socket that is read until an instant, and not longer; `ended` once the peer closed."""

    def __init__(self, wire: socket.socket, until: float) -> None:
        self.wire, self.until, self.ended = wire, until, False

    def makefile(self, _mode: str) -> Any:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        left = self.until - clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.wire.settimeout(left)
        count = self.wire.recv_into(room)
        self.ended = count == 0
        return count


def retry_at(header: str | None, now: datetime) -> datetime | None:
    """The instant of a Retry-After header, in seconds or as a date (RFC 9110 10.2.3); None when there is none or it is odd."""
    said = (header or "").strip()
    if said.isascii() and said.isdigit():
        return now + timedelta(seconds=min(int(said[:9]), 86_400))
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        found = parsedate_to_datetime(said)
        return found if found.tzinfo is not None else None
    return None


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _named(error: BaseException) -> str:
    return "timed out" if isinstance(error, TimeoutError) else str(error).partition("\n")[0][:120] or type(error).__name__
