"""A saved plan in live: it is the approval of `approve_above`; killed at each point and given again it sends nothing twice and loses
nothing; two processes that give it at once are one. The fake's own log is the judge."""

from __future__ import annotations

import re

import pytest
from houses_live import House
from processes import KILLED
from trials import SEND_POINTS, TICKS, Rig

pytestmark = pytest.mark.slow

PEOPLE, ALLOWED = 10, 4
GIVE = ("campaign", "run", "bienvenue", "--plan", "x.plan", "--confirm", "bienvenue")


@pytest.fixture
def house(rig: Rig) -> House:
    """Ten people, of whom four may be written to without anybody's approval; a plan of all of them is made."""
    house = rig.house("smtp", PEOPLE)
    campaign = house.folder / "campaigns" / "bienvenue.yaml"
    campaign.write_text(f"{campaign.read_text().rstrip()}\nguardrails: {{approve_above: {ALLOWED} sends}}\n")
    ended = house.run("campaign", "start", "bienvenue", "--yes")
    assert ended.code == 0, ended
    ended = house.run("campaign", "plan", "bienvenue", "--out", str(house.folder / "x.plan"))
    assert ended.code == 0, ended
    return house


def give(house: House, *more: str, later: float = 0.0, **asked: str) -> tuple[int | None, str]:
    words = [str(house.folder / word) if word.endswith(".plan") else word for word in (*GIVE, *more)]
    ended = house.run(*words, later=later, **asked)
    return ended.code, ended.said


def test_without_an_approval_the_excess_stays_and_the_plan_is_the_approval(rig: Rig, house: House) -> None:
    log = rig.fakes["smtp"].log
    assert house.tick().code == 4
    assert len(log) == ALLOWED
    code, said = house.run("campaign", "run", "bienvenue", "--plan", str(house.folder / "x.plan"), later=2).code, ""
    assert (code, len(log)) == (4, ALLOWED)
    code, said = give(house, later=4)
    assert (code, len(log)) == (0, PEOPLE), said
    assert log.doubles() == {}
    assert re.search(r"plan.*bienvenue", str(house.rows("SELECT * FROM audit")))
    code, said = give(house, later=6)
    assert (code, len(log)) == (0, PEOPLE), said


def test_two_processes_that_give_the_same_plan_at_once_are_one(rig: Rig, house: House) -> None:
    words = [str(house.folder / word) if word.endswith(".plan") else word for word in GIVE]
    started = [house.start(*words) for _ in range(3)]
    codes = [rig.omni.wait(pid, out, seconds=30).code for pid, out in started]
    log = rig.fakes["smtp"].log
    assert log.doubles() == {}
    assert len(log) == PEOPLE
    assert set(codes) <= {0, 5}, [out.read_text() for _, out in started]
    assert 0 in codes


@pytest.mark.parametrize("point", ["F01", "F02", "F03", "F04", *SEND_POINTS])
def test_killed_and_given_again_it_sends_nothing_twice_and_loses_nothing(rig: Rig, house: House, point: str) -> None:
    log = rig.fakes["smtp"].log
    code, said = give(house, crash_at=point)
    assert code == KILLED, said
    rig.fakes["smtp"].idle()
    for later in TICKS[:3]:
        code, said = give(house, later=later)
        assert code in (0, 3), said
        rig.fakes["smtp"].idle()
    states = house.states()
    reached = {line["to"] for line in log.lines}
    assert log.doubles() == {}
    assert set(states) <= {"accepted", "unknown", "parked"}, states
    assert len(reached) + states.get("unknown", 0) + states.get("parked", 0) >= PEOPLE, (states, reached)
    assert sum(states.values()) == PEOPLE
