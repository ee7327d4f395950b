"""One tick for the named campaigns: fold, enter, decide, dispatch, until nothing is due at this instant.

`run` by hand and `tick` by cron are the same deed; they differ in what they may apply (a person may start a draft in the
sandbox, a tick uses applied versions only) and in how late they still send (docs/delivery 13). A rehearsed run does all of
it on a copy of the store with providers that carry nothing, so what a plan shows is what a run does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from omnicli import clock, guards
from omnicli.campaigns import life, startup, versions
from omnicli.campaigns.leading import PLAN, leads, shared
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Handed, Outcome, Provider
from omnicli.store import campaigns, outbox, setting, wakeups
from omnicli.store import tables as tb
from omnicli.store.campaigns import Standing, Version
from omnicli.store.outbox.locking import change_standing, repeating
from omnicli.store.rehearsal import rehearsal
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.bound import Bound
    from omnicli.campaigns.dispatch import DispatchReport
    from omnicli.campaigns.turn import Houses
    from omnicli.model.decision import Tally
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

#: A run that is not at rest after this many rounds has met a defect; it stops and says so.
MOST_ROUNDS = 100

#: The setting that says when the last tick or run of this store ended (catch_up counts from there).
LAST_END = "last_run_ended"


class Interrupted(Exception):
    """Somebody asked the run to stop: the batch in hand is finished, the rest stays due."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a run changed before it began: `started` a draft, or `applied` a changed file."""

    name: str
    kind: Literal["started", "applied"]
    version: Version


@dataclass(frozen=True, slots=True)
class Held:
    """Touches above `approve_above`, kept back until a saved plan is approved."""

    name: str
    ceiling: str
    touches: int


@dataclass
class RunReport:
    """What one run did. Costs are millionths of the project's currency; `doubtful` counts unknown and parked touches;
    `outcomes` counts touches by (state, reason or channel), held-out ones among them."""

    now: datetime
    names: tuple[str, ...]
    announced: tuple[Announced, ...] = ()
    folded: int = 0
    entered: dict[str, int] = field(default_factory=dict)
    decided: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0
    unknown: int = 0
    retried: int = 0
    held: int = 0
    render_failed: int = 0
    cost: int = 0
    by_channel: dict[str, int] = field(default_factory=dict)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown_touches: tuple[str, ...] = ()
    doubtful: int = 0
    stuck: bool = False
    problems: tuple[str, ...] = ()
    approval: tuple[Held, ...] = ()
    finished: tuple[str, ...] = ()
    interrupted: bool = False
    rounds: int = 0
    strayed: int = 0

    @property
    def exit(self) -> int:
        """130 interrupted, 4 an approval is missing, 3 some sends failed or are unknown, else 0."""
        if self.interrupted:
            return Exit.INTERRUPTED
        if self.approval or self.strayed:
            return Exit.REFUSED
        failed = self.doubtful or self.unknown or self.retried or self.render_failed or self.stuck
        return Exit.SOME_FAILED if failed else Exit.FINE

    @property
    def happened(self) -> bool:
        """True when anything moved: what a tick prints a line for."""
        counts = (self.folded, self.decided, self.accepted, self.rejected, self.skipped, self.unknown, self.retried)
        return any(counts) or bool(self.entered or self.announced or self.finished or self.approval)

    def add(self, sent: DispatchReport) -> None:
        """Take in one round of dispatch."""
        for name in ("accepted", "rejected", "skipped", "unknown", "retried", "render_failed", "cost"):
            setattr(self, name, getattr(self, name) + getattr(sent, name))
        self.held, self.stuck = sent.held, sent.stuck
        self.doubtful = sent.open_unknown
        self.unknown_touches = (*self.unknown_touches, *sent.unknown_touches)
        self.problems = (*self.problems, *(p for p in sent.problems if p not in self.problems))
        for channel, count in sent.by_channel.items():
            self.by_channel[channel] = self.by_channel.get(channel, 0) + count


@dataclass(slots=True)
class Nowhere:
    """A provider that carries nothing and says that it did: for rehearsals, on a copy of the store."""

    channels: tuple[str, ...]
    name: str = "rehearsal"
    batch: int = 1000
    repeatable: bool = True

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [Outcome("accepted", ref=f"rehearsal-{one.touch}") for one in handed]

    def close(self) -> None:
        """Nothing is open."""


def nowhere(loaded: Loaded) -> dict[str, Provider]:
    """Every channel of the project, carried by nobody."""
    assert loaded.project is not None
    one: Provider = Nowhere(tuple(loaded.project.channels))
    return dict.fromkeys((*loaded.project.channels, "webhook"), one)


# --- before: what may run -------------------------------------------------------------------------------------------
def prepare(
    store: Store, loaded: Loaded, names: Sequence[str], *, now: datetime, live: bool, apply: bool
) -> tuple[Announced, ...]:
    """Make the named campaigns ready: in the sandbox drafts are started and changed files applied; in live a draft is
    exit 4, and so is a changed file without `apply` (the yes). Nothing is done when one of them cannot run."""
    assert loaded.project is not None
    wanted = [(name, life.authored(loaded, name)) for name in dict.fromkeys(names)]
    announced: list[Announced] = []
    with store.write() as connection:
        change_standing(connection)
        for name, campaign in wanted:
            row = campaigns.find(connection, name)
            _refuse(row, name, live=live)
            if row is not None and row.state != "draft" and not versions.changed(connection, loaded, row):
                continue
            draft = row is None or row.state == "draft"
            if live and not draft and not apply:
                raise OmniError(
                    t("the file of '{name}' was changed since it was applied",
                      "le fichier de « {name} » a changé depuis qu'il a été appliqué", name=name),
                    hint=t("answer with --yes to apply it", "répondez par --yes pour l'appliquer"), code="refused",
                    exit=Exit.REFUSED,
                )  # fmt: skip
            version = versions.apply(connection, campaign, loaded.project, now)
            row = campaigns.find(connection, name)
            assert row is not None
            if draft:
                life.open_doors(connection, row, now)
            life.note(connection, "start" if draft else "apply", name, now, version.label)
            announced.append(Announced(name, "started" if draft else "applied", version))
    return tuple(announced)


def _refuse(row: Standing | None, name: str, *, live: bool) -> None:
    state = row.state if row is not None else "draft"
    if state == "draft" and live:
        raise OmniError(t("'{name}' was never started", "« {name} » n'a jamais été lancée", name=name),
                        hint=f"omni campaign start {name} --live", code="draft", exit=Exit.REFUSED)  # fmt: skip
    if state in ("stopped", "finished"):
        raise OmniError(
            t("'{name}' is {state}", "« {name} » est {state}", name=name, state=life.state_word(state)),
            hint=f"omni campaign start {name}" + (" --live" if live else ""), code="state", exit=Exit.REFUSED,
        )  # fmt: skip


# --- the run --------------------------------------------------------------------------------------------------------
def run(
    store: Store,
    loaded: Loaded,
    *,
    names: Sequence[str],
    now: datetime,
    live: bool = False,
    tick: bool = False,
    rehearsed: bool = False,
    apply: bool = False,
    max: int | None = None,
    only: Mapping[str, str] | None = None,
    providers: Mapping[str, Provider] | None = None,
    renderer: Renderer | None = None,
    progress: Callable[[int], None] | None = None,
    stopping: Callable[[], bool] = lambda: False,
    bound: Bound | None = None,
    approved: Sequence[str] = (),
    processes: int = 1,
) -> RunReport:
    """Carry out one tick at `now`. `names` may hold paused campaigns: of those only exits, goals and (with `--people
    finish`) the people inside move. `stopping` is asked between batches; a run that was stopped says so in its report.

    The caller holds the project's lock. Providers that are not given are built here and closed here. `rehearsed` is for a
    copy of the store: what may run was prepared before, and nothing leaves. `bound`: only the passes and touches of a saved plan;
    `approved`: campaigns whose `approve_above` was answered. `processes`: how many work where there is much to render.
    """
    if live and not rehearsed:
        startup.refuse(store, loaded)
    ready = () if tick or rehearsed else prepare(store, loaded, names, now=now, live=live, apply=apply)
    report = RunReport(now, tuple(names), ready)
    late_after, late_since = (_late_after(store, loaded, now), last_end(store)) if tick else (None, None)
    real = live and not rehearsed

    def step(count: int) -> None:
        if progress is not None:
            progress(count)
        if stopping():
            raise Interrupted

    if not live:
        _live_until(store, now)
    tools = Tools(loaded, store, live, nowhere(loaded) if rehearsed else providers, renderer)
    before: list[Counter[tuple[str, str]]] = []

    def look() -> None:
        """Count what had ended at this very instant before; only a run that has something to do asks."""
        if not before:
            before.append(outcomes(store, names, now))

    try:
        work = Work(
            store, loaded, report, tools, step, look, live, real, only, late_after, late_since, bound=bound, approved=approved,
            processes=processes,
        )  # fmt: skip
        work.until_rest(max)
        report.approval = _awaiting_approval(store, names) if live and bound is None else ()
        with leads(store, PLAN) as led:  # whoever is letting people in has not finished
            report.finished = life.finish(led, loaded, _rows(store, names), now=now) if led is not None else ()
    except Interrupted:
        report.interrupted = True
    finally:
        tools.close()
    report.strayed = len(bound.strayed) if bound is not None else 0
    if before:
        report.outcomes = outcomes(store, names, now) - before[0]
    _ended(store, now, report)
    return report


def plan(store: Store, loaded: Loaded, *, names: Sequence[str], now: datetime, live: bool, every: timedelta) -> RunReport | None:
    """What one worker does for all, once in `every`: hear, fold, let people in, finish, and call for whatever is due. None when
    somebody else does it or did."""
    from omnicli.campaigns.enter import enter
    from omnicli.campaigns.respond import fold
    from omnicli.campaigns.upkeep import upkeep

    with leads(store, PLAN, every=every) as led:
        if led is None:
            return None
        report = RunReport(now, tuple(names))
        if not live:
            _live_until(led, now)
        _note_outage(led, loaded, now)
        if live:
            from omnicli.campaigns.listen import listen

            report.problems = tuple(filter(None, [listen(led, loaded, now=now).problem]))
        report.folded = repeating(lambda: fold(led, loaded, now=now)).events
        report.problems += tuple(upkeep(led, loaded, now=now, heard=bool(report.folded)))
        running = [row.name for row in _rows(led, names) if row.state == "running"]
        if running:
            entered = repeating(lambda: enter(led, loaded, now=now, campaigns=running)).by_campaign
            report.entered = {name: count for name, count in entered.items() if count}
        report.finished = life.finish(led, loaded, _rows(led, names), now=now)
        _ended(led, now, report)
        with led.write() as connection:
            wakeups.sweep(connection)
            wakeups.wake_all(connection, clock.to_ms(now))
        return report
    return None


def part(
    store: Store, loaded: Loaded, what: Literal["turn", "dispatch"], *, names: Sequence[str], now: datetime, live: bool,
    stopping: Callable[[], bool] = lambda: False, providers: Mapping[str, Provider] | None = None, renderer: Renderer | None = None,
) -> RunReport:  # fmt: skip
    """What any number of workers do at once: take the decisions that are due, or deliver what is due, of these campaigns."""
    if live and what == "dispatch":
        startup.refuse(store, loaded)
    report = RunReport(now, tuple(names))

    def step(_count: int) -> None:
        if stopping():
            raise Interrupted

    tools = Tools(loaded, store, live, providers, renderer)
    late_after, late_since = _outage(store, now, _late_after(store, loaded, now))
    work = Work(store, loaded, report, tools, step, lambda: None, live, live, None, late_after, late_since)
    try:
        if what == "turn":
            from omnicli.model.decision import Tally

            work.turn(Tally())
        else:
            work.dispatch(None)
    except Interrupted:
        report.interrupted = True
    finally:
        tools.close()
    return report


def rehearse(
    store: Store, loaded: Loaded, *, names: Sequence[str], now: datetime, live: bool = False, apply: bool = False,
    max: int | None = None, only: Mapping[str, str] | None = None, progress: Callable[[int], None] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> RunReport:  # fmt: skip
    """The same run on a copy of the store that is thrown away: decides and renders everything, sends and stores nothing."""
    with rehearsal(store) as copy:
        announced = prepare(copy, loaded, names, now=now, live=live, apply=apply)
        report = run(copy, loaded, names=names, now=now, live=live, rehearsed=True, max=max, only=only, progress=progress,
                     stopping=stopping)  # fmt: skip
    report.announced = announced
    return report


@dataclass
class Tools:
    """What renders and who carries, made when first needed: most ticks need neither. What was made here is closed here."""

    loaded: Loaded
    store: Store
    live: bool
    given: Mapping[str, Provider] | None
    shown: Renderer | None
    made: Mapping[str, Provider] | None = None

    @property
    def renderer(self) -> Renderer:
        if self.shown is None:
            self.shown = build_renderer(self.loaded, self.store, live=self.live)
        return self.shown

    @property
    def providers(self) -> Mapping[str, Provider]:
        if self.given is not None:
            return self.given
        if self.made is None:
            self.made = _build_providers(self.loaded, live=self.live)
        return self.made

    def close(self) -> None:
        if self.made is not None:
            _close(self.made)


@dataclass(frozen=True, slots=True)
class Work:
    """One run's tools: what decides, what renders, who carries. `decides_live` asks for approvals; `sends_live` is false in
    the sandbox and in rehearsals; `houses` are given where the caller keeps them from instant to instant (a virtual world)."""

    store: Store
    loaded: Loaded
    report: RunReport
    tools: Tools
    step: Callable[[int], None]
    look: Callable[[], None]
    decides_live: bool
    sends_live: bool
    only: Mapping[str, str] | None = None
    late_after: datetime | None = None
    late_since: datetime | None = None
    houses: Houses | None = None
    bound: Bound | None = None
    approved: Sequence[str] = ()
    processes: int = 1

    def until_rest(self, most: int | None) -> None:
        """Fold once, then decide and dispatch in turns until a round of dispatch settles nothing, or `most` touches left."""
        from omnicli.campaigns.respond import fold
        from omnicli.campaigns.upkeep import upkeep
        from omnicli.model.decision import Tally

        report, tally = self.report, Tally()
        if something_came(self.store):
            self.look()
        with leads(self.store, PLAN) as led:
            if led is not None:
                self._listen(led)
                folded = repeating(lambda: fold(led, self.loaded, now=report.now))
                report.folded += folded.events
                report.problems = (*report.problems, *upkeep(led, self.loaded, now=report.now, heard=bool(folded.events)))
        for _ in range(MOST_ROUNDS):
            report.rounds += 1
            self._decide(tally)
            left = None if most is None else most - report.accepted - report.unknown
            if left is not None and left <= 0:
                return
            if not self.dispatch(left):
                return
        raise OmniError(t("the run does not come to rest", "l'exécution ne s'achève pas"), hint="omni status", code="restless",
                        exit=Exit.SOME_FAILED)  # fmt: skip

    def _listen(self, store: Store) -> None:
        """Bounces that lie in a mailbox are heard before anything is decided; a box that cannot be read is said, and stops nothing."""
        if self.sends_live:
            from omnicli.campaigns.listen import listen

            if problem := listen(store, self.loaded, now=self.report.now).problem:
                self.report.problems = (*self.report.problems, problem)

    def _decide(self, tally: Tally) -> None:
        """Let people in and take every decision that is due."""
        self.step(0)
        report = self.report
        running = [row.name for row in _rows(self.store, report.names) if row.state == "running"]
        if running:
            self.enter(running)
        self.step(0)
        self.turn(tally)

    def turn(self, tally: Tally) -> None:
        """Take every decision that is due."""
        from omnicli.campaigns.turn import turn

        report = self.report
        if not _somebody_due(self.store, report.now):
            return
        self.look()
        with self._mine() as names:
            turned = repeating(lambda: turn(
                self.store, self.loaded, now=report.now, campaigns=names, usable=self.tools.renderer.usable,
                tally=tally, live=self.decides_live, houses=self.houses, approved=self.approved,
                passes=self.bound.passes if self.bound is not None else None))  # fmt: skip
        report.decided += turned.decided - turned.kinds["stay"]  # a look at somebody who stays is no news
        self.step(0)

    @contextmanager
    def _mine(self) -> Iterator[tuple[str, ...]]:
        """The campaigns that this run may decide: `approve_above` counts what one run decides, so only one decides for such a campaign."""
        names = tuple(self.report.names)
        if not shared(self.store) or not self.decides_live or self.bound is not None:
            yield names
            return
        with self.store.read() as connection:
            rows = {row.name: row.version_id for row in campaigns.known(connection)}
            bound = {n for n in names if (v := rows.get(n)) and versions.standing_tree(connection, v).guardrails.approve_above}
        with ExitStack() as held:
            yield tuple(n for n in names if n not in bound or held.enter_context(leads(self.store, f"turn {n}")) is not None)

    def enter(self, running: Sequence[str]) -> None:
        """Let people in, unless somebody else does at this moment."""
        from omnicli.campaigns.enter import enter

        with leads(self.store, PLAN) as led:
            if led is None:
                return
            entered = repeating(lambda: enter(led, self.loaded, now=self.report.now, campaigns=running, houses=self.houses))
        for name, count in entered.by_campaign.items():
            if count:
                self.report.entered[name] = self.report.entered.get(name, 0) + count

    def dispatch(self, left: int | None) -> bool:
        """One round of delivery; True when a touch was settled, so that somebody's next step may be due now."""
        from omnicli.campaigns.dispatch import DispatchReport, dispatch

        if not _something_to_send(self.store, self.report.now):
            self.report.doubtful = _doubts(self.store, self.report.names)
            return False
        self.look()
        sent = DispatchReport()
        try:
            dispatch(self.store, self.loaded, self.tools.renderer, self.tools.providers, now=self.report.now, live=self.sends_live,
                     campaigns=self.report.names, only=self.only, max=left, late_after=self.late_after, progress=self.step,
                     report=sent, late_since=self.late_since, houses=self.houses, bound=self.bound, processes=self.processes)  # fmt: skip
        finally:
            self.report.add(sent)  # what left before somebody interrupted it is told too
        return bool(sent.accepted + sent.rejected + sent.skipped + sent.render_failed)


def _somebody_due(store: Store, now: datetime) -> bool:
    """One look at an index: a tick with nothing due costs no more, however many people are in flight."""
    with store.read() as connection:
        return connection.execute(_DUE, {"now": clock.to_ms(now)}).first() is not None


def something_came(store: Store) -> bool:
    """A response that is not folded yet."""
    with store.read() as connection:
        return connection.execute(sa.text("SELECT 1 FROM inbox WHERE folded_at IS NULL LIMIT 1")).first() is not None


#: Literals, not parameters: only then may a store answer from its partial indexes.
_DUE = sa.text("SELECT 1 FROM enrollment WHERE due_at IS NOT NULL AND state = 'open' AND due_at <= :now LIMIT 1")
_DOUBT = sa.text("SELECT 1 FROM touch WHERE send_state IN ('unknown','parked') LIMIT 1")
_LEFT = (
    sa.text("SELECT 1 FROM touch WHERE lease_by IS NOT NULL LIMIT 1"),
    sa.text("SELECT 1 FROM touch WHERE send_state IN ('unknown','parked') AND send_state = 'unknown' LIMIT 1"),
)


def _something_to_send(store: Store, now: datetime) -> bool:
    """A touch that is due, or one that somebody left behind with its lease. Asked priority by priority, as its index is ordered:
    what is planned for later is not walked past."""
    with store.read() as connection:
        if outbox.due(connection, now=clock.to_ms(now), versions=None, channels=None, limit=1):
            return True
        return any(connection.execute(query).first() is not None for query in _LEFT)


def _doubts(store: Store, names: Sequence[str]) -> int:
    with store.read() as connection:
        if connection.execute(_DOUBT).first() is None:
            return 0
        ids = [row.id for row in campaigns.known(connection) if row.name in set(names)]
        return sum(count for count, _ in campaigns.doubtful(connection, ids).values())


def outcomes(store: Store, names: Sequence[str], now: datetime) -> Counter[tuple[str, str]]:
    """Touches of these campaigns that ended at `now`, by (state, reason or channel)."""
    e, x, ms = tb.enrollment.c, tb.touch.c, clock.to_ms(now)
    word = sa.case((x.send_state.in_(("skipped", "rejected")), x.reason), else_=x.channel)
    query = (
        sa.select(x.send_state, word, sa.func.count())
        .join(tb.enrollment, e.id == x.enrollment_id)
        .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        .where(tb.campaign.c.name.in_(tuple(names)))
        .where(sa.or_(x.settled_at == ms, sa.and_(x.created_at == ms, x.send_state.in_(("skipped", "held_out")))))
        .group_by(x.send_state, word)
    )
    with store.read() as connection:
        return Counter({(state, text or ""): count for state, text, count in connection.execute(query)})


def _rows(store: Store, names: Sequence[str]) -> tuple[Standing, ...]:
    with store.read() as connection:
        return tuple(row for row in campaigns.known(connection) if row.name in set(names))


def _build_providers(loaded: Loaded, *, live: bool) -> Mapping[str, Provider]:
    from omnicli.providers import build

    found: Mapping[str, Provider] = build(loaded, live=live, root=loaded.root)
    return found


def _close(providers: Mapping[str, Provider]) -> None:
    from omnicli.providers import close

    close(providers)


def build_renderer(loaded: Loaded, store: Store, *, live: bool) -> Renderer:
    """The renderer, with the keys of this store: the sandbox's can be guessed and open nothing in live."""
    from omnicli.render.links import Signing
    from omnicli.render.renderer import Renderer
    from omnicli.store import keys

    assert loaded.project is not None
    held = keys.of_store(store, loaded.project.project)
    return Renderer(loaded.root, loaded.project, live=live, signing=Signing(held.key, held.current))


# --- lateness and approval ------------------------------------------------------------------------------------------
def last_end(store: Store) -> datetime | None:
    """When the last tick or run of this store ended; None when there was none."""
    with store.read() as connection:
        found = setting.get(connection, LAST_END)
    return clock.from_ms(int(found)) if found else None


def _ended(store: Store, now: datetime, report: RunReport) -> None:
    """Remember that a run ended; an idle one right after another is not worth a commit."""
    before = last_end(store)
    if before is not None and not report.happened and timedelta() <= now - before < timedelta(minutes=1):
        return
    with store.write() as connection:
        setting.rise(connection, LAST_END, now)


def _live_until(store: Store, now: datetime) -> None:
    """The sandbox's clock stands at `now`."""
    with store.read() as connection:
        lived = setting.clock_of(connection)
    if lived is None or lived < now:
        with store.write() as connection:
            setting.advance_clock(connection, now)


def _late_after(store: Store, loaded: Loaded, now: datetime) -> datetime | None:
    """A tick sends what came due while no tick ran no later than `schedule.catch_up`; None when ticks came in time."""
    assert loaded.project is not None
    limit = now - loaded.project.schedule.catch_up.about
    ended = last_end(store)
    return limit if ended is not None and ended < limit and guards.on("catch_up") else None


#: The setting that says what came due while nobody ran: from, until, and when that was seen, in milliseconds.
OUTAGE = "outage"
#: Workers that begin to deliver so long after an outage was seen still ask whether what they find is too late.
RECENT = timedelta(hours=1)


def _note_outage(store: Store, loaded: Loaded, now: datetime) -> None:
    """Nobody ran for longer than `schedule.catch_up`: said once, for all who deliver after this."""
    late, since = _late_after(store, loaded, now), last_end(store)
    if late is not None and since is not None:
        with store.write() as connection:
            setting.put(connection, OUTAGE, " ".join(str(clock.to_ms(at)) for at in (since, late, now)))


def _outage(store: Store, now: datetime, late: datetime | None) -> tuple[datetime | None, datetime | None]:
    """What is due before the first and after the second of these came due while nobody ran; (None, None) without an outage. `late`: as
    of this moment, for whoever is called before the leader has looked."""
    if late is not None:
        return late, last_end(store)
    with store.read() as connection:
        found = setting.get(connection, OUTAGE)
    if not found:
        return None, None
    since, late, seen = (clock.from_ms(int(word)) for word in found.split())
    return (late, since) if now - seen < RECENT else (None, None)


def _awaiting_approval(store: Store, names: Sequence[str]) -> tuple[Held, ...]:
    """People whose touch is above `approve_above`: they stand still until a saved plan is approved (campaign-language 9.2)."""
    e = tb.enrollment.c
    found: list[Held] = []
    for row in _rows(store, names):
        with store.read() as connection:
            ceiling = versions.standing_tree(connection, row.version_id).guardrails.approve_above if row.version_id else None
            if ceiling is None:
                continue  # most campaigns: their people are not counted
            query = sa.select(sa.func.count()).where(e.campaign_id == row.id, e.state == "open", e.held_by == "approval")
            if count := connection.scalar(query):
                found.append(Held(row.name, str(ceiling), count))
    return tuple(found)
