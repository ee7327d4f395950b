"""What a saved plan keeps of one touch: keyed hashes of its words, its facts, its address and the permission it leans on.

They are read where a rehearsal left them: the archive of the copy on which the plan was made. The same reading, on another
copy and at another time, gives the same hashes as long as the same would be sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.bound import seal
from omnicli.store import keys
from omnicli.store import tables as tb

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


@dataclass(frozen=True, slots=True)
class Bond:
    """One touch as it was planned. `owner` is the key of its pass, `person` the contact's uid; `sent` seals words and address
    together, `words`, `address`, `consent` and each of `facts` one of them; `version` is the hash of the one that it passes by."""

    owner: bytes
    person: bytes
    sent: bytes
    words: bytes
    address: bytes
    consent: bytes
    version: str
    facts: tuple[tuple[str, str], ...]


def bonds_of(copy: Store, loaded: Loaded, campaigns: Sequence[int], *, after: int, since: datetime) -> dict[bytes, Bond]:
    """The bonds of all touches of these campaigns that the rehearsal settled: those above the id `after`, or settled from
    `since` on."""
    assert loaded.project is not None
    pepper = keys.of_store(copy, loaded.project.project).pepper
    with copy.read() as connection:
        return dict(_read(connection, pepper, campaigns, after, clock.to_ms(since)))


def _read(
    connection: sa.Connection, pepper: bytes, campaigns: Sequence[int], after: int, since: int
) -> Iterator[tuple[bytes, Bond]]:
    e, x, c, a = tb.enrollment.c, tb.touch.c, tb.contact.c, tb.attempt.c
    query = (
        sa.select(
            x.touch_key,
            x.message,
            x.channel,
            e.key,
            c.uid,
            c.reach,
            e.told,
            a.body_sha256,
            a.address_hash,
            tb.campaign_version.c.hash,
        )
        .join(tb.enrollment, e.id == x.enrollment_id)
        .join(tb.contact, c.id == x.contact_id)
        .join(tb.campaign_version, tb.campaign_version.c.id == e.version_id)
        .join(tb.attempt, sa.and_(a.touch_id == x.id, a.n == x.attempts))
        .where(e.campaign_id.in_(campaigns), x.send_state == "accepted", sa.or_(x.id > after, x.settled_at >= since))
    )
    facts: dict[tuple[str, str | None], tuple[tuple[str, str], ...]] = {}
    for key, message, channel, owner, uid, reach, told, body, address, version in connection.execute(query):
        if (message, told) not in facts:
            facts[message, told] = _facts(pepper, message, told)
        yield key, Bond(
            owner, uid, seal(pepper, body, address), seal(pepper, body), seal(pepper, address), consent(pepper, reach, channel),
            version, facts[message, told],
        )  # fmt: skip


def consent(pepper: bytes, reach: str, channel: str) -> bytes:
    """The permission, the bars and the address' standing of one channel, as one seal."""
    here: Any = json.loads(reach).get(channel)
    return seal(pepper, json.dumps(here, separators=(",", ":")).encode())


def _facts(pepper: bytes, message: str, told: str | None) -> tuple[tuple[str, str], ...]:
    said: Mapping[str, Any] = json.loads(told).get(message, {}) if told else {}
    return tuple((name, seal(pepper, json.dumps(said[name]).encode()).hex()) for name in sorted(said))
