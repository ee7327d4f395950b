"""Writes the figures of a run of `make reliability` into docs/reliability.md: what was tried, and what became of it.

`python report.py TRIALS JUNIT DOCUMENT`: the trials that the tests wrote down, pytest's own account, the page whose part between the
two marks is replaced. Nothing is left out: a trial that failed stands in the table with what was wrong.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

BEGIN, END = "<!-- figures: written by make reliability -->", "<!-- end of figures -->"
PROVIDERS = ("sendgrid", "twilio", "smtp")
WHAT = {
    "F01": "before planning", "F02": "inside the plan's transaction", "F03": "planned, nothing claimed", "F04": "inside the claim's transaction",
    "F05": "claimed, while rendering", "F06": "inside the gate's transaction", "F07": "intent on disk, before connecting",
    "F08": "connected, part of the body written", "F09": "all written, no answer read", "F10": "answer read, before it is on disk",
    "F11": "inside the outcome's transaction", "F12": "outcome on disk", "F13": "webhook before its commit", "F14": "webhook stored, before 2xx",
    "F15": "inside the fold", "F16": "reconciling, answer not written down", "F17": "an import in mid file", "F18": "a schedule's occurrence written",
    "F19": "inside a migration", "F20": "a backup without its manifest", "F22": "a new version half applied", "F23": "among leases being reaped",
    "F24": "SIGTERM, then SIGKILL",
}  # fmt: skip
Trial = dict[str, Any]
#: Trials that stop no process of omni's, and of which `kills` are cuts.
NO_PROCESS = ("cuts", "stops")
#: Kinds of trials on PostgreSQL that stand together in one table.
SHARED = {"shared": "workers share the work", "random kills": "one killed every so often", "cuts": "connection cut", "stops": "server stopped at once",
          "restored": "put back"}  # fmt: skip
#: Modules of which every test is on PostgreSQL, and those that try both stores.
ALL_SHARED = {
    "test_crash_shared": "R1, R2: killed and frozen senders and workers", "test_server_stop": "R3: the server stopped at once",
    "test_workers_shared": "R7: workers share the work", "test_same_touches": "the same bytes by SQLite, PostgreSQL, and four workers",
    "test_cut_connections": "R11: the connection cut at every statement and commit",
}  # fmt: skip
HALVES = {
    "test_state_machine": "R5: the model",
    "test_restore": "R12: a dump put back",
    "test_released_schemas": "R13: every released schema",
}


def read(folder: Path) -> list[Trial]:
    lines = [line for path in sorted(folder.glob("trials-*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def figures(trials: Sequence[Trial], junit: Path) -> str:
    """The generated part of the page."""
    by, shared = _by_kind(trials, "sqlite"), _by_kind(trials, "postgresql")
    tests, failed = _tests(junit)
    parts = [_head(trials, tests, failed)]
    if by["crash"]:
        parts += ["### Killed at each point of the sending path", _matrix(by["crash"]), _behaviours(by["crash"])]
    if by["frozen"]:
        parts += ["### Frozen for two leases, then let go on", _table(by["frozen"])]
    if by["other"]:
        parts += ["### Killed at the other points", _table(by["other"])]
    rest = [*by["random kills"], *by["chaos"], *by["recovery"], *by["restored"]]
    if rest:
        parts += ["### Random kills, chaos, recovery", _table(rest)]
    parts += _on_postgresql(shared, junit)
    wrong = [trial for trial in trials if trial["breaches"] or trial["doubles"] or trial["lost"]]
    if wrong:
        parts += [
            "### What was wrong",
            "\n".join(
                f"* {t['kind']} {t['point']} {t['provider']} {t['behaviour']}: {'; '.join(t['breaches'][:3])}" for t in wrong
            ),
        ]
    return "\n\n".join(parts)


def _by_kind(trials: Sequence[Trial], store: str) -> dict[str, list[Trial]]:
    by: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.get("store", "sqlite") == store:
            by[trial["kind"]].append(trial)
    return by


def _on_postgresql(by: dict[str, list[Trial]], junit: Path) -> list[str]:
    """What ran there; nothing where nothing did."""
    parts: list[str] = []
    if by["crash"]:
        parts += ["### On PostgreSQL: killed at each point of the sending path", _points(by["crash"])]
    if by["frozen"]:
        parts += ["### On PostgreSQL: frozen for two leases, then let go on", _table(by["frozen"])]
    rest = [t for kind in SHARED for t in by[kind]]
    if rest:
        parts += ["### On PostgreSQL: workers, random kills, cut connections, stopped servers, a dump put back", _heaped(rest)]
    ran = _ran(junit)
    return [*parts, "### On PostgreSQL: the tests", _rows(("what", "tests", "failed", "not run"), ran)] if ran else parts


def _ran(junit: Path) -> list[tuple[str, int, int, int]]:
    """Of each part of the programme: tests that ran on PostgreSQL, how many failed, how many were left out."""
    found: dict[str, list[int]] = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        module = case.get("classname", "").rpartition(".")[2]
        if module in ALL_SHARED or (module in HALVES and "postgresql" in case.get("name", "")):
            counts = found.setdefault(module, [0, 0, 0])
            ends = {child.tag for child in case}
            counts[0 if not ends & {"skipped"} else 2] += 1
            counts[1] += bool(ends & {"failure", "error"})
    return [(what, *found[module]) for module, what in {**ALL_SHARED, **HALVES}.items() if module in found]  # type: ignore[misc]


def _points(trials: Sequence[Trial]) -> str:
    """A row a point, a column for each way in which the provider answers."""
    behaviours = sorted({t["behaviour"] for t in trials})
    rows = [
        (
            f"{point} {WHAT[point]}",
            *(_cell([t for t in trials if t["point"] == point and t["behaviour"] == behaviour]) for behaviour in behaviours),
        )
        for point in sorted({t["point"] for t in trials})
    ]
    return _rows(("killed at", *behaviours), rows) + "\n\nBy one provider (SMTP); cells as above."


def _heaped(trials: Sequence[Trial]) -> str:
    rows = [
        (SHARED[kind], point, len(found), _sum(found, "kills") if kind != "shared" else "–", *(_sum(found, name) for name in ("reached", "doubles", "lost", "parked")))
        for kind in SHARED for point in dict.fromkeys(t["point"] for t in trials if t["kind"] == kind)
        for found in [[t for t in trials if t["kind"] == kind and t["point"] == point]]
    ]  # fmt: skip
    return _rows(("what", "how", "trials", "kills or cuts", "reached", "doubles", "lost", "parked"), rows)


def _head(trials: Sequence[Trial], tests: dict[str, tuple[int, int]], failed: int) -> str:
    kills = sum(trial["kills"] for trial in trials if trial["killed"] and trial["kind"] not in ("frozen", *NO_PROCESS))
    cuts = sum(trial["kills"] for trial in trials if trial["kind"] in NO_PROCESS)
    doubted = sum(t["settled"] + t["parked"] for t in trials)
    guards = tests.get("test_guards_off", (0, 0))
    rows = [
        ("trials", len(trials)), ("processes killed by SIGKILL", kills), ("processes frozen by SIGSTOP", sum(t["kind"] == "frozen" for t in trials)),
        ("connections cut and servers stopped at once (PostgreSQL)", cuts),
        ("messages that reached somebody", sum(t["reached"] for t in trials)), ("**doubles**", f"**{_sum(trials, 'doubles')} in {len(trials)} trials**"),
        ("**lost**", f"**{_sum(trials, 'lost')} in {len(trials)} trials**"), ("touches whose fate was in doubt for a time", doubted),
        ("… settled by evidence, without a person", _sum(trials, "settled")), ("… parked, shown to a person, never sent again", _sum(trials, "parked")),
        ("longest recovery, seconds of the trial's clock", max((t["recovered"] for t in trials if t["recovered"] < 1e8), default=0)),
        ("guards switched off, noticed by a test", f"{guards[0] - guards[1]} of {guards[0]}" if guards[0] else "not run"), ("tests that failed", failed),
    ]  # fmt: skip
    made = (
        f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit `{_commit()}` with the sizes `{os.environ.get('OMNI_SIZES', 'ci')}`, seed "
        f"{os.environ.get('OMNI_SEED', '20270106')}; Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores."
    )
    return made + "\n\n" + _rows(("what", "how many"), rows)


def _matrix(trials: Sequence[Trial]) -> str:
    """A row a point, a column a provider: cells, kills, and what was left to a person."""
    rows = []
    for point in sorted({t["point"] for t in trials}):
        cells = [[t for t in trials if t["point"] == point and t["provider"] == provider] for provider in PROVIDERS]
        rows.append((f"{point} {WHAT[point]}", *(_cell(found) for found in cells)))
    note = "Each cell: trials · kills that hit · doubles · lost · in doubt at the kill (most) · settled by evidence · parked."
    return _rows(("killed at", *PROVIDERS), rows) + "\n\n" + note


def _cell(found: Sequence[Trial]) -> str:
    if not found:
        return "–"
    doubt = max(t["in_doubt"] for t in found)
    return f"{len(found)} · {_sum(found, 'killed')} · {_sum(found, 'doubles')} · {_sum(found, 'lost')} · {doubt} · {_sum(found, 'settled')} · {_sum(found, 'parked')}"


def _behaviours(trials: Sequence[Trial]) -> str:
    rows = []
    for behaviour in dict.fromkeys(t["behaviour"] for t in trials):
        found = [t for t in trials if t["behaviour"] == behaviour]
        rows.append(
            (
                behaviour,
                len(found),
                _sum(found, "killed"),
                _sum(found, "doubles"),
                _sum(found, "lost"),
                _sum(found, "settled"),
                _sum(found, "parked"),
            )
        )
    return _rows(("the provider", "trials", "kills", "doubles", "lost", "settled", "parked"), rows)


def _table(trials: Sequence[Trial]) -> str:
    rows = [
        (f"{t['point']} {WHAT.get(t['point'], '')}".strip() if t["kind"] != "chaos" else f"chaos, {t['point']}", t["provider"], t["kills"] if t["killed"] else 0,
         t["reached"], t["doubles"], t["lost"], t["settled"], t["parked"], t["recovered"] if t["recovered"] < 1e8 else "–")
        for t in sorted(trials, key=lambda t: (t["kind"], t["point"], t["provider"]))
    ]  # fmt: skip
    return _rows(("at", "provider", "stopped", "reached", "doubles", "lost", "settled", "parked", "recovered in s"), rows)


def _sum(trials: Iterable[Trial], name: str) -> int:
    return sum(int(t[name]) for t in trials)


def _rows(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(value) for value in row) + " |" for row in rows])


def _tests(junit: Path) -> tuple[dict[str, tuple[int, int]], int]:
    """Module → (tests, failed), and how many failed in all."""
    found: dict[str, tuple[int, int]] = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        module = case.get("classname", "").rpartition(".")[2]
        bad = any(child.tag in ("failure", "error") for child in case)
        tests, failed = found.get(module, (0, 0))
        found[module] = (tests + 1, failed + bad)
    guards = found.get("test_guards_off")
    if guards:
        found["test_guards_off"] = (guards[0] - 1, guards[1])  # the last of them looks at names only
    return found, sum(failed for _, failed in found.values())


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    return asked.stdout.strip() or os.environ.get("OMNI_COMMIT", "unknown")


def write(document: Path, generated: str) -> None:
    text = document.read_text(encoding="utf-8")
    document.write_text(
        re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}\n\n{generated}\n\n{END}", text, flags=re.DOTALL),
        encoding="utf-8",
    )


if __name__ == "__main__":
    folder, junit, document = (Path(word) for word in sys.argv[1:4])
    write(document, figures(read(folder), junit))
    print(f"{document}: {len(read(folder))} trials")
