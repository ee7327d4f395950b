"""A project in which nothing has changed is told again without being read; whatever decides the answer, changed, makes lint look."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_cases import a_project

from omnicli import texts
from omnicli.cli.main import run
from omnicli.lint import kept, unchanged


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = a_project(tmp_path)
    (root / ".omni").mkdir()
    change(root / "omni.yaml", "lint: {profile: production}", "lint: {profile: team}")
    monkeypatch.setattr(kept, "machine", lambda: ("one machine",))
    return root


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    file.write_text(text.replace(old, new) if old and old in text else text + new, "utf-8")


def said(root: Path, capsys: pytest.CaptureFixture[str], *more: str, day: str = "2026-12-01 10:00") -> tuple[int, str]:
    code = run(["-C", str(root), "lint", "-q", "--as-of", day, *more])
    return code, capsys.readouterr().out


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that the project is read."""
    import omnicli.cli.lint as command

    seen: list[str] = []
    real = command._find
    monkeypatch.setattr(command, "_find", lambda root, now, what: (seen.append(str(root)), real(root, now, what))[1])
    return seen


def spoil(root: Path) -> None:
    change(root / "campaigns" / "noel.yaml", "", "\nnonsense: 1\n")
    change(root / "templates" / "sms.txt.j2", "{{ stop }}", "Prix 49,90 € {{ stop }}")


def test_the_second_time_nothing_is_read_and_the_same_is_said(project, looks, capsys):
    spoil(project)
    for form in ("full", "concise", "json", "jsonl", "github", "markdown"):
        assert said(project, capsys, "--format", form) == said(project, capsys, "--format", form)
    assert len(looks) == 1
    assert "S002" in said(project, capsys)[1]


def test_cuts_are_made_of_what_is_kept(project, looks, capsys):
    spoil(project)
    whole = said(project, capsys)[1].splitlines()
    one = said(project, capsys, str(project / "campaigns" / "noel.yaml"))[1].splitlines()
    without = said(project, capsys, "--ignore", "S002")[1].splitlines()
    assert len(looks) == 1
    assert one == [line for line in whole if line.startswith("campaigns/noel.yaml:")]
    assert without == [line for line in whole if " S002 " not in line]


CHANGES: dict[str, Callable[[Path], object]] = {
    "omni.yaml": lambda root: change(root / "omni.yaml", "", "\n# a word\n"),
    "a campaign": lambda root: change(root / "campaigns" / "noel.yaml", "", "\n# a word\n"),
    "a new campaign": lambda root: shutil.copy(root / "campaigns" / "noel.yaml", root / "campaigns" / "copy.yaml"),
    "a campaign less": lambda root: (root / "campaigns" / "noel.yaml").unlink(),
    "a file of another ending": lambda root: (root / "campaigns" / "autre.yml").write_text("x", "utf-8"),
    "a story": lambda root: (root / "campaigns" / "noel.test.yaml").write_text("start: 1\n", "utf-8"),
    "a template": lambda root: change(root / "templates" / "sms.txt.j2", "", " "),
    "a template in a folder": lambda root: ((root / "templates" / "more").mkdir(), (root / "templates" / "more" / "a.html.j2").write_text("x", "utf-8")),
    "a store beside it": lambda root: (root / ".omni" / "sandbox.db").touch(),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_read_decides(name, project):
    before = unchanged.key_of(project, profile=None)
    assert before is not None
    assert before == unchanged.key_of(project, profile=None)
    CHANGES[name](project)
    assert unchanged.key_of(project, profile=None) != before


def test_the_profile_the_language_the_machine_and_the_environment_decide(project, monkeypatch):
    def key(profile: str | None = None) -> str | None:
        return unchanged.key_of(project, profile=profile)

    change(project / "omni.yaml", "", "\n# ${NOT_SET_ANYWHERE} decides, and so does a change of it\n")
    keys = [key(), key("draft"), key("production")]
    monkeypatch.setenv("NOT_SET_ANYWHERE", "")
    keys.append(key())
    monkeypatch.setenv("NOT_SET_ANYWHERE", "5")
    keys.append(key())
    texts.use("fr")
    keys.append(key())
    texts.use("en")
    monkeypatch.setattr(kept, "machine", lambda: ("another machine",))
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_the_machine_is_its_python_its_code_and_what_is_installed(tmp_path, monkeypatch):
    kept.machine.cache_clear()
    before = kept.machine()
    (tmp_path / "other-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    kept.machine.cache_clear()
    installed = kept.machine()
    os.utime(tmp_path / "other-1.0.dist-info", (1, 1))
    kept.machine.cache_clear()
    anew = kept.machine()
    kept.machine.cache_clear()
    assert len({before, installed, anew}) == 3
    assert any("run.py" in one for one in before)


def test_a_selection_and_a_project_without_a_folder_keep_nothing(project, looks, capsys):
    assert unchanged.key_of(project, profile=None, select=["M"]) is None
    (project / ".omni").rmdir()
    said(project, capsys)
    said(project, capsys)
    assert len(looks) == 2
    assert not (project / ".omni").exists()


def test_a_store_that_is_no_file_keeps_nothing(project, looks, capsys, monkeypatch):
    said(project, capsys)
    monkeypatch.setenv("OMNI_DATABASE", "postgresql://nobody@127.0.0.1:9/nothing")
    said(project, capsys)
    said(project, capsys)
    assert len(looks) == 3
    monkeypatch.delenv("OMNI_DATABASE")
    said(project, capsys)
    assert len(looks) == 3
    change(project / "omni.yaml", "", "\ndatabase: postgresql://nobody@127.0.0.1:9/nothing\n")
    said(project, capsys)
    said(project, capsys)
    assert len(looks) == 5


@pytest.mark.parametrize("day", ["2026-12-02 10:00", "2026-12-01 23:30", "2026-11-30 10:00"])
def test_another_day_anywhere_that_counts_is_looked_at(day, project, looks, capsys):
    said(project, capsys)
    said(project, capsys, day=day)
    assert len(looks) == 2


def test_the_hour_changes_nothing(project, looks, capsys):
    spoil(project)
    assert said(project, capsys, day="2026-12-01 00:30") == said(project, capsys, day="2026-12-01 09:30")
    kept_there = (project / ".omni" / "cache" / "report.json").read_bytes()
    shutil.rmtree(project / ".omni" / "cache")
    said(project, capsys, day="2026-12-01 09:30")
    assert json.loads((project / ".omni" / "cache" / "report.json").read_bytes().partition(b"\n")[2]) == json.loads(
        kept_there.partition(b"\n")[2]
    )
    assert len(looks) == 2


def test_a_torn_a_foreign_and_a_file_that_cannot_be_written_are_no_file(project, looks, capsys):
    spoil(project)
    first = said(project, capsys)
    file = project / ".omni" / "cache" / "report.json"
    whole = file.read_text("utf-8")
    head, _, body = whole.partition("\n")
    key = head.split(" ")[0]
    signed = [
        f"{key} {kept._sum(text)}\n{text}" for text in ("[]", "{}", "null", '{"days": 3}', body.replace('"line"', '"lign"'))
    ]
    for text in (whole[: len(whole) // 2], whole.replace("S002", "S003"), "", "x\n{}", "\x00", "0" * 64 + whole[64:], *signed):
        file.write_text(text, "utf-8")
        assert said(project, capsys) == first
    assert len(looks) == 12
    file.unlink()
    file.mkdir()
    assert said(project, capsys) == first
    shutil.rmtree(file.parent)
    file.parent.write_text("a file where a folder should be", "utf-8")
    assert said(project, capsys) == first


def test_a_project_that_cannot_be_read_is_told_each_time(project, looks, capsys):
    (project / "omni.yaml").write_text("- no\n", "utf-8")
    assert said(project, capsys) == said(project, capsys)
    assert len(looks) == 2
