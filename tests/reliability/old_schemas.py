"""A store with the tables of any release and rows in them, and the hash of everything that stood there; `upgrade` is what a child process runs."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from omnicli.campaignfile import load_project
from omnicli.model.project import Project
from omnicli.store import migrations, preparing, triggers
from omnicli.store.connection import Store
from omnicli.store.inbox import event_hash

MS = 1_799_100_000_000
CHUNK = 5000
#: What migrations do to tables and rows; triggers are none of their business.
_CHANGES = re.compile(r"(CREATE|ALTER|DROP) (TABLE|INDEX|UNIQUE INDEX)|INSERT|UPDATE")
OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp}}
contacts: {attributes: {first_name: text, orders: number}}
events: {purchase: {value: money EUR}}
"""
Columns = Mapping[str, Sequence[str]]


def a_project(folder: Path) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "omni.yaml").write_text(OMNI)
    found = load_project(folder).project
    assert found is not None
    return found


def a_store_of(store: Store, version: str, rows: int) -> None:
    """The tables of that release, the triggers that it had for them, and `rows` people with a message each."""
    with store.rebuild() as connection:
        migrations.upgrade(connection, version)
    with store.write() as connection:
        old = sa.MetaData()
        old.reflect(connection)
        for first in range(1, rows + 1, CHUNK):
            for table, many in _rows(first, min(first + CHUNK, rows + 1)):
                if many:
                    connection.execute(sa.insert(old.tables[_named(old, table)]), many)
        _guarded(connection)


def _named(old: sa.MetaData, table: str) -> str:
    return next(key for key in old.tables if key.rpartition(".")[2] == table)


def _guarded(connection: sa.Connection) -> None:
    """History could not be taken away before, either."""
    for name, (table, action, condition, message) in triggers.triggers().items():
        if action == "DELETE":
            for statement in triggers._statements(connection.dialect.name, name, table, action, condition, message):
                connection.exec_driver_sql(statement)


def _rows(first: int, stop: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Only columns that the first release had."""
    if first == 1:
        yield "setting", [{"key": "project", "value": "maison"}, {"key": "clock", "value": str(MS)}]
        yield "instance", [{"id": "i" * 32, "epoch": 1, "serial": 7}]
        yield "campaign", [{"id": 1, "name": "bienvenue", "state": "running", "version_id": 1, "started_at": MS, "since": MS}]
        yield "campaign_version", [{"id": 1, "campaign_id": 1, "number": 1, "hash": "h", "tree": "{}", "applied_at": MS}]
        yield "handover", [{"id": 1, "provider": "smtp", "account": "a", "size": stop - first, "started_at": MS, "outcome": "accepted"}]  # fmt: skip
    numbers = range(first, stop)

    def blob(kind: str, n: int) -> bytes:
        return hashlib.sha256(f"{kind} {n}".encode()).digest()[:16]

    yield "contact", [{"id": n, "uid": blob("uid", n), "source_id": f"c{n}", "language": "fr", "created_at": MS - n, "changed_at": MS, "reach": '{"email": [1, 1]}'} for n in numbers]  # fmt: skip
    yield "address", [{"contact_id": n, "channel": "email", "value": f"É{n}@example.com", "norm": f"é{n}@example.com", "hmac": blob("mac", n)} for n in numbers]  # fmt: skip
    yield (
        "consent",
        [{"contact_id": n, "channel": "email", "purpose": "marketing", "granted": n % 7 and 1, "at": MS} for n in numbers],
    )
    yield "consent_log", [{"contact_id": n, "channel": "email", "purpose": "marketing", "state": "granted", "at": MS, "recorded_at": MS} for n in numbers]  # fmt: skip
    yield "suppression", [{"channel": "email", "norm_hmac": blob("mac", n), "scope": "all", "reason": "bounced", "at": MS} for n in numbers if n % 10 == 0]  # fmt: skip
    yield "event", [{"contact_id": n, "name": "purchase", "at": MS - n, "received_at": MS, "payload": f'{{"value": "{n}.50 EUR"}}'} for n in numbers]  # fmt: skip
    yield "inbox", [{"provider": "smtp", "dedup_key": blob("in", n), "provider_event_id": f"e{n}", "raw": b"\x00{}", "received_at": MS - n} for n in numbers if n % 5 == 0]  # fmt: skip
    yield "enrollment", [{"id": n, "key": blob("pass", n), "contact_id": n, "campaign_id": 1, "version_id": 1, "pass": 1, "entered_at": MS, "language": "fr",
                          "step": "j0", "since": MS, "due_at": MS + n, "state": "open"} for n in numbers]  # fmt: skip
    yield "decision", [{"enrollment_id": n, "at": MS, "step": "j0", "kind": "send"} for n in numbers]
    yield "touch", [{"id": n, "touch_key": blob("touch", n), "contact_id": n, "enrollment_id": n, "version_id": 1, "step": "j0", "message": "offre",
                     "channel": "email", "purpose": "marketing", "priority": 5, "due_at": MS, "expires_at": MS + 1, **_state(n)} for n in numbers]  # fmt: skip
    yield "attempt", [{"touch_id": n, "n": 1, "handover_id": 1, "fence": 1, "outcome": "accepted", "provider_ref": f"r{n}", "address_hash": blob("mac", n),
                       "body_sha256": blob("body", n), "started_at": MS} for n in numbers if n % 3]  # fmt: skip
    yield "evidence", [{"touch_id": n, "n": 1, "source": "smtp", "kind": "delivered", "at": MS} for n in numbers if n % 9 == 0]


def _state(n: int) -> dict[str, Any]:
    return {"send_state": "accepted" if n % 3 else "planned", "created_at": MS, "attempts": 1, "fence": 1}


def columns_of(store: Store) -> Columns:
    """What stands there now: table → columns."""
    with store.read() as connection:
        found = sa.inspect(connection)
        return {name: [column["name"] for column in found.get_columns(name)] for name in sorted(found.get_table_names()) if name not in ("alembic_version", "touch_move")}  # fmt: skip


def digest(store: Store, columns: Columns) -> dict[str, str]:
    """table → the hash of the rows of these columns, in an order that no rebuild changes; a provider's id, which stands whole in releases
    before 0007, as its hash."""
    found = {}
    with store.read() as connection:
        whole = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()) < "0007"
        for table, names in columns.items():
            listed = ", ".join(f'"{name}"' for name in names)
            rows = connection.exec_driver_sql(f'SELECT {listed} FROM "{table}"').mappings().all()
            if table == "inbox" and whole:
                rows = [{**row, "provider_event_id": event_hash(row["provider"], row["provider_event_id"])} for row in rows]
            found[table] = hashlib.sha256("\n".join(sorted(repr(tuple(row.values())) for row in rows)).encode()).hexdigest()
    return found


def upgrade(folder: str, url: str, killed_in: str = "", at: str = "") -> None:
    """In a process of its own. `killed_in`: it dies in that migration, behind its `first` change or `last`, before its number is written."""
    if killed_in:
        _die_in(killed_in, at)
    project = a_project(Path(folder))
    store = Store.postgresql(url, schema="omni_sandbox", beside=Path(folder) / "sandbox.db") if url else Store.sqlite(Path(folder) / "sandbox.db")  # fmt: skip
    preparing.prepare(store, project)
    store.close()


def _die_in(version: str, at: str) -> None:
    before = migrations.KNOWN[migrations.KNOWN.index(version) - 1]
    inside = before == migrations.KNOWN[0]  # where it stands already

    @sa.event.listens_for(sa.Engine, "after_cursor_execute")
    def _after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal inside
        if inside and at == "first" and _CHANGES.match(statement.lstrip()):
            os.kill(os.getpid(), signal.SIGKILL)
        inside = inside or f"SET version_num='{before}'" in statement

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def _before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if at == "last" and f"SET version_num='{version}'" in statement:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    upgrade(sys.argv[1], sys.argv[2])
