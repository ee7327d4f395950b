"""Keeps what the rules about renderings found, so that nothing is rendered again while nothing has changed.

One file, `.omni/cache/lint.json`, under a hash of everything those rules look at: the project's files, omni's own code, the
libraries that print, the language, and the days that `now` is in the zones that are rendered. A torn or foreign file is no
file; a project without `.omni` keeps nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.texts import language

if TYPE_CHECKING:
    from omnicli.lint.ground import Ground

#: The families whose rules look at nothing but renderings, the files and the day.
FAMILIES = ("messages", "typed", "offers", "addresses", "personas", "media", "mails")
_LIBRARIES = ("jinja2", "babel", "markupsafe", "css_inline", "phonenumbers", "yaml")
Kept = tuple[list[Finding], int]


def key_of(ground: Ground) -> str | None:
    """The hash of all that decides; None for a ground that is narrowed or prepared, whose findings are its own."""
    if (
        ground.only is not None
        or ground.reader is not None
        or ground.online
        or ground.overlay
        or not (ground.root / ".omni").is_dir()
    ):
        return None
    try:
        days = [
            ground.now.astimezone(ZoneInfo(zone)).date().isoformat()
            for zone in ("UTC", ground.project.time_zone, "Pacific/Auckland")
        ]
    except (ValueError, OSError, LookupError):
        return None
    found = hashlib.sha256()
    for part in (*_machine(), language(), *days, *_texts(ground)):
        found.update(part.encode("utf-8", "surrogatepass") + b"\x00")
    return found.hexdigest()


def _texts(ground: Ground) -> Iterator[str]:
    for file, source in sorted(ground.loaded.sources.items()):
        yield file
        yield source.text
    for path in sorted((ground.root / "templates").rglob("*.j2")):
        yield path.relative_to(ground.root).as_posix()
        yield path.read_text("utf-8", errors="surrogateescape")


@cache
def _machine() -> tuple[str, ...]:
    """Omni's code and the libraries', by size and time of change."""
    files = sorted(path for path in _walk(Path(__file__).resolve().parents[1]))
    origins = [spec.origin for name in _LIBRARIES if (spec := find_spec(name)) is not None and spec.origin]
    return (sys.version, *files, *(_stamp(origin) for origin in origins))


def _walk(folder: Path) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(Path(entry.path))
        elif not entry.name.endswith((".pyc", ".pyo")):
            state = entry.stat()
            yield f"{entry.path} {state.st_size} {state.st_mtime_ns}"


def _stamp(file: str) -> str:
    state = os.stat(file)
    return f"{file} {state.st_size} {state.st_mtime_ns}"


def read(root: Path, key: str) -> Kept | None:
    """The findings kept under this key, and how many renderings were compared."""
    try:
        head, _, body = (root / ".omni" / "cache" / "lint.json").read_text("utf-8").partition("\n")
        if head != f"{key} {_sum(body)}":
            return None
        kept = json.loads(body)
        return [_finding(one) for one in kept["findings"]], int(kept["compared"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(root: Path, key: str, findings: Sequence[Finding], compared: int) -> None:
    """Keep them in place of what was kept; nothing happens where that cannot be written."""
    body = json.dumps({"compared": compared, "findings": [asdict(one) for one in findings]}, ensure_ascii=True)
    folder = root / ".omni" / "cache"
    try:
        folder.mkdir(exist_ok=True)
        made = folder / f"lint.json.{os.getpid()}"
        made.write_text(f"{key} {_sum(body)}\n{body}", "utf-8")
        os.replace(made, folder / "lint.json")
    except OSError:
        return


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _finding(kept: dict[str, Any]) -> Finding:
    fix = kept["fix"]
    made = None
    if fix is not None:
        edits = tuple(Edit(Place(**edit["place"]), edit["text"]) for edit in fix["edits"])
        made = Fix(fix["title"], edits, fix["safe"], tuple((file, text) for file, text in fix["create"]))
    return Finding(**{**kept, "place": Place(**kept["place"]), "fix": made})
