"""The houses of a turn: everything about each version that a decision needs, built when first asked for and kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli.condition.sql import Compiler
from omnicli.engine import chance
from omnicli.engine.calendar import Calendar
from omnicli.engine.guard import merge_guardrails
from omnicli.engine.house import House, Usable
from omnicli.engine.pricing import cost
from omnicli.model.campaign import Campaign, Message
from omnicli.model.flow import Flow
from omnicli.model.project import Persona, Project
from omnicli.model.vocabulary import vocabulary
from omnicli.packs import holidays_of, load
from omnicli.store import tables as tb
from omnicli.store import turns

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded

#: (message, channel, language, register) → why these words cannot go that way; `Renderer.usable` is one.
Wording = Callable[[Message, str, str, "str | None"], "str | None"]


_VERSIONS = sa.select(
    tb.campaign_version.c.id, tb.campaign.c.id, tb.campaign.c.name, tb.campaign.c.version_id, tb.campaign.c.state, tb.campaign.c.pause_people
).join(tb.campaign, tb.campaign.c.id == tb.campaign_version.c.campaign_id)  # fmt: skip
#: Every draw is the hash's.
NO_DRAWS = chance.Draws()


class Houses(Mapping[int, House]):
    """The houses of a turn by version id, built when first asked for and kept."""

    def __init__(self, connection: sa.Connection, loaded: Loaded, *, now: datetime, usable: Wording | None = None,
                 live: bool = False, approved: Collection[str] = (), draws: chance.Draws = NO_DRAWS) -> None:  # fmt: skip
        assert loaded.project is not None
        self.draws = draws
        self.project: Project = loaded.project
        self.loaded, self.now, self.usable, self.live, self.approved = loaded, now, usable, live, frozenset(approved)
        self._trees: dict[int, Campaign] = {}
        self._houses: dict[int, House] = {}
        self.gathers: dict[tuple[int, str | None], turns.Gather] = {}  # what is asked of those who stand at a step
        self.doors: dict[tuple[int, str], tuple[sa.Select[Any], Compiler]] = {}  # what a door asks of those who may come
        self._read(connection)

    def _read(self, connection: sa.Connection) -> None:
        """Which versions there are, how their campaigns stand, and the law of the day."""
        self.rows = {row[0]: row for row in connection.execute(_VERSIONS)}
        self._packs = load(self.project.countries, self.now.date())
        self._connection = connection

    def __getitem__(self, version_id: int) -> House:
        if version_id not in self._houses:
            self._houses[version_id] = self._build(version_id)
        return self._houses[version_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def later(self, connection: sa.Connection, *, now: datetime) -> None:
        """The same houses at a later instant; built anew where a campaign's state or the law in force changed meanwhile."""
        before, self.now = (self.rows, self._packs), now
        self._read(connection)
        if (self.rows, self._packs) != before:
            self._houses.clear()
            self.gathers.clear()
            self.doors.clear()

    def on(self, connection: sa.Connection) -> Houses:
        """The same houses, read further over this connection."""
        self._connection = connection
        return self

    def tree(self, version_id: int) -> Campaign:
        """The campaign as it stood when that version was applied; one object a content and process."""
        if version_id not in self._trees:
            text = self._connection.execute(sa.select(tb.campaign_version.c.tree).where(tb.campaign_version.c.id == version_id))
            self._trees[version_id] = revived(text.scalar_one())
        return self._trees[version_id]

    def compiler(self, version_id: int) -> Compiler:
        house = self[version_id]
        known = vocabulary(self.project, house.campaign, self.loaded.campaigns)
        return Compiler(known, campaign=house.name)

    def _build(self, version_id: int) -> House:
        row = self.rows[version_id]
        campaign = self.tree(version_id)
        applied = self.tree(row.version_id) if row.version_id is not None else campaign
        guarding = merge_guardrails(self.project, applied, self._packs)
        calendar = Calendar.of(self.project.time_zone, self.project.countries, guarding.quiet, self._packs, holidays_of,
                               own=guarding.quiet_own)  # fmt: skip
        binding = self.live and row.name not in self.approved
        return House(
            self.project, campaign, Flow.of(campaign), guarding, calendar, _words(campaign, self.usable),
            prices={name: cost(channel.price) for name, channel in self.project.channels.items()},
            personas=personas_of(campaign, self.project), halted=row.state == "paused" and row.pause_people != "finish",
            ceiling=guarding.approve_above if binding else None, pins=self.draws.arms,
        )  # fmt: skip


def houses(connection: sa.Connection, loaded: Loaded, *, now: datetime, usable: Wording | None = None, live: bool = False,
           approved: Collection[str] = ()) -> Houses:  # fmt: skip
    """The houses of all versions in the store, lazily: `houses(…)[version_id]`."""
    return Houses(connection, loaded, now=now, usable=usable, live=live, approved=approved)


@lru_cache(maxsize=256)
def revived(tree: str) -> Campaign:
    """The campaign of a stored tree; one object a content and process."""
    from omnicli.campaignfile import revive

    return revive(tree)


def personas_of(campaign: Campaign, project: Project) -> Mapping[str, Persona]:
    """The personas a campaign writes for, in the order in which they are matched."""
    if isinstance(campaign.personas, dict):
        return campaign.personas
    if campaign.personas is None:
        return project.personas
    return {name: project.personas[name] for name in campaign.personas if name in project.personas}


def _words(campaign: Campaign, usable: Wording | None) -> Usable:
    """The question `are there words and a template`, remembered by (message, channel, language, register)."""
    asked: dict[tuple[str, str, str, str | None], str | None] = {}

    def answer(message: str, channel: str, language: str, register: str | None) -> str | None:
        key = message, channel, language, register
        if key not in asked:
            written = campaign.messages[message]
            asked[key] = usable(written, channel, language, register) if usable else _has_words(written, language, register)
        return asked[key]

    return answer


def _has_words(message: Message, language: str, register: str | None) -> str | None:
    """Whether `say` speaks this language at all (5.5): `fr-CA/tu` → `fr-CA` → `fr/tu` → `fr`."""
    plain = language.partition("-")[0]
    keys = (f"{language}/{register}", language, f"{plain}/{register}", plain)
    return None if any(key in message.say for key in keys) else "no_words"
