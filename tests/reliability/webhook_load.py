"""A live `omni serve` in a process of its own, and signed posts of SendGrid's kind to it: what R17 and the tests of serving share."""

from __future__ import annotations

import http.client
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import webhook as bench
from omnicli.store.inbox import event_hash
from omnicli.store.keys import keys_of

ROOT = Path(__file__).parents[2]


class Post:
    """One project, its signing keys, and the events that were acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.root, self.private = folder, bench.key()
        bench.live_project(folder, bench.public(self.private))
        self.database = folder / ".omni" / "live.db"
        self.signing = keys_of("bench", self.database, live=True).key
        self.made = 0

    def whole(self, events: int) -> tuple[bytes, list[str]]:
        """A signed request with so many new events, and their ids."""
        start, self.made = self.made, self.made + events
        body = bench.events(start, events, self.signing)
        return bench.request(body, self.private), [bench.event_id(n) for n in range(start, self.made)]

    @contextmanager
    def serving(self, **environment: str) -> Iterator[tuple[int, Any]]:
        """The port and the process."""
        with bench.omni(
            self.root,
            SENDGRID_API_KEY="SG.test",
            PYTHONPATH=f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            **environment,
        ) as found:
            yield found

    def stored(self) -> set[str]:
        """Ids of the events that are on disk, of those that were made."""
        with sqlite3.connect(self.database) as connection:
            kept = {row[0] for row in connection.execute("SELECT provider_event_id FROM inbox")}
        return {id for id in map(bench.event_id, range(self.made)) if event_hash("sendgrid", id) in kept}


def ask(port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """One request on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def acknowledged(wholes: Sequence[tuple[bytes, list[str]]], statuses: Sequence[int]) -> set[str]:
    """Ids in the requests that were answered 200."""
    return {id for (_, ids), status in zip(wholes, statuses, strict=True) if status == 200 for id in ids}
