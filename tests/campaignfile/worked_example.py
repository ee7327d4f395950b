"""The worked example of the language page, written out: builders that change one thing at a time."""

from __future__ import annotations

from pathlib import Path

from omnicli.campaignfile import Loaded, load_project
from omnicli.model.finding import Finding

PROJECT = (Path(__file__).parent / "worked" / "omni.yaml").read_text("utf-8")
CAMPAIGN = (Path(__file__).parent / "worked" / "bienvenue.yaml").read_text("utf-8")


def changed(text: str, old: str, new: str) -> str:
    """The text with `old`, which stands there, replaced once."""
    assert old in text, old
    return text.replace(old, new, 1)


def loaded(campaign: str | bytes = CAMPAIGN, project: str | bytes = PROJECT, *, name: str = "bienvenue") -> Loaded:
    """A project of these two files, read without touching the disk."""
    files = {"omni.yaml": project, f"campaigns/{name}.yaml": campaign}
    overlay = {file: text if isinstance(text, bytes) else text.encode() for file, text in files.items()}
    return load_project(Path("/nowhere"), overlay=overlay)


def findings(campaign: str | bytes = CAMPAIGN, project: str | bytes = PROJECT) -> list[Finding]:
    return list(loaded(campaign, project).findings)


def codes(campaign: str | bytes = CAMPAIGN, project: str | bytes = PROJECT) -> list[str]:
    return [f.code for f in findings(campaign, project)]


def campaign_with(old: str, new: str) -> list[Finding]:
    return findings(changed(CAMPAIGN, old, new))


def project_with(old: str, new: str) -> list[Finding]:
    return findings(project=changed(PROJECT, old, new))


def the_one(found: list[Finding]) -> Finding:
    """The only finding; the test fails with all of them otherwise."""
    assert len(found) == 1, [(f.code, f.place.line, f.message) for f in found]
    return found[0]


def mended(text: str, finding: Finding) -> str:
    """The text after the finding's fix."""
    assert finding.fix is not None
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for edit in sorted(finding.fix.edits, key=lambda e: (e.place.line, e.place.column), reverse=True):
        begin = starts[edit.place.line - 1] + edit.place.column - 1
        end = starts[edit.place.end_line - 1] + edit.place.end_column - 1
        text = text[:begin] + edit.text + text[end:]
    return text
