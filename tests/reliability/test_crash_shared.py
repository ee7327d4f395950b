"""R1, R2 and frozen processes on a real PostgreSQL: killed at each point of the sending path, at random, or stopped for longer than a lease."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from houses_live import ahead_of_now
from houses_shared import SharedHouse, SharedRig
from invariants import counts
from processes import FROZEN, KILLED
from sizes import SIZES
from test_crash_matrix import good
from trials import BATCH, HOLDS_THE_PEN, IN_FLIGHT, LEASE, SEND_POINTS, Trial, crash, judge, recover

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("OMNI_SEED", "20270106"))
#: How long one may stand inside a transaction here, where nobody waits for a minute.
ABANDONED = "1s"
STANDS_INSIDE = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'omni %'"
    " AND state = 'idle in transaction' AND backend_xid IS NOT NULL"
)


@pytest.mark.parametrize("behaviour", SIZES["crash_behaviours"])
@pytest.mark.parametrize("point", SEND_POINTS)
def test_a_sender_killed_on_postgresql_sends_nothing_twice_and_loses_nothing(
    shared_rig: SharedRig, point: str, behaviour: str
) -> None:
    trial = crash(shared_rig, point, "smtp", behaviour)
    assert trial.killed or behaviour != "answers", trial
    good(trial)


@pytest.mark.parametrize("point", SEND_POINTS)
def test_a_sender_on_postgresql_frozen_for_two_leases_harms_nobody(shared_rig: SharedRig, point: str) -> None:
    """SIGSTOP; its leases end by the database's clock, others reap them and go on; then it goes on too. Whoever stands inside a
    transaction holds its rows until the server takes it back: after a minute, here after `ABANDONED`."""
    trial = Trial("frozen", point, "smtp", "answers", people=int(SIZES["crash_people"]))
    house, fake = shared_rig.house("smtp", trial.people), shared_rig.fakes["smtp"]
    began = time.monotonic()
    pid, out = house.start("schedule", "tick", stop_at=point, short={"abandoned": ABANDONED})
    trial.killed = shared_rig.omni.wait(pid, out).code == FROZEN
    inside = house.rows(STANDS_INSIDE)[0][0]
    trial.in_doubt = house.rows("SELECT count(*) FROM attempt WHERE outcome = 'intent'")[0][0]
    before = counts(house.where)
    house.let_leases_end()  # waits for the rows of whoever stands inside a transaction
    assert house.rows(STANDS_INSIDE)[0][0] == 0
    doubted = recover(shared_rig, house, trial, first=2 * LEASE + 5, idle=0.01)
    shared_rig.omni.signal(pid, signal.SIGCONT)
    assert shared_rig.omni.wait(pid, out, seconds=30).code is not None
    fake.idle()
    doubted |= recover(shared_rig, house, trial, first=100_000.0)
    trial.seconds = round(time.monotonic() - began, 2)
    judge(house, fake, trial, doubted, before)
    assert trial.killed, trial
    assert inside == (point in HOLDS_THE_PEN), trial
    assert (trial.doubles, trial.lost, trial.breaches) == (0, 0, []), trial


def test_rounds_killed_at_random_on_postgresql_send_nothing_twice_and_lose_nothing(shared_rig: SharedRig) -> None:
    """Nothing stands between them but row locks and the index."""
    people, kills = int(SIZES["random_people"]), int(SIZES["random_kills"])
    house, fake = shared_rig.house("smtp", people), shared_rig.fakes["smtp"]
    call = {"env": dict(house.env), "ahead": ahead_of_now()}
    ended = shared_rig.omni.run([str(house.folder)], house.folder / "plan.txt", call="working_child:plan", **call)
    assert ended.code == 0, ended
    assert house.states() == {"planned": people}

    def worker() -> int:
        return shared_rig.omni.start([str(house.folder), "60"], house.folder / "work.txt", call="working_child:deliver", **call)

    killed_at_random(shared_rig, house, fake, worker, people=people, kills=kills, between=(0.05, 0.35))


def test_workers_killed_at_random_are_replaced_and_nobody_notices(shared_rig: SharedRig) -> None:
    people, kills = int(SIZES["random_people"]), int(SIZES["shared_kills"])
    house, fake = shared_rig.house("smtp", people), shared_rig.fakes["smtp"]
    killed_at_random(
        shared_rig, house, fake, lambda: house.worker()[0], people=people, kills=kills, between=(1.0, 3.0), told=True
    )


def killed_at_random(
    rig, house: SharedHouse, fake, worker, *, people: int, kills: int, between: tuple[float, float], told: bool = False
) -> None:  # type: ignore[no-untyped-def]
    """Workers, one of them killed every so often and replaced; then whoever is left ends (`told` to), and the store is judged."""
    trial, chance = (
        Trial("random kills", "workers" if told else "rounds", "smtp", "answers slowly", people=people),
        random.Random(SEED),
    )
    before, began = counts(house.where), time.monotonic()
    fake.pause = float(SIZES["random_pause"])
    workers, killed = [worker() for _ in range(int(SIZES["random_workers"]))], 0
    while killed < kills:
        time.sleep(chance.uniform(*between))  # the instant of the kill is the test
        victim = workers.pop(chance.randrange(len(workers)))
        rig.omni.signal(victim, signal.SIGKILL)
        killed += rig.omni.wait(victim, Path(os.devnull)).code == KILLED
        workers.append(worker())
    end = time.monotonic() + 60
    while told and house.states().keys() & {"planned", "retry", "claimed"} and time.monotonic() < end:
        time.sleep(0.2)
    for pid in workers if told else ():
        rig.omni.signal(pid, signal.SIGTERM)
    ends = [rig.omni.wait(pid, house.folder / "work.txt", seconds=120) for pid in workers]
    fake.pause = 0.0
    left = (0, -signal.SIGTERM) if told else (0,)  # who was told before it had begun is ended by the system
    assert all(ended.code in left for ended in ends), ends
    trial.killed, trial.kills = True, killed
    fake.idle()
    doubted = recover(rig, house, trial)
    trial.seconds = round(time.monotonic() - began, 2)
    judge(house, fake, trial, doubted, before)
    assert (trial.doubles, trial.lost, trial.breaches) == (0, 0, []), trial
    assert trial.parked <= killed * IN_FLIGHT * BATCH["smtp"], trial
