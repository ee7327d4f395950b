"""Resolves the facts of a message for one person: what is true for them, in plain spellings that JSON can keep.

A touch that was accepted is a promise: what was told stands, and only facts with `max_age` are read again
(docs/consistency 4).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from omnicli.model import literals as lit
from omnicli.model.campaign import Fact, Message
from omnicli.model.project import Project

#: One resolved fact: its type and its plain spelling (`("money", "39.92 EUR")`); None when this person lacks it.
Resolved = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class ResolvedFacts:
    """The facts of one message for one person. `key` tells equal ones apart quickly."""

    facts: Mapping[str, Resolved]
    key: tuple[tuple[str, Resolved], ...]

    @classmethod
    def of(cls, facts: Mapping[str, Resolved]) -> ResolvedFacts:
        return cls(facts, tuple(facts.items()))

    @classmethod
    def from_json(cls, kept: str | Mapping[str, Any]) -> ResolvedFacts:
        """What `as_json` wrote, as text or already read."""
        read: Mapping[str, Any] = json.loads(kept) if isinstance(kept, str) else kept
        return cls.of({name: (kind, value) for name, (kind, value) in read.items()})

    def as_dict(self) -> dict[str, list[str | None]]:
        return {name: [kind, value] for name, (kind, value) in self.facts.items()}

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), ensure_ascii=False, separators=(",", ":"))

    def day(self, name: str) -> date | None:
        """The date of a date fact, or None."""
        kind, value = self.facts.get(name, ("", None))
        return date.fromisoformat(value) if kind == "date" and value else None


def resolve_facts(
    message: Message, *, persona: str | None, language: str, entered_at: datetime, zone: str | tzinfo,
    attributes: Mapping[str, Any] | None = None, event: Mapping[str, Any] | None = None, told: Mapping[str, Any] | None = None,
    places: Mapping[str, Any] | None = None, project: Project | None = None, anchors: Mapping[str, date | datetime | str] | None = None,
) -> ResolvedFacts:  # fmt: skip
    """Every fact of the message for this person.

    `attributes` are the contact's columns or typed values by attribute name; `told` what this pass was told already by this
    message (the mapping of `as_dict`), which wins but for live facts; `anchors` dates of other messages' facts by
    `message.fact`. `zone` dates what is counted from entry: the contact's working zone.
    """
    where = zone if isinstance(zone, tzinfo) else ZoneInfo(zone)
    plan = _plan_of(message)
    if plan.by_entry_day and not told:
        key = (persona, language, entered_at.astimezone(where).toordinal())
        ready = plan.ready.get(key)
        if ready is not None:
            return ready
    found = dict(plan.fixed(persona, language))
    for name in plan.moving:
        found[name] = (message.facts[name].type, None)
    if told:
        kept = {name: (kind, value) for name, (kind, value) in told.items() if value is not None}
        found.update((name, fact) for name, fact in kept.items() if name in message.facts and message.facts[name].max_age is None)
    moving = [name for name in plan.moving if not (told and name in kept and message.facts[name].max_age is None)]
    for name in moving:
        fact = message.facts[name]
        written = _written(fact, persona=persona, language=language, attributes=attributes or {}, event=event or {})
        if isinstance(written, lit.Moment):
            written = _day(written, found, entered_at=entered_at, zone=where, attributes=attributes or {}, anchors=anchors or {})
        found[name] = (fact.type, spelled(fact.type, written, zone=where, currency=_currency(fact, project)))
    resolved = ResolvedFacts.of({name: found[name] for name in message.facts})
    if plan.by_entry_day and not told:
        if len(plan.ready) > 4096:
            plan.ready.clear()
        plan.ready[key] = resolved
    return resolved


class _Plan:
    """How the facts of one message are resolved: what is the same for all is spelled once a persona and language."""

    __slots__ = ("_fixed", "by_entry_day", "message", "moving", "ready")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.moving = _in_order(message, tuple(name for name, fact in message.facts.items() if is_personal(fact)))
        self.by_entry_day = all(_counts_days_from_entry(message, message.facts[name]) for name in self.moving)
        self._fixed: dict[tuple[str | None, str], dict[str, Resolved]] = {}
        self.ready: dict[tuple[str | None, str, int], ResolvedFacts] = {}

    def fixed(self, persona: str | None, language: str) -> Mapping[str, Resolved]:
        found = self._fixed.get((persona, language))
        if found is None:
            found = {}
            for name, fact in self.message.facts.items():
                if name not in self.moving:
                    written = _written(fact, persona=persona, language=language, attributes={}, event={})
                    if isinstance(written, lit.Moment):
                        written = written.day
                    found[name] = (fact.type, spelled(fact.type, written, zone=UTC))
            self._fixed[(persona, language)] = found
        return found


def fixed_facts(message: Message, persona: str | None, language: str) -> Mapping[str, Resolved]:
    """The facts that are the same for everybody of this persona and language."""
    return _plan_of(message).fixed(persona, language)


def certain(message: Message, persona: str | None, language: str) -> frozenset[str]:
    """The facts that nobody lacks: the same for all, or counted in days from entry."""
    plan = _plan_of(message)
    sure = {name for name, (_, value) in plan.fixed(persona, language).items() if value is not None}
    moving = {name for name in plan.moving if _counts_days_from_entry(message, message.facts[name], only="enter")}
    return frozenset(sure | moving)


def by_entry(message: Message) -> bool:
    """True when persona, language, zone and the instant of entry decide every fact, but for what the pass was told."""
    return all(
        fact.from_ is None and fact.max_age is None and all(one.anchor in ("enter", *message.facts) for one in _moments(fact))
        for fact in message.facts.values()
    )


def by_entry_day(message: Message) -> bool:
    """True when of the instant of entry only its local day matters."""
    return _plan_of(message).by_entry_day


_plans: dict[int, _Plan] = {}


def _plan_of(message: Message) -> _Plan:
    plan = _plans.get(id(message))
    if plan is None or plan.message is not message:
        if len(_plans) > 1024:
            _plans.clear()
        plan = _plans[id(message)] = _Plan(message)
    return plan


def _moments(fact: Fact) -> tuple[lit.Moment, ...]:
    values = (fact.value, *(fact.by_persona or {}).values(), *(fact.by_language or {}).values())
    return tuple(value for value in values if isinstance(value, lit.Moment) and value.kind == "anchor")


def _in_order(message: Message, names: tuple[str, ...]) -> tuple[str, ...]:
    """Facts after those that they are counted from; a circle stays as it stands and resolves to nothing."""
    ordered: list[str] = []

    def place(name: str, above: tuple[str, ...]) -> None:
        if name in ordered or name in above or name not in names:
            return
        for moment in _moments(message.facts[name]):
            place(moment.anchor or "", (*above, name))
        ordered.append(name)

    for name in names:
        place(name, ())
    return tuple(ordered)


def _counts_days_from_entry(message: Message, fact: Fact, *, only: str | None = None) -> bool:
    """True when the day follows from the local day of entry alone (`only` enter: directly)."""
    if fact.from_ is not None:
        return False
    return all(
        (moment.anchor == "enter" or (only is None and moment.anchor in message.facts))
        and (moment.length is None or not moment.length.elapsed)
        for moment in _moments(fact)
    )


def _written(fact: Fact, *, persona: str | None, language: str, attributes: Mapping[str, Any], event: Mapping[str, Any]) -> Any:
    """The value as it stands in the file, or as the contact or the event has it."""
    if fact.from_ is not None:
        source, _, field = fact.from_.partition(".")
        match source:
            case "contact":
                return attributes.get(field)
            case "event":
                return event.get(field)
            case "nearest":
                return attributes.get("place")
        return None
    if fact.by_persona is not None:
        return fact.by_persona.get(persona or "default", fact.by_persona.get("default"))
    if fact.by_language is not None:
        return fact.by_language.get(language, fact.by_language.get(language.split("-")[0]))
    return fact.value


def is_personal(fact: Fact) -> bool:
    """True when two people of one persona and language may be told different values."""
    return fact.from_ is not None or bool(_moments(fact))


def _currency(fact: Fact, project: Project | None) -> str:
    """The currency of a money fact that comes from a column of minor units."""
    if project is None or fact.from_ is None:
        return "EUR"
    source, _, field = fact.from_.partition(".")
    declared = project.contacts.attributes.get(field) if source == "contact" else None
    if declared is None:
        declared = next((fields[field] for fields in project.events.values() if field in fields), None)
    return (declared.currency if declared else None) or project.currency


def _day(
    moment: lit.Moment, found: Mapping[str, Resolved], *, entered_at: datetime, zone: tzinfo,
    attributes: Mapping[str, Any], anchors: Mapping[str, date | datetime | str],
) -> date | None:  # fmt: skip
    """The calendar day of a moment, in the contact's zone."""
    if moment.kind != "anchor" or moment.anchor is None:
        return moment.day
    anchor = moment.anchor
    start: date | datetime | None
    if anchor == "enter":
        start = entered_at
    elif anchor.startswith("contact."):
        start = _as_day(attributes.get(anchor.removeprefix("contact.")), zone)
    elif anchor in found:
        start = _as_day(found[anchor][1], zone)
    else:
        start = _as_day(anchors.get(anchor), zone)
    if start is None:
        return None
    if isinstance(start, datetime):
        if moment.length is None:
            return start.astimezone(zone).date()
        step = moment.length.before if moment.direction == "before" else moment.length.after
        return step(start, zone).astimezone(zone).date()
    if moment.length is None:
        return start
    return moment.length.shift(start, -moment.length.count if moment.direction == "before" else None)


def _as_day(value: Any, zone: tzinfo) -> date | None:
    if isinstance(value, datetime):
        return value.astimezone(zone).date() if value.tzinfo else value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        from omnicli import clock

        return clock.from_ms(value).astimezone(zone).date()
    try:
        return date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None


def spelled(kind: str, value: Any, *, zone: tzinfo, currency: str = "EUR") -> str | None:
    """A value in the plain spelling of its type, whatever it comes as: a literal, a column of the store, or text.

    Money columns are minor units, times milliseconds, distances metres, durations minutes, yes-or-no 0 and 1. None for what is missing or cannot be read.
    """
    if value is None or value == "":
        return None
    match kind:
        case "money":
            if isinstance(value, lit.Money):
                return str(value)
            if isinstance(value, Mapping):
                return f"{value.get('amount')} {value.get('currency', currency)}"
            if isinstance(value, int):
                return str(lit.Money(Decimal(value).scaleb(-lit.MINOR_DIGITS.get(currency, 2)), currency))
            try:
                return str(lit.Money.parse(str(value)))
            except lit.LiteralError:
                return None
        case "percent":
            if isinstance(value, lit.Percent):
                return format(value.value, "f")
            return str(value).removesuffix("%").strip()
        case "number" | "distance" | "duration":
            if isinstance(value, lit.Distance):
                value = value.metres
            elif isinstance(value, lit.Duration):
                value = int(value.about.total_seconds()) // 60
            text = format(value, "f") if isinstance(value, (float, Decimal)) else str(value)
            return text.rstrip("0").rstrip(".") if "." in text else text
        case "date" | "time":
            day = _as_day(value, zone)
            return day.isoformat() if day else None
        case "yes or no":
            return "yes" if value in (True, 1, "yes") else "no"
    return str(value)
