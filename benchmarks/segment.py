"""Eight conditions over N contacts and 5N events against the best hand-written SQL for each, in turn, medians of three."""

from __future__ import annotations

import statistics
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from benchmarks.base import NOW, fill_contacts, fill_events
from benchmarks.ground import Watch, peak_mb, project
from omnicli import clock
from omnicli.store import audience

ZONE = ZoneInfo("Europe/Paris")


def _cases() -> list[tuple[str, str]]:
    ms = clock.to_ms(NOW)
    d30, d90 = (
        clock.to_ms((NOW.astimezone(ZONE) - timedelta(days=days)).astimezone(UTC)) for days in (30, 90)
    )  # days of the calendar
    return [
        ("orders = 0", "SELECT count(*) FROM contact WHERE a_orders = 0"),
        ("income >= 50000 and vip", "SELECT count(*) FROM contact WHERE a_income >= 50000 AND a_vip = 1"),
        ("city = orleans", "SELECT count(*) FROM contact WHERE f_city = 'orleans'"),
        ("city = orleans and source in (instagram, google)", "SELECT count(*) FROM contact WHERE f_city = 'orleans' AND a_source IN ('instagram','google')"),
        ("purchase within 30 days",
         f"SELECT count(*) FROM contact WHERE id IN (SELECT contact_id FROM event WHERE name='purchase' AND at >= {d30} AND at <= {ms} AND machine=0 GROUP BY contact_id)"),
        ("vip and clicked within 30 days",
         f"SELECT count(*) FROM contact WHERE a_vip = 1 AND EXISTS (SELECT 1 FROM event WHERE contact_id = contact.id AND name='clicked' AND at >= {d30} AND at <= {ms} AND machine=0)"),
        ("city = orleans and sum(purchase.value, 90 days) > 100 EUR",
         f"SELECT count(*) FROM contact WHERE f_city='orleans' AND (SELECT sum(p_value) FROM event WHERE contact_id=contact.id AND name='purchase' AND at >= {d90} AND at <= {ms} AND machine=0) > 10000"),
        ("vip and not purchase within 90 days",
         f"SELECT count(*) FROM contact WHERE a_vip = 1 AND NOT EXISTS (SELECT 1 FROM event WHERE contact_id=contact.id AND name='purchase' AND at >= {d90} AND at <= {ms} AND machine=0)"),
    ]  # fmt: skip


def measure(contacts: int) -> dict[str, Any]:
    from omnicli.app import open_project, open_store
    from omnicli.condition.sql import Compiler
    from omnicli.model.vocabulary import vocabulary

    with project() as root:
        loaded = open_project(root)
        assert loaded.project is not None
        store = open_store(loaded, live=False)
        fill_contacts(store, contacts)
        fill_events(store, contacts, 5)
        with store.read() as connection:
            known = vocabulary(loaded.project)
            rows = [_row(connection, Compiler(known), text, hand) for text, hand in _cases()]
        store.close()
    total = sum(r["omni_ms"] for r in rows) / sum(r["floor_ms"] for r in rows)
    return {
        "goal": "≤ 1.2 of hand-written SQL", "contacts": contacts, "events": contacts * 5, "ratio": round(total, 2),
        "worst": max(r["ratio"] for r in rows), "all_agree": all(r["agrees"] for r in rows), "conditions": rows, "peak_mb": peak_mb(),
    }  # fmt: skip


def _row(connection: Any, compiler: Any, text: str, hand: str) -> dict[str, Any]:
    """Both ways, in turn; the medians of five. omni's form is chosen by a sample, as `omni segment count` does, once."""
    narrowing = compiler.narrowing(text)
    with Watch() as choice:
        form = audience.form_of(connection, narrowing, compiler.parameters(NOW))
    asked = sa.select(sa.func.count()).select_from(compiler.selection(text, form=form).subquery())
    bound = compiler.parameters(NOW)
    ours, theirs = [], []
    for _ in range(5):
        with Watch() as watch:
            mine = connection.execute(asked, bound).scalar_one()
        ours.append(watch.seconds * 1000)
        with Watch() as watch:
            right = connection.exec_driver_sql(hand).scalar_one()
        theirs.append(watch.seconds * 1000)
    a, b = statistics.median(ours), statistics.median(theirs)
    return {"condition": text, "count": mine, "by_hand": right, "agrees": mine == right, "omni_ms": round(a, 2), "floor_ms": round(b, 2), "form": form, "choosing_ms": round(choice.seconds * 1000, 2),
            "ratio": round(a / b, 2)}  # fmt: skip
