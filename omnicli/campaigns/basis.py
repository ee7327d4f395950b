"""What a forecast rests on: how many stayed silent at the same wait before, in earlier versions; else what `simulate` assumes (cli 4.1)."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.campaigns import versions
from omnicli.model.campaign import WaitStep
from omnicli.model.flow import Flow
from omnicli.store import tables as tb

if TYPE_CHECKING:
    from omnicli.campaigns.simulate.chances import Odds

#: So many people must have come through a wait before their share says anything.
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Basis:
    """Why a forecast counts so many: at the wait `step`, this `share` (0 to 1) of `people` in `version` was silent; version 0 is the
    model of `simulate`, which counted nobody. `odds` is the share over all the silences on the way to the touch."""

    step: str
    share: float
    version: int
    people: int
    odds: float


class Bases:
    """The bases of one plan's forecasts, from a rehearsal in silence. `before` is the newest ledger line that really happened."""

    def __init__(self, connection: sa.Connection, campaigns: tuple[int, ...], *, before: int) -> None:
        self._connection = connection
        self._campaigns = campaigns
        self._before = before
        self._flows: dict[int, Flow] = {}
        self._assumed: dict[tuple[int, str, str, str, str | None], float] = {}

    def of(self, campaign: int, version: int, enrollment: int, persona: str | None, decided_at: int) -> Basis | None:
        """The basis of a touch that this pass was given at that instant (ms); None where no silence led to it."""
        found = [
            self._at(campaign, version, enrollment, persona, at, step)
            for at, step in self._silences.get(enrollment, ())
            if at <= decided_at
        ]
        if not found:
            return None
        last = found[-1]
        return Basis(last.step, last.share, last.version, last.people, math.prod(one.share for one in found))

    def _at(self, campaign: int, version: int, enrollment: int, persona: str | None, at: int, step: str) -> Basis:
        silent, people, number = self._seen.get((campaign, step), (0, 0, 0))
        if people:
            return Basis(step, silent / people, number, people, 1.0)
        return Basis(step, self._model(version, enrollment, persona, at, step), 0, 0, 1.0)

    # --- what was seen ----------------------------------------------------------------------------------------------
    @cached_property
    def _silences(self) -> Mapping[int, list[tuple[int, str]]]:
        """Pass → (instant, wait) of every silence that the rehearsal assumed, in order."""
        d = tb.decision.c
        query = (
            sa.select(d.enrollment_id, d.at, d.why).where(d.id > self._before, d.why.like('%"answer":"nothing"%')).order_by(d.id)
        )
        found: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for enrollment, at, why in self._connection.execute(query):
            found[enrollment] += [(at, line["step"]) for line in json.loads(why) if _is_silence(line)]
        return found

    @cached_property
    def _seen(self) -> Mapping[tuple[int, str], tuple[int, int, int]]:
        """(campaign, wait) → silent people, all who left it, and the number of the newest version in which those were enough."""
        d, e, v = tb.decision.c, tb.enrollment.c, tb.campaign_version.c
        query = (
            sa.select(e.campaign_id, v.number, d.enrollment_id, d.why)
            .join(tb.enrollment, e.id == d.enrollment_id)
            .join(tb.campaign_version, v.id == e.version_id)
            .where(d.id <= self._before, e.campaign_id.in_(self._campaigns), e.held_out == 0, d.why.like('%"rule":"wait"%'))
        )
        counted: dict[tuple[int, str, int], dict[str, set[int]]] = defaultdict(lambda: {"silent": set(), "all": set()})
        for campaign, number, enrollment, why in self._connection.execute(query):
            for line in json.loads(why):
                if line["rule"] == "wait" and (_is_silence(line) or "at" in line.get("values", {})):
                    people = counted[campaign, line["step"], number]
                    people["all"].add(enrollment)
                    people["silent"] |= {enrollment} if _is_silence(line) else set()
        enough = {
            key: (len(people["silent"]), len(people["all"]), key[2])
            for key, people in counted.items()
            if len(people["all"]) >= ENOUGH
        }
        return {(campaign, step): enough[campaign, step, number] for campaign, step, number in sorted(enough)}

    # --- what is assumed --------------------------------------------------------------------------------------------
    def _model(self, version: int, enrollment: int, persona: str | None, at: int, step: str) -> float:
        """The share that answers nothing a wait listens for, to the touch before it, by the default model of `simulate`."""
        touched = next(((sent, channel) for when, sent, channel in self._touched.get(enrollment, ()) if when < at), None)
        if touched is None:
            return 1.0
        key = version, step, *touched, persona
        if key not in self._assumed:
            self._assumed[key] = self._silent(version, step, *touched, persona)
        return self._assumed[key]

    def _silent(self, version: int, step: str, sent: str, channel: str, persona: str | None) -> float:
        node = self._flow(version).nodes[step].step
        if not isinstance(node, WaitStep) or node.wait.length is None:
            return 1.0
        within = node.wait.length.about.total_seconds() / 60
        answers = {one.name: one for one in self._odds.of(channel, persona, sent).answers}
        asked = [answers[term] for term in node.for_ or {} if term in answers]
        return math.prod(1 - one.share * (1 - 2 ** (-within / one.half)) for one in asked)

    @cached_property
    def _touched(self) -> Mapping[int, list[tuple[int, str, str]]]:
        """Pass → (instant, step, channel) of its touches that left, the newest first."""
        x, e = tb.touch.c, tb.enrollment.c
        query = sa.select(x.enrollment_id, x.settled_at, x.step, x.channel).join(tb.enrollment, e.id == x.enrollment_id)
        wanted = query.where(e.campaign_id.in_(self._campaigns), x.send_state == "accepted", x.settled_at.is_not(None))
        found: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
        for enrollment, at, step, channel in self._connection.execute(wanted.order_by(x.settled_at.desc(), x.id.desc())):
            found[enrollment].append((at, step, channel))
        return found

    @cached_property
    def _odds(self) -> Odds:
        from omnicli.campaigns.simulate.chances import Odds
        from omnicli.campaigns.simulate.model import read_model

        return Odds(read_model())

    def _flow(self, version: int) -> Flow:
        if version not in self._flows:
            self._flows[version] = Flow.of(versions.standing_tree(self._connection, version))
        return self._flows[version]


def _is_silence(line: Mapping[str, object]) -> bool:
    return line["rule"] == "wait" and line["answer"] == "nothing"
