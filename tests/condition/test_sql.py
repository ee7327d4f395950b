"""The SQL that conditions become: its form, its two dialects, its instants, and the first event of a wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from plain_people import VOCABULARY, insert, ms
from sqlalchemy.dialects import postgresql
from stores import engine_of_its_own

from omnicli.condition.problem import ConditionError
from omnicli.condition.sql import Compiler
from omnicli.store import columns, tables

NOW = datetime(2027, 3, 29, 8, 0, tzinfo=UTC)


def one_line(expression: Any, dialect: Any = None) -> str:
    return " ".join(str(expression.compile(dialect=dialect or postgresql.dialect())).split())


# --- form -------------------------------------------------------------------------------------------------------------
def test_a_comparison_asks_first_whether_there_is_a_value() -> None:
    assert one_line(Compiler(VOCABULARY).predicate("orders > 3", where="elsewhere"), sa.dialects.sqlite.dialect()) == (
        "contact.a_orders IS NOT NULL AND contact.a_orders > ?"
    )


def test_an_event_alone_is_asked_of_the_whole_ledger_once() -> None:
    text = one_line(Compiler(VOCABULARY).selection("clicked within 30 days"))
    assert "contact.id IN (SELECT e1.contact_id FROM event AS e1 WHERE e1.name =" in text
    assert "EXISTS" not in text


def test_an_event_behind_a_narrowing_attribute_is_asked_person_by_person() -> None:
    text = one_line(Compiler(VOCABULARY).selection("orders = 0 and clicked within 30 days"))
    assert "EXISTS (SELECT 1 FROM event AS e1 WHERE e1.contact_id = contact.id AND e1.name =" in text
    assert " IN (SELECT" not in text


def test_an_aggregate_alone_is_grouped() -> None:
    compiler = Compiler(VOCABULARY)
    assert "contact.id IN (SELECT e1.contact_id FROM event AS e1" in one_line(compiler.selection("count(purchase) >= 2"))
    assert "GROUP BY e1.contact_id HAVING" in one_line(compiler.selection("count(purchase) >= 2"))
    few = one_line(compiler.selection("count(purchase) < 2"))
    assert "contact.id NOT IN (SELECT" in few, "who has none is among them"


def test_every_value_is_bound() -> None:
    nasty = "x'; DROP TABLE contact; --"
    compiler = Compiler(VOCABULARY)
    for text in (f'city = "{nasty}"', f'city contains "{nasty}"', f'postcode in ("{nasty}", b)', f'interests contains "{nasty}"',
                 f'purchase where (category starts with "{nasty}")'):  # fmt: skip
        assert "DROP" not in one_line(compiler.selection(text)).upper()


def test_an_expression_adds_no_table_of_its_own_to_the_query() -> None:
    truth = Compiler(VOCABULARY).predicate("clicked and persona h and orders = 0 and enrolled panier", where="flow")
    query = sa.select(tables.contact.c.id, truth.label("t")).select_from(
        tables.contact.join(tables.enrollment, tables.enrollment.c.contact_id == tables.contact.c.id)
    )
    assert one_line(query).partition("WHERE")[0].count("FROM event AS e1") == 1
    assert one_line(query).endswith("FROM contact JOIN enrollment ON enrollment.contact_id = contact.id")


def test_the_surrounding_query_may_call_its_tables_otherwise() -> None:
    text = one_line(
        Compiler(VOCABULARY, contact="c", enrollment="n").predicate("clicked since enter and orders = 0", where="flow")
    )
    assert "e1.enrollment_id = n.id" in text
    assert "e1.at > n.entered_at" in text
    assert "c.a_orders" in text


def test_postgresql_gets_its_own_words() -> None:
    compiler = Compiler(VOCABULARY)
    assert "CAST((CAST(contact.reach AS JSONB) #>> '{email,5}') AS BIGINT)" in one_line(compiler.selection("suppressed.email"))
    assert "strpos(contact.f_city, " in one_line(compiler.selection("city contains ville"))
    assert "to_char(CAST(contact.a_signed AS DATE) + (-14), 'YYYY-MM-DD')" in one_line(
        compiler.selection("renewal before 2 weeks before contact.signed")
    )
    assert "IS true" in one_line(compiler.selection("orders = 0 and count(clicked) > 1"))


def test_what_cannot_be_asked_is_not_compiled() -> None:
    with pytest.raises(ConditionError, match="ordres"):
        Compiler(VOCABULARY).predicate("ordres = 0", where="flow")
    with pytest.raises(ConditionError):
        Compiler(VOCABULARY).first("clicked within 3 days", since=sa.literal(0))


# --- instants ---------------------------------------------------------------------------------------------------------
def test_instants_are_reckoned_once_a_turn_in_the_zone_of_the_project() -> None:
    compiler = Compiler(VOCABULARY)
    compiler.selection(
        "clicked within 2 days and created before today and renewal within next 1 month and seen after 36 hours ago"
    )
    assert compiler.parameters(NOW) == {
        "omni_now": ms(NOW),
        "omni_ago_2_day": ms(datetime(2027, 3, 27, 9, 0, tzinfo=UTC)),  # 10:00 in Paris, before the clocks changed
        "omni_midnight_0": ms(datetime(2027, 3, 28, 22, 0, tzinfo=UTC)),
        "omni_today": "2027-03-29",
        "omni_day_in_1_month": "2027-04-29",
        "omni_ago_36_hour": ms(datetime(2027, 3, 27, 20, 0, tzinfo=UTC)),
    }


def test_one_compiler_serves_many_turns() -> None:
    compiler = Compiler(VOCABULARY)
    compiler.selection("renewal = today")
    later = datetime(2027, 3, 30, 8, 0, tzinfo=UTC)
    assert (compiler.parameters(NOW), compiler.parameters(later)) == ({"omni_today": "2027-03-29"}, {"omni_today": "2027-03-30"})


# --- first, happening -------------------------------------------------------------------------------------------------
@pytest.fixture
def ledger() -> Iterator[sa.Connection]:
    """One contact in pass 7 of `bienvenue`, entered at 1,000; it is 10,000 now."""
    engine = engine_of_its_own()
    with engine.connect() as connection:
        tables.metadata.create_all(connection)
        for column in ("p_keyword TEXT", "p_link TEXT", "p_value INTEGER", "p_category TEXT", "p_quantity REAL"):
            columns._add(connection, "event", *column.split())
        insert(connection, "contact", {"id": 1, "uid": b"1", "source_id": "1", "created_at": 0, "changed_at": 0})
        insert(connection, "campaign", {"id": 1, "name": "bienvenue", "state": "running"})
        insert(
            connection, "campaign_version", {"id": 1, "campaign_id": 1, "number": 1, "hash": "a", "tree": "{}", "applied_at": 0}
        )
        for pass_ in (6, 7):
            insert(connection, "enrollment", {"id": pass_, "key": b"%d" % pass_, "contact_id": 1, "campaign_id": 1, "version_id": 1, "pass": pass_,
                                              "entered_at": 1000, "language": "fr", "since": 0, "state": "ended"})  # fmt: skip
        yield connection
    engine.dispose()


def happened(connection: sa.Connection, name: str, at: int, **more: Any) -> None:
    insert(connection, "event", {"contact_id": 1, "name": name, "at": at, "received_at": 0, **more})


def first(connection: sa.Connection, term: str, **kw: Any) -> int | None:
    compiler = Compiler(VOCABULARY)
    asked = compiler.first(term, since=sa.literal(2000), **kw)
    query = sa.select(asked).select_from(tables.contact.join(tables.enrollment)).where(tables.enrollment.c.id == 7)
    found: int | None = connection.execute(query, compiler.parameters(datetime.fromtimestamp(10, UTC))).scalar()
    return found


def test_the_first_event_of_a_wait_lies_from_its_beginning_to_before_its_end(ledger: sa.Connection) -> None:
    for at in (1999, 2000, 3000):
        happened(ledger, "purchase", at)
    assert first(ledger, "purchase") == 2000
    assert first(ledger, "purchase", strict_since=True) == 3000
    assert first(ledger, "purchase", strict_since=True, until=sa.literal(3000)) is None


def test_answers_count_from_this_pass_only_other_events_from_anywhere(ledger: sa.Connection) -> None:
    happened(ledger, "clicked", 2100, enrollment_id=6, campaign="bienvenue", message="offre", step="j0")
    happened(ledger, "clicked", 2200)
    assert first(ledger, "clicked") is None
    happened(ledger, "clicked", 2300, enrollment_id=7, campaign="bienvenue", message="offre", step="j0")
    assert first(ledger, "clicked") == 2300
    assert first(ledger, "clicked j3") is None


def test_what_the_answer_carries_chooses_the_branch(ledger: sa.Connection) -> None:
    happened(ledger, "replied", 2100, enrollment_id=7, p_keyword="stop")
    happened(ledger, "replied", 2200, enrollment_id=7, p_keyword="oui")
    assert first(ledger, "replied where (keyword in (Oui, yes, 1))") == 2200


def test_machines_and_the_future_are_invisible(ledger: sa.Connection) -> None:
    happened(ledger, "purchase", 2100, machine=1)
    happened(ledger, "purchase", 10001)
    assert first(ledger, "purchase") is None
    happened(ledger, "purchase", 10000)
    assert first(ledger, "purchase") == 10000


def holds(connection: sa.Connection, text: str, now: datetime, *, where: str = "flow") -> bool:
    compiler = Compiler(VOCABULARY)
    asked = (
        sa.select(compiler.predicate(text, where=where))
        .select_from(tables.contact.join(tables.enrollment))
        .where(tables.enrollment.c.id == 7)
    )
    truth = connection.execute(asked, compiler.parameters(now)).scalar()
    assert truth in (True, False)
    return bool(truth)


def test_since_enter_is_strictly_after_the_entering_event(ledger: sa.Connection) -> None:
    now = datetime.fromtimestamp(10, UTC)
    happened(ledger, "purchase", 1000)
    assert (holds(ledger, "purchase", now), holds(ledger, "purchase ever", now)) == (False, True)
    happened(ledger, "purchase", 1001)
    assert holds(ledger, "purchase", now)


def test_since_enter_an_answer_to_another_pass_is_none_and_one_to_another_campaign_is_asked_by_time(
    ledger: sa.Connection,
) -> None:
    now = datetime.fromtimestamp(10, UTC)
    happened(ledger, "clicked", 1500, enrollment_id=6, campaign="bienvenue", message="offre")
    happened(ledger, "clicked", 1500, campaign="panier", message="rappel")
    assert not holds(ledger, "clicked", now)
    assert not holds(ledger, "clicked offre", now)
    assert holds(ledger, "clicked offre ever", now)
    assert holds(ledger, "clicked panier/rappel", now)
    happened(ledger, "clicked", 1500, enrollment_id=7, campaign="bienvenue", message="offre")
    assert holds(ledger, "clicked", now)
    assert holds(ledger, "count(clicked offre) = 1 and clicked offre since enter", now)


def test_a_window_holds_both_its_ends(ledger: sa.Connection) -> None:
    happened(ledger, "purchase", 5000)
    hour = 3600
    assert holds(ledger, "purchase within 1 hour", datetime.fromtimestamp(5, UTC))
    assert holds(ledger, "purchase within 1 hour", datetime.fromtimestamp(5 + hour, UTC))
    assert not holds(ledger, "purchase within 1 hour", datetime.fromtimestamp(5 + hour + 0.001, UTC))


def test_an_instant_is_before_on_or_after_a_day_and_only_one_of_them(ledger: sa.Connection) -> None:
    for at in (datetime(2027, 3, 27, 22, 59, 59, 999000, tzinfo=UTC), datetime(2027, 3, 27, 23, 0, tzinfo=UTC),
               datetime(2027, 3, 28, 21, 59, 59, 999000, tzinfo=UTC), datetime(2027, 3, 28, 22, 0, tzinfo=UTC)):  # fmt: skip
        happened(ledger, "purchase", ms(at))
    found = [
        holds(ledger, f"count(purchase where (at {side} 2027-03-28), ever) = {n}", NOW)
        for side, n in (("before", 1), ("=", 2), ("after", 1))
    ]
    assert found == [True, True, True], "28 March has 23 hours in Paris"


def test_one_row_of_the_ledger_is_such_an_event_or_not(ledger: sa.Connection) -> None:
    happened(ledger, "purchase", 2100, p_value=900)
    happened(ledger, "purchase", 2200, p_value=2000)
    happened(ledger, "signup", 2300)
    compiler = Compiler(VOCABULARY)
    query = sa.select(tables.event.c.at).where(compiler.happening("purchase where (value > 10 EUR)"))
    assert ledger.execute(query, compiler.parameters(datetime.fromtimestamp(10, UTC))).scalars().all() == [2200]
