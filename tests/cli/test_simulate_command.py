"""`omni campaign simulate`: invented people, a list or the store's own; one page, figures, and an older version to compare with."""

from __future__ import annotations

import json
import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from omnicli.cli.main import run
from omnicli.cli.simulate_view import _steps

ROOT = Path(__file__).parents[2]
WHEN = ("--as-of", "2027-01-04 08:00", "--days", "12", "-j", "1")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The sample project, without its store."""
    for name in ("campaigns", "templates", "samples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "omni.yaml", tmp_path / "omni.yaml")
    return tmp_path


def said(shop: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert run(["-C", str(shop), "--json", "campaign", "simulate", "bienvenue", *words]) == 0
    return json.loads(capsys.readouterr().out)["result"]


def test_invented_people_on_one_page_that_opens_without_network(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = shop / "bienvenue.html"
    assert (
        run(["-C", str(shop), "--lang", "fr", "campaign", "simulate", "bienvenue", "--contacts", "150", *WHEN, "-o", str(page)])
        == 0
    )
    out = capsys.readouterr().out
    assert "les réponses sont les hypothèses d'un modèle" in out
    text = page.read_text("utf-8")
    assert "Une simulation" in text
    assert "Le parcours" in text
    assert len(text) < 400_000


def test_a_list_comes_in_by_the_very_import(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(shop, capsys, "--contacts", str(shop / "samples" / "people.csv"), *WHEN)
    assert found["base"]["source"] == "people.csv"
    assert found["base"]["people"] == 200
    assert not (shop / ".omni" / "sandbox.db").exists()


REASONS = {"unreachable": 12_345, "capped": 2_345, "quiet_hours": 345, "duplicate": 45, "expired": 5}
ANSWERS = {"clicked": 100, "replied": 20, "purchase": 3}


@pytest.mark.parametrize(("width", "terminal"), [(80, True), (120, True), (80, False)])
def test_long_reasons_leave_the_figures_in_line(width: int, terminal: bool) -> None:
    def euros(amount: float) -> dict[str, str]:
        return {"amount": f"{amount:.2f}", "currency": "EUR"}

    touches = [(55_000, REASONS, 55.0), (7, {}, 0.0), (1_234, {"capped": 1}, 61.7)]
    steps = [{"step": f"j{n}", "verb": "send", "answers": ANSWERS if n else {}, "cost": euros(cost),
              "touches": {"accepted": left, "skipped_by_reason": reasons}} for n, (left, reasons, cost) in enumerate(touches)]  # fmt: skip
    whole = {"accepted": 56_241, "skipped": 15_000}
    result = {"entered": {"all": 60_000, "held_out": 6_000}, "funnel": steps, "touches": whole, "cost": {"total": euros(116.7)}}
    out = StringIO()
    _steps(Console(file=out, width=width, force_terminal=terminal, no_color=True, highlight=False), result)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in out.getvalue().splitlines()]
    head, *rows = lines
    assert not terminal or all(len(line) <= width for line in lines)
    left, cost, begin = head.index("Left") + 4, head.index("Cost") + 4, head.index("Not sent")
    assert {row[left - 1] != " " and not row[left : left + 2].strip() for row in rows} == {True}
    assert {row[:cost].rpartition(" ")[2] for row in rows[1:]} == {"EUR"}
    assert [row[begin - 2 : begin].strip() for row in rows] == [""] * len(rows)
    assert rows[1][begin:].startswith("unreachable 12,345 · capped 2,345")
    assert rows[3][begin:] == "capped 1"


@pytest.mark.slow
def test_the_store_is_read_and_never_written_and_an_older_version_is_lived_with_the_same_seed(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, table = str(shop / "samples" / "people.csv"), str(shop / "samples" / "people.map.yaml")
    assert run(["-C", str(shop), "contact", "import", people, "--map", table, "--as-of", "2027-01-04 08:00"]) == 0
    assert run(["-C", str(shop), "campaign", "run", "bienvenue", "--as-of", "2027-01-04 08:00"]) == 0
    before = (shop / ".omni" / "sandbox.db").read_bytes()
    file = shop / "campaigns" / "bienvenue.yaml"
    file.write_text(file.read_text("utf-8").replace("up to 3 days", "up to 2 days"), "utf-8")
    found = said(shop, capsys, *WHEN, "--compare", "v1")
    assert found["base"] == {**found["base"], "source": "store", "people": 200}
    figures = {one["figure"]: one for one in found["compare"]["figures"]}
    assert figures["entered"]["now"] == figures["entered"]["before"]
    assert (shop / ".omni" / "sandbox.db").read_bytes() == before
    assert run(["-C", str(shop), "campaign", "simulate", "bienvenue", *WHEN, "--compare", "v9"]) == 2


def test_what_is_typed_wrong_is_said_before_anything_is_lived(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["-C", str(shop), "campaign", "simulate", "bienvenue"]
    assert run([*command, "--contacts", "beaucoup"]) == 2
    assert "neither a number of people nor a file" in capsys.readouterr().err
    assert run([*command, "--contacts", "10", "-o", "page.pdf"]) == 2
    (shop / "model.yaml").write_text("chanels: {}\n", "utf-8")
    assert run([*command, "--contacts", "10", "--model", str(shop / "model.yaml")]) == 2
    assert "model.yaml:1:1: unknown key 'chanels'" in capsys.readouterr().err
    assert run([*command, "--model", "default"]) == 0
    assert "arrivals:" in capsys.readouterr().out
