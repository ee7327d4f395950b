"""From claimed touches to calls that wait in their lines: ordered where they are rendered, taken when they are ready, in order.

Rendering may happen in other processes: then a few batches are out at a time, and each is taken when nothing else can be done or when
it is ready. What is taken is cut into calls in the order in which it was claimed, wherever it was rendered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omnicli import faults
from omnicli.campaigns.aside import NOBODY, STRAYED, Aside
from omnicli.campaigns.bound import seal
from omnicli.campaigns.line import Call, Line
from omnicli.campaigns.press import Prepared, Presses, Unfit
from omnicli.campaigns.recording import Again
from omnicli.store.outbox import Claimed

if TYPE_CHECKING:
    from omnicli.campaigns.bound import Bound
    from omnicli.campaigns.press import Order

#: Batches that one rendering process is given ahead: one that it renders, and one that waits for it.
AHEAD = 2


@dataclass(frozen=True, slots=True)
class Ordered:
    """One line's touches of a claim, being rendered. `seen`: the age of the store in which they were loaded."""

    line: Line
    order: Order
    size: int
    seen: int


@dataclass(eq=False)
class Queue:
    """One round's orders; `depth` is how many batches may be out."""

    presses: Presses
    lines: Mapping[str, Line]
    aside: Aside
    bound: Bound | None
    depth: int
    out: deque[Ordered] = field(default_factory=deque)

    @property
    def ordered(self) -> int:
        """Touches that are out."""
        return sum(one.size for one in self.out)

    @property
    def has_room(self) -> bool:
        return len(self.out) < self.depth

    def again(self, repeated: Sequence[tuple[Again, list[Claimed]]]) -> None:
        """Those who go at once go first, in calls of their own."""
        for one, touches in repeated:
            if ready := self._fit(self.presses.prepare(touches)):
                one.call.line.calls.appendleft(Call(one.call.line, ready, one.halvings))

    def order(self, claimed: Sequence[Claimed], *, seen: int) -> None:
        """Begin to render a batch."""
        if not claimed:
            return
        faults.point("F05")
        for line, touches in self._by_line(claimed):
            self.out.append(Ordered(line, self.presses.order(touches), len(touches), seen))

    def _by_line(self, claimed: Sequence[Claimed]) -> list[tuple[Line, list[Claimed]]]:
        by: dict[int, tuple[Line, list[Claimed]]] = {}
        for touch in claimed:
            own = self.lines.get(f"webhook:{touch.message}") if touch.channel == "webhook" else None
            line = own or self.lines.get(touch.channel)
            if line is None:
                self.aside.unfit.append(Unfit(touch, NOBODY, touch.channel))
            else:
                by.setdefault(id(line), (line, []))[1].append(touch)
        return list(by.values())

    def take(self, *, wait: bool) -> None:
        """Queue what is ready; with `wait` at least the first, and without other processes everything."""
        while self.out and (wait or self.depth == 0 or self.out[0].order.ready):
            one = self.out.popleft()
            one.line.take(self._fit(one.order.take()), seen=one.seen)
            wait = False

    def drop(self) -> None:
        """Nobody wants what is out."""
        while self.out:
            self.out.popleft().order.take()

    def _fit(self, made: Sequence[Prepared | Unfit]) -> list[Prepared]:
        if self.bound is None and all(type(p) is Prepared for p in made):
            return list(made)  # type: ignore[arg-type]
        ready: list[Prepared] = []
        for p in made:
            if isinstance(p, Unfit):
                self.aside.unfit.append(p)
            elif self._may_say(p):
                ready.append(p)
            else:
                self.aside.unfit.append(Unfit(p.touch, STRAYED, ""))
        return ready

    def _may_say(self, p: Prepared) -> bool:
        """Whether it says what the saved plan that binds this round was made of."""
        return self.bound is None or self.bound.lets(p.touch.key, seal(self.presses.pepper, p.body_hash, p.address_hash))
