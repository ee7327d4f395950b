"""The only module that reads the machine's clock; everywhere else the instant is an argument."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from omnicli.texts import t

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
#: The years in which an instant may be written: nothing here happened before, and calendars end not long after.
YEARS = (1900, 2199)


def now() -> datetime:
    """The present instant, aware, UTC, cut to milliseconds (what the store keeps)."""
    return from_ms(to_ms(datetime.now(UTC)))


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware instant; a naive one is a ValueError."""
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime {instant!r}: instants carry a zone")
    return (instant - EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """The aware UTC instant of stored milliseconds."""
    return EPOCH + timedelta(milliseconds=ms)


def wall(moment: datetime, zone: tzinfo) -> datetime:
    """The instant (aware, UTC) of the naive wall time `moment` in `zone`.

    A wall time that does not exist moves forward by the gap (Paris, 28 March 2027, 02:30 is 03:30); one that exists
    twice means the first.
    """
    return moment.replace(tzinfo=zone, fold=0).astimezone(UTC)


def iso(instant: datetime) -> str:
    """`2027-01-04T10:30:00Z`; milliseconds only when there are any."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds" if instant.microsecond else "seconds")
    return text.replace("+00:00", "Z")


_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(Z|[+-]\d{2}:?\d{2})?")


def read_instant(text: str, zone: str) -> datetime:
    """An instant written `2027-01-04`, `2027-01-04 10:30` (wall time in `zone`) or with `Z`/offset; else ValueError."""
    stripped = text.strip()
    if not _WRITTEN.fullmatch(stripped):
        raise ValueError(
            t("'{text}' is not a date and time such as 2027-01-04 10:30", "« {text} » n'est pas une date et une heure telles que 2027-01-04 10:30",
              text=text)
        )  # fmt: skip
    try:
        parsed = datetime.fromisoformat(stripped)
    except ValueError as error:
        raise ValueError(
            t("'{text}': {error}", "« {text} » : il n'y a pas de tel jour ou de telle heure", text=text, error=error)
        ) from None
    if not YEARS[0] <= parsed.year <= YEARS[1]:
        raise ValueError(
            t("'{text}': the year is not between {least} and {most}", "« {text} » : l'année n'est pas entre {least} et {most}",
              text=text, least=YEARS[0], most=YEARS[1])
        )  # fmt: skip
    return parsed.astimezone(UTC) if parsed.tzinfo else wall(parsed, ZoneInfo(zone))


def monotonic() -> float:
    """Seconds that never run backwards: to see whether the wall clock was moved (docs/delivery 13)."""
    return time.monotonic()


def awake() -> float:
    """Seconds that never run backwards and count the time a machine slept: to see whether this process was frozen."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
