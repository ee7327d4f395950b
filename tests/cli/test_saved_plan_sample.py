"""The sample shop, its real outbox: a plan kept, a template changed, refused by name; put back, the touches planned leave one by one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from stores import open_store

from omnicli.cli.main import run as omni

SAMPLE = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    for name in ("omni.yaml", "campaigns", "templates", "samples"):
        (shutil.copytree if (SAMPLE / name).is_dir() else shutil.copy)(SAMPLE / name, tmp_path / name)
    for words in (
        ["contact", "import", str(tmp_path / "samples/people.csv"), "--map", str(tmp_path / "samples/people.map.yaml"), "--as-of", "2027-01-04 09:00"],
        ["response", "import", str(tmp_path / "samples/events.jsonl"), "--as-of", "2027-01-04 11:00"],
        ["campaign", "start", "bienvenue", "--since", "2026-12-29", "--as-of", "2027-01-04 11:30"],
        ["campaign", "run", "bienvenue", "--as-of", "2027-01-04 11:30"],
    ):  # fmt: skip
        assert call(tmp_path, *words) == 0
    capsys.readouterr()
    return tmp_path


def call(shop: Path, *words: str) -> int:
    return omni(["-C", str(shop), "-q", *words])


def outbox(shop: Path) -> list[str]:
    """Touch keys of everything in the sandbox's outbox."""
    text = "".join(file.read_text("utf-8", errors="replace") for file in sorted((shop / "outbox" / "sandbox").rglob("*.json*")))
    return re.findall(r'"touch": ?"([0-9a-f]{32})"', text)


def sent(shop: Path) -> set[str]:
    with open_store(shop / ".omni").read() as connection:
        return {key.hex() for (key,) in connection.exec_driver_sql("SELECT touch_key FROM touch WHERE send_state = 'accepted'")}


@pytest.mark.slow
def test_the_plan_of_the_sample_binds_its_run(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shop / "lundi.plan"
    assert call(shop, "campaign", "plan", "bienvenue", "--out", str(file), "--as-of", "2027-01-05 10:00") == 0
    planned = {k["touch"] for k in json.loads(file.read_text("utf-8"))["touches"]}
    assert len(planned) > 60
    template = shop / "templates" / "sms.txt.j2"
    before = template.read_text("utf-8")
    template.write_text(before + "{# another #}", "utf-8")
    capsys.readouterr()
    assert call(shop, "campaign", "run", "bienvenue", "--plan", str(file), "--as-of", "2027-01-05 10:05") == 4
    assert "template templates/sms.txt.j2 was changed" in capsys.readouterr().err
    assert sent(shop) == set()
    template.write_text(before, "utf-8")
    assert call(shop, "campaign", "run", "bienvenue", "--plan", str(file), "--as-of", "2027-01-05 10:05") == 0
    assert sent(shop) == planned
    assert set(outbox(shop)) <= planned
    assert call(shop, "campaign", "run", "bienvenue", "--plan", str(file), "--as-of", "2027-01-05 10:10") == 0
    assert sent(shop) == planned


@pytest.mark.slow
def test_positions_let_a_pull_request_compare_without_a_store(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(shop, "status", "--positions") == 0
    positions = shop / "positions.json"
    positions.write_text(capsys.readouterr().out, "utf-8")
    text = positions.read_text("utf-8")
    assert "@" not in text.replace("@example", "")
    shutil.rmtree(shop / ".omni")
    assert call(shop, "campaign", "diff", "bienvenue", "--positions", str(positions), "--expect-none") == 0
    campaign = shop / "campaigns" / "bienvenue.yaml"
    campaign.write_text(
        campaign.read_text("utf-8").replace("offer: 20 %", "offer: 25 %").replace("wait: up to 3 days", "wait: up to 2 days"),
        "utf-8",
    )
    assert call(shop, "campaign", "diff", "bienvenue", "--positions", str(positions), "--expect-none") == 1
    said = capsys.readouterr().out
    assert "offer 20 % → 25 %" in said
    assert "wait up to 3 days → up to 2 days" in said
    assert not (shop / ".omni").exists()
    assert call(shop, "campaign", "diff", "bienvenue", "--positions", str(positions), "--format", "markdown") == 0
    assert "### Messages" in capsys.readouterr().out
