"""A store of another project is nobody's to reset, to count or to examine: whoever meets it says whose it is and leaves it as it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stores

from omnicli.app import open_project, standing
from omnicli.cli.main import run as omni

OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""
PEOPLE = "id,email,first_name\nc1,anne@boutique.example,Anne\nc2,boris@boutique.example,Boris\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The project 'maison', which has made both of its stores; on PostgreSQL in a database that others may name too."""
    if stores.POSTGRESQL:
        monkeypatch.setenv("OMNI_DATABASE", stores.url_of(tmp_path))
    (tmp_path / "omni.yaml").write_text(OMNI)
    (tmp_path / "people.csv").write_text(PEOPLE)
    for flags in ((), ("--live",)):
        assert said(tmp_path, capsys, "contact", "import", str(tmp_path / "people.csv"), *flags)[0] == 0
    return tmp_path


def said(root: Path, capsys: pytest.CaptureFixture[str], *words: str, lang: str = "en") -> tuple[int, dict[str, Any]]:
    """Exit code, and the result or the error."""
    code = omni(["-C", str(root), "--json", "--lang", lang, *words])
    found = json.loads(capsys.readouterr().out)
    return code, dict(found.get("result") or found.get("error") or {})


def other(root: Path) -> Path:
    """Another project that names the same store: its database, or (a file) by a name that was changed in omni.yaml."""
    folder = root / "autre" if stores.POSTGRESQL else root
    folder.mkdir(exist_ok=True)
    (folder / "omni.yaml").write_text(OMNI.replace("project: maison", "project: autre"))
    return folder


@pytest.mark.skipif(not stores.POSTGRESQL, reason="a file lies in its own project's folder")
def test_a_reset_leaves_the_sandbox_of_another_project(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    autre = other(root)
    code, error = said(autre, capsys, "db", "reset", "--yes")
    assert (code, error["code"]) == (4, "other_project")
    assert "'maison'" in error["message"]
    assert "reset" not in error["hint"]
    assert "reset" not in said(autre, capsys, "contact", "list")[1]["hint"]
    assert len(said(root, capsys, "contact", "list")[1]["contacts"]) == 2
    assert said(root, capsys, "db", "reset", "--yes")[0] == 0
    assert said(autre, capsys, "db", "reset", "--yes")[0] == 0  # nobody's now


@pytest.mark.sqlite_only(reason="on PostgreSQL it may be another project's own")
def test_a_project_that_was_renamed_begins_its_own_file_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    renamed = other(root)
    assert "omni db reset" in said(renamed, capsys, "contact", "list")[1]["hint"]
    assert said(renamed, capsys, "db", "reset", "--yes")[0] == 0
    assert said(renamed, capsys, "contact", "import", str(root / "people.csv"))[0] == 0


@pytest.mark.parametrize("flags", [(), ("--live",)], ids=["sandbox", "live"])
def test_the_doctor_says_whose_store_it_is_and_looks_no_further(
    root: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    code, found = said(other(root), capsys, "doctor", *flags)
    signs = {sign["name"]: sign for sign in found["signs"]}
    assert (code, signs["store"]["state"]) == (1, "wrong")
    assert signs["store"]["text"] == "this store belongs to the project 'maison', not to 'autre'"
    assert "a database of its own" in signs["store"]["fix"]
    assert not {"keys", "backup", "hold", "worker", "queue", "touches"} & set(signs)
    assert "contacts" not in signs["store"]["text"]
    french = said(other(root), capsys, "doctor", *flags, lang="fr")[1]
    assert "cette base est celle du projet « maison », pas de « autre »" in [sign["text"] for sign in french["signs"]]
    (root / "omni.yaml").write_text(OMNI)
    assert "wrong" not in {sign["state"] for sign in said(root, capsys, "doctor")[1]["signs"] if sign["name"] == "store"}


def test_lint_counts_nobody_in_the_sandbox_of_another_project(root: Path) -> None:
    store = standing(open_project(root))
    assert store is not None
    store.close()
    assert standing(open_project(other(root))) is None
