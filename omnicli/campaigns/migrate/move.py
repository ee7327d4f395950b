"""Moves passes to the applied version, a batch a transaction: killed in the middle and given again, it goes on where it stood.

Nothing settled is sent again: a touch's key does not know the version, and a step whose message left already by one channel is
closed for the others before anybody moves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock, faults
from omnicli.campaigns import life
from omnicli.campaigns.migrate.intent import Intent, still_here
from omnicli.campaigns.turn import Houses
from omnicli.engine import decide, moving
from omnicli.engine.house import House
from omnicli.engine.questions import questions
from omnicli.errors import Exit, OmniError
from omnicli.model.campaign import Call, Send, WaitStep
from omnicli.model.flow import Flow
from omnicli.model.ids import touch_key
from omnicli.store import campaigns, turns
from omnicli.store import tables as tb
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: People a transaction.
BATCH = 1000
#: Touches that have left, or may have.
LEFT = ("accepted", "sending", "unknown", "parked", "claimed")
WAITS = ("planned", "retry")


@dataclass
class Moved:
    """What a migration did: passes moved (those that stayed at their step among them), by landing; timers that end earlier;
    touches dropped; promises taken back."""

    moved: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    timers: int = 0
    dropped: int = 0
    told_anew: int = 0


def move(
    store: Store,
    loaded: Loaded,
    intent: Intent,
    *,
    now: datetime,
    batch: int = BATCH,
    progress: Callable[[int], None] | None = None,
) -> Moved:
    """Carry it out. The caller holds the project's lock, and has asked where `intent.broken` says so."""
    if intent.target is None:
        raise OmniError(t("the file is not applied yet", "le fichier n'est pas encore appliqué"), hint=f"omni campaign start {intent.name}",
                        code="not-applied", exit=Exit.REFUSED)  # fmt: skip
    mover = _Mover(loaded, intent, now)
    while True:
        with store.write() as connection:
            if not still_here(connection, intent):
                raise OmniError(t("another version was applied meanwhile", "une autre version a été appliquée entre-temps"),
                                hint=f"omni campaign migrate {intent.name}", code="state", exit=Exit.REFUSED)  # fmt: skip
            count = mover.batch(connection, batch)
            faults.point("F22")
            if count < batch and mover.report.moved:
                life.note(connection, "migrate", intent.name, now, f"{mover.report.moved} → {intent.target.label}")
        if progress is not None:
            progress(count)
        if count < batch:
            return mover.report


class _Mover:
    def __init__(self, loaded: Loaded, intent: Intent, now: datetime) -> None:
        assert loaded.project is not None
        assert intent.target is not None
        self.loaded, self.intent, self.now, self.target = loaded, intent, now, intent.target
        self.project = loaded.project
        self.ms = clock.to_ms(now)
        self.new = Flow.of(intent.campaign)
        self.labels = {v.id: v for v in intent.leaving}
        self.old = {v.id: Flow.of(intent.trees[v.hash]) for v in intent.leaving}
        self.report = Moved()
        self.anew = {message for message, what in intent.migrate.facts.items() if what == "new"}
        self._house: House | None = None
        self._houses: Houses | None = None

    def batch(self, connection: sa.Connection, most: int) -> int:
        """The next passes of the versions that people leave; how many they were."""
        if not self.old:
            return 0
        e, c = tb.enrollment.c, tb.contact.c
        query = (
            sa.select(*e, c.uid)
            .join(tb.contact, c.id == e.contact_id)
            .where(e.campaign_id == self.intent.campaign_id, e.state == "open", e.version_id.in_(self.old))
            .order_by(e.id)
            .limit(most)
        )
        rows = connection.execute(query).all()
        if not rows:
            return 0
        touches = self._touches(connection, [row.id for row in rows])
        for row in rows:
            self._one(connection, row, touches.get(row.id, ()))
        self._close(connection, rows, touches)
        self._shorten(connection, rows)
        campaigns.look_back_if_late(connection, self.ms)  # whoever left was written with it
        return len(rows)

    def _touches(self, connection: sa.Connection, ids: Sequence[int]) -> Mapping[int, Sequence[Any]]:
        x = tb.touch.c
        found: dict[int, list[Any]] = {}
        for row in connection.execute(sa.select(tb.touch).where(x.enrollment_id.in_(ids)).order_by(x.id)):
            found.setdefault(row.enrollment_id, []).append(row)
        return found

    # --- one pass ---------------------------------------------------------------------------------------------------
    def _one(self, connection: sa.Connection, row: Any, touches: Sequence[Any]) -> None:
        there = moving.landing(self.old[row.version_id], self.new, self.intent.migrate.people, row.step)
        values: dict[str, Any] = {"version_id": self.target.id}
        match there.kind:
            case "stranded":
                raise OmniError(t("V002 step '{s}' has no place and somebody has come to it meanwhile; the rest was not moved",
                                  "V002 l'étape « {s} » n'a plus de place et quelqu'un y est arrivé entre-temps ; le reste n'a pas bougé", s=row.step or ""),
                                hint=f"omni campaign migrate {self.intent.name}", code="V002", exit=Exit.FINDINGS)  # fmt: skip
            case "stay":
                self._stay(connection, touches)
            case "anew":
                assert there.step is not None
                self._drop(connection, touches)
                values |= self._reached(there.step, touches)
            case _:
                self._drop(connection, touches)
                values |= self._out(connection, row, "migrated" if there.kind == "exit" else "end")
        told = self._told(row.told)
        if told != row.told:
            values["told"] = told
            self.report.told_anew += 1
        connection.execute(sa.update(tb.enrollment).where(tb.enrollment.c.id == row.id).values(**values))
        self._write_down(connection, row, there)
        self.report.moved += 1
        self.report.kinds[there.kind] += 1

    def _stay(self, connection: sa.Connection, touches: Sequence[Any]) -> None:
        """What waits to leave is said in the words of the new version, at the step where it stands."""
        x = tb.touch.c
        for touch in touches:
            node = self.new.nodes.get(touch.step)
            if touch.send_state not in WAITS or node is None or not isinstance(node.step, Send | Call):
                continue
            message = node.step.send if isinstance(node.step, Send) else node.step.call
            changed = {"version_id": self.target.id, "message": message}
            connection.execute(sa.update(tb.touch).where(x.id == touch.id, x.send_state.in_(WAITS)).values(**changed))

    def _drop(self, connection: sa.Connection, touches: Sequence[Any]) -> None:
        """A touch of a step that is left behind does not leave any more."""
        x = tb.touch.c
        waiting = [touch.id for touch in touches if touch.send_state in WAITS]
        if waiting:
            gone = {"send_state": "skipped", "reason": "dropped", "settled_at": self.ms, "held_by": None}
            found = connection.execute(sa.update(tb.touch).where(x.id.in_(waiting), x.send_state.in_(WAITS)).values(**gone))
            self.report.dropped += int(found.rowcount)

    def _reached(self, step: str, touches: Sequence[Any]) -> dict[str, Any]:
        """It stands there as if it had just come; where its message has left already, behind it."""
        fresh = {"step": step, "since": self.ms, "due_at": self.ms, "wait_from": None, "wait_until": None, "due_wall": None,
                 "due_zone": None, "held_by": None, "held_from": None, "tried": None, "touch_id": None, "spread": 0}  # fmt: skip
        said = [touch for touch in touches if touch.step == step and touch.send_state in LEFT]
        if not said:
            return fresh
        last = said[-1]
        return {**fresh, "touch_id": last.id, "wait_until": last.due_at, "held_from": last.due_at,
                "due_at": self.ms if last.send_state == "accepted" else None}  # fmt: skip

    def _out(self, connection: sa.Connection, row: Any, reason: str) -> dict[str, Any]:
        told = json.dumps({"reason": reason})
        event = {"contact_id": row.contact_id, "name": "exited", "at": self.ms, "enrollment_id": row.id, "campaign": self.intent.name,
                 "machine": 0, "payload": told, "received_at": self.ms, "reason": reason}  # fmt: skip
        connection.execute(_EXITED, event)
        connection.execute(sa.update(tb.contact).where(tb.contact.c.id == row.contact_id).values(changed_at=self.ms))
        return {"state": "ended", "reason": reason, "ended_at": self.ms, "due_at": None, "due_wall": None, "due_zone": None,
                "held_by": None, "held_from": None, "touch_id": None, "spread": 0}  # fmt: skip

    def _told(self, told: str | None) -> str | None:
        """The promise ledger without the messages whose facts are to be told anew."""
        if told is None or not self.anew:
            return told
        ledger = json.loads(told)
        kept = {message: facts for message, facts in ledger.items() if message not in self.anew}
        return (
            told if len(kept) == len(ledger) else (json.dumps(kept, ensure_ascii=False, separators=(",", ":")) if kept else None)
        )

    def _write_down(self, connection: sa.Connection, row: Any, there: moving.Landing) -> None:
        """A line of the ledger, so that `contact why` can say it."""
        old = self.labels[row.version_id]
        values = {"from": old.label, "to": self.target.label, "step": there.step, "version": old.id} | (
            {"told anew": sorted(self.anew)} if self.anew else {}
        )
        why = json.dumps(
            [{"step": row.step or "", "rule": "migrate", "answer": there.kind, "values": values}], ensure_ascii=False
        )
        line = {"enrollment_id": row.id, "at": self.ms, "step": there.step or row.step or "", "kind": "migrate", "why": why}
        connection.execute(sa.insert(tb.decision).values(**line))

    # --- what was said is said, by whatever channel -----------------------------------------------------------------
    def _close(self, connection: sa.Connection, rows: Sequence[Any], touches: Mapping[int, Sequence[Any]]) -> None:
        """Wherever a message has left at a step that lies ahead again, the step's other channels are closed for this pass."""
        closed = [one for row in rows for one in self._closed(row, touches.get(row.id, ()))]
        if closed:
            connection.execute(_CLOSE, closed)

    def _closed(self, row: Any, touches: Sequence[Any]) -> list[dict[str, Any]]:
        there = moving.landing(self.old[row.version_id], self.new, self.intent.migrate.people, row.step)
        if there.kind not in ("stay", "anew"):
            return []
        ahead = moving.ahead(self.new, there.step)
        said = {touch.step: touch for touch in touches if touch.send_state in LEFT and touch.step in ahead}
        known = {touch.touch_key for touch in touches}
        found: list[dict[str, Any]] = []
        for step, touch in said.items():
            node = self.new[step].step
            if not isinstance(node, Send) or (step == there.step and there.kind == "stay"):
                continue
            for channel in self.project.channels:
                key = touch_key(self.project.project, self.intent.name, row.uid, getattr(row, "pass"), step, channel)
                if key not in known:
                    found.append(self._tombstone(row, touch, node, step, channel, key))
        return found

    def _tombstone(self, row: Any, touch: Any, node: Send, step: str, channel: str, key: bytes) -> dict[str, Any]:
        return {"key": key, "contact": row.contact_id, "enrollment": row.id, "version": self.target.id, "step": step, "message": node.send,
                "channel": channel, "purpose": touch.purpose, "priority": touch.priority, "at": self.ms}  # fmt: skip

    # --- timers -----------------------------------------------------------------------------------------------------
    def _shorten(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        """`timers: shorten`: the earlier of the old and the new end."""
        wanted = {step for step, what in self.intent.migrate.timers.items() if what == "shorten"}
        by_step: dict[str, list[Any]] = {}
        for row in rows:
            if row.step in wanted and row.wait_until is not None and row.touch_id is None and self._kept(row):
                by_step.setdefault(row.step, []).append(row)
        for step, some in by_step.items():
            self._shorten_step(connection, step, some)

    def _kept(self, row: Any) -> bool:
        return moving.landing(self.old[row.version_id], self.new, self.intent.migrate.people, row.step).kind == "stay"

    def _shorten_step(self, connection: sa.Connection, step: str, rows: Sequence[Any]) -> None:
        if not isinstance(self.new[step].step, Send | WaitStep):
            return
        if self._houses is None:
            self._houses = Houses(connection, self.loaded, now=self.now)
        house = self._houses.on(connection)[self.target.id]
        gather = turns.Gather(house, questions(house, step), self._houses.compiler(self.target.id), now=self.now)
        by_id = {row.id: row for row in rows}
        for standing in gather(connection, list(by_id)):
            row = by_id[standing.id]
            end = decide.timer(standing, house, standing.wait_from or standing.since)
            if end is None or clock.to_ms(end) >= row.wait_until:
                continue
            earlier = clock.to_ms(end)
            due = earlier if row.due_at is None or row.due_at == row.wait_until else min(row.due_at, earlier)
            changed = {"wait_until": earlier, "due_at": due, "due_wall": None, "due_zone": None}
            connection.execute(sa.update(tb.enrollment).where(tb.enrollment.c.id == row.id).values(**changed))
            self.report.timers += 1


_EXITED = sa.text(
    "INSERT INTO event (contact_id, name, at, enrollment_id, campaign, machine, payload, received_at, p_reason) "
    "VALUES (:contact_id, :name, :at, :enrollment_id, :campaign, :machine, :payload, :received_at, :reason)"
)
_CLOSE = sa.text(
    "INSERT INTO touch (touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, "
    "send_state, reason, cost, created_at, settled_at) VALUES (:key, :contact, :enrollment, :version, :step, :message, :channel, :purpose, "
    ":priority, :at, :at, 'skipped', 'duplicate', 0, :at, :at) ON CONFLICT (touch_key) DO NOTHING"
)
