"""One store, two engines: a writer that takes turns under an advisory lock, and readers that cannot write.

SQLite: WAL, `synchronous=FULL`, foreign keys on, every write transaction and every checkpoint of every process under an
exclusive `flock` on `<db>.writer` (docs/delivery 8). In memory (tests, simulation) there is one connection and no lock.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, StaticPool

from omnicli import guards
from omnicli.errors import Exit, OmniError
from omnicli.store.quick import Quick
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.leases import Lease

#: The log is taken into the file when it has grown so far, in bytes. SQLite begins it anew after that, and cuts it back to this size:
#: a longer file is one that is full again (https://sqlite.org/pragma.html#pragma_journal_size_limit).
PASSIVE_ABOVE = 16 * 1024 * 1024
TRUNCATE_ABOVE = 64 * 1024 * 1024
#: A run has some hundred statements: more than the driver keeps prepared by itself.
_CONNECT = {"check_same_thread": False, "cached_statements": 1024}


class Store:
    """A store that stands. `read()` and `write()` give connections inside a transaction; a write in a write raises."""

    def __init__(
        self, path: Path | None, writer: sa.Engine, reader: sa.Engine, *, live: bool = False, beside: Path | None = None
    ) -> None:
        self.path = path  # the SQLite file
        self.beside = path if beside is None else beside  # what side files are named after: keys, serial, journal
        self.live = live
        self.rehearsed = False  # a copy that is thrown away
        self.lease: Lease | None = None  # the term under which it is written (store/leases)
        self.writer = writer
        self.reader = reader
        self._thread = threading.Lock()
        self._mine = threading.local()  # this thread's connections to a store in memory
        self._holder: int | None = None
        self._lock_file: int | None = None
        self._process = os.getpid()
        self._file = _file_at(path)

    @classmethod
    def sqlite(cls, path: Path, *, live: bool | None = None) -> Store:
        """Open the file (its folder must exist; the file may not yet, and is made for its owner only). `live` None: it is
        when it is called so."""
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        writer = sa.create_engine(f"sqlite+pysqlite:///{path}", poolclass=QueuePool, pool_size=1, max_overflow=0,
                                  connect_args=_CONNECT)  # fmt: skip
        reader = sa.create_engine(f"sqlite+pysqlite:///{path}", poolclass=QueuePool, pool_size=4,
                                  connect_args=_CONNECT)  # fmt: skip
        _configure(writer, begin="BEGIN IMMEDIATE", query_only=False)
        _configure(reader, begin="BEGIN", query_only=True)
        return cls(path, writer, reader, live=path.stem == "live" if live is None else live)

    @classmethod
    def memory(cls) -> Store:
        """A store in memory: one connection for everything. Nobody else writes into it, so a read needs no transaction to see one state."""
        writer = sa.create_engine("sqlite+pysqlite://", poolclass=StaticPool, connect_args=_CONNECT)
        _configure(writer, begin="BEGIN", query_only=False, wal=False)
        reader = sa.create_engine(
            "sqlite+pysqlite://", poolclass=StaticPool, pool_reset_on_return=None, creator=lambda: _driver(writer)
        )
        return cls(None, writer, reader)

    @classmethod
    def postgresql(cls, url: str, *, schema: str, live: bool = False, beside: Path | None = None) -> Store:
        """A store in that schema of a PostgreSQL database. `beside` names its side files (`.omni/live.db`: `.omni/live.serial` …)."""
        from omnicli.store.postgres import PostgresStore

        return PostgresStore(url, schema=schema, live=live, beside=beside)

    @property
    def dialect(self) -> str:
        return self.writer.dialect.name

    @property
    def in_memory(self) -> bool:
        """Whether nobody else can see this store."""
        return self.path is None

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one snapshot and cannot write."""
        if self.path is None:
            yield self._kept("reader", self.reader)
            return
        with self.reader.connect() as connection:
            yield connection

    def _kept(self, role: str, engine: sa.Engine) -> sa.Connection:
        """The connection of this thread to a store in memory, opened once: there is no other to be had, and opening costs more than asking."""
        found: sa.Connection | None = getattr(self._mine, role, None)
        if found is None or found.closed:
            found = Quick(engine)
            setattr(self._mine, role, found)
        return found

    @contextmanager
    def write(self, *, wait: float | None = None) -> Iterator[sa.Connection]:
        """One write transaction: committed at the end, rolled back on any exception. `wait`: seconds for the lock."""
        with self._turn(wait):
            with self._transaction() as connection:
                yield connection
            self._checkpoint()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        if self.path is not None:
            with self.writer.begin() as connection:
                yield connection
            return
        connection = self._kept("writer", self.writer)
        with connection.begin():
            yield connection

    @contextmanager
    def rebuild(self) -> Iterator[sa.Connection]:
        """A write transaction with foreign keys off, for migrations that rebuild tables; they are checked before it ends."""
        with self._turn(None):
            with self.writer.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.execute("PRAGMA foreign_keys=OFF")  # SQLite ignores it inside a transaction
                try:
                    with connection.begin():
                        yield connection
                        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                            raise OmniError(
                                t("the migration left {n} orphans", "la migration a laissé {n} orphelins", n=len(broken)),
                                code="store",
                            )
                finally:
                    raw.execute("PRAGMA foreign_keys=ON")
            self._checkpoint()

    @contextmanager
    def _turn(self, wait: float | None) -> Iterator[None]:
        """This process's and this thread's turn to write."""
        if self._holder == threading.get_ident():
            raise RuntimeError("a write inside a write")
        self._after_fork()
        with self._thread:
            self._holder = threading.get_ident()
            try:
                with self._file_lock(wait):
                    self._same_file()
                    yield
            finally:
                self._holder = None

    def there(self) -> bool:
        """Whether the file that was opened is the one that stands there now: what is written into another is written nowhere."""
        return self._file is None or _file_at(self.path) == self._file

    def _same_file(self) -> None:
        if not self.there():
            raise OmniError(
                t("the store's file was taken away or replaced while it was open", "le fichier de la base a été retiré ou remplacé pendant qu'elle était ouverte"),
                hint=t("start this command again", "relancez cette commande"), code="replaced", exit=Exit.REFUSED,
            )  # fmt: skip

    def _after_fork(self) -> None:
        """A forked child has its parent's lock and connections: it leaves them alone and opens its own."""
        if os.getpid() == self._process:
            return
        self._process = os.getpid()
        self._thread, self._holder, self._lock_file = threading.Lock(), None, None
        if self.path is None:
            return  # a memory of its own, and nobody else's to leave alone
        self.writer.dispose(close=False)
        self.reader.dispose(close=False)

    @contextmanager
    def _file_lock(self, wait: float | None) -> Iterator[None]:
        if self.path is None or not guards.on("writer_lock"):
            yield
            return
        if self._lock_file is None:
            self._lock_file = os.open(f"{self.path}.writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if wait is None:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        else:
            end = time.monotonic() + wait
            while True:
                try:
                    fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise OmniError(t("the store is busy", "la base est occupée"), hint=t("another omni is writing; try again", "un autre omni écrit ; réessayez"),
                                        code="busy", exit=Exit.LOCKED) from None  # fmt: skip
                    time.sleep(0.005)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _checkpoint(self) -> None:
        if self.path is None:
            return
        try:
            size = os.stat(f"{self.path}-wal").st_size
        except FileNotFoundError:
            return
        if size > PASSIVE_ABOVE:
            with self.writer.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.execute("PRAGMA busy_timeout=0")  # else a TRUNCATE waits for readers while others wait for the lock
                with suppress(Exception):  # a reader may hold the log: the next holder checkpoints
                    raw.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if size > TRUNCATE_ABOVE else 'PASSIVE'})").fetchall()
                raw.execute("PRAGMA busy_timeout=5000")

    def close(self) -> None:
        for connection in vars(self._mine).values():
            connection.close()
        self.writer.dispose()
        self.reader.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _file_at(path: Path | None) -> tuple[int, int] | None:
    """What tells a file from another that was put in its place; None where there is none."""
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None


def _configure(engine: sa.Engine, *, begin: str, query_only: bool, wal: bool = True) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        cursor = raw.cursor()
        if wal and not query_only:
            cursor.execute("PRAGMA journal_mode=WAL")
        full = "FULL" if guards.on("full_sync") else "OFF"
        keys = "ON" if guards.on("foreign_keys") else "OFF"
        for pragma in (f"synchronous={full}", f"foreign_keys={keys}", "wal_autocheckpoint=0", f"journal_size_limit={PASSIVE_ABOVE}",
                       "mmap_size=0", "busy_timeout=5000", "fullfsync=ON", "temp_store=MEMORY", "cache_size=-65536"):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        if query_only:
            cursor.execute("PRAGMA query_only=ON")
        if keys == "ON" and cursor.execute("PRAGMA foreign_keys").fetchone() != (1,):
            raise OmniError(t("this SQLite has no foreign keys", "ce SQLite n'a pas de clés étrangères"), code="store")
        cursor.close()

    if wal:

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

    else:  # in memory: a listener would make every statement look for listeners

        def _begin_raw(raw: Any) -> None:
            raw.execute(begin)

        engine.dialect.do_begin = _begin_raw  # type: ignore[method-assign, assignment]


def _driver(engine: sa.Engine) -> Any:
    """The one connection of the driver below an engine in memory."""
    with engine.connect() as connection:
        return connection.connection.driver_connection
