"""Half a copy is no store: every command refuses it, with the command that goes on; then it is whole, or it begins again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from omnicli import clock, faults
from omnicli.app import open_project, standing
from omnicli.cli.main import run as omni
from omnicli.lint.census import census
from omnicli.store.carrying import copy as carrying

OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""
PEOPLE = "id,email,first_name\n" + "".join(f"c{n},anne{n}@boutique.example,Anne\n" for n in range(1, 31))
GO_ON = "omni db copy --from live --to sandbox --mask"

pytestmark = pytest.mark.sqlite_only(reason="the copy is between the two files of a project")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.delenv("OMNI_DATABASE", raising=False)
    (tmp_path / "omni.yaml").write_text(OMNI)
    (tmp_path / "people.csv").write_text(PEOPLE)
    assert said(tmp_path, capsys, "contact", "import", str(tmp_path / "people.csv"), "--live")[0] == 0
    return tmp_path


def said(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and the result or the error."""
    code = omni(["-C", str(root), "--json", "--lang", "en", *words])
    found = json.loads(capsys.readouterr().out)
    return code, dict(found.get("result") or found.get("error") or {})


def cut_off(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """The copy is stopped in its third batch."""
    batches = iter(range(100))

    def stop(name: str) -> None:
        if name == "F31" and next(batches) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(faults, "point", stop)
        patch.setattr(carrying, "BATCH", 10)
        omni(["-C", str(root), "--json", "--lang", "en", *words])
    capsys.readouterr()


COMMANDS = ("contact list", "contact show c1", "db check", "db upgrade", "db backup", "schedule tick", "status")


def test_every_command_refuses_half_a_sandbox(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(root, capsys, monkeypatch, *shlex.split(GO_ON)[1:])
    for command in COMMANDS:
        code, error = said(root, capsys, *command.split())
        assert (code, error["code"]) == (4, "half_copied"), (command, error)
        assert GO_ON in error["hint"]
        assert "omni db reset --yes" in error["hint"]


def test_what_it_says_goes_on_and_then_it_is_whole(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(root, capsys, monkeypatch, *shlex.split(GO_ON)[1:])
    code, found = said(root, capsys, "doctor")
    assert code == 1
    assert [GO_ON in sign["fix"] for sign in found["signs"] if sign["name"] == "copy"] == [True]
    code, done = said(root, capsys, *shlex.split(GO_ON)[1:])
    assert (code, done["resumed"]) == (0, True)
    assert said(root, capsys, "contact", "list")[0] == 0
    assert done["left_behind"]["import_job"] == 1


def test_or_it_begins_again(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(root, capsys, monkeypatch, *shlex.split(GO_ON)[1:])
    assert said(root, capsys, "db", "reset", "--yes")[0] == 0
    assert said(root, capsys, *shlex.split(GO_ON)[1:])[0] == 0


def test_half_a_live_store_is_refused_too(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("db", "copy", "--from", "live", "--to", f"sqlite:///{root}/new/live.db", "--live", "--move", "--yes")
    cut_off(root, capsys, monkeypatch, *words)
    monkeypatch.setenv("OMNI_DATABASE", f"sqlite:///{root}/new/live.db")
    for command in (("contact", "list"), ("db", "recover", "--yes", "--offline")):
        code, error = said(root, capsys, *command, "--live")
        assert (code, error["code"]) == (4, "half_copied")
        assert f"omni db copy --from live --to sqlite:///{root}/new/live.db --move --live" in error["hint"]
        assert "reset" not in error["hint"]


def test_lint_counts_nobody_in_half_a_sandbox(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = open_project(root)
    assert standing(loaded) is None
    cut_off(root, capsys, monkeypatch, *shlex.split(GO_ON)[1:])
    assert standing(loaded) is None
    assert said(root, capsys, *shlex.split(GO_ON)[1:])[0] == 0
    whole = standing(loaded)
    assert whole is not None
    with census(whole, now=clock.now()) as base:
        assert base is not None
        assert base.total == 30
