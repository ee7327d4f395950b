"""A worker that stood still until others took its calls away goes on as if nothing had been: no traceback, nobody is called for it."""

from __future__ import annotations

import gc
import logging
import threading
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
import stores

from omnicli.app import open_project, open_store
from omnicli.service import workers
from omnicli.service.workers import QUEUES, Crew
from omnicli.store import queue
from omnicli.store.connection import Store

pytestmark = pytest.mark.skipif(not stores.POSTGRESQL, reason="workers share a store on PostgreSQL")
OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""
JOBS = "omni_sandbox_jobs"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("OMNI_DATABASE", stores.url_of(tmp_path))
    (tmp_path / "omni.yaml").write_text(OMNI)
    opened = open_store(open_project(tmp_path), live=False)
    queue.ready(opened, "omni_sandbox", upgrade=True)
    return opened


def call(store: Store, times: int = 1) -> None:
    with store.write() as connection:
        for _ in range(times):
            connection.exec_driver_sql(
                f"INSERT INTO {JOBS}.procrastinate_jobs (queue_name, task_name, args, scheduled_at) VALUES ('turn', 'turn', '{{\"campaign\": \"\"}}', now())"
            )


class Frozen(Crew):
    """While it has its first call in hand, everybody else holds it for dead: its call and its name in the queue are gone."""

    store: Store
    calls: int
    then: int

    def _work(self, what: Literal["turn", "dispatch"], campaign: str) -> None:
        self.calls += 1
        if self.calls == 1:
            with self.store.write() as connection:
                connection.exec_driver_sql(f"DELETE FROM {JOBS}.procrastinate_jobs")
                connection.exec_driver_sql(f"DELETE FROM {JOBS}.procrastinate_workers")
            if self.then > 1:
                call(self.store, self.then - 1)
        if self.calls == self.then:
            self.stop()


# Procrastinate's listener is cancelled while it still connects
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function BaseConnection.__del__:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
@pytest.mark.parametrize("then", [1, 3], ids=["told to leave", "goes on"])
def test_whose_calls_were_taken_away_goes_on_without_a_word(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
    then: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(workers, "PAUSE", 0.05)
    told: list[str] = []
    crew = Frozen(tmp_path, False, 1, QUEUES, timedelta(seconds=60), lambda *_: None, told.append)
    crew.store, crew.calls, crew.then = store, 0, then
    late = threading.Timer(20, crew.stop)
    late.start()
    call(store)
    with caplog.at_level(logging.WARNING):
        assert crew.run() == 0
        gc.collect()  # tasks whose end nobody heard say so when they go
    late.cancel()
    assert crew.calls == then
    assert told == []
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
    assert "Traceback" not in capfd.readouterr().err
