"""A tick with nothing due over N passes in flight, and one with a tenth due at a "clicked?" branch, against the plain UPDATE."""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import Any

from benchmarks.base import NOW, fill_touches, stand
from benchmarks.ground import WAITING, Watch, peak_mb, project, waiting
from omnicli import clock

REPEATS = 9


def _empty(contacts: int) -> dict[str, float]:
    """Milliseconds of a whole tick (fold, look for entrants of three campaigns, turn, dispatch) that finds nothing to do: `cold` the
    process's first, `full` the median of the first ones of a minute, `warm` of those that the daemon calls in between, every ten
    seconds."""
    from omnicli.app import open_project, open_store
    from omnicli.service.scheduler import tick

    with project() as root:
        for name in WAITING:
            (root / "campaigns" / f"{name}.yaml").write_text(waiting(name), "utf-8")
        loaded = open_project(root)
        store = open_store(loaded, live=False)
        stand(store, loaded, contacts, due=0, step="reponse", also=tuple(WAITING))
        fill_touches(store)
        times: dict[str, list[Watch]] = {"full": [], "warm": []}
        for n in range((REPEATS + 1) * 6):
            with Watch() as watch:
                ticked = tick(store, loaded, live=False, now=NOW + timedelta(seconds=10 * n))
            assert ticked.report is not None
            assert not ticked.report.happened
            times["warm" if n % 6 else "full"].append(watch)
        store.close()
    warm, (cold, *full) = times["warm"], times["full"]
    return {
        "cold": round(cold.seconds * 1000, 2), "warm": _median([w.seconds for w in warm]), "cpu": _median([w.cpu for w in warm]),
        "full": _median([w.seconds for w in full]), "full_cpu": _median([w.cpu for w in full]),
    }  # fmt: skip


def _median(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1000, 3)


def measure(contacts: int) -> dict[str, Any]:
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.turn import turn

    few = max(500, contacts // 100)
    small, large = _empty(few), _empty(contacts)
    with project() as root:
        loaded = open_project(root)
        store = open_store(loaded, live=False)
        stand(store, loaded, contacts, due=1, step="reponse")
        fill_touches(store)
        turn(store, loaded, now=NOW - timedelta(days=1))  # nobody is due yet: conditions are read by the next one
        ms = clock.to_ms(NOW)
        with store.read() as connection:
            ids = [
                row[0]
                for row in connection.exec_driver_sql("SELECT id FROM enrollment WHERE due_at <= ? AND state = 'open'", (ms,))
            ]
        with Watch() as base:
            for start in range(0, len(ids), 1000):
                batch = ids[start : start + 1000]
                with store.write() as connection:
                    marks = ",".join("?" * len(batch))
                    connection.exec_driver_sql(
                        f"UPDATE enrollment SET since = since + 1, due_at = due_at + 1 WHERE id IN ({marks})", tuple(batch)
                    )
        with Watch() as watch:
            report = turn(store, loaded, now=NOW + timedelta(milliseconds=1))
        with store.write() as connection:  # as many others, whose wait is over too: by now the process has asked all that once
            others = "SELECT id FROM enrollment WHERE state = 'open' AND step = 'reponse' AND due_at > ? LIMIT ?"
            connection.exec_driver_sql(
                f"UPDATE enrollment SET due_at = ?, wait_until = ? WHERE id IN ({others})", (ms, ms, ms + 2, len(ids))
            )
        with Watch() as later:
            again = turn(store, loaded, now=NOW + timedelta(milliseconds=2))
        store.close()
    return {
        "goal": "an empty tick flat and ≤ 5 ms; due ≤ 4 × the plain UPDATE", "contacts": contacts, "due": len(ids),
        "ratio": round(watch.seconds / base.seconds, 2), "cpu_ratio": round(watch.cpu / base.cpu, 2), "omni_s": round(watch.seconds, 3),
        "floor_s": round(base.seconds, 3), "decided": report.decided,
        "again_decided": again.decided, "again_cpu_ratio": round(later.cpu / base.cpu, 2), "again_us_a_pass": round(later.seconds / max(1, again.decided) * 1e6, 1),
        "again_cpu_us_a_pass": round(later.cpu / max(1, again.decided) * 1e6, 1), "us_a_pass": round(watch.seconds / max(1, len(ids)) * 1e6, 1),
        "floor_us": round(base.seconds / max(1, len(ids)) * 1e6, 1), "empty_ms": large["warm"], "empty_cpu_ms": large["cpu"],
        "empty_cold_ms": large["cold"], f"empty_ms_at_{few}": small["warm"], "empty_growth": round(large["cpu"] / max(small["cpu"], 0.01), 2),
        "empty_each_minute_ms": large["full"], "empty_each_minute_cpu_ms": large["full_cpu"],
        "empty_each_minute_growth": round(large["full_cpu"] / max(small["full_cpu"], 0.01), 2),
        "peak_mb": peak_mb(),
    }  # fmt: skip
