"""The verbs of a turn: who is due, whom something wakes, who enters. What is asked of them stands in `gather`, what was decided is
written by `decided`.

Due ids are read from the index alone; every statement that follows names rows by id, so what waits costs nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from omnicli import clock
from omnicli.store.bulk import Bulk
from omnicli.store.decided import Answered, Decided, convert, record, why_text, write_attributes
from omnicli.store.gather import BEFORE_SLOT, ENDS, WHO, Asking, Gather, Row, Who
from omnicli.store.listed import listed, one_of
from omnicli.store.tables import SPENT, contact, enrollment, touch

__all__ = ["BEFORE_SLOT", "ENDS", "WHO", "Answered", "Asking", "Bulk", "Decided", "Ahead", "Due", "Gather", "Row", "Who", "ahead", "among", "convert", "due", "enter",
           "record", "settle", "spent", "wake", "why_text", "write_attributes"]  # fmt: skip


class Due(NamedTuple):
    """One enrollment that is due: only what its index holds."""

    id: int
    version_id: int
    step: str | None
    due_at: int
    key: bytes


#: The condition of the partial index, word for word: only then does SQLite read that index alone.
_DUE = sa.text("due_at IS NOT NULL AND state = 'open'")


_DUE_FIRST = (
    sa.select(enrollment.c.id, enrollment.c.version_id, enrollment.c.step, enrollment.c.due_at, enrollment.c.key)
    .where(_DUE, enrollment.c.due_at <= sa.bindparam("now", type_=sa.BigInteger()))
    .where(enrollment.c.version_id.in_(sa.bindparam("versions", expanding=True)))
    .order_by(enrollment.c.due_at, enrollment.c.key)
    .limit(sa.bindparam("most", type_=sa.Integer()))
)
_DUE_NEXT = _DUE_FIRST.where(enrollment.c.due_at >= sa.bindparam("after_at", type_=sa.BigInteger())).where(
    sa.or_(
        enrollment.c.due_at > sa.bindparam("after_at", type_=sa.BigInteger()),
        enrollment.c.key > sa.bindparam("after_key", type_=sa.LargeBinary()),
    )
)


def due(
    connection: sa.Connection, versions: Sequence[int], *, now: datetime, limit: int, after: tuple[int, bytes] | None
) -> list[Due]:
    """The next `limit` due enrollments of these versions by (due instant, key), after that position; index only."""
    asked: dict[str, object] = {"now": clock.to_ms(now), "versions": list(versions), "most": limit}
    if after is not None:
        asked |= {"after_at": after[0], "after_key": after[1]}
    return [
        Due._make(row)
        for row in connection.execute(_own(connection, _DUE_NEXT if after is not None else _DUE_FIRST), asked).all()
    ]


@lru_cache(maxsize=8)
def _locking(query: sa.Select[Any]) -> sa.Select[Any]:
    """The same, its rows and their contacts locked until the transaction ends; whom somebody else has locked is passed over."""
    return query.join(contact, contact.c.id == enrollment.c.contact_id).with_for_update(key_share=True, skip_locked=True)


def _own(connection: sa.Connection, query: sa.Select[Any]) -> sa.Select[Any]:
    """Nobody decides for the same person meanwhile: a store that has one writer needs no locks."""
    return _locking(query) if connection.dialect.name == "postgresql" else query


# --- ahead ----------------------------------------------------------------------------------------------------------
#: Due passes known ahead of deciding them, at most: eight bytes each.
WINDOW = 500_000


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is due, by number, neighbours on disk together; `versions` met; `last` is where a longer queue goes on."""

    ids: array[int]
    versions: frozenset[int]
    last: tuple[int, bytes] | None


def ahead(
    connection: sa.Connection,
    versions: Sequence[int],
    *,
    now: datetime,
    after: tuple[int, bytes] | None,
    campaigns: Mapping[int, int],
) -> Ahead:
    """The next `WINDOW` due passes of these versions behind that position; index only. Those of one contact stand beside one another
    in the order (due instant, key). `campaigns`: version → campaign."""
    asked: dict[str, object] = {"now": clock.to_ms(now), "versions": list(versions), "most": WINDOW}
    if after is not None:
        asked |= {"after_at": after[0], "after_key": after[1]}
    ids, met = array("q"), set()
    for some in connection.execute(_AHEAD[after is not None, "id"], asked).partitions(10_000):
        ids.extend([row[0] for row in some])
        met.update({row[1] for row in some})
    if len({campaigns[version] for version in met}) > 1:  # somebody may be due in two campaigns
        ids = array("q")
        for some in connection.execute(_AHEAD[after is not None, "contact"], asked).partitions(10_000):
            ids.extend([row[0] for row in some])
    last = None
    if len(ids) == WINDOW:
        behind = _DUE_FIRST if after is None else _DUE_NEXT
        row = connection.execute(
            behind.offset(sa.bindparam("gone", type_=sa.Integer())), {**asked, "most": 1, "gone": WINDOW - 1}
        ).one()
        last = row.due_at, row.key
    return Ahead(ids, frozenset(met), last)


def _ahead() -> Iterator[tuple[tuple[bool, str], sa.Select[Any]]]:
    for queue, later in ((_DUE_FIRST, False), (_DUE_NEXT, True)):
        rows = queue.subquery()
        yield (later, "id"), sa.select(rows.c.id, rows.c.version_id).order_by(rows.c.id)
        them = queue.add_columns(enrollment.c.contact_id).subquery()
        yield (later, "contact"), sa.select(them.c.id).order_by(them.c.contact_id, them.c.due_at, them.c.key)


_AHEAD = dict(_ahead())
#: By their numbers and nothing else: said so that no index of what is due may answer it.
_AMONG = sa.select(enrollment.c.id, enrollment.c.version_id, enrollment.c.step, enrollment.c.due_at, enrollment.c.key).where(
    one_of(enrollment.c.id, sa.bindparam("ids")), enrollment.c.state != "ended"
)


def among(connection: sa.Connection, ids: Sequence[int], versions: Collection[int], *, now: datetime) -> list[Due]:
    """Those of these passes that are due still, by (due instant, key); nobody else decides for them meanwhile."""
    ms, asked = clock.to_ms(now), {"ids": listed(connection.dialect.name, ids)}
    rows = connection.execute(_own(connection, _AMONG), asked).all()
    found = [Due._make(row) for row in rows if row[3] is not None and row[3] <= ms and row[1] in versions]
    found.sort(key=itemgetter(3, 4))
    return found


def still(connection: sa.Connection, ids: Sequence[int], versions: Sequence[int], *, now: datetime) -> list[int]:
    """The numbers of those that are due, whoever holds them."""
    ms, wanted = clock.to_ms(now), frozenset(versions)
    rows = connection.execute(_AMONG, {"ids": listed(connection.dialect.name, ids)}) if ids else ()
    return [row[0] for row in rows if row[1] in wanted and row[3] is not None and row[3] <= ms]


# --- wake -----------------------------------------------------------------------------------------------------------
_wake_touch = Bulk("UPDATE enrollment SET due_at = :at WHERE touch_id = :touch_id AND state = 'open'", "at", "touch_id")
_wake_contact = Bulk(
    "UPDATE enrollment SET due_at = :at WHERE contact_id = :contact_id AND state = 'open' AND (due_at IS NULL OR due_at > :at)",
    "at", "contact_id",
)  # fmt: skip


def settle(connection: sa.Connection, settled: Sequence[tuple[int, str, int | datetime, str | None]]) -> None:
    """Bring up the passes that stand on these touches, which have just ended: (touch id, state, instant, reason)."""
    _wake_touch(
        connection,
        [(at if isinstance(at, int) else clock.to_ms(at), touch_id) for touch_id, state, at, _ in settled if state in ENDS],
    )


def wake(connection: sa.Connection, contact_ids: Iterable[int], now: datetime) -> None:
    """Bring up every open pass of these contacts; the ends of their timers stay as they are."""
    ms = clock.to_ms(now)
    _wake_contact(connection, [(ms, contact_id) for contact_id in contact_ids])


def spent(connection: sa.Connection, versions: Sequence[int]) -> int:
    """Money taken and reserved by the touches of these versions, in millionths: what the budget counts."""
    return int(connection.execute(_COST, {"versions": list(versions)}).scalar_one())


_COST = sa.select(sa.func.coalesce(sa.func.sum(touch.c.cost), 0)).where(
    touch.c.version_id.in_(sa.bindparam("versions", expanding=True)), sa.text(SPENT)
)


def enter(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, campaign: str, now: datetime) -> None:
    """Open passes, due at once, and write `entered` to the ledger. Rows: the columns of `enrollment` but its id and state."""
    ms = clock.to_ms(now)
    _open(connection, [(*(row[c] for c in _OPENED), ms, ms) for row in rows])
    _entered(connection, [(row["contact_id"], row["entered_at"], campaign, ms, row["key"]) for row in rows])
    _entry(connection, [(ms, row["why"], row["key"]) for row in rows])


_OPENED = (
    "key",
    "contact_id",
    "campaign_id",
    "version_id",
    "pass",
    "entered_at",
    "entered_event",
    "language",
    "persona",
    "held_out",
)
_open = Bulk(
    f"INSERT INTO enrollment ({', '.join(_OPENED)}, since, due_at, state) VALUES ({', '.join(':' + c for c in _OPENED)}, :since, :due_at, 'open')",
    *_OPENED, "since", "due_at",
)  # fmt: skip
_entered = Bulk(
    "INSERT INTO event (contact_id, name, at, enrollment_id, campaign, machine, received_at) "
    "SELECT :contact_id, 'entered', :at, id, :campaign, 0, :now FROM enrollment WHERE key = :key",
    "contact_id", "at", "campaign", "now", "key",
)  # fmt: skip
_entry = Bulk(
    "INSERT INTO decision (enrollment_id, at, step, kind, why) SELECT id, :at, '', 'enter', :why FROM enrollment WHERE key = :key",
    "at", "why", "key",
)  # fmt: skip
