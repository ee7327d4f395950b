"""Builders: a small project on disk, its store, and files of people."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stores import prepared_store

from omnicli.campaignfile import Loaded, load_project
from omnicli.people.imports import ImportReport, import_contacts
from omnicli.people.mapping import ImportMap, guess_mapping, read_map
from omnicli.people.sheet import open_sheet
from omnicli.store.connection import Store

NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)
SHARED = Path(__file__).parents[2].parent / "shared" / "data"

PROJECT = """
project: boutique
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
channels:
  email: {provider: smtp, price: 0.001 EUR}
  sms: {provider: twilio, price: 0.05 EUR}
  whatsapp: {provider: twilio, price: 0.08 EUR}
  push: {provider: webpush}
  letter: {provider: file, price: 1.40 EUR}
contacts:
  attributes:
    first_name: text
    last_name: text
    city: text
    orders: {type: number, default: 0}
    spend: money EUR
    vip: yes or no
    birth_date: date
    birth_month: number
    source: [instagram, google]
    interests: list
events:
  purchase: {value: money EUR, place: code, items: number}
  visit: {place: code}
sla:
  complaint: {first_response: 1 day, resolve: 5 days}
segments:
  acheteurs: purchase
"""


def a_shop(root: Path, project: str = PROJECT) -> tuple[Store, Loaded]:
    """The project in `root` and its sandbox store."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "omni.yaml").write_text(project, encoding="utf-8")
    (root / "campaigns").mkdir(exist_ok=True)
    loaded = load_project(root)
    assert loaded.project is not None, loaded.findings
    (root / ".omni").mkdir(exist_ok=True)
    return prepared_store(root / ".omni", loaded.project), loaded


def a_file(root: Path, text: str | bytes, name: str = "people.csv") -> Path:
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def a_map(loaded: Loaded, text: str) -> ImportMap:
    path = loaded.root / "the.map.yaml"
    path.write_text(text, encoding="utf-8")
    assert loaded.project is not None
    return read_map(path, loaded.project)


def brought(store: Store, loaded: Loaded, file: Path, mapping: str | None = None, **options: object) -> ImportReport:
    assert loaded.project is not None
    given = a_map(loaded, mapping) if mapping else guess_mapping(open_sheet(file).header, loaded.project)
    return import_contacts(store, loaded, file, mapping=given, now=NOW, **options)  # type: ignore[arg-type]


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]
