"""From due passes on: decisions, gate, rendering, archive, sandbox; against the plain loop, which decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import plain
from benchmarks.base import NOW, fill_contacts, fill_passes
from benchmarks.ground import Watch, peak_mb, project

PARTS = ("deciding", "dispatch")


def measure(contacts: int) -> dict[str, Any]:
    """`ratio` is the whole by the plain loop; `bytes_a_touch` what touch, attempt and archive take on disk."""
    return run(contacts, whole=True)


def run(contacts: int, *, whole: bool) -> dict[str, Any]:
    from omnicli.app import database, open_project, open_store
    from omnicli.campaigns.dispatch import dispatch
    from omnicli.campaigns.life import start
    from omnicli.campaigns.turn import turn
    from omnicli.providers import build, close
    from omnicli.render.renderer import Renderer
    from omnicli.store import campaigns

    with project() as root:
        loaded = open_project(root)
        assert loaded.project is not None
        store = open_store(loaded, live=False)
        start(store, loaded, "bench", now=NOW)
        fill_contacts(store, contacts)
        with store.read() as connection:
            row = campaigns.find(connection, "bench")
        assert row is not None
        fill_passes(store, contacts, campaign=row.id, version=row.version_id or 1, due=10, step="j0")
        path = database(loaded, live=False)
        renderer = Renderer(root, loaded.project)
        with Watch() as deciding:
            decided = turn(store, loaded, now=NOW, usable=renderer.usable)
        before = _bytes(path)
        providers = build(loaded, live=False)
        with Watch() as sending:
            report = dispatch(store, loaded, renderer, providers, now=NOW)
            close(providers)
        sizes = _tables(path)
        html, text, subject = _example(path)
        store.close()
        floor, size = plain.loop(path, html, text, subject, report.accepted)
        del before
    omni = deciding.seconds + sending.seconds if whole else sending.seconds
    return {
        "goal": "≤ 0.75 (one process)" if whole else "≤ 0.4 (one process)", "contacts": contacts, "ratio": round(omni / floor, 3), "omni_s": round(omni, 2),
        "floor_s": round(floor, 2), "deciding_s": round(deciding.seconds, 2), "dispatch_s": round(sending.seconds, 2), "decided": decided.decided,
        "accepted": report.accepted, "body_characters": size, "us_a_touch": round(omni / max(1, report.accepted) * 1e6, 1),
        "bytes_a_touch": round(sum(sizes.values()) / max(1, report.accepted)), "bytes": sizes, "peak_mb": peak_mb(),
    }  # fmt: skip


def _bytes(path: Path) -> int:
    return path.stat().st_size


def _tables(path: Path) -> dict[str, int]:
    """Bytes of the pages of touch, attempt, rendering and cap slots with their indexes (dbstat, else nothing)."""
    import sqlite3

    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
            "WHERE m.tbl_name IN ('touch','attempt','rendering','skeleton','handover') GROUP BY 1"
        ).fetchall()
    except sqlite3.OperationalError:
        rows = []
    finally:
        connection.close()
    return {str(name): int(size) for name, size in rows}


def _example(path: Path) -> tuple[str, str, str]:
    """The first archived e-mail, with its first name made recognisable."""
    import sqlite3

    from omnicli.render.skeleton import restore

    connection = sqlite3.connect(path)
    blob, values, name = connection.execute(
        'SELECT s.parts, r."values", c.a_first_name FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id JOIN touch t ON t.id = r.touch_id '
        "JOIN contact c ON c.id = t.contact_id WHERE c.language = 'fr' AND c.a_first_name IS NOT NULL LIMIT 1"
    ).fetchone()
    connection.close()
    parts = restore(blob, values)
    return tuple(parts.get(part, "").replace(name, "Zzfirstzz") for part in ("html", "text", "subject"))  # type: ignore[return-value]
