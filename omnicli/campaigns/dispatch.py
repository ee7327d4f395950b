"""A round of delivering: claim, render, gate and intent, hand over, record. The one module with concurrency.

No provider is called before the intents of that call were committed, and the index `one_open_attempt` allows one open
attempt a touch: what a crash leaves is planned again or unknown, never sent twice (docs/delivery 1, 3, 6). Every touch
taken up here ends a round accepted, rejected, skipped with a reason, waiting with a date, or unknown and shown.
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from omnicli import clock, faults
from omnicli.campaigns import canary, recover
from omnicli.campaigns.gate import Gate, Leaving, Verdict
from omnicli.campaigns.press import Prepared, Presses, Unfit
from omnicli.engine import retry
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Handed, Outcome, Provider
from omnicli.store import outbox, turns
from omnicli.store.outbox import Claimed, Cursor, Intent, Result
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

__all__ = ["DispatchReport", "dispatch", "resolve"]

#: Touches a claim takes at most.
CLAIM = 1000
#: A call must start within this many seconds of its intent's commit, by a clock that counts sleep (docs/delivery 3).
FRESH = 10.0
#: Leases of waiting groups are renewed after this many seconds.
RENEW = 15.0
#: After so many calls in a row that were not sent, or whose fate is unknown, an account is left alone for this round.
NOT_SENT_IN_A_ROW, UNKNOWN_IN_A_ROW = 5, 3

resolve = recover.resolve
_numbers = count(1)


@dataclass
class DispatchReport:
    """What one round did. `cost` in millionths; `held` were put back under a guard; `open_unknown` counts the touches of
    these campaigns that are unknown or parked now; `problems` are lines for a person."""

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
    problems: tuple[str, ...] = ()

    def problem(self, line: str) -> None:
        if line not in self.problems:
            self.problems = (*self.problems, line)


@dataclass
class Line:
    """One provider as this round sees it, and how its calls have gone."""

    provider: Provider
    pace: float = 0.0  # seconds a touch, from the channel's `rate`
    free_at: float = 0.0
    not_sent: int = 0
    doubtful: int = 0
    halted: str | None = None

    @property
    def repeatable(self) -> bool:
        return bool(getattr(self.provider, "repeatable", False))

    @property
    def account(self) -> str:
        return str(getattr(self.provider, "account", self.provider.name))

    @property
    def group(self) -> int:
        """Touches under one T2: the calls that may be in flight, times their size."""
        return max(1, self.provider.batch) * self.in_flight

    @property
    def in_flight(self) -> int:
        return max(1, int(getattr(self.provider, "in_flight", 1)))

    def whole(self) -> int | None:
        asked: Callable[[], int | None] | None = getattr(self.provider, "whole", None)
        return asked() if asked else None

    def wait_turn(self, touches: int) -> None:
        """Sleep until the channel's rate has room for so many; before the intents, so that none grows old."""
        if self.pace and not self.halted:
            now = clock.monotonic()
            if self.free_at > now:
                time.sleep(self.free_at - now)
            self.free_at = max(now, self.free_at) + self.pace * touches

    def heard(self, outcomes: Sequence[Outcome]) -> None:
        """Count what came of one call; a halting answer, or too many failures in a row, ends this account's round."""
        for outcome in outcomes:
            if outcome.halt:
                self.halted = outcome.detail or outcome.code or outcome.outcome
        kinds = {outcome.outcome for outcome in outcomes}
        self.not_sent = self.not_sent + 1 if kinds == {"not_sent"} else 0
        self.doubtful = self.doubtful + 1 if "unknown" in kinds else 0
        if self.not_sent >= NOT_SENT_IN_A_ROW or self.doubtful >= UNKNOWN_IN_A_ROW:
            last = outcomes[-1]
            self.halted = self.halted or last.detail or last.code or last.outcome


def dispatch(
    store: Store, loaded: Loaded, renderer: Renderer, providers: Mapping[str, Provider], *, now: datetime, live: bool = False,
    campaigns: Collection[str] | None = None, only: Mapping[str, str] | None = None, max: int | None = None,
    late_after: datetime | None = None, progress: Callable[[int], None] | None = None,
) -> DispatchReport:  # fmt: skip
    """Deliver what is due at `now`: of `campaigns` (None: all), by the channel of `only`, at most `max` touches.

    `late_after`: touches due before it are skipped `expired` (a tick that comes too late). Providers stay open: the
    caller that built them closes them. Raises OmniError (exit 4) when the store is on HOLD.
    """
    round_ = _Round(store, loaded, renderer, providers, now=now, live=live, late_after=late_after)
    recover.recover(store, loaded, providers, now=now, active=_ACTIVE, campaigns=campaigns)
    _ACTIVE.add(round_.worker)
    try:
        with _seldom_collected():
            round_.deliver(campaigns, only, max, progress)
    finally:
        _ACTIVE.discard(round_.worker)
    with store.read() as connection:
        versions = None if campaigns is None else outbox.versions_of(connection, campaigns)
        round_.report.open_unknown = outbox.open_doubts(connection, versions)
    return round_.report


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """A batch is thousands of small values that refer to no cycle: looking for cycles among them after every 700 costs a tenth
    of the round. They are looked for as often as there is a batch."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


#: Rounds of this process that are under way: their leases stand.
_ACTIVE: set[str] = set()


@dataclass(slots=True)
class _Sent:
    """A handover whose outcomes are not on disk yet."""

    line: Line
    handover: int
    passed: Sequence[Prepared]
    outcomes: Sequence[Outcome]
    mark: object


class _Round:
    """One round. Its transactions do as much at once as they may: the outcomes of the last group (T3), the gate and the
    intents of the next (T2), the claim of the batch behind it (T1). Rendering and calls happen between them."""

    def __init__(
        self, store: Store, loaded: Loaded, renderer: Renderer, providers: Mapping[str, Provider], *, now: datetime, live: bool,
        late_after: datetime | None,
    ) -> None:  # fmt: skip
        self.store, self.now, self.late_after = store, now, late_after
        self.now_ms = clock.to_ms(now)
        self.presses = Presses(store, loaded, renderer, now=now, live=live)
        lines: dict[int, Line] = {}
        self.lines = {channel: lines.setdefault(id(p), Line(p)) for channel, p in providers.items()}
        if live:
            for channel, line in self.lines.items():
                rate = self.presses.channels[channel].rate if channel in self.presses.channels else None
                if rate is not None and not line.repeatable:
                    line.pace = max(line.pace, rate.seconds / rate.count) if rate.count else line.pace
        self.report = DispatchReport()
        self.worker = f"{recover.machine()}.{os.getpid()}.{next(_numbers)}"
        self.spent: dict[str, int] = {}
        self.asked: dict[int, Leaving] = {}
        self.canary = canary.Canary(now)
        self.groups: deque[tuple[Line, list[Prepared]]] = deque()
        self.unfit: list[Unfit] = []
        self.sent: _Sent | None = None
        self.cursor: Cursor | None = None
        self.more = True
        self.mark: object = None
        self.renewed = clock.monotonic()

    def deliver(
        self,
        campaigns: Collection[str] | None,
        only: Mapping[str, str] | None,
        most: int | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        """Until nothing is due, or `most` have left. What was begun is finished, whatever ends the round."""
        channels = _channels(only)
        with self.store.read() as connection:
            if not self._due(connection, campaigns, channels, 1):
                return
        faults.point("F03")
        try:
            while self.more or self.groups or self.sent or self.unfit:
                self._step(campaigns, channels, most, progress)
        finally:
            self._leave()

    def _step(
        self,
        campaigns: Collection[str] | None,
        channels: Collection[str] | None,
        most: int | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        if self.sent is not None and not self.sent.line.repeatable:
            self._record_alone()
        if self.groups:
            self.groups[0][0].wait_turn(len(self.groups[0][1]))
        before, done = self.sent, self.report.accepted + self.report.unknown
        begun: tuple[Line, int, list[Prepared]] | None = None
        claimed: list[Claimed] = []
        with self.store.write() as connection:
            self._heed_hold(connection)
            mark = outbox.mark(connection)
            same = mark is not None and mark == self.mark
            results = self._record(connection, before, mark) if before is not None else []
            self._drop(connection)
            if self.groups:
                begun = self._intend(
                    connection,
                    *self.groups.popleft(),
                    same=same and not any(o.bad_address for o in (before.outcomes if before else ())),
                )
            if self.more and len(self.groups) == 0:
                gone = sum(1 for r in results if r.outcome in ("accepted", "unknown"))
                claimed = self._claim(
                    connection,
                    campaigns,
                    channels,
                    self._room(most, done + gone + (len(begun[2]) if begun else 0)),
                    begun=begun is not None,
                )
            self._renew(connection)
            self.mark = outbox.mark(connection)
        if before is not None:
            self._count(before.passed, results)
            self.sent = None
            faults.point("F12")
        if begun is not None:
            self._hand_over(*begun)
        if claimed:
            faults.point("F05")
            self._prepare(claimed)
            if progress is not None:
                progress(len(claimed))

    def _room(self, most: int | None, taken: int) -> int:
        return CLAIM if most is None else max(0, min(CLAIM, most - taken))

    def _heed_hold(self, connection: sa.Connection) -> None:
        if (why := outbox.hold_of(connection)) is not None:
            raise OmniError(
                t("the store is on hold: {why}", "le magasin est suspendu : {why}", why=why),
                hint="omni db recover",
                code="hold",
                exit=Exit.REFUSED,
            )

    def _leave(self) -> None:
        """Nothing of ours stays claimed, and no outcome stays unwritten."""
        if self.sent is not None:
            self._record_alone()
        left = [p.touch for _, group in self.groups for p in group] + [u.touch for u in self.unfit]
        self.groups.clear()
        self.unfit.clear()
        if left:
            with self.store.write() as connection:
                outbox.put_back(connection, [(touch.id, touch.due_at, None) for touch in left])

    # --- T1 ---------------------------------------------------------------------------------------------------------
    def _due(
        self, connection: sa.Connection, campaigns: Collection[str] | None, channels: Collection[str] | None, limit: int
    ) -> list[tuple[int, int, int, bytes]]:
        versions = outbox.versions_of(connection, campaigns, running=True)
        if not versions or limit <= 0:
            return []
        return outbox.due(connection, now=self.now_ms, versions=versions, channels=channels, limit=limit, after=self.cursor)

    def _claim(
        self,
        connection: sa.Connection,
        campaigns: Collection[str] | None,
        channels: Collection[str] | None,
        limit: int,
        *,
        begun: bool,
    ) -> list[Claimed]:
        found = self._due(connection, campaigns, channels, limit)
        if not found:
            self.more = limit <= 0 and begun  # outcomes to come may leave room for others
            return []
        ids = [row[0] for row in found]
        self.cursor = Cursor(*found[-1][1:4])
        outbox.claim(connection, ids, worker=self.worker, until=_lease())
        self.presses.learn(connection)
        claimed = outbox.load(connection, ids, attributes=self.presses.columns)
        self.presses.bring(connection, claimed)
        return claimed

    def _prepare(self, claimed: Sequence[Claimed]) -> None:
        """Render what was claimed, and put it into groups of what its providers take at a time."""
        by: dict[int, tuple[Line, list[Claimed]]] = {}
        for touch in claimed:
            line = self.lines.get(touch.channel)
            if line is None:
                self.unfit.append(Unfit(touch, "nobody", touch.channel))
            else:
                by.setdefault(id(line), (line, []))[1].append(touch)
        for line, touches in by.values():
            ready: list[Prepared] = []
            for p in self.presses.prepare(touches):
                if isinstance(p, Prepared):
                    ready.append(p)
                else:
                    self.unfit.append(p)
            self.groups.extend((line, ready[i : i + line.group]) for i in range(0, len(ready), line.group))

    def _renew(self, connection: sa.Connection) -> None:
        """Leases are renewed every 15 s while groups wait for their turn."""
        if self.groups and clock.monotonic() - self.renewed > RENEW:
            outbox.renew(connection, worker=self.worker, until=_lease())
            self.renewed = clock.monotonic()

    # --- T2, the calls, T3 ------------------------------------------------------------------------------------------
    def _intend(
        self, connection: sa.Connection, line: Line, group: list[Prepared], *, same: bool
    ) -> tuple[Line, int, list[Prepared]] | None:
        """T2: the gate over the whole group, and the intents of those that pass."""
        if line.halted:
            outbox.put_back(connection, [(p.touch.id, p.touch.due_at, "breaker") for p in group])
            self.report.held += len(group)
            return None
        gate = Gate(connection, self.presses.houses, self.now, self.worker, self.late_after, self.spent, self.asked, same)
        self.presses.houses.on(connection)
        gate.read([p.touch for p in group])
        passed: list[Prepared] = []
        slots: list[tuple[str, str, int] | None] = []
        fallen: list[tuple[Claimed, Verdict]] = []
        for p in group:
            verdict = gate.judge(p.touch, cost=p.cost, address_hash=p.address_hash, body_hash=p.body_hash)
            if verdict.kind == "go":
                passed.append(p)
                slots.append(verdict.slot)
            else:
                fallen.append((p.touch, verdict))
        if fallen:
            self._fallen(connection, fallen)
        if not passed:
            return None
        ids = self.presses.archive(connection, passed)
        keep = not line.repeatable  # what can be done again is told anew; what may become unknown remembers what it told
        intents = [Intent(p.touch, p.address_hash, p.body_hash, ids[p.skeleton], p.values, p.facts if keep else None, p.cost, slot)
                   for p, slot in zip(passed, slots, strict=True)]  # fmt: skip
        handover = outbox.intend(connection, intents, provider=line.provider.name, account=line.account, now=self.now_ms,
                                 until=None if line.repeatable else _lease(2))  # fmt: skip
        return line, handover, passed

    def _fallen(self, connection: sa.Connection, fallen: Sequence[tuple[Claimed, Verdict]]) -> None:
        skipped = [(touch.id, verdict.reason or "ended", None) for touch, verdict in fallen if verdict.kind == "skip"]
        waiting = [(touch.id, clock.to_ms(v.until or self.now), v.reason) for touch, v in fallen if v.kind == "wait"]
        outbox.skip(connection, skipped, now=self.now_ms)
        outbox.put_back(connection, waiting)
        turns.settle(connection, [(i, "skipped", self.now_ms, reason) for i, reason, _ in skipped])
        self.report.skipped += len(skipped)
        self.report.held += len(waiting)

    def _hand_over(self, line: Line, handover: int, passed: list[Prepared]) -> None:
        """The intents are on disk: call. What came of it is kept until the next transaction."""
        self.presses.keep()
        at = clock.awake()
        faults.point("F07")
        outcomes = self._call(line, passed, at)
        if line.halted:
            self.report.problem(
                t(
                    "{name}: stopped sending ({why})",
                    "{name} : envoi interrompu ({why})",
                    name=line.provider.name,
                    why=line.halted,
                )
            )
        self.sent = _Sent(line, handover, passed, outcomes, self.mark)
        faults.point("F10")

    def _call(self, line: Line, passed: Sequence[Prepared], at: float) -> list[Outcome]:
        """Hand over, in as many calls as the provider wants at a time; an outcome a touch, in order."""
        most, rest = line.whole(), getattr(line.provider, "rest", None)
        first = len(passed) if most is None or rest is None else min(most, len(passed))
        handed = [p.handed() for p in passed[:first]]
        size = max(1, line.provider.batch)
        calls = [handed[i : i + size] for i in range(0, len(handed), size)]
        if len(calls) <= 1:
            answers = [self._one_call(line, call, at) for call in calls]
        else:
            with ThreadPoolExecutor(min(line.in_flight, len(calls)), thread_name_prefix=line.provider.name) as pool:
                answers = list(pool.map(lambda call: self._one_call(line, call, at), calls))
        for answer in answers:
            line.heard(answer)
        outcomes = [outcome for answer in answers for outcome in answer]
        if rest is not None and first < len(passed):
            outcomes += [rest(Counter(p.touch.channel for p in passed[first:]), now=self.now)] * (len(passed) - first)
        return outcomes

    def _one_call(self, line: Line, handed: Sequence[Handed], at: float) -> list[Outcome]:
        if clock.awake() - at > FRESH:
            return [
                Outcome(
                    "not_sent",
                    code="late",
                    detail=t(
                        "the machine slept between the intent and the call", "la machine a dormi entre l'intention et l'appel"
                    ),
                )
            ] * len(handed)
        try:
            return line.provider.send(handed, now=self.now)
        except Exception as defect:  # a provider that raises has a defect; what it did before is not known
            self.report.problem(f"{line.provider.name}: {type(defect).__name__}: {defect}")
            return [Outcome("not_sent" if line.repeatable else "unknown", code="defect", detail=type(defect).__name__)] * len(
                handed
            )

    def _record_alone(self) -> None:
        """T3 in a transaction of its own."""
        sent = self.sent
        assert sent is not None
        with self.store.write() as connection:
            results = self._record(connection, sent, outbox.mark(connection))
            self.mark = None
        self.sent = None
        self._count(sent.passed, results)
        faults.point("F12")

    def _record(self, connection: sa.Connection, sent: _Sent, mark: object) -> list[Result]:
        """T3: an outcome a touch; what was told, work for people, bad addresses, woken passes."""
        results = [self._result(connection, sent.line, p, outcome) for p, outcome in zip(sent.passed, sent.outcomes, strict=True)]
        sure = mark is not None and mark == sent.mark
        settled = outbox.record(connection, results, handover=sent.handover, worker=self.worker, now=self.now_ms, sure=sure)
        outbox.open_tasks(
            connection, [p.touch for p, r in zip(sent.passed, results, strict=True) if p.is_work and r.outcome == "accepted"]
        )
        recover.bad_addresses(
            connection, [p.touch for p, o in zip(sent.passed, sent.outcomes, strict=True) if o.bad_address], now=self.now
        )
        woken = {r.touch.id for r in results if r.told is not None and r.outcome == "accepted"}  # with what they were told
        turns.settle(connection, [one for one in settled if one[0] not in woken])
        refused = [r for r in results if r.outcome == "rejected"]
        if refused:
            told = [r.touch for r in results if r.outcome in ("accepted", "rejected")]
            bad = self.canary.judge(connection, canary.batches(told, [r.touch for r in refused]), recorded=True)
            self._halt(connection, bad, next((r.detail or r.code for r in refused if r.touch.version_id in bad), None))
        return results

    def _halt(self, connection: sa.Connection, versions: Collection[int], why: str | None) -> None:
        """Pause the campaigns of versions whose first touches fail (docs/delivery 10); the gate keeps the rest of their batch."""
        for line in self.canary.pause(connection, versions, why or t("refused", "refusé")):
            self.report.problem(line)

    def _result(self, connection: sa.Connection, line: Line, p: Prepared, outcome: Outcome) -> Result:
        touch, n = p.touch, p.touch.attempts + 1
        again = None
        if outcome.outcome == "not_sent":
            first = outbox.first_attempt(connection, touch.id)
            at = retry.next_try(n, outcome, self.now, touch.key, first_at=clock.from_ms(first) if first is not None else None,
                                expires_at=clock.from_ms(touch.expires_at), smtp=line.provider.name == "smtp")  # fmt: skip
            again = clock.to_ms(at) if at is not None else None
        return Result(touch, n, outcome.outcome, outcome.ref, outcome.code, outcome.detail, again, p.told)

    def _count(self, passed: Sequence[Prepared], results: Sequence[Result]) -> None:
        report = self.report
        for p, result in zip(passed, results, strict=True):
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
                case _ if result.retry_at is None:
                    report.skipped += 1
                case _:
                    report.retried += 1

    # --- those that do not go ---------------------------------------------------------------------------------------
    def _drop(self, connection: sa.Connection) -> None:
        """A message that cannot be made ends its touch, by name and field; the others go (docs/delivery 14). A channel that no
        provider carries keeps its touches waiting."""
        if not self.unfit:
            return
        nobody = [u for u in self.unfit if u.reason == "nobody"]
        ended = [u for u in self.unfit if u.reason != "nobody"]
        self.unfit = []
        failed = [u for u in ended if u.reason == "render_failed"]
        batch = [p.touch for _, group in self.groups for p in group] + [u.touch for u in failed]
        bad = self.canary.judge(connection, canary.batches(batch, [u.touch for u in failed]), recorded=False) if failed else set()
        if bad:
            kept = [u for u in failed if u.touch.version_id in bad]
            self._halt(connection, bad, kept[0].detail)
            outbox.put_back(connection, [(u.touch.id, u.touch.due_at, "paused") for u in kept])
            self.report.render_failed += len(kept)
            ended = [u for u in ended if u not in kept]
        outbox.put_back(connection, [(u.touch.id, u.touch.due_at, "breaker") for u in nobody])
        outbox.skip(connection, [(u.touch.id, u.reason, u.detail) for u in ended], now=self.now_ms)
        turns.settle(connection, [(u.touch.id, "skipped", self.now_ms, u.reason) for u in ended])
        self.report.render_failed += sum(1 for u in ended if u.reason == "render_failed")
        self.report.skipped += len(ended)
        self.report.held += len(nobody)
        for u in ended[:5]:
            self.report.problem(t("{touch}: {detail}", "{touch} : {detail}", touch=u.touch.key.hex()[:8], detail=u.detail))
        for channel in sorted({u.detail for u in nobody}):
            self.report.problem(t("nobody carries {channel}", "personne ne porte {channel}", channel=channel))


def _lease(times: int = 1) -> int:
    """Until when a claim or a call holds, by the machine's clock: leases are about processes, not about `now`."""
    return clock.to_ms(clock.now() + timedelta(milliseconds=outbox.LEASE * times))


def _channels(only: Mapping[str, str] | None) -> tuple[str, ...] | None:
    channel = (only or {}).get("channel")
    return (channel,) if channel else None
