"""PostgreSQL, dispatch by 1, 2 and 4 processes against a provider that answers after 50 ms, each call one person: how near to linear?

A server of its own on disk (or OMNI_BENCH_POSTGRES), a stand-in of SendGrid in a process of its own, real worker processes. What waits
for the provider can be shared out for ever; what computes, by as many processes as there are processors: so the same is measured with
500 people a call too (`batched_…`), where processors are the limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.base import NOW, stand
from benchmarks.cluster import cluster, programs
from benchmarks.ground import Watch, project
from benchmarks.sink import sink, stats

LATENCY, IN_FLIGHT = 0.05, 4
WORKERS = (1, 2, 4)
GOAL = "2 and 4 workers: ≥ 0.85 of linear"
SERVER = "OMNI_BENCH_POSTGRES"


def measure(contacts: int) -> dict[str, Any]:
    """`share_N`: touches a second of N workers by N times those of one; `ratio` is one worker's time by four times that of four
    (1: linear; larger is worse)."""
    if missing := _missing():
        return {"goal": GOAL, "skipped": f"missing: {missing}"}
    with server() as url:
        version = _version(url)
        single = _round(url, contacts, batch=1)
        batched = _round(url, contacts * 10, batch=500)
    rates = {n: single[n]["a_second"] for n in WORKERS}
    return {
        "goal": GOAL, "contacts": contacts, "ratio": round(4 * rates[1] / rates[4], 3), "latency_ms": LATENCY * 1000, "in_flight": IN_FLIGHT,
        **{f"a_second_{n}": rates[n] for n in WORKERS}, **{f"share_{n}": round(rates[n] / n / rates[1], 3) for n in WORKERS if n > 1},
        **{f"balance_{n}": single[n]["balance"] for n in WORKERS}, "cpu_us_a_touch": single[1]["cpu_us"],
        "batched_contacts": contacts * 10, **{f"batched_a_second_{n}": batched[n]["a_second"] for n in WORKERS},
        **{f"batched_share_{n}": round(batched[n]["a_second"] / n / batched[1]["a_second"], 3) for n in WORKERS if n > 1},
        "batched_cpu_us_a_touch": batched[1]["cpu_us"], "worker_mb": max(found["mb"] for found in batched.values()),
        "doubles": sum(found["doubles"] for found in (*single.values(), *batched.values())), "postgresql": version,
    }  # fmt: skip


def _missing() -> str:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg (omni-campaigns[postgres])"
    return "" if os.environ.get(SERVER) or programs() else "a PostgreSQL server (package postgresql)"


@contextmanager
def server() -> Iterator[str]:
    """The address of a server where databases can be made."""
    if given := os.environ.get(SERVER):
        yield given
        return
    with cluster(shared_buffers="2GB", max_wal_size="4GB") as own:  # of 24 GB: what its manual advises is a quarter
        yield own.url()


@contextmanager
def database(url: str, name: str, template: str = "template1") -> Iterator[str]:
    """A database of that name, gone afterwards; a copy is one of files, where the server can, and no gigabytes in its log."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        how = "" if connection.info.server_version < 150_000 else " STRATEGY file_copy"
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{how}')
    try:
        yield url.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def vacuum(url: str) -> None:
    """Leave the database as the server's own upkeep leaves it some time after an import."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _version(url: str) -> str:
    import psycopg

    with psycopg.connect(url) as connection:
        return str(connection.info.parameter_status("server_version") or "").split()[0]


# --- one round ------------------------------------------------------------------------------------------------------------
def _round(url: str, contacts: int, *, batch: int) -> dict[int, dict[str, Any]]:
    """The same decided touches, dispatched by each number of workers out of a copy of the same database."""
    with project() as root, database(url, "omni_bench_base") as base:
        _fill(root, base, contacts)
        return {workers: _dispatched(root, url, workers, batch) for workers in WORKERS}


def _fill(root: Path, base: str, contacts: int) -> None:
    """Everybody decided, nobody sent to."""
    from omnicli.campaigns.turn import turn
    from omnicli.render.renderer import Renderer

    with opened(root, base) as (store, loaded):
        stand(store, loaded, contacts, due=10, step="j0")
        turn(store, loaded, now=NOW, usable=Renderer(root, loaded.project).usable)


@contextmanager
def opened(root: Path, url: str) -> Iterator[tuple[Any, Any]]:
    """(store, project) with the store in that database."""
    from omnicli.app import open_project, open_store

    before = os.environ.get("OMNI_DATABASE")
    os.environ["OMNI_DATABASE"] = url
    loaded = open_project(root)
    store = open_store(loaded, live=False)
    try:
        yield store, loaded
    finally:
        store.close()
        os.environ.pop("OMNI_DATABASE")
        if before is not None:
            os.environ["OMNI_DATABASE"] = before


def race(command: list[str], environment: dict[str, str], workers: int) -> tuple[list[dict[str, Any]], Watch]:
    """What so many processes print as JSON at their end, and the time from the word to the last one's end: none is timed before all are ready."""
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(workers)]  # fmt: skip
    try:
        for process in running:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("a worker did not start")
        with Watch() as watch:
            for process in running:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            return [json.loads(process.communicate()[0].splitlines()[-1]) for process in running], watch
    finally:
        for process in running:
            process.kill()
            process.wait()


def _dispatched(root: Path, url: str, workers: int, batch: int) -> dict[str, Any]:
    """Touches a second from the word to the last one's end; the processes have their modules and templates loaded before."""
    with database(url, "omni_bench_round", "omni_bench_base") as copy, sink(LATENCY) as address:
        command = [sys.executable, "-m", "benchmarks.scale_worker", str(root), address, str(batch), str(IN_FLIGHT)]
        environment = {**os.environ, "OMNI_DATABASE": copy}
        found, watch = race(command, environment, workers)
        reached = stats(address)["touches"]
    accepted = [one["accepted"] for one in found]
    return {
        "a_second": round(sum(accepted) / watch.seconds, 1), "balance": round(max(accepted) / max(1, min(accepted)), 2), "mb": max(one["mb"] for one in found),
        "cpu_us": round(sum(one["cpu"] for one in found) / max(1, sum(accepted)) * 1e6, 1), "doubles": reached - sum(accepted),
    }  # fmt: skip
