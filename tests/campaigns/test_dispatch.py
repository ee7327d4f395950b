"""Delivery on a real store: what leaves, what is written, what is held, skipped, tried again or shown as unknown."""

from __future__ import annotations

import json
from pathlib import Path

from delivering import SENDS, Delivery, Recorder, a_campaign

from omnicli.model.touch import Outcome


def test_a_due_touch_is_claimed_rendered_handed_over_and_recorded(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea", "paul")
    report = stage.send("2027-01-04 10:00")
    assert (report.accepted, report.by_channel, report.cost) == (2, {"email": 2}, 2000)
    assert sorted(stage.provider.reached()) == ["lea j0", "paul j0"]
    assert stage.touches() == ["lea j0 email accepted 2027-01-04 10:00", "paul j0 email accepted 2027-01-04 10:00"]
    assert stage.rows("SELECT outcome, count(*) FROM attempt GROUP BY 1") == [("accepted", 2)]
    assert stage.passes() == ["lea bienvenue at repos", "paul bienvenue at repos"]


def test_the_same_instant_twice_sends_nothing_more(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea")
    stage.send("2027-01-04 10:00")
    assert stage.send().accepted == 0
    assert len(stage.provider.handed) == 1


def test_the_archive_gives_the_exact_message_again(tmp_path: Path) -> None:
    from omnicli.render.skeleton import restore

    stage = Delivery(tmp_path, a_campaign(SENDS))
    stage.sign_up("lea", "paul")
    stage.send("2027-01-04 10:00")
    rows = stage.rows('SELECT t.touch_key, s.parts, r."values" FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id JOIN touch t ON t.id = r.touch_id')
    kept = {key.hex(): dict(restore(parts, values)) for key, parts, values in rows}
    assert kept == {one.touch: dict(one.rendered.parts) for one in stage.provider.handed}
    assert stage.rows("SELECT count(*) FROM skeleton") == [(1,)]
