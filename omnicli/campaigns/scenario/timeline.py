"""A life in a few words: what the person did, what was decided for them, what left; in the order of time and in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import groupby
from typing import Any

from omnicli import clock
from omnicli.campaigns.scenario.played import Moment
from omnicli.campaigns.scenario.read import Decided, Pass, Sent
from omnicli.model import spoken
from omnicli.texts import language, t

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim.")
_MONTHS = (
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
)


def when(instant: datetime, zone: tzinfo, *, weekday: bool = True) -> str:
    """`Tue 5 Jan 10:00`, `mar. 5 janv. 10:00`; without the weekday `05 Jan 10:00`."""
    local, french = instant.astimezone(zone), language() != "en"
    month = _MONTHS[french][local.month - 1]
    day = f"{_DAYS[french][local.weekday()]} {local.day}" if weekday else f"{local.day:02d}"
    return f"{day} {month} {local:%H:%M}" + (f":{local:%S}" if local.second else "")


def entries(decisions: Sequence[Decided], passes: Sequence[Pass], touches: Sequence[Sent]) -> Iterator[tuple[datetime, str]]:
    """(instant, words) of everything that was decided about one person, and of how each touch ended."""
    ended = {one.id: one for one in passes}
    failed = {(one.step, one.channel): one for one in touches if not one.accepted}
    for _, lines in groupby(decisions, key=lambda line: line.decision):
        for line in lines:
            said = _line(line, failed)
            if said:
                yield line.at, said
    for one in ended.values():
        if one.ended_at is not None:
            yield one.ended_at, t("left: {reason}", "sort : {reason}", reason=spoken.named(str(one.reason)))


def _line(line: Decided, failed: dict[tuple[str, str], Sent]) -> str:
    step = t("{s}:", "{s} :", s=line.step)
    match line.rule:
        case "enter when" | "enter on" | "enter at" | "enter every" | "enter if":
            return _entered(line.values)
        case "channels":
            refusals = ", ".join(f"{channel} ✘ {spoken.word(str(why)).replace('_', ' ')}" for channel, why in line.values.items())
            return f"{step} {refusals}"
        case "send":
            end = failed.get((line.step, line.answer))
            if end is not None:
                return f"{step} {line.answer} ✘ {spoken.word(end.state)}" + (
                    f" ({spoken.word(end.reason)})" if end.reason else ""
                )
            return f"{step} {line.answer} ✔"
        case "skip":
            return t("{s} skipped, {why}", "{s} écarté, {why}", s=step, why=spoken.named(line.answer))
        case "wait" if line.answer == "nothing" or "until" not in line.values:
            return f"{step} {line.answer}"
        case "choose" | "split":
            return f"{step} {line.answer}"
        case "set":
            return f"{step} {line.answer}"
        case "holdout":
            return t("{s} held out", "{s} groupe témoin", s=step)
        case _ if line.answer == "held":
            return t("{s} held, {guard}", "{s} retenu, {guard}", s=step, guard=spoken.named(line.rule))
    return ""


def _entered(values: Any) -> str:
    persona = values.get("persona")
    said = t("entered as {p}", "entre comme {p}", p=persona) if persona else t("entered", "entre")
    return said + (t(", held out", ", groupe témoin") if values.get("held_out") else "")


def told(moments: Iterable[Moment], zone: tzinfo, *, several: bool) -> str:
    """The timeline as one text: instants are parted by ` ─ `, what happens at one of them by commas."""
    found: list[str] = []
    for at, group in groupby(sorted(moments, key=lambda m: clock.to_ms(m.at)), key=lambda m: m.at):
        words = ", ".join(dict.fromkeys((f"{m.who}: " if several and m.who else "") + m.text for m in group))
        found.append(f"{when(at, zone, weekday=False)} {words}")
    return " ─ ".join(found)
