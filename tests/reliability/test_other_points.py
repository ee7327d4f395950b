"""R1, the points off the sending path: webhooks, folds, imports, schedules, migrations, backups, new versions, the reaper."""

from __future__ import annotations

import pytest
from other_points import POINTS
from trials import Rig

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_another_point_is_mended_by_the_next_try(rig: Rig, point: str) -> None:
    trial = POINTS[point](rig)
    assert trial.killed, trial
    assert trial.breaches == [], trial
    assert trial.doubles == 0, trial
    assert trial.lost == 0, trial
    assert trial.recovered <= 70, trial
