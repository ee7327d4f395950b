"""One enrollment, one instant, one answer: a pure function from what stands in the store to what becomes of it.

The order of an instant is that of docs/language 8: exit rules → goal → guardrails → step (responses are folded before). A step
is reached at the end of the timer that led to it, else at the instant of the turn, so a late tick delays nobody twice.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from omnicli.engine import premises
from omnicli.engine.ends import conversion, opted_out
from omnicli.engine.house import House
from omnicli.engine.known import _Again, _Unasked, told_day
from omnicli.engine.sending import WORDLESS
from omnicli.engine.walk import _REACH, STEPS, _Walk
from omnicli.model.campaign import WaitStep
from omnicli.model.decision import Decision, Stand, Standing, Tally

__all__ = [
    "_REACH",
    "_Walk",
    "STEPS",
    "TRIAL",
    "WORDLESS",
    "Answers",
    "WaitStep",
    "answer",
    "conversion",
    "decide",
    "opted_out",
    "timer",
    "told_day",
]


def decide(standing: Standing, house: House, tally: Tally, now: datetime) -> Decision:
    """What becomes of this enrollment at `now`. Reads `tally` (what the turn gave away before), never writes it."""
    return _Walk(standing, house, tally, now).decide()


def timer(standing: Standing, house: House, since: datetime) -> datetime | None:
    """When the timer of the step at which this enrollment stands would end, had it been reached at `since`; None when it has none."""
    fresh = replace(standing, since=since, due_at=since, wait_from=None, wait_until=None, held_by=None, held_from=None, settled=None,
                    touch_open=False, tried=())  # fmt: skip
    walk = _Walk(fresh, house, Tally(), since)
    node = house.flow[standing.step or ""]
    try:
        onward = _REACH[type(node.step)](walk, node, node.step)
    except _Unasked:
        return None
    stand = onward.stand if isinstance(onward, _Again) else onward
    return stand.wait_until if isinstance(stand, Stand) else None


#: What is known of an enrollment but who it is; and of that, what stands in mappings.
_MAPPINGS = ("attributes", "truths", "firsts", "hours", "told", "event")
_plainly = attrgetter(*(f.name for f in fields(Standing) if f.name not in (*premises.IDENTITY, *_MAPPINGS, "reach")))
#: Answers kept at most, and how many questions show whether keeping them pays.
ANSWERS, TRIAL = 20_000, 500


class Answers:
    """`decide` for the many of one house and instant: people of whom the same is known get the same answer, found once.

    An answer that leaned on who the person is (a hash of names, what this turn gave that contact before) is not kept, and none is
    where money is counted, for then each answer changes the next.
    """

    def __init__(self, house: House, now: datetime) -> None:
        self.house, self.now = house, now
        self.known: dict[tuple[Any, ...], tuple[Decision, Any]] = {}
        self.asked = self.found = 0
        self.pays = house.guarding.budget is None and house.ceiling is None

    def decide(self, standing: Standing, tally: Tally) -> Decision:
        """As `decide(standing, house, tally, now)`, with the premises where the ledger gets a line."""
        s = standing
        if not self.pays or s.contact_id in tally.given:
            return self._found(s, tally)[0]
        mappings = [tuple(m.items()) if m else m is None for m in (s.attributes, s.truths, s.firsts, s.hours, s.told, s.event)]
        key = (_plainly(s), id(s.reach), *mappings)
        try:
            found = self.known.get(key)
        except TypeError:  # a list among the attributes
            return self._found(s, tally)[0]
        self.asked += 1
        if found is not None:
            self.found += 1
            return found[0]
        decision, personal = self._found(s, tally)
        if not personal:
            if len(self.known) >= ANSWERS:
                self.known.clear()
            self.known[key] = decision, s.reach  # kept, so that no other reach takes its place in memory
        if self.asked == TRIAL and self.found * 4 < TRIAL:
            self.pays = False
        return decision

    def _found(self, standing: Standing, tally: Tally) -> tuple[Decision, bool]:
        return answer(standing, self.house, tally, self.now)


def answer(standing: Standing, house: House, tally: Tally, now: datetime) -> tuple[Decision, bool]:
    """As `decide`, with the premises where the ledger gets a line, and whether it leaned on who this is."""
    walk = _Walk(standing, house, tally, now)
    decision = walk.decide()
    if decision.told:
        decision = replace(decision, premises=premises.write(standing, tally, house))
    return decision, walk.personal
