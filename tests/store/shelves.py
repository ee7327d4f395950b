"""Builders for tests of the store: a project as a value, a store that stands, a few rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from stores import open_store

from omnicli.campaignfile import load_project
from omnicli.model.ids import contact_uid
from omnicli.model.project import Project
from omnicli.store import tables as tb
from omnicli.store.connection import Store
from omnicli.store.preparing import prepare

NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)
MS = 1798885800000


def a_project(
    root: Path,
    *,
    name: str = "boutique",
    attributes: str = "city: text",
    events: str = "purchase: {value: money EUR, place: code}",
) -> Project:
    text = f"project: {name}\nlanguages: [fr]\ntime_zone: Europe/Paris\nchannels: {{email: {{provider: smtp}}}}\n"
    text += f"contacts: {{attributes: {{{attributes}}}}}\nevents: {{{events}}}\n"
    root.mkdir(parents=True, exist_ok=True)
    (root / "omni.yaml").write_text(text, encoding="utf-8")
    loaded = load_project(root)
    assert loaded.project is not None, loaded.findings
    return loaded.project


def a_store(root: Path, project: Project) -> Store:
    store = open_store(root)
    prepare(store, project)
    return store


def sqlite_only(reason: str) -> pytest.MarkDecorator:
    """This test is about SQLite itself."""
    return pytest.mark.sqlite_only(reason=reason)


def a_contact(store: Store, number: int = 1, **values: Any) -> int:
    name = f"c{number}"
    row = {"id": number, "uid": contact_uid("boutique", name), "source_id": name, "created_at": MS, "changed_at": MS, **values}
    with store.write() as connection:
        connection.execute(tb.contact.insert().values(**row))
    return number


def a_touch(store: Store, *, state: str = "planned", **values: Any) -> None:
    """Contact 1 in a campaign with one touch."""
    a_contact(store)
    with store.write() as connection:
        connection.execute(tb.campaign.insert().values(id=1, name="noel", state="running"))
        connection.execute(tb.campaign_version.insert().values(id=1, campaign_id=1, number=1, hash="h", tree="{}", applied_at=MS))
        connection.execute(tb.enrollment.insert().values(
            {"id": 1, "key": b"k", "contact_id": 1, "campaign_id": 1, "version_id": 1, "pass": 1, "entered_at": MS, "language": "fr", "since": MS,
             "state": "open"}))  # fmt: skip
        connection.execute(tb.touch.insert().values(
            id=1, touch_key=b"t", contact_id=1, enrollment_id=1, version_id=1, step="j0", message="m", channel="email", purpose="marketing",
            priority=5, due_at=MS, expires_at=MS, send_state=state, created_at=MS, **values))  # fmt: skip
