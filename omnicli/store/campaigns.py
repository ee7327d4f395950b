"""Campaigns in the store: their state, their versions, and how many people stand where.

Verbs over `campaign`, `campaign_version` and the counts that `show`, `status` and `plan` print. Trees are kept as text;
whoever asks revives them (`omnicli.campaignfile`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.store import outbox
from omnicli.store import tables as tb
from omnicli.store.tables import LEASED, WAITING

#: States of a touch that are not an end (docs/delivery 2).
UNSETTLED = ("planned", "claimed", "sending", "retry", "unknown", "parked")


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign's row: `state` is `draft running paused stopped finished`; instants are aware UTC or None."""

    id: int
    name: str
    state: str
    version_id: int | None
    started_at: datetime | None
    since: datetime | None
    paused_at: datetime | None
    pause_people: str | None
    because: str | None
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """One applied version: its number within the campaign and the hash of its content."""

    id: int
    number: int
    hash: str
    applied_at: datetime

    @property
    def label(self) -> str:
        """`v4 · 3f9a1c7`."""
        return f"v{self.number} · {self.hash[:7]}"


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else clock.from_ms(ms)


def _standing(row: Any) -> Standing:
    return Standing(row.id, row.name, row.state, row.version_id, _instant(row.started_at), _instant(row.since),
                    _instant(row.paused_at), row.pause_people, row.because, _instant(row.stopped_at))  # fmt: skip


def find(connection: sa.Connection, name: str) -> Standing | None:
    """The campaign of that name, or None while it is only a file."""
    row = connection.execute(sa.select(tb.campaign).where(tb.campaign.c.name == name)).one_or_none()
    return None if row is None else _standing(row)


def known(connection: sa.Connection, *, states: Iterable[str] | None = None) -> tuple[Standing, ...]:
    """All campaigns that the store knows, by name; only those in `states` when given."""
    query = _KNOWN if states is None else _KNOWN.where(tb.campaign.c.state.in_(tuple(states)))
    return tuple(_standing(row) for row in connection.execute(query))


_KNOWN = sa.select(tb.campaign).order_by(tb.campaign.c.name)


def create(connection: sa.Connection, name: str) -> Standing:
    """A row for a campaign that so far was only a file; state `draft`."""
    connection.execute(sa.insert(tb.campaign).values(name=name, state="draft"))
    found = find(connection, name)
    assert found is not None
    return found


def change(connection: sa.Connection, campaign_id: int, **values: Any) -> None:
    """Write columns of the campaign's row; instants may be datetimes."""
    written = {k: clock.to_ms(v) if isinstance(v, datetime) else v for k, v in values.items()}
    connection.execute(sa.update(tb.campaign).where(tb.campaign.c.id == campaign_id).values(**written))


def look_back(connection: sa.Connection, ms: int) -> None:
    """People were written with that instant, and somebody may have looked since then: doors that ask about people look again from there.
    Said in the last transaction that wrote, so that nobody's look lies between."""
    connection.execute(_LOOK_BACK, {"ms": ms})


def look_back_if_late(connection: sa.Connection, ms: int) -> None:
    """The same of doors alone that were looked at, or are this moment, at a later instant than `ms`: said behind what was written."""
    connection.execute(_LATE, {"ms": ms})


#: One less, so that a look that is under way sees that it was told.
_LOWERED = "UPDATE campaign SET last_changed_at = (CASE WHEN last_changed_at < :ms THEN last_changed_at ELSE :ms END) - 1"
_LOOK_BACK = sa.text(f"{_LOWERED} WHERE last_changed_at IS NOT NULL")
_LATE = sa.text(f"{_LOWERED} WHERE last_changed_at IS NOT NULL AND last_look_at > :ms")


# --- versions -------------------------------------------------------------------------------------------------------
def _version(row: Any) -> Version:
    return Version(row.id, row.number, row.hash, clock.from_ms(row.applied_at))


_VERSION = (tb.campaign_version.c.id, tb.campaign_version.c.number, tb.campaign_version.c.hash, tb.campaign_version.c.applied_at)


def versions(connection: sa.Connection, campaign_id: int) -> tuple[Version, ...]:
    """Every version ever applied, by number."""
    query = sa.select(*_VERSION).where(tb.campaign_version.c.campaign_id == campaign_id).order_by(tb.campaign_version.c.number)
    return tuple(_version(row) for row in connection.execute(query))


def version(connection: sa.Connection, version_id: int) -> Version:
    """The version with that id."""
    return _version(connection.execute(sa.select(*_VERSION).where(tb.campaign_version.c.id == version_id)).one())


def tree(connection: sa.Connection, version_id: int) -> str:
    """The canonical JSON of a version's resolved tree."""
    return str(connection.scalar(sa.select(tb.campaign_version.c.tree).where(tb.campaign_version.c.id == version_id)))


def ask_approvals_again(connection: sa.Connection, campaign_id: int) -> None:
    """Passes that wait for an approval ask anew: the ceiling of the version applied now may be another."""
    e = tb.enrollment.c
    waiting = (e.campaign_id == campaign_id) & (e.state == "open") & (e.held_by == "approval")
    connection.execute(sa.update(tb.enrollment).where(waiting).values(held_by="hold"))


def add_version(connection: sa.Connection, campaign_id: int, *, hash: str, tree: str, applied_at: datetime) -> Version:
    """The version with this content: the one that stands, else a new one with the next number."""
    where = tb.campaign_version.c.campaign_id == campaign_id
    row = connection.execute(sa.select(*_VERSION).where(where, tb.campaign_version.c.hash == hash)).one_or_none()
    if row is not None:
        return _version(row)
    number = (connection.scalar(sa.select(sa.func.max(tb.campaign_version.c.number)).where(where)) or 0) + 1
    made = connection.execute(
        sa.insert(tb.campaign_version).values(
            campaign_id=campaign_id, number=number, hash=hash, tree=tree, applied_at=clock.to_ms(applied_at)
        )
    )
    assert made.inserted_primary_key is not None
    return Version(made.inserted_primary_key[0], number, hash, applied_at)


# --- how many -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Passage:
    """People of one campaign: entered, open, held out; open ones by (version, step); ended ones by reason."""

    entered: int = 0
    open: int = 0
    held_out: int = 0
    converted: int = 0
    at: Mapping[tuple[int, str], int] | None = None
    ended: Mapping[str, int] | None = None
    by_version: Mapping[int, int] | None = None


def passage(connection: sa.Connection, campaign_id: int) -> Passage:
    """Counts over enrollments: three grouped reads."""
    e = tb.enrollment.c
    here = e.campaign_id == campaign_id
    n = sa.func.count()
    totals = connection.execute(sa.select(n, sa.func.sum(e.held_out), sa.func.count(e.converted_at)).where(here)).one()
    standing = connection.execute(
        sa.select(e.version_id, e.step, n).where(here, e.state == "open").group_by(e.version_id, e.step)
    ).all()
    ended = connection.execute(sa.select(e.reason, n).where(here, e.state == "ended").group_by(e.reason)).all()
    by_version: dict[int, int] = {}
    for version_id, _step, count in standing:
        by_version[version_id] = by_version.get(version_id, 0) + count
    return Passage(
        entered=totals[0], open=sum(by_version.values()), held_out=int(totals[1] or 0), converted=totals[2],
        at={(v, step or ""): c for v, step, c in standing}, ended={r or "end": c for r, c in ended}, by_version=by_version,
    )  # fmt: skip


def touches(connection: sa.Connection, campaign_id: int) -> dict[str, dict[tuple[str, str], int]]:
    """Touches of the campaign: step → (state, channel or reason) → how many; `skipped` and `rejected` go by reason."""
    e, x = tb.enrollment.c, tb.touch.c
    label = sa.case((x.send_state.in_(("skipped", "rejected")), x.reason), else_=x.channel)
    rows = connection.execute(
        sa.select(x.step, x.send_state, label, sa.func.count())
        .join(tb.enrollment, e.id == x.enrollment_id)
        .where(e.campaign_id == campaign_id)
        .group_by(x.step, x.send_state, label)
    )
    found: dict[str, dict[tuple[str, str], int]] = {}
    for step, state, word, count in rows:
        found.setdefault(step, {})[(state, word or "")] = count
    return found


def doubtful(connection: sa.Connection, campaign_ids: Iterable[int] | None = None) -> dict[int, tuple[int, datetime]]:
    """Unknown and parked touches by campaign: how many, and since when the oldest. As many rows are read as there are doubts."""
    x, v = tb.touch.c, tb.campaign_version.c
    query = (
        sa.select(v.campaign_id, sa.func.count(), sa.func.min(x.due_at))
        .join(tb.campaign_version, v.id == x.version_id)
        .where(sa.text("touch.send_state IN ('unknown','parked')"))  # a literal: answered from the partial index
        .group_by(v.campaign_id)
    )
    if campaign_ids is not None:
        query = query.where(v.campaign_id.in_(tuple(campaign_ids)))
    return {row[0]: (row[1], clock.from_ms(row[2])) for row in connection.execute(query)}


def due(connection: sa.Connection, campaign_id: int, now: datetime) -> dict[str, int]:
    """What waits at `now`: `people` whose timer is over, `touches` that may leave, `held` ones by a guard."""
    e, x, ms = tb.enrollment.c, tb.touch.c, clock.to_ms(now)
    people = sa.select(sa.func.count()).where(e.campaign_id == campaign_id, e.state == "open", e.due_at <= ms)
    out = (
        sa.select(sa.func.count())
        .select_from(tb.touch.join(tb.enrollment, e.id == x.enrollment_id))
        .where(e.campaign_id == campaign_id, x.send_state.in_(("planned", "retry")), x.due_at <= ms)
    )
    held = sa.select(sa.func.count()).where(e.campaign_id == campaign_id, e.state == "open", e.held_by.is_not(None))
    return {
        "people": connection.scalar(people) or 0, "touches": connection.scalar(out) or 0, "held": connection.scalar(held) or 0
    }  # fmt: skip


def held_by(connection: sa.Connection) -> dict[str, dict[str, int]]:
    """Campaign → guard → people whom it holds, in every campaign that holds somebody."""
    e, found = tb.enrollment.c, dict[str, dict[str, int]]()
    query = (
        sa.select(tb.campaign.c.name, e.held_by, sa.func.count())
        .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        .where(e.state == "open", e.held_by.is_not(None))
        .group_by(tb.campaign.c.name, e.held_by)
        .order_by(tb.campaign.c.name, e.held_by)
    )
    for name, guard, people in connection.execute(query):
        found.setdefault(name, {})[guard] = people
    return found


def next_due(connection: sa.Connection, campaign_ids: Iterable[int]) -> datetime | None:
    """The earliest instant at which anything of these campaigns falls due: a timer, a planned touch, a retry."""
    e, x, ids = tb.enrollment.c, tb.touch.c, tuple(campaign_ids)
    timer = sa.select(sa.func.min(e.due_at)).where(e.campaign_id.in_(ids), e.state == "open", e.due_at.is_not(None))
    out = (
        sa.select(sa.func.min(x.due_at))
        .select_from(tb.touch.join(tb.enrollment, e.id == x.enrollment_id))
        .where(e.campaign_id.in_(ids), x.send_state.in_(("planned", "retry")))
    )
    found = [at for at in (connection.scalar(timer), connection.scalar(out)) if at is not None]
    return clock.from_ms(min(found)) if found else None


def anybody_open(connection: sa.Connection, campaign_id: int) -> bool:
    """Whether somebody is in flight: one look at an index, however many there are."""
    e = tb.enrollment.c
    return connection.execute(sa.select(e.id).where(e.campaign_id == campaign_id, e.state == "open").limit(1)).first() is not None


def anything_unsettled(connection: sa.Connection, campaign_id: int) -> bool:
    """Whether a touch of the campaign is in a state other than the ends. What has ended is not looked at."""
    own = sa.select(tb.campaign_version.c.id).where(tb.campaign_version.c.campaign_id == campaign_id)
    versions = ",".join(str(version) for version in connection.execute(own).scalars())
    return bool(versions) and any(
        connection.execute(sa.text(f"SELECT 1 FROM touch WHERE {clause} AND version_id IN ({versions}) LIMIT 1")).first()
        is not None
        for clause in (LEASED, f"{WAITING} AND send_state IN ('planned','retry','unknown','parked')")
    )


#: Literals, so that each is answered from its partial index.
_OPEN = (LEASED, "send_state IN ('unknown','parked')")


def left_open(connection: sa.Connection, now: datetime) -> tuple[str, ...]:
    """Names of campaigns that have ended while touches of theirs have not: leases of the dead, doubts, retries that are due."""
    ended = sa.text(
        "SELECT v.id, k.name FROM campaign_version v JOIN campaign k ON k.id = v.campaign_id WHERE k.state IN ('stopped','finished')"
    )
    names: dict[int, str] = {row[0]: row[1] for row in connection.execute(ended)}
    if not names:
        return ()
    versions = ",".join(str(i) for i in names)
    found = {names[v] for v in outbox.many_due(connection, now=clock.to_ms(now), versions=names, channels=None, above=0)}
    for clause in _OPEN:
        query = sa.text(f"SELECT DISTINCT version_id FROM touch WHERE {clause} AND version_id IN ({versions})")
        found |= {names[row[0]] for row in connection.execute(query)}
    return tuple(sorted(found))
