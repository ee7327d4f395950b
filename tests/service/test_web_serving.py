"""`omni serve` as a process: it says where it listens, stops when asked, waits for nobody (killed in the act: tests/reliability)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "reliability"))

from webhook_load import Post, ask, bench

from omnicli.cli.main import run
from omnicli.service.web import listening


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    return Post(tmp_path_factory.mktemp("live"))


def test_it_says_where_it_listens_which_webhooks_it_takes_and_stops_when_asked(post: Post) -> None:
    with post.serving() as (port, process):
        assert ask(port, "GET", "/health") == (200, b'{"status":"ok"}')
        assert ask(port, "POST", "/webhooks/twilio/status")[0] == 503
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().decode()
        assert process.wait(15) == 0
    assert "people come by https://omni.maisonlune.example" in said
    assert "sendgrid   https://omni.maisonlune.example/webhooks/sendgrid\n" in said
    assert "Stopped. 0 new" in said


def test_a_client_that_never_ends_its_request_is_left_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten seconds for a head, without waiting for them."""
    from uvicorn import Config, Server

    monkeypatch.setattr(listening, "HEAD", 0.05)

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    async def story() -> list[bytes]:
        bound = listening.bind("127.0.0.1", 0)
        server = Server(Config(app, http=listening.PatientProtocol, ws="none", lifespan="off", log_config=None))
        task = asyncio.create_task(server._serve(sockets=[bound]))
        whole = b"GET / HTTP/1.1\r\nHost: x\r\n"
        found = [
            await _heard(bound, sent)
            for sent in ([whole + b"X-Slow: "], [whole + b"\r\n", whole], [whole + b"Connection: close\r\n\r\n"])
        ]
        server.should_exit = True
        await task
        return found

    silent, second, good = asyncio.run(story())
    assert silent == b""
    assert second.count(b"HTTP/1.1 204") == 1
    assert good.startswith(b"HTTP/1.1 204")


async def _heard(bound: socket.socket, sent: list[bytes]) -> bytes:
    """What comes back on one connection until the server ends it, one answer read after each piece but the last."""
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    found = b""
    with contextlib.suppress(ConnectionError):
        for piece in sent[:-1]:
            writer.write(piece)
            found += await reader.readuntil(b"\r\n\r\n")
        writer.write(sent[-1])
        found += await asyncio.wait_for(reader.read(), 10)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return found


def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "omni.yaml").write_text(bench.PROJECT)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["serve", "--port", str(port), "-C", str(tmp_path), "--lang", "fr"]) == 4
    assert f"impossible d'écouter sur 127.0.0.1:{port}" in capsys.readouterr().err


def test_the_sandbox_serves_too_and_says_that_nobody_posts_there(tmp_path: Path) -> None:
    (tmp_path / "omni.yaml").write_text(bench.PROJECT)
    command = [sys.executable, "-m", "omnicli.cli.main", "serve", "--port", "0", "--lang", "en", "-C", str(tmp_path)]
    with bench.running(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        said = [process.stderr.readline().decode() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    assert "(sandbox)" in said[0]
    assert "no public_url" in said[1]
    assert "no webhook" in said[2]
