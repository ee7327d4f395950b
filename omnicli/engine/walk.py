"""The way of one enrollment through its flow in one instant, from where it stands until it stands again or has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from omnicli import guards
from omnicli.engine import chance, timing
from omnicli.engine.ends import conversion, opted_out
from omnicli.engine.known import _Again, _Ended, _Onward, _Unasked
from omnicli.engine.sending import Sending
from omnicli.model.campaign import AnyStep, Call, Choose, Exit, Go, Send, Set, Split, WaitStep
from omnicli.model.decision import Decision, Settled, Stand, TouchPlan, Write
from omnicli.model.flow import Node

#: Steps that one instant may take (docs/language 8).
STEPS = 500

Kind = Literal["send", "wait", "hold", "skip", "held_out", "set", "exit", "again", "stay"]


class _Walk(Sending):
    """The walk itself, and the verbs of the flow but `send`."""

    __slots__ = ()

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
