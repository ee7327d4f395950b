"""The flow as a page: the picture, and below it the same as an outline, which a phone shows first and a screen reader reads."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from omnicli.campaigns.graph.sketch import Box, Lane, Sketch
from omnicli.campaigns.graph.svg import svg
from omnicli.look import COLOURS, ICONS, channel_name, document, eyebrow, icon
from omnicli.model import spoken
from omnicli.model.spoken import number
from omnicli.texts import t

_CSS = """
main{max-width:1500px;margin:0 auto;padding:26px 22px 60px}
h1{font:500 38px/1.12 var(--serif);letter-spacing:-.014em;text-wrap:balance}
.about{color:var(--soft);margin:8px 0 0;max-width:90ch}.about b{color:var(--ink);font-weight:600}
.picture{margin:26px -22px 0;padding:10px 22px;overflow-x:auto}.picture svg{display:block;margin:0 auto;max-width:none}
.outline{margin:34px 0 0;max-width:760px}.outline h2{font:500 21px/1.2 var(--serif);margin-bottom:10px}
.outline ol{list-style:none;margin:0;padding:0}.outline ol ol{margin-left:11px;padding-left:15px;border-left:2px solid var(--line)}
.outline li{padding:5px 0}.outline>ol>li+li{border-top:1px solid var(--line)}.step{display:flex;gap:8px;align-items:baseline;flex-wrap:wrap}.step svg{align-self:center;color:var(--c)}
.step b{font-weight:600}.step small{color:var(--soft)}.step .n{margin-left:auto;color:var(--soft)}
.branch{display:inline-block;margin:4px 0;padding:2px 11px;border-radius:99px;background:var(--wash);color:var(--tint);font-size:13px}
.foot{color:var(--faint);font-size:12.5px;margin-top:30px}
@media (max-width:640px){main{display:flex;flex-direction:column;padding-top:18px}.outline{order:2;margin-top:20px}.picture{order:3}.foot{order:4}h1{font-size:26px}
.picture svg{width:100%;height:auto}}
@media print{.outline{display:none}}
"""


def page(sketch: Sketch, *, counted: str = "", colours: Mapping[str, str] = COLOURS) -> str:
    """The whole page. `counted` says in a sentence who was counted, when there are counts."""
    body = (
        f"<main><header>{eyebrow(t('Flow', 'Parcours'), sketch.campaign)}<h1>{escape(sketch.title or sketch.campaign)}</h1>{_about(sketch)}</header>"
        f'<div class="picture">{svg(sketch)}</div>'
        f'<section class="outline"><h2>{escape(t("Step by step", "Étape par étape"))}</h2>{_lane(sketch.lane)}</section>'
        f'<p class="foot">{escape(counted)}</p></main>'
    )
    return document(sketch.title or sketch.campaign, body, css=_CSS, colours=colours)


def _about(sketch: Sketch) -> str:
    rows = [
        (t("Comes in", "Entre"), sketch.enter),
        (t("Goal", "But"), sketch.goal),
        (t("Leaves", "Sort"), ", ".join(sketch.exits)),
    ]
    found = " · ".join(f"<b>{escape(name)}</b> {escape(text)}" for name, text in rows if text)
    return f'<p class="about">{found}</p>'


def _lane(lane: Lane) -> str:
    return f"<ol>{''.join(f'<li>{_box(box)}</li>' for box in lane.boxes)}</ol>" if lane.boxes else ""


def _box(box: Box) -> str:
    """One step in words, its branches below it."""
    ways = "".join(map(_way, box.channels))
    said = f"<b>{escape(box.title)}</b> <small>{escape(' · '.join(p for p in (box.id if box.named else '', box.detail) if p))}</small>"
    came = "" if box.came is None else f'<span class="n">{number(box.came)}{_became(box)}</span>'
    lanes = "".join(
        f'<li><span class="branch">{escape(lane.label)}{"" if lane.took is None else f" · {number(lane.took)}"}</span>{_lane(lane)}</li>'
        for lane in box.lanes
    )
    return f'<div class="step">{ways}{said}{came}</div>' + (f"<ol>{lanes}</ol>" if lanes else "")


def _way(channel: str) -> str:
    if channel not in ICONS:
        return f"<small>{escape(spoken.word(channel))}</small>"
    return f'<span class="{channel}" title="{escape(channel_name(channel))}">{icon(channel)}</span>'


def _became(box: Box) -> str:
    """What became of a step's touches, and how many stand there."""
    ordered = sorted(box.touches.items(), key=lambda found: (found[0] not in ICONS, found[0]))
    words = [f"{_word(word)} {number(n)}" for word, n in ordered]
    words += [t("{n} here", "{n} ici", n=number(box.here))] if box.here else []
    return escape(" · " + " · ".join(words)) if words else ""


def _word(word: str) -> str:
    """A channel by its name; what became of a touch that did not leave by its word."""
    if word == "held_out":
        return t("in silence", "en silence")
    return channel_name(word) if word in ICONS else spoken.word(word)
