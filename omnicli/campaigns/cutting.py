"""Touches cut into calls: what a provider takes in one request, and never more than may share its fate (docs/delivery 5).

A provider whose `send` is one request gets one skeleton, version, purpose, channel, sender and topic a call, an address at most
once, and batches of marketing only; what did not fill a request waits for the next claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omnicli import guards

if TYPE_CHECKING:
    from omnicli.campaigns.press import Prepared

Key = tuple[object, ...]


def chunks(prepared: Sequence[Prepared], size: int) -> Iterator[list[Prepared]]:
    """In order, so many at a time."""
    return (list(prepared[i : i + size]) for i in range(0, len(prepared), size))


@dataclass(slots=True)
class Request:
    """One request that has room yet."""

    people: list[Prepared] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)


@dataclass
class Cutter:
    """Fills requests of one provider. `size`: people a request at most; `alone`: who must not share one."""

    size: int
    alone: Callable[[Prepared], bool]
    open: dict[Key, list[Request]] = field(default_factory=dict)
    waiting: int = 0

    def fill(self, prepared: Sequence[Prepared]) -> list[list[Prepared]]:
        """The requests that are full now; the others stay open."""
        full: list[list[Prepared]] = []
        for p in prepared:
            if self.size == 1 or p.touch.purpose != "marketing" or self.alone(p):
                full.append([p])
                continue
            key, address = _key(p), _address(p)
            request = self._room(key, address)
            request.people.append(p)
            request.addresses.add(address)
            self.waiting += 1
            if len(request.people) >= self.size:
                self.open[key].remove(request)
                self.waiting -= len(request.people)
                full.append(request.people)
        return full

    def flush(self) -> list[list[Prepared]]:
        """What is not full goes as it is: nobody else comes."""
        rest = [request.people for requests in self.open.values() for request in requests]
        self.open.clear()
        self.waiting = 0
        return rest

    def _room(self, key: Key, address: str) -> Request:
        requests = self.open.setdefault(key, [])
        for request in requests:
            if address not in request.addresses or not guards.on("one_address"):
                return request
        requests.append(Request())
        return requests[-1]


def _key(p: Prepared) -> Key:
    declared = p.press.presses.channels.get(p.touch.channel)
    return (
        p.skeleton,
        p.touch.version_id,
        p.touch.purpose,
        p.touch.channel,
        declared.from_ if declared else None,
        p.press.house.topic,
    )


def _address(p: Prepared) -> str:
    return (p.touch.address or "").strip().casefold()
