"""A provider's HTTP service on loopback that does as it is told, request by request, over plain sockets.

Behaviours (`fake.behave(what, times=…, match=…, on=…, …)`; `times` None: until `fake.reset()`; the latest told wins):

| what | accepted | then |
|---|---|---|
| `answer` | yes | the good answer |
| `hold` | yes | says nothing until the peer goes or the fake closes |
| `lose` | yes | closes without a word |
| `half` | yes | half of the answer's bytes, then closes |
| `garbage` | yes | bytes that are no HTTP |
| `length` | yes | a Content-Length that promises more than comes |
| `twice` | yes | the answer, two times |
| `delay` | yes | the answer after `seconds` |
| `drip` | yes | the answer a byte at a time, `seconds` between |
| `refuse` | no (`accepts=True`: yes) | `status`, `body` (default: the provider's own shape), `headers` |
| `redirect` | no | 302 to `location` |
| `drop` | no | closes; `at="connect"` before it read a byte, `at="headers"` (default) with the body unread |
| `ignore` | no | says nothing until the peer goes |

`match` is a text that occurs in the request (head and body); `on` is `send` (default: what hands over a message), `any`, or a
beginning of the path. The same by `POST /_control`: `{"behave": {"what": …}}`, `{"reset": true}`, `{"do": name, "with": {…}}`.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import responses
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request as Asking
from urllib.request import urlopen

from fake_ground import Gone, Listening
from fake_log import Do, Line

ACCEPTING = frozenset({"answer", "hold", "lose", "half", "garbage", "length", "twice", "delay", "drip"})


@dataclass(frozen=True)
class Request:
    """One request as it came; header names are lower case."""

    number: int
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode("utf-8"), keep_blank_values=True)


@dataclass
class Answer:
    """What a fake would answer when nothing goes wrong; `reached` and `keep` take effect only when the request is accepted."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reached: Sequence[Line] = ()
    keep: Callable[[], None] = lambda: None

    def raw(self, *, promise: int = 0) -> bytes:
        body = b"" if self.body is None else self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = [f"HTTP/1.1 {self.status} {responses.get(self.status, 'Odd')}"]
        kind = {} if self.body is None else {"Content-Type": "application/json"}
        for name, value in {**kind, **self.headers, "Content-Length": str(len(body) + promise)}.items():
            head.append(f"{name}: {value}")
        return ("\r\n".join(head) + "\r\n\r\n").encode() + body


class HttpFake(Listening):
    """The ground all HTTP fakes stand on: `with Fake() as fake:` gives `.url`, `.port`, `.log`, `.requests`, `.behave(...)`."""

    name = "http"

    def __init__(self, *, log: Path | str | None = None, port: int = 0) -> None:
        super().__init__(log=log, port=port)
        self.requests: list[Request] = []
        self.chaos: Callable[[Request], Do | None] | None = None  # decides what to do with each message, before anything told
        self.doing = {"post_events": None}  # what `/_control` may ask for by name; subclasses add

    # --- what subclasses say -----------------------------------------------------------------------------------------
    def answer(self, request: Request) -> Answer:
        """What the provider would answer."""
        return Answer(404, self.refusal(404, None))

    def is_send(self, request: Request) -> bool:
        """Whether this request hands over a message."""
        return request.method == "POST"

    def refusal(self, status: int, code: Any) -> Any:
        """An error's body in the provider's own shape."""
        return {"error": status}

    # --- control -----------------------------------------------------------------------------------------------------
    def behave(self, what: str, *, times: int | None = None, match: str | None = None, on: str = "send", **with_: Any) -> None:
        """See the table above."""
        if what not in ACCEPTING | {"refuse", "redirect", "drop", "ignore"}:
            raise ValueError(f"no behaviour called {what}")
        if what == "drop" and with_.get("at") == "connect":
            on = "connect"
        self.told.add(Do(what, times, match, on, with_))

    def clear(self) -> None:
        super().clear()
        self.requests.clear()

    # --- life --------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        super().__enter__()
        self.url = f"http://{self.host}:{self.port}"
        return self

    def _converse(self, connection: socket.socket) -> None:
        first = connection.recv(14, socket.MSG_PEEK | socket.MSG_WAITALL)
        if not first:
            raise Gone
        if not first.startswith((b"POST /_control", b"GET /_control")):
            self.connections += 1
            if self.told.next("", on=("connect",)) is not None:
                raise Gone
        with connection.makefile("rb") as lines:
            while True:
                self._one(connection, lines)

    def _one(self, connection: socket.socket, lines: Any) -> None:
        request = _head(lines)
        if request.path == "/_control":
            body = lines.read(int(request.headers.get("content-length", 0)))
            connection.sendall(self._control(json.loads(body or b"{}")).raw())
            return
        send = self.is_send(request)
        on = ("any", request.path, *(("send",) if send else ()), *_beginnings(request.path))
        do = self.told.next(_text(request), on=on) if not self._needs_body(on) else None
        if do is not None and do.what == "drop":
            raise Gone
        if request.headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _body(lines, request.headers)
        with self._lock:
            self._number += 1
            request = Request(self._number, request.method, request.path, request.query, request.headers, body)
            if self.remember:
                self.requests.append(request)
        if send and self.chaos is not None:
            do = do or self.chaos(request)
        do = do or self.told.next(_text(request), on=on) or Do("answer")
        self._do(connection, do, request)
        if request.headers.get("connection", "").lower() == "close":
            raise Gone

    def _needs_body(self, on: Sequence[str]) -> bool:
        """Whether something was told that only the whole request can answer."""
        with self.told._lock:
            fitting = next((do for do in self.told._list if do.on in on), None)
        return fitting is None or fitting.match is not None

    def _do(self, connection: socket.socket, do: Do, request: Request) -> None:
        answer = self.answer(request)
        accepts = do.get("accepts", do.what in ACCEPTING)
        if accepts:
            self.log.write({"fake": self.name, "request": request.number, **line} for line in answer.reached)
            answer.keep()
        match do.what:
            case "hold" | "ignore":
                self._until_gone(connection)
            case "lose" | "drop":
                if do.get("reset"):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise Gone
            case "refuse":
                status = int(do.get("status", 500))
                body = do.get("body", self.refusal(status, do.get("code")))
                connection.sendall(Answer(status, body.encode() if isinstance(body, str) else body, do.get("headers", {})).raw())
            case "redirect":
                where = do.get("location", f"{self.url}/elsewhere")
                connection.sendall(Answer(int(do.get("status", 302)), None, {"Location": where}).raw())
            case "half":
                raw = answer.raw()
                connection.sendall(raw[: max(1, len(raw) // 2)])
                raise Gone
            case "garbage":
                connection.sendall(do.get("bytes", "\x00\x16not http\r\n\r\n?").encode("latin-1"))
                raise Gone
            case "length":
                connection.sendall(answer.raw(promise=64))
                raise Gone
            case "twice":
                connection.sendall(answer.raw() * 2)
            case "drip":
                for byte in answer.raw():
                    connection.sendall(bytes((byte,)))
                    self._over.wait(float(do.get("seconds", 0.001)))
            case "delay":
                self._over.wait(float(do.get("seconds", 0.1)))
                connection.sendall(answer.raw())
            case _:
                connection.sendall(answer.raw())

    def _control(self, asked: Mapping[str, Any]) -> Answer:
        if asked.get("reset"):
            self.reset()
        if "behave" in asked:
            self.behave(**asked["behave"])
        found = getattr(self, asked["do"])(**asked.get("with", {})) if asked.get("do") in self.doing else None
        if "log" in asked:
            found = [dict(line) for line in self.log.lines]
        return Answer(200, {"requests": self._number, "reached": len(self.log), "found": found})


def _head(lines: Any) -> Request:
    start = lines.readline(65537)
    if not start.strip():
        raise Gone
    method, target, _ = start.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := lines.readline(65537)) not in (b"\r\n", b"\n"):
        if not line:
            raise Gone
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    parts = urlsplit(target)
    return Request(0, method, parts.path, parse_qs(parts.query, keep_blank_values=True), headers)


def _body(lines: Any, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        pieces: list[bytes] = []
        while size := int(lines.readline().split(b";")[0], 16):
            pieces.append(lines.read(size))
            lines.readline()
        lines.readline()
        return b"".join(pieces)
    length = int(headers.get("content-length") or 0)
    body: bytes = lines.read(length)
    if len(body) < length:
        raise Gone  # the peer died while it wrote: nothing was asked
    return body


def _text(request: Request) -> str:
    return f"{request.method} {request.path}\n{request.body.decode('utf-8', 'replace')}"


def _beginnings(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: n + 1]) for n in range(1, len(parts))]


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout: float = 10.0) -> int:
    """POST as a provider does; the status, 0 when nobody was there."""
    try:
        with urlopen(Asking(url, data=body, headers=dict(headers), method="POST"), timeout=timeout) as answer:
            return int(answer.status)
    except OSError as error:
        return int(getattr(error, "code", 0))


def as_process(kind: type[HttpFake], arguments: Sequence[str] | None = None) -> None:
    """`python fake_x.py --port 0 --log FILE`: print the port, serve until standard input ends or a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log")
    parser.add_argument("--quiet", action="store_true", help="keep the log, forget the requests")
    parser.add_argument("--stay", action="store_true", help="do not end with standard input")
    said = parser.parse_args(arguments)
    with kind(log=said.log, port=said.port) as fake:
        fake.remember = not said.quiet
        print(fake.port, flush=True)
        try:
            while said.stay:
                time.sleep(3600)
            sys.stdin.read()
        except KeyboardInterrupt:
            pass
