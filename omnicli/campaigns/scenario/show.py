"""Scenarios as people read them on a terminal, as a CI's annotations, as JUnit and as JSON; from the same values, in both languages."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.campaigns.scenario.played import Broken, FilePlayed, Played
from omnicli.campaigns.scenario.timeline import told, when
from omnicli.model.spoken import number
from omnicli.text import printable, width
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console

#: Where figures stand behind a name, and the columns in front of a text that is broken into lines.
NAME, INDENT = 66, 14


def show(console: Console, files: Sequence[FilePlayed], *, tail: Sequence[str] = (), seconds: float | None = None) -> None:
    """Each file, its scenarios in order, what failed with its place; then one line of figures. `tail` are figures of others."""
    for file in files:
        console.print(file.file, style="bold")
        first = True
        column = _column(console, file)
        for one in file.scenarios:
            _scenario(console, one, spelled=first, column=column)
            first = first and not (one.status == "passed" and one.days)
        _always(console, file)
    console.print()
    console.print(" · ".join([*_figures(files), *tail, *([] if seconds is None else [f"{number(seconds, 1)} s"])]))


def _column(console: Console, file: FilePlayed) -> int:
    """Where the days of a file stand: behind its longest name, as far as the terminal allows."""
    longest = max((width(printable(one.name)) for one in file.scenarios), default=0)
    return min(max(longest, NAME - 6), console.width - 22 if console.is_terminal else longest)


def _scenario(console: Console, one: Played, *, spelled: bool, column: int) -> None:
    from rich.text import Text

    mark, style = {"passed": ("✔", "green"), "failed": ("✘", "bold red"), "skipped": ("–", "yellow")}[one.status]
    days = ""
    if one.status == "passed" and one.days:
        days = (
            several(one.days, ("{n} virtual day", "{n} virtual days"), ("{n} jour virtuel", "{n} jours virtuels"))
            if spelled
            else f"{one.days}"
        )
    name = printable(one.name)
    room = console.width - len(days) - 6
    above = textwrap.wrap(name, room, break_on_hyphens=False) if console.is_terminal and width(name) > room else [name]
    line = Text(" ").append(mark, style=style).append(f" {above[0]}")
    for more in above[1:]:
        line.append(f"\n   {more}")
    line.append(" " * max(2, column + 2 - width(above[-1])) if days else "").append(days, style="dim")
    if one.status == "skipped":
        line.append(t("   skipped: {why}", "   sauté : {why}", why=one.because), style="dim")
    console.print(line)
    if one.failure is not None:
        _failure(console, one)


def _failure(console: Console, one: Played) -> None:
    assert one.failure is not None
    place = f"{one.file}:{one.failure.line}"
    expected, got = t("expected", "attendu"), t("got", "obtenu")
    margin = " " * (len(place) + 5)
    wide = max(len(expected), len(got)) + 3
    _wrapped(console, f"   {place}  {expected:<{wide}}", one.failure.expected, indent=len(margin) + wide)
    _wrapped(console, f"{margin}{got:<{wide}}", one.failure.got, indent=len(margin) + wide)
    if one.timeline:
        _timeline(console, one)


def _timeline(console: Console, one: Played) -> None:
    zone = ZoneInfo(one.lived[0].zone) if one.lived else ZoneInfo("UTC")
    text = told(one.timeline, zone, several=len(one.lived) > 1)
    word = t("timeline", "le fil")
    _wrapped(console, f"   {word:<{INDENT - 3}}", text, indent=INDENT)


def _wrapped(console: Console, head: str, text: str, *, indent: int) -> None:
    """On a terminal broken at blanks to its width, never in a pipe."""
    text = printable(text)
    room = console.width - indent
    if not console.is_terminal or room < 24:
        console.print(head + text)
        return
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    console.print(head + lines[0])
    for line in lines[1:]:
        console.print(" " * indent + line)


def _always(console: Console, file: FilePlayed) -> None:
    from rich.text import Text

    for one, broken in file.broken:
        console.print(Text(" ").append("✘", style="bold red").append(f" always: {printable(broken.breach.promise)}"))
        _wrapped(console, "   ", broken_line(one, broken), indent=3)
        if one.failure is None and one.timeline:
            _timeline(console, one)
    if not file.broken and file.lives:
        properties = several(file.properties, ("{n} property", "{n} properties"), ("{n} propriété", "{n} propriétés"))
        said = f"always ({f'{properties}, ' if file.properties else ''}{several(file.lives, ('{n} life', '{n} lives'), ('{n} vie', '{n} vies'))})"
        console.print(Text(" ").append("✔", style="green").append(f" {said}"))


def broken_line(one: Played, broken: Broken) -> str:
    """Where and when a property was broken, and by what."""
    zone = ZoneInfo(one.lived[0].zone) if one.lived else ZoneInfo("UTC")
    return f"{one.file}:{one.line}  {one.name}   {when(broken.breach.at, zone)}   {broken.breach.what}"


def _figures(files: Sequence[FilePlayed]) -> list[str]:
    scenarios = [one for file in files for one in file.scenarios]
    count = several(len(scenarios), ("{n} scenario", "{n} scenarios"), ("{n} scénario", "{n} scénarios"))
    failed = sum(file.failed for file in files)
    skipped = sum(one.status == "skipped" for one in scenarios)
    broken = sum(len(file.broken) for file in files)
    found = [count + (t(", {n} failed", ", {n} en échec", n=failed) if failed else "")]
    if skipped:
        found.append(t("{n} skipped", "{n} sautés", n=skipped))
    if broken:
        found.append(t("{n} properties broken", "{n} propriétés enfreintes", n=broken))
    return found


# --- for machines ---------------------------------------------------------------------------------------------------
def github(files: Sequence[FilePlayed]) -> list[str]:
    """`::error` lines: a CI shows them at their places."""
    lines = []
    for one in (one for file in files for one in file.scenarios):
        if one.failure is not None:
            text = t("expected {e}, got {g}", "attendu {e}, obtenu {g}", e=one.failure.expected, g=one.failure.got)
            lines.append(_error(one.file, one.failure.line, one.failure.column, one.name, text))
        lines += [
            _error(one.file, one.line, 1, f"always: {broken.breach.promise}", broken_line(one, broken)) for broken in one.broken
        ]
    return lines


def _error(file: str, line: int, column: int, title: str, text: str) -> str:
    return f"::error file={_property(file)},line={line},col={column},title={_property(title)}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def junit(files: Sequence[FilePlayed]) -> str:
    """One suite a file, one case a scenario and one for its properties; time is virtual, in days."""
    root = ElementTree.Element("testsuites")
    for file in files:
        cases = [*file.scenarios]
        suite = ElementTree.SubElement(
            root, "testsuite", name=file.file, tests=str(len(cases) + 1), failures=str(file.failed + bool(file.broken)), errors="0",
            skipped=str(sum(one.status == "skipped" for one in cases)), time="0",
        )  # fmt: skip
        for one in cases:
            _case(suite, file, one)
        always = ElementTree.SubElement(suite, "testcase", name="always", classname=file.file, file=file.file, time="0")
        for one, broken in file.broken:
            failure = ElementTree.SubElement(always, "failure", message=_xml(f"always: {broken.breach.promise}"), type="always")
            failure.text = _xml(broken_line(one, broken))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, file: FilePlayed, one: Played) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=_xml(one.name), classname=file.file, file=one.file, line=str(one.line), time="0"
    )
    properties = ElementTree.SubElement(case, "properties")
    ElementTree.SubElement(properties, "property", name="virtual_days", value=str(one.days))
    if one.status == "skipped":
        ElementTree.SubElement(case, "skipped", message=_xml(one.because or ""))
    if one.failure is not None:
        expected, got = one.failure.expected, one.failure.got
        failure = ElementTree.SubElement(case, "failure", message=_xml(f"expected {expected}, got {got}"), type="expect")
        zone = ZoneInfo(one.lived[0].zone) if one.lived else ZoneInfo("UTC")
        failure.text = _xml(
            f"{one.file}:{one.failure.line}\nexpected {expected}\ngot {got}\n{told(one.timeline, zone, several=len(one.lived) > 1)}"
        )


def _xml(text: str) -> str:
    """Without the characters that XML has no form for."""
    return "".join(letter for letter in text if letter >= " " or letter in "\n\t")


def as_json(files: Sequence[FilePlayed]) -> dict[str, Any]:
    """The result of `--json`: scenarios with status, failure, timeline; figures."""
    scenarios = [one for file in files for one in file.scenarios]
    return {
        "files": [{"file": f.file, "campaign": f.campaign, "properties": f.properties, "scenarios": [_one(one) for one in f.scenarios]} for f in files],
        "scenarios": len(scenarios), "failed": sum(one.status == "failed" for one in scenarios),
        "skipped": sum(one.status == "skipped" for one in scenarios), "broken": sum(len(one.broken) for one in scenarios),
    }  # fmt: skip


def _one(one: Played) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": one.name, "line": one.line, "status": one.status, "virtual_days": one.days, "arms": dict(one.arms),
        "timeline": [{"at": _iso(m.at), "who": m.who, "text": m.text} for m in one.timeline],
        "touches": [{"who": life.who, **touch} for life in one.lived for touch in life.touches],
        "broken": [{"who": b.who, "promise": b.breach.promise, "at": _iso(b.breach.at), "what": b.breach.what} for b in one.broken],
    }  # fmt: skip
    if one.failure is not None:
        f = one.failure
        found["failure"] = {"file": one.file, "line": f.line, "column": f.column, "expected": f.expected, "got": f.got}
    if one.because is not None:
        found["because"] = one.because
    return found


def _iso(instant: datetime) -> str:
    return clock.iso(instant)
