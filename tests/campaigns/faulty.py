"""Faults put into guards and into the engine on purpose, each with the promise that lives must find broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from omnicli import guards
from omnicli.campaigns import respond
from omnicli.engine import decide


@dataclass(frozen=True)
class Fault:
    """`campaign` of the sample project, those that live beside it, and what is broken; `promise` is how the breach begins."""

    name: str
    campaign: str
    promise: str
    put: Callable[[pytest.MonkeyPatch], None]
    beside: tuple[str, ...] = ()
    lives: int = 200
    seed: int = 7


def off(*names: str) -> Callable[[pytest.MonkeyPatch], None]:
    """These guards of omnicli/guards.py are off."""
    return lambda patch: patch.setattr(guards, "_OFF", frozenset(names))


def goal_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A purchase counts, and neither the decision nor the claim asks for it."""
    whole = decide._Walk.judge_ends
    patch.setattr(guards, "_OFF", frozenset({"gate_exits"}))
    patch.setattr(decide._Walk, "judge_ends", lambda self: None if (end := whole(self)) and end.reason == "goal" else end)


def second_is_too_late(patch: pytest.MonkeyPatch) -> None:
    """What comes in the very second of a touch is folded after it: the order of the instant is reversed."""
    whole = respond.fold

    def fold(store: Any, loaded: Any, *, now: datetime) -> Any:
        return whole(store, loaded, now=now - timedelta(seconds=1))

    patch.setattr(respond, "fold", fold)


def silent_ones_written_to(patch: pytest.MonkeyPatch) -> None:
    """Whoever is held out gets the touch all the same."""
    whole = decide._Walk._send

    def send(self: Any, case: Any, channel: str, reasons: Any) -> Any:
        object.__setattr__(self.s, "held_out", False)
        return whole(self, case, channel, reasons)

    patch.setattr(decide._Walk, "_send", send)


def days_of_utc(patch: pytest.MonkeyPatch) -> None:
    """Quiet hours are those of London, whoever is meant."""
    from zoneinfo import ZoneInfo

    from omnicli.engine.calendar import Calendar

    patch.setattr(Calendar, "zones", lambda self, country, time_zone, region=None: (ZoneInfo("UTC"),))


FAULTS = (
    *(Fault("consent", name, "no touch without consent", off("consent")) for name in ("bienvenue", "panier-abandonne", "reconquete")),
    *(Fault("suppression", name, "no touch to a barred address", off("suppression")) for name in ("bienvenue", "panier-abandonne", "reconquete")),
    *(Fault("quiet_hours", name, "no touch on ", off("quiet_hours")) for name in ("bienvenue", "panier-abandonne", "reconquete")),
    Fault("cap", "bienvenue", "at most ", off("cap"), ("panier-abandonne",)),
    Fault("n_day_count", "bienvenue", "at most ", off("n_day_count"), ("panier-abandonne",)),
    Fault("min_gap", "bienvenue", "at least ", off("min_gap"), ("panier-abandonne",)),
    *(Fault("goal forgotten", name, "nothing after purchase", goal_forgotten) for name in ("bienvenue", "panier-abandonne", "reconquete")),
    *(Fault("held out written to", name, "no touch to the held-out", silent_ones_written_to) for name in ("bienvenue", "panier-abandonne", "reconquete")),
    Fault("hours of another zone", "bienvenue", "no touch ", days_of_utc),
)  # fmt: skip
