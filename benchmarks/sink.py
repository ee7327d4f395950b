"""A local stand-in for mail/send that does nothing but count: requests, touches, bytes. A process of its own, stdlib only.

`python -m benchmarks.sink [LATENCY]` prints its port, waits LATENCY seconds before each answer, takes connections (kept or not) and answers every POST 202 with an id; `GET /stats`
says what was counted. It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
#: What stands once for each person in a request.
MARK = b'"omni"'
LATENCY = float(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else 0.0
_lock = threading.Lock()
counted = {"requests": 0, "touches": 0, "bytes": 0}


def serve(peer: socket.socket) -> None:
    """Answer one connection until it ends."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = b""
    with peer:
        while True:
            while (end := waiting.find(b"\r\n\r\n")) < 0:
                more = peer.recv(65536)
                if not more:
                    return
                waiting += more
            head, body = waiting[:end], bytearray(waiting[end + 4 :])
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            while len(body) < length:
                body += peer.recv(262_144)
            waiting = bytes(body[length:])
            del body[length:]
            answer = _answer(head, body)
            if LATENCY and not head.startswith(b"GET"):
                time.sleep(LATENCY)
            peer.sendall(answer)
            if b"\r\nConnection: close" in head:
                return


def _answer(head: bytes, body: bytearray) -> bytes:
    if head.startswith(b"GET /stats"):
        said = json.dumps(counted).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)
    with _lock:
        counted["requests"] += 1
        counted["touches"] += body.count(MARK)
        counted["bytes"] += len(body)
        number = counted["requests"]
    return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Message-Id: sink%012d\r\n\r\n" % number


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        print(listener.getsockname()[1], flush=True)

        def accept() -> None:
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()
    os._exit(0)


@contextmanager
def sink(latency: float = 0.0) -> Iterator[str]:
    """The address of a running sink that answers after so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink", str(latency)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def stats(url: str) -> dict[str, Any]:
    """What a sink counted so far."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/stats")
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return found


if __name__ == "__main__":
    main()
