"""From due passes on: decisions, gate, rendering, archive, sandbox; against the plain loop, which decides nothing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import plain
from benchmarks.base import NOW, stand
from benchmarks.ground import PROJECT, Helpers, Watch, peak_mb, project

#: Where signed links lead.
HOST = "https://go.maisonlune.example"
#: What the goal of 400 bytes counts: a touch, its attempt and what is archived of it, with their indexes.
COUNTED = ("touch", "attempt", "rendering", "skeleton", "handover")


def measure(contacts: int) -> dict[str, Any]:
    """`ratio` is the whole by the plain loop, `two_ratio` the same with a second process that renders; `bytes_a_touch` what touch,
    attempt and archive take on disk."""
    return run(contacts, whole=True)


def run(contacts: int, *, whole: bool) -> dict[str, Any]:
    """One process, then two, then one whose every link is signed for its reader; each over a store of its own; the floor is of the
    first run. (The floor writes the same link to everybody, and omni keeps what namesakes share: with signed links nobody shares.)"""
    with Sending(contacts) as one:
        found = one.result(whole=whole)
        floor = one.floor
    with Sending(contacts, processes=2) as two:
        found |= two.by(floor, "two", whole=whole) | {"two_peak_mb": two.peak_of_others}
    with Sending(contacts, more=f"tracking: {{domain: {HOST}}}\n") as signed:
        return found | signed.by(floor, "signed", whole=whole)


class Sending:
    """A project whose people are all due, decided and sent by so many processes; `more` is added to its omni.yaml."""

    def __init__(self, contacts: int, *, processes: int = 1, more: str = "") -> None:
        self.contacts, self.processes, self.more = contacts, processes, more
        self.stack = ExitStack()

    def __enter__(self) -> Sending:
        from omnicli.app import database, open_project, open_store
        from omnicli.campaigns.dispatch import dispatch
        from omnicli.campaigns.turn import turn
        from omnicli.providers import build, close
        from omnicli.render.renderer import Renderer

        self.root = self.stack.enter_context(project())
        (self.root / "omni.yaml").write_text(PROJECT + self.more, "utf-8")
        loaded = open_project(self.root)
        assert loaded.project is not None
        store = open_store(loaded, live=False)
        self.stack.callback(store.close)
        stand(store, loaded, self.contacts, due=10, step="j0")
        self.path = database(loaded, live=False)
        self.before = peak_mb()
        with Watch() as self.deciding:
            renderer = Renderer(self.root, loaded.project)
            self.decided = turn(store, loaded, now=NOW, usable=renderer.usable).decided
        with Helpers() as helpers, Watch() as self.sending:
            providers = build(loaded, live=False)
            self.accepted = dispatch(store, loaded, renderer, providers, now=NOW, processes=self.processes).accepted
            close(providers)
        self.peak, self.peak_of_others = peak_mb(), helpers.peak_mb
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def spent(self, *, whole: bool) -> tuple[float, float]:
        """Seconds on the clock, and of this process's processor."""
        parts = (self.deciding, self.sending) if whole else (self.sending,)
        return sum(part.seconds for part in parts), sum(part.cpu for part in parts)

    def by(self, floor: Watch, name: str, *, whole: bool) -> dict[str, Any]:
        """This run by the floor of another, its figures named after what is different."""
        seconds, cpu = self.spent(whole=whole)
        return {
            f"{name}_ratio": round(seconds / floor.seconds, 3), f"{name}_cpu_ratio": round(cpu / floor.cpu, 3),
            f"{name}_us_a_touch": round(seconds / max(1, self.accepted) * 1e6, 1),
        }  # fmt: skip

    def result(self, *, whole: bool) -> dict[str, Any]:
        sizes = _tables(self.path)
        files, pages = _write_again(self.root)
        self.floor, size, variables = plain.loop(self.path, *_example(self.path), self.accepted)
        floor, touches, (seconds, cpu) = self.floor, max(1, self.accepted), self.spent(whole=whole)
        return {
            "goal": "≤ 0.75 (one process), ≤ 0.5 (two)" if whole else "≤ 0.4 (one process), ≤ 0.25 (two)", "contacts": self.contacts,
            "ratio": round(seconds / floor.seconds, 3), "cpu_ratio": round(cpu / floor.cpu, 3), "omni_s": round(seconds, 2),
            "floor_s": round(floor.seconds, 2), "omni_cpu_s": round(cpu, 2), "floor_cpu_s": round(floor.cpu, 2),
            "deciding_s": round(self.deciding.seconds, 2), "dispatch_s": round(self.sending.seconds, 2),
            "deciding_us": round(self.deciding.seconds / touches * 1e6, 1), "deciding_cpu_us": round(self.deciding.cpu / touches * 1e6, 1),
            "page_files": pages, "page_files_again_s": round(files, 2), "ratio_without_page_files": round((seconds - files) / floor.seconds, 3),
            "decided": self.decided, "accepted": self.accepted, "body_characters": size, "body_variables": variables,
            "us_a_touch": round(seconds / touches * 1e6, 1), "floor_us": round(floor.seconds / touches * 1e6, 1),
            "bytes_a_touch": round(sum(sizes.get(name, 0) for name in COUNTED) / touches),
            "bytes_a_touch_by_table": {name: round(size / touches) for name, size in sizes.items()},
            "peak_mb": self.peak, "peak_mb_before": self.before,
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
