"""Five flows of Dittofeed and Novu, told in omni's language: they lint clean, their scenarios pass, their branches are all lived."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

import pytest

from omnicli import clock
from omnicli.campaignfile import Loaded, load_project
from omnicli.campaignfile.stories import load_stories
from omnicli.campaigns.scenario.coverage import coverage
from omnicli.campaigns.scenario.fuzz import fuzz
from omnicli.campaigns.scenario.suite import suite
from omnicli.lint.run import lint

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "omnicli" / "render" / "shipped"
NOW = clock.read_instant("2027-01-04 11:00", "Europe/London")
PROJECTS = ("dittofeed", "novu")
CAMPAIGNS = tuple(
    (project, file.stem)
    for project in PROJECTS
    for file in sorted((HERE / project / "campaigns").glob("*.yaml"))
    if ".test" not in file.name
)


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The projects, each with the templates that `omni init` writes."""
    root = tmp_path_factory.mktemp("flows")
    for project in PROJECTS:
        shutil.copytree(HERE / project, root / project)
        (root / project / "templates").mkdir()
        for template in SHIPPED.glob("*.j2"):
            shutil.copy(template, root / project / "templates")
    return root


@lru_cache
def _loaded(root: Path) -> Loaded:
    return load_project(root)


@pytest.mark.parametrize("project", PROJECTS)
def test_the_flows_lint_clean(flows: Path, project: str) -> None:
    found = [f"{f.place} {f.code} {f.message}" for f in lint(_loaded(flows / project), now=NOW).findings if f.severity != "info"]
    assert not found, found


@pytest.mark.parametrize(("project", "campaign"), CAMPAIGNS)
def test_every_flow_lives_as_its_scenarios_say_and_every_branch_is_lived(flows: Path, project: str, campaign: str) -> None:
    loaded = _loaded(flows / project)
    stories = load_stories(loaded, files=[f"campaigns/{campaign}.test.yaml"])
    assert not stories.errors(), stories.errors()
    [played] = suite(loaded, stories.files)
    assert not played.wrong, [(one.name, one.failure, one.broken) for one in played.scenarios if one.failed]
    measured = coverage(loaded, campaign, played.scenarios)
    assert measured.branches == measured.all_branches, measured.missing


@pytest.mark.slow
@pytest.mark.parametrize(("project", "campaign"), CAMPAIGNS)
def test_no_generated_life_breaks_a_promise(flows: Path, project: str, campaign: str) -> None:
    report = fuzz(_loaded(flows / project), campaign, lives=8, seed=7)
    assert not report.found, [("\n".join(one.scenario), one.breach) for one in report.found]
