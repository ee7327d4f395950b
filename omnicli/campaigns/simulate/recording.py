"""What a round decided, written in bulk: where people stand, who left, whom a cap counts; and in the store's own words what is rare."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omnicli import clock
from omnicli.model.decision import Decision, Settled, Standing
from omnicli.model.ids import touch_key
from omnicli.store import turns

if TYPE_CHECKING:
    from omnicli.campaigns.simulate.asking import Here
    from omnicli.campaigns.simulate.life import Life
    from omnicli.store.turns import Who

_STAND = (
    "UPDATE enrollment SET step = ?, since = ?, due_at = ?, wait_from = ?, wait_until = ?, held_by = ?, held_from = ?, tried = ?, spread = 0, "
    "touch_id = NULL WHERE id = ?"
)
_STAY = "UPDATE enrollment SET due_at = ? WHERE id = ?"
_END = (
    "UPDATE enrollment SET state = 'ended', reason = ?, ended_at = ?, due_at = NULL, held_by = NULL, held_from = NULL, spread = 0, touch_id = NULL "
    "WHERE id = ?"
)
_TOUCH = (
    "INSERT INTO touch (touch_key, contact_id, enrollment_id, version_id, step, message, channel, purpose, priority, due_at, expires_at, send_state, "
    "reason, created_at, settled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (touch_key) DO NOTHING"
)
_ON_TOUCH = "UPDATE enrollment SET touch_id = (SELECT id FROM touch WHERE touch_key = ?) WHERE id = ?"
_EXITED = (
    "INSERT INTO event (contact_id, name, at, enrollment_id, campaign, machine, payload, received_at, p_reason) "
    "VALUES (?, 'exited', ?, ?, ?, 0, NULL, ?, ?)"
)

_ms = lru_cache(maxsize=65536)(clock.to_ms)


class Record:
    """One round."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.stands: list[tuple[Any, ...]] = []
        self.stays: list[tuple[Any, ...]] = []
        self.ends: list[tuple[Any, ...]] = []
        self.exits: list[tuple[Any, ...]] = []
        self.touches: list[tuple[Any, ...]] = []
        self.on_touch: list[tuple[Any, ...]] = []
        self.goals: list[tuple[Standing, Any, datetime]] = []
        self.writes: list[turns.Decided] = []

    def passed(self, here: Here) -> None:
        """A decision whose touch was carried, and behind which the next one follows in the same breath."""
        decision, s = here.decision, here.standing
        if decision.converted_at is not None and not s.converted:
            self.goals.append((s, self.life.house, decision.converted_at))
        if decision.writes:
            self.writes.append((s, self.life.house, self.life.version, decision))

    def add(self, who: Who, here: Here, end: Settled | None, *, first: bool) -> None:
        """The last decision of a pass in this round, and whether it is the only one; `end` where it stands on a touch that is carried
        but must be read again."""
        life, decision = self.life, here.decision
        stand = decision.stand
        self.passed(here)
        if end is not None:
            self._standing_on(who, decision, end)
        elif stand is None:
            self.ends.append((decision.ended, life.ms, who.id))
            self.exits.append((who.contact_id, life.ms, who.id, life.name, life.ms, decision.ended))
        elif decision.kind == "stay" and first:
            self.stays.append((_opt(stand.due_at), who.id))
        else:
            self.stands.append(self._row(stand, _opt(stand.due_at), who.id))

    def _row(self, stand: Any, due: int | None, id_: int) -> tuple[Any, ...]:
        return (stand.step, _ms(stand.since), due, _opt(stand.wait_from), _opt(stand.wait_until), stand.held_by, _opt(stand.held_from),
                " ".join(stand.tried) or None, id_)  # fmt: skip

    def _standing_on(self, who: Who, decision: Decision, end: Settled) -> None:
        life, plan, stand = self.life, decision.planned, decision.stand
        assert plan is not None
        assert stand is not None
        key = touch_key(life.project.project, life.name, who.contact_uid, who.number, plan.step, plan.channel)
        self.touches.append(
            (key, who.contact_id, who.id, life.version, plan.step, plan.message, plan.channel, plan.purpose, plan.priority, _ms(plan.due_at),
             _ms(plan.expires_at), end.state, end.reason, life.ms, life.ms)
        )  # fmt: skip
        self.stands.append(self._row(stand, life.ms, who.id))
        self.on_touch.append((key, who.id))

    def write(self) -> None:
        raw = self.life.raw
        raw.execute("BEGIN")
        for sql, rows in ((_TOUCH, self.touches), (_STAND, self.stands), (_ON_TOUCH, self.on_touch), (_STAY, self.stays), (_END, self.ends),
                          (_EXITED, self.exits)):  # fmt: skip
            if rows:
                raw.executemany(sql, rows)
        raw.execute("COMMIT")
        if self.goals or self.writes:
            with self.life.store.write() as connection:
                turns.convert(connection, self.goals, now=self.life.now)
                turns.write_attributes(connection, self.writes, now=self.life.now)


def _opt(instant: datetime | None) -> int | None:
    return None if instant is None else _ms(instant)
