"""When a touch that was definitely not sent is tried again: a pure function of its tries (docs/delivery 10).

Nothing but `not_sent` is ever repeated. Jitter is a hash of the touch and the try, so a run repeats to the byte.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from omnicli.engine.timing import draw
from omnicli.model.touch import Outcome

MOST_ATTEMPTS = 5
LONGEST = timedelta(hours=24)
LONGEST_DELAY = timedelta(minutes=15)
FIRST_DELAY = timedelta(seconds=2)
#: A mail server's 4yz means minutes, not seconds; hourly after the last of these.
SMTP_DELAYS = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30))
SMTP_LATER = timedelta(hours=1)


def next_try(
    n: int, outcome: Outcome, now: datetime, key: bytes, *, first_at: datetime | None = None, expires_at: datetime | None = None,
    smtp: bool = False,
) -> datetime | None:  # fmt: skip
    """When the touch may be claimed again after its `n`-th attempt (from 1) ended so, or None: it is `exhausted`, or the
    outcome is not one that is repeated.

    Full jitter: uniform over 0 … min(15 min, 2 s * 2**n), drawn from the hash of (touch, n); never before the provider's
    own instant, itself cut at 15 minutes. At most 5 attempts, within 24 hours of the first and before the touch expires.
    """
    if outcome.outcome != "not_sent" or n >= MOST_ATTEMPTS:
        return None
    at = now + (smtp_delay(n) if smtp else jitter(n, key))
    if outcome.retry_at is not None:
        at = max(at, min(outcome.retry_at, now + LONGEST_DELAY))
    if expires_at is not None and at >= expires_at:
        return None
    return None if first_at is not None and at - first_at > LONGEST else at


def jitter(n: int, key: bytes) -> timedelta:
    """The hashed delay after the `n`-th attempt."""
    ceiling = min(LONGEST_DELAY, FIRST_DELAY * (1 << n))
    return timedelta(milliseconds=draw(key, f"retry\x1f{n}", ceiling // timedelta(milliseconds=1) + 1))


def smtp_delay(n: int) -> timedelta:
    """5, 15, 30 minutes, then hourly."""
    return SMTP_DELAYS[n - 1] if n <= len(SMTP_DELAYS) else SMTP_LATER


def probe_after(failures: int) -> timedelta:
    """How long an open breaker waits before its next single-touch probe: 30 s, doubling, at most 15 minutes."""
    return min(LONGEST_DELAY, timedelta(seconds=30 * (1 << min(failures, 10))))
