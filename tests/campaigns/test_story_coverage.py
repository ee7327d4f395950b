"""What scenarios lived of a campaign is counted, what they did not is printed as lines, and observed stories are written byte for byte."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from omnicli.campaignfile import Loaded, load_project
from omnicli.campaignfile.stories import load_stories
from omnicli.campaigns.scenario.coverage import coverage
from omnicli.campaigns.scenario.suite import suite
from omnicli.campaigns.scenario.update import edits, write

ROOT = Path(__file__).parents[2]
FILE = "campaigns/bienvenue.test.yaml"
TEXT = """\
start: 2027-01-04 11:30     # a Monday
contacts:
  lea: {language: fr, consent: [email]}
scenarios:
  - name: nobody wrote this yet   # to do
    given: lea
    take: {test-rappel: temoin}
    story: []   # observed
  - name: this one is wrong
    given: lea
    story:
      - event: signup
      - expect: sms offre-bienvenue at 2027-01-05 10:00   # not so
"""


@lru_cache
def sample() -> Loaded:
    return load_project(ROOT)


def test_what_was_not_lived_is_told_as_lines_to_write() -> None:
    stories = load_stories(sample(), files=[FILE], overlay={FILE: TEXT.encode()})
    found = coverage(sample(), "bienvenue", suite(sample(), stories.files)[0].scenarios)
    assert found.branches == 0
    assert found.percent < 20
    assert "reponse-j0 clicked, replied, nothing" in found.uncovered
    assert "- expect: branch test-rappel temoin" in list(found.lines())
    assert found.figures[1].endswith(f"0 of {found.all_branches}")


def test_an_empty_story_is_written_and_a_wrong_line_replaced_and_every_other_byte_stays() -> None:
    stories = load_stories(sample(), files=[FILE], overlay={FILE: TEXT.encode()})
    [file] = stories.files
    found = list(edits(sample(), file, suite(sample(), stories.files)[0], TEXT))
    text = write(TEXT, found)
    assert "      - expect: email offre-bienvenue at 2027-01-05 10:00   # not so\n" in text
    assert "    story:   # observed\n      - event: signup\n      - expect: email offre-bienvenue at 2027-01-05 10:00\n" in text
    assert text.startswith(TEXT[: TEXT.index("    story: []")])
    again = load_stories(sample(), files=[FILE], overlay={FILE: text.encode()})
    assert not again.errors()
    played = suite(sample(), again.files)[0]
    assert not played.wrong, [(one.name, one.failure, one.broken) for one in played.scenarios]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bienvenue", "panier-abandonne", "reconquete"])
def test_the_scenarios_of_a_sample_campaign_live_every_branch(name: str) -> None:
    stories = load_stories(sample(), files=[f"campaigns/{name}.test.yaml"])
    found = coverage(sample(), name, suite(sample(), stories.files)[0].scenarios)
    assert found.branches == found.all_branches, found.uncovered
