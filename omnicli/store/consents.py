"""Permissions and bars: the log that only grows, the bar that no import lifts, and `contact.reach` folded from both.

Whatever changes an address, a consent or a suppression calls `refold_reach` in the same transaction.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.store import campaigns, keys, tables
from omnicli.store.outbox.locking import lock_contacts

if TYPE_CHECKING:
    from omnicli.store.connection import Store

address, consent, suppression = tables.address, tables.consent, tables.suppression
contact = tables.contact
FINGERPRINT = 16
#: Which reason a bar keeps when several stand (rules.md 5): the first of these, else the one that came first.
STRENGTH = ("erased", "objection", "complained", "stop", "unsubscribed", "refused", "bounced", "doubt")
#: Bars that a person may take back by saying so; `lifted` in the log says up to which instant.
TAKEN_BACK = ("unsubscribed", "doubt")
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


def fingerprints(key: bytes, channel: str, norms: Iterable[str | None]) -> list[bytes | None]:
    """The same of many addresses, None of None: the key is hashed once (RFC 2104), which takes half the time."""
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + f"{channel}\x1f".encode())
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def one(norm: str) -> bytes:
        inside, outside = inner.copy(), outer.copy()
        inside.update(norm.encode())
        outside.update(inside.digest())
        return outside.digest()[:FINGERPRINT]

    return [None if norm is None else one(norm) for norm in norms]


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


#: Questions are objects that last: writing one anew costs ten times what SQLite takes to answer it.
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_PLACES = sa.select(address.c.contact_id, address.c.channel, address.c.bad).where(address.c.contact_id.in_(_IDS))
_GRANTED = sa.select(consent.c.contact_id, consent.c.channel, consent.c.granted, consent.c.until).where(
    consent.c.contact_id.in_(_IDS), consent.c.purpose == "marketing"
)
_BARS = (
    sa.select(
        address.c.contact_id, address.c.channel, suppression.c.scope, suppression.c.reason, suppression.c.until,
        suppression.c.at, suppression.c.source,
    )
    .select_from(sa.join(
        address, suppression, sa.and_(suppression.c.channel == address.c.channel, suppression.c.norm_hmac == address.c.hmac)
    ))
    .where(address.c.contact_id.in_(_IDS))
)  # fmt: skip
_REACHES = sa.select(contact.c.id, contact.c.reach).where(contact.c.id.in_(_IDS))
_WRITE_REACH = sa.text("UPDATE contact SET reach = :r, changed_at = :now WHERE id = :i")


def _refold(connection: sa.Connection, ids: Sequence[int], now: int) -> int:
    lock_contacts(connection, ids)  # what another raises meanwhile is folded by that one, after this
    rows = _different(connection, _gathered(connection, ids, now), now)
    if rows:
        connection.execute(_WRITE_REACH, rows)
        campaigns.look_back_if_late(connection, now)
    return len(rows)


def _gathered(connection: sa.Connection, ids: Sequence[int], now: int) -> dict[int, dict[str, dict[str, Any]]]:
    """Contact → channel → what stands: address, bad, granted, until, bar, bar_until, left."""
    found: dict[int, dict[str, dict[str, Any]]] = {i: {} for i in ids}
    asked = {"ids": list(ids)}
    for number, channel, bad in connection.execute(_PLACES, asked):
        found[number].setdefault(channel, {}).update({"address": True, **({"bad": bad} if bad else {})})
    for number, channel, granted, until in connection.execute(_GRANTED, asked):
        found[number].setdefault(channel, {}).update(granted=granted, until=until)
    standing = connection.execute(_BARS, asked).all()
    for number, channel, scope, reason, until, _, _ in sorted(standing, key=lambda row: _standing(*row[3:])):
        if until is None or until > now:
            _bar(found[number].setdefault(channel, {}), scope, reason, until)
    return found


def _bar(entry: dict[str, Any], scope: str, reason: str, until: int | None) -> None:
    """Of several bars of one scope the strongest is shown; it is asked first."""
    if scope == "all":
        entry.setdefault("bad", reason)
    elif scope.startswith(TOPIC):
        entry.setdefault("left", {}).setdefault(scope.removeprefix(TOPIC), until)
    elif "bar" not in entry:
        entry.update(bar=reason, bar_until=until)


_Standing = tuple[float, int, int, str, str]


def _standing(reason: str, until: int | None, at: int, source: str | None) -> _Standing:
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
    before = {row[0]: row[1] for row in connection.execute(_REACHES, {"ids": list(found)})}
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


def note_permissions(connection: sa.Connection, permissions: Sequence[Permission], *, now: datetime) -> None:
    """Append to the log what is new and change nothing that stands: a word that undoes a bar is no new permission."""
    log = tables.consent_log
    columns = (log.c.contact_id, log.c.channel, log.c.purpose, log.c.state, log.c.at, log.c.source)
    ids = {p.contact_id for p in permissions}
    known = {tuple(row) for row in connection.execute(sa.select(*columns).where(log.c.contact_id.in_(ids)))} if ids else set()
    new = {(p.contact_id, p.channel, p.purpose, p.word, clock.to_ms(p.at), p.source): p for p in permissions}
    lines = [
        {"contact_id": p.contact_id, "channel": p.channel, "purpose": p.purpose, "state": p.word, "at": clock.to_ms(p.at), "until": None,
         "source": p.source, "proof": p.proof, "recorded_at": clock.to_ms(now)}
        for key, p in sorted(new.items(), key=lambda item: item[0][:2]) if key not in known
    ]  # fmt: skip
    if lines:
        connection.execute(sa.insert(log), lines)


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
    """Raise bars; contacts whose address they hit (their reach is folded again here). Bars of different reasons stand side by
    side and never get weaker, and the same ones in any order leave the same: of equal ones the earliest stands. An own leaving that
    the person took back later does not rise again when it is heard once more."""
    stands = _rows_of(connection, bars)
    undone = _undone(connection, bars)
    raised: dict[_Key, Bar] = {}
    for bar in bars:
        if clock.to_ms(bar.at) <= undone.get(_key(bar), -1):
            continue
        before = stands.get(_key(bar))
        mine = _standing(bar.reason, _ms(bar.until), clock.to_ms(bar.at), bar.source)
        if before is None or mine < before:
            stands[_key(bar)] = mine
            raised[_key(bar)] = bar
    if raised:
        connection.execute(_RAISE, [_row(bar) for bar in raised.values()])
        _log(connection, raised.values(), "barred", clock.to_ms(now))
    return _touched(connection, bars, now)


def lift(connection: sa.Connection, bars: Sequence[Bar], *, now: datetime) -> set[int]:
    """Take away bars that stand for exactly this reason (START undoes STOP, never a complaint, nor what was asked by hand);
    contacts they hit."""
    stands = _rows_of(connection, bars)
    gone = {_key(bar): bar for bar in bars if _key(bar) in stands}
    if not gone:
        return set()
    connection.execute(_LIFT, [_row(bar) for bar in gone.values()])
    _log(connection, gone.values(), "lifted", clock.to_ms(now))
    return _touched(connection, list(gone.values()), now)


_Key = tuple[str, bytes, str, str]
_RAISE = sa.text(
    "INSERT INTO suppression (channel, norm_hmac, scope, reason, at, until, source)"
    " VALUES (:channel, :norm_hmac, :scope, :reason, :at, :until, :source)"
    " ON CONFLICT (channel, norm_hmac, scope, reason) DO UPDATE SET at = excluded.at, until = excluded.until, source = excluded.source"
)
_LIFT = sa.text(
    "DELETE FROM suppression WHERE channel = :channel AND norm_hmac = :norm_hmac AND scope = :scope AND reason = :reason"
)


def _key(bar: Bar) -> _Key:
    return bar.channel, bar.norm_hmac, bar.scope, bar.reason


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else clock.to_ms(instant)


def _row(bar: Bar) -> dict[str, Any]:
    return {"channel": bar.channel, "norm_hmac": bar.norm_hmac, "scope": bar.scope, "reason": bar.reason, "at": clock.to_ms(bar.at),
            "until": _ms(bar.until), "source": bar.source}  # fmt: skip


_STANDING = sa.select(
    suppression.c.channel, suppression.c.norm_hmac, suppression.c.scope, suppression.c.reason, suppression.c.until,
    suppression.c.at, suppression.c.source,
).where(
    suppression.c.channel.in_(sa.bindparam("channels", expanding=True)),
    suppression.c.norm_hmac.in_(sa.bindparam("marks", expanding=True)),
)  # fmt: skip
_WORDS = tables.suppression_log.c
_LIFTED = (
    sa.select(_WORDS.channel, _WORDS.norm_hmac, _WORDS.scope, _WORDS.reason, sa.func.max(_WORDS.at))
    .where(_WORDS.norm_hmac.in_(sa.bindparam("marks", expanding=True)), _WORDS.state == "lifted", _WORDS.reason.in_(TAKEN_BACK))
    .group_by(_WORDS.channel, _WORDS.norm_hmac, _WORDS.scope, _WORDS.reason)
)


def _rows_of(connection: sa.Connection, bars: Sequence[Bar]) -> dict[_Key, _Standing]:
    """What stands on these addresses already, by key."""
    found = {}
    marks = sorted({(bar.channel, bar.norm_hmac) for bar in bars})
    for start in range(0, len(marks), ROWS):
        some = marks[start : start + ROWS]
        asked = {"channels": sorted({c for c, _ in some}), "marks": sorted({h for _, h in some})}
        for channel, mark, scope, reason, until, at, source in connection.execute(_STANDING, asked):
            found[channel, bytes(mark), scope, reason] = _standing(reason, until, at, source)
    return found


def _undone(connection: sa.Connection, bars: Sequence[Bar]) -> dict[_Key, int]:
    """The last instant up to which the person, or somebody for them, took these bars back, by key."""
    marks = sorted({bar.norm_hmac for bar in bars if bar.reason in TAKEN_BACK})
    found: dict[_Key, int] = {}
    for start in range(0, len(marks), ROWS):
        for channel, mark, scope, reason, at in connection.execute(_LIFTED, {"marks": marks[start : start + ROWS]}):
            found[channel, bytes(mark), scope, reason] = at
    return found


def bars_at(connection: sa.Connection, places: Iterable[tuple[int, str]]) -> dict[tuple[int, str], tuple[bytes, str]]:
    """(contact, channel) → (fingerprint, normalised address) of what they have as address there now."""
    wanted = sorted(set(places))
    found: dict[tuple[int, str], tuple[bytes, str]] = {}
    for start in range(0, len(wanted), ROWS):
        ids = {i for i, _ in wanted[start : start + ROWS]}
        query = sa.select(address.c.contact_id, address.c.channel, address.c.hmac, address.c.norm)
        for i, channel, mark, norm in connection.execute(query.where(address.c.contact_id.in_(ids), address.c.hmac.is_not(None))):
            found[i, channel] = bytes(mark), norm
    return found


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


def _log(connection: sa.Connection, bars: Iterable[Bar], state: str, recorded: int) -> None:
    rows = [{**_row(bar), "state": state, "recorded_at": recorded} for bar in bars]
    connection.execute(sa.text(
        "INSERT INTO suppression_log (channel, norm_hmac, scope, reason, state, at, recorded_at, source)"
        " VALUES (:channel, :norm_hmac, :scope, :reason, :state, :at, :recorded_at, :source)"), rows)  # fmt: skip


_OWNERS = sa.select(address.c.contact_id, address.c.channel, address.c.hmac).where(
    address.c.channel.in_(sa.bindparam("channels", expanding=True)), address.c.norm.in_(sa.bindparam("norms", expanding=True))
)


def _touched(connection: sa.Connection, bars: Sequence[Bar], now: datetime) -> set[int]:
    """Everybody who has one of these addresses; found by the address where it is known, else by a look at all of them."""
    a = address.c
    ids: set[int] = set()
    named = sorted({(bar.channel, bar.norm, bar.norm_hmac) for bar in bars if bar.norm is not None})
    blind = sorted({bar.norm_hmac for bar in bars if bar.norm is None} - {mark for _, _, mark in named})
    for start in range(0, len(named), ROWS):
        some = named[start : start + ROWS]
        wanted = {(channel, mark) for channel, _, mark in some}
        asked = {"channels": sorted({c for c, _, _ in some}), "norms": sorted({n for _, n, _ in some})}
        ids.update(
            i for i, channel, mark in connection.execute(_OWNERS, asked) if mark is not None and (channel, bytes(mark)) in wanted
        )
    for start in range(0, len(blind), ROWS):
        ids.update(connection.execute(sa.select(a.contact_id).where(a.hmac.in_(blind[start : start + ROWS]))).scalars())
    refold_reach(connection, ids, now=now)
    return ids
