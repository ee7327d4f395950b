"""A store filled without the import: contacts, addresses, consents, events and passes by bulk statements, as omni stores them.

A million people with five million events stand in about a minute, the same rows every time, and memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.ground import CITIES, FIRST, LAST, fresh_peak, person
from benchmarks.keeping import kept
from omnicli import clock
from omnicli.model import ids
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.text import fold

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

NOW = clock.read_instant("2027-01-05 10:00", "Europe/Paris")
BATCH = 20_000
Rows = Iterator[tuple[Any, ...]]
FOLDED = {name: fold(name) for name in ("", *FIRST, *LAST, *CITIES)}
#: Event k of contact n: (n + k) % 5 of these.
EVENTS = ("purchase", "clicked", "purchase", "signup", "clicked")


# --- the people -------------------------------------------------------------------------------------------------------
@kept
def fill_contacts(store: Store, count: int) -> None:
    """`count` people of the invented base, reachable by e-mail where they consented."""
    ms = clock.to_ms(NOW - timedelta(days=30))
    with bulk(store, "contact", "address", "consent"):
        for start, stop in _batches(count):
            with store.write() as connection:
                insert(connection, "contact", CONTACT, _contacts(start, stop, ms))
                insert(connection, "address", "contact_id, channel, value, norm, hmac", _addresses(start, stop))
                insert(connection, "consent", "contact_id, channel, purpose, granted, at, source",
                       ((n, "email", "marketing", int(n % 50 != 0), ms, "bench") for n in range(start, stop)))  # fmt: skip


CONTACT = ("id, uid, source_id, language, country, time_zone, created_at, changed_at, reach, a_first_name, f_first_name, a_last_name, "
           "f_last_name, a_city, f_city, a_orders, a_income, a_recency, a_source, f_source, a_vip")  # fmt: skip


def _contacts(start: int, stop: int, ms: int) -> Rows:
    yes, no = write_reach({"email": ChannelReach(True, True)}), write_reach({"email": ChannelReach(True, False)})
    for n in range(start, stop):
        p = person(n)
        yield (
            n, ids.contact_uid("bench", p[0]), p[0], p[6], p[4], p[5] or None, ms, ms, yes if p[13] == "yes" else no, p[1] or None,
            FOLDED[p[1]] or None, p[2], FOLDED[p[2]], p[7], FOLDED[p[7]], float(p[8]), float(p[9]) if p[9] else None, float(p[10]), p[11], p[11],
            1 if p[12] == "yes" else 0,
        )  # fmt: skip


def _addresses(start: int, stop: int) -> Rows:
    for n in range(start, stop):
        address = f"p{n}@example.com"
        yield n, "email", address, address, ids.digest("bench", str(n))[:16]


# --- what they did ----------------------------------------------------------------------------------------------------
@kept
def fill_events(store: Store, contacts: int, each: int) -> None:
    """`each` events for every contact over 180 days: signups, purchases, clicks."""
    names = " ".join(f"WHEN {n} THEN '{name}'" for n, name in enumerate(EVENTS))
    numbers = " UNION ALL ".join(f"SELECT {k} AS k" for k in range(each))
    events = (
        f"SELECT c.id AS n, k.k AS k, CASE (c.id + k.k) % 5 {names} END AS name, {clock.to_ms(NOW)} - ((c.id * 7919 + k.k * 104729) % 180) * 86400000 "
        f"- (c.id * 31 + k.k) % 86400000 AS at FROM contact c CROSS JOIN ({numbers}) k WHERE c.id >= {{start}} AND c.id < {{stop}}"
    )
    with bulk(store, "event"):
        for start, stop in _batches(contacts):
            with store.write() as connection:
                connection.exec_driver_sql(
                    "INSERT INTO event (contact_id, name, at, received_at, p_value, p_category) SELECT n, name, at, at, "
                    "CASE name WHEN 'purchase' THEN (n * 13 + k) % 20000 END, CASE name WHEN 'purchase' THEN 'bougies' END "
                    f"FROM ({events.format(start=start, stop=stop)}) made ORDER BY n, k".replace("%", _percent(store))
                )


# --- where they stand -------------------------------------------------------------------------------------------------
@kept
def fill_passes(store: Store, contacts: int, *, campaign: int, version: int, due: int, step: str, now: datetime = NOW) -> None:
    """One open pass a contact, standing at `step`; the first `due` of every 10 are due at `now`, the others in two days."""
    ms = clock.to_ms(now)
    late, since = ms + 2 * 86_400_000, ms - 3 * 86_400_000

    def rows(start: int, stop: int) -> Rows:
        for n in range(start, stop):
            key = ids.enrollment_key("bench", "bench", ids.contact_uid("bench", f"P{n:07d}"), 1)
            at = ms if n % 10 < due else late
            yield key, n, campaign, version, 1, since, "fr", "default", 0, step, since, since, at, at, "open"

    columns = ("key, contact_id, campaign_id, version_id, pass, entered_at, language, persona, held_out, step, since, wait_from, wait_until, "
               "due_at, state")  # fmt: skip
    with bulk(store, "enrollment"):
        for start, stop in _batches(contacts):
            with store.write() as connection:
                insert(connection, "enrollment", columns, rows(start, stop))


@kept
def fill_touches(store: Store) -> None:
    """For every pass the accepted e-mail that brought it where it stands: what an idle tick must not look at."""
    with bulk(store, "touch"), store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO touch (touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, "
            "send_state, attempts, cost, created_at, settled_at) SELECT key, contact_id, id, version_id, 'j0', 'offre', 'email', 'marketing', 5, "
            "entered_at, entered_at + 172800000, 'accepted', 1, 1000, entered_at, entered_at FROM enrollment"
        )


def stand(store: Store, loaded: Loaded, contacts: int, *, due: int, step: str, also: Sequence[str] = ()) -> None:
    """The campaign `bench` (and those of `also`) started, with `contacts` people in it who stand at `step`: see `fill_passes`.
    The peak of memory is counted from here on."""
    from omnicli.campaigns.life import start
    from omnicli.store import campaigns

    for name in ("bench", *also):
        start(store, loaded, name, now=NOW)
    fill_contacts(store, contacts)
    with store.read() as connection:
        row = campaigns.find(connection, "bench")
    assert row is not None
    fill_passes(store, contacts, campaign=row.id, version=row.version_id or 1, due=due, step=step)
    fresh_peak()


# --- how rows get in ----------------------------------------------------------------------------------------------------
def _batches(count: int) -> Iterator[tuple[int, int]]:
    """1…count in parts: (first, first of the next)."""
    return ((start, min(start + BATCH, count + 1)) for start in range(1, count + 1, BATCH))


def _percent(store: Store) -> str:
    """psycopg reads `%` as a placeholder where it reads any."""
    return "%" if store.dialect == "sqlite" else "%%"


def insert(connection: sa.Connection, table: str, columns: str, rows: Rows) -> None:
    """Rows as the driver takes most of them at a time: executemany, or COPY."""
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        raw.executemany(f"INSERT INTO {table} ({columns}) VALUES ({','.join('?' * (columns.count(',') + 1))})", rows)
        return
    with raw.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def bulk(store: Store, *tables: str) -> Iterator[None]:
    """Into these tables rows go without their secondary indexes (made again at the end, in order), references unasked, nothing synced
    on SQLite; counters and statistics are right afterwards."""
    if store.dialect == "sqlite":
        _pragmas(store, foreign_keys="OFF", synchronous="OFF", temp_store="FILE")
    made = _drop_indexes(store, tables)
    try:
        yield
    finally:
        for statement in made:
            with store.write() as connection:
                connection.exec_driver_sql(statement)
        _settle(store, tables)


def _drop_indexes(store: Store, tables: Sequence[str]) -> list[str]:
    """The statements that make them again."""
    found: list[str] = []
    with store.write() as connection:
        for table in tables:
            if connection.dialect.name == "sqlite":
                query = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}' AND sql IS NOT NULL"
            else:
                query = (f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table}' AND schemaname = current_schema() "
                         "AND indexname NOT IN (SELECT conname FROM pg_constraint)")  # fmt: skip
            for name, statement in connection.exec_driver_sql(query).fetchall():
                connection.exec_driver_sql(f'DROP INDEX "{name}"')
                found.append(statement)
    return found


def _settle(store: Store, tables: Sequence[str]) -> None:
    if store.dialect == "sqlite":
        _pragmas(store, foreign_keys="ON", synchronous="FULL", temp_store="MEMORY")
    with store.write() as connection:
        if connection.dialect.name == "postgresql":
            for table in tables:
                if connection.exec_driver_sql(f"SELECT pg_get_serial_sequence('{table}', 'id') FROM information_schema.columns WHERE table_name = '{table}' "
                                              "AND column_name = 'id' AND table_schema = current_schema()").scalar():  # fmt: skip
                    connection.exec_driver_sql(
                        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 1)) FROM {table}"
                    )
        connection.exec_driver_sql("ANALYZE")


def _pragmas(store: Store, **wanted: str) -> None:
    with store.writer.connect() as connection:
        raw: Any = connection.connection.driver_connection
        for name, value in wanted.items():
            raw.execute(f"PRAGMA {name}={value}")
