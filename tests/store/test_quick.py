"""Statements that go straight to SQLite give the rows, the counts and the errors that SQLAlchemy's own way gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from omnicli.store.connection import Store
from omnicli.store.quick import LASTING, Quick

t = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("key", sa.LargeBinary),
)
ROWS = [(1, "a", b"\x01"), (2, "b", b"\x02"), (3, "c", None)]


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store.memory()
    with store.write() as connection:
        t.create(connection)
        connection.execute(
            sa.text("INSERT INTO t VALUES (:id, :name, :key)"), [dict(zip(("id", "name", "key"), r, strict=True)) for r in ROWS]
        )
    yield store
    store.close()


def sa_way(store: Store, statement: Any, values: Any = None) -> Any:
    with store.writer.connect() as connection:
        return connection.execute(statement, values).all()


STATEMENTS = [
    (sa.select(t).where(t.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(t.c.id), {"ids": [3, 1]}),
    (sa.select(t).where(t.c.id.in_(sa.bindparam("ids", expanding=True))), {"ids": []}),
    (sa.select(t).where(t.c.id.not_in(sa.bindparam("ids", expanding=True))), {"ids": []}),
    (sa.select(t.c.id, (t.c.id > 1).label("more"), sa.literal(0.5)).where(t.c.name.in_(["a", "c"])), {}),
    (sa.select(sa.func.aggregate_strings(t.c.name, ","), sa.func.count()), {}),
    (sa.select(t.c.key).where(t.c.key == sa.bindparam("key", type_=sa.LargeBinary())), {"key": b"\x02"}),
    (sa.select(t.c.name).limit(sa.bindparam("most", type_=sa.Integer())), {"most": 2}),
    (sa.text("SELECT name FROM t WHERE id = :id OR id = :id + 1"), {"id": 1}),
]


@pytest.mark.parametrize(("statement", "values"), STATEMENTS)
def test_a_statement_that_is_sent_again_gives_the_same_rows_as_the_first_time(store: Store, statement: Any, values: Any) -> None:
    expected = sa_way(store, statement, values)
    for _ in range(LASTING + 2):
        with store.read() as connection:
            found = connection.execute(statement, values).all()
        assert found == expected
        assert [[type(v) for v in row] for row in found] == [[type(v) for v in row] for row in expected]
        assert [row._fields for row in found] == [row._fields for row in expected]


def test_a_value_that_is_missing_is_an_error_and_not_a_null(store: Store) -> None:
    statement = sa.select(t).where(t.c.id == sa.bindparam("id"))
    for _ in range(LASTING + 2):
        with store.read() as connection, pytest.raises(sa.exc.StatementError):
            connection.execute(statement, {})


def _change_and_break(store: Store) -> None:
    with store.write() as connection:
        connection.execute(sa.text("UPDATE t SET name = 'z' WHERE id = 2"))
        connection.execute(sa.text("INSERT INTO t VALUES (:id, 'x', NULL)"), {"id": 1})


def test_a_broken_constraint_is_the_error_that_sqlalchemy_raises_and_the_transaction_is_rolled_back(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        _change_and_break(store)
    assert sa_way(store, sa.text("SELECT name FROM t WHERE id = 2")) == [("b",)]


def test_writes_say_how_many_rows_they_changed(store: Store) -> None:
    change = sa.update(t).where(t.c.id <= sa.bindparam("most")).values(name="n")
    for _ in range(LASTING + 2):
        with store.write() as connection:
            assert connection.execute(change, {"most": 2}).rowcount == 2
            assert (
                connection.execute(
                    sa.text("UPDATE t SET name = :n WHERE id = :i"), [{"n": "x", "i": 1}, {"n": "y", "i": 3}]
                ).rowcount
                == 2
            )


def test_whoever_listens_hears_every_statement(store: Store) -> None:
    heard: list[str] = []
    with store.write() as connection:
        assert isinstance(connection, Quick)
        connection.execute(sa.text("UPDATE t SET name = 'm'"))
    sa.event.listen(store.writer, "before_cursor_execute", lambda _c, _cursor, sql, *_: heard.append(sql))
    with store.write() as connection:
        connection.execute(sa.text("UPDATE t SET name = 'k'"))
    assert heard == ["UPDATE t SET name = 'k'"]


def test_a_file_is_read_in_one_snapshot_and_written_in_one_transaction(tmp_path: Any) -> None:
    store = Store.sqlite(tmp_path / "s.db")
    with store.write() as connection:
        t.create(connection)
    count = sa.text("SELECT count(*) FROM t")
    with store.read() as reading:
        assert reading.execute(count).scalar_one() == 0
        with store.write() as connection:
            connection.execute(sa.text("INSERT INTO t VALUES (1, 'a', NULL)"))
            assert connection.in_transaction()
        assert reading.execute(count).scalar_one() == 0
    with store.read() as reading:
        assert reading.execute(count).scalar_one() == 1
        with pytest.raises(sa.exc.OperationalError):
            reading.execute(sa.text("INSERT INTO t VALUES (2, 'b', NULL)"))
    store.close()
