"""What became of a touch after it left: `delivery_state` only rises, flags stick, doubts are settled by their own attempt's event.

An event that carries touch and attempt proves that this attempt was accepted (docs/delivery 2). Where the store says otherwise it is
a contradiction: kept as evidence, and the store goes on HOLD, since a database was restored or an answer misread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from omnicli import clock, guards
from omnicli.campaigns.respond.understand import Heard
from omnicli.model.response import RECEIPT
from omnicli.store import holding, outbox, turns
from omnicli.store import tables as tb
from omnicli.store.inbox import Arrival

#: `delivery_state` by its rank, which never falls (docs/delivery 2); of equal ranks the later word of the alphabet stands.
RANKS: Mapping[str, int] = {
    "none": 0, "processed": 1, "queued": 2, "sent": 3, "deferred": 4, "delivered": 5, "bounced": 6, "dropped": 6, "undelivered": 6,
}  # fmt: skip
#: The state that an event of the ledger tells; a receipt tells its own (`read` is delivered, and opened).
DELIVERY: Mapping[str, str] = {"delivered": "delivered", "bounced": "bounced", "failed": "undelivered"}
FLAGS = frozenset({"opened", "clicked", "replied", "complained", "unsubscribed"})
ROWS = 900


@dataclass
class Settled:
    """Of one batch: doubts that were settled, second copies that are now certain, contradictions found."""

    settled: int = 0
    duplicates: int = 0
    contradictions: int = 0


def follow(connection: sa.Connection, heard: Sequence[Heard], *, now: datetime) -> Settled:
    """Fold what these say of their touches."""
    about = [h for h in heard if h.touch is not None]
    _rise(connection, about)
    named = [h for h in about if h.named]
    _remember(connection, named)
    return _settle(connection, named, now=now)


def strange(connection: sa.Connection, arrivals: Sequence[Arrival]) -> None:
    """Touches signed with our own key that the store does not know: this is an older copy of it."""
    if arrivals:
        holding.hold(connection, "contradiction")


# --- states and flags -----------------------------------------------------------------------------------------------
def state_of(h: Heard) -> str:
    """The delivery state that a response tells, or `none`."""
    if h.response.name == RECEIPT:
        said = str(h.response.payload.get("state") or "")
        return "delivered" if said == "read" else said if said in RANKS else "none"
    return DELIVERY.get(h.response.name, "none")


def _flag_of(h: Heard) -> str | None:
    if h.response.machine:
        return None
    if h.response.name == RECEIPT:
        return "opened" if h.response.payload.get("state") == "read" else None
    return h.response.name if h.response.name in FLAGS else None


def _rise(connection: sa.Connection, about: Sequence[Heard]) -> None:
    states: dict[int, tuple[int, str]] = {}
    flags: dict[int, set[str]] = {}
    for h in about:
        assert h.touch is not None
        if (state := state_of(h)) != "none":
            states[h.touch.id] = max(states.get(h.touch.id, (0, "")), (RANKS[state], state))
        if (flag := _flag_of(h)) is not None:
            flags.setdefault(h.touch.id, set()).add(flag)
    rows = []
    for id_, state, stuck in _standing(connection, sorted({*states, *flags})):
        risen = (
            max((RANKS.get(state, 0), state), states.get(id_, (0, "none")))[1]
            if guards.on("sticky_flags")
            else states.get(id_, (0, state))[1]
        )
        kept = {*stuck.split()} if guards.on("sticky_flags") else set()
        new = " ".join(sorted({*kept, *flags.get(id_, ())}))
        if (risen, new) != (state, stuck):
            rows.append((risen, new, id_))
    _delivery(connection, rows)


def _standing(connection: sa.Connection, ids: Sequence[int]) -> Iterable[tuple[int, str, str]]:
    x = tb.touch.c
    for start in range(0, len(ids), ROWS):
        query = sa.select(x.id, x.delivery_state, x.flags).where(x.id.in_(ids[start : start + ROWS]))
        yield from ((row[0], row[1], row[2]) for row in connection.execute(query).all())


_delivery = turns.Bulk("UPDATE touch SET delivery_state = :state, flags = :flags WHERE id = :id", "state", "flags", "id")


# --- evidence -------------------------------------------------------------------------------------------------------
def _remember(connection: sa.Connection, named: Sequence[Heard]) -> None:
    """Everything that a provider said of a touch by name."""
    _evidence(connection, [_line(h, _kind(h), _detail(h)) for h in named])


def _line(h: Heard, kind: str, detail: str | None) -> tuple[Any, ...]:
    assert h.touch is not None
    return h.touch.id, h.response.attempt or 0, h.response.source, kind, clock.to_ms(h.at), detail


def _kind(h: Heard) -> str:
    return str(h.response.payload.get("state") or RECEIPT) if h.response.name == RECEIPT else h.response.name


def _detail(h: Heard) -> str | None:
    said = [str(h.response.payload[key]) for key in ("code", "kind", "ref") if h.response.payload.get(key)]
    return " ".join(said) or None


_evidence = turns.Bulk(
    "INSERT INTO evidence (touch_id, n, source, kind, at, detail) VALUES (:touch, :n, :source, :kind, :at, :detail)",
    "touch", "n", "source", "kind", "at", "detail",
)  # fmt: skip


# --- doubts ---------------------------------------------------------------------------------------------------------
def _settle(connection: sa.Connection, named: Sequence[Heard], *, now: datetime) -> Settled:
    """Each proof against what the store knows of that attempt; the earliest proof of an attempt speaks for it."""
    done = Settled()
    proofs: dict[tuple[int, int], Heard] = {}
    for h in named:
        assert h.touch is not None
        proofs.setdefault((h.touch.id, h.response.attempt or 0), h)
    attempts = _attempts(connection, sorted({touch for touch, _ in proofs}))
    for (touch, n), h in sorted(proofs.items(), key=lambda item: item[0]):
        known = attempts.get(touch, {})
        if n == 0:  # named by a link or typed: it settles whatever is in doubt
            n = next((k for k, outcome in sorted(known.items()) if outcome in ("unknown", "intent")), 0)
        if n and known.get(n) != "accepted":
            _prove(connection, h, touch, n, done, clock.to_ms(now))
    return done


def _attempts(connection: sa.Connection, touches: Sequence[int]) -> dict[int, dict[int, str]]:
    a = tb.attempt.c
    found: dict[int, dict[int, str]] = {}
    for start in range(0, len(touches), ROWS):
        query = sa.select(a.touch_id, a.n, a.outcome).where(a.touch_id.in_(touches[start : start + ROWS]))
        for touch, n, outcome in connection.execute(query):
            found.setdefault(touch, {})[n] = outcome
    return found


def _prove(connection: sa.Connection, h: Heard, touch: int, n: int, done: Settled, now: int) -> None:
    match outbox.proof(connection, touch, n, ref=_ref(h), source=h.response.source, now=now):
        case "settled":
            done.settled += 1
        case "duplicate":
            done.duplicates += 1
        case "contradiction" if guards.on("contradiction"):
            done.contradictions += 1
            holding.hold(connection, "contradiction")
            _take_back(connection, h, touch, n, now)
        case _:
            pass


def _ref(h: Heard) -> str:
    return str(h.response.payload.get("ref") or f"event-{h.response.id}")


def _take_back(connection: sa.Connection, h: Heard, touch: int, n: int, now: int) -> None:
    """The store said that this attempt never left, or never was. It did: so no other of this touch may leave, also when the store
    is released again. A touch that has ended stays as it ended; its attempt tells the truth."""
    known = _attempts(connection, [touch]).get(touch, {})
    if any(outcome in ("intent", "unknown", "accepted") for outcome in known.values()):
        return
    if n not in known:
        _unheard_of(connection, h, touch, n)
    connection.execute(_ATTEMPT, {"ref": _ref(h), "touch": touch, "n": n})
    if connection.execute(_TOUCH, {"now": now, "touch": touch}).rowcount:
        turns.settle(connection, [(touch, "accepted", now, None)])


_ATTEMPT = sa.text(
    "UPDATE attempt SET outcome = 'accepted', provider_ref = coalesce(provider_ref, :ref) WHERE touch_id = :touch AND n = :n"
)
_TOUCH = sa.text(
    "UPDATE touch SET send_state = 'accepted', settled_at = :now, held_by = NULL, lease_by = NULL, lease_until = NULL WHERE id = :touch"
    " AND send_state IN ('retry','planned','claimed')"
)


def _unheard_of(connection: sa.Connection, h: Heard, touch: int, n: int) -> None:
    """The attempt that a restored store has forgotten, as far as it can be known."""
    at = clock.to_ms(h.at)
    handover = tb.handover.insert().values(
        provider=h.response.source, account="", size=1, started_at=at, ended_at=at, outcome="accepted"
    )
    number = connection.execute(handover.returning(tb.handover.c.id)).scalar_one()
    connection.execute(
        tb.attempt.insert().values(touch_id=touch, n=n, handover_id=number, fence=0, outcome="accepted", provider_ref=_ref(h), address_hash=b"",
                                   body_sha256=b"", started_at=at, detail="known by its event only")
    )  # fmt: skip
    connection.execute(sa.text("UPDATE touch SET attempts = :n WHERE id = :touch AND attempts < :n"), {"n": n, "touch": touch})
