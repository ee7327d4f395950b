"""Many rows written at once stand as they were given, on every store: texts to the letter, bytes to the byte, nothing as nothing."""

from __future__ import annotations

import pytest
from shelves import a_project, a_store

from omnicli.store.bulk import Bulk
from omnicli.store.outbox.statements import fetch, insert, many

TEXTS = ["", "NULL", "null", '"', "\\", "{a,b}", "é 🕯", "it's", "50 %", "%s ? :name", " ", "\n", None]
NUMBERS = [0, -1, 2**62, -(2**62), None, 7]
BLOBS = [b"", b"\x00", b"\\x41", b"'\xff"]


@pytest.fixture
def store(tmp_path):
    found = a_store(tmp_path, a_project(tmp_path))
    with found.write() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE thing (id BIGINT PRIMARY KEY, word TEXT, number BIGINT, bytes "
            + ("BYTEA" if found.dialect == "postgresql" else "BLOB")
            + ")"
        )
    return found


ROWS = [(n, TEXTS[n % len(TEXTS)], NUMBERS[n % len(NUMBERS)], BLOBS[n % len(BLOBS)]) for n in range(300)]


def standing(connection):
    return [
        (i, w, n, None if b is None else bytes(b))
        for i, w, n, b in fetch(connection, "SELECT id, word, number, bytes FROM thing ORDER BY id")
    ]


@pytest.mark.parametrize(
    "rows", [ROWS, ROWS[:1], [(n, None, 5, b"same") for n in range(20)], []], ids=["all", "one", "alike", "none"]
)
def test_rows_stand_as_they_were_given(store, rows):
    with store.write() as connection:
        insert(connection, "thing (id, word, number, bytes)", "(?, ?, ?, ?)", rows)
        assert standing(connection) == list(rows)


def test_a_row_that_stands_is_left_alone_and_not_counted(store):
    put = Bulk(
        "INSERT INTO thing (id, word, number, bytes) VALUES (:id, :word, 1, :bytes) ON CONFLICT (id) DO NOTHING",
        "bytes",
        "word",
        "id",
    )
    with store.write() as connection:
        assert put(connection, [(b"x", "first", 1)]) == 1
        assert put(connection, [(b"y", word, n) for n, word in enumerate(["a", "b", None, "d"])]) == 3
        assert standing(connection) == [(0, "a", 1, b"y"), (1, "first", 1, b"x"), (2, None, 1, b"y"), (3, "d", 1, b"y")]


def test_each_row_gets_its_own_values_and_no_other_row_any(store):
    change = Bulk("UPDATE thing SET word = :word, number = coalesce(number, 0) + :more WHERE id = :id", "word", "more", "id")
    with store.write() as connection:
        insert(connection, "thing (id, word, number, bytes)", "(?, ?, ?, ?)", [(n, "old", n, b"") for n in range(50)])
        assert change(connection, [(word, n, n) for n, word in enumerate(TEXTS)]) == len(TEXTS)
        many(
            connection,
            "UPDATE thing SET number = ?, bytes = ? WHERE word = 'old' AND id = ?",
            [(-n, b"new", n) for n in range(40, 60)],
        )
        found = standing(connection)
    assert found[: len(TEXTS)] == [(n, word, 2 * n, b"") for n, word in enumerate(TEXTS)]
    assert found[len(TEXTS) :] == [(n, "old", -n if n >= 40 else n, b"new" if n >= 40 else b"") for n in range(len(TEXTS), 50)]


def test_a_row_that_is_named_twice_gets_what_was_said_last(store):
    change = Bulk("UPDATE thing SET word = :word WHERE id = :id", "word", "id")
    with store.write() as connection:
        insert(connection, "thing (id, word, number, bytes)", "(?, ?, ?, ?)", [(n, "old", n, b"") for n in range(3)])
        change(connection, [("a", 1), ("b", 2), ("c", 1)])
        assert [row[1] for row in standing(connection)] == ["old", "c", "b"]
