"""Which version a pass lived at a moment of its life: `migrate` moves it, and the ledger says from where."""

from __future__ import annotations

import json
from collections.abc import Collection

import sqlalchemy as sa

from omnicli.store import tables as tb

#: Pass → (id of the ledger line by which it was moved, id of the version that it left), in order.
Moves = dict[int, list[tuple[int, int]]]


def moves(connection: sa.Connection, passes: Collection[int]) -> Moves:
    """The moves of these passes; most were never moved."""
    d = tb.decision.c
    query = sa.select(d.enrollment_id, d.id, d.why).where(d.enrollment_id.in_(passes), d.kind == "migrate").order_by(d.id)
    found: Moves = {}
    for pass_, line, why in connection.execute(query):
        found.setdefault(pass_, []).append((line, int(json.loads(why)[0]["values"]["version"])))
    return found


def version_at(moved: Moves, pass_: int, line: int, now: int) -> int:
    """The version that the pass lived when this ledger line was written; `now` is the one that it lives today."""
    return next((left for at, left in moved.get(pass_, ()) if at > line), now)
