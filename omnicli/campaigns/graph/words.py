"""The flow as text for other tools: Mermaid for pull requests and documents, dot for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from omnicli.campaigns.graph.sketch import Box, Lane, Sketch
from omnicli.look import channel_name
from omnicli.texts import t

#: How Mermaid draws each verb: what stands before and behind its text.
_SHAPES = {"send": ("[", "]"), "wait": ("(", ")"), "choose": ("{", "}"), "split": ("{", "}"), "set": ("[/", "/]"), "call": ("[[", "]]"),
           "go": ("([", "])"), "exit": ("([", "])")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edge:
    """From one box to another: `label` of the branch, how many took it."""

    start: str
    end: str
    label: str = ""
    took: int | None = None


def edges(sketch: Sketch) -> tuple[Edge, ...]:
    """Every way from box to box; `enter` is where people come from, `end` where they go at last."""
    return tuple(_lane(sketch.lane, "enter", "end", "", sketch.lane.took))


def _lane(lane: Lane, before: str, after: str, label: str, took: int | None) -> Iterator[Edge]:
    """The ways through a lane that is reached from `before` and falls through to `after`."""
    if not lane.boxes:
        yield Edge(before, after, label, took)
        return
    yield Edge(before, lane.boxes[0].id, label, took)
    for here, box in enumerate(lane.boxes):
        below = lane.boxes[here + 1].id if here + 1 < len(lane.boxes) else after
        yield from _box(box, below)


def _box(box: Box, below: str) -> Iterator[Edge]:
    if box.verb == "exit":
        return
    for inner in box.lanes:
        yield from _lane(inner, box.id, below, inner.label, inner.took)
    if box.goes is not None:
        yield Edge(box.id, box.goes)
    elif not box.lanes or _may_pass(box):
        yield Edge(box.id, below, t("none", "aucune") if box.lanes else "")


def _may_pass(box: Box) -> bool:
    """A choice without `else` lets people through."""
    return box.verb == "choose" and not any(lane.label == "else" for lane in box.lanes)


def mermaid(sketch: Sketch) -> str:
    """A Mermaid flowchart (`flowchart TD`), for a pull request."""
    names = {box.id: f"s{n}" for n, box in enumerate(sketch.boxes())}
    names |= {"enter": "enter", "end": "fin"}
    lines = ["flowchart TD", f"  enter([{_quoted(sketch.enter or t('by hand', 'à la main'))}])"]
    for box in sketch.boxes():
        opens, closes = _SHAPES[box.verb]
        lines.append(f"  {names[box.id]}{opens}{_quoted(_text(box, '<br>'))}{closes}")
    found = edges(sketch)
    if any(edge.end == "end" for edge in found):
        lines.append(f"  fin([{_quoted(t('end', 'fin'))}])")
    for edge in found:
        label = _label(edge)
        arrow = f"-->|{_quoted(label)}|" if label else "-->"
        lines.append(f"  {names[edge.start]} {arrow} {names[edge.end]}")
    return "\n".join(lines) + "\n"


def dot(sketch: Sketch) -> str:
    """A digraph in the dot language, for Graphviz."""
    lines = [f"digraph {_dotted(sketch.campaign)} {{", "  node [shape=box, style=rounded, fontname=sans];", "  edge [fontname=sans, fontsize=10];",
             f"  enter [shape=plain, label={_dotted(sketch.enter)}];", f"  end [shape=plain, label={_dotted(t('end', 'fin'))}];"]  # fmt: skip
    lines += [f"  {_dotted('s.' + box.id)} [label={_dotted(_text(box, chr(10)))}];" for box in sketch.boxes()]
    for edge in edges(sketch):
        ends = [name if name in ("enter", "end") else _dotted("s." + name) for name in (edge.start, edge.end)]
        label = f" [label={_dotted(_label(edge))}]" if _label(edge) else ""
        lines.append(f"  {ends[0]} -> {ends[1]}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _text(box: Box, line: str) -> str:
    """What stands in a box of either."""
    ways = " → ".join(channel_name(channel) for channel in box.channels)
    rows: Sequence[str] = [box.title, ways, box.detail, box.id if box.named else ""]
    return line.join(row for row in rows if row)


def _label(edge: Edge) -> str:
    count = f" ({edge.took})" if edge.took is not None and edge.label else ""
    return edge.label + count


def _quoted(text: str) -> str:
    """Text that Mermaid takes as it is: in quotes, with what it would read as its own written as entities."""
    for sign, entity in (("&", "#amp;"), ('"', "#quot;"), ("<br>", "\x00"), ("<", "#lt;"), (">", "#gt;"), ("\x00", "<br>")):
        text = text.replace(sign, entity)
    return f'"{text}"'


def _dotted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
