"""Whether a life kept what must always hold: the promises of its test file, those of the guardrails, and those nobody can switch off.

Pure: a life in, breaches out. Nothing here asks the engine what it thinks; each check counts by itself what left, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from omnicli.campaigns.scenario.lived import Heard, Leave, Life, Order, Pass, Touch
from omnicli.model import promise as p
from omnicli.model.literals import WEEKDAYS, Duration
from omnicli.packs import holidays_of
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.model.campaign import Campaign

#: Channels that need no permission: handed over, worked by people, or open to objection only (docs/language 3.1).
UNASKED = frozenset({"qr", "task", "webhook", "letter"})
#: What a touch may be when its pass has ended: one of these, or unknown and shown.
ENDS = frozenset({"accepted", "rejected", "skipped", "held_out", "unknown", "parked"})
#: States that say: it did not leave.
STAYED = frozenset({"rejected", "skipped", "held_out"})


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that a life broke: its words, when, and what happened."""

    promise: str
    at: datetime
    what: str


def breaches(life: Life, promises: Sequence[p.Promise] = (), *, campaigns: Mapping[str, Campaign] | None = None) -> tuple[Breach, ...]:  # fmt: skip
    """Every promise this life broke, each once, at its first breach. What is built in is always asked."""
    known = dict(campaigns or {})
    found = [next(iter(rule(life, known)), None) for rule in BUILT_IN]
    found += [first_breach(life, one, known) for one in promises]
    return tuple(breach for breach in found if breach is not None)


def first_breach(life: Life, promise: p.Promise, campaigns: Mapping[str, Campaign]) -> Breach | None:
    """The first moment at which the life broke this promise."""
    for at, what in _CHECKS[type(promise)](life, promise, campaigns):
        return Breach(p.spelled(promise), at, what)
    return None


Moments = Iterator[tuple[datetime, str]]


def _said(life: Life, touch: Touch) -> str:
    return f"{touch.channel} {touch.message} · {life.local(touch.at):%a %d %b %H:%M:%S} ({touch.step})"


# --- the phrases ----------------------------------------------------------------------------------------------------
def _counted(life: Life, channel: str | None) -> list[Touch]:
    return [x for x in life.touches if x.counted and channel in (None, x.channel, x.ruled_as)]


def _at_most(life: Life, one: p.AtMost, _: Any) -> Moments:
    touches = _counted(life, one.channel)
    for first, last in zip(touches, touches[one.count :], strict=False):
        if _within(life, first.at, last.at, one.length):
            yield last.at, t("{n} touches from {first} to {last}", "{n} envois de {first} à {last}", n=one.count + 1,
                             first=_said(life, first), last=_said(life, last))  # fmt: skip


def _within(life: Life, first: datetime, last: datetime, length: Duration) -> bool:
    """Whether both lie in one stretch: of so many local dates, or of elapsed hours."""
    if length.elapsed:
        return last - first < length.about
    return (life.local(last).date() - life.local(first).date()).days < length.about.days


def _not_between(life: Life, one: p.NotBetween, _: Any) -> Moments:
    for touch in _sent(life, one.channel):
        minutes = (local := life.local(touch.at)).hour * 60 + local.minute
        begin, end = one.begin.minutes, one.end.minutes
        if begin <= minutes < end if begin < end else (minutes >= begin or minutes < end):
            yield touch.at, _said(life, touch)


def _not_on(life: Life, one: p.NotOn, _: Any) -> Moments:
    for touch in _sent(life, one.channel):
        day = life.local(touch.at).date()
        if one.day == "holidays":
            if life.country and day in holidays_of(life.country, life.region, day.year):
                yield touch.at, _said(life, touch)
        elif day.weekday() == WEEKDAYS.index(one.day):
            yield touch.at, _said(life, touch)


def _sent(life: Life, channel: str | None) -> Iterator[Touch]:
    """Whatever reached the person, of any purpose."""
    return (x for x in life.touches if x.left and x.channel != "webhook" and channel in (None, x.channel, x.ruled_as))


def _nothing_after(life: Life, one: p.NothingAfter, _: Any) -> Moments:
    for said in life.heard:
        if said.name != one.event or said.machine:
            continue
        for touch in life.touches:
            if touch.counted and touch.order > said.order and _concerns(life, said, touch, one.within):
                when = t(
                    "after {event} at {at}", "après {event} à {at}", event=said.name, at=f"{life.local(said.at):%d %b %H:%M:%S}"
                )
                yield touch.at, f"{_said(life, touch)} {when}"


def _concerns(life: Life, said: Heard, touch: Touch, within: Duration | None) -> bool:
    """Leaving concerns a channel, or all, until a new consent; anything else the pass in which it came."""
    if said.name == "unsubscribed":
        given = any(x.kind == "given" and x.channel == touch.channel and said.order < x.order < touch.order for x in life.leave)
        return not given and touch.channel not in UNASKED and said.channel in (None, "", touch.channel)
    for way in life.passes:
        if way.campaign == touch.campaign and way.number == touch.number and way.entered_at < said.at:
            return within is None or said.at <= within.after(way.entered_at, life.zone)
    return False


def _ends_within(life: Life, one: p.EndsWithin, _: Any) -> Moments:
    # held by a touch of which a person has to say what became of it.
    doubtful = {(x.campaign, x.number) for x in life.touches if x.state in ("unknown", "parked")}
    for way in life.passes:
        if way.ended_at is None and (way.campaign, way.number) in doubtful:
            continue
        latest = one.length.after(way.entered_at, life.zone)
        if (way.ended_at or life.end) > latest:
            at = (
                t("still at {step}", "encore à {step}", step=way.step)
                if way.ended_at is None
                else f"{life.local(way.ended_at):%d %b %H:%M}"
            )
            yield latest, f"{way.campaign}: {at}"


def _same_facts(life: Life, _: p.SameFacts, campaigns: Mapping[str, Campaign]) -> Moments:
    told: dict[tuple[str, int, str, str], tuple[str, Touch]] = {}
    for touch in life.touches:
        for name, value in touch.told.items() if touch.left else ():
            if _live(campaigns, touch, name):
                continue
            before = told.setdefault((touch.campaign, touch.number, touch.message, name), (value, touch))
            if before[0] != value:
                yield touch.at, f"{name}: {before[0]} · {_said(life, before[1])}; {value} · {_said(life, touch)}"


def _live(campaigns: Mapping[str, Campaign], touch: Touch, name: str) -> bool:
    """A fact with `max_age` is read anew for each touch."""
    campaign = campaigns.get(touch.campaign)
    message = campaign.messages.get(touch.message) if campaign else None
    fact = message.facts.get(name) if message else None
    return fact is not None and fact.max_age is not None


def _apart(life: Life, one: p.Apart, _: Any) -> Moments:
    touches = _counted(life, None)
    for first, last in pairwise(touches):
        if one.length.after(first.at, life.zone) > last.at:
            yield last.at, f"{_said(life, first)}; {_said(life, last)}"


def _never_by(life: Life, one: p.NeverBy, _: Any) -> Moments:
    return ((x.at, _said(life, x)) for x in life.touches if x.left and x.channel == one.channel)


def _once(life: Life, one: p.Once, _: Any) -> Moments:
    seen = [x for x in life.touches if x.left and x.message == one.message]
    return ((x.at, f"{_said(life, seen[0])}; {_said(life, x)}") for x in seen[1:])


def _costs(life: Life, one: p.CostsAtMost, _: Any) -> Moments:
    spent = 0
    for touch in life.touches:
        spent += touch.cost if touch.state in ("accepted", "unknown", "parked") else 0
        if spent > one.money.micro:
            yield (
                touch.at,
                t(
                    "{spent} with {touch}",
                    "{spent} avec {touch}",
                    spent=f"{spent / 1e6:.3f} {one.money.currency}",
                    touch=_said(life, touch),
                ),
            )


_CHECKS: Mapping[type, Callable[[Life, Any, Mapping[str, Campaign]], Moments]] = {
    p.AtMost: _at_most, p.NotBetween: _not_between, p.NotOn: _not_on, p.NothingAfter: _nothing_after, p.EndsWithin: _ends_within,
    p.SameFacts: _same_facts, p.Apart: _apart, p.Once: _once, p.NeverBy: _never_by, p.CostsAtMost: _costs,
}  # fmt: skip


# --- what holds without a line --------------------------------------------------------------------------------------
def _with_consent(life: Life, _: Mapping[str, Campaign]) -> Iterator[Breach]:
    for touch in life.touches:
        if touch.counted and touch.ruled_as not in UNASKED and not permitted(life.leave, touch):
            yield Breach(t("no touch without consent", "aucun envoi sans consentement"), touch.at, _said(life, touch))


def permitted(leave: Sequence[Leave], touch: Touch) -> bool:
    """Whether the last word about this channel before the touch was a permission that still ran."""
    last = None
    for one in leave:
        if one.kind in ("given", "taken") and one.channel in (touch.ruled_as, "*") and one.order < touch.order:
            last = one
    return last is not None and last.kind == "given" and (last.until is None or last.until > touch.order[0])


def _not_barred(life: Life, campaigns: Mapping[str, Campaign]) -> Iterator[Breach]:
    for touch in life.touches:
        bar = _bar(life.leave, touch, campaigns) if touch.left and touch.channel not in ("qr", "task", "webhook") else None
        if bar is not None:
            words = t("no touch to a barred address", "aucun envoi à une adresse bloquée")
            yield Breach(words, touch.at, f"{_said(life, touch)} ({bar.reason})")


def _bar(leave: Sequence[Leave], touch: Touch, campaigns: Mapping[str, Campaign]) -> Leave | None:
    """A bar on the address that stood when the touch left and covered its purpose."""
    topic = campaigns[touch.campaign].topic if touch.campaign in campaigns else None
    scopes = {"all"} | ({"marketing", f"topic:{topic}"} if touch.purpose == "marketing" else set())
    standing: dict[tuple[str, str], Leave] = {}
    for one in leave:
        if one.channel == touch.channel and one.kind in ("barred", "free") and one.order < touch.order:
            standing.pop((one.scope, one.reason), None)
            if one.kind == "barred" and one.scope in scopes:
                standing[one.scope, one.reason] = one
    return next(iter(standing.values()), None)


def _once_each(life: Life, _: Mapping[str, Campaign]) -> Iterator[Breach]:
    words, seen = t("no touch twice", "aucun envoi deux fois"), set[str]()
    for touch in life.touches:
        if touch.left and (touch.key in seen or touch.attempts.count("accepted") > 1):
            yield Breach(words, touch.at, _said(life, touch))
        seen.add(touch.key)


def _one_branch(life: Life, campaigns: Mapping[str, Campaign]) -> Iterator[Breach]:
    for way in life.passes:
        taken = [one.step for one in way.taken if one.label != "none"]
        for step in dict.fromkeys(taken):
            if taken.count(step) > 1:
                labels = ", ".join(one.label for one in way.taken if one.step == step)
                yield Breach(
                    t("exactly one branch a wait", "exactement une branche par attente"),
                    way.entered_at,
                    f"{way.campaign} {step}: {labels}",
                )


def _silent(life: Life, _: Mapping[str, Campaign]) -> Iterator[Breach]:
    held_out = {(way.campaign, way.number) for way in life.passes if way.held_out}
    for touch in life.touches:
        if touch.state != "held_out" and touch.left and (touch.campaign, touch.number) in held_out:
            yield Breach(t("no touch to the held-out", "aucun envoi au groupe témoin"), touch.at, _said(life, touch))


def _one_end(life: Life, _: Mapping[str, Campaign]) -> Iterator[Breach]:
    words = t("every touch is settled with one outcome", "chaque envoi a une seule issue")
    over = {(way.campaign, way.number): way for way in life.passes if way.ended_at is not None}
    for touch in life.touches:
        way: Pass | None = over.get((touch.campaign, touch.number))
        if way is not None and touch.state not in ENDS and (way.ended_at or life.end) < life.end - timedelta(hours=1):
            yield Breach(words, touch.at, f"{_said(life, touch)}: {touch.state}")
        if touch.state in STAYED and "accepted" in touch.attempts:
            yield Breach(words, touch.at, f"{_said(life, touch)}: accepted, {touch.state}")


BUILT_IN: tuple[Callable[[Life, Mapping[str, Campaign]], Iterator[Breach]], ...] = (
    _with_consent, _not_barred, _once_each, _one_branch, _silent, _one_end,
)  # fmt: skip

__all__ = ["BUILT_IN", "Breach", "Order", "breaches", "first_breach", "permitted"]
