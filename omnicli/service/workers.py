"""`omni worker`: any number of processes on any number of machines share one PostgreSQL store; nothing twice, nothing lost.

Procrastinate hands out wake-up calls, a beat every few seconds lets one of them do what is done for all (hear, fold, let people in) and
calls for whatever is due. What is decided and sent is claimed row by row, so who is called, how often and when changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omnicli import clock
from omnicli.campaigns.worker import name
from omnicli.errors import Exit, OmniError
from omnicli.service.scheduler import ClockGuard, Ticked, _where
from omnicli.service.standing import Standing
from omnicli.store import crew, holding, preparing, queue, wakeups
from omnicli.store.refusals import of_server
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.run import RunReport
    from omnicli.model.touch import Provider
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store
    from omnicli.store.postgres import PostgresStore

QUEUES = (wakeups.TURN, wakeups.DISPATCH)
#: Seconds after which a server that went away is tried again.
PAUSE = 2.0
#: The SQLSTATE (of a foreign key) with which the queue refuses a worker whose name others took away, for it was silent.
FORGOTTEN = "23503"

log = logging.getLogger("omni.worker")


@dataclass
class Crew:
    """One process: `threads` jobs at once of these `queues`, a beat every `every`. `once`: it leaves when nothing is due. `at`: the
    instant that it takes for the present (the sandbox's), else the clock's."""

    root: Path
    live: bool
    threads: int
    queues: Sequence[str]
    every: timedelta
    tell: Callable[[str, str, RunReport], None]
    alarm: Callable[[str], None]
    begun: Callable[[], None] = lambda: None
    once: bool = False
    at: datetime | None = None
    providers: Mapping[str, Provider] | None = None
    renderer: Renderer | None = None
    exit: int = Exit.FINE
    done: int = 0
    name: str = field(default_factory=name)
    guard: ClockGuard = field(default_factory=ClockGuard)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _queue: Any = None
    _standing: Standing = field(init=False)
    _told: str = ""
    _halted: bool = False  # the clock was moved: nothing is begun until the next beat

    # --- the process ------------------------------------------------------------------------------------------------
    def __post_init__(self) -> None:
        self._standing = Standing(self.root, self.live)

    def run(self) -> int:
        """Work until told to stop; the exit code. Must be called from the main thread (it takes the signals)."""
        _, store = self._open()
        if store.dialect != "postgresql":
            raise not_shared()
        try:
            queue.ready(store, schema_of(store), upgrade=not self.live)
        except BaseException:
            store.close()
            raise
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        self.begun()
        beating = threading.Thread(target=self._beating, name="beat", daemon=True)
        try:
            if self.once:
                self._until_nothing_is_due(store)
            else:
                beating.start()
                while not self._stop.is_set():
                    self._take_jobs(store, wait=True)
        finally:
            self._stop.set()
            for number, handler in before.items():
                signal.signal(number, handler)
            if beating.ident is not None:
                beating.join(timeout=PAUSE)
            self._go_home(store)
        return self.exit

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._stop.is_set():  # the second one: leave at once; what was open is found by its lease
            os._exit(Exit.INTERRUPTED)
        self.stop()

    def stop(self) -> None:
        """Ask it to leave after the calls in hand."""
        self._stop.set()
        if self._queue is not None:
            self._queue.stop()

    def _go_home(self, store: Store) -> None:
        try:
            with store.write() as connection:
                crew.left(connection, self.name)
        except Exception:  # the server is away: it is forgotten by its silence
            log.debug("left without a word", exc_info=True)
        store.close()

    # --- jobs -------------------------------------------------------------------------------------------------------
    def _take_jobs(self, store: Store, *, wait: bool) -> None:
        """Answer calls until told to stop, or (not `wait`) until none is left; a server that went away is tried again."""
        try:
            asyncio.run(self._answer(store, wait=wait))
        except Exception as error:
            said = error.__cause__ or error  # Procrastinate wraps what the driver raised
            if getattr(said, "sqlstate", "") != FORGOTTEN:  # it gets another name there at once
                self._say_defect(said)
            log.debug("jobs", exc_info=True)
        if wait and not self._stop.is_set():
            self._stop.wait(PAUSE)

    async def _answer(self, store: Store, *, wait: bool) -> None:
        from procrastinate.worker import Worker

        # a call that others took away while this process stood still cannot be ended: nobody needs to know, whatever is due is called again
        asyncio.get_running_loop().set_exception_handler(lambda _loop, found: log.debug("queue: %s", found))
        app = queue_of(store)
        for what in QUEUES:
            app.task(name=what, queue=what)(self._job_of(what))
        async with app.open_async():
            self._queue = Worker(app, queues=list(self.queues), concurrency=self.threads, wait=wait, delete_jobs="always",
                                 install_signal_handlers=False, fetch_job_polling_interval=1.0, name=self.name)  # fmt: skip
            if self._stop.is_set():
                return
            await self._queue.run()

    def _job_of(self, what: str) -> Callable[[str], None]:
        def job(campaign: str) -> None:
            self._guarded(lambda: self._work(what, campaign))  # type: ignore[arg-type]

        return job

    def _work(self, what: Literal["turn", "dispatch"], campaign: str) -> None:
        from omnicli.campaigns.run import part

        if self._stop.is_set() or self._halted:
            return
        loaded, store = self._open()
        with store.read() as connection:
            if preparing.overtaken(connection) is not None:
                return  # the beat says so, and ends the process
        now = self._now(store)
        names = (campaign,) if campaign else self._names(store, now)
        report = part(store, loaded, what, names=names, now=now, live=self.live, stopping=self._stop.is_set,
                      providers=self.providers, renderer=self.renderer)  # fmt: skip
        self.done += 1
        self.tell(what, campaign, report)
        self._say_once(Ticked(report.now, report, live=self.live).alarm)

    # --- the beat ---------------------------------------------------------------------------------------------------
    def _beating(self) -> None:
        while not self._stop.is_set():
            self._guarded(lambda: self._beat(self.every))
            self._stop.wait(self.every.total_seconds())

    def _beat(self, every: timedelta) -> None:
        """Say that this process lives, and do what is done for all unless somebody else does it in this period."""
        from omnicli.campaigns.run import plan

        now = clock.now()
        if self.guard.jumped(now, clock.awake()):
            self._halted = True
            self.alarm(Ticked(now, without="clock").line)
            return
        self._halted = False
        loaded, store = self._open()
        with store.write() as connection:
            crew.seen(connection, name=self.name, host=socket.gethostname(), threads=self.threads, done=self.done)
            newer, held = preparing.overtaken(connection), holding.held(connection)
        if newer is not None:
            self.exit = newer.exit
            self.alarm(f"{newer.message} → {newer.hint}")
            self.stop()
            return
        if held is not None:
            refusal = holding.refusal(held, live=self.live)
            if self.once:
                raise refusal
            self._say_once(_line(refusal))
        now = self._now(store)
        report = plan(store, loaded, names=self._names(store, now), now=now, live=self.live, every=every * 0.9)
        if report is not None:
            self.tell("plan", "", report)
            self._say_once(Ticked(now, report, live=self.live).alarm)

    def _names(self, store: Store, now: datetime) -> tuple[str, ...]:
        from omnicli.store import campaigns

        with store.read() as connection:
            running = tuple(row.name for row in campaigns.known(connection, states=("running", "paused")))
            return running + campaigns.left_open(connection, now)

    def _until_nothing_is_due(self, store: Store) -> None:
        """`--once`: plan, then answer calls, until a plan of its own finds that nobody is called any more."""
        idle = 0
        while not self._stop.is_set() and idle < 2:
            before = self.done
            self._guarded(lambda: self._beat(timedelta(0)))
            self._take_jobs(store, wait=False)
            with store.read() as connection:
                left = wakeups.waiting(connection)
            idle = idle + 1 if self.done == before and not left else 0
            if left:
                self._stop.wait(0.05)

    # --- what all of it needs -----------------------------------------------------------------------------------------
    def _guarded(self, deed: Callable[[], None]) -> None:
        """Nothing that happens in a job or a beat ends the process, but that another store stands where its own was; with `once` a
        refusal does."""
        try:
            deed()
        except OmniError as error:
            self._say_once(_line(error))
            # nothing here is known of a store that replaced the other; a job runner takes 0 for done
            if error.code == "replaced" or (self.once and error.exit == Exit.REFUSED):
                self.exit = error.exit
                self.stop()
        except Exception as error:
            self._say_defect(error)
            log.debug("worker", exc_info=True)

    def _say_defect(self, error: BaseException) -> None:
        """One line for what nobody foresaw, or for what the server refused."""
        told = of_server(error, getattr(self._standing.store, "where", ""))
        self._say_once(_line(told) if told is not None else f"{type(error).__name__} in {_where(error)}")

    def _say_once(self, line: str) -> None:
        """What needs a person is told when it begins, not by every job."""
        bare = line.partition("  ")[2] or line
        if bare and bare != self._told:
            self.alarm(line)
        self._told = bare or self._told

    def _now(self, store: Store) -> datetime:
        """The sandbox's clock may stand in the future, and never runs backwards."""
        if self.at is not None:
            return self.at
        now = clock.now()
        if self.live:
            return now
        from omnicli.store.setting import clock_of

        with store.read() as connection:
            return max(now, clock_of(connection) or now)

    def _open(self) -> tuple[Loaded, Store]:
        """The project as its files stand now, and the store; one thread at a time."""
        with self._lock:
            return self._standing.now(self._say_once)


def _line(error: OmniError) -> str:
    return f"{error.message}" + (f" → {error.hint}" if error.hint else "")


def not_shared() -> OmniError:
    """Workers share a PostgreSQL store; a file has one writer."""
    return OmniError(
        t("workers share a store on PostgreSQL; this one is a file with one writer at a time",
          "les workers se partagent une base PostgreSQL ; celle-ci est un fichier à un seul écrivain"),
        hint="omni schedule run · omni schedule install --cron · OMNI_DATABASE=postgresql://…", code="not_shared",
    )  # fmt: skip


def schema_of(store: Store) -> str:
    """The schema of a store on PostgreSQL."""
    found: Any = store
    return str(found.schema)


def queue_of(store: Store) -> Any:
    """Procrastinate on the database of this store, in the schema of its jobs."""
    from procrastinate import App, PsycopgConnector

    shared: PostgresStore = store  # type: ignore[assignment]
    jobs = wakeups.schema_of(shared.schema)
    address = shared.writer.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return App(connector=PsycopgConnector(conninfo=address, min_size=1, max_size=4, kwargs={"options": f"-c search_path={jobs}"}))
