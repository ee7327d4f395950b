"""T3: an outcome a touch, under its fence; what a late worker says is evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from omnicli import faults, guards
from omnicli.store.outbox.doubts import disproof, proof, remember
from omnicli.store.outbox.locking import locked
from omnicli.store.outbox.statements import fetch, for_all, grouped, many, run
from omnicli.store.outbox.values import Claimed, Ended, Result


def record(
    connection: sa.Connection, ended: Sequence[Ended], *, worker: str, now: int, sure: bool = False
) -> list[tuple[int, str, int, str | None]]:
    """Write the outcomes of the calls that came back; gives the settled touches (id, state, instant, reason). `sure`: nobody
    wrote since the intents, so fence and lease stand.

    A touch whose fence has moved on is not ours any more: its outcome is kept as evidence, and settles an unknown one.
    """
    results = ended[0].results if len(ended) == 1 else [r for call in ended for r in call.results]
    mine: Sequence[Result] = results
    late: Sequence[Result] = ()
    if not sure and guards.on("fence_in_t3"):
        ours = _held(connection, results, worker)
        mine, late = [r for r in results if r.touch.id in ours], [r for r in results if r.touch.id not in ours]
    for_all(
        connection,
        "UPDATE attempt SET outcome = ?, provider_ref = ?, code = ?, detail = ?, free = ? WHERE n = ? AND touch_id",
        grouped(((r.outcome, r.ref, r.code, r.detail, int(r.free), r.n), r.touch.id) for r in mine),
    )
    settled = _touches(connection, mine, now=now)
    for_all(
        connection,
        f"UPDATE enrollment SET told = ?, due_at = CASE WHEN state = 'open' THEN {now} ELSE due_at END WHERE id",
        grouped(((r.told,), r.touch.enrollment_id) for r in mine if r.told is not None and r.outcome == "accepted"),
    )
    settled += _late(connection, late, now=now)
    many(
        connection,
        "UPDATE handover SET ended_at = ?, outcome = ?, http_status = ?, provider_ref = ? WHERE id = ?",
        [(now, _word({r.outcome for r in call.results}), call.http_status, call.ref, call.handover) for call in ended],
    )
    faults.point("F11")
    return settled


def _word(outcomes: set[str]) -> str:
    return outcomes.pop() if len(outcomes) == 1 else "mixed"


def tries(connection: sa.Connection, touches: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Of each touch: when its first attempt began, and how many used up a try (the open one among them)."""
    if not touches:
        return {}
    sql = "SELECT touch_id, min(started_at), sum(1 - free) FROM attempt WHERE touch_id IN (?*) GROUP BY touch_id"
    return {row[0]: (row[1], int(row[2])) for row in fetch(connection, sql, touches)}


def _held(connection: sa.Connection, results: Sequence[Result], worker: str) -> set[int]:
    fences = {r.touch.id: r.touch.fence for r in results}
    rows = fetch(
        connection,
        "SELECT id, fence FROM touch WHERE id IN (?*) AND send_state = 'sending' AND lease_by = ? ORDER BY id"
        + locked(connection),
        list(fences),
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
        run(
            connection,
            f"UPDATE touch SET send_state = 'accepted', settled_at = ?, facts = NULL, {gone} WHERE id IN (?*)",
            now,
            [r.touch.id for r in accepted],
        )
        settled += [(r.touch.id, "accepted", now, None) for r in accepted]
    if rejected := by.get("rejected"):
        many(connection, f"UPDATE touch SET send_state = 'rejected', reason = ?, settled_at = ?, facts = NULL, {gone} WHERE id = ?",
              [(r.reason, now, r.touch.id) for r in rejected])  # fmt: skip
        settled += [(r.touch.id, "rejected", now, r.reason) for r in rejected]
    if unknown := by.get("unknown"):
        run(connection, f"UPDATE touch SET send_state = 'unknown', {gone} WHERE id IN (?*)", [r.touch.id for r in unknown])
    if again := by.get("not_sent"):
        many(connection, f"UPDATE touch SET send_state = 'retry', due_at = ?, {gone} WHERE id = ?",
              [(r.retry_at if r.retry_at is not None else now, r.touch.id) for r in again])  # fmt: skip
        over = [r.touch.id for r in again if r.retry_at is None]
        skip(connection, [(i, "exhausted", None) for i in over], now=now)
        settled += [(i, "skipped", now, "exhausted") for i in over]
    free_slots(connection, [r.touch.id for r in (*by.get("rejected", ()), *by.get("not_sent", ()))])
    return settled


def _late(connection: sa.Connection, results: Sequence[Result], *, now: int) -> list[tuple[int, str, int, str | None]]:
    """A worker that lost its lease says what it knows: evidence, and the end of the doubt that its absence had raised."""
    if not results:
        return []
    remember(connection, [(r.touch.id, r.n, "worker", r.outcome, now, r.ref or r.detail) for r in results])
    for r in results:
        match r.outcome:
            case "accepted":
                proof(connection, r.touch.id, r.n, ref=r.ref or "late", source="worker", now=now)
            case "rejected" | "not_sent":
                disproof(connection, r.touch.id, r.n, r.outcome, now=now)
    return []


def free_slots(connection: sa.Connection, touches: Sequence[int]) -> None:
    """Give back the slots of touches that did not leave."""
    if touches:
        run(connection, "DELETE FROM cap_slot WHERE touch_id IN (?*)", touches)


def skip(connection: sa.Connection, touches: Sequence[tuple[int, str, str | None]], *, now: int) -> None:
    """Touches end unsent: (id, reason, detail or None); the detail is kept as evidence."""
    many(
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


def fates(connection: sa.Connection, touches: Sequence[int]) -> tuple[int, int]:
    """Of these touches, those that a provider answered or that could not be rendered: (how many, how many failed)."""
    tried = bad = 0
    for at in range(0, len(touches), 5000):
        query = (
            "SELECT count(*), coalesce(sum(CASE WHEN send_state <> 'accepted' THEN 1 ELSE 0 END), 0) FROM touch"
            " WHERE id IN (?*) AND (send_state IN ('accepted','rejected') OR (send_state = 'skipped'"
            " AND reason = 'render_failed'))"
        )
        row = fetch(connection, query, touches[at : at + 5000])[0]
        tried, bad = tried + int(row[0]), bad + int(row[1])
    return tried, bad


def taken_up(connection: sa.Connection, touches: Sequence[int]) -> list[int]:
    """Those of these touches that were more than claimed: sent, refused, in doubt, or fallen out."""
    query = "SELECT id FROM touch WHERE id IN (?*) AND send_state NOT IN ('planned','claimed') ORDER BY id"
    return [row[0] for row in fetch(connection, query, touches)] if touches else []


def on_disk(connection: sa.Connection, handovers: Sequence[int]) -> set[int]:
    """Those of these handovers whose outcomes are recorded: nobody but who made the call ends it."""
    return {row[0] for row in fetch(connection, "SELECT id FROM handover WHERE id IN (?*) AND ended_at IS NOT NULL", handovers)}


def open_tasks(connection: sa.Connection, touches: Iterable[Claimed]) -> None:
    """A row of work for each of these touches, once."""
    many(
        connection,
        "INSERT INTO task (touch_id, team, kind, due_at, state) VALUES (?, ?, ?, ?, 'open') ON CONFLICT DO NOTHING",
        [(t.id, t.team, t.task_kind, t.task_due) for t in touches],
    )
