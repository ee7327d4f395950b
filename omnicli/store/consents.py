"""Permissions and bars: the log that only grows, the bar that no import lifts, and `contact.reach` folded from both.

Whatever changes an address, a consent or a suppression calls `refold_reach` in the same transaction.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.store import keys, tables

if TYPE_CHECKING:
    from omnicli.store.connection import Store

address, consent, suppression = tables.address, tables.consent, tables.suppression
contact = tables.contact
FINGERPRINT = 16
#: Which reason a bar keeps when several stand (rules.md 5): the first of these, else the one that came first.
STRENGTH = ("erased", "objection", "complained", "stop", "unsubscribed", "refused", "bounced")
#: The scope of a bar on one topic is this and the topic's name.
TOPIC = "topic:"
ROWS = 900


# --- fingerprints ---------------------------------------------------------------------------------------------------
def pepper(store: Store, project: str) -> bytes:
    """The key of address fingerprints, which never rotates (store/keys.py)."""
    return keys.of_store(store, project).pepper


def fingerprint(key: bytes, channel: str, norm: str) -> bytes:
    """16 bytes of HMAC-SHA256 over (channel, normalised address): what a suppression keeps instead of the address."""
    return hmac.digest(key, f"{channel}\x1f{norm}".encode(), "sha256")[:FINGERPRINT]


# --- reach ----------------------------------------------------------------------------------------------------------
def refold_reach(connection: sa.Connection, contact_ids: Iterable[int], *, now: datetime) -> int:
    """Rewrite `contact.reach` (and `changed_at`) of these contacts where it changed; how many did."""
    ids, changed = sorted(set(contact_ids)), 0
    for start in range(0, len(ids), ROWS):
        changed += _refold(connection, ids[start : start + ROWS], clock.to_ms(now))
    return changed


def stale(connection: sa.Connection, ids: Sequence[int], *, now: datetime) -> list[int]:
    """Contacts among these (at most `ROWS`) whose folded reach is not what it should be."""
    return [row["i"] for row in _different(connection, _gathered(connection, ids, clock.to_ms(now)), clock.to_ms(now))]


def _refold(connection: sa.Connection, ids: Sequence[int], now: int) -> int:
    rows = _different(connection, _gathered(connection, ids, now), now)
    if rows:
        connection.execute(sa.text("UPDATE contact SET reach = :r, changed_at = :now WHERE id = :i"), rows)
    return len(rows)


def _gathered(connection: sa.Connection, ids: Sequence[int], now: int) -> dict[int, dict[str, dict[str, Any]]]:
    """Contact → channel → what stands: address, bad, granted, until, bar, bar_until, left."""
    found: dict[int, dict[str, dict[str, Any]]] = {i: {} for i in ids}
    places = sa.select(address.c.contact_id, address.c.channel, address.c.bad).where(address.c.contact_id.in_(ids))
    for number, channel, bad in connection.execute(places):
        found[number].setdefault(channel, {}).update({"address": True, **({"bad": bad} if bad else {})})
    query = sa.select(consent.c.contact_id, consent.c.channel, consent.c.granted, consent.c.until)
    for number, channel, granted, until in connection.execute(
        query.where(consent.c.contact_id.in_(ids), consent.c.purpose == "marketing")
    ):
        found[number].setdefault(channel, {}).update(granted=granted, until=until)
    bars = sa.select(
        address.c.contact_id, address.c.channel, suppression.c.scope, suppression.c.reason, suppression.c.until, suppression.c.at
    )
    joined = sa.join(
        address, suppression, sa.and_(suppression.c.channel == address.c.channel, suppression.c.norm_hmac == address.c.hmac)
    )
    standing = bars.select_from(joined).where(address.c.contact_id.in_(ids)).order_by(suppression.c.at)
    for number, channel, scope, reason, until, _ in connection.execute(standing):
        if until is None or until > now:
            _bar(found[number].setdefault(channel, {}), scope, reason, until)
    return found


def _bar(entry: dict[str, Any], scope: str, reason: str, until: int | None) -> None:
    if scope == "all":
        entry.setdefault("bad", reason)
    elif scope.startswith(TOPIC):
        entry.setdefault("left", {})[scope.removeprefix(TOPIC)] = until
    else:
        entry.update(bar=reason, bar_until=until)


def _standing(reason: str, until: int | None, at: int, source: str | None) -> tuple[float, int, int, str, str]:
    """The lower one stands: a bar without an end before one with an end, a later end before an earlier one; then the order of
    reasons, then what came first."""
    rank = STRENGTH.index(reason) if reason in STRENGTH else len(STRENGTH)
    return -float("inf") if until is None else -until, rank, at, reason, source or ""


def _different(connection: sa.Connection, found: dict[int, dict[str, dict[str, Any]]], now: int) -> list[dict[str, Any]]:
    """The contacts whose text differs, with the new one."""

    def instant(ms: int | None) -> datetime | None:
        return None if ms is None else clock.from_ms(ms)

    texts: dict[int, str] = {}
    for i, channels in found.items():
        texts[i] = write_reach({
            channel: ChannelReach(
                bool(entry.get("address")), None if entry.get("granted") is None else bool(entry["granted"]),
                instant(entry.get("until")), entry.get("bad"), entry.get("bar"), instant(entry.get("bar_until")),
                tuple(sorted((topic, instant(end)) for topic, end in entry.get("left", {}).items())),
            ) for channel, entry in channels.items()
        })  # fmt: skip
    before = dict(connection.execute(sa.select(contact.c.id, contact.c.reach).where(contact.c.id.in_(list(found)))).all())
    return [{"i": i, "r": text, "now": now} for i, text in texts.items() if i in before and before[i] != text]


# --- consents -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Permission:
    """One statement about one channel of one contact: granted or not, since when, until when, told by whom."""

    contact_id: int
    channel: str
    granted: bool
    at: datetime
    until: datetime | None = None
    source: str | None = None
    proof: str | None = None
    purpose: str = "marketing"
    state: str | None = None

    @property
    def word(self) -> str:
        return self.state or ("granted" if self.granted else "denied")


def record_permissions(connection: sa.Connection, permissions: Sequence[Permission], *, now: datetime) -> set[int]:
    """Append to the log what is new and let the newest statement stand; contacts whose standing consent changed.

    Of two statements of the same instant the refusal stands. A statement that is already in the log is not repeated.
    Call `refold_reach` for the contacts given back.
    """
    changed: set[int] = set()
    for start in range(0, len(permissions), ROWS):
        changed |= _record(connection, permissions[start : start + ROWS], clock.to_ms(now))
    return changed


def _record(connection: sa.Connection, permissions: Sequence[Permission], now: int) -> set[int]:
    ids = {p.contact_id for p in permissions}
    log = tables.consent_log
    columns = (log.c.contact_id, log.c.channel, log.c.purpose, log.c.state, log.c.at, log.c.source)
    known = {tuple(row) for row in connection.execute(sa.select(*columns).where(log.c.contact_id.in_(ids)))}
    query = sa.select(consent.c.contact_id, consent.c.channel, consent.c.purpose, consent.c.at, consent.c.granted)
    standing = {(r[0], r[1], r[2]): (r[3], r[4]) for r in connection.execute(query.where(consent.c.contact_id.in_(ids)))}
    lines: list[dict[str, Any]] = []
    stands: dict[tuple[int, str, str], dict[str, Any]] = {}
    for p in permissions:
        at, key = clock.to_ms(p.at), (p.contact_id, p.channel, p.purpose)
        until = clock.to_ms(p.until) if p.until else None
        if (*key, p.word, at, p.source) not in known:
            known.add((*key, p.word, at, p.source))
            lines.append({"contact_id": p.contact_id, "channel": p.channel, "purpose": p.purpose, "state": p.word, "at": at,
                          "until": until, "source": p.source, "proof": p.proof, "recorded_at": now})  # fmt: skip
        before = standing.get(key)
        if before is None or at > before[0] or (at == before[0] and before[1] and not p.granted):
            standing[key] = (at, int(p.granted))
            stands[key] = {"contact_id": p.contact_id, "channel": p.channel, "purpose": p.purpose, "granted": int(p.granted),
                           "at": at, "until": until, "source": p.source}  # fmt: skip
    if lines:
        connection.execute(sa.insert(log), lines)
    if stands:
        connection.execute(sa.text(
            "INSERT INTO consent (contact_id, channel, purpose, granted, at, until, source) "
            "VALUES (:contact_id, :channel, :purpose, :granted, :at, :until, :source) ON CONFLICT (contact_id, channel, purpose) "
            "DO UPDATE SET granted = excluded.granted, at = excluded.at, until = excluded.until, source = excluded.source"
        ), list(stands.values()))  # fmt: skip
    return {key[0] for key in stands}


# --- suppressions ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Bar:
    """A bar on one address by its fingerprint. `scope` is `all` (every purpose: a dead address), `marketing`, or `topic:<name>`
    (marketing of that topic). `norm`, where the address is known, finds the people it hits by an index instead of a scan; it is
    not stored."""

    channel: str
    norm_hmac: bytes
    reason: str
    at: datetime
    scope: str = "marketing"
    until: datetime | None = None
    source: str | None = None
    norm: str | None = field(default=None, repr=False, compare=False)


def suppress(connection: sa.Connection, bars: Sequence[Bar], *, now: datetime) -> set[int]:
    """Raise bars; contacts whose address they hit (their reach is folded again here). Bars never get weaker, and the same ones
    in any order leave the same: of equal ones the earliest stands."""
    ms = clock.to_ms(now)
    for bar in bars:
        at, until = clock.to_ms(bar.at), clock.to_ms(bar.until) if bar.until else None
        key = {"c": bar.channel, "h": bar.norm_hmac, "s": bar.scope}
        row = connection.execute(sa.text(
            "SELECT reason, until, at, source FROM suppression WHERE channel = :c AND norm_hmac = :h AND scope = :s"), key).first()  # fmt: skip
        if row is not None and _standing(bar.reason, until, at, bar.source) >= _standing(*row):
            continue
        values = {"reason": bar.reason, "at": at, "until": until, "source": bar.source}
        if row is None:
            connection.execute(
                sa.insert(suppression).values(channel=bar.channel, norm_hmac=bar.norm_hmac, scope=bar.scope, **values)
            )
        else:
            connection.execute(sa.update(suppression).where(*_is(bar)).values(**values))
        _log(connection, bar, "barred", at, ms)
    return _touched(connection, bars, now)


def lift(connection: sa.Connection, bars: Sequence[Bar], *, now: datetime) -> set[int]:
    """Take away bars that stand for exactly this reason (START undoes STOP, never a complaint); contacts they hit."""
    ms = clock.to_ms(now)
    for bar in bars:
        gone = connection.execute(sa.delete(suppression).where(*_is(bar), suppression.c.reason == bar.reason)).rowcount
        if gone:
            _log(connection, bar, "lifted", clock.to_ms(bar.at), ms)
    return _touched(connection, bars, now)


def bars_of(connection: sa.Connection, contact_id: int, channel: str, reason: str, *, at: datetime, scope: str = "marketing",
            until: datetime | None = None, source: str | None = None) -> list[Bar]:  # fmt: skip
    """The bar on what this contact has as address on the channel: none without an address."""
    query = sa.select(address.c.hmac, address.c.norm).where(
        address.c.contact_id == contact_id, address.c.channel == channel, address.c.hmac.is_not(None)
    )
    return [Bar(channel, row[0], reason, at, scope, until, source, row[1]) for row in connection.execute(query)]


def mark_bad(connection: sa.Connection, contact_id: int, channel: str, reason: str) -> None:
    """Say that this address is dead (SU-01); call `refold_reach` afterwards."""
    connection.execute(
        sa.update(address)
        .where(address.c.contact_id == contact_id, address.c.channel == channel, address.c.bad.is_(None))
        .values(bad=reason)
    )


def _is(bar: Bar) -> tuple[sa.ColumnElement[bool], ...]:
    return (suppression.c.channel == bar.channel, suppression.c.norm_hmac == bar.norm_hmac, suppression.c.scope == bar.scope)


def _log(connection: sa.Connection, bar: Bar, state: str, at: int, recorded: int) -> None:
    connection.execute(sa.insert(tables.suppression_log).values(
        channel=bar.channel, norm_hmac=bar.norm_hmac, scope=bar.scope, reason=bar.reason, state=state, at=at, recorded_at=recorded,
        source=bar.source))  # fmt: skip


def _touched(connection: sa.Connection, bars: Sequence[Bar], now: datetime) -> set[int]:
    ids: set[int] = set()
    for bar in {(b.channel, b.norm_hmac): b for b in bars}.values():
        query = sa.select(address.c.contact_id).where(address.c.channel == bar.channel, address.c.hmac == bar.norm_hmac)
        ids.update(connection.execute(query if bar.norm is None else query.where(address.c.norm == bar.norm)).scalars())
    refold_reach(connection, ids, now=now)
    return ids
