"""Touches whose fate nobody knows: shown, proved, parked, given up, or taken as a risk by somebody with a name."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import sqlalchemy as sa

from omnicli import guards
from omnicli.store import turns
from omnicli.store.outbox.claims import Stray
from omnicli.store.outbox.locking import locked, skipping_locked
from omnicli.store.outbox.statements import fetch, listed, many, run
from omnicli.store.outbox.values import ENDS

#: The kind of evidence that says that somebody got two copies, because a policy or a person took the risk.
DUPLICATE = "confirmed_duplicate"
#: The kind of evidence that a provider was asked about an attempt, and what it answered.
ASKED = "asked"


def doubt(connection: sa.Connection, strays: Sequence[Stray]) -> None:
    """Sending under a lease that is over: nobody knows."""
    ids = listed(s.id for s in strays)
    run(
        connection,
        f"UPDATE attempt SET outcome = 'unknown', detail = 'the sender died' WHERE touch_id IN ({ids}) AND outcome = 'intent'",
    )
    run(
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
    handover: int
    account: str
    ref: str | None


def doubts(
    connection: sa.Connection, states: Sequence[str] = ("unknown", "parked"), *, lock: Literal["", "wait", "skip"] = ""
) -> list[Doubt]:
    """Unknown and parked touches, oldest attempt first. `lock`: nobody else settles them until the transaction ends; those that
    somebody settles at this moment are waited for or passed over."""
    end = {"": "", "wait": locked(connection) and f"{locked(connection)} OF t", "skip": skipping_locked(connection, "t")}[lock]
    only = ",".join(f"'{state}'" for state in states if state in ("unknown", "parked"))
    rows = fetch(
        connection,
        "SELECT t.id, t.touch_key, t.send_state, a.n, a.started_at, t.channel, t.purpose, h.provider, t.enrollment_id, t.message, t.facts, e.told,"
        " h.id, h.account, a.provider_ref"
        # words of the index `touch_doubt`, which is where to begin: attempts are looked up
        " FROM touch t CROSS JOIN attempt a JOIN handover h ON h.id = a.handover_id JOIN enrollment e ON e.id = t.enrollment_id"
        f" WHERE t.send_state IN ('unknown','parked') AND t.send_state IN ({only}) AND a.touch_id = t.id AND a.outcome = 'unknown'"
        f" ORDER BY a.started_at, t.touch_key{end}",
    )
    return [Doubt(*row) for row in rows]


class Looked(NamedTuple):
    """How often a provider was asked about a touch, and when last (milliseconds)."""

    times: int
    last: int


def looked(connection: sa.Connection, touches: Collection[int]) -> dict[int, Looked]:
    """Those of these touches that a provider was asked about since their last attempt."""
    rows = fetch(
        connection,
        "SELECT v.touch_id, count(*), max(v.at) FROM evidence v JOIN touch t ON t.id = v.touch_id AND t.attempts = v.n"
        f" WHERE v.touch_id IN ({listed(touches)}) AND v.kind = '{ASKED}' GROUP BY v.touch_id",
    )
    return {row[0]: Looked(row[1], row[2]) for row in rows}


def evidence(connection: sa.Connection, touches: Collection[int]) -> dict[int, list[tuple[int, str, str, str | None]]]:
    """What was seen and said of these touches, oldest first: (instant, source, kind, detail)."""
    found: dict[int, list[tuple[int, str, str, str | None]]] = {}
    sql = f"SELECT touch_id, at, source, kind, detail FROM evidence WHERE touch_id IN ({listed(touches)}) ORDER BY id"
    for row in fetch(connection, sql):
        found.setdefault(row[0], []).append((row[1], row[2], row[3], row[4]))
    return found


def written_to(connection: sa.Connection, touch: int, n: int) -> str | None:
    """The address that this attempt went to, as long as it still is the contact's."""
    rows = fetch(
        connection,
        "SELECT d.value FROM attempt a JOIN touch t ON t.id = a.touch_id JOIN address d ON d.contact_id = t.contact_id"
        " AND d.channel = t.channel AND d.hmac = a.address_hash WHERE a.touch_id = ? AND a.n = ?",
        touch,
        n,
    )
    return rows[0][0] if rows else None


def sister_arrived(connection: sa.Connection, doubt: Doubt) -> bool:
    """Whether another touch of the same request was heard of: then the request arrived (docs/delivery 5)."""
    rows = fetch(
        connection,
        "SELECT 1 FROM attempt a JOIN touch t ON t.id = a.touch_id WHERE a.handover_id = ? AND a.touch_id <> ?"
        " AND (a.outcome = 'accepted' OR t.delivery_state <> 'none') LIMIT 1",
        doubt.handover,
        doubt.id,
    )
    return bool(rows)


def spoken_of(connection: sa.Connection, doubt: Doubt, *, around: int) -> int:
    """How many other touches of that account, begun within `around` milliseconds of this one and accepted, have had an event."""
    rows = fetch(
        connection,
        "SELECT count(DISTINCT a.touch_id) FROM handover h JOIN attempt a ON a.handover_id = h.id AND a.outcome = 'accepted'"
        " JOIN touch t ON t.id = a.touch_id AND t.delivery_state <> 'none'"
        " WHERE h.provider = ? AND h.account = ? AND h.started_at BETWEEN ? AND ?",
        doubt.provider,
        doubt.account,
        doubt.started_at - around,
        doubt.started_at + around,
    )
    return int(rows[0][0])


def park(connection: sa.Connection, touches: Sequence[int]) -> None:
    """A person must decide."""
    run(connection, f"UPDATE touch SET send_state = 'parked' WHERE id IN ({listed(touches)}) AND send_state = 'unknown'")


def close_attempt(
    connection: sa.Connection, touch: int, n: int, outcome: str, *, ref: str | None = None, by: str | None = None
) -> None:
    """A reconciliation or a person says how an unknown attempt ended."""
    run(connection, "UPDATE attempt SET outcome = ?, provider_ref = coalesce(?, provider_ref), waived_by = ? WHERE touch_id = ? AND n = ? AND outcome = 'unknown'",
         outcome, ref, by, touch, n)  # fmt: skip


def move(
    connection: sa.Connection, touch: int, state: str, *, now: int, reason: str | None = None, due_at: int | None = None
) -> None:
    """Move one touch along `touch_move` (the trigger refuses anything else)."""
    ended = now if state in ENDS else None
    run(connection, "UPDATE touch SET send_state = ?, reason = coalesce(?, reason), settled_at = ?, due_at = coalesce(?, due_at) WHERE id = ?",
         state, reason, ended, due_at, touch)  # fmt: skip


def tell(connection: sa.Connection, enrollment: int, told: str) -> None:
    """What a pass has been told (docs/consistency)."""
    run(connection, "UPDATE enrollment SET told = ? WHERE id = ?", told, enrollment)


def open_doubts(connection: sa.Connection, versions: Collection[int] | None) -> int:
    """How many touches are unknown or parked now."""
    only = "" if versions is None else f" AND version_id IN ({listed(versions)})"
    return int(fetch(connection, f"SELECT count(*) FROM touch WHERE send_state IN ('unknown','parked'){only}")[0][0])


def remember(connection: sa.Connection, rows: Sequence[tuple[int, int, str, str, int, str | None]]) -> None:
    """Append evidence: (touch, attempt, source, kind, instant, detail)."""
    many(connection, "INSERT INTO evidence (touch_id, n, source, kind, at, detail) VALUES (?, ?, ?, ?, ?, ?)", rows)


# --- proof ----------------------------------------------------------------------------------------------------------
Proved = Literal["settled", "known", "duplicate", "contradiction"]


def touch_by_key(connection: sa.Connection, key: bytes) -> int | None:
    """The touch of this key, or None."""
    rows = fetch(connection, "SELECT id FROM touch WHERE touch_key = ?", key)
    return rows[0][0] if rows else None


def proof(connection: sa.Connection, touch: int, n: int, *, ref: str, source: str, now: int) -> Proved:
    """Something that carries touch and attempt says that this attempt was accepted (docs/delivery 2). An open one is settled, and
    so is a waived one whose repeat has not begun: the repeat is dropped. `known`: nothing new. `duplicate`: a second copy is
    confirmed. `contradiction`: the store does not know the attempt, or calls it unsent. Instants in milliseconds."""
    fetch(connection, "SELECT id FROM touch WHERE id = ?" + locked(connection), touch)  # its sender writes the outcome or we do
    rows = fetch(
        connection,
        "SELECT a.outcome, t.send_state, t.attempts FROM touch t LEFT JOIN attempt a ON a.touch_id = t.id AND a.n = ? WHERE t.id = ?",
        n, touch,
    )  # fmt: skip
    outcome, state, last = rows[0] if rows else (None, None, 0)
    match outcome:
        case "accepted":
            return "known"
        case "intent" | "unknown" if guards.on("own_event_settles"):
            _accept(connection, touch, n, outcome, ref=ref, now=now)
            return "settled"
        case "waived" if last == n and state in ("retry", "planned", "claimed", "parked"):
            remember(connection, [(touch, n, source, "proved", now, ref)])
            _accept(connection, touch, n, outcome, ref=ref, now=now)
            return "settled"
        case "waived":
            remember(connection, [(touch, n, source, DUPLICATE, now, ref)])
            return "duplicate"
        case "intent" | "unknown":
            return "known"
    if rows:
        remember(connection, [(touch, n, source, "contradiction", now, ref)])
    return "contradiction"


def _accept(connection: sa.Connection, touch: int, n: int, outcome: str, *, ref: str, now: int) -> None:
    run(
        connection,
        "UPDATE attempt SET outcome = 'accepted', provider_ref = ? WHERE touch_id = ? AND n = ? AND outcome = ?",
        ref,
        touch,
        n,
        outcome,
    )
    moved = run(
        connection,
        "UPDATE touch SET send_state = 'accepted', settled_at = ?, lease_by = NULL, lease_until = NULL"
        " WHERE id = ? AND send_state IN ('sending','unknown','parked','retry','planned','claimed')",
        now, touch,
    )  # fmt: skip
    if not moved:
        return
    rows = fetch(
        connection,
        "SELECT t.message, t.facts, e.told, e.id FROM touch t JOIN enrollment e ON e.id = t.enrollment_id WHERE t.id = ?", touch,
    )  # fmt: skip
    message, facts, told, enrollment = rows[0]
    if (merged := merge_told(told, message, facts)) is not None:
        tell(connection, enrollment, merged)
    run(connection, "UPDATE touch SET facts = NULL WHERE id = ?", touch)
    turns.settle(connection, [(touch, "accepted", now, None)])


def unsettle(connection: sa.Connection, touch: int, n: int) -> bool:
    """An attempt whose outcome was kept elsewhere stops being an intent under a lease; True when it is unknown now."""
    run(connection, "UPDATE attempt SET outcome = 'unknown' WHERE touch_id = ? AND n = ? AND outcome = 'intent'", touch, n)
    run(
        connection,
        "UPDATE touch SET send_state = 'unknown', lease_by = NULL, lease_until = NULL WHERE id = ? AND send_state = 'sending' AND attempts = ?",
        touch,
        n,
    )
    return bool(fetch(connection, "SELECT 1 FROM attempt WHERE touch_id = ? AND n = ? AND outcome = 'unknown'", touch, n))


def disproof(connection: sa.Connection, touch: int, n: int, outcome: str, *, now: int, free: bool = False) -> bool:
    """Who made this attempt says late that it was `not_sent` or `rejected`; True when that settled an unknown or parked touch."""
    open_ = run(
        connection,
        "UPDATE attempt SET outcome = ?, free = ? WHERE touch_id = ? AND n = ? AND outcome = 'unknown'",
        outcome,
        int(free),
        touch,
        n,
    )
    if not open_:
        return False
    new, reason, ended = ("retry", None, None) if outcome == "not_sent" else ("rejected", "refused", now)
    moved = run(
        connection,
        "UPDATE touch SET send_state = ?, reason = coalesce(?, reason), settled_at = ?, due_at = coalesce(?, due_at)"
        " WHERE id = ? AND send_state IN ('unknown','parked')",
        new, reason, ended, now if new == "retry" else None, touch,
    )  # fmt: skip
    if moved:
        run(connection, "DELETE FROM cap_slot WHERE touch_id = ?", touch)
        turns.settle(connection, [(touch, new, now, reason)])
    return bool(moved)


def merge_told(told: str | None, message: str, facts: str | None) -> str | None:
    """What the pass has been told once this message was accepted, as JSON; None when nothing is new."""
    if facts is None:
        return None
    if not told or told == "{}":
        return f"{{{json.dumps(message)}:{facts}}}"
    before = json.loads(told)
    return (
        None
        if message in before
        else json.dumps({**before, message: json.loads(facts)}, ensure_ascii=False, separators=(",", ":"))
    )


def archived(connection: sa.Connection, touch: int) -> tuple[bytes, bytes] | None:
    """(packed parts of the skeleton, packed values) of what this touch carried, or None."""
    rows = fetch(
        connection,
        'SELECT s.parts, r."values" FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id WHERE r.touch_id = ?',
        touch,
    )
    return (bytes(rows[0][0]), bytes(rows[0][1])) if rows else None
