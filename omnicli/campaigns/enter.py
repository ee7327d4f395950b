"""Who comes in: every door of every running campaign is opened once an instant."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.campaigns.turn import Houses
from omnicli.store import tables as tb

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store
from omnicli.campaigns.admitting import Candidate, Shut
from omnicli.campaigns.doors import AHEAD, _Door

__all__ = ["AHEAD", "Candidate", "Entered", "_Door", "ahead", "enter", "passed_by"]


@dataclass
class Entered:
    """How many came in, and how many of them are held out, by campaign."""

    by_campaign: dict[str, int] = field(default_factory=dict)
    held_out: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(self.by_campaign.values())


def enter(store: Store, loaded: Loaded, *, now: datetime, campaigns: Sequence[str] | None = None,
          houses: Houses | None = None) -> Entered:  # fmt: skip
    """Let in whoever may come at `now`, in the running campaigns (named ones only when given). `houses`: those of this instant,
    where somebody has built them already."""
    entered = Entered()
    with store.read() as connection:
        houses = Houses(connection, loaded, now=now) if houses is None else houses.on(connection)
        rows = [row for row in connection.execute(_CAMPAIGNS) if row.state == "running"]
        for row in rows:
            if row.version_id is not None and (campaigns is None or row.name in campaigns):
                houses.tree(row.version_id)  # trees are read here, outside of any write
    for row in rows:
        if row.version_id is None or (campaigns is not None and row.name not in campaigns):
            continue
        door = _Door(store, houses, row, now)
        with suppress(Shut):
            door.open()
        entered.by_campaign[row.name], entered.held_out[row.name] = door.entered, door.held_out
    return entered


_CAMPAIGNS = sa.select(tb.campaign).order_by(tb.campaign.c.name)


def ahead(store: Store, houses: Houses, *, now: datetime, campaigns: Sequence[str]) -> datetime | None:
    """The next instant after `now` at which somebody may come in without an event, within `AHEAD`; None when nobody may."""
    with store.read() as connection:
        houses.on(connection)
        rows = [row for row in connection.execute(_CAMPAIGNS) if row.state == "running" and row.name in campaigns]
        found = [_Door(store, houses, row, now).ahead(connection) for row in rows if row.version_id is not None]
    return min((at for at in found if at is not None), default=None)


def passed_by(store: Store, houses: Houses, *, now: datetime, campaigns: Sequence[str]) -> None:
    """Count the unit of `now` as looked at by every door that `ahead` did not ask to open in it: nobody would have come in."""
    with store.read() as connection:
        houses.on(connection)
        rows = [row for row in connection.execute(sa.select(tb.campaign)) if row.state == "running" and row.name in campaigns]
        doors = [_Door(store, houses, row, now) for row in rows if row.version_id is not None and row.last_look_at is not None]
    for door in doors:
        door.passed_by()
