"""Runs templates so that every character says where it was printed: each printed expression and each typed text leaves its number.

A third kind of the sandbox, beside the marking and the plain one. Its output is the plain output with `U+E000 n U+E001` before
and `U+E002` behind everything that was printed; `n` names the place in the template (docs/consistency 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from jinja2 import BaseLoader, nodes
from jinja2.compiler import Frame

from omnicli.render.sandbox import MAX_STEPS, HookCode, Sandbox
from omnicli.render.skeleton import CAPTURED, CLOSE, OPEN, Recorder

END = CAPTURED
_NEWLINE = re.compile(r"\r\n|\r|\n")


class Span(NamedTuple):
    """Where something stands in a template: offsets into its text with line ends as `\\n`; `typed`: the text itself stands
    there, character for character, not an expression that makes it."""

    file: str
    start: int
    end: int
    typed: bool = False

    def inner(self, start: int, end: int) -> Span:
        """The part of a typed text from `start` to `end`; the whole of an expression."""
        return Span(self.file, self.start + start, self.start + end, True) if self.typed else self


@dataclass(frozen=True, slots=True)
class Spot:
    """One thing that a template prints: its place, and for an expression the names whose values it prints: `("facts", "price")`."""

    span: Span
    names: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Compiled:
    """A compiled template with what its numbers mean. Kept for the process: checks trace the same templates over and over."""

    code: Any
    spots: dict[int, Spot]
    text: str
    budget: int


_COMPILED: dict[tuple[str | None, str], _Compiled] = {}
_NUMBERS = count()


class TracingCode(HookCode):
    """Writes the number of the spot into every printed text."""

    environment: Tracing

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        text = super()._output_child_to_const(node, frame, finalize)
        return f"{OPEN}{2 * self.environment.number(node)}{CLOSE}{text}{END}"

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(f", {self.environment.number(node)})")


class Tracing(Sandbox):
    """The environment that traces. `show(value, html, spot)` is called for every printed value and gives marked text."""

    code_generator_class = TracingCode

    def __init__(self, loader: BaseLoader, recorder: Recorder, show: Callable[[Any, bool, Spot], str]) -> None:
        super().__init__(loader=loader, recorder=recorder, marking=False)
        self.spots: dict[int, Spot] = {}
        self.texts: dict[str, str] = {}
        self._new: dict[int, Spot] = {}
        self.hook_html: Callable[..., str] = lambda value, n: show(value, True, self.spots[n])
        self.hook_text: Callable[..., str] = lambda value, n: show(value, False, self.spots[n])

    def compile(self, source: Any, name: str | None = None, filename: str | None = None, *raw: Any, **more: Any) -> Any:
        """The code of a template and its spots, made once a process."""
        if not isinstance(source, str) or raw or more:
            return super().compile(source, name, filename, *raw, **more)
        found = _COMPILED.get((name, source))
        before = getattr(self, "budget_size", MAX_STEPS)
        if found is None:
            self._new, self.budget_size = {}, MAX_STEPS
            code = super().compile(source, name, filename)
            if len(_COMPILED) >= 256:
                _COMPILED.clear()
            found = _COMPILED[(name, source)] = _Compiled(code, self._new, _NEWLINE.sub("\n", source), self.budget_size)
        self.budget_size = min(before, found.budget)
        self.spots.update(found.spots)
        self.texts[f"templates/{name}"] = found.text
        return found.code

    def number(self, node: nodes.Node) -> int:
        """The number of a printed node; one that the parser's tokens did not tell stands at its line."""
        if getattr(node, "spot", None) is None:
            self._keep(node, Span("", 0, 0))
        return int(node.spot)  # type: ignore[attr-defined]

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        printed = [child for output in tree.find_all(nodes.Output) for child in output.nodes]
        spans = list(_spans(_NEWLINE.sub("\n", source), f"templates/{name}", self.lexer.tokeniter(source, name, filename)))
        if len(spans) == len(printed):
            for node, span in zip(printed, spans, strict=True):
                self._keep(node, span)
        return tree

    def _keep(self, node: nodes.Node, span: Span) -> None:
        node.spot = next(_NUMBERS)  # type: ignore[attr-defined]
        self._new[node.spot] = Spot(span, () if span.typed else tuple(_references(node)))  # type: ignore[attr-defined]


def _references(expression: nodes.Node) -> Iterator[tuple[str, str]]:
    """`("facts", "price")` for every `owner.name` whose value an expression prints; not those that it only asks for."""
    todo = [expression]
    while todo:
        node = todo.pop(0)
        if isinstance(node, nodes.Test):
            continue
        if isinstance(node, nodes.CondExpr):
            todo[:0] = [node.expr1, *([node.expr2] if node.expr2 is not None else [])]
            continue
        owner = node.node if isinstance(node, (nodes.Getattr, nodes.Getitem)) else None
        if isinstance(owner, nodes.Name):
            word = node.attr if isinstance(node, nodes.Getattr) else getattr(getattr(node, "arg", None), "value", "")
            yield owner.name, str(word)
            continue
        todo[:0] = list(node.iter_child_nodes())


def _spans(text: str, file: str, tokens: Iterator[tuple[int, str, str]]) -> Iterator[Span]:
    """The place of each printed thing in the order of the source: typed texts and `{{ … }}`. Spaces that Jinja strips lie between
    tokens, so each token is the next place where its text stands."""
    at, opened = 0, 0
    for _, kind, value in tokens:
        start = text.index(value, at)
        at = start + len(value)
        if kind == "data" and value:
            yield Span(file, start, at, typed=True)
        elif kind == "variable_begin":
            opened = start
        elif kind == "variable_end":
            yield Span(file, opened, start + len(value.rstrip()))


def marked(text: str, n: int) -> str:
    """The text with the number of its origin around it; text that is marked already stays as it is."""
    return text if OPEN in text else f"{OPEN}{n}{CLOSE}{text}{END}"


def unmarked(text: str) -> str:
    return _MARKS.sub("", text)


_MARKS = re.compile(f"{OPEN}[0-9]+{CLOSE}|[{OPEN}{CLOSE}{END}]")
_FLAT = re.compile(f"{OPEN}([0-9]+){CLOSE}([^{OPEN}{CLOSE}{END}]*){END}")
_PIECES = re.compile(f"{OPEN}([0-9]+){CLOSE}|({END})")


def pieces(text: str) -> list[tuple[str, int]]:
    """Marked text as (text, number), innermost number first; -1 where a filter broke the marks."""
    found = flat(text)
    return list(_nested(text)) if found is None else found


def flat(text: str) -> list[tuple[str, int]] | None:
    """The same where no mark stands inside another and none is broken; else None."""
    found = _FLAT.findall(text)
    if sum([len(number) + len(said) for number, said in found]) + 3 * len(found) != len(text):
        return None
    return [(said, int(number)) for number, said in found if said]


def _nested(text: str) -> Iterator[tuple[str, int]]:
    """The same where marks stand inside marks, or are broken."""
    above: list[int] = []
    at = 0
    for found in _PIECES.finditer(text):
        if found.start() > at:
            yield _bare(text[at : found.start()]), above[-1] if above else -1
        if found[1] is not None:
            above.append(int(found[1]))
        elif above:
            above.pop()
        at = found.end()
    if at < len(text):
        yield _bare(text[at:]), above[-1] if above else -1


def _bare(text: str) -> str:
    return text.translate({ord(OPEN): None, ord(CLOSE): None, ord(END): None})


__all__ = ["Span", "Spot", "Tracing", "flat", "marked", "pieces", "unmarked"]
