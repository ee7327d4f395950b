"""A virtual life is a real one: a sandbox run at the same instants takes the same decisions and sends the same touches."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from telling import a_house, project

from omnicli.campaignfile import Loaded
from omnicli.campaigns import run as running
from omnicli.campaigns.scenario import people
from omnicli.campaigns.scenario.carriers import Carriers
from omnicli.campaigns.scenario.world import World
from omnicli.clock import read_instant
from omnicli.model.response import Response
from omnicli.store import consents, inbox
from omnicli.store.connection import Store
from omnicli.store.preparing import prepare

LEA = {"first_name": "Léa", "language": "fr", "country": "FR", "consent": ["email", "sms"]}
START = read_instant("2027-01-04 11:30", "Europe/Paris")

#: Stories as (days after the start, event) each.
STORIES: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "silence": [("2027-01-04 11:30", "signup", {})],
    "a click": [("2027-01-04 11:30", "signup", {}), ("2027-01-06 09:00", "clicked", {})],
    "a purchase in the second of a send": [("2027-01-04 11:30", "signup", {}), ("2027-01-05 10:00", "purchase", {"value": "12 EUR"})],
    "STOP before the reminder": [("2027-01-04 11:30", "signup", {}), ("2027-01-08 09:59", "unsubscribed", {"channel": "sms"})],
    "everything left": [("2027-01-04 11:30", "signup", {}), ("2027-01-06 09:59", "unsubscribed", {"channel": "email"}),
                        ("2027-01-06 12:00", "unsubscribed", {"channel": "sms"})],
    "on a Saturday": [("2027-01-09 21:00", "signup", {})],
}  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return project(a_house(tmp_path_factory.mktemp("house")))


def virtually(loaded: Loaded, story: list[tuple[str, str, dict[str, Any]]]) -> tuple[list[Any], list[datetime]]:
    """The journal of the virtual life, and the instants at which anything was lived."""
    lived: list[datetime] = []
    with World(loaded, ["bienvenue"], start=START, held_out=None) as world:
        world.add(LEA, name="lea")
        for at, event, payload in story:
            instant = read_instant(at, "Europe/Paris")
            while (due := world.next_due()) is not None and due < instant:
                world.live(due)
                lived.append(due)
            world.live_until(instant, inclusive=False)
            world.event("lea", event, payload)
        end = read_instant("2027-03-01 12:00", "Europe/Paris")
        while (due := world.next_due()) is not None and due < end:
            world.live(due)
            lived.append(due)
        return journal(world.store), lived


def really(loaded: Loaded, story: list[tuple[str, str, dict[str, Any]]], instants: list[datetime], file: Path) -> list[Any]:
    """The journal of a sandbox store on the disk, with `run` called at the same instants."""
    assert loaded.project is not None
    store = Store.sqlite(file)
    prepare(store, loaded.project)
    running.run(
        store, loaded, names=["bienvenue"], now=START, providers=Carriers((*loaded.project.channels, "webhook"))
    )  # a draft is started
    with store.write() as connection:
        people.bring(
            connection, loaded.project, consents.pepper(store, loaded.project.project), [("lea", LEA)], first=1, now=START
        )
    waiting = [(read_instant(at, "Europe/Paris"), event, payload) for at, event, payload in story]
    for now in instants:
        for number, (at, event, payload) in enumerate(waiting):
            if at <= now:
                rest = {key: value for key, value in payload.items() if key != "channel"}
                said = Response(f"s{number}", "lea", event, at, source="scenario", channel=payload.get("channel"), payload=rest)
                with store.write() as connection:
                    inbox.receive(connection, [said], now=now)
        running.run(store, loaded, names=["bienvenue"], now=now, providers=Carriers((*loaded.project.channels, "webhook")))
    found = journal(store)
    store.close()
    return found


def journal(store: Store) -> list[Any]:
    """Every decision and every touch, with instants and reasons, in order; nothing that numbers rows."""
    decided = sa.text("SELECT at, step, kind, why FROM decision ORDER BY at, id")
    sent = sa.text(
        "SELECT hex(touch_key), step, channel, send_state, reason, due_at, settled_at, cost FROM touch ORDER BY created_at, id"
    )
    with store.read() as connection:
        lines = [(row[0], row[1], row[2], json.loads(row[3] or "[]")) for row in connection.execute(decided)]
        return [lines, [tuple(row) for row in connection.execute(sent)]]


@pytest.mark.parametrize("name", STORIES)
def test_the_journal_of_a_sandbox_run_is_the_scenarios(name: str, loaded: Loaded, tmp_path: Path) -> None:
    virtual, instants = virtually(loaded, STORIES[name])
    assert virtual[0], "nothing was decided"
    assert really(loaded, STORIES[name], instants, tmp_path / "sandbox.db") == virtual
