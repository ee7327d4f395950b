"""Messages that the archive alone carries: nobody is called for them, so their intent and its outcome are written as one.

Whoever hands nothing over leaves no doubt behind: these rows stand wholly or not at all. The order of T2 and T3, their constraints
and their fault points are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from omnicli import faults
from omnicli.store.outbox.intents import archive, cost_anew, take_slots
from omnicli.store.outbox.statements import for_all, grouped, insert, run
from omnicli.store.outbox.values import Handing, Intent

_HANDOVER = sa.text(
    "INSERT INTO handover (provider, account, size, started_at, ended_at, outcome) VALUES (:p, :a, :s, :n, :n, 'accepted') RETURNING id"
)
#: Bytes of the hash of an address, and of a body.
_HASH = 16
_COLUMNS = "touch_id, n, handover_id, fence, outcome, provider_ref, address_hash, body_sha256, started_at"
_ALIKE = (
    f"INSERT INTO attempt ({_COLUMNS}) SELECT value, ?, ?, ?, 'accepted', ?, substr(?, key * {2 * _HASH} + 1, {_HASH}),"
    f" substr(?, key * {2 * _HASH} + {_HASH + 1}, {_HASH}), ? FROM json_each(?)"
)


def carry(connection: sa.Connection, call: Handing, told: Sequence[str | None], *, ref: str, now: int) -> list[int]:
    """Write a handover that ended as it began: attempts and touches accepted, archive, cap slots, what passes were told (`told`, in
    order). Gives the touches whose passes were told nothing: they wait to be woken."""
    intents = call.intents
    values = {"p": call.provider, "a": call.account, "s": len(intents), "n": now}
    handover: int = connection.execute(_HANDOVER, values).scalar_one()
    _attempts(connection, intents, handover, ref=ref, now=now)
    faults.point("F06")
    archive(connection, intents)
    cost_anew(connection, intents)
    run(
        connection,
        "UPDATE touch SET send_state = 'accepted', settled_at = ?, attempts = attempts + 1, held_by = NULL, facts = NULL, lease_by = NULL,"
        " lease_until = NULL, fence = fence + CASE WHEN lease_by IS NULL THEN 1 ELSE 0 END WHERE id IN (?*)",
        now,
        [i[0].id for i in intents],
    )
    take_slots(connection, intents, now=now)
    for_all(
        connection,
        f"UPDATE enrollment SET told = ?, due_at = CASE WHEN state = 'open' THEN {int(now)} ELSE due_at END WHERE id",
        grouped(((words,), i[0].enrollment_id) for i, words in zip(intents, told, strict=True) if words is not None),
    )
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("UPDATE instance SET serial = serial + 1")
    faults.point("F11")
    return [i[0].id for i, words in zip(intents, told, strict=True) if words is None]


def _attempts(connection: sa.Connection, intents: Sequence[Intent], handover: int, *, ref: str, now: int) -> None:
    """Attempts that were accepted as they began. SQLite takes those that differ in nothing but touch and hashes as two values, the ids
    and the hashes behind each other: half the work of values one by one."""
    shared = {(i[0].attempts + 1, i[0].fence) for i in intents}
    if connection.dialect.name == "sqlite" and len(shared) == 1 and all(len(i[1]) == len(i[2]) == _HASH for i in intents):
        (n, fence), hashes = shared.pop(), b"".join([part for i in intents for part in (i[1], i[2])])
        run(connection, _ALIKE, n, handover, fence, ref, hashes, hashes, now, [i[0].id for i in intents])
        return
    insert(
        connection,
        f"attempt ({_COLUMNS})",
        "(?, ?, ?, ?, 'accepted', ?, ?, ?, ?)",
        [(i[0].id, i[0].attempts + 1, handover, i[0].fence, ref, i[1], i[2], now) for i in intents],
    )
