"""Whether an account may be called now, and what an answer changes about that: pure functions over one frozen row.

The row is shared by all workers (docs/delivery 5, 10). Instants and durations are milliseconds. An account is left alone after 5
calls in a row that were not sent, 3 in a row whose fate is unknown, one unknown request of more than 50 people, or when it says
that it does not know us; then one touch probes it after 30 s, doubling to 15 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from omnicli import guards

NOT_SENT_IN_A_ROW, UNKNOWN_IN_A_ROW = 5, 3
#: An unknown request of more than so many people opens the breaker, and the account starts again with few at a time.
UNKNOWN_REQUEST, SLOW_START = 50, 10
FIRST_PROBE, LAST_PROBE = 30_000, 900_000
MINUTE = 60_000
#: Of an account's calls in a minute at most one in ten may be a retry that did not help; a few always may.
RETRY_SHARE, RETRY_FEW = 10, 5


@dataclass(frozen=True, slots=True)
class Account:
    """One account as all workers see it. `why` it is open; `wait` until the next probe; `batch` the working batch of a slow
    start (None: the provider's own); `free_at` when its rate has room; `calls` and `retries` of the minute `minute`."""

    state: Literal["closed", "open", "half"] = "closed"
    why: str | None = None
    opened_at: int | None = None
    probe_at: int | None = None
    wait: int = 0
    needs_person: bool = False
    not_sent: int = 0
    doubtful: int = 0
    batch: int | None = None
    free_at: int = 0
    minute: int = 0
    calls: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call. `failed`: nobody was sent, for a reason that does not lie with these people. `unknown`: of how many
    nobody knows. `accepted`: somebody was accepted. `halts`: the account refuses us, `needs_person` until somebody mends it.
    `retry_at`: when the provider wants to be asked again. `retry`: the call was one."""

    unknown: int = 0
    failed: bool = False
    accepted: bool = False
    halts: bool = False
    needs_person: bool = False
    retry_at: int | None = None
    retry: bool = False
    why: str | None = None


@dataclass(frozen=True, slots=True)
class May:
    """`go`, `probe` with one touch, or `wait` until an instant (None: until a person has mended it)."""

    kind: Literal["go", "probe", "wait"]
    until: int | None = None
    why: str | None = None


def may(account: Account, now: int) -> May:
    """Whether a call may begin now."""
    if account.state == "closed" or not guards.on("breaker"):
        return May("go")
    if account.needs_person:
        return May("wait", None, account.why)
    if account.probe_at is None or now >= account.probe_at:
        return May("probe", None, account.why)
    return May("wait", account.probe_at, account.why)


def probing(account: Account, now: int, *, patience: int) -> Account:
    """A probe begins. Who began it may die: after `patience` another may be made."""
    return replace(account, state="half", probe_at=now + patience)


def begun(account: Account, now: int, *, calls: int, retries: int) -> Account:
    """So many calls begin, `retries` of them for people who were tried before."""
    this = _this_minute(account, now)
    return replace(this, calls=this.calls + calls, retries=this.retries + retries)


def may_retry(account: Account, now: int) -> bool:
    """Whether the retry budget of this minute has room: a retry that was accepted gave its place back."""
    this = _this_minute(account, now)
    return this.retries < max(RETRY_FEW, this.calls // RETRY_SHARE) or not guards.on("retry_budget")


def next_minute(now: int) -> int:
    """When the retry budget begins anew."""
    return (now // MINUTE + 1) * MINUTE


def heard(account: Account, answer: Answer, now: int, *, full: int) -> Account:
    """The account after one answer; `full` is the provider's own batch."""
    a = _counted(_slowly(account, answer, full), answer, now)
    if answer.halts:
        return _opened(a, answer, now, person=answer.needs_person)
    if a.state == "half":
        return _closed(a) if answer.accepted else _opened(a, answer, now) if answer.failed or answer.unknown else a
    if a.state == "closed" and (
        a.not_sent >= NOT_SENT_IN_A_ROW or a.doubtful >= UNKNOWN_IN_A_ROW or answer.unknown > UNKNOWN_REQUEST
    ):
        return _opened(a, answer, now)
    return a


def _counted(a: Account, answer: Answer, now: int) -> Account:
    back = 1 if answer.retry and answer.accepted and a.minute == now // MINUTE and a.retries else 0
    return replace(
        a,
        not_sent=a.not_sent + 1 if answer.failed else 0,
        doubtful=a.doubtful + 1 if answer.unknown else 0,
        retries=a.retries - back,
    )


def _slowly(a: Account, answer: Answer, full: int) -> Account:
    """Slow start: 10 people a request after a big unknown one, twice as many with each request that is accepted."""
    if answer.unknown > UNKNOWN_REQUEST and guards.on("slow_start"):
        return replace(a, batch=SLOW_START)
    if answer.accepted and a.batch is not None:
        return replace(a, batch=a.batch * 2 if a.batch * 2 < full else None)
    return a


def _opened(a: Account, answer: Answer, now: int, *, person: bool = False) -> Account:
    """Open, or open again. A probe that was told to come back later than it would waits so long; else twice as long
    as before: a 429 that names a second, or none, must not be asked every 30 s for hours."""
    told = min(answer.retry_at - now, LAST_PROBE) if answer.retry_at is not None else 0
    wait = a.wait if a.state == "open" else FIRST_PROBE
    if a.state == "half":
        wait = a.wait if told > a.wait else min(max(a.wait, FIRST_PROBE // 2) * 2, LAST_PROBE)
    return replace(a, state="open", why=answer.why or a.why, opened_at=a.opened_at or now, wait=wait, probe_at=now + max(wait, told),
                   needs_person=person or a.needs_person)  # fmt: skip


def _closed(a: Account) -> Account:
    return replace(a, state="closed", why=None, opened_at=None, probe_at=None, wait=0, needs_person=False, not_sent=0, doubtful=0)


def mended(account: Account) -> Account:
    """A person has mended it: closed, and nothing counts against it any more."""
    return replace(_closed(account), batch=account.batch)


def _this_minute(a: Account, now: int) -> Account:
    return a if a.minute == now // MINUTE else replace(a, minute=now // MINUTE, calls=0, retries=0)


# --- the rate -------------------------------------------------------------------------------------------------------
def room_in(account: Account, machine_now: int) -> int:
    """Milliseconds until the rate of the channel has room for a call."""
    return max(0, account.free_at - machine_now)


def reserve(account: Account, machine_now: int, *, pace: float, touches: int) -> Account:
    """Take the room of so many touches, `pace` seconds each; all processes share it."""
    return replace(account, free_at=max(machine_now, account.free_at) + round(pace * 1000 * touches)) if pace else account
