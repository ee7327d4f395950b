"""A commit that was done and whose answer was lost, and a transaction that another crossed: what is written again is not counted again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import stores
from delivering import Delivery, Recorder, a_campaign

from omnicli.campaigns import canary
from omnicli.campaigns.dispatch import DispatchReport
from omnicli.campaigns.recording import Recorder as Outcomes
from omnicli.campaigns.round import Round
from omnicli.errors import OmniError
from omnicli.model.touch import Handed, Outcome

FLOW = "- {send: offre, by: email, id: j0}"


def refused(_one: Handed) -> Outcome:
    return Outcome("not_sent", code="451", detail="later")


def a_house(folder: Path, provider: Recorder, *people: str) -> Delivery:
    stage = Delivery(folder, a_campaign(FLOW), file=True, provider=provider)
    stage.sign_up(*people)
    stage.decide()
    return stage


@contextmanager
def losing_the_answer(stage: Delivery, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The first commit in which outcomes are written is done, and nobody hears of it; gives how often outcomes were written."""
    written: list[int] = []
    write, dialect = Outcomes.write, stage.store.writer.dialect
    commit = dialect.do_commit

    def note(self: Outcomes, connection: Any, calls: Any, *given: Any, **more: Any) -> Any:
        if calls:
            written.append(len(calls))
        return write(self, connection, calls, *given, **more)

    def do_commit(raw: Any) -> None:
        commit(raw)
        if len(written) == 1:
            written.append(0)
            if stores.POSTGRESQL:
                import psycopg

                raise psycopg.OperationalError("the connection was lost")
            raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(Outcomes, "write", note)
        patched.setattr(dialect, "do_commit", do_commit)
        yield written


@pytest.mark.parametrize("in_flight", [1, 3])
@pytest.mark.parametrize("answer", [None, refused], ids=["accepted", "refused"])
def test_outcomes_whose_commit_was_lost_are_no_news_and_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, in_flight: int
) -> None:
    found = []
    for lost in (False, True):
        provider = Recorder(batch=1, in_flight=in_flight, **({"answer": answer} if answer else {}))
        (tmp_path / str(lost)).mkdir()
        stage = a_house(tmp_path / str(lost), provider, "lea")
        if lost:
            report = DispatchReport()
            with losing_the_answer(stage, monkeypatch) as written, suppress(OmniError):
                stage.dispatch(report=report)
            assert len(written) > 2
        else:
            report = stage.dispatch()
        account = stage.rows("SELECT * FROM account")
        found.append(
            (report.accepted, report.retried, [row[:3] + row[5:] for row in account], stage.touches(), len(provider.handed))
        )
        assert stage.rows("SELECT * FROM evidence") == []
    assert found[0] == found[1]


def test_a_trial_whose_transaction_was_crossed_remembers_whom_it_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent of the first hundredth counts; what was only claimed is drawn again."""
    provider = Recorder(batch=1, answer=lambda _one: Outcome("rejected", code="550", detail="no"))
    stage = a_house(tmp_path, provider, "ana", "bea", "cleo", "dora")
    trial = canary.Trial(1, 3)
    begun: list[int] = []
    step = Round._step

    def crossed_once(self: Round) -> None:
        if self.claims.trial is None and not begun:
            self.claims.begin(trial)
        step(self)
        if provider.handed and not begun:
            begun.extend(row[0] for row in stage.rows("SELECT touch_id FROM attempt ORDER BY touch_id"))
            assert len(trial.ids) == 3
            self._begin_again()
            assert trial.ids == begun
            self.claims.begin()

    monkeypatch.setattr(canary.Trial, "below", b"\xff" * 16)
    monkeypatch.setattr(Round, "_step", crossed_once)
    stage.dispatch()
    assert 0 < len(begun) < 3
