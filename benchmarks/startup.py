"""`omni --help` and `omni lint` on one file, against `python -c pass`: medians of wall time."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.ground import Watch, project

REPEATS = 15


def _median(command: list[str], cwd: Path) -> float:
    times = []
    for _ in range(REPEATS):
        with Watch() as watch:
            subprocess.run(command, cwd=cwd, capture_output=True, check=False)
        times.append(watch.seconds * 1000)
    return round(statistics.median(times), 1)


def measure(contacts: int) -> dict[str, Any]:
    """Milliseconds; `ratio` is what `--help` costs over bare Python by the goal of 120 ms (at most 1)."""
    omni = [sys.executable, "-m", "omnicli.cli.main"]
    with project() as root:
        bare = _median([sys.executable, "-c", "pass"], root)
        front = _median([*omni, "--help"], root)
        lint = _median([*omni, "lint", "campaigns/bench.yaml", "-q"], root)
    return {
        "goal": "help ≤ 120 ms over bare Python, lint of one file ≤ 250 ms over", "floor_ms": bare, "help_ms": front, "lint_ms": lint,
        "help_over_ms": round(front - bare, 1), "lint_over_ms": round(lint - bare, 1),
        "ratio": round((front - bare) / 120, 3), "lint_ratio": round((lint - bare) / 250, 3), "heavy_imports": heavy_imports(),
    }  # fmt: skip


def heavy_imports() -> list[str]:
    """CLI modules that import more than typer at their top: those with a heavy package loaded after their import."""
    heavy = (
        "pydantic",
        "lark",
        "jinja2",
        "sqlalchemy",
        "alembic",
        "babel",
        "phonenumbers",
        "css_inline",
        "apscheduler",
        "yaml",
        "rich.table",
    )
    folder = Path(__file__).parent.parent / "omnicli" / "cli"
    found = []
    for path in sorted(folder.glob("*.py")):
        module = f"omnicli.cli.{path.stem}"
        code = (
            f"import sys, typer; before = set(sys.modules); import {module}; "
            f"print([m for m in {heavy!r} if m in sys.modules and m not in before])"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.strip()
        if said != "[]":
            found.append(f"{module}: {said}")
    return found
