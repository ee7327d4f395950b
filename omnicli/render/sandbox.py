"""Runs templates that marketers write without letting them reach anything but the words and values they are given.

Jinja's immutable sandbox, cut down: no globals, an allow-list of filters, tests and syntax, attributes only of our own
views, and a budget of steps, so that no template burns time or memory (docs/delivery 19: S01, S02, S03).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from omnicli import guards
from omnicli.render.skeleton import CAPTURED, OPEN, Recorder
from omnicli.render.views import ACCESS, Printed, make_hooks
from omnicli.texts import t

MAX_SOURCE = 64 * 1024
MAX_DEPTH = 40
MAX_STEPS = 10_000
MAX_CHUNKS = 20_000
MAX_TEXT = 64 * 1024
MAX_OUTPUT = 256 * 1024
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARKS = re.compile("[\ue000-\ue002]")

ALLOWED_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.If, nodes.CondExpr, nodes.For, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Filter, nodes.Test,
    nodes.Call, nodes.Keyword, nodes.Block, nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Macro,
    nodes.CallBlock, nodes.FilterBlock, nodes.With, nodes.Assign, nodes.AssignBlock, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Neg, nodes.Pos,
)  # fmt: skip
#: What an author calls the constructs that are refused.
REFUSED_NAMES = {"Concat": "~", "Pow": "**", "Mod": "%", "NSRef": "namespace", "Scope": "autoescape", "ScopedEvalContextModifier": "autoescape",
                 "EvalContextModifier": "autoescape", "TemplateReference": "self"}  # fmt: skip

ALLOWED_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int", "join", "last", "length", "list",
    "lower", "max", "min", "replace", "reverse", "round", "sort", "striptags", "sum", "title", "trim", "truncate", "unique",
    "upper", "urlencode", "wordcount", "wordwrap",
)  # fmt: skip
ALLOWED_TESTS = (
    "defined", "undefined", "none", "string", "number", "mapping", "sequence", "iterable", "boolean", "true", "false", "integer",
    "float", "even", "odd", "divisibleby", "eq", "==", "equalto", "ne", "!=", "lt", "<", "lessthan", "le", "<=", "gt", ">",
    "greaterthan", "ge", ">=", "in", "lower", "upper",
)  # fmt: skip
_LOOP = frozenset((
    "index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem", "depth", "depth0", "cycle", "changed",
))  # fmt: skip
_CALLABLE = frozenset(("BlockReference", "builtin_function_or_method", "method"))
_DICT = frozenset(("items", "keys", "values", "get"))


#: Name, file name and text of a template → its code, and the steps that a rendering of it may take.
_COMPILED: dict[tuple[str | None, str | None, str], tuple[Any, int]] = {}


class TooMuch(SecurityError):
    """A template that asks for more steps, text or depth than any message needs."""


class Refused(TemplateSyntaxError):
    """A construct outside the sandbox (J006); `construct` as its author wrote it."""

    def __init__(self, construct: str, lineno: int, name: str | None = None) -> None:
        super().__init__(
            t("{construct} is not allowed in a template", "{construct} : interdit dans un gabarit", construct=construct),
            lineno,
            name,
        )
        self.construct = construct


@dataclass(slots=True)
class Budget:
    """Steps left in this rendering: a loop's items, calls, and each 1,000 characters of work are steps."""

    left: int = MAX_STEPS

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuch(t("the template takes too many steps", "le gabarit demande trop d'étapes"))


class HookCode(CodeGenerator):
    """Writes one call of our hook around each printed expression instead of Jinja's str, escape and finalize."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if isinstance(node, nodes.Const) and node.value is None:
            raise nodes.Impossible  # the hook refuses it
        return super()._output_child_to_const(node, frame, finalize)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write("environment.hook_html(" if frame.eval_ctx.autoescape else "environment.hook_text(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates. `marking` leaves marks in the place of values; else values are printed."""

    code_generator_class = HookCode
    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))
    hook_html: Callable[[Any], str]
    hook_text: Callable[[Any], str]

    def __init__(self, loader: BaseLoader, recorder: Recorder, *, marking: bool) -> None:
        super().__init__(
            loader=loader, undefined=StrictUndefined if guards.on("strict_undefined") else Undefined, autoescape=is_html, cache_size=1000, auto_reload=False,
            keep_trailing_newline=False, trim_blocks=True, lstrip_blocks=True, extensions=(),
        )  # fmt: skip
        self.globals.clear()
        self.budget = Budget()
        self.recorder = recorder
        self.filters = {name: self._guarded(name, self.filters[name]) for name in ALLOWED_FILTERS}
        self.filters["_counted"] = self.counted
        self.tests = {name: _plain_test(cast(Callable[..., Any], self.tests[name])) for name in ALLOWED_TESTS}
        self.policies["truncate.leeway"] = 0
        self.hook_html, self.hook_text = make_hooks(recorder)
        if marking:
            self.concat = _mark_captured  # type: ignore[method-assign]

    # -- what may be written -----------------------------------------------------------------------------------------
    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        check_source(source, name)
        try:
            tree = super()._parse(source, name, filename)
        except RecursionError:
            raise Refused(t("so deep a nesting", "une imbrication si profonde"), 1, name) from None
        check_tree(tree, name)
        steps = max(200, min(MAX_STEPS, 2_000_000 // max(1, sum(1 for _ in walk(tree)))))
        self.budget_size = min(getattr(self, "budget_size", MAX_STEPS), steps)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.iter.lineno, environment=self)
        return tree

    def compile(self, source: Any, name: str | None = None, filename: str | None = None, *raw: Any, **more: Any) -> Any:
        """The code of a template, made once a process: checks render the same templates over and over, one of them changed."""
        if type(self) is not Sandbox or not isinstance(source, str) or raw or more:
            return super().compile(source, name, filename, *raw, **more)
        found = _COMPILED.get((name, filename, source))
        before = getattr(self, "budget_size", MAX_STEPS)
        if found is None:
            self.budget_size = MAX_STEPS
            code = super().compile(source, name, filename)
            if len(_COMPILED) >= 256:
                _COMPILED.clear()
            found = _COMPILED[(name, filename, source)] = code, self.budget_size
        self.budget_size = min(before, found[1])
        return found[0]

    def begin(self) -> None:
        """A new rendering: the budget is full again."""
        self.budget.left = getattr(self, "budget_size", MAX_STEPS)

    # -- what may be reached -----------------------------------------------------------------------------------------
    def getattr(self, obj: Any, attribute: str) -> Any:
        look = ACCESS.get(type(obj))
        if look is not None:
            return look(obj, attribute)
        if attribute[:1] == "_" and guards.on("sandbox"):
            raise SecurityError(
                t("'{name}' cannot be reached from a template", "« {name} » est hors de portée d'un gabarit", name=attribute)
            )
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
            if attribute in _DICT:
                return getattr(obj, attribute)
        elif isinstance(obj, LoopContext):
            if attribute in _LOOP:
                return getattr(obj, attribute)
        elif type(obj).__name__ in ("TemplateModule", "TemplateReference"):
            return super().getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute) if guards.on("sandbox") else getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str):
            if isinstance(obj, dict) and argument in obj:
                return obj[argument]
            return self.getattr(obj, str(argument))
        if isinstance(obj, Undefined):
            return obj[argument]
        if isinstance(obj, Printed):
            obj = str(obj)
        if isinstance(obj, (str, list, tuple)) and isinstance(argument, (int, slice)):
            try:
                return obj[argument]
            except (IndexError, TypeError, ValueError):
                return self.undefined(obj=obj, name=str(argument))
        return self.undefined(obj=obj, name=str(argument))

    def is_safe_callable(self, obj: Any) -> bool:
        """Macros, blocks, loops, our functions, and the methods of mappings that `getattr` lets through."""
        kind = type(obj).__name__
        return isinstance(obj, (Macro, LoopContext, Undefined)) or kind in _CALLABLE

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.budget.spend(1)
        if getattr(obj, "for_templates", False) is True:
            return obj(
                *args, **{name: value for name, value in kwargs.items() if name[:1] != "_"}
            )  # inside a block Jinja adds its own
        if isinstance(obj, LoopContext) and args:
            args = (self.counted(args[0]), *args[1:])
        return super().call(context, obj, *args, **kwargs)

    # -- what may be computed ----------------------------------------------------------------------------------------
    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        left, right = plain(left), plain(right)
        if isinstance(left, (str, list, tuple)) or isinstance(right, (str, list, tuple)):
            if operator != "+":
                raise TooMuch(
                    t("'{operator}' works on numbers only", "« {operator} » ne s'applique qu'aux nombres", operator=operator)
                )
            if isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
                size = len(left) + len(right)
                self.budget.spend(1 + size // 1000)
                if size > MAX_TEXT:
                    raise TooMuch(t("the text grows too long", "le texte devient trop long"))
        result = super().call_binop(context, operator, left, right)
        if (
            isinstance(result, (int, float))
            and not isinstance(result, bool)
            and not (math.isfinite(result) and abs(result) < 1e18)
        ):
            raise TooMuch(t("the number grows too large", "le nombre devient trop grand"))
        return result

    def counted(self, items: Any) -> Any:
        """What a loop goes through, as a list, each item a step."""
        if isinstance(items, Undefined):
            return items
        if isinstance(items, Printed):
            items = str(items)
        taken = list(islice(items, self.budget.left + 1))
        self.budget.spend(len(taken))
        return taken

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The filter with plain arguments, refusing what would grow without bound."""
        takes_context = getattr(function, "jinja_pass_arg", None)
        skip = 0 if takes_context is None else 1
        keep_views = name in ("default", "d", "first", "last", "list", "sort", "unique", "reverse", "join", "min", "max")

        def call(*args: Any, **kwargs: Any) -> Any:
            if not (keep_views and len(args) > skip and isinstance(args[skip], (Undefined, list, tuple))):
                args = (*args[:skip], *map(plain if name not in ("default", "d") else _same, args[skip:]))
            self._measure(name, args[skip:], kwargs)
            return function(*args, **kwargs)

        call.__name__ = name
        if takes_context is not None:
            call.jinja_pass_arg = takes_context  # type: ignore[attr-defined]
        return call

    def _measure(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        size = sum(len(value) for value in args if isinstance(value, (str, list, tuple, dict)))
        if name == "join" and args and not isinstance(args[0], (str, Undefined)):
            parts = list(islice(args[0], MAX_STEPS))
            glue = len(str(args[1] if len(args) > 1 else kwargs.get("d", "")))
            size = sum(len(str(plain(part))) for part in parts) + glue * len(parts)
        elif name == "replace" and len(args) >= 3:
            text, old, new = (str(value) for value in args[:3])
            size = len(text) + text.count(old) * len(new)
        elif name == "round" and any(isinstance(value, int) and abs(value) > 10 for value in (*args[1:], *kwargs.values())):
            raise TooMuch(t("round takes at most 10 digits", "round prend au plus 10 chiffres"))
        elif name == "wordwrap" and size > 8_000:
            raise TooMuch(t("wordwrap takes at most 8,000 characters", "wordwrap prend au plus 8 000 caractères"))
        if size > MAX_TEXT:
            raise TooMuch(t("the text grows too long", "le texte devient trop long"))
        if size > 1000:
            self.budget.spend(size // 1000)


def is_html(name: str | None) -> bool:
    """Values are escaped in `*.html.j2`, and only there."""
    return name is not None and name.endswith((".html.j2", ".html")) and guards.on("autoescape")


def plain(value: Any) -> Any:
    """A view as the text a reader would see; other values as they are."""
    return value.plain() if isinstance(value, Printed) else value


def _same(value: Any) -> Any:
    return value


def _plain_test(function: Callable[..., Any]) -> Callable[..., Any]:
    if function.__name__ in ("test_defined", "test_undefined"):
        return function

    def call(*args: Any) -> Any:
        return function(*map(plain, args))

    for name in ("jinja_pass_arg",):
        if hasattr(function, name):
            setattr(call, name, getattr(function, name))
    return call


def _mark_captured(chunks: Iterable[str]) -> str:
    """Joins captured text (macro, set block, super, caller) so that the hook knows it when it is printed again."""
    return CAPTURED + "".join(chunks)


def check_source(source: str, name: str | None) -> None:
    """Raises for what is not even parsed: too long, empty (it would send nothing to everybody), or with characters that mark
    values or control terminals."""
    if len(source.encode("utf-8", "replace")) > MAX_SOURCE:
        raise Refused(t("a template above 64 KB", "un gabarit de plus de 64 Ko"), 1, name)
    if not source.strip():
        raise Refused(t("an empty template", "un gabarit vide"), 1, name)
    if found := _CONTROL.search(source):
        raise Refused(
            t("the control character U+{code:04X}", "le caractère de contrôle U+{code:04X}", code=ord(found[0])),
            source.count("\n", 0, found.start()) + 1,
            name,
        )
    if found := _MARKS.search(source):
        raise Refused(
            t("the character U+{code:04X}", "le caractère U+{code:04X}", code=ord(found[0])),
            source.count("\n", 0, found.start()) + 1,
            name,
        )


def walk(node: nodes.Node, depth: int = 0) -> Iterator[tuple[nodes.Node, int]]:
    """Every node of a syntax tree with its depth."""
    todo = [(node, depth)]
    while todo:
        here, level = todo.pop()
        yield here, level
        todo.extend((child, level + 1) for child in here.iter_child_nodes())


def check_tree(tree: nodes.Template, name: str | None) -> None:
    """Raises `Refused` at the first construct that the sandbox does not know (J006)."""
    for node, depth in walk(tree):
        line = getattr(node, "lineno", 1) or 1
        if depth > MAX_DEPTH:
            raise Refused(t("so deep a nesting", "une imbrication si profonde"), line, name)
        if not isinstance(node, ALLOWED_NODES) and guards.on("ast_list"):
            kind = type(node).__name__
            raise Refused(f"'{REFUSED_NAMES.get(kind, kind.lower())}'", line, name)
        if isinstance(node, nodes.Filter) and node.name not in ALLOWED_FILTERS:
            raise Refused(t("the filter '{name}'", "le filtre « {name} »", name=node.name), line, name)
        if isinstance(node, nodes.Test) and node.name not in ALLOWED_TESTS:
            raise Refused(t("the test '{name}'", "le test « {name} »", name=node.name), line, name)
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            raise Refused(f"'{node.attr}'", line, name)
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and str(node.arg.value).startswith("_"):
            raise Refused(f"'{node.arg.value}'", line, name)


class Templates(BaseLoader):
    """Templates by name from given texts; nothing outside can be included, and no path is followed (S29)."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        if template not in self.sources:
            raise TemplateNotFound(template)
        return self.sources[template], f"templates/{template}", lambda: True

    def list_templates(self) -> list[str]:
        return sorted(self.sources)


__all__ = [
    "MAX_CHUNKS",
    "MAX_OUTPUT",
    "Markup",
    "OPEN",
    "Refused",
    "Sandbox",
    "Templates",
    "TooMuch",
    "check_tree",
    "is_html",
    "plain",
    "walk",
]
