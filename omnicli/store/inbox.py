"""What came in, as it came: stored once by (source, id), folded afterwards into the ledger of events."""

from __future__ import annotations

import json
import secrets
from binascii import b2a_base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, islice
from typing import Any

import sqlalchemy as sa

from omnicli import clock, guards
from omnicli.model.ids import digest
from omnicli.model.kept import Kept, write_raw
from omnicli.model.kept import read_raw as read_raw
from omnicli.model.response import Receipt, Response
from omnicli.store import tables
from omnicli.text import nul_shown

inbox = tables.inbox
ROWS = 5000
#: Rows of one statement. FAIL instead of ABORT: what fails takes the whole transaction back anyway, and SQLite then keeps no second
#: copy of each page for this one statement.
_SIZES = (256, 64, 16, 4, 1)
_HEAD = "INSERT INTO inbox (provider, dedup_key, provider_event_id, raw, received_at, folded_at, outcome, body)"
_INSERTS = {
    size: f"{_HEAD.replace('INSERT', 'INSERT OR FAIL')} VALUES "
    + ",".join(["(?,?,?,?,?,?,?,?)"] * size)
    + " ON CONFLICT DO NOTHING"
    for size in _SIZES
}
#: What was posted is kept so long, and so long the keys by which a repeat is known (docs/delivery 15).
BODIES, KEYS = timedelta(days=30), timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One stored response that is not folded yet; `(provider, dedup_key)` is its key in the inbox."""

    provider: str
    dedup_key: bytes
    response: Response
    received_at: datetime


def dedup_key(source: str, id: str) -> bytes:
    return digest(source, "response", id)[:16]


def event_hash(provider: str, event_id: str) -> str:
    """What stands in the inbox for a provider's id: 16 characters, for the index of what is random costs by its bytes."""
    return b2a_base64(sha256(f"{provider}\x1f{event_id}".encode("utf-8", "surrogatepass")).digest()[:12], newline=False).decode()


def receive(connection: sa.Connection, responses: Iterable[Response], *, now: datetime) -> int:
    """Store what is new; how many were. A repeat of (source, id) is dropped, whatever else it says. NUL is shown as ␀."""
    insert = (
        "INSERT INTO inbox (provider, dedup_key, provider_event_id, raw, received_at) VALUES (:provider, :key, :id, :raw, :at) "
        "ON CONFLICT DO NOTHING"
    )
    at, new, waiting = clock.to_ms(now), 0, iter(responses)
    while chunk := list(islice(waiting, ROWS)):
        rows = [
            {
                "provider": r.source,
                "key": dedup_key(r.source, r.id),
                "id": event_hash(r.source, nul_shown(r.id)),
                "raw": write_raw(_shown(r)),
                "at": at,
            }
            for r in chunk
        ]
        new += connection.execute(sa.text(insert), rows).rowcount
    return new


def take(connection: sa.Connection, receipts: Sequence[Receipt], *, now: datetime) -> list[Receipt]:
    """Store what a provider posted; those that are new. A repeat by either key (what it says, the provider's id) is dropped; an
    unreadable one is kept with its reason and never folded. NUL in a text is shown as ␀; the body stays as it came."""
    by_key, by_id = guards.on("dedup_key"), guards.on("dedup_event_id")
    receipts = [r if type(r) is Kept else _readable(r) for r in receipts]
    mine = {(r.provider, r.key if by_key else secrets.token_bytes(16)): r for r in receipts}
    if by_key and len(mine) < len(receipts):  # of those that say the same the first stays
        mine = {(r.provider, r.key): r for r in reversed(receipts)}
        mine = dict(reversed(mine.items()))
    if connection.dialect.name == "postgresql":
        fresh = _inserted(connection, mine, clock.to_ms(now), by_id=by_id)
        return [receipt for key, receipt in mine.items() if key in fresh]
    new = _insert(connection, mine, clock.to_ms(now), by_id=by_id)
    if new == len(mine):
        return list(mine.values())
    last = (
        "SELECT provider, dedup_key FROM inbox WHERE rowid > (SELECT max(rowid) FROM inbox) - ?"  # rows are numbered as they come
    )
    rows = connection.exec_driver_sql(last, (new,))
    fresh = {(provider, bytes(key)) for provider, key in rows}
    return [receipt for key, receipt in mine.items() if key in fresh]


def _readable(receipt: Receipt) -> Receipt:
    """The same, in texts that either store can hold."""
    response, event_id, note = receipt.response, nul_shown(receipt.event_id), nul_shown(receipt.note)
    said = response and _shown(response)
    if said is response and event_id is receipt.event_id and note is receipt.note:
        return receipt
    return replace(receipt, response=said, event_id=event_id, note=note)


def _shown(response: Response) -> Response:
    if b"\\u0000" not in write_raw(response):
        return response
    return Response(**{name: nul_shown(getattr(response, name)) for name in Response.__slots__})


def _insert(connection: sa.Connection, mine: Mapping[tuple[str, bytes], Receipt], at: int, *, by_id: bool) -> int:
    """Lay these down by statements of a few sizes, so that none is prepared twice; how many were new."""
    waiting, left, new = _laid(mine, at, by_id=by_id), len(mine), 0
    while left:
        size = next(size for size in _SIZES if size <= left)
        values = tuple(chain.from_iterable(islice(waiting, size)))
        new += connection.exec_driver_sql(_INSERTS[size], values).rowcount
        left -= size
    return new


def _inserted(
    connection: sa.Connection, mine: Mapping[tuple[str, bytes], Receipt], at: int, *, by_id: bool
) -> set[tuple[str, bytes]]:
    """The same on PostgreSQL, where several lay down at once and each statement says which rows were new. In the order of the keys:
    two that lay down the same wait for one another, and never in a ring."""
    laid = sorted(_laid(mine, at, by_id=by_id), key=lambda row: row[:2])
    fresh: set[tuple[str, bytes]] = set()
    for start in range(0, len(laid), _SIZES[0]):
        part = laid[start : start + _SIZES[0]]
        rows = ",".join(["(%s,%s,%s,%s,%s,%s,%s,%s)"] * len(part))
        said = connection.exec_driver_sql(f"{_HEAD} VALUES {rows} ON CONFLICT DO NOTHING RETURNING provider, dedup_key",
                                          tuple(chain.from_iterable(part)))  # fmt: skip
        fresh |= {(provider, bytes(key)) for provider, key in said}
    return fresh


def _laid(mine: Mapping[tuple[str, bytes], Receipt], at: int, *, by_id: bool) -> Iterator[tuple[Any, ...]]:
    """Each as a row of the inbox."""
    for (provider, key), receipt in mine.items():
        event_id = event_hash(provider, receipt.event_id) if by_id and receipt.event_id is not None else None
        if type(receipt) is Kept:
            yield provider, key, event_id, receipt.text, at, None, None, receipt.raw
        elif receipt.response is not None:
            yield provider, key, event_id, write_raw(receipt.response), at, None, None, receipt.raw
        else:
            yield provider, key, event_id, None, at, at, f"unreadable: {receipt.note or '?'}", receipt.raw


def arrival(receipt: Receipt, now: datetime) -> Arrival:
    """A new receipt as the fold will find it."""
    assert receipt.response is not None
    return Arrival(receipt.provider, receipt.key, receipt.response, now)


def known(connection: sa.Connection, source: str, ids: Sequence[str]) -> set[str]:
    """Which of these ids of one source are in the inbox already."""
    keys = {dedup_key(source, id): id for id in ids}
    found: set[str] = set()
    for start in range(0, len(keys), 900):
        some = list(keys)[start : start + 900]
        query = sa.select(inbox.c.dedup_key).where(inbox.c.provider == source, inbox.c.dedup_key.in_(some))
        found.update(keys[bytes(key)] for key in connection.execute(query).scalars())
    return found


def unfolded(connection: sa.Connection, *, limit: int = ROWS) -> list[Arrival]:
    """The oldest arrivals that are not folded, in a fixed order."""
    query = (
        sa.select(inbox.c.provider, inbox.c.dedup_key, inbox.c.raw, inbox.c.received_at)
        .where(inbox.c.folded_at.is_(None))
        .order_by(inbox.c.received_at, inbox.c.provider, inbox.c.dedup_key)
        .limit(limit)
    )
    return [Arrival(p, k, read_raw(raw), clock.from_ms(at)) for p, k, raw, at in connection.execute(query)]


def still_waiting(connection: sa.Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those that nobody has folded since they were read. Nobody else folds them until the transaction ends: in the order of their keys."""
    waiting: set[tuple[str, bytes]] = set()
    for provider in sorted({a.provider for a in arrivals}):
        keys = sorted(a.dedup_key for a in arrivals if a.provider == provider)
        for start in range(0, len(keys), 900):
            query = sa.select(inbox.c.dedup_key).where(
                inbox.c.provider == provider, inbox.c.dedup_key.in_(keys[start : start + 900]), inbox.c.folded_at.is_(None)
            )
            locking = query.order_by(inbox.c.dedup_key).with_for_update(key_share=True)
            waiting.update((provider, bytes(key)) for key in connection.execute(locking).scalars())
    return [a for a in arrivals if (a.provider, bytes(a.dedup_key)) in waiting]


def fold_done(connection: sa.Connection, arrivals: Sequence[tuple[Arrival, str]], *, now: datetime) -> None:
    """Note the outcome of each: `event`, `unmatched` (no such contact), `refused: …`, or what the fold says."""
    rows = [{"p": a.provider, "k": a.dedup_key, "o": outcome, "at": clock.to_ms(now)} for a, outcome in arrivals]
    if rows:
        connection.execute(sa.text("UPDATE inbox SET folded_at = :at, outcome = :o WHERE provider = :p AND dedup_key = :k"), rows)


def retire(connection: sa.Connection, *, now: datetime) -> tuple[int, int]:
    """Take away bodies older than 30 days, and of what was folded into the ledger the copy too; rows older than 400 days go
    altogether. (bodies, rows)"""
    old, oldest = clock.to_ms(now - BODIES), clock.to_ms(now - KEYS)
    gone = connection.execute(sa.delete(inbox).where(inbox.c.received_at < oldest, inbox.c.folded_at.is_not(None))).rowcount
    kept = sa.case((inbox.c.outcome.in_(("event", "receipt")), None), else_=inbox.c.raw)
    bodies = connection.execute(
        sa.update(inbox)
        .where(inbox.c.received_at < old, inbox.c.folded_at.is_not(None))
        .where(sa.or_(inbox.c.body.is_not(None), sa.and_(inbox.c.raw.is_not(None), inbox.c.outcome.in_(("event", "receipt")))))
        .values(body=None, raw=kept)
    ).rowcount
    return int(bodies), int(gone)


def ripe(connection: sa.Connection, *, now: datetime) -> bool:
    """Whether anything in the inbox is old enough to be taken away."""
    query = sa.select(inbox.c.provider).where(inbox.c.received_at < clock.to_ms(now - BODIES), inbox.c.folded_at.is_not(None))
    kept = query.where(sa.or_(inbox.c.body.is_not(None), inbox.c.raw.is_not(None), inbox.c.received_at < clock.to_ms(now - KEYS)))
    return connection.execute(kept.limit(1)).first() is not None


def unfold_unmatched(connection: sa.Connection, contacts: Sequence[str]) -> int:
    """Put responses that waited for these contacts (source ids), or for an address that one of them has, back among the
    unfolded; how many."""
    wanted, back = frozenset(contacts), []
    query = sa.select(inbox.c.provider, inbox.c.dedup_key, inbox.c.raw).where(
        inbox.c.outcome == "unmatched", inbox.c.raw.is_not(None)
    )
    waiting = [(provider, key, json.loads(raw)) for provider, key, raw in connection.execute(query)]
    places = _places(connection, wanted) if any(said.get("address") for _, _, said in waiting) else frozenset()
    for provider, key, said in waiting:
        if said["contact"] in wanted or (
            not said["contact"] and (said.get("channel"), str(said.get("address")).lower()) in places
        ):
            back.append({"p": provider, "k": key})
    if back:
        connection.execute(
            sa.text("UPDATE inbox SET folded_at = NULL, outcome = NULL WHERE provider = :p AND dedup_key = :k"), back
        )
    return len(back)


def _places(connection: sa.Connection, contacts: Collection[str]) -> frozenset[tuple[str, str]]:
    """(channel, normalised address) of these contacts, letters small."""
    a, c = tables.address.c, tables.contact.c
    found: set[tuple[str, str]] = set()
    names = sorted(contacts)
    for start in range(0, len(names), 900):
        query = (
            sa.select(a.channel, a.norm)
            .join(tables.contact, c.id == a.contact_id)
            .where(c.source_id.in_(names[start : start + 900]))
        )
        found.update((channel, norm.lower()) for channel, norm in connection.execute(query))
    return frozenset(found)


def unmatched(connection: sa.Connection) -> int:
    """How many responses name a contact that is not in the store."""
    return int(
        connection.execute(sa.select(sa.func.count()).select_from(inbox).where(inbox.c.outcome == "unmatched")).scalar_one()
    )


def people_of(connection: sa.Connection, touches: Collection[str]) -> dict[str, str]:
    """Touch (hex) → the id of the person whom it went to, of those that this store knows."""
    t, c = tables.touch.c, tables.contact.c
    found: dict[str, str] = {}
    keys = iter({bytes.fromhex(one) for one in touches})
    while part := list(islice(keys, 500)):
        query = sa.select(t.touch_key, c.source_id).join(tables.contact, c.id == t.contact_id).where(t.touch_key.in_(part))
        found |= {key.hex(): person for key, person in connection.execute(query)}
    return found


def listed(connection: sa.Connection, *, since: datetime | None = None, outcome: str | None = None, limit: int | None = None,
           after: tuple[int, bytes] | None = None) -> Iterator[tuple[Arrival, str | None]]:  # fmt: skip
    """Arrivals with their outcome, newest first."""
    query = sa.select(inbox.c.provider, inbox.c.dedup_key, inbox.c.raw, inbox.c.received_at, inbox.c.outcome)
    query = query.where(inbox.c.raw.is_not(None))  # unreadable, or so old that only its keys are kept
    if since is not None:
        query = query.where(inbox.c.received_at >= clock.to_ms(since))
    if outcome is not None:
        query = query.where(inbox.c.outcome == outcome)
    if after is not None:
        query = query.where(sa.tuple_(inbox.c.received_at, inbox.c.dedup_key) < after)
    query = query.order_by(inbox.c.received_at.desc(), inbox.c.dedup_key.desc())
    for provider, key, raw, at, said in connection.execute(query.limit(limit) if limit else query):
        yield Arrival(provider, key, read_raw(raw), clock.from_ms(at)), said
