"""One cell of `growth`: `python -m benchmarks.growth_cell STORE CONTACTS WORKERS URL` decides, dispatches, and prints JSON.

On SQLite WORKERS are the processes that render; on PostgreSQL they are processes that decide and dispatch side by side.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import scale
from benchmarks.base import NOW, fill_events, stand
from benchmarks.ground import Helpers, Watch, fresh_peak, peak_mb, project

#: The database on PostgreSQL in which the people stand.
BASE = "omni_bench_growth_base"
#: What the goal of 400 bytes counts: a touch, its attempt and what is archived of it, with their indexes.
COUNTED = ("touch", "attempt", "rendering", "skeleton", "handover")


def sqlite(contacts: int, processes: int) -> dict[str, Any]:
    from omnicli.app import database, open_project, open_store

    with project() as root:
        loaded = open_project(root)
        store = open_store(loaded, live=False)
        stand(store, loaded, contacts, due=10, step="j0")
        fill_events(store, contacts, 5)
        commits = _commits_of(store)
        fresh_peak()
        with Helpers() as helpers, Watch() as watch:
            accepted, deciding = _work(root, store, loaded, processes)
        found = _figures(watch, accepted, deciding, commits()) | {
            "mb": peak_mb(),
            "child_mb": helpers.peak_mb,
        }
        path = database(loaded, live=False)
        sizes = _pages(path)
        store.close()
        return found | _bytes(sizes, accepted) | {"store_mb": round(path.stat().st_size / 1e6)}  # fmt: skip


def _work(root: Path, store: Any, loaded: Any, processes: int) -> tuple[int, float]:
    """Decide, then dispatch: touches accepted, seconds of deciding."""
    from omnicli.campaigns.dispatch import dispatch
    from omnicli.campaigns.turn import turn
    from omnicli.providers import build, close
    from omnicli.render.renderer import Renderer

    with Watch() as deciding:
        renderer = Renderer(root, loaded.project)
        turn(store, loaded, now=NOW, usable=renderer.usable)
    providers = build(loaded, live=False)
    report = dispatch(store, loaded, renderer, providers, now=NOW, processes=processes)
    close(providers)
    return report.accepted, deciding.seconds


def postgresql(contacts: int, workers: int, url: str) -> dict[str, Any]:
    """Processes side by side, each decides what nobody else has and dispatches what nobody else claimed, in a copy of the base (growth)."""
    with project() as root, scale.database(url, "omni_bench_growth", BASE) as own:
        before = _transactions(own)
        command = [sys.executable, "-m", "benchmarks.growth_worker", str(root)]
        environment = {**os.environ, "OMNI_DATABASE": own}
        found, watch = scale.race(command, environment, workers)
        accepted = sum(one["accepted"] for one in found)
        watch.cpu = sum(one["cpu"] for one in found)
        sizes, whole = _relations(own)
        done = _figures(watch, accepted, max(one["deciding"] for one in found), _transactions(own) - before)
        return done | _bytes(sizes, accepted) | {"mb": max(one["mb"] for one in found), "child_mb": 0, "store_mb": round(whole / 1e6),
                                                 "shares": sorted(one["accepted"] for one in found)}  # fmt: skip


# --- figures --------------------------------------------------------------------------------------------------------------
def _figures(watch: Watch, accepted: int, deciding: float, commits: int) -> dict[str, Any]:
    touches = max(1, accepted)
    return {
        "accepted": accepted, "seconds": round(watch.seconds, 2), "us_a_touch": round(watch.seconds / touches * 1e6, 1),
        "cpu_us": round(watch.cpu / touches * 1e6, 1), "deciding_us": round(deciding / touches * 1e6, 1),
        "touches_a_second": round(accepted / watch.seconds), "commits": commits, "commits_a_second": round(commits / watch.seconds, 1),
    }  # fmt: skip


def _bytes(sizes: dict[str, int], accepted: int) -> dict[str, Any]:
    touches = max(1, accepted)
    return {
        "bytes_a_touch": round(sum(sizes.get(name, 0) for name in COUNTED) / touches),
        "bytes_with_ledger": round(sum(sizes.values()) / touches),
    }


def _commits_of(store: Any) -> Any:
    """How many write transactions the store has committed since."""
    import sqlalchemy as sa

    count = [0]
    sa.event.listen(store.writer, "commit", lambda _connection: count.__setitem__(0, count[0] + 1))
    return lambda: count[0]


def _pages(path: Path) -> dict[str, int]:
    from benchmarks.e2e import _tables

    return _tables(path)


def _relations(url: str) -> tuple[dict[str, int], int]:
    """Bytes of the tables that a touch writes, with their indexes; bytes of the whole database."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'omni_sandbox' "
            "AND relname IN ('touch','attempt','rendering','skeleton','handover','cap_slot','decision')"
        ).fetchall()
        whole = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return {str(name): int(size) for name, size in rows}, int(whole[0]) if whole else 0


def _transactions(url: str) -> int:
    """Transactions that wrote something, so far: each takes a number of its own."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    store, contacts, workers, url = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    found = sqlite(contacts, workers) if store == "sqlite" else postgresql(contacts, workers, url)
    print(json.dumps({"store": store, "contacts": contacts, "workers": workers, **found}))


if __name__ == "__main__":
    main()
