"""In a process of its own: parts of a live tick that the reliability tests need apart, on the store of a folder.

No lock of the project is taken: what keeps these workers from harming one another is the claim, the fence and the index alone.
"""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from omnicli import clock
from omnicli.campaigns.dispatch import dispatch
from omnicli.campaigns.enter import enter
from omnicli.campaigns.respond import fold
from omnicli.campaigns.turn import turn
from omnicli.providers import build, close
from omnicli.render.links import Signing
from omnicli.render.renderer import Renderer
from omnicli.store import keys


class Work:
    """Everything that a round of dispatch wants."""

    def __init__(self, folder: str) -> None:
        from omnicli.app import open_project, open_store

        self.loaded = open_project(Path(folder))
        self.store = open_store(self.loaded, live=True)
        assert self.loaded.project is not None
        held = keys.of_store(self.store, self.loaded.project.project)
        self.renderer = Renderer(self.loaded.root, self.loaded.project, live=True, signing=Signing(held.key, held.current))

    def decide(self, now: datetime) -> None:
        fold(self.store, self.loaded, now=now)
        enter(self.store, self.loaded, now=now)
        turn(self.store, self.loaded, now=now, usable=self.renderer.usable, live=True)

    def send(self, now: datetime, providers: Any, most: int | None = None) -> Any:
        return dispatch(self.store, self.loaded, self.renderer, providers, now=now, live=True, max=most)


def plan(folder: str) -> int:
    """Let everybody in and plan their touches; nothing is sent."""
    work = Work(folder)
    for _ in range(3):
        work.decide(clock.now())
    return 0


def deliver(folder: str, seconds: str) -> int:
    """Rounds of dispatch until nothing moves for a while or the time is over: one of several workers."""
    work = Work(folder)
    providers = build(work.loaded, live=True, root=Path(folder))
    end, idle = time.monotonic() + float(seconds), 0
    while time.monotonic() < end and idle < 5:
        report = work.send(clock.now(), providers, 40)
        idle = 0 if report.accepted + report.rejected + report.unknown + report.retried else idle + 1
    close(providers)
    return 0


def rounds(folder: str, count: str, step: str, out: str) -> int:
    """`count` ticks in one process, `step` seconds of its clock apart; threads and descriptors before and after go to `out`."""
    work = Work(folder)
    providers = build(work.loaded, live=True, root=Path(folder))
    true_now, passed = clock.now, timedelta()
    clock.now = lambda: true_now() + passed  # type: ignore[assignment]
    before: dict[str, int] = {}
    for number in range(int(count)):
        now = clock.now()
        work.decide(now)
        work.send(now, providers)
        passed += timedelta(seconds=float(step))
        Path(f"{out}.clock").write_text(str(passed.total_seconds()))
        if number == 2:
            before = _held()
    Path(out).write_text(json.dumps({"before": before, "after": _held()}))
    close(providers)
    return 0


def _held() -> dict[str, int]:
    return {"threads": threading.active_count(), "descriptors": len(os.listdir("/proc/self/fd"))}
