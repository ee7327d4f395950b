"""What this machine gives at most, by itself: commits a second of the disk and of PostgreSQL, bytes a second with a sync at the end.

No set-up of omni can be faster than these; `docs/scaling.md` says which of them is met first.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

SECONDS = 1.0


def disk() -> dict[str, Any]:
    """Of the folder where benchmarks put their stores."""
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as name:
        folder = Path(name)
        return {"syncs_a_second": _syncs(folder / "syncs"), "mb_a_second": _stream(folder / "stream"), "sqlite_commits_a_second": _commits(folder / "one.db")}  # fmt: skip


def _syncs(path: Path) -> int:
    """4 KB written and synced, again and again."""
    handle, block = os.open(path, os.O_RDWR | os.O_CREAT, 0o600), b"x" * 4096
    try:

        def act(n: int) -> None:
            os.pwrite(handle, block, n % 256 * 4096)
            os.fdatasync(handle)

        return _count(act)
    finally:
        os.close(handle)


def _stream(path: Path) -> int:
    """MB a second of 256 MB, synced at the end."""
    block = os.urandom(1 << 20)
    began = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(256):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return round(256 / (time.perf_counter() - began))


def _commits(path: Path) -> int:
    """A row a transaction, WAL, `synchronous=FULL`."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (n INTEGER)")
        return _count(lambda n: connection.execute("INSERT INTO t VALUES (?)", (n,)))


def postgresql(url: str, connections: int) -> int:
    """A row a transaction by so many connections at once, each a thread: commits a second of all together."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS omni_limit (n bigint)")
    done: list[int] = []

    def run() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            done.append(_count(lambda n: connection.execute("INSERT INTO omni_limit VALUES (%s)", (n,))))

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE omni_limit")
    return sum(done)


def _count(act: Any) -> int:
    """How often in a second."""
    n, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < SECONDS:
        act(n)
        n += 1
    return round(n / took)
