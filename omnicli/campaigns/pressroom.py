"""Rendering in other processes: each loads the project once, takes batches of plain values, and gives back packed messages.

Nothing is lost and nothing is double, for rendering comes before every intent: what a process that died had in hand is printed
anew by whoever ordered it, with the same bytes. A process ends with whoever started it: its end of the pipe closes.
"""

from __future__ import annotations

import os
import pickle
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from omnicli import clock
from omnicli.campaigns.printing import WORDED, Beside, Copy, Slip, Spoilt
from omnicli.store.outbox import Claimed
from omnicli.texts import language

if TYPE_CHECKING:
    from datetime import datetime

    from omnicli.campaignfile import Loaded
    from omnicli.render.renderer import Renderer

#: Fewer touches than so many are rendered before another process has read its libraries.
FEW = 5_000
#: A part of a batch is not made smaller than this.
PART = 200
#: A process that says nothing for so many seconds is ended.
PATIENCE = 30.0
_LENGTH = struct.Struct("!Q")

_at = Claimed._fields.index
_OWN = itemgetter(*map(_at, Slip._fields[:6]))
_KIND = itemgetter(*map(_at, Slip._fields[6:16]))
_WORDS = itemgetter(*map(_at, Slip._fields[16:]))


class Gone(Exception):
    """The other end is closed, or says nothing."""


class Start(NamedTuple):
    """What a process is told first: the texts of the project and its templates as they were read, the keys, the instant in ms."""

    project: str
    sources: Mapping[str, str]
    signing: tuple[bytes, int]
    live: bool
    now: int
    language: str


class Batch(NamedTuple):
    """Touches to print: `own` values of each, `kind` the number of what it shares with others in `kinds`; `words` of those whose
    templates see more; `zones` by (version, country, time zone, region); `trees` of versions that were not sent before."""

    own: Sequence[tuple[Any, ...]]
    kind: Sequence[int]
    kinds: Sequence[tuple[Any, ...]]
    words: Mapping[int, tuple[Any, ...]]
    zones: Mapping[tuple[Any, ...], str]
    trees: Mapping[int, str]
    beside: Beside


class Printed(NamedTuple):
    """A printed batch by columns. `skeletons`: those that were not sent before, as the store keeps them; `names` their hashes, which
    `which` numbers for each touch; `hashes` 16 bytes each; `told` numbers `tellings`, -1 for nothing new; `parts` None: one each."""

    skeletons: Sequence[bytes]
    names: Sequence[str]
    which: Sequence[int]
    values: Sequence[bytes]
    hashes: bytes
    parts: Sequence[int] | None
    tellings: Sequence[str]
    told: Sequence[int]
    spoilt: Mapping[int, Spoilt]


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pressroom:
    """`size` processes that print. One that fails is not replaced: what it had in hand comes back as None."""

    def __init__(self, start: Start, size: int) -> None:
        self.mates = [Mate.begin(start) for _ in range(size)]
        self.fallen = 0

    @classmethod
    def of(cls, loaded: Loaded, renderer: Renderer, *, now: datetime, size: int) -> Pressroom | None:
        """The room of a project; None when what was read of it cannot be said to another process."""
        from omnicli.campaignfile.load import PROJECT_FILE, read_project

        source = loaded.sources.get(PROJECT_FILE)
        if not sys.executable or source is None or read_project(source.text) != renderer.project:
            return None
        signing = (renderer.signing.key, renderer.signing.number)
        return cls(Start(source.text, dict(renderer.sources), signing, renderer.live, clock.to_ms(now), language()), size)

    @property
    def able(self) -> list[Mate]:
        """Those that have read their libraries and live."""
        return [mate for mate in self.mates if mate.is_ready]

    @property
    def busy(self) -> int:
        return sum(mate.busy for mate in self.mates)

    def give(self, touches: Sequence[Claimed], beside: Beside, zone: Callable[..., str], trees: Mapping[int, str]) -> list[Part]:
        """Begin to print; nothing when nobody can take it. `zone` is asked (version, country, time zone, region)."""
        able = sorted(self.able, key=attrgetter("busy"))
        each = max(PART, -(-len(touches) // max(1, len(able))))
        parts: list[Part] = []
        for mate, first in zip(able, range(0, len(touches), each), strict=False):
            batch = batch_of(
                touches[first : first + each], beside, zone, {v: tree for v, tree in trees.items() if v not in mate.trees}
            )
            number = mate.give(batch)
            if number is None:
                self.fallen += 1
                return [*parts, Part(first, len(touches), None, 0)]
            parts.append(Part(first, min(first + each, len(touches)), mate, number))
        return parts

    def take(self, part: Part) -> Printed | None:
        """What was printed of a part; None when it must be printed again."""
        if part.mate is None:
            return None
        lived = part.mate.lives
        printed = part.mate.take(part.number)
        self.fallen += lived and not part.mate.lives
        return printed

    def close(self) -> None:
        for mate in self.mates:
            mate.end()


class Part(NamedTuple):
    """Touches from `first` to before `end` of an order, in the hands of one process."""

    first: int
    end: int
    mate: Mate | None
    number: int


@dataclass(slots=True, eq=False)
class Mate:
    """One process. It prints in the order in which it is given; `done` has what it gave back and nobody took."""

    process: subprocess.Popen[bytes]
    lives: bool = True
    ready: bool = False
    given: int = 0
    came: int = 0
    done: dict[int, Printed | None] = field(default_factory=dict)
    trees: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, start: Start) -> Mate:
        """Start a Python that imports what this one can import, and nothing of the folder it stands in."""
        code = f"import sys; sys.path[:] = {sys.path!r}; from omnicli.campaigns.pressman import main; main()"
        pipe = subprocess.PIPE
        mate = cls(subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0))
        os.set_blocking(mate._in, False)
        mate._send(start)
        return mate

    @property
    def _in(self) -> int:
        assert self.process.stdin is not None
        return self.process.stdin.fileno()

    @property
    def _out(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    @property
    def busy(self) -> int:
        """Batches that it has in hand."""
        return self.given - self.came

    @property
    def is_ready(self) -> bool:
        """Whether it has read its libraries; asks without waiting."""
        if self.lives and not self.ready and _readable(self._out, 0.0):
            self.ready = self._receive() is not None
        return self.lives and self.ready

    def has(self, number: int) -> bool:
        """Whether `take` would not wait (long)."""
        return number in self.done or not self.lives or _readable(self._out, 0.0)

    def give(self, batch: Batch) -> int | None:
        """The number under which the printed batch is taken; None when the process is gone."""
        self.trees.update(batch.trees)
        if not self._send(batch):
            return None
        self.given += 1
        return self.given

    def take(self, number: int) -> Printed | None:
        while number not in self.done and self.lives:
            printed = self._receive()
            if self.lives:
                self.came += 1
                self.done[self.came] = printed
        return self.done.pop(number, None)

    def end(self) -> None:
        """Close its pipe, and see it end."""
        with suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(timeout=0.0 if self.lives is False else 2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(OSError):
            self.process.stdout.close()  # type: ignore[union-attr]
        self.lives = False

    def _send(self, message: object) -> bool:
        try:
            write(self._in, message, PATIENCE)
        except (OSError, Gone):
            self._fall()
            return False
        return True

    def _receive(self) -> Any:
        try:
            return read(self._out, PATIENCE)
        except (OSError, Gone, EOFError, pickle.UnpicklingError):
            self._fall()
            return None

    def _fall(self) -> None:
        self.lives = False
        self.given = self.came
        self.process.kill()


def batch_of(touches: Sequence[Claimed], beside: Beside, zone: Callable[..., str], trees: Mapping[int, str]) -> Batch:
    """These touches as plain values, what many share said once."""
    numbers: dict[tuple[Any, ...], int] = {}
    kind = [numbers.setdefault(one, len(numbers)) for one in map(_KIND, touches)]
    words = {n: _WORDS(touch) for n, touch in enumerate(touches) if touch.channel in WORDED}
    needed = {(one[0], *one[-3:]) for one in numbers}
    return Batch(list(map(_OWN, touches)), kind, list(numbers), words, {where: zone(*where) for where in needed},
                 {version: trees[version] for version in {one[0] for one in numbers} & trees.keys()}, beside)  # fmt: skip


def copies(printed: Printed) -> list[Copy | Spoilt]:
    """A printed batch, touch by touch."""
    names, tellings, hashes = printed.names, [*printed.tellings, None], printed.hashes
    made: list[Copy | Spoilt] = [
        Copy(names[which], values, hashes[at : at + 16], parts, tellings[told])
        for which, values, at, parts, told in zip(
            printed.which,
            printed.values,
            range(0, len(hashes), 16),
            printed.parts or [1] * len(printed.which),
            printed.told,
            strict=True,
        )
    ]
    for n, spoilt in printed.spoilt.items():
        made[n] = spoilt
    return made


# --- pipes ------------------------------------------------------------------------------------------------------------
def write(pipe: int, message: object, patience: float | None) -> None:
    """The whole of a message, its length before it; Gone when nobody takes it within `patience` seconds (None: waits)."""
    text = pickle.dumps(message, protocol=5)
    left = memoryview(_LENGTH.pack(len(text)) + text)
    while left:
        if patience is not None and not select.select([], [pipe], [], patience)[1]:
            raise Gone
        left = left[os.write(pipe, left) :]


def read(pipe: int, patience: float | None) -> Any:
    """The next message; Gone at the end of the pipe, or when nothing comes within `patience` seconds."""
    size = _LENGTH.unpack(_exactly(pipe, _LENGTH.size, patience))[0]
    return pickle.loads(_exactly(pipe, size, patience))


def _exactly(pipe: int, size: int, patience: float | None) -> bytes:
    found = bytearray()
    while len(found) < size:
        if patience is not None and not _readable(pipe, patience):
            raise Gone
        more = os.read(pipe, min(1 << 20, size - len(found)))
        if not more:
            raise Gone
        found += more
    return bytes(found)


def _readable(pipe: int, patience: float) -> bool:
    return bool(select.select([pipe], [], [], patience)[0])
