"""Every way in: by event, by a person's date, by an occurrence, by a condition. Finds who may come at one instant, and says when next.

Events are looked for by id above the last one seen, occurrences have a row a local date, conditions that speak of time are asked
of everybody at most once a unit of their finest duration, others only of people changed since the last look (docs/language 4.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock, faults, guards
from omnicli.campaigns.crossing import next_change
from omnicli.condition.check import check
from omnicli.condition.sql import Compiler
from omnicli.engine import occurrence, timing
from omnicli.model.campaign import Campaign
from omnicli.model.literals import Duration, Moment
from omnicli.store import tables as tb
from omnicli.store import underway
from omnicli.store.columns import attribute_column

if TYPE_CHECKING:
    pass
from omnicli.campaigns.admitting import Admitting, Candidate

_TOP = sa.text("SELECT coalesce(max(id), 0) FROM event")
_HEARD = sa.text("UPDATE campaign SET last_event_id = :top WHERE id = :id")
#: Who was told to look back meanwhile looks back at the next instant.
_SEEN = sa.text("UPDATE campaign SET last_look_at = :at, last_changed_at = CASE WHEN last_changed_at < :before THEN last_changed_at ELSE :at END"
                " WHERE id = :id")  # fmt: skip
#: A look begins: whoever writes with an older instant from here on tells it. The first one looks back to the beginning of time.
_LOOKING = sa.text("UPDATE campaign SET last_look_at = :at, last_changed_at = coalesce(last_changed_at, 0) WHERE id = :id")
_LOOKED = sa.text("UPDATE campaign SET last_look_at = :at WHERE id = :id")
_SCHEDULED = sa.text(
    "SELECT max(at), max(CASE WHEN done_at IS NULL THEN at END) FROM occurrence WHERE campaign = :campaign AND schedule = :schedule"
)
_HAD = sa.text(
    "SELECT 1 FROM occurrence WHERE campaign = :campaign AND schedule = :schedule AND local_date = :date AND local_slot = :slot"
)
_COMES = sa.text(
    "INSERT INTO occurrence (campaign, schedule, local_date, local_slot, at) VALUES (:campaign, :schedule, :date, :slot, :at)"
)
_MISSED = sa.text("UPDATE occurrence SET done_at = :now WHERE campaign = :campaign AND schedule = :schedule AND done_at IS NULL")
_DONE = sa.text("UPDATE occurrence SET done_at = :now WHERE campaign = :campaign AND schedule = :schedule AND at = :at")
#: How far ahead people's own dates are looked for.
AHEAD = timedelta(days=400)
#: (version, campaign, condition) → (the campaign asked about, whether its condition speaks of time).
_SPEAKS: dict[tuple[int, str, str | None], tuple[Campaign, bool]] = {}


class _Door(Admitting):
    """The way into one campaign at one instant."""

    def open(self) -> None:
        {
            "when": self._by_event,
            "on": self._by_date,
            "at": self._by_occurrence,
            "every": self._by_occurrence,
            "if": self._by_condition,
        }[self.way.form]()

    def ahead(self, connection: sa.Connection) -> datetime | None:
        """When this door is next to be looked at, were nobody to do or say anything meanwhile."""
        match self.way.form:
            case "every" | "at":
                wanted = self.way.every or self.way.at
                assert wanted is not None
                return next((o.at for o in occurrence.occurrences(wanted, self.zone, self.now, self.now + AHEAD)), None)
            case "on":
                assert self.way.on is not None
                after, self.now = self.now, self.now + AHEAD
                return min((clock.from_ms(c.at) for c in self._anniversaries(connection, self.way.on, after)), default=None)
            case "if":
                return self._next_look(connection)
        return None

    def _next_look(self, connection: sa.Connection) -> datetime | None:
        """Where the next unit begins in which a look may find other people than the last one did."""
        checked = check(self.way.if_ or "everyone", self.vocabulary, where="elsewhere")
        uses, last = checked.uses, self.row.last_look_at
        if not uses.speaks_of_time:
            return None
        soon = _next_unit(self.now, uses.finest, self.zone)
        if last is None or uses.finest is None or not uses.finest.elapsed or self._stirred(connection, last):
            return soon
        assert checked.tree is not None
        turn = next_change(connection, checked.tree, uses, self.project, since=clock.from_ms(last), zone=self.zone)
        if turn is None:
            return soon
        turn = min([turn, *self._may_come_again(connection, last)])
        return max(soon, _next_unit(turn - timedelta(milliseconds=1), uses.finest, self.zone))

    def passed_by(self) -> None:
        """The unit of this instant is looked at, from its beginning."""
        if self.way.form != "if":
            return
        finest = check(self.way.if_ or "everyone", self.vocabulary, where="elsewhere").uses.finest
        if finest is not None and finest.elapsed:
            begin = clock.to_ms(_next_unit(self.now, finest, self.zone)) - _length(finest)
            if self.row.last_look_at < begin:
                self._looked(clock.from_ms(begin))

    def _stirred(self, connection: sa.Connection, last: int) -> bool:
        """Whether anything was said or done since the last look, or people still wait for their turn."""
        news = (tb.contact.c.changed_at, tb.event.c.received_at, tb.decision.c.at, tb.consent_log.c.recorded_at,
                tb.suppression_log.c.recorded_at)  # fmt: skip
        latest = sa.select(*(sa.select(sa.func.max(column)).scalar_subquery() for column in news))
        return bool(self._waiting(connection)) or any(at is not None and at >= last for at in connection.execute(latest).one())

    def _may_come_again(self, connection: sa.Connection, last: int) -> list[datetime]:
        """When those who fulfil the condition may enter once more, after the last look."""
        again = self.way.again.after
        if again is None:
            return []
        compiler = Compiler(self.vocabulary, campaign=self.house.name)
        query: sa.Select[Any] = compiler.selection(self.way.if_ or "everyone")
        ids = list(connection.execute(query, compiler.parameters(self.now)).scalars())
        people, passes = self._people(connection, ids), self._passes(connection, ids)
        zones = {who: self.house.calendar.zone(one.country, one.time_zone, one.region) for who, one in people.items()}
        found = (timing.add(again, clock.from_ms(passes[who][1]), zones[who]) for who in passes)
        return [at for at in found if clock.to_ms(at) > last]

    # --- the ways in --------------------------------------------------------------------------------------------
    def _by_event(self) -> None:
        """New events by id above the last one seen; with a limit the rest waits its turn, oldest first."""
        assert self.way.when is not None
        last, ms = self.row.last_event_id, clock.to_ms(self.now)
        top = self._top()
        with self.store.read() as connection:
            waiting = self._waiting(connection)
            if top <= last and not waiting:
                return
            found: dict[int, tuple[int, int]] = {}
            for query, parameters in map(self._occurrences, self.way.when):
                bound = {**parameters, "last_event": last, "top_event": top, "since_start": self.since, "now_ms": ms}
                for event_id, contact_id, at in connection.execute(query, bound):
                    found[event_id] = contact_id, at
            if waiting:
                e = tb.event.c
                again = sa.select(e.id, e.contact_id, e.at).where(e.id.in_(waiting))
                found.update({row[0]: (row[1], row[2]) for row in connection.execute(again)})
            uids = self._uids(connection, {contact_id for contact_id, _ in found.values()})
        order = sorted((at, uids.get(contact_id, b""), event_id, contact_id) for event_id, (contact_id, at) in found.items())
        rest = self._admit([Candidate(contact_id, at, event_id) for at, _, event_id, contact_id in order])
        with self.store.write() as connection:
            connection.execute(_HEARD, {"top": top, "id": self.row.id})
            self._wait(connection, [c.event_id for c in rest if c.event_id is not None])

    def _top(self) -> int:
        """The highest number of an event, below which no other can appear any more: where several write at once, numbers are given
        before they can be seen, and one who is still writing may hold a lower one."""
        with self.store.read() as connection:
            top: int = connection.execute(_TOP).scalar_one()
        return top if top <= self.row.last_event_id or underway.ended(self.store, "event") else self.row.last_event_id

    def _occurrences(self, term: str) -> tuple[sa.Select[Any], dict[str, object]]:
        """The new events that an event term means: (id, contact, at), by the index on (name, id)."""
        return self._asks(f"when {term}", lambda compiler: self._new_events(compiler, term))

    def _new_events(self, compiler: Compiler, term: str) -> sa.Select[Any]:
        columns: list[Any] = [sa.literal_column(f"event.{name}", sa.BigInteger()) for name in ("id", "contact_id", "at")]
        query: sa.Select[Any] = sa.select(*columns).where(
            *compiler.occurrences(term),
            sa.literal_column("event.id") > sa.bindparam("last_event"),
            sa.literal_column("event.id") <= sa.bindparam("top_event"),
            sa.literal_column("+event.at") >= sa.bindparam("since_start"),
            sa.literal_column("+event.at") <= sa.bindparam("now_ms"),
        )
        return query.select_from(sa.table("event"))

    def _by_date(self) -> None:
        """Whoever's moment lies between the last look and now, in the contact's own zone."""
        moment = self.way.on
        assert moment is not None
        assert moment.anchor is not None
        after = clock.from_ms(self.row.last_look_at if self.row.last_look_at is not None else max(self.since - 1, 0))
        if after >= self.now:
            return
        with self.store.read() as connection:
            candidates = list(self._anniversaries(connection, moment, after))
            uids = self._uids(connection, {c.contact_id for c in candidates})
        rest = self._admit(sorted(candidates, key=lambda c: (c.at, uids[c.contact_id])))
        looked = self.now if not rest else clock.from_ms(rest[0].at - 1)
        self._looked(looked)

    def _anniversaries(self, connection: sa.Connection, moment: Moment, after: datetime) -> Iterator[Candidate]:
        name = (moment.anchor or "").removeprefix("contact.")
        declared = self.project.contacts.attributes.get(name)
        column: sa.ColumnElement[Any] = sa.literal_column(
            f"contact.{attribute_column(name) if declared is not None else 'created_at'}"
        )
        c = tb.contact.c
        first, last = self._days(moment, after)
        query = sa.select(c.id, c.country, c.time_zone, c.region, column).where(column.is_not(None), c.erased_at.is_(None))
        as_time = declared is None or declared.kind == "time"
        if not self.way.yearly:
            low, high = (_midnight(first), _midnight(last) + 86_400_000) if as_time else (first.isoformat(), last.isoformat())
            query = query.where(column >= low, column <= high)
        elif not as_time:
            days = {f"{first + timedelta(days=n):%m-%d}" for n in range(min((last - first).days, 366) + 1)}
            query = query.where(sa.func.substr(column, 6).in_(sorted(days | ({"02-29"} if "02-28" in days else set()))))
        for id_, country, time_zone, region, value in connection.execute(query):
            zone = self.house.calendar.zone(country, time_zone, region)
            for at in self._instants(moment, timing.as_date(value), zone, first, last):
                if after < at <= self.now:
                    yield Candidate(id_, clock.to_ms(at))

    def _days(self, moment: Moment, after: datetime) -> tuple[date, date]:
        """The anchor's days that the span (after, now] may come from, with a day to spare for every zone."""
        length, sign = moment.length or Duration(1, "minute"), 1 if moment.direction == "before" else -1
        if moment.length is None:
            return after.date() - timedelta(days=2), self.now.date() + timedelta(days=2)
        low = min(length.shift(after.date(), sign * length.count), after.date() + sign * length.about)
        high = max(length.shift(self.now.date(), sign * length.count), self.now.date() + sign * length.about)
        return low - timedelta(days=3), high + timedelta(days=3)

    def _instants(
        self, moment: Moment, anchor: date | datetime | None, zone: tzinfo, first: date, last: date
    ) -> Iterator[datetime]:
        if anchor is None:
            return
        if not self.way.yearly:
            yield timing.from_anchor(moment, anchor, zone, self.project.send_time)
            return
        day = anchor.astimezone(zone).date() if isinstance(anchor, datetime) else anchor
        for year in range(first.year, last.year + 1):
            if year >= day.year:
                yield timing.from_anchor(moment, timing.yearly(day, year), zone, self.project.send_time)

    def _by_occurrence(self) -> None:
        """All who fulfil `if` at the newest occurrence since the last one; a missed one is made up once."""
        schedule = self.way.every or self.way.at
        assert schedule is not None
        mine = {"campaign": self.row.name, "schedule": str(schedule)}
        with self.store.read() as connection:
            done, open_ = connection.execute(_SCHEDULED, mine).one()
        after = clock.from_ms(max(done if done is not None else 0, self.since - 1, 0))
        newest = occurrence.latest(schedule, self.zone, after, self.now)
        if newest is not None and not self._had(newest, mine):
            with self.store.write() as connection:
                if open_ is not None:
                    connection.execute(_MISSED, {**mine, "now": clock.to_ms(self.now)})
                connection.execute(_COMES, {**mine, "date": newest.date, "slot": newest.slot, "at": clock.to_ms(newest.at)})
            faults.point("F18")
            at = clock.to_ms(newest.at)
        elif open_ is not None:
            at = open_
        else:
            return
        if not self._admit([Candidate(contact_id, at) for contact_id in self._everybody()], fresh=at):
            with self.store.write() as connection:
                connection.execute(_DONE, {**mine, "now": clock.to_ms(self.now), "at": at})

    def _had(self, newest: occurrence.Occurrence, mine: dict[str, str]) -> bool:
        """Whether that date and time of day was: a project that moved to a zone further west would live it again."""
        with self.store.read() as connection:
            had = connection.execute(_HAD, {**mine, "date": newest.date, "slot": newest.slot}).first() is not None
        return had and guards.on("occurrence_key")

    def _everybody(self, changed_since: int | None = None) -> list[int]:
        """Ids of those who fulfil `if`, in their order; only of those changed since that instant when given."""
        query, given = (
            self._asks("everybody", self._fulfilling) if changed_since is None else self._asks("changed", self._changed)
        )
        with self.store.read() as connection:
            return list(connection.execute(query, given | ({} if changed_since is None else {"since": changed_since})).scalars())

    def _order(self) -> sa.ColumnElement[Any]:
        """Who comes first matters to a limit alone, which goes by uid; else neighbours on disk stay neighbours."""
        return tb.contact.c.uid if self.way.limit is not None else tb.contact.c.id

    def _fulfilling(self, compiler: Compiler) -> sa.Select[Any]:
        c = tb.contact.c
        asked = c.id.in_(compiler.selection(self.way.if_ or "everyone"))
        return sa.select(c.id).where(asked, c.erased_at.is_(None)).order_by(self._order())

    def _changed(self, compiler: Compiler) -> sa.Select[Any]:
        c = tb.contact.c
        query = sa.select(c.id).where(c.changed_at >= sa.bindparam("since", type_=sa.BigInteger()), c.erased_at.is_(None))
        return query.where(compiler.predicate(self.way.if_ or "everyone", where="elsewhere")).order_by(self._order())

    def _by_condition(self) -> None:
        """Whoever fulfils it now. Speaking of time: everybody, once a unit; else those changed since the last look."""
        ms = clock.to_ms(self.now)
        last = self.row.last_look_at
        if last is not None and self._nobody_changed() and not self._speaks_of_time() and not self._unfinished():
            return
        uses = check(self.way.if_ or "everyone", self.vocabulary, where="elsewhere").uses
        since, whole = self.row.last_changed_at, True
        if uses.speaks_of_time:
            if (
                last is not None
                and _unit(last, uses.finest, self.zone) == _unit(ms, uses.finest, self.zone)
                and not self._unfinished()
            ):
                return
            candidates = self._everybody()
        else:
            since, whole = self._begin_look(ms)
            self.back = since is not None and last is not None and since < last
            candidates = self._everybody(None if not since or since < 0 or self._unfinished() else since)
        rest = self._admit([Candidate(contact_id, ms) for contact_id in candidates], fresh=ms)
        with self.store.write() as connection:
            if whole:
                connection.execute(_SEEN, {"at": ms, "before": since, "id": self.row.id})
            self._wait(connection, [-1] if rest else [])

    def _begin_look(self, ms: int) -> tuple[int | None, bool]:
        """Since when people are asked for, and whether that is everybody who was changed: what others write while this look goes on
        they tell it, if they see that it began; those who wrote before it did must have ended."""
        since = self.row.last_changed_at
        if self.store.in_memory:
            return since, True
        with self.store.write() as connection:
            connection.execute(_LOOKING, {"at": ms, "id": self.row.id})
        return since or 0, underway.ended(self.store, "contact")

    def _nobody_changed(self) -> bool:
        """Whether no contact was changed since the last look: then an answer without time in it is the last one."""
        if self.row.last_changed_at is None:
            return False
        with self.store.read() as connection:
            newest = connection.scalar(sa.select(sa.func.max(tb.contact.c.changed_at)))
        return newest is None or newest < self.row.last_changed_at

    def _speaks_of_time(self) -> bool:
        """Asked of the checker once a version and process."""
        key = (self.row.version_id, self.row.name, self.way.if_)
        known = _SPEAKS.get(key)
        if known is None or known[0] is not self.campaign:
            uses = check(self.way.if_ or "everyone", self.vocabulary, where="elsewhere").uses
            known = _SPEAKS[key] = self.campaign, uses.speaks_of_time
        return known[1]

    def _looked(self, at: datetime) -> None:
        with self.store.write() as connection:
            connection.execute(_LOOKED, {"at": clock.to_ms(at), "id": self.row.id})


def _midnight(day: date) -> int:
    return clock.to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _length(finest: Duration) -> int:
    """ms of a unit of elapsed time."""
    return 60_000 if finest.unit == "minute" else 3_600_000


def _unit(ms: int, finest: Duration | None, zone: tzinfo) -> object:
    """The unit of the finest duration in which an instant lies: a minute, an hour, else a calendar day of the project."""
    instant = clock.from_ms(ms)
    if finest is not None and finest.elapsed:
        return ms // _length(finest)
    return instant.astimezone(zone).date()


def _next_unit(instant: datetime, finest: Duration | None, zone: tzinfo) -> datetime:
    """Where the next such unit begins."""
    if finest is not None and finest.elapsed:
        return clock.from_ms((clock.to_ms(instant) // _length(finest) + 1) * _length(finest))
    return timing.on_day(instant.astimezone(zone).date() + timedelta(days=1), timing.MIDNIGHT, zone)
