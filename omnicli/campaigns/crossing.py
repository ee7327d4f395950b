"""When a condition that speaks of time may next change its answer for somebody, as long as nothing new is said.

Between two such instants it answers as before, so nobody needs to ask it there: a virtual world goes from one to the next where a
real run looks once a unit. Every answer turns where `now`, moved by one of the condition's durations, passes an instant that the store
holds (or a midnight); what is found may be too early, never too late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.condition import meaning as m
from omnicli.condition.notes import Uses
from omnicli.engine import timing
from omnicli.model.literals import Duration
from omnicli.model.project import Project
from omnicli.model.vocabulary import Kind
from omnicli.store.columns import attribute_column

#: Where nothing is ever reached, somebody looks again after so long.
FAR = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Shift:
    """`now` moved back by a length (`ago`), or ahead by it; without a length `now` itself."""

    length: Duration | None = None
    ahead: bool = False

    def of(self, now: datetime, zone: tzinfo) -> datetime:
        """What the condition compares with, at `now`."""
        if self.length is None:
            return now
        return self.length.after(now, zone) if self.ahead else self.length.before(now, zone)

    def reaches(self, stored: datetime, zone: tzinfo) -> datetime:
        """The `now` at which that is `stored`; an hour early where clocks change, since walls are not one to one there."""
        if self.length is None:
            return stored
        at = self.length.before(stored, zone) if self.ahead else self.length.after(stored, zone)
        return at if self.length.elapsed or (_steady(at, zone) and _steady(stored, zone)) else at - timedelta(hours=1)


def next_change(connection: sa.Connection, tree: m.Meaning, uses: Uses, project: Project, *, since: datetime, zone: tzinfo) -> datetime | None:  # fmt: skip
    """The first instant from `since` on at which an answer may turn; None when that cannot be told from the store's instants."""
    asked = _Asked()
    asked.walk(tree)
    if asked.beyond:
        return None
    found: list[datetime] = []
    for shift in asked.shifts:
        there = shift.of(since, zone)
        stored = [clock.from_ms(ms) for ms in _stored(connection, uses, project, clock.to_ms(there))]
        if asked.days:
            stored.append(timing.on_day(there.astimezone(zone).date() + timedelta(days=1), timing.MIDNIGHT, zone))
        found += (shift.reaches(at, zone) for at in stored)
    return max(since, min(found, default=since + FAR))


def _steady(instant: datetime, zone: tzinfo) -> bool:
    """Whether the clocks of the zone do not change around here."""
    day = timedelta(days=1)
    return (instant - day).astimezone(zone).utcoffset() == (instant + day).astimezone(zone).utcoffset()


def _stored(connection: sa.Connection, uses: Uses, project: Project, low: int) -> Iterator[int]:
    """The first instant (ms) from `low` on of each kind that a condition can ask for."""
    times = [
        name for name, declared in project.contacts.attributes.items() if declared.kind == "time" and name in uses.attributes
    ]
    queries = [_first("contact", column, low) for column in ("created_at", *map(attribute_column, times))]
    queries += (_first("event", "at", low).where(sa.column("name") == name) for name in sorted(uses.events))
    if uses.channels:
        queries += (_first(table, "until", low) for table in ("consent", "suppression"))
    for query in queries:
        if (at := connection.scalar(query)) is not None:
            yield int(at)


def _first(table: str, column: str, low: int) -> sa.Select[Any]:
    value = sa.column(column, sa.BigInteger())
    return sa.select(sa.func.min(value)).select_from(sa.table(table)).where(value >= low)


@dataclass
class _Asked:
    """Every shift of `now` in a tree, whether it speaks of calendar `days`, and of what is `beyond` the instants that the store keeps."""

    shifts: set[Shift] = field(default_factory=lambda: {Shift()})
    days: bool = False
    beyond: bool = False

    def walk(self, node: Any) -> None:
        match node:
            case m.Near(length=length, ahead=ahead):
                self.shifts.add(Shift(length, ahead))
            case m.Since(length=Duration() as length):
                self.shifts.add(Shift(length))
            case m.Point(kind="ago" | "from_now" as kind, length=Duration() as length):
                self.shifts.add(Shift(length, kind == "from_now"))
            case m.Point(kind="today" | "date") | Kind(name="date"):
                self.days = True
            case m.Point(kind="beside"):
                self.beyond = True  # a reckoned instant
            case m.Field(name=name, kind=Kind(name="time")) if name != "at":
                self.beyond = True  # an instant in a payload
            case _:
                pass
        if is_dataclass(node):
            for part in fields(node):
                value = getattr(node, part.name)
                for one in value if isinstance(value, tuple) else (value,):
                    self.walk(one)
