"""omni message check: what a message promises, compared over all its renderings, and for one person of the store."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sample_project import copy_sample

from omnicli.cli.main import run as omni


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample project, without its store."""
    copy_sample(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), "utf-8")


def test_a_clean_message_says_how_much_was_compared(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["message", "check", "offre-bienvenue"]) == 0
    assert re.search(
        r"^0 errors in 120 renderings of 1 message · \d+ skeletons · \d+\.\d s$", capsys.readouterr().out, re.MULTILINE
    )


def test_a_typed_price_is_told_once_with_the_grid_that_shares_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(project / "templates" / "sms.txt.j2", " {{ stop }}", " Prix 49,90 € {{ stop }}")
    assert omni(["message", "check", "offre-bienvenue"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"templates/sms\.txt\.j2:1:\d+: error M002 hard-coded-fact\n    price '49,90 €' is typed", said)
    assert "in offre-bienvenue × sms × camille, monsieur-h, default × fr, en   (24 renderings)" in said
    assert "1 error" in said
    assert omni(["message", "check", "offre-bienvenue", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["result"]
    one = next(f for f in found["findings"] if f["code"] == "M002")
    assert (one["renderings"], one["where"]["channel"]) == (24, "sms")
    assert found["summary"]["renderings"] == 120


def test_what_is_wrong_elsewhere_is_not_told_of_this_message(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(
        project / "campaigns" / "reconquete.yaml",
        "Tu nous manques. Avec le code {code}, {offer} sur",
        "Tu nous manques. Avec le code {code}, 30 % sur",
    )
    assert omni(["message", "check", "offre-bienvenue"]) == 0
    capsys.readouterr()
    assert omni(["message", "check", "offre-retour"]) == 1
    assert "M003" in capsys.readouterr().out


def test_a_mistyped_name_gets_a_suggestion(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["message", "check", "ofre-bienvenue"]) == 2
    assert "offre-bienvenue" in capsys.readouterr().err


def test_a_contact_needs_a_store_and_a_message(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["message", "check", "--contact", "C1"]) == 2
    assert omni(["message", "check", "offre-bienvenue", "--contact", "C1"]) != 0
    assert "Traceback" not in capsys.readouterr().err


def test_one_person_is_checked_with_what_they_were_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "people.csv").write_text(
        "id,email,language,time_zone,country,email_consent\nC1,c1@example.com,fr,Europe/Paris,FR,yes\n", "utf-8"
    )
    (project / "map.yaml").write_text(
        "id: id\nemail: address.email\nlanguage: language\ntime_zone: time_zone\ncountry: country\nemail_consent: consent.email\n",
        "utf-8",
    )
    assert omni(["contact", "import", "people.csv", "--map", "map.yaml"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert omni(["message", "check", "offre-bienvenue", "--contact", "C1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["result"]
    assert (found["contact"], found["touches"], found["summary"]["renderings"]) == ("C1", [], 5)


def test_lint_says_how_many_renderings_it_compared(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["lint"]) == 0
    assert "456 renderings compared" in capsys.readouterr().err
