"""On PostgreSQL, too, no statement of a turn, a fold or a delivery reads everybody: at 20,000 people each finds its rows by an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import stores
from delivering import Delivery, a_campaign

pytestmark = pytest.mark.skipif(
    not stores.POSTGRESQL, reason="PostgreSQL only: OMNI_TEST_STORE=postgresql (test_turn.py asks SQLite)"
)

PEOPLE = 20_000
FLOW = """
- {send: offre, id: j0, by: preferred, else: [email], at: next 10:00, if: orders = 0 and not clicked offre}
- {wait: up to 3 days, id: w, for: {clicked: [{set: {orders: +1}}], replied: [{exit: r}], nothing: []}}
- {send: offre, id: fin, by: email, at: best hour, if: count(purchase) = 0}
"""
EXTRA = "goal: {when: purchase}\nexit: [{if: orders > 3}, {when: purchase where (value > 5 EUR)}]\nguardrails: {budget: 100 EUR}"
LARGE = ("contact", "address", "consent", "enrollment", "touch", "event", "decision", "attempt", "cap_slot", "inbox", "rendering")
#: Statements by which the stage itself looks and writes, and the sum of what a whole campaign cost, which reads the whole campaign.
OF_THE_STAGE = (
    "SELECT coalesce(sum(t.cost), 0) FROM campaign k",
    "SELECT contact.source_id",
    "INSERT INTO contact",
    "INSERT INTO inbox",
)
#: The same people once more, standing where nothing is due: as what came before a day in a large base.
STANDING = (
    "INSERT INTO contact (id, uid, source_id, created_at, changed_at, attributes_at, country, time_zone, language, reach, a_orders) SELECT g, decode(md5(g::text), 'hex'), "
    "'x' || g, 0, 0, 0, 'FR', 'Europe/Paris', 'fr', (SELECT reach FROM contact ORDER BY id LIMIT 1), 0 FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO address (contact_id, channel, value, norm, hmac) SELECT g, 'email', g || '@x', g || '@x', decode(md5(g::text), 'hex') "
    "FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO consent (contact_id, channel, purpose, granted, at) SELECT g, 'email', 'marketing', 1, 0 FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO event (id, contact_id, name, at, received_at) SELECT g, g, 'visit', 1700000000000 + g, 0 FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO enrollment (id, key, contact_id, campaign_id, version_id, pass, entered_at, language, step, since, due_at, state) SELECT g, "
    "decode(md5('e' || g), 'hex'), g, 1, 1, 1, 0, 'fr', 'w', 0, 1900000000000 + g, 'open' FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO touch (id, touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, send_state, "
    "created_at, settled_at) SELECT g, decode(md5('t' || g), 'hex'), g, g, 1, 'j0', 'offre', 'email', 'marketing', 5, 0, 1900000000000, 'accepted', 0, "
    "1700000000000 + g FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO handover (id, provider, account, size, started_at, outcome) SELECT g, 'p', 'a', 1, 0, 'accepted' FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, provider_ref, address_hash, body_sha256, started_at) SELECT g, 1, g, 1, 'accepted', "
    "'r' || g, decode(md5(g::text), 'hex'), decode(md5(g::text), 'hex'), 0 FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO cap_slot (contact_id, local_date, rule, slot, touch_id, at) SELECT g, '2026-12-01', 'email', 1, g, 0 FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO decision (enrollment_id, at, step, kind) SELECT g, 0, 'j0', 'send' FROM generate_series(1001, 1000 + :n) g",
    "INSERT INTO inbox (provider, dedup_key, provider_event_id, received_at, folded_at, outcome) SELECT 'test', decode(md5(g::text), 'hex'), 'i' || g, 0, 0, "
    "'event' FROM generate_series(1001, 1000 + :n) g",
)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """Five people who begin, beside many who wait."""
    stage = Delivery(tmp_path_factory.mktemp("plans"), a_campaign(FLOW, extra=EXTRA, enter="{when: signup, if: orders = 0}"))
    stage.sign_up(*(f"p{n}" for n in range(5)), consent=("email", "sms"), orders=0)
    with stage.store.write() as connection:
        for sql in STANDING:
            connection.execute(sa.text(sql), {"n": PEOPLE})
        for name in ("contact", "event", "enrollment", "touch", "handover"):
            connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))")
        connection.exec_driver_sql("UPDATE campaign SET last_event_id = (SELECT max(id) FROM event)")
    with stage.store.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return stage


def a_day(stage: Delivery) -> None:
    stage.send("2027-01-04 09:00")
    stage.send("2027-01-05 10:00")
    stage.says("p0", "clicked", at="2027-01-05 12:00", channel="email")
    stage.send("2027-01-05 12:00")
    stage.send("2027-01-08 10:00")


def test_every_statement_finds_its_rows_by_an_index(busy: Delivery) -> None:
    scans: dict[str, list[str]] = {}
    asked = watched(busy, lambda: a_day(busy))
    assert len(asked) > 40
    assert len(busy.provider.handed) >= 5
    with busy.store.writer.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for sql, parameters in asked.items():
            plan = [row[0] for row in driver.execute(f"EXPLAIN {sql}", parameters).fetchall()]
            if found := [line.strip() for line in plan if any(f"Seq Scan on {name} " in line for name in LARGE)]:
                scans[sql] = found
    assert scans == {}


def watched(stage: Delivery, deed: Callable[[], None]) -> dict[str, Any]:
    """Every statement that the deed sends, with the parameters that it had first."""
    seen: dict[str, Any] = {}

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        word = statement.split()[0]
        if word in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH") and not statement.startswith(OF_THE_STAGE):
            seen.setdefault(statement, parameters[0] if many else parameters)

    engines = {stage.store.writer, stage.store.reader}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        deed()
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
    return seen
