"""One round of delivering: what came back is written, the gate asked, intents committed, the next batch claimed; then the calls.

Its transactions do as much at once as they may: the outcomes that came back (T3), the gate and the intents of all calls about to
start (T2), the claim of the batch behind them (T1). Rendering and calls happen between them, so none is open during a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock, faults, guards
from omnicli.campaigns import canary, journal
from omnicli.campaigns.admission import Admission
from omnicli.campaigns.bound import seal
from omnicli.campaigns.line import Call, Line
from omnicli.campaigns.press import Prepared, Presses, Unfit
from omnicli.campaigns.recording import Again, Recorder
from omnicli.campaigns.report import DispatchReport
from omnicli.campaigns.worker import lease, name
from omnicli.engine import breaker
from omnicli.errors import OmniError
from omnicli.model.touch import Provider
from omnicli.store import outbox, preparing, room, serial, turns
from omnicli.store.accounts import Book
from omnicli.store.outbox import Claimed, Cursor, Result
from omnicli.store.outbox.locking import crossed
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.bound import Bound
    from omnicli.campaigns.turn import Houses
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

#: Touches a claim takes at most; a line that has more than so many waiting is given no more.
CLAIM = 1000
#: Outcomes that arrive within so many seconds share one T3.
TOGETHER = 0.010


class Round:
    """One round's queues. `deliver` runs it; it ends with nothing claimed and every outcome on disk."""

    def __init__(
        self, store: Store, loaded: Loaded, renderer: Renderer, providers: Mapping[str, Provider], *, now: datetime, live: bool,
        late_after: datetime | None, progress: Callable[[int], None] | None, patience: float, report: DispatchReport,
        late_since: datetime | None = None, houses: Houses | None = None, bound: Bound | None = None,
    ) -> None:  # fmt: skip
        self.store, self.now, self.live = store, now, live
        self.now_ms, self.started = clock.to_ms(now), clock.monotonic()
        self.progress, self.patience = progress, patience
        self.presses = Presses(store, loaded, renderer, now=now, live=live, houses=houses)
        self.bound = bound
        self.lines = self._lines(providers)
        self.each = list(dict.fromkeys(self.lines.values()))
        self.lasting = any(not line.repeatable for line in self.each)
        self.report = report
        self.worker = name()
        self.recorder = Recorder(self.worker, now, self.report, canary.Canary(now, live=store.live))
        self.admission = Admission(self.presses, self.worker, report, now, late_after, late_since)
        self.done: SimpleQueue[Call] = SimpleQueue()
        self.back: list[Call] = []
        self.again: list[Again] = []
        self.unfit: list[Unfit] = []
        self.cursor: Cursor | None = None
        self.more, self.dry = True, False
        self.trial: canary.Trial | None = None
        self.mark: object = None

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
    def deliver(self, campaigns: Collection[str] | None, channels: Collection[str] | None, most: int | None) -> None:
        """Until nothing is due, or `most` have left. What was begun is finished, whatever ends the round."""
        with self.store.read() as connection:
            if not self._due(connection, campaigns, channels, 1, ()):
                return
        faults.point("F03")
        if self.lasting:
            journal.allocate(self.store)
        at_once = False
        try:
            if self.live and (most is None or most > canary.MANY):
                self._first(campaigns, channels)
            self._until_rest(campaigns, channels, most)
        except KeyboardInterrupt:
            at_once = True
            raise
        finally:
            self._leave(at_once=at_once)

    def _until_rest(self, campaigns: Collection[str] | None, channels: Collection[str] | None, most: int | None) -> None:
        while self.more or self.back or self.unfit or self.again or self.running or any(line.queued for line in self.each):
            self._step(campaigns, channels, most)

    def _first(self, campaigns: Collection[str] | None, channels: Collection[str] | None) -> None:
        """Of each version with more than 10,000 due, the first hundredth goes alone and is judged before the rest (docs/delivery 14)."""
        with self.store.read() as connection:
            versions = outbox.versions_of(connection, campaigns, running=True)
            many = outbox.many_due(connection, now=self.now_ms, versions=versions, channels=channels, above=canary.MANY)
        for version, count in many.items():
            self.trial = canary.Trial(version, -(-count // canary.SHARE))
            self._until_rest(campaigns, channels, None)
            with self.store.write() as connection:
                if self.recorder.canary.failed(connection, self.trial):
                    self.recorder.halt(connection, [version], t("of the first hundredth", "du premier centième"))
            self.trial, self.cursor, self.more, self.dry, self.mark = None, None, True, False, None

    def _step(self, campaigns: Collection[str] | None, channels: Collection[str] | None, most: int | None) -> None:
        self._gather()
        if self.progress is not None and self.lasting:
            self.progress(0)  # whoever wants to leave is asked before each T2, not only before each claim
        if self.back and (self.store.dialect != "sqlite" or all(c.line.inline and not c.line.repeatable for c in self.back)):
            self._secure()  # one call at a time: its outcome is on disk before the next is even intended; locks of both at once could cross
        before = dict(vars(self.report))
        try:
            self._commit(campaigns, channels, most)
        except sa.exc.DBAPIError as failure:
            if not crossed(failure):
                raise
            vars(self.report).update(before)
            self._begin_again()

    def _begin_again(self) -> None:
        """Another's transaction crossed ours, which was taken back: what was claimed and not begun is let go and claimed anew."""
        for line in self.each:
            line.drain()
            line.probing = line.probing and line.running > 0
        self.unfit, self.again, self.cursor, self.more, self.dry, self.mark = [], [], None, True, False, None
        if self.trial is not None:
            self.trial.ids.clear()
        with self.store.write() as connection:
            outbox.let_go(connection, worker=self.worker)

    def _commit(self, campaigns: Collection[str] | None, channels: Collection[str] | None, most: int | None) -> None:
        """What came back, who may go, who is next, in one transaction; then the calls."""
        with self.store.write() as connection:
            self._heed_hold(connection)
            mark, book = outbox.mark(connection), Book(connection)
            same = mark is not None and mark == self.mark and not self.recorder.tainted
            results = self.recorder.write(connection, self.back, book, at=self.moment, mark=mark)
            again = [*self.again, *(self.recorder.again if self.back else ())]
            self._drop(connection)
            begun = self.admission.begin(
                connection, book, self.each, at=self.moment, same=same and not self.recorder.tainted, last=self._last
            )
            repeated = self._claim_again(connection, again)
            claimed = self._claim(connection, book, campaigns, channels, self._room(most, results, begun)) if not repeated else []
            self.presses.learn(connection) if repeated else None
            if repeated or claimed:
                self.presses.bring(connection, [*claimed, *(touch for _, touches in repeated for touch in touches)])
            book.write()
            reached = serial.serial_of(connection) if any(not call.line.repeatable for call in begun) else None
            self.mark = outbox.mark(connection)
        self.again = []
        self._committed(results)
        if reached is not None:
            serial.mark(self.store, reached)
        self._start(begun)
        self._prepare(repeated, claimed)

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
            call.line.begin(call, at, now, self.done)

    def _gather(self) -> None:
        """Take what came back. Nothing else to do: wait for the first, and a moment for its neighbours."""
        self._take(0.0)
        if self.back or self._can_act() or not self.running:
            self._pause()
            return
        self._take(0.5 if self.progress is not None else None)
        end = clock.monotonic() + TOGETHER
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
        if self.unfit or self.again or self._hungry:
            return True
        return any(line.calls and line.room and not line.probing and not line.rate_wait for line in self.each)

    def _pause(self) -> None:
        """Nothing is in flight and only the rate keeps us: sleep until it has room, before the intents, so that none grows old."""
        if self.back or self.running or self.unfit or self.again or self._hungry:
            return
        waits = [line.rate_wait for line in self.each if line.calls]
        left = min(waits, default=0.0)
        while left > 0:
            if self.progress is not None:
                self.progress(0)  # whoever wants to leave is heard within half a second
            time.sleep(min(left, 0.5))
            left -= 0.5

    def _room(self, most: int | None, results: Sequence[Sequence[Result]], begun: Sequence[Call]) -> int:
        """How many more may be claimed when at most `most` may leave: those that left, are leaving or wait here are counted."""
        if most is None:
            return CLAIM
        gone = self.report.accepted + self.report.unknown
        gone += sum(1 for found in results for r in found if r.outcome in ("accepted", "unknown"))
        outside = sum(len(call.people) for call in begun) + sum(line.queued for line in self.each)
        return max(0, min(CLAIM, most - gone - outside - self._in_flight))

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
        self.unfit = []
        if self.back:
            self._secure()
        with self.store.write() as connection:
            outbox.let_go(connection, worker=self.worker)

    def _secure(self) -> None:
        """T3 by itself: tried again for a minute, then kept beside the store (docs/delivery 14)."""
        end = clock.monotonic() + self.patience
        while True:
            try:
                with self.store.write() as connection:
                    book = Book(connection)
                    results = self.recorder.write(connection, self.back, book, at=self.moment, mark=None)
                    book.write()
                break
            except journal.FAILURES as failure:
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

    # --- T1 ---------------------------------------------------------------------------------------------------------
    def _due(
        self, connection: sa.Connection, campaigns: Collection[str] | None, channels: Collection[str] | None, limit: int,
        without: Collection[str], *, lock: bool = False,
    ) -> list[tuple[int, int, int, bytes]]:  # fmt: skip
        versions = outbox.versions_of(connection, campaigns, running=True)
        if self.trial is not None:
            versions, limit = (self.trial.version,) if self.trial.version in versions else (), min(limit, self.trial.left)
        if not versions or limit <= 0:
            return []
        after, most = self.cursor, limit if self.bound is None else max(limit, CLAIM)
        below = self.trial.below if self.trial is not None else None
        while True:
            found = outbox.due(
                connection,
                now=self.now_ms,
                versions=versions,
                channels=channels,
                limit=most,
                after=after,
                without=without,
                below=below,
                lock=lock,
            )
            mine = found if self.bound is None else [row for row in found if row[3] in self.bound.touches]
            if mine or len(found) < most:
                return mine[:limit]
            after = Cursor.behind(found[-1])

    def _claim(
        self, connection: sa.Connection, book: Book, campaigns: Collection[str] | None, channels: Collection[str] | None, limit: int,
    ) -> list[Claimed]:  # fmt: skip
        """The next batch, when a line has nothing left to call."""
        if not self.more or not self._starving:
            return []
        if (full := room.room(self.store.path)) is not None:
            self.report.problem(full)
            self.report.stuck = True
            self.more = False
            return []
        if (newer := preparing.overtaken(connection)) is not None:
            self.report.problem(f"{newer.message} → {newer.hint}")
            self.report.stuck = True
            self.more = False
            return []
        crowded = {channel for channel, line in self.lines.items() if line.queued >= CLAIM and not line.repeatable}
        shut = self._shut(book)
        self._tell_shut(connection, book, campaigns, channels, shut)
        found = self._due(connection, campaigns, channels, limit, crowded | shut, lock=True)
        self.dry = not found
        if not found:
            self.more = bool((limit <= 0 or crowded) and (self.running or any(line.queued for line in self.each)))
            return []
        ids = [row[0] for row in found]
        if self.trial is not None:
            self.trial.ids += ids
        self.cursor = Cursor.behind(found[-1])
        outbox.claim(connection, ids, worker=self.worker, until=lease(connection))
        self.presses.learn(connection)
        return outbox.load(connection, ids, attributes=self.presses.columns)

    @property
    def _starving(self) -> bool:
        """Whether somebody could call, had he something to call."""
        return not any(line.calls for line in self.each) or any(
            line.room and not line.calls and not line.repeatable for line in self.each
        )

    @property
    def _last(self) -> bool:
        """Whether nobody else comes to fill requests."""
        return not self.more or (self.dry and not self.running and not any(line.calls for line in self.each))

    @property
    def _hungry(self) -> bool:
        return self.more and not self.dry and self._starving

    def _shut(self, book: Book) -> set[str]:
        """Channels of which nothing is claimed now: they are shut, or their account is left alone."""
        found = {channel for line in self.each for channel in line.shut}
        for channel, line in self.lines.items():
            if not line.repeatable and not line.probing:
                verdict = breaker.may(book.of(line.provider.name, line.account), clock.to_ms(self.moment))
                if verdict.kind == "wait":
                    found.add(channel)
        return found

    def _tell_shut(
        self, connection: sa.Connection, book: Book, campaigns: Collection[str] | None, channels: Collection[str] | None, shut: set[str]
    ) -> None:  # fmt: skip
        """What is due and waits for a person to mend an account is told by every round, not only by the one that it refused."""
        for line in self.each if shut and self.cursor is None else ():
            account = book.of(line.provider.name, line.account) if not line.repeatable else breaker.Account()
            carried = {
                c for c, other in self.lines.items() if other is line and c in shut and (channels is None or c in channels)
            }
            if (
                account.needs_person
                and account.state != "closed"
                and carried
                and self._due(connection, campaigns, carried, 1, ())
            ):
                self.report.stuck = True
                self.report.problem(
                    t("{name} is left alone until it is mended ({why}): omni doctor --live --provider {name}",
                      "{name} est laissé de côté jusqu'à réparation ({why}) : omni doctor --live --provider {name}",
                      name=line.provider.name, why=account.why or "?")
                )  # fmt: skip

    def _claim_again(self, connection: sa.Connection, again: Sequence[Again]) -> list[tuple[Again, list[Claimed]]]:
        """What goes again at once is claimed by name, in the transaction that recorded it."""
        found: list[tuple[Again, list[Claimed]]] = []
        for one in again:
            outbox.claim(connection, one.ids, worker=self.worker, until=lease(connection))
            found.append((one, outbox.load(connection, one.ids, attributes=self.presses.columns)))
            self.admission.spared.update(one.ids)
        return found

    def _prepare(self, repeated: Sequence[tuple[Again, list[Claimed]]], claimed: Sequence[Claimed]) -> None:
        """Render what was claimed, and queue it as calls."""
        for one, touches in repeated:
            if ready := self._rendered(touches):
                one.call.line.calls.appendleft(Call(one.call.line, ready, one.halvings))
        if not claimed:
            return
        faults.point("F05")
        by: dict[int, tuple[Line, list[Claimed]]] = {}
        for touch in claimed:
            own = self.lines.get(f"webhook:{touch.message}") if touch.channel == "webhook" else None
            line = own or self.lines.get(touch.channel)
            if line is None:
                self.unfit.append(Unfit(touch, "nobody", touch.channel))
            else:
                by.setdefault(id(line), (line, []))[1].append(touch)
        for line, touches in by.values():
            line.take(self._rendered(touches))
        if self.progress is not None:
            self.progress(len(claimed))

    def _rendered(self, touches: Sequence[Claimed]) -> list[Prepared]:
        ready: list[Prepared] = []
        for p in self.presses.prepare(touches):
            if isinstance(p, Prepared):
                if self._may_say(p):
                    ready.append(p)
                else:
                    self.unfit.append(Unfit(p.touch, "strayed", ""))
            else:
                self.unfit.append(p)
        return ready

    def _may_say(self, p: Prepared) -> bool:
        """Whether it says what the saved plan that binds this round was made of."""
        return self.bound is None or self.bound.lets(p.touch.key, seal(self.presses.pepper, p.body_hash, p.address_hash))

    # --- those that do not go ---------------------------------------------------------------------------------------
    def _drop(self, connection: sa.Connection) -> None:
        """A message that cannot be made ends its touch, by name and field; the others go (docs/delivery 14). A channel that no
        provider carries keeps its touches waiting."""
        if not self.unfit:
            return
        nobody = [u for u in self.unfit if u.reason == "nobody"]
        strayed = [u for u in self.unfit if u.reason == "strayed"]
        ended = [u for u in self.unfit if u.reason not in ("nobody", "strayed")]
        self.unfit = []
        ended = self._spoilt(connection, ended)
        outbox.put_back(connection, [(u.touch.id, u.touch.due_at, "breaker") for u in nobody])
        outbox.put_back(connection, [(u.touch.id, u.touch.due_at, None) for u in strayed])
        outbox.skip(connection, [(u.touch.id, u.reason, u.detail) for u in ended], now=self.now_ms)
        turns.settle(connection, [(u.touch.id, "skipped", self.now_ms, u.reason) for u in ended])
        self.report.render_failed += sum(1 for u in ended if u.reason == "render_failed")
        self.report.skipped += len(ended)
        self.report.held += len(nobody)
        for u in ended[:5]:
            self.report.problem(t("{touch}: {detail}", "{touch} : {detail}", touch=u.touch.key.hex()[:8], detail=u.detail))
        for channel in sorted({u.detail for u in nobody}):
            self.report.problem(t("nobody carries {channel}", "personne ne porte {channel}", channel=channel))

    def _spoilt(self, connection: sa.Connection, ended: list[Unfit]) -> list[Unfit]:
        """Those of campaigns whose first messages cannot be made wait instead, and their campaigns are paused."""
        failed = [u for u in ended if u.reason == "render_failed"]
        if not failed or not guards.on("canary"):
            return ended
        batch = [p.touch for line in self.each for call in line.calls for p in call.people] + [u.touch for u in failed]
        bad = self.recorder.canary.judge(connection, canary.batches(batch, [u.touch for u in failed]), recorded=False)
        if not bad:
            return ended
        kept = [u for u in failed if u.touch.version_id in bad]
        self.recorder.halt(connection, bad, kept[0].detail)
        outbox.put_back(connection, [(u.touch.id, u.touch.due_at, "paused") for u in kept])
        self.report.render_failed += len(kept)
        return [u for u in ended if u not in kept]

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
