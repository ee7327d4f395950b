"""The worked example of the page passes as it stands there, in a project of one time zone; the sample's own in the sample."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from omnicli.campaignfile import load_project
from omnicli.campaignfile.stories import load_stories
from omnicli.campaigns.scenario.suite import suite

SAMPLE = Path(__file__).parents[3]


def test_the_page_passes_as_it_is_written(tmp_path: Path) -> None:
    """Its contacts name no country; the project of the page is one of France and Belgium."""
    shutil.copytree(SAMPLE / "templates", tmp_path / "templates")
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "omni.yaml").write_text((SAMPLE / "omni.yaml").read_text("utf-8").replace("[FR, GB]", "[FR, BE]"), "utf-8")
    shutil.copy(SAMPLE / "campaigns" / "bienvenue.yaml", tmp_path / "campaigns")
    text = (SAMPLE / "campaigns" / "bienvenue.test.yaml").read_text("utf-8").replace(" country: FR,", "", 2)
    stories, always = re.split(r"  - name: a click spares.*(?=always:)", text, flags=re.DOTALL)
    (tmp_path / "campaigns" / "bienvenue.test.yaml").write_text(stories + always, "utf-8")
    loaded = load_project(tmp_path)
    (played,) = suite(loaded, load_stories(loaded).files)
    assert [(one.name, one.failure) for one in played.scenarios if one.failed] == []
    assert len(played.scenarios) == 5
    assert [one.days for one in played.scenarios][:2] == [16, 92]


@pytest.mark.slow
def test_every_sample_campaign_lives_as_its_stories_tell() -> None:
    loaded = load_project(SAMPLE)
    stories = load_stories(loaded)
    assert {file.campaign for file in stories.files} == set(loaded.campaigns)
    assert not stories.findings
    found = [(one.name, one.failure, one.broken) for file in suite(loaded, stories.files) for one in file.scenarios if one.failed]
    assert found == []
