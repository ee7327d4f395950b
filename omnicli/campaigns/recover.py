"""What a dead sender left behind, and what a person says of touches whose fate nobody knows.

Claimed without an intent is planned again; sending under a lease that is over is unknown, but where doing it again is the
same effect (docs/delivery 6, 11). Nothing here ever sends.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli import clock, faults, guards
from omnicli.errors import OmniError
from omnicli.model.touch import Provider
from omnicli.store import consents, leases, outbox, turns
from omnicli.store.outbox import Claimed, Doubt, Stray
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.store.connection import Store

HOWS = ("accepted", "not-sent", "resend", "drop")


@lru_cache(maxsize=1)
def machine() -> str:
    """Eight characters that stand for this boot of this machine."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    text = socket.gethostname() + (boot.read_text() if boot.exists() else "") + _pids()
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _pids() -> str:
    """Which pids these are: containers of one host have the same boot and may have the same name."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def lease_over(stray: Stray, *, active: Collection[str], now: int) -> bool:
    """Whether nobody works on it any more: its time is up, or its process is known to be gone from this machine.

    The worker's name is `machine.pid.process-round`. A recycled pid only means waiting for the lease; a process wrongly taken
    for dead is harmless, since `sending` never returns to `planned` and its late outcome is kept as evidence.
    """
    return stray.lease_until < now or process_gone(stray.lease_by, active=active)


def process_gone(worker: str, *, active: Collection[str]) -> bool:
    """Whether that worker's process is known to be gone from this machine, or its round from this process."""
    where, _, rest = worker.partition(".")
    pid, _, _round = rest.partition(".")
    if where != machine() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return worker not in active
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def recover(store: Store, providers: Mapping[str, Provider], *, now: datetime, active: Collection[str]) -> None:
    """Reap leases that are over: seen first, then looked at again under their rows' locks, for a lease may have been renewed meanwhile."""
    with store.read() as connection:
        if not _over(connection, active):
            return
    with store.write() as connection:
        if strays := _over(connection, active, lock=True):
            _reap(connection, strays, providers, now=now)
            faults.point("F23")


def _over(connection: sa.Connection, active: Collection[str], *, lock: bool = False) -> list[Stray]:
    present = leases.now_ms(connection)
    return [s for s in outbox.leased(connection, lock=lock) if lease_over(s, active=active, now=present)]


def _reap(connection: sa.Connection, strays: Sequence[Stray], providers: Mapping[str, Provider], *, now: datetime) -> None:
    outbox.release(connection, [s for s in strays if s.state == "claimed"])
    sending = [s for s in strays if s.state == "sending"]
    same = {p.name for p in providers.values() if getattr(p, "repeatable", False) or not guards.on("sending_never_returns")}
    outbox.doubt(connection, sending)
    for s in sending:
        if s.provider in same:
            outbox.close_attempt(connection, s.id, s.attempts, "not_sent")
            outbox.move(connection, s.id, "retry", now=clock.to_ms(now))
    outbox.free_slots(connection, [s.id for s in sending if s.provider in same])


def waive(connection: sa.Connection, doubt: Doubt, *, by: str, now: datetime, due: datetime | None = None) -> None:
    """Somebody takes the risk of a second copy: the old attempt leaves the index, with who and why."""
    if guards.on("waived_before_resend"):
        outbox.close_attempt(connection, doubt.id, doubt.n, "waived", by=by)
    outbox.move(connection, doubt.id, "retry", now=clock.to_ms(now), due_at=clock.to_ms(due or now))
    outbox.free_slots(connection, [doubt.id])


def drop(connection: sa.Connection, doubt: Doubt, *, now: datetime) -> None:
    """Given up: the touch ends skipped `dropped`; its attempt stays unknown, for that is what we know."""
    outbox.move(connection, doubt.id, "skipped", now=clock.to_ms(now), reason="dropped")
    turns.settle(connection, [(doubt.id, "skipped", clock.to_ms(now), "dropped")])


def accept(connection: sa.Connection, doubt: Doubt, *, ref: str, now: datetime) -> None:
    """Evidence or a person says that it arrived."""
    outbox.proof(connection, doubt.id, doubt.n, ref=ref, source="omni", now=clock.to_ms(now))


def resolve(store: Store, touch: str, how: str, *, because: str, who: str, now: datetime) -> Doubt:
    """A person settles an unknown or parked touch, named by its key or a unique beginning: `accepted`, `not-sent`,
    `resend` (a second copy is possible) or `drop`. Who and why are kept as evidence."""
    if how not in HOWS:
        raise OmniError(
            t("'{how}' is none of {hows}", "« {how} » n'est pas dans {hows}", how=how, hows=", ".join(HOWS)), code="usage"
        )
    with store.write() as connection:
        found = [d for d in outbox.doubts(connection, lock="wait") if d.key.hex().startswith(touch.lower())]
        if len(found) != 1:
            raise OmniError(
                t("no unknown touch begins with '{touch}'", "aucun envoi au sort inconnu ne commence par « {touch} »", touch=touch) if not found
                else t("{n} unknown touches begin with '{touch}'", "{n} envois au sort inconnu commencent par « {touch} »", n=len(found), touch=touch),
                hint="omni touch unknown", code="no-touch",
            )  # fmt: skip
        doubt = found[0]
        outbox.remember(connection, [(doubt.id, doubt.n, f"person:{who}", f"resolve:{how}", clock.to_ms(now), because)])
        if doubt.state == "unknown":
            outbox.park(connection, [doubt.id])
        match how:
            case "accepted":
                accept(connection, doubt, ref=t("resolved by {who}", "tranché par {who}", who=who), now=now)
            case "not-sent":
                outbox.close_attempt(connection, doubt.id, doubt.n, "not_sent")
                outbox.move(connection, doubt.id, "retry", now=clock.to_ms(now), due_at=clock.to_ms(now))
                outbox.free_slots(connection, [doubt.id])
            case "resend":
                waive(connection, doubt, by=f"{who}: {because}", now=now)
            case "drop":
                drop(connection, doubt, now=now)
    return doubt


def bad_addresses(connection: sa.Connection, touches: Sequence[Claimed], *, now: datetime) -> None:
    """A refusal that names the address bars that address, not the person (rules.md SU-01)."""
    for touch in touches:
        consents.mark_bad(connection, touch.contact_id, touch.channel, "bounced")
    if touches:
        consents.refold_reach(connection, [touch.contact_id for touch in touches], now=now)
