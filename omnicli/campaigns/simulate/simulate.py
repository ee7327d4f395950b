"""A whole simulation: the base in parts, each part a life, the parts added up. The same bytes twice, with any number of processes.

People share nothing but money, a limit of entries and addresses. Where none of these binds, the parts of a base are independent and
may live in processes of their own. A budget is tried without: if all that was ever reserved stays below it, nobody would have felt it;
else everything is lived again in one part that has it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli.campaigns.simulate.base import Part, copied, invented, lighten, raw, shares_addresses
from omnicli.campaigns.simulate.counts import Counts
from omnicli.campaigns.simulate.model import Model
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: More people than that live in more parts, one after the other: what a part takes in memory is bounded.
MOST = 60_000


@dataclass(frozen=True)
class Task:
    """What a simulation is about. `people`: how many invented ones; None: those of the store."""

    loaded: Loaded = field(repr=False)
    name: str
    model: Model = field(repr=False)
    seed: str
    start: datetime
    days: int
    people: int | None = None

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=self.days)


@dataclass(frozen=True)
class Simulation:
    """What came of it. `felt`: the budget held touches back. `sms_parts` of a typical rendering by (message, channel, language, persona)."""

    task: Task
    counts: Counts
    budget: int | None
    felt: bool
    sms_parts: Mapping[tuple[str, str, str, str | None], int]


def simulate(task: Task, store: Store | None, *, processes: int = 1, progress: Callable[[int], None] | None = None) -> Simulation:
    """Live it. `store` is read and never written; `progress` counts virtual hours of the parts that live in this process."""
    from omnicli.campaigns.life import authored
    from omnicli.store.rehearsal import rehearsal

    if store is not None and store.dialect != "sqlite" and task.people is None:
        with rehearsal(store) as copy:
            return simulate(task, copy, processes=processes, progress=progress)
    campaign = authored(task.loaded, task.name)
    source = raw_of(store) if store is not None and task.people is None else None
    count = task.people if task.people is not None else _people(source)
    if not count:
        raise OmniError(t("there is nobody to simulate", "il n'y a personne à simuler"),
                        hint="omni contact import FILE · --contacts 10000", code="nobody", exit=Exit.USAGE)  # fmt: skip
    together = campaign.enter.limit is not None or (source is not None and shares_addresses(source))
    budget = campaign.guardrails.budget
    parts = 1 if together else max(processes, -(-count // MOST))
    counts, sms = _lived(task, store, source, parts, processes, felt=together and budget is not None, progress=progress)
    felt = together and budget is not None
    if budget is not None and not felt and counts.reserved > budget.micro:
        felt = True
        counts, sms = _lived(task, store, source, 1, 1, felt=True, progress=progress)
    held = any(guard == "budget" for _, guard in counts.holds)
    return Simulation(task, counts, budget.micro if budget is not None else None, felt and held, sms)


def hours(task: Task, *, parts: int) -> int:
    """Virtual hours that `progress` will count."""
    return task.days * 24 * parts


def raw_of(store: Store) -> sqlite3.Connection:
    if store.path is None:
        return raw(store)
    return sqlite3.connect(f"file:{store.path}?mode=ro", uri=True, check_same_thread=False)


def _people(source: sqlite3.Connection | None) -> int:
    return int(source.execute("SELECT count(*) FROM contact WHERE erased_at IS NULL").fetchone()[0]) if source is not None else 0


Sms = dict[tuple[str, str, str, "str | None"], int]


def _lived(task: Task, store: Store | None, source: sqlite3.Connection | None, parts: int, processes: int, *, felt: bool,
           progress: Callable[[int], None] | None) -> tuple[Counts, Sms]:  # fmt: skip
    """Every part, in this process or in several, added up."""
    path = store.path if store is not None and source is not None else None
    image = source.serialize() if source is not None and path is None and processes > 1 and parts > 1 else None
    total, sms = Counts(), Sms()
    wanted = [Part(k, parts) for k in range(parts)]
    if processes > 1 and parts > 1:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        global _shared
        _shared = _Shared(task, path, image, felt)  # forked, not pickled: models are frozen beyond what pickle can say
        try:
            with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
                for counts, made in pool.map(_in_process, wanted):
                    total.add(counts)
                    sms.update(made)
        finally:
            _shared = None
        return total, sms
    for part in wanted:
        counts, made = _part(task, source, part, felt, progress)
        total.add(counts)
        sms.update(made)
    return total, sms


@dataclass(frozen=True)
class _Shared:
    """What every process of one simulation knows. `image`: a store in memory, as bytes."""

    task: Task
    path: Path | None
    image: bytes | None
    felt: bool


_shared: _Shared | None = None


def _in_process(part: Part) -> tuple[Counts, Sms]:
    assert _shared is not None
    source = None
    if _shared.path is not None:
        source = sqlite3.connect(f"file:{_shared.path}?mode=ro", uri=True)
    elif _shared.image is not None:
        source = sqlite3.connect(":memory:")
        source.deserialize(_shared.image)
    return _part(_shared.task, source, part, _shared.felt, None)


def _part(
    task: Task, source: sqlite3.Connection | None, part: Part, felt: bool, progress: Callable[[int], None] | None
) -> tuple[Counts, Sms]:
    from omnicli.campaigns.litter import seldom_collected
    from omnicli.campaigns.run import build_renderer
    from omnicli.campaigns.simulate.life import Life

    assert task.loaded.project is not None
    if source is not None:
        store = copied(source, task.loaded.project, part)
    else:
        store = invented(task.loaded, task.model, task.people or 0, seed=task.seed, now=task.start, part=part)
    lighten(store)
    try:
        with seldom_collected():
            life = Life(store, task.loaded, task.name, task.model, seed=task.seed, start=task.start, end=task.end,
                        renderer=build_renderer(task.loaded, store, live=False), felt=felt)  # fmt: skip
            counts = life.live(progress)
    finally:
        store.close()
    return counts, dict(life.prices.parts)
