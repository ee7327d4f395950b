"""`contact import` of N rows, validated, against csv.reader + executemany into a table without constraints."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

from benchmarks.ground import HEADER, MAP, Watch, peak_mb, project, write_people


def floor(rows: Path, database: Path) -> Watch:
    """The plainest import: one table of texts, no look at a single value."""
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
    return watch


def measure(contacts: int) -> dict[str, Any]:
    """`ratio` is the first import by the floor; `again_s` the same file once more, which changes nothing."""
    from omnicli import clock
    from omnicli.app import open_project, open_store
    from omnicli.people.imports import import_contacts
    from omnicli.people.mapping import read_map

    now = clock.read_instant("2027-01-04 09:00", "UTC")
    with project() as root:
        rows, path = root / "people.csv", root / "people.map.yaml"
        write_people(rows, contacts)
        path.write_text(MAP, "utf-8")
        loaded = open_project(root)
        assert loaded.project is not None
        mapping = read_map(path, loaded.project)
        base = floor(rows, root / "floor.db")
        store = open_store(loaded, live=False)
        before = peak_mb()
        with Watch() as watch:
            import_contacts(store, loaded, rows, mapping=mapping, now=now)
        peak = peak_mb()
        with Watch() as again:
            import_contacts(store, loaded, rows, mapping=mapping, now=now)
        with store.read() as connection:
            kept = {
                t: connection.exec_driver_sql(f"SELECT count(*) FROM {t}").scalar_one() for t in ("contact", "address", "consent")
            }
        store.close()
    return {
        "goal": "≤ 1.5 of csv.reader + executemany", "contacts": contacts, "ratio": round(watch.seconds / base.seconds, 2),
        "cpu_ratio": round(watch.cpu / base.cpu, 2), "omni_s": round(watch.seconds, 2), "floor_s": round(base.seconds, 2),
        "again_s": round(again.seconds, 2), "us_a_row": round(watch.seconds / contacts * 1e6, 1), "floor_us": round(base.seconds / contacts * 1e6, 1),
        "kept": kept, "peak_mb": peak, "peak_mb_before": before,
    }  # fmt: skip
