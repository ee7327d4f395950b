"""`contact import` of N rows, validated, against csv.reader + executemany into a table without constraints."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

from benchmarks.ground import HEADER, MAP, Watch, peak_mb, project, write_people


def floor(rows: Path, database: Path) -> float:
    """Seconds of the plainest import: no look at a single value."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"CREATE TABLE contact ({', '.join(f'{name} TEXT' for name in HEADER)}, PRIMARY KEY (id))")
    insert = f"INSERT INTO contact VALUES ({','.join('?' * len(HEADER))})"
    with Watch() as watch, rows.open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle)
        next(reader)
        batch: list[list[str]] = []
        for row in reader:
            batch.append(row)
            if len(batch) == 5000:
                with connection:
                    connection.executemany(insert, batch)
                batch = []
        with connection:
            connection.executemany(insert, batch)
    connection.close()
    return watch.seconds


def measure(contacts: int) -> dict[str, Any]:
    from omnicli import clock
    from omnicli.app import open_project, open_store
    from omnicli.people.imports import import_contacts

    with project() as root:
        rows = root / "people.csv"
        write_people(rows, contacts)
        (root / "people.map.yaml").write_text(MAP, "utf-8")
        base = floor(rows, root / "floor.db")
        loaded = open_project(root)
        store = open_store(loaded, live=False)
        with Watch() as watch:
            report = import_contacts(
                store, loaded, rows, mapping=root / "people.map.yaml", now=clock.read_instant("2027-01-04 09:00", "UTC")
            )
        with Watch() as again:
            import_contacts(
                store, loaded, rows, mapping=root / "people.map.yaml", now=clock.read_instant("2027-01-04 09:00", "UTC")
            )
        store.close()
    return {
        "goal": "≤ 1.5 of csv.reader + executemany", "contacts": contacts, "ratio": round(watch.seconds / base, 2), "omni_s": round(watch.seconds, 2),
        "floor_s": round(base, 2), "again_s": round(again.seconds, 2), "us_a_row": round(watch.seconds / contacts * 1e6, 1), "peak_mb": peak_mb(),
        "report": str(report)[:300],
    }  # fmt: skip
