"""What was found in renderings is kept while nothing has changed, and never longer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from test_cases import NOW, a_project

from omnicli.campaignfile import load_project
from omnicli.lint import kept
from omnicli.lint.coherence.grid import Grid
from omnicli.lint.ground import Ground
from omnicli.lint.run import Report, lint


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = a_project(tmp_path)
    (root / ".omni").mkdir()
    template = root / "templates" / "sms.txt.j2"
    template.write_text(template.read_text("utf-8").replace("{{ stop }}", "Prix 49,90 € {{ stop }}"), "utf-8")
    monkeypatch.setattr(kept, "machine", lambda: ("one machine",))
    return root


def report(root: Path) -> Report:
    return lint(load_project(root), now=NOW, profile="production")


def test_the_second_time_nothing_is_rendered_and_the_same_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = report(project)
    monkeypatch.setattr(Grid, "of", lambda *_: pytest.fail("rendered again"))
    second = report(project)
    assert second.findings == first.findings
    assert second.compared == first.compared > 0
    assert "M002" in {finding.code for finding in second.findings}
    assert [f.fingerprint for f in second.findings] == [f.fingerprint for f in first.findings]


def test_a_torn_or_foreign_file_is_no_file(project: Path) -> None:
    first = report(project)
    file = project / ".omni" / "cache" / "lint.json"
    whole = file.read_text("utf-8")
    for text in (whole[: len(whole) // 2], whole.replace("49,90", "48,90"), "", "x\n{}", "\x00"):
        file.write_text(text, "utf-8")
        assert report(project).findings == first.findings


def test_a_mended_template_is_read_again(project: Path) -> None:
    report(project)
    template = project / "templates" / "sms.txt.j2"
    template.write_text(template.read_text("utf-8").replace("Prix 49,90 € ", ""), "utf-8")
    assert "M002" not in {finding.code for finding in report(project).findings}


def test_the_key_changes_with_whatever_decides(project: Path) -> None:
    def key(days: int = 0) -> str | None:
        return kept.key_of(Ground(load_project(project), now=NOW + timedelta(days=days)))

    keys = [key(), key(1)]
    (project / "templates" / "more").mkdir()
    (project / "templates" / "more" / "part.html.j2").write_text("x", "utf-8")
    keys.append(key())
    campaign = project / "campaigns" / "noel.yaml"
    campaign.write_text(campaign.read_text("utf-8") + "# a word\n", "utf-8")
    keys.append(key())
    assert len(set(keys)) == 4
    assert key() == keys[-1]


def test_a_narrowed_ground_and_a_project_without_a_folder_keep_nothing(project: Path) -> None:
    ground = Ground(load_project(project), now=NOW)
    ground.only = ("noel", "offre")
    assert kept.key_of(ground) is None
    (project / ".omni").rmdir()
    assert kept.key_of(Ground(load_project(project), now=NOW)) is None
