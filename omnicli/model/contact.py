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
    `bar` bars marketing (unsubscribed, complained, STOP …); both name their reason."""

    address: bool = False
    granted: bool | None = None
    until: datetime | None = None
    bad: str | None = None
    bar: str | None = None
    bar_until: datetime | None = None

    def consents(self, now: datetime) -> bool:
        return bool(self.granted) and (self.until is None or now < self.until)

    def barred(self, now: datetime) -> str | None:
        """Why marketing may not use it now, or None."""
        if self.bar and (self.bar_until is None or now < self.bar_until):
            return self.bar
        return None


Reach = Mapping[str, ChannelReach]


def write_reach(reach: Mapping[str, ChannelReach]) -> str:
    """The folded column `contact.reach`: compact JSON, keys sorted, so that equal reach is equal text."""
    out: dict[str, list[object]] = {}
    for channel in sorted(reach):
        r = reach[channel]
        out[channel] = [
            int(r.address), None if r.granted is None else int(r.granted), clock.to_ms(r.until) if r.until else None,
            r.bad, r.bar, clock.to_ms(r.bar_until) if r.bar_until else None,
        ]  # fmt: skip
    return json.dumps(out, separators=(",", ":"))


@lru_cache(maxsize=65536)
def read_reach(text: str) -> Reach:
    """The reach written by `write_reach`; cached, since most contacts share few texts."""
    found: dict[str, ChannelReach] = {}
    for channel, (address, granted, until, bad, bar, bar_until) in json.loads(text).items():
        found[channel] = ChannelReach(
            bool(address), None if granted is None else bool(granted), clock.from_ms(until) if until is not None else None,
            bad, bar, clock.from_ms(bar_until) if bar_until is not None else None,
        )  # fmt: skip
    return MappingProxyType(found)
