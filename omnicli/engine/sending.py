"""A `send` whose moment has come: its condition, the first channel that reaches this person, and the guards in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from omnicli import guards
from omnicli.engine import guard, pricing, timing
from omnicli.engine.calendar import Free
from omnicli.engine.deadline import deadline
from omnicli.engine.house import House
from omnicli.engine.known import Known, _Onward
from omnicli.model.campaign import Send
from omnicli.model.decision import Settled, Stand, TouchPlan
from omnicli.model.flow import Node
from omnicli.model.ids import touch_key
from omnicli.model.literals import Duration, Moment, TimeOfDay, Window

#: Refusals before acceptance after which the step's next channel is tried (8.1, 7.1).
TRIES_ON = frozenset({"unreachable", "no_words"})
#: What `usable` answers when this cannot be said there: without words, or without a template.
WORDLESS = frozenset({"no_words", "no template"})
#: How often a touch that the budget holds asks again; one that waits for an approval asks in the next run.
BUDGET_ASKS = timedelta(hours=1)
NEXT_RUN = timedelta(milliseconds=1)  # the smallest step of the store's clock
#: A letter handed over is received after this, where the project does not say `lead_time` (3.1).
LETTER_TAKES = Duration(4, "day")
#: WhatsApp takes free words for so long after the person wrote, less a minute; else only approved templates (docs/language 5.3, WA-01).
WHATSAPP_OPEN = timedelta(hours=24) - timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Objection:
    """A guard's answer: hold `until`, or `skip` with that reason (`next channel` passes the question on)."""

    guard: str
    until: datetime | None = None
    skip: str | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """One send whose moment has come: `at` it may leave, `origin` it was first due, after `expires` no guard may hold it."""

    node: Node
    step: Send
    purpose: str
    at: datetime
    origin: datetime
    expires: datetime
    time: TimeOfDay | None
    tried: tuple[str, ...]

    def limit(self, house: House, zone: Any, held_by: str | None) -> datetime:
        """After this it is expired; what `at_cap` made it wait is not held against it."""
        rule = house.guarding.at_cap.wait
        if held_by in ("cap", "min_gap") and rule is not None:
            return max(self.expires, timing.add(rule, self.origin, zone))
        return self.expires

    def objection(self, name: str, end: datetime | None, now: datetime) -> _Objection:
        """Hold until the guard ends, at most until `expires`; then skipped by the guard's own reason, else `expired`."""
        if now >= self.expires:
            return _Objection(name, skip=name if name in ("complaint_open", "budget") else "expired")
        return _Objection(name, until=self.expires if end is None else min(end, self.expires))


def _ruled_as(channel: str, step: Send) -> str:
    """A task that is a call goes by the rules for voice (docs/language 3.1)."""
    return "voice" if channel == "task" and step.kind == "call" else channel


def _verdict(reasons: Mapping[str, str]) -> str:
    """The one reason of a send that no channel took: full ones say `capped`, wordless ones `no_words`."""
    if "capped" in reasons.values():
        return "capped"
    return "no_words" if reasons and set(reasons.values()) <= WORDLESS else "unreachable"


class Sending(Known):
    """The part of a walk that stands at a `send`."""

    __slots__ = ()

    def reach_send(self, node: Node, step: Send) -> _Onward:
        due = self._due(step.at)
        if due.missing or due.at is None:
            return self._skip(node, step, "no_date", at=self.at)
        if due.at > self.now:
            self._say("at", str(step.at), {"due": due.at}, node.id)
            return Stand(node.id, self.at, due.at, wait_until=due.at)
        return self._judge(node, step, at=due.at, origin=due.at, time=due.time)

    def _moment_came(self, node: Node, step: Send) -> _Onward:
        """Its moment or the end of its hold has come, or something woke it before."""
        s = self.s
        at = s.wait_until or s.since
        if at > self.now:
            return self._same()
        return self._judge(node, step, at=at, origin=s.held_from or at, time=self._time_of_day(step.at))

    def _time_of_day(self, moment: Moment) -> TimeOfDay | None:
        if moment.kind == "best hour":
            return timing.best_hour(self.s.hours or {}, self.house.project.send_time)
        return moment.time

    def _settled(self, node: Node, step: Send, end: Settled) -> _Onward:
        """The touch it stood on has ended: on to the next step, or to the next channel after a refusal before acceptance."""
        if self._tries_on(end):
            origin = self.s.held_from or self.s.wait_until or end.at
            tried = (*self.s.tried, end.channel)
            if any(channel not in tried for channel in self._channels(step)):
                self._say("else", f"{end.channel} {end.state}: {end.reason}", {}, node.id)
                self.clock = end.at
                return self._judge(node, step, at=self.now, origin=origin, time=self._time_of_day(step.at), tried=tried)
        self.clock = self._received(end.channel, end.at) if end.state == "accepted" else end.at
        return node.next

    def _received(self, channel: str, left: datetime) -> datetime:
        """When what left is in the person's hands: a letter takes its `lead_time` (3.1)."""
        if channel != "letter":
            return left
        settings = self.house.project.channels.get("letter")
        return timing.add((settings and settings.lead_time) or LETTER_TAKES, left, self.zone)

    def _tries_on(self, end: Settled) -> bool:
        if end.state == "rejected" or (end.state == "skipped" and end.reason in TRIES_ON):
            return True
        return end.state == "skipped" and end.reason == "capped" and self.house.guarding.at_cap.then == "next channel"

    def _judge(self, node: Node, step: Send, *, at: datetime, origin: datetime, time: TimeOfDay | None,
               tried: tuple[str, ...] | None = None) -> _Onward:  # fmt: skip
        """The moment has come: `if`, channel and guards. `origin` is when it was first due, `at` when it may leave."""
        tried = self.s.tried if tried is None else tried
        delay = step.max_delay or self.house.guarding.max_delay
        case = _Case(node, step, self.house.purpose(step.send), at, origin, timing.expires(origin, delay, self.zone), time, tried)
        if step.if_ is not None and not self._truth(step.if_):
            return self._skip(node, step, "condition", at=at, case=case)
        if self.s.held_by is None and self.now > case.expires and guards.on("expiry"):
            return self._skip(node, step, "expired", at=at, case=case)
        if self.s.spread and not tried:
            self.personal = True
            return self._hold(case, "paused", self.now + timing.spread(self.s.key, self.house.spread))
        return self._offer(case)

    def _offer(self, case: _Case) -> _Onward:
        """The first channel by which this person can be reached; a full one gives way to the next where `at_cap` says so."""
        reasons: dict[str, str] = {}
        for channel in self._channels(case.step):
            if channel in case.tried:
                reasons[channel] = "tried"
                continue
            barrier = self.barrier(channel, case)
            if barrier is not None:
                reasons[channel] = barrier
                continue
            objection = self._objection(case, channel)
            if objection is None:
                return self._send(case, channel, reasons)
            if objection.skip == "next channel":
                reasons[channel] = "capped"
                continue
            self._reasons(case, {**reasons, channel: objection.guard})
            if objection.skip is not None:
                return self._skip(case.node, case.step, objection.skip, at=case.at, case=case, channel=channel)
            assert objection.until is not None
            return self._hold(case, objection.guard, objection.until)
        self._reasons(case, reasons)
        if case.tried:
            return case.node.next  # the touch that was refused is the end of this send
        return self._skip(case.node, case.step, _verdict(reasons), at=case.at, case=case)

    def _reasons(self, case: _Case, reasons: Mapping[str, str]) -> None:
        if reasons:
            self._say("channels", " · ".join(f"{c}: {r}" for c, r in reasons.items()), dict(reasons), case.node.id)

    def _channels(self, step: Send) -> tuple[str, ...]:
        """The channels of a step in the order in which they are tried, without repeats."""
        order: list[str | None] = [step.by]
        if step.by == "preferred":
            persona = self.house.personas.get(self.s.persona or "")
            order = [self.s.preferred_channel, self.s.last_human_channel, *(persona.channels if persona else ())]
        allowed = self.house.campaign.messages[step.send].channels
        known = self.house.project.channels
        return tuple(dict.fromkeys(
            c for c in (*order, *step.else_) if c is not None and c in known and (allowed is None or c in allowed)
        ))  # fmt: skip

    def barrier(self, channel: str, case: _Case) -> str | None:
        """Why this channel cannot reach this person with these words, or None."""
        s = self.s
        found: str | None = guard.reachable(s.reach, _ruled_as(channel, case.step), case.purpose, self.now, self.house.topic)
        if found is not None:
            return found
        persona = self.house.personas.get(s.persona or "")
        register = persona.tone.address if persona else None
        found = self.house.usable(case.step.send, channel, s.language, register)
        if found is not None:
            return found
        if channel == "whatsapp" and not self._whatsapp_open():
            approved = self.house.campaign.messages[case.step.send].approved
            if s.language not in approved and (register is None or f"{s.language}/{register}" not in approved):
                return "no_approved_template"
        return None

    def _whatsapp_open(self) -> bool:
        s = self.s
        return s.last_human_channel == "whatsapp" and s.last_human_at is not None and self.now - s.last_human_at < WHATSAPP_OPEN

    def _objection(self, case: _Case, channel: str) -> _Objection | None:
        """The first guard that objects now, in the order of docs/language 7 from the open complaint on."""
        s, now = self.s, self.now
        counted = guard.counts(case.purpose)
        if counted and s.complaint_until is not None and now < s.complaint_until and guards.on("complaint_open"):
            return case.objection("complaint_open", s.complaint_until, now)
        free = self._free(case, channel, now)
        if free.law:
            return _Objection("pack", skip="barred_by_law")
        kept = free.at is None or free.at > now
        if kept and free.guard == "pack" and guards.on("pack"):
            return case.objection("pack", free.at, now)
        if counted:
            full = self._full(case, channel)
            if full is not None:
                return full
        if kept and free.guard == "quiet_hours" and guards.on("quiet_hours"):
            return case.objection("quiet_hours", free.at, now)
        if s.held_out:
            return self._late(case)
        return self._money(case, channel) or self._late(case)

    def _late(self, case: _Case) -> _Objection | None:
        late = self.now > case.limit(self.house, self.zone, self.s.held_by) and guards.on("expiry")
        return _Objection("expiry", skip="expired") if late else None

    def _free(self, case: _Case, channel: str, instant: datetime) -> Free:
        s, calendar, ruled = self.s, self.house.calendar, _ruled_as(channel, case.step)
        free = calendar.free(instant, channel=ruled, purpose=case.purpose, country=s.country, region=s.region,
                             time_zone=s.time_zone, until=instant)  # fmt: skip
        if free.at == instant or free.law:
            return free
        self.personal = True
        key = touch_key(self.house.project.project, self.house.name, s.contact_uid, s.number, case.node.id, channel)
        return calendar.free(
            instant, channel=ruled, purpose=case.purpose, country=s.country, region=s.region, time_zone=s.time_zone,
            until=max(case.expires, instant), at=case.time, key=key, spread=self.house.spread,
        )  # fmt: skip

    def _full(self, case: _Case, channel: str) -> _Objection | None:
        """`cap` and `min_gap`, counted over the store's slots and what this turn gave already."""
        s, guarding, zone = self.s, self.house.guarding, self.zone
        given = self.tally.given.get(s.contact_id, ())
        slots = (*s.slots, *((day, by) for day, by, _ in given)) if given else s.slots
        today = timing.local_day(self.now, zone)
        day = guard.capped(slots, guarding.caps_for(s.country), _ruled_as(channel, case.step), today)
        if day is not None:
            return self._at_cap(case, channel, "cap", guard.cap_opens(day, zone))
        last = max((at for *_, at in given), default=s.last_counted_at)
        if last is not None and s.last_counted_at is not None:
            last = max(last, s.last_counted_at)
        opens = guard.gap_opens(last, guarding.min_gap, self.now, zone)
        return self._at_cap(case, channel, "min_gap", opens) if opens is not None else None

    def _at_cap(self, case: _Case, channel: str, name: str, opens: datetime | None) -> _Objection:
        outcome = guard.at_cap(self.house.guarding.at_cap, case.origin, opens, self.zone)
        if outcome == "next channel":
            return _Objection(name, skip="next channel")
        if outcome == "skip" or opens is None:
            return _Objection(name, skip="capped")
        if case.time is not None:  # a held touch keeps its time of day (7.2)
            opens = timing.next_time(case.time, opens - NEXT_RUN, self.zone)
        free = self._free(case, channel, opens)
        return _Objection(name, until=free.at or opens)

    def _money(self, case: _Case, channel: str) -> _Objection | None:
        house, tally, cost = self.house, self.tally, self.house.prices.get(channel, 0)
        if pricing.over(house.guarding.budget, tally.spent.get(house.name, 0), cost) and guards.on("budget"):
            return case.objection("budget", self.now + BUDGET_ASKS, self.now)
        if house.ceiling is not None and guards.on("approval"):
            sends, money = house.ceiling.sends, house.ceiling.money
            kept = self.s.held_by == "approval" and self.s.step == case.node.id  # waits until a person approves, not a tick
            many = sends is not None and tally.sends.get(house.name, 0) >= sends
            if kept or many or pricing.over(money, tally.money.get(house.name, 0), cost):
                return case.objection("approval", self.now + NEXT_RUN, self.now)
        return None

    def _hold(self, case: _Case, name: str, until: datetime) -> Stand:
        self._say(name, "held", {"until": until}, case.node.id)
        since = self.s.since if self.s.step == case.node.id else self.at
        return Stand(case.node.id, since, until, wait_until=until, held_by=name, held_from=case.origin, tried=case.tried)

    def _send(self, case: _Case, channel: str, reasons: Mapping[str, str]) -> _Onward:
        self._reasons(case, reasons)
        due_at = self.now if self.s.held_by is not None and self.s.step == case.node.id else case.at
        if self.s.held_out:
            self.touches.append(self._touch(case, channel, due_at, "held_out"))
            self._say("holdout", "held_out", {"channel": channel}, case.node.id)
            self.at, self.clock = case.at, self._received(channel, due_at)  # silence lasts as long as the others' way
            return case.node.next
        self.touches.append(self._touch(case, channel, due_at, "planned"))
        self._say("send", channel, {"due": due_at}, case.node.id)
        since = self.s.since if self.s.step == case.node.id else self.at
        return Stand(case.node.id, since, None, wait_until=case.at, held_from=case.origin, tried=case.tried, on_touch=True)

    def _touch(self, case: _Case, channel: str, due_at: datetime, state: Literal["planned", "skipped", "held_out"],
               reason: str | None = None) -> TouchPlan:  # fmt: skip
        step, house = case.step, self.house
        team, task_due, slot, cost = step.team, None, None, 0
        settings = house.project.channels.get(channel)
        if team is None and channel in ("task", "voice") and settings is not None:
            team = settings.team
        if state == "planned":
            cost = house.prices.get(channel, 0)
            if step.due is not None:
                hours = house.project.teams[team].hours if team in house.project.teams else ()
                task_due = self._task_due(step.due, due_at, hours)
            if guard.counts(case.purpose):
                slot = (timing.local_day(self.now, self.zone), _ruled_as(channel, step))
        place = (self.s.place if step.place == "nearest" else step.place) if step.place else None
        kind = step.kind if channel in ("task", "voice") else None
        expires = case.limit(house, self.zone, self.s.held_by)
        return TouchPlan(case.node.id, step.send, channel, case.purpose, house.priority(case.purpose), due_at, expires, state,
                         reason, cost, team, kind, task_due, place, slot)  # fmt: skip

    def _task_due(self, length: Duration, start: datetime, hours: tuple[Window, ...]) -> datetime:
        return deadline(start, length, hours=hours, zone=self.house.calendar.zone(None, self.house.project.time_zone))

    def _skip(self, node: Node, step: Send, reason: str, *, at: datetime, case: _Case | None = None,
              channel: str | None = None) -> _Onward:  # fmt: skip
        if case is None:
            delay = step.max_delay or self.house.guarding.max_delay
            case = _Case(node, step, self.house.purpose(step.send), at, at, timing.expires(at, delay, self.zone), None, ())
        by = channel or next((c for c in self._channels(step) if c not in case.tried), step.by)
        self.touches.append(self._touch(case, by, case.origin, "skipped", reason))
        self._say("skip", reason, {}, node.id)
        self.at = self.clock = self.now if reason == "expired" else at  # what was given up late is over now, not then
        return node.next
