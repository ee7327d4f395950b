"""A door whose condition speaks of minutes opens in a virtual world when it would if somebody looked each minute, and is seldom looked at."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from telling import a_house, project

from omnicli.campaignfile import Loaded
from omnicli.campaigns import doors
from omnicli.campaigns.scenario.world import World
from omnicli.clock import read_instant

START = read_instant("2027-01-04 11:30", "Europe/Paris")
FLOW = """
campaign: bienvenue
title: Bienvenue
why: To be entered by the minute.
enter: {%s}
messages:
  offre:
    say: {fr: {subject: Oui, body: Oui, short: Oui, cta: Voir}, en: {subject: Yes, body: Yes, short: Yes, cta: See}}
flow:
  - {wait: 20 minutes, id: w}
"""
CONDITIONS = {
    "created": "if: created within 30 minutes",
    "not any more": "if: not created within 40 minutes, again: after 90 minutes",
    "an event": "if: signup within 30 minutes, again: always",
    "often": 'if: "count(signup, 2 hours) >= 2 and created before 50 minutes ago", again: after 1 hour',
    "long ago": "if: last(signup) before 75 minutes ago, again: after 3 hours",
    "hours": "if: signup within 3 hours and not purchase within 61 minutes, again: after 2 hours",
    "of days too": "if: signup within 2 days and not signup within 45 minutes, again: after 5 hours",
    "today": "if: last(purchase) before now and purchase within 1 day, again: after 4 hours",
}


def a_door(folder: Path, way: str) -> Loaded:
    return project(a_house(folder, campaign=FLOW % way))


def lived(loaded: Loaded, hours: float) -> tuple[list[tuple[str, str]], int]:
    """Who came in when, and at how many instants anything was lived."""
    looks = 0
    with World(loaded, ["bienvenue"], start=START) as world:

        def until(minutes: float) -> None:
            nonlocal looks
            end = START + timedelta(minutes=minutes)
            while (due := world.next_due()) is not None and due <= end:
                world.live(due)
                looks += 1
            world.now = end

        world.add({"language": "fr"}, name="lea")
        until(10.5)
        world.add({"language": "fr"}, name="luc")
        world.event("lea", "signup")
        until(47)
        world.event("luc", "signup", at=START + timedelta(minutes=20))
        until(61.2)
        world.event("luc", "signup")
        world.event("lea", "purchase", {"value": "12 EUR"})
        until(hours * 60)
        found = [(who, f"{one.entered_at:%d %H:%M:%S}") for who in ("lea", "luc") for one in world.standing(who)]
    return found, looks


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CONDITIONS))
def test_people_come_in_when_they_would_if_somebody_looked_each_minute(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = a_door(tmp_path, CONDITIONS[name])
    seldom, few = lived(loaded, 5)
    monkeypatch.setattr(doors, "next_change", lambda *_, **__: None)
    each_minute, many = lived(loaded, 5)
    assert seldom == each_minute
    assert seldom
    assert few * 2 < many


def test_two_months_of_such_a_door_are_a_few_looks(tmp_path: Path) -> None:
    _, looks = lived(a_door(tmp_path, CONDITIONS["created"]), 60 * 24)
    assert looks < 40
