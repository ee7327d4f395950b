"""Apply fixes: edits at the node's span, in rounds, everything else byte for byte; files are replaced atomically."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from omnicli.model.finding import Edit, Finding
from omnicli.writing import write_whole

ROUNDS = 10


def apply(text: str, edits: Iterable[Edit]) -> tuple[str, int]:
    """The text with the edits made, last first; an edit that overlaps one already made is left for the next round."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    spans = sorted({(_offset(starts, e.place.line, e.place.column), _offset(starts, e.place.end_line, e.place.end_column), e.text)
                    for e in edits}, reverse=True)  # fmt: skip
    made, floor = 0, len(text) + 1
    for start, end, new in spans:
        if end > floor or start > end:
            continue
        text = text[:start] + new + text[end:]
        floor = start
        made += 1
    return text, made


def _offset(starts: list[int], line: int, column: int) -> int:
    return starts[min(line, len(starts)) - 1] + column - 1


def mend(
    root: Path, find: Callable[[], tuple[Finding, ...]], *, unsafe: bool, write: bool,
) -> tuple[dict[str, tuple[str, str]], int]:  # fmt: skip
    """Apply fixes until none is left (at most ten rounds). `find` lints what lies on the disk.

    Gives file → (text before, text after), and how many edits were made. With `write` False one round is reckoned and
    nothing is written.
    """
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    total = 0
    for _ in range(ROUNDS if write else 1):
        by_file: dict[str, list[Edit]] = defaultdict(list)
        created: dict[str, str] = {}
        for finding in find():
            if finding.fix and (finding.fix.safe or unsafe):
                for edit in finding.fix.edits:
                    by_file[edit.place.file].append(edit)
                created.update(finding.fix.create)
        made = 0
        for file, edits in by_file.items():
            path = root / file
            if not _inside(root, path) or not path.exists():
                continue
            with path.open("r", encoding="utf-8-sig", newline="") as handle:
                old = handle.read()
            new, count = apply(old, edits)
            if new == old:
                continue
            made += count
            before.setdefault(file, old)
            after[file] = new
            if write:
                write_whole(path, new, sync=True)
        for file, text in created.items():
            path = root / file
            if _inside(root, path) and not path.exists():
                before.setdefault(file, "")
                after[file] = text
                made += 1
                if write:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, text, sync=True)
        total += made
        if not made:
            break
    return {file: (before[file], after[file]) for file in sorted(after)}, total


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def diff(changes: dict[str, tuple[str, str]]) -> str:
    """The unified diff of what changed or would change."""
    rows: list[str] = []
    for file, (old, new) in changes.items():
        rows += difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{file}", f"b/{file}", lineterm="")
    return "\n".join(rows)
