"""Looks at the renderings of many campaigns in several processes; what they find is what one process finds, or one looks alone.

The processes are forks of this one, each with its share of the campaigns. A rule that stumbles falls silent about every campaign, and
what is said of a template counts the renderings of all: where either happens, nobody's share is taken for the whole.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from omnicli.lint.ground import Ground
    from omnicli.model.finding import Finding

#: A process that has fewer messages to look at costs more than it brings: what is read once is read once in each.
LEAST = 12


@dataclass(slots=True)
class Said:
    """What the rules said, by the rule's module; which of them broke, and whether one fell silent over what could not be read."""

    found: list[tuple[str, Finding]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    stumbled: bool = False


Which = Literal["all", "rendered", "others"]
Ask = Callable[[Which], Said]


def ask(ground: Ground, processes: int, ask: Ask) -> Said:
    """What the rules say of the whole ground; `ask` asks all of them, or those about renderings alone."""
    shares = _shares(ground, processes)
    if len(shares) < 2:
        return ask("all")
    next(ground.renderings(), None)  # compiles the templates and reads the calendars, once for all
    others = [_Helper(ground, names, shares, ask) for names in shares[1:]]
    with _only(ground, shares[0], shares):
        said = ask("all")
    heard = [other.answer() for other in others]
    if any(one is None or _of_all(ground, one[0]) for one in ((said, {}), *heard)):
        return ask("all")
    for one in heard:
        assert one is not None
        said.found += one[0].found
        ground.grid.counts.update(one[1])
    return said


def _shares(ground: Ground, processes: int) -> list[frozenset[str]]:
    """Campaigns in a row for each process, about as many messages each; one share where it would not pay."""
    able = sys.platform == "linux" and threading.active_count() == 1 and ground.only is None and ground.reader is None
    todo = [chapter.name for chapter, _, sent in ground.messages if sent and chapter.name not in ground.clean] if able else []
    count = min(processes, len(todo) // LEAST)
    cuts = [len(todo) * n // count for n in range(count + 1)] if count > 1 else []
    found: list[frozenset[str]] = []
    for start, end in pairwise(cuts):
        found.append(frozenset(todo[start:end]).difference(*found))
    return [share for share in found if share]


def _of_all(ground: Ground, said: Said) -> bool:
    """True where something counts the renderings that show it, and may have been shown to others too."""
    own = {chapter.file for chapter in ground.chapters}
    return said.stumbled or bool(said.broken) or any(one.where and one.place.file not in own for _, one in said.found)


@contextmanager
def _only(ground: Ground, mine: frozenset[str], shares: Sequence[frozenset[str]]) -> Iterator[None]:
    """The ground without the campaigns of the other shares."""
    before = ground.clean
    ground.clean = {**before, **{name: 0 for share in shares for name in share if share is not mine}}
    try:
        yield
    finally:
        ground.clean = before


class _Helper:
    """A fork that looks at one share and says through a pipe what it found."""

    def __init__(self, ground: Ground, mine: frozenset[str], shares: Sequence[frozenset[str]], ask: Ask) -> None:
        self.reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.process = os.fork()
        if self.process:
            os.close(writing)
            return
        try:
            gc.disable()  # it ends before anything is worth collecting
            with _only(ground, mine, shares):
                said = ask("rendered")
            counts = {name: count for name, count in ground.grid.counts.items() if name in mine}
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump((said, counts), pipe)
        finally:
            os._exit(0)  # nothing of this process's parent is ended with it

    def answer(self) -> tuple[Said, dict[str, int]] | None:
        """What it said, and how many renderings it looked at by campaign; None when it ended without a word."""
        with os.fdopen(self.reading, "rb") as pipe:
            said = pipe.read()
        os.waitpid(self.process, 0)
        try:
            found: tuple[Said, dict[str, int]] = pickle.loads(said)
        except (EOFError, pickle.UnpicklingError):
            return None
        return found
