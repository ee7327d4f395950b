"""The real door, kept open from instant to instant: what it asks is compiled once, what it answers is its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.enter import Candidate, _Door
from omnicli.campaigns.simulate.asking import Ready
from omnicli.campaigns.simulate.base import raw
from omnicli.campaigns.turn import Houses
from omnicli.condition.sql import Compiler
from omnicli.store.connection import Store

_THESE = sa.text("contact.id IN (SELECT value FROM json_each(:ids))")
_PASSES = (
    "SELECT contact_id, max(\"pass\"), max(entered_at), max(state = 'open') FROM enrollment "
    "WHERE contact_id IN (SELECT value FROM json_each(?)) AND campaign_id = ? GROUP BY contact_id"
)


class _Person(NamedTuple):
    id: int
    uid: bytes
    language: str | None
    country: str | None
    time_zone: str | None
    region: str | None
    persona: str | None
    holds: int


class Door(_Door):
    """The way into one campaign at every instant of a simulation."""

    def __init__(self, store: Store, houses: Houses, name: str, now: datetime) -> None:
        self.raw: sqlite3.Connection = raw(store)
        self.name = name
        super().__init__(store, houses, self._read(), now)
        self._ready: dict[str, tuple[Ready, Compiler]] = {}

    def _read(self) -> Any:
        cursor = self.raw.execute("SELECT * FROM campaign WHERE name = ?", (self.name,))
        return SimpleNamespace(**dict(zip([c[0] for c in cursor.description], cursor.fetchone(), strict=True)))

    def look(self, now: datetime) -> int:
        """Let in whoever may come at `now`; how many."""
        self.now, self.entered, self.held_out = now, 0, 0
        if self.way.form != "when":
            self.row = self._read()
        self.open()
        return self.entered

    def _by_event(self) -> None:
        """As the door's own, over the driver; where a limit makes people wait, the door's own."""
        if self.way.limit is not None:
            self.row = self._read()
            super()._by_event()
            return
        top = self.raw.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0]
        bound = {
            "last_event": self.row.last_event_id,
            "top_event": top,
            "since_start": self.since,
            "now_ms": clock.to_ms(self.now),
        }
        found: dict[int, tuple[int, int]] = {}
        for term in self.way.when or ():
            ready, compiler = self._asked_of(term, bound)
            found.update({row[0]: (row[2], row[1]) for row in ready.rows(self.raw, {**compiler.parameters(self.now), **bound})})
        self._admit(
            [Candidate(contact, at, event) for event, (at, contact) in sorted(found.items(), key=lambda f: (f[1][0], f[0]))]
        )
        self.row.last_event_id = top

    def _asked_of(self, term: str, bound: dict[str, Any]) -> tuple[Ready, Compiler]:
        if term not in self._ready:
            compiler = Compiler(self.vocabulary, campaign=self.house.name)
            columns: list[Any] = [sa.literal_column(f"event.{name}", sa.BigInteger()) for name in ("id", "contact_id", "at")]
            query = (
                sa.select(*columns).where(*compiler.occurrences(term), *_NEW).select_from(sa.text("event NOT INDEXED"))
            )  # by its number
            self._ready[term] = Ready(query, {**compiler.parameters(self.now), **bound}), compiler
        return self._ready[term]

    def _people(self, connection: sa.Connection, ids: Sequence[int]) -> dict[int, Any]:
        if "people" not in self._ready:
            compiler = Compiler(self.vocabulary, campaign=self.house.name)
            query = self._asking(compiler)
            self._ready["people"] = Ready(query.where(_THESE), {**compiler.parameters(self.now), "ids": "[]"}), compiler
        ready, compiler = self._ready["people"]
        rows = ready.rows(self.raw, {**compiler.parameters(self.now), "ids": json.dumps(list(ids))})
        return {row[0]: _Person(*row) for row in rows}

    def _passes(self, connection: sa.Connection, ids: Sequence[int]) -> dict[int, tuple[int, int, bool]]:
        rows = self.raw.execute(_PASSES, (json.dumps(list(ids)), self.row.id)).fetchall()
        return {row[0]: (row[1], row[2], bool(row[3])) for row in rows}


_NEW = tuple(
    sa.text(text)
    for text in ("event.id > :last_event", "event.id <= :top_event", "event.at >= :since_start", "event.at <= :now_ms")
)
