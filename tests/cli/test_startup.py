"""What starting omni brings into memory: counted in modules, not in milliseconds, so that a busy machine says the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLI = sorted(path.stem for path in (Path(__file__).parents[2] / "omnicli" / "cli").glob("*.py") if path.stem != "__init__")

#: Each costs 13 to 370 ms over bare Python; typer (about 60) is the one that a module may import at its top.
HEAVY = ("pydantic", "lark", "jinja2", "yaml", "sqlalchemy", "alembic", "psycopg", "babel", "holidays", "phonenumbers", "css_inline",
         "apscheduler", "starlette", "httpx", "rich.table", "omnicli.model.campaign", "omnicli.store.tables")  # fmt: skip

#: Lint reads files and renders what they say, to prove it: no store, no calendars of countries, no telephone books, no network.
NOT_FOR_LINT = ("sqlalchemy", "alembic", "psycopg", "holidays", "phonenumbers", "apscheduler", "starlette", "httpx",
                "omnicli.store.tables")  # fmt: skip

PROJECT = """\
project: kiosk
languages: [en]
countries: [FR]
time_zone: Europe/Paris
channels:
  email: {provider: smtp, from: "Kiosk <hello@kiosk.example>"}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
guardrails: {quiet_hours: [20:00-09:00, sunday, holidays]}
"""

CAMPAIGN = """\
campaign: welcome
title: Welcome
goal: {when: signup, within: 30 days}
enter: {when: signup}
messages:
  hello: {say: {en: {subject: "Hello {first_name or \\"you\\"}", headline: Hello, body: Welcome., cta: Come in}}}
flow:
  - send: hello
    by: email
"""


def python(code: str, *, folder: Path | None = None) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder, encoding="utf-8")
    return done.stdout.splitlines()[-1].split()


def loaded_by(argv: list[str], wanted: tuple[str, ...], *, folder: Path | None = None) -> list[str]:
    """Which of these modules are in memory once the command line was carried out."""
    return python(
        f"import sys\nfrom omnicli.cli.main import run\nrun({argv!r})\nprint()\nprint('loaded', *[m for m in {wanted!r} if m in sys.modules])",
        folder=folder,
    )[1:]


@pytest.mark.parametrize("module", CLI)
def test_a_module_of_the_command_line_imports_nothing_heavy_at_its_top(module):
    code = (f"import sys, typer\nbefore = set(sys.modules)\nimport omnicli.cli.{module}\n"
            f"print('loaded', *[m for m in {HEAVY!r} if m in sys.modules and m not in before])")  # fmt: skip
    assert python(code) == ["loaded"]


def test_the_front_page_is_drawn_without_typer_and_without_a_single_noun():
    nouns = tuple(f"omnicli.cli.{name}" for name in CLI if name not in ("main", "frame", "helping"))
    assert loaded_by(["--help"], ("typer", "pydantic", "yaml", "sqlalchemy", *nouns)) == []


def test_the_version_is_told_without_anything():
    assert loaded_by(["--version"], ("typer", "rich", *HEAVY)) == []


def test_lint_opens_no_store_and_no_calendar_and_reads_nothing_twice(tmp_path):
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "omni.yaml").write_text(PROJECT, "utf-8")
    (tmp_path / "campaigns" / "welcome.yaml").write_text(CAMPAIGN, "utf-8")
    assert loaded_by_lint(tmp_path) == ([], [])


def test_lint_of_the_sample_project_neither(tmp_path):
    root = Path(__file__).parents[2]
    for part in ("campaigns", "templates"):
        shutil.copytree(root / part, tmp_path / part)
    shutil.copy(root / "omni.yaml", tmp_path / "omni.yaml")  # a copy: with a store beside it lint asks the store too
    assert loaded_by_lint(tmp_path) == ([], [])


def loaded_by_lint(project):
    """What the first lint of a project loads that it should not, and the second, for which nothing has changed (lint/unchanged.py)."""
    (project / ".omni").mkdir()
    first = loaded_by(["lint", "-q"], NOT_FOR_LINT, folder=project)
    return first, loaded_by(["lint", "-q"], (*HEAVY, *NOT_FOR_LINT), folder=project)


def test_options_are_read_without_pydantic(tmp_path):
    assert loaded_by(["rules", "--json"], ("pydantic", "pydantic_core"), folder=tmp_path) == []
