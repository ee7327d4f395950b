"""A condition as it is written: text to frozen nodes with positions, or one `ConditionError` with column and advice.

Nothing here knows what a name means (`check.py` does). `at` of every node is the half-open span of its characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from omnicli.condition.problem import ConditionError, Problem
from omnicli.texts import t

MOST_CHARACTERS = 2000
MOST_LEVELS = 50
MOST_TERMS = 200
MOST_VALUES = 500

#: Words that cannot be names of attributes, events or segments (docs/language 6.1).
WORDS = frozenset(
    (
        "and", "or", "not", "in", "is", "known", "missing", "contains", "starts", "with", "before", "after", "within", "next",
        "since", "enter", "ever", "where", "now", "today", "ago", "from", "everyone", "segment", "persona", "enrolled",
    )
)  # fmt: skip
UNITS = ("minute", "hour", "day", "week", "month", "year")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Word:
    """One name as written."""

    text: str
    at: Span


@dataclass(frozen=True, slots=True)
class Path:
    """`orders`, `contact.orders`, `consent.email`."""

    words: tuple[Word, ...]
    at: Span

    @property
    def text(self) -> str:
        return ".".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Length:
    """`3 days`; `count` keeps its text, since it may be no whole number."""

    count: str
    unit: str
    at: Span


@dataclass(frozen=True, slots=True)
class Span_:
    """Since when: `kind` is `within`, `next` (both with `length`), `enter` or `ever`."""

    kind: str
    length: Length | None
    at: Span


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count(purchase where (…), 90 days)`."""

    function: str
    path: Path
    of: Word | None
    where: Node | None
    window: Span_ | None
    at: Span


Term = Path | Aggregate


@dataclass(frozen=True, slots=True)
class Value:
    """The right side of an operator. `kind`: `text word number percent money distance datetime date today length`;
    `text` is the figure or the word, `unit` the currency or the unit of length."""

    kind: str
    text: str
    at: Span
    unit: str = ""
    length: Length | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Instant:
    """`kind`: `datetime date now today enter ago from_now path aggregate`, or `beside` (`length` `before` or `after`
    `origin`)."""

    kind: str
    at: Span
    text: str = ""
    length: Length | None = None
    term: Term | None = None
    side: str = ""
    origin: Instant | None = None


@dataclass(frozen=True, slots=True)
class Junction:
    """Parts joined by `and` or `or`."""

    word: str
    parts: tuple[Node, ...]
    at: Span


@dataclass(frozen=True, slots=True)
class Negation:
    part: Node
    at: Span


@dataclass(frozen=True, slots=True)
class Group:
    """A part in parentheses."""

    part: Node
    at: Span


@dataclass(frozen=True, slots=True)
class Everyone:
    at: Span


@dataclass(frozen=True, slots=True)
class Named:
    """`segment x`, `persona x`, `enrolled x`."""

    kind: str
    name: Word
    at: Span


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operator`: `= != < <= > >= contains` or `starts with`."""

    left: Term
    operator: str
    operator_at: Span
    value: Value
    at: Span


@dataclass(frozen=True, slots=True)
class Membership:
    left: Term
    negated: bool
    values: tuple[Value, ...]
    at: Span


@dataclass(frozen=True, slots=True)
class Presence:
    """`is known`, `is missing`."""

    left: Term
    known: bool
    at: Span


@dataclass(frozen=True, slots=True)
class Ordering:
    """`before` or `after` an instant."""

    left: Term
    side: str
    instant: Instant
    at: Span


@dataclass(frozen=True, slots=True)
class Nearness:
    """`last(purchase) within 3 days`; for a plain name the grammar gives an `Occurrence`."""

    left: Term
    window: Span_
    at: Span


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event term with its window; a bare yes-or-no attribute looks the same."""

    path: Path
    of: Word | None
    where: Node | None
    window: Span_ | None
    at: Span


Node = Junction | Negation | Group | Everyone | Named | Comparison | Membership | Presence | Ordering | Nearness | Occurrence


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The nodes of a condition; raises `ConditionError` with the first thing that does not fit."""
    if len(text) > MOST_CHARACTERS:
        raise _too_much(
            t(
                "a condition has at most {n} characters; this has {m}",
                "une condition a au plus {n} caractères ; celle-ci en a {m}",
                n=MOST_CHARACTERS,
                m=len(text),
            ),
            (MOST_CHARACTERS, len(text)),
        )
    _refuse_depth(text)
    tree = _tree(text)
    node = _node(tree.children[0])
    _refuse_breadth(node)
    return node


def _tree(text: str) -> Any:
    from omnicli.condition import lalr
    from omnicli.condition.advice import advise

    try:
        return _parser().parse(text)
    except lalr.UnexpectedInput as error:
        raise ConditionError(advise(text, error)) from None


@lru_cache(maxsize=1)
def _parser() -> Any:
    from omnicli.condition.lalr import Lark_StandAlone

    return Lark_StandAlone()  # type: ignore[no-untyped-call]


def _too_much(message: str, at: Span) -> ConditionError:
    return ConditionError(Problem("A001", at[0] + 1, at[1] - at[0], message))


def _refuse_depth(text: str) -> None:
    """Levels are counted before parsing: open parentheses and `not`s that are still waiting for their predicate."""
    import re

    open_, nots = 0, 0
    for found in re.finditer(r"\"[^\"\n]*\"|'[^'\n]*'|[()]|[^\W\d][\w-]*|\S", text):
        token = found[0].lower()
        if token == "(":
            open_ += 1
        elif token == ")":
            open_ -= 1
        nots = nots + 1 if token == "not" else (nots if token == "(" else 0)
        if open_ + nots > MOST_LEVELS:
            raise _too_much(
                t("a condition is at most {n} levels deep", "une condition a au plus {n} niveaux", n=MOST_LEVELS), found.span()
            )


def _refuse_breadth(node: Node) -> None:
    terms = 0
    for part in walk(node):
        if isinstance(part, (Junction, Negation, Group)):
            continue
        terms += 1
        if terms > MOST_TERMS:
            raise _too_much(t("a condition has at most {n} terms", "une condition a au plus {n} termes", n=MOST_TERMS), part.at)
        if isinstance(part, Membership) and len(part.values) > MOST_VALUES:
            raise _too_much(
                t("a list has at most {n} values", "une liste a au plus {n} valeurs", n=MOST_VALUES), part.values[MOST_VALUES].at
            )


def walk(node: Node) -> Iterator[Node]:
    """The node and every node below it, those inside `where ( … )` too."""
    yield node
    match node:
        case Junction(parts=parts):
            for part in parts:
                yield from walk(part)
        case Negation(part=part) | Group(part=part):
            yield from walk(part)
        case Occurrence(where=where) if where:
            yield from walk(where)
        case Comparison(left=Aggregate(where=where)) | Membership(left=Aggregate(where=where)) if where:
            yield from walk(where)
        case Presence(left=Aggregate(where=where)) | Nearness(left=Aggregate(where=where)) if where:
            yield from walk(where)
        case Ordering(left=left, instant=instant):
            for term in (left, instant.term, instant.origin.term if instant.origin else None):
                if isinstance(term, Aggregate) and term.where:
                    yield from walk(term.where)


def conjuncts(node: Node) -> tuple[Node, ...]:
    """The top-level parts that all must hold; parentheses around an `and` are looked through."""
    match node:
        case Junction(word="and", parts=parts):
            return tuple(c for part in parts for c in conjuncts(part))
        case Group(part=part) if isinstance(part, (Junction, Group)) and (isinstance(part, Group) or part.word == "and"):
            return conjuncts(part)
    return (node,)


# --- from lark's trees to nodes ---------------------------------------------------------------------------------------
def _at(tree: Any) -> Span:
    meta = getattr(tree, "meta", None)
    return (meta.start_pos, meta.end_pos) if meta is not None else (tree.start_pos, tree.end_pos)


def _word(token: Any) -> Word | None:
    return Word(str(token), _at(token)) if token is not None else None


def _name(token: Any) -> Word:
    return Word(str(token), _at(token))


def _path(tree: Any) -> Path:
    return Path(tuple(_name(token) for token in tree.children), _at(tree))


def _length(tree: Any) -> Length:
    count, unit = tree.children
    return Length(str(count), str(unit).lower().removesuffix("s"), _at(tree))


def _window(tree: Any) -> Span_ | None:
    if tree is None:
        return None
    kind = str(tree.data).removeprefix("window_")
    if kind != "within":
        return Span_(kind, None, _at(tree))
    *ahead, length = tree.children
    return Span_("next" if any(ahead) else "within", _length(length), _at(tree))


def _aggregate(tree: Any) -> Aggregate:
    function, path, of, where, window = tree.children
    return Aggregate(
        str(function).lower(), _path(path), _word(of), _node(where) if where is not None else None, _window(window), _at(tree)
    )


def _term(tree: Any) -> Term:
    return _aggregate(tree) if tree.data == "aggregate" else _path(tree)


def _value(tree: Any) -> Value:
    kind, at = str(tree.data), _at(tree)
    match kind:
        case "text":
            return Value("text", str(tree.children[0])[1:-1], at)
        case "word":
            path = _path(tree.children[0])
            return Value("word", path.text, at, path=path)
        case "today":
            return Value("today", "today", at)
        case "length_of_time":
            return Value("length", "", at, length=_length(tree.children[0]))
        case "money" | "distance":
            return Value(kind, str(tree.children[0]), at, unit=str(tree.children[1]))
    return Value(kind, str(tree.children[0]), at)


def _instant(tree: Any) -> Instant:
    kind, at = str(tree.data), _at(tree)
    match kind:
        case "datetime" | "date":
            return Instant(kind, at, text=str(tree.children[0]))
        case "ago" | "from_now":
            return Instant(kind, at, length=_length(tree.children[0]))
        case "instant_path" | "instant_aggregate":
            return Instant(kind.removeprefix("instant_"), at, term=_term(tree.children[0]))
        case "before_origin" | "after_origin":
            length, origin = tree.children
            return Instant("beside", at, length=_length(length), side=kind.removesuffix("_origin"), origin=_instant(origin))
    return Instant(kind, at)


def _node(tree: Any) -> Node:
    return _BUILD[str(tree.data)](tree, tree.children, _at(tree))


def _left(term: Any, of: Any, at: Span) -> Occurrence:
    return Occurrence(_path(term), _word(of), None, None, at)


_BUILD: dict[str, Callable[[Any, Any, Span], Node]] = {
    "conjunction": lambda tree, kids, at: Junction("and", tuple(_node(k) for k in kids), at),
    "disjunction": lambda tree, kids, at: Junction("or", tuple(_node(k) for k in kids), at),
    "negation": lambda tree, kids, at: Negation(_node(kids[1]), at),
    "group": lambda tree, kids, at: Group(_node(kids[0]), at),
    "everyone": lambda tree, kids, at: Everyone(at),
    "segment": lambda tree, kids, at: Named("segment", _name(kids[0]), at),
    "persona": lambda tree, kids, at: Named("persona", _name(kids[0]), at),
    "enrolled": lambda tree, kids, at: Named("enrolled", _name(kids[0]), at),
    "compare": lambda tree, kids, at: Comparison(_term(kids[0]), str(kids[1]), _at(kids[1]), _value(kids[2]), at),
    "contains": lambda tree, kids, at: Comparison(_term(kids[0]), "contains", _between(kids), _value(kids[1]), at),
    "starts": lambda tree, kids, at: Comparison(_term(kids[0]), "starts with", _between(kids), _value(kids[1]), at),
    "membership": lambda tree, kids, at: Membership(_term(kids[0]), kids[1] is not None, tuple(_value(k) for k in kids[2:]), at),
    "known": lambda tree, kids, at: Presence(_term(kids[0]), True, at),
    "missing": lambda tree, kids, at: Presence(_term(kids[0]), False, at),
    "before": lambda tree, kids, at: Ordering(_term(kids[0]), "before", _instant(kids[1]), at),
    "after": lambda tree, kids, at: Ordering(_term(kids[0]), "after", _instant(kids[1]), at),
    "date_within": lambda tree, kids, at: Nearness(
        _aggregate(kids[0]), Span_("next" if kids[1] else "within", _length(kids[2]), (_at(kids[0])[1] + 1, at[1])), at
    ),
    "occurrence": lambda tree, kids, at: Occurrence(_path(kids[0]), None, None, _window(kids[1]), at),
    "occurrence_of": lambda tree, kids, at: Occurrence(_path(kids[0]), _word(kids[1]), None, _window(kids[2]), at),
    "occurrence_where": lambda tree, kids, at: Occurrence(_path(kids[0]), _word(kids[1]), _node(kids[2]), _window(kids[3]), at),
}


def _between(kids: Any) -> Span:
    """The span of the words between the left and the right side."""
    return _at(kids[0])[1] + 1, _at(kids[1])[0] - 1
