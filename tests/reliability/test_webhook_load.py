"""R17: signed posts at a steady rate, then far too many at once, slow clients beside them, and a store that somebody else holds."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sizes import SIZES
from webhook_load import Post, acknowledged, ask, bench

RATE = 300


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_missing_whatever_the_load(tmp_path: Path) -> None:
    post = Post(tmp_path)
    seconds, burst = int(SIZES["webhook_seconds"]), int(SIZES["webhook_burst"])
    steady = [post.whole(1) for _ in range(RATE * seconds)]
    flood = [post.whole(20) for _ in range(burst)]
    held = [post.whole(5) for _ in range(60)]
    with post.serving() as (port, process), ExitStack() as slow:
        for n in range(20):  # heads that never end, and bodies that never come
            one = slow.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.sendall(
                b"POST /webhooks/sendgrid HTTP/1.1\r\nHost: x\r\n" + (b"Content-Length: 900\r\n\r\n[" if n % 2 else b"X: ")
            )
        took, statuses = asyncio.run(_in_order(bench.steadily(port, [w for w, _ in steady], RATE)))
        kept = acknowledged(steady, statuses)
        assert statuses.count(200) > len(statuses) // 2
        _, statuses = asyncio.run(_in_order(bench.pour(port, [w for w, _ in flood], lines=200)))
        kept |= acknowledged(flood, statuses)
        assert set(statuses) <= {200, 503}
        with Path(f"{post.database}.writer").open("w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            began = time.monotonic()
            _, statuses = asyncio.run(_in_order(bench.pour(port, [w for w, _ in held], lines=60)))
            assert set(statuses) == {503}
            assert time.monotonic() - began < 12
            fcntl.flock(other, fcntl.LOCK_UN)
        assert ask(port, "GET", "/health")[0] == 200
        _, statuses = asyncio.run(_in_order(bench.pour(port, [w for w, _ in held], lines=4)))
        assert set(statuses) == {200}
        kept |= acknowledged(held, statuses)
        assert process.poll() is None
    assert process.returncode == 0
    assert kept <= post.stored()
    assert len(kept) > len(steady) // 2
    took.sort()
    print(
        f"steady p50 {took[len(took) // 2] * 1000:.0f} ms, p99 {took[int(len(took) * 0.99)] * 1000:.0f} ms; {len(kept)} events acknowledged, none missing"
    )


async def _in_order(asked: object) -> tuple[list[float], list[int]]:
    return await asked  # type: ignore[misc,no-any-return]
