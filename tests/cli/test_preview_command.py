"""omni campaign preview: a file, a verdict for each message, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_project import copy_sample

from omnicli.cli.main import run as omni

ONE = [
    "campaign",
    "preview",
    "bienvenue",
    "--message",
    "guide-senteurs",
    "--language",
    "fr",
    "--persona",
    "camille",
    "--as-of",
    "2027-01-04 10:00",
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_file_is_written_and_each_message_judged(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni([*ONE, "-o", "page.html", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["file"] == str(project / "page.html")
    assert result["bytes"] == (project / "page.html").stat().st_size < 400_000
    (message,) = result["messages"]
    assert message["message"] == "guide-senteurs"
    assert message["missing"] == []
    assert message["renderings"] == 4 * len(message["channels"])


def test_a_sample_person_can_be_chosen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni([*ONE, "--contact", "longest", "-o", "page.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["readers"] == ["longest"]


def test_a_person_of_the_store_reads_in_their_own_language_as_their_own_persona(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = "id,first_name,language,source,orders\n4711,Zoé,fr,instagram,0\n"
    (project / "people.csv").write_text(people, encoding="utf-8")
    (project / "map.yaml").write_text(
        "id: id\nfirst_name: first_name\nlanguage: language\nsource: source\norders: orders\n", encoding="utf-8"
    )
    assert omni(["contact", "import", "people.csv", "--map", "map.yaml", "--as-of", "2027-01-04 10:00"]) == 0
    capsys.readouterr()
    assert (
        omni(
            ["campaign", "preview", "bienvenue", "--contact", "4711", "-o", "page.html", "--json", "--as-of", "2027-01-04 10:00"]
        )
        == 0
    )
    result = json.loads(capsys.readouterr().out)["result"]
    assert {(tuple(one["languages"]), tuple(one["personas"])) for one in result["messages"]} == {(("fr",), ("camille",))}
    assert "Zoé" in (project / "page.html").read_text(encoding="utf-8")


def test_a_missing_fact_is_told_in_the_terminal(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = project / "templates" / "sms.txt.j2"
    template.write_text(template.read_text(encoding="utf-8").replace("{{ say.short }}", ""), encoding="utf-8")
    assert omni([*ONE, "-o", "page.html"]) == 0
    assert "✘ bienvenue/guide-senteurs" in (out := capsys.readouterr().out)
    assert "missing: duration (sms)" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bienvenu"], "bienvenue"),
        (["bienvenue", "--message", "guide"], "guide-senteurs"),
        (["bienvenue", "--channel", "fax"], "email"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_there_is(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert omni(["campaign", "preview", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_campaign_with_an_error_has_no_page(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "campaigns" / "bienvenue.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("title:", "titel:"), encoding="utf-8")
    assert omni(["campaign", "preview", "bienvenue"]) == 1
    assert not (project / "outbox" / "preview.html").exists()


def test_without_a_file_it_stands_in_the_outbox_which_is_its_owners(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(ONE) == 0
    assert str(project / "outbox" / "preview.html") in capsys.readouterr().out
    assert (project / "outbox").stat().st_mode & 0o077 == 0


def test_a_place_that_cannot_be_written_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni([*ONE, "-o", "nowhere/page.html"]) == 2
    assert "page.html" in capsys.readouterr().err
