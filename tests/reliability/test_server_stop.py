"""R3 on PostgreSQL: the server is stopped at once (`pg_ctl stop -m immediate`: nothing is finished, nothing written) at any transaction of
claims, intents, outcomes and webhooks; after its recovery every transaction that had returned is there, and nobody gets a second message."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from bare_stage import Delivery, Recorder, a_campaign, paris
from sizes import SIZES
from trials import looked

from omnicli.campaigns import journal
from omnicli.campaigns.hear import hear
from omnicli.errors import OmniError
from omnicli.model.response import Receipt, Response
from omnicli.model.touch import Handed
from omnicli.store import preparing
from omnicli.store.connection import Store
from omnicli.store.inbox import event_hash

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_server")]
SEED, PEOPLE = 20270106, 24
FLOW = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: repos}\n- {send: offre, by: email, id: j1}"
#: What somebody is told whose server goes away.
GONE = (OmniError, sa.exc.DBAPIError)


@dataclass
class Ledger:
    """Numbers every write transaction, and knows which of them returned; at the one of number `stop` the server goes."""

    stop: int = 0
    begun: Iterator[int] = field(default_factory=lambda: count(1))
    returned: list[int] = field(default_factory=list)
    intents: list[tuple[bytes, int]] = field(default_factory=list)
    webhooks: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def over(self, store: Store, ends: Any) -> Store:
        """The store, each of whose write transactions leaves its number."""
        write = store.write
        with write() as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS power (n bigint PRIMARY KEY)")

        @contextmanager
        def numbered(**options: Any) -> Iterator[sa.Connection]:
            with self.lock:
                n = next(self.begun)
            if n == self.stop:
                ends()
            with write(**options) as connection:
                connection.exec_driver_sql(f"INSERT INTO power VALUES ({n})")
                yield connection
            with self.lock:
                self.returned.append(n)

        store.write = numbered  # type: ignore[method-assign]
        return store

    def promised(self, handed: Sequence[Handed]) -> None:
        with self.lock:
            self.intents += [(bytes.fromhex(one.touch), one.attempt) for one in handed]


def a_house(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    """Everybody signed up, nothing decided."""

    def prepared(where: Path, project: Any) -> Store:
        store = opened(url, where)
        preparing.prepare(store, project)
        return store

    monkeypatch.setattr("stage.prepared_store", prepared)
    made = Delivery(folder, a_campaign(FLOW), file=True, provider=Recorder(batch=3, in_flight=2))
    made.sign_up(*(f"p{n}" for n in range(PEOPLE)))
    return made


def opened(url: str, folder: Path) -> Store:
    return Store.postgresql(url, schema="omni_sandbox", beside=folder / "sandbox.db")


def a_day(stage: Delivery, ledger: Ledger) -> None:
    """Two steps to everybody, and a reply of every third."""
    stage.send("2027-01-04 10:00", patience=0.0)
    for n in range(0, PEOPLE, 3):
        reply = Response(f"r{n}", f"p{n}", "replied", paris("2027-01-04 11:00"), "shop", payload={"text": "bonjour"})
        taken = Receipt("shop", n.to_bytes(16, "big"), b"{}", reply, f"r{n}")
        hear(stage.store, stage.loaded, [taken], now=paris("2027-01-04 11:00"))
        ledger.webhooks.append(f"r{n}")
    stage.send("2027-01-05 10:30", patience=0.0)


def test_whatever_had_returned_survives_a_server_that_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.cluster import cluster

    dice, whole, seen = random.Random(SEED), 0, Counter[str]()
    with cluster() as server:
        for number in range(SIZES["server_stops"] + 1):  # the first one is not stopped: it says how many transactions there are
            _make(server.url(), f"omni_{number}")
            stage = a_house(tmp_path / str(number), server.url(f"omni_{number}"), monkeypatch)
            ledger = Ledger(stop=dice.randrange(2, whole) if whole else 0)
            ends = threading.Thread(target=server.stop, args=("immediate",))
            ledger.over(stage.store, ends.start)
            stage.provider.before = ledger.promised
            with suppress(*(GONE if whole else ())):
                a_day(stage, ledger)
            stage.store.close()
            if whole:
                ends.join()
                server.start()
            said = f"seed {SEED}, stop {number} at transaction {ledger.stop} of {whole}"
            seen += _look(stage, server.url(f"omni_{number}"), ledger, said)
            whole = whole or max(ledger.returned)
            assert whole > 15
    looked(
        "stops",
        "the server, at any transaction",
        kills=SIZES["server_stops"],
        people=PEOPLE,
        reached=seen["reached"],
        parked=seen["parked"],
    )


def _make(url: str, name: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]


def _look(stage: Delivery, url: str, ledger: Ledger, said: str) -> Counter[str]:
    """Every promise is there; and who goes on sends nobody anything again; how many were reached, and how many are shown."""
    stage.store = opened(url, stage.folder)
    kept = {row[0] for row in stage.rows("SELECT n FROM power")}
    assert kept >= set(ledger.returned), said
    tried = {
        (bytes(row[0]), row[1]) for row in stage.rows("SELECT t.touch_key, a.n FROM attempt a JOIN touch t ON t.id = a.touch_id")
    }
    assert tried >= set(ledger.intents), said
    heard = {row[0] for row in stage.rows("SELECT provider_event_id FROM inbox")}
    assert heard >= {event_hash("shop", id) for id in ledger.webhooks}, said
    stage.provider.before = lambda _handed: None
    for at in (timedelta(minutes=15), timedelta(days=1, minutes=30), timedelta(days=2, hours=1)):
        stage.now = max(stage.now, paris("2027-01-04 10:00") + at)
        stage.send()
    handed = Counter((one.contact, one.step) for one in stage.provider.handed)
    assert max(handed.values()) == 1, said
    states = stage.rows("SELECT c.source_id, t.step, t.send_state FROM touch t JOIN contact c ON c.id = t.contact_id")
    assert {state for _, _, state in states} <= {"accepted", "unknown", "parked"}, said
    lost = [(who, step) for who, step, state in states if state == "accepted" and (who, step) not in handed]
    assert (lost, len({who for who, _, _ in states}), journal.pending(stage.store)) == ([], PEOPLE, []), said
    stage.store.close()
    return Counter(reached=len(handed), parked=sum(state != "accepted" for _, _, state in states))
