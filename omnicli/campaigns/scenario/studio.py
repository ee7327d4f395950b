"""What every virtual world of one project needs and only one of them has to make: empty stores, versions, a renderer, houses.

A store is built once and copied as bytes; one that a world has finished with is wiped and lent again, so that its statements stay
compiled. Nothing here touches the disk but to read templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import life, versions
from omnicli.condition.sql import Compiler
from omnicli.model.flow import Flow
from omnicli.model.literals import Money
from omnicli.store import campaigns as stored
from omnicli.store.connection import Store
from omnicli.store.preparing import prepare
from omnicli.store.turns import Gather

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.render.renderer import Renderer

#: Stores kept for the next world; a world more than that makes its own.
SPARE = 4
_LOCK = Lock()


class Studio:
    """One project with the campaigns that live in its worlds. Worlds of one studio share what does not change between them."""

    def __init__(self, loaded: Loaded, campaigns: Sequence[str], *, budget: Money | None = None) -> None:
        """`budget`: what the first campaign may still spend, whatever its file says. Raises `life.Unfit` or OmniError when a campaign cannot be run."""
        assert loaded.project is not None
        self.loaded, self.project = loaded, loaded.project
        self.campaigns = tuple(dict.fromkeys(campaigns))
        self.authored = {name: life.authored(loaded, name) for name in self.campaigns}
        if budget is not None:
            first = self.authored[self.campaigns[0]]
            bound = first.guardrails.model_copy(update={"budget": budget})
            self.authored[self.campaigns[0]] = first.model_copy(update={"guardrails": bound})
        self.doors = any(campaign.enter.form != "when" for campaign in self.authored.values())
        self.watchful = any(campaign.enter.form == "if" for campaign in self.authored.values())  # whatever happens may open these
        self.steps = frozenset(step for campaign in self.authored.values() for step in Flow.of(campaign).nodes)
        self.gathers: dict[tuple[int, str | None], Gather] = {}  # statements are compiled for all worlds
        self.ways: dict[tuple[int, str], tuple[sa.Select[Any], Compiler]] = {}  # and what doors ask
        self._spare: list[Store] = []
        self._lock = Lock()

    @classmethod
    def of(cls, loaded: Loaded, campaigns: Sequence[str], *, budget: Money | None = None) -> Studio:
        """The studio made for the same files before, else a new one; a few are kept."""
        names = tuple(dict.fromkeys(campaigns))
        with _LOCK:
            found = next((s for s, given in _KEPT if s.loaded is loaded and s.campaigns == names and given == budget), None)
            if found is None:
                found = cls(loaded, names, budget=budget)
                _KEPT.append((found, budget))
                del _KEPT[:-8]
        return found

    def arms(self, campaign: str, step: str) -> tuple[str, ...]:
        """The arms of a split."""
        node = Flow.of(self.authored[campaign])[step]
        return tuple(label for label, _ in node.branches)

    @cached_property
    def renderer(self) -> Renderer:
        """One for all worlds: keys of the sandbox hang on the project's name alone."""
        from omnicli.campaigns.run import build_renderer

        return build_renderer(self.loaded, Store.memory(), live=False)

    @cached_property
    def _empty(self) -> Store:
        """A store with the project's columns and these campaigns applied: the mould of every other."""
        store = Store.memory()
        prepare(store, self.project)
        with store.write() as connection:
            for campaign in self.authored.values():
                versions.apply(connection, campaign, self.project, clock.EPOCH)
        return store

    def borrow(self, start: datetime) -> Store:
        """A store in which these campaigns were started at `start` and nobody is."""
        with self._lock:
            store = self._spare.pop() if self._spare else Store.memory()
            _raw(self._empty).backup(_raw(store))
        store.rehearsed = True  # nobody looks after the reputation of a world: it would pause the campaign for all who share it
        with store.write() as connection:
            for row in stored.known(connection):
                life.open_doors(connection, row, start)
        return store

    def give_back(self, store: Store) -> None:
        """The store of a world that has ended."""
        with self._lock:
            if len(self._spare) < SPARE:
                self._spare.append(store)
                return
        store.close()


def _raw(store: Store) -> Any:
    """The one connection of a store in memory."""
    with store.writer.connect() as connection:
        return connection.connection.driver_connection


_KEPT: list[tuple[Studio, Money | None]] = []
