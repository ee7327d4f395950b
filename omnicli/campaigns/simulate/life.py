"""One part of the base lives from the first instant to the last: it enters by the real door, the engine decides, the model answers.

Idea 1 of the architecture holds: SQL gathers, Python decides, SQL records. Two things are cut short, and change no decision. A touch
is carried in the very instant in which it is decided, so that whoever stands on it can be decided again without being read again.
And what nobody asks of people who do not exist (the ledger's reasons, the archive, receipts) is counted instead of written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.campaigns.simulate.answering import DAY, Calendar, People, Touch, Waking, arrival, midnight
from omnicli.campaigns.simulate.asking import Answers, Asked, Counted, Here, covers
from omnicli.campaigns.simulate.base import raw
from omnicli.campaigns.simulate.chances import Odds, fraction
from omnicli.campaigns.simulate.counts import HELD_OUT, TREATED, Counts
from omnicli.campaigns.simulate.entering import Door
from omnicli.campaigns.simulate.hearing import Hearing
from omnicli.campaigns.simulate.model import Model
from omnicli.campaigns.simulate.model import minutes as minutes_of
from omnicli.campaigns.simulate.pricing import Prices
from omnicli.campaigns.simulate.recording import Record
from omnicli.campaigns.turn import Houses
from omnicli.engine.house import House
from omnicli.engine.questions import questions
from omnicli.model.decision import Decision, Settled, Standing, Tally, TouchPlan
from omnicli.packs import load
from omnicli.store import campaigns
from omnicli.store.turns import WHO, Row, Who

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: People decided between two records.
BATCH = 5000
#: A pass that is due again more often at one instant is a defect.
ROUNDS = 501
MONTH = 30


class Life:
    """The world of one part of the base. `felt`: whether the budget is one that this part alone can reach (else it has none)."""

    def __init__(self, store: Store, loaded: Loaded, name: str, model: Model, *, seed: str, start: datetime, end: datetime,
                 renderer: Any, felt: bool) -> None:  # fmt: skip
        assert loaded.project is not None
        self.store, self.loaded, self.name, self.model, self.seed = store, loaded, name, model, seed
        self.project = loaded.project
        self.zone = ZoneInfo(self.project.time_zone)
        self.start, self.end = clock.to_ms(start), clock.to_ms(end)
        self.first = midnight(start, self.zone)
        self.grid = max(int(self.project.schedule.every.about.total_seconds() * 1000), 60_000)
        self.renderer, self.felt = renderer, felt
        self.raw: sqlite3.Connection = raw(store)
        self.odds, self.waking = Odds(model), Waking(model.awake)
        self.calendar = Calendar(self.grid, self.end)
        self.prices = Prices(renderer, start)
        self.counts = Counts()
        self.tally = Tally()
        self.packs: Any = None
        self.touched: dict[int, list[int]] = {}  # enrollment → days of its accepted touches
        self.on_touch: Callable[[Who, TouchPlan, str, str], None] | None = None
        self.arms: dict[int, list[tuple[str, str]]] = {}
        self._open(start)
        self._people(start)

    # --- before the first day ---------------------------------------------------------------------------------------
    def _open(self, start: datetime) -> None:
        from omnicli.campaigns import life, versions

        with self.store.write() as connection:
            versions.apply(connection, self.loaded.campaigns[self.name], self.project, start)
            row = campaigns.find(connection, self.name)
            assert row is not None
            assert row.version_id is not None
            life.open_doors(connection, row, start)
        self.version, self.campaign_id = row.version_id, row.id
        self._build(start)
        goal = self.house.campaign.goal
        self.people = People(
            self.odds, self.seed, goal=goal.when[0].split()[0] if goal else None, listened=listened(self.loaded, self.name),
            waking=self.waking, calendar=self.calendar,
        )  # fmt: skip
        self.hearing = Hearing(self)

    def _build(self, now: datetime) -> None:
        """The house of this day: built anew when a rule of a country begins or ends."""
        packs = load(self.project.countries, now.date())
        if packs is self.packs or packs == self.packs:
            self.packs = packs
            return
        self.packs = packs
        with self.store.read() as connection:
            self.houses = Houses(connection, self.loaded, now=now, usable=self.renderer.usable)
            house = self.houses[self.version]
        if not self.felt:
            house = replace(house, guarding=replace(house.guarding, budget=None))
        self.house: House = self.houses._houses.setdefault(self.version, house)
        self.houses._houses[self.version] = self.house = house
        self.asked: dict[str | None, Asked] = {}
        self.fused: dict[tuple[str | None, str], bool] = {}
        before = getattr(self, "door", None)
        self.door = Door(self.store, self.houses, self.name, now)
        if before is not None:
            self.door.row.last_event_id = before.row.last_event_id

    def _people(self, start: datetime) -> None:
        """Count them, and draw when each comes."""
        self.entering = self.house.campaign.enter
        self.counts.people = self.raw.execute("SELECT count(*) FROM contact WHERE erased_at IS NULL").fetchone()[0]
        self.arrivals: list[tuple[int, int]] = []
        self.zones: dict[int, tuple[str, Any]] = {}
        share, within = fraction(self.model.arrivals.share), minutes_of(self.model.arrivals.within)
        calendar = self.house.calendar
        by_event = self.entering.form == "when"
        rows = self.raw.execute("SELECT id, uid, country, time_zone, region FROM contact WHERE erased_at IS NULL")
        for id_, uid, country, time_zone, region in rows.fetchall():
            zone = calendar.zone(country, time_zone, region)
            if by_event:
                at = arrival(self.seed, uid.hex(), share, within, self.start, zone, self.waking)
                if at is not None and at <= self.end:
                    self.arrivals.append((at, id_))
        self.arrivals.sort(reverse=True)
        self.counted: dict[int, Counted] = dict(_counted_before(self.raw))
        for channel in self.project.channels:
            path = f'$."{channel}"'
            query = "SELECT count(*) FROM contact WHERE erased_at IS NULL AND json_extract(reach, ? || '[0]') = 1 AND json_extract(reach, ? || '[1]') = 1"
            if found := self.raw.execute(query, (path, path)).fetchone()[0]:
                self.counts.reachable[channel] = found

    # --- the days ---------------------------------------------------------------------------------------------------
    def live(self, progress: Callable[[int], None] | None = None) -> Counts:
        """Until the end; what was counted."""
        at: int | None = self.start
        while at is not None and at <= self.end:
            self._instant(at)
            later = self._later(at)
            if progress is not None:
                progress(((later if later is not None else self.end) - at) // 3_600_000)
            at = later
        self._close()
        return self.counts

    def _later(self, now: int) -> int | None:
        """The next tick at which anything happens."""
        due = self.raw.execute("SELECT min(due_at) FROM enrollment WHERE due_at IS NOT NULL AND state = 'open'").fetchone()[0]
        coming = [due, self.calendar.next, self.arrivals[-1][0] if self.arrivals else None, self._opening(now)]
        ticks = [-(-c // self.grid) * self.grid for c in coming if c is not None]
        return max(min(ticks), now + 1) if ticks else None

    def _opening(self, now: int) -> int | None:
        """When the door is looked at next, for campaigns that no event lets people into: the next occurrence, else every hour."""
        if self.entering.form == "when":
            return None
        schedule = self.entering.every or self.entering.at
        if schedule is not None:
            from omnicli.engine.occurrence import occurrences

            after = clock.from_ms(now)
            found = next(iter(occurrences(schedule, self.zone, after, clock.from_ms(self.end))), None)
            return clock.to_ms(found.at) if found is not None else None
        return now + 3_600_000 - now % 3_600_000

    def _instant(self, ms: int) -> None:
        now = clock.from_ms(ms)
        self.ms, self.now = ms, now
        self.counts.instants += 1
        if now.hour == 0 or self.counts.instants == 1 or ms // DAY != self._day:
            self._build(now)
        self._day = ms // DAY
        came = self.hearing.arrive()
        self.hearing.hear(self.calendar.due(ms))
        if came or self.entering.form != "when":
            self._enter()
        self._decide_all()

    _day = -1

    def _enter(self) -> None:
        top = self.raw.execute("SELECT coalesce(max(id), 0) FROM enrollment").fetchone()[0]
        if not self.door.look(self.now):
            return
        query = (
            "SELECT e.id, e.contact_id, c.uid, e.pass, e.entered_at, e.held_out, e.persona, c.country, c.time_zone, c.region FROM enrollment e "
            "JOIN contact c ON c.id = e.contact_id WHERE e.id > ?"
        )
        for _, contact, uid, number, entered, out, persona, country, time_zone, region in self.raw.execute(
            query, (top,)
        ).fetchall():
            group = HELD_OUT if out else TREATED
            self.counts.entered[group] += 1
            self.counts.entered_on[(entered - self.first) // DAY] += 1
            self.counts.personas[persona or ""] += 1
            self.people.alone(contact, uid.hex(), number, entered, self.house.calendar.zone(country, time_zone, region))

    # --- deciding ---------------------------------------------------------------------------------------------------
    def _decide_all(self) -> None:
        answers = Answers(self.house, self.now, self.tally)
        for _ in range(ROUNDS):
            due = self._due()
            if not due:
                return
            record = Record(self)
            for row, step in self._gather(due):
                self._decide(row, step, answers, record)
            record.write()
            self.tally.next_batch()
        raise RecursionError("a pass is due again and again at one instant")

    def _due(self) -> list[tuple[int, str | None]]:
        query = "SELECT id, step FROM enrollment WHERE due_at IS NOT NULL AND state = 'open' AND due_at <= ? ORDER BY due_at, key LIMIT ?"
        return self.raw.execute(query, (self.ms, BATCH)).fetchall()

    def _gather(self, due: Sequence[tuple[int, str | None]]) -> Iterator[tuple[Row, str | None]]:
        groups: dict[str | None, list[int]] = {}
        for id_, step in due:
            groups.setdefault(step, []).append(id_)
        found: dict[int, Row] = {}
        for step, ids in groups.items():
            for row in self._asked(step).rows_of(self.raw, ids):
                found[row[0]] = row
        for id_, step in due:
            yield found[id_], step

    def _asked(self, step: str | None) -> Asked:
        asked = self.asked.get(step)
        if asked is None:
            asked = self.asked[step] = Asked(
                self.house, questions(self.house, step), self.houses.compiler(self.version), now=self.now
            )
        elif asked.now != self.now:
            asked.at(self.now)
        return asked

    def _decide(self, row: Row, asked: str | None, answers: Answers, record: Record) -> None:
        """Decide, carry what was planned, and decide again from there, as long as all that is asked next is known."""
        who, first = Who._make(row[:WHO]), True
        here = answers.of(self._asked(asked), row, self.counted.get(who.contact_id))
        while True:
            decision = here.decision
            self.counts.decisions += 1
            self._count(who, here.standing, decision)
            plan = decision.planned
            if plan is None:
                record.add(who, here, None, first=first)
                return
            end = self._carry(who, here.standing, plan)
            if not self._fuses(asked, plan.step):
                record.add(who, here, end, first=first)
                return
            record.passed(here)
            here, first = answers.behind(here, end, partial(self._behind, who, here, end)), False

    def _fuses(self, asked: str | None, step: str) -> bool:
        key = asked, step
        if key not in self.fused:
            self.fused[key] = covers(self._asked(asked).whole, questions(self.house, step))
        return self.fused[key]

    def _behind(self, who: Who, here: Here, end: Settled) -> Standing:
        """As the store would have it, had the touch been recorded and settled."""
        s, decision, stand = here.standing, here.decision, here.decision.stand
        assert stand is not None
        slots, last = self.counted.get(who.contact_id, (s.slots, s.last_counted_at))
        return Standing(
            who.id, who.key, who.contact_id, who.contact_uid, who.number, s.entered_at, s.language, s.persona, s.held_out, stand.step, stand.since,
            self.now, stand.wait_from, stand.wait_until, stand.held_by, stand.held_from, end, False, stand.tried, s.country, s.region,
            s.time_zone, s.preferred_channel, s.last_human_channel, s.last_human_at, s.erased, s.complaint_until, s.reach, s.attributes,
            slots, last, s.truths, s.firsts, s.hours, s.told, s.event,
            s.converted or decision.converted_at is not None, False, s.place,
        )  # fmt: skip

    # --- carrying ---------------------------------------------------------------------------------------------------
    def _carry(self, who: Who, s: Standing, plan: TouchPlan) -> Settled:
        """What the provider does with it: the touch is settled in this very instant."""
        cost = self.prices.of(self.house, plan.message, plan.channel, s.language, s.persona)
        self.counts.reserved += max(plan.cost, cost or 0)
        if cost is None:
            self._touch(who, plan, "render_failed", "")
            return Settled("skipped", self.now, plan.channel, "render_failed")
        zone = self.house.calendar.zone(s.country, s.time_zone, s.region)
        day = (self.ms - self.first) // DAY
        mine = self.touched.setdefault(who.id, [])
        touch = Touch(self.ms, who.contact_id, who.contact_uid.hex(), str(who.number), who.id, plan.step, plan.message, plan.channel, s.persona, zone,
                      sum(1 for d in mine if d > day - MONTH))  # fmt: skip
        what, answers = self.people.carry(touch)
        if what == "rejected":
            self._touch(who, plan, "rejected", "refused")
            return Settled("rejected", self.now, plan.channel, "refused")
        self._touch(who, plan, what, "")
        self._left(plan, cost, day)
        mine.append(day)
        if plan.slot is not None:
            before = self.counted.get(who.contact_id)
            self.counted[who.contact_id] = tuple(sorted((*(before[0] if before else ()), plan.slot))), self.now
        for name in answers:
            self.counts.answers[plan.step, plan.channel, name] += 1
        if self.felt:
            self.tally.spent[self.house.name] = self.tally.spent.get(self.house.name, 0) + cost
        return Settled("accepted", self.now, plan.channel)

    def _touch(self, who: Who, plan: TouchPlan, what: str, reason: str) -> None:
        self.counts.touches[plan.step, plan.channel, what, reason] += 1
        if self.on_touch is not None:
            self.on_touch(who, plan, what, reason)

    def _left(self, plan: TouchPlan, cost: int, day: int) -> None:
        """It left: when, by what, for how much."""
        counts, channel = self.counts, plan.channel
        weekday, hour, month = _clock_of(self.zone, self.ms // 3_600_000)
        counts.sent_on[day, channel] += 1
        counts.load[weekday, hour, channel] += 1
        counts.hours[(self.ms - self.first) // 3_600_000, channel] += 1
        if cost:
            counts.cost[plan.step, channel, month] += cost
            counts.spent_on[day, channel] += cost

    def _count(self, who: Who, s: Standing, decision: Decision) -> None:
        """What this decision says that no touch says."""
        counts = self.counts
        for touch in decision.touches:
            if touch.state != "planned":
                self._touch(who, touch, touch.state, touch.reason or "")
        for line in decision.why:
            if line.rule == "split":
                counts.branches[line.step, line.answer] += 1
                if not s.held_out:
                    self.arms.setdefault(who.id, []).append((line.step, line.answer))
            elif (line.rule == "wait" or line.rule == "choose") and "until" not in line.values:
                counts.branches[line.step, line.answer] += 1
        stand = decision.stand
        if decision.ended is not None:
            counts.ended[decision.ended] += 1
        elif stand is not None and stand.held_by is not None and (stand.held_by != s.held_by or stand.step != s.step):
            counts.holds[stand.step, stand.held_by] += 1
        if stand is not None and stand.step != s.step:
            counts.reached[stand.step] += 1

    # --- after the last day -----------------------------------------------------------------------------------------
    def _close(self) -> None:
        """What is true at the end: who converted, how much each person got, who is still inside."""
        counts = self.counts
        query = "SELECT id, contact_id, held_out, entered_at, converted_at, converted_value, state, step FROM enrollment"
        pressed: dict[int, list[int]] = {}
        for id_, contact, out, entered, converted, value, state, step in self.raw.execute(query):
            group = HELD_OUT if out else TREATED
            arms = self.arms.get(id_, ())
            for split, arm in arms:
                counts.arms[split, arm, "passes"] += 1
                counts.arms[split, arm, "converted"] += converted is not None
            if converted is not None:
                counts.converted[group] += 1
                counts.value[group] += value or 0
                if not out:
                    counts.days_to_goal[(converted - entered) // DAY] += 1
                    counts.hours_to_goal[(converted - entered) // 3_600_000] += 1
            if state == "open":
                counts.inside[step or ""] += 1
            if not out:
                pressed.setdefault(contact, []).extend(self.touched.get(id_, ()))
        for days in pressed.values():
            counts.pressure[len(days)] += 1
            counts.week[_most_in_a_week(days)] += 1


def _counted_before(connection: sqlite3.Connection) -> Iterator[tuple[int, Counted]]:
    """What caps count already: touches of campaigns that ran before the first day."""
    query = "SELECT contact_id, local_date, rule, at FROM cap_slot WHERE rule <> 'all' ORDER BY contact_id"
    for contact, rows in groupby(connection.execute(query).fetchall(), key=itemgetter(0)):
        mine = list(rows)
        slots = tuple(sorted((date.fromisoformat(day).toordinal(), channel) for _, day, channel, _ in mine))
        yield contact, (slots, clock.from_ms(max(at for *_, at in mine)))


def _most_in_a_week(days: Sequence[int]) -> int:
    ordered = sorted(days)
    return max((sum(1 for other in ordered[n:] if other < day + 7) for n, day in enumerate(ordered)), default=0)


@lru_cache(maxsize=65536)
def _clock_of(zone: ZoneInfo, hour: int) -> tuple[int, int, str]:
    """Weekday (0 is Monday), hour and month of an hour since 1970, in that zone."""
    local = clock.from_ms(hour * 3_600_000).astimezone(zone)
    return local.weekday(), local.hour, f"{local:%Y-%m}"


def listened(loaded: Loaded, name: str) -> frozenset[str]:
    """Names of answers that can change anything: those that are human or bar an address, and those that some condition asks."""
    from omnicli.campaigns.respond.optout import CARRYING
    from omnicli.campaigns.simulate.model import ANSWERS
    from omnicli.model.response import HUMAN

    assert loaded.project is not None
    texts = str(loaded.campaigns[name].model_dump()) + str(loaded.project.segments) + str(loaded.project.personas)
    return frozenset({one for one in ANSWERS if one in texts} | HUMAN | CARRYING)


__all__ = ["Life"]
