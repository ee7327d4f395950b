"""What stands in the outbox and what became of it, read for people: lists, one touch whole, work that waits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.errors import OmniError
from omnicli.store import tables as tb
from omnicli.texts import t

#: Tries of a call that were noted without ending its task.
TRY = "try"


@dataclass(frozen=True, slots=True)
class Listed:
    """One touch of a list. `touch` is its key in hexadecimal, `at` when it ended, else when it is due."""

    id: int
    touch: str
    contact: str
    campaign: str
    step: str
    message: str
    channel: str
    state: str
    reason: str | None
    held_by: str | None
    delivery: str
    at: datetime
    cost: int


@dataclass(frozen=True, slots=True)
class Attempt:
    n: int
    provider: str
    outcome: str
    at: datetime
    ref: str | None
    code: str | None
    detail: str | None
    waived_by: str | None


@dataclass(frozen=True, slots=True)
class Whole:
    """One touch with everything known about it; `message` maps parts to the exact texts that were handed over."""

    listed: Listed
    purpose: str
    due_at: datetime
    expires_at: datetime
    address: str | None = field(repr=False)
    persona: str | None = None
    language: str = ""
    version: int = 0
    template: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parts: tuple[bytes, bytes] | None = field(default=None, repr=False)
    attempts: tuple[Attempt, ...] = ()
    evidence: tuple[tuple[datetime, str, str, str | None], ...] = ()
    receipts: tuple[tuple[datetime, str, bool], ...] = ()


def _query() -> sa.Select[Any]:
    x, c, e, k = tb.touch.c, tb.contact.c, tb.enrollment.c, tb.campaign.c
    return (
        sa.select(
            x.id, x.touch_key, c.source_id, k.name, x.step, x.message, x.channel, x.send_state, x.reason, x.held_by, x.delivery_state,
            sa.func.coalesce(x.settled_at, x.due_at).label("at"), x.cost,
        )
        .join(tb.contact, c.id == x.contact_id).join(tb.enrollment, e.id == x.enrollment_id).join(tb.campaign, k.id == e.campaign_id)
    )  # fmt: skip


def _listed(row: Any) -> Listed:
    return Listed(
        row[0],
        row[1].hex(),
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        clock.from_ms(row[11]),
        row[12],
    )


def touches(
    connection: sa.Connection, *, campaign: str | None = None, state: str | None = None, reason: str | None = None,
    since: datetime | None = None, contact: str | None = None, channel: str | None = None, limit: int = 50, after: str | None = None,
) -> tuple[list[Listed], int]:  # fmt: skip
    """Touches, newest first, and how many there are in all; `after` is the key of the last one already shown."""
    x, c, k = tb.touch.c, tb.contact.c, tb.campaign.c
    query = _query()
    for value, column in (
        (campaign, k.name),
        (state, x.send_state),
        (reason, x.reason),
        (contact, c.source_id),
        (channel, x.channel),
    ):
        if value is not None:
            query = query.where(column == value)
    at = sa.func.coalesce(x.settled_at, x.due_at)
    if since is not None:
        query = query.where(at >= clock.to_ms(since))
    total = connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    if after is not None:
        last = find(connection, after)
        query = query.where(sa.tuple_(at, x.touch_key) < sa.tuple_(clock.to_ms(last.at), bytes.fromhex(last.touch)))
    rows = connection.execute(query.order_by(at.desc(), x.touch_key.desc()).limit(limit))
    return [_listed(row) for row in rows], total


def find(connection: sa.Connection, touch: str) -> Listed:
    """The touch whose key begins so; OmniError when there is none, or more than one."""
    text = touch.strip().lower()
    if not text or set(text) - set("0123456789abcdef"):
        raise OmniError(
            t("'{touch}' is not a touch's id", "« {touch} » n'est pas un identifiant d'envoi", touch=touch),
            hint="omni touch list",
            code="no-touch",
        )
    low = bytes.fromhex(text.ljust(32, "0")[:32])
    high = bytes.fromhex(text.ljust(32, "f")[:32])
    rows = list(connection.execute(_query().where(tb.touch.c.touch_key.between(low, high)).limit(2)))
    if not rows:
        raise OmniError(
            t("no touch begins with '{touch}'", "aucun envoi ne commence par « {touch} »", touch=touch),
            hint="omni touch list",
            code="no-touch",
        )
    if len(rows) > 1:
        raise OmniError(t("more than one touch begins with '{touch}'", "plusieurs envois commencent par « {touch} »", touch=touch),
                        hint=t("give more of its id", "donnez-en davantage"), code="no-touch")  # fmt: skip
    return _listed(rows[0])


def whole(connection: sa.Connection, touch: str) -> Whole:
    """Everything about one touch."""
    listed = find(connection, touch)
    x, e, v, a = tb.touch.c, tb.enrollment.c, tb.campaign_version.c, tb.address.c
    row = connection.execute(
        sa.select(x.purpose, x.due_at, x.expires_at, a.value, e.persona, e.language, v.number, x.facts, e.told, x.enrollment_id)
        .join(tb.enrollment, e.id == x.enrollment_id).join(tb.campaign_version, v.id == x.version_id)
        .outerjoin(tb.address, sa.and_(a.contact_id == x.contact_id, a.channel == x.channel)).where(x.id == listed.id)
    ).one()  # fmt: skip
    told = json.loads(row.told or "{}")
    facts = json.loads(row.facts) if row.facts else told.get(listed.message, {})
    archived = _archived(connection, listed.id)
    return Whole(
        listed, row.purpose, clock.from_ms(row.due_at), clock.from_ms(row.expires_at), row.value, row.persona, row.language, row.number,
        archived[2] if archived else None, facts, archived[:2] if archived else None, _attempts(connection, listed.id),
        _evidence(connection, listed.id), _receipts(connection, listed, row.enrollment_id),
    )  # fmt: skip


def _archived(connection: sa.Connection, touch: int) -> tuple[bytes, bytes, str | None] | None:
    s, r = tb.skeleton.c, tb.rendering.c
    row = connection.execute(
        sa.select(s.parts, r["values"], s.template).join(tb.rendering, r.skeleton_id == s.id).where(r.touch_id == touch)
    ).first()
    return (bytes(row[0]), bytes(row[1]), row[2]) if row else None


def _attempts(connection: sa.Connection, touch: int) -> tuple[Attempt, ...]:
    a, h = tb.attempt.c, tb.handover.c
    query = sa.select(a.n, h.provider, a.outcome, a.started_at, a.provider_ref, a.code, a.detail, a.waived_by)
    rows = connection.execute(query.join(tb.handover, h.id == a.handover_id).where(a.touch_id == touch).order_by(a.n))
    return tuple(Attempt(row[0], row[1], row[2], clock.from_ms(row[3]), *row[4:]) for row in rows)


def _evidence(connection: sa.Connection, touch: int) -> tuple[tuple[datetime, str, str, str | None], ...]:
    v = tb.evidence.c
    rows = connection.execute(sa.select(v.at, v.source, v.kind, v.detail).where(v.touch_id == touch).order_by(v.id))
    return tuple((clock.from_ms(row[0]), row[1], row[2], row[3]) for row in rows)


def _receipts(connection: sa.Connection, listed: Listed, enrollment: int) -> tuple[tuple[datetime, str, bool], ...]:
    """What came back about it: events of its pass, step and channel."""
    e = tb.event.c
    rows = connection.execute(
        sa.select(e.at, e.name, e.machine)
        .where(e.enrollment_id == enrollment, e.step == listed.step, e.channel == listed.channel).order_by(e.at, e.id)
    )  # fmt: skip
    return tuple((clock.from_ms(row[0]), row[1], bool(row[2])) for row in rows)


# --- work for people ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Work:
    """One task. `tries` counts calls that were noted and did not end it."""

    id: int
    touch_id: int
    touch: str
    contact: str
    name: str = field(repr=False)
    campaign: str
    step: str
    message: str
    channel: str
    team: str | None
    kind: str | None
    due_at: datetime | None
    next_at: datetime | None
    state: str
    claimed_by: str | None
    outcome: str | None
    note: str | None
    tries: int


def work(
    connection: sa.Connection, *, names: Sequence[str] = (), id: int | None = None, team: str | None = None, mine: str | None = None,
    until: datetime | None = None, done: bool = False, limit: int | None = None,
) -> list[Work]:  # fmt: skip
    """Tasks by what is due first; open ones unless `done`. `names` are contact attributes that make a person's name."""
    w, x, c, e, k, v = tb.task.c, tb.touch.c, tb.contact.c, tb.enrollment.c, tb.campaign.c, tb.evidence.c
    name: list[sa.ColumnElement[Any]] = [sa.literal_column(f'contact."a_{column}"') for column in names] or [sa.null()]
    tries = sa.select(sa.func.count()).where(v.touch_id == x.id, v.kind.startswith(TRY)).scalar_subquery()
    query = (
        sa.select(w.id, x.id, x.touch_key, c.source_id, k.name, x.step, x.message, x.channel, w.team, w.kind, w.due_at, w.next_at, w.state,
                  w.claimed_by, w.outcome, w.note, tries, *name)
        .select_from(tb.task).join(tb.touch, x.id == w.touch_id).join(tb.contact, c.id == x.contact_id)
        .join(tb.enrollment, e.id == x.enrollment_id).join(tb.campaign, k.id == e.campaign_id)
    )  # fmt: skip
    if id is not None:
        query = query.where(w.id == id)
    elif not done:
        query = query.where(w.state != "done")
    if team is not None:
        query = query.where(w.team == team)
    if mine is not None:
        query = query.where(w.claimed_by == mine)
    due = sa.func.coalesce(w.next_at, w.due_at)
    if until is not None:
        query = query.where(sa.or_(due.is_(None), due <= clock.to_ms(until)))
    rows = connection.execute(query.order_by(due.is_(None), due, w.id).limit(limit))
    return [_work(tuple(row)) for row in rows]


def _work(row: tuple[Any, ...]) -> Work:
    name = " ".join(str(part) for part in row[17:] if part)
    due, again = row[10], row[11]
    return Work(
        row[0], row[1], row[2].hex(), row[3], name, row[4], row[5], row[6], row[7], row[8], row[9],
        clock.from_ms(due) if due is not None else None, clock.from_ms(again) if again is not None else None,
        row[12], row[13], row[14], row[15], row[16],
    )  # fmt: skip


def take(connection: sa.Connection, task: int, who: str, *, now: datetime) -> None:
    """Somebody works on it."""
    w = tb.task.c
    connection.execute(
        sa.update(tb.task).where(w.id == task).values(state="claimed", claimed_by=who, claimed_at=clock.to_ms(now))
    )


def note_try(connection: sa.Connection, work: Work, outcome: str, note: str | None, *, next_at: datetime, now: datetime) -> None:
    """A call that did not end the task: noted, and when to try again."""
    w = tb.task.c
    connection.execute(sa.insert(tb.evidence).values(touch_id=work.touch_id, n=work.tries + 1, source="task", kind=f"{TRY}:{outcome}",
                                                     at=clock.to_ms(now), detail=note))  # fmt: skip
    connection.execute(sa.update(tb.task).where(w.id == work.id).values(next_at=clock.to_ms(next_at), note=note))


def finish(
    connection: sa.Connection, task: int, outcome: str, note: str | None, *, next_at: datetime | None, now: datetime
) -> None:
    """It is done, with this outcome."""
    w = tb.task.c
    again = clock.to_ms(next_at) if next_at is not None else None
    connection.execute(
        sa.update(tb.task)
        .where(w.id == task)
        .values(state="done", outcome=outcome, note=note, done_at=clock.to_ms(now), next_at=again)
    )
