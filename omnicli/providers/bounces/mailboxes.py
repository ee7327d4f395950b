"""Reads a Maildir or an mbox a few mails at a time, and marks as read only what it is told was stored.

A crash before `done` shows the same mails again, which is harmless: each fact is stored once. A Maildir's mails move from `new`
to `cur` with the flag S; of an mbox an offset is kept, with a hash of what stands before it, so that a box which somebody
emptied or rewrote is read from its beginning.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from omnicli import clock
from omnicli.providers.bounces.letter import MOST

#: Bytes before the offset that tell whether an mbox is still the one that was read.
SEAL = 4096
#: Seconds after which a lock file of an mbox belongs to nobody any more.
STALE_LOCK = 600.0


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: where it lies, and its first bytes (`letter.MOST` of them)."""

    where: str
    raw: bytes = field(repr=False)


class Mailbox(Protocol):
    """`take` gives the next mails that are unread; `done` marks them. `state` is what a store keeps of it between runs."""

    state: str | None
    problem: str | None

    def take(self, most: int) -> list[Mail]: ...

    def done(self, mails: Sequence[Mail]) -> None: ...


def box_at(written: str | None, root: Path) -> Path | None:
    """The Maildir or mbox of the setting `bounces`, seen from the project's folder; None when it says nothing."""
    return root / Path(written).expanduser() if written else None


def open_mailbox(path: Path, state: str | None = None) -> Mailbox | None:
    """The box at `path`, as far as `state` says it was read; None when there is none."""
    if (path / "new").is_dir() and (path / "cur").is_dir():
        return Maildir(path, state)
    return Mbox(path, state) if path.is_file() else None


@dataclass
class Maildir:
    """`new/`, and what another program moved to `cur/` without its being seen. `state` is when `cur` last had nothing for us."""

    path: Path
    state: str | None = None
    problem: str | None = None
    _stuck: set[str] = field(default_factory=set)

    def take(self, most: int) -> list[Mail]:
        found = self._some("new", most)
        if not found and self._cur_changed():
            found = self._some("cur", most)
        return found

    def done(self, mails: Sequence[Mail]) -> None:
        for mail in mails:
            folder, name = os.path.split(mail.where)
            base, _, flags = name.partition(":2,")
            flags = "".join(sorted({*flags, "S"}))
            try:
                os.rename(self.path / folder / name, self.path / "cur" / f"{base}:2,{flags}")
            except FileNotFoundError:
                continue  # somebody else moved it
            except OSError as error:
                self._stuck.add(mail.where)
                self.problem = f"{mail.where}: {error.strerror}"

    def _cur_changed(self) -> bool:
        """False while `cur` is as it was when nothing in it was unread: a box of years is not listed at every tick."""
        changed = str((self.path / "cur").stat().st_mtime_ns)
        if changed == self.state:
            return False
        self.state = changed
        return True

    def _some(self, folder: str, most: int) -> list[Mail]:
        found: list[Mail] = []
        with os.scandir(self.path / folder) as entries:
            for entry in entries:
                where = f"{folder}/{entry.name}"
                if where not in self._stuck and _unread(entry, folder) and (raw := _first_bytes(entry.path)) is not None:
                    found.append(Mail(where, raw))
                    if len(found) >= most:
                        self.state = None if folder == "cur" else self.state
                        break
        return found


def _unread(entry: os.DirEntry[str], folder: str) -> bool:
    if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
        return False
    return folder == "new" or not set("ST") & set(entry.name.rpartition(":2,")[2] if ":2," in entry.name else "")


def _first_bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(MOST)
    except OSError:
        return None  # moved or taken away meanwhile


@dataclass
class Mbox:
    """One file of mails that begin with `From ` after an empty line (RFC 4155). `state` is `{offset, seal}` as JSON."""

    path: Path
    state: str | None = None
    problem: str | None = None
    _next: int = 0

    def take(self, most: int) -> list[Mail]:
        try:
            with self.path.open("rb") as file, _locked(file, self.path) as ours:
                if not ours:
                    return []
                file.seek(self._offset(file))
                mails = list(_mails(file, most))
                self._next, self._seal = file.tell(), _seal(file, file.tell())
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror}"
            return []
        return mails

    def done(self, mails: Sequence[Mail]) -> None:
        self.state = json.dumps({"offset": self._next, "seal": self._seal})

    def _offset(self, file: BinaryIO) -> int:
        """Where to go on: at the kept offset, when what stands before it is what stood there."""
        try:
            kept = json.loads(self.state or "{}")
            offset, seal = int(kept.get("offset", 0)), str(kept.get("seal", ""))
        except (ValueError, TypeError, AttributeError):
            return 0
        return offset if 0 < offset <= file.seek(0, os.SEEK_END) and _seal(file, offset) == seal else 0


def _seal(file: BinaryIO, offset: int) -> str:
    file.seek(max(0, offset - SEAL))
    found = hashlib.blake2b(file.read(min(SEAL, offset)), digest_size=16).hexdigest()
    file.seek(offset)
    return found


def _mails(file: BinaryIO, most: int) -> Iterator[Mail]:
    """The next mails, each to its end; the file stands where the next one begins."""
    begun, kept, size, empty = -1, bytearray(), 0, True
    while size < most:
        at = file.tell()
        line = file.readline(MOST)
        if not line or (empty and line.startswith(b"From ")):
            if begun >= 0:
                yield Mail(str(begun), bytes(kept))
                size += 1
            if not line:
                return
            if size >= most:
                file.seek(at)
                return
            begun, kept = at, bytearray()
        elif begun >= 0 and len(kept) < MOST:
            kept += line[: MOST - len(kept)]
        empty = line in (b"\n", b"\r\n")


@contextmanager
def _locked(file: BinaryIO, path: Path) -> Iterator[bool]:
    """The box to ourselves, as the standard library's mailbox takes it: a record lock and a lock file; False when somebody has it."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    ours = _lock_file(lock)
    try:
        yield ours is not False
    finally:
        if ours:
            with suppress(OSError):
                lock.unlink()
        fcntl.lockf(file, fcntl.LOCK_UN)


def _lock_file(lock: Path) -> bool | None:
    """True when we made it, False when somebody holds it, None when the folder lets us make none (the record lock has to do)."""
    for _ in range(2):
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return True
        except FileExistsError:
            with suppress(OSError):
                if clock.now().timestamp() - lock.stat().st_mtime > STALE_LOCK:
                    lock.unlink()
                    continue
            return False
        except OSError:
            return None
    return False
