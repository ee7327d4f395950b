"""`python -m benchmarks.table FOLDER [PAGE]`: the results of a folder as a Markdown table; with PAGE, written into it.

A result is what `python -m benchmarks NAME --contacts N --json` prints, kept as `NAME.N.json` (`--out FOLDER` does so). In the page the
table stands between `<!-- table -->` and `<!-- /table -->`. Every goal has a row: one that nothing was measured of says so.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import goals, machine
from benchmarks.rows import NAMES

HEAD = ("benchmark", "contacts", "omni", "floor", "ratio", "ratio of CPU", "goal", "met", "peak MB")


def results(folder: Path) -> list[dict[str, Any]]:
    """Every readable result, in the order of the benchmarks, then by size."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            one = json.loads(path.read_text("utf-8"))
        except ValueError:
            print(f"{path}: not a result, left out", file=sys.stderr)
            continue
        if one.get("benchmark") in NAMES:
            found.append(one)
    return sorted(found, key=lambda one: (NAMES.index(one["benchmark"]), one["result"].get("contacts", 0)))


def rows(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """A row for each line of each result; and for the goals that none of them speaks of, one that says so."""
    made = {name: [goals.lines(name, one["result"]) for one in found if one["benchmark"] == name] for name in NAMES}
    spoken = {line["benchmark"] for lists in made.values() for lines in lists for line in lines}
    table: list[dict[str, str]] = []
    for name in NAMES:
        table += [line for lines in made[name] for line in lines]
        why = next(
            (one["result"]["skipped"] for one in found if one["benchmark"] == name and "skipped" in one["result"]), "not measured"
        )
        table += [{"benchmark": line.what, "omni": why, "goal": line.words, "met": "–"} for line in goals.LINES
                  if line.bench == name and line.most is not None and line.what not in spoken]  # fmt: skip
    return table


def markdown(found: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(row.get(cell, "") for cell in HEAD) + " |" for row in rows(found)]
    return "\n".join(["Machine: " + machine.words([one["machine"] for one in found]), "", *lines])


def into(page: Path, mark: str, text: str) -> None:
    """Put the text between `<!-- mark -->` and `<!-- /mark -->` of the page."""
    whole = page.read_text("utf-8")
    if f"<!-- {mark} -->" not in whole:
        raise SystemExit(f"{page}: there is no <!-- {mark} --> in it")
    page.write_text(re.sub(rf"(?s)(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", lambda m: f"{m[1]}{text}\n{m[2]}", whole), "utf-8")


def written(name: str, text_of: Callable[[list[dict[str, Any]]], str]) -> int:
    """The command line `python -m NAME FOLDER [PAGE]`: the text of the folder's results, printed or put into the page."""
    if len(sys.argv) not in (2, 3) or not Path(sys.argv[1]).is_dir():
        print(f"usage: python -m {name} FOLDER [PAGE]", file=sys.stderr)
        return 2
    text = text_of(results(Path(sys.argv[1])))
    if len(sys.argv) == 3:
        into(Path(sys.argv[2]), "table", text)
    else:
        print(text)
    return 0


def main() -> int:
    return written("benchmarks.table", markdown)


if __name__ == "__main__":
    sys.exit(main())
