"""A plan becomes a record: its exact touches that would leave, and the premises on which they rest."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.campaignfile import resolve
from omnicli.campaigns.record import premises
from omnicli.campaigns.record.written import Held, Kept, Record
from omnicli.store import tables as tb

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.plan import Plan, Planned
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store


def record(store: Store, loaded: Loaded, plan: Plan, renderer: Renderer, *, until: datetime | None) -> Record:
    """What is kept of a plan that was made with `binding`. `until` None: no end but the expiry of its touches."""
    assert loaded.project is not None
    bound = [p for p in plan.sends if p.exact and p.bond is not None]
    loose = [p for p in plan.sends if not p.exact]
    used = {(p.campaign, p.channel) for p in bound}
    return Record(
        loaded.project.project, environment(store), identity(store), who(), plan.now, until, plan.currency,
        tuple(held(loaded, s.name, s.version.number) for s in plan.subjects),
        premises.templates(renderer, used), premises.settings(loaded.project, {channel for _, channel in used}, live=store.live),
        tuple(_kept(p) for p in bound), len(loose), sum(p.cost for p in loose), _guards(plan),
    )  # fmt: skip


def held(loaded: Loaded, name: str, number: int) -> Held:
    """The campaign of the file, as the plan rests on it."""
    assert loaded.project is not None
    resolved = resolve(loaded.campaigns[name], loaded.project)
    return Held(name, number, resolved.hash, premises.parts(resolved.tree, loaded.campaigns[name]))


def _kept(p: Planned) -> Kept:
    bond = p.bond
    assert bond is not None
    return Kept(
        p.touch, bond.owner.hex(), bond.person.hex(), p.campaign, bond.version, p.step, p.message, p.channel, p.at, p.cost,
        bond.sent.hex(), bond.words.hex(), bond.address.hex(), bond.consent.hex(), dict(bond.facts),
    )  # fmt: skip


def _guards(plan: Plan) -> dict[str, int]:
    found: dict[str, int] = {}
    for waiting in plan.held:
        found[waiting.guard] = found.get(waiting.guard, 0) + 1
    return dict(sorted(found.items()))


def environment(store: Store) -> str:
    return "live" if store.live else "sandbox"


def identity(store: Store) -> str:
    """Which store this is: a plan of another one, or of one that was reset, binds nothing here."""
    with store.read() as connection:
        return str(connection.scalar(sa.select(tb.instance.c.id)))


def who() -> str:
    """Who sits at this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "?"
