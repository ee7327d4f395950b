"""Coming back: a person takes back an own leaving, and nothing else that stands against writing; the log says when and how."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.store import consents
from omnicli.store import tables as tb
from omnicli.store.consents import TOPIC, Permission

if TYPE_CHECKING:
    from omnicli.store.connection import Store

LEFT = "unsubscribed"
SOURCE = "preferences"


def rejoin(
    store: Store, contact: int, channel: str, *, back: Sequence[str], away: Sequence[str], now: datetime, proof: str, wait: float | None = None,
) -> None:  # fmt: skip
    """Lift the bars of leaving on these topics (none: on all marketing of the channel), keep away those of `away` where all
    marketing had been left, and log the permission. Complaints, STOP and dead addresses stay (rules SU-05, SU-07)."""
    with store.write(wait=wait) as connection:
        whole = _bars(connection, contact, channel, ["marketing"], now)
        had_left = bool(consents.lift(connection, whole, now=now))
        consents.lift(connection, _bars(connection, contact, channel, [TOPIC + name for name in back], now), now=now)
        if had_left and away:
            consents.suppress(connection, _bars(connection, contact, channel, [TOPIC + name for name in away], now), now=now)
        purposes = ["marketing", *(TOPIC + name for name in back)]
        _log(connection, contact, channel, purposes, granted=True, now=now, proof=proof)


def agree(
    store: Store, contact: int, channel: str, purpose: str, granted: bool, *, now: datetime, proof: str, wait: float | None = None,
) -> None:  # fmt: skip
    """Log that the person allows this purpose, or no longer does."""
    with store.write(wait=wait) as connection:
        _log(connection, contact, channel, [purpose], granted=granted, now=now, proof=proof)


def _bars(connection: sa.Connection, contact: int, channel: str, scopes: Sequence[str], now: datetime) -> list[consents.Bar]:
    return [
        bar
        for scope in scopes
        for bar in consents.bars_of(connection, contact, channel, LEFT, at=now, scope=scope, source=SOURCE)
    ]


def _log(
    connection: sa.Connection, contact: int, channel: str, purposes: Sequence[str], *, granted: bool, now: datetime, proof: str
) -> None:
    c = tb.consent.c
    standing = connection.scalar(
        sa.select(c.granted).where(c.contact_id == contact, c.channel == channel, c.purpose == "marketing")
    )
    wanted = [p for p in purposes if p != "marketing" or not standing]  # a permission that stands keeps its own proof
    consents.record_permissions(connection, [
        Permission(contact, channel, granted, now, None, SOURCE, proof, purpose, "granted" if granted else "withdrawn") for purpose in wanted
    ], now=now)  # fmt: skip
    consents.refold_reach(connection, [contact], now=now)
