"""Every condition and event term of the project with its place, and what the condition checker says of each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omnicli.lint.ground import Ground, Path_, rename, within
from omnicli.lint.rule import catalogue
from omnicli.lint.steps import steps
from omnicli.model.campaign import Choose, Send, Split, WaitStep
from omnicli.model.finding import Finding, Place
from omnicli.model.vocabulary import Vocabulary
from omnicli.model.written import unknown
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.condition.problem import Problem

#: (file, key path, text, "flow" | "elsewhere" | "event", names in force)
Asked = tuple[str, Path_, str, str, Vocabulary]


def every_condition(ground: Ground) -> Iterator[Asked]:
    """All conditions and event terms that could be read, in file order within a file. Keys of `for` are told by their own
    path."""
    return (asked for asked in _written(ground) if not unknown(asked[2]))


def _written(ground: Ground) -> Iterator[Asked]:
    project, names = ground.project, ground.names
    for name, segment in project.segments.items():
        yield "omni.yaml", _match(ground, "omni.yaml", ("segments", name)), segment.match, "elsewhere", names
    for name, persona in project.personas.items():
        if persona.match is not None:
            yield "omni.yaml", ("personas", name, "match"), persona.match, "elsewhere", names
    for chapter in ground.chapters:
        for path, text, where in _of_campaign(ground, chapter.file, chapter.campaign):
            yield chapter.file, path, text, where, chapter.names


def _match(ground: Ground, file: str, path: Path_) -> Path_:
    source = ground.loaded.sources.get(file)
    return path if source is not None and source.scalar(path) is not None else (*path, "match")


def _of_campaign(ground: Ground, file: str, campaign: Any) -> Iterator[tuple[Path_, str, str]]:
    for name, segment in campaign.segments.items():
        yield _match(ground, file, ("segments", name)), segment.match, "elsewhere"
    if isinstance(campaign.personas, dict):
        for name, persona in campaign.personas.items():
            if persona.match is not None:
                yield ("personas", name, "match"), persona.match, "elsewhere"
    yield from _listed(ground, file, ("enter", "when"), campaign.enter.when)
    if campaign.enter.if_:
        yield ("enter", "if"), campaign.enter.if_, "elsewhere"
    if campaign.goal:
        yield from _listed(ground, file, ("goal", "when"), campaign.goal.when)
    for index, rule in enumerate(campaign.exit):
        if rule.when:
            yield ("exit", index, "when"), rule.when, "event"
        if rule.if_:
            yield ("exit", index, "if"), rule.if_, "flow"
    for path, step in steps(campaign):
        match step:
            case Send(if_=condition) if condition:
                yield (*path, "if"), condition, "flow"
            case Choose(choose=options):
                for n, option in enumerate(options):
                    if option.if_:
                        yield (*path, "choose", n, "if"), option.if_, "flow"
            case WaitStep(for_=answers) if answers:
                for term in answers:
                    if term != "nothing":
                        yield (*path, "for", term), term, "event"
            case Split(measure=measure) if measure:
                yield (*path, "measure"), measure, "event"


def _listed(ground: Ground, file: str, path: Path_, terms: tuple[str, ...] | None) -> Iterator[tuple[Path_, str, str]]:
    source = ground.loaded.sources.get(file)
    single = source is not None and source.scalar(path) is not None
    for index, term in enumerate(terms or ()):
        yield path if single else (*path, index), term, "event"


def is_key(path: Path_) -> bool:
    """True where the text is a key of the file (`for: {clicked: …}`), not a value."""
    return len(path) > 1 and path[-2] == "for"


@lru_cache(maxsize=4)
def problems(ground: Ground) -> tuple[Finding, ...]:
    """What the condition checker says about every condition, as findings at their columns."""
    from omnicli.condition.check import check, check_event

    found: list[Finding] = []
    for file, path, text, where, names in every_condition(ground):
        if not isinstance(text, str):
            continue
        try:
            checked = (
                check_event(text, names)
                if where == "event"
                else check(text, names, where="flow" if where == "flow" else "elsewhere", within=_own(path))
            )
        except KeyError as error:
            if error.args and unknown(error.args[0]):  # it asks about something whose kind could not be read
                continue
            raise
        found += [_finding(ground, file, path, problem) for problem in checked.problems if problem.code in catalogue()]
    return tuple(found)


def _own(path: Path_) -> str | None:
    """`segment x` or `persona x` when the text at this path is that one's own: a circle is told from there."""
    return f"{str(path[0])[:-1]} {path[1]}" if path[0] in ("segments", "personas") and len(path) > 1 else None


def _finding(ground: Ground, file: str, path: Path_, problem: Problem) -> Finding:
    place = ground.place(file, path, key=is_key(path))
    spot = exact(ground, file, path, place, problem.column, problem.width)
    fix = None
    if problem.fix is not None and spot != place:
        fix = rename(spot, problem.fix, title=t("write '{text}'", "écrire « {text} »", text=problem.fix))
    return ground.finding(problem.code, spot, problem.message, path=path, fix=fix)


def exact(ground: Ground, file: str, path: Path_, place: Place, column: int, width: int) -> Place:
    """The span inside the scalar at `place`: its quote counted in; the whole scalar when it is folded over lines."""
    if place.end_line != place.line:
        return place
    lines = ground.loaded.sources[file].lines
    raw = lines[place.line - 1][place.column - 1 : place.end_column - 1] if place.line <= len(lines) else ""
    quote = 1 if raw[:1] in ("'", '"') else 0
    if quote and ("\\" in raw or "''" in raw[1:-1]):
        return place
    return within(place, column + quote, width)
