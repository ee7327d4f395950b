"""The least that a role needs: one that owns its schemas and nothing else keeps the store; one that may only read and write rows works in it."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import postgres_server
import psycopg
import pytest
from carrying_ground import a_database

from omnicli.app import open_project, open_store
from omnicli.cli.main import run as omni
from omnicli.store import wakeups

sys.path.insert(0, str(Path(__file__).parents[1]))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(postgres_server.missing() is not None, reason=str(postgres_server.missing()))]
OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""
#: What docs/postgresql.md grants to a role that works in a store and never changes its tables.
DOCS = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text()
SCHEMAS = ("omni_sandbox", "omni_sandbox_jobs", "omni_live", "omni_live_jobs")
_count = itertools.count(1)


@pytest.fixture
def url() -> Iterator[str]:
    with a_database() as found:
        yield found


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OMNI_DATABASE", raising=False)
    (tmp_path / "omni.yaml").write_text(OMNI)
    (tmp_path / "people.csv").write_text("id,email,first_name\nc1,anne1@boutique.example,Anne\n")
    return tmp_path


@pytest.fixture
def role(url: str) -> Iterator[str]:
    """A role that may log in, and nothing else; gone with the database."""
    name = f"omni_role_{os.getpid()}_{next(_count)}"
    postgres_server.command(f"CREATE ROLE {name} LOGIN")
    yield name
    as_owner(url, f"DROP OWNED BY {name} CASCADE")
    postgres_server.command(f"DROP ROLE {name}")


def as_owner(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for one in statements:
            connection.execute(one)  # type: ignore[call-overload]


def of(role: str, url: str) -> str:
    return url.replace("://omni@", f"://{role}:geheim@")


def said(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = omni(["-C", str(root), "--json", "--lang", "en", *words])
    out, err = capsys.readouterr()
    assert "geheim" not in out + err
    found = json.loads(out)
    return code, dict(found.get("result") or found.get("error") or {})


def granted(role: str) -> list[str]:
    """The statements of the page, for this role."""
    block = DOCS.split("<!-- rows only -->")[1].split("```sql")[1].split("```")[0]
    lines = [line.strip().replace("omni_worker", role) for line in block.split(";") if line.strip() and "CREATE ROLE" not in line]
    return lines + [line.replace("omni_live", "omni_sandbox") for line in lines]


def test_a_role_that_owns_its_schemas_and_nothing_else_keeps_the_store(
    url: str, root: Path, role: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_owner(url, *(f"CREATE SCHEMA {name} AUTHORIZATION {role}" for name in SCHEMAS))
    monkeypatch.setenv("OMNI_DATABASE", of(role, url))
    done = said(root, capsys, "db", "upgrade")[1]["done"]
    assert (done[0], done[-1]) == ("empty → " + _head(), "the queue of the workers")
    assert said(root, capsys, "contact", "import", str(root / "people.csv"))[0] == 0
    assert omni(["-C", str(root), "--lang", "en", "worker", "--once"]) == 0
    capsys.readouterr()
    assert said(root, capsys, "db", "check")[0] == 0


def test_a_role_that_may_only_read_and_write_rows_works_in_it(
    url: str, root: Path, role: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNI_DATABASE", url)
    for flags in ((), ("--live",)):
        assert said(root, capsys, "db", "upgrade", *flags)[0] == 0
    as_owner(url, *granted(role))
    monkeypatch.setenv("OMNI_DATABASE", of(role, url))
    assert said(root, capsys, "contact", "import", str(root / "people.csv"))[0] == 0
    assert omni(["-C", str(root), "--lang", "en", "worker", "--once"]) == 0
    assert "Error" not in capsys.readouterr().err
    assert said(root, capsys, "db", "check")[0] == 0
    assert said(root, capsys, "db", "upgrade")[1]["done"] == []
    (root / "omni.yaml").write_text(OMNI.replace("first_name: text", "first_name: text, city: text"))
    code, error = said(root, capsys, "contact", "list")  # a new column is a table's
    assert (code, error["code"]) == (4, "rights")
    assert "omni db upgrade" in error["hint"]


def test_a_queue_that_is_missing_or_of_another_version_is_the_owners_to_mend(
    url: str, root: Path, role: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNI_DATABASE", url)
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    assert said(root, capsys, "db", "upgrade", "--live")[0] == 0
    as_owner(url, *(line for line in granted(role) if "sandbox" not in line), "COMMENT ON SCHEMA omni_live_jobs IS 'another'")
    monkeypatch.setenv("OMNI_DATABASE", of(role, url))
    assert omni(["-C", str(root), "--lang", "en", "worker", "--once", "--live"]) == 4
    assert "another version of Procrastinate" in capsys.readouterr().err
    as_owner(url, "DROP SCHEMA omni_live_jobs CASCADE")
    assert omni(["-C", str(root), "--lang", "en", "worker", "--once", "--live"]) == 4
    assert "omni db upgrade --live" in capsys.readouterr().err
    monkeypatch.setenv("OMNI_DATABASE", url)
    script = said(root, capsys, "db", "upgrade", "--live", "-n")[1]["sql"]
    assert "procrastinate_jobs" in script
    assert said(root, capsys, "db", "upgrade", "--live")[1]["done"] == ["the queue of the workers"]
    assert said(root, capsys, "db", "upgrade", "--live")[1]["done"] == []
    as_owner(url, "COMMENT ON SCHEMA omni_live_jobs IS 'another'")
    assert said(root, capsys, "db", "upgrade", "--live")[1]["done"] == ["the queue of the workers"]
    with closing(open_store(open_project(root), live=True)) as store, store.read() as connection:
        assert wakeups.calls(connection) == wakeups.Calls()


def _head() -> str:
    from omnicli.store import migrations

    return str(migrations.HEAD)
