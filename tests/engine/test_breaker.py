"""When an account is left alone, probed and believed again: a table of answers and what stands after them (delivery 5, 10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from omnicli.engine import breaker
from omnicli.engine.breaker import Account, Answer, May

NOW = 1_800_000_000_000
OK, LOST, NOT = Answer(accepted=True), Answer(unknown=1, why="lost"), Answer(failed=True, why="busy")


def after(*answers: Answer, account: Account | None = None, full: int = 500) -> Account:
    found = account or Account()
    for answer in answers:
        found = breaker.heard(found, answer, NOW, full=full)
    return found


@pytest.mark.guards("breaker")
@pytest.mark.parametrize(
    ("answers", "may"),
    [
        ([NOT] * 4, "go"), ([NOT] * 5, "wait"), ([NOT] * 4 + [OK] + [NOT] * 4, "go"),
        ([LOST] * 2, "go"), ([LOST] * 3, "wait"), ([LOST, LOST, OK, LOST], "go"), ([NOT, LOST, NOT, LOST, NOT, LOST], "go"),
        ([Answer(unknown=50)], "go"), ([Answer(unknown=51)], "wait"),
        ([Answer(failed=True, halts=True)], "wait"), ([Answer(failed=True, halts=True, needs_person=True)], "wait"),
    ],
)  # fmt: skip
def test_an_account_that_answers_badly_is_left_alone(answers: list[Answer], may: str) -> None:
    assert breaker.may(after(*answers), NOW).kind == may


def test_it_is_probed_after_30_seconds_then_after_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    account, now, waits = after(*[NOT] * 5), NOW, []
    for _ in range(8):
        assert account.probe_at is not None
        waits.append((account.probe_at - now) // 1000)
        now = account.probe_at
        assert breaker.may(replace(account, probe_at=now + 1), now).kind == "wait"
        assert breaker.may(account, now).kind == "probe"
        account = breaker.heard(breaker.probing(account, now, patience=90_000), LOST, now, full=1)
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_while_one_probes_the_others_wait_and_a_prober_that_died_is_not_waited_for_for_ever() -> None:
    account = breaker.probing(after(*[NOT] * 5), NOW, patience=90_000)
    assert breaker.may(account, NOW) == May("wait", NOW + 90_000, "busy")
    assert breaker.may(account, NOW + 90_000).kind == "probe"


def test_one_accepted_probe_closes_it_and_what_counted_against_it_is_forgotten() -> None:
    probed = breaker.probing(after(*[NOT] * 5), NOW, patience=1)
    closed = breaker.heard(probed, OK, NOW, full=1)
    assert (closed.state, closed.not_sent, closed.wait) == ("closed", 0, 0)
    assert breaker.may(after(*[NOT] * 4, account=closed), NOW).kind == "go"


def test_a_probe_that_is_told_when_to_come_back_comes_then_and_does_not_double() -> None:
    probed = breaker.probing(after(*[NOT] * 5), NOW, patience=1)
    told = breaker.heard(probed, replace(NOT, retry_at=NOW + 45_000), NOW, full=1)
    assert (told.probe_at, told.wait) == (NOW + 45_000, 30_000)
    ages = breaker.heard(probed, replace(NOT, retry_at=NOW + 10**9), NOW, full=1)
    assert ages.probe_at == NOW + 900_000
    soon = breaker.heard(probed, replace(NOT, retry_at=NOW + 1_000), NOW, full=1)  # what it would have waited anyhow
    assert (soon.probe_at, soon.wait) == (NOW + 60_000, 60_000)


def test_who_refuses_us_waits_for_a_person_whatever_time_passes() -> None:
    account = after(Answer(failed=True, halts=True, needs_person=True, why="401"))
    assert breaker.may(account, NOW + 10**9) == May("wait", None, "401")
    assert breaker.may(after(OK, account=account), NOW).kind == "wait"  # one of those in flight
    assert breaker.may(breaker.mended(account), NOW).kind == "go"


@pytest.mark.guards("slow_start")
def test_after_a_big_unknown_request_few_go_at_a_time_and_twice_as_many_with_each_success() -> None:
    account = replace(after(Answer(unknown=51)), state="closed")
    sizes = []
    while account.batch is not None:
        sizes.append(account.batch)
        account = after(OK, account=account)
    assert sizes == [10, 20, 40, 80, 160, 320]
    assert after(Answer(unknown=50)).batch is None


@pytest.mark.guards("retry_budget")
def test_retries_that_do_not_help_are_one_in_ten_of_a_minutes_calls() -> None:
    busy = breaker.begun(Account(), NOW, calls=100, retries=9)
    assert breaker.may_retry(busy, NOW)
    full = breaker.begun(busy, NOW, calls=1, retries=1)
    assert not breaker.may_retry(full, NOW)
    assert breaker.may_retry(breaker.heard(full, Answer(accepted=True, retry=True), NOW, full=1), NOW)  # this one helped
    assert breaker.may_retry(full, breaker.next_minute(NOW))


def test_the_rate_is_one_row_for_all_processes() -> None:
    first = breaker.reserve(Account(), NOW, pace=0.1, touches=2)
    assert breaker.room_in(first, NOW) == 200
    second = breaker.reserve(first, NOW + 50, pace=0.1, touches=1)
    assert breaker.room_in(second, NOW + 50) == 250
    assert breaker.reserve(Account(), NOW, pace=0.0, touches=9) == Account()
