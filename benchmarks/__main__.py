"""`python -m benchmarks NAME --contacts N --json`: one benchmark, with its floor from the same run; `all` runs every one.

`result.ratio` is omni's time by the floor's (or by the peer's): smaller is better; `result.goal` says what is aimed at.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import goals, keeping
from benchmarks.machine import machine
from benchmarks.rows import NAMES, ROWS, Row, row

PATIENCE = {"small": 120, "full": 7200}


def main() -> int:
    asked = _asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers of a benchmark's own end with it
    if asked.keep:
        os.environ[keeping.VARIABLE] = str(Path(asked.keep).resolve())
    if asked.name == "all":
        return _all(asked.contacts, Path(asked.out), asked.only)
    one = row(asked.name)
    found = measured(one, _size(one, asked.contacts))
    if asked.out:
        _write(Path(asked.out), found)
    if asked.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif not asked.out:
        _print(found)
    return 0


def _asked() -> argparse.Namespace:
    listed = "\n".join(f"  {one.name:<9} {one.says}" for one in ROWS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"{__doc__}\nbenchmarks:\n{listed}\n  all       every one of them, a process each, into --out FOLDER",
    )  # fmt: skip
    parser.add_argument("name", choices=(*NAMES, "all"), metavar="NAME")
    parser.add_argument(
        "--contacts",
        default="",
        metavar="N",
        help="how many contacts, or: small (a look whether all go), full (what the goals say)",
    )
    parser.add_argument("--json", action="store_true", help="the whole result as JSON on stdout")
    parser.add_argument("--keep", metavar="FOLDER", help="keep generated bases there, and take them from there the next time")
    parser.add_argument(
        "--out", metavar="FOLDER", help="write NAME.N.json there: python -m benchmarks.table FOLDER makes the table"
    )
    parser.add_argument("--only", default="", metavar="A,B", help="with all: these alone")
    asked = parser.parse_args()
    if asked.name == "all" and not asked.out:
        parser.error("all needs --out FOLDER")
    if asked.contacts not in ("", "small", "full") and not (asked.contacts.isdigit() and int(asked.contacts) > 0):
        parser.error(f"--contacts {asked.contacts}: a number, small or full")
    if wrong := [name for name in asked.only.split(",") if name and name not in NAMES]:
        parser.error(f"--only {','.join(wrong)}: there is no such benchmark; there are {', '.join(NAMES)}")
    if asked.only and asked.name != "all":
        parser.error("--only goes with all")
    for option, folder in (("--keep", asked.keep), ("--out", asked.out)):
        if folder and (why := _not_to_be_had(Path(folder))):
            parser.error(f"{option} {folder}: {why}")
    return asked


def _not_to_be_had(folder: Path) -> str | None:
    """Why nothing can be written there: told now, not when the first figures stand."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(folder, os.W_OK) else "not yours to write"


def _size(one: Row, contacts: str) -> int:
    return {"": min(one.full, 100_000), "small": one.small, "full": one.full}.get(contacts) or int(contacts)


def measured(one: Row, contacts: int) -> dict[str, Any]:
    """What the benchmark found, in the one shape that every result has."""
    try:
        bench = importlib.import_module(one.where)
    except ModuleNotFoundError as error:
        found: dict[str, Any] = {"goal": "–", "skipped": f"missing: {error.name}"}
        began = time.perf_counter()
    else:
        began = time.perf_counter()
        found = bench.measure(contacts)
    result = {"contacts": contacts, **found, "took_s": round(time.perf_counter() - began, 1)}
    about = machine() | ({"postgresql": result["postgresql"]} if "postgresql" in result else {})
    return {
        "format_version": "1.0",
        "benchmark": one.name,
        "machine": about,
        "result": result,
        "lines": goals.lines(one.name, result),
    }


def _write(folder: Path, found: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found['benchmark']}.{found['result']['contacts']}.json"
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _print(found: dict[str, Any]) -> None:
    for key, value in found["result"].items():
        print(f"{key:>22}  {value}")
    stated = row(found["benchmark"]).full
    for line in found["lines"]:
        print(_said(line, stated if found["result"]["contacts"] < stated else None))


def _said(line: dict[str, str], stated: int | None) -> str:
    """`stated`: for how many contacts the goal is, where the run had fewer: constants weigh more there, and it says nothing of the goal."""
    met = {"yes": " (met)", "no": " (not met)"}.get(line["met"], "")
    if met and stated is not None:
        met = f" (stated for {stated:,} contacts)"
    return f"  {line['benchmark']}: {line['omni']} · floor {line['floor']} · {line['ratio']} · goal {line['goal']}{met}"


# --- every one of them --------------------------------------------------------------------------------------------------
def _all(contacts: str, out: Path, only: str) -> int:
    """A process each, so that none meets the memory or the modules of another; how many broke is the exit code's matter (1)."""
    wanted = [one for one in ROWS if not only or one.name in only.split(",")]
    broken = [one.name for one in wanted if not _apart(one, contacts, out)]
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _apart(one: Row, contacts: str, out: Path) -> bool:
    size = _size(one, contacts)
    command = [sys.executable, "-m", "benchmarks", one.name, "--contacts", str(size), "--out", str(out)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        said = running.communicate(timeout=PATIENCE.get(contacts, PATIENCE["full"]))[1]
    except subprocess.TimeoutExpired:
        running.terminate()
        running.communicate()
        print(f"{one.name}: not done after {PATIENCE.get(contacts, PATIENCE['full'])} s", file=sys.stderr)
        return False
    if running.returncode:
        print(f"{one.name}: {said.strip()[-2000:]}", file=sys.stderr)
        return False
    found = json.loads((out / f"{one.name}.{size}.json").read_text("utf-8"))
    result = found["result"]
    print(f"{one.name} ({size}, {result['took_s']} s){': ' + result['skipped'] if 'skipped' in result else ''}")
    for line in found["lines"]:
        print(_said(line, one.full if size < one.full else None))
    return True


if __name__ == "__main__":
    sys.exit(main())
