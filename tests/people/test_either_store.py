"""What one store does by itself and the other must be told: the numbers of rows, the order of texts, fields of several kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from shop import NOW, PROJECT, a_file, a_shop, brought, rows

from omnicli.condition.sql import Compiler
from omnicli.model.vocabulary import vocabulary
from omnicli.store import tables as tb
from omnicli.store.columns import payload_columns

PEOPLE = "id,email,city\n1,a@example.com,Ávila\n2,b@example.com,agen\n3,c@example.com,Zurich\n4,d@example.com,éze\n"
TWO_KINDS = PROJECT.replace("visit: {place: code}", "visit: {place: code}\n  vote: {value: text}\n  score: {value: number}")


def test_who_comes_after_an_import_is_numbered_behind_it(tmp_path: Path) -> None:
    store, loaded = a_shop(tmp_path)
    brought(store, loaded, a_file(tmp_path, PEOPLE))
    with store.write() as connection:
        row = {"uid": b"u", "source_id": "5", "created_at": 0, "changed_at": 0}
        connection.execute(sa.insert(tb.contact).values(**row))
    assert rows(store, "SELECT id FROM contact ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]


def test_texts_stand_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    store, loaded = a_shop(tmp_path)
    brought(store, loaded, a_file(tmp_path, PEOPLE))
    assert [city for (city,) in rows(store, "SELECT a_city FROM contact ORDER BY a_city")] == ["Zurich", "agen", "Ávila", "éze"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("purchase where (value >= 39.92 EUR)", ["1"]),
        ("purchase where (value < 39.92 EUR)", []),
        ("vote where (value = yes)", ["2"]),
        ("vote where (value contains 'e')", ["2", "4"]),
        ("score where (value > 4)", ["3"]),
        ("sum(score.value) > 7", ["3"]),
    ],
)
def test_a_field_is_read_as_the_kind_that_its_event_declares(tmp_path: Path, asked: str, found: list[str]) -> None:
    store, loaded = a_shop(tmp_path, TWO_KINDS)
    brought(store, loaded, a_file(tmp_path, PEOPLE))
    said = [(1, "purchase", "39.92 EUR"), (2, "vote", "Yes"), (3, "score", "4.5"), (3, "score", "3"), (4, "vote", "1e9x")]
    with store.write() as connection:
        event = sa.table("event", *map(sa.column, ("contact_id", "name", "at", "received_at", "p_value")))
        for contact, name, value in said:
            column = payload_columns(loaded.project, name, {"value": value})["p_value"]
            connection.execute(sa.insert(event).values(contact_id=contact, name=name, at=1, received_at=1, p_value=column))
    compiler = Compiler(vocabulary(loaded.project))
    query = compiler.selection(asked)
    named = sa.select(tb.contact.c.source_id).where(tb.contact.c.id.in_(query)).order_by(tb.contact.c.id)
    with store.read() as connection:
        assert connection.execute(named, compiler.parameters(NOW)).scalars().all() == found
