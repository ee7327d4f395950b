"""In a process of its own: one of several workers at an instant that the test names, until nothing is due."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path


def until_nothing_is_due(folder: str, instant: str, every: str = "1") -> int:
    from omnicli import clock
    from omnicli.service.workers import QUEUES, Crew

    at = clock.read_instant(instant, "Europe/Paris")
    crew = Crew(Path(folder), False, 1, QUEUES, timedelta(seconds=float(every)), lambda *_: None, print, once=True, at=at)
    return crew.run()
