"""Passes that ended without converting still convert until `within` is over (campaign-language 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from omnicli.campaigns.turn import Houses
from omnicli.engine.decide import conversion
from omnicli.engine.questions import Questions
from omnicli.store import tables as tb
from omnicli.store import turns


def late(connection: sa.Connection, houses: Callable[[], Houses], contacts: Sequence[int], *, now: datetime) -> int:
    """Convert the ended passes of these contacts whose goal has come true; how many."""
    groups = _ended(connection, contacts)
    if not groups:
        return 0
    known = houses()
    goals = []
    for version_id, ids in sorted(groups.items()):
        house = known[version_id]
        if not house.goal_terms:
            continue
        asked = Questions(firsts=tuple(("enter", term) for term in house.goal_terms))
        gather = turns.Gather(house, asked, known.compiler(version_id), now=now)
        for standing in gather(connection, sorted(ids)):
            zone = house.calendar.zone(standing.country, standing.time_zone, standing.region)
            at = conversion(standing.firsts, house, standing.entered_at, zone)
            if at is not None:
                goals.append((standing, house, at))
    turns.convert(connection, sorted(goals, key=lambda g: g[0].key), now=now)
    return len(goals)


def _ended(connection: sa.Connection, contacts: Sequence[int]) -> dict[int, list[int]]:
    """Version → ended passes of these contacts that have not converted."""
    groups: dict[int, list[int]] = {}
    if contacts:
        for id_, version_id in connection.execute(_ENDED, {"contacts": list(contacts)}):
            groups.setdefault(version_id, []).append(id_)
    return groups


_ENDED = sa.select(tb.enrollment.c.id, tb.enrollment.c.version_id).where(
    tb.enrollment.c.contact_id.in_(sa.bindparam("contacts", expanding=True)), tb.enrollment.c.state == "ended",
    tb.enrollment.c.converted_at.is_(None), tb.enrollment.c.reason != "erased",
)  # fmt: skip
