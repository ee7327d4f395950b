"""The sandbox carries every channel to nobody: each message becomes a page in `outbox/sandbox/`, listed by its index.

The first 1,000 messages of a run are written (the index says how many there were in all); any other is printed by
`omni touch show`. Names come from the touch, so doing it again writes the same file, and the index tells a touch once. It
never opens a socket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from omnicli import clock
from omnicli.model.touch import Handed, Outcome
from omnicli.providers import pages
from omnicli.providers.file import make, name_of
from omnicli.writing import write_whole

#: Messages of a run that become files (docs/language 3).
MOST = 1000
FOLDER = "outbox/sandbox"
LEDGER = ".messages.jsonl"
RUNS = ".runs.jsonl"
#: What is said of a message that stands in the archive alone.
_CARRIED = Outcome("accepted", ref="sandbox")


def index_path(root: Path) -> Path:
    """The page to open."""
    return root / FOLDER / "index.html"


@dataclass
class Sandbox:
    """`counts` are all messages of this run by channel, `written` those that became files."""

    folder: Path
    house: pages.House
    most: int = MOST
    name: str = "sandbox"
    channels: tuple[str, ...] = ()
    batch: int = 1000
    repeatable: bool = True
    account: str = "sandbox"
    counts: dict[str, int] = field(default_factory=dict)
    written: int = 0
    _at: datetime | None = None
    _made: set[Path] = field(default_factory=set)

    def whole(self) -> int:
        """How many more messages of this run become files."""
        return max(0, self.most - self.written)

    @property
    def said(self) -> Outcome:
        """What `rest` will say, known beforehand: nobody is called for those."""
        return _CARRIED

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        """Write what still may be written; the rest is accepted too, its message stands in the archive."""
        self._at = now
        for one in handed:
            self.counts[one.channel] = self.counts.get(one.channel, 0) + 1
        first = handed[: self.whole()]
        found: list[Outcome] = []
        entries: list[Mapping[str, Any]] = []
        for one in first:  # page and entry show the same line of it
            found.append(self._write(one, now))
            entries.append(pages.entry(one, name_of(one, "html"), now, self.house))
        if first:
            self._list(entries)
        self.written += len(first)
        return found + [_CARRIED] * (len(handed) - len(first))

    def rest(self, counts: Mapping[str, int], *, now: datetime) -> Outcome:
        """So many more, by channel, whose messages stand in the archive only."""
        self._at = now
        for channel, count in counts.items():
            self.counts[channel] = self.counts.get(channel, 0) + count
        return _CARRIED

    def _write(self, one: Handed, now: datetime) -> Outcome:
        name = name_of(one, "html")
        path = self.folder / name
        if path.parent not in self._made:
            make(path.parent)
            self._made.add(path.parent)
        write_whole(path, pages.message_page(one, now, self.house))
        return Outcome("accepted", ref=name)

    def _list(self, entries: Sequence[Mapping[str, Any]]) -> None:
        lines = "".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n" for entry in entries)
        with open(self.folder / LEDGER, "a", encoding="utf-8") as ledger:
            ledger.write(lines)

    def close(self) -> None:
        """Write the index anew: every message of every run that stands in this folder."""
        if self._at is None and not self._behind():
            return
        if self._at is not None:
            run = {"at": clock.to_ms(self._at), "counts": dict(sorted(self.counts.items())), "written": self.written}
            with open(self.folder / RUNS, "a", encoding="utf-8") as runs:
                runs.write(json.dumps(run, separators=(",", ":")) + "\n")
        self._at, self.counts, self.written = None, {}, 0
        for name, text in pages.index_pages(_read(self.folder / LEDGER), _read(self.folder / RUNS), self.house).items():
            path = self.folder / name
            make(path.parent)
            write_whole(path, text)

    def _behind(self) -> bool:
        """Whether a run ended without its index: it was killed."""
        ledger, index = self.folder / LEDGER, self.folder / "index.html"
        return ledger.exists() and (not index.exists() or index.stat().st_mtime_ns < ledger.stat().st_mtime_ns)


def _read(path: Path) -> list[dict[str, Any]]:
    """The lines of a ledger; one torn by a crash is left out."""
    found: list[dict[str, Any]] = []
    if not path.exists():
        return found
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def open_sandbox(project: Any, _settings: Mapping[str, Any], root: Path, *, live: bool) -> Sandbox:
    folder = root / FOLDER
    make(folder)
    return Sandbox(folder, pages.House.of(project), channels=(*project.channels, "webhook"))
