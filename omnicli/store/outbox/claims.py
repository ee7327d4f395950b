"""T1: who is due, claimed under a lease, loaded with what rendering and the gate need; and leases that are over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from omnicli import faults
from omnicli.store.outbox.locking import skipping_locked
from omnicli.store.outbox.statements import fetch, listed, many, run
from omnicli.store.outbox.values import Claimed
from omnicli.store.tables import LEASED, WAITING

_LOAD = (
    "t.id, t.touch_key, t.fence, t.attempts, t.contact_id, t.enrollment_id, t.version_id, t.step, t.message, t.channel, t.purpose,"
    " t.priority, t.due_at, t.expires_at, t.created_at, t.cost, t.team, t.task_kind, t.task_due, t.place, t.facts,"
    " e.pass, e.entered_at, e.entered_event, e.language, e.persona, e.told, e.state, e.touch_id, e.due_at,"
    " c.source_id, c.uid, c.country, c.region, c.time_zone, c.place, c.changed_at,"
    " coalesce(c.attributes_at, c.changed_at), c.erased_at, c.reach, c.complaint_until, a.value, a.hmac"
)


#: What templates know of everybody, in the order in which `Claimed.attributes` ends.
BUILT_IN = ("id", "language", "country", "region", "time_zone", "place")
_BUILT_IN = ", c.source_id, e.language, c.country, c.region, c.time_zone, c.place"
_FIXED = len(Claimed._fields) - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the last claim of this dispatch ended, so that no touch is looked at twice."""

    priority: int
    due_at: int
    id: int

    @classmethod
    def behind(cls, row: tuple[int, int, int, bytes]) -> Cursor:
        """The place behind a row of `due`."""
        return cls(row[1], row[2], row[0])


#: What waits to be claimed, in the words of the index `touch_due`.
_WAITING = f"t.send_state IN ('planned','retry') AND {WAITING}"


def due(connection: sa.Connection, *, now: int, versions: Collection[int] | None, channels: Collection[str] | None,
        limit: int, after: Cursor | None = None, without: Collection[str] = (), below: bytes | None = None,
        lock: bool = False) -> list[tuple[int, int, int, bytes]]:  # fmt: skip
    """Due touches as (id, priority, due_at, key), most urgent priority first, then by due instant, then as they lie on disk: a claim
    whose rows are neighbours writes a tenth of the pages. `below`: only those whose key is, a share of all by their hash.

    Only of campaigns that run (or are paused with `--people finish`, or have stopped: those are skipped by the gate). `lock`: their rows
    are locked for the claim that follows, and those that another worker has locked are passed over (row locks on PostgreSQL).
    """
    clauses = [_WAITING, "t.due_at <= ?"]
    if versions is not None:
        clauses.append(f"t.version_id IN ({listed(versions)})")
    values: list[Any] = [now]
    if channels is not None:
        clauses.append(f"t.channel IN ({','.join('?' * len(channels))})")
        values += sorted(channels)
    if without:
        clauses.append(f"t.channel NOT IN ({','.join('?' * len(without))})")
        values += sorted(without)
    if below is not None:
        clauses.append("t.touch_key < ?")
        values.append(below)
    found: list[tuple[int, int, int, bytes]] = []
    priority = _next_priority(connection, None) if after is None else after.priority
    while priority is not None and len(found) < limit:
        here, more = list(clauses), list(values)
        if after is not None and after.priority == priority:
            here.append("(t.due_at, t.id) > (?, ?)")
            more += [after.due_at, after.id]
        found += fetch(
            connection,
            f"SELECT t.id, t.priority, t.due_at, t.touch_key FROM touch t WHERE t.priority = {priority} AND {' AND '.join(here)}"
            f" ORDER BY t.due_at, t.id LIMIT {limit - len(found)}{skipping_locked(connection) if lock else ''}",
            *more,
        )
        priority = _next_priority(connection, priority)
    return found


def many_due(
    connection: sa.Connection, *, now: int, versions: Collection[int], channels: Collection[str] | None, above: int
) -> dict[int, int]:
    """Those of these versions of which more than `above` touches are due, and how many."""
    clauses, values = f"{_WAITING} AND t.due_at <= ?", [now]
    if channels is not None:
        clauses += f" AND t.channel IN ({','.join('?' * len(channels))})"
        values += sorted(channels)  # type: ignore[arg-type]
    found: Counter[int] = Counter()
    priority = _next_priority(connection, None) if versions else None
    while priority is not None:  # the index begins with it: what is not due yet is not looked at
        query = f"SELECT t.version_id, count(*) FROM touch t WHERE t.priority = {priority} AND {clauses} GROUP BY 1 ORDER BY 1"
        found.update({row[0]: row[1] for row in fetch(connection, query, *values) if row[0] in versions})
        priority = _next_priority(connection, priority)
    return {version: count for version, count in sorted(found.items()) if count > above}


def _next_priority(connection: sa.Connection, above: int | None) -> int | None:
    bound = "" if above is None else f" AND priority > {above}"
    rows = fetch(connection, f"SELECT min(priority) FROM touch t WHERE {_WAITING}{bound}")
    found: int | None = rows[0][0]
    return found


def claim(connection: sa.Connection, ids: Sequence[int], *, worker: str, until: int) -> int:
    """Take these touches under a lease: a higher fence, state `claimed`."""
    taken = run(
        connection,
        "UPDATE touch SET send_state = 'claimed', fence = fence + 1, lease_by = ?, lease_until = ?"
        " WHERE id IN (?*) AND send_state IN ('planned','retry')",
        worker, until, ids,
    )  # fmt: skip
    faults.point("F04")
    return taken


def pick(connection: sa.Connection, ids: Sequence[int], *, attributes: Sequence[str] = ()) -> list[Claimed]:
    """What `claim` and `load` would give, and nothing written: for messages that nobody is called for (`carry`). Whoever writes first
    has them; `untaken` tells the other."""
    faults.point("F04")
    return _loaded(connection, _LOAD.replace("t.fence", "t.fence + 1"), "t.send_state IN ('planned','retry')", ids, attributes)


def load(connection: sa.Connection, ids: Sequence[int], *, attributes: Sequence[str] = ()) -> list[Claimed]:
    """The claimed touches with what their rendering needs, in the order of `ids`; `attributes` are columns of contact, and
    behind them come those of `BUILT_IN`."""
    return _loaded(connection, _LOAD, "t.send_state = 'claimed'", ids, attributes)


def _loaded(connection: sa.Connection, columns: str, state: str, ids: Sequence[int], attributes: Sequence[str]) -> list[Claimed]:
    wanted = "".join(f', c."{column}"' for column in attributes) + _BUILT_IN
    rows = fetch(
        connection,
        f"SELECT {columns}{wanted} FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN contact c ON c.id = t.contact_id"
        " LEFT JOIN address a ON a.contact_id = t.contact_id AND a.channel = t.channel AND a.bad IS NULL"
        f" WHERE t.id IN (?*) AND {state}",
        ids,
    )
    found = {row[0]: Claimed._make((*row[:_FIXED], row[_FIXED:])) for row in rows}
    return [found[i] for i in ids if i in found]


@dataclass(frozen=True, slots=True)
class Entering:
    """The event by which a pass began."""

    at: int
    payload: Mapping[str, Any] = field(repr=False)


def entering(connection: sa.Connection, events: Collection[int]) -> dict[int, Entering]:
    """The entering events, by id."""
    rows = fetch(connection, "SELECT id, at, payload FROM event WHERE id IN (?*)", events) if events else []
    return {row[0]: Entering(row[1], json.loads(row[2]) if row[2] else {}) for row in rows}


def phones(connection: sa.Connection, contacts: Collection[int]) -> dict[int, str]:
    """Where somebody can call these people: their number for calls, else their mobile."""
    if not contacts:
        return {}
    rows = fetch(
        connection,
        "SELECT contact_id, value FROM address WHERE contact_id IN (?*) AND channel IN ('voice','sms') AND bad IS NULL"
        " ORDER BY contact_id, channel",  # sms before voice: the number for calls wins
        contacts,
    )
    return {row[0]: row[1] for row in rows}


def put_back(connection: sa.Connection, touches: Sequence[tuple[int, int, str | None]]) -> None:
    """Claimed touches, and those that were only picked, wait again: (id, due instant, what holds them)."""
    many(
        connection,
        "UPDATE touch SET send_state = 'planned', due_at = ?, held_by = ?, lease_by = NULL, lease_until = NULL"
        " WHERE id = ? AND send_state IN ('claimed','planned','retry')",
        [(due_at, held, i) for i, due_at, held in touches],
    )


@dataclass(frozen=True, slots=True)
class Stray:
    """A touch whose worker is gone. `sending` ones carry the provider of their open attempt."""

    id: int
    key: bytes
    state: str
    lease_by: str
    lease_until: int
    attempts: int
    channel: str
    purpose: str
    provider: str | None


def leased(connection: sa.Connection, *, lock: bool = False) -> list[Stray]:
    """Every touch under a lease. `lock`: the rows are locked, but for those that somebody writes at this moment."""
    rows = fetch(
        connection,
        "SELECT t.id, t.touch_key, t.send_state, t.lease_by, t.lease_until, t.attempts, t.channel, t.purpose, h.provider"
        " FROM touch t LEFT JOIN attempt a ON a.touch_id = t.id AND a.outcome = 'intent' LEFT JOIN handover h ON h.id = a.handover_id"
        f" WHERE t.{LEASED}" + (skipping_locked(connection, "t") if lock else ""),
    )
    return [Stray(*row) for row in rows]


def release(connection: sa.Connection, strays: Sequence[Stray]) -> None:
    """Claimed without an intent: planned again, at the same due instant."""
    run(connection, "UPDATE touch SET send_state = 'planned', lease_by = NULL, lease_until = NULL"
                     " WHERE id IN (?*) AND send_state = 'claimed'", [s.id for s in strays])  # fmt: skip


def renew(connection: sa.Connection, *, worker: str, until: int) -> None:
    """Keep what this worker has claimed, and what it is sending; a lease is never made shorter."""
    run(
        connection,
        f"UPDATE touch SET lease_until = {int(until)} WHERE send_state IN ('claimed','sending') AND lease_by = ? AND lease_until < {int(until)}",
        worker,
    )


def let_go(connection: sa.Connection, *, worker: str) -> None:
    """What this worker claimed and did not begin waits again, as it was."""
    run(
        connection,
        "UPDATE touch SET send_state = 'planned', held_by = NULL, lease_by = NULL, lease_until = NULL"
        " WHERE send_state = 'claimed' AND lease_by = ?",
        worker,
    )


def versions_of(connection: sa.Connection, campaigns: Collection[str] | None = None, *, running: bool = False) -> tuple[int, ...]:
    """Ids of the applied versions of these campaigns (None: all); `running` leaves out those whose people hold still."""
    clauses: list[str] = []
    values: list[str] = []
    if campaigns is not None:
        clauses.append(f"k.name IN ({','.join('?' * len(campaigns)) or 'NULL'})")
        values += sorted(campaigns)
    if running:
        clauses.append("(k.state IN ('running','stopped','finished') OR (k.state = 'paused' AND k.pause_people = 'finish'))")
    where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    rows = fetch(
        connection, f"SELECT v.id FROM campaign_version v JOIN campaign k ON k.id = v.campaign_id{where} ORDER BY v.id", *values
    )
    return tuple(row[0] for row in rows)
