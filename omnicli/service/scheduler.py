"""What calls the tick, and the tick itself: the truth about what is due is in the store, never in a scheduler.

A tick runs every running campaign once, with applied versions only. Two at once are one: the second sees the lock and
leaves. APScheduler is a metronome here: one job, in memory, coalesced, one instance (docs/delivery 13).
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli import clock, guards
from omnicli.campaigns.leading import run_lock
from omnicli.errors import Exit, OmniError
from omnicli.service.standing import Standing
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.run import RunReport
    from omnicli.store.connection import Store

#: A wall clock that moves this much against the monotonic one was set, not lived through.
FORWARD, BACKWARD = timedelta(minutes=5), timedelta(seconds=2)

log = logging.getLogger("omni.schedule")


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one tick did: its report, or why there is none (`locked`, `clock`, `idle` when no campaign runs)."""

    at: datetime
    report: RunReport | None = None
    without: str | None = None
    live: bool = False

    @property
    def exit(self) -> int:
        if self.report is None:
            return Exit.REFUSED if self.without == "clock" else Exit.FINE
        return self.report.exit

    @property
    def line(self) -> str:
        """One line when something happened, else nothing."""
        r = self.report
        if self.without == "clock":
            return t(
                "{at}  the clock was moved: nothing is sent until the next tick",
                "{at}  l'horloge a été déplacée : rien n'est envoyé avant le prochain top", at=clock.iso(self.at),
            )  # fmt: skip
        if r is None or not r.happened:
            return ""
        counts = (
            (sum(r.entered.values()), t("entered", "entrées")),
            (r.folded, t("responses", "réponses")),
            (r.accepted, t("sent", "envoyés")),
            (r.rejected, t("refused", "refusés")),
            (r.skipped, t("skipped", "écartés")),
            (r.retried, t("to be tried again", "à réessayer")),
            (r.unknown, t("unknown", "inconnus")),
            (sum(h.touches for h in r.approval), t("await an approval", "attendent un accord")),
        )
        said = ", ".join(f"{n} {word}" for n, word in counts if n) or t("people moved on", "des personnes ont avancé")
        return f"{clock.iso(self.at)}  " + t("{names}: {said}", "{names} : {said}", names=", ".join(r.names) or "omni", said=said)

    @property
    def alarm(self) -> str:
        """What needs a person, in one line; else nothing."""
        r = self.report
        if r is None:
            return self.line if self.without == "clock" else ""
        lines = [
            t("{name}: {n} touches above approve_above ({most}) are kept back",
              "{name} : {n} envois au-dessus de approve_above ({most}) sont retenus", name=h.name, n=h.touches, most=h.ceiling)
            for h in r.approval
        ]  # fmt: skip
        if r.doubtful:
            lines.append(several(
                r.doubtful, ("{n} touch is unknown or parked: omni touch unknown{f}", "{n} touches are unknown or parked: omni touch unknown{f}"),
                ("{n} envoi est inconnu ou garé : omni touch unknown{f}", "{n} envois sont inconnus ou garés : omni touch unknown{f}"),
                f=" --live" if self.live else "",
            ))  # fmt: skip
        lines += r.problems
        if not lines and r.exit == Exit.SOME_FAILED:
            lines = [t("some sends failed", "des envois ont échoué")]
        return f"{clock.iso(self.at)}  " + "; ".join(lines) if lines else ""


def tick(
    store: Store, loaded: Loaded, *, live: bool, now: datetime, stopping: Callable[[], bool] = lambda: False, processes: int = 1
) -> Ticked:
    """One turn and one dispatch for all running campaigns, and for what others left open. A tick that finds the lock held leaves
    at once, and so does one of which it is known that it would find nothing (campaigns/resting). `processes`: how many work where there
    is much to render."""
    from omnicli.campaigns import resting
    from omnicli.campaigns.run import RunReport, run, something_came
    from omnicli.store import campaigns

    if (names := resting.rests(store, loaded, now=now)) is not None:
        return Ticked(now, RunReport(now, names), live=live)
    before = resting.marks(store)
    with store.read() as connection:
        names = tuple(row.name for row in campaigns.known(connection, states=("running", "paused")))
        names += campaigns.left_open(connection, now)  # stopped ones too: what was under way then must end
    if not names and not something_came(store):
        _refuse_hold(store, live=live)
        return Ticked(now, without="idle")
    try:
        with run_lock(store, loaded.root, live=live):
            report = run(store, loaded, names=names, now=now, live=live, tick=True, stopping=stopping, processes=processes)
            resting.found_nothing(store, loaded, before, report, live=live)
            return Ticked(now, report, live=live)
    except OmniError as error:
        if error.exit == Exit.LOCKED:
            return Ticked(now, without="locked")
        raise


def _refuse_hold(store: Store, *, live: bool) -> None:
    """OmniError (exit 4) on HOLD: a store that was emptied or put back from before its first campaign has nothing due, and must be looked at."""
    from omnicli.store import holding

    with store.read() as connection:
        held = holding.held(connection) if live else None
    if held is not None:
        raise holding.refusal(held, live=live)


# --- the clock guard ------------------------------------------------------------------------------------------------
@dataclass
class ClockGuard:
    """Compares wall time with monotonic time between ticks of one process. The first look never objects, and after an
    objection the new time is believed: a gap in which the process did not run is lateness, not a jump."""

    wall: datetime | None = None
    machine: float = 0.0

    def jumped(self, wall: datetime, machine: float) -> bool:
        """True when the wall clock moved forward by more than 5 minutes or back by more than 2 seconds by itself."""
        if self.wall is None:
            drift = timedelta()
        else:
            drift = (wall - self.wall) - timedelta(seconds=machine - self.machine)
        self.wall, self.machine = wall, machine
        return guards.on("jump_guard") and (drift > FORWARD or drift < -BACKWARD)


# --- the daemon -----------------------------------------------------------------------------------------------------
@dataclass
class Metronome:
    """`schedule run`: a tick every `every`, until SIGTERM or SIGINT; then the batch in hand is finished and it leaves.

    The project's files are read again when one of them changed; a file that cannot be read stops nothing: the last good
    reading stays in force and the fault is told once."""

    root: Path
    live: bool
    every: timedelta
    tell: Callable[[str], None]
    alarm: Callable[[str], None]
    begun: Callable[[], None] = lambda: None
    processes: int = 1
    exit: int = Exit.FINE
    guard: ClockGuard = field(default_factory=ClockGuard)
    _stop: threading.Event = field(default_factory=threading.Event)
    _standing: Standing = field(init=False)
    _told: str = ""

    def __post_init__(self) -> None:
        self._standing = Standing(self.root, self.live)

    def run(self) -> int:
        """Tick until told to stop; the exit code. Must be called from the main thread (it takes the signals)."""
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        self.begun()
        from apscheduler.schedulers.background import BackgroundScheduler
        from apscheduler.triggers.interval import IntervalTrigger

        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        metronome = BackgroundScheduler(timezone=UTC)
        metronome.add_job(self.beat, IntervalTrigger(seconds=self.every.total_seconds(), timezone=UTC), next_run_time=clock.now(),
                          coalesce=True, max_instances=1, misfire_grace_time=None)  # fmt: skip
        metronome.start()
        try:
            self._stop.wait()
        finally:
            metronome.shutdown(wait=True)
            for number, handler in before.items():
                signal.signal(number, handler)
            if self._standing.store is not None:
                self._standing.store.close()
        return self.exit

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._stop.is_set():  # the second one: leave at once; what was open is found by its lease
            import os

            os._exit(Exit.INTERRUPTED)
        self._stop.set()

    def stop(self) -> None:
        """Ask it to leave after the batch in hand."""
        self._stop.set()

    def beat(self) -> None:
        """One tick; nothing that happens in it stops the metronome."""
        try:
            self._beat()
        except OmniError as error:
            self._say_once(f"{error.message}" + (f" → {error.hint}" if error.hint else ""))
        except Exception as error:
            self._say_once(f"{type(error).__name__} in {_where(error)}")
            log.exception("tick")

    def _beat(self) -> None:
        now = clock.now()
        if self.guard.jumped(now, clock.awake()):  # a machine that slept is late; its clock was not moved
            self.alarm(Ticked(now, without="clock").line)
            return
        loaded, store = self._open()
        done = tick(
            store, loaded, live=self.live, now=self._lived(store, now), stopping=self._stop.is_set, processes=self.processes
        )
        if done.line:
            self.tell(done.line)
        self._say_once(done.alarm)

    def _lived(self, store: Store, now: datetime) -> datetime:
        """The sandbox's clock may stand in the future, and never runs backwards."""
        if self.live:
            return now
        from omnicli.store.setting import clock_of

        with store.read() as connection:
            return max(now, clock_of(connection) or now)

    def _say_once(self, line: str) -> None:
        """What needs a person is told when it begins, not at every tick."""
        bare = line.partition("  ")[2] or line
        if line and bare != self._told:
            self.alarm(line)
        self._told = bare

    def _open(self) -> tuple[Loaded, Store]:
        return self._standing.now(self._say_once)


def _where(error: BaseException) -> str:
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
