"""omni doctor on PostgreSQL: who is at work and what each leads, who fell silent, which calls wait or failed, how many rows are dead."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres_server
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from carrying_ground import a_database

from omnicli.app import open_project, open_store
from omnicli.cli.main import run as omni
from omnicli.store import crew, leases, queue
from omnicli.store.postgres import PostgresStore

pytestmark = pytest.mark.skipif(postgres_server.missing() is not None, reason=str(postgres_server.missing()))
OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""
ANNE, BORIS = "a1.4242.0123456789ab", "b2.77.ba9876543210"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresStore]:
    (tmp_path / "omni.yaml").write_text(OMNI)
    with a_database() as url:
        monkeypatch.setenv("OMNI_DATABASE", url)
        opened = open_store(open_project(tmp_path), live=False)
        assert isinstance(opened, PostgresStore)
        queue.ready(opened, opened.schema, upgrade=True)
        yield opened
        opened.close()


def signs(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, Any]]]:
    """The signs of the doctor, by name."""
    omni(["-C", str(root), "--json", "--lang", "en", "doctor"])
    found: dict[str, list[dict[str, Any]]] = {}
    for sign in json.loads(capsys.readouterr().out)["result"]["signs"]:
        found.setdefault(sign["name"], []).append(sign)
    return found


def test_who_works_and_leads_who_is_silent_and_what_waits(
    store: PostgresStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.write() as connection:
        crew.seen(connection, name=f"{ANNE}-1", host="sender-1", threads=2, done=12)
        crew.seen(connection, name=f"{BORIS}-1", host="sender-2", threads=1, done=3)
        assert leases.take(connection, "plan", holder=f"{ANNE}-9", gone=lambda _: False) is not None
        assert leases.take(connection, "mend", holder=f"{BORIS}-4", gone=lambda _: False) is not None
        connection.exec_driver_sql("UPDATE worker SET seen_at = seen_at - 240000 WHERE host = 'sender-2'")
        connection.exec_driver_sql("UPDATE leader SET until = until - 240000 WHERE task = 'mend'")
        for status in ("todo", "todo", "failed"):
            connection.exec_driver_sql(
                "INSERT INTO omni_sandbox_jobs.procrastinate_jobs (queue_name, task_name, status, scheduled_at) VALUES ('turn', 'turn', %s, now())",
                (status,),
            )
    found = signs(tmp_path, capsys)
    working, silent = found["worker"]
    assert re.fullmatch(r"worker 4242 on sender-1: seen \d+ s ago, 12 jobs, leads plan", working["text"])
    assert (working["figures"]["leads"], working["figures"]["alive"], working["figures"]["threads"]) == (["plan"], True, 2)
    assert silent["state"] == "note"
    assert "worker 77 on sender-2 not seen for 4 min" in silent["text"]
    assert (silent["figures"]["alive"], silent["figures"]["leads"]) == (False, [])
    assert "mend was led by 77, whose lease is over since 3 min" in found["leader"][0]["text"]
    assert found["queue"][0]["figures"].items() >= {"waiting": 2, "taken": 0, "failed": 1}.items()
    assert found["queue"][0]["state"] == "note"
    assert found["dead_rows"][0]["state"] == "well"


def test_the_doctor_says_how_a_silent_worker_goes_away(
    store: PostgresStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.write() as connection:
        crew.seen(connection, name=f"{ANNE}-1", host="sender-1", threads=2, done=12)
        crew.seen(connection, name=f"{BORIS}-1", host="sender-2", threads=1, done=3)
        connection.exec_driver_sql("UPDATE worker SET seen_at = seen_at - 240000 WHERE host = 'sender-2'")
    silent = signs(tmp_path, capsys)["worker"][1]
    assert silent["text"].endswith("killed, frozen or cut off; the others do its work, this line goes away in 56 min")
    assert silent["fix"] is None
    with store.write() as connection:
        crew.left(connection, f"{ANNE}-1")
    (silent,) = signs(tmp_path, capsys)["worker"]
    assert silent["text"].endswith("killed, frozen or cut off; nobody else is at work")
    assert silent["fix"] == "omni worker"


def test_the_next_beat_of_any_worker_forgets_who_was_silent_for_an_hour(store: PostgresStore) -> None:
    with store.write() as connection:
        crew.seen(connection, name=f"{ANNE}-1", host="sender-1", threads=2, done=12)
        crew.seen(connection, name=f"{BORIS}-1", host="sender-2", threads=1, done=3)
        connection.exec_driver_sql("UPDATE worker SET seen_at = seen_at - 3700000 WHERE host = 'sender-1'")
        connection.exec_driver_sql("UPDATE worker SET seen_at = seen_at - 3500000 WHERE host = 'sender-2'")
        crew.seen(connection, name="c3.5.ffffffffffff-1", host="sender-3", threads=1, done=0)
        assert [one.host for one in crew.everybody(connection)] == ["sender-2", "sender-3"]


def test_calls_that_nobody_answers_are_wrong(store: PostgresStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO omni_sandbox_jobs.procrastinate_jobs (queue_name, task_name, scheduled_at) VALUES ('turn', 'turn', now() - interval '20 minutes')"
        )
    (found,) = signs(tmp_path, capsys)["queue"]
    assert (found["state"], found["fix"]) == ("wrong", "omni worker")
    assert found["text"] == "nobody answers: 1 call waits, 0 in hand, the oldest for 20 min"
    omni(["-C", str(tmp_path), "--lang", "fr", "doctor"])
    assert "personne ne répond : 1 appel attend, 0 en main, le plus ancien depuis 20 min" in capsys.readouterr().out
