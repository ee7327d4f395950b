"""Generated bases kept in a folder (`--keep FOLDER`): what took a minute to make is copied the next time.

A copy is taken only where everything that made it is the same: this package's makers, the project's files, the version of the tables
and what was filled in before.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from omnicli.store.connection import Store

F = TypeVar("F", bound=Callable[..., None])
#: The folder, for the processes that a benchmark starts too.
VARIABLE = "OMNI_BENCH_KEEP"
HERE = Path(__file__).parent
#: What each open store went through so far.
_history: dict[Path, str] = {}


def kept(fill: F) -> F:
    """`fill`, or the copy of the store as it was after it had been filled so before."""

    @functools.wraps(fill)
    def filled(store: Store, *args: Any, **named: Any) -> None:
        folder = os.environ.get(VARIABLE)
        if not folder or store.path is None or store.dialect != "sqlite" or store.live:
            fill(store, *args, **named)
            return
        copy = Path(folder) / f"{fill.__name__}-{_name(store, fill.__name__, *args, *named.items())}.db"
        if copy.exists():
            _copy(copy, store)
            return
        fill(store, *args, **named)
        copy.parent.mkdir(parents=True, exist_ok=True)
        _keep(store, copy)

    return cast("F", filled)


def _name(store: Store, *happened: Any) -> str:
    """A hash of everything that this state follows from."""
    from omnicli.store import migrations

    assert store.path is not None
    root = store.path.parent.parent
    known = _history.get(store.path) or "\n".join(
        [migrations.HEAD, *(path.read_text("utf-8") for path in (HERE / "base.py", HERE / "ground.py", root / "omni.yaml")),
         *(path.read_text("utf-8") for path in sorted((root / "campaigns").glob("*.yaml")))]
    )  # fmt: skip
    _history[store.path] = hashlib.sha256(f"{known}\n{happened!r}".encode()).hexdigest()[:16]
    return _history[store.path]


def _copy(copy: Path, store: Store) -> None:
    with closing(sqlite3.connect(copy)) as source, store.writer.connect() as connection:
        raw: Any = connection.connection.driver_connection
        try:
            source.backup(raw)
        except sqlite3.DatabaseError as error:
            raise SystemExit(f"{copy} is damaged ({error}): delete it, and it is made anew") from None
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _keep(store: Store, copy: Path) -> None:
    """Written beside and renamed: a half copy is never taken for a whole one."""
    aside = copy.with_suffix(".part")
    with closing(sqlite3.connect(aside)) as target, store.writer.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
    aside.replace(copy)
