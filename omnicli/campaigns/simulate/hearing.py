"""What people did is folded into the store: rows of the ledger, the last human channel, bars, late goals, and everybody concerned is woken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from omnicli import clock
from omnicli.campaigns.respond.optout import CARRYING, OptOuts
from omnicli.campaigns.respond.understand import Heard, Touched
from omnicli.campaigns.simulate.answering import Answered
from omnicli.campaigns.simulate.asking import Asked
from omnicli.engine.decide import conversion
from omnicli.engine.questions import Questions
from omnicli.model.response import HUMAN, Response
from omnicli.store import turns
from omnicli.store.columns import payload_columns
from omnicli.store.inbox import Arrival

if TYPE_CHECKING:
    from omnicli.campaigns.simulate.life import Life

#: What a response of the model carries beside its name.
_NONE = (None, None, None, None, None)
PAYLOADS = {"bounced": {"kind": "hard"}}
_LAST = (
    "UPDATE contact SET last_human_channel = ?, last_human_at = ? WHERE id = ? AND (last_human_at IS NULL OR last_human_at < ?)"
)
_CHANGED = "UPDATE contact SET changed_at = ? WHERE id = ?"
_WAKE = "UPDATE enrollment SET due_at = ? WHERE contact_id = ? AND state = 'open' AND (due_at IS NULL OR due_at > ?)"


class Hearing:
    """The fold of a simulated world."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.statements: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self._late: Asked | None = None

    def _statement(self, name: str) -> tuple[str, tuple[Any, ...]]:
        """INSERT of an event of that name, and the values of its payload."""
        if name not in self.statements:
            payload = self._payload(name)
            columns = payload_columns(self.life.project, name, payload) if payload else {}
            names = [
                "contact_id",
                "name",
                "at",
                "enrollment_id",
                "campaign",
                "message",
                "step",
                "channel",
                "machine",
                "received_at",
                "payload",
                *columns,
            ]
            text = json.dumps(payload, ensure_ascii=False, separators=(",", ":")) if payload else None
            self.statements[name] = (
                f"INSERT INTO event ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                (0, text, *columns.values()),
            )
        return self.statements[name]

    def _payload(self, name: str) -> dict[str, Any]:
        model = self.life.model
        if name == self.life.people.goal:
            return dict(model.goal.value)
        if name == self.entering:
            return dict(model.arrivals.payload)
        return dict(PAYLOADS.get(name, {}))

    @cached_property
    def entering(self) -> str | None:
        """The event that lets people in."""
        way = self.life.house.campaign.enter
        return way.when[0].split()[0] if way.when else None

    # --- who comes --------------------------------------------------------------------------------------------------
    def arrive(self) -> bool:
        """People whose entering event has happened by now; whether there were any."""
        life, found = self.life, []
        assert life.arrivals is not None
        while life.arrivals and life.arrivals[-1][0] <= life.ms:
            found.append(life.arrivals.pop())
        if not found or self.entering is None:
            return False
        self._insert([Answered(at, contact, self.entering, 0, "", "", "") for at, contact in found])
        return True

    # --- what is answered -------------------------------------------------------------------------------------------
    def hear(self, answers: Sequence[Answered]) -> None:
        if not answers:
            return
        self._insert(answers)
        if barring := [a for a in answers if a.name in CARRYING]:
            self._bar(barring)
        if any(a.name == self.life.people.goal for a in answers):
            self._convert_late([a.contact for a in answers if a.name == self.life.people.goal])

    def _insert(self, answers: Sequence[Answered]) -> None:
        life, ms = self.life, self.life.ms
        life.raw.execute("BEGIN")
        for name, some in groupby(sorted(answers, key=attrgetter("name", "at", "contact")), key=attrgetter("name")):
            sql, (machine, text, *more) = self._statement(name)
            life.raw.executemany(sql, [
                (a.contact, name, a.at, *((a.enrollment, life.name, a.message, a.step, a.channel) if a.enrollment else _NONE), machine, ms, text, *more)
                for a in some
            ])  # fmt: skip
        life.raw.executemany(_LAST, [(a.channel, a.at, a.contact, a.at) for a in answers if a.name in HUMAN and a.channel])
        life.raw.executemany(_CHANGED, [(ms, a.contact) for a in answers])
        life.raw.executemany(_WAKE, [(ms, a.contact, ms) for a in answers])
        life.raw.execute("COMMIT")

    def _bar(self, answers: Sequence[Answered]) -> None:
        """Leaving, complaints, refusals and dead addresses become bars, as any response's do."""
        life = self.life
        heard = [self._heard(a) for a in answers]
        with life.store.write() as connection:
            OptOuts(life.store, connection, life.project, now=life.now).raise_bars(heard, at_once=False)

    def _heard(self, a: Answered) -> Heard:
        life, at = self.life, clock.from_ms(a.at)
        response = Response(f"{a.contact}.{a.step}.{a.name}", str(a.contact), a.name, at, source="simulation", channel=a.channel or None,
                            campaign=life.name, message=a.message, step=a.step, payload=PAYLOADS.get(a.name, {}))  # fmt: skip
        touch = Touched(0, b"", a.contact, a.enrollment, life.name, a.message, a.step, a.channel, "accepted", a.at, life.version)
        leaves = life.house.topic if a.name == "unsubscribed" and life.house.topic in life.project.topics else None
        return Heard(Arrival("simulation", b"", response, at), a.contact, at, touch, {}, leaves)

    def _convert_late(self, contacts: Sequence[int]) -> None:
        """Passes that ended still convert until the goal's time is over (docs/language 4.2)."""
        life = self.life
        marks = json.dumps(sorted(set(contacts)))
        query = (
            "SELECT id FROM enrollment WHERE contact_id IN (SELECT value FROM json_each(?)) AND state = 'ended' AND converted_at IS NULL "
            "AND reason <> 'erased'"
        )
        ids = [row[0] for row in life.raw.execute(query, (marks,))]
        if not ids:
            return
        if self._late is None or self._late.house is not life.house:
            asked = Questions(firsts=tuple(("enter", term) for term in life.house.goal_terms))
            self._late = Asked(life.house, asked, life.houses.compiler(life.version), now=life.now)
        self._late.at(life.now)
        goals = []
        for standing in self._late.of(life.raw, ids):
            zone = life.house.calendar.zone(standing.country, standing.time_zone, standing.region)
            at = conversion(standing.firsts, life.house, standing.entered_at, zone)
            if at is not None:
                goals.append((standing, life.house, at))
        with life.store.write() as connection:
            turns.convert(connection, sorted(goals, key=lambda g: g[0].key), now=life.now)
