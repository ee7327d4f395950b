"""A contact as the rest of omni sees one, and its reach: per channel an address, a permission, a bar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType

from omnicli import clock

#: `contact.complaint_until` while a complaint is open; once it is resolved, seven days later (rules.md PR-09).
OPEN_COMPLAINT = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChannelReach:
    """One channel of one contact. `granted` None: never asked. `bad` bars every purpose (dead address, provider block),
    `bar` bars marketing (unsubscribed, complained, STOP …); both name their reason. `left` are topics that were left here, each
    with the end of that bar (None: for good)."""

    address: bool = False
    granted: bool | None = None
    until: datetime | None = None
    bad: str | None = None
    bar: str | None = None
    bar_until: datetime | None = None
    left: tuple[tuple[str, datetime | None], ...] = ()

    def consents(self, now: datetime) -> bool:
        return bool(self.granted) and (self.until is None or now < self.until)

    def barred(self, now: datetime) -> str | None:
        """Why marketing may not use it now, or None."""
        if self.bar and (self.bar_until is None or now < self.bar_until):
            return self.bar
        return None

    def without(self, topic: str | None, now: datetime) -> bool:
        """Whether this topic of marketing was left here; no topic never was."""
        return any(name == topic and (until is None or now < until) for name, until in self.left)


Reach = Mapping[str, ChannelReach]


def write_reach(reach: Mapping[str, ChannelReach]) -> str:
    """The folded column `contact.reach`: compact JSON, keys sorted, so that equal reach is equal text. The seventh item stands
    only where a topic was left: the few that have it cost the many nothing."""
    out: dict[str, list[object]] = {}
    for channel in sorted(reach):
        r = reach[channel]
        out[channel] = [
            int(r.address), None if r.granted is None else int(r.granted), clock.to_ms(r.until) if r.until else None,
            r.bad, r.bar, clock.to_ms(r.bar_until) if r.bar_until else None,
        ]  # fmt: skip
        if r.left:
            out[channel].append({topic: clock.to_ms(until) if until else None for topic, until in sorted(r.left)})
    return json.dumps(out, separators=(",", ":"))


@lru_cache(maxsize=65536)
def read_reach(text: str) -> Reach:
    """The reach written by `write_reach`; cached, since most contacts share few texts."""
    found: dict[str, ChannelReach] = {}
    for channel, (address, granted, until, bad, bar, bar_until, *left) in json.loads(text).items():
        found[channel] = ChannelReach(
            bool(address), None if granted is None else bool(granted), clock.from_ms(until) if until is not None else None,
            bad, bar, clock.from_ms(bar_until) if bar_until is not None else None,
            tuple((topic, clock.from_ms(end) if end is not None else None) for topic, end in left[0].items()) if left else (),
        )  # fmt: skip
    return MappingProxyType(found)
