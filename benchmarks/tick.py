"""A tick with nothing due over N passes in flight, and one with a tenth due at a "clicked?" branch, against the plain UPDATE."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.base import NOW, fill_contacts, fill_passes
from benchmarks.ground import Watch, project
from omnicli import clock


def _empty(contacts: int) -> float:
    """Milliseconds inside the process of a turn that finds nothing due; median of five."""
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.turn import turn

    with project() as root:
        loaded = open_project(root)
        store = open_store(loaded, live=False)
        _stand(store, loaded, contacts, due=0)
        times = []
        for _ in range(5):
            with Watch() as watch:
                turn(store, loaded, now=NOW)
            times.append(watch.seconds * 1000)
        store.close()
    return round(statistics.median(times), 2)


def _stand(store: Any, loaded: Any, contacts: int, *, due: int) -> None:
    from omnicli.campaigns import versions
    from omnicli.campaigns.life import start
    from omnicli.store import campaigns

    del versions
    start(store, loaded, "bench", now=NOW)
    fill_contacts(store, contacts)
    with store.read() as connection:
        row = campaigns.find(connection, "bench")
    assert row is not None
    fill_passes(store, contacts, campaign=row.id, version=row.version_id or 1, due=due, step="reponse")


def measure(contacts: int) -> dict[str, Any]:
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.turn import turn

    small, large = _empty(max(1000, contacts // 100)), _empty(contacts)
    with project() as root:
        loaded = open_project(root)
        store = open_store(loaded, live=False)
        _stand(store, loaded, contacts, due=1)
        ms = clock.to_ms(NOW)
        with store.write() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            ids = [row[0] for row in raw.execute("SELECT id FROM enrollment WHERE due_at <= ? AND state='open'", (ms,))]
        with Watch() as base:
            for start in range(0, len(ids), 1000):
                batch = ids[start : start + 1000]
                with store.write() as connection:
                    raw = connection.connection.driver_connection
                    assert raw is not None
                    raw.execute(
                        f"UPDATE enrollment SET since = since + 1, due_at = due_at WHERE id IN ({','.join('?' * len(batch))})",
                        batch,
                    )
        with Watch() as watch:
            report = turn(store, loaded, now=NOW)
        store.close()
    return {
        "goal": "empty tick flat and ≤ 5 ms; due ≤ 4 × the plain UPDATE", "contacts": contacts, "ratio": round(watch.seconds / base.seconds, 2),
        "omni_s": round(watch.seconds, 2), "floor_s": round(base.seconds, 2), "decided": report.decided, "us_a_pass": round(watch.seconds / max(1, len(ids)) * 1e6, 1),
        "empty_ms": large, "empty_small_ms": small, "empty_ratio": round(large / small, 2) if small else None,
    }  # fmt: skip
