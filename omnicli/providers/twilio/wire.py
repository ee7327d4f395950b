"""One HTTP request is one request on the wire: no retry, no redirect, no proxy, no host outside the map, the phase observed.

The transport under the official client (docs/delivery 9, 18). An error before the connection stood means that nothing was
sent (`exchange.NotConnected`); after it nobody knows (`Lost`). A kept connection that idled longer than 5 s is not used again.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from twilio.http import HttpClient
from twilio.http.response import Response

from omnicli import clock, guards
from omnicli.providers import exchange
from omnicli.providers.exchange import WireError

#: Seconds that a kept connection may stand idle; the other side closes its own later, so that a dead one is rarely met.
IDLE = 5.0
#: Bytes of an answer that are kept.
MOST = 8_000_000

_log = logging.getLogger("twilio.http_client")
if guards.on("quiet_clients"):
    _log.setLevel(max(_log.level, logging.WARNING))  # below it the client writes addresses and bodies


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
        sent = {**(headers or {}), **_authorization(auth), "Connection": "keep-alive"}
        body = _body(data, sent)
        connection = self._connection(base)
        self._here.connected = True
        try:
            found = exchange.ask(connection, method.upper(), target, sent, body, timeout=timeout or self.read_timeout, most=MOST)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            connection.close()
            raise Lost(exchange.named(error)) from None
        if connection.sock is not None:
            self._keep(connection)
        answer = self._here.answer = Answer(found.status, found.headers, found.body.decode("utf-8", "replace"))
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

    # --- connections ------------------------------------------------------------------------------------------------
    def _connection(self, base: SplitResult) -> http.client.HTTPConnection:
        """A kept connection that is still fresh, else a new one that stands; NotConnected when none can be had."""
        key = (base.scheme, base.netloc)
        while True:
            with self._lock:
                kept = self._idle.get(key)
                found = kept.pop() if kept else None
            if found is None:
                return exchange.connect(base.scheme, base.hostname or "", base.port, timeout=self.connect_timeout)
            connection, since = found
            if clock.monotonic() - since <= IDLE:
                return connection
            connection.close()

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        key = ("https" if isinstance(connection, http.client.HTTPSConnection) else "http", _netloc(connection))
        with self._lock:
            self._idle.setdefault(key, []).append((connection, clock.monotonic()))

    def close(self) -> None:
        with self._lock:
            kept, self._idle = self._idle, {}
        for connections in kept.values():
            for connection, _ in connections:
                connection.close()


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
