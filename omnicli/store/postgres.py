"""A store in a schema of a PostgreSQL database: many writers at once, READ COMMITTED, with unique keys and row locks as the guard (docs/delivery 8).

Nothing here takes turns: what SQLite gets by being serial, the statements get by locking rows. A commit that returned is on disk.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store import arrays, leases
from omnicli.store.connection import Store
from omnicli.texts import t

#: What a schema of ours may be called: it stands in statements as it is.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
#: Connections kept open a process, and how many more may be had for a moment.
KEPT, MORE = 4, 28
#: Seconds until a server that does not answer is called away.
PATIENCE = 10


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
            if not connection.exec_driver_sql("SELECT to_regnamespace(%s) IS NOT NULL", (self.schema,)).scalar_one():
                # IF NOT EXISTS asks for the right to make one even where it is there
                connection.exec_driver_sql(f"CREATE SCHEMA {self.schema}")
            yield connection

    def there(self) -> bool:
        return True

    @property
    def where(self) -> str:
        """Host, database and schema, for people: never the password."""
        return said_of(self.url, self.schema)


def address_of(url: str) -> sa.URL:
    """The address for psycopg 3; OmniError (exit 2) when it is none, (exit 4) when the extra is not installed."""
    address = read_address(url)
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise OmniError(t("a store on PostgreSQL needs psycopg", "une base sur PostgreSQL demande psycopg"),
                        hint="pip install 'omni-campaigns[postgres]'", code="extra", exit=Exit.REFUSED) from None  # fmt: skip
    return address.set(drivername="postgresql+psycopg")


def read_address(url: str) -> sa.URL:
    """The address in its parts; OmniError (exit 2) when it is none. What it holds is never repeated: it may be a password."""
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        address = None
    if address is None or "@" in f"{address.host or ''}{address.database or ''}":
        raise OmniError(
            t("this is no address of a database", "ce n'est pas une adresse de base de données"),
            hint=t("postgresql://USER@HOST/DATABASE; in a password @ / : # are written %40 %2F %3A %23",
                   "postgresql://ROLE@HOTE/BASE ; dans un mot de passe, @ / : # s'écrivent %40 %2F %3A %23"), code="database",
        )  # fmt: skip
    return address


def said_of(url: str, schema: str) -> str:
    """`host:port/database (schema)`, for people."""
    address = read_address(url)
    host = address.host or str(address.query.get("host", "")) or os.environ.get("PGHOST") or "localhost"
    port = f":{address.port}" if address.port else ""
    return f"{host}{port}/{address.database or ''} ({schema})"


#: What holds in every session of ours: commits wait for the disk, times are UTC, and no compiling, which costs more than any statement of ours.
SETTINGS = {"synchronous_commit": "on", "timezone": "UTC", "jit": "off"}

#: Who stands still inside a write (a suspended machine, SIGSTOP) is taken back after this: its row locks keep others from sending.
ABANDONED = {"idle_in_transaction_session_timeout": "60s"}


def _engine(address: sa.URL, schema: str, *, reads: bool = False) -> sa.Engine:
    """Connections whose settings are said as they are opened: no word more on the line. A pooler that hands a server's session from
    one transaction to the next (PgBouncer's `pool_mode = transaction`) keeps no such settings: behind it they are said in each."""
    engine = sa.create_engine(address, pool_size=KEPT, max_overflow=MORE, pool_use_lifo=True,
                              isolation_level="REPEATABLE READ" if reads else "READ COMMITTED")  # fmt: skip
    settings = {"search_path": schema, **SETTINGS, **({} if reads else ABANDONED)}
    given = " ".join(str(part) for part in [address.query.get("options", "")] if part)
    options = f"{given} {' '.join(f'-c {name}={value}' for name, value in settings.items())}".strip()
    pooled, known = False, False

    @sa.event.listens_for(engine, "do_connect")
    def _open(_dialect: Any, _record: Any, _args: Any, named: dict[str, Any]) -> Any:
        nonlocal pooled
        named = {"connect_timeout": PATIENCE, "application_name": f"omni {os.getpid()}", **named}
        if not pooled:
            try:
                return _fresh(**{**named, "options": options})
            except Exception as error:
                if "unsupported startup parameter" not in str(error):
                    raise
            pooled = True
            _say_each_time(engine, settings)
        return _fresh(**{**named, "options": given or None, "prepare_threshold": None})

    @sa.event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        nonlocal pooled, known
        if not known and not pooled and _forgotten(raw, schema):
            pooled = True
            _say_each_time(engine, settings)
        known = True
        if pooled:
            raw.prepare_threshold = None
        raw.read_only = reads

    return engine


def _fresh(**named: Any) -> Any:
    import psycopg

    given = {name: value for name, value in named.items() if value is not None or name == "prepare_threshold"}
    connection = psycopg.connect(cursor_factory=_watched(), **given)
    arrays.teach(connection)
    return connection


@cache
def _watched() -> Any:
    """A cursor behind whose `executemany` the server watches again how long one stands still (`ABANDONED`). psycopg ends its pipeline
    with Sync and Flush: the Flush takes the server out of its waiting, without anything that would begin it anew. An empty query does."""
    import psycopg

    class Cursor(psycopg.Cursor[Any]):
        def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
            super().executemany(query, params_seq, returning=returning)
            self.connection.execute("")

    return Cursor


def _forgotten(raw: Any, schema: str) -> bool:
    """Whether the settings that were said at the opening do not hold: something between took them away."""
    raw.autocommit = True
    found = raw.execute("SELECT current_setting('search_path')").fetchone()
    raw.autocommit = False
    return bool(found != (schema,))


def _say_each_time(engine: sa.Engine, settings: dict[str, str]) -> None:
    said = "; ".join(
        f"SET LOCAL {name} = '{value}'" if name != "search_path" else f"SET LOCAL search_path TO {value}"
        for name, value in settings.items()
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute(said)  # several at once: SQLAlchemy would ask for one at a time
