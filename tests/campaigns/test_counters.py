"""Addresses that keep failing rest for 90 days, told by all that happened, in whatever order it is heard (rules.md SU-02, SU-03)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage import Stage, a_campaign, paris

from omnicli import clock
from omnicli.campaigns.respond.counters import DAY, OFF, REST, SOFT, rests

OFF_CASES = [
    ([1, 2], [], None),
    ([1, 2, 3], [], 3),
    ([1, 2, 40], [], None),
    ([1, 2, 33, 34, 35], [], 35),
    ([1, 2, 3], [2.5], None),
    ([1, 2, 3], [3.5], None),
    ([1, 2, 3], [0.5], 3),
    ([1, 2, 3, 4, 5], [], 3),
    ([1, 2, 3, 100], [], 3),
    ([1, 2, 3, 100, 101, 102], [], 102),
]
SOFT_CASES = [
    ([1, 2, 3, 4, 5], [], None),
    ([1, 5, 9, 12, 15], [], 15),
    ([1, 5, 9, 12, 15], [10], None),
    ([1, 5, 9, 12], [], None),
    ([1, 5, 9, 12, 14, 16], [], 16),
    ([1, 5, 9, 12, 15, 110], [], 110),  # the probe after the rest bounced too
    ([1, 5, 9, 12, 15, 110], [107], 15),
]


@pytest.mark.parametrize(
    ("rule", "failed", "delivered", "since"), [(OFF, *c) for c in OFF_CASES] + [(SOFT, *c) for c in SOFT_CASES]
)
def test_a_row_of_failures_gives_a_rest(rule: object, failed: list[float], delivered: list[float], since: float | None) -> None:
    found = rests(rule, [int(d * DAY) for d in failed], [int(d * DAY) for d in delivered])  # type: ignore[arg-type]
    assert found == (None if since is None else (int(since * DAY), int(since * DAY) + REST))


@given(st.lists(st.integers(0, 400), max_size=12), st.lists(st.integers(0, 400), max_size=4), st.randoms())
def test_no_order_matters(failed: list[int], delivered: list[int], random: object) -> None:
    shuffled = failed[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for rule in (OFF, SOFT):
        assert rests(rule, [d * DAY for d in failed], [d * DAY for d in delivered]) == rests(
            rule, [d * DAY for d in shuffled], [d * DAY for d in delivered]
        )


def test_a_handset_that_is_off_rests_and_comes_back_by_itself(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign("- {send: offre, id: j0, by: sms}\n- {wait: 300 days, id: w}"))
    stage.person("lea", consent=("sms",))
    for day in (5, 6, 7):
        stage.says("lea", "failed", at=f"2027-01-0{day} 09:00", channel="sms", code="30003")
    stage.now = paris("2027-01-08 09:00")
    stage.fold()
    since, until = stage.row("SELECT at, until FROM suppression WHERE reason = 'out_of_reach'")
    assert (clock.from_ms(since), until - since) == (paris("2027-01-07 09:00"), REST)
    stage.says("lea", "signup")
    stage.run("2027-01-08 10:00")
    assert stage.touches() == ["lea j0 sms skipped: unreachable 2027-01-08 10:00"]
    stage.says("lea", "delivered", at="2027-01-06 12:00", channel="sms")
    stage.now = paris("2027-01-09 09:00")
    stage.fold()
    assert stage.rows("SELECT reason FROM suppression") == []
