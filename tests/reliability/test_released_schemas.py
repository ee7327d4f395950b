"""R13: the tables of every release come to those of this program with every row as it was; killed in the middle they are the old ones, whole;
and a process that had the store open with the old tables stops claiming (tests.md 2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import stores
from bare_stage import Delivery, Recorder, a_campaign, paris
from old_schemas import a_project, a_store_of, columns_of, digest
from processes import KILLED, Processes
from sizes import SIZES

from omnicli.errors import OmniError
from omnicli.store import migrations, preparing
from omnicli.store.connection import Store

pytestmark = pytest.mark.slow
KINDS = ("sqlite", "postgresql")
#: Those that came before this program's own.
RELEASED = migrations.KNOWN[:-1]
#: Tables that say which columns a project declares, and the shape of all.
REMEMBERED = {"setting", "declared"}


@pytest.fixture(scope="module")
def omni() -> Iterator[Processes]:
    with Processes() as found:
        yield found


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "postgresql":
        request.getfixturevalue("on_postgresql")
    else:
        monkeypatch.setattr(stores, "POSTGRESQL", False)
    return str(request.param)


@pytest.mark.parametrize("version", RELEASED)
def test_every_row_of_a_released_schema_is_as_it_was_in_the_newest(kind: str, version: str, tmp_path: Path) -> None:
    store = stores.blank_store(tmp_path)
    a_store_of(store, version, SIZES["migrated_rows"])
    columns = columns_of(store)
    before = digest(store, columns)
    done = preparing.prepare(store, a_project(tmp_path))
    assert done[0] == f"{version} → {migrations.HEAD}"
    assert _differ(before, digest(store, columns)) <= REMEMBERED
    assert _setting(store, "project") == "maison"
    assert _values(store) == SIZES["migrated_rows"]  # the declared field of what stood there was read
    _append_only(store)
    assert preparing.prepare(store, a_project(tmp_path)) == []
    store.close()


@pytest.mark.parametrize("at", ["first", "last"])
@pytest.mark.parametrize("migration", migrations.KNOWN[1:])
def test_whichever_migration_is_killed_in_the_middle_the_store_is_the_old_one_whole(
    kind: str, migration: str, at: str, tmp_path: Path, omni: Processes
) -> None:
    """From the first tables on; behind the first change that this migration makes, or before its number is written."""
    killed_and_upgraded(kind, RELEASED[0], tmp_path, omni, migration, at)


@pytest.mark.parametrize("version", RELEASED)
def test_a_migration_killed_before_its_commit_leaves_the_old_store_whole(
    kind: str, version: str, tmp_path: Path, omni: Processes
) -> None:
    """All tables are those of this program, and the triggers are not made yet."""
    killed_and_upgraded(kind, version, tmp_path, omni, crash_at="F19")


def killed_and_upgraded(kind: str, version: str, tmp_path: Path, omni: Processes, *more: str, **asked: str) -> None:
    store = stores.blank_store(tmp_path)
    a_store_of(store, version, min(500, SIZES["migrated_rows"]))
    columns = columns_of(store)
    before = digest(store, columns)
    store.close()
    url = stores.url_of(tmp_path) if kind == "postgresql" else ""
    words, said = [str(tmp_path), url], tmp_path / "said.txt"
    ended = omni.run([*words, *more], said, call="old_schemas:upgrade", **asked)
    assert ended.code == KILLED, ended
    store = stores.open_store(tmp_path)
    assert preparing.version_of(store) == version
    assert (columns_of(store), digest(store, columns)) == (columns, before)
    store.close()
    ended = omni.run(words, said, call="old_schemas:upgrade")
    assert ended.code == 0, ended
    store = stores.open_store(tmp_path)
    assert preparing.version_of(store) == migrations.HEAD
    assert _differ(before, digest(store, columns)) <= REMEMBERED
    store.close()


def test_two_that_upgrade_at_once_make_the_tables_once(kind: str, tmp_path: Path, omni: Processes) -> None:
    store = stores.blank_store(tmp_path)
    a_store_of(store, RELEASED[0], 200)
    columns = columns_of(store)
    before = digest(store, columns)
    store.close()
    url = stores.url_of(tmp_path) if kind == "postgresql" else ""
    said = [tmp_path / f"said-{n}.txt" for n in range(2)]
    both = [omni.start([str(tmp_path), url], out, call="old_schemas:upgrade") for out in said]
    ends = [omni.wait(pid, out) for pid, out in zip(both, said, strict=True)]
    assert [ended.code for ended in ends] == [0, 0], ends
    store = stores.open_store(tmp_path)
    assert _differ(before, digest(store, columns)) <= REMEMBERED
    store.close()


def test_a_worker_of_the_old_tables_stops_claiming(kind: str, tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign("- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"), file=True)
    stage.sign_up("anna", "bea", "cora")
    stage.now = paris("2027-01-04 10:00")
    stage.decide()

    def upgraded(_handed: object) -> None:
        """While the first call is under way a newer omni brings the tables up."""
        other = stores.open_store(tmp_path)
        with other.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        other.close()

    stage.provider = Recorder(batch=1, before=upgraded)
    assert stage.dispatch(max=1).accepted == 1  # what it had begun it finished
    report = stage.dispatch()
    assert report.stuck
    assert any("changed the tables" in problem for problem in report.problems), report.problems
    assert len(stage.provider.handed) == 1
    assert stage.rows("SELECT send_state, count(*) FROM touch GROUP BY 1 ORDER BY 1") == [("accepted", 1), ("planned", 2)]
    with pytest.raises(OmniError, match="newer than this omni"):
        preparing.prepare(stage.store, stage.loaded.project)
    stage.store.close()


# --- what is looked at ------------------------------------------------------------------------------------------------
def _differ(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {table for table, found in before.items() if after[table] != found}


def _setting(store: Store, key: str) -> str:
    with store.read() as connection:
        return str(connection.execute(sa.text("SELECT value FROM setting WHERE key = :key"), {"key": key}).scalar())


def _values(store: Store) -> int:
    with store.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM event WHERE p_value IS NOT NULL").scalar() or 0)


def _append_only(store: Store) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="only grows"), store.write() as connection:
        connection.exec_driver_sql("DELETE FROM event")
