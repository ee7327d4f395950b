"""What a person was told stays open while the pass goes on or its day has not gone by; `contact show` lists it."""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy as sa
from living import Living, paris, welcome

from omnicli.store.promises import Told, open_promises


def promises(stage: Living, at: str) -> tuple[Told, ...]:
    with stage.store.read() as connection:
        (id,) = connection.exec_driver_sql("SELECT id FROM contact").one()
        return open_promises(connection, id, now=paris(at), zone="Europe/Paris")


def test_what_was_told_is_open_until_its_last_day(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome())
    stage.start("bienvenue")
    stage.sign_up("lea")
    assert promises(stage, "2027-01-04 12:00") == ()
    stage.run("2027-01-04 11:30")
    tell(stage, {"offre": {"price": ["money", "39.92 EUR"], "deadline": ["date", "2027-01-25"]}, "merci": {}})
    (told,) = promises(stage, "2027-01-25 23:59")
    assert (told.campaign, told.message, str(told.until), told.under_way) == ("bienvenue", "offre", "2027-01-25", True)
    assert told.facts == {"price": ("money", "39.92 EUR"), "deadline": ("date", "2027-01-25")}
    assert promises(stage, "2027-01-26 00:00") == ()
    stage.stop()
    assert [one.under_way for one in promises(stage, "2027-01-25 12:00")] == [False]


def test_what_names_no_day_is_open_while_the_pass_goes_on(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome())
    stage.start("bienvenue")
    stage.sign_up("lea")
    stage.run("2027-01-04 11:30")
    tell(stage, {"offre": {"price": ["money", "39.92 EUR"]}})
    assert len(promises(stage, "2028-01-01 12:00")) == 1
    stage.stop()
    assert promises(stage, "2027-01-05 12:00") == ()


def tell(stage: Living, told: dict[str, dict[str, list[str]]]) -> None:
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE enrollment SET told = :told"), {"told": json.dumps(told)})
