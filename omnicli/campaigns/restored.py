"""After a restore: whatever may have been sent since the day that was put back is called unknown, and only then is HOLD released.

The safe reading of docs/delivery 14. The lost time may have sent every touch that is due by now and not settled, and every touch
that those who are due by now would be given: so people are let in and decided first, as the lost ticks did, and what comes of it
is doubted too. What can be done again to the same effect (files, tasks) is left as it is. Interrupted, it is run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import life, recover
from omnicli.campaigns.reconcile import reconcile
from omnicli.campaigns.sync import sync
from omnicli.campaigns.turn import Houses, turn
from omnicli.model.touch import Provider
from omnicli.store import campaigns, holding, outbox, serial, setting
from omnicli.store import tables as tb

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

#: Touches doubted in one transaction.
CHUNK = 1000
#: The setting that survives an interrupted recovery: the newest touch that the restored database held.
NEWEST = "recovering"
WORKER = "recover"


@dataclass(frozen=True, slots=True)
class Recovered:
    """`why` it was on HOLD, `since` the newest instant that the database knew, how many touches were `doubted`, and what became of
    them and of older doubts: `settled` by evidence, still `unknown`, `parked`, given up (`dropped`). `barred`: people of whom a
    provider knew that they had said no."""

    why: str | None
    since: datetime | None
    doubted: int
    settled: int
    unknown: int
    parked: int
    dropped: int
    barred: int = 0


def newest(connection: sa.Connection) -> datetime | None:
    """The newest instant that the database knows: no later than the newest commit of the backup that it was."""
    copied = setting.get(connection, serial.COPIED_AT)
    if copied is not None:
        return clock.from_ms(int(copied))
    asked = (tb.touch.c.settled_at, tb.touch.c.created_at, tb.attempt.c.started_at, tb.event.c.received_at, tb.inbox.c.received_at,
             tb.decision.c.at, tb.audit.c.at, tb.consent_log.c.recorded_at, tb.contact.c.changed_at)  # fmt: skip
    found = [connection.scalar(sa.select(sa.func.max(column))) for column in asked]
    return clock.from_ms(max(known)) if (known := [ms for ms in found if ms is not None]) else None


def doubtful(connection: sa.Connection, *, now: datetime, repeatable: Sequence[str] = ()) -> int:
    """How many touches would be doubted as it stands, before anybody is decided: for the question."""
    return int(connection.scalar(sa.select(sa.func.count()).select_from(tb.touch).where(_due(now, None, repeatable))) or 0)


def recovered(
    store: Store, loaded: Loaded, providers: Mapping[str, Provider], renderer: Renderer, *, now: datetime, offline: bool = False
) -> Recovered:
    """Doubt what may have been sent, ask those who may know, release. The caller holds the project's lock.

    Providers are asked for what came back in the lost time too: their lists of bars, bounces, the fate of messages. OmniError when
    one cannot be asked, and nothing is released: somebody may have said no meanwhile. `offline` asks nobody.
    """
    with store.read() as connection:
        why, since = holding.held(connection) or serial.behind(store), newest(connection)
    with store.write() as connection:
        if why is not None:
            holding.hold(connection, why)
        before = int(setting.get(connection, NEWEST) or connection.scalar(sa.select(sa.func.max(tb.touch.c.id))) or 0)
        setting.put(connection, NEWEST, str(before))
        outbox.release(connection, [s for s in outbox.leased(connection) if s.state == "claimed"])
        sending = [s for s in outbox.leased(connection) if s.state == "sending"]
        outbox.doubt(connection, sending)
    _decide(store, loaded, renderer, now)
    doubted = _doubt(store, loaded, providers, before=before, since=since, now=now)
    counts = _counts(store)
    barred = 0 if offline else sum(one.opted_out for one in sync(store, loaded, providers, now=now))
    recover.recover(store, providers, now=now, active=())
    reconcile(store, loaded, providers, now=now)
    after = _counts(store)
    _release(store, now)
    return Recovered(
        why, since, doubted + len(sending), after["accepted"] - counts["accepted"], after["unknown"], after["parked"],
        after["skipped"] - counts["skipped"], barred,
    )  # fmt: skip


def _decide(store: Store, loaded: Loaded, renderer: Renderer, now: datetime) -> None:
    """What the lost ticks decided: what came in is folded, people are let in, everybody who is due is decided. Nothing leaves."""
    from omnicli.campaigns.enter import enter
    from omnicli.campaigns.respond import fold

    fold(store, loaded, now=now)
    with store.read() as connection:
        names = [row.name for row in campaigns.known(connection, states=("running", "paused")) if row.name in loaded.campaigns]
    enter(store, loaded, now=now, campaigns=names)
    turn(store, loaded, now=now, campaigns=names, usable=renderer.usable, live=True)


def _due(now: datetime, before: int | None, repeatable: Sequence[str]) -> sa.ColumnElement[bool]:
    """Touches that may have been sent: due by now, or decided only now (their moment was in the lost time)."""
    x = tb.touch.c
    moment = x.due_at <= clock.to_ms(now)
    if before is not None:
        moment = sa.or_(moment, x.id > before)
    return sa.and_(x.send_state.in_(("planned", "claimed", "retry")), moment, x.channel.not_in(tuple(repeatable)))


def _doubt(
    store: Store, loaded: Loaded, providers: Mapping[str, Provider], *, before: int, since: datetime | None, now: datetime
) -> int:
    """Call them unknown, each with the attempt that the lost time may have made; their caps count them."""
    repeatable = tuple(sorted(channel for channel, p in providers.items() if getattr(p, "repeatable", False)))
    done = 0
    while True:
        with store.write() as connection:
            rows = connection.execute(_wanted(_due(now, before, repeatable))).all()
            if not rows:
                return done
            houses = Houses(connection, loaded, now=now)
            for channel in sorted({row.channel for row in rows}):
                some = [row for row in rows if row.channel == channel]
                _attempts(connection, some, providers.get(channel), since=since, now=now)
            _slots(connection, rows, houses, now)
            _states(connection, [row.id for row in rows])
        done += len(rows)


def _wanted(where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    x, c, a = tb.touch.c, tb.contact.c, tb.address
    tried = sa.select(sa.func.max(tb.attempt.c.n)).where(tb.attempt.c.touch_id == x.id).scalar_subquery()
    return (
        sa.select(x.id, x.channel, x.purpose, sa.func.coalesce(tried, 0).label("tried"), x.fence, x.due_at, x.contact_id, x.version_id, x.task_kind, c.country,
                  c.time_zone, c.region, a.c.hmac)
        .select_from(tb.touch.join(tb.contact, c.id == x.contact_id)
                     .outerjoin(a, sa.and_(a.c.contact_id == x.contact_id, a.c.channel == x.channel)))
        .where(where).order_by(x.id).limit(CHUNK)
    )  # fmt: skip


def _began(row: Any, since: datetime | None, now: datetime) -> int:
    """When the lost attempt would have been made: when it was due, within the lost time."""
    earliest = clock.to_ms(since) if since is not None else row.due_at
    return int(min(max(row.due_at, earliest), clock.to_ms(now)))


def _attempts(
    connection: sa.Connection, rows: Sequence[Any], provider: Provider | None, *, since: datetime | None, now: datetime
) -> None:
    name = provider.name if provider is not None else rows[0].channel
    handover: int = connection.execute(
        sa.insert(tb.handover).values(provider=name, account=str(getattr(provider, "account", name)), size=len(rows),
                                      started_at=clock.to_ms(now), ended_at=clock.to_ms(now), outcome="unknown").returning(tb.handover.c.id)
    ).scalar_one()  # fmt: skip
    connection.execute(
        sa.insert(tb.attempt),
        [{"touch_id": row.id, "n": row.tried + 1, "handover_id": handover, "fence": row.fence + 1, "outcome": "unknown",
          "address_hash": row.hmac or b"", "body_sha256": bytes(32), "started_at": _began(row, since, now), "code": "restored",
          "detail": "may have been sent before the restore"} for row in rows],
    )  # fmt: skip


def _slots(connection: sa.Connection, rows: Sequence[Any], houses: Houses, now: datetime) -> None:
    """Somebody who may have got it today is counted as if they had."""
    slot = tb.cap_slot.c
    for row in rows:
        if row.purpose != "marketing":
            continue
        at = min(row.due_at, clock.to_ms(now))
        zone = houses[row.version_id].calendar.zone(row.country, row.time_zone, row.region)
        day = clock.from_ms(at).astimezone(zone).date().isoformat()
        rule = "voice" if row.channel == "task" and row.task_kind == "call" else row.channel
        taken = connection.scalar(
            sa.select(sa.func.max(slot.slot)).where(slot.contact_id == row.contact_id, slot.local_date == day, slot.rule == rule)
        )
        values = {
            "contact_id": row.contact_id,
            "local_date": day,
            "rule": rule,
            "slot": (taken or 0) + 1,
            "touch_id": row.id,
            "at": at,
        }
        connection.execute(sa.insert(tb.cap_slot).values(values))


def _states(connection: sa.Connection, ids: Sequence[int]) -> None:
    """Along the moves that the store allows: as if a sender had died with them in its hands."""
    x, mine = tb.touch.c, tb.touch.c.id.in_(ids)
    connection.execute(
        sa.update(tb.touch)
        .where(mine, x.send_state != "claimed")
        .values(send_state="claimed", fence=x.fence + 1, lease_by=WORKER, lease_until=0)
    )
    connection.execute(
        sa.update(tb.touch).where(mine).values(send_state="sending", attempts=x.attempts + 1, lease_by=WORKER, held_by=None)
    )
    connection.execute(sa.update(tb.touch).where(mine).values(send_state="unknown", lease_by=None, lease_until=None))


def _counts(store: Store) -> dict[str, int]:
    x = tb.touch.c
    with store.read() as connection:
        rows = connection.execute(sa.select(x.send_state, sa.func.count()).group_by(x.send_state)).all()
    return {**dict.fromkeys(("accepted", "unknown", "parked", "skipped"), 0), **{row[0]: int(row[1]) for row in rows}}


def _release(store: Store, now: datetime) -> None:
    """A new epoch, said in the database and beside it, so that the copy that was put back is known if it comes again."""
    path = serial.side_file(store)
    try:
        beside = serial.read(path) if path is not None else None
    except ValueError:
        beside = None
    epoch, number = (beside.epoch, beside.serial) if beside is not None else (0, 0)
    i = tb.instance.c
    with store.write() as connection:
        higher = sa.func.max if connection.dialect.name == "sqlite" else sa.func.greatest
        connection.execute(
            sa.update(tb.instance).values(epoch=higher(i.epoch, epoch) + 1, serial=higher(i.serial, number), hold=None)
        )
        connection.execute(sa.delete(tb.setting).where(tb.setting.c.key.in_((serial.COPIED_AT, NEWEST))))
        life.note(connection, "recover", "", now)
        own = serial.here(connection)
    if own is not None:
        serial.adopt(store, own)
