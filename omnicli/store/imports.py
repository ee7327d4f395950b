"""The verbs of an import: jobs that resume, look-ups a chunk at a time, bulk inserts and updates of people.

Everything works on one chunk (5,000 rows) in one transaction; statements are prepared once and executed many times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from omnicli.store import tables
from omnicli.text import nul_shown

job, row_of = tables.import_job, tables.import_row
contact, address, suppression = tables.contact, tables.address, tables.suppression
#: Rows a statement: at 200 columns still below SQLite's 32,766 parameters.
BLOCK = 50


@dataclass(frozen=True, slots=True)
class Job:
    """An import that began: `rows_done` rows are committed; `report` counts them."""

    id: int
    rows_done: int
    finished: bool
    report: dict[str, Any]


def begin(connection: sa.Connection, *, kind: str, fingerprint: str, file: str, now: int) -> Job:
    """The job of this fingerprint: a new one, the one that was interrupted, or the finished one begun again."""
    found = connection.execute(sa.select(job).where(job.c.fingerprint == fingerprint)).first()
    if found is None:
        made = connection.execute(
            sa.insert(job).values(kind=kind, fingerprint=fingerprint, file=file, started_at=now, rows_done=0)
        )
        key = made.inserted_primary_key
        assert key is not None
        return Job(int(key[0]), 0, False, {})
    if found.finished_at is None:
        return Job(found.id, found.rows_done, False, json.loads(found.report or "{}"))
    connection.execute(sa.delete(row_of).where(row_of.c.import_id == found.id))
    connection.execute(
        sa.update(job).where(job.c.id == found.id).values(file=file, started_at=now, rows_done=0, finished_at=None, report=None)
    )
    return Job(found.id, 0, True, {})


def advance(
    connection: sa.Connection, job_id: int, *, rows_done: int, report: Mapping[str, Any], finished: int | None = None
) -> None:
    connection.execute(
        sa.update(job).where(job.c.id == job_id).values(rows_done=rows_done, report=json.dumps(report), finished_at=finished)
    )


def started(connection: sa.Connection, job_id: int) -> int:
    """When it began, before any interruption: no row of it was written with an older instant."""
    return int(connection.scalar(sa.select(job.c.started_at).where(job.c.id == job_id)) or 0)


def note(connection: sa.Connection, job_id: int, findings: Sequence[tuple[Any, ...]]) -> None:
    """Rows of `import_row`: (row_no, seq, line, contact, column, value, kind, outcome, reason, became, same_as_row). The character NUL,
    which no text of PostgreSQL can hold, is shown as ␀."""
    columns = (
        "import_id",
        "row_no",
        "seq",
        "line",
        "contact",
        "column",
        "value",
        "kind",
        "outcome",
        "reason",
        "became",
        "same_as_row",
    )
    insert(connection, "import_row", columns, [(job_id, *map(nul_shown, finding)) for finding in findings])


def findings(connection: sa.Connection, job_id: int, *, limit: int) -> list[dict[str, Any]]:
    query = sa.select(row_of).where(row_of.c.import_id == job_id).order_by(row_of.c.row_no, row_of.c.seq).limit(limit)
    return [dict(row._mapping) for row in connection.execute(query)]


# --- bulk -----------------------------------------------------------------------------------------------------------
def insert(connection: sa.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert plain tuples through the driver's executemany."""
    given = rows if isinstance(rows, list) else list(rows)
    if given:
        quote = connection.dialect.identifier_preparer.quote
        mark = _mark(connection)
        names = ", ".join(quote(column) for column in columns)
        connection.exec_driver_sql(f"INSERT INTO {quote(table)} ({names}) VALUES ({', '.join([mark] * len(columns))})", given)


def insert_columns(connection: sa.Connection, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows given column by column, all of one length: `BLOCK` rows a statement in SQLite, which halves what the driver
    costs, and one COPY in PostgreSQL."""
    size = len(next(iter(columns.values())))
    if not size:
        return
    quote = connection.dialect.identifier_preparer.quote
    head = f"{quote(table)} ({', '.join(map(quote, columns))})"
    if connection.dialect.name == "postgresql":
        _copy(connection, head, zip(*columns.values(), strict=True))
        if "id" in columns:  # whoever leaves the number to the server goes on behind these
            connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (table, max(columns["id"])))
        return
    width = len(columns)
    cells: list[Any] = [None] * (size * width)
    for place, values in enumerate(columns.values()):
        cells[place::width] = values
    whole, block = size - size % BLOCK, BLOCK * width
    if whole:
        many = [tuple(cells[start : start + block]) for start in range(0, whole * width, block)]
        connection.exec_driver_sql(_block(head, width, BLOCK), many)
    if whole < size:
        connection.exec_driver_sql(_block(head, width, size - whole), tuple(cells[whole * width :]))


@lru_cache(maxsize=256)
def _block(head: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"INSERT INTO {head} VALUES {', '.join([row] * rows)}"


def _copy(connection: sa.Connection, head: str, rows: Iterable[tuple[Any, ...]]) -> None:
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY {head} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def update(connection: sa.Connection, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    """Set the columns of rows by id: each tuple is the values in order, the id last."""
    if rows:
        quote = connection.dialect.identifier_preparer.quote
        mark = _mark(connection)
        sets = ", ".join(f"{quote(column)} = {mark}" for column in columns)
        connection.exec_driver_sql(f"UPDATE {quote(table)} SET {sets} WHERE id = {mark}", rows)


def _mark(connection: sa.Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def _among(connection: sa.Connection, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """`column IN values` by one bound parameter in SQLite, so that the statement is compiled once."""
    if connection.dialect.name != "sqlite":
        return column.in_(values)
    each = sa.func.json_each(sa.bindparam(None, json.dumps(values))).table_valued("value")
    return column.in_(sa.select(each.c.value))


def alone(connection: sa.Connection) -> None:
    """No other import writes until this transaction ends: new people are numbered from the highest number on. In SQLite nobody
    else writes anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('omni import ' || current_schema()))")


# --- look-ups -------------------------------------------------------------------------------------------------------
def next_id(connection: sa.Connection) -> int:
    """The number that the next new contact gets. On PostgreSQL two imports that number people wait for one another."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(to_regclass('contact')::oid::int, 1)")
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(contact.c.id), 0))).scalar_one()) + 1


def by_source_id(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    query = sa.select(contact.c.source_id, contact.c.id).where(_among(connection, contact.c.source_id, ids))
    return {row[0]: row[1] for row in connection.execute(query).all()}


def by_address(connection: sa.Connection, channel: str, norms: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """norm → (contact id, value) of those who have it, lowest id first."""
    query = sa.select(address.c.norm, address.c.contact_id, address.c.value)
    query = query.where(address.c.channel == channel, _among(connection, address.c.norm, norms)).order_by(address.c.contact_id)
    found: dict[str, list[tuple[int, str]]] = {}
    for norm, contact_id, value in connection.execute(query).all():
        found.setdefault(norm, []).append((contact_id, value))
    return found


def any_bar(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(suppression.c.channel).limit(1)).first() is not None


def bars(connection: sa.Connection, marks: Sequence[bytes]) -> dict[bytes, set[str]]:
    """fingerprint → the reasons of the bars on it."""
    found: dict[bytes, set[str]] = {}
    for start in range(0, len(marks), 900):
        query = sa.select(suppression.c.norm_hmac, suppression.c.reason).where(
            suppression.c.norm_hmac.in_(marks[start : start + 900])
        )
        for mark, reason in connection.execute(query):
            found.setdefault(mark, set()).add(reason)
    return found


def people(connection: sa.Connection, contact_ids: Sequence[int], columns: Sequence[str]) -> dict[int, tuple[Any, ...]]:
    """contact id → the values of these columns."""
    chosen: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ("id", *columns)]
    query = sa.select(*chosen).select_from(contact).where(_among(connection, contact.c.id, list(contact_ids)))
    return {row[0]: tuple(row[1:]) for row in connection.execute(query).all()}


def addresses(connection: sa.Connection, contact_ids: Sequence[int]) -> dict[tuple[int, str], tuple[str, str]]:
    """(contact id, channel) → (value, norm)."""
    query = sa.select(address.c.contact_id, address.c.channel, address.c.value, address.c.norm)
    query = query.where(_among(connection, address.c.contact_id, list(contact_ids)))
    return {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(query).all()}


def permissions(connection: sa.Connection, contact_ids: Sequence[int]) -> dict[tuple[int, str], tuple[int, int]]:
    """(contact id, channel) → (granted, since) of what stands for marketing."""
    c = tables.consent.c
    query = sa.select(c.contact_id, c.channel, c.granted, c.at).where(c.purpose == "marketing")
    query = query.where(_among(connection, c.contact_id, list(contact_ids)))
    return {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(query).all()}


def put_addresses(connection: sa.Connection, rows: list[tuple[int, str, str, str, bytes]]) -> None:
    """Write or replace (contact id, channel, value, norm, fingerprint); another norm is no longer bad."""
    mark = _mark(connection)
    if rows:
        connection.exec_driver_sql(
            f"INSERT INTO address (contact_id, channel, value, norm, hmac) VALUES ({', '.join([mark] * 5)}) "
            "ON CONFLICT (contact_id, channel) DO UPDATE SET bad = CASE WHEN address.norm = excluded.norm THEN address.bad END, "
            "value = excluded.value, norm = excluded.norm, hmac = excluded.hmac", rows)  # fmt: skip


def log_new_consents(connection: sa.Connection, first: int, last: int, now: int) -> None:
    """Append what stands for the new contacts first…last to the log."""
    connection.execute(sa.text(
        "INSERT INTO consent_log (contact_id, channel, purpose, state, at, until, source, recorded_at) "
        "SELECT contact_id, channel, purpose, CASE granted WHEN 1 THEN 'granted' ELSE 'denied' END, at, until, source, :now "
        "FROM consent WHERE contact_id BETWEEN :first AND :last ORDER BY contact_id, channel"
    ), {"now": now, "first": first, "last": last})  # fmt: skip
