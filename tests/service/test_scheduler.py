"""What calls the tick: the lines for cron, the unit, the clock guard, and the daemon, which is stopped by SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from omnicli.campaignfile import load_project
from omnicli.campaigns.lock import project_lock
from omnicli.errors import OmniError
from omnicli.model.literals import Duration
from omnicli.service.installing import Place, cron_block, cron_times, github_workflow, systemd_unit, variables, without_block
from omnicli.service.scheduler import ClockGuard, Metronome

START = datetime(2027, 1, 4, 10, tzinfo=UTC)


def a_place(root: str = "/srv/lune", *, live: bool = True, every: str = "15 minutes") -> Place:
    return Place("maison-lune", Path(root), live, "Europe/Paris", Duration.parse(every), ("/srv/lune/.venv/bin/omni",))


@pytest.mark.parametrize(("every", "times"), [
    ("1 minute", "* * * * *"), ("5 minutes", "*/5 * * * *"), ("7 minutes", "*/6 * * * *"), ("15 minutes", "*/15 * * * *"),
    ("45 minutes", "*/30 * * * *"), ("1 hour", "0 * * * *"), ("90 minutes", "0 * * * *"), ("5 hours", "0 */4 * * *"),
    ("1 day", "0 0 * * *"), ("1 week", "0 0 * * *"),
])  # fmt: skip
def test_cron_is_never_slower_than_asked(every: str, times: str) -> None:
    assert cron_times(Duration.parse(every)) == times


def test_the_lines_for_cron_have_absolute_paths_a_zone_and_a_log() -> None:
    assert cron_block(a_place()) == [
        "# omni maison-lune live (managed; `omni schedule remove` takes it out)",
        "CRON_TZ=Europe/Paris",
        "*/15 * * * * /srv/lune/.venv/bin/omni schedule tick -C /srv/lune --live --no-input -q >>/srv/lune/.omni/tick.log",
        "# end omni maison-lune live",
    ]


def test_a_percent_and_a_blank_in_a_path_do_not_break_the_line() -> None:
    line = cron_block(a_place("/srv/50 % lune"))[2]
    assert r"'/srv/50 \% lune'" in line
    assert "WorkingDirectory=/srv/50 %% lune\n" in systemd_unit(a_place("/srv/50 % lune"))
    assert '"/srv/50 %% lune"' in systemd_unit(a_place("/srv/50 % lune"))


def test_what_a_live_call_needs_of_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "omni.yaml").write_text("""
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: a@example.com}}
providers: {smtp: {host: h, password: "${MAIL_PASSWORD}", user: "${MAIL_USER}"}}
""")
    for name in [name for name in os.environ if name.startswith("OMNI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    loaded = load_project(tmp_path)
    assert variables(loaded, a_place()) == ["MAIL_PASSWORD", "MAIL_USER", "OMNI_SMTP_HOST"]
    assert variables(loaded, a_place(live=False)) == []
    assert "EnvironmentFile=-/srv/50 %% lune/.omni/live.env\n" in systemd_unit(a_place("/srv/50 % lune"))


def test_taking_out_leaves_everything_else_as_it_was() -> None:
    others = ["MAILTO=me@example.com", "0 5 * * * backup", *cron_block(a_place(live=False))]
    assert without_block([*others, "", *cron_block(a_place())], a_place()) == others
    assert without_block(others, a_place()) == others


def test_the_unit_lets_the_batch_in_hand_finish() -> None:
    unit = systemd_unit(a_place())
    assert "ExecStart=/srv/lune/.venv/bin/omni schedule run -C /srv/lune --live --no-input\n" in unit
    assert "KillSignal=SIGTERM\n" in unit
    assert "Restart=on-failure\n" in unit


def test_the_workflow_ticks_no_more_often_than_its_host_allows() -> None:
    assert 'cron: "*/5 * * * *"' in github_workflow(a_place(every="1 minute"))
    assert "omni schedule tick --live --no-input" in github_workflow(a_place())


@pytest.mark.parametrize(("wall", "machine", "jumped"), [
    (timedelta(seconds=10), 10.0, False), (timedelta(minutes=4), 10.0, False), (timedelta(minutes=6), 10.0, True),
    (timedelta(seconds=9), 10.0, False), (timedelta(seconds=7), 10.0, True), (timedelta(hours=8), 8 * 3600.0, False),
])  # fmt: skip
@pytest.mark.guards("jump_guard")
def test_a_clock_that_was_moved_is_noticed_and_time_that_passed_is_not(wall: timedelta, machine: float, jumped: bool) -> None:
    guard = ClockGuard()
    assert not guard.jumped(START, 100.0)
    assert guard.jumped(START + wall, 100.0 + machine) is jumped
    assert not guard.jumped(START + wall + timedelta(seconds=10), 110.0 + machine), "the new time is believed at the next tick"


def test_the_lock_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    with project_lock(tmp_path, live=False):
        with pytest.raises(OmniError) as refused, project_lock(tmp_path, live=False):
            pass
        assert refused.value.exit == 5
        assert str(os.getpid()) in refused.value.message
        with project_lock(tmp_path, live=True):
            pass
    with project_lock(tmp_path, live=False):
        pass


def test_what_needs_a_person_is_told_when_it_begins_and_not_at_every_tick(tmp_path: Path) -> None:
    told: list[str] = []
    daemon = Metronome(tmp_path, False, timedelta(seconds=1), told.append, told.append)
    for _ in range(3):
        daemon.beat()
    assert len(told) == 1
    assert "omni.yaml" in told[0]


OMNI = """
project: maison
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
channels: {email: {provider: smtp, price: 0.001 EUR}}
"""


def test_the_daemon_ticks_and_leaves_with_0_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "omni.yaml").write_text(OMNI)
    (tmp_path / "campaigns").mkdir()
    call = [sys.executable, "-m", "omnicli.cli.main", "schedule", "run", "--every", "1s", "-C", str(tmp_path), "--lang", "en"]
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        assert "Ticking every 1s" in daemon.stderr.readline()
        daemon.send_signal(signal.SIGTERM)
        out, err = daemon.communicate(timeout=60)
    assert (daemon.returncode, out, err) == (0, "", "Stopped.\n")
