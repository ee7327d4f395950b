"""Rows of text in columns that fit the terminal; in a pipe nothing is cut, nothing is padded at the end of a line.

Also how figures, money and instants are written for people, in the language in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from omnicli.errors import OmniError
from omnicli.model.spoken import ago as ago
from omnicli.model.spoken import cash as cash
from omnicli.model.spoken import number as number
from omnicli.text import printable, width
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

#: A cell is text, or (text, rich style).
Cell = str | tuple[str, str]

_DAYS = (("Mon", "lun."), ("Tue", "mar."), ("Wed", "mer."), ("Thu", "jeu."), ("Fri", "ven."), ("Sat", "sam."), ("Sun", "dim."))
_MONTHS = (
    ("Jan", "janv."), ("Feb", "févr."), ("Mar", "mars"), ("Apr", "avr."), ("May", "mai"), ("Jun", "juin"), ("Jul", "juil."),
    ("Aug", "août"), ("Sep", "sept."), ("Oct", "oct."), ("Nov", "nov."), ("Dec", "déc."),
)  # fmt: skip


def lay(
    console: Console, rows: Sequence[Sequence[Cell]], *, right: Sequence[int] = (), shrink: int | None = None, indent: int = 0,
    ragged: bool = False,
) -> None:  # fmt: skip
    """Print rows in columns two spaces apart; `right` are flush right, `shrink` gives way where the terminal is narrow: the
    same for all rows, or, when `ragged`, in each row as much as that row needs. In a pipe it is never cut."""
    if not rows:
        return
    columns = max(len(row) for row in rows)
    widths = [max((width(_text(row[i])) for row in rows if i < len(row)), default=0) for i in range(columns)]
    most = console.width - indent if console.is_terminal else 100_000
    if shrink is not None and not ragged:
        widths[shrink] = max(min(widths[shrink], widths[shrink] + most - sum(widths) - 2 * (columns - 1)), 8)
        if not console.is_terminal:
            ragged = True
    for row in rows:
        console.print(_line(row, widths, set(right), indent, shrink if ragged else None, most), soft_wrap=True)


def _line(row: Sequence[Cell], widths: Sequence[int], right: set[int], indent: int, ragged: int | None, most: int) -> Text:
    from rich.text import Text

    last = max((i for i, cell in enumerate(row) if _text(cell)), default=-1)
    line = Text(" " * indent)
    for i, cell in enumerate(row[: last + 1]):
        if i == ragged:
            others = sum(width(_text(c)) if n > i else widths[n] for n, c in enumerate(row[: last + 1]) if n != i)
            text = cut(_text(cell), max(most - others - 2 * last, 8))
        else:
            text = cut(_text(cell), widths[i])
        gap = " " * max(widths[i] - width(text), 0)
        line.append(gap if i in right else "")
        line.append(text, _style(cell))
        if i < last:
            line.append("" if i in right or i == ragged else gap)
            line.append("  ")
    return line


def cut(text: str, most: int) -> str:
    """The text in at most so many columns, with `…` where it had to be cut."""
    if width(text) <= most:
        return text
    kept = ""
    for letter in text:
        if width(kept + letter) > most - 1:
            break
        kept += letter
    return kept.rstrip() + "…"


def _text(cell: Cell) -> str:
    return printable(cell if isinstance(cell, str) else cell[0])


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else cell[1]


# --- figures and instants -------------------------------------------------------------------------------------------
def share(part: int, whole: int) -> str:
    """`8 %`, `0.4 %`, or nothing when there is no whole."""
    if not whole:
        return ""
    percent = 100 * part / whole
    return f"{number(percent, 1 if 0 < percent < 10 else 0)} %"


def day(instant: datetime, zone: tzinfo) -> str:
    """`Tue 05 Jan` in that zone."""
    local = instant.astimezone(zone)
    return f"{t(*_DAYS[local.weekday()])} {local.day:02d} {t(*_MONTHS[local.month - 1])}"


def moment(instant: datetime, zone: tzinfo) -> str:
    """`Tue 05 Jan 10:00` in that zone."""
    return f"{day(instant, zone)} {instant.astimezone(zone):%H:%M}"


def length(text: str) -> timedelta:
    """A duration as the command line takes it: `7d`, `2h`, `90m`, `10s`, or in full, `3 days`; OmniError otherwise."""
    import re

    found = re.fullmatch(r"\s*(\d{1,6})\s*([a-z]+)\s*", text)
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    units |= {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
    unit = units.get(found[2]) or units.get(found[2].rstrip("s")) if found else None
    if not found or not unit or not int(found[1]):
        raise OmniError(t("'{text}' is not a length of time", "« {text} » n'est pas une durée", text=text),
                        hint=t("write 7d, 2h, 90m or 10s", "écrivez 7d, 2h, 90m ou 10s"), code="usage")  # fmt: skip
    return timedelta(seconds=int(found[1]) * unit)
