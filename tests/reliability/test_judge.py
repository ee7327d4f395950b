"""The judge itself: a doctored log or store does not pass."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from invariants import Seen, breaches
from trials import Rig, hear_events, told

pytestmark = pytest.mark.slow


def test_a_double_a_loss_a_stranger_and_a_forgotten_touch_are_noticed(rig: Rig) -> None:
    house, fake = rig.house("smtp", 10), rig.fakes["smtp"]
    assert house.tick().code == 0
    store, log = house.folder / ".omni" / "live.db", list(fake.log.lines)
    seen = Seen(store, log, now=0, people=10, at_rest=True)
    assert breaches(seen) == []
    names = {said.partition(":")[0] for said in breaches(replace(seen, log=[*log, log[0]]))}
    assert {"I1", "I16"} <= names
    assert any("nobody got it" in said for said in breaches(replace(seen, log=log[1:])))
    assert any(
        said.startswith("I12") for said in breaches(replace(seen, log=[{**log[0], "to": "somebody@example.com"}, *log[1:]]))
    )
    assert any(said.startswith("I10") for said in breaches(replace(seen, people=11)))
    with closing(sqlite3.connect(store, timeout=10)) as connection, connection:
        connection.execute("DROP TRIGGER IF EXISTS touch_moves")
        connection.execute("DELETE FROM touch_move")
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'touch'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE touch SET send_state = 'planned', due_at = 1 WHERE id = 1")
    found = breaches(Seen(store, log, now=0, people=10, at_rest=True))
    assert any(said.startswith("I2") for said in found)
    assert any(said.startswith("I15") for said in found)


@pytest.mark.parametrize("provider", ["smtp", "sendgrid", "twilio"])
def test_a_word_that_nobody_kept_a_state_that_nobody_told_and_a_total_without_rows_are_noticed(rig: Rig, provider: str) -> None:
    house, fake = rig.house(provider, 6), rig.fakes[provider]
    assert house.tick().code == 0
    if provider == "sendgrid":
        hear_events(rig, house, set())
        assert house.tick(later=30.0).code == 0
    store, log, status = house.folder / ".omni" / "live.db", list(fake.log.lines), told(house)
    seen = Seen(store, log, now=0, people=6, at_rest=True, status=status)
    assert breaches(seen) == []
    assert len(seen.archive) == 6
    assert all(seen.archive.values())
    other = {"read" if "read" in log[0] else "hash": "0" * 64}
    assert any(
        said.startswith("I12") and "otherwise" in said for said in breaches(replace(seen, log=[{**log[0], **other}, *log[1:]]))
    )
    for name in ("contacts", "unknown", "unfolded"):
        assert any(f"I15: {name} is told" in said for said in breaches(replace(seen, status={**status, name: status[name] + 1})))
    with closing(sqlite3.connect(store, timeout=10)) as connection, connection:
        connection.execute(
            "INSERT INTO evidence (touch_id, n, source, kind, at) SELECT id, 1, 'sendgrid', 'bounced', 0 FROM touch WHERE id = 1"
        )
        connection.execute(
            "INSERT INTO evidence (touch_id, n, source, kind, at) SELECT id, 1, 'sendgrid', 'bounced', 0 FROM touch WHERE id = 1"
        )
    found = [said for said in breaches(Seen(store, log, now=0, people=6, at_rest=True)) if said.startswith("I9")]
    assert any("more was said" in said for said in found)
    assert any("counted 2 times" in said for said in found)
