"""R1: a real process is killed at each point of the sending path, for each provider and each way of answering; nothing twice,
nothing lost, and no person needed. The fake's own log is the judge."""

from __future__ import annotations

import pytest
from sizes import SIZES
from trials import BATCH, IN_DOUBT_FROM, IN_FLIGHT, LEASE, SEND_POINTS, Rig, Trial, crash


def good(trial: Trial) -> None:
    assert trial.doubles == 0, trial
    assert trial.lost == 0, trial
    assert trial.breaches == [], trial
    assert trial.in_doubt <= IN_FLIGHT * BATCH[trial.provider], trial
    assert trial.point >= IN_DOUBT_FROM or trial.in_doubt == 0, trial
    assert trial.recovered <= LEASE + 10, trial


@pytest.mark.parametrize("behaviour", SIZES["crash_behaviours"])
@pytest.mark.parametrize("provider", SIZES["crash_providers"])
@pytest.mark.parametrize("point", SEND_POINTS)
def test_a_killed_sender_sends_nothing_twice_and_loses_nothing(rig: Rig, point: str, provider: str, behaviour: str) -> None:
    trial = crash(rig, point, provider, behaviour)
    assert trial.killed or behaviour != "answers", trial
    good(trial)
