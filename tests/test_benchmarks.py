"""What the benchmarks stand on: the same base every time, one list of goals, a table that leaves no goal out."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import base, goals, keeping, rows, scaling, table  # noqa: E402
from benchmarks.ground import project  # noqa: E402
from omnicli.app import open_project, open_store  # noqa: E402

E2E = {
    "contacts": 100_000, "ratio": 0.7, "cpu_ratio": 0.71, "us_a_touch": 90.0, "floor_us": 130.0, "bytes_a_touch": 401, "accepted": 98_000,
    "dispatch_s": 5.0, "floor_s": 12.0, "peak_mb": 160.0,
}  # fmt: skip


def a_result(name: str, **result: Any) -> dict[str, Any]:
    return {"benchmark": name, "machine": {"python": "3.11", "sqlite": "3.40", "cores": 2, "load": 1.0}, "result": result}


def everything(store: Any) -> dict[str, list[Any]]:
    with store.read() as connection:
        return {
            name: connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            for name in ("contact", "address", "consent", "event", "enrollment")
        }


def filled(root: Path) -> Any:
    loaded = open_project(root)
    store = open_store(loaded, live=False)
    base.stand(store, loaded, 120, due=3, step="j0")
    base.fill_events(store, 120, 5)
    return store


def test_a_base_is_the_same_every_time_whole_and_with_its_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(keeping.VARIABLE, raising=False)
    with project() as one, project() as other:
        first, second = filled(one), filled(other)
        found = everything(first)
        assert found == everything(second)
        assert {name: len(lines) for name, lines in found.items()} == {
            "contact": 120, "address": 120, "consent": 120, "event": 600, "enrollment": 120,
        }  # fmt: skip
        with first.read() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            indexes = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'event'"
            assert connection.exec_driver_sql(indexes).scalar() == 4
        with first.write() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        first.close()
        second.close()


def test_a_kept_base_is_the_one_that_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keeping.VARIABLE, str(tmp_path))
    with project() as one, project() as other:
        made = filled(one)
        copies = sorted(path.name for path in tmp_path.glob("*.db"))
        assert [name.partition("-")[0] for name in copies] == ["fill_contacts", "fill_events", "fill_passes"]
        monkeypatch.setattr(base, "insert", None)  # nothing is made a second time
        taken = filled(other)
        assert everything(taken) == everything(made)
        made.close()
        taken.close()


def test_a_kept_base_that_was_torn_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keeping.VARIABLE, str(tmp_path))
    with project() as one, project() as other:
        filled(one).close()
        (torn,) = tmp_path.glob("fill_contacts-*.db")
        os.truncate(torn, torn.stat().st_size // 2)
        with pytest.raises(SystemExit, match=f"{torn.name} is damaged .*delete it"):
            filled(other)


def test_every_benchmark_can_be_found_and_every_goal_belongs_to_one() -> None:
    assert len(set(rows.NAMES)) == len(rows.ROWS)
    assert {line.bench for line in goals.LINES} <= set(rows.NAMES)
    missing = [row.name for row in rows.ROWS if importlib.util.find_spec(row.where) is None]
    assert missing == []


def test_a_result_is_held_against_its_goals() -> None:
    said = {line["benchmark"]: line["met"] for line in goals.lines("e2e", E2E)}
    assert said == {"e2e, one process": "yes", "e2e, of which dispatch": "", "e2e, on disk": "no"}


def test_the_table_has_a_row_for_every_goal_also_for_those_that_nothing_was_measured_of() -> None:
    lines = table.markdown([a_result("e2e", **E2E), a_result("smtp", goal="–", skipped="missing: mailmerge")]).splitlines()
    assert any(
        line.startswith("| e2e, one process | 100 000 | 90.0 µs a touch | 130.0 µs | 0.7 | 0.71 | ≤ 0.75 | yes | 160")
        for line in lines
    )
    assert any(line.startswith("| smtp |  | missing: mailmerge") for line in lines)
    assert any(line.startswith("| tick, due |  | not measured") for line in lines)
    for goal in goals.LINES:
        assert goal.most is None or any(line.startswith(f"| {goal.what} |") for line in lines), goal.what


def test_a_table_goes_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- /table -->\nafter\n")
    table.into(page, "table", "new")
    assert page.read_text() == "before\n<!-- table -->\nnew\n<!-- /table -->\nafter\n"
    page.write_text("nothing here")
    with pytest.raises(SystemExit, match="there is no <!-- table -->"):
        table.into(page, "table", "new")


def test_the_page_about_size_shows_each_set_up(tmp_path: Path) -> None:
    cell = {
        "us_a_touch": 100.4,
        "touches_a_second": 9960,
        "mb": 150.2,
        "child_mb": 0,
        "bytes_a_touch": 380,
        "commits_a_second": 40.0,
        "store_mb": 1200,
    }
    cells = [
        {**cell, "store": "sqlite", "contacts": 1_000_000, "workers": 1},
        {**cell, "store": "postgresql", "contacts": 10_000, "workers": 4},
    ]
    limits = {"syncs_a_second": 900, "mb_a_second": 400, "sqlite_commits_a_second": 700}
    found = {**a_result("growth", contacts=1_000_000, cells=cells, limits=limits), "format_version": "1.0"}
    (tmp_path / "growth.1000000.json").write_text(json.dumps(found))
    said = scaling.markdown(table.results(tmp_path))
    assert "| 1 000 000 | SQLite, one process | 100 | 9 960 | 100 s | 150 | 380 | 40 | 1 200 |" in said
    assert "| 10 000 | PostgreSQL, 4 workers | 100 | 9 960 | 1 s | 150 × 4 |" in said
    assert "| disk, one stream, synced at the end | 400 MB a second |" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nope"], "invalid choice"), (["e2e", "--contacts", "many"], "a number, small or full"), (["all"], "--out FOLDER"),
     (["all", "--out", "x", "--only", "e2e,nope"], "there is no such benchmark"), (["e2e", "--only", "lint"], "goes with all"),
     (["e2e", "--keep", __file__], "File exists"), (["e2e", "--out", f"{__file__}/x"], "Not a directory")],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_cannot_run_here_is_a_result_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    row = rows.Row("absent", "–", 1, 1, "there_is_no_such_module")
    found = command.measured(row, 5)
    assert found["result"]["skipped"] == "missing: benchmarks.there_is_no_such_module"
    assert found["result"]["contacts"] == 5
