"""Family V speaks of the people whom a file's `migrate:` would move: who is stranded, who was told otherwise, whose timer is longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cases import NOW, a_project
from test_counts import a_base

from omnicli.app import open_project, open_store
from omnicli.campaignfile import load_project
from omnicli.campaigns.life import start
from omnicli.lint.census import census
from omnicli.lint.run import lint
from omnicli.model.finding import Finding


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The campaign `noel` runs; ten people wait in `pause`, told 20 %."""
    root = a_project(tmp_path)
    a_base(root)
    loaded = open_project(root)
    store = open_store(loaded, live=False)
    start(store, loaded, "noel", now=NOW)
    told = '{"offre":{"offer":["percent","20"],"price":["money","1.00 EUR"]}}'
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO enrollment (key, contact_id, campaign_id, version_id, pass, entered_at, language, persona, step, since, wait_from, wait_until, "
            f"due_at, told, state) SELECT randomblob(16), contact.id, campaign.id, version_id, 1, 0, 'fr', NULL, '{wait_of(root)}', 0, 0, 1, 1, "
            f"'{told}', 'open' FROM contact, campaign WHERE name = 'noel' AND contact.id <= 10"
        )
    store.close()
    return root


def wait_of(root: Path) -> str:
    from omnicli.model.flow import Flow

    flow = Flow.of(load_project(root).campaigns["noel"])
    return next(node.id for node in flow if node.step.verb == "wait" and node.step.id)


def said(root: Path) -> list[Finding]:
    with census(root / ".omni" / "sandbox.db", now=NOW) as base:
        report = lint(load_project(root), now=NOW, profile="production", census=base, select=["V"])
    assert not report.bugs
    return list(report.findings)


def edit(root: Path, *pairs: tuple[str, str], migrate: str = "") -> None:
    file = root / "campaigns" / "noel.yaml"
    text = file.read_text("utf-8")
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text + migrate, "utf-8")


def test_an_applied_file_says_nothing(root: Path) -> None:
    assert said(root) == []


def test_a_changed_file_is_said_to_be_another_one(root: Path) -> None:
    edit(root, migrate="\npriority: 4\n")
    assert [f.code for f in said(root)] == ["V001"]


def test_a_version_that_is_nowhere_is_told_at_its_place(root: Path) -> None:
    edit(root, migrate="\nmigrate: {from: abcdef0}\n")
    [found] = said(root)
    assert (found.code, found.message) == ("V005", "the store knows no version 'abcdef0'")
    line = (root / "campaigns" / "noel.yaml").read_text("utf-8").splitlines()[found.place.line - 1]
    assert line[found.place.column - 1 :].startswith("abcdef0")


def test_whoever_stands_at_a_step_that_is_gone_is_stranded_until_the_file_says_where_they_go(root: Path) -> None:
    step = wait_of(root)
    edit(root, (f"id: {step}\n", f"id: {step}-neu\n"), migrate="\nmigrate: {from: v1}\n")
    found = [f for f in said(root) if f.code != "V001"]
    assert [(f.code, f.message) for f in found] == [
        ("V002", f"step '{step}' is gone and 10 people stand there; add migrate.people")
    ]
    edit(root, ("migrate: {from: v1}", f"migrate: {{from: v1, people: {{{step}: {step}-neu}}}}"))
    assert [f.code for f in said(root)] == ["V001"]


def test_stranding_people_cannot_be_ignored_in_the_file(root: Path) -> None:
    step = wait_of(root)
    edit(root, (f"id: {step}\n", f"id: {step}-neu\n"), migrate="\nmigrate: {from: v1}   # omni: ignore[V002] because: so\n")
    assert "V002" in {f.code for f in said(root)}


def test_a_shorter_wait_tells_how_many_keep_the_longer_one(root: Path) -> None:
    edit(root, ("wait: up to 5 days", "wait: up to 2 days"), migrate="\nmigrate: {from: v1}\n")
    assert [f.message for f in said(root) if f.code == "V003"] == ["10 people keep the old timer of 'reponse'"]
    edit(root, ("migrate: {from: v1}", "migrate: {from: v1, timers: {reponse: shorten}}"))
    assert "V003" not in {f.code for f in said(root)}


def test_a_promise_taken_back_is_an_error_and_a_kept_one_is_not(root: Path) -> None:
    edit(root, ("offer: 20 %", "offer: 25 %"), migrate="\nmigrate: {from: v1, facts: {offre: new}}\n")
    found = [f.message for f in said(root) if f.code == "V004"]
    assert "10 people were told offer = 20 %; the next touch would say 25 %" in found
    edit(root, ("facts: {offre: new}", "facts: {offre: keep}"))
    assert "V004" not in {f.code for f in said(root)}
