"""One round of delivering: what came back is written, the gate asked, intents committed, the next batch claimed; then the calls.

Its transactions do as much at once as they may: the outcomes that came back (T3), the gate and the intents of all calls about to
start (T2), the claim of the batch behind them (T1). Rendering and calls happen between them, so none is open during a call.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock, faults, guards
from omnicli.campaigns import canary, journal
from omnicli.campaigns.admission import Admission
from omnicli.campaigns.aside import Aside
from omnicli.campaigns.claiming import COUNTED, Asked, Claims
from omnicli.campaigns.line import Call, Line, tell
from omnicli.campaigns.press import Prepared, Presses
from omnicli.campaigns.queueing import AHEAD, Queue
from omnicli.campaigns.recording import Again, Recorder
from omnicli.campaigns.report import DispatchReport
from omnicli.campaigns.worker import name
from omnicli.errors import OmniError
from omnicli.model.touch import Provider
from omnicli.store import outbox, serial
from omnicli.store.accounts import Book
from omnicli.store.outbox import Claimed, Result
from omnicli.store.outbox.locking import Overtaken, crossed, heed_standing, repeating
from omnicli.store.outbox.outcomes import on_disk, taken_up
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.bound import Bound
    from omnicli.campaigns.turn import Houses
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

#: Outcomes that arrive within so many seconds share one T3; where a transaction takes longer, within as long as the last one took, up
#: to the second figure: they would wait for it anyway.
TOGETHER, LONGEST = 0.010, 0.050


class Round:
    """One round's queues. `deliver` runs it; it ends with nothing claimed and every outcome on disk."""

    def __init__(
        self, store: Store, loaded: Loaded, renderer: Renderer, providers: Mapping[str, Provider], *, now: datetime, live: bool,
        late_after: datetime | None, progress: Callable[[int], None] | None, patience: float, report: DispatchReport,
        late_since: datetime | None = None, houses: Houses | None = None, bound: Bound | None = None, processes: int = 1,
    ) -> None:  # fmt: skip
        self.store, self.now, self.live = store, now, live
        self.now_ms, self.started = clock.to_ms(now), clock.monotonic()
        self.progress, self.patience = progress, patience
        self.presses = Presses(store, loaded, renderer, now=now, live=live, houses=houses, processes=processes)
        self.lines = self._lines(providers)
        self.each = list(dict.fromkeys(self.lines.values()))
        self.lasting = any(not line.repeatable for line in self.each)
        self.report = report
        self.worker = name()
        self.recorder = Recorder(self.worker, now, self.report, canary.Canary(now, live=store.live))
        self.admission = Admission(self.presses, self.worker, report, now, late_after, late_since)
        self.claims = Claims(store, self.presses, self.lines, self.worker, report, now, bound)
        self.aside = Aside(self.each, self.recorder, report, now)
        self.queue = Queue(self.presses, self.lines, self.aside, bound, AHEAD * (processes - 1))
        self.done: SimpleQueue[Call] = SimpleQueue()
        self.back: list[Call] = []
        self.again: list[Again] = []
        self.together = TOGETHER
        self.mark: object = None
        self.lost = False  # whether a commit failed that may have been done
        self.age = 0  # how often somebody else wrote between two of our transactions

    def _lines(self, providers: Mapping[str, Provider]) -> dict[str, Line]:
        known: dict[int, Line] = {}
        lines = {channel: known.setdefault(id(p), Line(p)) for channel, p in providers.items()}
        for channel, provider in providers.items():  # whose parts are accounts of their own
            split: Callable[[], Mapping[str, Provider]] | None = getattr(provider, "split", None)
            lines |= {f"{channel}:{name}": Line(part) for name, part in (split() if split is not None else {}).items()}
        for channel, line in lines.items() if self.live else ():
            declared = self.presses.channels.get(channel)
            rate = declared.rate if declared is not None else None
            if rate is not None and rate.count and not line.repeatable:
                line.pace = max(line.pace, rate.seconds / rate.count)
        return lines

    @property
    def moment(self) -> datetime:
        """The present of this round: a live one that lasts meets quiet hours as they begin."""
        return self.now + timedelta(seconds=int(clock.monotonic() - self.started)) if self.live else self.now

    @property
    def running(self) -> int:
        return sum(line.running for line in self.each)

    # --- the loop ---------------------------------------------------------------------------------------------------
    def deliver(self, asked: Asked) -> None:
        """Until nothing is due, or as many as were asked for have left. What was begun is finished, whatever ends the round."""
        self.claims.asked = asked
        with self.store.read() as connection:
            due = len(self.claims.due(connection, COUNTED if self.queue.depth else 1))
        if not due:
            return
        self.presses.staff(due)
        faults.point("F03")
        if self.lasting:
            journal.allocate(self.store)
        at_once = False
        try:
            if self.live and (asked.most is None or asked.most > canary.MANY):
                self._first()
            self._until_rest()
        except KeyboardInterrupt:
            at_once = True
            raise
        finally:
            self.presses.dismiss()
            self._leave(at_once=at_once)

    def _until_rest(self) -> None:
        while (
            self.claims.more or self.back or self.aside.unfit or self.again or self.running or self.queue.out
            or any(line.queued for line in self.each)
        ):  # fmt: skip
            self._step()

    def _first(self) -> None:
        """Of each version with more than 10,000 due, the first hundredth goes alone and is judged before the rest (docs/delivery 14)."""
        asked, self.claims.asked = self.claims.asked, replace(self.claims.asked, most=None)
        with self.store.read() as connection:
            versions = outbox.versions_of(connection, asked.campaigns, running=True)
            many = outbox.many_due(connection, now=self.now_ms, versions=versions, channels=asked.channels, above=canary.MANY)
        for version, count in many.items():
            trial = canary.Trial(version, -(-count // canary.SHARE))
            self.claims.begin(trial)
            self._until_rest()
            with self.store.write() as connection:
                if self.recorder.canary.failed(connection, trial):
                    self.recorder.halt(connection, [version], t("of the first hundredth", "du premier centième"))
            self.mark = None
        self.claims.asked = asked
        self.claims.begin()

    def _step(self) -> None:
        self._gather()
        since = clock.monotonic()
        self._write()
        self.together = min(max(TOGETHER, clock.monotonic() - since), LONGEST)

    def _write(self) -> None:
        if self.progress is not None and self.lasting:
            self.progress(0)  # whoever wants to leave is asked before each T2, not only before each claim
        if self.back and (self.store.dialect != "sqlite" or all(c.line.inline and not c.line.repeatable for c in self.back)):
            self._secure()  # one call at a time: its outcome is on disk before the next is even intended; locks of both at once could cross
        before = dict(vars(self.report))
        try:
            self._commit()
        except (sa.exc.DBAPIError, Overtaken) as failure:
            if not crossed(failure):
                self.lost = True
                raise
            vars(self.report).update(before)
            self._begin_again()

    def _begin_again(self) -> None:
        """Another's transaction crossed ours, which was taken back: what was claimed and not begun is let go and claimed anew."""
        self.queue.drop()
        for line in self.each:
            line.drain()
            line.probing = line.probing and line.running > 0
        self.aside.unfit, self.again, self.mark = [], [], None
        self.claims.begin(self.claims.trial)
        repeating(self._let_go)

    def _let_go(self) -> None:
        """What was claimed and not begun waits again; of a trial those remain that were tried."""
        with self.store.write() as connection:
            outbox.let_go(connection, worker=self.worker)
            if self.claims.trial is not None:
                self.claims.trial.ids[:] = taken_up(connection, self.claims.trial.ids)

    def _commit(self) -> None:
        """What came back, who may go, who is next, in one transaction; then the calls."""
        with self.store.write() as connection:
            heed_standing(connection)
            self._heed_hold(connection)
            mark, book = outbox.mark(connection), Book(connection)
            self.age += int(mark is None or mark != self.mark)
            results = self.recorder.write(connection, self.back, book, at=self.moment, mark=mark)
            again = [*self.again, *(self.recorder.again if self.back else ())]
            self.aside.drop(connection)
            age = self.age if mark is not None and not self.recorder.tainted else None
            begun = self.admission.begin(connection, book, self.each, at=self.moment, age=age, last=self._last)
            repeated = self.claims.again(connection, again)
            self.admission.spared.update(touch for one in again for touch in one.ids)
            claimed = self._claimed(connection, book, self._room(results, begun)) if not repeated else []
            if repeated or claimed:
                self.presses.bring(connection, [*claimed, *(touch for _, touches in repeated for touch in touches)])
            book.write()
            reached = serial.risen(connection) if any(not call.line.repeatable for call in begun) else None
            self.mark = outbox.mark(connection)
        self.again = []
        self._committed(results)
        if reached is not None:
            serial.mark(self.store, reached)
        self._start(begun)
        self.queue.again(repeated)
        self.queue.order(claimed, seen=self.age)
        if self.queue.depth == 0:
            self.queue.take(wait=False)
        if claimed and self.progress is not None:
            self.progress(len(claimed))

    def _claimed(self, connection: sa.Connection, book: Book, limit: int) -> list[Claimed]:
        if not self._wanting:
            return []
        return self.claims.claim(connection, book, limit, at=self.moment, waiting=self._waiting)

    def _committed(self, results: Sequence[Sequence[Result]]) -> None:
        if self.back:
            for call, found in zip(self.back, results, strict=True):
                self._count(call.people, found)
            self.back = []
            faults.point("F12")

    def _start(self, begun: Sequence[Call]) -> None:
        """The intents are on disk: call."""
        if not begun:
            return
        self.presses.keep()
        at, now = clock.awake(), self.moment
        for call in begun:
            call.mark = self.mark
            if call.carried:
                self._carried(call, now)
            else:
                call.line.begin(call, at, now, self.done)

    def _carried(self, call: Call, now: datetime) -> None:
        """The archive carried it, and that is on disk: its provider is told how many."""
        tell(call, now)
        report = self.report
        report.accepted += len(call.people)
        report.cost += sum(p.cost for p in call.people)
        for channel, count in Counter(p.touch.channel for p in call.people).items():
            report.by_channel[channel] = report.by_channel.get(channel, 0) + count
        faults.point("F12")

    def _gather(self) -> None:
        """Take what came back and what is rendered. Nothing else to do: wait for the first, and a moment for its neighbours."""
        self._take(0.0)
        self.queue.take(wait=not (self.back or self._can_act() or self.running))
        if self.back or self._can_act() or not self.running:
            self._pause()
            return
        self._take(0.02 if self.queue.out else 0.5 if self.progress is not None else None)
        end = clock.monotonic() + self.together
        while self.back and self.running and (left := end - clock.monotonic()) > 0:
            if not self._take(left):
                break

    def _take(self, timeout: float | None) -> bool:
        """Calls that have come back, at least one when there is time to wait for it."""
        got = False
        while self.running:
            try:
                call = self.done.get_nowait() if got or timeout == 0.0 else self.done.get(timeout=timeout)
            except Empty:
                break
            call.line.running -= 1
            call.line.people -= len(call.people)
            self.back.append(call)
            got = True
        return got

    def _can_act(self) -> bool:
        if self.aside.unfit or self.again or self._hungry:
            return True
        return any(line.calls and line.room and not line.probing and not line.rate_wait for line in self.each)

    def _pause(self) -> None:
        """Nothing is in flight and only the rate keeps us: sleep until it has room, before the intents, so that none grows old."""
        if self.back or self.running or self.aside.unfit or self.again or self._hungry or self.queue.out:
            return
        waits = [line.rate_wait for line in self.each if line.calls]
        left = min(waits, default=0.0)
        while left > 0:
            if self.progress is not None:
                self.progress(0)  # whoever wants to leave is heard within half a second
            time.sleep(min(left, 0.5))
            left -= 0.5

    def _room(self, results: Sequence[Sequence[Result]], begun: Sequence[Call]) -> int:
        """How many more may be claimed when only so many may leave: those that left, are leaving or wait here are counted."""
        if (most := self.claims.asked.most) is None:
            return self.claims.size
        gone = self.report.accepted + self.report.unknown
        gone += sum(1 for found in results for r in found if r.outcome in ("accepted", "unknown"))
        outside = sum(len(call.people) for call in begun) + sum(line.queued for line in self.each) + self.queue.ordered
        return max(0, min(self.claims.size, most - gone - outside - self._in_flight))

    @property
    def _starving(self) -> bool:
        """Whether somebody could call, had he something to call."""
        return not any(line.calls for line in self.each) or any(
            line.room and not line.calls and not line.repeatable for line in self.each
        )

    @property
    def _wanting(self) -> bool:
        """Whether the next batch may be claimed: for those who could call it, or for those who could render it meanwhile."""
        return self.claims.more and (self.queue.has_room if self.queue.depth else self._starving)

    @property
    def _hungry(self) -> bool:
        """Whether that is worth a transaction: nobody looked in vain."""
        return self._wanting and not self.claims.dry

    @property
    def _last(self) -> bool:
        """Whether nobody else comes to fill requests."""
        if self.queue.out:
            return False
        return not self.claims.more or (self.claims.dry and not self.running and not any(line.calls for line in self.each))

    def _waiting(self) -> bool:
        return bool(self.running or self.queue.out or any(line.queued for line in self.each))

    @property
    def _in_flight(self) -> int:
        return sum(line.people for line in self.each)

    def _heed_hold(self, connection: sa.Connection) -> None:
        if (why := outbox.hold_of(connection)) is not None and guards.on("hold"):
            from omnicli.store import holding

            raise holding.refusal(why, live=self.live)

    # --- the end ----------------------------------------------------------------------------------------------------
    def _leave(self, *, at_once: bool) -> None:
        """Nothing of ours stays claimed, and no outcome stays unwritten. `at_once`: nobody waits for calls in flight."""
        longest = max((line.patience for line in self.each), default=0.0)
        end = clock.monotonic() + longest
        while self.running and not at_once and (left := end - clock.monotonic()) > 0:
            if not self._take(left):
                break
        self._take(0.0)
        for line in self.each:
            line.calls.clear()
            line.leave()
        self.aside.unfit = []
        if self.back:
            self._secure()
        repeating(self._let_go)

    def _secure(self) -> None:
        """T3 by itself: tried again for a minute, then kept beside the store (docs/delivery 14)."""
        end = clock.monotonic() + self.patience
        while True:
            try:
                with self.store.write() as connection:
                    book = Book(connection)
                    known = on_disk(connection, [call.handover for call in self.back]) if self.lost else ()
                    results = self.recorder.write(connection, self.back, book, at=self.moment, mark=None, on_disk=known)
                    book.write()
                break
            except journal.FAILURES as failure:
                self.lost = self.lost or not crossed(failure)
                if clock.monotonic() >= end:
                    journal.keep(self.store, self.worker, self.back, at=self.moment)
                    self.report.problem(
                        t(
                            "the store took no outcomes: they are kept beside it",
                            "la base n'a pas pris les résultats : ils sont gardés à côté",
                        )
                    )
                    self.back = []
                    raise journal.refused(failure) from failure
                time.sleep(min(0.01 if crossed(failure) else 1.0, max(0.0, end - clock.monotonic())))
        self.again += self.recorder.again
        self._committed(results)

    def _count(self, people: Sequence[Prepared], results: Sequence[Result]) -> None:
        report = self.report
        for p, result in zip(people, results, strict=True):
            match result.outcome:
                case "accepted":
                    report.accepted += 1
                    report.cost += p.cost
                    report.by_channel[p.touch.channel] = report.by_channel.get(p.touch.channel, 0) + 1
                case "rejected":
                    report.rejected += 1
                case "unknown":
                    report.unknown += 1
                    report.unknown_touches = (*report.unknown_touches, p.touch.key.hex())
                case _ if result.free and result.retry_at == self.now_ms:
                    pass  # it goes again in this very round
                case _ if result.retry_at is None:
                    report.skipped += 1
                case _:
                    report.retried += 1


@contextmanager
def clean_failures() -> Iterator[None]:
    """A store that fails is said in one line; what it had not taken was not sent."""
    try:
        yield
    except journal.FAILURES as failure:
        if isinstance(failure, OmniError):
            raise
        raise journal.refused(failure) from failure
