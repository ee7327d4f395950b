"""The mark beside a live store: an older day that is put back is known before anything is sent; the sandbox has none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shelves import NOW, a_project

from omnicli.app import open_store
from omnicli.campaignfile import Loaded, load_project
from omnicli.errors import OmniError
from omnicli.store import backups, holding, keys, room, serial
from omnicli.store.connection import Store
from omnicli.store.mounted import network
from omnicli.store.rehearsal import rehearsal


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    a_project(tmp_path)
    return load_project(tmp_path)


def sent(store: Store, times: int = 1) -> None:
    """What each T2 does: the serial rises in the transaction, the mark is written after its commit."""
    for _ in range(times):
        with store.write() as connection:
            connection.exec_driver_sql("UPDATE instance SET serial = serial + 1")
            now = serial.serial_of(connection)
        serial.mark(store, now)


def why(loaded: Loaded, *, live: bool = True) -> str | None:
    store = open_store(loaded, live=live)
    try:
        with store.read() as connection:
            return holding.held(connection)
    finally:
        store.close()


def copy_of(path: Path) -> Path:
    target = path.with_name("older")
    shutil.copy(path, target)
    return target


def put_back(copy: Path, path: Path) -> None:
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    shutil.copy(copy, path)


@pytest.mark.parametrize("reads", ["file", "database"])
def test_somebody_who_sends_while_we_look_is_no_reason_to_hold(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    store, other = open_store(loaded, live=True), open_store(loaded, live=True)
    sent(store)
    name = {"file": "_beside", "database": "here"}[reads]
    looks = getattr(serial, name)

    def look(where: object) -> object:
        monkeypatch.setattr(serial, name, looks)
        sent(other)  # just now, while this is being read
        return looks(where)

    monkeypatch.setattr(serial, name, look)
    assert serial.behind(store) is None
    store.close()
    other.close()


@pytest.mark.guards("hold")
def test_a_copy_from_before_the_last_call_is_held(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    sent(store)
    store.close()
    copy = copy_of(store.path)
    assert why(loaded) is None
    store = open_store(loaded, live=True)
    sent(store)
    store.close()
    put_back(copy, store.path)
    assert why(loaded) == "older"
    assert why(loaded) == "older"  # and stays so, whoever opens it


def test_a_commit_whose_mark_was_lost_is_no_reason_to_hold(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    sent(store)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE instance SET serial = serial + 1")
    store.close()
    assert why(loaded) is None
    assert serial.read(store.path.with_suffix(".serial")).serial == 2


@pytest.mark.guards("hold")
def test_a_backup_that_is_put_back_knows_itself_even_without_its_mark(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    made = backups.backup(store, now=NOW)
    store.close()
    assert why(loaded) is None
    store.path.with_suffix(".serial").unlink()
    put_back(made, store.path)
    assert why(loaded) == "restored"


@pytest.mark.guards("hold")
def test_a_database_that_was_copied_here_or_replaced_is_held(loaded: Loaded, tmp_path: Path) -> None:
    store = open_store(loaded, live=True)
    sent(store)
    store.close()
    side = store.path.with_suffix(".serial")
    kept = side.read_bytes()
    side.unlink()
    assert why(loaded) == "copied"
    for name in ("live.db", "live.db-wal", "live.db-shm"):
        (store.path.parent / name).unlink(missing_ok=True)
    side.write_bytes(kept)
    assert why(loaded) == "another"  # a new database where another one sent
    side.write_bytes(b"{")
    store = open_store(loaded, live=True)
    assert serial.behind(store) == "unreadable"
    store.close()


def test_the_sandbox_and_rehearsals_are_never_held(loaded: Loaded) -> None:
    assert why(loaded, live=False) is None
    assert not (loaded.root / ".omni" / "sandbox.serial").exists()
    store = open_store(loaded, live=True)
    with store.write() as connection:
        holding.hold(connection, "older")
    with rehearsal(store) as copy:
        with copy.read() as connection:
            assert holding.held(connection) is None
        serial.mark(copy, 99)
        assert serial.side_file(copy) is None
    with store.read() as connection:
        assert holding.held(connection) == "older"
    store.close()


def test_the_mark_never_falls_and_is_one_line_for_its_owner(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    sent(store, 3)
    serial.mark(store, 1)  # a slower worker of the same machine
    side = serial.side_file(store)
    assert serial.read(side).serial == 3
    assert (len(side.read_bytes()), oct(side.stat().st_mode)[-3:]) == (serial.LENGTH, "600")
    store.close()


def test_the_first_reason_stays_and_is_told_in_words(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    with store.write() as connection:
        holding.hold(connection, "older")
        holding.hold(connection, "contradiction")
        assert holding.held(connection) == "older"
        holding.release(connection)
        holding.hold(connection, "somebody said so")
        assert holding.said(str(holding.held(connection))) == "somebody said so"
    store.close()


# --- keys -----------------------------------------------------------------------------------------------------------
def test_a_store_knows_the_keys_that_it_has_used(loaded: Loaded) -> None:
    store = open_store(loaded, live=True)
    file = store.path.with_name("keys")
    kept = file.read_text()
    name = loaded.project.project
    assert keys.lost(store, name) is None
    file.unlink()
    assert keys.lost(store, name) == "0, pepper"
    with pytest.raises(OmniError, match="not there") as refused:
        keys.of_store(store, name)
    assert refused.value.exit == 4
    assert not file.exists()  # others would only hide the loss
    file.write_text(kept)
    assert keys.of_store(store, name).current == 0
    store.close()


def test_a_path_in_the_place_of_the_keys_is_told_as_that(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_KEYS", "/srv/lune/keys")
    keys.keys_of.cache_clear()
    with pytest.raises(OmniError, match="OMNI_KEYS holds no JSON") as refused:
        open_store(loaded, live=True)
    assert "not its path" in refused.value.hint


def test_other_keys_under_the_same_numbers_are_no_keys(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    store = open_store(loaded, live=True)
    monkeypatch.setenv("OMNI_KEYS", json.dumps({"pepper": "ab" * 32, "signing": {"0": "cd" * 32}}))
    keys.keys_of.cache_clear()
    try:
        assert keys.lost(store, loaded.project.project) == "0, pepper"
    finally:
        keys.keys_of.cache_clear()
    store.close()


# --- the disk -------------------------------------------------------------------------------------------------------
GB = 10**9


@pytest.mark.guards("disk_floor")
@pytest.mark.parametrize(
    ("total", "free", "enough"),
    [(100 * GB, 50 * GB, True), (100 * GB, 4 * GB, False), (1 * GB, 199_000_000, False), (1 * GB, 200_000_000, True), (1000 * GB, 49 * GB, False)],
)  # fmt: skip
def test_below_200_mb_or_5_percent_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, enough: bool
) -> None:
    monkeypatch.setattr(room, "usage", lambda _folder: (total, total - free, free))
    assert (room.room(tmp_path / "live.db") is None) == enough
    assert room.room(None) is None


def test_a_store_on_somebody_elses_disk_is_known(tmp_path: Path) -> None:
    home = tmp_path.resolve()
    mounts = [
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
        f"2 1 0:50 / {home} rw - nfs4 server:/home rw",
        f"3 2 0:51 / {home}/local\\040disk rw shared:1 - xfs /dev/sdb rw",
        f"4 2 0:52 / {home}/ssh rw - fuse.sshfs me@there: rw",
        "broken line",
    ]
    (home / "local disk").mkdir()
    assert network(home / "live.db", mounts) == "nfs4"
    assert network(home / "ssh" / "live.db", mounts) == "fuse.sshfs"
    assert network(home / "local disk" / "live.db", mounts) is None
    assert network(Path("/elsewhere/live.db"), mounts) is None
    assert network(home / "live.db", []) is None
