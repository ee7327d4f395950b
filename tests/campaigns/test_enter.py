"""Who comes in, by every form of `enter` (docs/language 4.3, 4.4), on a real store."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import Stage, a_campaign, paris

FLOW = "- {wait: 1 day, id: w}"


def a_stage(
    folder: Path, enter: str, *, flow: str = FLOW, extra: str = "", at: str = "2027-01-04 08:00", omni: str | None = None
) -> Stage:
    more = {"omni": omni} if omni else {}
    return Stage(folder, a_campaign(flow, enter=enter, extra=extra), at=at, **more)


def comers(stage: Stage, at: str | None = None) -> list[str]:
    """Who came in at that instant."""
    if at is not None:
        stage.now = paris(at)
    before = stage.passes()
    stage.fold()
    stage.enter()
    return [line.split()[0] for line in stage.passes() if line not in before or stage.passes().count(line) > before.count(line)]


# --- when -----------------------------------------------------------------------------------------------------------
def test_whoever_signs_up_enters_at_the_instant_of_the_sign_up(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{when: signup}")
    stage.person("lea")
    stage.person("luc")
    stage.says("lea", "signup", at="2027-01-04 09:00")
    assert comers(stage, "2027-01-04 09:15") == ["lea"]
    assert stage.row("SELECT entered_at, entered_event IS NOT NULL FROM enrollment") == (1799049600000, 1)
    assert comers(stage, "2027-01-04 09:15") == []


def test_an_event_before_the_start_enters_nobody(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{when: signup}")
    stage.person("lea")
    stage.says("lea", "signup", at="2027-01-03 12:00")
    assert comers(stage, "2027-01-04 09:00") == []


def test_the_term_and_the_condition_choose(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{when: [signup where (form = vip), purchase where (value > 50 EUR)], if: orders = 0}")
    for name in ("lea", "luc", "ana", "max", "bea"):
        stage.person(name, orders=0 if name != "bea" else 3)
    stage.says("lea", "signup", form="VIP")
    stage.says("luc", "signup", form="shop")
    stage.says("ana", "purchase", value="60 EUR")
    stage.says("max", "purchase", value="40 EUR")
    stage.says("bea", "signup", form="vip")
    assert comers(stage) == ["ana", "lea"]


@pytest.mark.parametrize(
    ("again", "first_day", "after_180"), [("never", [], []), ("always", ["lea"], ["lea"]), ("after 180 days", [], ["lea"])]
)
def test_again_says_who_may_come_back(tmp_path: Path, again: str, first_day: list[str], after_180: list[str]) -> None:
    stage = a_stage(tmp_path, f"{{when: signup, again: {again}}}", flow="- {wait: 1 hour, id: w}")
    stage.person("lea")
    stage.says("lea", "signup", at="2027-01-04 09:00")
    stage.run("2027-01-04 09:00")
    stage.says("lea", "signup", at="2027-01-04 09:30")
    assert comers(stage, "2027-01-04 09:30") == []  # a pass is open
    stage.run("2027-01-04 10:30")
    stage.says("lea", "signup", at="2027-01-04 11:00")
    assert comers(stage, "2027-01-04 11:00") == first_day
    stage.run("2027-01-04 12:30")
    stage.run("2027-01-04 13:30")
    stage.says("lea", "signup", at="2027-08-01 09:00")
    assert comers(stage, "2027-08-01 09:00") == after_180


def test_a_limit_lets_in_the_oldest_and_the_rest_waits_its_turn(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{when: signup, limit: 2 per day}")
    for n, name in enumerate(("e", "d", "c", "b", "a")):
        stage.person(name)
        stage.says(name, "signup", at=f"2027-01-04 08:{10 + n}")
    assert comers(stage, "2027-01-04 09:00") == ["d", "e"]
    assert comers(stage, "2027-01-04 15:00") == []
    assert comers(stage, "2027-01-05 09:00") == ["b", "c"]
    assert comers(stage, "2027-01-06 09:00") == ["a"]


# --- on -------------------------------------------------------------------------------------------------------------
def test_each_enters_on_their_own_moment_in_their_own_zone(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{on: 7 days before contact.renewal at 09:00}")
    stage.person("lea", renewal="2027-01-18")
    stage.person("joe", renewal="2027-01-18", time_zone="America/Toronto", country="CA")
    stage.person("luc", renewal="2027-01-19")
    stage.person("old", renewal="2027-01-05")
    assert comers(stage, "2027-01-11 08:59") == []
    assert comers(stage, "2027-01-11 09:00") == ["lea"]
    assert comers(stage, "2027-01-11 15:05") == ["joe"]
    assert comers(stage, "2027-01-13 12:00") == ["luc"]
    assert stage.row("SELECT max(entered_at) FROM enrollment") == (1799740800000,)


def test_yearly_comes_back_by_month_and_day_on_the_28th_where_there_is_no_29th(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{on: contact.renewal at 09:00, yearly: yes, again: always}", flow="- {exit: done}")
    stage.person("lea", renewal="1990-03-01")
    stage.person("leap", renewal="1992-02-29")
    assert comers(stage, "2027-02-27 12:00") == []
    assert comers(stage, "2027-02-28 09:30") == ["leap"]
    assert comers(stage, "2027-03-01 09:00") == ["lea"]
    stage.run("2027-03-02 12:00")
    assert comers(stage, "2028-02-29 09:30") == ["leap"]


# --- at, every --------------------------------------------------------------------------------------------------------
def test_at_takes_in_all_who_fulfil_the_condition_once(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{at: 2027-01-12 10:00, if: orders = 0}")
    stage.person("lea", orders=0)
    stage.person("luc", orders=2)
    assert comers(stage, "2027-01-12 09:59") == []
    assert comers(stage, "2027-01-12 10:04") == ["lea"]
    assert stage.row("SELECT entered_at FROM enrollment") == (1799744400000,)
    stage.person("new", orders=0)
    assert comers(stage, "2027-01-13 10:00") == []


def test_every_occurrence_takes_in_whoever_fulfils_it_then_and_a_missed_one_is_made_up_once(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{every: monday 09:00, if: orders = 0, again: always}", flow="- {exit: done}")
    stage.person("lea", orders=0)
    assert comers(stage, "2027-01-04 09:00") == ["lea"]
    assert comers(stage, "2027-01-04 09:10") == []
    stage.run("2027-01-04 12:00")
    assert comers(stage, "2027-01-27 12:00") == ["lea"]
    stage.run("2027-01-27 14:00")
    assert comers(stage, "2027-01-27 15:00") == []
    assert stage.rows("SELECT local_date, local_slot, done_at IS NOT NULL FROM occurrence ORDER BY at") == [
        ("2027-01-04", "09:00", 1),
        ("2027-01-25", "09:00", 1),
    ]


@pytest.mark.guards("occurrence_key")
def test_a_date_that_is_lived_again_further_west_takes_nobody_in_again(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{every: day 09:00, if: orders = 0, again: always}", flow="- {exit: done}")
    stage.person("lea", orders=0)
    assert comers(stage, "2027-01-04 09:00") == ["lea"]
    stage.run("2027-01-04 09:30")
    (tmp_path / "omni.yaml").write_text((tmp_path / "omni.yaml").read_text().replace("Europe/Paris", "America/New_York"))
    stage.loaded = stage.load()
    assert comers(stage, "2027-01-04 15:10") == []  # nine in New York
    assert comers(stage, "2027-01-05 15:10") == ["lea"]


def test_an_occurrence_with_a_limit_goes_on_until_everybody_is_in(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{at: 2027-01-12 10:00, limit: 2 per day}")
    for n in range(5):
        stage.person(f"p{n}")
    taken = [len(comers(stage, f"2027-01-{day} 10:00")) for day in (12, 12, 13, 14, 15)]
    assert taken == [2, 0, 2, 1, 0]


# --- only if ----------------------------------------------------------------------------------------------------------
def test_whoever_fulfils_the_condition_at_a_tick_enters_at_that_tick(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{if: orders > 2}")
    stage.person("lea", orders=3)
    stage.person("luc", orders=1)
    assert comers(stage, "2027-01-05 09:00") == ["lea"]
    assert stage.row("SELECT entered_at FROM enrollment") == (1799136000000,)


def test_only_people_changed_since_the_last_look_are_asked_again(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{if: orders > 2}")
    luc = stage.person("luc", orders=1)
    assert comers(stage, "2027-01-05 09:00") == []
    with stage.store.write() as connection:
        connection.exec_driver_sql(f"UPDATE contact SET a_orders = 5 WHERE id = {luc}")
    assert comers(stage, "2027-01-05 10:00") == []
    with stage.store.write() as connection:
        connection.exec_driver_sql(f"UPDATE contact SET changed_at = 1799143200000 WHERE id = {luc}")
    assert comers(stage, "2027-01-05 10:00") == ["luc"]


def test_an_event_changes_a_person(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{if: count(purchase) >= 2}")
    stage.person("lea")
    assert comers(stage, "2027-01-05 09:00") == []
    for n in (1, 2):
        stage.says("lea", "purchase", at=f"2027-01-05 1{n}:00", value="5 EUR")
    assert comers(stage, "2027-01-05 12:30") == ["lea"]


def test_a_condition_that_speaks_of_time_is_asked_of_everybody_once_a_unit(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{if: last(purchase) before 30 days ago}")
    stage.person("lea")
    stage.says("lea", "purchase", at="2027-01-05 12:00", value="5 EUR")
    assert comers(stage, "2027-02-03 09:00") == []
    assert comers(stage, "2027-02-04 09:00") == []
    assert comers(stage, "2027-02-04 13:00") == []  # asked already today
    assert comers(stage, "2027-02-05 00:10") == ["lea"]


# --- what is fixed at entry ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("language", "expected"), [("fr", "fr"), ("en", "en"), ("en-GB", "en"), (None, "fr"), ("de", "fr")])
def test_the_language_is_fixed_at_entry(tmp_path: Path, language: str | None, expected: str) -> None:
    stage = a_stage(tmp_path, "{when: signup}")
    stage.person("lea", language=language)
    stage.says("lea", "signup")
    comers(stage)
    assert stage.row("SELECT language FROM enrollment") == (expected,)


def test_the_persona_is_the_first_match_at_entry_and_stays(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{when: signup}")
    stage.person("lea", source="instagram")
    stage.person("luc", source="google")
    stage.person("ana")
    for name in ("lea", "luc", "ana"):
        stage.says(name, "signup")
    comers(stage)
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE contact SET a_source = 'google', f_source = 'google'")
    stage.run("2027-01-04 12:00")
    assert stage.rows("SELECT c.source_id, e.persona FROM enrollment e JOIN contact c ON c.id = e.contact_id ORDER BY 1") == [
        ("ana", "default"),
        ("lea", "camille"),
        ("luc", "default"),
    ]


def test_a_tenth_is_held_out_by_the_hash_of_names_whatever_the_order_of_coming(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{at: 2027-01-04 09:00}", extra="holdout: 10 %")
    for n in range(300):
        stage.person(f"p{n}")
    assert len(comers(stage, "2027-01-04 09:00")) == 300
    out = {
        row[0]
        for row in stage.rows("SELECT c.source_id FROM enrollment e JOIN contact c ON c.id = e.contact_id WHERE held_out = 1")
    }
    assert 15 < len(out) < 50
    other = a_stage(tmp_path / "b", "{at: 2027-01-04 09:00}", extra="holdout: 20 %")
    for n in reversed(range(300)):
        other.person(f"p{n}")
    comers(other, "2027-01-04 09:00")
    assert out < {
        row[0]
        for row in other.rows("SELECT c.source_id FROM enrollment e JOIN contact c ON c.id = e.contact_id WHERE held_out = 1")
    }


def test_the_projects_own_holdout_keeps_people_from_marketing_only(tmp_path: Path) -> None:
    from stage import OMNI

    omni = OMNI + "holdout: {share: 20 %, rotate: 6 months}\n"
    stage = a_stage(tmp_path / "a", "{at: 2027-01-04 09:00}", omni=omni)
    service = a_stage(tmp_path / "b", "{at: 2027-01-04 09:00}", omni=omni, extra="purpose: service")
    for one in (stage, service):
        for n in range(100):
            one.person(f"p{n}")
        comers(one, "2027-01-04 09:00")
    assert 8 < stage.row("SELECT sum(held_out) FROM enrollment")[0] < 35
    assert service.row("SELECT sum(held_out) FROM enrollment") == (0,)


def test_the_erased_do_not_enter(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{at: 2027-01-04 09:00}")
    stage.person("lea", erased_at=1)
    assert comers(stage, "2027-01-04 09:00") == []


def test_nobody_enters_a_paused_or_stopped_campaign(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, "{when: signup}")
    stage.person("lea")
    stage.says("lea", "signup")
    stage.state("bienvenue", state="paused", pause_people="hold")
    assert comers(stage) == []
    stage.state("bienvenue", state="running", pause_people=None)
    assert comers(stage) == ["lea"]
