"""`python -m benchmarks.table FOLDER [PAGE]`: the results of a folder as a Markdown table; with PAGE, written into it.

A result is what `python -m benchmarks NAME --contacts N --json` prints, kept as `NAME.N.json`. In the page the table stands
between `<!-- table -->` and `<!-- /table -->`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.__main__ import NAMES

HEAD = ("benchmark", "contacts", "omni", "floor", "ratio", "ratio of CPU", "goal", "met", "peak MB")


def results(folder: Path) -> list[dict[str, Any]]:
    """Every readable result, in the order of the benchmarks, then by size."""
    found = []
    for path in folder.glob("*.json"):
        try:
            found.append(json.loads(path.read_text("utf-8")))
        except ValueError:
            continue
    return sorted(found, key=lambda one: (NAMES.index(one["benchmark"]), one["result"].get("contacts", 0)))


def rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    table: list[tuple[str, ...]] = []
    for one in found:
        name, r = one["benchmark"], one["result"]
        if name == "startup":
            table += _startup(r)
        elif name == "segment":
            omni, floor = (sum(c[key] for c in r["conditions"]) for key in ("omni_ms", "floor_ms"))
            table.append(_row(name, r, f"{omni:.1f} ms", f"{floor:.1f} ms", 1.2))
        elif name == "import":
            table.append(_row(name, r, f"{r['us_a_row']} µs a row", f"{r['floor_us']} µs", 1.5))
        elif name == "smtp" and "skipped" not in r:
            table.append(_row(name, r, f"{r['us_a_mail']} µs a mail", f"{r['mailmerge_us']} µs", 0.2))
        elif name == "webhook":
            table.append(_row(name, r, f"{r['us_an_event']} µs an event", f"{r['floor_us']} µs", 2))
            met = "yes" if r["p99_ms"] <= 250 else "no"
            table.append(("webhook, 300 requests a second", str(r["steady_asked"]), f"p99 {r['p99_ms']} ms", "–", f"p50 {r['p50_ms']} ms",
                          f"{r['cpu_ms_a_request']} ms each", "p99 ≤ 250 ms", met, ""))  # fmt: skip
        elif name == "tick":
            table.append(_row("tick, due", r, f"{r['us_a_pass']} µs a pass", f"{r['floor_us']} µs", 4))
            met = "yes" if r["empty_ms"] <= 5 else "no"
            grown = f"{r['empty_growth']} × that of {_small(r)} contacts"
            table.append(("tick, nothing due", _count(r), f"{r['empty_ms']} ms", "–", grown, "–", "flat, ≤ 5 ms", met, _peak(r)))
        else:
            table.append(_row(name, r, f"{r['us_a_touch']} µs a touch", f"{r['floor_us']} µs", 0.75 if name == "e2e" else 0.4))
            if name == "e2e":
                part = {**r, "ratio": round(r["dispatch_s"] / r["floor_s"], 3), "cpu_ratio": "–"}
                table.append(
                    _row(
                        "e2e, of which dispatch",
                        part,
                        f"{r['dispatch_s'] / r['accepted'] * 1e6:.1f} µs a touch",
                        f"{r['floor_us']} µs",
                        0.4,
                    )
                )
                size = r["bytes_a_touch"]
                table.append(
                    (
                        "e2e, on disk",
                        _count(r),
                        f"{size} bytes a touch",
                        "–",
                        "–",
                        "–",
                        "≤ 400 bytes",
                        "yes" if size <= 400 else "no",
                        "",
                    )
                )
    return table


def _startup(r: dict[str, Any]) -> list[tuple[str, ...]]:
    bare = f"{r['floor_ms']} ms"
    lines = (("omni --help", "help_ms", "help_over_ms", 120), ("omni lint, one file", "lint_ms", "lint_over_ms", 250))
    table: list[tuple[str, ...]] = [
        (
            f"startup: {title}",
            "–",
            f"{r[key]} ms",
            bare,
            f"+ {r[over]} ms",
            f"+ {_more(r, key)} ms",
            f"≤ + {most} ms",
            "yes" if r[over] <= most else "no",
            "",
        )
        for title, key, over, most in lines
    ]
    sample = r["lint_sample_ms"]
    table.append(
        ("startup: omni lint, the sample", "–", f"{sample} ms", bare, "–", "–", "< 500 ms", "yes" if sample < 500 else "no", "")
    )
    return table


def _more(r: dict[str, Any], key: str) -> str:
    """Processor milliseconds over bare Python."""
    ours = r.get(key.replace("_ms", "_cpu_ms"))
    return "–" if ours is None else str(round(ours - r["floor_cpu_ms"], 1))


def _small(r: dict[str, Any]) -> str:
    return next((key.removeprefix("empty_ms_at_") for key in r if key.startswith("empty_ms_at_")), "?")


def _row(name: str, r: dict[str, Any], omni: str, floor: str, most: float) -> tuple[str, ...]:
    met = "yes" if r["ratio"] <= most else "no"
    return name, _count(r), omni, floor, str(r["ratio"]), str(r.get("cpu_ratio", "–")), f"≤ {most}", met, _peak(r)


def _count(r: dict[str, Any]) -> str:
    return f"{r['contacts']:,}".replace(",", " ")


def _peak(r: dict[str, Any]) -> str:
    return str(round(r["peak_mb"])) if "peak_mb" in r else ""


def machine(found: list[dict[str, Any]]) -> str:
    """The machine that the results name and this one's processors and memory: run it where the benchmarks ran."""
    about = found[0]["machine"] if found else {}
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown processor"
    )
    memory = next((int(line.split()[1]) // 1_048_576 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    loads = [one["machine"]["load"] for one in found if "load" in one["machine"]]
    busy = f" Load average where it was noted: {min(loads)} to {max(loads)}." if loads else ""
    return f"{os.cpu_count()} cores ({model}), {memory} GB, Python {about.get('python')}, SQLite {about.get('sqlite')}, {about.get('machine')}.{busy}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []


def markdown(found: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(found)]
    return "\n".join(["Machine: " + machine(found), "", *lines])


def main() -> int:
    found = results(Path(sys.argv[1]))
    text = markdown(found)
    if len(sys.argv) > 2:
        page = Path(sys.argv[2])
        whole = re.sub(r"(?s)(<!-- table -->\n).*?(<!-- /table -->)", lambda m: f"{m[1]}{text}\n{m[2]}", page.read_text("utf-8"))
        page.write_text(whole, "utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
