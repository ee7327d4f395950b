"""A turn: every enrollment that is due is decided once and again until nothing is due at this instant.

Rows are decided in the order priority, due instant, key; a batch is gathered, decided and recorded in one transaction (T0).
A `set` ends an instant: the pass is recorded and gathered again in the next round. Nothing leaves from here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock, faults
from omnicli.campaigns.deciding import Deciding, Told, TurnReport
from omnicli.campaigns.houses import NO_DRAWS, Houses, Wording, houses, personas_of, revived
from omnicli.campaigns.litter import seldom_collected
from omnicli.model.decision import Tally
from omnicli.store import turns

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

__all__ = ["NO_DRAWS", "Houses", "TurnReport", "Wording", "houses", "personas_of", "revived", "turn"]

#: People a transaction: enough to make a commit cheap, few enough to keep the writer's lock short (delivery 8).
BATCH = 2000
#: No flow has more steps than that; a pass that is due again more often at one instant is a defect.
ROUNDS = 501
#: So many seconds a priority waits for another worker that holds people of the one before it.
PATIENCE = 10.0


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
    on_decision: Told | None = None,
    houses: Houses | None = None,
    passes: Collection[bytes] | None = None,
) -> TurnReport:
    """Decide whatever is due at `now` in the running campaigns (of paused ones only exits and goals act), at most `limit`
    decisions. `campaigns` names some of them; `tally` counts a whole run; `approved` are free of `approve_above`.
    `houses`: those of this instant, where somebody has built them already. `passes`: only these, by their keys."""
    work = _Turn(store, now, Deciding(loaded, now, tally or Tally(), on_decision), batch, limit)
    work.passes = passes
    with store.read() as connection:
        if houses is None:
            houses = Houses(connection, loaded, now=now, usable=usable, live=live, approved=approved)
        work.houses = houses.on(connection)
    with seldom_collected():
        work.until_rest(campaigns)
    return work.report


class _Turn:
    houses: Houses
    passes: Collection[bytes] | None = None

    def __init__(self, store: Store, now: datetime, deciding: Deciding, batch: int, limit: int | None) -> None:
        self.store, self.now, self.deciding, self.batch, self.limit = store, now, deciding, batch, limit
        self.report = deciding.report

    @property
    def full(self) -> bool:
        return self.limit is not None and self.report.decided >= self.limit

    def until_rest(self, names: Sequence[str] | None) -> None:
        """Every lane, and again as long as somebody is due at this instant."""
        for versions, halted in self.lanes(names):
            self.lane(versions, once=halted)
        more = True
        while more and not self.full:
            self.report.rounds += 1
            if self.report.rounds > ROUNDS:
                raise RecursionError("a pass is due again and again at one instant")
            more = self.round(names)

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
        moved, after = False, None
        while not self.full:
            with self.store.read() as connection:
                campaigns = {version: row[1] for version, row in self.houses.rows.items()}
                ahead = turns.ahead(connection, versions, now=self.now, after=after, campaigns=campaigns)
                in_order = bool(ahead.ids) and self._in_order(connection, ahead.versions)
            if not ahead.ids:
                break  # nobody: the writer's lock is left alone
            if in_order:
                moved = self._queue(versions)
                self._after_others(ahead.ids, versions)
                return moved and not once
            passed_over: list[int] = []
            for start in range(0, len(ahead.ids), self.batch):
                some = ahead.ids[start : start + self.batch]
                due = self._batch(partial(turns.among, ids=some, versions=versions, now=self.now))
                moved = bool(due) or moved
                if len(due) < len(some):
                    passed_over += set(some).difference([row.id for row in due])
            self._after_others(passed_over, versions)
            if ahead.last is None:
                break
            after = ahead.last
        return moved and not once

    def _after_others(self, ids: Sequence[int], versions: Sequence[int]) -> None:
        """Other workers decide the rest of this priority at this moment: whoever comes behind it waits for them, for a while."""
        if self.store.dialect == "sqlite" or self.passes is not None or self.limit is not None:
            return
        left, end = list(ids), clock.monotonic() + PATIENCE
        while left and clock.monotonic() < end:
            with self.store.read() as connection:
                left = turns.still(connection, left, versions, now=self.now)
            if not left:
                return
            time.sleep(0.01)
            got = {row.id for row in self._batch(partial(turns.among, ids=left[: self.batch], versions=versions, now=self.now))}
            left = [one for one in left if one not in got]

    def _in_order(self, connection: sa.Connection, versions: Collection[int]) -> bool:
        """Whether it matters who comes first: else neighbours on disk are decided together."""
        return self.limit is not None or self.passes is not None or self.deciding.in_order(self.houses.on(connection), versions)

    def _queue(self, versions: Sequence[int]) -> bool:
        """The same by (due instant, key), as far as `limit` goes; True when something was decided."""
        after: tuple[int, bytes] | None = None
        moved = False
        while not self.full:
            size = self.batch if self.limit is None else min(self.batch, self.limit - self.report.decided)
            due = self._batch(partial(turns.due, versions=versions, now=self.now, limit=size, after=after))
            moved = moved or bool(self._mine(due))
            if len(due) < size:
                break
            after = due[-1].due_at, due[-1].key
        return moved

    def _batch(self, ask: Callable[[sa.Connection], list[turns.Due]]) -> list[turns.Due]:
        """One transaction (T0): ask who is due, decide them, record it."""
        faults.point("F01")
        with self.store.write() as connection:
            due = ask(connection)
            if mine := self._mine(due):
                self.deciding.batch(connection, self.houses.on(connection), mine)
            faults.point("F02")
        faults.point("F03")
        return due

    def _mine(self, due: list[turns.Due]) -> list[turns.Due]:
        """Those that this turn may decide: all, but for a run that a saved plan binds."""
        return due if self.passes is None else [row for row in due if row.key in self.passes]
