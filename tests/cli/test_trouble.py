"""What the machine refuses is told as what it is, never as a bug, and never with people's data."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from omnicli.cli.main import run
from omnicli.cli.trouble import of_machine

SAMPLE = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    for name in ("omni.yaml", "campaigns", "templates", "samples"):
        source = SAMPLE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path


def said(capsys, project, *words, exit):
    capsys.readouterr()
    assert run([*words, "--json", "--lang", "en", "--no-input", "-C", str(project)]) == exit
    return json.loads(capsys.readouterr().out)["error"]


@pytest.mark.sqlite_only(reason="a damaged file")
@pytest.mark.parametrize("content", [b"no store at all, but a text that is long enough to be one" * 80, os.urandom(20_000)])
@pytest.mark.parametrize("words", [("status",), ("contact", "list"), ("campaign", "run", "bienvenue"), ("db", "check")])
def test_a_damaged_store_is_named_with_the_way_out(project, capsys, content, words):
    store = project / ".omni" / "sandbox.db"
    store.parent.mkdir()
    store.write_bytes(content)
    error = said(capsys, project, *words, exit=2)
    assert "sandbox.db is damaged or no store" in error["message"]
    assert "omni db reset" in error["hint"]
    assert run(["db", "reset", "--yes", "-q", "-C", str(project)]) == 0
    assert run(["status", "-q", "-C", str(project)]) == 0


@pytest.mark.sqlite_only(reason="the file of another program")
def test_the_store_of_another_program_is_left_alone(project, capsys):
    store = project / ".omni" / "sandbox.db"
    store.parent.mkdir()
    other = sqlite3.connect(store)
    other.execute("CREATE TABLE contact (name)")
    other.commit()
    other.close()
    assert "another program's" in said(capsys, project, "status", exit=2)["message"]
    assert sqlite3.connect(store).execute("SELECT name FROM sqlite_master").fetchall() == [("contact",)]


def test_a_folder_in_the_place_of_a_file_is_named(project, capsys):
    (project / ".omni").write_text("not a folder")
    assert str(project / ".omni") in said(capsys, project, "status", exit=2)["message"]


def test_a_full_disk_asks_for_room_and_says_that_nothing_is_done_twice():
    for error in (OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database or disk is full")):
        told = of_machine(error)
        assert told is not None
        assert (told.code, told.exit) == ("disk", 3)
        assert "nothing is done twice" in told.hint


def test_a_disk_with_room_that_answers_with_errors_is_no_reason_to_reset():
    told = of_machine(sqlite3.OperationalError("disk I/O error"))
    assert told is not None
    assert told.exit == 3
    assert "reset" not in told.hint


def test_a_defect_of_our_own_stays_one():
    assert of_machine(ValueError("x")) is None
    assert of_machine(sqlite3.IntegrityError("UNIQUE constraint failed: touch.touch_key")) is None


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\x82\x00\xff", b"project: [\n"])
def test_a_project_file_that_cannot_be_read_is_exit_2_everywhere(project, capsys, content):
    (project / "omni.yaml").write_bytes(content)
    assert run(["lint", "--format", "concise", "-C", str(project)]) == 2
    assert "omni.yaml:" in capsys.readouterr().out
    for words in (("status",), ("campaign", "run", "bienvenue")):
        assert "omni.yaml:" in said(capsys, project, *words, exit=2)["message"]


@pytest.mark.parametrize(("hint", "live", "said"), [
    ("omni contact list", True, "omni contact list --live"), ("omni contact list", False, "omni contact list"),
    ("omni db upgrade --live", True, "omni db upgrade --live"), ("omni lint --fix", True, "omni lint --fix"), ("", True, ""),
    ("omni campaign run --help", True, "omni campaign run --help"),
])  # fmt: skip
def test_a_hint_asks_the_environment_that_was_asked(hint: str, live: bool, said: str) -> None:
    from omnicli.cli.frame import same_environment

    assert same_environment(hint, live=live) == said


def test_a_closed_output_is_no_reason_to_fail(project):
    words = [sys.executable, "-c", "from omnicli.cli.main import main; main()", "campaign", "list", "-C", str(project)]
    command = "exec " + " ".join(map(shlex.quote, words))
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        assert subprocess.run(["sh", "-c", f"{command} {closed}"], capture_output=True).returncode == 0
