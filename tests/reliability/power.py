"""A disk that loses power: SQLite writes through a VFS that notes every write and sync, and a cut keeps what was synced, and of the
rest whatever it likes, torn at sectors and in any order. The store runs on it by way of a thin DB-API over apsw."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from omnicli.store import connection as stores
from omnicli.store.connection import Store

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Step:
    """`kind` is write, truncate, sync or delete, of the file of that name."""

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """What was done to the files, in order; `kept` says what had returned by then: (steps so far, what)."""

    steps: list[Step] = field(default_factory=list)
    kept: list[tuple[int, str]] = field(default_factory=list)

    def returned(self, what: str) -> None:
        self.kept.append((len(self.steps), what))

    def promised(self, at: int) -> list[str]:
        """What had returned before the cut."""
        return [what for steps, what in self.kept if steps <= at]

    def cut(self, at: int, before: dict[str, bytes], dice: random.Random) -> dict[str, bytes]:
        """The files after the power went off behind step `at`: name → bytes."""
        safe = {name: bytearray(content) for name, content in before.items()}
        loose: dict[str, list[Step]] = {}
        for step in self.steps[:at]:
            if step.kind == "sync":
                for write in loose.pop(step.file, []):
                    _apply(safe, write)
                safe.setdefault(step.file, bytearray())
            elif step.kind == "delete":
                loose.pop(step.file, None)
                safe.pop(step.file, None)
            else:
                loose.setdefault(step.file, []).append(step)
        for writes in loose.values():
            pieces = [piece for write in writes for piece in _torn(write) if dice.random() < 0.5]
            dice.shuffle(pieces)
            for piece in pieces:
                _apply(safe, piece)
        return {name: bytes(content) for name, content in safe.items()}


def _apply(files: dict[str, bytearray], step: Step) -> None:
    content = files.setdefault(step.file, bytearray())
    if step.kind == "truncate":
        del content[step.offset :]
        return
    if len(content) < step.offset:
        content.extend(bytes(step.offset - len(content)))
    content[step.offset : step.offset + len(step.data)] = step.data


def _torn(step: Step) -> Iterator[Step]:
    """A write as its sectors: each may be there or not."""
    if step.kind != "write":
        yield step
        return
    for start in range(0, len(step.data), SECTOR):
        yield Step("write", step.file, step.offset + start, step.data[start : start + SECTOR])


# --- the VFS --------------------------------------------------------------------------------------------------------
class PowerVFS(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self.disk, self.name = disk, name
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> PowerFile:
        return PowerFile(name, flags, self.disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.disk.steps.append(Step("delete", Path(filename).name))
        super().xDelete(filename, syncdir)


class PowerFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.short, self.disk = Path(text).name if text else "", disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.steps.append(Step("write", self.short, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self.disk.steps.append(Step("truncate", self.short, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        self.disk.steps.append(Step("sync", self.short))
        super().xSync(flags)


# --- a DB-API over apsw, as far as the store asks ----------------------------------------------------------------------
class Cursor:
    arraysize, lastrowid = 1, None

    def __init__(self, connection: Connection) -> None:
        self.connection, self._rows = connection, iter(())
        self.description: Any = None
        self.rowcount = -1

    def execute(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> Cursor:
        raw = self.connection.raw
        before, self.description = raw.total_changes(), None
        found = raw.cursor()
        found.exec_trace = self._look
        self._rows = iter(list(found.execute(sql, values or None)))
        self.rowcount = raw.total_changes() - before if not self.description else -1
        self.lastrowid = raw.last_insert_rowid()
        return self

    def _look(self, cursor: apsw.Cursor, _sql: str, _bindings: Any) -> bool:
        """The driver says the columns only before the first step."""
        self.description = tuple((d[0], *([None] * 6)) for d in cursor.get_description()) or None
        return True

    def executemany(self, sql: str, rows: Iterable[Any]) -> Cursor:
        before = self.connection.raw.total_changes()
        self.connection.raw.cursor().executemany(sql, rows)
        self.rowcount, self.description, self._rows = self.connection.raw.total_changes() - before, None, iter(())
        return self

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchmany(self, size: int = 1) -> list[Any]:
        return [row for _, row in zip(range(size), self._rows, strict=False)]

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def close(self) -> None:
        """Nothing is kept open."""


class Connection:
    isolation_level: Any = None

    def __init__(self, path: Path, vfs: str) -> None:
        self.raw = apsw.Connection(str(path), vfs=vfs)

    @property
    def total_changes(self) -> int:
        return self.raw.total_changes()

    def cursor(self) -> Cursor:
        return Cursor(self)

    def execute(self, sql: str, values: Any = ()) -> Cursor:
        return Cursor(self).execute(sql, values)

    def create_function(self, *_args: Any, **_options: Any) -> None:
        """The store asks for none."""

    def commit(self) -> None:
        if self.raw.in_transaction:
            self.raw.cursor().execute("COMMIT")

    def rollback(self) -> None:
        if self.raw.in_transaction:
            self.raw.cursor().execute("ROLLBACK")

    def close(self) -> None:
        self.raw.close()


_errors = {
    "Error": apsw.Error, "DatabaseError": apsw.Error, "IntegrityError": apsw.ConstraintError, "OperationalError": apsw.SQLError,
    "ProgrammingError": apsw.MisuseError, "InterfaceError": apsw.BindingsError, "DataError": apsw.MismatchError,
    "InternalError": apsw.InternalError, "NotSupportedError": apsw.NotFoundError, "Warning": Warning,
}  # fmt: skip
MODULE = SimpleNamespace(paramstyle="qmark", sqlite_version_info=tuple(map(int, apsw.sqlite_lib_version().split("."))),
                         sqlite_version=apsw.sqlite_lib_version(), Binary=bytes, PARSE_DECLTYPES=1, PARSE_COLNAMES=2, **_errors)  # fmt: skip


class PowerStore(Store):
    """A store on such a disk. Each transaction counts itself, and says so once it has returned."""

    disk: Disk

    @contextmanager
    def write(self, *, wait: float | None = None) -> Iterator[sa.Connection]:
        with super().write(wait=wait) as connection:
            number = len(self.disk.kept) + 1
            connection.exec_driver_sql("INSERT INTO setting (key, value) VALUES ('power', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                                       (str(number),))  # fmt: skip
            yield connection
        self.disk.returned(f"transaction {number}")


def a_store(path: Path, disk: Disk) -> PowerStore:
    """The store at `path`, on a disk that will lose its power. One connection reads and writes."""
    vfs = PowerVFS(f"power-{id(disk)}", disk)
    engine = sa.create_engine(
        "sqlite+pysqlite://", module=MODULE, creator=lambda: Connection(path, vfs.name), poolclass=StaticPool
    )
    stores._configure(engine, begin="BEGIN", query_only=False)
    store = PowerStore(path, engine, engine)
    store.disk, store.vfs = disk, vfs  # type: ignore[attr-defined]
    return store
