"""A store filled without the import: contacts, addresses, consents, events and passes by bulk statements, as omni stores them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.ground import person
from omnicli import clock
from omnicli.model import ids
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.text import fold

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

NOW = clock.read_instant("2027-01-05 10:00", "Europe/Paris")
BATCH = 5000


def _raw(connection: Any) -> sqlite3.Connection:
    raw: sqlite3.Connection = connection.connection.driver_connection
    return raw


def fill_contacts(store: Store, count: int) -> None:
    """`count` people of the invented base, reachable by e-mail where they consented."""
    yes, no = write_reach({"email": ChannelReach(True, True)}), write_reach({"email": ChannelReach(True, False)})
    ms = clock.to_ms(NOW - timedelta(days=30))

    def rows(start: int, end: int) -> Iterator[tuple[Any, ...]]:
        for n in range(start, end):
            p = person(n)
            yield (
                n, ids.contact_uid("bench", p[0]), p[0], p[6], p[4], p[5] or None, ms, ms, yes if p[13] == "yes" else no, p[1] or None,
                fold(p[1]) or None, p[2], fold(p[2]), p[7], fold(p[7]), float(p[8]), float(p[9]) if p[9] else None, float(p[10]), p[11], p[11],
                1 if p[12] == "yes" else 0,
            )  # fmt: skip

    columns = ("id, uid, source_id, language, country, time_zone, created_at, changed_at, reach, a_first_name, f_first_name, a_last_name, "
               "f_last_name, a_city, f_city, a_orders, a_income, a_recency, a_source, f_source, a_vip")  # fmt: skip
    for start in range(1, count + 1, BATCH):
        end = min(start + BATCH, count + 1)
        with store.write() as connection:
            raw = _raw(connection)
            raw.executemany(f"INSERT INTO contact ({columns}) VALUES ({','.join('?' * 21)})", rows(start, end))
            raw.executemany(
                "INSERT INTO address (contact_id, channel, value, norm, hmac) VALUES (?, 'email', ?, ?, ?)",
                ((n, f"p{n}@example.com", f"p{n}@example.com", ids.digest("bench", str(n))[:16]) for n in range(start, end)),
            )
            raw.executemany(
                "INSERT INTO consent (contact_id, channel, purpose, granted, at, source) VALUES (?, 'email', 'marketing', ?, ?, 'bench')",
                ((n, int(n % 50 != 0), ms) for n in range(start, end)),
            )


def fill_events(store: Store, contacts: int, each: int) -> None:
    """`each` events for every contact over 180 days: signups, purchases, clicks."""
    names = ("purchase", "clicked", "purchase", "signup", "clicked")
    end = clock.to_ms(NOW)

    def rows(start: int, stop: int) -> Iterator[tuple[Any, ...]]:
        for n in range(start, stop):
            for k in range(each):
                name = names[(n + k) % 5]
                at = end - ((n * 7919 + k * 104729) % 180) * 86_400_000 - (n * 31 + k) % 86_400_000
                yield (
                    n,
                    name,
                    at,
                    at,
                    (n * 13 + k) % 20000 if name == "purchase" else None,
                    "bougies" if name == "purchase" else None,
                )

    for start in range(1, contacts + 1, BATCH):
        stop = min(start + BATCH, contacts + 1)
        with store.write() as connection:
            _raw(connection).executemany(
                "INSERT INTO event (contact_id, name, at, received_at, p_value, p_category) VALUES (?,?,?,?,?,?)",
                rows(start, stop),
            )
    with store.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def fill_passes(store: Store, contacts: int, *, campaign: int, version: int, due: int, step: str, now: datetime = NOW) -> None:
    """One open pass a contact, standing at `step`; the first `due` of every 10 are due at `now`, the others in two days."""
    ms = clock.to_ms(now)
    late = ms + 2 * 86_400_000

    def rows(start: int, stop: int) -> Iterator[tuple[Any, ...]]:
        for n in range(start, stop):
            uid = ids.contact_uid("bench", f"P{n:07d}")
            at = ms if n % 10 < due else late
            yield (ids.enrollment_key("bench", "bench", uid, 1), n, campaign, version, ms - 3 * 86_400_000, "fr", "default", 0, step,
                   ms - 3 * 86_400_000, ms - 3 * 86_400_000, at, at, "open")  # fmt: skip

    for start in range(1, contacts + 1, BATCH):
        stop = min(start + BATCH, contacts + 1)
        with store.write() as connection:
            _raw(connection).executemany(
                "INSERT INTO enrollment (key, contact_id, campaign_id, version_id, pass, entered_at, language, persona, held_out, step, since, "
                "wait_from, wait_until, due_at, state) VALUES (?,?,?,?,1,?,?,?,?,?,?,?,?,?,?)",
                rows(start, stop),
            )
    with store.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def fill_touches(store: Store) -> None:
    """For every pass the accepted e-mail that brought it where it stands: what an idle tick must not look at."""
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO touch (touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, "
            "send_state, attempts, cost, created_at, settled_at) SELECT key, contact_id, id, version_id, 'j0', 'offre', 'email', 'marketing', 5, "
            "entered_at, entered_at + 172800000, 'accepted', 1, 1000, entered_at, entered_at FROM enrollment"
        )
        connection.exec_driver_sql("ANALYZE")


def stand(store: Store, loaded: Loaded, contacts: int, *, due: int, step: str, also: Sequence[str] = ()) -> None:
    """The campaign `bench` (and those of `also`) started, with `contacts` people in it who stand at `step`: see `fill_passes`."""
    from omnicli.campaigns.life import start
    from omnicli.store import campaigns

    for name in ("bench", *also):
        start(store, loaded, name, now=NOW)
    fill_contacts(store, contacts)
    with store.read() as connection:
        row = campaigns.find(connection, "bench")
    assert row is not None
    fill_passes(store, contacts, campaign=row.id, version=row.version_id or 1, due=due, step=step)
