"""Opens passes: each person at most one open pass, as `again`, `if` and `limit` allow; language and persona fixed for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.turn import Houses
from omnicli.condition.sql import Compiler
from omnicli.engine import chance, timing
from omnicli.engine.house import House
from omnicli.model.campaign import Campaign, Enter
from omnicli.model.ids import enrollment_key
from omnicli.model.literals import Rate
from omnicli.model.vocabulary import Vocabulary, vocabulary
from omnicli.store import setting, turns
from omnicli.store import tables as tb
from omnicli.store.outbox.locking import heed_standing, lock_contacts
from omnicli.text import fold

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: People a transaction.
BATCH = 2000


class Shut(Exception):
    """Somebody stopped or paused the campaign while people were being let in: who is inside is inside, the rest comes by again."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person who may come in, and the instant that counts as their entry; `event_id` when an event brings them."""

    contact_id: int
    at: int
    event_id: int | None = None


_STATE = sa.select(tb.campaign.c.state).where(tb.campaign.c.id == sa.bindparam("id"))
_UIDS = sa.select(tb.contact.c.id, tb.contact.c.uid).where(tb.contact.c.id.in_(sa.bindparam("ids", expanding=True)))
_PASSES = (
    sa.select(
        tb.enrollment.c.contact_id, sa.func.max(tb.enrollment.c["pass"]), sa.func.max(tb.enrollment.c.entered_at),
        sa.func.max(sa.case((tb.enrollment.c.state == "open", 1), else_=0)),
    )
    .where(tb.enrollment.c.contact_id.in_(sa.bindparam("ids", expanding=True)), tb.enrollment.c.campaign_id == sa.bindparam("campaign"))
    .group_by(tb.enrollment.c.contact_id)
)  # fmt: skip
#: (files, campaign, its name, question) → the files and the campaign asked about, and the question as SQL.
_COMPILED: dict[tuple[int, int, str, str], tuple[Loaded, Campaign, sa.Select[Any], Compiler]] = {}


class Admitting:
    """The way into one campaign at one instant, for those who have been found."""

    def __init__(self, store: Store, houses: Houses, row: Any, now: datetime) -> None:
        self.store, self.houses, self.row, self.now = store, houses, row, now
        self.campaign = houses.tree(row.version_id)
        self.way: Enter = self.campaign.enter
        self.project = houses.project
        self.zone: tzinfo = ZoneInfo(self.project.time_zone)
        self.since = row.since if row.since is not None else row.started_at or 0
        self.entered = self.held_out = 0
        self.back = False  # whether this look goes behind the last one
        self._select: tuple[sa.Select[Any], dict[str, object]] | None = None

    @cached_property
    def house(self) -> House:
        """Built when somebody comes: most looks find nobody."""
        return self.houses[self.row.version_id]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return vocabulary(self.project, self.campaign, self.houses.loaded.campaigns)

    def _asks(self, what: str, make: Callable[[Compiler], sa.Select[Any]]) -> tuple[sa.Select[Any], dict[str, object]]:
        """A question of this door and its instants; compiled once for all instants of these houses, and once a process for
        all houses of these files."""
        key = self.row.version_id, what
        if key not in self.houses.doors:
            self.houses.doors[key] = self._compiled(what, make)
        query, compiler = self.houses.doors[key]
        return query, compiler.parameters(self.now)

    def _compiled(self, what: str, make: Callable[[Compiler], sa.Select[Any]]) -> tuple[sa.Select[Any], Compiler]:
        loaded, name = self.houses.loaded, self.row.name
        key = id(loaded), id(self.campaign), name, what
        kept = _COMPILED.get(key)
        if kept is None or kept[0] is not loaded or kept[1] is not self.campaign:
            compiler = Compiler(self.vocabulary, campaign=name)
            if len(_COMPILED) >= 512:
                _COMPILED.clear()
            kept = _COMPILED[key] = loaded, self.campaign, make(compiler), compiler
        return kept[2], kept[3]

    # --- what waits for its turn --------------------------------------------------------------------------------
    @property
    def _waiting_key(self) -> str:
        return f"waiting:{self.row.name}"

    def _waiting(self, connection: sa.Connection) -> list[int]:
        """Event ids that a limit made wait; `[-1]` when people of a condition wait."""
        text = setting.get(connection, self._waiting_key) if self.way.limit is not None else None
        return list(json.loads(text)) if text else []

    def _unfinished(self) -> bool:
        if self.way.limit is None:
            return False
        with self.store.read() as connection:
            return bool(self._waiting(connection))

    def _uids(self, connection: sa.Connection, ids: Iterable[int]) -> dict[int, bytes]:
        """What orders people who come at one instant: never the integer id, which says in what order a store was filled."""
        found: dict[int, bytes] = {}
        wanted = sorted(ids)
        for start in range(0, len(wanted), BATCH):
            some = {"ids": wanted[start : start + BATCH]}
            found.update({row[0]: row[1] for row in connection.execute(_UIDS, some)})
        return found

    def _wait(self, connection: sa.Connection, ids: Sequence[int]) -> None:
        if self.way.limit is not None:
            setting.put(connection, self._waiting_key, json.dumps(list(ids)))

    # --- in -----------------------------------------------------------------------------------------------------
    def _admit(self, candidates: Sequence[Candidate], *, fresh: int | None = None) -> list[Candidate]:
        """Open a pass for each in order, as `again`, `if`, `limit` and open passes allow; gives those who must wait.

        `fresh`: whoever has entered at that instant or later has come by this occasion already.
        """
        for start in range(0, len(candidates), BATCH):
            chunk = candidates[start : start + BATCH]
            with self.store.write() as connection:
                heed_standing(connection)
                if connection.scalar(_STATE, {"id": self.row.id}) != "running":
                    raise Shut
                room = self._room(connection)
                rows, used = self._rows(connection, chunk, room=room, fresh=fresh)
                if rows:
                    turns.enter(connection, rows, campaign=self.house.name, now=self.now)
                    self._count(connection, len(rows))
                self.entered += len(rows)
                self.held_out += sum(row["held_out"] for row in rows)
            if used < len(chunk):
                return [*chunk[used:], *candidates[start + BATCH :]]
        return []

    def _rows(self, connection: sa.Connection, chunk: Sequence[Candidate], *, room: int | None,
              fresh: int | None) -> tuple[list[dict[str, Any]], int]:  # fmt: skip
        """The rows of those who come in, and how many of the chunk were dealt with before the room was used up."""
        lock_contacts(connection, {c.contact_id for c in chunk})
        people = self._people(connection, sorted({c.contact_id for c in chunk}))
        passes = self._passes(connection, sorted(people))
        rows: list[dict[str, Any]] = []
        for n, candidate in enumerate(chunk):
            person = people.get(candidate.contact_id)
            if person is None or not self._may_come(candidate, person, passes.get(candidate.contact_id), fresh):
                continue
            if room is not None and len(rows) >= room:
                return rows, n
            number = (passes[candidate.contact_id][0] if candidate.contact_id in passes else 0) + 1
            passes[candidate.contact_id] = number, candidate.at, True
            rows.append(self._row(candidate, person, number))
        return rows, len(chunk)

    def _people(self, connection: sa.Connection, ids: Sequence[int]) -> dict[int, Any]:
        """What entry needs to know of each: uid, language, zone, persona, and whether `if` holds. One SELECT."""
        if not ids:
            return {}
        if self._select is None:
            self._select = self._asks("people", self._asking_these)
        query, parameters = self._select
        return {row.id: row for row in connection.execute(query, {**parameters, "ids": list(ids)})}

    def _asking(self, compiler: Compiler) -> sa.Select[Any]:
        """What entry asks of everybody."""
        judged = self.way.if_ is not None and self.way.form in ("when", "on")
        holds = compiler.predicate(self.way.if_ or "", where="elsewhere") if judged else sa.true()
        matches = [(compiler.predicate(p.match, where="elsewhere"), sa.literal(name))
                   for name, p in self.house.personas.items() if p.match is not None]  # fmt: skip
        default = "default" if "default" in self.house.personas else None
        persona = sa.case(*matches, else_=default) if matches else sa.literal(default)
        c = tb.contact.c
        query = sa.select(
            c.id, c.uid, c.language, c.country, c.time_zone, c.region, persona.label("persona"), holds.label("holds")
        )
        return query.where(c.erased_at.is_(None))

    def _asking_these(self, compiler: Compiler) -> sa.Select[Any]:
        asking = self._asking(compiler).add_columns(tb.contact.c.changed_at)
        return asking.where(tb.contact.c.id.in_(sa.bindparam("ids", expanding=True)))

    def _passes(self, connection: sa.Connection, ids: Sequence[int]) -> dict[int, tuple[int, int, bool]]:
        """contact → (number of passes, last entry, whether one is open)."""
        rows = connection.execute(_PASSES, {"ids": list(ids), "campaign": self.row.id}) if ids else ()
        return {row[0]: (row[1], row[2], bool(row[3])) for row in rows}

    def _may_come(self, candidate: Candidate, person: Any, before: tuple[int, int, bool] | None, fresh: int | None) -> bool:
        if not person.holds:
            return False
        if before is None:
            return True
        _, last, open_ = before
        if open_ or (fresh is not None and last >= fresh) or last >= candidate.at:
            return False
        if self.back and last >= person.changed_at:
            return False  # nothing is new of whoever has come since
        again = self.way.again
        if again.kind == "always":
            return True
        if again.kind == "never" or again.after is None:
            return False
        zone = self.house.calendar.zone(person.country, person.time_zone, person.region)
        return clock.from_ms(candidate.at) >= timing.add(again.after, clock.from_ms(last), zone)

    def _row(self, candidate: Candidate, person: Any, number: int) -> dict[str, Any]:
        project, campaign, uid = self.project, self.house.campaign, person.uid
        out = self.held_by_chance(uid)
        language = language_of(person.language, campaign.languages or project.languages)
        why = [{"step": "", "rule": f"enter {self.way.form}", "answer": "entered",
                "values": {"at": clock.iso(clock.from_ms(candidate.at)), "persona": person.persona, "language": language,
                           **({"held_out": out} if out else {})}}]  # fmt: skip
        return {
            "key": enrollment_key(project.project, campaign.campaign, uid, number), "contact_id": candidate.contact_id,
            "campaign_id": self.row.id, "version_id": self.row.version_id, "pass": number, "entered_at": candidate.at,
            "entered_event": candidate.event_id, "language": language, "persona": person.persona, "held_out": int(bool(out)),
            "why": json.dumps(why, ensure_ascii=False, separators=(",", ":")),
        }  # fmt: skip

    def held_by_chance(self, uid: bytes) -> str | None:
        """`campaign` or `project` when a hold-out drew this contact; marketing only."""
        if not self.house.marketing:
            return None
        if (given := self.houses.draws.held_out) is not None:
            return "campaign" if given(uid) else None
        if chance.held_out(self.project.project, self.house.name, uid, share=self.house.campaign.holdout):
            return "campaign"
        whole = self.project.holdout
        if whole is None:
            return None
        period = chance.rotation(self.now.astimezone(self.zone).date(), whole.rotate)
        return "project" if chance.held_out_of_all(self.project.project, period, uid, share=whole.share) else None

    # --- limit --------------------------------------------------------------------------------------------------
    @property
    def _limit_key(self) -> str:
        return f"entered:{self.row.name}"

    def _counts(self, connection: sa.Connection, limit: Rate) -> dict[str, int]:
        """Entries by local date of the project, the dates that the limit still counts."""
        text = setting.get(connection, self._limit_key)
        today = self.now.astimezone(self.zone).date()
        oldest = (today - timedelta(days=limit.days - 1)).isoformat()
        return {day: n for day, n in (json.loads(text) if text else {}).items() if day >= oldest}

    def _room(self, connection: sa.Connection) -> int | None:
        limit = self.way.limit
        return None if limit is None else max(0, limit.count - sum(self._counts(connection, limit).values()))

    def _count(self, connection: sa.Connection, n: int) -> None:
        limit = self.way.limit
        if limit is not None:
            counts = self._counts(connection, limit)
            today = self.now.astimezone(self.zone).date().isoformat()
            counts[today] = counts.get(today, 0) + n
            setting.put(connection, self._limit_key, json.dumps(counts))


def language_of(language: str | None, offered: Iterable[str]) -> str:
    """The language of a pass: the contact's own when it is offered, else its plain form, else a sister, else the first."""
    known = tuple(offered)
    wanted = (language or "").strip()
    folded = {fold(one): one for one in known}
    for one in (wanted, wanted.partition("-")[0]):
        if fold(one) in folded:
            return wanted if wanted in known else folded[fold(one)]
    sister = next((one for one in known if wanted and one.partition("-")[0] == wanted.partition("-")[0]), None)
    return sister or known[0]
