"""Complaints, hard bounces and leavings of the last seven days, a channel at a time: too many warn, far too many pause marketing.

The rates are those that mailbox providers judge a sender by (rules.md DL-03). Judged on the lower end of Wilson's interval, so that one
complaint in two hundred pauses nothing. After a pause counting begins anew: whoever resumes has been told.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from omnicli import clock, guards
from omnicli.campaigns import life
from omnicli.campaigns.turn import Houses
from omnicli.store import campaigns, setting
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

WINDOW = timedelta(days=7)
#: 95 of 100 times the true rate is above the lower end.
Z = 1.96

Level = Literal["fine", "warn", "pause"]
What = Literal["complaints", "bounces", "unsubscribes"]


@dataclass(frozen=True, slots=True)
class Limit:
    """From this rate on, over at least `least` messages, do that."""

    what: What
    rate: float
    level: Level
    least: int = 0


#: Below so many messages a rate says nothing of a sender: one wrong number in five is no reputation.
FEW = 200
#: The harshest first (rules.md DL-03).
LIMITS = (
    Limit("complaints", 0.003, "pause", 1000), Limit("bounces", 0.05, "pause", FEW),
    Limit("complaints", 0.001, "warn", 1000), Limit("bounces", 0.02, "warn", FEW), Limit("unsubscribes", 0.01, "warn", FEW),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quality:
    """One channel, and the domain it sends from: messages accepted and delivered since `since`, and what came back of them."""

    channel: str
    sender: str
    since: datetime
    accepted: int
    delivered: int
    complaints: int = 0
    bounces: int = 0
    unsubscribes: int = 0

    def rate(self, what: What) -> float:
        return getattr(self, what) / base if (base := self.base(what)) else 0.0

    def base(self, what: What) -> int:
        """Bounces are of what was accepted, the others of what arrived; who gets no receipts counts what did not come back."""
        return self.accepted if what == "bounces" else self.delivered or max(0, self.accepted - self.bounces)

    @property
    def broken(self) -> Limit | None:
        """The harshest limit that is broken, or None."""
        for limit in LIMITS:
            base = self.base(limit.what)
            if base >= max(1, limit.least) and lower(getattr(self, limit.what), base) >= limit.rate:
                return limit
        return None

    @property
    def level(self) -> Level:
        limit = self.broken
        return limit.level if limit is not None else "fine"

    @property
    def said(self) -> str:
        """One line for a person; empty when all is well."""
        limit = self.broken
        if limit is None:
            return ""
        words = {
            "complaints": t("complaints", "de plaintes"), "bounces": t("dead addresses", "d'adresses mortes"), "unsubscribes": t("unsubscribes", "de désabonnements"),
        }  # fmt: skip
        return t("{channel} {sender}: {rate} {what} in 7 days (limit {limit})", "{channel} {sender} : {rate} {what} en 7 jours (limite {limit})",
                 channel=self.channel, sender=self.sender, rate=percent(self.rate(limit.what)), what=words[limit.what], limit=percent(limit.rate))  # fmt: skip


def percent(rate: float) -> str:
    """`0.10%`, in French `0,10 %`."""
    return t("{rate}%", "{rate} %", rate=t("{r:.2f}", "{r:.2f}", r=100 * rate).replace(".", t(".", ",")))


def lower(bad: int, of: int) -> float:
    """The lower end of Wilson's 95 % interval of a rate."""
    if of <= 0:
        return 0.0
    p, zz = min(1.0, bad / of), Z * Z
    return (p + zz / (2 * of) - Z * math.sqrt(p * (1 - p) / of + zz / (4 * of * of))) / (1 + zz / of)


def standings(connection: sa.Connection, loaded: Loaded, *, now: datetime) -> list[Quality]:
    """Every channel of which something bad came back since its window began; the others cost nothing."""
    begins = _begins(connection, now)
    bad = _bad(connection, begins)
    if not bad:
        return []
    accepted, delivered = _good(connection, begins, list(bad))
    return [
        Quality(channel, _sender(loaded, channel), begins(channel), accepted.get(channel, 0), delivered.get(channel, 0), **counts)
        for channel, counts in sorted(bad.items())
    ]


def watch(store: Store, loaded: Loaded, *, now: datetime) -> list[str]:
    """Pause the running marketing of channels that are judged badly; a line for each that was. What only warns is shown by `status`
    and `doctor`: a tick would repeat it every quarter of an hour."""
    with store.read() as connection:
        found = standings(connection, loaded, now=now)
    stop = [q for q in found if q.level == "pause"] if guards.on("quality") else []
    lines: list[str] = []
    if stop:
        with store.write() as connection:
            for q in stop:
                lines += _pause(connection, loaded, q, now, live=store.live)
    return lines


# --- counting ---------------------------------------------------------------------------------------------------------
class _Begins:
    """Since when each channel is counted: seven days, or the last time that it was paused for its quality."""

    def __init__(self, since: datetime, marks: Mapping[str, datetime]) -> None:
        self.since, self.marks = since, marks

    def __call__(self, channel: str) -> datetime:
        return max(self.since, self.marks.get(channel, self.since))


def _mark(channel: str) -> str:
    return f"quality.{channel}"


def _begins(connection: sa.Connection, now: datetime) -> _Begins:
    rows = connection.execute(sa.text("SELECT key, value FROM setting WHERE key LIKE 'quality.%'")).all()
    return _Begins(now - WINDOW, {key.removeprefix("quality."): clock.from_ms(int(value)) for key, value in rows})


_EVENTS: Mapping[str, What] = {"complained": "complaints", "bounced": "bounces", "unsubscribed": "unsubscribes"}


def _bad(connection: sa.Connection, begins: _Begins) -> dict[str, dict[What, int]]:
    """Channel → what came back of it; a soft bounce may pass, a block says nothing of the address."""
    query = sa.text(
        "SELECT channel, name, at FROM event WHERE name IN ('complained','bounced','unsubscribed') AND at >= :since AND machine = 0"
        ' AND channel IS NOT NULL AND (payload IS NULL OR (payload NOT LIKE \'%"kind":"soft"%\' AND payload NOT LIKE \'%"kind":"block"%\'))'
    )
    found: dict[str, dict[What, int]] = {}
    for channel, name, at in connection.execute(query, {"since": clock.to_ms(begins.since)}):
        if at >= clock.to_ms(begins(channel)):
            counts = found.setdefault(channel, {"complaints": 0, "bounces": 0, "unsubscribes": 0})
            counts[_EVENTS[name]] += 1
    return found


def _good(connection: sa.Connection, begins: _Begins, channels: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Channel → touches accepted, and deliveries heard of, since its window began."""
    accepted: dict[str, int] = {}
    delivered: dict[str, int] = {}
    for channel in channels:
        asked = {"channel": channel, "since": clock.to_ms(begins(channel))}
        accepted[channel] = connection.execute(
            sa.text("SELECT count(*) FROM touch WHERE channel = :channel AND send_state = 'accepted' AND settled_at >= :since"),
            asked,
        ).scalar_one()
        delivered[channel] = connection.execute(
            sa.text(
                "SELECT count(*) FROM event WHERE name = 'delivered' AND channel = :channel AND at >= :since AND machine = 0"
            ),
            asked,
        ).scalar_one()
    return accepted, delivered


def _sender(loaded: Loaded, channel: str) -> str:
    """The domain that this channel sends from, or its provider's name."""
    assert loaded.project is not None
    declared = loaded.project.channels.get(channel)
    text = (declared.from_ or "") if declared is not None else ""
    domain = text.rpartition("@")[2].strip("> ")
    return domain if "@" in text else text or (declared.provider if declared is not None else "")


# --- pausing ----------------------------------------------------------------------------------------------------------
def _pause(connection: sa.Connection, loaded: Loaded, q: Quality, now: datetime, *, live: bool) -> list[str]:
    """Pause every running marketing campaign that uses this channel, and begin to count anew."""
    setting.put(connection, _mark(q.channel), str(clock.to_ms(now)))
    houses = Houses(connection, loaded, now=now)
    lines: list[str] = []
    for row in campaigns.known(connection, states=("running",)):
        if (
            row.version_id is None
            or not houses[row.version_id].marketing
            or not _uses(connection, row.id, row.version_id, q.channel)
        ):
            continue
        campaigns.change(connection, row.id, state="paused", paused_at=now, pause_people="hold", because=q.said)
        life.note(connection, "pause", row.name, now, f"quality: {q.said}")
        lines.append(t("{name} is paused: {why}. Look at it, then: omni campaign resume {name}{f}", "{name} est suspendue : {why}. Voyez ce qu'il en est, puis : omni campaign resume {name}{f}",
                       name=row.name, why=q.said, f=" --live" if live else ""))  # fmt: skip
    return lines or [q.said]


def _uses(connection: sa.Connection, campaign: int, version: int, channel: str) -> bool:
    """Whether its flow names the channel, or somebody was written to by it."""
    tree = connection.execute(sa.text("SELECT tree FROM campaign_version WHERE id = :version"), {"version": version}).scalar_one()
    if f'"{channel}"' in json.dumps(json.loads(tree)["flow"]):
        return True
    wrote = sa.text(
        "SELECT 1 FROM touch x JOIN enrollment e ON e.id = x.enrollment_id WHERE e.campaign_id = :campaign AND x.channel = :channel LIMIT 1"
    )
    return connection.execute(wrote, {"campaign": campaign, "channel": channel}).first() is not None
