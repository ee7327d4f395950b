"""A live house whose store is a database of its own on a real PostgreSQL, copied for each trial, and the workers that share it."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgres_server
from houses_live import LATER, House, ahead_of_now, build
from processes import Ended
from trials import Rig

_count = itertools.count(1)


def new_database(template: str = "template0") -> str:
    """A database with the collation C, or a copy of one; its name."""
    name = f"omni_r{os.getpid()}_{next(_count)}"
    like = f"TEMPLATE {template}" + (" LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'" if template == "template0" else "")
    postgres_server.command(f"CREATE DATABASE {name} {like}")
    return name


def drop_database(name: str) -> None:
    postgres_server.command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def rows_of(address: str, query: str, *values: Any, schema: str = "omni_live") -> list[tuple[Any, ...]]:
    """What the store says; read by a connection of the test's own, with the one function that its queries take from SQLite."""
    import psycopg

    with psycopg.connect(address, options=f"-c search_path={schema}") as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION pg_temp.hex(bytea) RETURNS text LANGUAGE sql AS $$ SELECT encode($1, 'hex') $$"
        )
        found = connection.execute(query.replace("hex(", "pg_temp.hex(").replace("%", "%%").replace("?", "%s"), values)  # type: ignore[call-overload]
        return list(found.fetchall()) if found.description else []


@dataclass
class SharedHouse(House):
    """A house whose processes find their store by OMNI_DATABASE."""

    database: str = ""

    @property
    def where(self) -> str:
        return postgres_server.address(self.database)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return rows_of(self.where, query, *values)

    def copy(self, folder: Path, env: Mapping[str, str]) -> SharedHouse:
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("said-*"))
        database = new_database(self.database)
        rows_of(
            postgres_server.address(database), "DELETE FROM setting WHERE key = 'stands'"
        )  # a copy would be held, as a restored one is
        return SharedHouse(
            folder, self.omni, {**self.env, **env, "OMNI_DATABASE": postgres_server.address(database)}, database=database
        )

    def let_leases_end(self) -> None:
        """As if two leases had passed: they end by the database's own clock, which nobody moves."""
        import psycopg

        with psycopg.connect(self.where, options="-c search_path=omni_live") as connection:
            connection.execute("UPDATE touch SET lease_until = 1 WHERE lease_by IS NOT NULL")
            connection.execute("UPDATE leader SET until = 1")

    def worker(self, *words: str, later: float = 0.0, **asked: Any) -> tuple[int, Path]:
        """`omni worker`, left running."""
        return self.start("worker", "--every", "1s", *words, later=later, **asked)

    def drop(self) -> None:
        drop_database(self.database)


class SharedRig(Rig):
    """The rig, with a database for each house."""

    def house(self, provider: str, people: int) -> SharedHouse:
        if (provider, people) not in self._houses:
            database = new_database()
            env = {**self.env, "OMNI_DATABASE": postgres_server.address(database)}
            house = build(self.folder / f"shared-{provider}-{people}", self.omni, provider=provider, people=people, env=env)
            self._houses[provider, people] = SharedHouse(house.folder, house.omni, house.env, house.runs, database)
        self.fakes[provider].clear()
        LATER[0] = 0.0
        if provider != "smtp":
            self.fakes[provider].messages.clear()
        self._copies += 1
        found = self._houses[provider, people]
        assert isinstance(found, SharedHouse)
        copied = found.copy(self.folder / f"shared-trial-{self._copies}", self.env)
        self.copies.append(copied)
        return copied

    @property
    def copies(self) -> list[SharedHouse]:
        return vars(self).setdefault("_made", [])  # type: ignore[no-any-return]

    def sweep(self) -> None:
        """Drop the databases of the trials that are over."""
        while self.copies:
            self.copies.pop().drop()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.sweep()
        for house in self._houses.values():
            house.drop()  # type: ignore[attr-defined]
        if postgres_server._admin is not None:
            postgres_server._admin.close()


@contextmanager
def at_work(house: SharedHouse, count: int, *words: str) -> Iterator[list[Ended]]:
    """So many workers on one house, told to leave at the end; how they ended stands in the list by then."""
    import signal

    crew, ended = [house.worker(*words) for _ in range(count)], list[Ended]()
    try:
        yield ended
    finally:
        for pid, _ in crew:
            house.omni.signal(pid, signal.SIGTERM)
        ended += [house.omni.wait(pid, out, seconds=30) for pid, out in crew]


__all__: Sequence[str] = ("SharedHouse", "SharedRig", "ahead_of_now", "at_work", "drop_database", "new_database", "rows_of")
