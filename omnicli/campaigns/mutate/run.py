"""Makes and judges mutants until enough are counted; in several processes the same mutants in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from omnicli import texts
from omnicli.campaignfile import load_project
from omnicli.campaigns.mutate.draw import candidates, order
from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.judge import judge
from omnicli.campaigns.mutate.kinds import KINDS
from omnicli.campaigns.mutate.seed import Candidate, Outcome
from omnicli.model.finding import Finding

#: How many mutants are counted, and the shares below which the command fails (docs/coherence).
COUNT = 2_000
BAR, KIND_BAR = 0.99, 0.95
_CHUNK = 40


@dataclass(frozen=True)
class Tally:
    """The outcomes in the order in which they were drawn, and what was wrong before anything was seeded."""

    outcomes: tuple[Outcome, ...]
    messages: tuple[str, ...]
    unclean: tuple[Finding, ...] = ()
    possible: int = 0
    kinds: tuple[str, ...] = tuple(KINDS)

    def of(self, kind: str = "", verdict: str = "") -> list[Outcome]:
        return [one for one in self.outcomes if kind in ("", one.kind) and verdict in ("", one.verdict)]

    def counted(self, kind: str = "") -> int:
        return len(self.of(kind, "caught")) + len(self.of(kind, "survived"))

    def share(self, kind: str = "") -> float:
        """Caught of counted; 1 when nothing was."""
        return len(self.of(kind, "caught")) / (self.counted(kind) or 1) if self.counted(kind) else 1.0

    @property
    def fine(self) -> bool:
        """True when something was seeded and the bars are met, in all and for each kind."""
        return self.counted() > 0 and self.share() >= BAR and all(self.share(kind) >= KIND_BAR for kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: `messages` as `campaign/message` (none: all), `kinds` (none: all), `off` codes that are not asked."""

    count: int = COUNT
    seed: str = "1"
    messages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    off: frozenset[str] = frozenset()


def mutate(field: Field, wanted: Wanted, *, jobs: int = 1, step: Callable[[int], None] = lambda _n: None) -> Tally:
    """Seeds faults into the clean messages of the project until `wanted.count` are counted or none are left."""
    clean, unclean = field.clean
    messages = tuple(name for name in clean if not wanted.messages or name in wanted.messages)
    found = candidates(field, messages, wanted.kinds) if messages else {}
    drawn = list(order(found, wanted.seed))
    outcomes: list[Outcome] = []
    counted = 0
    for outcome in _judged(field, drawn, wanted, jobs):
        if outcome is not None:
            outcomes.append(outcome)
            counted += outcome.counts
            step(int(outcome.counts))
        if counted >= wanted.count:
            break
    return Tally(tuple(outcomes), messages, unclean, len(drawn), tuple(found))


# -- one after the other, or in several processes ---------------------------------------------------------------------
def _judged(field: Field, drawn: Sequence[tuple[str, Candidate]], wanted: Wanted, jobs: int) -> Iterator[Outcome | None]:
    if jobs <= 1 or len(drawn) <= _CHUNK:
        yield from (_one(field, kind, candidate, wanted.off) for kind, candidate in drawn)
        return
    names = [(kind, candidate.name) for kind, candidate in drawn]
    setup = (str(field.loaded.root), field.now, wanted.off, texts.language())
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=setup) as pool:
        chunks = iter([names[n : n + _CHUNK] for n in range(0, len(names), _CHUNK)])
        running = [pool.submit(_several, chunk) for chunk in islice(chunks, jobs + 1)]
        try:
            while running:
                yield from running.pop(0).result()
                running += [pool.submit(_several, chunk) for chunk in islice(chunks, 1)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one(field: Field, kind: str, candidate: Candidate, off: frozenset[str]) -> Outcome | None:
    seed = candidate.make()
    return None if seed is None else judge(field, kind, candidate.name, seed, off=off)


class _Worker:
    """What one process works on."""

    field: Field
    known: dict[tuple[str, str], Candidate]
    off: frozenset[str]


def _begin(root: str, now: datetime, off: frozenset[str], language: str) -> None:
    texts.use(language)
    _Worker.field = Field(load_project(Path(root)), now=now)
    _Worker.known = {(kind, one.name): one for kind, all_ in candidates(_Worker.field).items() for one in all_}
    _Worker.off = off


def _several(names: Iterable[tuple[str, str]]) -> list[Outcome | None]:
    return [_one(_Worker.field, kind, _Worker.known[(kind, name)], _Worker.off) for kind, name in names]
