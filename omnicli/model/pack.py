"""A country's rules as frozen values: what no file can lift, what holds where a file is silent, and where each comes from.

Not legal advice. Every rule carries its source and the day it was checked; the values are data (`omnicli/packs/*.yaml`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

from omnicli.model.literals import Rate, Window

STRICT = "STRICT"

#: E error (lint blocks) · W warning · G guard at run time (holds or skips a touch, with the id as reason).
Severity = Literal["E", "W", "G"]
#: law, platform, industry, our own choice, or not verified.
AUTHORITIES = ("law", "plat", "ind", "own", "?")
#: What a rule's `value` is about.
KINDS = ("hours", "caps", "consent", "holidays", "zones", "content", "advice")

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PackRule:
    """One rule. `from_` and `until` are the first and the last day it holds (None: open); `checked_on` None: not verified."""

    id: str
    severity: Severity
    kind: str
    authority: str
    source: str
    text: Mapping[str, str]
    from_: date | None = None
    until: date | None = None
    checked_on: date | None = None
    value: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    def holds(self, on: date) -> bool:
        """Whether the rule is in force on this day."""
        return (self.from_ is None or self.from_ <= on) and (self.until is None or on <= self.until)

    def stale(self, on: date) -> bool:
        """Never verified, or last checked more than twelve months before this day."""
        return self.checked_on is None or (on - self.checked_on).days > 365


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one country in force on one day, with their values laid out by channel.

    `closed` windows and `limits` caps bind marketing and no file can lift them; `quiet` windows and `caps` (channel or
    `all`) hold where the project's file is silent. `regions` adds `closed` windows by subdivision. `zones` names the time
    zones of a subdivision. `consent` is `opt_in`, `soft_opt_in` or `opt_out` by channel.
    """

    code: str
    title: str = ""
    rules: tuple[PackRule, ...] = ()
    closed: Mapping[str, tuple[Window, ...]] = field(default_factory=lambda: _NONE)
    regions: Mapping[str, Mapping[str, tuple[Window, ...]]] = field(default_factory=lambda: _NONE)
    quiet: Mapping[str, tuple[Window, ...]] = field(default_factory=lambda: _NONE)
    caps: Mapping[str, tuple[Rate, ...]] = field(default_factory=lambda: _NONE)
    limits: Mapping[str, tuple[Rate, ...]] = field(default_factory=lambda: _NONE)
    consent: Mapping[str, str] = field(default_factory=lambda: _NONE)
    zones: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NONE)

    def rule(self, id: str) -> PackRule | None:
        """The rule of this id, when it is in force."""
        return next((rule for rule in self.rules if rule.id == id), None)

    def because(self, kind: str, channel: str | None = None) -> PackRule | None:
        """The first rule of this kind (that speaks of this channel): what a reason names."""
        for rule in self.rules:
            parts = [part for part in rule.value.values() if isinstance(part, Mapping)]
            if rule.kind == kind and (channel is None or any(channel in part for part in parts)):
                return rule
        return None


def pack_of(packs: Mapping[str, Pack], country: str | None) -> Pack:
    """The pack of a country; `STRICT` for one that is unknown or has none."""
    return packs.get(country or STRICT) or packs[STRICT]


def ruling(packs: Mapping[str, Pack], recipient: str | None, sender: str | None) -> tuple[Pack, ...]:
    """The packs whose strictest wins: the recipient's country's and the sender's, without repeats."""
    first, second = pack_of(packs, recipient), pack_of(packs, sender)
    return (first,) if first is second else (first, second)
