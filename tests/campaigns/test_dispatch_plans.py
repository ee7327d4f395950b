"""What a round asks of the store is found by an index: nothing of it grows with people, passes or touches that are not due."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from delivering import SENDS, Delivery, Recorder, a_campaign
from test_dispatch_accounts import busy

from omnicli.providers import pages
from omnicli.providers.sandbox import Sandbox
from omnicli.store.connection import Store

#: Tables that grow with the base or with what was sent.
LARGE = "touch|enrollment|contact|address|attempt|rendering|cap_slot|event|consent|decision|evidence|inbox"
#: Indexes that hold only what is under way: they may be read from end to end.
SMALL = ("touch_open", "touch_doubt")
#: Somebody leaves by an exit rule, which the gate asks again.
EXITS = "exit: [{when: purchase}]"


@contextmanager
def plans(store: Store) -> Iterator[dict[str, list[str]]]:
    """Every statement of a while → its plan, as SQLite tells it with the values that were sent."""
    found: dict[str, list[str]] = {}

    def listen(_c: Any, cursor: Any, statement: str, values: Any, _x: Any, many: bool) -> None:
        if statement in found or not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
            return
        asking = cursor.connection.cursor()
        asking.execute(f"EXPLAIN QUERY PLAN {statement}", values[0] if many else values)
        found[statement] = [row[3] for row in asking.fetchall()]

    engines = {store.writer, store.reader}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", listen)
    try:
        yield found
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", listen)


def scans(statement: str, plan: list[str]) -> list[str]:
    """Lines of a plan that read a large table from end to end; names stand for the tables that the statement gives them."""
    names = dict(re.findall(rf"\b({LARGE}) (?:AS )?(\w)\b", statement))
    large = {*LARGE.split("|"), *(alias for table, alias in names.items())}
    return [
        line for line in plan
        if line.startswith("SCAN ") and line.split()[1] in large and not line.endswith(tuple(f" {name}" for name in SMALL))
        and not any(f"INDEX {name}" in line for name in SMALL)
    ]  # fmt: skip


def a_stage(folder: Path, **options: Any) -> Delivery:
    stage = Delivery(folder, a_campaign(SENDS, extra=EXITS), file=True, **options)
    stage.sign_up(*(f"c{n:03d}" for n in range(12)))
    stage.decide()
    return stage


@pytest.mark.sqlite_only(reason="the plans of SQLite; PostgreSQL chooses by what the tables hold")
@pytest.mark.parametrize("manner", ["called", "refused", "archived"])
def test_no_statement_of_a_round_reads_a_large_table_from_end_to_end(tmp_path: Path, manner: str) -> None:
    stage = a_stage(tmp_path)
    if manner == "archived":
        (tmp_path / "outbox" / "sandbox").mkdir(parents=True)
        stage.provider = Sandbox(tmp_path / "outbox" / "sandbox", pages.House.of(stage.loaded.project), most=0)
    elif manner == "refused":
        stage.provider = Recorder(answer=busy)
    with plans(stage.store) as found:
        report = stage.dispatch()
    assert report.accepted == (0 if manner == "refused" else 12)
    assert any("UPDATE touch" in statement for statement in found)
    bad = {statement: lines for statement, plan in found.items() if (lines := scans(statement, plan))}
    assert not bad, "\n".join(f"{lines}\n  {statement}" for statement, lines in bad.items())


@pytest.mark.sqlite_only(reason="the plans of SQLite; PostgreSQL chooses by what the tables hold")
def test_who_is_due_is_found_in_the_order_of_the_claim_and_nothing_is_sorted(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    with plans(stage.store) as found:
        stage.dispatch()
    due = [plan for statement, plan in found.items() if "ORDER BY t.due_at, t.id" in statement]
    assert due
    assert all("USING INDEX touch_due (priority=?" in plan[0] and len(plan) == 1 for plan in due)


@pytest.mark.sqlite_only(reason="the plans of SQLite; PostgreSQL chooses by what the tables hold")
def test_texts_of_statements_stay_the_same_whoever_they_are_about(tmp_path: Path) -> None:
    """So that a connection which remembers what it prepared remembers no touches: memory does not grow with them."""
    stage = a_stage(tmp_path)
    with plans(stage.store) as first:
        stage.send()
    stage.sign_up(*(f"d{n:03d}" for n in range(12)))
    with plans(stage.store) as second:
        stage.decide()
        stage.dispatch()
    dispatched = {s for s in second if "touch" in s and not s.startswith("INSERT")}
    about = re.compile(r"IN \(\d+,\d+")
    assert not [s for s in dispatched if about.search(s)]
    assert first


@pytest.mark.sqlite_only(reason="counts the statements that SQLite is sent")
def test_a_batch_of_the_archive_takes_few_statements(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    (tmp_path / "outbox" / "sandbox").mkdir(parents=True)
    stage.provider = Sandbox(tmp_path / "outbox" / "sandbox", pages.House.of(stage.loaded.project), most=0)
    sent: list[str] = []
    sa.event.listen(stage.store.writer, "before_cursor_execute", lambda _c, _u, text, *_: sent.append(text))
    assert stage.dispatch().accepted == 12
    written = [text for text in sent if not text.lstrip().upper().startswith(("SELECT", "BEGIN", "PRAGMA"))]
    assert len(written) <= 12, "\n".join(written)
