"""The SQL of a condition and plain Python say the same of everybody, missing values included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_people import VOCABULARY, Base, Ctx, Event, Person, Said, base, conditions, insert, ms, plain
from stores import engine_of_its_own

from omnicli.condition.check import check
from omnicli.condition.explain import explain
from omnicli.condition.sql import Compiler
from omnicli.model.vocabulary import Kind
from omnicli.store import columns, tables

SEEDS = 6
STORAGE = {"number": "REAL", "percent": "REAL", "distance": "REAL", "money": "INTEGER", "duration": "INTEGER", "time": "INTEGER",
           "yes or no": "INTEGER"}  # fmt: skip
OWN = {"campaign", "message", "step", "channel"}


def stored(kind: Kind, value: Any) -> Any:
    """As store/columns.py keeps it."""
    if value is None:
        return None
    match kind.name:
        case "time":
            return ms(value)
        case "date":
            return value.isoformat()
        case "yes or no":
            return int(value)
        case "list":
            return json.dumps(value)
    return value


def folded(kind: Kind, value: Any) -> str | None:
    if value is None or kind.name not in ("text", "choice", "list"):
        return None
    return "\x1f" + "".join(plain(word) + "\x1f" for word in value) if kind.name == "list" else plain(value)


@lru_cache(maxsize=SEEDS)
def stored_base(seed: int) -> tuple[Base, sa.Engine]:
    """The people of the seed in a real store in memory."""
    people = base(seed)
    engine = engine_of_its_own()
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        declared = {
            n: k
            for n, k in VOCABULARY.attributes.items()
            if n not in ("id", "language", "country", "time_zone", "preferred_channel", "place", "created")
        }
        for name, kind in declared.items():
            columns._add(connection, "contact", columns.attribute_column(name), STORAGE.get(kind.name, "TEXT"))
            columns._add(connection, "contact", columns.folded_column(name), "TEXT")
        fields = {n: k for event in VOCABULARY.events.values() for n, k in event.items() if n not in OWN}
        for name, kind in fields.items():
            columns._add(connection, "event", f"p_{name}", STORAGE.get(kind.name, "TEXT"))
        connection.exec_driver_sql(
            "INSERT INTO campaign (id, name, state) VALUES (1, 'bienvenue', 'running'), (2, 'panier', 'running')"
        )
        connection.exec_driver_sql(
            "INSERT INTO campaign_version (id, campaign_id, number, hash, tree, applied_at) VALUES (1, 1, 1, 'a', '{}', 0), (2, 2, 1, 'b', '{}', 0)"
        )
        for person in people.people:
            keep(connection, person, declared)
    return people, engine


def keep(connection: sa.Connection, person: Person, declared: dict[str, Kind]) -> None:
    row: dict[str, Any] = {
        "id": person.id, "uid": b"%d" % person.id, "source_id": str(person.id), "created_at": ms(person.created), "changed_at": 0,
        "language": person.attributes.get("language"), "reach": json.dumps({c: reach_row(r) for c, r in person.reach.items()}),
    }  # fmt: skip
    for name, kind in declared.items():
        value = person.attributes.get(name)
        row[f"a_{name.replace('-', '_')}"], row[f"f_{name.replace('-', '_')}"] = stored(kind, value), folded(kind, value)
    insert(connection, "contact", row)
    # the pass that is asked about, ended so that `enrolled` sees only the other one
    insert(connection, "enrollment", {
        "id": person.id, "key": b"k%d" % person.id, "contact_id": person.id, "campaign_id": 1, "version_id": 1, "pass": 1,
        "entered_at": ms(person.entered_at), "language": "fr", "persona": person.persona, "since": 0, "state": "ended",
    })  # fmt: skip
    if person.open_in:
        campaign = 1 if person.open_in == "bienvenue" else 2
        insert(connection, "enrollment", {
            "id": 1000 + person.id, "key": b"o%d" % person.id, "contact_id": person.id, "campaign_id": campaign, "version_id": campaign,
            "pass": 2, "entered_at": 0, "language": "fr", "since": 0, "state": "open",
        })  # fmt: skip
    for channel, reach in person.reach.items():
        keep_reach(connection, person.id, channel, reach)
    for event in person.events:
        keep_event(connection, person, event)


def keep_reach(connection: sa.Connection, person: int, channel: str, reach: dict[str, Any]) -> None:
    address, granted, until, bad, _, _ = reach_row(reach)
    if address:
        insert(connection, "address", {"contact_id": person, "channel": channel, "value": "x", "norm": "x", "bad": bad})
    if granted is not None:
        insert(
            connection,
            "consent",
            {"contact_id": person, "channel": channel, "purpose": "marketing", "granted": granted, "at": 0, "until": until},
        )


def reach_row(reach: dict[str, Any]) -> list[Any]:
    granted = None if reach["granted"] is None else int(reach["granted"])
    until, bar_until = (ms(reach[name]) if reach[name] else None for name in ("until", "bar_until"))
    return [int(reach["address"]), granted, until, reach["bad"], reach["bar"], bar_until]


def keep_event(connection: sa.Connection, person: Person, event: Event) -> None:
    row: dict[str, Any] = {
        "contact_id": person.id, "name": event.name, "at": ms(event.at), "machine": int(event.machine), "received_at": 0,
        "enrollment_id": person.id if event.of_pass else None, "campaign": event.campaign, "message": event.message, "step": event.step,
        "channel": event.channel,
    }  # fmt: skip
    for name, value in event.fields.items():
        kind = VOCABULARY.events[event.name][name]
        row[f"p_{name}"] = folded(kind, value) if kind.name in ("text", "choice", "list") else stored(kind, value)
    insert(connection, "event", row)


def judged(people: Base, said: Said, *, flow: bool) -> set[int]:
    return {person.id for person in people.people if said.true(person, Ctx(person, people.now, flow))}


def selected(seed: int, text: str, form: str) -> set[int]:
    people, engine = stored_base(seed)
    compiler = Compiler(VOCABULARY)
    query = compiler.selection(text, form=form)
    with engine.connect() as connection:
        return set(connection.execute(query, compiler.parameters(people.now)).scalars())


def flowing(seed: int, text: str) -> set[int]:
    """Asked as a turn does: one row an enrollment, the truth as a column."""
    people, engine = stored_base(seed)
    compiler = Compiler(VOCABULARY)
    truth = compiler.predicate(text, where="flow").label("truth")
    contact, enrollment = tables.contact, tables.enrollment
    query = (
        sa.select(contact.c.id, truth)
        .select_from(contact.join(enrollment, enrollment.c.contact_id == contact.c.id))
        .where(enrollment.c.id < 1000)
    )
    with engine.connect() as connection:
        rows = connection.execute(query, compiler.parameters(people.now)).all()
    assert {row.truth for row in rows} <= {True, False}, "two-valued: never unknown"
    assert len(rows) == len(people.people)
    return {row.id for row in rows if row.truth}


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    for seed in range(SEEDS):
        stored_base(seed)[1].dispose()
    stored_base.cache_clear()


THOROUGH = settings(max_examples=220, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@THOROUGH
@given(said=conditions(flow=False), seed=st.integers(0, SEEDS - 1))
def test_a_selection_in_every_form_finds_whom_plain_python_finds(said: Said, seed: int) -> None:
    expected = judged(stored_base(seed)[0], said, flow=False)
    for form in ("exists", "in", "auto"):
        assert selected(seed, said.text, form) == expected, (form, said.text)


@THOROUGH
@given(said=conditions(flow=True), seed=st.integers(0, SEEDS - 1))
def test_a_condition_in_the_flow_is_true_or_false_as_plain_python_says(said: Said, seed: int) -> None:
    assert flowing(seed, said.text) == judged(stored_base(seed)[0], said, flow=True), said.text


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(said=conditions(flow=True))
def test_a_condition_written_out_means_the_same(said: Said) -> None:
    full = " and ".join(f"({clause.full})" for clause in explain(said.text, VOCABULARY, where="flow"))
    again = " and ".join(f"({clause.full})" for clause in explain(full, VOCABULARY, where="flow"))
    assert check(full, VOCABULARY, where="flow").errors == ()
    assert full.replace("((", "(").replace("))", ")") == again.replace("((", "(").replace("))", ")")
    assert flowing(0, full) == flowing(0, said.text)
