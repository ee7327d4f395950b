"""The emergency journal: outcomes that a failing store did not take, kept beside it until it does (docs/delivery 14).

`.omni/<env>.journal` is allocated and synced before the first call, so that a full disk has room for it. One line an outcome, with
a checksum; a torn tail is left out. Replaying is idempotent: an outcome is told by what the store says about its attempt now.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.errors import Exit, OmniError
from omnicli.store import outbox
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaigns.line import Call
    from omnicli.store.connection import Store

SIZE = 1024 * 1024
#: What a store that cannot be written raises: busy, full, an input or output error.
FAILURES = (sa.exc.DatabaseError, sqlite3.Error, OSError)


def path_of(store: Store) -> Path | None:
    """Where the journal of this store stands; None for a store in memory and the copy of a rehearsal."""
    return None if store.beside is None or store.rehearsed else store.beside.with_suffix(".journal")


def refused(failure: BaseException) -> OmniError:
    """One line for a person: the store could not be written."""
    said = str(getattr(failure, "orig", None) or failure).splitlines()[0][:120]
    return OmniError(
        t("the store cannot be written: {why}", "la base ne peut pas être écrite : {why}", why=said),
        hint=t("nothing was sent that it does not know of; try again, then omni doctor", "rien n'est parti à son insu ; réessayez, puis omni doctor"),
        code="store", exit=Exit.SOME_FAILED,
    )  # fmt: skip


def allocate(store: Store) -> None:
    """Make room for it on the disk, once, before the first call."""
    path = path_of(store)
    if path is None or (path.exists() and path.stat().st_size >= SIZE):
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        have = os.fstat(descriptor).st_size
        os.pwrite(descriptor, b"\0" * (SIZE - have), have)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep(store: Store, worker: str, calls: Sequence[Call], *, at: datetime) -> None:
    """Append what these calls came back with, synced. Nothing is written for a store without a file."""
    path = path_of(store)
    if path is None:
        return
    lines = b"".join(_line(entry) for entry in _entries(worker, calls, at))
    allocate(store)
    with _alone(path) as descriptor:
        end = len(b"".join(_whole_lines(path.read_bytes())))
        os.pwrite(descriptor, lines, end)
        os.fsync(descriptor)


def _entries(worker: str, calls: Sequence[Call], at: datetime) -> Iterator[dict[str, Any]]:
    for call in calls:
        for p, o in zip(call.people, call.outcomes, strict=True):
            free = o.free or o.halve or o.halt
            yield {
                "touch": p.touch.key.hex(), "n": p.touch.attempts + 1, "by": worker, "outcome": o.outcome, "ref": o.ref, "code": o.code,
                "detail": (o.detail or "")[:80] or None, "free": int(free), "at": clock.to_ms(at),
            }  # fmt: skip


def _line(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _whole_lines(raw: bytes) -> Iterator[bytes]:
    """Lines that were written whole, with their ends, up to the first that was not."""
    for line in raw.split(b"\0", 1)[0].splitlines(keepends=True):
        mark, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or mark != b"%08x" % zlib.crc32(text):
            return
        yield line


def pending(store: Store) -> list[dict[str, Any]]:
    """Outcomes that wait to be taken."""
    path = path_of(store)
    if path is None or not path.exists():
        return []
    return [json.loads(line.partition(b" ")[2]) for line in _whole_lines(path.read_bytes())]


def replay(store: Store, *, now: datetime) -> int:
    """Let the store take what waits, in one transaction, and empty the journal; how many outcomes it took."""
    path = path_of(store)
    if path is None or not pending(store):
        return 0
    with _alone(path) as descriptor:
        entries = pending(store)
        with store.write() as connection:
            took = sum(_take(connection, entry, clock.to_ms(now)) for entry in entries)
        _empty(descriptor)
    return took


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The journal open, and nobody else at it: what is appended while another empties it would be lost."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(connection: sa.Connection, entry: dict[str, Any], now: int) -> bool:
    touch, n, outcome = outbox.touch_by_key(connection, bytes.fromhex(entry["touch"])), int(entry["n"]), str(entry["outcome"])
    if touch is None:  # of a database that no longer stands here
        return False
    if outcome == "accepted":
        return outbox.proof(connection, touch, n, ref=entry["ref"] or "journal", source="journal", now=now) == "settled"
    if not outbox.unsettle(connection, touch, n):
        return False
    outbox.remember(connection, [(touch, n, "journal", outcome, now, entry["detail"] or entry["code"])])
    return outcome == "unknown" or outbox.disproof(connection, touch, n, outcome, now=now, free=bool(entry["free"]))


def _empty(descriptor: int) -> None:
    os.pwrite(descriptor, b"\0" * os.fstat(descriptor).st_size, 0)
    os.fsync(descriptor)
