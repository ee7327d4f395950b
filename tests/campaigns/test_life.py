"""What start, run, pause, resume, stop and the tick do to people: every row of the table in campaign-language 9.2."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from living import OMNI, Living, Recorder, a_campaign, paris, welcome

from omnicli.campaigns import life
from omnicli.campaigns import run as running
from omnicli.errors import OmniError
from omnicli.model.touch import Outcome
from omnicli.service.scheduler import tick
from omnicli.store import campaigns as stored


@pytest.fixture
def stage(tmp_path: Path) -> Living:
    return Living(tmp_path, welcome())


def begun(stage: Living) -> Living:
    """bienvenue runs since Monday 11:00; léa and max signed up; the run at 11:30 let them in."""
    stage.start("bienvenue")
    stage.sign_up("lea", "max", consent=("email", "sms"))
    stage.run("2027-01-04 11:30")
    return stage


# --- start ----------------------------------------------------------------------------------------------------------
def test_start_applies_the_version_opens_the_doors_and_sends_nothing(stage: Living) -> None:
    started = stage.start("bienvenue")
    assert (started.was, started.version.number, started.applied) == ("draft", 1, True)
    assert stage.campaign_state() == "running"
    assert stage.got() == []


def test_events_before_the_start_let_nobody_in_unless_since_says_so(stage: Living) -> None:
    stage.sign_up("lea")
    stage.fold()
    stage.start("bienvenue", "2027-01-05 09:00")
    assert stage.run("2027-01-05 09:30").entered == {}
    assert life.missed(stage.store, stage.loaded, "bienvenue", now=stage.now) == (stage.now - timedelta(days=30), 1)
    stage.start("bienvenue", since=paris("2027-01-04"))
    assert stage.run("2027-01-05 09:31").entered == {"bienvenue": 1}


def test_starting_again_with_another_file_applies_it_and_leaves_people_on_theirs(stage: Living) -> None:
    begun(stage)
    stage.write(welcome().replace("wait: 2 days", "wait: 5 days"))
    stage.loaded = stage.load()
    started = stage.start("bienvenue")
    assert (started.was, started.version.number) == ("running", 2)
    assert [(v.number, n) for v, n in started.stay] == [(1, 2)]


def test_the_same_content_is_the_same_version_whatever_the_comments_and_the_order_of_keys(stage: Living) -> None:
    stage.start("bienvenue")
    text = (stage.folder / "campaigns" / "bienvenue.yaml").read_text()
    stage.write(text.replace("title: T", "title: Another title  # and a comment").replace("why: W", "why: because"))
    stage.loaded = stage.load()
    assert not stage.start("bienvenue").applied


def test_going_back_to_an_older_content_goes_back_to_its_number(stage: Living) -> None:
    stage.start("bienvenue")
    for days in ("5", "2"):
        stage.write(welcome().replace("wait: 2 days", f"wait: {days} days"))
        stage.loaded = stage.load()
        started = stage.start("bienvenue")
    assert started.version.number == 1


def test_a_paused_campaign_is_resumed_not_started(stage: Living) -> None:
    begun(stage).pause()
    with pytest.raises(OmniError, match="paused") as refused:
        stage.start("bienvenue")
    assert "resume" in refused.value.hint


def test_an_unknown_campaign_is_answered_with_the_nearest_name(stage: Living) -> None:
    with pytest.raises(OmniError, match="bienvenue") as refused:
        stage.start("bienvenu")
    assert refused.value.exit == 2


def test_a_file_with_an_error_can_neither_be_started_nor_run_nor_planned(stage: Living) -> None:
    from omnicli.campaignfile import load_project

    (stage.folder / "campaigns" / "bienvenue.yaml").write_text(welcome().lstrip().replace("by: sms", "by: smss"))
    stage.loaded = load_project(stage.folder)
    if not stage.loaded.errors("bienvenue"):
        (stage.folder / "campaigns" / "bienvenue.yaml").write_text(welcome().lstrip().replace("wait: 2 days", "wait: 2 dyas"))
        stage.loaded = load_project(stage.folder)
    for deed in (lambda: stage.start("bienvenue"), lambda: stage.run(None, "bienvenue"), lambda: stage.plan(None, "bienvenue")):
        with pytest.raises(life.Unfit) as refused:
            deed()
        assert refused.value.exit == 1
        assert refused.value.findings


# --- run ------------------------------------------------------------------------------------------------------------
def test_run_starts_a_draft_in_the_sandbox_and_says_so(stage: Living) -> None:
    report = stage.run()
    assert [(a.name, a.kind) for a in report.announced] == [("bienvenue", "started")]
    assert stage.campaign_state() == "running"


def test_run_applies_a_changed_file_in_the_sandbox_and_says_so(stage: Living) -> None:
    begun(stage)
    stage.write(welcome().replace("wait: 2 days", "wait: 5 days"))
    stage.loaded = stage.load()
    assert [(a.kind, a.version.number) for a in stage.run().announced] == [("applied", 2)]
    assert stage.run().announced == ()


def test_in_live_a_draft_is_refused_and_so_is_a_changed_file_without_a_yes(stage: Living) -> None:
    with pytest.raises(OmniError) as draft:
        stage.run(live=True)
    assert (draft.value.exit, draft.value.code) == (4, "draft")
    stage.start("bienvenue")
    stage.write(welcome().replace("wait: 2 days", "wait: 5 days"))
    stage.loaded = stage.load()
    with pytest.raises(OmniError) as changed:
        stage.run(live=True)
    assert changed.value.exit == 4
    with stage.store.read() as connection:
        assert len(stored.versions(connection, 1)) == 1


def test_each_gets_the_next_touch_when_it_is_due_and_the_same_instant_twice_sends_nothing_more(stage: Living) -> None:
    begun(stage)
    assert stage.got() == []
    stage.run("2027-01-05 10:00")
    assert sorted(stage.got()) == ["lea j0", "max j0"]
    before = stage.snapshot()
    again = stage.run("2027-01-05 10:00")
    assert (again.accepted, again.decided) == (0, 0)
    assert stage.snapshot() == before
    stage.says("max", "clicked", at="2027-01-05 12:00", message="offre", campaign="bienvenue", channel="email")
    stage.run("2027-01-09 10:00")
    assert sorted(stage.got()[2:]) == ["lea rappel"]
    stage.run("2027-01-12 11:00")
    assert sorted(stage.got()[3:]) == ["lea adieu", "max adieu"]
    assert {p.split()[-1] for p in stage.passes()} == {"end"}


def test_people_in_flight_finish_the_version_they_entered(stage: Living) -> None:
    begun(stage)
    stage.write(welcome().replace("id: adieu}", "id: adieu}\n  - {send: offre, by: sms, id: encore}"))
    stage.loaded = stage.load()
    stage.start("bienvenue")
    stage.sign_up("zoe", consent=("email", "sms"))
    for at in (
        "2027-01-04 12:00",
        "2027-01-05 10:00",
        "2027-01-08 10:00",
        "2027-01-09 10:00",
        "2027-01-11 10:00",
        "2027-01-12 10:00",
    ):
        stage.run(at)
    assert "zoe encore" in stage.got()
    assert "lea encore" not in stage.got()


def test_max_stops_after_so_many_and_the_next_run_sends_the_rest(stage: Living) -> None:
    begun(stage)
    assert stage.run("2027-01-05 10:00", max=1).accepted == 1
    assert stage.run("2027-01-05 10:00").accepted == 1


def test_only_one_channel_leaves_the_others_due(stage: Living) -> None:
    stage.start("bienvenue")
    stage.sign_up("lea", consent=("email",))
    stage.sign_up("max", consent=("sms",))
    stage.run("2027-01-04 11:30")
    assert stage.run("2027-01-05 10:00", only={"channel": "sms"}).by_channel == {"sms": 1}
    assert stage.run("2027-01-05 10:00").by_channel == {"email": 1}


def test_a_dry_run_decides_and_renders_everything_sends_nothing_and_stores_nothing(stage: Living) -> None:
    begun(stage)
    stage.now = paris("2027-01-05 10:00")
    before = stage.snapshot()
    report = running.rehearse(stage.store, stage.loaded, names=["bienvenue"], now=stage.now)
    assert (report.accepted, report.by_channel) == (2, {"email": 2})
    assert stage.got() == []
    assert stage.snapshot() == before
    assert not list(stage.folder.glob("rehearsal-*"))


def test_a_run_that_is_asked_to_stop_finishes_its_batch_and_running_again_sends_the_rest_once(tmp_path: Path) -> None:
    stage = begun(Living(tmp_path, welcome(), provider=Recorder(batch=1)))
    report = stage.run("2027-01-05 10:00", stopping=lambda: bool(stage.got()))
    assert (report.interrupted, report.exit) == (True, 130)
    assert (report.accepted, report.by_channel) == (1, {"email": 1})  # what left is told
    stage.run("2027-01-05 10:00")
    assert sorted(stage.got()) == ["lea j0", "max j0"]


def test_a_run_with_a_touch_of_unknown_fate_exits_with_3(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome(), provider=Recorder(lambda one: Outcome("unknown", detail="connection lost")))
    report = begun(stage).run("2027-01-05 10:00")
    assert (report.unknown, report.doubtful, report.exit) == (2, 2, 3)
    assert stage.run("2027-01-05 10:01").exit == 3


def test_what_was_under_way_when_a_campaign_was_stopped_ends_at_the_next_tick(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome(), provider=Recorder(lambda one: Outcome("unknown", detail="connection lost")))
    begun(stage).run("2027-01-05 10:00")
    with stage.store.write() as connection:  # one was claimed by somebody who died since
        first = "SELECT min(id) FROM touch WHERE send_state = 'unknown'"
        connection.exec_driver_sql(f"DELETE FROM attempt WHERE touch_id = ({first})")
        connection.exec_driver_sql(f"UPDATE touch SET send_state = 'retry', due_at = due_at + 1000 WHERE id = ({first})")
        connection.exec_driver_sql(
            "UPDATE touch SET send_state = 'claimed', lease_by = 'x.1.y-1', lease_until = 1 WHERE send_state = 'retry'"
        )
    stopped = stage.stop()
    assert (stopped.skipped, stopped.under_way, stopped.in_doubt) == (1, 0, 1)  # claimed is not yet with a provider
    done = tick(stage.store, stage.loaded, live=False, now=paris("2027-01-05 10:05"))
    assert (done.without, done.exit) == (None, 3)
    assert "omni touch unknown" in done.alarm
    assert sorted(stage.rows("SELECT send_state, reason FROM touch")) == [("parked", None), ("skipped", "stopped")]


def test_a_stopped_campaign_is_not_run(stage: Living) -> None:
    begun(stage).stop()
    with pytest.raises(OmniError, match="stopped") as refused:
        stage.run()
    assert refused.value.exit == 4


def test_the_sandbox_remembers_how_far_it_has_lived(stage: Living) -> None:
    stage.run("2027-02-01 09:00")
    assert stage.row("SELECT value FROM setting WHERE key = 'clock'")[0] == str(int(paris("2027-02-01 09:00").timestamp() * 1000))


# --- pause ----------------------------------------------------------------------------------------------------------
def test_a_paused_campaign_lets_nobody_in_and_decides_and_sends_nothing(stage: Living) -> None:
    begun(stage).pause("2027-01-04 20:00")
    stage.sign_up("zoe")
    report = stage.run("2027-01-05 11:00")
    assert (report.accepted, report.entered) == (0, {})
    assert stage.stands("lea") == "lea bienvenue at j0"
    assert stage.passes("zoe") == []


def test_a_tick_over_people_who_are_held_still_says_that_nothing_happened(stage: Living) -> None:
    stage.start("bienvenue")
    stage.sign_up("lea")
    stage.tick("2027-01-04 11:01")
    stage.pause("2027-01-04 12:00")
    stage.tick("2027-01-05 10:00")
    assert not stage.tick("2027-01-05 10:15").happened


def test_a_touch_planned_before_the_pause_does_not_leave_in_it(stage: Living) -> None:
    begun(stage)
    stage.now = paris("2027-01-05 10:00")
    stage.decide()
    stage.pause()
    assert stage.run().accepted == 0
    assert {t.split()[3] for t in stage.touches()} == {"planned"}


def test_with_people_finish_those_inside_go_on_and_nobody_enters(stage: Living) -> None:
    begun(stage).pause("2027-01-04 20:00", people="finish")
    stage.sign_up("zoe")
    report = stage.run("2027-01-05 10:00")
    assert (report.accepted, report.entered) == (2, {})


def test_in_a_pause_responses_are_folded_and_the_goal_and_exits_act(tmp_path: Path) -> None:
    rules = "goal: {when: purchase}\nexit: [{if: city = Lyon, as: moved}]"
    stage = begun(Living(tmp_path, welcome(extra=rules)))
    stage.pause("2027-01-04 20:00")
    stage.says("lea", "purchase", at="2027-01-04 21:00", value="20 EUR")
    stage.run("2027-01-04 22:00")
    assert stage.stands("lea") == "lea bienvenue goal"
    assert stage.stands("max") == "max bienvenue at j0"
    assert stage.got() == []


# --- resume ---------------------------------------------------------------------------------------------------------
def paused_over_the_offer(stage: Living) -> Living:
    begun(stage).pause("2027-01-04 20:00")
    return stage


def test_resume_does_not_flush_what_is_overdue_it_is_spread(stage: Living) -> None:
    paused_over_the_offer(stage)
    resumed = stage.resume("2027-01-06 09:00")
    assert (resumed.expired, resumed.spread, resumed.pause) == (0, 2, timedelta(days=1, hours=13))
    assert stage.run("2027-01-06 09:00").accepted == 0
    assert stage.run("2027-01-06 09:30").accepted == 2


def test_what_is_older_than_max_delay_at_resume_expires(stage: Living) -> None:
    paused_over_the_offer(stage)
    stage.resume("2027-01-12 09:00")
    stage.run("2027-01-12 09:30")
    assert not [line for line in stage.got() if line.endswith("j0")]
    assert {t.split()[3] + " " + t.split()[4] for t in stage.touches() if " j0 " in t} == {"skipped: expired"}


def test_touches_that_were_planned_are_spread_too_or_expire(stage: Living) -> None:
    begun(stage)
    stage.now = paris("2027-01-05 10:00")
    stage.decide()
    stage.pause()
    early = stage.resume("2027-01-06 09:00")
    assert (early.expired, early.spread) == (0, 2)
    assert stage.run("2027-01-06 09:30").accepted == 2


def test_a_touch_that_was_planned_too_long_ago_is_skipped_and_its_pass_goes_on(stage: Living) -> None:
    begun(stage)
    stage.now = paris("2027-01-05 10:00")
    stage.decide()
    stage.pause()
    late = stage.resume("2027-01-12 09:00")
    assert (late.expired, late.spread) == (2, 0)
    stage.run("2027-01-12 09:01")
    assert stage.stands("lea") == "lea bienvenue at reponse"


def test_with_timers_shift_every_timer_moves_by_the_length_of_the_pause(stage: Living) -> None:
    paused_over_the_offer(stage)
    resumed = stage.resume("2027-01-12 20:00", timers="shift")
    assert resumed.moved == 2
    assert stage.run("2027-01-13 09:59").accepted == 0
    assert stage.run("2027-01-13 10:00").accepted == 2


def test_a_dry_run_of_resume_says_what_would_be_and_changes_nothing(stage: Living) -> None:
    paused_over_the_offer(stage)
    before = stage.snapshot()
    assert stage.resume("2027-01-06 09:00", dry_run=True).spread == 2
    assert stage.snapshot() == before
    assert stage.campaign_state() == "paused"


def test_only_a_paused_campaign_is_resumed(stage: Living) -> None:
    with pytest.raises(OmniError, match="running"):
        begun(stage).resume()


# --- stop -----------------------------------------------------------------------------------------------------------
def test_stop_ends_everybody_and_skips_what_had_not_been_claimed(stage: Living) -> None:
    begun(stage)
    stage.now = paris("2027-01-05 10:00")
    stage.decide()
    done = stage.stop(because="wrong price")
    assert (done.left, done.skipped) == (2, 2)
    assert stage.passes() == ["lea bienvenue stopped", "max bienvenue stopped"]
    assert {t.split()[3] + " " + t.split()[4] for t in stage.touches()} == {"skipped: stopped"}
    assert stage.why("lea")[-1]["answer"] == "stopped"
    assert stage.rows("SELECT name, p_reason FROM event WHERE name = 'exited'") == [("exited", "stopped")] * 2


def test_after_a_stop_nothing_leaves_and_nobody_enters_until_it_is_started_again(stage: Living) -> None:
    begun(stage).stop("2027-01-05 09:00")
    stage.sign_up("zoe")
    stage.tick("2027-01-06 10:00")
    assert stage.got() == []
    assert stage.passes("zoe") == []


def test_people_come_back_after_a_stop_only_by_again(tmp_path: Path) -> None:
    stage = begun(Living(tmp_path, welcome(enter="{when: signup, again: after 10 days}")))
    stage.stop("2027-01-05 09:00")
    stage.start("bienvenue", "2027-01-06 09:00")
    stage.says("lea", "signup", at="2027-01-06 09:10")
    assert stage.run("2027-01-06 10:00").entered == {}
    stage.says("lea", "signup", at="2027-01-20 09:10")
    assert stage.run("2027-01-20 10:00").entered == {"bienvenue": 1}


def test_a_touch_whose_fate_is_unknown_is_told_at_the_stop(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome(), provider=Recorder(lambda one: Outcome("unknown")))
    begun(stage).run("2027-01-05 10:00")
    assert stage.stop("2027-01-05 11:00").in_doubt == 2


# --- finished -------------------------------------------------------------------------------------------------------
def test_a_campaign_with_one_occurrence_is_finished_when_the_last_person_has_left(tmp_path: Path) -> None:
    stage = Living(tmp_path, a_campaign("- {send: offre, by: email, id: j0}", enter="{at: 2027-01-05 10:00, if: orders = 0}"))
    stage.person("lea", first_name="Léa", orders="0")
    stage.start("bienvenue")
    assert stage.run("2027-01-04 12:00").finished == ()
    stage.run("2027-01-05 10:00")
    assert stage.got() == ["lea j0"]
    assert stage.run("2027-01-05 10:15").finished == ("bienvenue",) or stage.campaign_state() == "finished"


def test_a_campaign_is_not_finished_while_a_touch_of_it_is_parked(tmp_path: Path) -> None:
    stage = Living(tmp_path, a_campaign("- {send: offre, by: email, id: j0}", enter="{at: 2027-01-05 10:00, if: orders = 0}"),
                   provider=Recorder(lambda one: Outcome("unknown")))  # fmt: skip
    stage.person("lea", first_name="Léa", orders="0")
    stage.start("bienvenue")
    for at in ("2027-01-05 10:00", "2027-01-06 10:00", "2027-01-09 10:00"):
        stage.run(at)
    assert stage.campaign_state() == "running"


# --- tick -----------------------------------------------------------------------------------------------------------
def test_a_tick_uses_the_applied_version_and_never_the_file(stage: Living) -> None:
    begun(stage)
    stage.write(welcome().replace("id: j0,", "id: premier,"))
    stage.loaded = stage.load()
    report = stage.tick("2027-01-05 10:00")
    assert report.announced == ()
    assert sorted(stage.got()) == ["lea j0", "max j0"]


@pytest.mark.guards("catch_up")
def test_a_tick_that_comes_after_catch_up_skips_what_came_due_while_none_ran(stage: Living) -> None:
    begun(stage)
    stage.tick("2027-01-04 12:00")
    stage.tick("2027-01-06 10:30")
    assert stage.got() == []
    assert {t.split()[3] + " " + t.split()[4] for t in stage.touches() if " j0 " in t} == {"skipped: expired"}


def test_a_tick_within_catch_up_makes_up_for_a_missed_one(stage: Living) -> None:
    begun(stage)
    stage.tick("2027-01-05 09:45")
    stage.tick("2027-01-05 21:30")
    assert sorted(stage.got()) == ["lea j0", "max j0"]


def test_a_run_by_hand_sends_whatever_is_not_past_its_max_delay(stage: Living) -> None:
    begun(stage)
    assert stage.run("2027-01-07 10:30").accepted == 2


def test_a_missed_occurrence_is_made_up_once(tmp_path: Path) -> None:
    weekly = a_campaign("- {send: offre, by: email, id: j0}", enter="{every: day 09:00, if: orders = 0, again: always}")
    stage = Living(tmp_path, weekly)
    stage.person("lea", first_name="Léa", orders="0")
    stage.start("bienvenue", "2027-01-04 11:00")
    stage.tick("2027-01-07 10:00")
    assert stage.got() == ["lea j0"]


# --- approval -------------------------------------------------------------------------------------------------------
def test_in_live_what_lies_above_approve_above_stays_and_the_exit_is_4(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome(extra="guardrails: {approve_above: 1 sends}"))
    begun(stage)
    report = stage.run("2027-01-05 10:00", live=True)
    assert report.accepted == 1
    assert [(h.name, h.ceiling, h.touches) for h in report.approval] == [("bienvenue", "1 sends", 1)]
    assert report.exit == 4


def test_in_the_sandbox_nothing_needs_an_approval(tmp_path: Path) -> None:
    stage = begun(Living(tmp_path, welcome(extra="guardrails: {approve_above: 1 sends}")))
    assert stage.run("2027-01-05 10:00").accepted == 2


def test_quiet_hours_hold_what_a_resume_spreads(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome(), omni=OMNI.replace("quiet_hours: []", "quiet_hours: [20:00-09:00]"))
    paused_over_the_offer(stage).resume("2027-01-05 21:00")
    assert stage.run("2027-01-05 22:00").accepted == 0
    assert stage.run("2027-01-06 10:00").accepted == 2
