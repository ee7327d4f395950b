"""What a person was told and still counts on: the promise ledger of their passes (docs/consistency 4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from omnicli.store import tables as tb


@dataclass(frozen=True, slots=True)
class Told:
    """One message's facts as they were told in a pass: name → (type, spelling). `until` is the last day that they name; `under_way`:
    the pass goes on, so that later touches print them again."""

    campaign: str
    message: str
    facts: dict[str, tuple[str, str | None]]
    until: date | None
    under_way: bool


def open_promises(connection: sa.Connection, contact: int, *, now: datetime, zone: str) -> tuple[Told, ...]:
    """What this contact was told by passes that go on, and by ended ones while a day that they named has not gone by. A message whose
    day is over promises nothing any more."""
    e = tb.enrollment.c
    query = (
        sa.select(tb.campaign.c.name, e.told, e.state)
        .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        .where(e.contact_id == contact, e.told.is_not(None))
        .order_by(e.entered_at, e.id)
    )
    today = now.astimezone(ZoneInfo(zone)).date()
    found: list[Told] = []
    for campaign, told, state in connection.execute(query):
        for message, facts in json.loads(told).items():
            days = [_day(said) for kind, said in facts.values() if kind == "date" and said]
            until = max(days, default=None)
            if not facts or (until is not None and until < today) or (until is None and state != "open"):
                continue
            found.append(
                Told(campaign, message, {name: (kind, said) for name, (kind, said) in facts.items()}, until, state == "open")
            )
    return tuple(found)


def _day(spelled: str) -> date:
    return date.fromisoformat(spelled[:10])
