"""omni response list: what came in, and the ledger's counts; of strangers alone, nothing that is not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnicli.cli.main import run as omni

OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""
AT = ("--as-of", "2027-01-04 09:00")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "omni.yaml").write_text(OMNI)
    (tmp_path / "people.csv").write_text("id,email,first_name\n1,lea@example.com,Léa\n")
    return tmp_path


def out(root: Path, capsys: pytest.CaptureFixture[str], *words: str, lang: str = "en") -> list[str]:
    assert omni(["-C", str(root), "--lang", lang, *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_list_of_strangers_shows_no_totals_of_the_whole_ledger(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out(root, capsys, "contact", "import", str(root / "people.csv"), *AT)
    (root / "came.csv").write_text("id,contact,event,at\na,1,signup,2027-01-04T08:00:00Z\n")
    out(root, capsys, "response", "import", str(root / "came.csv"), *AT)
    assert any(line.split() == ["signup", "1"] for line in out(root, capsys, "response", "list"))
    assert out(root, capsys, "response", "list", "--unmatched") == ["No response of people whom the base does not know."]
    french = out(root, capsys, "response", "list", "--unmatched", lang="fr")
    assert french == ["Aucune réponse de personnes inconnues de la base."]
    (root / "more.csv").write_text("id,contact,event,at\nb,99,signup,2027-01-04T07:30:00Z\n")
    out(root, capsys, "response", "import", str(root / "more.csv"), *AT)
    lines = out(root, capsys, "response", "list", "--unmatched")
    assert [line.split()[2:4] for line in lines[:-1]] == [["99", "signup"]]
    assert lines[-1] == "1 of people the base does not know"
