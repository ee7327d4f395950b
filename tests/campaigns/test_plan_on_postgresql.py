"""The same base on both stores gives the same plan, the same rehearsal and the same simulation: touch by touch, figure by figure."""

from __future__ import annotations

import sys
from pathlib import Path

import postgres_server
import pytest
import stores
from living import Living, paris, welcome

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from carrying_ground import a_database, on_postgresql, rows

from omnicli.campaigns.plan import plan
from omnicli.campaigns.run import rehearse
from omnicli.campaigns.simulate.model import read_model
from omnicli.campaigns.simulate.simulate import Task, simulate
from omnicli.store.carrying.copy import copy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(postgres_server.missing() is not None, reason=str(postgres_server.missing())),
    pytest.mark.skipif(stores.POSTGRESQL, reason="the other store of the comparison is SQLite"),
]


def test_a_plan_a_rehearsal_and_a_simulation_are_the_same_on_both_stores(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome(extra="holdout: 20 %"))
    stage.start("bienvenue")
    kinds = (("email", "sms"), ("email",), ("sms",), ())
    for n in range(30):
        stage.sign_up(f"p{n:02}", consent=kinds[n % 4], addresses=("email", "sms"))
    stage.run("2027-01-04 11:30")
    until = paris("2027-01-12 10:00")
    now = paris("2027-01-05 10:00")
    task = Task(stage.loaded, "bienvenue", read_model(), "seed", now, 7)
    with a_database() as url:
        there = on_postgresql(url, tmp_path / "there")
        copy(stage.store, there, stage.loaded.project)
        before = rows(there)
        plans = [plan(store, stage.loaded, ["bienvenue"], now=now, until=until) for store in (stage.store, there)]
        runs = [rehearse(store, stage.loaded, names=["bienvenue"], now=now) for store in (stage.store, there)]
        lives = [simulate(task, store).counts for store in (stage.store, there)]
        after = rows(there)
        there.close()
    assert plans[0] == plans[1]
    assert len(plans[0].touches) > 20
    assert runs[0].entered == runs[1].entered
    assert lives[0] == lives[1]
    assert after == before
