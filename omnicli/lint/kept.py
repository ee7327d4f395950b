"""Keeps what the rules about renderings found, so that nothing is rendered again while nothing has changed.

One file, `.omni/cache/lint.json`, under a hash of everything those rules look at: the project's files, the environment that they
name, omni's own code, what is installed beside it, the language, and the days that `now` is in the zones that are rendered. A torn
or foreign file is no file; a project without `.omni` keeps nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import TZPATH, ZoneInfo

from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.texts import language
from omnicli.writing import write_whole

if TYPE_CHECKING:
    from omnicli.lint.ground import Ground

#: The families whose rules look at nothing but renderings, the files and the day.
FAMILIES = ("messages", "typed", "offers", "addresses", "personas", "media", "mails")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: Each entry of `clean.json`, one a campaign, has a key of its own.
_CLEAN = "by campaign"
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
    days = days_of(ground.now, ground.project.time_zone)
    if days is None:
        return None
    texts = tuple(_texts(ground))
    return hashed((*machine(), language(), *days, *environment(texts), *texts))


def hashed(parts: Iterable[str]) -> str:
    """One hash of these texts, in this order and none joined to the next."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode("utf-8", "surrogatepass") + b"\x00")
    return found.hexdigest()


def days_of(now: datetime, zone: str) -> tuple[str, ...] | None:
    """The days that `now` is: for dates in files, for readers here and for the reader farthest ahead; None in an unknown zone."""
    try:
        return tuple(now.astimezone(ZoneInfo(name)).date().isoformat() for name in ("UTC", zone, "Pacific/Auckland"))
    except (ValueError, OSError, LookupError):
        return None


def environment(texts: Iterable[str]) -> tuple[str, ...]:
    """What each `${NAME}` of these texts is set to."""
    names = sorted({name for text in texts if "${" in text for name in _REFERENCE.findall(text)})
    return tuple(f"{name} {os.environ[name]}" if name in os.environ else name for name in names)


def _texts(ground: Ground) -> Iterator[str]:
    for file, source in sorted(ground.loaded.sources.items()):
        yield file
        yield source.text
    yield from template_texts(ground.root)


def template_texts(root: Path) -> Iterator[str]:
    """Name and text of every template below `templates`, sorted."""
    for path in sorted((root / "templates").rglob("*.j2")):
        yield path.relative_to(root).as_posix()
        if path.is_file():
            yield path.read_text("utf-8", errors="surrogateescape")


@cache
def machine() -> tuple[str, ...]:
    """Omni's code by size and time of change, what is installed beside it, and the zones of the world."""
    files = sorted(_walk(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    return (sys.version, *files, *sorted(_installed()), *(_stamp(folder) for folder in TZPATH if os.path.isdir(folder)))


def _installed() -> Iterator[str]:
    """Every distribution on the path: its name holds its version, and installing it anew dates its folder."""
    for folder in sys.path:
        try:
            entries = list(os.scandir(folder or "."))
        except OSError:
            continue
        yield from (_stamp(entry.path) for entry in entries if entry.name.endswith((".dist-info", ".egg-info", ".egg-link")))


def _walk(folder: str) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry.path)
        elif not entry.name.endswith((".pyc", ".pyo")):
            state = entry.stat()
            yield f"{entry.path} {state.st_size} {state.st_mtime_ns}"


def _stamp(file: str) -> str:
    state = os.stat(file)
    return f"{file} {state.st_size} {state.st_mtime_ns}"


def read(root: Path, key: str) -> Kept | None:
    """The findings kept under this key, and how many renderings were compared."""
    try:
        kept = read_record(root, "lint", key)
        return [finding_of(one) for one in kept["findings"]], int(kept["compared"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(root: Path, key: str, findings: Sequence[Finding], compared: int) -> None:
    """Keep them in place of what was kept; nothing happens where that cannot be written."""
    write_record(root, "lint", key, {"compared": compared, "findings": [asdict(one) for one in findings]})


def chapter_keys(ground: Ground) -> dict[str, str]:
    """Campaign → the hash of all that decides what the rules say of its renderings: its own file and what all campaigns share."""
    days = days_of(ground.now, ground.project.time_zone)
    if days is None:
        return {}
    project = ground.loaded.sources["omni.yaml"].text
    shared = hashed((*machine(), language(), *days, *environment((project,)), project, *template_texts(ground.root)))
    found = {}
    for chapter in ground.chapters:
        text = ground.loaded.sources[chapter.file].text
        found[chapter.name] = hashed((shared, *environment((text,)), chapter.file, text))
    return found


def chapters(root: Path, keys: Mapping[str, str]) -> dict[str, Kept]:
    """Those of these campaigns of whose renderings it is kept what the rules said (in their own files), and how many there are."""
    found: dict[str, Kept] = {}
    try:
        known = read_record(root, "clean", _CLEAN) if keys else {}
        for name, key in keys.items():
            if key in known:
                found[name] = [finding_of(one) for one in known[key]["findings"]], int(known[key]["compared"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found


def write_chapters(ground: Ground, keys: Mapping[str, str], findings: Sequence[Finding]) -> None:
    """Keep what is said of each campaign; nothing is kept while something is said of what all of them share, for nobody could tell
    which of them showed it."""
    files = {chapter.file: chapter.name for chapter in ground.chapters}
    said: dict[str, list[Finding]] = {name: [] for name in keys}
    for one in findings:
        if files.get(one.place.file) not in said:
            return
        said[files[one.place.file]].append(one)
    counts = {**ground.grid.counts, **ground.clean}
    record = {}
    for name, key in keys.items():
        plain = [asdict(one) for one in said[name]]
        if [finding_of(one) for one in json.loads(json.dumps(plain))] == said[name]:
            record[key] = {"compared": counts.get(name, 0), "findings": plain}
    write_record(ground.root, "clean", _CLEAN, record)


def read_record(root: Path, name: str, key: str) -> Any:
    """What is kept in `.omni/cache/NAME.json` under this key; OSError or ValueError when that is nothing."""
    head, _, body = (root / ".omni" / "cache" / f"{name}.json").read_text("utf-8").partition("\n")
    if head != f"{key} {_sum(body)}":
        raise ValueError(f"{name}: torn, or of another time")
    return json.loads(body)


def write_record(root: Path, name: str, key: str, value: Any) -> None:
    """Keep the value in place of what was kept; nothing happens where that cannot be written, or there is no `.omni`."""
    body = json.dumps(value, ensure_ascii=True)
    folder = root / ".omni" / "cache"
    try:
        folder.mkdir(exist_ok=True)
        write_whole(folder / f"{name}.json", f"{key} {_sum(body)}\n{body}")
    except OSError:
        return


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def finding_of(kept: dict[str, Any]) -> Finding:
    """The finding that `asdict` and JSON made this of; KeyError or TypeError for anything else."""
    fix = kept["fix"]
    made = None
    if fix is not None:
        edits = tuple(Edit(Place(**edit["place"]), edit["text"]) for edit in fix["edits"])
        made = Fix(fix["title"], edits, fix["safe"], tuple((file, text) for file, text in fix["create"]))
    return Finding(**{**kept, "place": Place(**kept["place"]), "fix": made})
