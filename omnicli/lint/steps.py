"""Walking a campaign's flow as it is written: every step with its key path, the channels a send can take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnicli.model.campaign import AnyStep, Campaign, Choose, Send, Split, Steps, WaitStep

if TYPE_CHECKING:
    from omnicli.lint.ground import Chapter, Ground, Path_
    from omnicli.model.project import Project


def steps(campaign: Campaign) -> Iterator[tuple[Path_, AnyStep]]:
    """Every step in file order with its key path (`flow`, 1, `for`, `replied`, 0)."""
    yield from _steps(campaign.flow, ("flow",))


def _steps(listed: Steps, path: Path_) -> Iterator[tuple[Path_, AnyStep]]:
    for index, step in enumerate(listed):
        here = (*path, index)
        yield here, step
        match step:
            case WaitStep(for_=answers) if answers:
                for term, do in answers.items():
                    yield from _steps(do, (*here, "for", term))
            case Choose(choose=options):
                for n, option in enumerate(options):
                    word, do = ("else", option.else_) if option.else_ is not None else ("do", option.do or ())
                    yield from _steps(do, (*here, "choose", n, word))
            case Split(split=arms):
                for name, arm in arms.items():
                    yield from _steps(arm.do, (*here, "split", name, "do"))


def every_send(campaign: Campaign) -> Iterator[tuple[Path_, Send]]:
    for path, step in steps(campaign):
        if isinstance(step, Send):
            yield path, step


def messages_sent(campaign: Campaign) -> set[str]:
    return {step.send for _, step in every_send(campaign)}


def channels_of(step: Send, chapter: Chapter, project: Project) -> list[str]:
    """Every channel that this send can take, in order: `by`, the personas' orders for `preferred`, `else`; cut to
    the channels that the message may take."""
    found: list[str] = []
    if step.by == "preferred":
        personas = chapter.campaign.personas if isinstance(chapter.campaign.personas, dict) else {
            name: project.personas[name] for name in (chapter.campaign.personas or project.personas) if name in project.personas
        }  # fmt: skip
        for persona in personas.values():
            found += persona.channels
    else:
        found.append(step.by)
    found += step.else_
    message = chapter.campaign.messages.get(step.send)
    allowed = message.channels if message and message.channels else None
    return [c for c in dict.fromkeys(found) if allowed is None or c in allowed]


def at(ground: Ground, file: str, path: Path_, index: int) -> Path_:
    """The path of the n-th element of a list, or of the scalar that stands for a list of one."""
    source = ground.loaded.sources.get(file)
    if source is not None and source.scalar(path) is not None:
        return path
    return (*path, index)


_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{\s*([^{}|:\s]+)[^{}]*\}")


def say_names(text: str) -> Iterator[tuple[str, int]]:
    """The names of the placeholders in a `say` text, each with its 0-based offset in the text."""
    for match in _PLACEHOLDER.finditer(text):
        if match[1]:
            yield match[1], match.start(1)
