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


def beside(project: Path) -> Path:
    """A second campaign, clean as the first."""
    for word in ("email.html.j2", "email.txt.j2"):
        assert (project / "templates" / word).exists()
    template = project / "templates" / "sms.txt.j2"
    template.write_text(template.read_text("utf-8").replace("Prix 49,90 € ", ""), "utf-8")
    text = (project / "campaigns" / "noel.yaml").read_text("utf-8").replace("campaign: noel", "campaign: pascal")
    (project / "campaigns" / "pascal.yaml").write_text(text, "utf-8")
    return project


def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    real = Grid.of
    monkeypatch.setattr(Grid, "of", lambda self, chapter, name: (seen.append(chapter.name), real(self, chapter, name))[1])
    return seen


def without_cache(root: Path) -> Report:
    """What is said by somebody who kept nothing."""
    hidden = root / ".omni"
    hidden.rename(root / ".elsewhere")
    try:
        return report(root)
    finally:
        (root / ".elsewhere").rename(hidden)


def test_only_the_campaign_that_changed_is_rendered_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside(project)
    first = report(project)
    changed = project / "campaigns" / "pascal.yaml"
    changed.write_text(changed.read_text("utf-8") + "# a word\n", "utf-8")
    seen = rendered(monkeypatch)
    second = report(project)
    assert set(seen) == {"pascal"}
    assert second.compared == first.compared
    assert second.findings == without_cache(project).findings


@pytest.mark.parametrize("file", ["omni.yaml", "templates/sms.txt.j2"])
def test_what_all_campaigns_share_has_all_of_them_rendered_again(
    file: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside(project)
    report(project)
    path = project / file
    path.write_text(path.read_text("utf-8") + ("# a word\n" if file == "omni.yaml" else "Prix 49,90 €"), "utf-8")
    seen = rendered(monkeypatch)
    second = report(project)
    assert set(seen) == {"noel", "pascal"}
    assert second.findings == without_cache(project).findings
    monkeypatch.setattr(kept, "machine", lambda: ("another machine",))
    seen.clear()
    report(project)
    assert set(seen) == {"noel", "pascal"}


def test_a_campaign_with_a_finding_is_looked_at_until_it_has_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside(project)
    changed = project / "campaigns" / "pascal.yaml"
    good = changed.read_text("utf-8")
    report(project)
    for text in (
        good.replace("body: >-", "body: >-\n          49,90 €")
        if "body: >-" in good
        else good.replace("body: ", "body: 49,90 € ", 1),
        good,
    ):
        changed.write_text(text, "utf-8")
        assert report(project).findings == without_cache(project).findings
        changed.write_text(text + "# again\n", "utf-8")
        assert report(project).findings == without_cache(project).findings


def test_what_is_said_of_a_campaign_is_kept_while_another_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside(project)
    spoilt = project / "campaigns" / "noel.yaml"
    spoilt.write_text(spoilt.read_text("utf-8").replace("body: ", "body: 49,90 € ", 1), "utf-8")
    first = report(project)
    own = [finding for finding in first.findings if finding.place.file == "campaigns/noel.yaml"]
    assert "M002" in {finding.code for finding in own}
    changed = project / "campaigns" / "pascal.yaml"
    changed.write_text(changed.read_text("utf-8") + "# a word\n", "utf-8")
    seen = rendered(monkeypatch)
    second = report(project)
    assert set(seen) == {"pascal"}
    assert [finding for finding in second.findings if finding.place.file == "campaigns/noel.yaml"] == own
    assert second.compared == first.compared
    assert second.findings == without_cache(project).findings


def test_a_torn_list_of_clean_campaigns_is_none(project: Path) -> None:
    beside(project)
    first = report(project)
    cache = project / ".omni" / "cache"
    whole = (cache / "clean.json").read_text("utf-8")
    for text in (whole[:90], "", "\x00", whole.replace(": ", ": 1", 1), f"{kept._CLEAN} {kept._sum('[3]')}\n[3]"):
        (cache / "lint.json").unlink()
        (cache / "clean.json").write_text(text, "utf-8")
        again = report(project)
        assert (again.findings, again.compared) == (first.findings, first.compared)
