"""Two stores for tests of carrying: a small base that has lived a little on SQLite, and databases of a real PostgreSQL."""

from __future__ import annotations

import atexit
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import postgres_server
import sqlalchemy as sa

from omnicli.model import ids
from omnicli.model.project import Project
from omnicli.store import consents, triggers
from omnicli.store import tables as tb
from omnicli.store.carrying.rows import Row, pages
from omnicli.store.carrying.shape import OWN, shapes
from omnicli.store.connection import Store
from omnicli.store.preparing import prepare

MS = 1798885800000
PEOPLE = 60
_count = itertools.count(1)
atexit.register(postgres_server.stop)


@contextmanager
def a_database(template: str = "template0") -> Iterator[str]:
    """The address of a database, empty or like another one, which is dropped at the end."""
    name = f"omni_p2_{os.getpid()}_{next(_count)}"
    postgres_server.command(f"CREATE DATABASE {name} TEMPLATE {template} LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'")
    try:
        yield postgres_server.address(name)
    finally:
        postgres_server.command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def on_postgresql(url: str, folder: Path, *, live: bool = False) -> Store:
    schema, name = ("omni_live", "live.db") if live else ("omni_sandbox", "sandbox.db")
    if folder.parent.exists() and folder.parent != Path("/"):
        folder.mkdir(exist_ok=True)
    return Store.postgresql(url, schema=schema, live=live, beside=folder / name)


def lived(store: Store, project: Project, people: int = PEOPLE) -> Store:
    """People with addresses, consents and bars, events with free words, passes, touches in every kind of state, a letter as it was sent."""
    prepare(store, project)
    key = consents.pepper(store, project.project)
    with store.write() as connection:
        triggers.drop(connection)
        for n in range(1, people + 1):
            _person(connection, key, n)
        connection.execute(tb.campaign.insert().values(id=7, name="noel", state="running", version_id=3))
        connection.execute(
            tb.campaign_version.insert().values(id=3, campaign_id=7, number=1, hash="h", tree='{"é": 1}', applied_at=MS)
        )
        for n in range(1, people + 1):
            _pass(connection, key, n)
        bar = consents.fingerprint(key, "email", _mail(2))
        for print_ in (bar, b"a stranger's mark"[:16]):
            connection.execute(
                tb.suppression.insert().values(channel="email", norm_hmac=print_, scope="all", reason="stop", at=MS)
            )
        connection.execute(tb.audit.insert().values(id=1, at=MS, who="ines", what="erase", detail=_mail(5)))
        connection.execute(tb.inbox.insert().values(provider="sendgrid", dedup_key=b"k", raw=_mail(4).encode(), received_at=MS))
        triggers.create(connection)
    return store


def _mail(n: int) -> str:
    return f"anne.martin{n}@boutique.example"


def _person(connection: sa.Connection, key: bytes, n: int) -> None:
    name = f"crm-{n}"
    city = "Lyon" if n % 2 else f"Hameau {n}"
    connection.execute(
        tb.contact.insert().values(
            id=n, uid=ids.contact_uid("boutique", name), source_id=name, language="fr", country="FR", created_at=MS, changed_at=MS
        )
    )
    connection.execute(
        sa.text("UPDATE contact SET a_city = :c, f_city = :f, a_first_name = :n, f_first_name = :m, a_tier = :t, f_tier = :t, a_points = :p WHERE id = :id"),
        {"id": n, "c": city, "f": city.lower(), "n": "Anne-Sophie", "m": "anne-sophie", "t": "gold" if n % 3 else "silver", "p": n * 1.5},
    )  # fmt: skip
    for channel, value in (("email", _mail(n)), ("sms", f"+336399800{n % 30:02d}"), ("whatsapp", f"+336399800{n % 30:02d}")):
        connection.execute(
            tb.address.insert().values(
                contact_id=n, channel=channel, value=value, norm=value, hmac=consents.fingerprint(key, channel, value)
            )
        )
    connection.execute(tb.consent_log.insert().values(
        id=n, contact_id=n, channel="email", purpose="marketing", state="granted", at=MS, source="form", proof=f"ip 198.51.100.{n}", recorded_at=MS))  # fmt: skip
    payload = json.dumps({"place": "boutique-1" if n % 2 else f"chez Anne {n}", "value": n}, ensure_ascii=False)
    connection.execute(tb.event.insert().values(id=n, contact_id=n, name="purchase", at=MS, payload=payload, received_at=MS))
    connection.execute(sa.text("UPDATE event SET p_place = :p, p_value = :v WHERE id = :id"),
                       {"id": n, "p": json.loads(payload)["place"], "v": n * 100})  # fmt: skip


#: What becomes of a touch, by its number: state, and what goes with it.
STATES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("planned", {}), ("claimed", {"lease_by": "w", "lease_until": MS}), ("sending", {"lease_by": "w", "lease_until": MS}),
    ("accepted", {"settled_at": MS}), ("skipped", {"reason": "cap", "settled_at": MS}), ("unknown", {}),
)  # fmt: skip


def _pass(connection: sa.Connection, key: bytes, n: int) -> None:
    uid = ids.contact_uid("boutique", f"crm-{n}")
    connection.execute(tb.enrollment.insert().values(
        {"id": n, "key": ids.enrollment_key("boutique", "noel", uid, 1), "contact_id": n, "campaign_id": 7, "version_id": 3, "pass": 1, "entered_at": MS,
         "language": "fr", "since": MS, "state": "open", "told": json.dumps({"m": {"first_name": ["text", "Anne-Sophie"]}})}))  # fmt: skip
    state, more = STATES[n % len(STATES)]
    connection.execute(tb.touch.insert().values(
        id=n, touch_key=ids.touch_key("boutique", "noel", uid, 1, "j0", "email"), contact_id=n, enrollment_id=n, version_id=3, step="j0", message="m",
        channel="email", purpose="marketing", priority=5, due_at=MS, expires_at=MS, send_state=state, created_at=MS, facts='{"first_name": "Anne-Sophie"}', **more))  # fmt: skip
    if state in ("sending", "accepted", "unknown"):
        outcome = {"sending": "intent", "accepted": "accepted", "unknown": "unknown"}[state]
        connection.execute(
            tb.handover.insert().values(
                id=n, provider="smtp", account="a", size=1, started_at=MS, outcome="x", provider_ref=f"<{n}@mx.example>"
            )
        )
        connection.execute(tb.attempt.insert().values(
            touch_id=n, n=1, handover_id=n, fence=0, outcome=outcome, provider_ref=f"<{n}@mx.example>", address_hash=consents.fingerprint(key, "email", _mail(n)),
            body_sha256=bytes(range(32)), started_at=MS, detail=f"250 ok {_mail(n)}"))  # fmt: skip
        connection.execute(tb.skeleton.insert().values(id=n, hash=f"{n}", channel="email", parts=b"Bonjour \x00", created_at=MS))
        connection.execute(tb.rendering.insert().values(touch_id=n, skeleton_id=n, values=b"Anne-Sophie"))


def rows(store: Store) -> dict[str, list[Row]]:
    """Everything in the store's tables but what is its own."""
    with store.read() as connection:
        return {
            name: [row for page in pages(connection, shape) for row in page]
            for name, shape in sorted(shapes(connection).items())
            if name not in OWN
        }
