"""Maison Lune whole: 2,240 rows and 19,735 responses through the real command line, against the known answers.

The data stands in ../shared/data (see its ORIGIN.md) and is never committed; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
DATA = HERE.parents[1].parent / "shared" / "data" / "contacts"
pytestmark = pytest.mark.skipif(not (DATA / "maison-lune-contacts.csv").exists(), reason=f"{DATA} is not there")
KNOWN = (
    json.loads((DATA / "maison-lune.known.json").read_text()) if (DATA / "maison-lune.known.json").exists() else {"contacts": []}
)
QUESTIONS = {q[0]: q[1:] for q in yaml.load((HERE / "questions.yaml").read_text(), Loader=yaml.BaseLoader)}


def omni(root: Path, *words: str) -> dict:
    """One command through the real entry point; its result."""
    done = subprocess.run([sys.executable, "-m", "omnicli.cli.main", *words, "--json", "-C", str(root)], capture_output=True, text=True,
                          env={**os.environ, "OMNI_LANG": "en"}, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["result"]


@pytest.fixture(scope="module")
def lune(tmp_path_factory):
    """The project with everybody and everything in it, and what both imports reported."""
    root = tmp_path_factory.mktemp("lune")
    for name in ("omni.yaml", "contacts.map.yaml"):
        shutil.copy(HERE / name, root / name)
    people = omni(root, "contact", "import", str(DATA / "maison-lune-contacts.csv"), "--map", str(root / "contacts.map.yaml"))
    responses = omni(root, "response", "import", str(DATA / "maison-lune-responses.jsonl"))
    return root, people, responses


def test_everybody_comes_in_and_all_dirty_rows_are_reported_as_expected(lune):
    _, people, _ = lune
    assert (people["rows"], people["new"], people["refused"]) == (2240, 2238, 2)
    expected = json.loads((DATA / "maison-lune-contacts.dirty.json").read_text())
    assert len(people["findings"]) == len(expected) == 23
    for dirty, found in zip(expected, people["findings"], strict=True):
        expect = dirty["expect"]
        assert (found["row"], found["line"], found["contact"], found["column"], found["value"]) == (
            dirty["row"], dirty["line"], dirty["id"], dirty["column"], dirty["value"],
        )  # fmt: skip
        assert found["reason"] == expect["finding"]
        assert found["same_as_row"] == expect.get("same_as_row")
        assert (found["outcome"] == "row refused") == (expect["contact"] == "refused")
        if dirty["column"] in expect:
            assert found["became"] == expect[dirty["column"]]
            assert (found["outcome"] == "refused") == (expect[dirty["column"]] is None)


def test_the_store_holds_what_the_report_says(lune):
    root, _, _ = lune
    import sqlite3

    connection = sqlite3.connect(f"file:{root / '.omni' / 'sandbox.db'}?mode=ro", uri=True)
    for dirty in json.loads((DATA / "maison-lune-contacts.dirty.json").read_text()):
        if "email" in dirty["expect"]:
            found = connection.execute(
                "SELECT value FROM contact LEFT JOIN address ON contact_id = contact.id AND channel = 'email' WHERE source_id = ?",
                (dirty["id"],),
            ).fetchone()
            assert found[0] == dirty["expect"]["email"]
        if "first_name" in dirty["expect"]:
            assert connection.execute("SELECT a_first_name FROM contact WHERE source_id = ?", (dirty["id"],)).fetchone() == (
                "Anne - Lise",
            )


def test_responses_are_counted_once_and_worth_what_they_are(lune):
    root, _, responses = lune
    assert (responses["lines"], responses["new"], responses["repeated"], responses["unmatched"]) == (19735, 19637, 98, 12)
    assert {name: kind["new"] for name, kind in responses["kinds"].items()} == KNOWN["responses"]["distinct_by_kind"]
    assert responses["kinds"]["purchase"]["value"] == [{"amount": "324177.29", "currency": "EUR"}]
    ledger = omni(root, "response", "list", "--limit", "1")["ledger"]
    assert ledger["purchase"] == {"count": 6856, "value": {"amount": "324177.29", "currency": "EUR"}}


def test_all_questions_are_here():
    assert len(KNOWN["contacts"]) == 27
    assert [question["question"] for question in KNOWN["contacts"]] == list(QUESTIONS)


@pytest.mark.parametrize("known", KNOWN["contacts"], ids=lambda known: known["question"][:40])
def test_a_question_about_the_base_has_its_known_answer(lune, known, capsys):
    """The command line, in this process: `omni segment count … --json`."""
    from omnicli.cli.main import run

    condition, *at = QUESTIONS[known["question"]]
    words = [
        "segment",
        "count",
        condition,
        "--json",
        "--lang",
        "en",
        "-C",
        str(lune[0]),
        "--as-of",
        at[0] if at else "2026-11-21",
    ]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["result"]["count"] == known["contacts"]


def test_a_second_import_of_both_files_changes_nothing(lune):
    root, _, _ = lune
    before = dump(root)
    people = omni(root, "contact", "import", str(DATA / "maison-lune-contacts.csv"), "--map", str(root / "contacts.map.yaml"))
    assert (people["new"], people["changed"], people["same"], people["refused"], len(people["findings"])) == (0, 0, 2238, 2, 23)
    responses = omni(root, "response", "import", str(DATA / "maison-lune-responses.jsonl"))
    assert (responses["new"], responses["repeated"], responses["events"]) == (0, 19735, 0)
    assert dump(root) == before
    assert omni(root, "db", "check")["ok"]


def dump(root: Path) -> list[str]:
    """The whole store as SQL, the record of imports apart."""
    import sqlite3

    connection = sqlite3.connect(f"file:{root / '.omni' / 'sandbox.db'}?mode=ro", uri=True)
    return [line for line in connection.iterdump() if not line.startswith(('INSERT INTO "import_', 'INSERT INTO "setting"'))]
