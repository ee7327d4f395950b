"""Who fulfils a condition, and one person's life: read-only verbs over people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.model.contact import Reach, read_reach
from omnicli.model.project import Project
from omnicli.store import tables as tb
from omnicli.store.columns import attribute_column, from_column, kind_of

Ids = sa.Select[tuple[int]]


@dataclass(frozen=True, slots=True)
class Person:
    """One contact for a list: `id` is the source's own, `name` made of the attributes first_name and last_name."""

    number: int
    id: str
    name: str = field(repr=False)
    language: str | None = None
    country: str | None = None
    time_zone: str | None = None
    created_at: datetime | None = None
    reach: Reach = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict, repr=False)


def size(connection: sa.Connection) -> int:
    """How many people the store has, the erased apart."""
    query = sa.select(sa.func.count()).select_from(tb.contact).where(tb.contact.c.erased_at.is_(None))
    return int(connection.execute(query).scalar_one())


def count(connection: sa.Connection, who: Ids, parameters: Mapping[str, object]) -> int:
    """How many a selection of contact ids has."""
    query = sa.select(sa.func.count()).select_from(who.subquery())
    return int(connection.execute(query, dict(parameters)).scalar_one())


#: Contacts looked at before a form is chosen; at most one in so many of them may be left for EXISTS.
SAMPLE, FEW = 400, 10


def form_of(connection: sa.Connection, narrowing: sa.ColumnElement[bool] | None, parameters: Mapping[str, object]) -> str:
    """How events are best asked of those whom `narrowing` (a compiler's) leaves: `exists` when a sample says that they are few,
    else `auto`. SQLite does not weigh the two (docs/performance)."""
    top = connection.scalar(sa.select(sa.func.max(tb.contact.c.id)))
    if narrowing is None or not top or top < SAMPLE:
        return "auto"
    ids = sorted({1 + n * top // SAMPLE for n in range(SAMPLE)})
    asked = (
        sa.select(sa.func.count(), sa.func.sum(sa.case((narrowing, 1), else_=0)))
        .select_from(tb.contact)
        .where(tb.contact.c.id.in_(ids))
    )
    seen, left = connection.execute(asked, dict(parameters)).one()
    return "exists" if seen and (left or 0) * FEW <= seen else "auto"


def people(
    connection: sa.Connection, project: Project, *, who: Ids | None = None, parameters: Mapping[str, object] | None = None, limit: int = 20,
    after: str | None = None,
) -> list[Person]:  # fmt: skip
    """People in the order of their ids, from behind `after` (a source id) on."""
    c = tb.contact.c
    names = _names(project)
    query = sa.select(
        c.id, c.source_id, c.language, c.country, c.time_zone, c.created_at, c.reach, *(sa.column(a) for a in names)
    )
    query = query.select_from(tb.contact).where(c.erased_at.is_(None)).order_by(c.source_id).limit(limit)
    if who is not None:
        query = query.where(c.id.in_(who))
    if after is not None:
        query = query.where(c.source_id > after)
    rows = connection.execute(query, dict(parameters or {})).all()
    found = _addresses(connection, [row.id for row in rows])
    return [
        Person(row[0], row[1], " ".join(str(part) for part in row[7:] if part), row[2], row[3], row[4], clock.from_ms(row[5]), read_reach(row[6]),
               found.get(row[0], {}))
        for row in rows
    ]  # fmt: skip


def _names(project: Project) -> list[str]:
    return [attribute_column(name) for name in ("first_name", "last_name") if name in project.contacts.attributes]


def _addresses(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    a = tb.address.c
    found: dict[int, dict[str, str]] = {}
    for start in range(0, len(ids), 900):
        query = sa.select(a.contact_id, a.channel, a.value).where(a.contact_id.in_(ids[start : start + 900])).order_by(a.channel)
        for contact_id, channel, value in connection.execute(query):
            found.setdefault(contact_id, {})[channel] = value
    return found


# --- one person -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened: `kind` is `event touch consent pass bar`, `what` a word, `facts` the rest."""

    at: datetime
    kind: str
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Life:
    """One person with everything the store tells about them, in the order of time."""

    person: Person
    place: str | None
    preferred_channel: str | None
    attributes: Mapping[str, Any] = field(repr=False)
    moments: tuple[Moment, ...] = ()
    open_passes: tuple[Mapping[str, Any], ...] = ()
    complaint_until: datetime | None = None


def find(connection: sa.Connection, id: str) -> int | None:
    """The number of the contact with this id of the source, or whose e-mail address or telephone number this is."""
    c, a = tb.contact.c, tb.address.c
    found = connection.execute(sa.select(c.id).where(c.source_id == id)).scalar()
    if found is None:
        found = connection.execute(sa.select(a.contact_id).where(a.norm == id.casefold()).order_by(a.contact_id)).scalar()
    return None if found is None else int(found)


def source_id(connection: sa.Connection, id: int) -> str:
    """The id that the source gave this contact."""
    return str(connection.scalar(sa.select(tb.contact.c.source_id).where(tb.contact.c.id == id)))


def near(connection: sa.Connection, id: str, *, limit: int = 2000) -> list[str]:
    """Ids that begin alike: candidates for `did you mean`."""
    c = tb.contact.c
    start = id[: max(1, len(id) - 3)]
    query = sa.select(c.source_id).where(c.source_id.like(start.replace("%", "").replace("_", "") + "%")).limit(limit)
    return list(connection.execute(query).scalars())


def life(connection: sa.Connection, project: Project, number: int) -> Life:
    """Everything about one contact."""
    c = tb.contact.c
    attributes = project.contacts.attributes
    columns: list[sa.ColumnClause[Any]] = [sa.column(attribute_column(name)) for name in attributes]
    row = connection.execute(
        sa.select(c.source_id, c.language, c.country, c.time_zone, c.created_at, c.reach, c.place, c.preferred_channel, c.complaint_until, *columns)
        .select_from(tb.contact).where(c.id == number)
    ).one()  # fmt: skip
    values = {name: from_column(kind_of(a), row[9 + i]) for i, (name, a) in enumerate(attributes.items())}
    name = " ".join(str(values[part]) for part in ("first_name", "last_name") if values.get(part))
    person = Person(
        number,
        row[0],
        name,
        row[1],
        row[2],
        row[3],
        clock.from_ms(row[4]),
        read_reach(row[5]),
        _addresses(connection, [number]).get(number, {}),
    )
    moments = sorted((*_events(connection, number), *_touches(connection, number), *_consents(connection, number), *_passes(connection, number),
                      *_bars(connection, number)), key=lambda m: m.at)  # fmt: skip
    return Life(person, row[6], row[7], {k: v for k, v in values.items() if v is not None}, tuple(moments), tuple(_open(connection, number)),
                clock.from_ms(row[8]) if row[8] else None)  # fmt: skip


def _events(connection: sa.Connection, number: int) -> list[Moment]:
    e = tb.event.c
    query = sa.select(e.at, e.name, e.channel, e.campaign, e.message, e.step, e.machine, e.payload).where(e.contact_id == number)
    out = []
    for at, name, channel, campaign, message, step, machine, payload in connection.execute(query):
        facts = {"channel": channel, "campaign": campaign, "message": message, "step": step, **json.loads(payload or "{}")}
        if machine:
            facts["machine"] = True
        out.append(Moment(clock.from_ms(at), "event", name, {k: v for k, v in facts.items() if v is not None}))
    return out


def _touches(connection: sa.Connection, number: int) -> list[Moment]:
    c, e, k = tb.touch.c, tb.enrollment.c, tb.campaign.c
    query = sa.select(
        c.touch_key,
        c.due_at,
        c.settled_at,
        c.step,
        c.message,
        c.channel,
        c.send_state,
        c.reason,
        c.delivery_state,
        c.held_by,
        k.name,
    )
    query = (
        query.join(tb.enrollment, e.id == c.enrollment_id).join(tb.campaign, k.id == e.campaign_id).where(c.contact_id == number)
    )
    out = []
    for row in connection.execute(query):
        facts = {"touch": row[0].hex(), "campaign": row[10], "step": row[3], "message": row[4], "channel": row[5], "reason": row[7], "held_by": row[9],
                 "delivery": row[8] if row[8] != "none" else None, "due_at": clock.from_ms(row[1])}  # fmt: skip
        out.append(Moment(clock.from_ms(row[2] or row[1]), "touch", row[6], {k: v for k, v in facts.items() if v is not None}))
    return out


def _consents(connection: sa.Connection, number: int) -> list[Moment]:
    g = tb.consent_log.c
    query = (
        sa.select(g.at, g.state, g.channel, g.purpose, g.source, g.proof, g.until).where(g.contact_id == number).order_by(g.id)
    )
    return [Moment(clock.from_ms(r[0]), "consent", r[1], {k: v for k, v in (
        ("channel", r[2]), ("purpose", r[3]), ("source", r[4]), ("proof", r[5]), ("until", clock.from_ms(r[6]) if r[6] else None)) if v is not None})
        for r in connection.execute(query)]  # fmt: skip


def _passes(connection: sa.Connection, number: int) -> list[Moment]:
    e, k = tb.enrollment.c, tb.campaign.c
    columns = (k.name, e["pass"], e.entered_at, e.ended_at, e.reason, e.persona, e.held_out)
    query = sa.select(*columns).join(tb.campaign, k.id == e.campaign_id).where(e.contact_id == number)
    out = []
    for name, count_, entered, ended, reason, persona, held_out in connection.execute(query):
        facts = {
            "campaign": name,
            "pass": count_,
            **({"persona": persona} if persona else {}),
            **({"held_out": True} if held_out else {}),
        }
        out.append(Moment(clock.from_ms(entered), "pass", "entered", facts))
        if ended is not None:
            out.append(Moment(clock.from_ms(ended), "pass", "ended", {**facts, "reason": reason}))
    return out


def _open(connection: sa.Connection, number: int) -> list[dict[str, Any]]:
    e, k = tb.enrollment.c, tb.campaign.c
    query = sa.select(k.name, e.step, e.due_at, e.held_by).join(tb.campaign, k.id == e.campaign_id)
    rows = connection.execute(query.where(e.contact_id == number, e.state == "open"))
    return [{"campaign": r[0], "step": r[1], "due_at": clock.from_ms(r[2]) if r[2] else None, "held_by": r[3]} for r in rows]


def _bars(connection: sa.Connection, number: int) -> list[Moment]:
    a, g = tb.address.c, tb.suppression_log.c
    query = sa.select(g.at, g.state, g.channel, g.scope, g.reason, g.source)
    query = (
        query.join(tb.address, sa.and_(a.channel == g.channel, a.hmac == g.norm_hmac))
        .where(a.contact_id == number)
        .order_by(g.id)
    )
    return [Moment(clock.from_ms(r[0]), "bar", r[1], {k: v for k, v in (("channel", r[2]), ("scope", r[3]), ("reason", r[4]), ("source", r[5])) if v})
            for r in connection.execute(query)]  # fmt: skip


# --- the ledger -----------------------------------------------------------------------------------------------------
def ledger(connection: sa.Connection, project: Project) -> dict[str, dict[str, Any]]:
    """Every event with how often it stands in the ledger, and the exact sums (minor units) of its money fields."""
    e = tb.event.c
    found: dict[str, dict[str, Any]] = {}
    for name, times in connection.execute(sa.select(e.name, sa.func.count()).group_by(e.name).order_by(e.name)):
        found[name] = {"count": times}
        for field_name, attribute in project.events.get(name, {}).items():
            if attribute.kind == "money":
                column = sa.literal_column(f'event."p_{field_name.replace("-", "_")}"', sa.BigInteger())
                total = connection.execute(
                    sa.select(sa.func.coalesce(sa.func.sum(column), 0)).select_from(tb.event).where(e.name == name)
                ).scalar_one()
                found[name][field_name] = (int(total), attribute.currency or project.currency)
    return found


def note(connection: sa.Connection, *, at: datetime, who: str, what: str, detail: str | None = None) -> None:
    """A line of the audit log."""
    connection.execute(sa.insert(tb.audit).values(at=clock.to_ms(at), who=who, what=what, detail=detail))
