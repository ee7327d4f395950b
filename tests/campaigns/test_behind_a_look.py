"""Whoever is changed behind a door's look is seen by the next one: by a worker with an older instant, by an import, by a write that
is under way while the door looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import stores
from stage import Stage, a_campaign, paris

from omnicli import clock
from omnicli.campaigns.doors import _Door
from omnicli.campaigns.turn import turn
from omnicli.people.imports import import_contacts
from omnicli.people.mapping import guess_mapping
from omnicli.people.sheet import open_sheet
from omnicli.store.campaigns import look_back_if_late
from omnicli.store.connection import Store

GOLD = a_campaign("- {wait: 1 day, id: w}", name="or", enter="{if: orders > 2}")
SETS = a_campaign("- {wait: 1 hour, id: a}\n- {set: {orders: 5}}\n- {wait: 9 days, id: w}", name="compte", enter="{when: signup}")


def during_a_look(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], None]) -> None:
    """Do this once, when the next door has read who may come and has not yet said that it looked."""
    admit, left = _Door._admit, [deed]

    def then(self: _Door, *given: object, **more: object) -> object:
        if left and self.row.name == "or":
            left.pop()()
        return admit(self, *given, **more)

    monkeypatch.setattr(_Door, "_admit", then)


def inside(stage: Stage) -> list[str]:
    return [line.split()[0] for line in stage.passes() if line.split()[1] == "or"]


def test_a_turn_with_an_older_instant_writes_behind_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path, GOLD, SETS, file=True)
    stage.person("luc", orders=1)
    stage.says("luc", "signup")
    stage.run("2027-01-04 08:00")
    began = paris("2027-01-04 09:30")
    stage.now = began + timedelta(minutes=2)
    stage.person("ana", orders=1)  # so that there is something to look at
    other = stores.open_store(tmp_path)
    during_a_look(monkeypatch, lambda: turn(other, stage.loaded, now=began) and None)
    stage.enter()
    assert stage.row("SELECT a_orders FROM contact WHERE source_id = 'luc'") == (5,)
    stage.now += timedelta(minutes=1)
    stage.enter()
    assert inside(stage) == ["luc"]


def test_an_older_instant_is_written_after_the_look(tmp_path: Path) -> None:
    stage = Stage(tmp_path, GOLD, SETS, file=True)
    stage.person("luc", orders=1)
    stage.says("luc", "signup")
    stage.run("2027-01-04 08:00")
    began = paris("2027-01-04 09:30")
    stage.now = began + timedelta(minutes=2)
    stage.person("ana", orders=1)
    stage.enter()
    turn(stage.store, stage.loaded, now=began)
    stage.now += timedelta(minutes=1)
    stage.enter()
    assert inside(stage) == ["luc"]


def test_an_import_ends_during_the_first_look_of_a_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path, GOLD, file=True)
    stage.person("ana", orders=4)
    file = tmp_path / "people.csv"
    file.write_text("id,orders\nluc,7\nmax,1\n")
    mapping, began = guess_mapping(open_sheet(file).header, stage.loaded.project), stage.now
    other = stores.open_store(tmp_path)
    during_a_look(monkeypatch, lambda: import_contacts(other, stage.loaded, file, mapping=mapping, now=began) and None)
    stage.now += timedelta(minutes=1)
    stage.enter()
    stage.now += timedelta(minutes=1)
    stage.enter()
    assert inside(stage) == ["ana", "luc"]


def test_a_first_look_that_was_cut_off_is_taken_up_and_nobody_comes_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, GOLD.replace("{if: orders > 2}", "{if: orders > 2, again: always}"), file=True)
    for name in ("ana", "luc"):
        stage.person(name, orders=4)
    with monkeypatch.context() as patched:
        patched.setattr("omnicli.campaigns.admitting.BATCH", 1)
        count = _Door._count
        patched.setattr(_Door, "_count", lambda self, connection, n: (count(self, connection, n), 1 / (self.entered == 0))[0])
        with pytest.raises(ZeroDivisionError):
            stage.enter()
    assert len(inside(stage)) == 1
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE enrollment SET state = 'ended', reason = 'end', due_at = NULL")
    stage.now += timedelta(minutes=1)
    stage.enter()
    assert inside(stage) == ["ana", "luc"]


@pytest.mark.skipif(not stores.POSTGRESQL, reason="where one writes at a time nobody is under way")
def test_a_write_that_is_under_way_when_the_door_looks_is_seen_by_the_next_look(tmp_path: Path) -> None:
    stage = Stage(tmp_path, GOLD, SETS, file=True)
    luc = stage.person("luc", orders=1)
    stage.enter()
    began = stage.now = stage.now + timedelta(minutes=1)
    stage.person("ana", orders=1)
    other = stores.open_store(tmp_path)
    written, looked = threading.Event(), threading.Event()

    def write() -> None:
        with other.write() as connection:
            connection.execute(
                sa.text("UPDATE contact SET a_orders = 5, changed_at = :at WHERE id = :id"), {"at": clock.to_ms(began), "id": luc}
            )
            look_back_if_late(connection, clock.to_ms(began))
            written.set()
            looked.wait(0.5)

    thread = threading.Thread(target=write)
    thread.start()
    written.wait(5)
    stage.now += timedelta(minutes=1)
    stage.enter()
    looked.set()
    thread.join()
    stage.now += timedelta(minutes=1)
    stage.enter()
    assert inside(stage) == ["luc"]


@pytest.mark.skipif(not stores.POSTGRESQL, reason="where one writes at a time numbers are seen in their order")
def test_an_event_with_a_lower_number_is_still_being_written_when_the_door_looks(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SETS, file=True)
    luc, ana = (stage.person(name) for name in ("luc", "ana"))
    other = stores.open_store(tmp_path)
    written, free = threading.Event(), threading.Event()
    says = "INSERT INTO event (contact_id, name, at, received_at) VALUES (:id, 'signup', :at, :at)"

    def write(who: int, store: Store = stage.store) -> None:
        with store.write() as connection:
            connection.execute(sa.text(says), {"id": who, "at": clock.to_ms(stage.now)})
            if store is other:
                written.set()
                free.wait(0.3)

    thread = threading.Thread(target=write, args=(luc, other))
    thread.start()
    written.wait(5)
    write(ana)
    stage.enter()  # waits for whoever is under way
    free.set()
    thread.join()
    stage.enter()
    assert [line.split()[0] for line in stage.passes()] == ["ana", "luc"]
