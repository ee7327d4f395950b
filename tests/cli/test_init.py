"""`omni init`: what it makes lints clean in the strictest profile, and nothing that stands there is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.cli.main import run
from omnicli.lint.run import lint


@pytest.mark.parametrize(("languages", "country"), [("fr,en", "FR"), ("en", "GB"), ("fr", "CA")])
def test_a_new_project_lints_clean_in_production(languages: str, country: str, tmp_path: Path) -> None:
    folder = tmp_path / "ma-boutique"
    assert run(["init", str(folder), "--languages", languages, "--country", country]) == 0
    report = lint(load_project(folder), now=clock.read_instant("2027-01-04", "UTC"), profile="production")
    assert not [f"{f.place.file}:{f.place.line} {f.code} {f.message}" for f in report.findings if f.severity != "info"]
    assert not report.bugs


def test_columns_of_a_table_become_guessed_attributes(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("id;email;points;code_client;inscrit\n1;a@example.com;12;007;2026-01-02\n", "utf-8")
    assert run(["init", str(tmp_path / "boutique"), "--from-csv", str(table)]) == 0
    text = (tmp_path / "boutique" / "omni.yaml").read_text("utf-8")
    for line in ("points: number    # guessed", "code_client: code    # guessed", "inscrit: date    # guessed"):
        assert line in text


def test_a_folder_with_something_in_it_is_refused_and_with_force_only_completed(tmp_path: Path) -> None:
    (tmp_path / "omni.yaml").write_text("mine", "utf-8")
    assert run(["init", str(tmp_path)]) == 2
    assert run(["init", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "omni.yaml").read_text("utf-8") == "mine"
    assert (tmp_path / "campaigns" / "bienvenue.yaml").exists()


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("", "utf-8")
    assert run(["init", str(tmp_path / "notes.txt")]) == 2
    assert "is a file" in capsys.readouterr().err
