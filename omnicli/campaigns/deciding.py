"""Deciding a batch: one SELECT a step, one answer for all of whom the same is known, and one record.

An answer that leaned on who the person is (a hash of names, what this turn gave that contact before) is found for that person alone,
and so is every answer where money is counted, for then each changes the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli.campaignfile import PROJECT_FILE
from omnicli.engine.decide import answer
from omnicli.engine.house import House
from omnicli.engine.questions import questions
from omnicli.model.decision import Decision, Standing, Tally
from omnicli.store import grounds, turns, wakeups
from omnicli.store.outbox.locking import lock_money
from omnicli.store.turns import WHO, Answered, Who

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.houses import Houses

#: Answers kept at most, and how many questions show whether keeping them pays.
ANSWERS, TRIAL = 5_000, 500

Told = Callable[[Standing, House, Decision], None]


@dataclass
class TurnReport:
    """What a turn decided: how many enrollments, by kind of decision, touches by (state, channel or reason), and rounds."""

    decided: int = 0
    rounds: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    touches: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)

    def add(self, decision: Decision, people: int = 1) -> None:
        self.decided += people
        self.kinds[decision.kind] += people
        for touch in decision.touches:
            self.touches[touch.state, touch.reason or touch.channel] += people
        if decision.ended is not None:
            self.ended[decision.ended] += people
        elif decision.stand is not None and decision.stand.held_by is not None:
            self.held[decision.stand.held_by] += people


class Here:
    """What was answered to those who stand at one step of one version, by what is known of them."""

    def __init__(self, version_id: int, house: House, gather: turns.Gather, *, shares: bool) -> None:
        self.version_id, self.house, self.gather, self.shares = version_id, house, gather, shares
        self.kept: dict[tuple[Any, ...], Answered] = {}
        self.asked = self.found = 0

    def known(self, row: turns.Row) -> Answered | None:
        """The answer of somebody of whom the same is known."""
        if not self.shares:
            return None
        one = self.kept.get(row[WHO:])
        self.asked += 1
        self.found += one is not None
        if self.asked == TRIAL and self.found * 4 < TRIAL:
            self.shares = False  # nobody resembles another
            self.kept.clear()
        return one

    def decide(self, row: turns.Row, tally: Tally, now: datetime) -> Answered:
        """The engine's answer; kept when it would be everybody's."""
        standing = self.gather.standing(row)
        decision, personal = answer(standing, self.house, tally, now)
        one = Answered(standing, self.house, self.version_id, decision)
        if self.shares and not personal and standing.contact_id not in tally.given:
            if len(self.kept) >= ANSWERS:
                self.kept.clear()
            self.kept[row[WHO:]] = one
        return one


class Deciding:
    """The batches of one turn."""

    def __init__(self, loaded: Loaded, now: datetime, tally: Tally, told: Told | None) -> None:
        self.loaded, self.now, self.tally, self.told = loaded, now, tally, told
        self.report = TurnReport()
        self.places: dict[tuple[int, str | None], Here] = {}
        self.budgeted: set[str] = set()
        self.ground: int | None = None

    def batch(self, connection: sa.Connection, houses: Houses, due: Sequence[turns.Due]) -> None:
        """Decide these in their order, and record it, in the caller's transaction."""
        if connection.dialect.name == "postgresql":
            self._alone(connection, houses, {row.version_id for row in due})
        rows = self._gather(connection, houses, due)
        met = Counter([row[2] for _, row in rows])
        twice = {contact for contact, times in met.items() if times > 1} if len(met) < len(rows) else ()
        answered: list[Answered] = []
        for here, row in rows:
            alone = row[2] in twice
            one = None if alone else here.known(row)
            if one is None:
                one = here.decide(row, self.tally, self.now)
                if alone or not here.shares:
                    self._give(one)
            if not one.people:
                answered.append(one)
            one.people.append(Who._make(row[:WHO]))
        turns.record(connection, answered, now=self.now, ground=self._ground(connection))
        leaving: Counter[int] = Counter()
        for one in answered:
            if one.decision.planned is not None and one.decision.planned.due_at <= self.now:
                leaving[one.version_id] += len(one.people)
        wakeups.wake(connection, wakeups.DISPATCH, leaving)
        for one in answered:
            self.report.add(one.decision, len(one.people))
            one.people = []
        self.tally.next_batch()

    def _alone(self, connection: sa.Connection, houses: Houses, versions: Iterable[int]) -> None:
        """Others reserve money too: nobody does while this batch counts what is left of a budget."""
        paying = {house.name: house for version in versions if (house := houses[version]).guarding.budget is not None}
        lock_money(connection, paying)
        for name, house in paying.items():
            self.budgeted.discard(name)
            self._budget(connection, houses, house)

    def in_order(self, houses: Houses, versions: Iterable[int]) -> bool:
        """Whether one person's answer may change another's: where money is counted, or somebody listens."""
        return self.told is not None or any(_counts_money(houses[version]) for version in versions)

    def _gather(self, connection: sa.Connection, houses: Houses, due: Sequence[turns.Due]) -> list[tuple[Here, turns.Row]]:
        """All of a batch, one SELECT a (version, step), back in the order in which they are decided."""
        groups: dict[tuple[int, str | None], list[int]] = {}
        for row in due:
            groups.setdefault((row.version_id, row.step), []).append(row.id)
        found: dict[int, tuple[Here, turns.Row]] = {}
        for (version_id, step), ids in groups.items():
            here = self._here(connection, houses, version_id, step)
            for known in here.gather.rows(connection, ids):
                found[known[0]] = here, known
        return [found[row.id] for row in due]

    def _here(self, connection: sa.Connection, houses: Houses, version_id: int, step: str | None) -> Here:
        key = version_id, step
        if key not in self.places:
            house = houses[version_id]
            gather = houses.gathers.get(key)
            if gather is None:
                gather = houses.gathers[key] = turns.Gather(
                    house, questions(house, step), houses.compiler(version_id), now=self.now
                )
            gather.at(self.now)
            self._budget(connection, houses, house)
            self.places[key] = Here(version_id, house, gather, shares=self.told is None and not _counts_money(house))
        return self.places[key]

    def _give(self, one: Answered) -> None:
        """What whoever is decided next must know: nobody else looks at what was given or spent."""
        planned = one.decision.planned
        if planned is not None:
            slot = None if planned.slot is None else (*planned.slot, self.now)
            self.tally.add(one.standing.contact_id, one.house.name, cost=planned.cost, counted=slot)
        if self.told is not None:
            self.told(one.standing, one.house, one.decision)

    def _ground(self, connection: sa.Connection) -> int | None:
        """The `omni.yaml` of this turn, kept once."""
        if self.ground is None and (written := self.loaded.sources.get(PROJECT_FILE)) is not None:
            self.ground = grounds.keep(connection, written.text, now=self.now)
        return self.ground

    def _budget(self, connection: sa.Connection, houses: Houses, house: House) -> None:
        """What the campaign's touches cost so far, asked once a turn and only where there is a budget."""
        if house.guarding.budget is not None and house.name not in self.budgeted:
            self.budgeted.add(house.name)
            versions = [version for version, row in houses.rows.items() if row.name == house.name]
            self.tally.spent[house.name] = turns.spent(connection, versions)


def _counts_money(house: House) -> bool:
    return house.guarding.budget is not None or house.ceiling is not None
