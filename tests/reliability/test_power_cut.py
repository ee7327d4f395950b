"""R3: the power goes off at any instant of claims, intents, outcomes and webhooks; what had returned is there, and the file is whole."""

from __future__ import annotations

import random
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("apsw", reason="apsw is not installed")
sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))

from delivering import Delivery, Recorder, a_campaign, paris
from power import Disk, a_store
from sizes import SIZES

from omnicli.campaigns.hear import hear
from omnicli.model.response import Receipt, Response
from omnicli.model.touch import Handed
from omnicli.store import connection as stores
from omnicli.store import keeping
from omnicli.store.connection import Store
from omnicli.store.inbox import event_hash

SEED = 20270106
PEOPLE = 24


class Told:
    """A provider that notes on the disk's own clock what it was handed: its intents had been promised."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def __call__(self, handed: Sequence[Handed]) -> None:
        for one in handed:
            self.disk.returned(f"intent {one.touch} {one.attempt}")


def a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Delivery, Disk, dict[str, bytes]]:
    """Two steps to everybody and a reply of every third, on a disk that notes everything; small checkpoints, so that there are some."""
    monkeypatch.setattr(stores, "PASSIVE_ABOVE", 60_000)
    monkeypatch.setattr(stores, "TRUNCATE_ABOVE", 200_000)
    flow = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: repos}\n- {send: offre, by: email, id: j1}"
    stage = Delivery(tmp_path, a_campaign(flow), file=True, provider=Recorder(batch=3, in_flight=2))
    stage.sign_up(*(f"p{n}" for n in range(PEOPLE)))
    path = stage.store.path
    assert path is not None
    stage.store.close()  # the last connection takes the log back into the file
    before = {path.name: path.read_bytes()}
    disk = Disk()
    stage.store = a_store(path, disk)
    stage.provider.before = Told(disk)
    stage.send("2027-01-04 10:00")
    for n in range(0, PEOPLE, 3):
        reply = Response(f"r{n}", f"p{n}", "replied", paris("2027-01-04 11:00"), "shop", payload={"text": "bonjour"})
        hear(
            stage.store,
            stage.loaded,
            [Receipt("shop", n.to_bytes(16, "big"), b"{}", reply, f"r{n}")],
            now=paris("2027-01-04 11:00"),
        )
        disk.returned(f"webhook r{n}")
    stage.send("2027-01-05 10:30")
    return stage, disk, before


@pytest.mark.guards("full_sync")
def test_whatever_had_returned_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, disk, before = a_day(tmp_path / "house", monkeypatch)
    stage.store.close()
    assert len(stage.provider.reached()) == 2 * PEOPLE
    checkpoints = sum(step.kind == "write" and step.file.endswith(".db") for step in disk.steps)
    assert checkpoints > 20  # pages that went from the log into the file
    dice = random.Random(SEED)
    at_risk = 0
    for number in range(SIZES["power_cuts"]):
        at = dice.randrange(1, len(disk.steps) + 1)
        folder = tmp_path / f"cut{number}"
        folder.mkdir()
        for name, content in disk.cut(at, before, dice).items():
            (folder / name).write_bytes(content)
        at_risk += _look(folder / "sandbox.db", disk.promised(at), f"seed {SEED}, cut {number} behind step {at}", stage)
    assert at_risk  # some cuts fell between a write and its sync


def _look(path: Path, promised: Sequence[str], said: str, stage: Delivery) -> bool:
    """The file is whole and holds everything that was promised; True when something newer was there too, or lost."""
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)], said
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == [], said
    found = raw.execute("SELECT value FROM setting WHERE key = 'power'").fetchone()
    last = int(found[0]) if found else 0
    for what in promised:
        kind, name, *rest = what.split()
        if kind == "transaction":
            assert last >= int(name), said
        elif kind == "intent":
            sql = "SELECT a.outcome FROM attempt a JOIN touch t ON t.id = a.touch_id WHERE t.touch_key = ? AND a.n = ?"
            assert raw.execute(sql, (bytes.fromhex(name), int(rest[0]))).fetchone() in (("intent",), ("accepted",)), said
        else:
            sql = "SELECT 1 FROM inbox WHERE provider_event_id = ?"
            assert raw.execute(sql, (event_hash("shop", name),)).fetchone() == (1,), said
    raw.close()
    store = Store.sqlite(path)
    wrong = {c.name for c in keeping.check(store, stage.loaded.project, now=stage.now) if c.wrong}
    assert wrong <= {"consent_logged", "reach"}, said  # the stage makes its people without a log of consents
    store.close()
    return last != sum(what.startswith("transaction") for what in promised) or not promised
