"""What several processes find, each in its share of the campaigns, is what one finds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.lint import shares
from omnicli.lint.run import find

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
HERE = Path(__file__).parent
NOW = clock.read_instant("2026-12-01 10:00", "UTC")

MISTAKES = {
    "none": ("omni.yaml", "", ""),
    "one campaign": ("campaigns/nord.yaml", "sur ta commande", "sur votre commande, et même 25 %"),
    "what all share": ("templates/email.html.j2", "<p>{{ say.body }}</p>", '<p style="color:#aaaaaa">{{ say.body }}</p>'),
    "the page alone": ("templates/email.html.j2", "<p>{{ say.body }}</p>", '<p style="display: flex">{{ say.body }}</p>'),
    "unreadable": ("campaigns/nord.yaml", "code: SEL20", "code: [SEL20]"),
}


def a_project(folder: Path, mistake: str) -> Path:
    root = folder / "project"
    shutil.copytree(HERE / "project", root)
    text = (root / "campaigns" / "noel.yaml").read_text("utf-8")
    for name in ("nord", "ouest"):
        (root / "campaigns" / f"{name}.yaml").write_text(text.replace("campaign: noel", f"campaign: {name}"), "utf-8")
    file, old, new = MISTAKES[mistake]
    said = (root / file).read_text("utf-8")
    assert old in said
    (root / file).write_text(said.replace(old, new) if old else said, "utf-8")
    return root


def report(root: Path, processes: int) -> tuple[object, ...]:
    found = find(load_project(root), now=NOW, profile="production", processes=processes)
    said = found.report(began=0.0)
    return said.findings, said.silenced, said.bugs, said.compared


@pytest.mark.parametrize("mistake", MISTAKES)
def test_three_processes_find_what_one_finds(tmp_path, monkeypatch, mistake):
    root = a_project(tmp_path, mistake)
    alone = report(root, 1)
    assert bool(alone[0]) or mistake == "none"
    monkeypatch.setattr(shares, "LEAST", 1)
    forks = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(1) or fork())
    assert report(root, 3) == alone
    assert len(forks) == 2


def test_a_process_that_ends_without_a_word_leaves_all_to_one(tmp_path, monkeypatch):
    root = a_project(tmp_path, "one campaign")
    alone = report(root, 1)
    monkeypatch.setattr(shares, "LEAST", 1)
    monkeypatch.setattr(shares.pickle, "dump", lambda *_: os._exit(1))
    assert report(root, 2) == alone


def test_what_is_kept_is_the_same(tmp_path, monkeypatch):
    kept = []
    for processes in (1, 3):
        root = a_project(tmp_path / str(processes), "one campaign")
        (root / ".omni").mkdir()
        monkeypatch.setattr(shares, "LEAST", 1)
        first = report(root, processes)
        assert report(root, processes) == first
        edited = root / "campaigns" / "ouest.yaml"
        edited.write_text(edited.read_text("utf-8").replace("sur ta commande", "sur votre commande"), "utf-8")
        kept.append((first, report(root, processes)))
    assert kept[0] == kept[1]


def test_few_messages_are_looked_at_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("one process is enough"))
    assert report(a_project(tmp_path, "none"), 8)
