"""A real process, killed at each fault point of the sending path, then started again: nothing twice, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from crashing import forked
from delivering import Delivery, a_campaign, paris
from stores import address_in

from omnicli import clock

HERE = Path(__file__).parent
BEFORE_THE_CALL = ("F03", "F04", "F05", "F06", "F07", "F08")
PEOPLE = ("anna", "bea", "carl", "dora")
FLOW = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"


def a_stage(folder: Path) -> Delivery:
    stage = Delivery(folder, a_campaign(FLOW), file=True)
    stage.sign_up(*PEOPLE)
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    return stage


def run(stage: Delivery, kind: str, *, crash_at: str | None = None) -> dict[str, int] | None:
    """One dispatch in a process of its own; None when it was killed."""
    return forked(stage.folder, kind, clock.to_ms(stage.now), crash_at=crash_at)


def run_anew(stage: Delivery, kind: str, *, crash_at: str) -> int:
    """The same by the environment, in a Python that starts from nothing; gives the exit status."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMNI_")}
    environment |= {"OMNI_TEST": "1", "OMNI_CRASH_AT": crash_at, **address_in(stage.folder)}
    command = [sys.executable, str(HERE / "crashing.py"), str(stage.folder), kind, str(clock.to_ms(stage.now))]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode


def states(stage: Delivery) -> dict[str, int]:
    return dict(stage.rows("SELECT send_state, count(*) FROM touch GROUP BY 1"))


def journal(stage: Delivery) -> list[str]:
    path = stage.folder / "journal.txt"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("point", ["F03", "F04", "F05", "F06", "F07", "F10", "F11", "F12"])
def test_a_killed_sandbox_goes_on_without_a_person_and_tells_each_message_once(tmp_path: Path, point: str) -> None:
    stage = a_stage(tmp_path)
    assert run(stage, "sandbox", crash_at=point) is None
    assert run(stage, "sandbox") is not None
    assert states(stage) == {"accepted": 4}
    assert stage.rows("SELECT count(*) FROM attempt WHERE outcome = 'accepted'") == [(4,)]
    assert stage.rows("SELECT count(*) FROM cap_slot WHERE rule <> 'all'") == [(4,)]
    files = sorted(path.name.split("-")[0] for path in (tmp_path / "outbox/sandbox/bienvenue/j0").iterdir())
    assert files == list(PEOPLE)
    index = (tmp_path / "outbox/sandbox/index.html").read_text()
    assert index.count('class="person"') == 4


@pytest.mark.parametrize("point", BEFORE_THE_CALL)
def test_killed_before_the_message_left_nobody_gets_it_twice(tmp_path: Path, point: str) -> None:
    stage = a_stage(tmp_path)
    assert run(stage, "journal", crash_at=point) is None
    assert journal(stage) == []
    report = run(stage, "journal")
    parked = 1 if point in ("F07", "F08") else 0  # the intent stood: nobody knows, so it is shown, never sent again
    assert report == {"accepted": 4 - parked, "unknown": 0, "open": parked}
    assert len(journal(stage)) == len(set(journal(stage))) == 4 - parked
    assert sum(states(stage).values()) == 4


@pytest.mark.parametrize("point", ["F09", "F10", "F11"])
@pytest.mark.guards("sending_never_returns")
def test_killed_after_it_left_it_is_unknown_and_never_sent_again(tmp_path: Path, point: str) -> None:
    stage = a_stage(tmp_path)
    assert run(stage, "journal", crash_at=point) is None
    first = journal(stage)
    assert len(first) == 1
    report = run(stage, "journal")
    assert report == {"accepted": 3, "unknown": 0, "open": 1}
    assert sorted(journal(stage)) == sorted(f"{name} j0" for name in PEOPLE)  # each exactly once
    assert states(stage) == {"accepted": 3, "parked": 1}


def test_killed_after_the_outcome_was_written_it_simply_goes_on(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    assert run(stage, "journal", crash_at="F12") is None
    assert run(stage, "journal") == {"accepted": 3, "unknown": 0, "open": 0}
    assert sorted(journal(stage)) == sorted(f"{name} j0" for name in PEOPLE)


def test_a_lease_of_another_machine_is_waited_for(tmp_path: Path) -> None:
    """A process that cannot be seen from here may be alive: its claims stand until their time is up."""
    stage = a_stage(tmp_path)
    assert run(stage, "journal", crash_at="F05") is None
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE touch SET lease_by = 'elsewhere.1.1' WHERE send_state = 'claimed'")
    assert run(stage, "journal") == {"accepted": 0, "unknown": 0, "open": 0}
    assert states(stage) == {"claimed": 4}
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE touch SET lease_until = 0 WHERE send_state = 'claimed'")
    assert run(stage, "journal") == {"accepted": 4, "unknown": 0, "open": 0}


def test_the_environment_arms_a_fault_point_of_a_fresh_process(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    assert run_anew(stage, "journal", crash_at="F10") == -signal.SIGKILL
    assert len(journal(stage)) == 1
    assert run(stage, "journal") == {"accepted": 3, "unknown": 0, "open": 1}
    assert sorted(journal(stage)) == sorted(f"{name} j0" for name in PEOPLE)
