"""Touches that do not go: a message that cannot be made ends its touch, by name and field; the others go (docs/delivery 14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli import clock, guards
from omnicli.campaigns import canary
from omnicli.campaigns.line import Line
from omnicli.campaigns.press import Unfit
from omnicli.campaigns.recording import Recorder
from omnicli.campaigns.report import DispatchReport
from omnicli.store import outbox, turns
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

#: Why a touch waits as it was: no provider carries its channel; it says something else than the plan that was saved.
NOBODY, STRAYED = "nobody", "strayed"


@dataclass(eq=False)
class Aside:
    """Those that fell out since the last transaction, until `drop` writes them down."""

    lines: Sequence[Line]
    recorder: Recorder
    report: DispatchReport
    now: datetime
    unfit: list[Unfit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now_ms = clock.to_ms(self.now)

    def drop(self, connection: sa.Connection) -> None:
        """Write them down. A channel that no provider carries keeps its touches waiting."""
        if not self.unfit:
            return
        nobody = [u for u in self.unfit if u.reason == NOBODY]
        strayed = [u for u in self.unfit if u.reason == STRAYED]
        ended = [u for u in self.unfit if u.reason not in (NOBODY, STRAYED)]
        self.unfit = []
        ended = self._spoilt(connection, ended)
        outbox.put_back(connection, [(u.touch.id, u.touch.due_at, "breaker") for u in nobody])
        outbox.put_back(connection, [(u.touch.id, u.touch.due_at, None) for u in strayed])
        outbox.skip(connection, [(u.touch.id, u.reason, u.detail) for u in ended], now=self.now_ms)
        turns.settle(connection, [(u.touch.id, "skipped", self.now_ms, u.reason) for u in ended])
        self._tell(nobody, ended)

    def _tell(self, nobody: Sequence[Unfit], ended: Sequence[Unfit]) -> None:
        self.report.render_failed += sum(1 for u in ended if u.reason == "render_failed")
        self.report.skipped += len(ended)
        self.report.held += len(nobody)
        for u in ended[:5]:
            self.report.problem(t("{touch}: {detail}", "{touch} : {detail}", touch=u.touch.key.hex()[:8], detail=u.detail))
        for channel in sorted({u.detail for u in nobody}):
            self.report.problem(t("nobody carries {channel}", "personne ne porte {channel}", channel=channel))

    def _spoilt(self, connection: sa.Connection, ended: list[Unfit]) -> list[Unfit]:
        """Those of campaigns whose first messages cannot be made wait instead, and their campaigns are paused."""
        failed = [u for u in ended if u.reason == "render_failed"]
        if not failed or not guards.on("canary"):
            return ended
        batch = [p.touch for line in self.lines for call in line.calls for p in call.people] + [u.touch for u in failed]
        bad = self.recorder.canary.judge(connection, canary.batches(batch, [u.touch for u in failed]), recorded=False)
        if not bad:
            return ended
        kept = [u for u in failed if u.touch.version_id in bad]
        self.recorder.halt(connection, bad, kept[0].detail)
        outbox.put_back(connection, [(u.touch.id, u.touch.due_at, "paused") for u in kept])
        self.report.render_failed += len(kept)
        return [u for u in ended if u not in kept]
