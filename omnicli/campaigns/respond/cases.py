"""What a person must answer: the kinds of `sla`, with deadlines in the team's hours, and refusals that leave a doubt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.respond import keywords
from omnicli.campaigns.respond.understand import Heard
from omnicli.engine.deadline import deadline
from omnicli.model.contact import OPEN_COMPLAINT
from omnicli.model.project import Project
from omnicli.store import tables as tb
from omnicli.store import turns

#: The kind of case that a doubtful refusal opens; `sla` may give it deadlines and a team.
DOUBT = "refusal"


def open_cases(connection: sa.Connection, project: Project, heard: Sequence[Heard]) -> int:
    """Open the cases of these responses; an open complaint keeps marketing away. How many."""
    rows = []
    complained: set[int] = set()
    for h in heard:
        kind = _kind(h, project)
        if kind is None or h.contact_id is None:
            continue
        rows.append(_case(h, kind, project))
        if kind == "complaint":
            complained.add(h.contact_id)
    if rows:
        connection.execute(sa.insert(tb.case), rows)
    _complaint(connection, [(clock.to_ms(OPEN_COMPLAINT), id_) for id_ in sorted(complained)])
    return len(rows)


def _kind(h: Heard, project: Project) -> str | None:
    if h.response.machine:
        return None
    if h.response.name in project.sla:
        return h.response.name
    doubtful = h.response.name == "replied" and h.channel is not None and keywords.of_payload(h.response.payload) == "doubt"
    return DOUBT if doubtful else None


def _case(h: Heard, kind: str, project: Project) -> dict[str, object]:
    text = h.response.payload.get("text") or h.response.payload.get("about")
    first, resolve, team = _deadlines(h.at, kind, project)
    return {
        "contact_id": h.contact_id, "kind": kind, "opened_at": clock.to_ms(h.at), "first_due": first, "resolve_due": resolve, "team": team,
        "state": "open", "channel": h.channel, "text": str(text) if text is not None else None,
    }  # fmt: skip


def _deadlines(at: datetime, kind: str, project: Project) -> tuple[int | None, int | None, str | None]:
    sla = project.sla.get(kind)
    if sla is None:
        return None, None, None
    zone = ZoneInfo(project.time_zone)
    hours = project.teams[sla.team].hours if sla.team in project.teams else ()
    first, resolve = (
        clock.to_ms(deadline(at, length, hours=hours, zone=zone)) if length is not None else None
        for length in (sla.first_response, sla.resolve)
    )
    return first, resolve, sla.team


_complaint = turns.Bulk("UPDATE contact SET complaint_until = :until WHERE id = :id", "until", "id")
