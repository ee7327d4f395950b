"""What a store remembers of people's lives, as plain values: touches, what was heard, permissions, passes and their decisions.

Read once, set-based, for any number of people; what judges a life (`always`, coverage) asks these values and never the store.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.engine.calendar import Calendar
from omnicli.packs import holidays_of, load

if TYPE_CHECKING:
    from omnicli.model.project import Project
    from omnicli.store.connection import Store

#: Ids a statement names at most (SQLite's limit of variables is far above).
IDS = 900
#: Where something stands inside its instant: what came before the touches of that instant, they, what came after.
FIRST, TOUCHES, LATER = 0, 1, 2
Order = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Touch:
    """One touch. `at` is when it was settled, else when it is due; `cost` in millionths; `told` are its facts, name → spelling;
    `attempts` are the outcomes of its attempts, `handed` when the first began. `key` is its identity."""

    id: int
    key: str
    campaign: str
    number: int
    step: str
    message: str
    channel: str
    purpose: str
    state: str
    reason: str | None
    at: datetime
    settled: bool
    cost: int
    ruled_as: str
    told: Mapping[str, str] = field(default_factory=dict)
    attempts: tuple[str, ...] = ()
    handed: int | None = None

    @property
    def order(self) -> Order:
        """Where it left among what was heard: when it was handed over, which a slow provider answers later."""
        return clock.to_ms(self.at) if self.handed is None else self.handed, TOUCHES

    @property
    def left(self) -> bool:
        """Accepted by a provider: it reached the person as far as anybody knows."""
        return self.state == "accepted"

    @property
    def counted(self) -> bool:
        """Accepted marketing: what caps count."""
        return self.left and self.purpose == "marketing" and self.channel != "webhook"


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that came in. `at` is when it happened; `order` where it became known."""

    name: str
    at: datetime
    order: Order
    channel: str | None = None
    machine: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leave:
    """A change of what may be sent to a channel: `given` (consent), `taken` (withdrawn, unsubscribed), `barred`, `free` (a bar
    lifted). `purposes` is `marketing` or `all`."""

    channel: str
    kind: str
    order: Order
    scope: str = "marketing"
    until: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A branch: of which step, its label, when."""

    step: str
    label: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass through a campaign; `ended_at` None while it is open. `taken` are its branches in order."""

    campaign: str
    number: int
    entered_at: datetime
    ended_at: datetime | None
    reason: str | None
    step: str | None
    language: str
    persona: str | None
    held_out: bool
    taken: tuple[Taken, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """One person's life in a store up to `end`."""

    who: str
    zone: tzinfo
    country: str | None
    region: str | None
    end: datetime
    touches: tuple[Touch, ...] = ()
    heard: tuple[Heard, ...] = ()
    leave: tuple[Leave, ...] = ()
    passes: tuple[Pass, ...] = ()

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone)


#: (contact id, event name or `consent`, instant in ms) of what came after the touches of its own instant had left.
Afterwards = Collection[tuple[int, str, int]]


def lives(store: Store, project: Project, *, end: datetime, contacts: Sequence[int] | None = None, afterwards: Afterwards = ()) -> dict[int, Life]:  # fmt: skip
    """The lives of these contacts (None: of everybody) by contact id."""
    with store.read() as connection:
        read = _Read(connection, project, end, contacts, frozenset(afterwards))
        return read.all()


class _Read:
    def __init__(self, connection: sa.Connection, project: Project, end: datetime, contacts: Sequence[int] | None,
                 afterwards: frozenset[tuple[int, str, int]]) -> None:  # fmt: skip
        self.connection, self.project, self.end, self.afterwards = connection, project, end, afterwards
        self.contacts = None if contacts is None else sorted(contacts)
        self.late = {(contact, at) for contact, _, at in afterwards}

    def rows(self, sql: str, column: str) -> Iterator[Any]:
        """The rows of a statement about these people; `{who}` is where they are named."""
        if self.contacts is None:
            yield from self.connection.execute(sa.text(sql.format(who="1 = 1")))
            return
        for i in range(0, len(self.contacts), IDS):
            some = ",".join(str(int(one)) for one in self.contacts[i : i + IDS])
            yield from self.connection.execute(sa.text(sql.format(who=f"{column} IN ({some})")))

    def all(self) -> dict[int, Life]:
        touches, heard, leave, passes = self.touches(), self.heard(), self.leave(), self.passes()
        calendar = Calendar.of(
            self.project.time_zone, self.project.countries, {}, load(self.project.countries, self.end.date()), holidays_of
        )
        found: dict[int, Life] = {}
        for id_, who, country, region, zone in self.rows(
            "SELECT id, source_id, country, region, time_zone FROM contact WHERE {who} ORDER BY id", "id"
        ):
            told = heard.get(id_, [])
            found[id_] = Life(
                who, calendar.zone(country, zone, region), country, region, self.end,
                tuple(sorted(touches.get(id_, ()), key=lambda t: (t.at, t.id))), tuple(told),
                tuple(sorted((*leave.get(id_, ()), *_unsubscribed(told)), key=lambda one: one.order)), tuple(passes.get(id_, ())),
            )  # fmt: skip
        return found

    def touches(self) -> dict[int, list[Touch]]:
        attempts: dict[int, list[tuple[str, int]]] = {}
        for touch_id, outcome, started in self.rows(
            "SELECT a.touch_id, a.outcome, a.started_at FROM attempt a JOIN touch x ON x.id = a.touch_id WHERE {who} ORDER BY a.touch_id, a.n",
            "x.contact_id",
        ):
            attempts.setdefault(touch_id, []).append((outcome, started))
        found: dict[int, list[Touch]] = {}
        for (id_, contact, key, campaign, number, step, message, channel, purpose, state, reason, settled, due, cost, kind, facts, told) in self.rows(
            "SELECT x.id, x.contact_id, x.touch_key, g.name, e.pass, x.step, x.message, x.channel, x.purpose, x.send_state, x.reason,"
            " x.settled_at, x.due_at, x.cost, x.task_kind, x.facts, e.told FROM touch x JOIN enrollment e ON e.id = x.enrollment_id"
            " JOIN campaign g ON g.id = e.campaign_id WHERE {who}", "x.contact_id",
        ):  # fmt: skip
            at = clock.from_ms(due if settled is None else settled)
            tried = attempts.get(id_, ())
            ruled = "voice" if channel == "task" and kind == "call" else channel
            found.setdefault(contact, []).append(
                Touch(id_, bytes(key).hex(), campaign, number, step, message, channel, purpose, state, reason, at, settled is not None,
                      cost, ruled, _told(facts, told, message), tuple(outcome for outcome, _ in tried), tried[0][1] if tried else None)
            )  # fmt: skip
        return found

    def heard(self) -> dict[int, list[Heard]]:
        found: dict[int, list[Heard]] = {}
        for contact, name, at, received, channel, machine, payload in self.rows(
            "SELECT contact_id, name, at, received_at, channel, machine, payload FROM event WHERE {who} ORDER BY id", "contact_id"
        ):
            rank = LATER if (contact, name, at) in self.afterwards else FIRST
            order = max(received, at), rank
            found.setdefault(contact, []).append(
                Heard(name, clock.from_ms(at), order, channel, bool(machine), json.loads(payload) if payload else {})
            )
        return found

    def leave(self) -> dict[int, list[Leave]]:
        found: dict[int, list[Leave]] = {}
        for contact, channel, purpose, state, recorded, until in self.rows(
            "SELECT contact_id, channel, purpose, state, recorded_at, until FROM consent_log WHERE {who} ORDER BY id",
            "contact_id",
        ):
            kind = "given" if state == "granted" else "taken"
            changed = any(one.channel == channel for one in found.get(contact, ()))  # not what was given at the beginning
            rank = LATER if changed and (contact, "consent", recorded) in self.afterwards else FIRST
            found.setdefault(contact, []).append(Leave(channel, kind, (recorded, rank), purpose, until))
        for contact, channel, scope, reason, state, recorded in self.rows(
            "SELECT a.contact_id, s.channel, s.scope, s.reason, s.state, s.recorded_at FROM suppression_log s JOIN address a"
            " ON a.hmac = s.norm_hmac AND a.channel = s.channel WHERE {who} ORDER BY s.id", "a.contact_id",
        ):  # fmt: skip
            kind = "free" if state == "lifted" else "barred"
            found.setdefault(contact, []).append(
                Leave(channel, kind, (recorded, LATER if (contact, recorded) in self.late else FIRST), scope, None, reason)
            )
        return found

    def passes(self) -> dict[int, list[Pass]]:
        ways = self.ways()
        found: dict[int, list[Pass]] = {}
        for id_, contact, campaign, number, entered, ended, reason, step, language, persona, held_out in self.rows(
            "SELECT e.id, e.contact_id, g.name, e.pass, e.entered_at, e.ended_at, e.reason, e.step, e.language, e.persona, e.held_out"
            " FROM enrollment e JOIN campaign g ON g.id = e.campaign_id WHERE {who} ORDER BY e.id", "e.contact_id",
        ):  # fmt: skip
            end = None if ended is None else clock.from_ms(ended)
            found.setdefault(contact, []).append(
                Pass(
                    campaign,
                    number,
                    clock.from_ms(entered),
                    end,
                    reason,
                    step,
                    language,
                    persona,
                    bool(held_out),
                    tuple(ways.get(id_, ())),
                )
            )
        return found

    def ways(self) -> dict[int, list[Taken]]:
        """By pass: the branches taken."""
        found: dict[int, list[Taken]] = {}
        for enrollment, at, why in self.rows(
            "SELECT d.enrollment_id, d.at, d.why FROM decision d JOIN enrollment e ON e.id = d.enrollment_id"
            " WHERE d.why IS NOT NULL AND {who} ORDER BY d.id", "e.contact_id",
        ):  # fmt: skip
            for line in _lines(why):
                rule = line["rule"]
                if rule in ("choose", "split") or (rule == "wait" and "from" not in line.get("values", {})):
                    found.setdefault(enrollment, []).append(Taken(line["step"], line["answer"], clock.from_ms(at)))
        return found


_known: dict[str, list[dict[str, Any]]] = {}


def _lines(why: str) -> list[dict[str, Any]]:
    """The lines of the ledger; many decisions say the same."""
    found = _known.get(why)
    if found is None:
        if len(_known) > 20_000:
            _known.clear()
        found = _known[why] = json.loads(why)
    return found


def _told(facts: str | None, told: str | None, message: str) -> Mapping[str, str]:
    """The facts of a touch by name; a touch whose pass was told them keeps them there."""
    own = json.loads(facts) if facts else json.loads(told).get(message, {}) if told else {}
    return {name: str(value[1] if isinstance(value, list) else value) for name, value in own.items()}


def _unsubscribed(heard: Sequence[Heard]) -> Iterator[Leave]:
    """An opt-out that came in, whatever the store made of it: a channel, or all of them (`*`)."""
    for one in heard:
        if one.name == "unsubscribed" and not one.machine and not one.payload.get("topic"):
            yield Leave(one.channel or "*", "taken", one.order, reason="unsubscribed")
