"""`omni --help` and `omni lint`, against `python -c pass`: medians of wall time, in turn, with compiled modules as pip leaves them."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.ground import Watch, project

REPEATS = 11
ROOT = Path(__file__).parent.parent

#: CLI modules may import typer at their top, and none of these (docs: architecture, start-up).
HEAVY = (
    "pydantic",
    "lark",
    "jinja2",
    "sqlalchemy",
    "alembic",
    "babel",
    "holidays",
    "phonenumbers",
    "css_inline",
    "apscheduler",
    "yaml",
    "rich.table",
)


def measure(contacts: int) -> dict[str, Any]:
    """Milliseconds; `ratio` is what `--help` costs over bare Python by the goal of 120 ms (at most 1), `lint_ratio` the same
    of `omni lint` on one file by 250 ms. The number of contacts plays no part."""
    omni = [sys.executable, "-m", "omnicli.cli.main"]
    with project() as root, tempfile.TemporaryDirectory(prefix="omni-pyc-") as compiled:
        commands = {
            "floor": ([sys.executable, "-c", "pass"], root), "help": ([*omni, "--help"], root),
            "lint": ([*omni, "lint", "campaigns/bench.yaml", "-q"], root), "lint_sample": ([*omni, "lint", "-q"], ROOT),
        }  # fmt: skip
        times, cpu = _medians(commands, Path(compiled))
    bare = times["floor"]
    return {
        "goal": "help ≤ 120 ms over bare Python, lint of one file ≤ 250 ms over, lint of the sample project < 500 ms",
        **{f"{name}_ms": ms for name, ms in times.items()}, **{f"{name}_cpu_ms": ms for name, ms in cpu.items()}, "help_over_ms": round(times["help"] - bare, 1),
        "lint_over_ms": round(times["lint"] - bare, 1), "help_by_bare": round(times["help"] / bare, 2), "lint_by_bare": round(times["lint"] / bare, 2),
        "ratio": round((times["help"] - bare) / 120, 3), "lint_ratio": round((times["lint"] - bare) / 250, 3),
        "sample_ratio": round(times["lint_sample"] / 500, 3), "heavy_imports": heavy_imports(),
    }  # fmt: skip


def _medians(commands: dict[str, tuple[list[str], Path]], compiled: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Wall and processor milliseconds of each command in turn, so that a busy machine is busy for all of them alike; the first
    round compiles and is not counted."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled), "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    for n in range(REPEATS + 1):
        for name, (command, folder) in commands.items():
            before = _children()
            with Watch() as watch:
                subprocess.run(command, cwd=folder, capture_output=True, check=False, env=environment)
            if n:
                times[name].append(watch.seconds * 1000)
                cpu[name].append((_children() - before) * 1000)
    wall, processor = ({name: round(statistics.median(found), 1) for name, found in one.items()} for one in (times, cpu))
    return wall, processor


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def heavy_imports() -> list[str]:
    """CLI modules after whose import a package is there that they should import only when they are called."""
    modules = [f"omnicli.cli.{path.stem}" for path in sorted((ROOT / "omnicli" / "cli").glob("*.py")) if path.stem != "__init__"]
    code = (
        "import sys, importlib, typer\n"
        f"for name in {modules!r}:\n"
        "    before = set(sys.modules)\n"
        "    importlib.import_module(name)\n"
        f"    found = [m for m in {HEAVY!r} if m in sys.modules and m not in before]\n"
        "    if found: print(name, *found)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return said.splitlines()
