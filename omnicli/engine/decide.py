"""One enrollment, one instant, one answer: a pure function from what stands in the store to what becomes of it.

The order of an instant is that of docs/language 8: exit rules → goal → guardrails → step (responses are folded before). A step
is reached at the end of the timer that led to it, else at the instant of the turn, so a late tick delays nobody twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta, tzinfo
from operator import attrgetter
from typing import Any, Literal

from omnicli import guards
from omnicli.engine import chance, guard, premises, pricing, timing
from omnicli.engine.calendar import Free
from omnicli.engine.deadline import deadline
from omnicli.engine.house import House
from omnicli.model.campaign import AnyStep, Call, Choose, Exit, Fact, Go, Send, Set, Split, WaitStep
from omnicli.model.decision import Decision, Settled, Stand, Standing, Tally, TouchPlan, Why, Write
from omnicli.model.flow import Node
from omnicli.model.ids import touch_key
from omnicli.model.literals import Duration, Moment, TimeOfDay, Window

#: Steps that one instant may take (docs/language 8).
STEPS = 500
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

Kind = Literal["send", "wait", "hold", "skip", "held_out", "set", "exit", "again", "stay"]


class _Unasked(Exception):
    """Something that was not gathered: another round of this instant will know it."""


@dataclass(frozen=True, slots=True)
class _Ended:
    reason: str


@dataclass(frozen=True, slots=True)
class _Again:
    """Stand there and ask again in the next round of this instant."""

    stand: Stand


#: What a step leads to: the next step's id (None: the end), a place to stand, another round, or the end of the pass.
_Onward = str | Stand | _Again | _Ended | None


def decide(standing: Standing, house: House, tally: Tally, now: datetime) -> Decision:
    """What becomes of this enrollment at `now`. Reads `tally` (what the turn gave away before), never writes it."""
    return _Walk(standing, house, tally, now).decide()


def timer(standing: Standing, house: House, since: datetime) -> datetime | None:
    """When the timer of the step at which this enrollment stands would end, had it been reached at `since`; None when it has none."""
    fresh = replace(standing, since=since, due_at=since, wait_from=None, wait_until=None, held_by=None, held_from=None, settled=None,
                    touch_open=False, tried=())  # fmt: skip
    walk = _Walk(fresh, house, Tally(), since)
    node = house.flow[standing.step or ""]
    try:
        onward = _REACH[type(node.step)](walk, node, node.step)
    except _Unasked:
        return None
    stand = onward.stand if isinstance(onward, _Again) else onward
    return stand.wait_until if isinstance(stand, Stand) else None


#: What is known of an enrollment but who it is; and of that, what stands in mappings.
_MAPPINGS = ("attributes", "truths", "firsts", "hours", "told", "event")
_plainly = attrgetter(*(f.name for f in fields(Standing) if f.name not in (*premises.IDENTITY, *_MAPPINGS, "reach")))
#: Answers kept at most, and how many questions show whether keeping them pays.
ANSWERS, TRIAL = 20_000, 500


class Answers:
    """`decide` for the many of one house and instant: people of whom the same is known get the same answer, found once.

    An answer that leaned on who the person is (a hash of names, what this turn gave that contact before) is not kept, and none is
    where money is counted, for then each answer changes the next.
    """

    def __init__(self, house: House, now: datetime) -> None:
        self.house, self.now = house, now
        self.known: dict[tuple[Any, ...], tuple[Decision, Any]] = {}
        self.asked = self.found = 0
        self.pays = house.guarding.budget is None and house.ceiling is None

    def decide(self, standing: Standing, tally: Tally) -> Decision:
        """As `decide(standing, house, tally, now)`, with the premises where the ledger gets a line."""
        s = standing
        if not self.pays or s.contact_id in tally.given:
            return self._found(s, tally)[0]
        mappings = [tuple(m.items()) if m else m is None for m in (s.attributes, s.truths, s.firsts, s.hours, s.told, s.event)]
        key = (_plainly(s), id(s.reach), *mappings)
        try:
            found = self.known.get(key)
        except TypeError:  # a list among the attributes
            return self._found(s, tally)[0]
        self.asked += 1
        if found is not None:
            self.found += 1
            return found[0]
        decision, personal = self._found(s, tally)
        if not personal:
            if len(self.known) >= ANSWERS:
                self.known.clear()
            self.known[key] = decision, s.reach  # kept, so that no other reach takes its place in memory
        if self.asked == TRIAL and self.found * 4 < TRIAL:
            self.pays = False
        return decision

    def _found(self, standing: Standing, tally: Tally) -> tuple[Decision, bool]:
        return answer(standing, self.house, tally, self.now)


def answer(standing: Standing, house: House, tally: Tally, now: datetime) -> tuple[Decision, bool]:
    """As `decide`, with the premises where the ledger gets a line, and whether it leaned on who this is."""
    walk = _Walk(standing, house, tally, now)
    decision = walk.decide()
    if decision.told:
        decision = replace(decision, premises=premises.write(standing, tally, house))
    return decision, walk.personal


class _Walk:
    """The way through the flow in one instant: `at` is when the present step was reached, `clock` when the touch of the
    send just passed ended (None after any other step)."""

    __slots__ = ("at", "clock", "converted_at", "house", "now", "personal", "s", "tally", "touches", "why", "writes", "zone")

    def __init__(self, standing: Standing, house: House, tally: Tally, now: datetime) -> None:
        self.s, self.house, self.tally, self.now = standing, house, tally, now
        self.at = now
        self.clock: datetime | None = None
        self.touches: list[TouchPlan] = []
        self.writes: list[Write] = []
        self.why: list[Why] = []
        self.converted_at: datetime | None = None
        self.personal = False  # whether the answer leans on who this is
        self.zone: tzinfo = house.calendar.zone(standing.country, standing.time_zone, standing.region)

    def decide(self) -> Decision:
        ended = self.judge_ends()
        if ended is not None:
            return self.answer(ended)
        return self.stay() if self.house.halted else self.go()

    # --- exits and goal -----------------------------------------------------------------------------------------
    def judge_ends(self) -> _Ended | None:
        """Exit rules, then the goal; a goal reached at the same instant names the reason, whatever exit fired."""
        s, house = self.s, self.house
        if s.erased and guards.on("erasure"):
            return self._end("erased", "erased", {})
        rule = self._exit_rule()
        goal = house.campaign.goal
        if goal is not None and not s.converted:
            at = conversion(s.firsts, house, s.entered_at, self.zone)
            if at is not None:
                self.converted_at = at
                self._say("goal", "reached", {"at": at})
                if goal.then == "exit":
                    return _Ended("goal")
        return self._end(*rule) if rule is not None else None

    def _end(self, reason: str, rule: str, values: Mapping[str, Any]) -> _Ended:
        self._say(f"exit: {rule}", reason, values)
        return _Ended(reason)

    def _exit_rule(self) -> tuple[str, str, Mapping[str, Any]] | None:
        for rule in self.house.campaign.exit if guards.on("exit_rules") else ():
            if rule.if_ is not None and self._truth(rule.if_):
                return rule.as_ or rule.if_, rule.if_, {}
            if rule.when is not None:
                at = self.s.firsts["enter", rule.when]
                if at is not None:
                    return rule.as_ or rule.when, rule.when, {"at": at}
        if self.house.marketing:
            left = opted_out(self.s, self.house, self.now)
            if left is not None:
                return left, left, {}
        return None

    # --- the way ------------------------------------------------------------------------------------------------
    def go(self) -> Decision:
        """From where the enrollment stands until it stands again or has ended."""
        name, step = self.s.step, None
        try:
            onward = self._resume(name)
        except _Unasked as missing:
            raise LookupError(f"not asked for step {name!r}: {missing}") from None
        for _ in range(STEPS):
            if onward is None:
                return self.answer(_Ended("end"))
            if isinstance(onward, _Again):
                return self.answer(onward.stand, again=True)
            if isinstance(onward, (Stand, _Ended)):
                return self.answer(onward)
            step = onward
            node = self.house.flow[step]
            try:
                onward = _REACH[type(node.step)](self, node, node.step)
            except _Unasked:
                if step == self.s.step:
                    raise LookupError(f"not asked for step {step!r}") from None
                return self.answer(Stand(step, self.at, self.now), again=True)
        raise RecursionError(f"{self.house.name}: more than {STEPS} steps in one instant at {step!r}")

    def _resume(self, name: str | None) -> _Onward:
        s = self.s
        if name is None:
            return self.house.flow.first
        if name not in self.house.flow.nodes:
            return _Ended("step gone")
        node = self.house.flow[name]
        match node.step:
            case Send() | Call() if s.touch_open:
                return self._same()
            case Send() if s.settled is not None:
                return self._settled(node, node.step, s.settled)
            case Call() if s.settled is not None:
                return self._called(node, node.step, s.settled)
            case Send() | WaitStep() if s.wait_until is None and s.wait_from is None:
                self.at = s.since  # reached in the last round of this instant
                return name
            case Send():
                return self._moment_came(node, node.step)
            case WaitStep():
                return self._waited(node, node.step)
        self.at = s.since
        return name

    def _same(self) -> Stand:
        s = self.s
        due = None if s.touch_open else s.due_at if s.settled is not None else s.wait_until or s.due_at
        return Stand(s.step or "", s.since, due, s.wait_from, s.wait_until, s.held_by, s.held_from, s.tried, s.touch_open)

    def stay(self) -> Decision:
        """Nothing changes but the instant of the next look, which goes back to the timer."""
        if self.s.step is None:
            first = self.house.flow.first
            return Decision("stay", Stand(first, self.s.since, self.s.due_at) if first else None, None if first else "end")
        return Decision("stay", self._same(), converted_at=self.converted_at, why=tuple(self.why))

    def answer(self, onward: Stand | _Ended, *, again: bool = False) -> Decision:
        ended = onward.reason if isinstance(onward, _Ended) else None
        stand = onward if isinstance(onward, Stand) else None
        kind = self._kind(stand, again)
        return Decision(kind, stand, ended, tuple(self.touches), tuple(self.writes), self.converted_at, again, tuple(self.why))

    def _kind(self, stand: Stand | None, again: bool) -> Kind:
        if stand is None:
            return "exit"
        if self.touches and self.touches[-1].state == "planned":
            return "send"
        if stand.held_by is not None:
            same = stand.held_by == self.s.held_by and stand.due_at == self.s.wait_until and stand.step == self.s.step
            return "stay" if same and not self.touches else "hold"
        if self.writes:
            return "set"
        if self.touches:
            return "skip" if self.touches[-1].state == "skipped" else "held_out"
        if again:
            return "again"
        same = stand.step == self.s.step and stand.wait_until == self.s.wait_until and not self.writes
        return "stay" if same else "wait"

    # --- what is known ------------------------------------------------------------------------------------------
    def _truth(self, condition: str) -> bool:
        try:
            return self.s.truths[condition]
        except KeyError:
            raise _Unasked(condition) from None

    def _say(self, rule: str, answer: str, values: Mapping[str, Any] | None = None, step: str = "") -> None:
        self.why.append(Why(step or self.s.step or "", rule, answer, values or {}))

    def _due(self, moment: Moment) -> timing.Due:
        """When the moment falls for the step reached at `at`; what it leans on must have been asked."""
        s = self.s
        facts: dict[str, Any] = {}
        if moment.kind == "best hour" and s.hours is None:
            raise _Unasked("best hour")
        if moment.kind == "anchor" and moment.anchor not in (None, "enter"):
            if moment.anchor.startswith("contact."):
                self._attribute(moment.anchor)
            else:
                facts[moment.anchor] = self._fact_day(moment.anchor)
        return timing.due(moment, reached=self.at, zone=self.zone, send_time=self.house.project.send_time,
                          entered_at=s.entered_at, facts=facts, attributes=s.attributes, hours=s.hours or {})  # fmt: skip

    def _attribute(self, path: str) -> Any:
        name = path.removeprefix("contact.")
        if name not in self.s.attributes:
            raise _Unasked(path)
        return self.s.attributes[name]

    def _fact_day(self, anchor: str) -> date | datetime | None:
        found = self.house.fact(anchor)
        if found is None:
            return None
        message, name, fact = found
        told = told_day(self.s.told, message, name)
        return told if told is not None else self._reckoned(fact)

    def _reckoned(self, fact: Fact) -> date | datetime | None:
        """The day that a date fact would say to this person, before anybody was told."""
        value = fact.value
        if fact.by_persona is not None:
            value = fact.by_persona.get(self.s.persona or "", fact.by_persona.get("default"))
        elif fact.by_language is not None:
            value = fact.by_language.get(self.s.language, fact.by_language.get(self.s.language.partition("-")[0]))
        elif fact.from_ is not None:
            owner, _, field = fact.from_.partition(".")
            value = self._attribute(fact.from_) if owner == "contact" else self.s.event.get(field)
            return timing.as_date(value)
        if not isinstance(value, Moment):
            return timing.as_date(value)
        due = timing.due(value, reached=self.s.entered_at, zone=self.zone, send_time=self.house.project.send_time,
                         entered_at=self.s.entered_at, attributes=self.s.attributes)  # fmt: skip
        return due.at.astimezone(self.zone).date() if due.at is not None else None

    # --- send ---------------------------------------------------------------------------------------------------
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

    # --- the other verbs ----------------------------------------------------------------------------------------
    def reach_wait(self, node: Node, step: WaitStep) -> _Onward:
        start = self.clock or self.at
        self.clock = None
        wait, zone = step.wait, self.zone
        if wait.moment is not None:
            due = self._due(wait.moment)
            if due.at is None or due.past:
                self._say("wait", "no_date" if due.missing else "past", {}, node.id)
                return self._nothing(node)
            until = due.at
        else:
            assert wait.length is not None
            until = timing.add(wait.length, start, zone)
        if step.for_ is None and until <= self.now:
            self.at = until
            return node.next
        self._say("wait", str(wait), {"from": start, "until": until}, node.id)
        if step.for_ is not None and start < self.now:
            # answers may be in the store already: the next round of this instant asks for them inside the window
            return _Again(Stand(node.id, self.at, self.now, start, until))
        return Stand(node.id, self.at, until, start, until)

    def _nothing(self, node: Node) -> str | None:
        return dict(node.branches).get("nothing", node.next)

    def _waited(self, node: Node, step: WaitStep) -> _Onward:
        """The earliest answer inside the window, else nothing when the window is over."""
        s = self.s
        assert s.wait_until is not None
        won: tuple[datetime, str] | None = None
        for term in step.for_ or {}:
            at = s.firsts.get(("wait", term)) if term != "nothing" else None
            if at is not None and (won is None or at < won[0]):
                won = (at, term)
        if won is not None:
            self._say("wait", won[1], {"at": won[0]}, node.id)
            return node.branch(won[1])
        if self.now < s.wait_until:
            return self._same()
        self.at = s.wait_until
        if step.for_ is not None:
            self._say("wait", "nothing", {}, node.id)
        return self._nothing(node)

    def reach_choose(self, node: Node, step: Choose) -> _Onward:
        self.clock = None
        for n, option in enumerate(step.choose):
            if option.if_ is None:
                self._say("choose", "else", {}, node.id)
                return node.branch(str(n))
            if self._truth(option.if_):
                self._say("choose", option.if_, {}, node.id)
                return node.branch(str(n))
        self._say("choose", "none", {}, node.id)
        return node.next

    def reach_split(self, node: Node, step: Split) -> _Onward:
        self.clock, self.personal = None, True
        name = self.house.pins.get(node.id) or chance.arm(
            (self.house.project.project, self.house.name, node.id), self.s.contact_uid, self.s.number,
            shares={arm: written.share for arm, written in step.split.items()},
        )  # fmt: skip
        self._say("split", name, {}, node.id)
        return node.branch(name)

    def reach_set(self, node: Node, step: Set) -> _Onward:
        self.clock = None
        for attribute, change in step.set.items():
            self.writes.append(Write(node.id, attribute, change.kind, change.value))
        self._say("set", ", ".join(f"{a} {c}" for a, c in step.set.items()), {}, node.id)
        if node.next is None:
            return None
        return _Again(Stand(node.next, self.at, self.now))

    def reach_call(self, node: Node, step: Call) -> _Onward:
        self.clock = None
        state: Literal["planned", "held_out"] = "held_out" if self.s.held_out else "planned"
        expires = timing.expires(self.at, self.house.guarding.max_delay, self.zone)
        self.touches.append(TouchPlan(node.id, step.call, "webhook", "transactional", 0, self.at, expires, state))
        self._say("call", step.call, {}, node.id)
        return node.next if self.s.held_out else Stand(node.id, self.at, None, on_touch=True)

    def _called(self, node: Node, step: Call, end: Settled) -> _Onward:
        if end.state in ("rejected", "skipped") and step.on_failure == "exit":
            return self._end(f"call failed: {step.call}", "on_failure", {"reason": end.reason})
        return node.next

    def reach_go(self, node: Node, step: Go) -> _Onward:
        self.clock = None
        return node.next

    def reach_exit(self, node: Node, step: Exit) -> _Onward:
        return self._end(step.exit, "exit", {})


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


def conversion(firsts: Mapping[Any, datetime | None], house: House, entered_at: datetime, zone: Any) -> datetime | None:
    """The earliest occurrence of the goal since entry, if it lies within `within`; passes that ended convert too (4.2)."""
    goal = house.campaign.goal
    found = [at for term in house.goal_terms if (at := firsts["enter", term]) is not None]
    if goal is None or not found:
        return None
    first = min(found)
    return first if goal.within is None or first <= timing.add(goal.within, entered_at, zone) else None


def opted_out(s: Standing, house: House, now: datetime) -> str | None:
    """The built-in exits of marketing: `complained`, or `unsubscribed` from the last channel that was left, by topic or
    altogether (4.5)."""
    topic = house.topic
    bars = {here.barred(now) for here in s.reach.values() if here.bar is not None}
    if topic is not None and any(here.without(topic, now) for here in s.reach.values() if here.left):
        bars.add("unsubscribed")
    if not bars:
        return None
    if "complained" in bars:
        return "complained"
    if not bars & {"unsubscribed", "stop", "objection", "refused"}:
        return None
    left = any(guard.reachable(s.reach, channel, "marketing", now, topic) is None for channel in house.channels_of_people)
    return None if left else "unsubscribed"


def told_day(told: Mapping[str, Any], message: str, name: str) -> date | datetime | None:
    """The day that this pass was told, or None: `enrollment.told` keeps {message: {fact: [type, spelling]}}."""
    kept = told.get(message)
    found = kept.get(name) if isinstance(kept, Mapping) else None
    if found is None:
        return None
    kind, value = found
    return timing.as_date(value) if kind == "date" else None


def _steps() -> Iterator[tuple[type[AnyStep], Callable[[_Walk, Node, Any], _Onward]]]:
    yield Send, _Walk.reach_send
    yield WaitStep, _Walk.reach_wait
    yield Choose, _Walk.reach_choose
    yield Split, _Walk.reach_split
    yield Set, _Walk.reach_set
    yield Call, _Walk.reach_call
    yield Go, _Walk.reach_go
    yield Exit, _Walk.reach_exit


_REACH: Mapping[type, Callable[[_Walk, Node, Any], _Onward]] = dict(_steps())
