"""From due passes on: decisions, gate, rendering, archive, sandbox; against the plain loop, which decides nothing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from benchmarks import plain
from benchmarks.base import NOW, stand
from benchmarks.ground import Watch, peak_mb, project

#: What the goal of 400 bytes counts: a touch, its attempt and what is archived of it, with their indexes.
COUNTED = ("touch", "attempt", "rendering", "skeleton", "handover")


def measure(contacts: int) -> dict[str, Any]:
    """`ratio` is the whole by the plain loop; `bytes_a_touch` what touch, attempt and archive take on disk."""
    return run(contacts, whole=True)


def run(contacts: int, *, whole: bool) -> dict[str, Any]:
    from omnicli.app import database, open_project, open_store
    from omnicli.campaigns.dispatch import dispatch
    from omnicli.campaigns.turn import turn
    from omnicli.providers import build, close
    from omnicli.render.renderer import Renderer

    with project() as root:
        loaded = open_project(root)
        assert loaded.project is not None
        store = open_store(loaded, live=False)
        stand(store, loaded, contacts, due=10, step="j0")
        path = database(loaded, live=False)
        before = peak_mb()
        with Watch() as deciding:
            renderer = Renderer(root, loaded.project)
            decided = turn(store, loaded, now=NOW, usable=renderer.usable)
        with Watch() as sending:
            providers = build(loaded, live=False)
            report = dispatch(store, loaded, renderer, providers, now=NOW)
            close(providers)
        peak = peak_mb()
        sizes = _tables(path)
        files, pages = _write_again(root)
        example = _example(path)
        store.close()
        floor, size, variables = plain.loop(path, *example, report.accepted)
    touches = max(1, report.accepted)
    seconds, cpu = sending.seconds, sending.cpu
    if whole:
        seconds, cpu = seconds + deciding.seconds, cpu + deciding.cpu
    return {
        "goal": "≤ 0.75 (one process)" if whole else "≤ 0.4 (one process)", "contacts": contacts, "ratio": round(seconds / floor.seconds, 3),
        "cpu_ratio": round(cpu / floor.cpu, 3), "omni_s": round(seconds, 2), "floor_s": round(floor.seconds, 2), "omni_cpu_s": round(cpu, 2),
        "floor_cpu_s": round(floor.cpu, 2), "deciding_s": round(deciding.seconds, 2), "dispatch_s": round(sending.seconds, 2),
        "page_files": pages, "page_files_again_s": round(files, 2), "ratio_without_page_files": round((seconds - files) / floor.seconds, 3),
        "decided": decided.decided, "accepted": report.accepted, "body_characters": size, "body_variables": variables,
        "us_a_touch": round(seconds / touches * 1e6, 1), "floor_us": round(floor.seconds / touches * 1e6, 1),
        "bytes_a_touch": round(sum(sizes.get(name, 0) for name in COUNTED) / touches),
        "bytes_a_touch_by_table": {name: round(size / touches) for name, size in sizes.items()},
        "peak_mb": peak, "peak_mb_before": before,
    }  # fmt: skip


def _write_again(root: Path) -> tuple[float, int]:
    """Seconds that writing the sandbox's pages (the first 1,000 messages of a run, as files) takes by itself, and how many."""
    pages = [path.read_bytes() for path in (root / "outbox" / "sandbox").rglob("*.html")]
    folder = root / "again"
    folder.mkdir()
    with Watch() as watch:
        for n, page in enumerate(pages):
            aside = folder / f"{n}.part"
            aside.write_bytes(page)
            os.replace(aside, folder / f"{n}.html")
    return watch.seconds, len(pages)


def _tables(path: Path) -> dict[str, int]:
    """Bytes of the pages of every table that a touch writes, with their indexes (dbstat; empty where SQLite lacks it)."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
            "WHERE m.tbl_name IN ('touch','attempt','rendering','skeleton','handover','cap_slot','decision') GROUP BY 1"
        ).fetchall()
    except sqlite3.OperationalError:
        rows = []
    finally:
        connection.close()
    return {str(name): int(size) for name, size in rows}


def _example(path: Path) -> tuple[str, str, str]:
    """An archived e-mail (html, text, subject), with the name of its reader made recognisable."""
    from omnicli.render.skeleton import restore

    connection = sqlite3.connect(path)
    blob, values, name = connection.execute(
        'SELECT s.parts, r."values", c.a_first_name FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id JOIN touch t ON t.id = r.touch_id '
        "JOIN contact c ON c.id = t.contact_id WHERE c.language = 'fr' AND c.a_first_name IS NOT NULL LIMIT 1"
    ).fetchone()
    connection.close()
    parts = restore(blob, values)
    html, text, subject = (parts.get(part, "").replace(name, "Zzfirstzz") for part in ("html", "text", "subject"))
    return html, text, subject
