"""The flow as one picture (SVG 1.1): cards from top to bottom, a column for each branch, lines as broad as the crowd on them.

Sizes are in pixels. The picture carries its own style, by day and by night, and needs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap

from omnicli.campaigns.graph.sketch import Box, Lane, Sketch
from omnicli.look import ICONS, channel_name
from omnicli.model import spoken
from omnicli.model.spoken import number
from omnicli.texts import t

CARD, GAP, RISE = 232, 28, 34
PILL = 26
#: Lines below the title at most, and letters in one of them.
DETAIL, LETTERS = 2, 33
_STYLE = """
.flow{--ink:#22201d;--soft:#6b665f;--line:#cfc8bd;--card:#fffdfa;--edge:#e0d9ce;--pill:#f1ece3;--email:#4c5fd5;--sms:#0f8a6a;--whatsapp:#1f9d4d;
--messenger:#0a72e8;--push:#c4620f;--voice:#a63d92;--letter:#8a6a3c;--qr:#4b5563;--task:#b8432a;--webhook:#5b6b7c;
font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){.flow{--ink:#eeebe6;--soft:#aba59d;--line:#4a474c;--card:#242328;--edge:#3a383d;--pill:#323036;--email:#94a2ff;
--sms:#52c9a6;--whatsapp:#5fd38b;--messenger:#67aeff;--push:#f0a05a;--voice:#de8fcf;--letter:#d3b27f;--qr:#b6bfcc;--task:#f08a70;--webhook:#a6b4c3}}
.flow text{fill:var(--ink)}.flow .t{font-weight:600}.flow .s{fill:var(--soft);font-size:11.5px}.flow .i{fill:var(--soft);font:10.5px ui-monospace,Menlo,Consolas,monospace}
.flow .n{font-variant-numeric:tabular-nums;font-weight:600;font-size:12px}.flow .way{fill:none;stroke:var(--line);stroke-linejoin:round}
.flow .card{fill:var(--card);stroke:var(--edge)}.flow .wait .card{stroke-dasharray:5 4}.flow .end .card,.flow .pill{fill:var(--pill);stroke:none}
.flow .bar{fill:var(--c,var(--soft))}.flow .icon{fill:none;stroke:var(--c);stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A drawn part: its size, and what it draws when its upper middle stands at (x, y)."""

    width: float
    height: float
    box: Box | None = None
    lane: Lane | None = None
    parts: tuple[Placed, ...] = field(default=())


def svg(sketch: Sketch) -> str:
    """The whole picture, as the text of an SVG file."""
    body = _lay(sketch.lane)
    pen = _Pen(max(sketch.counts.entered, 1) if sketch.counts else 0)
    width, head = body.width + 2 * GAP, 118.0
    middle, end = width / 2, head + body.height
    marks = [*_head(sketch, middle), *pen.lane(body, middle, head)]
    pen.way(_down(middle, 82, head), sketch.lane.took)
    if sketch.lane.flows_on:
        marks += _end(middle, end)
        end += 40
    height = end + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}" role="img" '
        f'aria-label="{escape(t("The flow of {name}", "Le parcours de {name}", name=sketch.campaign))}"><style>{_STYLE}</style>'
        f"{''.join(pen.ways)}{''.join(marks)}</svg>\n"
    )


# --- sizes -----------------------------------------------------------------------------------------------------------
def _lay(lane: Lane) -> Placed:
    """A lane: its boxes below each other, as wide as the widest."""
    parts = tuple(_lay_box(box) for box in lane.boxes)
    height = sum(part.height for part in parts) + RISE * max(0, len(parts) - 1)
    widest = max((part.width for part in parts), default=min(CARD, _pill_width(lane)))
    return Placed(widest, height, lane=lane, parts=parts)


def _lay_box(box: Box) -> Placed:
    """A box, with its lanes side by side below it."""
    tall = _tall(box)
    if not box.lanes:
        return Placed(CARD, tall, box=box)
    lanes = tuple(_lay(lane) for lane in box.lanes)
    width = sum(lane.width for lane in lanes) + GAP * (len(lanes) - 1)
    deepest = max(lane.height for lane in lanes)
    return Placed(
        max(CARD, width), tall + RISE + PILL + (RISE * 0.6 if deepest else 0) + deepest + RISE * 0.8, box=box, parts=lanes
    )


def _tall(box: Box) -> float:
    """Height of a card: its title, the lines below it, and a row of channels for what goes out."""
    return 34 + 16 * len(_below(box)) + (26 if box.channels else 0)


def _below(box: Box) -> tuple[str, ...]:
    """The lines below the title: the step's id, and what else is to be said of it."""
    text = " · ".join(part for part in (box.id if box.named else "", box.detail) if part)
    return tuple(wrap(text, LETTERS, max_lines=DETAIL, placeholder=" …"))


# --- drawing ---------------------------------------------------------------------------------------------------------
class _Pen:
    """Draws placed parts; `ways` are collected apart, so that they lie under the cards."""

    def __init__(self, entered: int) -> None:
        self.entered = entered
        self.ways: list[str] = []

    def lane(self, placed: Placed, x: float, y: float) -> Iterator[str]:
        """A lane from (x, y) down."""
        assert placed.lane is not None
        took = placed.lane.took
        for n, part in enumerate(placed.parts):
            assert part.box is not None
            if n:
                self.way(_down(x, y - RISE, y), part.box.came)
            else:
                self.way(_down(x, y - RISE * 0.6, y), took)
            yield from self.box(part, x, y)
            y += part.height + RISE

    def box(self, placed: Placed, x: float, y: float) -> Iterator[str]:
        """A card whose upper middle is (x, y), and its lanes."""
        box = placed.box
        assert box is not None
        yield _card(box, x - CARD / 2, y)
        if not placed.parts:
            return
        yield from self.fork(placed, box, x, y + _tall(box))

    def fork(self, placed: Placed, box: Box, x: float, y: float) -> Iterator[str]:
        """The lanes of a branching box side by side, and the line on which they meet again."""
        left = x - (sum(p.width for p in placed.parts) + GAP * (len(placed.parts) - 1)) / 2
        foot = y + placed.height - _tall(box)
        top = y + RISE
        for part in placed.parts:
            lane = part.lane
            assert lane is not None
            middle = left + part.width / 2
            self.way(_bend(x, y, middle, top), lane.took)
            yield _pill(lane, middle, top)
            below = top + PILL
            if part.parts:
                yield from self.lane(part, middle, below + RISE * 0.6)
                below += RISE * 0.6 + part.height
            if lane.flows_on:
                self.way(_meet(middle, below, x, foot), lane.took)
            left += part.width + GAP

    def way(self, path: str, count: int | None) -> None:
        """A line, as broad as its share of everybody who entered."""
        broad = 1.6 if count is None or not self.entered else 1.5 + 7.0 * count / self.entered
        faint = ' opacity=".45"' if count == 0 else ""
        self.ways.append(f'<path class="way" d="{path}" stroke-width="{_n(broad)}"{faint}/>')


def _card(box: Box, x: float, y: float) -> str:
    tall = _tall(box)
    kind = {"wait": "wait", "exit": "end", "go": "end"}.get(box.verb, box.verb)
    first = next((channel for channel in box.channels if channel in ICONS), "")
    colour = f' style="--c:var(--{first})"' if first else ""
    hover = escape(" · ".join(part for part in (box.id, box.title, box.detail) if part))
    out = [
        f'<g class="{kind}"{colour}><title>{hover}</title><rect class="card" x="{_n(x)}" y="{_n(y)}" width="{CARD}" height="{_n(tall)}" rx="9"/>'
    ]
    if box.channels:
        out.append(f'<rect class="bar" x="{_n(x)}" y="{_n(y + 10)}" width="3.5" height="{_n(tall - 20)}" rx="1.7"/>')
        out.append(_icons(box, x + 14, y + tall - 25))
    room = CARD - 28 - (46 if box.came is not None else 0)
    out.append(f'<text class="t" x="{_n(x + 14)}" y="{_n(y + 22)}">{escape(_fit(box.title, room, "t"))}</text>')
    for n, text in enumerate(_below(box)):
        out.append(f'<text class="s" x="{_n(x + 14)}" y="{_n(y + 39 + 16 * n)}">{escape(text)}</text>')
    if box.came is not None:
        out.append(f'<text class="n" x="{_n(x + CARD - 12)}" y="{_n(y + 22)}" text-anchor="end">{number(box.came)}</text>')
    if box.here:
        here = t("{n} here", "{n} ici", n=number(box.here))
        out.append(f'<text class="s" x="{_n(x + CARD - 12)}" y="{_n(y + tall - 11)}" text-anchor="end">{escape(here)}</text>')
    return "".join([*out, "</g>"])


def _icons(box: Box, x: float, y: float) -> str:
    """The channels of a send in their order, small."""
    out = []
    for n, channel in enumerate(box.channels[:6]):
        shape = ICONS.get(channel)
        if shape is None:
            out.append(f'<text class="s" x="{_n(x)}" y="{_n(y + 12)}">{escape(spoken.word(channel))}</text>')
            x += 7 * len(channel) + 8
            continue
        out.append(
            f'<g class="icon {channel}" style="--c:var(--{channel});opacity:{1 if n == 0 else 0.6}" transform="translate({_n(x)} {_n(y)}) scale(.66)">'
            f"<title>{escape(channel_name(channel))}</title>{shape}</g>"
        )
        x += 20
    return "".join(out)


def _pill_text(lane: Lane) -> str:
    count = f" · {number(lane.took)}" if lane.took is not None else ""
    return _fit(lane.label, CARD - 30 - 7 * len(count), "s") + count


def _pill_width(lane: Lane) -> float:
    return min(CARD, 6.4 * len(_pill_text(lane)) + 22)


def _pill(lane: Lane, x: float, y: float) -> str:
    text, width = _pill_text(lane), _pill_width(lane)
    return (
        f'<g><title>{escape(lane.label)}</title><rect class="pill" x="{_n(x - width / 2)}" y="{_n(y)}" width="{_n(width)}" height="{PILL}" rx="13"/>'
        f'<text class="s" x="{_n(x)}" y="{_n(y + 17)}" text-anchor="middle">{escape(text)}</text></g>'
    )


def _head(sketch: Sketch, x: float) -> Iterator[str]:
    """Who comes in, above the first card."""
    count = f" · {number(sketch.counts.entered)}" if sketch.counts else ""
    enter = _fit(sketch.enter or t("by hand", "à la main"), 420, "t") + count
    width = max(CARD, min(480.0, 7.4 * len(enter) + 40))
    y = 24.0
    yield (
        f'<g class="end"><rect class="card" x="{_n(x - width / 2)}" y="{_n(y)}" width="{_n(width)}" height="58" rx="29"/>'
        f'<text class="t" x="{_n(x)}" y="{_n(y + 25)}" text-anchor="middle">{escape(enter)}</text>'
        f'<text class="s" x="{_n(x)}" y="{_n(y + 43)}" text-anchor="middle">{escape(_fit(_aim(sketch), width - 30, "s"))}</text></g>'
    )


def _aim(sketch: Sketch) -> str:
    parts = [t("goal: {goal}", "but : {goal}", goal=sketch.goal)] if sketch.goal else []
    parts += [t("leave when {what}", "sortir si {what}", what=", ".join(sketch.exits))] if sketch.exits else []
    return " · ".join(parts)


def _end(x: float, y: float) -> Iterator[str]:
    yield f'<path class="way" d="{_down(x, y, y + 22)}" stroke-width="1.600"/><circle class="bar" cx="{_n(x)}" cy="{_n(y + 28)}" r="6"/>'


# --- lines -----------------------------------------------------------------------------------------------------------
def _down(x: float, top: float, bottom: float) -> str:
    return f"M{_n(x)} {_n(top)}V{_n(bottom)}"


def _bend(x: float, y: float, to_x: float, to_y: float) -> str:
    """Down, across and down again, with round corners."""
    if abs(to_x - x) < 1:
        return _down(x, y, to_y)
    turn = y + (to_y - y) / 2
    side = 8 if to_x > x else -8
    return f"M{_n(x)} {_n(y)}V{_n(turn - 8)}Q{_n(x)} {_n(turn)} {_n(x + side)} {_n(turn)}H{_n(to_x - side)}Q{_n(to_x)} {_n(turn)} {_n(to_x)} {_n(turn + 8)}V{_n(to_y)}"


def _meet(x: float, y: float, to_x: float, foot: float) -> str:
    """From the foot of a lane down to the line on which all lanes meet."""
    if abs(to_x - x) < 1:
        return _down(x, y, foot)
    side = 8 if to_x > x else -8
    line = foot - 10
    return f"M{_n(x)} {_n(y)}V{_n(line - 8)}Q{_n(x)} {_n(line)} {_n(x + side)} {_n(line)}H{_n(to_x - side)}Q{_n(to_x)} {_n(line)} {_n(to_x)} {_n(foot)}"


def _fit(text: str, width: float, style: str) -> str:
    """The text cut to what fits, by the mean width of its letters."""
    letter = {"t": 7.2, "s": 6.1, "i": 6.4}[style]
    most = max(4, int(width / letter))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
