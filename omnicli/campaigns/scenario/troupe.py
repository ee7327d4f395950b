"""Many lives in one world, each independent of the others: they share a start, a clock and providers, and nothing that is counted.

Whoever comes to stand somewhere new reacts at the edges of the time they stand there. What each of them did is kept as a script, so
that the same life can be lived again, alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.scenario.lived import Life, lives
from omnicli.campaigns.scenario.lives import Cast, Dice
from omnicli.campaigns.scenario.script import Deed, Script
from omnicli.campaigns.scenario.studio import Studio
from omnicli.campaigns.scenario.world import World

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded

#: Reactions of one life at most: nobody does more than that.
REACTIONS = 12

_NEWS = sa.text(
    "SELECT e.contact_id, e.step, e.since, e.due_at, e.wait_until FROM enrollment e WHERE e.state = 'open' AND e.id IN "
    "(SELECT enrollment_id FROM decision WHERE id > :after)"
)


_PAUSED = sa.text("SELECT 1 FROM campaign WHERE state = 'paused' LIMIT 1")
_GOES_ON = sa.text("UPDATE campaign SET state = 'running', paused_at = NULL, pause_people = NULL WHERE state = 'paused'")


@dataclass
class Member:
    """One life of a troupe while it is lived."""

    script: Script
    dice: Dice
    did: list[Deed] = field(default_factory=list)
    visits: dict[str, int] = field(default_factory=dict)
    stood: tuple[Any, ...] = ()
    planned: int = 0

    @property
    def finished(self) -> Script:
        """The script with all that its person did."""
        return replace(self.script, deeds=tuple(self.did))


def unbound(loaded: Loaded) -> Loaded:
    """The project without what people share: budgets, approvals, ramps and the day's WhatsApp conversations."""
    assert loaded.project is not None
    whatsapp = {
        name: one.model_copy(update={"daily_limit": 10_000_000})
        for name, one in loaded.project.channels.items()
        if name == "whatsapp"
    }
    project = loaded.project.model_copy(update={"channels": {**loaded.project.channels, **whatsapp}})
    campaigns = {}
    for name, campaign in loaded.campaigns.items():
        rails = campaign.guardrails.model_copy(update={"budget": None, "approve_above": None})
        enter = campaign.enter.model_copy(update={"limit": None})
        campaigns[name] = campaign.model_copy(update={"guardrails": rails, "enter": enter})
    return replace(loaded, project=project, campaigns=campaigns)


def perform(cast: Cast, names: Sequence[str], scripts: Sequence[Script], *, until: datetime) -> list[tuple[Script, Life]]:
    """Live these beginnings in one world up to `until`, with reactions; each with all that its person did in the end."""
    with _world(cast.loaded, names, scripts) as world:
        troupe = _Troupe(cast, world, scripts)
        troupe.live(until)
        return list(_lived(world, (member.finished for member in troupe.members.values()), until))


def alone(loaded: Loaded, names: Sequence[str], script: Script, *, until: datetime) -> Life:
    """The life of a script in a world of its own: nothing is drawn any more."""
    with _world(loaded, names, [script]) as world:
        for at, deeds in _by_instant(script.deeds):
            if at > until:
                break
            world.live_until(at, inclusive=False)
            _happen(world, [(script.who, deed) for deed in deeds])
        world.live_until(until)
        return next(_lived(world, [script], until))[1]


def _world(loaded: Loaded, names: Sequence[str], scripts: Sequence[Script]) -> World:
    first = scripts[0]
    silent = {one.who for one in scripts if one.holdout}
    world = World(loaded, names, start=first.start, arms=first.arms if len(scripts) == 1 else None, held_out=silent,
                  environment=first.environment, studio=Studio.of(loaded, names))  # fmt: skip
    world.add_all([(one.who, one.contact) for one in scripts])
    return world


def _lived(world: World, scripts: Iterable[Script], until: datetime) -> Iterator[tuple[Script, Life]]:
    found = lives(world.store, world.project, end=until)
    return ((script, found[world.ids[script.who]]) for script in scripts)


def _by_instant(deeds: Sequence[Deed]) -> Iterator[tuple[datetime, list[Deed]]]:
    at: dict[datetime, list[Deed]] = {}
    for deed in deeds:
        at.setdefault(deed.at, []).append(deed)
    yield from sorted(at.items())


def _happen(world: World, deeds: Sequence[tuple[str, Deed]]) -> None:
    """What these people do now."""
    said = [(who, one.name, one.values, None, None, None, one.was) for who, one in deeds if one.kind == "event"]
    if said:
        world.events(said)
    for who, one in deeds:
        if one.kind == "change":
            world.change(who, one.values)
        elif one.kind == "consent":
            world.consent(who, one.values)


class _Troupe:
    def __init__(self, cast: Cast, world: World, scripts: Sequence[Script]) -> None:
        self.cast, self.world = cast, world
        self.members = {world.ids[one.who]: Member(one, Dice(cast.seed, one.number)) for one in scripts}
        self.queue: list[tuple[datetime, int, int, Deed]] = []
        self.serial = self.seen = 0
        for contact, member in self.members.items():
            self.plan(contact, member, member.script.deeds)

    def plan(self, contact: int, member: Member, deeds: Iterable[Deed]) -> None:
        for deed in deeds:
            self.serial += 1
            member.planned += 1
            heapq.heappush(self.queue, (deed.at, contact, self.serial, deed))

    def live(self, until: datetime) -> None:
        """From one instant at which something is due, or somebody does something, to the next."""
        while (at := self.next()) is not None and at <= until:
            self.act(at)
            self.world.live(at)
            self.go_on()
            self.react(until)
        self.world.now = max(self.world.now, until)

    def next(self) -> datetime | None:
        due = self.world.next_due()
        planned = self.queue[0][0] if self.queue else None
        return min((at for at in (due, planned) if at is not None), default=None)

    def act(self, at: datetime) -> None:
        """What was planned for this instant happens before anything that is due at it."""
        deeds: list[tuple[str, Deed]] = []
        while self.queue and self.queue[0][0] <= at:
            _, contact, _, deed = heapq.heappop(self.queue)
            member = self.members[contact]
            member.did.append(deed)
            deeds.append((member.script.who, deed))
        if deeds:
            self.world.now = max(self.world.now, at)
            _happen(self.world, deeds)

    def go_on(self) -> None:
        """A campaign that was paused because too many complained, or too much bounced, goes on: nobody does that alone."""
        with self.world.store.read() as connection:
            paused = connection.execute(_PAUSED).first() is not None
        if paused:
            with self.world.store.write() as connection:
                connection.execute(_GOES_ON)

    def react(self, until: datetime) -> None:
        """Whoever stands somewhere new plans what they do there."""
        with self.world.store.read() as connection:
            news = connection.execute(_NEWS, {"after": self.seen}).all()
            self.seen = connection.execute(sa.text("SELECT coalesce(max(id), 0) FROM decision")).scalar_one()
        for contact, step, _, due, wait in sorted(news, key=lambda row: row[0]):
            member = self.members[contact]
            stood = (step, due, wait)
            if stood == member.stood or member.planned >= REACTIONS:
                continue
            member.stood = stood
            visit = member.visits[step] = member.visits.get(step, 0) + 1
            end = wait if wait is not None else due
            end_at = clock.from_ms(end) if end is not None else None
            deeds = self.cast.reactions(member.dice, step, self.world.now, end_at, visit, member.script.consent)
            self.plan(contact, member, (deed for deed in deeds if self.world.now < deed.at <= until - timedelta(days=1)))
