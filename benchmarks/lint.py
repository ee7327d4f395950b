"""`omni lint` of 200 campaigns and of one with 3,000 lines, against `yaml.compose` of the same files by the C loader.

Each in four states: cold (no `.omni`: nothing is kept from one run to the next), `first` (something may be kept, nothing is yet),
`warm` (nothing has changed since) and `edited` (one campaign has a new message since). Every run is a process of its own; what it
costs to start one that does nothing is `bare_ms`, what the command line costs by itself `help_ms`.
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

from benchmarks.ground import CAMPAIGN, Watch, project

ROOT = Path(__file__).parent.parent
CAMPAIGNS, LINES = 200, 3000
#: How often what is cold is run (it takes seconds), and what is not.
COLD, WARM = 1, 3


def measure(contacts: int) -> dict[str, Any]:
    """Milliseconds of wall time (`_ms`) and of the processor (`_cpu_ms`), medians; `many_ms` and `long_ms` are cold. Below 100,000
    contacts, which play no other part, a tenth of the campaigns and of the lines."""
    part = 1 if contacts >= 100_000 else 10
    campaigns, lines = CAMPAIGNS // part, LINES // part
    with project() as many, project() as long, tempfile.TemporaryDirectory(prefix="omni-pyc-") as compiled:
        _multiply(many, campaigns)
        (long / "campaigns" / "bench.yaml").write_text(long_campaign(lines), "utf-8")
        meter = _Meter(compiled, WARM if part == 1 else 1)
        result: dict[str, Any] = {
            "goal": "200 campaigns ≤ 1 s; one of 3,000 lines ≤ 0.3 s",
            "campaigns": campaigns,
            **meter.alone(),
        }
        for name, root, edited in (("many", many, "bench-7"), ("long", long, "bench")):
            result |= {f"{name}_{state}": value for state, value in meter.states(root, edited).items()}
    for name in ("many", "long"):
        result[f"{name}_by_compose"] = round(result[f"{name}_ms"] / result[f"{name}_floor_ms"], 1)
    return result | {
        "ratio": result["many_by_compose"],
        "cpu_ratio": round(result["many_cpu_ms"] / result["many_floor_cpu_ms"], 1),
    }


def _multiply(root: Path, campaigns: int) -> None:
    """So many campaigns that differ in their names."""
    text = (root / "campaigns" / "bench.yaml").read_text("utf-8")
    for n in range(campaigns - 1):
        (root / "campaigns" / f"bench-{n}.yaml").write_text(text.replace("campaign: bench", f"campaign: bench-{n}", 1), "utf-8")


def long_campaign(lines: int = LINES) -> str:
    """One campaign of so many lines: as many messages, each sent once, one after the other."""
    head, _, rest = CAMPAIGN.partition("  offre:\n")
    message, _, _ = rest.partition("flow:\n")
    each = message.count("\n") + 6
    count = (lines - head.count("\n")) // each
    messages = "".join(f"  offre{n}:\n{message.replace('BIENVENUE20', f'BIENVENUE{n:03}')}" for n in range(count))
    flow = "".join(f"  - send: offre{n}\n    id: j{n}\n    by: email\n  - wait: 3 days\n    id: w{n}\n" for n in range(count))
    return f"{head}{messages}flow:\n{flow}"


class _Meter:
    """Runs commands as processes, with modules compiled as pip leaves them."""

    def __init__(self, compiled: str, warm: int) -> None:
        self.warm = warm
        self.environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONPATH": str(ROOT)}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def alone(self) -> dict[str, float]:
        with project() as root:  # compiles
            self._run([sys.executable, "-m", "omnicli.cli.main", "lint", "-q"], root)
        bare = self._median([sys.executable, "-c", "pass"], ROOT, "bare")
        return bare | self._median([sys.executable, "-m", "omnicli.cli.main", "--help"], ROOT, "help")

    def states(self, root: Path, edited: str) -> dict[str, Any]:
        lint = [sys.executable, "-m", "omnicli.cli.main", "lint", "-q"]
        files = sorted((root / "campaigns").glob("*.yaml"))
        found: dict[str, Any] = {"lines": sum(path.read_text("utf-8").count("\n") for path in files), **_compose(files)}
        cold = self._median(lint, root, "cold", COLD)
        found |= {name.removeprefix("cold_"): value for name, value in cold.items()}
        found |= self._median(lint, root, "first", COLD, before=lambda: _empty(root / ".omni"))
        found |= self._median(lint, root, "warm")
        return found | self._median(lint, root, "edited", before=lambda: _edit(root / "campaigns" / f"{edited}.yaml"))

    def _median(self, command: list[str], root: Path, name: str, times: int = 0, *, before: Any = None) -> dict[str, float]:
        wall, processor = [], []
        for _ in range(times or self.warm):
            if before is not None:
                before()
            seconds, cpu = self._run(command, root)
            wall.append(seconds)
            processor.append(cpu)
        return {
            f"{name}_ms": round(statistics.median(wall) * 1000, 1),
            f"{name}_cpu_ms": round(statistics.median(processor) * 1000, 1),
        }

    def _run(self, command: list[str], root: Path) -> tuple[float, float]:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        with Watch() as watch:
            said = subprocess.run(command, cwd=root, capture_output=True, check=False, env=self.environment)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        if said.returncode not in (0, 1):
            raise RuntimeError(said.stderr.decode()[-2000:])
        return watch.seconds, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def _compose(files: list[Path]) -> dict[str, float]:
    """The floor: the files as nodes with positions, by libyaml."""
    import yaml

    times = []
    for _ in range(WARM):
        with Watch() as watch:
            for path in files:
                yaml.compose(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
        times.append((watch.seconds, watch.cpu))
    wall, cpu = (statistics.median(one) * 1000 for one in zip(*times, strict=True))
    return {"floor_ms": round(wall, 1), "floor_cpu_ms": round(cpu, 1)}


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _edit(path: Path) -> None:
    """Another word in what one message says."""
    text = path.read_text("utf-8")
    path.write_text(text.replace("headline: Welcome to the moon", "headline: Welcome to the moon now", 1), "utf-8")
