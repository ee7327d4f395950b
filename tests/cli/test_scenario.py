"""`omni campaign test`: what it prints, in which form, and with which exit code; and the start that it guards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from omnicli import texts
from omnicli.cli.main import run

SAMPLE = Path(__file__).parents[2]
APPROVED = "    approved: {fr/tu: offre_bienvenue_tu"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample project with its welcome alone, and few stories of it."""
    folder = tmp_path / "lune"
    for part in ("templates",):
        shutil.copytree(SAMPLE / part, folder / part)
    shutil.copy(SAMPLE / "omni.yaml", folder / "omni.yaml")
    (folder / "campaigns").mkdir()
    shutil.copy(SAMPLE / "campaigns" / "bienvenue.yaml", folder / "campaigns")
    whole = (SAMPLE / "campaigns" / "bienvenue.test.yaml").read_text("utf-8")
    head, stories = whole.split("scenarios:\n")
    chosen = [one for one in stories.split("\n\n") if "a purchase ends" in one or "without e-mail consent" in one]
    always = "always:" + whole.split("always:")[1]
    (folder / "campaigns" / "bienvenue.test.yaml").write_text(
        f"{head}scenarios:\n" + "\n\n".join(chosen) + f"\n\n{always}", "utf-8"
    )
    monkeypatch.chdir(folder)
    return folder


def unapproved(folder: Path) -> None:
    """The template that WhatsApp wants outside its window is taken out of the campaign."""
    path = folder / "campaigns" / "bienvenue.yaml"
    text = path.read_text("utf-8")
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith(APPROVED)) + "\n", "utf-8")


def test_what_passes_is_a_line_each(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["campaign", "test"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "campaigns/bienvenue.test.yaml"
    assert out[1].startswith(" ✔ a purchase ends everything")
    assert out[1].endswith("92 virtual days")
    assert " ✔ always (6 properties, 2 lives)" in out
    assert any(line.startswith("2 scenarios") for line in out)


def test_what_fails_is_shown_at_its_line_with_the_life_that_was_lived(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unapproved(house)
    assert run(["campaign", "test"]) == 1
    out = capsys.readouterr().out
    assert " ✘ without e-mail consent the offer goes by WhatsApp\n" in out
    assert ":25  expected   whatsapp offre-bienvenue\n" in out
    assert "got        skipped unreachable   Tue 5 Jan 10:00   (step j0)\n" in out
    assert (
        "timeline   04 Jan 11:30 signup, entered as monsieur-h ─ 05 Jan 10:00 j0: email ✘ no address, whatsapp ✘ no approved template"
        in out
    )
    assert "2 scenarios, 1 failed" in out


def test_in_french_no_word_of_it_is_english(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unapproved(house)
    assert run(["--lang", "fr", "campaign", "test"]) == 1
    texts.use("en")
    out = capsys.readouterr().out
    assert "attendu   whatsapp offre-bienvenue" in out
    assert "obtenu    écarté : injoignable   mar. 5 janv. 10:00   (étape j0)" in out
    assert "le fil" in out
    assert not [word for word in ("expected", "got ", "timeline", "skipped", "virtual", "entered", "failed") if word in out]


def test_one_process_and_several_print_the_same_bytes(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unapproved(house)
    printed = []
    for jobs in ("1", "3"):
        assert run(["campaign", "test", "-j", jobs]) == 1
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_annotations_stand_at_the_failing_line(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unapproved(house)
    assert run(["campaign", "test", "--format", "github"]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("::error file=campaigns/bienvenue.test.yaml,line=25,col=9,title=without e-mail consent")
    assert first.endswith("::expected whatsapp offre-bienvenue, got skipped unreachable   Tue 5 Jan 10:00   (step j0)")


def test_junit_has_a_suite_a_file_and_a_case_a_scenario(house: Path, tmp_path: Path) -> None:
    unapproved(house)
    assert run(["campaign", "test", "--junit", str(tmp_path / "j.xml")]) == 1
    (suite,) = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("campaigns/bienvenue.test.yaml", "3", "1")
    assert [case.get("name") for case in suite][-1] == "always"
    days = [one.get("value") for one in suite.iter("property")]
    assert days[0] == "92"
    assert "expected whatsapp offre-bienvenue" in str(next(suite.iter("failure")).get("message"))


def test_json_holds_status_failure_and_timeline(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unapproved(house)
    assert run(["--json", "campaign", "test", "-k", "whatsapp"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == "campaign test"
    (scenario,) = found["result"]["files"][0]["scenarios"]
    assert scenario["status"] == "failed"
    assert scenario["failure"]["line"] == 25
    assert scenario["failure"]["expected"] == "whatsapp offre-bienvenue"
    assert scenario["timeline"][0] == {"at": "2027-01-04T10:30:00Z", "who": "henri", "text": "signup"}
    assert found["result"]["failed"] == 1


def test_a_trace_tells_every_decision_as_why_does(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["campaign", "test", "--trace", "purchase"]) == 0
    out = capsys.readouterr().out
    assert "a purchase ends everything" in out
    assert "decided: email" in out
    assert "left: goal" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["campaign", "test", "bienvenu"], "Did you mean 'bienvenue'?"),
        (["campaign", "test", "-k", "purchse"], "no scenario is called like 'purchse'"),
        (["campaign", "test", "--format", "gihub"], "Did you mean 'github'?"),
        (["--live", "campaign", "test"], "tests never touch the live environment"),
        (["campaign", "test", "--junit", "nowhere/j.xml"], "cannot write"),
    ],
)
def test_wrong_words_are_answered_with_the_nearest(
    words: list[str], said: str, house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_exit_2_at_its_place(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = house / "campaigns" / "bienvenue.test.yaml"
    path.write_text(path.read_text("utf-8").replace("event: signup", "event: singup", 1), "utf-8")
    assert run(["campaign", "test"]) == 2
    assert "campaigns/bienvenue.test.yaml:12:16: S004 'singup' is not one of" in capsys.readouterr().err
    assert run(["lint"]) == 1
    assert "campaigns/bienvenue.test.yaml:12:16" in capsys.readouterr().out


def test_without_any_scenario_it_says_where_one_is_written(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (house / "campaigns" / "bienvenue.test.yaml").unlink()
    assert run(["campaign", "test"]) == 2
    assert "campaigns/<name>.test.yaml" in capsys.readouterr().err


def test_a_property_that_a_life_breaks_is_told_with_the_life(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = house / "campaigns" / "bienvenue.test.yaml"
    path.write_text(path.read_text("utf-8").replace("always:\n", "always:\n  - never email\n"), "utf-8")
    assert run(["campaign", "test"]) == 1
    out = capsys.readouterr().out
    assert " ✘ always: never email" in out
    assert "a purchase ends everything   Tue 5 Jan 10:00" in out


# --- the start that they guard --------------------------------------------------------------------------------------
def test_a_live_start_is_refused_when_a_scenario_fails(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unapproved(house)
    assert run(["--live", "--no-input", "campaign", "start", "bienvenue", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "bienvenue: 1 scenario fails; nothing was started" in err
    assert "omni campaign test bienvenue" in err
    assert "expected   whatsapp offre-bienvenue" in err


def test_scenarios_that_pass_let_the_start_go_on_to_the_providers(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--live", "--no-input", "campaign", "start", "bienvenue", "--yes"]) != 1
    assert "scenario fails" not in capsys.readouterr().err


def test_a_sandbox_start_asks_no_scenario(house: Path) -> None:
    unapproved(house)
    assert run(["campaign", "start", "bienvenue"]) == 0
