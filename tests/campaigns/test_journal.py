"""The emergency journal: outcomes that a store did not take survive beside it, a torn tail and a second replay included."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from delivering import Delivery, Recorder, a_campaign, accepted, paris

from omnicli.campaigns import journal
from omnicli.errors import OmniError
from omnicli.model.touch import Outcome

FLOW = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"


def a_journal(folder: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Outcome] | None = None) -> Delivery:
    """A round of three whose store took no outcome at all."""
    stage = Delivery(folder, a_campaign(FLOW), file=True, provider=Recorder(batch=1, in_flight=3))
    stage.provider.answer = lambda one: (answers or {}).get(one.contact) or accepted(one)
    stage.sign_up("anna", "bea", "cora")
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    from omnicli.campaigns import recording

    def fails(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(recording.outbox, "record", fails)
        with pytest.raises(OmniError, match="No space left"):
            stage.dispatch(patience=0.0)
    return stage


def states(stage: Delivery) -> dict[str, int]:
    return dict(stage.rows("SELECT send_state, count(*) FROM touch GROUP BY 1"))


def test_what_the_store_did_not_take_is_replayed_before_anything_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_journal(tmp_path, monkeypatch, {"cora": Outcome("rejected", code="550")})
    path = tmp_path / "sandbox.journal"
    assert path.stat().st_size == journal.SIZE
    assert path.stat().st_mode & 0o077 == 0
    assert sorted(entry["outcome"] for entry in journal.pending(stage.store)) == ["accepted", "accepted", "rejected"]
    assert states(stage) == {"sending": 3}
    assert stage.dispatch().open_unknown == 0
    assert states(stage) == {"accepted": 2, "rejected": 1}
    assert len(stage.provider.handed) == 3
    assert journal.pending(stage.store) == []
    assert path.stat().st_size == journal.SIZE
    stage.turn()
    assert sorted(stage.passes()) == ["anna bienvenue at w", "bea bienvenue at w", "cora bienvenue at w"]


def test_who_was_not_sent_goes_again_and_whose_fate_is_unknown_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_journal(tmp_path, monkeypatch, {"anna": Outcome("not_sent", code="429"), "bea": Outcome("unknown", code="503")})
    stage.provider.answer = accepted
    stage.dispatch()
    assert states(stage) == {"accepted": 2, "parked": 1}
    assert sorted(one.contact for one in stage.provider.handed) == ["anna", "anna", "bea", "cora"]


def test_a_torn_tail_is_left_out_and_its_touch_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_journal(tmp_path, monkeypatch)
    path = tmp_path / "sandbox.journal"
    raw = path.read_bytes()
    end = raw.index(b"\0")
    path.write_bytes(raw[: end - 9] + b"\0" * (journal.SIZE - end + 9))
    assert len(journal.pending(stage.store)) == 2
    stage.dispatch()
    assert states(stage) == {"accepted": 2, "parked": 1}
    assert len(stage.provider.handed) == 3


def test_a_replay_that_was_interrupted_before_the_journal_was_emptied_is_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = a_journal(tmp_path, monkeypatch)
    before = (tmp_path / "sandbox.journal").read_bytes()
    assert journal.replay(stage.store, now=stage.now) == 3
    (tmp_path / "sandbox.journal").write_bytes(before)
    assert journal.replay(stage.store, now=stage.now) == 0
    assert states(stage) == {"accepted": 3}
    assert stage.rows("SELECT outcome, count(*) FROM attempt GROUP BY 1") == [("accepted", 3)]


def test_outcomes_of_touches_that_the_store_does_not_know_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another database was put in its place: ids begin anew there, keys do not."""
    (tmp_path / "first").mkdir()
    lost = a_journal(tmp_path / "first", monkeypatch)
    (tmp_path / "second").mkdir()
    other = Delivery(tmp_path / "second", a_campaign(FLOW), file=True, provider=Recorder(lambda _one: Outcome("unknown")))
    other.sign_up("dora")
    other.now = lost.now
    other.decide()
    other.dispatch()
    (tmp_path / "second/sandbox.journal").write_bytes((tmp_path / "first/sandbox.journal").read_bytes())
    assert journal.replay(other.store, now=other.now) == 0
    assert states(other).keys() <= {"unknown", "parked"}
    assert journal.pending(other.store) == []


def test_nothing_is_appended_while_somebody_takes_it_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_journal(tmp_path, monkeypatch)
    path = journal.path_of(stage.store)
    assert path is not None
    late = threading.Thread(target=journal.keep, args=(stage.store, "w", []), kwargs={"at": stage.now})
    with journal._alone(path):
        late.start()
        late.join(0.1)
        assert late.is_alive()
    late.join(10)
    assert not late.is_alive()


@pytest.mark.parametrize("raw", [b"", b"\0" * 64, b"nonsense\n", b"00000000 {}\n", b"\xff\xfe\n\0"])
def test_whatever_stands_in_it_is_read_without_harm(tmp_path: Path, raw: bytes) -> None:
    stage = Delivery(tmp_path, a_campaign(FLOW), file=True)
    (tmp_path / "sandbox.journal").write_bytes(raw)
    assert journal.replay(stage.store, now=stage.now) == 0


@pytest.mark.sqlite_only(reason="a store in memory")
def test_a_store_in_memory_has_no_journal(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign(FLOW))
    journal.allocate(stage.store)
    journal.keep(stage.store, "w", [], at=stage.now)
    assert journal.pending(stage.store) == []
    assert not list(tmp_path.glob("*.journal"))
