"""Chance that is no chance: every draw is a hash of names, the same in plan, run, test and replay (docs/language 8.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from omnicli.model.ids import draw
from omnicli.model.literals import Duration, Percent

#: Arms are cut in file order on this scale; hold-outs on a finer one, so that 0.1 % of a large base is exact.
ARMS = 10_000
PEOPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Draws:
    """Chance as a test gives it: `arms` pins arms by split id, `held_out` answers who lives in silence (None: the hash does)."""

    arms: Mapping[str, str] = field(default_factory=dict)
    held_out: Callable[[bytes], bool] | None = None


def place(names: tuple[str, str, str], uid: bytes, number: int) -> int:
    """Where this contact's pass lies on the scale of 10,000 that the arms are cut from."""
    return draw(ARMS, *names, uid.hex(), str(number))


def arm(names: tuple[str, str, str], uid: bytes, number: int, *, shares: Mapping[str, Percent]) -> str:
    """The arm of (project, campaign, split id) for this contact's pass: the scale of 10,000 cut in file order."""
    drawn = place(names, uid, number)
    edge = Decimal(0)
    last = ""
    for name, share in shares.items():
        if share.value:
            last = name
        edge += share.share * ARMS
        if drawn < edge:
            return name
    return last


def held_out(project: str, campaign: str, uid: bytes, *, share: Percent | None) -> bool:
    """Whether the contact lives this campaign in silence; 5 % is a subset of 10 %, every pass draws the same."""
    return share is not None and place_of_people(project, campaign, uid) < share.share * PEOPLE


def place_of_people(project: str, experiment: str, uid: bytes) -> int:
    """Where the contact lies on the scale of a million that a hold-out is cut from; `experiment` is a campaign or a period."""
    return draw(PEOPLE, project, experiment, uid.hex())


def rotation(today: date, rotate: Duration | None) -> str:
    """The name of the period in which the project's hold-out stays the same: counted in units since 2000-01-01."""
    if rotate is None:
        return "0"
    if rotate.unit in ("month", "year"):
        months = rotate.count * (12 if rotate.unit == "year" else 1)
        return str(((today.year - 2000) * 12 + today.month - 1) // months)
    return str((today - date(2000, 1, 1)).days // max(1, rotate.about.days))


def held_out_of_all(project: str, period: str, uid: bytes, *, share: Percent | None) -> bool:
    """Whether no marketing campaign reaches the contact in this period (`holdout` of omni.yaml)."""
    return share is not None and place_of_people(project, period, uid) < share.share * PEOPLE
