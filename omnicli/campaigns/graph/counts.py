"""How many people went where: entered, reached each step, took each branch, stand there now; counted from the ledger of decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from omnicli.campaigns.simulate.counts import Counts as Simulated
from omnicli.model.campaign import Campaign, Choose
from omnicli.model.flow import Flow
from omnicli.store import campaigns

#: The lines of the ledger as rows of (step, rule, answer), by what each database has for that.
_LINES: Mapping[str, tuple[str, str]] = {
    "sqlite": ("json_each(decision.why) AS line", "json_extract(line.value, '$.{}')"),
    "postgresql": ("jsonb_array_elements(decision.why::jsonb) AS line(value)", "line.value->>'{}'"),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """People, never touches: `came` to a step, `took` a branch by (step, branch's key), stand `here`; `touches` count what became of
    a step's touches by channel or word."""

    entered: int
    came: Mapping[str, int] = field(default_factory=dict)
    took: Mapping[tuple[str, str], int] = field(default_factory=dict)
    here: Mapping[str, int] = field(default_factory=dict)
    touches: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)
    converted: int = 0


def live(connection: sa.Connection, name: str, campaign: Campaign) -> Counts | None:
    """The counts of everybody who ever entered this campaign, whatever their version; None when it was never started."""
    row = campaigns.find(connection, name)
    if row is None:
        return None
    passage = campaigns.passage(connection, row.id)
    came, took = _walked(connection, row.id, campaign)
    here: Counter[str] = Counter()
    for (_version, step), count in (passage.at or {}).items():
        here[step] += count
    touches: dict[str, Counter[str]] = {}
    for step, found in campaigns.touches(connection, row.id).items():
        for (state, word), count in found.items():
            touches.setdefault(step, Counter())[word if state == "accepted" else state] += count
    return Counts(passage.entered, came, took, dict(here), touches, dict(passage.ended or {}), passage.converted)


def simulated(walked: Simulated) -> Counts:
    """The counts of a simulation; it says nothing of the branches of a choice, which the boxes below them say."""
    touches: dict[str, Counter[str]] = {}
    for (step, channel, became, reason), count in walked.touches.items():
        left = became in ("delivered", "bounced", "lost")
        touches.setdefault(step, Counter())[channel if left else reason or became] += count
    return Counts(sum(walked.entered.values()), walked.reached, walked.branches, walked.inside, touches, walked.ended,
                  sum(walked.converted.values()))  # fmt: skip


def _walked(connection: sa.Connection, campaign_id: int, campaign: Campaign) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """How many came to each step and took each branch, by what the ledger says was decided there."""
    lines, field_ = _LINES[connection.dialect.name]
    step, rule, answer = (field_.format(name) for name in ("step", "rule", "answer"))
    said_there = (
        f"FROM decision JOIN enrollment ON enrollment.id = decision.enrollment_id, {lines} WHERE enrollment.campaign_id = :campaign "
        f"AND decision.why IS NOT NULL AND {rule} <> 'goal' AND {rule} NOT LIKE 'exit: %'"
    )
    people = "count(DISTINCT decision.enrollment_id)"  # a wait says more than one line of a person: begun, then answered
    came_to = sa.text(f"SELECT {step}, {people} {said_there} GROUP BY 1")
    went_on = sa.text(f"SELECT {step}, {answer}, {people} {said_there} AND {rule} IN ('wait', 'choose', 'split') GROUP BY 1, 2")
    flow, found = Flow.of(campaign), {"campaign": campaign_id}
    took: dict[tuple[str, str], int] = {}
    for where, said, count in connection.execute(went_on, found):
        if where in flow.nodes and (key := _branch(flow, where, str(said))) is not None:
            took[where, key] = took.get((where, key), 0) + count
    return {where: count for where, count in connection.execute(came_to, found) if where in flow.nodes}, took


def _branch(flow: Flow, where: str, said: str) -> str | None:
    """The key of the branch that this answer names, or None."""
    node = flow[where]
    if isinstance(node.step, Choose):
        options = [option.if_ or "else" for option in node.step.choose]
        return str(options.index(said)) if said in options else None
    return said if said in dict(node.branches) else None
