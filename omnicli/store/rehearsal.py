"""A rehearsal works on a copy of the store that is thrown away: whatever is done there, the store itself stays as it is.

A copy and not a transaction rolled back: a plan over a large base must not hold the writer's lock while it thinks, or
webhooks would have to wait for it (docs/delivery 8). The copy is one consistent snapshot: SQLite's backup in one step; of a
PostgreSQL store the rows that a plan reads, into a SQLite file, where the same statements mean the same (store/carrying). It
lies in a folder of its own beside the store, under the store's own name and with its keys, and is removed at the end, also
after an error; leftovers of a killed process are removed by the next rehearsal.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from omnicli.store import holding
from omnicli.store.carrying import snapshot
from omnicli.store.connection import Store

_PREFIX = "rehearsal-"


@contextmanager
def rehearsal(store: Store) -> Iterator[Store]:
    """A store that holds what `store` holds now, for as long as the block lasts."""
    beside = store.beside.parent if store.beside is not None else Path(tempfile.gettempdir())
    if store.beside is not None:
        beside.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(beside)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=beside))
    try:
        path = folder / (store.beside.name if store.beside is not None else "sandbox.db")
        _copy(store, path) if store.dialect == "sqlite" else snapshot.into_file(store, path)
        if (beside / "keys").exists():
            (folder / "keys").symlink_to(beside / "keys")
        copy = Store.sqlite(path, live=store.live)
        copy.rehearsed = True
        _hurry(copy)
        _free(copy)
        try:
            yield copy
        finally:
            copy.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(store: Store, path: Path) -> None:
    target = sqlite3.connect(path)
    try:
        with store.read() as connection:
            raw: Any = connection.connection.driver_connection
            raw.backup(target)
    finally:
        target.close()
    path.chmod(0o600)


def _free(copy: Store) -> None:
    """What sends nothing need not be held: a plan may be made while the store is on HOLD."""
    with copy.read() as connection:
        why = holding.held(connection)
    if why is not None:
        with copy.write() as connection:
            holding.release(connection)


def _hurry(copy: Store) -> None:
    """What is thrown away need not survive a power cut."""

    @sa.event.listens_for(copy.writer, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.execute("PRAGMA synchronous=OFF")


def _sweep(beside: Path) -> None:
    """Remove copies whose process is gone."""
    for folder in beside.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and int(owner) != os.getpid() and not _alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
