"""A store in a schema of a PostgreSQL database: many writers at once, READ COMMITTED, with unique keys and row locks as the guard (docs/delivery 8).

Nothing here takes turns: what SQLite gets by being serial, the statements get by locking rows. A commit that returned is on disk.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store import leases
from omnicli.store.connection import Store
from omnicli.texts import t

#: What a schema of ours may be called: it stands in statements as it is.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
#: Connections kept open a process, and how many more may be had for a moment.
KEPT, MORE = 4, 28


class PostgresStore(Store):
    """`read()` sees one snapshot and cannot write; `write()` is one READ COMMITTED transaction, any number at once."""

    def __init__(self, url: str, *, schema: str, live: bool, beside: Path | None) -> None:
        if not _NAME.fullmatch(schema):
            raise ValueError(schema)
        address = address_of(url)
        self.url, self.schema = url, schema
        super().__init__(None, _engine(address, schema), _engine(address, schema, reads=True), live=live, beside=beside)
        self._writing = threading.local()

    @property
    def in_memory(self) -> bool:
        return False

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        self._after_fork()
        with self.reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, wait: float | None = None) -> Iterator[sa.Connection]:
        """`wait`: seconds for any one row lock; without it as long as it takes."""
        if getattr(self._writing, "now", False):
            raise RuntimeError("a write inside a write")
        self._after_fork()
        self._writing.now = True
        try:
            with self.writer.begin() as connection:
                if wait is not None:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(wait * 1000))}")
                if self.lease is not None:
                    leases.hold(connection, self.lease)
                yield connection
        except sa.exc.OperationalError as error:
            if wait is not None and type(error.orig).__name__ == "LockNotAvailable":
                raise OmniError(t("the store is busy", "la base est occupée"), hint=t("another omni is writing; try again", "un autre omni écrit ; réessayez"),
                                code="busy", exit=Exit.LOCKED) from None  # fmt: skip
            raise
        finally:
            self._writing.now = False

    @contextmanager
    def rebuild(self) -> Iterator[sa.Connection]:
        """A write transaction for migrations, alone: a second one waits, then finds the tables made. The schema is made where it is not there."""
        with self.write() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"omni {self.schema}",))
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
            yield connection

    def there(self) -> bool:
        return True


def address_of(url: str) -> sa.URL:
    """The address for psycopg 3; OmniError (exit 2) when it is none, (exit 4) when the extra is not installed."""
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise OmniError(t("this is no address of a database", "ce n'est pas une adresse de base de données"),
                        hint="postgresql://USER@HOST/DATABASE", code="database") from None  # fmt: skip
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise OmniError(t("a store on PostgreSQL needs psycopg", "une base sur PostgreSQL demande psycopg"),
                        hint="pip install 'omni-campaigns[postgres]'", code="extra", exit=Exit.REFUSED) from None  # fmt: skip
    return address.set(drivername="postgresql+psycopg")


def _engine(address: sa.URL, schema: str, *, reads: bool = False) -> sa.Engine:
    more: dict[str, Any] = {"isolation_level": "REPEATABLE READ" if reads else "READ COMMITTED"}
    engine = sa.create_engine(address, pool_size=KEPT, max_overflow=MORE, pool_use_lifo=True, **more,
                              connect_args={"application_name": f"omni {os.getpid()}"})  # fmt: skip

    @sa.event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.autocommit = True
        raw.execute(f"SET search_path TO {schema}")
        raw.execute("SET synchronous_commit TO on")
        raw.execute("SET timezone TO 'UTC'")
        raw.execute("SET jit TO off")  # its compiling costs more than any statement of ours
        raw.autocommit = False
        raw.read_only = reads

    return engine
