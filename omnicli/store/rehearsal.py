"""A rehearsal works on a copy of the store that is thrown away: whatever is done there, the store itself stays as it is.

A copy and not a transaction rolled back: a plan over a large base must not hold the writer's lock while it thinks, or
webhooks would have to wait for it (docs/delivery 8). The copy is one consistent snapshot (SQLite's backup in one step),
lies beside the store with the same rights, and is removed at the end, also after an error; leftovers of a killed process
are removed by the next rehearsal.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from omnicli.store.connection import Store

_PREFIX = "rehearsal-"


@contextmanager
def rehearsal(store: Store) -> Iterator[Store]:
    """A store that holds what `store` holds now, for as long as the block lasts."""
    folder = store.path.parent if store.path is not None else Path(tempfile.gettempdir())
    _sweep(folder)
    descriptor, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", suffix=".db", dir=folder)
    os.close(descriptor)
    path = Path(name)
    try:
        _copy(store, path)
        copy = Store.sqlite(path)
        _hurry(copy)
        try:
            yield copy
        finally:
            copy.close()
    finally:
        _remove(path)


def _copy(store: Store, path: Path) -> None:
    target = sqlite3.connect(path)
    try:
        with store.read() as connection:
            raw: Any = connection.connection.driver_connection
            raw.backup(target)
    finally:
        target.close()


def _hurry(copy: Store) -> None:
    """What is thrown away need not survive a power cut."""

    @sa.event.listens_for(copy.writer, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.execute("PRAGMA synchronous=OFF")


def _remove(path: Path) -> None:
    for name in (path, *(Path(f"{path}{end}") for end in ("-wal", "-shm", "-journal", ".writer"))):
        with suppress(FileNotFoundError):
            name.unlink()


def _sweep(folder: Path) -> None:
    """Remove copies whose process is gone."""
    for path in folder.glob(f"{_PREFIX}*.db"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and int(owner) != os.getpid() and not Path(f"/proc/{owner}").exists() and Path("/proc").exists():
            _remove(path)
