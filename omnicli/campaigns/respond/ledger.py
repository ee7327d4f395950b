"""The ledger of events and what it makes of a person: rows are only added, the newest human answer names the last channel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.respond.understand import Heard
from omnicli.model.response import HUMAN
from omnicli.store import turns

FIXED = (
    "contact_id", "name", "at", "enrollment_id", "campaign", "message", "step", "channel", "machine", "payload", "received_at",
)  # fmt: skip


def enter(connection: sa.Connection, heard: Sequence[Heard], *, now: datetime) -> None:
    """Append these to the ledger, and note the last human channel and that these people changed."""
    _append(connection, heard)
    _people(connection, heard, clock.to_ms(now))


def _append(connection: sa.Connection, heard: Sequence[Heard]) -> None:
    grouped: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for h in heard:
        names = tuple(sorted(h.columns))
        grouped.setdefault(names, []).append((*_row(h), *(h.columns[name] for name in names)))
    for names, rows in grouped.items():
        columns = (*FIXED, *names)
        listed, marks = ", ".join(columns), ", ".join(f":{c}" for c in columns)
        turns.Bulk(f"INSERT INTO event ({listed}) VALUES ({marks})", *columns)(connection, rows)


def _row(h: Heard) -> tuple[Any, ...]:
    """The values of `FIXED`."""
    r, touch = h.response, h.touch
    return (
        h.contact_id, r.name, clock.to_ms(h.at), touch.enrollment_id if touch else None,
        touch.campaign if touch else r.campaign, touch.message if touch else r.message, touch.step if touch else r.step,
        h.channel, int(r.machine), json.dumps(h.payload, ensure_ascii=False, separators=(",", ":")) if h.payload else None,
        clock.to_ms(h.arrival.received_at),
    )  # fmt: skip


def _people(connection: sa.Connection, heard: Sequence[Heard], now: int) -> None:
    newest: dict[int, tuple[int, str]] = {}
    for h in heard:
        if h.response.name in HUMAN and not h.response.machine and h.channel is not None and h.contact_id is not None:
            newest[h.contact_id] = max(newest.get(h.contact_id, (0, "")), (clock.to_ms(h.at), h.channel))
    _last_human(connection, [(channel, at, id_) for id_, (at, channel) in sorted(newest.items())])
    _changed(connection, [(now, id_) for id_ in sorted({h.contact_id for h in heard if h.contact_id and not h.response.machine})])


_last_human = turns.Bulk(
    "UPDATE contact SET last_human_channel = :channel, last_human_at = :at WHERE id = :id AND (last_human_at IS NULL OR last_human_at < :at "
    "OR (last_human_at = :at AND last_human_channel < :channel))", "channel", "at", "id"
)  # fmt: skip
_changed = turns.Bulk("UPDATE contact SET changed_at = :now WHERE id = :id AND changed_at < :now", "now", "id")
