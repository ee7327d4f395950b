"""The outbox: claims, intents and outcomes as bulk statements, a batch a transaction, an outcome a touch.

The promise rests on what stands here (docs/delivery 2, 3, 7): a provider is called only after `intend` was committed, and
the index `one_open_attempt` allows one open attempt a touch. Every verb takes a connection inside a transaction; none
opens or commits one. Identifiers written into statements are integers of ours, never text of anybody else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from omnicli import faults

#: How long a claim holds without being renewed, in milliseconds of machine time (docs/delivery 12).
LEASE = 60_000
#: States in which a touch has ended.
ENDS = ("accepted", "rejected", "skipped", "held_out")

_LOAD = (
    "t.id, t.touch_key, t.fence, t.attempts, t.contact_id, t.enrollment_id, t.version_id, t.step, t.message, t.channel, t.purpose,"
    " t.priority, t.due_at, t.expires_at, t.created_at, t.cost, t.team, t.task_kind, t.task_due, t.place, t.facts,"
    " e.pass, e.entered_at, e.entered_event, e.language, e.persona, e.told,"
    " c.source_id, c.uid, c.country, c.region, c.time_zone, c.place, c.changed_at, a.value, a.hmac"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed touch with what its rendering needs. Instants are milliseconds; `attributes` are column values by column
    name; `told` and `facts` are JSON texts."""

    id: int
    key: bytes
    fence: int
    attempts: int
    contact_id: int
    enrollment_id: int
    version_id: int
    step: str
    message: str
    channel: str
    purpose: str
    priority: int
    due_at: int
    expires_at: int
    created_at: int
    cost: int
    team: str | None
    task_kind: str | None
    task_due: int | None
    place: str | None
    facts: str | None
    number: int
    entered_at: int
    entered_event: int | None
    language: str
    persona: str | None
    told: str | None
    source_id: str
    uid: bytes
    country: str | None
    region: str | None
    time_zone: str | None
    contact_place: str | None
    changed_at: int
    address: str | None = field(repr=False)
    address_hmac: bytes | None = field(default=None, repr=False)
    attributes: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the gate asks about one claimed touch, as of this transaction. `ours`: fence and lease still stand."""

    id: int
    ours: bool
    campaign_state: str
    pause_people: str | None
    enrollment_state: str
    enrollment_step: str | None
    waits_for: int | None
    erased: bool
    reach: str
    complaint_until: int | None
    address: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Intent:
    """One attempt about to be made. `skeleton` is the row id of the archived skeleton, `values` its packed values."""

    touch: Claimed
    address_hash: bytes
    body_hash: bytes
    skeleton: int
    values: bytes = field(repr=False)
    facts: str | None = field(default=None, repr=False)
    cost: int = 0
    local_date: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt: the outcome, and for `not_sent` when it may be tried again (None: never)."""

    touch: Claimed
    n: int
    outcome: str
    ref: str | None = None
    code: str | None = None
    detail: str | None = None
    retry_at: int | None = None
    told: str | None = None
    reason: str = "refused"


def _many(connection: sa.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """One statement for many rows, as the driver runs it (SQLAlchemy's Core costs twice as much here)."""
    if rows:
        connection.exec_driver_sql(_dialect(connection, sql), list(rows))


def _all(connection: sa.Connection, sql: str, *values: Any) -> list[Any]:
    return list(connection.exec_driver_sql(_dialect(connection, sql), values).fetchall())


def _run(connection: sa.Connection, sql: str, *values: Any) -> int:
    return connection.exec_driver_sql(_dialect(connection, sql), values).rowcount


def _dialect(connection: sa.Connection, sql: str) -> str:
    return sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")


def _ids(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids)) or "NULL"


# --- T1 -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the last claim of this dispatch ended, so that no touch is looked at twice."""

    priority: int
    due_at: int
    key: bytes


def due(connection: sa.Connection, *, now: int, versions: Collection[int] | None, channels: Collection[str] | None,
        limit: int, after: Cursor | None = None, stopped: bool = False) -> list[tuple[int, int, int, bytes]]:  # fmt: skip
    """Due touches as (id, priority, due_at, key), most urgent priority first, then by due instant and key.

    Only of campaigns that run (or are paused with `--people finish`, or have stopped: those are skipped by the gate).
    """
    clauses = ["t.send_state IN ('planned','retry')", "t.due_at <= ?"]
    if versions is not None:
        clauses.append(f"t.version_id IN ({_ids(versions)})")
    values: list[Any] = [now]
    if channels is not None:
        clauses.append(f"t.channel IN ({','.join('?' * len(channels))})")
        values += sorted(channels)
    found: list[tuple[int, int, int, bytes]] = []
    priority = _next_priority(connection, after.priority if after else None, inclusive=True)
    while priority is not None and len(found) < limit:
        here, more = list(clauses), list(values)
        if after is not None and after.priority == priority:
            here.append("(t.due_at, t.touch_key) > (?, ?)")
            more += [after.due_at, after.key]
        found += _all(
            connection,
            f"SELECT t.id, t.priority, t.due_at, t.touch_key FROM touch t WHERE t.priority = {priority} AND {' AND '.join(here)}"
            f" ORDER BY t.due_at, t.touch_key LIMIT {limit - len(found)}",
            *more,
        )
        priority = _next_priority(connection, priority)
    return found


def _next_priority(connection: sa.Connection, above: int | None, *, inclusive: bool = False) -> int | None:
    bound = "" if above is None else f" AND priority {'>=' if inclusive else '>'} {above}"
    rows = _all(connection, f"SELECT min(priority) FROM touch WHERE send_state IN ('planned','retry'){bound}")
    found: int | None = rows[0][0]
    return found


def claim(connection: sa.Connection, ids: Sequence[int], *, worker: str, until: int) -> int:
    """Take these touches under a lease: a higher fence, state `claimed`."""
    taken = _run(
        connection,
        "UPDATE touch SET send_state = 'claimed', fence = fence + 1, lease_by = ?, lease_until = ?"
        f" WHERE id IN ({_ids(ids)}) AND send_state IN ('planned','retry')",
        worker, until,
    )  # fmt: skip
    faults.point("F04")
    return taken


def load(connection: sa.Connection, ids: Sequence[int], *, attributes: Sequence[str] = ()) -> list[Claimed]:
    """The claimed touches with what their rendering needs, in the order of `ids`; `attributes` are columns of contact."""
    wanted = "".join(f', c."{column}"' for column in attributes)
    rows = _all(
        connection,
        f"SELECT {_LOAD}{wanted} FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN contact c ON c.id = t.contact_id"
        " LEFT JOIN address a ON a.contact_id = t.contact_id AND a.channel = t.channel AND a.bad IS NULL"
        f" WHERE t.id IN ({_ids(ids)}) AND t.send_state = 'claimed'",
    )
    fixed = 36
    found: dict[int, Claimed] = {}
    for row in rows:
        found[row[0]] = Claimed(*row[:fixed], attributes=tuple(row[fixed:]))  # type: ignore[misc]
    return [found[i] for i in ids if i in found]


@dataclass(frozen=True, slots=True)
class Entering:
    """The event by which a pass began."""

    at: int
    payload: Mapping[str, Any] = field(repr=False)


def entering(connection: sa.Connection, events: Collection[int]) -> dict[int, Entering]:
    """The entering events, by id."""
    rows = _all(connection, f"SELECT id, at, payload FROM event WHERE id IN ({_ids(events)})") if events else []
    return {row[0]: Entering(row[1], json.loads(row[2]) if row[2] else {}) for row in rows}


def first_attempt(connection: sa.Connection, touch: int) -> int | None:
    """When the first attempt of this touch began."""
    found: int | None = _all(connection, "SELECT min(started_at) FROM attempt WHERE touch_id = ?", touch)[0][0]
    return found


# --- T2 -------------------------------------------------------------------------------------------------------------
def guards(connection: sa.Connection, ids: Sequence[int], *, worker: str) -> dict[int, Guarded]:
    """What the gate asks, by touch id; contact rows locked in id order where the store has row locks."""
    if connection.dialect.name == "postgresql":
        _all(connection, f"SELECT id FROM contact WHERE id IN (SELECT contact_id FROM touch WHERE id IN ({_ids(ids)})) ORDER BY id FOR UPDATE")
    rows = _all(
        connection,
        "SELECT t.id, t.send_state = 'claimed' AND t.lease_by = ?, k.state, k.pause_people, e.state, e.step, e.touch_id,"
        " c.erased_at IS NOT NULL, c.reach, c.complaint_until, a.value"
        " FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN campaign k ON k.id = e.campaign_id"
        " JOIN contact c ON c.id = t.contact_id"
        " LEFT JOIN address a ON a.contact_id = t.contact_id AND a.channel = t.channel AND a.bad IS NULL"
        f" WHERE t.id IN ({_ids(ids)})",
        worker,
    )
    return {r[0]: Guarded(r[0], bool(r[1]), r[2], r[3], r[4], r[5], r[6], bool(r[7]), r[8], r[9], r[10]) for r in rows}


def slots(connection: sa.Connection, contacts: Collection[int], *, since: str) -> dict[int, list[tuple[str, str, int]]]:
    """Counted touches of these contacts from that local date on: contact → (local date, channel, instant)."""
    found: dict[int, list[tuple[str, str, int]]] = {}
    if contacts:
        for contact, day, rule, at in _all(
            connection,
            "SELECT contact_id, local_date, rule, at FROM cap_slot"
            f" WHERE contact_id IN ({_ids(contacts)}) AND local_date >= ? AND rule <> 'all'",
            since,
        ):
            found.setdefault(contact, []).append((day, rule, at))
    return found


def bodies(connection: sa.Connection, contacts: Collection[int], *, since: int) -> set[tuple[str, bytes, bytes]]:
    """(channel, address hash, body hash) of what left, or may have left, for these contacts since that instant."""
    if not contacts:
        return set()
    rows = _all(
        connection,
        "SELECT t.channel, a.address_hash, a.body_sha256 FROM touch t JOIN attempt a ON a.touch_id = t.id"
        f" WHERE t.contact_id IN ({_ids(contacts)}) AND a.started_at > ? AND a.outcome IN ('intent','unknown','accepted')",
        since,
    )
    return {(row[0], bytes(row[1]), bytes(row[2])) for row in rows}


def hold_of(connection: sa.Connection) -> str | None:
    """Why this store is on HOLD, or None (docs/delivery 14)."""
    rows = _all(connection, "SELECT hold FROM instance WHERE hold IS NOT NULL LIMIT 1")
    return rows[0][0] if rows else None


def spent(connection: sa.Connection, campaign: str) -> int:
    """Millionths that the touches of a campaign cost or may yet cost, but for those still planned or claimed."""
    rows = _all(
        connection,
        "SELECT coalesce(sum(t.cost), 0) FROM campaign k JOIN enrollment e ON e.campaign_id = k.id JOIN touch t ON t.enrollment_id = e.id"
        " WHERE k.name = ? AND t.send_state IN ('sending','accepted','unknown','parked','retry')",
        campaign,
    )
    return int(rows[0][0])


def keep_skeletons(connection: sa.Connection, wanted: Mapping[str, tuple[str, bytes, str | None]], *, now: int) -> dict[str, int]:
    """Archive skeletons once each: hash → (channel, packed parts, template); gives hash → row id."""
    if not wanted:
        return {}
    names = list(wanted)
    _many(
        connection,
        "INSERT INTO skeleton (hash, channel, parts, template, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(name, wanted[name][0], wanted[name][1], wanted[name][2], now) for name in names],
    )
    marks = ",".join("?" * len(names))
    return {row[0]: row[1] for row in _all(connection, f"SELECT hash, id FROM skeleton WHERE hash IN ({marks})", *names)}


def intend(connection: sa.Connection, intents: Sequence[Intent], *, provider: str, account: str, now: int, until: int) -> int:
    """Write the intents of one handover: attempts, archive, cap slots, state `sending`. Gives the handover's id."""
    handover = connection.execute(
        sa.text("INSERT INTO handover (provider, account, size, started_at, outcome) VALUES (:p, :a, :s, :n, 'intent') RETURNING id"),
        {"p": provider, "a": account, "s": len(intents), "n": now},
    ).scalar_one()
    _many(
        connection,
        "INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, address_hash, body_sha256, started_at)"
        " VALUES (?, ?, ?, ?, 'intent', ?, ?, ?)",
        [(i.touch.id, i.touch.attempts + 1, handover, i.touch.fence, i.address_hash, i.body_hash, now) for i in intents],
    )
    faults.point("F06")
    _many(
        connection,
        "INSERT INTO rendering (touch_id, skeleton_id, \"values\") VALUES (?, ?, ?)"
        " ON CONFLICT (touch_id) DO UPDATE SET skeleton_id = excluded.skeleton_id, \"values\" = excluded.\"values\"",
        [(i.touch.id, i.skeleton, i.values) for i in intents],
    )
    _many(
        connection,
        "UPDATE touch SET send_state = 'sending', attempts = attempts + 1, lease_until = ?, facts = ?, cost = ?, held_by = NULL WHERE id = ?",
        [(until, i.facts, i.cost, i.touch.id) for i in intents],
    )
    take_slots(connection, intents, now=now)
    connection.exec_driver_sql("UPDATE instance SET serial = serial + 1")
    return int(handover)


def take_slots(connection: sa.Connection, intents: Iterable[Intent], *, now: int) -> None:
    """One slot for `all` and one for the channel, on the contact's local date, for each counted touch."""
    counted = [i for i in intents if i.local_date is not None]
    if not counted:
        return
    taken: dict[tuple[int, str, str], int] = {}
    days = sorted({i.local_date for i in counted if i.local_date})
    for contact, day, rule, slot in _all(
        connection,
        f"SELECT contact_id, local_date, rule, max(slot) FROM cap_slot WHERE contact_id IN ({_ids({i.touch.contact_id for i in counted})})"
        f" AND local_date IN ({','.join('?' * len(days))}) GROUP BY contact_id, local_date, rule",
        *days,
    ):
        taken[contact, day, rule] = slot
    rows: list[tuple[Any, ...]] = []
    for i in counted:
        for rule in ("all", i.touch.channel):
            key = (i.touch.contact_id, i.local_date or "", rule)
            taken[key] = taken.get(key, 0) + 1
            rows.append((*key, taken[key], i.touch.id, now))
    _many(connection, "INSERT INTO cap_slot (contact_id, local_date, rule, slot, touch_id, at) VALUES (?, ?, ?, ?, ?, ?)", rows)


def free_slots(connection: sa.Connection, touches: Sequence[int]) -> None:
    """Give back the slots of touches that did not leave."""
    if touches:
        _run(connection, f"DELETE FROM cap_slot WHERE touch_id IN ({_ids(touches)})")


def put_back(connection: sa.Connection, touches: Sequence[tuple[int, int, str | None]]) -> None:
    """Claimed touches wait again: (id, due instant, what holds them)."""
    _many(
        connection,
        "UPDATE touch SET send_state = 'planned', due_at = ?, held_by = ?, lease_by = NULL, lease_until = NULL"
        " WHERE id = ? AND send_state = 'claimed'",
        [(due_at, held, i) for i, due_at, held in touches],
    )


def skip(connection: sa.Connection, touches: Sequence[tuple[int, str, str | None]], *, now: int) -> None:
    """Touches end unsent: (id, reason, detail or None); the detail is kept as evidence."""
    _many(
        connection,
        "UPDATE touch SET send_state = 'skipped', reason = ?, settled_at = ?, lease_by = NULL, lease_until = NULL, facts = NULL"
        " WHERE id = ? AND send_state IN ('planned','claimed','retry','unknown','parked')",
        [(reason, now, i) for i, reason, _ in touches],
    )
    remember(connection, [(i, 0, "omni", reason, now, detail) for i, reason, detail in touches if detail])


def remember(connection: sa.Connection, rows: Sequence[tuple[int, int, str, str, int, str | None]]) -> None:
    """Append evidence: (touch, attempt, source, kind, instant, detail)."""
    _many(connection, "INSERT INTO evidence (touch_id, n, source, kind, at, detail) VALUES (?, ?, ?, ?, ?, ?)", rows)


# --- T3 -------------------------------------------------------------------------------------------------------------
def record(connection: sa.Connection, results: Sequence[Result], *, handover: int, worker: str, now: int) -> list[tuple[int, str, int, str | None]]:
    """Write the outcomes of one handover; gives the settled touches (id, state, instant, reason).

    A touch whose fence has moved on is not ours any more: its outcome is kept as evidence, and settles an unknown one.
    """
    ours = _held(connection, results, worker)
    late = [r for r in results if r.touch.id not in ours]
    mine = [r for r in results if r.touch.id in ours]
    _attempts(connection, mine)
    settled = _touches(connection, mine, now=now)
    told = [(r.told, r.touch.enrollment_id) for r in mine if r.outcome == "accepted" and r.told is not None]
    _many(connection, "UPDATE enrollment SET told = ? WHERE id = ?", told)
    settled += _late(connection, late, now=now)
    outcomes = {r.outcome for r in results}
    _run(connection, "UPDATE handover SET ended_at = ?, outcome = ? WHERE id = ?", now, outcomes.pop() if len(outcomes) == 1 else "mixed", handover)
    faults.point("F11")
    return settled


def _held(connection: sa.Connection, results: Sequence[Result], worker: str) -> set[int]:
    fences = {r.touch.id: r.touch.fence for r in results}
    rows = _all(connection, f"SELECT id, fence FROM touch WHERE id IN ({_ids(fences)}) AND send_state = 'sending' AND lease_by = ?", worker)
    return {row[0] for row in rows if row[1] == fences[row[0]]}


def _attempts(connection: sa.Connection, results: Sequence[Result]) -> None:
    """Outcomes that say the same of many touches are one statement."""
    groups: dict[tuple[Any, ...], list[Result]] = {}
    for r in results:
        groups.setdefault((r.outcome, r.ref, r.code, r.detail, r.n), []).append(r)
    single: list[tuple[Any, ...]] = []
    for (outcome, ref, code, detail, n), group in groups.items():
        if len(group) > 4:
            _run(
                connection,
                f"UPDATE attempt SET outcome = ?, provider_ref = ?, code = ?, detail = ? WHERE n = ? AND touch_id IN ({_ids(r.touch.id for r in group)})",
                outcome, ref, code, detail, n,
            )  # fmt: skip
        else:
            single += [(outcome, ref, code, detail, r.touch.id, n) for r in group]
    _many(connection, "UPDATE attempt SET outcome = ?, provider_ref = ?, code = ?, detail = ? WHERE touch_id = ? AND n = ?", single)


def _touches(connection: sa.Connection, results: Sequence[Result], *, now: int) -> list[tuple[int, str, int, str | None]]:
    by: dict[str, list[Result]] = {}
    for r in results:
        by.setdefault(r.outcome, []).append(r)
    settled: list[tuple[int, str, int, str | None]] = []
    gone = "lease_by = NULL, lease_until = NULL"
    if accepted := by.get("accepted"):
        _run(connection, f"UPDATE touch SET send_state = 'accepted', settled_at = ?, facts = NULL, {gone} WHERE id IN ({_ids(r.touch.id for r in accepted)})", now)
        settled += [(r.touch.id, "accepted", now, None) for r in accepted]
    if rejected := by.get("rejected"):
        _many(connection, f"UPDATE touch SET send_state = 'rejected', reason = ?, settled_at = ?, facts = NULL, {gone} WHERE id = ?",
              [(r.reason, now, r.touch.id) for r in rejected])  # fmt: skip
        settled += [(r.touch.id, "rejected", now, r.reason) for r in rejected]
    if unknown := by.get("unknown"):
        _run(connection, f"UPDATE touch SET send_state = 'unknown', {gone} WHERE id IN ({_ids(r.touch.id for r in unknown)})")
    if again := by.get("not_sent"):
        _many(connection, f"UPDATE touch SET send_state = 'retry', due_at = ?, {gone} WHERE id = ?",
              [(r.retry_at if r.retry_at is not None else now, r.touch.id) for r in again])  # fmt: skip
        over = [r.touch.id for r in again if r.retry_at is None]
        skip(connection, [(i, "exhausted", None) for i in over], now=now)
        settled += [(i, "skipped", now, "exhausted") for i in over]
    free_slots(connection, [r.touch.id for r in by.get("rejected", []) + by.get("not_sent", [])])
    return settled


def _late(connection: sa.Connection, results: Sequence[Result], *, now: int) -> list[tuple[int, str, int, str | None]]:
    """A worker that lost its lease says what it knows: evidence, and the end of `unknown` when it was accepted."""
    if not results:
        return []
    remember(connection, [(r.touch.id, r.n, "worker", r.outcome, now, r.ref or r.detail) for r in results])
    arrived = [r for r in results if r.outcome == "accepted" and settle_unknown(connection, r.touch.id, r.n, ref=r.ref or "late", now=now)]
    return [(r.touch.id, "accepted", now, None) for r in arrived]


def settle_unknown(connection: sa.Connection, touch: int, n: int, *, ref: str, now: int) -> bool:
    """Evidence says that this attempt was accepted; True when it settled an unknown or parked touch."""
    open_ = _run(connection, "UPDATE attempt SET outcome = 'accepted', provider_ref = ? WHERE touch_id = ? AND n = ? AND outcome IN ('unknown','intent')", ref, touch, n)
    if not open_:
        return False
    return bool(_run(connection, "UPDATE touch SET send_state = 'accepted', settled_at = ? WHERE id = ? AND send_state IN ('unknown','parked')", now, touch))


# --- recovery -------------------------------------------------------------------------------------------------------
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


def leased(connection: sa.Connection) -> list[Stray]:
    """Every touch under a lease."""
    rows = _all(
        connection,
        "SELECT t.id, t.touch_key, t.send_state, t.lease_by, t.lease_until, t.attempts, t.channel, t.purpose, h.provider"
        " FROM touch t LEFT JOIN attempt a ON a.touch_id = t.id AND a.outcome = 'intent' LEFT JOIN handover h ON h.id = a.handover_id"
        " WHERE t.send_state IN ('claimed','sending')",
    )
    return [Stray(*row) for row in rows]


def release(connection: sa.Connection, strays: Sequence[Stray]) -> None:
    """Claimed without an intent: planned again, at the same due instant."""
    _run(connection, "UPDATE touch SET send_state = 'planned', lease_by = NULL, lease_until = NULL"
                     f" WHERE id IN ({_ids(s.id for s in strays)}) AND send_state = 'claimed'")  # fmt: skip


def doubt(connection: sa.Connection, strays: Sequence[Stray]) -> None:
    """Sending under a lease that is over: nobody knows."""
    ids = _ids(s.id for s in strays)
    _run(connection, f"UPDATE attempt SET outcome = 'unknown', detail = 'the sender died' WHERE touch_id IN ({ids}) AND outcome = 'intent'")
    _run(connection, f"UPDATE touch SET send_state = 'unknown', lease_by = NULL, lease_until = NULL WHERE id IN ({ids}) AND send_state = 'sending'")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A touch whose fate nobody knows: its open attempt, since when, and what may be done with it."""

    id: int
    key: bytes
    state: str
    n: int
    started_at: int
    channel: str
    purpose: str
    provider: str
    enrollment_id: int
    message: str
    facts: str | None
    told: str | None


def doubts(connection: sa.Connection, states: Sequence[str] = ("unknown", "parked")) -> list[Doubt]:
    """Unknown and parked touches, oldest attempt first."""
    marks = ",".join("?" * len(states))
    rows = _all(
        connection,
        "SELECT t.id, t.touch_key, t.send_state, a.n, a.started_at, t.channel, t.purpose, h.provider, t.enrollment_id, t.message, t.facts, e.told"
        " FROM touch t JOIN attempt a ON a.touch_id = t.id AND a.outcome = 'unknown' JOIN handover h ON h.id = a.handover_id"
        f" JOIN enrollment e ON e.id = t.enrollment_id WHERE t.send_state IN ({marks}) ORDER BY a.started_at, t.touch_key",
        *states,
    )
    return [Doubt(*row) for row in rows]


def park(connection: sa.Connection, touches: Sequence[int]) -> None:
    """A person must decide."""
    _run(connection, f"UPDATE touch SET send_state = 'parked' WHERE id IN ({_ids(touches)}) AND send_state = 'unknown'")


def close_attempt(connection: sa.Connection, touch: int, n: int, outcome: str, *, ref: str | None = None, by: str | None = None) -> None:
    """A reconciliation or a person says how an unknown attempt ended."""
    _run(connection, "UPDATE attempt SET outcome = ?, provider_ref = coalesce(?, provider_ref), waived_by = ? WHERE touch_id = ? AND n = ? AND outcome = 'unknown'",
         outcome, ref, by, touch, n)  # fmt: skip


def move(connection: sa.Connection, touch: int, state: str, *, now: int, reason: str | None = None, due_at: int | None = None) -> None:
    """Move one touch along `touch_move` (the trigger refuses anything else)."""
    ended = now if state in ENDS else None
    _run(connection, "UPDATE touch SET send_state = ?, reason = coalesce(?, reason), settled_at = ?, due_at = coalesce(?, due_at) WHERE id = ?",
         state, reason, ended, due_at, touch)  # fmt: skip


def tell(connection: sa.Connection, enrollment: int, told: str) -> None:
    """What a pass has been told (docs/consistency)."""
    _run(connection, "UPDATE enrollment SET told = ? WHERE id = ?", told, enrollment)


def renew(connection: sa.Connection, *, worker: str, until: int) -> None:
    """Keep what this worker has claimed."""
    _run(connection, "UPDATE touch SET lease_until = ? WHERE send_state IN ('claimed','sending') AND lease_by = ?", until, worker)


def open_doubts(connection: sa.Connection, versions: Collection[int] | None) -> int:
    """How many touches are unknown or parked now."""
    only = "" if versions is None else f" AND version_id IN ({_ids(versions)})"
    return int(_all(connection, f"SELECT count(*) FROM touch WHERE send_state IN ('unknown','parked'){only}")[0][0])


# --- work for people ------------------------------------------------------------------------------------------------
def open_tasks(connection: sa.Connection, touches: Iterable[Claimed]) -> None:
    """A row of work for each of these touches, once."""
    _many(
        connection,
        "INSERT INTO task (touch_id, team, kind, due_at, state) VALUES (?, ?, ?, ?, 'open') ON CONFLICT DO NOTHING",
        [(t.id, t.team, t.task_kind, t.task_due) for t in touches],
    )


# --- reading --------------------------------------------------------------------------------------------------------
def versions_of(connection: sa.Connection, campaigns: Collection[str] | None = None, *, running: bool = False) -> dict[int, tuple[str, str, int]]:
    """Applied versions: id → (campaign, tree, number); `running` leaves out those whose people hold still."""
    clauses, values = [], []
    if campaigns is not None:
        clauses.append(f"k.name IN ({','.join('?' * len(campaigns)) or 'NULL'})")
        values += sorted(campaigns)
    if running:
        clauses.append("(k.state IN ('running','stopped','finished') OR (k.state = 'paused' AND k.pause_people = 'finish'))")
    where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    rows = _all(connection, f"SELECT v.id, k.name, v.tree, v.number FROM campaign_version v JOIN campaign k ON k.id = v.campaign_id{where}", *values)
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def archived(connection: sa.Connection, touch: int) -> tuple[bytes, bytes] | None:
    """(packed parts of the skeleton, packed values) of what this touch carried, or None."""
    rows = _all(connection, "SELECT s.parts, r.\"values\" FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id WHERE r.touch_id = ?", touch)
    return (bytes(rows[0][0]), bytes(rows[0][1])) if rows else None
