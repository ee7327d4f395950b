"""The same campaign at a hundredth, a tenth and all of N contacts with five events each; on SQLite with 1 and 2 processes, on PostgreSQL
with 1, 2 and 4 workers: µs a touch, memory, bytes, commits a second, and what the machine gives at most.

Each cell is a process of its own (its workers are others), so that no memory is counted twice. `--contacts 1000000` takes about half an
hour; with `--keep FOLDER` a run that was cut off goes on behind the last cell that it had measured. Without a server the cells of
PostgreSQL are left out, and said to be; so are those that OMNI_BENCH_MINUTES leaves no time to begin.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks import limits, scale
from benchmarks.base import fill_events, stand
from benchmarks.ground import project
from benchmarks.growth_cell import BASE
from benchmarks.keeping import VARIABLE

GOAL = "µs a touch at N ≤ 1.3 × at N/10; ≤ 250 MB in the main process, ≤ 120 MB in each rendering process, not growing with N"
MINUTES = "OMNI_BENCH_MINUTES"
CELLS = (("sqlite", 1), ("sqlite", 2), ("postgresql", 1), ("postgresql", 2), ("postgresql", 4))
#: Below this many contacts a cell measures the start of processes, not their work; below SMALL it is a look whether all of it goes.
FEWEST, SMALL = 200, 10_000


def measure(contacts: int) -> dict[str, Any]:
    """`ratio` is µs a touch at N by that at N/10 (SQLite, one process); `cells` has every size, store and number of workers."""
    missing, end = scale._missing(), time.monotonic() + 60 * float(os.environ.get(MINUTES, "inf"))
    stores = [(store, n) for store, n in CELLS if store == "sqlite" or not (missing or (contacts < SMALL and n != 2))]
    sizes = sorted({max(FEWEST, contacts // part) for part in (100, 10, 1)})
    if len(sizes) == 1:
        sizes = [FEWEST // 2, *sizes]
    with nullcontext("") if missing else scale.server() as url:
        cells: list[dict[str, Any]] = []
        for size in sizes:
            with _base(size, stores, url):
                cells += _cells(size, stores, url, end)
        bare = {f"postgresql_commits_a_second_{n}": limits.postgresql(url, n) for n in (1, 4)} if url else {}
        version = {"postgresql": scale._version(url)} if url else {}
    most, tenth = (_cell(cells, size, 1) for size in (sizes[-1], sizes[-2]))
    two, two_tenth = (_cell(cells, size, 2) for size in (sizes[-1], sizes[-2]))
    return {
        "goal": GOAL, "contacts": contacts, "events": contacts * 5, "ratio": _by(most["us_a_touch"], tenth["us_a_touch"]),
        "cpu_ratio": _by(most["cpu_us"], tenth["cpu_us"]), "growth": _by(most["us_a_touch"], tenth["us_a_touch"]), "us_a_touch": most["us_a_touch"],
        "tenth_us": tenth["us_a_touch"], "main_mb": max(most["mb"], two["mb"]), "main_growth": _by(most["mb"], tenth["mb"]),
        **({"child_mb": two["child_mb"], "child_growth": _by(two["child_mb"], two_tenth["child_mb"])} if two["child_mb"] and two_tenth["child_mb"] else {}),
        "cells": cells, "limits": limits.disk() | bare, **version, **({"left_out": left_out} if (left_out := _left_out(cells, sizes, stores, missing)) else {}),
    }  # fmt: skip


def _left_out(cells: list[dict[str, Any]], sizes: list[int], stores: list[tuple[str, int]], missing: str) -> str:
    """What was not measured, and why."""
    measured = {(one["contacts"], one["store"], one["workers"]) for one in cells}
    late = [f"{kind} with {n} at {size}" for size in sizes for kind, n in stores if (size, kind, n) not in measured]
    return "; ".join([*([f"PostgreSQL: missing {missing}"] if missing else []), *(f"no time for {one}" for one in late)])


@contextmanager
def _base(contacts: int, stores: list[tuple[str, int]], url: str) -> Iterator[None]:
    """The people of this size in a database of their own, of which each cell on PostgreSQL that was not measured yet takes a copy."""
    kept = [_kept(kind, contacts, workers) for kind, workers in stores if kind == "postgresql"]
    if all(path is not None and path.exists() for path in kept):
        yield
        return
    with project() as root, scale.database(url, BASE) as own:
        with scale.opened(root, own) as (store, loaded):
            stand(store, loaded, contacts, due=10, step="j0")
            fill_events(store, contacts, 5)
        scale.vacuum(own)
        yield


def _cells(contacts: int, stores: list[tuple[str, int]], url: str, end: float) -> Iterator[dict[str, Any]]:
    for store, workers in stores:
        kept = _kept(store, contacts, workers)
        if kept is not None and kept.exists():
            yield json.loads(kept.read_text())
            continue
        if store != "sqlite" and time.monotonic() > end:
            continue
        command = [sys.executable, "-m", "benchmarks.growth_cell", store, str(contacts), str(workers), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{store}, {contacts} contacts, {workers}: {done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"  growth: {found}", file=sys.stderr)
        if kept is not None:
            kept.write_text(json.dumps(found))
        yield found


def _kept(store: str, contacts: int, workers: int) -> Path | None:
    """Where `--keep` has the figures of a cell: half an hour that was cut off goes on where it was."""
    folder = os.environ.get(VARIABLE)
    return None if not folder else Path(folder) / f"growth-{store}-{contacts}-{workers}.json"


def _cell(cells: list[dict[str, Any]], contacts: int, processes: int) -> dict[str, Any]:
    return next(one for one in cells if (one["store"], one["contacts"], one["workers"]) == ("sqlite", contacts, processes))


def _by(one: float, other: float) -> float:
    return round(one / other, 2) if other else 0.0
