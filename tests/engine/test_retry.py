"""Retries: nothing but `not_sent` is repeated, never too soon, never too often (delivery 10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from omnicli.engine import retry
from omnicli.model.touch import Outcome

NOW = datetime(2027, 1, 4, 10, 0, tzinfo=UTC)
FAILED = Outcome("not_sent")


@pytest.mark.parametrize("outcome", ["accepted", "rejected", "unknown"])
def test_only_what_was_definitely_not_sent_is_repeated(outcome: str) -> None:
    assert retry.next_try(1, Outcome(outcome), NOW, b"key") is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "ceiling"), [(1, 4), (2, 8), (3, 16), (4, 32)])
def test_the_delay_is_hashed_and_below_its_ceiling(n: int, ceiling: int) -> None:
    delays = [(retry.next_try(n, FAILED, NOW, bytes([i, n])) or NOW) - NOW for i in range(256)]
    assert all(timedelta(0) <= delay <= timedelta(seconds=ceiling) for delay in delays)
    assert max(delays) > timedelta(seconds=ceiling * 0.9)
    assert min(delays) < timedelta(seconds=ceiling * 0.1)
    assert retry.next_try(n, FAILED, NOW, b"key") == retry.next_try(n, FAILED, NOW, b"key")


def test_the_ceiling_of_the_delay_is_fifteen_minutes() -> None:
    assert all(retry.jitter(40, bytes([i])) <= timedelta(minutes=15) for i in range(256))


def test_the_fifth_attempt_is_the_last() -> None:
    assert retry.next_try(4, FAILED, NOW, b"key") is not None
    assert retry.next_try(5, FAILED, NOW, b"key") is None


def test_never_before_the_providers_own_instant_which_is_cut_at_fifteen_minutes() -> None:
    asked = Outcome("not_sent", retry_at=NOW + timedelta(minutes=4))
    assert retry.next_try(1, asked, NOW, b"key") == NOW + timedelta(minutes=4)
    days = Outcome("not_sent", retry_at=NOW + timedelta(days=4))
    assert retry.next_try(1, days, NOW, b"key") == NOW + timedelta(minutes=15)
    past = Outcome("not_sent", retry_at=NOW - timedelta(days=1))
    assert retry.next_try(1, past, NOW, b"key") == retry.next_try(1, FAILED, NOW, b"key")


def test_never_after_a_day_nor_after_the_touch_expires() -> None:
    assert retry.next_try(2, FAILED, NOW, b"key", first_at=NOW - timedelta(hours=23)) is not None
    assert retry.next_try(2, FAILED, NOW, b"key", first_at=NOW - timedelta(hours=24)) is None
    assert retry.next_try(2, FAILED, NOW, b"key", expires_at=NOW) is None
    assert retry.next_try(2, FAILED, NOW, b"key", expires_at=NOW + timedelta(hours=1)) is not None


@pytest.mark.parametrize(("n", "minutes"), [(1, 5), (2, 15), (3, 30), (4, 60)])
def test_a_mail_server_is_given_minutes(n: int, minutes: int) -> None:
    assert retry.next_try(n, FAILED, NOW, b"key", smtp=True) == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 30), (1, 60), (2, 120), (5, 900), (60, 900)])
def test_an_open_breaker_probes_ever_more_rarely(failures: int, seconds: int) -> None:
    assert retry.probe_after(failures) == timedelta(seconds=seconds)
