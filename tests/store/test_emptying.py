"""A target is emptied beside a worker that already stands on it: locks are taken in the worker's order, so that neither is killed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
import stores

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
from stage import Stage, a_campaign

from omnicli.store.carrying import copy


@pytest.mark.skipif(not stores.POSTGRESQL, reason="where one writes at a time nobody waits for anybody")
def test_a_leader_that_looks_for_what_is_due_meanwhile_is_waited_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign("- {wait: 1 day, id: w}"), file=True)
    with stage.store.write() as connection:
        connection.exec_driver_sql("INSERT INTO leader (task) VALUES ('plan')")
    leading, failed = threading.Event(), []

    def lead() -> None:
        try:
            with stores.open_store(tmp_path).write() as connection:
                connection.exec_driver_sql("SELECT 1 FROM leader FOR UPDATE")
                leading.set()
                threading.Event().wait(0.3)
                connection.exec_driver_sql("SELECT id FROM touch WHERE due_at < 1 FOR UPDATE SKIP LOCKED")
        except sa.exc.DBAPIError as error:
            failed.append(error)

    thread = threading.Thread(target=lead)
    thread.start()
    leading.wait(5)
    copy._empty(stage.store, "somebody", "omni db copy")
    thread.join()
    assert failed == []
    assert stage.rows("SELECT count(*) FROM leader") == [(0,)]
