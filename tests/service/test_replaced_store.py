"""Whoever stays awake beside a store that is taken away, or replaced by another, says so and ends: it decides nothing on another's rows."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import postgres_server
import pytest
import stores

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
from delivering import SENDS, Delivery, a_campaign

from omnicli.errors import Exit, OmniError
from omnicli.service.standing import Standing
from omnicli.service.workers import QUEUES, Crew
from omnicli.store import keeping

pytestmark = pytest.mark.skipif(not stores.POSTGRESQL, reason="PostgreSQL only; test_web_attack.py takes a file away")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    stage = Delivery(tmp_path, a_campaign(SENDS), file=True)
    monkeypatch.setenv("OMNI_DATABASE", stores.url_of(tmp_path))
    return stage


def reset(folder: Path) -> None:
    store: Any = stores.open_store(folder)
    keeping.drop(store)
    store.close()


@pytest.mark.parametrize("again", [False, True], ids=["gone", "another"])
def test_a_worker_ends_when_its_sandbox_is_reset(house: Delivery, again: bool) -> None:
    said: list[str] = []

    def take_away(*_: object) -> None:
        if not gone.is_set():
            gone.set()
            reset(house.folder)
            if again:
                Standing(house.folder, False).now(said.append)[1].close()

    gone = threading.Event()
    crew = Crew(house.folder, False, 1, QUEUES, timedelta(seconds=0.2), take_away, said.append)
    late = threading.Timer(20, crew.stop)
    late.start()
    assert crew.run() == Exit.REFUSED
    late.cancel()
    assert [line for line in said if "taken away or replaced" in line and "start this command again" in line]


def test_a_store_that_was_restored_into_a_database_of_the_same_name_is_another(house: Delivery) -> None:
    standing = Standing(house.folder, False)
    _, store = standing.now(pytest.fail)
    name = stores.url_of(house.folder).rpartition("/")[2]
    house.store.close()
    store.reader.dispose()
    store.writer.dispose()
    postgres_server.command(f"CREATE DATABASE {name}_kept TEMPLATE {name}")
    postgres_server.command(f"DROP DATABASE {name} WITH (FORCE)")
    postgres_server.command(f"CREATE DATABASE {name} TEMPLATE {name}_kept")
    postgres_server.command(f"DROP DATABASE {name}_kept WITH (FORCE)")
    with pytest.raises(OmniError, match="replaced"):
        standing.now(pytest.fail)
    store.close()


def test_the_same_store_stays_the_same(house: Delivery) -> None:
    standing = Standing(house.folder, False)
    _, store = standing.now(pytest.fail)
    assert standing.now(pytest.fail)[1] is store
    standing.place = (*standing.place[:-1], 0)  # as if the server had been started anew
    assert standing.now(pytest.fail)[1] is store
    store.close()
