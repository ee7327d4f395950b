"""What a person may do to a campaign's life, with exactly the effects of the table in campaign-language 9.2.

`draft → running ⇄ paused → stopped`, `finished` when no way in is left and nobody is in flight. Nothing here sends, and
nothing here waits for a run in progress: `pause` and `stop` commit a flag that the gate of every touch reads.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import versions
from omnicli.engine import timing
from omnicli.errors import Exit, OmniError
from omnicli.model.finding import foremost
from omnicli.store import campaigns
from omnicli.store import tables as tb
from omnicli.store.campaigns import Standing, Version
from omnicli.store.outbox.locking import change_standing
from omnicli.text import did_you_mean
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign
    from omnicli.model.finding import Finding
    from omnicli.store.connection import Store

_CHUNK = 5000


class Unfit(OmniError):
    """The files have error-level findings: they can be shown and linted, not planned, started or run (exit 1)."""

    def __init__(self, name: str, findings: Sequence[Finding], *, shown: bool = False) -> None:
        self.findings = tuple(findings)
        count = len(self.findings)
        super().__init__(
            several(count, ("{name}: {n} error; nothing was done", "{name}: {n} errors; nothing was done"),
                    ("{name} : {n} erreur ; rien n'a été fait", "{name} : {n} erreurs ; rien n'a été fait"), name=name),
            hint=t("omni lint shows them in place", "omni lint les montre à leur place") if shown else foremost(self.findings),
            code="findings", exit=Exit.FINDINGS,
        )  # fmt: skip


def authored(loaded: Loaded, name: str) -> Campaign:
    """The campaign of the file with that name, without an error in it; OmniError (unknown: exit 2, unfit: exit 1)."""
    errors = tuple(loaded.errors(name))
    if name not in loaded.campaigns and not errors:
        raise unknown(name, loaded.campaigns)
    if errors:
        raise Unfit(name, errors)
    return loaded.campaigns[name]


def unknown(name: str, known: Iterable[str]) -> OmniError:
    """What is said of a name that no campaign has, with the nearest and all that there are."""
    names = sorted(known)
    return OmniError(
        t("no campaign called '{name}'.", "pas de campagne nommée « {name} ».", name=name) + did_you_mean(name, names),
        hint=t("there are: {names}", "il y a : {names}", names=", ".join(names)) if names
        else t("campaigns/ is empty", "campaigns/ est vide"),
        code="no-campaign",
    )  # fmt: skip


def known(connection: sa.Connection, name: str, *, among: Sequence[str] = ()) -> Standing:
    """The campaign's row; OmniError when it was never started."""
    row = campaigns.find(connection, name)
    if row is None or row.state == "draft":
        names = {s.name for s in campaigns.known(connection)} | set(among)
        raise OmniError(
            t("'{name}' was never started.", "« {name} » n'a jamais été lancée.", name=name)
            + ("" if name in names else did_you_mean(name, names)),
            hint=f"omni campaign start {name}", code="not-started",
        )  # fmt: skip
    return row


def note(connection: sa.Connection, what: str, name: str, now: datetime, detail: str | None = None) -> None:
    """Write the audit log: who did what to which campaign."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = "?"
    connection.execute(
        sa.insert(tb.audit).values(at=clock.to_ms(now), who=who, what=f"campaign {what} {name}", detail=detail or None)
    )


# --- start ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Started:
    """What `start` did: the version that new people enter, what stood before, who stays on which older version."""

    name: str
    version: Version
    before: Version | None
    was: str
    stay: tuple[tuple[Version, int], ...] = ()

    @property
    def applied(self) -> bool:
        """True when another version than before was applied."""
        return self.before is None or self.before.id != self.version.id


def start(store: Store, loaded: Loaded, name: str, *, now: datetime, since: datetime | None = None) -> Started:
    """Apply the file's version and open the doors; sends nothing. Events before `since` (default: now) enter nobody.

    Starting a running campaign applies its changed file and leaves the rest as it is. A paused one is resumed, not started.
    """
    campaign = authored(loaded, name)
    assert loaded.project is not None
    with store.write() as connection:
        change_standing(connection)
        row = campaigns.find(connection, name)
        was = row.state if row is not None else "draft"
        if was == "paused":
            raise OmniError(t("'{name}' is paused", "« {name} » est suspendue", name=name), hint=f"omni campaign resume {name}{' --live' if store.live else ''}",
                            code="paused")  # fmt: skip
        before = versions.current(connection, name)
        version = versions.apply(connection, campaign, loaded.project, now)
        row = campaigns.find(connection, name)
        assert row is not None
        if was != "running":
            open_doors(connection, row, now, since)
        elif since is not None:
            campaigns.change(connection, row.id, since=since, last_event_id=0)
        note(connection, "start", name, now, version.label)
        return Started(name, version, before, was, _who_stays(connection, row.id, version.id))


def open_doors(connection: sa.Connection, row: Standing, now: datetime, since: datetime | None = None) -> None:
    """State `running`: events from `since` on (default: now) may enter people; every look at conditions begins anew."""
    campaigns.change(connection, row.id, state="running", started_at=now, since=since or now, last_event_id=0,
                     last_look_at=None, last_changed_at=None, paused_at=None, pause_people=None, because=None,
                     stopped_at=None)  # fmt: skip


def _who_stays(connection: sa.Connection, campaign_id: int, version_id: int) -> tuple[tuple[Version, int], ...]:
    counts = campaigns.passage(connection, campaign_id).by_version or {}
    return tuple((v, counts[v.id]) for v in campaigns.versions(connection, campaign_id) if v.id in counts and v.id != version_id)


# --- pause and resume -----------------------------------------------------------------------------------------------
def pause(
    store: Store, name: str, *, now: datetime, people: Literal["hold", "finish"] = "hold", because: str | None = None
) -> Standing:
    """Nobody enters; with `hold` nothing is decided or claimed, with `finish` those inside go on. Responses are folded;
    exits and goals act. Touches already claimed are settled. Pausing again changes how, not since when."""
    with store.write() as connection:
        change_standing(connection)
        row = known(connection, name)
        if row.state not in ("running", "paused"):
            raise _wrong_state(row, "running")
        campaigns.change(connection, row.id, state="paused", paused_at=row.paused_at or now, pause_people=people, because=because)
        note(connection, "pause", name, now, f"{people}: {because or ''}".rstrip(": "))
        return known(connection, name)


@dataclass(frozen=True, slots=True)
class Resumed:
    """What `resume` does to what fell due meanwhile: touches skipped as expired, touches and people spread, timers moved."""

    name: str
    pause: timedelta
    expired: int = 0
    spread: int = 0
    moved: int = 0


def resume(
    store: Store, loaded: Loaded, name: str, *, now: datetime, timers: Literal["keep", "shift"] = "keep", dry_run: bool = False
) -> Resumed:
    """State `running`. Overdue touches are not flushed: older than `max_delay` → skipped `expired`, the rest is spread over
    `schedule.spread`. `keep`: time passed counts; `shift`: every timer moves by the length of the pause."""
    assert loaded.project is not None
    length = loaded.project.schedule.spread.about
    with _perhaps(store, dry_run) as connection:
        change_standing(connection)
        row = known(connection, name)
        if row.state != "paused" or row.paused_at is None:
            raise _wrong_state(row, "paused")
        gap = max(now - row.paused_at, timedelta())
        moved = _shift(connection, row, gap) if timers == "shift" and row.pause_people == "hold" else 0
        expired, spread = _ease(connection, row.id, now, length)
        campaigns.change(connection, row.id, state="running", paused_at=None, pause_people=None, because=None)
        note(connection, "resume", name, now, timers)
    return Resumed(name, gap, expired=expired, spread=spread, moved=moved)


class _NothingKept(Exception):
    """Rolls a rehearsed transaction back."""


@contextmanager
def _perhaps(store: Store, dry_run: bool) -> Iterator[sa.Connection]:
    """A write transaction, rolled back at its end when this is a dry run."""
    try:
        with store.write() as connection:
            yield connection
            if dry_run:
                raise _NothingKept
    except _NothingKept:
        pass


def _shift(connection: sa.Connection, row: Standing, gap: timedelta) -> int:
    """Move every timer of open passes, and every touch that is planned, by the length of the pause."""
    ms = gap // timedelta(milliseconds=1)
    e, x = tb.enrollment.c, tb.touch.c
    here = sa.and_(e.campaign_id == row.id, e.state == "open")
    # A pass woken by a response, or held by a guard, is to be looked at before its timer ends: that instant stays.
    look = sa.case((sa.or_(e.wait_until.is_(None), e.due_at == e.wait_until), e.due_at + ms), else_=e.due_at)
    moved = connection.execute(
        sa.update(tb.enrollment)
        .where(here, e.due_at.is_not(None))
        .values(due_at=look, wait_until=e.wait_until + ms, held_from=e.held_from + ms, due_wall=None, due_zone=None)
    ).rowcount
    connection.execute(
        sa.update(tb.touch)
        .where(x.enrollment_id.in_(sa.select(e.id).where(here)), x.send_state.in_(("planned", "retry")))
        .values(due_at=x.due_at + ms, expires_at=x.expires_at + ms)
    )
    return int(moved)


def _ease(connection: sa.Connection, campaign_id: int, now: datetime, length: timedelta) -> tuple[int, int]:
    """Expire what is too old, spread what is overdue; gives (touches expired, touches and people spread)."""
    e, x, ms = tb.enrollment.c, tb.touch.c, clock.to_ms(now)
    overdue = connection.execute(
        sa.select(x.id, x.touch_key, x.expires_at)
        .join(tb.enrollment, e.id == x.enrollment_id)
        .where(e.campaign_id == campaign_id, x.send_state.in_(("planned", "retry")), x.due_at <= ms)
        .order_by(x.due_at, x.touch_key)
    ).all()
    people = connection.execute(
        sa.update(tb.enrollment)
        .where(e.campaign_id == campaign_id, e.state == "open", e.due_at.is_not(None), e.due_at <= ms)
        .values(spread=1)
    ).rowcount
    one = sa.update(tb.touch).where(x.id == sa.bindparam("b_id")).values(due_at=sa.bindparam("b_due"))
    for at in range(0, len(overdue), _CHUNK):
        some = [row for row in overdue[at : at + _CHUNK] if row.expires_at > ms]
        if some:
            connection.execute(one, [{"b_id": row.id, "b_due": ms + place(row.touch_key, length)} for row in some])
    late = [row.id for row in overdue if row.expires_at <= ms]
    skip(connection, late, reason="expired", now=now)
    return len(late), len(overdue) - len(late) + int(people)


def place(key: bytes, length: timedelta) -> int:
    """Milliseconds into the spread at which a touch leaves: given by its hash, so the same in plan and run."""
    return timing.spread(key, length) // timedelta(milliseconds=1)


def skip(connection: sa.Connection, touch_ids: Sequence[int], *, reason: str, now: datetime) -> None:
    """End planned touches with the reason, and let their passes go on from `now`."""
    from omnicli.store.turns import settle

    ms = clock.to_ms(now)
    for at in range(0, len(touch_ids), _CHUNK):
        some = touch_ids[at : at + _CHUNK]
        connection.execute(
            sa.update(tb.touch)
            .where(tb.touch.c.id.in_(some), tb.touch.c.send_state.in_(("planned", "retry")))
            .values(send_state="skipped", reason=reason, settled_at=ms, held_by=None)
        )
        settle(connection, [(touch_id, "skipped", ms, reason) for touch_id in some])


# --- stop and finish ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Stopped:
    """How many left, how many touches will never leave, how many were already with a provider."""

    name: str
    left: int
    skipped: int
    under_way: int
    in_doubt: int = field(default=0)


def stop(store: Store, name: str, *, now: datetime, because: str | None = None) -> Stopped:
    """State `stopped`: unclaimed touches are skipped `stopped`, everybody leaves with reason `stopped`, nobody enters."""
    e, x, ms = tb.enrollment.c, tb.touch.c, clock.to_ms(now)
    with store.write() as connection:
        change_standing(connection)
        row = known(connection, name)
        if row.state == "stopped":
            raise _wrong_state(row, "running")
        inside = sa.and_(e.campaign_id == row.id, e.state == "open")
        mine = x.enrollment_id.in_(sa.select(e.id).where(e.campaign_id == row.id))
        skipped = connection.execute(
            sa.update(tb.touch)
            .where(mine, x.send_state.in_(("planned", "retry")))
            .values(send_state="skipped", reason="stopped", settled_at=ms, held_by=None)
        ).rowcount
        counted = (
            sa.select(x.send_state, sa.func.count()).where(mine, x.send_state.in_(campaigns.UNSETTLED)).group_by(x.send_state)
        )
        states: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
        connection.execute(_ledger(inside, ms, because))
        _tell_exits(connection, row, ms)
        left = connection.execute(
            sa.update(tb.enrollment)
            .where(inside)
            .values(state="ended", reason="stopped", ended_at=ms, due_at=None, due_wall=None, due_zone=None, held_by=None,
                    held_from=None, touch_id=None)
        ).rowcount  # fmt: skip
        campaigns.change(connection, row.id, state="stopped", stopped_at=now, because=because, paused_at=None, pause_people=None)
        note(connection, "stop", name, now, because)
    claimed = states.get("claimed", 0)  # the gate skips them: nobody was called for these
    return Stopped(
        name, int(left), int(skipped) + claimed, states.get("sending", 0), states.get("unknown", 0) + states.get("parked", 0)
    )


def _ledger(inside: sa.ColumnElement[bool], ms: int, because: str | None) -> sa.Insert:
    """One line of the decision ledger for each pass that `stop` ends, so that `contact why` can say it."""
    import json

    e = tb.enrollment.c
    why = json.dumps([{"step": "", "rule": "stop", "answer": "stopped", "values": {"because": because} if because else {}}])
    lines = sa.select(e.id, sa.literal(ms), sa.func.coalesce(e.step, ""), sa.literal("exit"), sa.literal(why)).where(inside)
    return sa.insert(tb.decision).from_select(["enrollment_id", "at", "step", "kind", "why"], lines)


def _tell_exits(connection: sa.Connection, row: Standing, ms: int) -> None:
    """The event `exited` of everybody who is about to leave, as a decision would write it."""
    connection.execute(
        sa.text(
            "INSERT INTO event (contact_id, name, at, enrollment_id, campaign, machine, payload, received_at, p_reason) "
            "SELECT contact_id, 'exited', :ms, id, :name, 0, :payload, :ms, 'stopped' FROM enrollment "
            "WHERE campaign_id = :id AND state = 'open' ORDER BY key"
        ),
        {"ms": ms, "name": row.name, "id": row.id, "payload": '{"reason": "stopped"}'},
    )
    connection.execute(
        sa.text(
            "UPDATE contact SET changed_at = :ms WHERE id IN "
            "(SELECT contact_id FROM enrollment WHERE campaign_id = :id AND state = 'open')"
        ),
        {"ms": ms, "id": row.id},
    )
    campaigns.look_back_if_late(connection, ms)


def finish(store: Store, loaded: Loaded, rows: Sequence[Standing], *, now: datetime) -> tuple[str, ...]:
    """Mark as `finished` those running campaigns in which no way in is left, nobody is in flight and every touch has ended.

    Only `enter: at:` has a last occurrence; all other ways in stay open (campaign-language 4.4)."""
    assert loaded.project is not None
    done: list[str] = []
    for row in rows:
        if row.state != "running" or row.version_id is None:
            continue
        with store.read() as connection:
            campaign = versions.standing_tree(connection, row.version_id)
            if not _no_way_in(campaign, loaded, now) or campaigns.anybody_open(connection, row.id):
                continue
            if campaigns.anything_unsettled(connection, row.id):
                continue
        with store.write() as connection:
            change_standing(connection)
            if (now_row := campaigns.find(connection, row.name)) is None or now_row.state != "running":
                continue  # somebody stopped or paused it meanwhile
            campaigns.change(connection, row.id, state="finished")
        done.append(row.name)
    return tuple(done)


def _no_way_in(campaign: Campaign, loaded: Loaded, now: datetime) -> bool:
    from zoneinfo import ZoneInfo

    at = campaign.enter.at
    assert loaded.project is not None
    return at is not None and clock.wall(at, ZoneInfo(loaded.project.time_zone)) < now


def _wrong_state(row: Standing, wanted: str) -> OmniError:
    return OmniError(
        t("'{name}' is {state}, not {wanted}", "« {name} » est {state}, pas {wanted}", name=row.name, state=state_word(row.state),
          wanted=state_word(wanted)),
        hint=f"omni campaign show {row.name}", code="state",
    )  # fmt: skip


def state_word(state: str) -> str:
    """The state as people read it."""
    return {
        "draft": t("draft", "brouillon"), "running": t("running", "en cours"), "paused": t("paused", "suspendue"),
        "stopped": t("stopped", "arrêtée"), "finished": t("finished", "terminée"),
    }[state]  # fmt: skip


# --- who came too early ---------------------------------------------------------------------------------------------
def missed(store: Store, loaded: Loaded, name: str, *, now: datetime) -> tuple[datetime, int] | None:
    """People whose entering event is older than the start: (a day, how many `--since` that day would let in), or None.

    Asked of a copy by the very `enter`: the last 30 days, else as far back as there are events.
    """
    from omnicli.campaigns.enter import enter
    from omnicli.store.rehearsal import rehearsal

    campaign = loaded.campaigns[name]
    if campaign.enter.form != "when":
        return None
    with store.read() as connection:
        first = connection.scalar(sa.select(sa.func.min(tb.event.c.at)))
    if first is None:
        return None
    for since in (now - timedelta(days=30), clock.from_ms(first)):
        with rehearsal(store) as copy:
            with copy.write() as connection:
                row = campaigns.find(connection, name)
                assert row is not None
                campaigns.change(connection, row.id, since=since, last_event_id=0)
            count = sum(enter(copy, loaded, now=now, campaigns=[name]).by_campaign.values())
        if count:
            return since, count
    return None
