"""What came back becomes what is known: inbox rows are folded into the ledger of events, once each, in any order.

The fold is a function of the set of responses: ranks of delivery never fall, the newest answer names the last human channel, a
bar is never undone by an older word. Whoever answered is brought up at once; passes that ended may still convert (4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock, faults, guards
from omnicli.campaigns.respond import cases, counters, goals, ledger, receipts
from omnicli.campaigns.respond.keywords import keyword
from omnicli.campaigns.respond.optout import OptOuts, carries
from omnicli.campaigns.respond.understand import Understanding
from omnicli.store import tables as tb
from omnicli.store import turns
from omnicli.store.inbox import Arrival, fold_done, read_raw, still_waiting
from omnicli.store.outbox.locking import lock_contacts, repeating

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

__all__ = ["BATCH", "SKEW", "Folded", "bar_at_once", "fold", "keyword"]

#: Arrivals a transaction.
BATCH = 2000
#: A sender's clock may run ahead by so much; what is later still has not happened yet and stays in the inbox.
SKEW = timedelta(minutes=5)


@dataclass
class Folded:
    """What a fold did: `events` new in the ledger, `receipts` that said how far a touch came, `unmatched` responses of people whom
    the store does not know, `refused` ones whose payload is not what its event declares, contacts `woken`, `opted_out`, `cases`
    opened, passes `converted`, doubts `settled`, `duplicates` now certain, `contradictions` (HOLD), bars `mirrored` from a provider."""

    events: int = 0
    receipts: int = 0
    unmatched: int = 0
    refused: int = 0
    woken: int = 0
    opted_out: int = 0
    cases: int = 0
    converted: int = 0
    settled: int = 0
    duplicates: int = 0
    contradictions: int = 0
    mirrored: int = 0


def fold(store: Store, loaded: Loaded, *, now: datetime, batch: int = BATCH) -> Folded:
    """Fold whatever the inbox holds that has happened by `now`, a batch a transaction; a repeat changes nothing, nor does another
    process that folds meanwhile: each arrival is folded by the first that locks it."""
    done = Folded()
    after: tuple[int, str, bytes] | None = None
    while True:
        with store.read() as connection:
            arrivals = _waiting(connection, now=now, limit=batch, after=after)
        if not arrivals:
            return done
        last = arrivals[-1]
        after = clock.to_ms(last.received_at), last.provider, last.dedup_key
        ripe = [a for a in arrivals if a.response.at <= now + SKEW]
        if ripe:
            repeating(partial(_fold_batch, store, loaded, ripe, done, now))


def _fold_batch(store: Store, loaded: Loaded, arrivals: Sequence[Arrival], done: Folded, now: datetime) -> None:
    with store.write() as connection:
        if mine := still_waiting(connection, arrivals):
            _fold(store, connection, loaded, mine, done, now)
        faults.point("F15")


def _waiting(connection: sa.Connection, *, now: datetime, limit: int, after: tuple[int, str, bytes] | None) -> list[Arrival]:
    """Unfolded arrivals in a fixed order, after that position."""
    given: dict[str, object] = {"most": limit}
    if after is not None:
        given |= dict(zip(("at", "provider", "key"), after, strict=True))
    rows = connection.execute(_UNFOLDED if after is None else _UNFOLDED_AFTER, given)
    return [Arrival(p, k, read_raw(raw), clock.from_ms(at)) for p, k, raw, at in rows]


_i = tb.inbox.c
_UNFOLDED = (
    sa.select(_i.provider, _i.dedup_key, _i.raw, _i.received_at)
    .where(_i.folded_at.is_(None))
    .order_by(_i.received_at, _i.provider, _i.dedup_key)
    .limit(sa.bindparam("most", type_=sa.Integer()))
)
_AFTER = (
    sa.bindparam("at", type_=sa.BigInteger()),
    sa.bindparam("provider", type_=sa.Text()),
    sa.bindparam("key", type_=sa.LargeBinary()),
)
_UNFOLDED_AFTER = _UNFOLDED.where(sa.tuple_(_i.received_at, _i.provider, _i.dedup_key) > sa.tuple_(*_AFTER))


def _fold(
    store: Store, connection: sa.Connection, loaded: Loaded, arrivals: Sequence[Arrival], done: Folded, now: datetime
) -> None:
    """One batch: T5."""
    assert loaded.project is not None
    understanding = Understanding(connection, loaded, now=now)
    found = understanding(arrivals)
    # Whoever decides for one of these at this moment is seen to have decided: else a pass that is due still would not be woken.
    lock_contacts(connection, {h.contact_id for h in (*found.heard, *found.receipts) if h.contact_id is not None})
    ledger.enter(connection, found.heard, now=now)
    settled = receipts.follow(connection, sorted([*found.heard, *found.receipts], key=lambda h: h.order), now=now)
    receipts.strange(connection, found.strange)
    left = OptOuts(store, connection, loaded.project, now=now).raise_bars(
        [*found.heard, *found.receipts, *found.nobody], at_once=False
    )
    counters.recount(connection, found.heard, now=now)
    opened = cases.open_cases(connection, loaded.project, found.heard)
    contacts = sorted({h.contact_id for h in found.heard if h.contact_id is not None and not h.response.machine})
    turns.wake(connection, contacts, now)
    converted = goals.late(connection, lambda: understanding.houses, contacts, now=now)
    outcomes = [(h.arrival, "event") for h in found.heard] + [(h.arrival, "receipt") for h in found.receipts]
    outcomes += [(h.arrival, "unmatched") for h in found.nobody] + [(a, "contradiction") for a in found.strange]
    fold_done(connection, [*outcomes, *found.refused], now=now)

    done.events += len(found.heard)
    done.receipts += len(found.receipts)
    done.unmatched += len(found.nobody)
    done.refused += len(found.refused)
    done.woken += len(contacts)
    done.opted_out += left.people
    done.mirrored += left.mirrored
    done.cases += opened
    done.converted += converted
    done.settled += settled.settled
    done.duplicates += settled.duplicates
    done.contradictions += settled.contradictions + len(found.strange)


def bar_at_once(store: Store, connection: sa.Connection, loaded: Loaded, arrivals: Sequence[Arrival], *, now: datetime) -> int:
    """The bars that these arrivals carry, before they are folded (T4); people hit. A word that undoes a bar waits for the fold."""
    assert loaded.project is not None
    carrying = [a for a in arrivals if carries(a.response.name, a.response.payload)]
    if not carrying or not guards.on("opt_out_at_once"):
        return 0
    found = Understanding(connection, loaded, now=now)(carrying)
    heard = [*found.heard, *found.receipts, *found.nobody]
    return OptOuts(store, connection, loaded.project, now=now).raise_bars(heard, at_once=True).people
