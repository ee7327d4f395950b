"""Signed event batches to `omni serve`, stored before the answer, against a bare Starlette route that inserts; and a steady load.

Both are processes of their own on the same machine, asked by one client over loopback; the floor verifies nothing, knows no repeat
and makes one transaction a request. `contacts` is the number of events.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.ground import PROJECT, peak_mb
from omnicli.model.signed import mark

#: Events a request, requests at a time; the steady load in requests a second, for so many seconds.
BATCH, AT_ONCE, RATE, SECONDS = 100, 8, 300, 8
#: Floor and omni take turns so many times, so that both meet the same neighbours.
TURNS = 6
PATH = "/webhooks/sendgrid"


# --- what is posted -----------------------------------------------------------------------------------------------------
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public(private: ec.EllipticCurvePrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def event_id(n: int) -> str:
    """As SendGrid makes them: a few words and a random part, in base64."""
    part = base64.urlsafe_b64encode(hashlib.blake2b(b"%d" % n, digest_size=16).digest())[:22]
    return base64.urlsafe_b64encode(b"delivered-0-1099491-%s-0" % part).decode().rstrip("=")


def events(start: int, count: int, signing: bytes) -> bytes:
    """Delivery events as SendGrid posts them, each about a touch of its own."""
    now = int(time.time())
    return json.dumps([
        {"email": f"p{n}@example.com", "timestamp": now, "smtp-id": f"<{n}.abc@ismtpd0001p1iad1.sendgrid.net>", "event": "delivered",
         "category": ["bench"], "sg_event_id": event_id(n), "sg_message_id": f"14c5d75ce93.dfd.{n}.filter0001.16648.5515E0B88.0",
         "response": "250 OK", "omni": mark(signing, f"{n:032x}", 1)}
        for n in range(start, start + count)
    ]).encode()  # fmt: skip


def request(body: bytes, private: ec.EllipticCurvePrivateKey) -> bytes:
    """The whole request as bytes, signed as SendGrid signs it."""
    stamp = str(int(time.time()))
    signature = base64.b64encode(private.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    head = (f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Twilio-Email-Event-Webhook-Signature: {signature}\r\nX-Twilio-Email-Event-Webhook-Timestamp: {stamp}\r\n\r\n")  # fmt: skip
    return head.encode() + body


# --- who posts it -------------------------------------------------------------------------------------------------------
class Line:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None

    async def ask(self, whole: bytes) -> int:
        """The status of the answer; the connection is opened again when the server closed it."""
        for _ in range(2):
            try:
                if self.reader is None:
                    self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.writer.write(whole)
                return await self._answer()
            except (ConnectionError, asyncio.IncompleteReadError):
                await self.close()
        return 0

    async def close(self) -> None:
        if self.reader is not None:
            self.reader = None
            self.writer.close()
            with suppress(ConnectionError):
                await self.writer.wait_closed()

    async def _answer(self) -> int:
        assert self.reader is not None
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        await self.reader.readexactly(length)
        if b"connection: close" in head.lower():
            await self.close()
        return int(head[9:12])


async def pour(port: int, wholes: Sequence[bytes], lines: int) -> tuple[float, list[int]]:
    """All requests as fast as they are taken: seconds, statuses."""
    waiting, found = iter(wholes), []

    async def worker() -> None:
        line = Line(port)
        for whole in waiting:
            found.append(await line.ask(whole))  # noqa: PERF401 (one after the other is the point)
        await line.close()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(lines)))
    return time.perf_counter() - began, found


async def steadily(port: int, wholes: Sequence[bytes], rate: int, lines: int = 64) -> tuple[list[float], list[int]]:
    """`rate` requests a second whatever the answers do: seconds from when each was due until it was answered, statuses."""
    free: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(lines):
        free.put_nowait(Line(port))
    took: list[float] = []
    found: list[int] = []

    async def one(whole: bytes, due: float) -> None:
        line = await free.get()
        found.append(await line.ask(whole))
        took.append(time.perf_counter() - due)
        free.put_nowait(line)

    began, asked = time.perf_counter() + 0.05, []
    for n, whole in enumerate(wholes):
        due = began + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.create_task(one(whole, due)))
    await asyncio.gather(*asked)
    while not free.empty():
        await free.get_nowait().close()
    return took, found


# --- who is asked -------------------------------------------------------------------------------------------------------
BARE = """
import json, socket, sqlite3, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

db = sqlite3.connect(sys.argv[1], check_same_thread=False)
db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE event (email TEXT, event TEXT, at INTEGER, raw TEXT)")

async def take(request):
    rows = [(e["email"], e["event"], e["timestamp"], json.dumps(e)) for e in json.loads(await request.body())]
    with db:
        db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)
    return Response()

sock = socket.socket(); sock.bind(("127.0.0.1", 0)); sock.listen(1024)
print(sock.getsockname()[1], flush=True)
config = uvicorn.Config(Starlette(routes=[Route("/webhooks/sendgrid", take, methods=["POST"])]), http="h11", access_log=False, log_config=None)
uvicorn.Server(config).run(sockets=[sock])
"""


@contextmanager
def bare(folder: Path) -> Any:
    """The port of the floor, and its process."""
    with running([sys.executable, "-c", BARE, str(folder / "bare.db")], stdout=subprocess.PIPE) as process:
        yield int(process.stdout.readline()), process


def worked(process: Any) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def omni(root: Path, **environment: str) -> Any:
    """The port of `omni serve --live` for this project, and its process."""
    command = [sys.executable, "-m", "omnicli.cli.main", "serve", "--live", "--port", "0", "--lang", "en", "-C", str(root)]
    with running(command, stderr=subprocess.PIPE, env={**os.environ, **environment}) as process:
        said = process.stderr.readline().decode()
        if "127.0.0.1:" not in said:
            raise RuntimeError(said + process.stderr.read().decode())
        yield int(said.partition("127.0.0.1:")[2].split()[0].rstrip(".")), process


@contextmanager
def running(command: list[str], **options: Any) -> Any:
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def live_project(root: Path, public_key: str) -> None:
    """A project whose e-mail goes by SendGrid and whose live store stands."""
    from omnicli.app import open_project
    from omnicli.store.connection import Store
    from omnicli.store.preparing import prepare

    text = PROJECT.replace("{provider: smtp,", "{provider: sendgrid,")
    (root / "omni.yaml").write_text(
        f"{text}public_url: https://omni.maisonlune.example\nproviders:\n  sendgrid: {{api_key: '${{SENDGRID_API_KEY}}', event_webhook_keys: ['{public_key}']}}\n"
    )
    (root / ".omni").mkdir(mode=0o700)
    store = Store.sqlite(root / ".omni" / "live.db", live=True)
    prepare(store, open_project(root).project)
    store.close()


def stored(root: Path) -> int:
    import sqlite3

    with sqlite3.connect(root / ".omni" / "live.db") as connection:
        return int(connection.execute("SELECT count(*) FROM inbox").fetchone()[0])


def timed(port: int, process: Any, wholes: Sequence[bytes]) -> tuple[float, float, list[int]]:
    """Seconds, the server's processor seconds, statuses."""
    before = worked(process)
    seconds, statuses = asyncio.run(pour(port, wholes, AT_ONCE))
    return seconds, worked(process) - before, statuses


def measure(contacts: int) -> dict[str, Any]:
    from omnicli.store.keys import keys_of

    private = key()
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as name:
        root = Path(name)
        live_project(root, public(private))
        signing = keys_of("bench", root / ".omni" / "live.db", live=True).key
        wholes = [request(events(n, BATCH, signing), private) for n in range(0, contacts, BATCH)]
        single = [request(events(10**9 + n, 1, signing), private) for n in range(RATE * SECONDS)]
        floor = floor_cpu = seconds = cpu = 0.0
        statuses: list[int] = []
        with bare(root) as (bare_port, bare_process), omni(root, SENDGRID_API_KEY="SG.bench") as (port, process):
            asyncio.run(pour(bare_port, wholes[:3], 1))
            asyncio.run(pour(port, [request(events(2 * 10**9, BATCH, signing), private)], 1))
            for turn in range(TURNS):
                took_s, took_cpu, _ = timed(bare_port, bare_process, wholes[turn::TURNS])
                floor, floor_cpu = floor + took_s, floor_cpu + took_cpu
                took_s, took_cpu, found = timed(port, process, wholes[turn::TURNS])
                seconds, cpu, statuses = seconds + took_s, cpu + took_cpu, statuses + found
            before = worked(process)
            took, steady = asyncio.run(steadily(port, single, RATE))
            steady_cpu = worked(process) - before
        kept = stored(root)
    assert set(statuses) == {200}, set(statuses)
    took.sort()
    acknowledged = BATCH + contacts // BATCH * BATCH + steady.count(200)
    assert kept >= acknowledged, (kept, acknowledged)
    return {
        "goal": "≤ 2 × the floor (0.5 of its events a second); p99 ≤ 250 ms at 300 requests a second", "contacts": contacts, "batch": BATCH,
        "ratio": round(seconds / floor, 3), "cpu_ratio": round(cpu / floor_cpu, 3), "cpu_ms_a_request": round(steady_cpu / len(steady) * 1000, 2), "omni_s": round(seconds, 3), "floor_s": round(floor, 3),
        "events_a_second": round(contacts / seconds), "floor_events_a_second": round(contacts / floor), "us_an_event": round(seconds / contacts * 1e6, 1),
        "floor_us": round(floor / contacts * 1e6, 1), "requests_a_second": RATE, "p50_ms": round(took[len(took) // 2] * 1000, 1),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 1), "steady_200": steady.count(200), "steady_asked": len(steady), "peak_mb": peak_mb(),
    }  # fmt: skip
