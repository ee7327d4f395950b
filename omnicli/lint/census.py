"""What a store beside the project knows, for the rules that need numbers: how many contacts, how many of them match.

Everything is read in one snapshot. A question that the store cannot answer yet (a new attribute has no column before the next
command that writes) is answered None, and its rule stays silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from omnicli.condition.sql import Compiler
from omnicli.model.vocabulary import Vocabulary
from omnicli.store.connection import Store
from omnicli.store.positions import Group, groups
from omnicli.store.setting import clock_of


class Applied(NamedTuple):
    """One version that was applied: its number, its hash and its canonical tree."""

    number: int
    hash: str
    tree: str


@dataclass(frozen=True, slots=True)
class Said:
    """Messages of a campaign, and the steps that send them."""

    campaign: str
    messages: tuple[str, ...]
    steps: tuple[str, ...]


class Census:
    """The base as one snapshot of the store. `now` dates the windows of conditions."""

    def __init__(self, connection: sa.Connection, *, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._counted: dict[tuple[str, int], int | None] = {}
        self.total = self._number("SELECT count(*) FROM contact WHERE erased_at IS NULL") or 0

    def count(self, text: str, names: Vocabulary) -> int | None:
        """How many contacts fulfil the condition; None when it cannot be asked."""
        key = (text, id(names))
        if key not in self._counted:
            self._counted[key] = self._asked(text, names)
        return self._counted[key]

    def missing(self, column: str) -> int | None:
        """How many contacts have nothing in this column."""
        return self._number(f"SELECT count(*) FROM contact WHERE erased_at IS NULL AND {column} IS NULL")

    def events(self) -> int:
        return self._number("SELECT count(*) FROM event") or 0

    def shared(self, left: str, right: str) -> int:
        """People who stand in both campaigns at once."""
        asked = sa.text(
            "SELECT count(*) FROM enrollment a JOIN campaign ca ON ca.id = a.campaign_id JOIN enrollment b ON b.contact_id = a.contact_id "
            "AND b.state = 'open' JOIN campaign cb ON cb.id = b.campaign_id WHERE a.state = 'open' AND ca.name = :left AND cb.name = :right"
        )
        return int(self._connection.execute(asked, {"left": left, "right": right}).scalar_one())

    def standing(self, campaign: str) -> int:
        """People inside the campaign."""
        asked = sa.text(
            "SELECT count(*) FROM enrollment e JOIN campaign c ON c.id = e.campaign_id WHERE e.state = 'open' AND c.name = :name"
        )
        return int(self._connection.execute(asked, {"name": campaign}).scalar_one())

    def applied(self, campaign: str) -> str | None:
        """The canonical tree of the version that takes people in; None when the campaign was never applied."""
        asked = sa.text("SELECT v.tree FROM campaign c JOIN campaign_version v ON v.id = c.version_id WHERE c.name = :name")
        try:
            with self._connection.begin_nested():
                found = self._connection.execute(asked, {"name": campaign}).scalar_one_or_none()
        except sa.exc.SQLAlchemyError:
            return None
        return None if found is None else str(found)

    def versions(self, campaign: str) -> tuple[Applied, ...]:
        """Every version of this campaign that was ever applied, by number."""
        asked = sa.text(
            "SELECT v.number, v.hash, v.tree FROM campaign_version v JOIN campaign c ON c.id = v.campaign_id WHERE c.name = :name ORDER BY 1"
        )
        return tuple(Applied(*row) for row in self._connection.execute(asked, {"name": campaign}))

    def in_force(self, campaign: str) -> str | None:
        """The hash of the version in force; None while the campaign is only a file."""
        asked = sa.text("SELECT v.hash FROM campaign c JOIN campaign_version v ON v.id = c.version_id WHERE c.name = :name")
        found: str | None = self._connection.execute(asked, {"name": campaign}).scalar()
        return found

    def groups(self, campaign: str) -> tuple[Group, ...]:
        """Where the people of this campaign stand, by version, step and what they were told."""
        found = self._connection.execute(sa.text("SELECT id FROM campaign WHERE name = :name"), {"name": campaign}).scalar()
        return groups(self._connection, found) if found is not None else ()

    def told_on_one_day(self, left: Said, right: Said) -> int:
        """People to whom both would be said on one day (UTC): by touches that are planned or left since yesterday, or by steps at
        which they are due."""
        days = " INTERSECT ".join(f"SELECT contact_id, day FROM ({self._said(side)})" for side in ("left", "right"))
        asked = sa.text(f"SELECT count(DISTINCT contact_id) FROM ({days})").bindparams(
            *(sa.bindparam(f"{side}_{what}", expanding=True) for side in ("left", "right") for what in ("messages", "steps"))
        )
        given: dict[str, object] = {"since": int(self._now.timestamp() * 1000) - 86_400_000}
        for side, said in (("left", left), ("right", right)):
            given |= {f"{side}_name": said.campaign, f"{side}_messages": list(said.messages), f"{side}_steps": list(said.steps)}
        return int(self._connection.execute(asked, given).scalar_one())

    @staticmethod
    def _said(side: str) -> str:
        """Who is told these messages on which day."""
        mine = f"JOIN campaign k ON k.id = e.campaign_id AND k.name = :{side}_name"
        return (
            f"SELECT t.contact_id, t.due_at / 86400000 AS day FROM touch t JOIN enrollment e ON e.id = t.enrollment_id {mine} "
            f"WHERE t.message IN :{side}_messages AND t.send_state NOT IN ('skipped','rejected','held_out') AND t.due_at >= :since "
            f"UNION SELECT e.contact_id, e.due_at / 86400000 AS day FROM enrollment e {mine} "
            f"WHERE e.state = 'open' AND e.held_out = 0 AND e.due_at IS NOT NULL AND e.step IN :{side}_steps"
        )

    def _asked(self, text: str, names: Vocabulary) -> int | None:
        compiler = Compiler(names)
        try:
            asked = sa.select(sa.func.count()).select_from(compiler.selection(text, form="exists").subquery())
            with self._connection.begin_nested():  # what cannot be asked ends no snapshot
                return int(self._connection.execute(asked, compiler.parameters(self._now)).scalar_one())
        except (sa.exc.SQLAlchemyError, ValueError, LookupError):
            return None

    def _number(self, statement: str) -> int | None:
        try:
            with self._connection.begin_nested():
                return int(self._connection.execute(sa.text(statement)).scalar_one())
        except sa.exc.SQLAlchemyError:
            return None


@contextmanager
def census(store: Path | Store, *, now: datetime) -> Iterator[Census | None]:
    """The census of a store, or of the SQLite file there, closed at the end; None when it is no store of ours or nobody is in it."""
    if isinstance(store, Path):
        store = Store.sqlite(store)
    try:
        with store.read() as connection:
            lived = clock_of(connection)  # the sandbox may stand at a later instant than the machine
            found = Census(connection, now=max(now, lived) if lived else now)
            yield found if found.total else None
    except sa.exc.DatabaseError:
        yield None
    finally:
        store.close()
