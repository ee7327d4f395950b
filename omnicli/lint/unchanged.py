"""The report of a project in which nothing has changed is told again without reading its files: `omni lint` in a fraction of a second.

What all rules said stands in `.omni/cache/report.json` under a hash of everything they look at (`lint.kept`), the days that it
was said on beside it. Only where `.omni` exists, and only where no store stands beside the project or can be elsewhere: numbers
change by themselves.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from omnicli.lint import kept
from omnicli.lint.run import Found, Report
from omnicli.texts import language

_NAME = "report"


def key_of(root: Path, *, profile: str | None, select: Iterable[str] = ()) -> str | None:
    """The hash of all that decides but the day; None where nothing is kept."""
    if set(select) or not (root / ".omni").is_dir() or (root / ".omni" / "sandbox.db").exists():
        return None
    if os.environ.get("OMNI_DATABASE", "").strip():
        return None
    try:
        texts = tuple(_texts(root))
    except OSError:
        return None
    if "database" in texts[0]:
        return None
    return kept.hashed((*kept.machine(), language(), profile or "", *kept.environment(texts), *texts))


def _texts(root: Path) -> Iterator[str]:
    """Name and text of all that lint reads: `omni.yaml`, campaigns, stories, templates; names alone of what else stands there."""
    yield _text(root / "omni.yaml")
    folder = root / "campaigns"
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        path = folder / name
        yield f"campaigns/{name} {path.is_file()}"
        if name.endswith(".yaml") and path.is_file():
            yield _text(path)
    yield from kept.template_texts(root)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def again(
    root: Path, key: str, *, now: datetime, files: Iterable[str] = (), ignore: Iterable[str] = (), began: float | None = None
) -> Report | None:
    """The report of the project as it stands, cut to these files and without these rules; None when it is not known."""
    began = time.perf_counter() if began is None else began
    try:
        record = kept.read_record(root, _NAME, key)
        if record["days"] != list(kept.days_of(now, record["zone"]) or ()):
            return None
        found = _found(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found.report(files=files, ignore=ignore, began=began)


def _found(record: dict[str, Any]) -> Found:
    findings, silenced = ([kept.finding_of(one) for one in record[name]] for name in ("findings", "silenced"))
    return Found(findings, silenced, (), record["files"], record["lines"], record["profile"], record["compared"])


def keep(root: Path, key: str, found: Found, *, now: datetime, zone: str) -> None:
    """Keep what was found; nothing is kept of a broken rule, of a zone that is none, and of what JSON would change."""
    days = kept.days_of(now, zone)
    if days is None or found.bugs or found.unreadable:
        return
    told = {one.place.file for one in found.findings}
    lines = {file: list(lines) for file, lines in found.lines.items() if file in told}
    record = {**asdict(replace(found, lines=lines)), "days": days, "zone": zone}
    try:
        same = _found(json.loads(json.dumps(record)))
    except (ValueError, TypeError):
        return
    if list(same.findings) == list(found.findings) and list(same.silenced) == list(found.silenced):
        kept.write_record(root, _NAME, key, record)
