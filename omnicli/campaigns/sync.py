"""What providers know and we perhaps do not: their lists of bars, the fate of doubtful touches, bounces in the mailbox.

It only ever adds (rules.md SU): nothing that a provider no longer holds is lifted here. Asking twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING

from omnicli.campaigns.hear import hear
from omnicli.campaigns.listen import listen
from omnicli.campaigns.reconcile import reconcile
from omnicli.campaigns.respond import fold
from omnicli.model.response import Receipt
from omnicli.model.touch import Provider
from omnicli.store import outbox
from omnicli.store.unheard import unheard

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: Entries of a list under one T4.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Synced:
    """Of one provider: entries that it `listed` (bounce mails that it left us), how many were `new`, people `opted_out` by them, touches that were
    `doubtful` before and `settled` now, and a `problem` for a person. `asked` False: it has nothing that can be asked."""

    provider: str
    asked: bool = False
    listed: int = 0
    new: int = 0
    opted_out: int = 0
    doubtful: int = 0
    settled: int = 0
    problem: str | None = None


def sync(
    store: Store, loaded: Loaded, providers: Mapping[str, Provider], *, now: datetime, only: str | None = None
) -> list[Synced]:
    """Ask each provider (or the one of that name), then fold what was new. Raises OmniError when a list cannot be had."""
    one_each = {provider.name: provider for provider in providers.values() if only in (None, provider.name)}
    found = [
        _ask(store, loaded, provider, {c: p for c, p in providers.items() if p is provider}, now)
        for _, provider in sorted(one_each.items())
    ]
    if any(s.new for s in found):
        fold(store, loaded, now=now)
    return found


def _ask(store: Store, loaded: Loaded, provider: Provider, carried: Mapping[str, Provider], now: datetime) -> Synced:
    lists = getattr(provider, "lists", None)
    listed, new, opted_out = _mirror(
        store, loaded, chain(lists() if lists is not None else (), _missed(store, provider, now)), now
    )
    problem: str | None = None
    if provider.name == "smtp":
        box = listen(store, loaded, now=now)
        listed, new, opted_out, problem = listed + box.read, new + box.new, opted_out + box.opted_out, box.problem
    before = _doubts(store, provider.name)
    said: Sequence[str] = reconcile(store, loaded, carried, now=now) if before and hasattr(provider, "reconcile") else ()
    after = _doubts(store, provider.name)
    asked = lists is not None or provider.name == "smtp" or hasattr(provider, "reconcile")
    return Synced(provider.name, asked, listed, new, opted_out, before, before - after, problem or (said[0] if said else None))


def _mirror(store: Store, loaded: Loaded, receipts: Iterable[Receipt], now: datetime) -> tuple[int, int, int]:
    """Store a list a batch at a time, however old its entries: (entries, new ones, people whom they bar)."""
    listed = new = opted_out = 0
    waiting: Iterator[Receipt] = iter(receipts)
    while chunk := list(islice(waiting, BATCH)):
        taken = hear(store, loaded, chunk, now=now, ever=True)
        listed, new, opted_out = listed + len(chunk), new + taken.new, opted_out + taken.opted_out
    return listed, new, opted_out


def _missed(store: Store, provider: Provider, now: datetime) -> Iterable[Receipt]:
    """What the provider says of messages whose end it told while nobody listened."""
    fates = getattr(provider, "fates", None)
    if fates is None:
        return ()
    with store.read() as connection:
        known = unheard(connection, provider.name, now=now)
    return list(fates(known, now=now)) if known else ()


def _doubts(store: Store, provider: str) -> int:
    with store.read() as connection:
        return sum(1 for doubt in outbox.doubts(connection) if doubt.provider == provider)
