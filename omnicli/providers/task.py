"""Work for people: what a task says is archived, and its row stands in `task` in the commit that accepts it.

The row is written by dispatch in T3 with the outcome itself, so a task is never unknown: without the commit there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omnicli.model.touch import Handed, Outcome

_TAKEN = Outcome("accepted", ref="task")


@dataclass(frozen=True)
class Tasks:
    """Takes every touch of a channel that people work."""

    name: str = "task"
    channels: tuple[str, ...] = ("task", "voice")
    batch: int = 500
    repeatable: bool = True
    account: str = "task"

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [_TAKEN] * len(handed)

    def close(self) -> None:
        """Nothing is open."""


def open_tasks(_project: Any, _settings: Mapping[str, Any], _root: Path, *, live: bool) -> Tasks:
    return Tasks()
