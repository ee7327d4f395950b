"""Runs templates so that every character says where it was printed: each printed expression and each typed text leaves its number.

A third kind of the sandbox, beside the marking and the plain one. Its output is the plain output with `U+E000 n U+E001` before
and `U+E002` behind everything that was printed; `n` names the place in the template (docs/consistency 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jinja2 import BaseLoader, nodes
from jinja2.compiler import Frame

from omnicli.render.sandbox import HookCode, Sandbox
from omnicli.render.skeleton import CAPTURED, CLOSE, OPEN, Recorder

END = CAPTURED
_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Span:
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
    """One thing that a template prints: its place, and the expression, or None for typed text."""

    span: Span
    expression: nodes.Expr | None = field(default=None, repr=False)


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
        self.spots: list[Spot] = []
        self.texts: dict[str, str] = {}
        self.hook_html: Callable[..., str] = lambda value, n: show(value, True, self.spots[n])
        self.hook_text: Callable[..., str] = lambda value, n: show(value, False, self.spots[n])

    def number(self, node: nodes.Node) -> int:
        """The number of a printed node; one that the parser's tokens did not tell stands at its line."""
        found = getattr(node, "spot", None)
        if found is None:
            self.spots.append(Spot(Span("", 0, 0), node if isinstance(node, nodes.Expr) else None))
            found = len(self.spots) - 1
            object.__setattr__(node, "spot", found)
        return int(found)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        text = _NEWLINE.sub("\n", source)
        file = f"templates/{name}"
        self.texts[file] = text
        printed = [child for output in tree.find_all(nodes.Output) for child in output.nodes]
        spans = list(_spans(text, file, self.lexer.tokeniter(source, name, filename)))
        if len(spans) == len(printed):
            for node, span in zip(printed, spans, strict=True):
                self._keep(node, span)
        return tree

    def _keep(self, node: nodes.Expr, span: Span) -> None:
        self.spots.append(Spot(span, None if span.typed else node))
        node.spot = len(self.spots) - 1  # type: ignore[attr-defined]


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
_PIECES = re.compile(f"{OPEN}([0-9]+){CLOSE}|({END})")


def pieces(text: str) -> Iterator[tuple[str, int]]:
    """Marked text as (text, number), innermost number first; -1 where a filter broke the marks."""
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


__all__ = ["Span", "Spot", "Tracing", "marked", "pieces", "unmarked"]
