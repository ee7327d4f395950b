"""`omni --help` and `omni lint`, against `python -c pass`: medians of wall time, in turn, with compiled modules as pip leaves them.

`lint` of something that has not changed since the round before, unless it is `new` (no `.omni`, nothing is kept) or `edited` (a line
was added to one campaign).
"""

from __future__ import annotations

import os
import resource
import shutil
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
    of `omni lint` on one file by 250 ms. The number of contacts plays no part, but that up to 2,000 two rounds do (CI)."""
    omni = [sys.executable, "-m", "omnicli.cli.main"]
    lint = [*omni, "lint", "-q"]
    edit = ["sh", "-c", 'echo "# a line" >> campaigns/bench.yaml && exec "$0" "$@"', *lint]
    with project() as root, project() as many, tempfile.TemporaryDirectory(prefix="omni-samples-") as folder:
        sample, new = _sample(Path(folder) / "known", known=True), _sample(Path(folder) / "new", known=False)
        (root / ".omni").mkdir()
        _multiply(many)
        commands = {
            "floor": ([sys.executable, "-c", "pass"], root), "help": ([*omni, "--help"], root), "lint": ([*lint, "campaigns/bench.yaml"], root),
            "lint_edited": (edit, root), "lint_sample": (lint, sample), "lint_sample_new": (lint, new), "lint_200": (lint, many),
        }  # fmt: skip
        rounds = REPEATS if contacts > 2_000 else 2
        times, cpu = _medians(commands, Path(folder) / "compiled", rounds)
    bare = times["floor"]
    return {
        "goal": "help ≤ 120 ms over bare Python, lint of one file ≤ 250 ms over, lint of the sample project < 500 ms, of 200 campaigns < 1 s",
        **{f"{name}_ms": ms for name, ms in times.items()}, **{f"{name}_cpu_ms": ms for name, ms in cpu.items()}, "help_over_ms": round(times["help"] - bare, 1),
        "lint_over_ms": round(times["lint"] - bare, 1), "help_by_bare": round(times["help"] / bare, 2), "lint_by_bare": round(times["lint"] / bare, 2),
        "ratio": round((times["help"] - bare) / 120, 3), "lint_ratio": round((times["lint"] - bare) / 250, 3),
        "sample_ratio": round(times["lint_sample"] / 500, 3), "many_ratio": round(times["lint_200"] / 1000, 3), "heavy_imports": heavy_imports(),
    }  # fmt: skip


def _sample(folder: Path, *, known: bool) -> Path:
    """A copy of the sample project; with `.omni` where what lint said may be kept."""
    for part in ("campaigns", "templates"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "omni.yaml", folder / "omni.yaml")
    if known:
        (folder / ".omni").mkdir()
    return folder


def _multiply(root: Path) -> None:
    """200 campaigns that differ in their names."""
    text = (root / "campaigns" / "bench.yaml").read_text("utf-8")
    for n in range(199):
        (root / "campaigns" / f"bench-{n}.yaml").write_text(text.replace("campaign: bench", f"campaign: bench-{n}", 1), "utf-8")
    (root / ".omni").mkdir()


def _medians(
    commands: dict[str, tuple[list[str], Path]], compiled: Path, rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Wall and processor milliseconds of each command in turn, so that a busy machine is busy for all of them alike; the first
    round compiles and is not counted."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled), "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    for n in range(rounds + 1):
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
