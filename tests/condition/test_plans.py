"""How SQLite answers what is asked of a person and of a door, in a store that was never analyzed and in one that was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from campaigns.stage import Stage, a_campaign

from omnicli import clock
from omnicli.campaigns.enter import _CAMPAIGNS, _Door
from omnicli.campaigns.turn import Houses
from omnicli.condition.sql import Compiler
from omnicli.model.vocabulary import vocabulary
from omnicli.store import tables as tb

pytestmark = pytest.mark.sqlite_only(reason="plans of SQLite")
NOW = datetime(2027, 1, 4, 10, tzinfo=UTC)
OF_ONE = ("purchase", "not clicked", "purchase within 30 days", "count(purchase) > 2", "sum(purchase.value, 90 days) > 100 EUR",
          "purchase where (value > 100 EUR)", "clicked since enter", "count(clicked) = 0")  # fmt: skip


@pytest.fixture(scope="module", params=["never analyzed", "analyzed"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Forty people with a dozen events each, most of one name."""
    flow = "- {wait: up to 3 days, id: w, for: {clicked: [], nothing: []}}\n- {send: offre, id: s, by: email, if: not clicked}"
    stage = Stage(tmp_path_factory.mktemp("plans"), a_campaign(flow, enter="{when: purchase}"))
    people = [stage.person(f"p{n}") for n in range(40)]
    with stage.store.write() as connection:
        rows = [{"contact_id": who, "name": "clicked" if n % 9 else "purchase", "at": clock.to_ms(NOW) - n * 1000 - who, "received_at": 0}
                for who in people for n in range(12)]  # fmt: skip
        connection.execute(sa.insert(tb.event), rows)
        if request.param == "analyzed":
            connection.exec_driver_sql("ANALYZE")
    return stage


def plan(stage: Stage, query: Any, parameters: dict[str, object]) -> list[str]:
    with stage.store.read() as connection:
        compiled = query.compile(dialect=connection.dialect)
        ready = compiled.construct_expanded_state({**compiled.params, **parameters})
        values = tuple(ready.parameters[name] for name in ready.positiontup)
        return [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {ready.statement}", values).all()]


def compiler(stage: Stage) -> Compiler:
    project, campaigns = stage.loaded.project, stage.loaded.campaigns
    assert project is not None
    return Compiler(vocabulary(project, campaigns["bienvenue"], campaigns), campaign="bienvenue")


@pytest.mark.parametrize("condition", OF_ONE)
def test_what_is_asked_of_a_person_reads_that_persons_events_alone(stage: Stage, condition: str) -> None:
    asks = compiler(stage)
    asked = asks.predicate(condition, where="flow")
    query = (
        sa.select(tb.enrollment.c.id, asked).select_from(tb.enrollment.join(tb.contact)).where(tb.enrollment.c.id.in_([1, 2, 3]))
    )
    events = [line for line in plan(stage, query, asks.parameters(NOW)) if " e1 " in line]
    assert events
    assert all("(contact_id=? AND name=?" in line or "(enrollment_id=? AND name=?" in line for line in events), events


@pytest.mark.parametrize("term", ["purchase", "clicked", "purchase where (value > 100 EUR)"])
def test_a_door_reads_the_events_that_are_new_alone(stage: Stage, term: str) -> None:
    with stage.store.read() as connection:
        row = connection.execute(_CAMPAIGNS).one()
        houses = Houses(connection, stage.loaded, now=NOW)
        query, given = _Door(stage.store, houses, row, NOW)._occurrences(term)
    bound = {**given, "last_event": 0, "top_event": 5, "since_start": 0, "now_ms": 5}
    assert [line for line in plan(stage, query, bound) if " event " in line] == [
        "SEARCH event USING INDEX ix_event_name_id (name=? AND id>? AND id<?)"
    ]


@pytest.mark.parametrize(("form", "index"), [("exists", "ix_event_contact_id_name_at"), ("in", "ix_event_name_at_contact_id")])
def test_each_form_of_a_selection_is_answered_by_its_own_index(stage: Stage, form: str, index: str) -> None:
    asks = compiler(stage)
    lines = plan(stage, asks.selection("orders > 0 and purchase within 30 days", form=form), asks.parameters(NOW))
    assert [line for line in lines if " e1 " in line and index in line]
    assert not [line for line in lines if line.startswith("SCAN e1")]


def test_a_question_of_a_door_is_compiled_once_a_process(stage: Stage, tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with stage.store.read() as connection:
            row = connection.execute(_CAMPAIGNS).one()
            door = _Door(stage.store, Houses(connection, stage.loaded, now=NOW), row, NOW)
            found.append(door._occurrences("purchase")[0])
    assert found[0] is found[1]
