"""Generated lives: the same for the same seed, no breach on the samples, and a fault put in on purpose found and made small."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from faulty import FAULTS, Fault

from omnicli.campaignfile import Loaded, load_project
from omnicli.campaignfile.stories import load_stories
from omnicli.campaigns.scenario.fuzz import Found, FuzzReport, fuzz
from omnicli.campaigns.scenario.suite import suite

ROOT = Path(__file__).parents[2]
SAMPLES = ("bienvenue", "panier-abandonne", "reconquete")


@lru_cache
def sample() -> Loaded:
    return load_project(ROOT)


def lived(name: str, lives: int, *, seed: int = 7, beside: tuple[str, ...] = ()) -> FuzzReport:
    [file] = load_stories(sample(), files=[f"campaigns/{name}.test.yaml"]).files
    return fuzz(sample(), name, lives=lives, seed=seed, promises=[one.promise for one in file.always], beside=beside)


def pasted(found: Found, name: str, beside: tuple[str, ...] = ()) -> bool:
    """Whether the printed scenario, pasted into a test file, fails."""
    beside_line = f"with: {{campaigns: [{', '.join(beside)}]}}\n" if beside else ""
    text = f"start: 2027-01-04 11:30\n{beside_line}scenarios:\n" + "".join(f"  {line}\n" for line in found.scenario)
    file = f"campaigns/{name}.test.yaml"
    stories = load_stories(sample(), files=[file], overlay={file: text.encode()})
    assert not stories.errors(), (stories.errors(), text)
    return suite(sample(), stories.files)[0].wrong


def test_lives_of_a_sample_campaign_keep_every_promise() -> None:
    report = lived("bienvenue", 16)
    assert not report.found, [(one.breach, "\n".join(one.scenario)) for one in report.found]
    assert sum(len(life.touches) for life in report.lived) > 8


@pytest.mark.slow
def test_a_guard_that_is_off_is_found_made_small_and_fails_when_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = next(one for one in FAULTS if one.name == "suppression")
    fault.put(monkeypatch)
    [first, *_] = [one for one in lived(fault.campaign, 60).found if one.breach.promise.startswith(fault.promise)]
    assert len(first.story) <= 6
    assert pasted(first, fault.campaign)
    monkeypatch.undo()
    assert not pasted(first, fault.campaign), "with the guard on, the same story passes"


def told(life: int = 0) -> str:
    return repr([(life.who, life.touches, life.passes) for life in lived("bienvenue", 12).lived][life:])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_lives_whatever_hash_seed_and_time_zone() -> None:
    script = "import sys; sys.path.insert(0, 'tests/campaigns'); import hashlib, test_fuzz; print(hashlib.sha256(test_fuzz.told().encode()).hexdigest())"
    said = {
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
                       capture_output=True, text=True, timeout=120, check=True).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }  # fmt: skip
    assert len(said) == 1


def test_a_life_is_the_same_in_any_company() -> None:
    few, many = lived("bienvenue", 4), lived("bienvenue", 8)
    by_name = {life.who: life for life in many.lived}
    for life in few.lived:
        ours, theirs = ([(t.step, t.channel, t.state, t.at) for t in one.touches] for one in (life, by_name[life.who]))
        assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_five_hundred_lives_find_no_breach(name: str) -> None:
    report = lived(name, 500)
    assert not report.found, [(one.breach, "\n".join(one.scenario)) for one in report.found]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=[f"{one.name} {one.campaign}" for one in FAULTS])
def test_a_fault_put_in_on_purpose_is_found_and_shrunk_to_at_most_six_lines(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.put(monkeypatch)
    report = lived(fault.campaign, fault.lives, seed=fault.seed, beside=fault.beside)
    found = [one for one in report.found if one.breach.promise.startswith(fault.promise)]
    assert found, f"{fault.name}: nobody of {report.lives} lives felt it; found {[one.breach.promise for one in report.found]}"
    assert min(len(one.story) for one in found) <= 6, [one.scenario for one in found]
    assert pasted(min(found, key=lambda one: len(one.story)), fault.campaign, fault.beside)
