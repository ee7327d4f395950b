"""How many people stand where, by version, step and what they were told: counts, and nobody's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from omnicli.store import tables as tb


@dataclass(frozen=True, slots=True)
class Group:
    """People of one version who stand at one step (None: before the first) and were told the same. `told` maps message → fact →
    (type, spelling); `timer` is how many of them wait for a timer of their own."""

    version: str
    step: str | None
    persona: str | None
    language: str
    told: Mapping[str, Mapping[str, Any]]
    people: int
    timer: int = 0


def groups(connection: sa.Connection, campaign_id: int) -> tuple[Group, ...]:
    """Everybody who is in flight in this campaign, in groups; ordered."""
    e, v, n = tb.enrollment.c, tb.campaign_version.c, sa.func.count()
    waits = sa.func.sum(sa.case((sa.and_(e.wait_until.is_not(None), e.touch_id.is_(None)), 1), else_=0))
    query = (
        sa.select(v.hash, e.step, e.persona, e.language, e.told, n, waits)
        .join(tb.campaign_version, v.id == e.version_id)
        .where(e.campaign_id == campaign_id, e.state == "open")
        .group_by(v.hash, e.step, e.persona, e.language, e.told)
        .order_by(v.hash, e.step, e.persona, e.language, e.told)
    )
    return tuple(
        Group(hash_, step, persona, language, json.loads(told) if told else {}, people, int(timer or 0))
        for hash_, step, persona, language, told, people, timer in connection.execute(query)
    )


def entered(connection: sa.Connection, campaign_id: int) -> dict[str, int]:
    """How many ever entered each version, by hash."""
    e, v = tb.enrollment.c, tb.campaign_version.c
    query = sa.select(v.hash, sa.func.count()).join(tb.enrollment, e.version_id == v.id).where(e.campaign_id == campaign_id)
    return {row[0]: row[1] for row in connection.execute(query.group_by(v.hash))}
