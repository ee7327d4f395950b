"""The k-th thing that is said to PostgreSQL finds its connection cut: before a statement, before a commit, or after a commit and before its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import postgres_server
import sqlalchemy as sa

from omnicli.store.connection import Store


def missing_server() -> str | None:
    """Why there can be no PostgreSQL here, or None."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "no PostgreSQL here: psycopg (omni-campaigns[postgres]) is not installed"
    return postgres_server.missing()


def cut(raw: Any) -> None:
    """The server ends this connection; what it says next fails as it would with the server gone."""
    postgres_server.command(f"SELECT pg_terminate_backend({raw.info.backend_pid}, 5000)")


@dataclass
class Said:
    """How many statements, and how many commits, were said while one listened; `done`: cuts made."""

    statements: int = 0
    commits: int = 0
    done: int = 0


Fails = Callable[[int], bool]


def _never(_n: int) -> bool:
    return False


@contextmanager
def cutting(store: Store, *, statement: Fails = _never, commit: Fails = _never, answer: Fails = _never) -> Iterator[Said]:
    """Cuts at the statements (of readers and writers) and commits whose numbers say so. `answer`: the commit is done, and nobody hears of it."""
    said = Said()

    def execute(cursor: Any, *_: Any) -> None:
        said.statements += 1
        if statement(said.statements):
            said.done += 1
            cut(cursor.connection)

    dialect = store.writer.dialect
    commits = dialect.do_commit

    def do_commit(raw: Any) -> None:
        said.commits += 1
        lost = answer(said.commits)
        if commit(said.commits):
            said.done += 1
            cut(raw.driver_connection)
        commits(raw)
        if lost:
            said.done += 1
            cut(raw.driver_connection)
            raw.driver_connection.execute("SELECT 1")  # fails as the commit's answer would have

    events = [(engine, name) for engine in (store.writer, store.reader) for name in ("do_execute", "do_executemany")]
    for engine, name in events:
        sa.event.listen(engine, name, execute)
    dialect.do_commit = do_commit  # type: ignore[method-assign]
    try:
        yield said
    finally:
        del dialect.do_commit  # type: ignore[attr-defined]
        for engine, name in events:
            sa.event.remove(engine, name, execute)
