"""A round of delivering: claim, render, gate and intent, hand over, record. The one module with concurrency.

No provider is called before the intents of that call were committed, and the index `one_open_attempt` allows one open
attempt a touch: what a crash leaves is planned again or unknown, never sent twice (docs/delivery 1, 3, 6). Every touch
taken up here ends a round accepted, rejected, skipped with a reason, waiting with a date, or unknown and shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from omnicli import clock, faults
from omnicli.campaigns import recover
from omnicli.campaigns.gate import Gate, Verdict
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
        round_.deliver(campaigns, only, max, progress)
    finally:
        _ACTIVE.discard(round_.worker)
    with store.read() as connection:
        versions = None if campaigns is None else outbox.versions_of(connection, campaigns)
        round_.report.open_unknown = outbox.open_doubts(connection, versions)
    return round_.report


#: Rounds of this process that are under way: their leases stand.
_ACTIVE: set[str] = set()


class _Round:
    def __init__(
        self, store: Store, loaded: Loaded, renderer: Renderer, providers: Mapping[str, Provider], *, now: datetime, live: bool,
        late_after: datetime | None,
    ) -> None:  # fmt: skip
        assert loaded.project is not None
        self.store, self.loaded, self.now, self.late_after = store, loaded, now, late_after
        self.now_ms = clock.to_ms(now)
        self.presses = Presses(store, loaded, renderer, now=now, live=live)
        lines: dict[int, Line] = {}
        self.lines = {channel: lines.setdefault(id(p), Line(p)) for channel, p in providers.items()}
        self.report = DispatchReport()
        self.worker = f"{recover.machine()}.{os.getpid()}.{next(_numbers)}"
        self.spent: dict[str, int] = {}

    # --- T1 ---------------------------------------------------------------------------------------------------------
    def deliver(self, campaigns: Collection[str] | None, only: Mapping[str, str] | None, most: int | None, progress: Callable[[int], None] | None) -> None:
        channels = _channels(only)
        cursor: Cursor | None = None
        faults.point("F03")
        while most is None or most > 0:
            claimed, cursor = self._claim(campaigns, channels, CLAIM if most is None else min(CLAIM, most), cursor)
            if cursor is None:
                return
            faults.point("F05")
            before = self.report.accepted + self.report.unknown
            for line, touches in self._by_line(claimed):
                self._carry(line, self.presses.prepare(touches))
            gone = self.report.accepted + self.report.unknown - before
            most = None if most is None else most - gone
            if progress is not None:
                progress(len(claimed))

    def _claim(self, campaigns: Collection[str] | None, channels: Collection[str] | None, limit: int, after: Cursor | None) -> tuple[list[Claimed], Cursor | None]:
        with self.store.read() as connection:
            versions = outbox.versions_of(connection, campaigns, running=True)
            if not versions or not outbox.due(connection, now=self.now_ms, versions=versions, channels=channels, limit=1, after=after):
                return [], None
        with self.store.write() as connection:
            if (why := outbox.hold_of(connection)) is not None:
                raise OmniError(t("the store is on hold: {why}", "le magasin est suspendu : {why}", why=why),
                                hint="omni db recover", code="hold", exit=Exit.REFUSED)  # fmt: skip
            found = outbox.due(connection, now=self.now_ms, versions=versions, channels=channels, limit=limit, after=after)
            if not found:
                return [], None
            ids = [row[0] for row in found]
            outbox.claim(connection, ids, worker=self.worker, until=_lease())
            self.presses.learn(connection)
            claimed = outbox.load(connection, ids, attributes=self.presses.columns)
            self.presses.bring(connection, claimed)
        return claimed, Cursor(*found[-1][1:4])

    def _by_line(self, claimed: Sequence[Claimed]) -> list[tuple[Line | None, list[Claimed]]]:
        by: dict[int, tuple[Line | None, list[Claimed]]] = {}
        for touch in claimed:
            line = self.lines.get(touch.channel)
            by.setdefault(id(line), (line, []))[1].append(touch)
        return list(by.values())

    # --- T2, the calls, T3 ------------------------------------------------------------------------------------------
    def _carry(self, line: Line | None, prepared: Sequence[Prepared | Unfit]) -> None:
        unfit = [p for p in prepared if isinstance(p, Unfit)]
        ready = [p for p in prepared if isinstance(p, Prepared)]
        if unfit:
            self._drop(unfit)
        if line is None:
            self._nobody(ready)
            return
        for start in range(0, len(ready), line.group):
            group = ready[start : start + line.group]
            if line.halted:
                self._put_back(group, line)
                continue
            handover, passed = self._intend(line, group)
            at = clock.awake()
            faults.point("F07")
            if passed:
                outcomes = self._call(line, passed, at)
                faults.point("F10")
                self._record(line, handover, passed, outcomes)
                faults.point("F12")
        if line.halted:
            self.report.problem(t("{name}: stopped sending ({why})", "{name} : envoi interrompu ({why})", name=line.provider.name, why=line.halted))

    def _intend(self, line: Line, group: Sequence[Prepared]) -> tuple[int, list[Prepared]]:
        """T2: the gate over the whole group, and the intents of those that pass."""
        with self.store.write() as connection:
            if outbox.hold_of(connection) is not None:
                return 0, []
            gate = Gate(connection, self.presses.houses, self.now, self.worker, self.late_after, self.spent)
            gate.read([p.touch for p in group])
            verdicts = [gate.judge(p.touch, cost=p.cost, address_hash=p.address_hash, body_hash=p.body_hash) for p in group]
            self._fallen(connection, [(p.touch, v) for p, v in zip(group, verdicts, strict=True) if v.kind != "go"])
            passed = [(p, v) for p, v in zip(group, verdicts, strict=True) if v.kind == "go"]
            if not passed:
                return 0, []
            ids = self.presses.archive(connection, [p for p, _ in passed])
            intents = [
                Intent(p.touch, p.address_hash, p.body_hash, ids[p.skeleton], p.values, p.facts, p.cost, v.local_date) for p, v in passed
            ]
            handover = outbox.intend(connection, intents, provider=line.provider.name, account=line.account, now=self.now_ms, until=_lease(2))
        self.presses.keep(ids)
        return handover, [p for p, _ in passed]

    def _fallen(self, connection: sa.Connection, fallen: Sequence[tuple[Claimed, Verdict]]) -> None:
        skipped = [(touch.id, verdict.reason or "ended", None) for touch, verdict in fallen if verdict.kind == "skip"]
        waiting = [(touch.id, clock.to_ms(v.until or self.now), v.reason) for touch, v in fallen if v.kind == "wait"]
        outbox.skip(connection, skipped, now=self.now_ms)
        outbox.put_back(connection, waiting)
        turns.settle(connection, [(i, "skipped", self.now_ms, reason) for i, reason, _ in skipped])
        self.report.skipped += len(skipped)
        self.report.held += len(waiting)

    def _call(self, line: Line, passed: Sequence[Prepared], at: float) -> list[Outcome]:
        """Hand over, in as many calls as the provider wants at a time; an outcome a touch, in order."""
        whole = line.whole()
        handed = [p.handed(whole=whole is None or n < whole) for n, p in enumerate(passed)]
        size = max(1, line.provider.batch)
        calls = [handed[i : i + size] for i in range(0, len(handed), size)]
        if len(calls) == 1:
            answers = [self._one_call(line, calls[0], at)]
        else:
            with ThreadPoolExecutor(min(line.in_flight, len(calls)), thread_name_prefix=line.provider.name) as pool:
                answers = list(pool.map(lambda call: self._one_call(line, call, at), calls))
        for answer in answers:
            line.heard(answer)
        return [outcome for answer in answers for outcome in answer]

    def _one_call(self, line: Line, handed: Sequence[Handed], at: float) -> list[Outcome]:
        if clock.awake() - at > FRESH:
            return [Outcome("not_sent", code="late", detail="the machine slept between the intent and the call")] * len(handed)
        try:
            outcomes = line.provider.send(handed, now=self.now)
        except Exception as defect:  # a provider that raises has a defect; what it did before is not known
            self.report.problem(f"{line.provider.name}: {type(defect).__name__}: {defect}")
            return [Outcome("not_sent" if line.repeatable else "unknown", code="defect", detail=type(defect).__name__)] * len(handed)
        return outcomes

    def _record(self, line: Line, handover: int, passed: Sequence[Prepared], outcomes: Sequence[Outcome]) -> None:
        """T3: an outcome a touch; what was told, work for people, bad addresses, woken passes."""
        with self.store.write() as connection:
            results = [self._result(connection, line, p, outcome) for p, outcome in zip(passed, outcomes, strict=True)]
            settled = outbox.record(connection, results, handover=handover, worker=self.worker, now=self.now_ms)
            work = [p.touch for p, r in zip(passed, results, strict=True) if r.outcome == "accepted" and p.is_work]
            outbox.open_tasks(connection, work)
            recover.bad_addresses(connection, [p.touch for p, o in zip(passed, outcomes, strict=True) if o.bad_address], now=self.now)
            turns.settle(connection, settled)
        self._count(passed, results)

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
    def _drop(self, unfit: Sequence[Unfit]) -> None:
        """A message that cannot be made ends its touch, by name and field; the others go (docs/delivery 14)."""
        with self.store.write() as connection:
            rows = [(u.touch.id, u.reason, u.detail) for u in unfit]
            outbox.skip(connection, rows, now=self.now_ms)
            turns.settle(connection, [(i, "skipped", self.now_ms, reason) for i, reason, _ in rows])
        failed = sum(1 for u in unfit if u.reason == "render_failed")
        self.report.render_failed += failed
        self.report.skipped += len(unfit)
        for u in unfit[:5]:
            self.report.problem(t("{touch}: {detail}", "{touch} : {detail}", touch=u.touch.key.hex()[:8], detail=u.detail))

    def _nobody(self, ready: Sequence[Prepared]) -> None:
        """A channel that no provider carries: the touches wait."""
        with self.store.write() as connection:
            outbox.put_back(connection, [(p.touch.id, p.touch.due_at, "breaker") for p in ready])
        self.report.held += len(ready)
        for channel in sorted({p.touch.channel for p in ready}):
            self.report.problem(t("nobody carries {channel}", "personne ne porte {channel}", channel=channel))

    def _put_back(self, group: Sequence[Prepared], line: Line) -> None:
        with self.store.write() as connection:
            outbox.put_back(connection, [(p.touch.id, p.touch.due_at, "breaker") for p in group])
        self.report.held += len(group)


def _lease(times: int = 1) -> int:
    """Until when a claim or a call holds, by the machine's clock: leases are about processes, not about `now`."""
    return clock.to_ms(clock.now() + timedelta(milliseconds=outbox.LEASE * times))


def _channels(only: Mapping[str, str] | None) -> tuple[str, ...] | None:
    channel = (only or {}).get("channel")
    return (channel,) if channel else None
