"""Two texts word by word: what stayed, what went, what came, in reading order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from omnicli.campaigns.diff.compare import Change

#: Below so many characters a text is read as one thing.
SHORT = 12
_WORD = re.compile(r"\{[^{}\n]*\}|\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text that both have (` `), only the first (`-`) or only the second (`+`)."""

    sign: Literal[" ", "-", "+"]
    text: str


def spans(c: Change) -> tuple[Run, ...]:
    """The runs of one change; a short value (a price, a date) goes and comes as a whole."""
    if c.before is None or c.after is None or min(len(c.before), len(c.after)) < SHORT:
        gone = (Run("-", c.before),) if c.before else ()
        return (*gone, Run("+", c.after)) if c.after else gone
    return runs(c.before, c.after)


def runs(before: str, after: str) -> tuple[Run, ...]:
    """The shortest way from one text to the other, by whole words; placeholders are words, and a lone space between two changes
    belongs to them."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    found: list[Run] = []
    for tag, a, b, c, d in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Run(" ", "".join(old[a:b])))
            continue
        if b > a:
            found.append(Run("-", "".join(old[a:b])))
        if d > c:
            found.append(Run("+", "".join(new[c:d])))
    return tuple(_joined(found))


def _joined(found: list[Run]) -> list[Run]:
    """`-a +b ␣ -c +d` reads better as `-a c +b d`."""
    out: list[Run] = []
    n = 0
    while n < len(found):
        if found[n].sign == " ":
            out.append(found[n])
            n += 1
            continue
        gone, came = "", ""
        while n < len(found) and (found[n].sign != " " or (found[n].text.isspace() and n + 1 < len(found))):
            gone += found[n].text if found[n].sign != "+" else ""
            came += found[n].text if found[n].sign != "-" else ""
            n += 1
        trailing = _common_space(gone, came)
        gone, came = gone[: len(gone) - len(trailing)], came[: len(came) - len(trailing)]
        out += [Run("-", gone)] if gone else []
        out += [Run("+", came)] if came else []
        out += [Run(" ", trailing)] if trailing else []
    return out


def _common_space(gone: str, came: str) -> str:
    a, b = gone[len(gone.rstrip()) :], came[len(came.rstrip()) :]
    return a if a == b else ""
