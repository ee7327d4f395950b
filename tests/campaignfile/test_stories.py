"""Scenario files are read whole, and whatever is wrong in one is told at its line and column, never as a traceback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from omnicli.campaignfile import Loaded, load_project, read_source
from omnicli.campaignfile.check import Check
from omnicli.campaignfile.stories import load_stories
from omnicli.model import literals as lit
from omnicli.model.promise import AtMost
from omnicli.model.story import After, ExpectTouch, Happens, Wall

SAMPLE = Path(__file__).parents[2]
FILE = "campaigns/bienvenue.test.yaml"
HEAD = "start: 2027-01-04 11:30\ncontacts:\n  lea: {first_name: Léa, language: fr, consent: [email, sms]}\n"


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load_project(SAMPLE)


def said(loaded: Loaded, text: str) -> list[str]:
    """`line:column code message` of everything that is wrong."""
    found = load_stories(loaded, files=[FILE], overlay={FILE: text.encode()}).findings
    return [f"{f.place.line}:{f.place.column} {f.code} {f.message}" for f in found]


def a_story(*lines: str, given: str = "lea", more: str = "") -> str:
    body = "".join(f"      - {line}\n" for line in lines)
    return f"{HEAD}scenarios:\n  - name: told\n    given: {given}\n{more}    story:\n{body}"


def test_a_file_becomes_values_that_know_their_lines(loaded: Loaded) -> None:
    text = a_story(
        "event: signup", "after: 3 days", "expect: email offre-bienvenue at 2027-01-05 10:00\n        says: [BIENVENUE20]"
    )
    stories = load_stories(
        loaded, files=[FILE], overlay={FILE: (text + "always:\n  - at most 3 touches in any 7 days\n").encode()}
    )
    (file,) = stories.files
    event, after, expect = file.scenarios[0].story
    assert file.campaigns == ("bienvenue",)
    assert isinstance(event, Happens)
    assert (event.event, event.line, event.column) == ("signup", 8, 9)
    assert isinstance(after, After)
    assert after.after == lit.Duration(3, "day")
    assert isinstance(expect, ExpectTouch)
    assert (str(expect.at), expect.says[0].value, expect.says[0].line, expect.says[0].column) == (
        "2027-01-05 10:00",
        "BIENVENUE20",
        11,
        16,
    )
    assert file.always[0].promise == AtMost(3, lit.Duration(7, "day"))
    assert file.always[0].line == 13


def test_a_zone_may_follow_a_date_and_time(loaded: Loaded) -> None:
    text = a_story("at: 2027-01-05 10:00 America/New_York")
    (file,) = load_stories(loaded, files=[FILE], overlay={FILE: text.encode()}).files
    assert file.scenarios[0].story[0].at == Wall(lit.parse_date_time("2027-01-05 10:00"), "America/New_York")  # type: ignore[union-attr]


#: What is wrong, the file, and the findings (their beginnings).
WRONG = {
    "an unknown key of the file": (HEAD + "scenaros: []\n", ["4:1 S002 unknown key 'scenaros'"]),
    "nothing in it": ("", ["1:1 S001"]),
    "no start": ("scenarios:\n  - {name: a, given: {consent: [email]}, story: []}\n", ["1:1 S001"]),
    "a start that is no date": (HEAD.replace("11:30", "11h30") + "scenarios: []\n", ["1:8 S003"]),
    "a start before all calendars": (HEAD.replace("2027-01-04", "0001-01-01") + "scenarios: []\n", ["1:8 S003"]),
    "a moment behind all calendars": (a_story("at: 9999-12-31 23:59"), ["8:13 S003"]),
    "a story that never ends": (a_story(*["after: 90 years"] * 3), ["10:16 S003"]),
    "a contact of the file that is like another": (HEAD + "  leo: {like: lea}\nscenarios: []\n", ["4:9 S002 unknown key 'like'"]),
    "a zone that is none": (a_story("at: 2027-01-05 10:00 Europe/Pari"), ["8:13 S003"]),
    "a contact with an unknown key": (HEAD.replace("first_name", "frist_name") + "scenarios: []\n", ["3:9 S002 unknown key 'frist_name'"]),
    "a contact's value of the wrong type": (a_story("event: signup", given="{orders: many, consent: [email]}"), ["6:21 S003"]),
    "a choice that is none": (a_story("event: signup", given="{source: instagarm}"), ["6:21 S004 'instagarm' is not one of"]),
    "a persona that is given": (a_story("event: signup", given="{persona: camille}"), ["6:13 S002 'persona' is never given"]),
    "a consent for no channel": (a_story("event: signup", given="{consent: [emial]}"), ["6:23 S004 'emial' is not one of"]),
    "an address that is none": (a_story("event: signup", given="{email: nobody}"), ["6:20 S003"]),
    "nobody of that name": (a_story("event: signup", given="leo"), ["6:12 S004 'leo' is not one of lea. Did you mean 'lea'?"]),
    "a line without a verb": (a_story("evnt: signup"), ["8:9 S002 unknown key 'evnt' in a line of a story"]),
    "a line that is a word": (a_story("signup"), ["8:9 S003"]),
    "a line with two verbs": (a_story("{event: signup, after: 3 days}"), ["8:25 S007 one line, one verb"]),
    "an event that nobody declares": (a_story("event: singup"), ["8:16 S004 'singup' is not one of"]),
    "an event in the present": (a_story("event: click"), ["8:16 S004 'click' is no event. Did you mean 'clicked'?"]),
    "a payload of the wrong type": (a_story("{event: purchase, with: {value: 12}}"), ["8:41 S005"]),
    "an unknown field of a payload": (a_story("{event: purchase, with: {valeu: 12 EUR}}"), ["8:34 S002 unknown key 'valeu'"]),
    "of a step that is none": (a_story("{event: clicked, of: j1}"), ["8:30 S004 'j1' is not one of"]),
    "a duration that is none": (a_story("after: 3d"), ["8:16 S003"]),
    "a clock turned back": (a_story("at: 2027-01-08 10:00", "at: 2027-01-07 10:00"), ["9:13 S003 the clock does not go back"]),
    "a clock before the start": (a_story("at: 2027-01-03 10:00"), ["8:13 S003 the clock does not go back"]),
    "an attribute that changes and is none": (a_story("change: {ordres: 1}"), ["8:18 S002 unknown key 'ordres'"]),
    "a consent that is neither yes nor no": (a_story("consent: {sms: maybe}"), ["8:24 S003"]),
    "a message that is none": (a_story("expect: email offre-bienvenu"), ["8:23 S004 'offre-bienvenu' is not one of"]),
    "a channel that is none": (a_story("expect: emial offre-bienvenue"), ["8:17 S004 'emial' is not one of"]),
    "a moment that is none": (a_story("expect: email offre-bienvenue at noon"), ["8:42 S003"]),
    "a guard that is none": (a_story("expect: held quiet"), ["8:22 S004 'quiet' is not one of"]),
    "a reason that is none": (a_story("expect: skipped unreachabel"), ["8:25 S004 'unreachabel' is not one of"]),
    "a step that is none": (a_story("expect: step j9"), ["8:22 S004 'j9' is not one of"]),
    "a branch that is none": (a_story("expect: branch reponse-j0 opened"), ["8:35 S004 'opened' is not one of clicked, replied, nothing"]),
    "an arm that is none": (a_story("expect: arm test-rappel mail"), ["8:33 S004 'mail' is not one of whatsapp, sms, temoin"]),
    "a key that only a touch has": (a_story("{expect: nothing, says: [a]}"), ["8:27 S002 'says' stands below an expected touch only"]),
    "a key that only nothing has": (a_story("{expect: email offre-bienvenue, for: 3 days}"), ["8:41 S002 unknown key 'for'"]),
    "parts that are none": (a_story("{expect: sms offre-bienvenue, parts: few}"), ["8:46 S003"]),
    "a split that is none": (a_story("event: signup", more="    take: {test: sms}\n"), ["7:12 S002 unknown key 'test' in 'take'"]),
    "a pinned arm that is none": (a_story("event: signup", more="    take: {test-rappel: mail}\n"), ["7:25 S004 'mail' is not one of"]),
    "a manner of no provider": (a_story("event: signup", more="    environment: {provider: {sms: explode}}\n"), ["7:35 S004 'explode'"]),
    "a budget without a currency": (a_story("event: signup", more="    environment: {budget_left: 0}\n"), ["7:32 S005"]),
    "a promise that is no phrase": (a_story("event: signup") + "always:\n  - never ever\n", ["10:11 S004"]),
    "a promise about no event": (a_story("event: signup") + "always:\n  - nothing after purchas\n", ["10:19 S004 'purchas' is not one of"]),
    "two people without who": (a_story("event: signup", given="[lea, {like: lea, who: tom}]"), ["8:9 S001 several people live this story"]),
    "two people of one name": (a_story("{event: signup, who: lea}", given="[lea, lea]"), ["6:18 S003 'lea' lives this story already"]),
    "a name that stands twice": (a_story("event: signup") + a_story("event: signup").split("scenarios:\n")[1], ["9:11 S003 the name 'told' stands in line 5 already"]),
    "another campaign beside that is none": (a_story("event: signup") + "with: {campaigns: [annif]}\n", ["9:20 S004 'annif' is not one of"]),
    "no mapping at all": ("- a\n- b\n", ["1:1 S003"]),
    "no YAML": ("start: [\n", ["2:1 Y001"]),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_where_it_stands(what: str, loaded: Loaded) -> None:
    text, wanted = WRONG[what]
    found = said(loaded, text)
    assert found, "nothing was found"
    for begin in wanted:
        assert any(one.startswith(begin) for one in found), found


def test_a_word_where_there_could_be_none_is_told_with_what_mends_it(loaded: Loaded) -> None:
    check = Check(read_source("a.yaml", b"flow: []\n")[0])
    check.unknown_value(("flow",), "reponse", ())
    assert [one.message for one in check.findings] == [
        "there is no 'reponse', nor any other to name here: declare it, or take it away"
    ]
    bare = {"relance": loaded.campaigns["bienvenue"].model_copy(update={"flow": loaded.campaigns["bienvenue"].flow[:1]})}
    found = load_stories(
        replace(loaded, campaigns=bare), files=["campaigns/relance.test.yaml"],
        overlay={"campaigns/relance.test.yaml": a_story("expect: branch reponse oui", "expect: arm essai b").encode()},
    ).findings  # fmt: skip
    assert [one.message for one in found] == [
        "there is no 'reponse', nor any other to name here: the campaign has no 'wait' with answers and no 'choose'; give it one, or take this line away",
        "there is no 'essai', nor any other to name here: the campaign has no 'split'; give it one, or take this line away",
    ]


def test_a_clock_on_another_side_of_the_date_line_does_not_go_back(loaded: Loaded) -> None:
    there = "{language: fr, time_zone: Pacific/Honolulu, consent: [email]}"
    assert said(loaded, a_story("event: signup", "at: 2027-01-04 02:00", given=there)) == []
    assert said(loaded, a_story("event: signup", "at: 2027-01-02 02:00", given=there))


def test_a_file_of_no_campaign_says_so(loaded: Loaded) -> None:
    found = load_stories(
        loaded,
        files=["campaigns/bienvenu.test.yaml"],
        overlay={"campaigns/bienvenu.test.yaml": a_story("event: signup").encode()},
    )
    assert not found.files
    assert [f.code for f in found.findings] == ["Y005"]


def test_several_files_serve_one_campaign(loaded: Loaded) -> None:
    name = "campaigns/bienvenue.fetes.test.yaml"
    (file,) = load_stories(loaded, files=[name], overlay={name: a_story("event: signup").encode()}).files
    assert file.campaign == "bienvenue"


def test_words_that_are_mended_can_be_mended_by_a_machine(loaded: Loaded) -> None:
    (found,) = load_stories(loaded, files=[FILE], overlay={FILE: a_story("event: singup").encode()}).findings
    assert found.fix is not None
    assert found.fix.edits[0].text == "signup"


def test_the_schema_takes_every_scenario_file_of_the_samples() -> None:
    import jsonschema
    import yaml

    from omnicli.campaignfile import json_schema

    class Plain(yaml.SafeLoader):
        """Every scalar a text, as omni reads them."""

    Plain.yaml_implicit_resolvers = {}
    for path in sorted((SAMPLE / "campaigns").glob("*.test.yaml")):
        jsonschema.validate(yaml.load(path.read_text("utf-8"), Plain), json_schema("test"))
