"""A turn: every enrollment that is due is decided once and again until nothing is due at this instant.

Rows are decided in the order priority, due instant, key; a batch is gathered, decided and recorded in one transaction (T0).
A `set` ends an instant: the pass is recorded and gathered again in the next round. Nothing leaves from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import faults
from omnicli.campaignfile import PROJECT_FILE
from omnicli.condition.sql import Compiler
from omnicli.engine import chance
from omnicli.engine.calendar import Calendar
from omnicli.engine.decide import Answers
from omnicli.engine.guard import merge_guardrails
from omnicli.engine.house import House, Usable
from omnicli.engine.pricing import cost
from omnicli.engine.questions import questions
from omnicli.model.campaign import Campaign, Message
from omnicli.model.decision import Decision, Standing, Tally
from omnicli.model.flow import Flow
from omnicli.model.project import Persona, Project
from omnicli.model.vocabulary import vocabulary
from omnicli.packs import holidays_of, load
from omnicli.store import grounds, turns
from omnicli.store import tables as tb

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: People a transaction: enough to make a commit cheap, few enough to keep the writer's lock short (delivery 8).
BATCH = 1000
#: No flow has more steps than that; a pass that is due again more often at one instant is a defect.
ROUNDS = 501

#: (message, channel, language, register) → why these words cannot go that way; `Renderer.usable` is one.
Wording = Callable[[Message, str, str, "str | None"], "str | None"]


@dataclass
class TurnReport:
    """What a turn decided: how many enrollments, by kind of decision, touches by (state, channel or reason), and rounds."""

    decided: int = 0
    rounds: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    touches: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)

    def add(self, decision: Decision) -> None:
        self.decided += 1
        self.kinds[decision.kind] += 1
        for touch in decision.touches:
            self.touches[touch.state, touch.reason or touch.channel] += 1
        if decision.ended is not None:
            self.ended[decision.ended] += 1
        elif decision.stand is not None and decision.stand.held_by is not None:
            self.held[decision.stand.held_by] += 1


_VERSIONS = sa.select(
    tb.campaign_version.c.id, tb.campaign.c.id, tb.campaign.c.name, tb.campaign.c.version_id, tb.campaign.c.state, tb.campaign.c.pause_people
).join(tb.campaign, tb.campaign.c.id == tb.campaign_version.c.campaign_id)  # fmt: skip
#: Every draw is the hash's.
NO_DRAWS = chance.Draws()


class Houses(Mapping[int, House]):
    """The houses of a turn by version id, built when first asked for and kept."""

    def __init__(self, connection: sa.Connection, loaded: Loaded, *, now: datetime, usable: Wording | None = None,
                 live: bool = False, approved: Collection[str] = (), draws: chance.Draws = NO_DRAWS) -> None:  # fmt: skip
        assert loaded.project is not None
        self.draws = draws
        self.project: Project = loaded.project
        self.loaded, self.now, self.usable, self.live, self.approved = loaded, now, usable, live, frozenset(approved)
        self._trees: dict[int, Campaign] = {}
        self._houses: dict[int, House] = {}
        self.gathers: dict[tuple[int, str | None], turns.Gather] = {}  # what is asked of those who stand at a step
        self.doors: dict[tuple[int, str], tuple[sa.Select[Any], Compiler]] = {}  # what a door asks of those who may come
        self._read(connection)

    def _read(self, connection: sa.Connection) -> None:
        """Which versions there are, how their campaigns stand, and the law of the day."""
        self.rows = {row[0]: row for row in connection.execute(_VERSIONS)}
        self._packs = load(self.project.countries, self.now.date())
        self._connection = connection

    def __getitem__(self, version_id: int) -> House:
        if version_id not in self._houses:
            self._houses[version_id] = self._build(version_id)
        return self._houses[version_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def later(self, connection: sa.Connection, *, now: datetime) -> None:
        """The same houses at a later instant; built anew where a campaign's state or the law in force changed meanwhile."""
        before, self.now = (self.rows, self._packs), now
        self._read(connection)
        if (self.rows, self._packs) != before:
            self._houses.clear()
            self.gathers.clear()
            self.doors.clear()

    def on(self, connection: sa.Connection) -> Houses:
        """The same houses, read further over this connection."""
        self._connection = connection
        return self

    def tree(self, version_id: int) -> Campaign:
        """The campaign as it stood when that version was applied; one object a content and process."""
        if version_id not in self._trees:
            text = self._connection.execute(sa.select(tb.campaign_version.c.tree).where(tb.campaign_version.c.id == version_id))
            self._trees[version_id] = revived(text.scalar_one())
        return self._trees[version_id]

    def compiler(self, version_id: int) -> Compiler:
        house = self[version_id]
        known = vocabulary(self.project, house.campaign, self.loaded.campaigns)
        return Compiler(known, campaign=house.name)

    def _build(self, version_id: int) -> House:
        row = self.rows[version_id]
        campaign = self.tree(version_id)
        applied = self.tree(row.version_id) if row.version_id is not None else campaign
        guarding = merge_guardrails(self.project, applied, self._packs)
        calendar = Calendar.of(self.project.time_zone, self.project.countries, guarding.quiet, self._packs, holidays_of,
                               own=guarding.quiet_own)  # fmt: skip
        binding = self.live and row.name not in self.approved
        return House(
            self.project, campaign, Flow.of(campaign), guarding, calendar, _words(campaign, self.usable),
            prices={name: cost(channel.price) for name, channel in self.project.channels.items()},
            personas=personas_of(campaign, self.project), halted=row.state == "paused" and row.pause_people != "finish",
            ceiling=guarding.approve_above if binding else None, pins=self.draws.arms,
        )  # fmt: skip


def houses(connection: sa.Connection, loaded: Loaded, *, now: datetime, usable: Wording | None = None, live: bool = False,
           approved: Collection[str] = ()) -> Houses:  # fmt: skip
    """The houses of all versions in the store, lazily: `houses(…)[version_id]`."""
    return Houses(connection, loaded, now=now, usable=usable, live=live, approved=approved)


@lru_cache(maxsize=256)
def revived(tree: str) -> Campaign:
    """The campaign of a stored tree; one object a content and process."""
    from omnicli.campaignfile import revive

    return revive(tree)


def personas_of(campaign: Campaign, project: Project) -> Mapping[str, Persona]:
    """The personas a campaign writes for, in the order in which they are matched."""
    if isinstance(campaign.personas, dict):
        return campaign.personas
    if campaign.personas is None:
        return project.personas
    return {name: project.personas[name] for name in campaign.personas if name in project.personas}


def _words(campaign: Campaign, usable: Wording | None) -> Usable:
    """The question `are there words and a template`, remembered by (message, channel, language, register)."""
    asked: dict[tuple[str, str, str, str | None], str | None] = {}

    def answer(message: str, channel: str, language: str, register: str | None) -> str | None:
        key = message, channel, language, register
        if key not in asked:
            written = campaign.messages[message]
            asked[key] = usable(written, channel, language, register) if usable else _has_words(written, language, register)
        return asked[key]

    return answer


def _has_words(message: Message, language: str, register: str | None) -> str | None:
    """Whether `say` speaks this language at all (5.5): `fr-CA/tu` → `fr-CA` → `fr/tu` → `fr`."""
    plain = language.partition("-")[0]
    keys = (f"{language}/{register}", language, f"{plain}/{register}", plain)
    return None if any(key in message.say for key in keys) else "no_words"


def turn(
    store: Store,
    loaded: Loaded,
    *,
    now: datetime,
    campaigns: Sequence[str] | None = None,
    usable: Wording | None = None,
    limit: int | None = None,
    tally: Tally | None = None,
    approved: Collection[str] = (),
    live: bool = False,
    batch: int = BATCH,
    on_decision: Callable[[Standing, House, Decision], None] | None = None,
    houses: Houses | None = None,
    passes: Collection[bytes] | None = None,
) -> TurnReport:
    """Decide whatever is due at `now` in the running campaigns (of paused ones only exits and goals act), at most `limit`
    decisions. `campaigns` names some of them; `tally` counts a whole run; `approved` are free of `approve_above`.
    `houses`: those of this instant, where somebody has built them already. `passes`: only these, by their keys."""
    work = _Turn(store, loaded, now, tally or Tally(), batch, limit, on_decision)
    work.passes = passes
    with store.read() as connection:
        if houses is None:
            houses = Houses(connection, loaded, now=now, usable=usable, live=live, approved=approved)
        work.houses = houses.on(connection)
    for versions, halted in work.lanes(campaigns):
        work.lane(versions, once=halted)
    more = True
    while more and not work.full:
        work.report.rounds += 1
        if work.report.rounds > ROUNDS:
            raise RecursionError("a pass is due again and again at one instant")
        more = work.round(campaigns)
    return work.report


class _Turn:
    houses: Houses
    passes: Collection[bytes] | None = None

    def __init__(self, store: Store, loaded: Loaded, now: datetime, tally: Tally, batch: int, limit: int | None,
                 on_decision: Callable[[Standing, House, Decision], None] | None) -> None:  # fmt: skip
        self.store, self.loaded, self.now, self.tally, self.batch, self.limit = store, loaded, now, tally, batch, limit
        self.on_decision = on_decision
        self.report = TurnReport()
        self.gathers: dict[tuple[int, str | None], turns.Gather] = {}
        self.budgeted: set[str] = set()
        self.answers: dict[int, Answers] = {}
        self.ground: int | None = None

    @property
    def full(self) -> bool:
        return self.limit is not None and self.report.decided >= self.limit

    def lanes(self, names: Sequence[str] | None) -> list[tuple[tuple[int, ...], bool]]:
        """Version ids that are decided together, halted ones apart, by priority (1 goes first)."""
        found: dict[tuple[bool, int], list[int]] = {}
        for version_id, row in sorted(self.houses.rows.items()):
            if row.state not in ("running", "paused") or (names is not None and row.name not in names):
                continue
            halted = row.state == "paused" and row.pause_people != "finish"
            found.setdefault((not halted, self._priority(version_id)), []).append(version_id)
        return [(tuple(ids), not order[0]) for order, ids in sorted(found.items())]

    def round(self, names: Sequence[str] | None) -> bool:
        """Every lane once, the first priority first; True when something was decided."""
        moved = False
        for versions, halted in self.lanes(names):
            moved = (not halted and self.lane(versions, once=False)) or moved
        return moved

    def _priority(self, version_id: int) -> int:
        if version_id in self.houses._houses or version_id in self.houses._trees:
            campaign = self.houses.tree(version_id)
        else:
            with self.store.read() as connection:
                campaign = self.houses.on(connection).tree(version_id)
        return campaign.priority if campaign.purpose == "marketing" else 0

    def lane(self, versions: Sequence[int], *, once: bool) -> bool:
        """Everything due of one priority, a batch a transaction; True when something was decided."""
        with self.store.read() as connection:
            if not turns.due(connection, versions, now=self.now, limit=1, after=None):
                return False  # nobody: the writer's lock is left alone
        after: tuple[int, bytes] | None = None
        moved = self.passes is None
        while not self.full:
            faults.point("F01")
            size = self.batch if self.limit is None else min(self.batch, self.limit - self.report.decided)
            with self.store.write() as connection:
                due = turns.due(connection, versions, now=self.now, limit=size, after=after)
                if mine := self._mine(due):
                    self._decide(connection, mine)
                    moved = True
                faults.point("F02")
            faults.point("F03")
            if len(due) < size:
                break
            after = due[-1].due_at, due[-1].key
        return moved and not once

    def _mine(self, due: list[turns.Due]) -> list[turns.Due]:
        """Those that this turn may decide: all, but for a run that a saved plan binds."""
        return due if self.passes is None else [row for row in due if row.key in self.passes]

    def _decide(self, connection: sa.Connection, due: Sequence[turns.Due]) -> None:
        decided: list[turns.Decided] = []
        self.houses.on(connection)
        for standing, version_id in self._gather(connection, due):
            house = self.houses[version_id]
            self._budget(connection, house)
            decision = self._answers(version_id, house).decide(standing, self.tally)
            planned = decision.planned
            if planned is not None:
                slot = None if planned.slot is None else (*planned.slot, self.now)
                self.tally.add(standing.contact_id, house.name, cost=planned.cost, counted=slot)
            decided.append((standing, house, version_id, decision))
            self.report.add(decision)
            if self.on_decision is not None:
                self.on_decision(standing, house, decision)
        turns.record(connection, decided, now=self.now, ground=self._ground(connection))
        self.tally.next_batch()

    def _ground(self, connection: sa.Connection) -> int | None:
        """The `omni.yaml` of this turn, kept once."""
        if self.ground is None and (written := self.loaded.sources.get(PROJECT_FILE)) is not None:
            self.ground = grounds.keep(connection, written.text, now=self.now)
        return self.ground

    def _gather(self, connection: sa.Connection, due: Sequence[turns.Due]) -> list[tuple[Standing, int]]:
        """All of a batch, one SELECT a (version, step), back in the order in which they are decided."""
        groups: dict[tuple[int, str | None], list[int]] = {}
        for row in due:
            groups.setdefault((row.version_id, row.step), []).append(row.id)
        found: dict[int, tuple[Standing, int]] = {}
        for (version_id, step), ids in groups.items():
            for standing in self._gatherer(version_id, step)(connection, ids):
                found[standing.id] = standing, version_id
        return [found[row.id] for row in due]

    def _gatherer(self, version_id: int, step: str | None) -> turns.Gather:
        key = version_id, step
        if key not in self.gathers:
            kept = self.houses.gathers.get(key)
            if kept is None:
                house = self.houses[version_id]
                kept = turns.Gather(house, questions(house, step), self.houses.compiler(version_id), now=self.now)
                self.houses.gathers[key] = kept
            kept.at(self.now)
            self.gathers[key] = kept
        return self.gathers[key]

    def _answers(self, version_id: int, house: House) -> Answers:
        found = self.answers.get(version_id)
        if found is None:
            found = self.answers[version_id] = Answers(house, self.now)
        return found

    def _budget(self, connection: sa.Connection, house: House) -> None:
        """What the campaign's touches cost so far, asked once a turn and only where there is a budget."""
        if house.guarding.budget is not None and house.name not in self.budgeted:
            self.budgeted.add(house.name)
            versions = [version for version, row in self.houses.rows.items() if row.name == house.name]
            self.tally.spent[house.name] = turns.spent(connection, versions)
