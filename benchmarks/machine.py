"""What a result was measured on: the versions, the processors, the memory, and how busy it was."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "machine": platform.machine(), "cores": os.cpu_count(),
        "processor": _after("/proc/cpuinfo", "model name"), "memory_gb": round(int(_after("/proc/meminfo", "MemTotal").split()[0]) / 1_048_576),
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def words(machines: list[dict[str, Any]]) -> str:
    """One sentence about the machine of these results."""
    about = machines[-1] if machines else machine()
    loads = [one["load"] for one in machines if "load" in one]
    postgresql = next((f", PostgreSQL {one['postgresql']}" for one in machines if one.get("postgresql")), "")
    busy = f" Load average at the end of each: {min(loads)} to {max(loads)}." if loads else ""
    return (f"{about.get('cores', '?')} cores ({about.get('processor', 'unknown')}), {about.get('memory_gb', '?')} GB, Python {about.get('python')}, "
            f"SQLite {about.get('sqlite')}{postgresql}, {about.get('machine')}.{busy}")  # fmt: skip


def _after(path: str, name: str) -> str:
    return next((line.partition(":")[2].strip() for line in _lines(path) if line.startswith(name)), "0")


def _lines(path: str) -> Iterator[str]:
    with suppress(OSError):
        yield from Path(path).read_text("utf-8").splitlines()
