"""The documentation is executed: its YAML loads and lints clean, its conditions compile, its commands and links exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.condition.check import check
from omnicli.lint.run import lint
from omnicli.model.vocabulary import vocabulary

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def indented(text: str, by: int) -> str:
    return "".join(" " * by + line if line.strip() else line for line in text.splitlines(keepends=True))


def a_project_of_the_page(folder: Path) -> Path:
    page = ROOT / "docs" / "language.md"
    (folder / "campaigns").mkdir()
    modeline = "# yaml-language-server: $schema={}\n"
    (folder / "omni.yaml").write_text(modeline.format(".omni/schema/project.json") + blocks(page, "yaml project")[0], "utf-8")
    campaign = (
        modeline.format("../.omni/schema/campaign.json")
        + "campaign: noel\ntitle: Noël\nwhy: Sell salt.\ngoal: {when: purchase, within: 60 days}\n"
        + "enter: {when: signup, if: segment nouveaux}\nmessages:\n"
        + indented(blocks(page, "yaml messages")[0], 2) + "flow:\n" + indented(blocks(page, "yaml flow")[0], 2)
    )  # fmt: skip
    (folder / "campaigns" / "noel.yaml").write_text(campaign, "utf-8")
    shutil.copytree(ROOT / "templates", folder / "templates")
    return folder


def test_the_language_page_is_a_project_that_lints_clean(tmp_path: Path) -> None:
    report = lint(load_project(a_project_of_the_page(tmp_path)), now=clock.read_instant("2026-12-01", "UTC"))
    worth = [f for f in report.findings if f.severity != "info"]
    assert not worth, [f"{f.place.file}:{f.place.line} {f.code} {f.message}" for f in worth]


def test_every_condition_of_the_page_means_something(tmp_path: Path) -> None:
    loaded = load_project(a_project_of_the_page(tmp_path))
    assert loaded.project is not None
    names = vocabulary(loaded.project)
    rows = re.findall(
        r"^\| `([^`]+)` \|",
        (ROOT / "docs" / "language.md").read_text("utf-8").split("## Conditions")[1].split("## Guard")[0],
        re.M,
    )
    assert len(rows) > 8
    for text in rows:
        assert not [p for p in check(text, names, where="elsewhere").problems if p.error], text


def test_the_campaign_of_the_readme_loads(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    (tmp_path / "campaigns").mkdir()
    shutil.copy(ROOT / "omni.yaml", tmp_path / "omni.yaml")
    (tmp_path / "campaigns" / "bienvenue.yaml").write_text(blocks(ROOT / "README.md", "yaml")[0], "utf-8")
    loaded = load_project(tmp_path)
    assert not loaded.errors("bienvenue")


HOUSE = {
    "project": "lune", "languages": "[fr]", "countries": "[FR]", "time_zone": "Europe/Paris", "currency": "EUR",
    "brand": "{name: Maison Lune, legal_name: Maison Lune SAS, address: 12 rue des Tisserands}", "channels": "{task: {provider: task}}",
    "contacts": "{attributes: {first_name: {type: text, example: Léa}}}",
}  # fmt: skip
SETTINGS = [
    (page, block)
    for page in PAGES
    if "decisions" not in page.parts
    for block in blocks(page, "yaml")
    if not re.search(r"^(campaign|scenarios|arrivals):", block, re.M)
]


@pytest.mark.parametrize(("page", "block"), SETTINGS, ids=[page.name for page, _ in SETTINGS])
def test_every_setting_that_a_page_shows_is_read_and_lints_clean(tmp_path: Path, page: Path, block: str) -> None:
    head = "# yaml-language-server: $schema=.omni/schema/project.json\n"
    rest = "".join(f"{key}: {value}\n" for key, value in HOUSE.items() if not re.search(rf"^{key}:", block, re.M))
    (tmp_path / "omni.yaml").write_text(head + rest + block, "utf-8")
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    report = lint(load_project(tmp_path), now=clock.read_instant("2026-12-01", "UTC"))
    worth = [f for f in report.findings if f.severity != "info" and f.code != "R006"]  # no campaign stands here to use them
    assert not worth, [f"{f.place.line} {f.code} {f.message}" for f in worth]


def test_the_scenarios_of_their_page_are_read_and_live(tmp_path: Path) -> None:
    from omnicli.campaignfile.stories import load_stories
    from omnicli.campaigns.scenario.suite import suite

    for name in ("omni.yaml", "campaigns/bienvenue.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    (tmp_path / "campaigns" / "bienvenue.test.yaml").write_text(blocks(ROOT / "docs" / "scenarios.md", "yaml")[0], "utf-8")
    loaded = load_project(tmp_path)
    stories = load_stories(loaded)
    assert not stories.findings, [f.message for f in stories.findings]
    assert not [one for file in suite(loaded, stories.files) for one in file.scenarios if one.status == "failed"]


def test_the_model_of_the_simulation_page_is_read(tmp_path: Path) -> None:
    from omnicli.campaigns.simulate.model import read_model

    (tmp_path / "model.yaml").write_text(blocks(ROOT / "docs" / "simulate.md", "yaml")[0], "utf-8")
    assert read_model(tmp_path / "model.yaml").steps


def test_every_page_about_providers_shows_settings() -> None:
    shown = {page.stem for page, _ in SETTINGS}
    assert shown == {"README", "mail-push-calls", "operating", "postgresql", "sendgrid", "serve", "twilio"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} → {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_omni_command_that_is_shown_exists(page: Path) -> None:
    import importlib

    import typer.main

    from omnicli.cli.main import NOUNS

    for block in blocks(page, "console"):
        for line in re.findall(r"^\$ omni (.*)", block, re.M):
            for part in line.split("#")[0].split("&&"):
                words = part.replace("omni ", "", 1).split() if part.strip().startswith("omni") else part.split()
                if words[0] == "cd":
                    continue
                assert words[0] in NOUNS, line
                app = importlib.import_module(f"omnicli.cli.{NOUNS[words[0]].module}").app
                for module in NOUNS[words[0]].more:
                    importlib.import_module(f"omnicli.cli.{module}")
                command = typer.main.get_command(app)
                if hasattr(command, "commands"):
                    assert words[1] in command.commands, line
                    command = command.commands[words[1]]
                known = {o for p in command.params for o in p.opts} | {"--live", "--json", "--lang", "-q", "-C"}
                assert {w.split("=")[0] for w in words if w.startswith("-")} <= known, line
