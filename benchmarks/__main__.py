"""`python -m benchmarks NAME --contacts N --json`: one benchmark, with its floor from the same run.

`result.ratio` is omni's time by the floor's (or by the peer's): smaller is better; `result.goal` says what is aimed at.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sqlite3
import sys
from typing import Any

NAMES = ("startup", "import", "segment", "tick", "dispatch", "e2e", "deliver", "smtp", "webhook", "simulate", "lives")
MODULES = {"import": "importing"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--contacts", type=int, default=100_000, metavar="N")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    bench = importlib.import_module(f"benchmarks.{MODULES.get(asked.name, asked.name)}")
    result: dict[str, Any] = bench.measure(asked.contacts)
    if asked.json:
        machine = {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "machine": platform.machine(),
            "load": round(os.getloadavg()[0], 1),
        }
        print(json.dumps({"format_version": "1.0", "benchmark": asked.name, "machine": machine, "result": result}, indent=2))
    else:
        for key, value in result.items():
            print(f"{key:>22}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
