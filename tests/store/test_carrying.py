"""Stores carried into others: row for row to PostgreSQL and back, after a kill too; never twice at work; people unknown but alike."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest
from carrying_ground import MS, PEOPLE, a_database, lived, on_postgresql, rows
from shelves import NOW, a_project

from omnicli import faults
from omnicli.errors import OmniError
from omnicli.model.project import Project
from omnicli.store import consents, holding, keeping, serial
from omnicli.store.carrying.copy import copy
from omnicli.store.carrying.mask import Masked
from omnicli.store.connection import Store
from omnicli.store.preparing import prepare
from omnicli.store.rehearsal import rehearsal

pytestmark = pytest.mark.skipif(postgres_server.missing() is not None, reason=str(postgres_server.missing()))
ATTRIBUTES = "city: text, first_name: text, tier: [gold, silver], points: number"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return a_project(tmp_path_factory.mktemp("project"), attributes=ATTRIBUTES)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Path:
    """A sandbox and a live store that have lived, to be copied as files."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("sandbox.db", "live.db"):
        store = lived(Store.sqlite(folder / name), project)
        with store.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        store.close()
    return folder


@pytest.fixture(scope="module")
def template(project: Project) -> Iterator[str]:
    """A database in which both environments are prepared."""
    with a_database() as made:
        for live in (False, True):
            store = on_postgresql(made, Path("/nowhere"), live=live)
            prepare(store, project)
            store.close()
        yield made.rpartition("/")[2]


@pytest.fixture
def source(made: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(made / "sandbox.db", tmp_path)
    store = Store.sqlite(tmp_path / "sandbox.db")
    yield store
    store.close()


@pytest.fixture
def live(made: Path, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "live").mkdir()
    for name in ("live.db", "keys"):
        shutil.copy(made / name, tmp_path / "live")
    store = Store.sqlite(tmp_path / "live" / "live.db")
    yield store
    store.close()


@pytest.fixture
def url(template: str) -> Iterator[str]:
    with a_database(template) as found:
        yield found


@pytest.fixture
def target(url: str, tmp_path: Path) -> Iterator[Store]:
    store = on_postgresql(url, tmp_path / "there")
    yield store
    store.close()


def test_a_store_goes_to_postgresql_and_back_row_for_row(source: Store, target: Store, tmp_path: Path, project: Project) -> None:
    there = copy(source, target, project, batch=17)
    assert there.tables["touch"].rows == there.tables["contact"].rows == PEOPLE
    back = Store.sqlite(tmp_path / "back.db")
    again = copy(target, back, project)
    assert {name: one.hash for name, one in there.tables.items()} == {name: one.hash for name, one in again.tables.items()}
    assert rows(target) == rows(back)
    same = {name for name in rows(source) if name != "touch"}
    assert {name: rows(source)[name] for name in same} == {name: rows(back)[name] for name in same}
    with target.write() as connection:  # what the store numbers itself goes on after what was carried
        number = connection.exec_driver_sql("INSERT INTO audit (at, who, what) VALUES (1, 'x', 'y') RETURNING id").scalar_one()
    assert number == 2
    assert [c for c in keeping.check(target, project, now=NOW) if c.wrong and c.name != "reach"] == []


def test_leases_stay_behind(source: Store, target: Store, project: Project) -> None:
    copy(source, target, project)
    with target.read() as connection:
        found = connection.exec_driver_sql("SELECT send_state, lease_by, lease_until FROM touch WHERE id IN (1, 2)").all()
        assert connection.exec_driver_sql("SELECT count(*) FROM leader").scalar_one() == 0
    assert {tuple(row) for row in found} == {("planned", None, None), ("sending", "copied", 0)}


def test_a_copy_that_was_killed_goes_on_and_is_whole(
    source: Store, target: Store, url: str, tmp_path: Path, project: Project
) -> None:
    prepare(target, project)
    wanted = foreign_keys(target)
    target.close()
    child = os.fork()
    if child == 0:
        mine = on_postgresql(url, tmp_path / "child")
        batches = iter(range(100))
        faults.point = lambda name: os.kill(os.getpid(), signal.SIGKILL) if next(batches) == 7 else None
        copy(Store.sqlite(tmp_path / "sandbox.db"), mine, project, batch=20)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    with target.read() as connection:
        begun = connection.exec_driver_sql("SELECT (SELECT count(*) FROM contact) + (SELECT count(*) FROM address)").scalar_one()
    assert begun
    assert foreign_keys(target) == set()  # they are asked at the end
    done = copy(source, target, project, batch=20)
    assert done.resumed
    assert len(foreign_keys(target)) > 20
    assert foreign_keys(target) == wanted
    assert rows(target)["address"] == rows(source)["address"]
    with pytest.raises(OmniError, match="not empty"):
        copy(source, target, project)


def foreign_keys(store: Store) -> set[str]:
    with store.read() as connection:
        query = "SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
        return set(connection.exec_driver_sql(query).scalars())


def test_a_row_without_its_parent_ends_no_copy(source: Store, target: Store, project: Project) -> None:
    with source.writer.connect() as connection:
        raw = connection.connection.driver_connection
        raw.execute("PRAGMA foreign_keys=OFF")
        raw.execute("INSERT INTO consent (contact_id, channel, purpose, granted, at) VALUES (999, 'email', 'marketing', 1, 1)")
        raw.commit()
        raw.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(OmniError, match="consent: rows without"):
        copy(source, target, project)


def test_a_source_that_went_on_after_the_kill_is_copied_anew(
    source: Store, target: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(faults, "point", stop)
        with pytest.raises(KeyboardInterrupt):
            copy(source, target, project, batch=PEOPLE)
    with source.write() as connection:
        connection.exec_driver_sql("UPDATE contact SET language = 'en'")
        connection.exec_driver_sql("UPDATE audit SET who = 'paul'")
        connection.exec_driver_sql("UPDATE campaign SET state = 'paused'")
    copy(source, target, project, batch=PEOPLE)
    assert rows(target)["contact"] == rows(source)["contact"]
    assert rows(target)["audit"] == rows(source)["audit"]
    assert len(foreign_keys(target)) > 20


def test_somebody_elses_data_is_never_overwritten(source: Store, target: Store, project: Project) -> None:
    prepare(target, project)
    with target.write() as connection:
        connection.exec_driver_sql("INSERT INTO audit (at, who, what) VALUES (1, 'x', 'y')")
    with pytest.raises(OmniError, match="audit"):
        copy(source, target, project)


def test_a_text_that_postgresql_cannot_hold_is_named_by_its_table(source: Store, target: Store, project: Project) -> None:
    with source.write() as connection:
        connection.exec_driver_sql("UPDATE audit SET detail = 'a' || char(0)")
    with pytest.raises(OmniError, match="audit"):
        copy(source, target, project)


def test_a_copy_of_a_live_store_is_on_hold_and_a_moved_one_sends_in_its_place(
    live: Store, url: str, template: str, tmp_path: Path, project: Project
) -> None:
    twin = on_postgresql(url, tmp_path / "twin", live=True)
    with live.write() as connection:
        connection.exec_driver_sql("UPDATE instance SET serial = 41")
    assert copy(live, twin, project).held
    with twin.read() as connection, live.read() as original:
        assert holding.held(connection) == "twin"
        assert holding.held(original) is None
        assert serial.here(connection).instance != serial.here(original).instance
    twin.close()
    with a_database(template) as other:
        home = on_postgresql(other, tmp_path / "home", live=True)
        with pytest.raises(OmniError, match="being sent"):
            copy(live, home, project, move=True)
        with live.write() as connection:
            connection.exec_driver_sql(
                "UPDATE touch SET send_state = 'unknown', lease_by = NULL, lease_until = NULL WHERE send_state = 'sending'"
            )
            connection.exec_driver_sql("UPDATE attempt SET outcome = 'unknown' WHERE outcome = 'intent'")
        assert not copy(live, home, project, move=True).held
        with home.read() as connection, live.read() as original:
            assert holding.held(connection) is None
            assert holding.held(original) == "moved"
            assert serial.here(connection) == serial.Mark(2, 41, serial.here(original).instance)
        assert serial.behind(home) is None
        home.close()


def test_a_plan_is_made_on_a_copy_of_what_stands_on_postgresql(source: Store, target: Store, project: Project) -> None:
    copy(source, target, project)
    with rehearsal(target) as rehearsed:
        assert rehearsed.dialect == "sqlite"
        assert rows(rehearsed)["touch"] == rows(target)["touch"]
        assert rows(rehearsed)["rendering"] == []
        assert prepare(rehearsed, project) == []
        folder = rehearsed.path.parent
    assert not folder.exists()


# --- masked ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def masked(live: Store, target: Store, project: Project) -> Store:
    prepare(target, project)
    with live.read() as connection:
        mask = Masked(connection, project, pepper=consents.pepper(live, "boutique"), own=consents.pepper(target, "boutique"))
    copy(live, target, project, mask=mask)
    return target


def test_nothing_of_anybody_is_left_in_a_masked_copy(masked: Store) -> None:
    text = repr(rows(masked))
    for word in ("anne.", "anne-", "Anne", "crm-", "+3363", "Hameau", "198.51.100", "chez", "250 ok", "mx.example"):
        assert word not in text, word
    assert "Lyon" in text  # thirty people share it
    assert "boutique-1" in text


def test_what_somebody_typed_of_a_bar_or_a_consent_stays_behind(live: Store, target: Store, project: Project) -> None:
    typed = "asked by phone by Anne Dupont"
    with live.write() as connection:
        mark = connection.exec_driver_sql("SELECT hmac FROM address WHERE channel = 'email' AND contact_id = 3").scalar_one()
        bars = [consents.Bar("email", bytes(mark), why, NOW, source="Anne's sister") for why in (typed, f"{typed} again")]
        assert consents.suppress(connection, bars, now=NOW) == {3}
        said = [consents.Permission(number, "email", True, NOW, source=f"form {number // 15}, Anne") for number in (4, 5)]
        said += [consents.Permission(number, "email", True, NOW, source="comptoir") for number in range(10, 30)]
        consents.note_permissions(connection, said, now=NOW)
        before = connection.exec_driver_sql("SELECT count(*) FROM suppression").scalar_one()
    prepare(target, project)
    with live.read() as connection:
        mask = Masked(connection, project, pepper=consents.pepper(live, "boutique"), own=consents.pepper(target, "boutique"))
    copy(live, target, project, mask=mask)
    text = repr(rows(target))
    assert "Anne" not in text
    assert "Dupont" not in text
    assert "comptoir" in text  # twenty people share it
    with target.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM suppression").scalar_one() == before
        reasons = set(connection.exec_driver_sql("SELECT reason FROM suppression").scalars())
        reach = connection.exec_driver_sql("SELECT reach FROM contact WHERE id = 3").scalar_one()
    assert "stop" in reasons
    assert len([why for why in reasons if why.startswith("m-")]) == 2
    assert any(why in reach for why in reasons)


def test_who_is_who_can_still_be_followed_in_a_masked_copy(masked: Store, live: Store, project: Project) -> None:
    with masked.read() as connection:
        numbers = connection.exec_driver_sql(
            "SELECT norm, count(*) FROM address WHERE channel IN ('sms', 'whatsapp') GROUP BY norm"
        ).all()
        barred = (
            connection.exec_driver_sql(
                "SELECT contact_id FROM address a JOIN suppression s ON s.channel = a.channel AND s.norm_hmac = a.hmac"
            )
            .scalars()
            .all()
        )
        tried = connection.exec_driver_sql(
            "SELECT count(*) FROM attempt t JOIN touch x ON x.id = t.touch_id JOIN address a ON a.contact_id = x.contact_id "
            "AND a.channel = x.channel AND a.hmac = t.address_hash"
        ).scalar_one()
        people = connection.exec_driver_sql("SELECT source_id, uid FROM contact").all()
        first = connection.exec_driver_sql("SELECT value, hmac FROM address WHERE channel = 'email' AND contact_id = 1").one()
        tiers = Counter(connection.exec_driver_sql("SELECT a_tier FROM contact").scalars())
        cities = Counter(connection.exec_driver_sql("SELECT f_city FROM contact").scalars())
    assert len(numbers) == 30
    assert {count for _, count in numbers} == {4}  # two people, two channels, as before
    assert list(barred) == [2]
    assert tried == PEOPLE // 2
    from omnicli.model.ids import contact_uid

    assert all(bytes(uid) == contact_uid("boutique", source_id) for source_id, uid in people)
    assert first[0].endswith("@example.com")
    assert bytes(first[1]) == consents.fingerprint(consents.pepper(masked, "boutique"), "email", first[0])
    assert tiers == {"gold": 40, "silver": 20}
    assert cities["lyon"] == 30


def test_masks_are_the_same_every_time(live: Store, project: Project, masked: Store, tmp_path: Path) -> None:
    other = Store.sqlite(tmp_path / "sandbox.db")
    with live.read() as connection:
        mask = Masked(connection, project, pepper=consents.pepper(live, "boutique"), own=consents.pepper(other, "boutique"))
    copy(live, other, project, mask=mask)
    assert rows(other) == rows(masked)
    assert json.loads(rows(other)["event"][0][10])["value"] == 1
    assert MS in rows(other)["event"][0]
