"""A value that could not be read is told once; the rules that depend on it stay silent, and the others go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omnicli.campaignfile import load_project
from omnicli.clock import from_ms
from omnicli.lint.run import lint

SAMPLE = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("campaigns/bienvenue.yaml", "    id: j0\n    by: email\n", "    id: j0\n    by: [[x]]\n", "S003"),
        ("campaigns/bienvenue.yaml", "        cta: Je découvre\n", "        cta: null\n", "S003"),
        ("campaigns/bienvenue.yaml", "    at: next 10:00\n", "    at: {a: {b: c}}\n", "S003"),
        ("campaigns/bienvenue.yaml", "  - send: offre-bienvenue\n    id: j0\n", "  - send: [[x]]\n    id: j0\n", "S003"),
        ("omni.yaml", "    age: number\n", "    age: null\n", "S003"),
        ("omni.yaml", "languages: [fr, en] ", "languages: [fr, [x]] ", "S003"),
        ("omni.yaml", "  nouveaux: signup within 7 days and orders = 0\n", "  nouveaux: null\n", "S003"),
        ("omni.yaml", "team: boutique, price: 1.20 EUR", "team: [[x]], price: 1.20 EUR", "S003"),
    ],
)
def test_an_unreadable_value_breaks_no_rule(tmp_path, file, old, new, code):
    for name in ("omni.yaml", "campaigns", "templates"):
        source = SAMPLE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    text = (tmp_path / file).read_text("utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1), "utf-8")
    report = lint(load_project(tmp_path), now=from_ms(1_800_000_000_000))
    assert report.bugs == ()
    assert {f.code for f in report.findings if f.severity == "error"} == {code}
