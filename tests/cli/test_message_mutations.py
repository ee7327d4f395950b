"""omni message check --mutate: figures by kind, survivors as diffs, and exit 1 below the bars."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from omnicli.campaigns.mutate import kinds
from omnicli.cli.main import run as omni

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["message", "check", "--mutate", "--as-of", "2027-03-08 10:00", "-j", "1"]


@pytest.fixture(autouse=True)
def _one_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (ROOT / "omni.yaml", ROOT / "campaigns" / "reconquete.yaml", *(ROOT / "templates").iterdir()):
        there = tmp_path / file.relative_to(ROOT)
        there.parent.mkdir(exist_ok=True)
        shutil.copy(file, there)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def two_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: kinds.KINDS[name] for name in ("avoided-word", "in-capitals")}
    for module in ("omnicli.campaigns.mutate.kinds", "omnicli.campaigns.mutate.draw"):
        monkeypatch.setattr(f"{module}.KINDS", known)


@pytest.mark.usefixtures("two_kinds")
def test_json_counts_the_mutations_and_those_that_were_caught(capsys: pytest.CaptureFixture[str]) -> None:
    assert omni([*COMMAND, "offre-retour", "--mutants", "6", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert (result["mutations"], result["caught"]) == (6, 6)
    assert [(row["kind"], row["mutations"], row["caught"]) for row in result["kinds"]] == [
        ("avoided-word", 3, 3),
        ("in-capitals", 3, 3),
    ]
    assert result["messages"] == ["reconquete/offre-retour"]
    assert result["survivors"] == []


@pytest.mark.usefixtures("two_kinds")
def test_a_table_by_kind_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert omni([*COMMAND, "offre-retour", "--mutants", "4"]) == 0
    out = capsys.readouterr().out
    assert "avoided-word" in out
    assert "P001" in out
    assert "4 of 4 mutants of 1 messages caught (100 %)" in out


@pytest.mark.usefixtures("two_kinds")
def test_below_the_bar_the_survivors_are_shown_as_diffs_and_the_exit_is_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnicli.campaigns.mutate.judge.at_place", lambda *_: False)
    assert omni([*COMMAND, "offre-retour", "--mutants", "2"]) == 1
    out = capsys.readouterr().out
    assert "in-capitals survived: reconquete/offre-retour" in out
    assert "+++ campaigns/reconquete.yaml" in out
    assert "expected P004" in out


def test_a_message_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert omni([*COMMAND, "offre-retours"]) == 2
    assert "offre-retour" in capsys.readouterr().err
