"""Rendering elsewhere gives the same bytes, loses nothing when a process dies, and leaves nobody behind."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from delivering import SENDS, Delivery, a_campaign
from galley import Galley, archived, told

from omnicli.campaigns import pressroom
from omnicli.campaigns.press import Prepared, Presses, Unfit
from omnicli.campaigns.pressroom import Mate
from omnicli.store.outbox import Claimed

TRACKED = "\ntracking: {domain: https://go.maisonlune.example, opens: consented}\n"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def galley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Galley]:
    found = Galley.of(tmp_path_factory.mktemp("galley"), readers=6, more=TRACKED, channels=("email", "sms", "letter", "task"))
    found.touches *= 5  # the later ones find their messages folded
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def expected(galley: Galley) -> list[Prepared | Unfit]:
    return galley.presses().prepare(galley.touches)


@pytest.fixture(scope="module")
def staffed(galley: Galley) -> Iterator[Presses]:
    presses = staff(galley, 2)
    yield presses
    presses.dismiss()


def staff(galley: Galley, processes: int) -> Presses:
    """Presses with so many processes, ready."""
    presses = galley.presses(processes=processes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pressroom, "cores", lambda: 8)
        presses.staff(pressroom.FEW + 1)
    assert presses._room is not None
    for mate in presses._room.mates:
        assert select.select([mate._out], [], [], 60.0)[0]
        assert mate.is_ready
    with galley.store.read() as connection:
        presses._trees = {version: pressroom_tree(connection, version) for version in galley.versions.values()}
    return presses


def pressroom_tree(connection: object, version: int) -> str:
    from omnicli.store import campaigns

    return campaigns.tree(connection, version)  # type: ignore[arg-type]


def mates(presses: Presses) -> list[Mate]:
    assert presses._room is not None
    return presses._room.mates


def ends(pid: int) -> bool:
    """Whether this process ends within a minute."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 60.0)[0])
    finally:
        os.close(watched)


def test_other_processes_give_the_same_bytes(galley: Galley, staffed: Presses, expected: list[Prepared | Unfit]) -> None:
    orders = [staffed.order(galley.touches[at : at + 300]) for at in range(0, len(galley.touches), 300)]
    assert all(order.parts for order in orders)
    assert staffed.busy
    made = [one for order in orders for one in order.take()]
    assert archived(made) == archived(expected)
    assert not staffed.busy
    assert not staffed.fallen
    alone = galley.presses()
    assert archived(staffed.prepare(told(made))) == archived(alone.prepare(told(made)))
    for one, other in zip(made[::50], expected[::50], strict=True):
        if isinstance(one, Prepared) and isinstance(other, Prepared):
            assert dict(one.handed().rendered.parts) == dict(other.handed().rendered.parts)  # type: ignore[union-attr]


def test_orders_may_be_taken_in_any_order(galley: Galley, staffed: Presses, expected: list[Prepared | Unfit]) -> None:
    orders = [staffed.order(galley.touches[at : at + 200]) for at in (0, 200, 400)]
    made = [orders[n].take() for n in (2, 0, 1)]
    assert archived([*made[1], *made[2], *made[0]]) == archived(expected[:600])


@pytest.mark.slow
def test_a_process_keeps_to_its_memory(galley: Galley, staffed: Presses) -> None:
    batch = galley.touches[:600]
    for _ in range(3):
        staffed.prepare(batch)
    before = [resident(mate.process.pid) for mate in mates(staffed)]
    for _ in range(20):
        staffed.prepare(batch)
    after = [resident(mate.process.pid) for mate in mates(staffed)]
    assert max(after) <= 120
    assert max(now - then for now, then in zip(after, before, strict=True)) <= 8


def resident(pid: int) -> float:
    """Megabytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 1024


def test_ctrl_c_is_for_whoever_started_them(galley: Galley, staffed: Presses, expected: list[Prepared | Unfit]) -> None:
    for mate in mates(staffed):
        mate.process.send_signal(signal.SIGINT)
    assert archived(staffed.prepare(galley.touches[:500])) == archived(expected[:500])
    assert not staffed.fallen


@pytest.mark.slow
def test_what_a_dead_or_a_dumb_process_had_in_hand_is_printed_here(
    galley: Galley, expected: list[Prepared | Unfit], monkeypatch: pytest.MonkeyPatch
) -> None:
    presses = staff(galley, 3)
    monkeypatch.setattr(pressroom, "PATIENCE", 0.2)
    killed, stopped = (mate.process for mate in mates(presses))
    killed.send_signal(signal.SIGSTOP)  # it has its part in hand for good
    stopped.send_signal(signal.SIGSTOP)
    orders = [presses.order(galley.touches[at : at + 400]) for at in (0, 400)]
    killed.kill()
    made = [one for order in orders for one in order.take()]
    assert archived(made) == archived(expected[:800])
    assert presses.fallen == 2
    assert not presses.busy
    assert archived(presses.prepare(galley.touches[:300])) == archived(expected[:300])
    presses.dismiss()
    assert killed.poll() is not None
    assert stopped.poll() is not None


def test_a_defect_elsewhere_is_met_again_here(galley: Galley, staffed: Presses, expected: list[Prepared | Unfit]) -> None:
    first = galley.touches[0]
    strange = first._replace(told=f'{{"{first.message}": torn')
    with pytest.raises(json.JSONDecodeError):
        staffed.prepare([strange])
    assert not staffed.fallen
    assert archived(staffed.prepare(galley.touches[:250])) == archived(expected[:250])


@pytest.mark.parametrize(("processes", "due"), [(1, 10**6), (2, pressroom.FEW)])
def test_few_touches_or_one_process_start_nobody(galley: Galley, processes: int, due: int) -> None:
    presses = galley.presses(processes=processes)
    presses.staff(due)
    assert presses._room is None
    presses.dismiss()


@pytest.mark.slow
def test_nothing_is_left_behind(galley: Galley) -> None:
    gc.collect()  # what tests before this one left behind is not looked for
    before = set(os.listdir("/proc/self/fd"))
    presses = staff(galley, 2)
    presses.prepare(galley.touches[:400])
    presses.dismiss()
    presses.dismiss()
    assert [mate.process.poll() for mate in mates(presses)] == [0]
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.slow
def test_a_killed_main_process_leaves_no_orphans(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from galley import Galley; from test_pressroom import staff, mates\n"
        "galley = Galley.of(Path(sys.argv[2]), readers=1)\n"
        "presses = staff(galley, 2); orders = [presses.order(galley.touches[:300]) for _ in range(3)]\n"
        "print(mates(presses)[0].process.pid, flush=True); sys.stdin.read()\n"
    )
    main = subprocess.Popen([sys.executable, "-c", code, str(HERE), str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with main:
        assert main.stdout is not None
        pid = int(main.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        main.kill()
    assert ends(pid)


@pytest.mark.slow
def test_a_round_with_two_processes_writes_what_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    begin, orders = Presses.staff, []
    monkeypatch.setattr(pressroom, "FEW", 10)
    monkeypatch.setattr(pressroom, "cores", lambda: 2)
    monkeypatch.setattr(Presses, "staff", lambda presses, expected: (begin(presses, expected), orders.append(ready(presses))))
    for processes in (1, 2):
        stage = Delivery(tmp_path / str(processes), a_campaign(SENDS))
        stage.sign_up(*(f"p{n}" for n in range(260)))
        stage.decide()
        assert stage.dispatch(processes=processes).accepted == 260
        written.append((
            stage.rows("SELECT t.touch_key, t.send_state, a.address_hash, a.body_sha256, r.\"values\", s.hash FROM touch t JOIN attempt a"
                       " ON a.touch_id = t.id JOIN rendering r ON r.touch_id = t.id JOIN skeleton s ON s.id = r.skeleton_id ORDER BY 1"),
            stage.rows("SELECT e.key, e.told FROM enrollment e ORDER BY 1"),
            [dict(one.rendered.parts) for one in stage.provider.handed],
        ))  # fmt: skip
    assert orders == [False, True]
    assert written[0] == written[1]


def ready(presses: Presses) -> bool:
    """Wait until the processes of these presses are ready; False without any."""
    if presses._room is None:
        return False
    return all(select.select([mate._out], [], [], 60.0)[0] and mate.is_ready for mate in presses._room.mates)


def test_a_batch_says_once_what_its_touches_share(galley: Galley) -> None:
    touches: list[Claimed] = [touch for touch in galley.touches if touch.channel == "email"]
    batch = pressroom.batch_of(touches, pressroom.Beside(), lambda *_: "Europe/Paris", {})
    assert len(batch.kinds) < len(touches) / 2
    assert len(batch.own) == len(touches)
    assert not batch.words
