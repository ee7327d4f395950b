"""Copies of a store that stand: taken while it runs, looked through, and listed by a manifest that is written last.

A copy without its manifest is none: it was cut off, and the next backup takes it away. Inside it carries when it was made, so that
a live store that is put back from it knows itself and sends nothing before `omni db recover` (docs/delivery 14). Keys are left out.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli import clock, faults
from omnicli.errors import Exit, OmniError
from omnicli.store import migrations, room, serial, tables
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.connection import Store

_OURS = re.compile(r"\w[\w-]*-\d{8}T\d{6}Z(-\d+)?\.(db|dump)(\.json)?(\.part)?")


def folder_of(path: Path) -> Path:
    """Where the backups of the store at `path` stand unless told otherwise."""
    return path.parent / "backups"


def backup(store: Store, *, now: datetime, to: Path | None = None) -> Path:
    """Copy the store (SQLite's backup interface, pg_dump: one snapshot), look the copy through, write its manifest; gives the copy.

    0600 in a folder of 0700. OmniError when the place is taken (2), the disk has no room or the copy is not whole (4).
    """
    assert store.beside is not None
    folder = to.parent if to is not None else folder_of(store.beside)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(store.beside):
        if to is None:
            _sweep(folder)
        target = to or _free(folder, f"{store.beside.stem}-{now:%Y%m%dT%H%M%SZ}", ".dump" if store.path is None else ".db")
        if target.exists():
            raise OmniError(t("{path} stands there already", "{path} existe déjà", path=target), code="file")
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        if store.path is not None:
            room.wanted(folder, store.path.stat().st_size)
            rows, of = _copy(store.path, part, target, now), str(store.path)
        else:
            rows, of = _dumped(store, part, target)
        manifest = {
            "made_at": clock.iso(now),
            "of": of,
            "schema": migrations.HEAD,
            "sha256": sha256(part),
            "rows": rows,
        }
        _settle(part, target)
        faults.point("F20")
        _write(Path(f"{target}.json"), manifest)
    return target


def newest(store: Store) -> tuple[Path, dict[str, Any]] | None:
    """The newest backup beside that store and its manifest, or None. One of the file that it was before a move is not its own, nor one of
    another database; a file's is, wherever the project's folder was moved."""
    assert store.beside is not None
    where = getattr(store, "where", None)  # a server's
    kind = "db" if where is None else "dump"
    found: list[tuple[Path, dict[str, Any]]] = []
    for side in folder_of(store.beside).glob(f"{store.beside.stem}-*.{kind}.json"):
        try:
            said = json.loads(side.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if where is None or said.get("of") == where:
            found.append((side.with_suffix(""), said))
    return max(found, key=lambda one: str(one[1].get("made_at", "")), default=None)


def manifest_of(copy: Path) -> dict[str, Any]:
    """What the manifest of a backup says."""
    said: dict[str, Any] = json.loads(Path(f"{copy}.json").read_text(encoding="utf-8"))
    return said


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(source: Path) -> Iterator[None]:
    """One backup of a store at a time: nobody takes away what another is writing."""
    descriptor = os.open(f"{source}.backup", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Take away what a backup that was cut off left behind; other people's files stay."""
    for file in folder.iterdir():
        cut_off = file.suffix == ".part" or (file.suffix in (".db", ".dump") and not Path(f"{file}.json").exists())
        if cut_off and _OURS.fullmatch(file.name):
            file.unlink()


def _free(folder: Path, stem: str, end: str) -> Path:
    """A name that nothing has yet: the sandbox's clock may stand still between two backups."""
    names = (folder / f"{stem}{f'-{n}' if n else ''}{end}" for n in count())
    return next(path for path in names if not path.exists())


def _dumped(store: Store, part: Path, target: Path) -> tuple[dict[str, int], str]:
    """The rows of each table, and of which store."""
    from omnicli.store import dumps
    from omnicli.store.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    return dumps.dump(store, part, target), store.where


def _copy(source: Path, part: Path, target: Path, now: datetime) -> dict[str, int]:
    """The copy, stamped and looked through; how many rows each table has."""
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original, closing(sqlite3.connect(part)) as copy:
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        with copy:
            stamp = (serial.COPIED_AT, str(clock.to_ms(now)))
            copy.execute(
                'INSERT INTO setting ("key", value) VALUES (?, ?) ON CONFLICT ("key") DO UPDATE SET value = excluded.value', stamp
            )
        return _look_through(copy, target)


def _look_through(copy: sqlite3.Connection, target: Path) -> dict[str, int]:
    whole = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    if not whole or copy.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise OmniError(t("the copy is not whole: {path}", "la copie n'est pas intacte : {path}", path=target), hint="omni db check",
                        code="backup", exit=Exit.REFUSED)  # fmt: skip
    stand = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    names = [name for name in tables.metadata.tables if name in stand]  # an older store has fewer
    return {name: int(copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names}


def _settle(part: Path, target: Path) -> None:
    """The copy is on disk under its own name."""
    for path in (part, part.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path == part:
            os.replace(part, target)


def _write(side: Path, manifest: dict[str, Any]) -> None:
    fresh = side.with_name(side.name + ".part")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(manifest, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, side)
