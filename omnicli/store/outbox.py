"""The outbox: claims, intents and outcomes as bulk statements, a batch a transaction, an outcome a touch.

The promise rests on what stands here (docs/delivery 2, 3, 7): a provider is called only after `intend` was committed, and
the index `one_open_attempt` allows one open attempt a touch. Every verb takes a connection inside a transaction; none
opens or commits one. Identifiers written into statements are integers of ours, never text of anybody else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from omnicli import faults

#: How long a claim holds without being renewed, in milliseconds of machine time (docs/delivery 12).
LEASE = 60_000
#: States in which a touch has ended.
ENDS = ("accepted", "rejected", "skipped", "held_out")

_LOAD = (
    "t.id, t.touch_key, t.fence, t.attempts, t.contact_id, t.enrollment_id, t.version_id, t.step, t.message, t.channel, t.purpose,"
    " t.priority, t.due_at, t.expires_at, t.created_at, t.cost, t.team, t.task_kind, t.task_due, t.place, t.facts,"
    " e.pass, e.entered_at, e.entered_event, e.language, e.persona, e.told, e.state, e.touch_id, e.due_at,"
    " c.source_id, c.uid, c.country, c.region, c.time_zone, c.place, c.changed_at, c.erased_at, c.reach, c.complaint_until, a.value, a.hmac"
)


#: What templates know of everybody, in the order in which `Claimed.attributes` ends.
BUILT_IN = ("id", "language", "country", "region", "time_zone", "place")
_BUILT_IN = ", c.source_id, e.language, c.country, c.region, c.time_zone, c.place"


class Claimed(NamedTuple):
    """A claimed touch with what its rendering and the gate need, straight from the row (a named tuple, for there are many).

    Instants are milliseconds; `told` and `facts` JSON texts; `reach` the folded column; `attributes` column values in the
    order asked for, then `BUILT_IN`.
    """

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
    enrollment_state: str
    waits_for: int | None
    woken_at: int | None
    source_id: str
    uid: bytes
    country: str | None
    region: str | None
    time_zone: str | None
    contact_place: str | None
    changed_at: int
    erased_at: int | None
    reach: str
    complaint_until: int | None
    address: str | None
    address_hmac: bytes | None
    attributes: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"Claimed({self.id}, {self.key.hex()[:8]}, {self.channel}, {self.step})"


_FIXED = len(Claimed._fields) - 1


class Guarded(NamedTuple):
    """What the gate asks about one claimed touch, as of this transaction; a `Claimed` of it answers the same questions."""

    id: int
    enrollment_state: str
    waits_for: int | None
    erased_at: int | None
    reach: str
    complaint_until: int | None


class Intent(NamedTuple):
    """One attempt about to be made. `facts` is what it would tell, kept with the touch while its fate may become unknown. `skeleton` is the row id of the archived skeleton, `values` its packed values; `slot`
    is (local date, rule, number) of the cap slot it takes, or None."""

    touch: Claimed
    address_hash: bytes
    body_hash: bytes
    skeleton: int
    values: bytes
    facts: str | None
    cost: int
    slot: tuple[str, str, int] | None


class Result(NamedTuple):
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


def _all(connection: sa.Connection, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows as the driver gives them: plain tuples."""
    result = connection.exec_driver_sql(_dialect(connection, sql), values)
    cursor: Any = result.cursor
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    result.close()
    return rows


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
    """The claimed touches with what their rendering needs, in the order of `ids`; `attributes` are columns of contact, and
    behind them come those of `BUILT_IN`."""
    wanted = "".join(f', c."{column}"' for column in attributes) + _BUILT_IN
    rows = _all(
        connection,
        f"SELECT {_LOAD}{wanted} FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN contact c ON c.id = t.contact_id"
        " LEFT JOIN address a ON a.contact_id = t.contact_id AND a.channel = t.channel AND a.bad IS NULL"
        f" WHERE t.id IN ({_ids(ids)}) AND t.send_state = 'claimed'",
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
    rows = _all(connection, f"SELECT id, at, payload FROM event WHERE id IN ({_ids(events)})") if events else []
    return {row[0]: Entering(row[1], json.loads(row[2]) if row[2] else {}) for row in rows}


def phones(connection: sa.Connection, contacts: Collection[int]) -> dict[int, str]:
    """Where somebody can call these people: their number for calls, else their mobile."""
    if not contacts:
        return {}
    rows = _all(
        connection,
        f"SELECT contact_id, value FROM address WHERE contact_id IN ({_ids(contacts)}) AND channel IN ('voice','sms') AND bad IS NULL"
        " ORDER BY contact_id, channel",  # sms before voice: the number for calls wins
    )
    return {row[0]: row[1] for row in rows}


def first_attempt(connection: sa.Connection, touch: int) -> int | None:
    """When the first attempt of this touch began."""
    found: int | None = _all(connection, "SELECT min(started_at) FROM attempt WHERE touch_id = ?", touch)[0][0]
    return found


# --- T2 -------------------------------------------------------------------------------------------------------------
def mark(connection: sa.Connection) -> object:
    """A value that stays the same as long as nobody else writes: neither another connection nor this one. None where the
    store cannot tell (then everything is read again)."""
    if connection.dialect.name != "sqlite":
        return None
    raw: Any = connection.connection.driver_connection
    return (id(raw), raw.total_changes, raw.execute("PRAGMA data_version").fetchone()[0])


def guards(connection: sa.Connection, ids: Sequence[int], *, worker: str) -> dict[int, Guarded]:
    """What the gate asks, by touch id, of those that are still ours; contact rows locked in id order where there are row locks."""
    if connection.dialect.name == "postgresql":
        _all(
            connection,
            f"SELECT id FROM contact WHERE id IN (SELECT contact_id FROM touch WHERE id IN ({_ids(ids)})) ORDER BY id FOR UPDATE",
        )
    rows = _all(
        connection,
        "SELECT t.id, e.state, e.touch_id, c.erased_at, c.reach, c.complaint_until"
        " FROM touch t JOIN enrollment e ON e.id = t.enrollment_id JOIN contact c ON c.id = t.contact_id"
        f" WHERE t.id IN ({_ids(ids)}) AND t.send_state = 'claimed' AND t.lease_by = ?",
        worker,
    )
    return {row[0]: Guarded(*row) for row in rows}


def standings(connection: sa.Connection) -> dict[int, tuple[str, str | None]]:
    """State and `pause_people` of each version's campaign, by version id."""
    rows = _all(
        connection, "SELECT v.id, k.state, k.pause_people FROM campaign_version v JOIN campaign k ON k.id = v.campaign_id"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def slots(connection: sa.Connection, contacts: Collection[int], *, since: str) -> list[tuple[Any, ...]]:
    """Counted touches of these contacts from that local date on: (contact, local date, channel, number, instant)."""
    if not contacts:
        return []
    return _all(
        connection,
        f"SELECT contact_id, local_date, rule, slot, at FROM cap_slot WHERE contact_id IN ({_ids(contacts)}) AND local_date >= ? AND rule <> 'all'",
        since,
    )


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


def intend(
    connection: sa.Connection, intents: Sequence[Intent], *, provider: str, account: str, now: int, until: int | None
) -> int:
    """Write the intents of one handover: attempts, archive, cap slots, state `sending`. Gives the handover's id. `until` None
    leaves the lease of the claim as it is."""
    handover: int = connection.execute(
        sa.text(
            "INSERT INTO handover (provider, account, size, started_at, outcome) VALUES (:p, :a, :s, :n, 'intent') RETURNING id"
        ),
        {"p": provider, "a": account, "s": len(intents), "n": now},
    ).scalar_one()
    _many(
        connection,
        "INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, address_hash, body_sha256, started_at)"
        " VALUES (?, ?, ?, ?, 'intent', ?, ?, ?)",
        [(i[0].id, i[0].attempts + 1, handover, i[0].fence, i[1], i[2], now) for i in intents],
    )
    faults.point("F06")
    _many(
        connection,
        'INSERT INTO rendering (touch_id, skeleton_id, "values") VALUES (?, ?, ?)'
        ' ON CONFLICT (touch_id) DO UPDATE SET skeleton_id = excluded.skeleton_id, "values" = excluded."values"',
        [(i[0].id, i[3], i[4]) for i in intents],
    )
    lease = "" if until is None else f", lease_until = {until}"
    changed = [i for i in intents if i[5] is not None or i[6] != i[0].cost]
    _for_all(connection, "UPDATE touch SET facts = ?, cost = ? WHERE id", _grouped(((i[5], i[6]), i[0].id) for i in changed))
    _run(
        connection,
        f"UPDATE touch SET send_state = 'sending', attempts = attempts + 1, held_by = NULL{lease} WHERE id IN ({_ids(i[0].id for i in intents)})",
    )
    _many(
        connection,
        "INSERT INTO cap_slot (contact_id, local_date, rule, slot, touch_id, at) VALUES (?, ?, ?, ?, ?, ?)",
        [(i[0].contact_id, *i[7], i[0].id, now) for i in intents if i[7] is not None],
    )
    connection.exec_driver_sql("UPDATE instance SET serial = serial + 1")
    return handover


def _for_all(connection: sa.Connection, sql: str, groups: Iterable[tuple[tuple[Any, ...], list[int]]]) -> None:
    """A statement that ends before `= id`, for each group of ids with its own values: one for many, or many at once."""
    few: list[tuple[Any, ...]] = []
    for values, ids in groups:
        if len(ids) > 8:
            _run(connection, f"{sql} IN ({_ids(ids)})", *values)
        else:
            few += [(*values, id_) for id_ in ids]
    _many(connection, f"{sql} = ?", few)


def _grouped(pairs: Iterable[tuple[Any, int]]) -> Iterable[tuple[Any, list[int]]]:
    """Ids by what they share: what is said of many is one statement."""
    found: dict[Any, list[int]] = {}
    for key, id_ in pairs:
        found.setdefault(key, []).append(id_)
    return found.items()


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


def first_outcomes(connection: sa.Connection, version_id: int, *, limit: int) -> tuple[int, int]:
    """Of a version's oldest touches that a provider answered or that could not be rendered: (how many, how many failed)."""
    query = (
        "SELECT count(*), coalesce(sum(bad), 0) FROM (SELECT CASE WHEN send_state = 'accepted' THEN 0 ELSE 1 END AS bad FROM touch"
        " WHERE version_id = :version AND (send_state IN ('accepted','rejected') OR (send_state = 'skipped' AND"
        " reason = 'render_failed')) ORDER BY id LIMIT :most) AS first"
    )
    tried, bad = connection.execute(sa.text(query), {"version": version_id, "most": limit}).one()
    return int(tried), int(bad)


def remember(connection: sa.Connection, rows: Sequence[tuple[int, int, str, str, int, str | None]]) -> None:
    """Append evidence: (touch, attempt, source, kind, instant, detail)."""
    _many(connection, "INSERT INTO evidence (touch_id, n, source, kind, at, detail) VALUES (?, ?, ?, ?, ?, ?)", rows)


# --- T3 -------------------------------------------------------------------------------------------------------------
def record(
    connection: sa.Connection, results: Sequence[Result], *, handover: int, worker: str, now: int, sure: bool = False
) -> list[tuple[int, str, int, str | None]]:
    """Write the outcomes of one handover; gives the settled touches (id, state, instant, reason). `sure`: nobody wrote
    since the intents, so fence and lease stand.

    A touch whose fence has moved on is not ours any more: its outcome is kept as evidence, and settles an unknown one.
    """
    mine: Sequence[Result] = results
    late: Sequence[Result] = ()
    if not sure:
        ours = _held(connection, results, worker)
        mine, late = [r for r in results if r.touch.id in ours], [r for r in results if r.touch.id not in ours]
    _for_all(
        connection,
        "UPDATE attempt SET outcome = ?, provider_ref = ?, code = ?, detail = ? WHERE n = ? AND touch_id",
        _grouped(((r.outcome, r.ref, r.code, r.detail, r.n), r.touch.id) for r in mine),
    )
    settled = _touches(connection, mine, now=now)
    _for_all(
        connection,
        f"UPDATE enrollment SET told = ?, due_at = CASE WHEN state = 'open' THEN {now} ELSE due_at END WHERE id",
        _grouped(((r.told,), r.touch.enrollment_id) for r in mine if r.told is not None and r.outcome == "accepted"),
    )
    settled += _late(connection, late, now=now)
    outcomes = {r.outcome for r in results}
    _run(
        connection,
        "UPDATE handover SET ended_at = ?, outcome = ? WHERE id = ?",
        now,
        outcomes.pop() if len(outcomes) == 1 else "mixed",
        handover,
    )
    faults.point("F11")
    return settled


def _held(connection: sa.Connection, results: Sequence[Result], worker: str) -> set[int]:
    fences = {r.touch.id: r.touch.fence for r in results}
    rows = _all(
        connection,
        f"SELECT id, fence FROM touch WHERE id IN ({_ids(fences)}) AND send_state = 'sending' AND lease_by = ?",
        worker,
    )
    return {row[0] for row in rows if row[1] == fences[row[0]]}


def _touches(connection: sa.Connection, results: Sequence[Result], *, now: int) -> list[tuple[int, str, int, str | None]]:
    by: dict[str, list[Result]] = {}
    for r in results:
        by.setdefault(r.outcome, []).append(r)
    settled: list[tuple[int, str, int, str | None]] = []
    gone = "lease_by = NULL, lease_until = NULL"
    if accepted := by.get("accepted"):
        _run(
            connection,
            f"UPDATE touch SET send_state = 'accepted', settled_at = ?, facts = NULL, {gone} WHERE id IN ({_ids(r.touch.id for r in accepted)})",
            now,
        )
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
    free_slots(connection, [r.touch.id for r in (*by.get("rejected", ()), *by.get("not_sent", ()))])
    return settled


def _late(connection: sa.Connection, results: Sequence[Result], *, now: int) -> list[tuple[int, str, int, str | None]]:
    """A worker that lost its lease says what it knows: evidence, and the end of `unknown` when it was accepted."""
    if not results:
        return []
    remember(connection, [(r.touch.id, r.n, "worker", r.outcome, now, r.ref or r.detail) for r in results])
    arrived = [
        r
        for r in results
        if r.outcome == "accepted" and settle_unknown(connection, r.touch.id, r.n, ref=r.ref or "late", now=now)
    ]
    return [(r.touch.id, "accepted", now, None) for r in arrived]


def settle_unknown(connection: sa.Connection, touch: int, n: int, *, ref: str, now: int) -> bool:
    """Evidence says that this attempt was accepted; True when it settled an unknown or parked touch."""
    open_ = _run(
        connection,
        "UPDATE attempt SET outcome = 'accepted', provider_ref = ? WHERE touch_id = ? AND n = ? AND outcome IN ('unknown','intent')",
        ref,
        touch,
        n,
    )
    if not open_:
        return False
    return bool(
        _run(
            connection,
            "UPDATE touch SET send_state = 'accepted', settled_at = ? WHERE id = ? AND send_state IN ('unknown','parked')",
            now,
            touch,
        )
    )


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
    _run(
        connection,
        f"UPDATE attempt SET outcome = 'unknown', detail = 'the sender died' WHERE touch_id IN ({ids}) AND outcome = 'intent'",
    )
    _run(
        connection,
        f"UPDATE touch SET send_state = 'unknown', lease_by = NULL, lease_until = NULL WHERE id IN ({ids}) AND send_state = 'sending'",
    )


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


def close_attempt(
    connection: sa.Connection, touch: int, n: int, outcome: str, *, ref: str | None = None, by: str | None = None
) -> None:
    """A reconciliation or a person says how an unknown attempt ended."""
    _run(connection, "UPDATE attempt SET outcome = ?, provider_ref = coalesce(?, provider_ref), waived_by = ? WHERE touch_id = ? AND n = ? AND outcome = 'unknown'",
         outcome, ref, by, touch, n)  # fmt: skip


def move(
    connection: sa.Connection, touch: int, state: str, *, now: int, reason: str | None = None, due_at: int | None = None
) -> None:
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
    rows = _all(
        connection, f"SELECT v.id FROM campaign_version v JOIN campaign k ON k.id = v.campaign_id{where} ORDER BY v.id", *values
    )
    return tuple(row[0] for row in rows)


def archived(connection: sa.Connection, touch: int) -> tuple[bytes, bytes] | None:
    """(packed parts of the skeleton, packed values) of what this touch carried, or None."""
    rows = _all(
        connection,
        'SELECT s.parts, r."values" FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id WHERE r.touch_id = ?',
        touch,
    )
    return (bytes(rows[0][0]), bytes(rows[0][1])) if rows else None
