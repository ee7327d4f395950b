"""What the public pages ask of the store: whom a token names, what that person was sent, and what the person has left."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from omnicli import clock
from omnicli.model.contact import Reach, read_reach
from omnicli.store import tables as tb

#: The purpose under which a person agrees that openings are noted by person (rules CO-07).
OPENS = "opens"
#: The setting in which the openings of one message are summed, by day: it names nobody.
SUMS = "opens:"


@dataclass(frozen=True, slots=True)
class Named:
    """The touch behind a token. `key` is its 16 bytes, `language` the contact's, else the one that the pass speaks; `facts` maps
    a fact to (type, spelling) as this message told it."""

    id: int
    key: bytes
    contact_id: int
    version_id: int
    campaign: str
    message: str
    step: str
    channel: str
    purpose: str
    language: str
    sent_at: datetime | None
    reach: Reach
    facts: Mapping[str, tuple[str, str | None]] = field(default_factory=dict, repr=False)

    @property
    def touch(self) -> str:
        return self.key.hex()


def named(connection: sa.Connection, prefix: bytes) -> Named | None:
    """The touch whose key begins so; None when the store has none, or when the person was erased."""
    x, c, e, k = tb.touch.c, tb.contact.c, tb.enrollment.c, tb.campaign.c
    rest = 16 - len(prefix)
    query = (
        sa.select(
            x.id, x.touch_key, x.contact_id, x.version_id, k.name, x.message, x.step, x.channel, x.purpose,
            sa.func.coalesce(c.language, e.language), x.settled_at, c.reach, x.facts, e.told,
        )
        .join(tb.contact, c.id == x.contact_id).join(tb.enrollment, e.id == x.enrollment_id).join(tb.campaign, k.id == e.campaign_id)
        .where(x.touch_key.between(prefix + bytes(rest), prefix + b"\xff" * rest), c.erased_at.is_(None)).limit(2)
    )  # fmt: skip
    rows = connection.execute(query).all()
    if len(rows) != 1:
        return None
    row = tuple(rows[0])
    settled, reach, facts, told = row[10:]
    kept = json.loads(facts) if facts else json.loads(told or "{}").get(row[5], {})
    return Named(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9],
        clock.from_ms(settled) if settled is not None else None, read_reach(reach),
        {name: (kind, value) for name, (kind, value) in kept.items()},
    )  # fmt: skip


def archived(connection: sa.Connection, touch: int) -> tuple[bytes, bytes] | None:
    """Skeleton and values of the message as it was handed over; None when it was not, or is no longer kept."""
    s, r = tb.skeleton.c, tb.rendering.c
    row = connection.execute(
        sa.select(s.parts, r["values"]).join(tb.rendering, r.skeleton_id == s.id).where(r.touch_id == touch)
    ).first()
    return (bytes(row[0]), bytes(row[1])) if row else None


def came(connection: sa.Connection, source: str, key: bytes) -> bool:
    """Whether this element was received before."""
    i = tb.inbox.c
    return connection.execute(sa.select(i.received_at).where(i.provider == source, i.dedup_key == key)).first() is not None


def agreed(connection: sa.Connection, contacts: Collection[int], purpose: str = OPENS, channel: str = "email") -> set[int]:
    """Who of these agreed to this purpose, which nobody does by saying nothing."""
    c, found = tb.consent.c, set()
    ids = sorted(contacts)
    for start in range(0, len(ids), 900):
        some = ids[start : start + 900]
        query = sa.select(c.contact_id).where(c.contact_id.in_(some), c.purpose == purpose, c.channel == channel, c.granted == 1)
        found |= set(connection.execute(query).scalars())
    return found


def address(connection: sa.Connection, contact: int, channel: str) -> str | None:
    """Where this person is reached on the channel."""
    a = tb.address.c
    found: str | None = connection.scalar(sa.select(a.value).where(a.contact_id == contact, a.channel == channel))
    return found


def count_openings(connection: sa.Connection, openings: Mapping[tuple[str, str], int]) -> None:
    """Add to the sums: (message's key in hexadecimal, day) → how many more."""
    rows = [{"key": f"{SUMS}{key}:{day}", "n": n} for (key, day), n in sorted(openings.items())]
    if rows:
        connection.execute(
            sa.text(
                "INSERT INTO setting (key, value) VALUES (:key, :n) "
                "ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(setting.value AS INTEGER) + CAST(excluded.value AS INTEGER) AS TEXT)"
            ),
            [{**row, "n": str(row["n"])} for row in rows],
        )
