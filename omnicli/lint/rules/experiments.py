"""Family X: a test can show what it is for: enough people, arms that stay, a measure that people make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from omnicli.lint.ground import Chapter, Ground, Path_
from omnicli.lint.rule import rule
from omnicli.lint.steps import at, messages_sent, steps
from omnicli.measure.size import per_arm
from omnicli.model.campaign import Split
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.written import unknown
from omnicli.texts import t

#: What X001 reckons with: a difference of two points, eight weeks (own: longer tests meet other seasons), and how many reach a goal that names no target.
POINTS, WEEKS, USUAL = 2, 8, 0.05


def _splits(chapter: Chapter) -> Iterator[tuple[Path_, Split]]:
    for path, step in steps(chapter.campaign):
        if isinstance(step, Split) and not unknown(step.split):
            yield path, step


@rule("X001")
def too_small(ground: Ground) -> Iterator[Finding]:
    """The smallest arm gets fewer people in eight weeks than a difference of two points needs."""
    if ground.census is None:
        return
    for chapter in ground.chapters:
        measured = [(path, step) for path, step in _splits(chapter) if step.measure is not None and not unknown(step.measure)]
        month = _a_month(ground, chapter) if measured else None
        for path, step in measured:
            share = min((arm.share.value / 100 for arm in step.split.values() if arm.share.value > 0), default=Decimal(0))
            if month is not None and share * month * WEEKS * 7 / 30 < per_arm(*_rates(chapter)):
                said = t("{n} contacts a month: {points} points cannot be seen in {weeks} weeks", "{n} contacts par mois : {points} points ne se verront pas en {weeks} semaines",
                         n=month, points=POINTS, weeks=WEEKS)  # fmt: skip
                yield ground.finding("X001", ground.place(chapter.file, (*path, "measure")), said, path=path)


def _rates(chapter: Chapter) -> tuple[float, float]:
    """The share that is expected to reach the goal, and the one that a better arm would have."""
    goal = chapter.campaign.goal
    target = float(goal.target.value) / 100 if goal is not None and not unknown(goal) and goal.target is not None else USUAL
    target = min(target, 0.97)
    return target, target + POINTS / 100


def _a_month(ground: Ground, chapter: Chapter) -> int | None:
    """How many people enter in a month: those with the event in the last thirty days, else all who match; None when it cannot be said."""
    enter = chapter.campaign.enter
    if unknown(enter) or ground.census is None:
        return None
    asked = [f"({enter.if_})"] if enter.if_ else []
    if enter.when:
        asked.append("(" + " or ".join(f"({term} within 30 days)" for term in enter.when) + ")")
    return ground.census.count(" and ".join(asked), chapter.names) if asked else ground.census.total


@rule("X002")
def shares_changed(ground: Ground) -> Iterator[Finding]:
    """The applied version divides people otherwise: those who are in the test and those who come would be counted together."""
    if ground.census is None:
        return
    for chapter in ground.chapters:
        tree = ground.census.applied(chapter.name)
        inside = ground.census.standing(chapter.name) if tree else 0
        before = dict(_arms(json.loads(tree)["flow"])) if tree and inside else {}
        for path, step in _splits(chapter):
            now = {name: str(arm.share) for name, arm in step.split.items()}
            if step.id in before and before[step.id] != now:
                said = t(
                    "arms changed while {n} people are in the test",
                    "les bras ont changé alors que {n} personnes sont dans le test",
                    n=inside,
                )
                hint = t("give the test a new id: it is another one", "donnez au test un nouvel id : c'en est un autre")
                yield ground.finding("X002", ground.place(chapter.file, (*path, "split"), key=True), said, path=path, help=hint)


def _arms(tree: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """Id of each split of a canonical tree → arm → share."""
    if isinstance(tree, Mapping):
        if isinstance(tree.get("split"), Mapping) and tree.get("id"):
            yield tree["id"], {name: str(arm.get("share")) for name, arm in tree["split"].items()}
        for inner in tree.values():
            yield from _arms(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _arms(inner)


@rule("X003")
def no_hold_out(ground: Ground) -> Iterator[Finding]:
    """Asked of a marketing campaign that names a goal: only there is an effect to be known."""
    for chapter in ground.chapters:
        campaign = chapter.campaign
        if (
            campaign.purpose == "marketing"
            and campaign.goal
            and messages_sent(campaign)
            and campaign.holdout is None
            and ground.project.holdout is None
        ):
            said = t("without a hold-out the effect stays unknown", "sans groupe témoin, l'effet reste inconnu")
            hint = t("add holdout: 10 %", "ajoutez holdout: 10 %")
            yield ground.finding("X003", ground.place(chapter.file, ("goal",), key=True), said, path=("holdout",), help=hint)


@rule("X004")
def hold_out_not_marketing(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        campaign = chapter.campaign
        if campaign.holdout is not None and campaign.purpose != "marketing":
            said = t(
                "a {purpose} campaign cannot hold people out",
                "une campagne {purpose} ne peut mettre personne à l'écart",
                purpose=campaign.purpose,
            )
            place = ground.place(chapter.file, ("holdout",), key=True)
            gone = Edit(Place(place.file, place.line, 1, place.line + 1, 1), "")
            yield ground.finding("X004", place, said, path=("holdout",), fix=Fix(t("take it out", "l'enlever"), (gone,)))


@rule("X005")
def measured_by_machines(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        goal = chapter.campaign.goal
        if goal is not None and not unknown(goal):
            for index, term in enumerate(goal.when):
                if _opened(term):
                    yield _no_measure(ground, chapter, at(ground, chapter.file, ("goal", "when"), index))
        for path, step in _splits(chapter):
            if step.measure is not None and _opened(step.measure):
                yield _no_measure(ground, chapter, (*path, "measure"))


def _opened(term: str) -> bool:
    return str(term).split(" ", 1)[0] == "opened"


def _no_measure(ground: Ground, chapter: Chapter, path: Path_) -> Finding:
    said = t("'opened' is no measure: machines open mails", "« opened » n'est pas une mesure : des machines ouvrent les mails")
    hint = t("measure clicked, replied or purchase", "mesurez clicked, replied ou purchase")
    return ground.finding("X005", ground.place(chapter.file, path), said, path=path, help=hint)
