"""omni doctor names the languages in which nobody checks how people are addressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.service.doctor.files import files
from omnicli.service.doctor.sign import Patient

NOW = clock.read_instant("2026-12-01 10:00", "UTC")
PROJECT = "project: essai\nlanguages: [{languages}]\ntime_zone: Europe/Paris\nchannels:\n  sms: {{provider: sandbox}}\npersonas:\n  default: {{title: Tous{tone}}}\n"


@pytest.mark.parametrize(
    ("languages", "tone", "said"),
    [("fr, eu, ja", ", tone: {address: tu}", ["no list of registers for eu, ja: nobody checks how they address people"]), ("fr, en", ", tone: {address: tu}", []), ("eu", "", [])],
)  # fmt: skip
def test_a_language_without_a_list_is_named_where_registers_matter(
    tmp_path: Path, languages: str, tone: str, said: list[str]
) -> None:
    (tmp_path / "omni.yaml").write_text(PROJECT.format(languages=languages, tone=tone), "utf-8")
    patient = Patient(load_project(tmp_path), tmp_path / ".omni" / "sandbox.db", None, NOW, live=False)
    assert [sign.text for sign in files(patient) if sign.name == "registers"] == said
