"""A campaign's flow as what there is to draw: boxes in lanes, lanes in boxes, and how many people went where.

A flow is a list of steps whose branches are lists again and fall through to what follows, so that a drawing needs no layout by
trial: a lane is a column, a branching box a row of columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from omnicli.campaigns.graph.counts import Counts
from omnicli.model import outline, spoken
from omnicli.model.campaign import AnyStep, Call, Campaign, Choose, Exit, Go, Send, Set, Split, Steps, WaitStep
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Lane:
    """One branch: its label, how many took it (None: nobody counted), its boxes. A lane whose last box ends does not flow on."""

    label: str
    key: str
    boxes: tuple[Box, ...]
    took: int | None = None

    @property
    def flows_on(self) -> bool:
        return not self.boxes or not self.boxes[-1].ends


@dataclass(frozen=True, slots=True)
class Box:
    """One step. `title` and `detail` are what a reader sees, `channels` those it may use in their order; `came` is how many reached
    it, `here` how many stand there now, `touches` what became of its touches by word."""

    id: str
    named: bool
    verb: str
    title: str
    detail: str = ""
    channels: tuple[str, ...] = ()
    lanes: tuple[Lane, ...] = ()
    goes: str | None = None
    came: int | None = None
    here: int = 0
    touches: Mapping[str, int] = field(default_factory=dict)

    @property
    def ends(self) -> bool:
        """Whether nobody goes on to the box below it."""
        if self.verb in ("go", "exit"):
            return True
        return bool(self.lanes) and self.verb != "choose" and not any(lane.flows_on for lane in self.lanes)


@dataclass(frozen=True, slots=True)
class Sketch:
    """The whole flow: who comes in, what is aimed at, what ends it, and the main lane."""

    campaign: str
    title: str
    enter: str
    goal: str
    exits: tuple[str, ...]
    lane: Lane
    counts: Counts | None = None

    def boxes(self) -> Iterator[Box]:
        """Every box, in file order."""
        yield from _all(self.lane.boxes)


def sketch(campaign: Campaign, counts: Counts | None = None) -> Sketch:
    """The drawing of this campaign, with counts where they are given."""
    goal = campaign.goal
    return Sketch(
        campaign.campaign, campaign.title, outline.entry(campaign.enter),
        ", ".join(goal.when) + (f" {t('within', 'dans les')} {spoken.time(goal.within)}" if goal.within else "") if goal else "",
        tuple(rule.as_ or rule.if_ or rule.when or "" for rule in campaign.exit),
        Lane("", "", _boxes(campaign.flow, "flow", counts), counts.entered if counts else None), counts,
    )  # fmt: skip


def _all(boxes: Sequence[Box]) -> Iterator[Box]:
    for box in boxes:
        yield box
        for lane in box.lanes:
            yield from _all(lane.boxes)


def _boxes(steps: Steps, path: str, counts: Counts | None) -> tuple[Box, ...]:
    return tuple(_box(step, f"{path}.{i}", counts) for i, step in enumerate(steps))


def _box(step: AnyStep, path: str, counts: Counts | None) -> Box:
    id = step.id or path
    title, detail, channels, goes = _words(step)
    lanes = tuple(
        _branch(id, label, key, _boxes(inner, f"{path}.{key}", counts), counts) for label, key, inner in outline.branches(step)
    )
    came = max(counts.came.get(id, 0), sum(lane.took or 0 for lane in lanes)) if counts else None
    return Box(id, step.id is not None, step.verb, title, detail, channels, lanes, goes, came,
               counts.here.get(id, 0) if counts else 0, counts.touches.get(id, {}) if counts else {})  # fmt: skip


def _branch(id: str, label: str, key: str, boxes: tuple[Box, ...], counts: Counts | None) -> Lane:
    """One branch; where nobody counted who took it, it is who came to its first box."""
    if counts is None:
        return Lane(label, key, boxes)
    took = counts.took.get((id, key), (boxes[0].came or 0) if boxes else 0)
    if boxes:  # whoever took the branch came to its first box, also where nothing was noted of it
        boxes = (replace(boxes[0], came=max(boxes[0].came or 0, took)), *boxes[1:])
    return Lane(label, key, boxes, took)


def _waiting(step: WaitStep) -> str:
    """How long, in a few words: `wait 4 days`, `attendre ≤ 3 jours`; a card is narrow, and French is long."""
    time = spoken.time(step.wait)
    return t("wait {time}", "attendre {time}", time=time.replace("jusqu'à ", "≤\u00a0"))


def _words(step: AnyStep) -> tuple[str, str, tuple[str, ...], str | None]:
    """(title, detail, channels, where a `go` leads)."""
    match step:
        case Send():
            when = "" if str(step.at) == "now" else spoken.time(step.at)
            detail = [when] if when else []
            detail += [f"if {step.if_}"] if step.if_ else []
            return step.send, " · ".join(detail), (step.by, *step.else_), None
        case WaitStep():
            return _waiting(step), "", (), None
        case Choose():
            return t("which is true?", "selon le cas"), "", (), None
        case Split():
            return (
                t("by chance", "au hasard"),
                t("measures {what}", "mesure {what}", what=step.measure) if step.measure else "",
                (),
                None,
            )
        case Set():
            return t("note", "noter"), ", ".join(f"{name} {change}" for name, change in step.set.items()), (), None
        case Call():
            return t("call {what}", "appeler {what}", what=step.call), "", ("webhook",), None
        case Go():
            return t("go to {step}", "aller à {step}", step=step.go), "", (), step.go
        case Exit():
            return t("leave: {reason}", "sortir : {reason}", reason=step.exit), "", (), None
    raise AssertionError(f"no words for {type(step).__name__}")
