"""Messages that the archive alone carries: the same rows as of those that were called for, a crash leaves all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delivering import SENDS, Delivery, a_campaign

from omnicli import faults
from omnicli.providers import pages
from omnicli.providers.sandbox import Sandbox

WRITTEN = (
    "SELECT c.source_id, t.send_state, t.attempts, t.settled_at IS NOT NULL, t.lease_by, t.fence, a.fence, a.address_hash, a.body_sha256, a.started_at, a.n, a.outcome, a.provider_ref IS NOT NULL,"
    " h.outcome, h.size, r.\"values\" IS NOT NULL, e.told FROM touch t JOIN contact c ON c.id = t.contact_id JOIN attempt a ON"
    " a.touch_id = t.id JOIN handover h ON h.id = a.handover_id JOIN rendering r ON r.touch_id = t.id JOIN enrollment e ON"
    " e.id = t.enrollment_id ORDER BY c.source_id"
)  # fmt: skip


def a_stage(folder: Path, *, most: int, people: int = 7) -> Delivery:
    stage = Delivery(folder, a_campaign(SENDS), file=True)
    outbox = folder / "outbox" / "sandbox"
    outbox.mkdir(parents=True)
    stage.provider = Sandbox(outbox, pages.House.of(stage.loaded.project), most=most)
    stage.sign_up(*(f"c{n:03d}" for n in range(people)))
    stage.decide()
    return stage


def test_what_is_carried_without_a_call_is_written_as_what_was_called_for(tmp_path: Path) -> None:
    found: list[Any] = []
    for most in (0, 1000):
        stage = a_stage(tmp_path / str(most), most=most)
        report = stage.dispatch()
        assert (report.accepted, report.by_channel) == (7, {"email": 7})
        found.append(stage.rows(WRITTEN))
    assert found[0] == found[1]
    assert len(found[0]) == 7


def test_flows_go_on_and_the_outbox_counts_them(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, most=0)
    stage.dispatch()
    assert stage.provider.counts == {"email": 7}
    stage.decide()
    assert stage.rows("SELECT DISTINCT step FROM enrollment") == [("repos",)]


@pytest.mark.parametrize("point", ["F06", "F11"])
def test_a_crash_inside_leaves_nothing_half_written(tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_stage(tmp_path, most=0)

    def crash(name: str) -> None:
        if name == point:
            raise RuntimeError(name)

    with monkeypatch.context() as patch:
        patch.setattr(faults, "point", crash)
        with pytest.raises(RuntimeError, match=point):
            stage.dispatch()
    assert stage.rows("SELECT count(*) FROM attempt") == [(0,)]
    assert stage.rows("SELECT DISTINCT send_state FROM touch") == [("planned",)]
    assert stage.dispatch().accepted == 7


# --- picked, not claimed ----------------------------------------------------------------------------------------------
def between(patch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Somebody else acts once, when a batch was picked and is about to be rendered."""
    acted: list[bool] = []

    def once(name: str) -> None:
        if name == "F05" and not acted:
            acted.append(True)
            act()

    patch.setattr(faults, "point", once)


@pytest.mark.sqlite_only(reason="where several write at once, what is picked is claimed")
def test_what_nobody_is_called_for_is_not_claimed_and_what_another_carried_meanwhile_is_not_carried_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_stage(tmp_path, most=0)
    others: list[int] = []
    states: list[Any] = []

    def other() -> None:
        states.extend(stage.rows("SELECT DISTINCT send_state, lease_by FROM touch"))
        others.append(stage.dispatch().accepted)

    with monkeypatch.context() as patch:
        between(patch, other)
        mine = stage.dispatch().accepted
    assert (states, others, mine) == ([("planned", None)], [7], 0)
    assert stage.rows("SELECT count(*), max(n) FROM attempt") == [(7, 1)]


@pytest.mark.sqlite_only(reason="where several write at once, what is picked is claimed")
@pytest.mark.parametrize(
    "change",
    ["due_at = due_at + 3600000", "fence = fence + 1", "send_state = 'claimed', lease_by = 'w', lease_until = 9", "step = 'x'"],
)
def test_a_touch_that_somebody_changed_since_it_was_picked_is_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    stage = a_stage(tmp_path, most=0)

    def act() -> None:
        with stage.store.write() as connection:
            connection.exec_driver_sql(f"UPDATE touch SET {change} WHERE id = (SELECT min(id) FROM touch)")

    with monkeypatch.context() as patch:
        between(patch, act)
        assert stage.dispatch().accepted == 6
    assert stage.rows("SELECT count(*) FROM attempt a WHERE touch_id = (SELECT min(id) FROM touch)") == [(0,)]


@pytest.mark.sqlite_only(reason="where several write at once, what is picked is claimed")
def test_a_touch_that_was_only_picked_waits_when_the_gate_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_stage(tmp_path, most=0)

    def pause() -> None:
        with stage.store.write() as connection:
            connection.exec_driver_sql("UPDATE campaign SET state = 'paused'")

    with monkeypatch.context() as patch:
        between(patch, pause)
        assert stage.dispatch().held == 7
    assert stage.rows("SELECT DISTINCT send_state, held_by FROM touch") == [("planned", "paused")]
