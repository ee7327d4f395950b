"""Nothing that anybody typed or is called passes a masked copy: a marker in every column of every table, looked for in the whole copy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from carrying_ground import MS, rows
from shelves import a_project

from omnicli.model.project import Project
from omnicli.store import consents, triggers
from omnicli.store.carrying.copy import Copied, copy
from omnicli.store.carrying.mask import Masked
from omnicli.store.carrying.shape import AT_WORK, OWN, shapes
from omnicli.store.connection import Store
from omnicli.store.preparing import prepare
from omnicli.store.tables import metadata

#: What stays as it is: names out of the project's own files, words of omni's closed lists, codes of providers; with the value it has here.
OPEN: dict[str, dict[str, str]] = {
    "contact": {"language": "fr", "country": "FR", "time_zone": "Europe/Paris", "preferred_channel": "email", "last_human_channel": "email", "a_tier": "gold", "f_tier": "gold"},
    "address": {"channel": "email"},
    "declared": {"owner": "contact", "name": "city", "kind": "text"},
    "consent": {"channel": "email", "purpose": "marketing"},
    "consent_log": {"channel": "email", "purpose": "marketing", "state": "granted"},
    "suppression": {"channel": "email", "scope": "all"},
    "suppression_log": {"channel": "email", "scope": "all", "state": "on"},
    "event": {"name": "purchase", "campaign": "noel", "message": "m", "step": "j0", "channel": "email"},
    "campaign": {"name": "noel", "state": "running", "pause_people": "hold"},
    "campaign_version": {"hash": "h", "tree": "{}"},
    "enrollment": {"language": "fr", "persona": "p", "step": "j0", "due_wall": "08:00", "due_zone": "Europe/Paris", "held_by": "cap", "state": "open",
                   "reason": "unsubscribed", "tried": "email"},
    "ground": {"hash": "h", "text": "project: boutique"},
    "decision": {"step": "j0", "kind": "send", "why": '[{"step":"j0","rule":"send","answer":"email"}]'},
    "touch": {"step": "j0", "message": "m", "channel": "email", "purpose": "marketing", "send_state": "planned", "reason": "cap", "delivery_state": "none",
              "flags": "", "held_by": "cap", "team": "shop", "task_kind": "call", "place": "lyon", "template": "email.mjml"},
    "handover": {"provider": "smtp", "outcome": "accepted"},
    "attempt": {"outcome": "waived", "code": "550"},
    "account": {"state": "closed"},
    "cap_slot": {"local_date": "2027-01-01", "rule": "all"},
    "occurrence": {"campaign": "noel", "schedule": "weekly", "local_date": "2027-01-01", "local_slot": "08:00"},
    "task": {"team": "shop", "kind": "call", "state": "open", "outcome": "done"},
    "inbox_case": {"kind": "complaint", "team": "shop", "state": "open", "outcome": "closed", "channel": "email"},
}  # fmt: skip
#: Columns that hold JSON.
NOTED = {
    ("contact", "reach"),
    ("event", "payload"),
    ("enrollment", "told"),
    ("touch", "facts"),
    ("contact", "a_likes"),
    ("contact", "f_likes"),
}
ATTRIBUTES = "city: text, first_name: text, tier: [gold, silver], points: number, birthday: date, likes: list, code: code, secret: {type: text, sensitive: true}"
EVENTS = "purchase: {value: money EUR, place: code, said: text}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return a_project(tmp_path_factory.mktemp("project"), attributes=ATTRIBUTES, events=EVENTS)


@pytest.fixture
def live(tmp_path: Path, project: Project) -> Store:
    """A live store with one row in every table, and a marker wherever a text can stand."""
    (tmp_path / "live").mkdir()
    store = Store.sqlite(tmp_path / "live" / "live.db")
    prepare(store, project)
    consents.pepper(store, project.project)
    with store.write() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        triggers.drop(connection)
        for name, shape in shapes(connection).items():
            if name not in OWN | AT_WORK | {"declared"}:
                row = {column: _marked(name, column, kind) for column, kind in zip(shape.columns, shape.kinds, strict=True)}
                marks = ", ".join(f":c{n}" for n in range(len(row)))
                names = ", ".join(f'"{column}"' for column in row)
                connection.execute(sa.text(f'INSERT INTO "{name}" ({names}) VALUES ({marks})'),
                                   {f"c{n}": value for n, value in enumerate(row.values())})  # fmt: skip
        triggers.create(connection)
    return store


def _marked(table: str, column: str, kind: str) -> Any:
    mark = f"zzq.{table}.{column}.qzz"
    if column in OPEN.get(table, {}):
        return OPEN[table][column]
    if table == "event" and column == "channel":
        return "email"
    if (table, column) in NOTED:
        return _noted(table, column, mark)
    if column in ("a_birthday", "f_birthday"):
        return "1980-05-17"
    if column in ("lease_by", "lease_until", "erased_at"):
        return None
    if kind == "blob":
        return f"{mark}{'.' * 16}".encode()
    return MS if column.endswith("_at") else 1 if kind in ("int", "real") else mark


def _noted(table: str, column: str, mark: str) -> str:
    if column in ("a_likes", "f_likes"):
        return json.dumps([mark])
    if column == "reach":
        return json.dumps({"email": [True, mark, None]})
    return json.dumps({"place": mark, mark: 1, "other": mark, "phone": 33639980000, "deep": {"er": mark}, "more": [mark]})


def masked(live: Store, project: Project, folder: Path) -> tuple[Store, Copied]:
    other = Store.sqlite(folder / "sandbox.db")
    with live.read() as connection:
        mask = Masked(connection, project, pepper=consents.pepper(live, "boutique"), own=consents.pepper(other, "boutique"))
    return other, copy(live, other, project, mask=mask)


def test_no_column_of_no_table_lets_a_marker_through(live: Store, project: Project, tmp_path: Path) -> None:
    before = _found(live)
    other, _ = masked(live, project, tmp_path)
    assert len(before) > 60  # the marker stood everywhere
    assert _found(other) == set()
    text = repr(rows(other))
    assert "33639980000" not in text
    assert "1980-05-17" not in text


def test_every_text_column_is_decided_about() -> None:
    """A column that is new is marked by the test above unless it is called open here; what is called open must still exist."""
    gone = {
        (t, c)
        for t, columns in OPEN.items()
        for c in columns
        if not c.startswith(("a_", "f_")) and c not in metadata.tables[t].columns
    }
    assert gone == set()


def test_a_reason_of_one_word_that_somebody_typed_does_not_pass(live: Store, project: Project, tmp_path: Path) -> None:
    with live.write() as connection:
        for reason in ("martin", "stop", "complained"):
            connection.exec_driver_sql(
                "INSERT INTO suppression (channel, norm_hmac, scope, reason, at) VALUES ('email', x'00112233445566778899aabbccddeeff', 'all', ?, 1)",
                (reason,),
            )
        connection.exec_driver_sql("UPDATE address SET bad = 'martin'")
    other, _ = masked(live, project, tmp_path)
    with other.read() as connection:
        reasons = set(connection.exec_driver_sql("SELECT reason FROM suppression").scalars())
    assert "martin" not in repr(rows(other))
    assert {"stop", "complained"} < reasons
    assert len([reason for reason in reasons if reason.startswith("m-")]) == 2


def test_what_was_left_behind_is_said(live: Store, project: Project, tmp_path: Path) -> None:
    with live.write() as connection:
        connection.exec_driver_sql("UPDATE inbox SET folded_at = NULL")
    _, done = masked(live, project, tmp_path)
    assert done.behind["inbox"] == 1
    assert done.unheard == 1
    assert "contact" not in done.behind


def _found(store: Store) -> set[str]:
    """Where a marker stands, in whatever column, spelled as text or in bytes."""
    text = repr(rows(store))
    return set(re.findall(r"zzq\.(.*?)\.qzz", text)) | set(re.findall("zzq|7a7a71", text))
