"""R1: a real process is killed at each point of the sending path, for each provider and each way of answering; nothing twice,
nothing lost, and no person needed. The fake's own log is the judge."""

from __future__ import annotations

import pytest
from sizes import SIZES
from trials import BATCH, IN_DOUBT_FROM, IN_FLIGHT, LEASE, SEND_POINTS, Rig, Trial, crash, freeze

pytestmark = pytest.mark.slow


#: Providers that tell what they took, and of how many they never tell here: SendGrid loses the events of one.
CAN_BE_ASKED = {"sendgrid": 1, "twilio": 0}


def good(trial: Trial) -> None:
    assert trial.doubles == 0, trial
    assert trial.lost == 0, trial
    assert trial.breaches == [], trial
    assert trial.in_doubt <= IN_FLIGHT * BATCH[trial.provider], trial
    assert trial.point >= IN_DOUBT_FROM or trial.in_doubt == 0, trial
    assert trial.recovered <= LEASE + 10, trial
    if trial.provider in CAN_BE_ASKED:
        assert trial.unproven <= CAN_BE_ASKED[trial.provider], trial


@pytest.mark.parametrize("behaviour", SIZES["crash_behaviours"])
@pytest.mark.parametrize("provider", SIZES["crash_providers"])
@pytest.mark.parametrize("point", SEND_POINTS)
def test_a_killed_sender_sends_nothing_twice_and_loses_nothing(rig: Rig, point: str, provider: str, behaviour: str) -> None:
    trial = crash(rig, point, provider, behaviour)
    assert trial.killed or behaviour != "answers", trial
    good(trial)


@pytest.mark.parametrize("provider", SIZES["frozen_providers"])
@pytest.mark.parametrize("point", SEND_POINTS)
def test_a_sender_frozen_for_two_leases_harms_nobody_when_it_goes_on(rig: Rig, point: str, provider: str) -> None:
    """SIGSTOP: the others reap its leases and go on; it wakes, and remains the only one that could have sent its own."""
    trial = freeze(rig, point, provider)
    assert trial.killed, trial
    assert trial.doubles == 0, trial
    assert trial.lost == 0, trial
    assert trial.breaches == [], trial
