"""R5: whatever happens in whatever order, the store says what a simple model of the promise says (docs/delivery 1, 2; docs/tests 2).

Real dispatch, fold and hearing against a store in memory; a provider whose own log is the only judge of what reached people.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
import postgres_server
import pytest
import stores
from delivering import SENDS, Delivery, a_campaign, paris
from sizes import SIZES

from omnicli import faults
from omnicli.campaigns import life, recover
from omnicli.campaigns.hear import hear
from omnicli.errors import OmniError
from omnicli.model.response import RECEIPT, Receipt, Response
from omnicli.model.touch import Handed, Outcome
from omnicli.store import holding

PEOPLE = ("ana", "bea", "cleo", "dora")
NAME = "bienvenue"
#: What the provider does with a call, and whether it reaches the person.
BEHAVIOURS = {
    "answer": ("accepted", True), "refuse": ("rejected", False), "not now": ("not_sent", False), "lose the answer": ("unknown", True),
    "lose the request": ("unknown", False), "die after it": ("killed", True), "die before it": ("killed", False),
}  # fmt: skip
RANK = ("none", "processed", "queued", "sent", "deferred", "delivered", "bounced")
SAYS = {
    "delivered": {}, "opened": {}, "clicked": {}, "bounced": {"kind": "block"}, "deferred": {"state": "deferred"}, "processed": {"state": "processed"},
    "unsubscribed": {}, "complained": {}, "dead": {"kind": "hard"},
}  # fmt: skip


class Killed(BaseException):
    """The process dies here: nobody runs what comes after."""


@dataclass(frozen=True)
class Sent:
    touch: str
    attempt: int
    contact: str
    step: str
    at: datetime
    reached: bool


@dataclass
class Scripted:
    """Does what it is told, and notes what reached whom; asks the model whether it may be called at all."""

    model: Machine
    behaviour: str = "answer"
    sent: list[Sent] = field(default_factory=list)
    name: str = "scripted"
    channels: tuple[str, ...] = ("email",)
    batch: int = 1
    in_flight: int = 1
    account: str = "test"
    repeatable: bool = False
    read_timeout: float = -29.9  # nobody waits for a call that died with its process

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        outcome, reached = BEHAVIOURS[self.behaviour]
        for one in handed:
            self.model.may_send(one)
            self.sent.append(Sent(one.touch, one.attempt, one.contact, one.step, now, reached))
            self.model.called(one, outcome)
        if outcome == "killed":
            self.model.dying = True
            return [Outcome("accepted", ref="r") for _ in handed]
        made = {"accepted": Outcome("accepted", ref="r"), "rejected": Outcome("rejected", code="550"),
                "not_sent": Outcome("not_sent", code="connect"), "unknown": Outcome("unknown", code="lost")}  # fmt: skip
        return [made[outcome] for _ in handed]

    def close(self) -> None:
        """Nothing is open."""


class World:
    """One project, prepared once; each example begins with a copy of its empty store."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        campaign = a_campaign(SENDS, extra="guardrails: {max_delay: 30 days}")
        self.stage = Delivery(Path(self.folder.name), campaign, at="2027-01-04 10:00")
        for name in PEOPLE:
            self.stage.person(name, consent=("email",), first_name=name.title())
        self.kept = stores.keep(self.stage.store)

    def begin(self) -> Delivery:
        self.end()
        self.stage.store = stores.again(self.kept, None)
        self.stage.now = paris("2027-01-04 10:00")
        return self.stage

    def end(self) -> None:
        """Nightly there are thousands of examples: none leaves its database behind."""
        store = self.stage.store
        store.close()
        if store.dialect == "postgresql":
            postgres_server.command(f"DROP DATABASE IF EXISTS {store.url.rpartition('/')[2]} WITH (FORCE)")  # type: ignore[attr-defined]


_world: list[World] = []


class Machine(RuleBasedStateMachine):
    """The model beside the store. `outcomes`: what each attempt must be; `allowed`: second copies that a person took the risk of."""

    @initialize()
    def begin(self) -> None:
        if not _world:
            _world.append(World())
        self.stage = _world[0].begin()
        self.stage.provider = self.provider = Scripted(self)
        self.serial = 0
        self.enrolled: set[str] = set()
        self.state = "running"
        self.held = self.dying = False
        self.outcomes: dict[tuple[str, int], str] = {}
        self.allowed: Counter[str] = Counter()
        self.pending: list[Receipt] = []
        self.told: list[Receipt] = []
        self.heard: dict[bytes, Receipt] = {}
        self.unfolded: list[Receipt] = []
        self.folded: list[Receipt] = []
        self.wrong: set[str] = set()
        self.real_point = faults.point
        faults.point = self._point  # type: ignore[assignment]

    def teardown(self) -> None:
        if hasattr(self, "real_point"):
            faults.point = self.real_point  # type: ignore[assignment]

    def _point(self, name: str) -> None:
        if self.dying and name == "F10":
            self.dying = False
            raise Killed

    # --- what the provider asks --------------------------------------------------------------------------------------
    def may_send(self, one: Handed) -> None:
        assert self.state == "running", f"a call while {self.state}"
        assert not self.held, "a call under HOLD"
        assert one.contact not in self.barred(), f"a call to {one.contact}, who had left"
        mine = [s for s in self.provider.sent if s.touch == one.touch]
        copies = sum(s.reached for s in mine)
        assert copies <= self.allowed[one.touch], f"{one.touch} goes out again after {mine}"
        assert (one.touch, one.attempt) not in self.outcomes, "an attempt number twice"
        if one.step == "j1":
            first = [s for s in self.provider.sent if s.contact == one.contact and s.step == "j0"]
            assert all(s.at + timedelta(days=1) <= self.stage.now for s in first[-1:]), "a step before its wait was over"

    def called(self, one: Handed, outcome: str) -> None:
        self.outcomes[one.touch, one.attempt] = "unknown" if outcome == "killed" else outcome

    def barred(self) -> set[str]:
        """Whoever left by what has been heard."""
        found = set()
        for contact in PEOPLE:
            reasons = self.reasons(contact, list(self.heard.values()))
            if reasons:
                found.add(contact)
        return found

    def reasons(self, contact: str, heard: Sequence[Receipt]) -> set[str]:
        """The bars that these leave at the contact's address, told independently of the fold."""
        found: set[str] = set()
        words = []
        for receipt in heard:
            r = receipt.response
            assert r is not None
            if r.address == f"{contact}@email" and r.name == "replied":
                words.append((r.at, r.payload["text"] != "start", r.payload["text"]))
            elif self.who(r) == contact and r.name in ("unsubscribed", "complained"):
                found.add(r.name)
            elif self.who(r) == contact and r.name == "bounced" and r.payload["kind"] == "hard":
                found.add("bounced")
        last = max((at for at, _, text in words if text == "start"), default=None)
        if any(text == "stop" and (last is None or at >= last) for at, _, text in words):
            found.add("stop")
        return found

    def who(self, response: Response) -> str | None:
        return next((s.contact for s in self.provider.sent if s.touch == response.touch), None)

    # --- what people and time do -------------------------------------------------------------------------------------
    @rule(who=st.sampled_from(PEOPLE))
    def enrol(self, who: str) -> None:
        if who not in self.enrolled:
            self.enrolled.add(who)
            self.stage.says(who, "signup")

    @rule(behaviour=st.sampled_from(sorted(BEHAVIOURS)))
    def behave(self, behaviour: str) -> None:
        self.provider.behaviour = behaviour

    @rule(hours=st.sampled_from([0, 0, 1, 25]))
    def tick(self, hours: int) -> None:
        self.stage.now += timedelta(hours=hours)
        self.fold()
        self.stage.enter()
        self.stage.turn()
        with suppress(Killed, *([OmniError] if self.held else [])):  # under HOLD it refuses, once it has something to refuse
            self.stage.dispatch()

    @rule(behaviour=st.sampled_from(sorted(BEHAVIOURS)), who=st.sampled_from(PEOPLE))
    def a_message(self, behaviour: str, who: str) -> None:
        """Enrol, behave and tick at once, so that short histories have something to go wrong."""
        self.enrol(who)
        self.behave(behaviour)
        self.tick(1)

    @rule(days=st.integers(2, 4))
    def clock_jump(self, days: int) -> None:
        self.stage.now += timedelta(days=days)

    # --- what comes back ---------------------------------------------------------------------------------------------
    @precondition(lambda self: any(s.reached for s in self.provider.sent))
    @rule(data=st.data(), what=st.sampled_from(sorted(SAYS)), minutes=st.integers(0, 600), at_once=st.booleans())
    def event(self, data: st.DataObject, what: str, minutes: int, at_once: bool) -> None:
        """An attempt that reached somebody is told of, now or later."""
        sent = data.draw(st.sampled_from([s for s in self.provider.sent if s.reached]))
        name = {"deferred": RECEIPT, "processed": RECEIPT, "dead": "bounced"}.get(what, what)
        at = max(sent.at, self.stage.now - timedelta(minutes=minutes))
        self._post(
            Response(
                self._id(),
                "",
                name,
                at,
                source="scripted",
                channel="email",
                touch=sent.touch,
                attempt=sent.attempt,
                payload=SAYS[what],
            ),
            at_once,
        )

    @rule(
        who=st.sampled_from(PEOPLE),
        text=st.sampled_from(["stop", "start", "stop"]),
        minutes=st.integers(0, 600),
        at_once=st.booleans(),
    )
    def reply(self, who: str, text: str, minutes: int, at_once: bool) -> None:
        at = self.stage.now - timedelta(minutes=minutes)
        self._post(
            Response(
                self._id(), "", "replied", at, source="scripted", channel="email", address=f"{who}@email", payload={"text": text}
            ),
            at_once,
        )

    def _id(self) -> str:
        self.serial += 1
        return f"e{self.serial}"

    def _post(self, response: Response, at_once: bool) -> None:
        receipt = Receipt("scripted", hashlib.blake2b(response.id.encode(), digest_size=16).digest(), b"", response, response.id)
        if at_once:
            self._hear([receipt])
        else:
            self.pending.append(receipt)

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def late_event(self, data: st.DataObject) -> None:
        receipt = data.draw(st.sampled_from(self.pending))
        self.pending.remove(receipt)
        self._hear([receipt])

    @precondition(lambda self: self.heard)
    @rule(data=st.data(), other_id=st.booleans())
    def event_twice(self, data: st.DataObject, other_id: bool) -> None:
        receipt = data.draw(st.sampled_from(sorted(self.heard.values(), key=lambda r: r.key)))
        self._hear([Receipt(receipt.provider, receipt.key, b"", receipt.response, None if other_id else receipt.event_id)], new=0)

    def _hear(self, receipts: list[Receipt], new: int | None = None) -> None:
        taken = hear(self.stage.store, self.stage.loaded, receipts, now=self.stage.now)
        assert taken.new == (len(receipts) if new is None else new)
        if taken.new:
            self.heard.update({r.key: r for r in receipts})
            self.unfolded += receipts

    @rule()
    def fold(self) -> None:
        before = self.states()
        self.stage.fold()
        for receipt in sorted(self.unfolded, key=lambda r: (r.response.touch or "", r.response.attempt or 0)):  # type: ignore[union-attr]
            self._proved(receipt.response, before)  # type: ignore[arg-type]
        self.folded += self.unfolded
        self.unfolded = []

    def _proved(self, response: Response, before: dict[str, tuple[str, str | None]]) -> None:
        """What an event that names this attempt makes of it (docs/delivery 2)."""
        if response.touch is None:
            return
        key = response.touch, response.attempt or 0
        others = [outcome for (touch, n), outcome in self.outcomes.items() if touch == response.touch and n != key[1]]
        last = max(n for touch, n in self.outcomes if touch == response.touch)
        state = before[response.touch][0]
        match self.outcomes[key]:
            case "unknown":
                self.outcomes[key] = "accepted"
            case "waived" if key[1] == last and state in ("retry", "planned", "claimed", "parked"):
                self.outcomes[key] = "accepted"
            case "not_sent":
                self.held = True
                self.wrong.add(response.touch)
                if not set(others) & {"unknown", "accepted"}:
                    self.outcomes[key] = "accepted"

    # --- what people of the house do -----------------------------------------------------------------------------------
    @precondition(lambda self: self.state == "running")
    @rule()
    def pause(self) -> None:
        life.pause(self.stage.store, NAME, now=self.stage.now)
        self.state = "paused"

    @precondition(lambda self: self.state == "paused")
    @rule(timers=st.sampled_from(["keep", "shift"]))
    def resume(self, timers: Any) -> None:
        life.resume(self.stage.store, self.stage.loaded, NAME, now=self.stage.now, timers=timers)
        self.state = "running"

    @precondition(lambda self: self.state != "stopped" and len(self.provider.sent) > 6)
    @rule()
    def stop(self) -> None:
        life.stop(self.stage.store, NAME, now=self.stage.now)
        self.state = "stopped"

    @precondition(lambda self: "unknown" in self.outcomes.values())
    @rule(data=st.data(), how=st.sampled_from(recover.HOWS))
    def resolve(self, data: st.DataObject, how: str) -> None:
        states = self.states()
        doubts = sorted(
            k for k, outcome in self.outcomes.items() if outcome == "unknown" and states[k[0]][0] in ("unknown", "parked")
        )
        if not doubts:
            return
        touch, n = data.draw(st.sampled_from(doubts))
        recover.resolve(self.stage.store, touch, how, because="asked", who="ines", now=self.stage.now)
        if how in ("not-sent", "resend"):
            self.allowed[touch] += 1
        self.outcomes[touch, n] = {"accepted": "accepted", "not-sent": "not_sent", "resend": "waived", "drop": "unknown"}[how]

    @precondition(lambda self: self.held)
    @rule()
    def somebody_has_looked(self) -> None:
        with self.stage.store.write() as connection:
            holding.release(connection)
        self.held = False

    # --- model = store -----------------------------------------------------------------------------------------------
    def states(self) -> dict[str, tuple[str, str | None]]:
        return {row[0].hex(): (row[1], row[2]) for row in self.stage.rows("SELECT touch_key, send_state, reason FROM touch")}

    @invariant()
    def attempts_are_what_became_of_them(self) -> None:
        if not hasattr(self, "stage"):
            return
        rows = self.stage.rows("SELECT x.touch_key, a.n, a.outcome FROM attempt a JOIN touch x ON x.id = a.touch_id")
        found = {(key.hex(), n): "unknown" if outcome == "intent" else outcome for key, n, outcome in rows}
        assert found == self.outcomes

    @invariant()
    def every_touch_stands_where_its_attempts_say(self) -> None:
        if not hasattr(self, "stage"):
            return
        attempts: dict[str, list[str]] = defaultdict(list)
        for (touch, _), outcome in sorted(self.outcomes.items()):
            attempts[touch].append(outcome)
        for touch, (state, reason) in self.states().items():
            outcomes = attempts[touch]
            if "accepted" in outcomes:
                assert state == "accepted" or (state, reason) in {
                    ("skipped", "dropped"),
                    ("skipped", "stopped"),
                    ("rejected", "refused"),
                }, (state, reason)
            elif "unknown" in outcomes:
                assert state in ("unknown", "parked", "sending") or (state, reason) == ("skipped", "dropped"), (state, reason)
            else:
                assert state in ("planned", "retry", "claimed", "rejected", "skipped"), (state, reason, outcomes)

    @invariant()
    def nobody_gets_two_but_by_a_person_s_word(self) -> None:
        if hasattr(self, "stage"):
            copies = Counter(s.touch for s in self.provider.sent if s.reached)
            assert all(n <= 1 + self.allowed[touch] for touch, n in copies.items())

    @invariant()
    def what_came_back_is_what_is_known(self) -> None:
        if not hasattr(self, "stage"):
            return
        for contact in PEOPLE:
            bars = {row[0] for row in self.stage.rows(
                "SELECT s.reason FROM suppression s JOIN address a ON a.hmac = s.norm_hmac JOIN contact c ON c.id = a.contact_id WHERE c.source_id = :w", w=contact)}  # fmt: skip
            heard, folded = self.reasons(contact, list(self.heard.values())), self.reasons(contact, self.folded)
            assert heard <= bars, "barred when it was heard"
            assert bars <= heard | folded | ({"stop"} if self.unfolded else set())
        if self.unfolded:
            return
        for key, state, flags in self.stage.rows("SELECT touch_key, delivery_state, flags FROM touch"):
            mine = [r.response for r in self.folded if r.response is not None and r.response.touch == key.hex()]
            told = [str(r.payload["state"]) if r.name == RECEIPT else r.name for r in mine]
            assert state == max((w for w in told if w in RANK), key=RANK.index, default="none")
            assert set(flags.split()) - {"replied"} == {
                w for w in told if w in ("opened", "clicked", "unsubscribed", "complained")
            }

    @invariant()
    def hold_is_as_it_should_be(self) -> None:
        if hasattr(self, "stage"):
            assert (self.stage.row("SELECT hold FROM instance").hold == "contradiction") == self.held


def agree(examples: int, steps: int) -> None:
    _world.clear()
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, print_blob=True,
                suppress_health_check=list(HealthCheck), database=None,
            ),
        )  # fmt: skip
    finally:
        if _world:
            _world[0].end()
            _world.pop().folder.cleanup()


def test_the_model_and_the_store_agree_after_every_step() -> None:
    agree(int(SIZES["machine_examples"]), int(SIZES["machine_steps"]))


@pytest.mark.slow
@pytest.mark.usefixtures("on_postgresql")
def test_the_model_and_the_store_on_postgresql_agree_after_every_step() -> None:
    agree(int(SIZES["machine_examples_postgresql"]), int(SIZES["machine_steps_postgresql"]))
