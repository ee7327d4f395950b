"""R4: a provider that misbehaves in fourteen ways at once, over many ticks of one process: nothing twice, nothing lost, one request an
attempt, no thread and no descriptor left behind; and a redirect is never followed."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path

import pytest
from fake_http import Request
from fake_log import Do
from houses_live import LATER, ahead_of_now
from invariants import counts
from sizes import SIZES
from trials import Rig, Trial, judge, recover

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("OMNI_SEED", "20270106"))
#: What a request may meet, and whether the message reached somebody all the same.
MODES = (
    Do("delay", with_={"seconds": 0.05}), Do("delay", with_={"seconds": 0.01}), Do("drop"), Do("lose"), Do("drop", with_={"reset": True}),
    Do("half"), Do("garbage"), Do("length"), Do("drip", with_={"seconds": 0.0002}), Do("refuse", with_={"status": 429, "headers": {"Retry-After": "1"}}),
    Do("refuse", with_={"status": 500, "accepts": True}), Do("refuse", with_={"status": 503}), Do("twice"), Do("redirect"), Do("hold"),
)  # fmt: skip


class Chaos:
    """One request in `of` misbehaves, in a way chosen by a seeded draw."""

    def __init__(self, of: int) -> None:
        self.draw, self.of, self.lock, self.met = random.Random(SEED), of, threading.Lock(), dict[str, int]()

    def __call__(self, request: Request) -> Do | None:
        with self.lock:
            if self.draw.randrange(self.of):
                return None
            do = self.draw.choice(MODES)
            self.met[do.what] = self.met.get(do.what, 0) + 1
            return do


def _passed(file: Path) -> float:
    """How far the process has moved its clock by now."""
    return float(file.read_text() or 0) if file.exists() else 0.0


def test_a_provider_that_misbehaves_in_every_way_gets_each_message_once_and_every_touch_ends(rig: Rig) -> None:
    people, ticks = int(SIZES["chaos_people"]), int(SIZES["chaos_ticks"])
    trial = Trial("chaos", f"seed {SEED}", "twilio", "fourteen modes", people=people)
    began = time.monotonic()
    house, fake = rig.house("twilio", people), rig.fakes["twilio"]
    before = counts(house.folder / ".omni" / "live.db")
    chaos = fake.chaos = Chaos(int(SIZES["chaos_one_in"]))
    elsewhere = len([request for request in fake.requests if request.path == "/elsewhere"])
    held = house.folder / "held.json"
    fake.clock = lambda: time.time() + ahead_of_now(_passed(house.folder / "held.json.clock"))
    ended = rig.omni.run([str(house.folder), str(ticks), "60", str(held)], house.folder / "rounds.txt", call="working_child:rounds",
                         env=dict(house.env), ahead=ahead_of_now(), seconds=300)  # fmt: skip
    fake.chaos = None
    fake.clock = lambda: time.time() + ahead_of_now(LATER[0])
    assert ended.code == 0, ended.said
    fake.idle()
    ahead = ticks * 60.0
    doubted = recover(rig, house, trial, first=ahead)
    trial.seconds = round(time.monotonic() - began, 2)
    judge(house, fake, trial, doubted, before)
    used = json.loads(held.read_text())
    assert sum(chaos.met.values()) >= len(MODES), chaos.met
    assert trial.doubles == 0, trial
    assert trial.lost == 0, trial
    assert trial.unproven == 0, trial
    assert trial.breaches == [], trial
    assert used["after"]["threads"] <= used["before"]["threads"] + 2, used
    assert used["after"]["descriptors"] <= used["before"]["descriptors"] + 4, used
    assert elsewhere == 0
    assert not [request for request in fake.requests if request.path == "/elsewhere"]
