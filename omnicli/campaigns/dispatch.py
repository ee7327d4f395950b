"""A round of delivering: claim, render, gate and intent, hand over, record. The one deed with concurrency.

No provider is called before the intents of that call were committed, and the index `one_open_attempt` allows one open
attempt a touch: what a crash leaves is planned again or unknown, never sent twice (docs/delivery 1, 3, 6). Every touch
taken up here ends a round accepted, rejected, skipped with a reason, waiting with a date, or unknown and shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli.campaigns import journal, recover
from omnicli.campaigns.claiming import Asked
from omnicli.campaigns.leading import MEND, leads
from omnicli.campaigns.litter import seldom_collected
from omnicli.campaigns.reconcile import reconcile
from omnicli.campaigns.report import DispatchReport
from omnicli.campaigns.round import Round, clean_failures
from omnicli.campaigns.worker import ACTIVE, at_work
from omnicli.model.touch import Provider
from omnicli.store import outbox

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.bound import Bound
    from omnicli.campaigns.turn import Houses
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

__all__ = ["DispatchReport", "dispatch", "resolve"]

#: Seconds for which outcomes are offered to a store that does not take them, before they are kept beside it.
PATIENCE = 60.0

resolve = recover.resolve


def dispatch(
    store: Store, loaded: Loaded, renderer: Renderer, providers: Mapping[str, Provider], *, now: datetime, live: bool = False,
    campaigns: Collection[str] | None = None, only: Mapping[str, str] | None = None, max: int | None = None,
    late_after: datetime | None = None, progress: Callable[[int], None] | None = None, patience: float = PATIENCE,
    report: DispatchReport | None = None, late_since: datetime | None = None,
    houses: Houses | None = None, bound: Bound | None = None, processes: int = 1,
) -> DispatchReport:  # fmt: skip
    """Deliver what is due at `now`: of `campaigns` (None: all), by the channel of `only`, at most `max` touches.

    `late_after`: touches due before it are skipped `expired` (a tick that comes too late), but for those due by `late_since`, when
    the last one ended: something held them. `report` is filled as it goes, so that it stands when the round is interrupted.
    `houses`: those of this instant, where somebody has built them already. `bound`: nothing leaves but the touches of a saved plan,
    as they were planned. `processes`: how many work, this one among them; the others render where there is much to render. Providers stay open: the caller that built them closes them. Raises OmniError (exit 4) when the store is on HOLD, (exit 3)
    when it fails.
    """
    round_ = Round(
        store, loaded, renderer, providers, now=now, live=live, late_after=late_after, progress=progress, patience=patience,
        report=report if report is not None else DispatchReport(), late_since=late_since,
        houses=houses, bound=bound, processes=processes,
    )  # fmt: skip
    with clean_failures():
        journal.replay(store, now=now)
        with leads(store, MEND) as led:
            if led is not None:
                recover.recover(led, providers, now=now, active=ACTIVE)
                for problem in reconcile(led, loaded, providers, now=now):
                    round_.report.problem(problem)
        with at_work(store, round_.worker), seldom_collected():
            round_.deliver(Asked(campaigns, _channels(only), max))
        with store.read() as connection:
            versions = None if campaigns is None else outbox.versions_of(connection, campaigns)
            round_.report.open_unknown = outbox.open_doubts(connection, versions)
    return round_.report


def _channels(only: Mapping[str, str] | None) -> tuple[str, ...] | None:
    channel = (only or {}).get("channel")
    return (channel,) if channel else None
