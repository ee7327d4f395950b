"""Several `omni serve` and `omni worker` processes on one PostgreSQL, two of them killed: what was acknowledged is there, and counted once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from houses_shared import drop_database, new_database, rows_of
from webhook_load import ROOT, Post, acknowledged, bench

from benchmarks.base import NOW
from benchmarks.ground import CAMPAIGN
from omnicli.app import open_project, open_store
from omnicli.campaigns import versions
from omnicli.store.inbox import event_hash

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("on_postgresql")]

SERVERS, WORKERS, REQUESTS, EVENTS = 3, 2, 40, 10
#: One person who was sent every message that the events tell of.
SENT = (
    "INSERT INTO contact (id, uid, source_id, created_at, changed_at, attributes_at, reach) VALUES (1, decode(md5('lea'), 'hex'), 'lea', 0, 0, 0, '{}')",
    "UPDATE campaign SET state = 'stopped'",
    "INSERT INTO enrollment (id, key, contact_id, campaign_id, version_id, pass, entered_at, language, since, state, reason, ended_at) "
    "VALUES (1, decode(md5('e'), 'hex'), 1, 1, 1, 1, 0, 'fr', 0, 'ended', 'end', 0)",
    "INSERT INTO touch (id, touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, send_state, "
    "attempts, created_at, settled_at) SELECT g + 1, decode(lpad(to_hex (g), 32, '0'), 'hex'), 1, 1, 1, 's' || g, 'offre', 'email', 'marketing', 5, 0, 1, "
    "'accepted', 1, 0, 0 FROM generate_series(0, ? - 1) g",
    "INSERT INTO handover (id, provider, account, size, started_at, ended_at, outcome) VALUES (1, 'sendgrid', 'a', 1, 0, 0, 'accepted')",
    "INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, provider_ref, address_hash, body_sha256, started_at) SELECT id, 1, 1, 1, 'accepted', "
    "'14c5d75ce93.dfd', touch_key, touch_key, 0 FROM touch",
)


@pytest.fixture
def where() -> Iterator[str]:
    name = new_database()
    yield postgres_server.address(name)
    drop_database(name)


@contextmanager
def working(root: Path, where: str) -> Iterator[Any]:
    """An `omni worker`, told to leave at the end."""
    command = [sys.executable, "-m", "omnicli.cli.main", "worker", "--live", "--every", "1s", "-C", str(root)]
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "SENDGRID_API_KEY": "SG.test", "OMNI_DATABASE": where, "PYTHONPATH": path}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def test_events_posted_to_many_servers_are_stored_and_folded_once_though_two_processes_are_killed(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNI_DATABASE", where)
    post = Post(tmp_path)
    sent(tmp_path, where)
    wholes = [post.whole(EVENTS) for _ in range(REQUESTS)]
    requests = [whole for whole, _ in wholes]
    with ExitStack() as stack:
        servers = [stack.enter_context(post.serving(OMNI_DATABASE=where)) for _ in range(SERVERS)]
        workers = [stack.enter_context(working(tmp_path, where)) for _ in range(WORKERS)]
        ports = [port for port, _ in servers]
        statuses: dict[int, list[int]] = {}

        def pour(port: int) -> None:  # the provider says everything to each, as one does that heard no answer
            statuses[port] = asyncio.run(bench.pour(port, requests, lines=1))[1]

        posting = [threading.Thread(target=pour, args=(port,)) for port in ports]
        for thread in posting:
            thread.start()
        until(where, "count(*) > 100 FROM inbox")
        servers[0][1].send_signal(signal.SIGKILL)
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait(10)  # gone, not a zombie: whoever leads next need not wait for the end of its lease
        for thread in posting:
            thread.join()
        kept = {id for said in statuses.values() for id in acknowledged(wholes, said)}
        until(where, "count(*) = 0 FROM inbox WHERE folded_at IS NULL")
    everything_posted = REQUESTS * EVENTS
    assert len(kept) == everything_posted
    assert 0 in statuses[ports[0]], "it was killed too late"
    stored = [row[0] for row in rows_of(where, "SELECT provider_event_id FROM inbox")]
    assert sorted(stored) == sorted(event_hash("sendgrid", id) for id in kept)
    assert rows_of(where, "SELECT name, count(*), count(DISTINCT step) FROM event GROUP BY 1") == [
        ("delivered", everything_posted, everything_posted)
    ]
    assert rows_of(where, "SELECT delivery_state, count(*) FROM touch GROUP BY 1") == [("delivered", everything_posted)]
    assert rows_of(where, "SELECT hold FROM instance") == [(None,)]


def sent(root: Path, where: str) -> None:
    """A campaign whose messages have all left: the events are about them."""
    (root / "campaigns").mkdir()
    (root / "campaigns" / "bench.yaml").write_text(CAMPAIGN, "utf-8")
    loaded = open_project(root)
    store = open_store(loaded, live=True)
    with store.write() as connection:
        versions.apply(connection, loaded.campaigns["bench"], loaded.project, NOW)
    store.close()
    for statement in SENT:
        rows_of(where, statement, *([REQUESTS * EVENTS] if "?" in statement else []))


def until(where: str, done: str, *, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not rows_of(where, f"SELECT {done}")[0][0]:
        assert time.monotonic() < end, done
        time.sleep(0.1)
