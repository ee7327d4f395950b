"""Admission (T2): which calls may start now, the gate over everybody in them, and the intents of those who pass, in one transaction.

An account that is left alone, a rate without room and a minute full of retries keep calls back before the gate is asked; whoever
falls at the gate is skipped with its reason or waits with a date (docs/delivery 3, 10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from omnicli import clock
from omnicli.campaigns.gate import Gate, Leaving, Verdict
from omnicli.campaigns.line import Call, Line
from omnicli.campaigns.press import Prepared, Presses
from omnicli.campaigns.report import DispatchReport
from omnicli.campaigns.worker import lease
from omnicli.engine import breaker
from omnicli.model.touch import Outcome
from omnicli.store import outbox, turns
from omnicli.store.accounts import Book
from omnicli.store.outbox import Claimed, Handing, Intent

if TYPE_CHECKING:
    import sqlalchemy as sa

#: A round waits so many seconds at most for the rate of a channel; whoever is further back waits without a claim.
RATE_PATIENCE = 60.0
#: Touches of an account that only a person can mend, or of a channel that was shut, are looked at again after this.
LOOK_AGAIN = timedelta(minutes=15)


@dataclass(eq=False)
class Admission:
    """What one round's admissions share. `spared`: touches that go again at no cost of an attempt, so they are no retries; `spent`
    and `asked` are the gate's, kept for the round."""

    presses: Presses
    worker: str
    report: DispatchReport
    now: datetime
    late_after: datetime | None
    late_since: datetime | None
    spared: set[int] = field(default_factory=set)
    spent: dict[str, int] = field(default_factory=dict)
    asked: dict[int, Leaving] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at, self.now_ms = self.now, clock.to_ms(self.now)
        self.present: int | None = None

    def begin(
        self, connection: sa.Connection, book: Book, lines: Sequence[Line], *, at: datetime, age: int | None, last: bool
    ) -> list[Call]:
        """The gate over all calls of these lines that may start now, and the intents of those that pass. `last`: nobody else comes to
        fill requests that are not full. `age`: calls whose people were loaded at this age meet the store as it was then (None: nobody
        can say so)."""
        self.at, self.present = at, None
        if last:
            for line in lines:
                line.flush()
        calls = [call for line in lines for call in self._startable(connection, line, book)]
        if not calls:
            return []
        passed, slots = self._passed(connection, calls, same=age is not None and all(call.seen == age for call in calls))
        begun = [call for call in calls if call.people]
        for call in calls:
            if call.probe and not call.people:
                call.line.probing = False  # who was to probe fell out at the gate: the next in line does
        if not begun:
            return []
        ids = self.presses.archive(connection, passed)
        called = [call for call in begun if call.line.known is None]
        handings = [self._handing(connection, call, ids, slots) for call in called]
        for call, handover in zip(
            called, outbox.intend(connection, handings, now=clock.to_ms(self.at)) if called else (), strict=True
        ):
            call.handover = handover
            self._book(call, book)
        for call in begun:
            if (said := call.line.known) is not None:
                self._carry(connection, call, self._handing(connection, call, ids, slots), said)
        return begun

    def _handing(
        self, connection: sa.Connection, call: Call, ids: Mapping[str, int], slots: Mapping[int, tuple[str, str, int] | None]
    ) -> Handing:
        line, known = call.line, call.line.repeatable  # of a touch that can never be unknown nobody must keep what it would tell
        intents = [
            Intent(
                p.touch,
                p.address_hash,
                p.body_hash,
                ids[p.skeleton],
                p.values,
                None if known else p.facts,
                p.cost,
                slots[p.touch.id],
            )
            for p in call.people
        ]
        return Handing(line.provider.name, line.account, intents, None if known else self._until(connection, line.patience))

    def _until(self, connection: sa.Connection, seconds: float) -> int:
        """Until when a call that begins in this transaction holds; the store's clock is asked once."""
        self.present = lease(connection, 0.0) if self.present is None else self.present
        return self.present + int(seconds * 1000)

    def _carry(self, connection: sa.Connection, call: Call, handing: Handing, said: Outcome) -> None:
        """The archive alone carries them: what the provider says of them is known, and written with their intents."""
        call.carried, call.outcomes = True, [said] * len(call.people)
        told = [p.told for p in call.people]
        untold = outbox.carry(connection, handing, told, ref=said.ref or call.line.provider.name, now=self.now_ms)
        turns.settle(connection, [(touch, "accepted", self.now_ms, None) for touch in untold])
        outbox.open_tasks(connection, [p.touch for p in call.people if p.is_work])

    def _startable(self, connection: sa.Connection, line: Line, book: Book) -> Iterator[Call]:
        """Calls of this line that its account, its rate and its room let start now."""
        started = 0
        while line.calls and started < line.room:
            if line.repeatable:
                yield line.calls.popleft()
                return
            account = book.glance(line.provider.name, line.account, paced=bool(line.pace))
            verdict = breaker.may(account, clock.to_ms(self.at))
            if verdict.kind == "wait":
                if not line.probing:
                    self._put_back(connection, line.drain(), verdict.until, "breaker")
                return
            if self._no_room(connection, line, account):
                return
            call = self._sized(line, 1 if verdict.kind == "probe" else min(line.batch, account.batch or line.batch))
            if not self._allowed(connection, call, book):
                continue
            started += 1
            if verdict.kind == "probe":
                call.probe = line.probing = True
            yield call
            if call.probe or line.pace:
                return

    def _no_room(self, connection: sa.Connection, line: Line, account: breaker.Account) -> bool:
        """Whether the rate of the channel, which all processes share, has no room now."""
        if not line.pace:
            return False
        line.free_at = account.free_at
        wait = line.rate_wait
        if wait > RATE_PATIENCE:
            people = line.drain()
            start = self.at + timedelta(seconds=wait)
            outbox.put_back(
                connection,
                [(p.touch.id, clock.to_ms(start + timedelta(seconds=line.pace * n)), "rate") for n, p in enumerate(people)],
            )
            self.report.held += len(people)
        return wait > 0

    def _sized(self, line: Line, most: int) -> Call:
        """The next call, no larger than the account takes now; the rest of it stays next in line."""
        call = line.calls.popleft()
        if len(call.people) > most:
            line.calls.appendleft(Call(line, call.people[most:], call.halvings))
            call.people = call.people[:most]
        return call

    def _allowed(self, connection: sa.Connection, call: Call, book: Book) -> bool:
        """False when its channel is shut, or when it is a retry for which this minute has no room: then it waits."""
        shut = [p for p in call.people if p.touch.channel in call.line.shut]
        if shut:
            self._put_back(connection, shut, None, "breaker")
            call.people = [p for p in call.people if p.touch.channel not in call.line.shut]
        tried = sum(1 for p in call.people if p.touch.attempts > 0 and p.touch.id not in self.spared)
        call.retry = 2 * tried > len(call.people)
        now = clock.to_ms(self.at)
        if call.retry and not breaker.may_retry(book.of(call.line.provider.name, call.line.account), now):
            self._put_back(connection, call.people, breaker.next_minute(now), "rate")
            return False
        return bool(call.people)

    def _book(self, call: Call, book: Book) -> None:
        """What this call takes of its account: a place in its minute, and room in its rate."""
        line = call.line
        if line.repeatable:
            return
        now, machine_now, probe, retries = clock.to_ms(self.at), clock.to_ms(clock.now()), call.probe, int(call.retry)

        def taken(account: breaker.Account) -> breaker.Account:
            account = breaker.begun(account, now, calls=1, retries=retries)
            if probe:
                account = breaker.probing(account, now, patience=int(line.patience * 1000))
            return breaker.reserve(account, machine_now, pace=line.pace, touches=len(call.people))

        line.free_at = book.step(line.provider.name, line.account, taken).free_at

    def _put_back(self, connection: sa.Connection, people: Sequence[Prepared], until: int | None, held_by: str) -> None:
        """They wait again, until then (None: until somebody has mended it; they are looked at again in a while)."""
        later = until if until is not None else clock.to_ms(self.at + LOOK_AGAIN)
        outbox.put_back(connection, [(p.touch.id, max(later, p.touch.due_at), held_by) for p in people])
        self.report.held += len(people)

    def _passed(
        self, connection: sa.Connection, calls: Sequence[Call], *, same: bool
    ) -> tuple[list[Prepared], dict[int, tuple[str, str, int] | None]]:
        """Ask the gate about everybody, by priority, due instant and key; calls keep those who pass."""
        gate = Gate(
            connection,
            self.presses.houses,
            self.at,
            self.worker,
            self.late_after,
            self.late_since,
            self.spent if connection.dialect.name == "sqlite" else {},  # others spend too
            self.asked,
            same,
        )
        self.presses.houses.on(connection)
        people = calls[0].people if len(calls) == 1 else [p for call in calls for p in call.people]
        gate.read([p.touch for p in people])
        if not gate.apart:
            people = sorted(people, key=_order)
        passed: list[Prepared] = []
        slots: dict[int, tuple[str, str, int] | None] = {}
        fallen: list[tuple[Claimed, Verdict]] = []
        for p in people:
            verdict = gate.judge(p.touch, cost=p.cost, address_hash=p.address_hash, body_hash=p.body_hash, stale=p.fresh_until)
            if verdict.kind == "go":
                passed.append(p)
                slots[p.touch.id] = verdict.slot
            else:
                fallen.append((p.touch, verdict))
        if fallen:
            self._fallen(connection, fallen)
            for call in calls:
                call.people = [p for p in call.people if p.touch.id in slots]
        return passed, slots

    def _fallen(self, connection: sa.Connection, fallen: Sequence[tuple[Claimed, Verdict]]) -> None:
        skipped = [(touch.id, verdict.reason or "ended", None) for touch, verdict in fallen if verdict.kind == "skip"]
        waiting = [(touch.id, clock.to_ms(v.until or self.now), v.reason) for touch, v in fallen if v.kind == "wait"]
        outbox.skip(connection, skipped, now=self.now_ms)
        outbox.put_back(connection, waiting)
        turns.settle(connection, [(i, "skipped", self.now_ms, reason) for i, reason, _ in skipped])
        self.report.skipped += len(skipped)
        self.report.held += len(waiting)


def _order(p: Prepared) -> tuple[int, int, bytes]:
    return p.touch.priority, p.touch.due_at, p.touch.key
