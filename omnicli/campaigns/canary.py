"""The canary: a version whose first messages fail is paused before it fails everybody (docs/delivery 10).

20 of the first 100 touches of a campaign version rejected or failed to render → pause. What could not be rendered waits as it
was: after the mistake is mended, `omni campaign resume` renders it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from omnicli.campaigns import life
from omnicli.store import campaigns, outbox
from omnicli.store import tables as tb
from omnicli.store.outbox.locking import change_standing
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.outbox import Claimed

FIRST, BAD = 100, 20
#: A version of which more than so many touches are due tries one in `SHARE` of them first.
MANY, SHARE = 10_000, 100


@dataclass
class Trial:
    """The first touches of a large sending: `most` of a version, and those that were claimed. They are drawn by their keys, which are
    hashes, from the whole sending."""

    version: int
    most: int
    ids: list[int] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.most - len(self.ids)

    @property
    def below(self) -> bytes:
        """The key below which two in `SHARE` lie: enough for one, whatever chance does."""
        return min(2 * 256**8 // SHARE, 256**8 - 1).to_bytes(8, "big")


class Batch(NamedTuple):
    """What came of one version's touches of one batch: how many, how many of them failed."""

    touches: int
    failed: int


@dataclass
class Canary:
    """Watches the first touches of each version in one round of dispatch. `past`: versions that have their first 100 behind
    them; nothing is asked about those again."""

    now: datetime
    past: set[int] = field(default_factory=set)
    live: bool = False

    def judge(
        self, connection: sa.Connection, batches: Mapping[int, Batch], *, recorded: bool, again: Mapping[int, int] | None = None
    ) -> set[int]:
        """The versions that must stop, of those that had failures in this batch; `recorded`: the store has it already. `again`: how
        many of a version go again at once: they were tried, and nothing is wrong with them so far.

        A batch that begins within the first 100 is judged whole: a fifth of it and of what went before it."""
        stopped: set[int] = set()
        for version, batch in batches.items():
            if not batch.failed or version in self.past:
                continue
            tried, bad = outbox.first_outcomes(connection, version, limit=FIRST + (batch.touches if recorded else 0))
            before = tried - batch.touches if recorded else tried
            if before >= FIRST:
                self.past.add(version)
                continue
            if not recorded:
                tried, bad = tried + batch.touches, bad + batch.failed
            tried += (again or {}).get(version, 0)
            if bad * FIRST >= BAD * max(FIRST, tried):
                stopped.add(version)
        return stopped

    def failed(self, connection: sa.Connection, trial: Trial) -> bool:
        """Whether a fifth of those that a provider answered, or that could not be rendered, failed."""
        tried, bad = outbox.fates(connection, trial.ids)
        return bad * FIRST >= BAD * max(FIRST, tried)

    def pause(self, connection: sa.Connection, versions: Iterable[int], why: str) -> list[str]:
        """Pause their campaigns; a line for a person each."""
        return [
            t("{name} is paused: too many of its first messages failed ({why})",
              "{name} est suspendue : trop de ses premiers messages ont échoué ({why})", name=name, why=why) + _mend(name, self.live)
            for name in self._paused(connection, versions, f"canary: {why}", why)
        ]  # fmt: skip

    def stop(self, connection: sa.Connection, versions: Iterable[int], why: str) -> list[str]:
        """Pause campaigns whose content or sender a provider refuses for everybody; a line for a person each."""
        return [
            t("{name} is paused: {why}", "{name} est suspendue : {why}", name=name, why=why) + _mend(name, self.live)
            for name in self._paused(connection, versions, why, why)
        ]

    def _paused(self, connection: sa.Connection, versions: Iterable[int], noted: str, why: str) -> list[str]:
        names: list[str] = []
        for version in sorted(versions):
            if _campaign_of(connection, version).state == "running":
                change_standing(connection)
            row = _campaign_of(connection, version)
            if row.state == "running":
                campaigns.change(connection, row.id, state="paused", paused_at=self.now, pause_people="hold", because=why)
                life.note(connection, "pause", row.name, self.now, noted)
                names.append(row.name)
        return names


def _campaign_of(connection: sa.Connection, version: int) -> Any:
    query = sa.select(tb.campaign.c.id, tb.campaign.c.name, tb.campaign.c.state)
    query = query.join(tb.campaign_version, tb.campaign_version.c.campaign_id == tb.campaign.c.id)
    return connection.execute(query.where(tb.campaign_version.c.id == version)).one()


def _mend(name: str, live: bool) -> str:
    flag = " --live" if live else ""
    return t(
        ". Mend it, then: omni campaign resume {name}{f}", ". Réparez, puis : omni campaign resume {name}{f}", name=name, f=flag
    )


def batches(touches: Iterable[Claimed], failed: Iterable[Claimed]) -> dict[int, Batch]:
    """Each version's touches of a batch, and those of them that failed."""
    bad = Counter(touch.version_id for touch in failed)
    return {version: Batch(count, bad[version]) for version, count in Counter(touch.version_id for touch in touches).items()}
