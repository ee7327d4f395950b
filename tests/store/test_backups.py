"""Backups: whole, listed last, nobody's keys, nobody else's eyes; what a killed one leaves is taken away."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from shelves import NOW, a_project, a_store, a_touch, sqlite_only
from stores import POSTGRESQL, said

from omnicli import faults
from omnicli.errors import OmniError
from omnicli.store import backups, keeping, room
from omnicli.store.connection import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = a_store(tmp_path, a_project(tmp_path))
    a_touch(store)
    return store


@sqlite_only("a backup of a file; PostgreSQL makes its own")
def test_a_backup_is_whole_has_its_manifest_and_overwrites_nothing(store: Store) -> None:
    made = backups.backup(store, now=NOW)
    manifest = backups.manifest_of(made)
    assert manifest["rows"]["touch"] == 1
    assert manifest["sha256"] == hashlib.sha256(made.read_bytes()).hexdigest()
    assert oct(made.stat().st_mode)[-3:] == "600"
    assert oct(made.parent.stat().st_mode)[-3:] == "700"
    with pytest.raises(OmniError, match="already"):
        backups.backup(store, now=NOW, to=made)
    assert backups.backup(store, now=NOW) != made  # the sandbox's clock may stand still
    assert backups.newest(store)[1]["made_at"] == "2027-01-04T10:30:00Z"


@sqlite_only("a backup of a file; PostgreSQL makes its own")
def test_a_backup_is_one_moment_while_the_store_is_written(store: Store) -> None:
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE instance SET serial = 7")
        made = backups.backup(store, now=NOW)
        connection.exec_driver_sql("UPDATE instance SET serial = 8")
    assert sqlite3.connect(made).execute("SELECT serial FROM instance").fetchone() == (0,)


@sqlite_only("a backup of a file; PostgreSQL makes its own")
def test_keys_are_not_in_a_backup(store: Store) -> None:
    (store.path.parent / "keys").write_text(json.dumps({"pepper": "ab" * 32}))
    made = backups.backup(store, now=NOW)
    assert b"ab" * 32 not in made.read_bytes()
    assert sorted(p.name for p in made.parent.iterdir()) == [made.name, f"{made.name}.json"]


@sqlite_only("a backup of a file; PostgreSQL makes its own")
def test_a_backup_that_was_killed_is_none_and_is_taken_away(store: Store) -> None:
    child = os.fork()
    if child == 0:
        faults._ARMED = "F20"
        backups.backup(store, now=NOW)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    left = list(backups.folder_of(store.path).iterdir())
    assert len(left) == 1
    assert backups.newest(store) is None
    mine = backups.folder_of(store.path) / "mine.db"
    mine.write_bytes(b"somebody's own")
    made = backups.backup(store, now=NOW)
    assert sorted(p.name for p in made.parent.iterdir()) == sorted([made.name, f"{made.name}.json", "mine.db"])


@sqlite_only("a backup of a file; PostgreSQL makes its own")
def test_a_disk_without_room_is_named_before_anything_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "usage", lambda _folder: (10**12, 10**12 - 10**8, 10**8))
    with pytest.raises(OmniError, match="100 MB free"):
        backups.backup(store, now=NOW)
    assert list(backups.folder_of(store.path).iterdir()) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE touch SET send_state = 'accepted'", {"accepted_has_attempt", "ended_when"}),
        ("INSERT INTO handover (id, provider, account, size, started_at, outcome) VALUES (1, 'p', 'a', 1, 0, 'intent');"
         " INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, address_hash, body_sha256, started_at)"
         " VALUES (1, 1, 1, 1, 'intent', x'', x'', 0)", {"waiting_is_free", "intent_in_hand"}),
        ("UPDATE touch SET send_state = 'parked'", {"unknown_has_attempt"}),
        ("INSERT INTO instance VALUES ('another', 1, 0, NULL)", {"one_instance"}),
        ("DELETE FROM touch_move WHERE old = 'sending'", {"moves"}),
        ("INSERT INTO cap_slot VALUES (1, '2027-01-04', 'email', 1, 1, 0)", {"slots_of_counted"}),
    ],
)  # fmt: skip
def test_check_names_each_broken_promise(store: Store, tmp_path: Path, change: str, found: set[str]) -> None:
    project = a_project(tmp_path)
    assert [c.name for c in keeping.check(store, project, now=NOW) if c.wrong] == []
    with store.write() as connection:
        for statement in (said("DROP TRIGGER touch_moves") + (" ON touch" if POSTGRESQL else ""), *said(change).split(";")):
            connection.exec_driver_sql(statement)
    assert {c.name for c in keeping.check(store, project, now=NOW) if c.wrong} == {*found, "triggers"}
