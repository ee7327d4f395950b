"""A store on HOLD ends whoever is called to work once with exit 4 and its reason, though no campaign is in it that anything would be due for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import stores

from omnicli.app import open_project, open_store
from omnicli.cli.main import run as omni
from omnicli.service.scheduler import Metronome
from omnicli.service.workers import QUEUES, Crew
from omnicli.store import holding, serial

OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a live store in which nobody and nothing is."""
    if stores.POSTGRESQL:
        monkeypatch.setenv("OMNI_DATABASE", stores.url_of(tmp_path))
    (tmp_path / "omni.yaml").write_text(OMNI)
    open_store(open_project(tmp_path), live=True).close()
    return tmp_path


def held(root: Path, why: str = "restored") -> None:
    store = open_store(open_project(root), live=True)
    with store.write() as connection:
        holding.hold(connection, why)
    store.close()


def called(root: Path, capsys: pytest.CaptureFixture[str], *words: str, lang: str = "en") -> tuple[int, str]:
    """Exit code, and what stands on the error output."""
    code = omni(["-C", str(root), "--lang", lang, *words])
    return code, capsys.readouterr().err


def test_a_tick_without_a_campaign_says_that_the_store_is_held(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(root, capsys, "schedule", "tick", "--live") == (0, "")
    held(root)
    code, said = called(root, capsys, "schedule", "tick", "--live")
    assert code == 4
    assert "the store is on hold: it was restored from a backup" in said
    assert "omni db recover --live" in said
    assert "la base est retenue" in called(root, capsys, "schedule", "tick", "--live", lang="fr")[1]


def test_a_daemon_says_it_once_and_goes_on(root: Path) -> None:
    held(root)
    told: list[str] = []
    daemon = Metronome(root, True, timedelta(seconds=1), told.append, told.append)
    for _ in range(3):
        daemon.beat()
    assert [line for line in told if "on hold" in line or "retenue" in line] == told
    assert len(told) == 1


@pytest.mark.sqlite_only(reason="a file that is emptied")
def test_a_file_that_was_emptied_is_told_at_every_tick(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(open_project(root), live=True)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE instance SET serial = serial + 1")
        now = serial.serial_of(connection)
    serial.mark(store, now)
    store.close()
    (root / ".omni" / "live.db").write_bytes(b"")
    for _ in range(2):
        code, said = called(root, capsys, "schedule", "tick", "--live")
        assert code == 4
        assert "another database stood here before" in said


@pytest.mark.skipif(not stores.POSTGRESQL, reason="workers share a store on PostgreSQL")
def test_a_worker_that_is_called_once_refuses(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(root, capsys, "worker", "--live", "--once")[0] == 0
    held(root)
    code, said = called(root, capsys, "worker", "--live", "--once")
    assert code == 4
    assert said.count("the store is on hold: it was restored from a backup → omni db recover --live") == 1


@pytest.mark.skipif(not stores.POSTGRESQL, reason="workers share a store on PostgreSQL")
def test_a_worker_that_stays_waits_until_the_store_is_released(root: Path) -> None:
    held(root)
    told: list[str] = []
    beats = iter(range(100))

    class Waiting(Crew):
        def _beat(self, every: timedelta) -> None:
            super()._beat(every)
            if next(beats) == 3:
                self.stop()

    crew = Waiting(root, True, 1, QUEUES, timedelta(seconds=0.05), lambda *_: None, told.append)
    assert crew.run() == 0
    assert next(beats) > 3
    assert len([line for line in told if "on hold" in line or "retenue" in line]) == 1
