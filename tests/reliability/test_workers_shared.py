"""R7 on a real PostgreSQL with real `omni worker` processes: each touch once, nobody waits for anybody, and the work is shared."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from houses_shared import SharedHouse, SharedRig, at_work
from invariants import counts
from processes import Ended
from sizes import SIZES
from trials import Trial, judge

pytestmark = pytest.mark.slow


def until(house: SharedHouse, done: str, *, seconds: float = 90) -> None:
    """Wait until this query says yes."""
    end = time.monotonic() + seconds
    while not house.rows(f"SELECT {done}")[0][0]:
        assert time.monotonic() < end, house.states()
        time.sleep(0.1)


ALL_ENDED = "count(*) = {n} AND min(CASE WHEN send_state IN ('accepted','rejected','skipped') THEN 1 ELSE 0 END) = 1 FROM touch"


@pytest.mark.parametrize("round_", range(int(SIZES["shared_rounds"])))
def test_workers_share_what_is_due_and_nobody_gets_anything_twice(shared_rig: SharedRig, round_: int) -> None:
    people, workers = int(SIZES["shared_people"]), int(SIZES["shared_workers"])
    trial = Trial("shared", f"{workers} workers, round {round_}", "smtp", "answers", people=people)
    house, fake = shared_rig.house("smtp", people), shared_rig.fakes["smtp"]
    before = counts(house.where)
    assert house.run("campaign", "pause", "bienvenue", "--because", "all begin together").code == 0
    with at_work(house, workers) as said:
        until(house, f"count(*) = {workers} FROM worker")
        resumed = house.run("campaign", "resume", "bienvenue")
        assert resumed.code == 0, resumed
        until(house, ALL_ENDED.format(n=people), seconds=240)
    fake.idle()
    judge(house, fake, trial, set(), before)
    assert trial.doubles == 0, trial
    assert trial.lost == 0, trial
    assert trial.breaches == [], trial
    assert house.states() == {"accepted": people}
    assert house.rows("SELECT count(*) FROM attempt")[0][0] == people
    assert "deadlock" not in "".join(ended.said for ended in said).lower(), said
    assert house.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
    took = Counter(dict(sent_by(said)))
    assert len(took) == workers, (took, said)
    assert max(took.values()) <= 3 * min(took.values()), took


def sent_by(said: Sequence[Ended]) -> list[tuple[int, int]]:
    """(pid, how many it sent), from what each worker printed."""
    return [(ended.pid, sum(int(n) for n in re.findall(r"(\d+) sent", ended.said))) for ended in said]


def test_a_worker_that_is_told_to_leave_finishes_its_calls_and_lets_go_of_the_rest(shared_rig: SharedRig) -> None:
    people = int(SIZES["crash_people"]) * 20
    house, fake = shared_rig.house("smtp", people), shared_rig.fakes["smtp"]
    fake.pause = 0.05
    pid, out = house.worker()
    until(house, "count(*) > 5 FROM touch WHERE send_state = 'accepted'")
    house.omni.signal(pid, signal.SIGTERM)
    ended = house.omni.wait(pid, out, seconds=20)
    fake.pause = 0.0
    assert ended.code == 0, ended
    states = house.states()
    assert set(states) == {"accepted", "planned"}, (states, ended)
    assert house.rows("SELECT count(*) FROM attempt WHERE outcome <> 'accepted'")[0][0] == 0
    assert house.rows("SELECT count(*) FROM worker")[0][0] == 0


def test_without_a_shared_store_it_says_what_to_use_instead(shared_rig: SharedRig, tmp_path: Path) -> None:
    house = shared_rig.house("smtp", int(SIZES["crash_people"]))
    env = {**house.env, "OMNI_DATABASE": f"sqlite:///{tmp_path}/live.db"}
    ended = SharedHouse(house.folder, house.omni, env).run("worker")
    assert ended.code == 2, ended
    assert "omni schedule run" in ended.said
