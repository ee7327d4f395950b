"""A store for a test, of the kind that OMNI_TEST_STORE says: SQLite, or a database of its own on a real PostgreSQL.

On PostgreSQL a database belongs to a folder, so that whoever opens `folder/sandbox.db` twice, or has a command open it, finds the same
one. Each is copied from a template (some 40 ms) and dropped when the test ends; what a fixture of more than one test made lives on.
"""

from __future__ import annotations

import itertools
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgres_server
import sqlalchemy as sa

from omnicli.model.project import Project
from omnicli.store import preparing
from omnicli.store.connection import Store

KIND = os.environ.get("OMNI_TEST_STORE", "sqlite")
assert KIND in ("sqlite", "postgresql"), KIND
POSTGRESQL = KIND == "postgresql"

_count = itertools.count(1)
_databases: dict[Path, str] = {}  # whose folder is which database
_spare: str | None = None  # a database that a command of this test may have opened before anybody else did
_templates: dict[str, str] = {}
_empty: dict[str, bytes] = {}  # the same for SQLite: files of prepared stores
_made: list[str] = []  # in this test
_opened: list[Store] = []
_longer: list[Store] = []  # by fixtures of more than one test
_at_home = False  # whether this is pytest's process, not one that a test started: that is told its database
_lasting = 0  # > 0 while a fixture of more than one test is set up


def open_store(folder: Path, name: str = "sandbox.db", *, live: bool | None = None) -> Store:
    """The store of that name in the folder, which may be empty yet."""
    if not POSTGRESQL:
        return Store.sqlite(folder / name, live=live)
    live = name == "live.db" if live is None else live
    schema = "omni_live" if live else "omni_sandbox"
    return Store.postgresql(url_of(folder), schema=schema, live=live, beside=folder / name)


def prepared_store(folder: Path, project: Project, name: str = "sandbox.db") -> Store:
    """A sandbox store with the tables and columns of this project, made once and then copied."""
    known = preparing.shape(project)
    if not POSTGRESQL:
        path = folder / name
        if known not in _empty:
            made = Store.sqlite(path)
            preparing.prepare(made, project)
            made.close()
            _empty[known] = path.read_bytes()
        _write(path, _empty[known])
        return Store.sqlite(path)
    if folder in _databases or _spare is not None:
        store = open_store(folder, name)
        preparing.prepare(store, project)
        return store
    if known not in _templates:
        _templates[known] = _template(project)
    _databases[folder] = _new(_templates[known])
    return open_store(folder, name)


def memory_store(folder: Path, project: Project) -> Store:
    """The same in memory, where the kind has such stores."""
    if POSTGRESQL:
        return prepared_store(folder, project)
    known = "in memory " + preparing.shape(project)
    if known not in _empty:
        made = Store.memory()
        preparing.prepare(made, project)
        _empty[known] = _bytes(made)
        made.close()
    return _memory(_empty[known])


@dataclass(frozen=True)
class Kept:
    """A store as it stood, to begin from again."""

    file: bytes = b""
    template: str = ""


def keep(store: Store) -> Kept:
    """Close the store and keep what is in it."""
    if not POSTGRESQL:
        held = _bytes(store) if store.path is None else b""
        store.close()
        return Kept(held or store.path.read_bytes())  # type: ignore[union-attr]
    source = store.url.rpartition("/")[2]  # type: ignore[attr-defined]
    store.close()
    name = f"{_prefix()}_kept_{next(_count)}"
    postgres_server.command(f"CREATE DATABASE {name} TEMPLATE {source}")
    _templates[name] = name
    return Kept(template=name)


def again(kept: Kept, folder: Path | None, name: str = "sandbox.db") -> Store:
    """A store in that folder (None: in memory, or beside no file) that begins as the kept one stood."""
    if kept.template and folder is None:
        return Store.postgresql(postgres_server.address(_new(kept.template)), schema="omni_sandbox")
    if kept.template:
        _databases[folder] = _new(kept.template)
        return open_store(folder, name)
    if folder is None:
        return _memory(kept.file)
    _write(folder / name, kept.file)
    return Store.sqlite(folder / name)


def dump(store: Store) -> list[str]:
    """Every row of every table, as text, in an order of its own."""
    lines: list[str] = []
    with store.read() as connection:
        for name in sorted(sa.inspect(connection).get_table_names()):
            quoted = connection.dialect.identifier_preparer.quote(name)
            lines += sorted(f"{name} {tuple(row)}" for row in connection.exec_driver_sql(f"SELECT * FROM {quoted}"))
    return lines


def said(sql: str) -> str:
    """A statement of a test as this kind of store says it: `hex(column)`, `x'00'` and the marks of the driver."""
    if not POSTGRESQL:
        return sql
    sql = re.sub(r"\bhex\(([\w.]+)\)", r"upper(encode(\1, 'hex'))", sql)
    return re.sub(r"\bx'([0-9a-f]*)'", r"decode('\1', 'hex')", sql).replace("?", "%s")


def engine_of_its_own() -> sa.Engine:
    """A database with nothing in it that lives until the session ends; in SQLite one in memory."""
    if not POSTGRESQL:
        return sa.create_engine("sqlite+pysqlite://", poolclass=sa.StaticPool)
    name = f"{_prefix()}_{next(_count)}"
    postgres_server.command(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'")
    _templates[name] = name
    return sa.create_engine(postgres_server.address(name).replace("postgresql:", "postgresql+psycopg:"))


def url_of(folder: Path) -> str:
    """The address of the folder's database, which is made where it has none; commands find it in OMNI_DATABASE."""
    global _spare
    if not _at_home:
        return os.environ["OMNI_DATABASE"]
    if folder not in _databases:
        _databases[folder], _spare = _spare or _new(_bare()), None
    return postgres_server.address(_databases[folder])


def address_in(folder: Path) -> dict[str, str]:
    """What a process of its own needs in its environment to find the folder's database."""
    return {"OMNI_TEST_STORE": KIND, "OMNI_DATABASE": url_of(folder)} if POSTGRESQL else {}


def for_commands() -> str:
    """A database for the commands of this test, whatever folder they are given; the first builder that asks takes it over."""
    global _spare
    _spare = _new(_bare())
    return postgres_server.address(_spare)


def blank_store(folder: Path, name: str = "sandbox.db") -> Store:
    """A store in which nothing stands yet, no table either."""
    if POSTGRESQL:
        _databases[folder] = _new("template0")
    return open_store(folder, name)


# --- PostgreSQL -----------------------------------------------------------------------------------------------------
def _prefix() -> str:
    return f"omni_t{os.getpid()}"


def _new(template: str) -> str:
    name = f"{_prefix()}_{next(_count)}"
    postgres_server.command(f"CREATE DATABASE {name} TEMPLATE {template}")
    os.environ["OMNI_DATABASE"] = postgres_server.address(name)
    if not _lasting:
        _made.append(name)
    return name


def _bare() -> str:
    """The template with the tables of the sandbox and nobody's columns."""
    if "" not in _templates:
        name = f"{_prefix()}_bare"
        postgres_server.command(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'")
        store = Store.postgresql(postgres_server.address(name), schema="omni_sandbox")
        preparing._migrate(store)
        store.close()
        _templates[""] = name
    return _templates[""]


def _template(project: Project) -> str:
    name = f"{_prefix()}_of_{next(_count)}"
    postgres_server.command(f"CREATE DATABASE {name} TEMPLATE {_bare()}")
    store = Store.postgresql(postgres_server.address(name), schema="omni_sandbox")
    preparing.prepare(store, project)
    store.close()
    return name


def _bytes(store: Store) -> bytes:
    with store.writer.connect() as connection:
        found: bytes = connection.connection.driver_connection.serialize()  # type: ignore[union-attr]
        return found


def _write(path: Path, file: bytes) -> None:
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    path.write_bytes(file)


def _memory(file: bytes) -> Store:
    store = Store.memory()
    with store.writer.connect() as connection:
        connection.connection.driver_connection.deserialize(file)  # type: ignore[union-attr]
    return store


# --- what conftest.py calls -------------------------------------------------------------------------------------------
def watch() -> None:
    """Whoever opens a store on PostgreSQL in this process: it is closed when the test ends."""
    global _at_home
    from omnicli.store.postgres import PostgresStore

    _at_home = True
    os.environ.pop("OMNI_DATABASE", None)
    opening = PostgresStore.__init__

    def opened(self: PostgresStore, *given: Any, **named: Any) -> None:
        opening(self, *given, **named)
        (_longer if _lasting else _opened).append(self)

    PostgresStore.__init__ = opened  # type: ignore[method-assign]


def lasting(step: int) -> None:
    """A fixture of more than one test begins (1) or has been set up (-1)."""
    global _lasting
    _lasting += step


def sweep() -> None:
    """The test is over: its stores are closed and its databases dropped."""
    global _spare
    for store in (*_opened, *_longer):  # those of a longer fixture connect anew when they are asked again
        store.close()
    _opened.clear()
    for name in _made:
        postgres_server.command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    gone = set(_made)
    _made.clear()
    for folder in [folder for folder, name in _databases.items() if name in gone]:
        del _databases[folder]
    _spare = None
    os.environ.pop("OMNI_DATABASE", None)


def end() -> None:
    """The session is over."""
    if not POSTGRESQL:
        return
    sweep()
    for name in {*_templates.values(), *_databases.values()}:
        postgres_server.command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    postgres_server.stop()
