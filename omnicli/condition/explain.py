"""A condition written out again: the same meaning with every default in words, clause by clause."""

from __future__ import annotations

from dataclasses import dataclass

from omnicli.condition import syntax as s
from omnicli.model.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Clause:
    """A top-level part that must hold: `text` as written (askable by itself), `full` with every default written out, and
    the segments and personas it names, each with its own text written out."""

    text: str
    full: str
    names: tuple[tuple[str, str], ...] = ()


def explain(text: str, vocabulary: Vocabulary, *, where: str = "elsewhere") -> tuple[Clause, ...]:
    """The clauses of the condition; raises `ConditionError` for a text that does not parse."""
    writer = _Writer(vocabulary, flow=where == "flow")
    return tuple(
        Clause(text[node.at[0] : node.at[1]], writer.node(node), writer.names(node)) for node in s.conjuncts(s.parse(text))
    )


def clauses(text: str) -> tuple[str, ...]:
    """The top-level parts joined by `and`, as written; parentheses around an `and` are looked through."""
    return tuple(text[node.at[0] : node.at[1]] for node in s.conjuncts(s.parse(text)))


@dataclass(frozen=True)
class _Writer:
    vocabulary: Vocabulary
    flow: bool

    def node(self, node: s.Node) -> str:
        match node:
            case s.Junction(word=word, parts=parts):
                return f" {word} ".join(self._inside(part) for part in parts)
            case s.Negation(part=part):
                return f"not {self._inside(part)}"
            case s.Group(part=part):
                return self.node(part) if not isinstance(part, s.Junction) else f"({self.node(part)})"
            case s.Everyone():
                return "everyone"
            case s.Named(kind=kind, name=name):
                return f"{kind} {name.text}"
            case s.Occurrence():
                return self._occurrence(node)
        return self._predicate(node)

    def _inside(self, part: s.Node) -> str:
        return f"({self.node(part)})" if isinstance(part, s.Junction) else self.node(part)

    def _predicate(self, node: s.Node) -> str:
        match node:
            case s.Comparison(left=left, operator=operator, value=value):
                return f"{self.term(left)} {operator} {_value(value)}"
            case s.Membership(left=left, negated=negated, values=values):
                return f"{self.term(left)} {'not in' if negated else 'in'} ({', '.join(map(_value, values))})"
            case s.Presence(left=left, known=known):
                return f"{self.term(left)} is {'known' if known else 'missing'}"
            case s.Ordering(left=left, side=side, instant=instant):
                return f"{self.term(left)} {side} {self._instant(instant)}"
            case s.Nearness(left=left, window=window):
                return f"{self.term(left)} {_window(window)}"
        raise AssertionError(node)

    def _occurrence(self, node: s.Occurrence) -> str:
        name = node.path.text
        if name not in self.vocabulary.events:
            bare = self.term(node.path)
            return f"{bare} {_window(node.window)}" if node.window else f"{bare} = yes"
        return " ".join([self._event(node.path, node.of, node.where), self._since(node.window, "enter" if self.flow else "ever")])

    def _event(self, path: s.Path, of: s.Word | None, where: s.Node | None) -> str:
        named = f"{path.text} {of.text}" if of else path.text
        if where is None:
            return named
        inner = _Writer(self.vocabulary, self.flow).fields(where)
        return f"{named} where ({inner})"

    def fields(self, node: s.Node) -> str:
        """Inside `where ( … )` a bare name is a field."""
        bare = _Writer(_without_events(self.vocabulary), self.flow)
        return bare.node(node.part if isinstance(node, s.Group) else node)

    def term(self, term: s.Term) -> str:
        if isinstance(term, s.Path):
            return term.text
        default = "enter" if self.flow and term.function not in ("first", "last") else "ever"
        return f"{term.function}({self._event(term.path, term.of, term.where)}, {_span(term.window, default)})"

    def _since(self, window: s.Span_ | None, default: str) -> str:
        if window is None:
            return "since enter" if default == "enter" else "ever"
        return _window(window)

    def _instant(self, instant: s.Instant) -> str:
        match instant.kind:
            case "date" | "datetime":
                return instant.text
            case "ago" | "from_now":
                return f"{_length(instant.length)} {'ago' if instant.kind == 'ago' else 'from now'}"
            case "beside":
                assert instant.origin is not None
                return f"{_length(instant.length)} {instant.side} {self._instant(instant.origin)}"
        return self.term(instant.term) if instant.term is not None else instant.kind

    def names(self, node: s.Node) -> tuple[tuple[str, str], ...]:
        """`("segment nouveaux", "signup within 7 days and orders = 0")` for each that the node speaks of, inner ones after."""
        found: dict[str, str] = {}
        self._names(node, found)
        return tuple(found.items())

    def _names(self, node: s.Node, found: dict[str, str]) -> None:
        for part in s.walk(node):
            if isinstance(part, s.Named) and part.kind != "enrolled":
                known = self.vocabulary.segments if part.kind == "segment" else self.vocabulary.personas
                text = known.get(part.name.text)
                label = f"{part.kind} {part.name.text}"
                if text is not None and label not in found:
                    inner = s.parse(text)
                    writer = _Writer(self.vocabulary, flow=False)
                    found[label] = writer.node(inner)
                    writer._names(inner, found)


def _without_events(vocabulary: Vocabulary) -> Vocabulary:
    from dataclasses import replace

    return replace(vocabulary, events={})


def _length(length: s.Length | None) -> str:
    assert length is not None
    return f"{length.count} {length.unit}{'' if length.count == '1' else 's'}"


def _window(window: s.Span_) -> str:
    match window.kind:
        case "within":
            return f"within {_length(window.length)}"
        case "next":
            return f"within next {_length(window.length)}"
        case "enter":
            return "since enter"
    return "ever"


def _span(window: s.Span_ | None, default: str) -> str:
    kind = window.kind if window else default
    if kind == "within" and window is not None:
        return _length(window.length)
    return "since enter" if kind == "enter" else "ever"


def _value(value: s.Value) -> str:
    match value.kind:
        case "text":
            return f"'{value.text}'" if '"' in value.text else f'"{value.text}"'
        case "percent":
            return f"{value.text} %"
        case "money" | "distance":
            return f"{value.text} {value.unit}"
        case "length":
            return _length(value.length)
    return value.text
