"""What one round of delivering did, in numbers and lines for a person."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["DispatchReport"]


@dataclass
class DispatchReport:
    """What one round did. `cost` in millionths; `held` were put back under a guard; `open_unknown` counts the touches of
    these campaigns that are unknown or parked now; `stuck`: something is due that only a person can let go (a full disk, an
    account that refuses us); `problems` are lines for a person."""

    accepted: int = 0
    rejected: int = 0
    skipped: int = 0
    unknown: int = 0
    retried: int = 0
    held: int = 0
    render_failed: int = 0
    cost: int = 0
    by_channel: dict[str, int] = field(default_factory=dict)
    unknown_touches: tuple[str, ...] = ()
    open_unknown: int = 0
    stuck: bool = False
    problems: tuple[str, ...] = ()

    def problem(self, line: str) -> None:
        if line not in self.problems:
            self.problems = (*self.problems, line)
