"""R2: several workers without a lock between them, killed at random instants; R18: how soon work goes on after everything died."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from houses_live import ahead_of_now, build
from invariants import counts
from processes import KILLED, Ended
from sizes import SIZES
from trials import BATCH, IN_FLIGHT, LEASE, Rig, Trial, judge, keep, recover

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("OMNI_SEED", "20270106"))


def test_workers_killed_at_random_instants_send_nothing_twice_and_lose_nothing(rig: Rig) -> None:
    people, kills = int(SIZES["random_people"]), int(SIZES["random_kills"])
    trial = Trial("random kills", f"seed {SEED}", "smtp", "answers slowly", people=people)
    began, chance = time.monotonic(), random.Random(SEED)
    house, fake = rig.house("smtp", people), rig.fakes["smtp"]
    fake.pause = float(SIZES["random_pause"])
    call = {"env": dict(house.env), "ahead": ahead_of_now()}
    assert rig.omni.run([str(house.folder)], house.folder / "plan.txt", call="working_child:plan", **call).code == 0
    assert house.states() == {"planned": people}
    before = counts(house.folder / ".omni" / "live.db")

    def worker() -> int:
        return rig.omni.start([str(house.folder), "60"], house.folder / "work.txt", call="working_child:deliver", **call)

    workers, killed = [worker() for _ in range(int(SIZES["random_workers"]))], 0
    while killed < kills:
        time.sleep(chance.uniform(0.05, 0.35))  # the instant of the kill is the test
        victim = workers.pop(chance.randrange(len(workers)))
        rig.omni.signal(victim, signal.SIGKILL)
        killed += rig.omni.wait(victim, Path(os.devnull)).code == KILLED
        workers.append(worker())
    ends: list[Ended] = [rig.omni.wait(pid, house.folder / "work.txt", seconds=90) for pid in workers]
    fake.pause = 0.0
    assert all(ended.code == 0 for ended in ends), ends
    trial.killed, trial.kills = True, killed
    fake.idle()
    doubted = recover(rig, house, trial)
    trial.seconds = round(time.monotonic() - began, 2)
    judge(house, fake, trial, doubted, before)
    assert trial.doubles == 0, trial
    assert trial.lost == 0, trial
    assert trial.breaches == [], trial
    assert trial.parked <= killed * IN_FLIGHT * BATCH["smtp"], trial


def test_after_everything_died_work_goes_on_in_seconds(rig: Rig, tmp_path: Path) -> None:
    rows, due = int(SIZES["recovery_rows"]), int(SIZES["recovery_due"])
    trial = Trial("recovery", f"{rows} people, {due} due", "smtp", "answers", people=rows)
    house = build(tmp_path / "large", rig.omni, provider="smtp", people=rows, consenting=due, env=rig.env)
    fake = rig.fakes["smtp"]
    fake.clear()
    trial.killed = house.tick(crash_at="F10", seconds=120).code == KILLED
    fake.idle()
    done, began = len(fake.log), time.monotonic()
    pid, out = house.start("schedule", "tick", later=1)
    while len(fake.log) == done and time.monotonic() < began + 60:
        time.sleep(0.005)  # until the first message of the new process
    first = time.monotonic() - began
    assert rig.omni.wait(pid, out, seconds=120).code in (0, 3)
    trial.recovered, trial.reached = round(first, 2), len(fake.log)
    assert not house.states().keys() & {"claimed", "sending"}
    trial.doubles = len(fake.log.doubles())
    keep(trial)
    assert trial.killed
    assert trial.doubles == 0
    assert first <= 15, trial
    assert trial.reached >= due - IN_FLIGHT * BATCH["smtp"], trial


@pytest.mark.parametrize("lease", [LEASE])
def test_a_dead_workers_claims_are_free_within_a_lease_even_where_nobody_can_see_that_it_died(rig: Rig, lease: float) -> None:
    """Another machine's process cannot be looked up: its lease runs out, and ten seconds later all is free."""
    trial = Trial("recovery", "another machine", "smtp", "answers", people=int(SIZES["crash_people"]))
    house, fake = rig.house("smtp", trial.people), rig.fakes["smtp"]
    trial.killed = house.tick(crash_at="F05").code == KILLED
    import sqlite3

    with sqlite3.connect(house.folder / ".omni" / "live.db", timeout=10) as connection:
        moved = connection.execute("UPDATE touch SET lease_by = 'elsewhere.1.1' WHERE lease_by IS NOT NULL").rowcount
    connection.close()
    assert moved == trial.people
    house.tick(later=lease / 2)
    assert house.states() == {"claimed": trial.people}
    house.tick(later=lease + 10)
    trial.recovered, trial.reached = lease + 10, len(fake.log)
    keep(trial)
    assert house.states() == {"accepted": trial.people}
    assert fake.log.doubles() == {}
