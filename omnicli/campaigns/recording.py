"""What calls came back with, written down (T3): an outcome a touch, and what each of them means for its account, address and campaign.

Outcomes that a failing store does not take are tried again for a minute and then kept in the emergency journal (docs/delivery 14).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli import clock, guards
from omnicli.campaigns import canary, recover
from omnicli.campaigns.line import Call
from omnicli.campaigns.report import DispatchReport
from omnicli.engine import breaker, retry
from omnicli.engine.breaker import Answer
from omnicli.model.touch import Outcome
from omnicli.store import consents, outbox, turns, wakeups
from omnicli.store.outbox import Ended, Result
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaigns.press import Prepared
    from omnicli.store.accounts import Book

#: A touch may be tried again at no cost so often: the number of an attempt has two digits in a mark (model/signed.py).
MOST_FREE = 90
#: A request is halved so often at most (docs/delivery 5).
MOST_HALVINGS = 10


@dataclass(frozen=True, slots=True)
class Again:
    """Touches that go again at once in a call of their own."""

    call: Call
    ids: tuple[int, ...]
    halvings: int


@dataclass
class Recorder:
    """Writes outcomes for one round. `again` collects what goes again at once; `tainted` is true once an outcome changed what
    the gate asks about people or campaigns."""

    worker: str
    now: datetime
    report: DispatchReport
    canary: canary.Canary
    again: list[Again] = field(default_factory=list)
    tainted: bool = False

    def write(
        self,
        connection: sa.Connection,
        calls: Sequence[Call],
        book: Book,
        *,
        at: datetime,
        mark: object,
        on_disk: Collection[int] = (),
    ) -> list[list[Result]]:
        """T3 of calls that came back, one list of results each; `at` is the present of this round. `on_disk`: handovers whose outcomes
        an earlier commit wrote, though its answer was lost: they are told again, and change nothing."""
        if not calls:
            return []
        self.again = []
        for call in calls:
            call.outcomes = _single(call)
        tried = outbox.tries(
            connection,
            [p.touch.id for call in calls for p, o in zip(call.people, call.outcomes, strict=True) if o.outcome == "not_sent"],
        )
        results = [self._results(call, tried, at) for call in calls]
        fresh = [(call, found) for call, found in zip(calls, results, strict=True) if call.handover not in on_disk]
        self._record(connection, fresh, book, at=at, mark=mark)
        for call, found in zip(calls, results, strict=True):
            self._collect(call, found)
        return results

    def _record(
        self, connection: sa.Connection, fresh: Sequence[tuple[Call, list[Result]]], book: Book, *, at: datetime, mark: object
    ) -> None:
        if not fresh:
            return
        calls, results = [call for call, _ in fresh], [found for _, found in fresh]
        ended = [Ended(call.handover, found, _status(call), _ref(call)) for call, found in fresh]
        sure = len(calls) == 1 and mark is not None and mark == calls[0].mark
        settled = outbox.record(connection, ended, worker=self.worker, now=clock.to_ms(self.now), sure=sure)
        self._consequences(connection, calls, results, settled)
        for call in calls:
            self._tell_account(call, book, at)
        ended_ids = {one[0] for one in settled}
        wakeups.wake(
            connection,
            wakeups.TURN,
            Counter(r.touch.version_id for found in results for r in found if r.touch.id in ended_ids),
            soon=True,
        )

    # --- results ----------------------------------------------------------------------------------------------------
    def _results(self, call: Call, tried: dict[int, tuple[int, int]], at: datetime) -> list[Result]:
        return [self._result(call, p, outcome, tried, at) for p, outcome in zip(call.people, call.outcomes, strict=True)]

    def _result(self, call: Call, p: Prepared, outcome: Outcome, tried: dict[int, tuple[int, int]], at: datetime) -> Result:
        touch, n = p.touch, p.touch.attempts + 1
        if outcome.outcome != "not_sent":
            return Result(touch, n, outcome.outcome, outcome.ref, outcome.code, outcome.detail, None, p.told)
        first, counted = tried.get(touch.id, (clock.to_ms(at), 1))
        spared = n < MOST_FREE and (outcome.free or outcome.halve or outcome.halt)
        if spared and not outcome.halt:
            return Result(touch, n, "not_sent", None, outcome.code, outcome.detail, clock.to_ms(self.now), free=True)
        n_used = max(1, counted - 1) if spared else counted
        again = retry.next_try(n_used, outcome, at, touch.key, first_at=clock.from_ms(first), expires_at=clock.from_ms(touch.expires_at),
                               smtp=call.line.provider.name == "smtp")  # fmt: skip
        return Result(
            touch,
            n,
            "not_sent",
            None,
            outcome.code,
            outcome.detail,
            clock.to_ms(again) if again is not None else None,
            free=spared,
        )

    # --- what outcomes mean for others ------------------------------------------------------------------------------
    def _consequences(
        self, connection: sa.Connection, calls: Sequence[Call], results: Sequence[Sequence[Result]],
        settled: Sequence[tuple[int, str, int, str | None]],
    ) -> None:  # fmt: skip
        """Work for people, dead addresses, bars that the provider holds, woken passes, campaigns that must stop."""
        flat = [r for found in results for r in found]
        if work := [p.touch for call, found in zip(calls, results, strict=True) for p, r in zip(call.people, found, strict=True)
                    if p.is_work and r.outcome == "accepted"]:  # fmt: skip
            outbox.open_tasks(connection, work)
        pairs = [
            (p, o)
            for call in calls
            for p, o in zip(call.people, call.outcomes, strict=True)
            if o.bad_address or o.suppress or o.halt
        ]
        if pairs:
            self._bars(connection, pairs)
        woken = {r.touch.id for r in flat if r.told is not None and r.outcome == "accepted"}  # with what they were told
        turns.settle(connection, [one for one in settled if one[0] not in woken])
        refused = [r for r in flat if r.outcome == "rejected"]
        if refused and guards.on("canary"):
            told = [r.touch for r in flat if r.outcome in ("accepted", "rejected")]
            again = Counter(r.touch.version_id for r in flat if r.free)
            bad = self.canary.judge(connection, canary.batches(told, [r.touch for r in refused]), recorded=True, again=again)
            self.halt(connection, bad, next((r.detail or r.code for r in refused if r.touch.version_id in bad), None))

    def _bars(self, connection: sa.Connection, pairs: Sequence[tuple[Prepared, Outcome]]) -> None:
        self.tainted = True
        recover.bad_addresses(connection, [p.touch for p, o in pairs if o.bad_address], now=self.now)
        for p, outcome in pairs:
            if outcome.suppress:  # SU-11: the provider holds a bar that we had missed
                bars = consents.bars_of(connection, p.touch.contact_id, p.touch.channel, outcome.suppress, at=self.now,
                                        source=outcome.code)  # fmt: skip
                consents.suppress(connection, bars, now=self.now)
        stopped = {p.touch.version_id: o.detail or o.code or "" for p, o in pairs if o.halt and o.halts == "campaign"}
        for version, why in stopped.items():
            for line in self.canary.stop(connection, [version], why):
                self.report.problem(line)

    def halt(self, connection: sa.Connection, versions: Collection[int], why: str | None) -> None:
        """Pause the campaigns of versions whose first touches fail (docs/delivery 10); the gate keeps the rest of their batch."""
        for line in self.canary.pause(connection, versions, why or t("refused", "refusé")):
            self.report.problem(line)

    # --- the account, and who goes again ----------------------------------------------------------------------------
    def _tell_account(self, call: Call, book: Book, at: datetime) -> None:
        """Count what came of one call; an answer that reaches further shuts the account or a channel."""
        line = call.line
        if call.defect:
            self.report.problem(call.defect)
        for p, outcome in zip(call.people, call.outcomes, strict=True):
            if outcome.halt and outcome.halts == "channel":
                line.shut[p.touch.channel] = _why(outcome)
        if call.probe:
            line.probing = False
        if line.repeatable:
            return
        before = book.of(line.provider.name, line.account)
        after = breaker.heard(before, answer(call), clock.to_ms(at), full=line.batch)
        book.put(line.provider.name, line.account, after)
        if after.state == "open":
            line.said = after.why
            said = t("{name}: stopped sending ({why})", "{name} : envoi interrompu ({why})", name=line.provider.name, why=after.why or "?")  # fmt: skip
            remedy = t("{said}: {x}", "{said} : {x}", said=said, x=f"omni doctor --live --provider {line.provider.name}")
            self.report.problem(remedy if after.needs_person else said)

    def _collect(self, call: Call, results: Sequence[Result]) -> None:
        """Free touches go again in one call; a spoilt request in two halves."""
        ids = [r.touch.id for r, o in zip(results, call.outcomes, strict=True) if r.free and not o.halt]
        if not ids:
            return
        if any(o.halve for o in call.outcomes):
            middle = (len(ids) + 1) // 2
            halves = (ids[:middle], ids[middle:])
            self.again += [Again(call, tuple(half), call.halvings + 1) for half in halves if half]
        else:
            self.again.append(Again(call, tuple(ids), call.halvings))


def _single(call: Call) -> Sequence[Outcome]:
    """A request that nobody can halve any further has found its culprit: it is refused, the others were sent."""
    if not any(o.halve for o in call.outcomes):
        return call.outcomes
    if guards.on("bisect") and len(call.people) > 1 and call.halvings < MOST_HALVINGS:
        return call.outcomes
    return [Outcome("rejected", code=o.code, detail=o.detail, http_status=o.http_status) if o.halve else o for o in call.outcomes]


def answer(call: Call) -> Answer:
    """One call as its account hears it."""
    outcomes = call.outcomes
    plain = [o for o in outcomes if not (o.free or o.halve)]
    halting = [o for o in outcomes if o.halt and o.halts == "account"]
    tellers: Iterable[Outcome] = halting or [o for o in plain if o.outcome in ("not_sent", "unknown")]
    last = next(iter(reversed(list(tellers))), None)
    told = [clock.to_ms(o.retry_at) for o in plain if o.retry_at is not None and o.outcome == "not_sent"]
    return Answer(
        unknown=sum(o.outcome == "unknown" for o in outcomes), failed=bool(plain) and all(o.outcome == "not_sent" for o in plain),
        accepted=any(o.outcome in ("accepted", "rejected") for o in outcomes), halts=bool(halting),
        needs_person=any(o.http_status in (401, 403) for o in halting), retry_at=max(told, default=None), retry=call.retry,
        why=_why(last) if last is not None else None,
    )  # fmt: skip


def _why(outcome: Outcome) -> str:
    return outcome.detail or outcome.code or outcome.outcome


def _status(call: Call) -> int | None:
    return next((o.http_status for o in call.outcomes if o.http_status is not None), None)


def _ref(call: Call) -> str | None:
    """The provider's id of the whole request, where all its people share one."""
    refs = {o.ref for o in call.outcomes if o.ref is not None}
    return refs.pop() if len(refs) == 1 and not call.line.repeatable else None
