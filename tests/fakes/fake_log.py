"""What a fake keeps: a synced line for each message that reached somebody, the only judge of doubles and losses; and what it was
told to do next.

Nothing here knows omni. A line is JSON: `{"fake", "request", "touch", "attempt", "to", "hash", …}`; it is on disk before the fake
answers, so a fake that is killed after it answered has never forgotten a message.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


class Log:
    """Lines in the order in which they were accepted; with a path, each batch of them is written and synced."""

    def __init__(self, path: Path | str | None = None) -> None:
        self.lines: list[Line] = []
        self.path = Path(path) if path is not None else None
        self._lock = threading.Lock()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if self.path is not None else None

    def write(self, lines: Iterable[Line]) -> None:
        """Keep these lines (and when they came, in seconds); returns when they are on disk."""
        at = time.time()
        lines = [{**line, "at": at} for line in lines]
        if not lines:
            return
        with self._lock:
            self.lines.extend(lines)
            if self._file is not None:
                os.write(self._file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
                os.fdatasync(self._file)

    def touches(self) -> Counter[str]:
        """How many messages each touch came to. A message without a touch counts under its recipient and what it said."""
        with self._lock:
            return Counter(str(line.get("touch") or f"{line.get('to')} {line.get('hash')}") for line in self.lines)

    def doubles(self) -> dict[str, int]:
        """Touches that reached somebody more than once."""
        return {touch: count for touch, count in self.touches().items() if count > 1}

    def recipients(self) -> list[str]:
        with self._lock:
            return [str(line["to"]) for line in self.lines]

    def clear(self) -> None:
        with self._lock:
            self.lines.clear()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __len__(self) -> int:
        return len(self.lines)


def read_log(path: Path | str) -> list[dict[str, Any]]:
    """The lines of a fake that ran as a process. A last line without its end was never answered and is left out."""
    text = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def touch_of(mark: str | None) -> tuple[str | None, int | None]:
    """The touch and the attempt that a mark `<touch>.<attempt>.<tag>` (or a Message-ID's left side) names."""
    parts = (mark or "").strip("<> ").split("@")[0].split(".")
    if len(parts) < 2 or not parts[1].isdigit():
        return (parts[0] or None), None
    return parts[0], int(parts[1])


@dataclass
class Do:
    """One thing a fake was told: `what` to do, for the next `times` (None: until told otherwise) that fit `match`."""

    what: str
    times: int | None = None
    match: str | None = None
    on: str = "send"
    with_: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, otherwise: Any = None) -> Any:
        return self.with_.get(name, otherwise)


class Told:
    """What a fake was told, the latest first; `next` takes one use of the first that fits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._list: list[Do] = []

    def add(self, do: Do) -> None:
        with self._lock:
            self._list.insert(0, do)

    def clear(self) -> None:
        with self._lock:
            self._list.clear()

    def next(self, text: str, *, on: Sequence[str]) -> Do | None:
        with self._lock:
            for do in self._list:
                if do.on in on and (do.match is None or do.match in text):
                    if do.times is not None:
                        do.times -= 1
                        if do.times <= 0:
                            self._list.remove(do)
                    return do
        return None
