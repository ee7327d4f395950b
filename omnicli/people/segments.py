"""Questions about the whole base: how many, who, and why so many or so few."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from omnicli.errors import OmniError
from omnicli.model.vocabulary import Vocabulary, vocabulary
from omnicli.store import audience

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.condition.problem import Problem
    from omnicli.condition.sql import Compiler
    from omnicli.store.connection import Store


@dataclass(frozen=True, slots=True)
class ClauseCount:
    """One part that must hold: how many of everybody it leaves out, and how many only it leaves out."""

    text: str
    full: str
    matches: int
    excludes: int
    only: int
    names: tuple[tuple[str, str], ...] = ()


def names_of(loaded: Loaded) -> Vocabulary:
    assert loaded.project is not None
    return vocabulary(loaded.project, campaigns=loaded.campaigns)


def condition_of(loaded: Loaded, text: str) -> str:
    """The condition that is meant: the bare name of a segment is that segment."""
    assert loaded.project is not None
    return f"segment {text}" if text in loaded.project.segments else text


def _compiled(store: Store | None, loaded: Loaded, text: str, now: datetime) -> tuple[Compiler, Any]:
    """The compiler and the selection, its events asked in the form that a sample of the base favours."""
    from omnicli.condition.problem import ConditionError
    from omnicli.condition.sql import Compiler

    compiler, condition = Compiler(names_of(loaded)), condition_of(loaded, text)
    try:
        form = "auto"
        if store is not None:
            narrowing = compiler.narrowing(condition)
            with store.read() as connection:
                form = audience.form_of(connection, narrowing, compiler.parameters(now))
        return compiler, compiler.selection(condition, form=form)
    except ConditionError as error:
        raise refused(condition_of(loaded, text), error.problem) from None


def refused(text: str, problem: Problem) -> OmniError:
    """The error of a condition: its text with the place underlined, and what would have been right."""
    shown = f"{text}\n      {' ' * (problem.column - 1)}{'^' * max(problem.width, 1)}"
    mended = None
    if problem.fix is not None:
        start = problem.column - 1
        mended = text[:start] + problem.fix + text[start + problem.width :]
    return OmniError(f"{problem.code}: {problem.message}\n      {shown}", hint=mended or "", code="condition")


def count(store: Store, loaded: Loaded, text: str, *, now: datetime) -> tuple[int, int]:
    """(how many fulfil it, how many there are)."""
    compiler, who = _compiled(store, loaded, text, now)
    with store.read() as connection:
        return audience.count(connection, who, compiler.parameters(now)), audience.size(connection)


def show(
    store: Store, loaded: Loaded, text: str | None, *, now: datetime, limit: int, after: str | None = None
) -> list[audience.Person]:
    """The first people of the selection (of everybody without a text), in the order of their ids."""
    assert loaded.project is not None
    if text is None:
        with store.read() as connection:
            return audience.people(connection, loaded.project, limit=limit, after=after)
    compiler, who = _compiled(store, loaded, text, now)
    with store.read() as connection:
        return audience.people(connection, loaded.project, who=who, parameters=compiler.parameters(now), limit=limit, after=after)


def explain(store: Store, loaded: Loaded, text: str, *, now: datetime) -> tuple[int, int, list[ClauseCount]]:
    """(how many fulfil it, how many there are, its clauses with what each leaves out)."""
    from omnicli.condition import explain as writer
    from omnicli.condition.problem import ConditionError

    total, of = count(store, loaded, text, now=now)
    meant = condition_of(loaded, text)
    try:
        clauses = writer.explain(meant, names_of(loaded))
    except ConditionError as error:
        raise refused(meant, error.problem) from None
    out = []
    for place, clause in enumerate(clauses):
        matches, _ = count(store, loaded, clause.text, now=now)
        others = [f"({c.text})" for i, c in enumerate(clauses) if i != place]
        without = count(store, loaded, " and ".join(others), now=now)[0] if others else of
        out.append(ClauseCount(clause.text, clause.full, matches, of - matches, without - total, clause.names))
    return total, of, out


def sql(loaded: Loaded, text: str, *, now: datetime, dialect: str = "sqlite") -> tuple[str, dict[str, object]]:
    """The statement that is asked and its bound values."""
    import sqlalchemy as sa

    compiler, who = _compiled(None, loaded, text, now)
    compiled = who.compile(dialect=sa.create_engine("sqlite://").dialect if dialect == "sqlite" else None)
    return str(compiled), {**compiled.params, **compiler.parameters(now)}


def counts(store: Store, loaded: Loaded, *, now: datetime) -> list[tuple[str, str | None, str, int | None, str]]:
    """Every shared segment: (name, title, condition, how many or None, why it cannot be asked)."""
    assert loaded.project is not None
    out: list[tuple[str, str | None, str, int | None, str]] = []
    for name, segment in loaded.project.segments.items():
        try:
            out.append((name, segment.title, segment.match, count(store, loaded, f"segment {name}", now=now)[0], ""))
        except OmniError as error:
            out.append((name, segment.title, segment.match, None, error.message.splitlines()[0]))
    return out
