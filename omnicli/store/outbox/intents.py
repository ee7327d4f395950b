"""T2: the intents of calls about to start; committed before any of them begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from omnicli import faults
from omnicli.store.outbox.statements import fetch, for_all, grouped, insert, many, run
from omnicli.store.outbox.values import Handing, Intent


def keep_skeletons(connection: sa.Connection, wanted: Mapping[str, tuple[str, bytes, str | None]], *, now: int) -> dict[str, int]:
    """Archive skeletons once each: hash → (channel, packed parts, template); gives hash → row id."""
    if not wanted:
        return {}
    names = list(wanted) if connection.dialect.name == "sqlite" else sorted(wanted)  # two workers keep the same ones in one order
    many(
        connection,
        "INSERT INTO skeleton (hash, channel, parts, template, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(name, wanted[name][0], wanted[name][1], wanted[name][2], now) for name in names],
    )
    marks = ",".join("?" * len(names))
    return {row[0]: row[1] for row in fetch(connection, f"SELECT hash, id FROM skeleton WHERE hash IN ({marks})", *names)}


def intend(connection: sa.Connection, calls: Sequence[Handing], *, now: int) -> list[int]:
    """Write the intents of all calls about to start: attempts, archive, cap slots, state `sending`. Gives a handover a call."""
    handovers = [_handover(connection, call, now) for call in calls]
    insert(
        connection,
        "attempt (touch_id, n, handover_id, fence, outcome, address_hash, body_sha256, started_at)",
        "(?, ?, ?, ?, 'intent', ?, ?, ?)",
        [
            (i[0].id, i[0].attempts + 1, h, i[0].fence, i[1], i[2], now)
            for h, call in zip(handovers, calls, strict=True)
            for i in call[2]
        ],
    )
    faults.point("F06")
    intents = calls[0][2] if len(calls) == 1 else [i for call in calls for i in call[2]]
    archive(connection, intents)
    _sending(connection, calls)
    take_slots(connection, intents, now=now)
    if connection.dialect.name == "sqlite":  # where others wait for that row it rises at the end (store/serial.risen)
        connection.exec_driver_sql("UPDATE instance SET serial = serial + 1")
    return handovers


def _sending(connection: sa.Connection, calls: Sequence[Handing]) -> None:
    """State `sending`, and with it what they would tell and their price where that must be kept: a row is written once."""
    by_lease: dict[int | None, list[Intent]] = {}
    for call in calls:
        by_lease.setdefault(call[3], []).extend(call[2])
    for until, intents in by_lease.items():
        lease: tuple[int, ...] = () if until is None else (until,)
        begins = f"UPDATE touch SET send_state = 'sending', attempts = attempts + 1, held_by = NULL{', lease_until = ?' if lease else ''}"
        if plain := [i[0].id for i in intents if not _changes(i)]:
            run(connection, f"{begins} WHERE id IN (?*)", *lease, plain)
        changed = grouped(((*lease, i[5], i[6]), i[0].id) for i in intents if _changes(i))
        for_all(connection, f"{begins}, facts = ?, cost = ? WHERE id", changed)


def archive(connection: sa.Connection, intents: Sequence[Intent]) -> None:
    """What these touches carry: the skeleton and its values; that of an earlier attempt goes."""
    insert(
        connection,
        'rendering (touch_id, skeleton_id, "values")',
        "(?, ?, ?)",
        [(i[0].id, i[3], i[4]) for i in intents],
        ' ON CONFLICT (touch_id) DO UPDATE SET skeleton_id = excluded.skeleton_id, "values" = excluded."values"',
    )


def cost_anew(connection: sa.Connection, intents: Sequence[Intent]) -> None:
    """What they would tell, where that must be kept, and their price where it is another than was planned."""
    changed = [i for i in intents if _changes(i)]
    for_all(connection, "UPDATE touch SET facts = ?, cost = ? WHERE id", grouped(((i[5], i[6]), i[0].id) for i in changed))


def _changes(intent: Intent) -> bool:
    return intent[5] is not None or intent[6] != intent[0].cost


def take_slots(connection: sa.Connection, intents: Sequence[Intent], *, now: int) -> None:
    """The cap slots that they take."""
    insert(
        connection,
        "cap_slot (contact_id, local_date, rule, slot, touch_id, at)",
        "(?, ?, ?, ?, ?, ?)",
        [(i[0].contact_id, *i[7], i[0].id, now) for i in intents if i[7] is not None],
    )


def _handover(connection: sa.Connection, call: Handing, now: int) -> int:
    found: int = connection.execute(
        _HANDOVER, {"p": call.provider, "a": call.account, "s": len(call.intents), "n": now}
    ).scalar_one()
    return found


_HANDOVER = sa.text(
    "INSERT INTO handover (provider, account, size, started_at, outcome) VALUES (:p, :a, :s, :n, 'intent') RETURNING id"
)
