"""A diff says of each changed message whether it still says the same on every channel and in every language."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omnicli import clock
from omnicli.campaignfile import load_project, resolve, revive
from omnicli.campaigns import life
from omnicli.campaigns.diff.checked import Checked, checked
from omnicli.campaigns.diff.compare import compare

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ((("offer: 20 %", "offer: 25 %"), ("39.92 EUR", "37.43 EUR")), Checked(5, 2, 0)),
        ((("offer: 20 %", "offer: 25 %"),), Checked(5, 2, 1)),  # 49.90 less 25 % is not 39.92
    ],
)
def test_a_changed_message_is_compared_on_all_its_channels_and_languages(
    tmp_path: Path, edits: tuple[tuple[str, str], ...], said: Checked
) -> None:
    for folder in ("campaigns", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "omni.yaml", tmp_path / "omni.yaml")
    before = load_project(tmp_path)
    file = tmp_path / "campaigns" / "bienvenue.yaml"
    text = file.read_text("utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    after = load_project(tmp_path)
    assert before.project is not None
    assert after.project is not None
    found = compare(
        revive(resolve(life.authored(before, "bienvenue"), before.project).tree),
        revive(resolve(life.authored(after, "bienvenue"), after.project).tree),
    )
    now = clock.read_instant("2027-01-04 11:00", "Europe/Paris")
    assert checked(after, "bienvenue", found.messages, now=now) == {"offre-bienvenue": said}
