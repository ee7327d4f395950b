"""How far a live store has come, said beside it: so that a database taken back to an older day is known before it sends.

`<env>.serial` holds the instance, its epoch and its serial in one line. It is written and synced after each T2 and before the
calls of it; a file that is ahead of its database means that calls were made which the database does not know (docs/delivery 14).
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import guards
from omnicli.store import setting, tables, whereabouts
from omnicli.writing import write_whole

if TYPE_CHECKING:
    from omnicli.store.connection import Store

#: One line of this many bytes: written in one piece, well within a sector.
LENGTH = 128
#: The setting that a backup carries inside: when it was made, in milliseconds.
COPIED_AT = "copied_at"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the life of a store. `epoch` rises with each recovery, `serial` with each T2."""

    epoch: int
    serial: int
    instance: str


def side_file(store: Store) -> Path | None:
    """Where the mark of this store stands; None where there is none: the sandbox, a rehearsal's copy, a store in memory."""
    return None if store.beside is None or not store.live or store.rehearsed else store.beside.with_suffix(".serial")


def here(connection: sa.Connection) -> Mark | None:
    """The mark of the database itself."""
    row = connection.execute(sa.select(tables.instance.c.epoch, tables.instance.c.serial, tables.instance.c.id)).first()
    return None if row is None else Mark(*row)


def serial_of(connection: sa.Connection) -> int:
    """The serial, inside the transaction of a T2: what `mark` is to be given after its commit."""
    return int(connection.scalar(sa.select(tables.instance.c.serial)) or 0)


def risen(connection: sa.Connection) -> int:
    """The serial of this T2, which calls somebody. Where many write it rises only here, as the last thing of the transaction: it is one
    row, and whoever has written it makes every other sender wait. (Where one writes at a time the intents raised it.)"""
    if connection.dialect.name == "sqlite":
        return serial_of(connection)
    return int(connection.exec_driver_sql("UPDATE instance SET serial = serial + 1 RETURNING serial").scalar_one())


def mark(store: Store, serial: int) -> None:
    """Write and sync that this store has come to `serial`; the file never falls within one epoch. Nothing in the sandbox."""
    path = side_file(store)
    if path is None:
        return
    with store.read() as connection:
        found = here(connection)
    if found is not None:
        _write(path, Mark(found.epoch, serial, found.instance))


def adopt(store: Store, own: Mark) -> None:
    """Write this mark whatever stood there before: a person has looked (`omni db recover`)."""
    path = side_file(store)
    if path is not None:
        whereabouts.note(store, again=True)
        _first(path, _line(own))


def read(path: Path) -> Mark | None:
    """The mark that the file holds; None without a file; a file that cannot be read is a ValueError."""
    try:
        said = json.loads(path.read_bytes())
        return Mark(int(said["epoch"]), int(said["serial"]), str(said["instance"]))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from None


def behind(store: Store) -> str | None:
    """Why this database may not know of everything that was sent (a word of `holding.WHY`); None when it does."""
    path = side_file(store)
    if path is None or not guards.on("hold"):
        return None
    beside, readable = _beside(
        path
    )  # before the database: whoever sends at this moment commits first and writes the file after it
    with store.read() as connection:
        copied, own, moved = setting.get(connection, COPIED_AT), here(connection), whereabouts.moved(connection)
    if copied is not None:
        return "restored"
    if own is None:
        return None
    if moved is not None:
        return moved
    if not readable:
        return "unreadable"
    if beside is None:  # on PostgreSQL another machine joins the work; what says where the store stands is in the store
        return "copied" if own.serial and not path.exists() and store.dialect == "sqlite" else None
    if beside.instance != own.instance:
        return "another"
    return "older" if (beside.epoch, beside.serial) > (own.epoch, own.serial) else None


def _beside(path: Path) -> tuple[Mark | None, bool]:
    """What the file says, while nobody writes it, and whether it can be read."""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with suppress(ValueError):
            return read(path), True
        return None, False
    return None, True


def _write(path: Path, new: Mark) -> None:
    """In one piece and synced, under a lock; a first file appears whole."""
    line = _line(new)
    if not path.exists():
        _first(path, line)
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(ValueError):
            old = read(path)
            if old is not None and old.instance == new.instance and old >= new:
                return
        os.pwrite(descriptor, line, 0)
        os.ftruncate(descriptor, len(line))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(mark: Mark) -> bytes:
    return json.dumps({"instance": mark.instance, "epoch": mark.epoch, "serial": mark.serial}).encode().ljust(LENGTH - 1) + b"\n"


def _first(path: Path, line: bytes) -> None:
    write_whole(path, line, mode=0o600, sync=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
