"""Past decisions are taken again from the store alone: the same answer under what held then, another where something is broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import OMNI, Living, a_campaign

from omnicli import guards
from omnicli.campaigns.replay import Again, repeat
from omnicli.campaigns.underway import replay
from omnicli.campaigns.why import why
from omnicli.store import triggers

FLOW = """
- {send: offre, by: email, else: [sms], id: j0, at: next 10:00}
- split:
    a: {share: 50 %, do: [{send: offre, by: sms, id: en-a}]}
    b: {share: 50 %, do: [{send: offre, by: sms, id: en-b}]}
  id: essai
- wait: up to 3 days
  id: reponse
  for:
    clicked: [{wait: 1 day, id: reflexion}]
    nothing: [{choose: [{if: orders = 0, do: [{send: offre, by: email, id: rappel}]}], id: acheteur}]
"""
HELD = OMNI.replace("quiet_hours: []", "quiet_hours: [12:00-14:00]").replace("sms: 50 per day", "sms: 1 per week")


@pytest.fixture
def lived(tmp_path: Path) -> Living:
    """Three people through a flow in which a split, a choice, a cap and quiet hours decide."""
    stage = Living(tmp_path, a_campaign(FLOW), omni=HELD)
    stage.start("bienvenue")
    stage.sign_up("lea", "max", consent=("email", "sms"))
    stage.sign_up("noor", consent=("sms",), addresses=("sms",))
    for at in (
        "2027-01-04 12:30",
        "2027-01-05 10:00",
        "2027-01-06 12:30",
        "2027-01-08 10:00",
        "2027-01-08 14:30",
        "2027-01-12 10:00",
    ):
        stage.run(at)
    return stage


def again(stage: Living, **only: object) -> list[Again]:
    with stage.store.read() as connection:
        return list(repeat(connection, **only))  # type: ignore[arg-type]


def test_every_decision_comes_out_the_same(lived: Living) -> None:
    found = again(lived)
    assert len(found) >= 12
    assert [one.then for one in found if not one.same] == []
    assert {line["rule"] for one in found for line in one.then.lines} >= {"at", "send", "split", "channels", "wait", "choose"}


def test_the_omni_yaml_of_then_holds_and_not_the_one_of_now(lived: Living) -> None:
    (lived.folder / "omni.yaml").write_text(
        HELD.replace("12:00-14:00", "09:00-11:00").replace("sms: 1 per week", "sms: 0 per week")
    )
    lived.loaded = lived.load()
    assert [one.then for one in again(lived) if not one.same] == []


def test_an_engine_that_decides_otherwise_is_found_out(lived: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "on", lambda name: name != "cap")
    differ = [one for one in again(lived) if not one.same]
    assert differ
    assert {line["rule"] for one in differ for line in one.then.lines} & {"cap", "channels"}


def test_another_version_shows_what_an_edit_would_have_done(lived: Living) -> None:
    lived.write(a_campaign(FLOW.replace("if: orders = 0, do", "if: orders > 5, do").replace("clicked", "replied")))
    edited = lived.load().campaigns["bienvenue"]
    found = again(lived, campaign="bienvenue", version=edited)
    assert [one.unknown for one in found if one.unknown]  # `orders > 5` was never asked
    assert any(one.same for one in found)


def test_the_values_behind_each_rule_are_those_of_then(lived: Living) -> None:
    lines = why(lived.store, lived.loaded, "noor", now=lived.now).lines
    arm = next(line for line in lines if line.rule == "split")
    assert arm.values["of"] == 10_000
    assert arm.values["arms"] == {"a": 5_000, "b": 10_000}
    assert ("a" if arm.values["hash"] < 5_000 else "b") == arm.answer
    sent = next(line for line in lines if line.rule == "send" and line.answer == "sms")
    assert (sent.values["address"], sent.values["consent"], sent.values["caps"]["1 per week"]) == (True, True, [])
    full = [line for line in lines if line.rule == "cap"]
    assert all([str(day) for day in taken] == ["2027-01-05"] for line in full for taken in line.values["full"].values())
    assert sent.because.startswith("address yes · consent yes · cap ")


def test_only_what_had_happened_by_then_is_told(lived: Living) -> None:
    everything = why(lived.store, lived.loaded, "lea", now=lived.now)
    early = why(lived.store, lived.loaded, "lea", now=lived.now, until=everything.lines[1].at)
    assert early.lines == tuple(line for line in everything.lines if line.at <= everything.lines[1].at)
    assert len(early.lines) < len(everything.lines)


def test_those_under_way_are_replayed_in_the_version_they_live_and_in_the_file(lived: Living) -> None:
    lived.sign_up("ada", consent=("email", "sms"))
    lived.run("2027-01-12 11:00")
    lived.run("2027-01-13 10:00")
    (same,) = replay(lived.store, lived.loaded, ("bienvenue",))
    assert (same.fails, same.version, same.people > 0) == (False, None, True)

    edited = FLOW.replace("wait: up to 3 days", "wait: up to 2 days").replace("id: j0,", "id: j1,")
    lived.write(a_campaign(edited))
    (found,) = replay(lived.store, lived.load(), ("bienvenue",))
    assert found.fails
    assert found.defects == []
    assert [(one.then, one.now) for one in found.otherwise if one.step == "reponse"] == [
        ("wait up to 3 days", "wait up to 2 days")
    ]


def test_a_campaign_that_nobody_started_has_nobody_under_way(tmp_path: Path) -> None:
    stage = Living(tmp_path, a_campaign(FLOW))
    assert replay(stage.store, stage.loaded, ("bienvenue",)) == ()


def test_those_whose_premises_were_not_kept_are_counted_and_not_passed_over(lived: Living) -> None:
    lived.sign_up("ada", consent=("email", "sms"))
    lived.run("2027-01-12 11:00")
    (before,) = replay(lived.store, lived.loaded, ("bienvenue",))
    with lived.store.write() as connection:
        triggers.drop(connection)  # the ledger only grows; a store from before 0003 has no premises
        connection.exec_driver_sql("UPDATE decision SET premises = NULL")
    (after,) = replay(lived.store, lived.loaded, ("bienvenue",))
    assert (before.untold, after.untold, after.people) == (0, before.people, 0)
