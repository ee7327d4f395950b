"""Addresses that keep failing are left in peace for 90 days: three SMS in a row to a handset that is off, five soft bounces.

Both are told by all that the ledger holds of an address, so no order of hearing matters (rules.md SU-02, SU-03). A delivery ends a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.respond.understand import Heard
from omnicli.store import consents
from omnicli.store import tables as tb
from omnicli.store.consents import Bar

DAY = 86_400_000
#: How long such an address is left in peace.
REST = 90 * DAY
SOURCE = "counted"


@dataclass(frozen=True, slots=True)
class Rule:
    """`times` failures in a row bar the address; the last `times` lie within `within` (None: however long), the row lasts `over` at
    least. `probe`: after the rest one more failure is enough."""

    reason: str
    times: int
    within: int | None = None
    over: int = 0
    probe: bool = False


OFF = Rule("out_of_reach", 3, within=30 * DAY)
SOFT = Rule("soft_bounces", 5, over=14 * DAY, probe=True)
#: SMS error codes of a handset that is off or out of coverage (delivery 9).
OFF_CODES = frozenset({"30003"})
#: Bounces of a full mailbox are soft, whatever they are called (rules.md SU-03).
NAMES = ("bounced", "failed", "delivered")


def rests(rule: Rule, failed: Sequence[int], delivered: Sequence[int]) -> tuple[int, int] | None:
    """(since, until) of the last rest that these failures and deliveries give, or None. A pure function of both sets."""
    row: list[int] = []
    found: tuple[int, int] | None = None
    probing = False
    for at, good in sorted([(at, 0) for at in failed] + [(at, 1) for at in delivered]):
        if good:
            row, probing = [], False
            found = None if found is not None and at < found[1] else found  # reached while it rested: it is well again
            continue
        if found is not None and at < found[1]:
            continue
        row.append(at)
        last = row[-rule.times :]
        enough = len(last) == rule.times and (rule.within is None or at - last[0] <= rule.within) and at - row[0] >= rule.over
        if enough or (probing and rule.probe):
            found, row, probing = (at, at + REST), [], True
    return found


def recount(connection: sa.Connection, heard: Iterable[Heard], *, now: datetime) -> int:
    """Count again what these touch: whoever failed softly, and whoever was reached and rests; people hit."""
    places = {
        (h.contact_id, h.channel, rule)
        for h in heard
        if h.contact_id is not None and h.channel and (rule := _rule(h.response.name, h.response.payload))
    }
    reached = {
        (h.contact_id, h.channel) for h in heard if h.contact_id is not None and h.channel and h.response.name == "delivered"
    }
    places |= {(id_, channel, rule) for id_, channel, rule in _resting(connection, reached)}
    if not places:
        return 0
    addresses = consents.bars_at(connection, [(id_, channel) for id_, channel, _ in places])
    histories = _histories(connection, sorted({id_ for id_, _, _ in places}))
    raise_: list[Bar] = []
    lift: list[Bar] = []
    for id_, channel, rule in sorted(places, key=lambda p: (p[0], p[1], p[2].reason)):
        if (id_, channel) not in addresses:
            continue
        mark, norm = addresses[id_, channel]
        found = rests(rule, histories.get((id_, channel, rule), ()), histories.get((id_, channel, None), ()))
        lift.append(Bar(channel, mark, rule.reason, now, norm=norm))
        if found is not None:
            since, until = (clock.from_ms(at) for at in found)
            raise_.append(Bar(channel, mark, rule.reason, since, "marketing", until, SOURCE, norm))
    return _replace(connection, lift, raise_, now)


def _replace(connection: sa.Connection, lift: Sequence[Bar], raise_: Sequence[Bar], now: datetime) -> int:
    """What stands already is left alone, so that the log tells changes only."""
    s = tb.suppression.c
    query = sa.select(s.channel, s.norm_hmac, s.reason, s.at, s.until).where(
        s.norm_hmac.in_([bar.norm_hmac for bar in lift]), s.reason.in_((OFF.reason, SOFT.reason))
    )
    stand = {(channel, bytes(mark), reason): (at, until) for channel, mark, reason, at, until in connection.execute(query)}
    wanted = {(bar.channel, bar.norm_hmac, bar.reason): bar for bar in raise_}

    def same(bar: Bar) -> bool:
        new = wanted.get((bar.channel, bar.norm_hmac, bar.reason))
        there = stand.get((bar.channel, bar.norm_hmac, bar.reason))
        return new is not None and new.until is not None and there == (clock.to_ms(new.at), clock.to_ms(new.until))

    consents.lift(connection, [bar for bar in lift if not same(bar)], now=now)
    return len(consents.suppress(connection, raise_, now=now)) if raise_ else 0


def _rule(name: str, payload: Mapping[str, object]) -> Rule | None:
    if name == "bounced" and str(payload.get("kind") or "") == "soft":
        return SOFT
    return OFF if name == "failed" and str(payload.get("code") or "") in OFF_CODES else None


def _resting(connection: sa.Connection, reached: set[tuple[int, str]]) -> list[tuple[int, str, Rule]]:
    """Of those who were reached, who rests: a delivery that we hear of late may end a row."""
    s = tb.suppression.c
    any_ = sa.select(s.channel).where(s.reason.in_((OFF.reason, SOFT.reason))).limit(1)
    if not reached or connection.execute(any_).first() is None:
        return []
    by_reason = {rule.reason: rule for rule in (OFF, SOFT)}
    found: list[tuple[int, str, Rule]] = []
    addresses = consents.bars_at(connection, reached)
    query = sa.select(s.channel, s.norm_hmac, s.reason).where(s.reason.in_(list(by_reason)))
    standing = {(channel, bytes(mark)): by_reason[reason] for channel, mark, reason in connection.execute(query)}
    for place, (mark, _) in addresses.items():
        if place in reached and (rule := standing.get((place[1], mark))) is not None:
            found.append((*place, rule))
    return found


def _histories(connection: sa.Connection, contacts: Sequence[int]) -> dict[tuple[int, str, Rule | None], list[int]]:
    """(contact, channel, rule) → instants of the failures that it counts; None instead of a rule: of deliveries."""
    e = tb.event.c
    found: dict[tuple[int, str, Rule | None], list[int]] = {}
    for start in range(0, len(contacts), consents.ROWS):
        query = sa.select(e.contact_id, e.channel, e.name, e.at, e.payload).where(
            e.contact_id.in_(contacts[start : start + consents.ROWS]), e.name.in_(NAMES), e.channel.is_not(None), e.machine == 0
        )
        for id_, channel, name, at, payload in connection.execute(query):
            rule = None if name == "delivered" else _rule(name, json.loads(payload or "{}"))
            if rule is not None or name == "delivered":
                found.setdefault((id_, channel, rule), []).append(at)
    return found
