"""A plan is the run that nobody carried out: the same decisions, touch by touch, and nothing written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from living import OMNI, Living, a_campaign, paris, welcome

from omnicli.campaigns.plan import Planned

SHOP = OMNI.replace("quiet_hours: []", "quiet_hours: [20:00-09:00, sunday]").replace(
    "all: 50 per day, email: 50 per day", "all: 2 per week, email: 1 per day"
)


@pytest.fixture
def stage(tmp_path: Path) -> Living:
    return Living(tmp_path, welcome())


def crowd(stage: Living) -> Living:
    """Forty people with every mixture of consents, held-out ones among them, one without any address."""
    stage.start("bienvenue")
    kinds = (("email", "sms"), ("email",), ("sms",), ())
    for n in range(40):
        stage.sign_up(f"p{n:02}", consent=kinds[n % 4], addresses=("email", "sms"))
    stage.run("2027-01-04 11:30")
    return stage


def told(planned: tuple[Planned, ...]) -> Counter[str]:
    """Touches of a plan as they would be stored."""
    state = {"send": "accepted", "skipped": "skipped", "held_out": "held_out"}
    return Counter(f"{p.touch} {p.channel} {state[p.state]} {p.reason} {p.cost}" for p in planned)


def stored(stage: Living, at: str) -> Counter[str]:
    """Touches as they are stored, of those that were settled or made at that instant."""
    ms = int(paris(at).timestamp() * 1000)
    rows = stage.rows(
        "SELECT hex(touch_key), channel, send_state, reason, cost FROM touch WHERE settled_at = :ms OR created_at = :ms", ms=ms
    )
    return Counter(f"{key.lower()} {channel} {state} {reason} {cost}" for key, channel, state, reason, cost in rows)


def test_a_plan_is_the_run_touch_by_touch_and_writes_nothing(tmp_path: Path) -> None:
    stage = crowd(Living(tmp_path, welcome(extra="holdout: 20 %"), omni=SHOP))
    for at in ("2027-01-05 10:00", "2027-01-08 11:00", "2027-01-09 10:00", "2027-01-11 10:30", "2027-01-12 10:00"):
        before = stage.snapshot()
        planned = stage.plan(at)
        assert stage.snapshot() == before
        stage.run(at)
        now = [p for p in planned.touches if p.at <= stage.now or p.state == "held_out"]
        assert told(tuple(now)) == stored(stage, at), at
    assert len(stage.got()) > 30


def test_planning_twice_gives_the_same_plan(stage: Living) -> None:
    crowd(stage)
    assert stage.plan("2027-01-05 10:00", until="2027-01-12 10:00") == stage.plan(until="2027-01-12 10:00")


def test_a_plan_before_the_start_plans_as_if_the_file_were_applied(stage: Living) -> None:
    planned = stage.plan()
    assert [(s.name, s.announced, s.version.number) for s in planned.subjects] == [("bienvenue", "started", 1)]
    assert stage.rows("SELECT * FROM campaign") == []


def test_a_plan_after_an_edit_plans_as_if_the_file_were_applied(stage: Living) -> None:
    crowd(stage)
    stage.write(welcome().replace("wait: 2 days", "wait: 5 days"))
    stage.loaded = stage.load()
    assert [(s.announced, s.version.number) for s in stage.plan().subjects] == [("applied", 2)]
    assert stage.rows("SELECT count(*) FROM campaign_version") == [(1,)]


def test_until_looks_ahead_and_what_no_answer_can_change_is_exact(stage: Living) -> None:
    crowd(stage)
    planned = stage.plan("2027-01-04 12:00", until="2027-01-11 09:00")
    steps = {(p.step, p.exact) for p in planned.sends}
    assert steps == {("j0", True), ("rappel", False)}
    assert {p.at for p in planned.sends if p.step == "j0"} == {paris("2027-01-05 10:00")}
    assert {p.at for p in planned.sends if p.step == "rappel"} == {paris("2027-01-09 10:00")}


def test_the_exact_part_of_a_plan_ahead_is_what_the_runs_send_when_nobody_answers(stage: Living) -> None:
    crowd(stage)
    planned = stage.plan("2027-01-04 12:00", until="2027-01-12 10:00")
    for at in ("2027-01-05 10:00", "2027-01-08 10:00", "2027-01-09 10:00", "2027-01-11 10:00", "2027-01-12 10:00"):
        stage.run(at)
    assert Counter(f"{p.contact} {p.step}" for p in planned.sends) == Counter(stage.got())


def test_waiting_for_an_answer_makes_what_follows_a_forecast(stage: Living) -> None:
    crowd(stage).run("2027-01-05 10:00")
    planned = stage.plan("2027-01-06 10:00", until="2027-01-10 10:00")
    assert planned.sends
    assert not any(p.exact for p in planned.sends)


def test_plain_waits_keep_what_follows_exact_and_conditions_do_not(tmp_path: Path) -> None:
    flow = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w1}\n- {send: offre, by: email, id: j1}\n- {wait: 1 day, id: w2}\n- {send: offre, by: email, id: j2, if: not clicked}"  # fmt: skip
    stage = Living(tmp_path, a_campaign(flow))
    stage.start("bienvenue")
    stage.sign_up("lea")
    planned = stage.plan("2027-01-04 12:00", until="2027-01-07 10:00")
    assert [(p.step, p.exact) for p in planned.sends] == [("j0", True), ("j1", True), ("j2", False)]


def test_a_plan_says_who_is_held_who_is_silent_and_who_is_dropped(tmp_path: Path) -> None:
    omni = OMNI.replace("quiet_hours: []", "quiet_hours: [12:00-14:00]")
    stage = Living(tmp_path, a_campaign("- {send: offre, by: email, id: j0}", extra="holdout: 30 %"), omni=omni)
    stage.start("bienvenue")
    stage.sign_up(*(f"p{n}" for n in range(20)))
    stage.sign_up("nobody", consent=())
    planned = stage.plan("2027-01-04 12:30")
    assert {w.guard for w in planned.held} == {"quiet_hours"}
    assert {w.until.hour for w in planned.held if w.until} == {13}
    assert [p.contact for p in planned.dropped if p.reason == "unreachable"] == ["nobody"]
    later = stage.plan("2027-01-04 15:00")
    assert len(later.sends) + len(later.silent) + len(later.dropped) == 21
    assert later.silent


def test_each_touch_of_a_plan_says_why_this_channel(stage: Living) -> None:
    stage.start("bienvenue")
    stage.sign_up("lea", consent=("sms",), addresses=("email", "sms"))
    stage.run("2027-01-04 11:30")
    (planned,) = stage.plan("2027-01-05 10:00").sends
    assert planned.channel == "sms"
    assert [line["values"] for line in planned.why if line["rule"] == "channels"] == [{"email": "no_consent"}]


def test_one_contacts_next_days(stage: Living) -> None:
    crowd(stage)
    planned = stage.plan("2027-01-04 12:00", until="2027-02-03 09:00", contact="p00")
    assert [p.step for p in planned.sends] == ["j0", "rappel", "adieu"]
    assert {p.contact for p in planned.touches} == {"p00"}


def test_a_plan_of_an_occurrence_ahead_lets_people_in_when_it_comes(tmp_path: Path) -> None:
    stage = Living(tmp_path, a_campaign("- {send: offre, by: email, id: j0}", enter="{every: monday 09:00, if: orders = 0}"))
    stage.person("lea", first_name="Léa", orders="0")
    stage.start("bienvenue", "2027-01-05 08:00")
    planned = stage.plan(until="2027-01-12 08:00")
    assert [(p.contact, p.at) for p in planned.sends] == [("lea", paris("2027-01-11 09:00"))]


def test_a_plan_of_a_paused_campaign_sends_nothing(stage: Living) -> None:
    crowd(stage).pause("2027-01-04 20:00")
    assert stage.plan("2027-01-05 11:00").sends == ()


def test_the_costs_of_a_plan_are_those_of_the_run(stage: Living) -> None:
    crowd(stage)
    assert stage.plan("2027-01-05 10:00").cost == stage.run().cost


def test_a_forecast_rests_on_the_model_until_enough_people_came_through_the_wait(stage: Living) -> None:
    crowd(stage).run("2027-01-05 10:00")
    (basis,) = {p.basis for p in stage.plan("2027-01-06 10:00", until="2027-01-10 10:00").sends if p.contact in ("p00", "p01")}
    assert basis is not None
    assert (basis.step, basis.version, basis.people) == ("reponse", 0, 0)
    assert 0.9 < basis.share < 1  # an e-mail's clicks of the default model: 4 %


def test_a_forecast_rests_on_who_was_silent_in_an_earlier_version(stage: Living) -> None:
    crowd(stage).run("2027-01-05 10:00")
    for n in (0, 1, 4, 5, 8, 9):
        stage.says(f"p{n:02}", "clicked", at="2027-01-05 11:00", message="offre", campaign="bienvenue", channel="email")
    stage.run("2027-01-05 12:00")
    stage.run("2027-01-08 10:00")  # the others were silent
    stage.write(welcome().replace("wait: 2 days", "wait: 5 days"))
    stage.loaded = stage.load()
    stage.start("bienvenue")
    stage.sign_up("new", consent=("email", "sms"), addresses=("email", "sms"))
    stage.run("2027-01-08 12:00")
    planned = stage.plan("2027-01-09 12:00", until="2027-01-14 12:00", contact="new")
    forecast = [p for p in planned.sends if not p.exact]
    assert [p.basis.version for p in forecast if p.basis] == [1]
    (basis,) = [p.basis for p in forecast if p.basis]
    assert basis.people == 40
    assert basis.share == 34 / 40
    assert forecast[0].odds == basis.share
