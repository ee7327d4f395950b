"""Why this person did or did not get it: from the ledger, and for somebody outside from the parts of the door."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import OMNI, Living, a_campaign, welcome

from omnicli.campaigns.why import Explained, why
from omnicli.errors import OmniError


def told(stage: Living, who: str, **options: str) -> Explained:
    return why(stage.store, stage.loaded, who, now=stage.now, **options)


def words(explained: Explained) -> list[str]:
    return [f"{line.step} {line.text}".strip() for line in explained.lines]


@pytest.fixture
def stage(tmp_path: Path) -> Living:
    stage = Living(tmp_path, welcome())
    stage.start("bienvenue")
    stage.sign_up("lea", consent=("sms",), addresses=("email", "sms"))
    stage.run("2027-01-04 11:30")
    stage.run("2027-01-05 10:00")
    return stage


def test_one_persons_way_is_told_in_the_order_in_which_it_was_lived(stage: Living) -> None:
    stage.run("2027-01-08 10:00")
    explained = told(stage, "lea", campaign="bienvenue")
    assert words(explained)[0] == "entered bienvenue v1, as default"
    assert words(explained)[1:6] == [
        "j0 at next 10:00", "j0 email: no_consent", "j0 decided: sms", "j0 sms accepted", "reponse waits up to 3 days",
    ]  # fmt: skip
    assert "reponse nobody answered → branch nothing" in words(explained)
    assert [line.at for line in explained.lines] == sorted(line.at for line in explained.lines)
    assert explained.next == "rappel"


def test_one_step_is_answered_in_a_sentence(stage: Living) -> None:
    assert told(stage, "lea", campaign="bienvenue", step="j0").verdict == "lea got j0."
    assert told(stage, "lea", campaign="bienvenue", step="adieu").verdict == "lea has not come to adieu."


def test_what_was_held_and_what_was_skipped_is_told_with_its_guard(tmp_path: Path) -> None:
    omni = OMNI.replace("quiet_hours: []", "quiet_hours: [12:00-14:00]").replace("sms: 50 per day", "sms: 0 per day")
    stage = Living(tmp_path, a_campaign("- {send: offre, by: email, id: j0}\n- {send: offre, by: sms, id: j1}"), omni=omni)
    stage.start("bienvenue")
    stage.sign_up("lea", consent=("email", "sms"))
    stage.run("2027-01-04 12:30")
    assert told(stage, "lea").next == "j0, held by quiet_hours"
    stage.run("2027-01-04 14:00")
    stage.run("2027-01-04 14:30")
    texts = words(told(stage, "lea"))
    assert "j0 held by quiet_hours" in texts
    if any("skipped" in text for text in texts):
        assert "j1 skipped: capped" in texts
    assert not [line for line in told(stage, "lea", campaign="bienvenue", step="j1").lines if line.rule == "touch" and line.good]


def test_somebody_outside_is_told_which_part_of_the_door_is_shut(tmp_path: Path) -> None:
    stage = Living(
        tmp_path, a_campaign("- {send: offre, by: email, id: j0}", enter="{when: signup, if: orders = 0 and city = Lyon}")
    )
    stage.person("max", first_name="Max", orders="0", city="Paris")
    first = told(stage, "max", campaign="bienvenue").lines[0]
    assert (first.text, first.good) == ("the campaign is draft", False)
    stage.start("bienvenue")
    explained = told(stage, "max", campaign="bienvenue")
    assert explained.verdict == "max has not entered bienvenue."
    assert [(line.text, line.good) for line in explained.lines] == [
        ("no signup was recorded", False), ("orders = 0", True), ("city = Lyon", False),
    ]  # fmt: skip


def test_a_stop_is_told_with_its_reason(stage: Living) -> None:
    stage.stop(because="wrong price")
    assert words(told(stage, "lea"))[-2:] == ["reponse the campaign was stopped (« wrong price »)", "left: stopped"]


def test_unknown_people_campaigns_and_steps_are_answered_with_the_nearest_name(stage: Living) -> None:
    for options, answer in (
        (("lea", "bienvenu", None), "bienvenue"),
        (("lea", "bienvenue", "rapel"), "rappel"),
        (("leo", None, None), "leo"),
    ):
        who, campaign, step = options
        with pytest.raises(OmniError, match=answer) as refused:
            why(stage.store, stage.loaded, who, campaign=campaign, step=step)
        assert refused.value.exit == 2
