"""One provider as a round sees it: the calls that wait for it, those in flight, and how one is made.

A call is made once, by one thread, and whatever it raises becomes an outcome. Threads are daemons: who must leave at once is kept
by nobody (what was in flight is found by its lease).
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from omnicli import clock, faults, guards
from omnicli.campaigns.cutting import Cutter, chunks
from omnicli.campaigns.worker import AFTER_TIMEOUT, FRESH
from omnicli.model.touch import Archiving, Outcome, Provider
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaigns.press import Prepared

#: A provider that names no read timeout is given this many seconds.
READ_TIMEOUT = 60.0


@dataclass(slots=True, eq=False)
class Call:
    """One `send`: its people, how often it was halved, then its handover and what came of it. `seen`: the age of the store in which
    they were loaded; `retry`: most of its people were tried before; `probe`: it asks whether the account is well again; `carried`: the
    archive alone carries it, its outcome stands with its intent."""

    line: Line
    people: list[Prepared]
    halvings: int = 0
    seen: int = -1
    carried: bool = False
    retry: bool = False
    probe: bool = False
    handover: int = 0
    mark: object = None
    outcomes: Sequence[Outcome] = ()
    defect: str | None = None


@dataclass(eq=False)
class Line:
    """One provider's queue. `pace`: seconds a touch, from the channel's `rate`; `free_at`: when it has room, in milliseconds of the
    machine; `shut`: channels that wait, and why; `probing`: its one probe is on the way."""

    provider: Provider
    pace: float = 0.0
    free_at: int = 0
    running: int = 0
    people: int = 0
    probing: bool = False
    used: bool = False
    said: str | None = None
    shut: dict[str, str] = field(default_factory=dict)
    calls: deque[Call] = field(default_factory=deque)
    _crew: Crew | None = None

    def __post_init__(self) -> None:
        p: Any = self.provider
        self.repeatable = bool(getattr(p, "repeatable", False))
        self.account = str(getattr(p, "account", p.name))
        self.archive = p if isinstance(p, Archiving) else None
        self.batch = max(1, int(p.batch))
        self.in_flight = max(1, int(getattr(p, "in_flight", 1)))
        self.read_timeout = float(getattr(p, "read_timeout", READ_TIMEOUT))
        self.inline = self.repeatable or self.in_flight == 1
        alone: Callable[[Any], bool] | None = getattr(p, "alone", None)
        one_request = bool(getattr(p, "one_request", False))
        self.cutter = (
            Cutter(self.batch, (lambda one: alone(one.handed())) if alone else (lambda _one: False)) if one_request else None
        )

    @property
    def rate_wait(self) -> float:
        """Seconds until the channel's rate has room, as far as this round knows."""
        return max(0.0, (self.free_at - clock.to_ms(clock.now())) / 1000) if self.pace else 0.0

    @property
    def patience(self) -> float:
        """Seconds after which a call that has not ended is nobody's any more."""
        return self.read_timeout + AFTER_TIMEOUT

    @property
    def queued(self) -> int:
        return sum(len(call.people) for call in self.calls) + (self.cutter.waiting if self.cutter else 0)

    @property
    def room(self) -> int:
        """How many more calls may be in flight."""
        return self.in_flight - self.running

    @property
    def known(self) -> Outcome | None:
        """What this provider says of a message that it need not be handed; None as long as it wants some."""
        archive = self.archive if self.repeatable else None
        return archive.said if archive is not None and not archive.whole() else None

    def take(self, prepared: Sequence[Prepared], *, seen: int = -1) -> None:
        """Put touches into the queue."""
        self.used = not self.repeatable
        if self.cutter is not None:
            self.calls.extend(Call(self, people) for people in self.cutter.fill(prepared))
        else:
            self.calls.extend(Call(self, people, seen=seen) for people in chunks(prepared, self.batch))

    def flush(self) -> None:
        if self.cutter is not None and self.cutter.waiting:
            self.calls.extend(Call(self, people) for people in self.cutter.flush())

    def drain(self) -> list[Prepared]:
        """Everybody who waits here, taken out."""
        self.flush()
        people = [p for call in self.calls for p in call.people]
        self.calls.clear()
        return people

    def begin(self, call: Call, at: float, now: datetime, done: SimpleQueue[Call]) -> None:
        """Make the call here or on the line's crew; it comes back through `done` with its outcomes."""
        self.running += 1
        self.people += len(call.people)
        if self.inline:
            done.put(make(call, at, now))
            return
        if self._crew is None:
            self._crew = Crew(self.in_flight, self.provider.name)
        self._crew.give(lambda: done.put(make(call, at, now)))

    def leave(self) -> None:
        if self._crew is not None:
            self._crew.dismiss()


class Crew:
    """Threads that make calls, started as they are needed."""

    def __init__(self, most: int, name: str) -> None:
        self.most, self.name, self.threads = most, name, 0
        self.work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def give(self, work: Callable[[], None]) -> None:
        if self.threads < self.most:
            self.threads += 1
            threading.Thread(target=self._toil, name=f"{self.name}-{self.threads}", daemon=True).start()
        self.work.put(work)

    def dismiss(self) -> None:
        for _ in range(self.threads):
            self.work.put(None)

    def _toil(self) -> None:
        while (work := self.work.get()) is not None:
            work()


def make(call: Call, at: float, now: datetime) -> Call:
    """Hand over: an outcome a touch, in order, and never an exception."""
    faults.point("F07")
    try:
        call.outcomes = _sent(call, at, now)
    except Exception as defect:  # a provider that raises has a defect; what it did before is not known
        # its message may quote a person or a key
        call.defect = f"{call.line.provider.name}: {type(defect).__name__} ({_where(defect)})"
        harmless = call.line.repeatable or not guards.on("defect_is_unknown")
        call.outcomes = [Outcome("not_sent" if harmless else "unknown", code="defect", detail=type(defect).__name__)] * len(
            call.people
        )
    faults.point("F10")
    return call


def tell(call: Call, now: datetime) -> None:
    """The provider hears how many it carried without having been handed them."""
    faults.point("F07")
    if (archive := call.line.archive) is not None:
        archive.rest(Counter(p.touch.channel for p in call.people), now=now)
    faults.point("F10")


def _where(defect: BaseException) -> str:
    """File and line of a defect, and nothing of what was being done."""
    last = traceback.extract_tb(defect.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _sent(call: Call, at: float, now: datetime) -> Sequence[Outcome]:
    line, people = call.line, call.people
    if clock.awake() - at > FRESH and guards.on("wake_check"):
        why = t("the machine slept between the intent and the call", "la machine a dormi entre l'intention et l'appel")
        return [Outcome("not_sent", code="late", detail=why, free=True)] * len(people)
    archive = line.archive
    first = len(people) if archive is None else min(archive.whole(), len(people))
    outcomes = list(line.provider.send([p.handed() for p in people[:first]], now=now)) if first else []
    if len(outcomes) != first:
        raise ValueError(f"{len(outcomes)} outcomes for {first} touches")
    if archive is not None and first < len(people):
        outcomes += [archive.rest(Counter(p.touch.channel for p in people[first:]), now=now)] * (len(people) - first)
    return outcomes
