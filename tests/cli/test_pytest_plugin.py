"""The pytest plugin: off unless asked for, an item a scenario, failures at their line, lives in Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
SAMPLE = Path(__file__).parents[2]
STORY = """start: 2027-01-04 11:30
contacts:
  henri: {first_name: Henri, language: fr, country: FR, age: 58, orders: 0, store_distance: 80 km, consent: [email, whatsapp]}
scenarios:
  - name: the offer comes at ten
    given: henri
    story:
      - event: signup
      - expect: email offre-bienvenue at 2027-01-05 10:00
  - name: the offer comes at nine @slow
    given: henri
    story:
      - event: signup
      - expect: email offre-bienvenue at 2027-01-05 09:00
  - name: not yet
    given: henri
    skip: to be written
    story: []
"""
PYTHON = """
def test_a_purchase_in_the_same_second_wins(omni_life):
    life = omni_life("henri", "bienvenue")
    life.event("signup")
    life.at("2027-01-05 10:00", before_due=True).event("purchase")
    assert life.exit == "goal" and life.touches == []


def test_touches_come_one_after_the_other(omni_life, omni_project):
    life = omni_life("henri", "bienvenue", take={"test-rappel": "whatsapp"})
    first = life.event("signup").next_touch()
    assert (first.channel, first.message, f"{first.at:%H:%M}") == ("email", "offre-bienvenue", "09:00")
    assert "BIENVENUE20" in life.text(first)
    assert life.after("3 days").next_touch().channel == "whatsapp"
    assert life.touches == ["email offre-bienvenue", "whatsapp offre-bienvenue"]
    assert life.step == "respiration" and life.persona == "monsieur-h" and life.exit is None
    assert (omni_project / "omni.yaml").is_file()


def test_the_clock_begins_where_it_is_told(omni_life, omni_clock):
    omni_clock.start = "2027-03-27 11:30"
    life = omni_life({"language": "fr", "country": "FR", "consent": ["email"]}, "bienvenue").event("signup")
    assert life.next_touch() is None
    assert life.next_touch(within="5 days").step == "j0"
    assert f"{life.now:%Y-%m-%d %H:%M}" == "2027-03-30 10:00"
"""


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """The sample project as somebody's own, with three stories of its welcome."""
    for path in (*(SAMPLE / "templates").glob("*.j2"), SAMPLE / "omni.yaml", SAMPLE / "campaigns" / "bienvenue.yaml"):
        target = pytester.path / path.relative_to(SAMPLE)
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text("utf-8"), "utf-8")
    (pytester.path / "campaigns" / "bienvenue.test.yaml").write_text(STORY, "utf-8")
    pytester.makeini("[pytest]\nmarkers = slow: takes long\n")
    return pytester


def test_scenarios_are_items_that_fail_at_their_line_without_a_traceback(shop: pytest.Pytester) -> None:
    result = shop.runpytest_inprocess("-p", "omnicli.testing", "-p", "no:randomly", "-v", "campaigns")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["campaigns/bienvenue.test.yaml::the offer comes at ten PASSED*"])
    result.stdout.fnmatch_lines(["*campaigns/bienvenue.test.yaml:14  expected   email offre-bienvenue at 2027-01-05 09:00*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*.py:*")


def test_k_and_marks_choose_among_them(shop: pytest.Pytester) -> None:
    shop.runpytest_inprocess("-p", "omnicli.testing", "-k", "ten", "campaigns").assert_outcomes(passed=1, deselected=2)
    shop.runpytest_inprocess("-p", "omnicli.testing", "-m", "slow", "campaigns").assert_outcomes(failed=1, deselected=2)


def test_a_file_that_cannot_be_read_is_told_by_its_findings(shop: pytest.Pytester) -> None:
    path = shop.path / "campaigns" / "bienvenue.test.yaml"
    path.write_text(STORY.replace("event: signup", "event: singup", 1), "utf-8")
    result = shop.runpytest_inprocess("-p", "omnicli.testing", "campaigns")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*campaigns/bienvenue.test.yaml:8:16: S004 'singup' is not one of*"])


def test_lives_are_lived_from_python(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_lives=PYTHON)
    shop.runpytest_inprocess("-p", "omnicli.testing", "test_lives.py").assert_outcomes(passed=3)


def test_it_is_off_unless_a_project_asks(shop: pytest.Pytester) -> None:
    shop.makeconftest('pytest_plugins = ["omnicli.testing"]')
    shop.runpytest_inprocess("campaigns").assert_outcomes()
    shop.makeini("[pytest]\nomni_tests = true\nmarkers = slow: takes long\n")
    shop.runpytest_inprocess("campaigns").assert_outcomes(passed=1, failed=1, skipped=1)


def test_importing_it_imports_nothing_of_omni() -> None:
    code = "import sys, omnicli.testing; print(sorted(n for n in sys.modules if n.startswith(('omnicli.', 'sqlalchemy', 'pydantic'))))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['omnicli.testing']"
