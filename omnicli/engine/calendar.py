"""When a touch may leave: quiet hours and the packs' days and hours, in the contact's own time (campaign-language 7.2).

A moment is blocked when the wall clock of any zone that the contact may live in stands inside a window. Blocked time is
compiled once for each key (rules, zones, country, region, block of 8 days) and then bisected: about 1 µs a contact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from omnicli import guards
from omnicli.engine import timing
from omnicli.model.literals import Duration, TimeOfDay, Window
from omnicli.model.pack import Pack, pack_of, ruling

HolidaysOf = Callable[[str, str | None, int], frozenset[date]]
Guard = Literal["quiet_hours", "pack"]
#: Edges of blocked time in one block: begin, end, begin, end …; half-open, sorted, apart.
Edges = tuple[datetime, ...]

#: Quiet hours of a service touch hold only here (4.1).
SERVICE_CHANNELS = frozenset({"voice", "sms"})
BLOCK_DAYS = 8
#: How far ahead an opening is looked for: what is not free for longer than this is never free.
HORIZON = timedelta(days=400)

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_NO_SPREAD = timedelta(0)


@dataclass(frozen=True, slots=True)
class Free:
    """When a touch may leave: `at` (None: not until the instant given), which guard objected first at the instant asked,
    and whether a pack forbids this channel at any hour (`law`)."""

    at: datetime | None
    guard: Guard | None = None
    law: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """What binds one channel and purpose for people of one country, region and zone, with the blocks compiled so far.
    `spared`: nothing binds. `law`: the packs' windows leave no free minute in a week."""

    pack: tuple[Window, ...]
    quiet: tuple[Window, ...]
    zones: tuple[str, ...]
    home: str | None
    region: str | None
    holidays_of: HolidaysOf
    law: bool
    spared: bool
    blocks: dict[int, Edges] = field(default_factory=dict, repr=False, compare=False)
    pack_blocks: dict[int, Edges] = field(default_factory=dict, repr=False, compare=False)

    def edges(self, number: int) -> Edges:
        """The blocked time of one block."""
        found = self.blocks.get(number)
        if found is None:
            found = self.blocks[number] = self._compiled(self.pack + self.quiet, number)
        return found

    def objector(self, instant: datetime) -> Guard:
        """Which guard blocks this instant; the pack is asked before the quiet hours (7)."""
        number = instant.toordinal() // BLOCK_DAYS
        found = self.pack_blocks.get(number)
        if found is None:
            found = self.pack_blocks[number] = self._compiled(self.pack, number)
        return "pack" if bisect_right(found, instant) % 2 else "quiet_hours"

    def _compiled(self, windows: tuple[Window, ...], number: int) -> Edges:
        return compile_block(windows, self.zones, self.home, self.region, self.holidays_of, number)

    def openings(self, instant: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The free stretches from `instant` to `last`, in order; a long one may come in parts of at least a block."""
        carried: datetime | None = None
        for number in range(instant.toordinal() // BLOCK_DAYS, last.toordinal() // BLOCK_DAYS + 1):
            edges = self.edges(number)
            opens, ends = _block_span(number)
            for begin, end in zip((opens, *edges[1::2]), (*edges[::2], ends), strict=True):
                if begin < end and end > instant:
                    start = carried if carried is not None and begin == opens else max(begin, instant)
                    carried = start if end == ends and end - start < BLOCK_DAYS * _DAY else None
                    if carried is None:
                        yield start, end
                elif begin == opens and carried is not None:
                    yield carried, opens
                    carried = None
        if carried is not None:
            yield carried, _block_span(last.toordinal() // BLOCK_DAYS)[1]


@lru_cache(maxsize=1)
def zone_table() -> Mapping[str, tuple[str, ...]]:
    """tzdata's `zone.tab`: country → its zones, in the file's order (the first is the most populous as a rule)."""
    found: dict[str, list[str]] = {}
    for line in files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return MappingProxyType({country: tuple(zones) for country, zones in found.items()})


@lru_cache(maxsize=1024)
def known_zone(name: str | None) -> ZoneInfo | None:
    """The zone of an IANA name; None when there is no such zone."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The working zones and free moments of one version's contacts; built once a turn, caches what it compiles."""

    project_zone: ZoneInfo
    countries: tuple[str, ...]
    quiet: Mapping[str, tuple[Window, ...]]
    own: frozenset[str]
    packs: Mapping[str, Pack]
    holidays_of: HolidaysOf
    _lanes: dict[tuple[str, str, str | None, str | None, str | None], Lane] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(
        cls, project_zone: str, countries: Collection[str], quiet: Mapping[str, tuple[Window, ...]], packs: Mapping[str, Pack],
        holidays_of: HolidaysOf, *, own: Collection[str] | None = None,
    ) -> Calendar:  # fmt: skip
        """`quiet` by channel or `all`: the files' windows united; `own`: the keys that the project itself wrote, which
        replace the packs' default quiet hours (`all` replaces them for every channel; default: all keys of `quiet`)."""
        return cls(ZoneInfo(project_zone), tuple(countries), quiet, frozenset(quiet if own is None else own), packs, holidays_of)

    # --- zones --------------------------------------------------------------------------------------------------------
    def zone(self, country: str | None, time_zone: str | None, region: str | None = None) -> ZoneInfo:
        """The working zone (2.2): the contact's own, else the first of its region or country, else the project's."""
        own = known_zone(time_zone) if time_zone else None
        if own is not None:
            return own
        if not country or country not in zone_table():
            return self.project_zone
        return ZoneInfo((self._region_zones(country, region) or zone_table()[country])[0])

    def zones(self, country: str | None, time_zone: str | None, region: str | None = None) -> tuple[ZoneInfo, ...]:
        """The zones this contact may live in (7.2): its own; else those of its region where the pack knows them; else all
        of its country; else all of the project's countries. A moment is free only if it is free in each of them."""
        if own := known_zone(time_zone):
            return (own,)
        if country and country in zone_table():
            return tuple(ZoneInfo(name) for name in self._region_zones(country, region) or zone_table()[country])
        names = dict.fromkeys(name for code in self.countries for name in zone_table().get(code, ()))
        return tuple(ZoneInfo(name) for name in names) or (self.project_zone,)

    def _region_zones(self, country: str, region: str | None) -> tuple[str, ...]:
        if not region:
            return ()
        return pack_of(self.packs, country).zones.get(region.removeprefix(f"{country}-"), ())

    # --- free moments -------------------------------------------------------------------------------------------------
    def free(
        self, instant: datetime, *, channel: str, purpose: str = "marketing", country: str | None = None,
        region: str | None = None, time_zone: str | None = None, until: datetime | None = None, at: TimeOfDay | None = None,
        key: bytes | None = None, spread: timedelta | Duration = _NO_SPREAD,
    ) -> Free:  # fmt: skip
        """`instant` itself when it is free; else the first free moment after it, at the same time of day when `at` is
        given, not after `until`. With `key`, a touch held without a time of day takes its hashed place within `spread` of
        the opening (as far as that time is free). A transactional touch is always free."""
        lane = self._lanes.get((channel, purpose, country, region, time_zone))
        if lane is None:
            lane = self._lane(channel, purpose, country, region, time_zone)
        if lane.spared:
            return Free(instant)
        if instant.tzinfo is not UTC:
            instant = instant.astimezone(UTC)
        if not bisect_right(lane.edges(instant.toordinal() // BLOCK_DAYS), instant) % 2:
            return Free(instant)
        guard = lane.objector(instant)
        if lane.law:
            return Free(None, guard, True)
        last = instant + HORIZON if until is None else min(until, instant + HORIZON)
        walk = lane.openings(instant, last)
        if at is not None:
            return Free(_same_time(walk, at, self.zone(country, time_zone, region), last), guard)
        opening = next(walk, None)
        return Free(None if opening is None or opening[0] > last else _place(opening, last, key, spread), guard)

    def blocked(
        self, start: datetime, end: datetime, *, channel: str, purpose: str = "marketing", country: str | None = None,
        region: str | None = None, time_zone: str | None = None,
    ) -> tuple[tuple[datetime, datetime], ...]:  # fmt: skip
        """The blocked time in [start, end), merged: what lint and forecasts measure."""
        lane = self._lane(channel, purpose, country, region, time_zone)
        spans: list[tuple[datetime, datetime]] = []
        for number in range(start.toordinal() // BLOCK_DAYS, (end - _SECOND).toordinal() // BLOCK_DAYS + 1):
            edges = lane.edges(number)
            spans += [(max(a, start), min(b, end)) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < end and b > start]
        return tuple(_merged(spans))

    def free_time(self, start: datetime, end: datetime, **who: Any) -> timedelta:
        """How much of [start, end) is free; `who` as for `blocked`."""
        return end - start - sum((b - a for a, b in self.blocked(start, end, **who)), _NO_SPREAD)

    def longest_silence(self, start: datetime, end: datetime, **who: Any) -> timedelta:
        """The longest blocked stretch in [start, end); what `max_delay` has to outlast (T012)."""
        return max((b - a for a, b in self.blocked(start, end, **who)), default=_NO_SPREAD)

    def _lane(self, channel: str, purpose: str, country: str | None, region: str | None, time_zone: str | None) -> Lane:
        key = (channel, purpose, country, region, time_zone)
        if key not in self._lanes:
            bars, hush = self._windows(channel, purpose, country, region)
            self._lanes[key] = Lane(
                pack=bars, quiet=hush, zones=tuple(zone.key for zone in self.zones(country, time_zone, region)),
                home=country or (self.countries[0] if self.countries else None), region=region if country else None,
                holidays_of=self.holidays_of, law=never_opens(bars), spared=not bars and not hush,
            )  # fmt: skip
        return self._lanes[key]

    def _windows(
        self, channel: str, purpose: str, country: str | None, region: str | None
    ) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
        """The packs' closed windows, and the quiet hours: those of the files united, and of the packs where the project
        is silent. The recipient's and the sender's packs both hold (rules.md: strictest wins)."""
        if purpose == "transactional" or (purpose == "service" and channel not in SERVICE_CHANNELS):
            return (), ()
        packs = ruling(self.packs, country, self.countries[0] if self.countries else None)
        quiet = [*self.quiet.get("all", ()), *self.quiet.get(channel, ())]
        if not self.own & {"all", channel}:
            quiet += (window for pack in packs for window in pack.quiet.get(channel, ()))
        closed: list[Window] = []
        if purpose == "marketing":
            closed += (window for pack in packs for window in pack.closed.get(channel, ()))
            if region and country:
                closed += pack_of(self.packs, country).regions.get(region.removeprefix(f"{country}-"), {}).get(channel, ())
        return (
            tuple(dict.fromkeys(closed)) if guards.on("pack") else (),
            tuple(dict.fromkeys(quiet)) if guards.on("quiet_hours") else (),
        )


def _same_time(walk: Iterator[tuple[datetime, datetime]], at: TimeOfDay, zone: ZoneInfo, last: datetime) -> datetime | None:
    """The first free moment at this time of day in the working zone, or None when none comes by `last`."""
    for begin, end in walk:
        moment = timing.next_time(at, begin - _SECOND / 1000, zone)
        if moment < end:
            return moment if moment <= last else None
        if end > last:
            return None
    return None


def _place(opening: tuple[datetime, datetime], last: datetime, key: bytes | None, spread: timedelta | Duration) -> datetime:
    """The opening itself, or its hashed place within `spread`, inside the free stretch and not after `last`."""
    begin, end = opening
    length = spread.about if isinstance(spread, Duration) else spread
    room = min(length, end - begin, last - begin)
    return begin if key is None or room <= _NO_SPREAD else begin + timing.spread(key, room)


# --- compiling ----------------------------------------------------------------------------------------------------------
def _block_span(number: int) -> tuple[datetime, datetime]:
    begin = datetime.fromordinal(number * BLOCK_DAYS).replace(tzinfo=UTC)
    return begin, begin + BLOCK_DAYS * _DAY


@lru_cache(maxsize=65536)
def compile_block(
    windows: tuple[Window, ...], zones: tuple[str, ...], country: str | None, region: str | None, holidays_of: HolidaysOf,
    number: int,
) -> Edges:  # fmt: skip
    """The blocked time of one block of 8 UTC days, united over all zones, as flat edges; clipped to the block."""
    spans: list[tuple[datetime, datetime]] = []
    seen: set[tuple[tuple[datetime, datetime, timedelta], ...]] = set()
    if windows:
        for name in zones:
            parts = offsets(name, number)
            if parts not in seen:
                seen.add(parts)
                for begin, end, offset in parts:
                    spans += _blocked(windows, begin, end, offset, country, region, holidays_of)
    return tuple(edge for span in _merged(spans) for edge in span)


@lru_cache(maxsize=16384)
def offsets(zone: str, number: int) -> tuple[tuple[datetime, datetime, timedelta], ...]:
    """A block cut where the zone's clock changes: (begin, end, offset), so that inside a part wall time is plain."""
    tz = ZoneInfo(zone)
    begin, end = _block_span(number)
    cuts = [begin]
    for day in range(BLOCK_DAYS):
        left, right = begin + day * _DAY, begin + (day + 1) * _DAY
        if _offset(tz, left) != _offset(tz, right):
            cuts.append(_change(tz, left, right))
    return tuple((a, b, _offset(tz, a)) for a, b in zip(cuts, (*cuts[1:], end), strict=True) if a < b)


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _change(zone: ZoneInfo, left: datetime, right: datetime) -> datetime:
    """The first second of the new offset between two instants of one day."""
    old = _offset(zone, left)
    while right - left > _SECOND:
        middle = left + (right - left) // 2
        middle = middle.replace(microsecond=0)
        left, right = (middle, right) if _offset(zone, middle) == old else (left, middle)
    return right


def _blocked(
    windows: tuple[Window, ...], begin: datetime, end: datetime, offset: timedelta, country: str | None, region: str | None,
    holidays_of: HolidaysOf,
) -> Iterator[tuple[datetime, datetime]]:  # fmt: skip
    """The windows of every local day that touches a part of constant offset, as instants clipped to the part."""
    first, last = (begin + offset).date() - _DAY, (end + offset).date()
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - offset
        for window in windows:
            if _falls(window, day, country, region, holidays_of):
                opens = window.start.minutes if window.start else 0
                closes = window.end.minutes if window.end else 1440
                if closes <= opens:
                    closes += 1440
                a, b = max(midnight + timedelta(minutes=opens), begin), min(midnight + timedelta(minutes=closes), end)
                if a < b:
                    yield a, b


def _falls(window: Window, day: date, country: str | None, region: str | None, holidays_of: HolidaysOf) -> bool:
    """Whether the window begins on this local day."""
    if window.holidays:
        home = window.country or country
        return home is not None and day in holidays_of(home, region if window.country in (None, country) else None, day.year)
    return not window.days or day.weekday() in window.days


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Sorted, with touching spans made one."""
    found: list[tuple[datetime, datetime]] = []
    for a, b in sorted(spans):
        if found and a <= found[-1][1]:
            if b > found[-1][1]:
                found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found


@lru_cache(maxsize=1024)
def never_opens(windows: tuple[Window, ...]) -> bool:
    """Whether the windows leave no free minute in any week (holidays left out): what they bar, they bar at any hour."""
    return free_minutes(windows) == 0


@lru_cache(maxsize=1024)
def free_minutes(windows: tuple[Window, ...]) -> int:
    """Free minutes in a plain week, of 10,080; what T002 and PR-06 ask."""
    taken = bytearray(10080)
    for window in windows:
        if window.holidays:
            continue
        opens = window.start.minutes if window.start else 0
        closes = window.end.minutes if window.end else 1440
        length = closes - opens if closes > opens else closes + 1440 - opens
        for day in window.days or range(7):
            for minute in range(opens, opens + length):
                taken[(day * 1440 + minute) % 10080] = 1
    return 10080 - sum(taken)
