"""What a world's store says of one person: touches that ended, passes, and what was decided; as values in the order of time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.store import tables as tb


@dataclass(frozen=True, slots=True)
class Sent:
    """One touch. `state`: accepted, rejected, skipped, held_out, or before its end planned, retry, unknown, parked; `at`: when it ended, else
    when it is due; `decided_at`: when it was decided; `cost` in millionths; `key` in hexadecimal."""

    id: int
    key: str
    contact: int
    campaign: str
    message: str
    step: str
    channel: str
    state: str
    at: datetime
    decided_at: datetime
    reason: str | None
    held_by: str | None
    purpose: str
    language: str
    persona: str | None
    cost: int

    @property
    def accepted(self) -> bool:
        return self.state == "accepted"


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: where it stands (`step`, `due_at`, `held_by`), or how it ended (`reason`, `ended_at`)."""

    id: int
    campaign: str
    number: int
    state: str
    step: str | None
    entered_at: datetime
    ended_at: datetime | None
    reason: str | None
    language: str
    persona: str | None
    held_out: bool
    converted_at: datetime | None
    due_at: datetime | None
    wait_until: datetime | None
    held_by: str | None
    held_from: datetime | None


@dataclass(frozen=True, slots=True)
class Decided:
    """One line of the ledger: at which instant, of which pass and step, the rule, its answer, the values behind it. `decision` numbers the
    decisions: lines of one have the same."""

    at: datetime
    enrollment: int
    campaign: str
    decision: int
    kind: str
    step: str
    rule: str
    answer: str
    values: Mapping[str, Any] = field(default_factory=dict)


_SENT = (
    "SELECT t.id, t.touch_key, t.contact_id, c.name, t.message, t.step, t.channel, t.send_state, t.settled_at, t.due_at, t.created_at, "
    "t.reason, t.held_by, t.purpose, e.language, e.persona, t.cost FROM touch t JOIN enrollment e ON e.id = t.enrollment_id "
    "JOIN campaign c ON c.id = e.campaign_id "
)
_ENDED = "t.send_state IN ('accepted','rejected','skipped','held_out')"
_ORDER = " ORDER BY coalesce(t.settled_at, t.due_at), t.created_at, t.id"
_TOUCHES = {
    True: sa.text(f"{_SENT} WHERE t.contact_id = :contact AND {_ENDED} AND t.id > :after{_ORDER}"),
    False: sa.text(f"{_SENT} WHERE {_ENDED} AND t.id > :after{_ORDER}"),
}
_WAITING = sa.text(f"{_SENT} WHERE t.contact_id = :contact AND NOT {_ENDED}{_ORDER}")


def touches(connection: sa.Connection, contact: int | None, *, after: int = 0) -> tuple[Sent, ...]:
    """Touches that have ended, with ids above `after`."""
    query = _TOUCHES[contact is not None]
    given = {"after": after, "contact": contact} if contact is not None else {"after": after}
    return tuple(_sent(row) for row in connection.execute(query, given))


def waiting(connection: sa.Connection, contact: int) -> tuple[Sent, ...]:
    return tuple(_sent(row) for row in connection.execute(_WAITING, {"contact": contact}))


def _sent(row: Any) -> Sent:
    (id_, key, contact, campaign, message, step, channel, state, settled, due, created, reason, held_by, purpose, language, persona,
     cost) = row  # fmt: skip
    return Sent(
        id_, bytes(key).hex(), contact, campaign, message, step, channel, state, clock.from_ms(settled if settled is not None else due),
        clock.from_ms(created), reason, held_by, purpose, language, persona, cost or 0,
    )  # fmt: skip


def passes(connection: sa.Connection, contact: int) -> tuple[Pass, ...]:
    return tuple(
        Pass(r[0], r[1], r[2], r[3], r[4], clock.from_ms(r[5]), _at(r[6]), r[7], r[8], r[9], bool(r[10]), _at(r[11]), _at(r[12]), _at(r[13]),
             r[14], _at(r[15]))
        for r in connection.execute(_PASSES, {"contact": contact})
    )  # fmt: skip


_e = tb.enrollment.c
_PASSES = (
    sa.select(_e.id, tb.campaign.c.name, _e["pass"], _e.state, _e.step, _e.entered_at, _e.ended_at, _e.reason, _e.language, _e.persona,
              _e.held_out, _e.converted_at, _e.due_at, _e.wait_until, _e.held_by, _e.held_from)
    .join(tb.campaign, tb.campaign.c.id == _e.campaign_id).where(_e.contact_id == sa.bindparam("contact")).order_by(_e.entered_at, _e.id)
)  # fmt: skip


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else clock.from_ms(ms)


_DECIDED = sa.text(
    "SELECT d.id, d.at, d.step, d.kind, d.why, e.id, c.name FROM decision d JOIN enrollment e ON e.id = d.enrollment_id "
    "JOIN campaign c ON c.id = e.campaign_id WHERE e.contact_id = :contact ORDER BY d.at, d.id"
)


def decisions(connection: sa.Connection, contact: int) -> tuple[Decided, ...]:
    found: list[Decided] = []
    for id_, at, step, kind, why, enrollment, campaign in connection.execute(_DECIDED, {"contact": contact}):
        instant = clock.from_ms(at)
        found += (
            Decided(instant, enrollment, campaign, id_, kind, line.get("step") or step, str(line.get("rule", "")),
                    str(line.get("answer", "")), line.get("values") or {})
            for line in (json.loads(why) if why else ({},))
        )  # fmt: skip
    return tuple(found)
