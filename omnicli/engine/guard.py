"""Guards: what may hold or stop a touch, as functions that answer with the reason (campaign-language 7, rules.md 14).

Project, campaign and country packs merge to the stricter, once for a version; asking is then arithmetic on day ordinals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from types import MappingProxyType
from typing import Literal

from omnicli import guards
from omnicli.engine import timing
from omnicli.model.campaign import Campaign
from omnicli.model.contact import Reach
from omnicli.model.literals import AtCap, Ceiling, Duration, Money, Rate, Window
from omnicli.model.pack import Pack, pack_of, ruling
from omnicli.model.project import Project

#: The local date on which `0 per day` is free again.
NEVER = date.max.toordinal()

#: Channels that reach nobody by an address: handed over, or worked by people (3.1).
NO_ADDRESS = frozenset({"qr", "task", "webhook"})
#: Channels that need no permission, only the absence of an objection (3.1).
OBJECTION_ONLY = frozenset({"letter"})

DEFAULT_AT_CAP = AtCap(Duration(2, "day"), "skip")
DEFAULT_MAX_DELAY = Duration(3, "day")

Caps = Mapping[str, tuple[Rate, ...]]
Quiet = Mapping[str, tuple[Window, ...]]


@dataclass(frozen=True, slots=True)
class Guarding:
    """The guardrails of one version, merged. `quiet`: windows of the files by channel or `all`; `quiet_own`: the keys the
    project wrote, which replace the packs' defaults. `caps` by country (`""`: unknown)."""

    quiet: Quiet
    quiet_own: frozenset[str]
    max_delay: Duration
    min_gap: Duration | None
    at_cap: AtCap
    budget: Money | None
    approve_above: Ceiling | None
    caps: Mapping[str, Caps] = field(repr=False)

    def caps_for(self, country: str | None) -> Caps:
        """The caps of a contact of this country: channel or `all` → rates that all hold."""
        return self.caps.get(country or "") or self.caps[""]


def merge_guardrails(project: Project, campaign: Campaign | None, packs: Mapping[str, Pack]) -> Guarding:
    """The stricter of project and campaign, on top of what the packs allow (7): windows united, the lowest cap a period,
    the shortest `max_delay`, the longest `min_gap`."""
    ours, theirs = project.guardrails, campaign.guardrails if campaign else None
    sender = project.countries[0] if project.countries else None
    caps = {
        country or "": merge_caps(ours.cap, theirs.cap if theirs else {}, ruling(packs, country, sender))
        for country in (*packs, None)
    }  # fmt: skip
    delays = [d for d in (ours.max_delay, theirs and theirs.max_delay) if d]
    gaps = [d for d in (ours.min_gap, theirs and theirs.min_gap) if d]
    return Guarding(
        quiet=unite(ours.quiet_hours, theirs.quiet_hours if theirs else {}),
        quiet_own=frozenset(ours.quiet_hours),
        max_delay=min(delays, key=lambda d: d.about) if delays else DEFAULT_MAX_DELAY,
        min_gap=max(gaps, key=lambda d: d.about) if gaps else None,
        at_cap=(theirs and theirs.at_cap) or ours.at_cap or DEFAULT_AT_CAP,
        budget=theirs.budget if theirs else None,
        approve_above=theirs.approve_above if theirs else None,
        caps=MappingProxyType(caps),
    )


def merge_caps(project: Caps, campaign: Caps, packs: Iterable[Pack]) -> Caps:
    """By channel: the project's cap, else the packs' defaults; the campaign's; and the limits that no file can lift. Of
    several caps over one period the lowest counts; a cap that a shorter and lower one implies is dropped."""
    found: dict[str, list[Rate]] = {}
    packs = tuple(packs)
    for channel in dict.fromkeys((*project, *campaign, *(c for pack in packs for c in (*pack.caps, *pack.limits)))):
        rates = list(project.get(channel) or (rate for pack in packs for rate in pack.caps.get(channel, ())))
        rates += campaign.get(channel, ())
        rates += (rate for pack in packs for rate in pack.limits.get(channel, ()))
        found[channel] = rates
    return MappingProxyType({channel: strictest(rates) for channel, rates in found.items()})


def strictest(rates: Iterable[Rate]) -> tuple[Rate, ...]:
    """Only the rates that bind: sorted by period; a rate that a longer period with no higher count implies is dropped."""
    lowest: dict[int, Rate] = {}
    for rate in rates:
        known = lowest.get(rate.days)
        if known is None or rate.count < known.count:
            lowest[rate.days] = rate
    kept: list[Rate] = []
    for days in sorted(lowest, reverse=True):
        if not kept or lowest[days].count < kept[-1].count:
            kept.append(lowest[days])
    return tuple(reversed(kept))


def unite(first: Quiet, second: Quiet) -> Quiet:
    """Windows of both, by channel or `all`."""
    both: dict[str, tuple[Window, ...]] = {}
    for key in dict.fromkeys((*first, *second)):
        both[key] = tuple(dict.fromkeys((*first.get(key, ()), *second.get(key, ()))))
    return MappingProxyType(both)


def counts(purpose: str) -> bool:
    """Whether caps and `min_gap` hold a touch of this purpose, and whether it counts towards them (4.1): marketing only."""
    return purpose == "marketing"


Unreachable = Literal["no_address", "bad_address", "suppressed", "no_consent", "consent_expired"]


def reachable(reach: Reach, channel: str, purpose: str, now: datetime, topic: str | None = None) -> Unreachable | None:
    """Why this channel cannot be used for this person now, or None. A bad address and a provider's block bar every
    purpose, an opt-out and a missing permission only marketing (4.1, PU-02); who left a topic, only that (SU-06)."""
    if channel in NO_ADDRESS:
        return None
    here = reach.get(channel)
    if here is None or not here.address:
        return "no_address"
    if here.bad and guards.on("suppression"):
        return "bad_address"
    if purpose != "marketing":
        return None
    if guards.on("suppression") and (here.barred(now) or (here.left and here.without(topic, now))):
        return "suppressed"
    if not guards.on("consent") or here.consents(now):
        return None
    if channel in OBJECTION_ONLY:
        return "no_consent" if here.granted is False else None
    return "consent_expired" if here.granted else "no_consent"


def capped(slots: Collection[tuple[int, str]], caps: Caps, channel: str, today: int) -> int | None:
    """The next local date (ordinal) on which one more touch by this channel exceeds no cap, or None when it is today.

    `slots` are (local date, channel) of counted touches. `3 per week` is at most 3 on any 7 consecutive dates, so both
    the dates before a day and those already taken after it count. `NEVER` when a cap of 0 stands.
    """
    if not guards.on("cap"):
        return None
    rules: list[tuple[Rate, list[int]]] = []
    for key in ("all", channel):
        tight = [rate for rate in caps.get(key, ()) if rate.count <= len(slots)]
        if tight:
            taken = sorted(day for day, by in slots if key == "all" or by == channel)
            rules += [(rate, taken) for rate in tight if rate.count <= len(taken)]
    if not rules:
        return None
    day = today
    while True:
        moved = day
        for rate, taken in rules:
            moved = max(moved, _free_from(taken, rate.count, rate.days if guards.on("n_day_count") else 1, day))
        if moved >= NEVER:
            return NEVER
        if moved == day:
            return None if day == today else day
        day = moved


def _free_from(taken: list[int], count: int, days: int, day: int) -> int:
    """`day` itself when one more touch on it fits, else a later day before which none fits."""
    if count == 0:
        return NEVER
    opens = day
    for i in range(len(taken) - count + 1):
        first, last = taken[i], taken[i + count - 1]
        if max(day, last) - min(day, first) < days:
            opens = max(opens, first + days)
    return opens


def cap_opens(day: int, zone: tzinfo) -> datetime | None:
    """The instant at which that local date begins; None for `NEVER`."""
    return None if day >= NEVER else timing.on_day(date.fromordinal(day), timing.MIDNIGHT, zone)


def gap_opens(last_counted_at: datetime | None, min_gap: Duration | None, now: datetime, zone: tzinfo) -> datetime | None:
    """When `min_gap` after the last counted touch is over, or None when it does not object now."""
    if min_gap is None or last_counted_at is None or not guards.on("min_gap"):
        return None
    opens = timing.add(min_gap, last_counted_at, zone)
    return opens if opens > now else None


def at_cap(rule: AtCap, due_at: datetime, opens_at: datetime | None, zone: tzinfo) -> str:
    """What becomes of a touch that meets `cap` or `min_gap`: `wait` when it opens in time, else `skip` or `next channel`."""
    if rule.wait is not None and opens_at is not None and opens_at <= timing.add(rule.wait, due_at, zone):
        return "wait"
    return rule.then


def opt_in(packs: Mapping[str, Pack], country: str | None, sender: str | None, channel: str) -> str:
    """The strictest consent that recipient's and sender's country ask for: `opt_in`, `soft_opt_in` or `opt_out`."""
    order = ("opt_out", "soft_opt_in", "opt_in")
    asked: list[str] = [pack.consent.get(channel, "opt_in") for pack in (pack_of(packs, country), pack_of(packs, sender))]
    return max(asked, key=order.index)
