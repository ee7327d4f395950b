"""`python -m benchmarks.scaling FOLDER docs/scaling.md`: the results of `growth` and `scale` as the tables of that page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import machine
from benchmarks.goals import count
from benchmarks.table import written

SET_UPS = {("sqlite", 1): "SQLite, one process", ("sqlite", 2): "SQLite, two processes"}
HEAD = (
    "contacts",
    "set-up",
    "µs a touch",
    "touches a second",
    "everybody in",
    "memory, MB",
    "bytes a touch",
    "commits a second",
    "store, MB",
)


def markdown(found: list[dict[str, Any]]) -> str:
    """The newest word of each benchmark: of the largest base."""
    growth = next((one for one in reversed(found) if one["benchmark"] == "growth" and "cells" in one["result"]), None)
    scale = next((one for one in reversed(found) if one["benchmark"] == "scale" and "a_second_1" in one["result"]), None)
    if growth is None:
        raise SystemExit("there is no growth.N.json: python -m benchmarks growth --contacts 1000000 --out FOLDER")
    parts = [
        "Machine: " + machine.words([one["machine"] for one in (growth, scale) if one]),
        _rows(HEAD, [_cell(one) for one in growth["result"]["cells"]]),
    ]
    if "left_out" in growth["result"]:
        parts.append(f"Left out: {growth['result']['left_out']}.")
    parts.append(_limits(growth["result"]["limits"]))
    if scale is not None:
        parts.append(_workers(scale["result"]))
    return "\n\n".join(parts)


def _cell(one: dict[str, Any]) -> tuple[str, ...]:
    set_up = SET_UPS.get((one["store"], one["workers"])) or f"PostgreSQL, {one['workers']} worker{'s' * (one['workers'] > 1)}"
    memory = f"{one['mb']:.0f}" + (
        f" + {one['child_mb']:.0f}"
        if one["child_mb"]
        else f" × {one['workers']}"
        if one["store"] != "sqlite" and one["workers"] > 1
        else ""
    )
    return (count(one), set_up, f"{one['us_a_touch']:.0f}", count({"contacts": one["touches_a_second"]}), _time(one["contacts"] * one["us_a_touch"] / 1e6), memory,
            str(one["bytes_a_touch"]), f"{one['commits_a_second']:.0f}", count({"contacts": max(1, one["store_mb"])}))  # fmt: skip


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _limits(found: dict[str, int]) -> str:
    """What the machine gives at most, by itself."""
    names = {
        "syncs_a_second": "4 KB written and synced", "sqlite_commits_a_second": "SQLite, a row a commit", "postgresql_commits_a_second_1": "PostgreSQL, a row a commit, one connection",
        "postgresql_commits_a_second_4": "PostgreSQL, a row a commit, four connections",
    }  # fmt: skip
    rows = [(says, f"{count({'contacts': found[key]})} a second") for key, says in names.items() if key in found]
    return "What this machine gives at most, by itself:\n\n" + _rows(("what", "limit"), [*rows, ("disk, one stream, synced at the end", f"{found['mb_a_second']} MB a second")])  # fmt: skip


def _workers(r: dict[str, Any]) -> str:
    """1, 2 and 4 workers: one call a person, and 500 people a call."""
    rows = []
    for n in (1, 2, 4):
        one = f"{r[f'a_second_{n}']:g}" + (f" ({r[f'share_{n}']:.0%} of linear)" if n > 1 else "")
        many = f"{r[f'batched_a_second_{n}']:g}" + (f" ({r[f'batched_share_{n}']:.0%})" if n > 1 else "")
        rows.append((str(n), one, many))
    head = (
        "workers",
        f"one call a person, answered after {r['latency_ms']:g} ms, {r['in_flight']} in flight",
        "500 people a call, the same answer",
    )
    return f"Workers on PostgreSQL against a provider on the loopback (touches a second; {r['doubles']} doubles):\n\n" + _rows(
        head, rows
    )


def _rows(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ("---",) * len(head), *rows))


def main() -> int:
    return written("benchmarks.scaling", markdown)


if __name__ == "__main__":
    sys.exit(main())
