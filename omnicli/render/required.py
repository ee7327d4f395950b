"""Reads from a template's syntax tree which slots of `say` it needs, and whether its text can be marked at all.

A slot is needed where it is used without being asked for first: `{{ say.body }}` needs it, `{% if say.ps %}`,
`say.ps is defined`, `say.ps|default("")` and `say.headline or say.subject` ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jinja2 import nodes

Assumed = frozenset[tuple[str, bool]]
_NONE: Assumed = frozenset()


@dataclass(frozen=True, slots=True)
class Use:
    """A slot that is needed whenever all of `when` (slot, is it written?) hold; `line` of the template."""

    slot: str
    when: Assumed
    line: int
    template: str = ""


def uses(
    tree: nodes.Template, *, name: str = "", include: Callable[[str], nodes.Template | None] = lambda _: None
) -> tuple[Use, ...]:
    """Every need of a template and of what it includes, extends or imports by a constant name."""
    return tuple(_Reader(name, include, (name,)).walk(tree, _NONE))


def missing(needs: tuple[Use, ...], written: frozenset[str]) -> Use | None:
    """The first need that these written slots do not meet."""
    for use in needs:
        if use.slot not in written and all((slot in written) is there for slot, there in use.when):
            return use
    return None


@dataclass(frozen=True, slots=True)
class _Reader:
    name: str
    include: Callable[[str], nodes.Template | None]
    seen: tuple[str, ...]

    def walk(self, node: nodes.Node, when: Assumed) -> Iterator[Use]:
        slot = _slot(node)
        if slot is not None:
            yield Use(slot, when, getattr(node, "lineno", 1), self.name)
            return
        match node:
            case nodes.If():
                yield from self._asked(node.test, when)
                yes, no = _assume(node.test)
                for child in node.body:
                    yield from self.walk(child, when | yes)
                for other in node.elif_:
                    yield from self.walk(other, when | no)
                    no |= _assume(other.test)[1]
                for child in node.else_:
                    yield from self.walk(child, when | no)
            case nodes.CondExpr():
                yield from self._asked(node.test, when)
                yes, no = _assume(node.test)
                yield from self.walk(node.expr1, when | yes)
                if node.expr2 is not None:
                    yield from self.walk(node.expr2, when | no)
            case nodes.And() | nodes.Or():
                yield from self._asked(node.left, when)
                yes, no = _assume(node.left)
                yield from self.walk(node.right, when | (yes if isinstance(node, nodes.And) else no))
            case nodes.Test() if node.name in ("defined", "undefined") and _slot(node.node) is not None:
                return
            case nodes.Filter() if node.name in ("default", "d") and node.node is not None and _slot(node.node) is not None:
                for child in (*node.args, *node.kwargs):
                    yield from self.walk(child, when)
            case nodes.Include() | nodes.Extends() | nodes.Import() | nodes.FromImport():
                yield from self._other(named(node), when)
            case _:
                for child in node.iter_child_nodes():
                    yield from self.walk(child, when)

    def _asked(self, node: nodes.Node, when: Assumed) -> Iterator[Use]:
        """The needs of an expression whose truth is asked: a bare slot is only asked for."""
        if _slot(node) is not None:
            return
        if isinstance(node, nodes.Not):
            yield from self._asked(node.node, when)
        elif isinstance(node, (nodes.And, nodes.Or)):
            yield from self._asked(node.left, when)
            yes, no = _assume(node.left)
            yield from self._asked(node.right, when | (yes if isinstance(node, nodes.And) else no))
        else:
            yield from self.walk(node, when)

    def _other(self, name: str | None, when: Assumed) -> Iterator[Use]:
        tree = self.include(name) if name is not None and name not in self.seen else None
        if name is not None and tree is not None:
            yield from _Reader(name, self.include, (*self.seen, name)).walk(tree, when)


def _slot(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "say":
        return node.attr
    if (
        isinstance(node, nodes.Getitem)
        and isinstance(node.node, nodes.Name)
        and node.node.name == "say"
        and isinstance(node.arg, nodes.Const)
    ):
        return str(node.arg.value)
    return None


def _assume(test: nodes.Node) -> tuple[Assumed, Assumed]:
    """What is known of slots when the test is true, and when it is false."""
    slot = _slot(test)
    if slot is not None:
        return frozenset({(slot, True)}), frozenset({(slot, False)})
    match test:
        case nodes.Test() if test.name in ("defined", "undefined") and (slot := _slot(test.node)) is not None:
            there = test.name == "defined"
            return frozenset({(slot, there)}), frozenset({(slot, not there)})
        case nodes.Not():
            yes, no = _assume(test.node)
            return no, yes
        case nodes.And():
            return _assume(test.left)[0] | _assume(test.right)[0], _NONE
        case nodes.Or():
            return _NONE, _assume(test.left)[1] | _assume(test.right)[1]
    return _NONE, _NONE


def rendered_whole(tree: nodes.Template) -> str | None:
    """Why this template's text cannot be marked, or None: it does anything with captured text but print it.

    Captured text comes from macros, set blocks, `caller`, `super`, `self` and `loop(…)`. Printed alone it keeps its marks;
    a filter, a comparison or a joint on it would see the marks instead of the values (docs/recipes 2.4).
    """
    if next(tree.find_all(nodes.FilterBlock), None):
        return "a filter block"
    captured = _captured_names(tree)
    for block in tree.find_all(nodes.AssignBlock):
        if block.filter is not None:
            return "a filtered set block"
    for include in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        if named(include) is None:
            return "a template whose name is computed"
        if isinstance(include, nodes.Include) and not include.with_context:
            return "an include without context"
    return _misused(tree, captured, printed=False)


def named(node: nodes.Node) -> str | None:
    """The template that an include, extends or import names, when it names it plainly."""
    reference = getattr(node, "template", None)
    return reference.value if isinstance(reference, nodes.Const) and isinstance(reference.value, str) else None


def _captured_names(tree: nodes.Template) -> frozenset[str]:
    names = {"caller", "super", "self", "loop"}
    names.update(macro.name for macro in tree.find_all(nodes.Macro))
    for block in tree.find_all(nodes.AssignBlock):
        names.update(target.name for target in block.find_all(nodes.Name) if target.ctx == "store")
    for imported in tree.find_all(nodes.Import):
        names.add(imported.target)
    for imported_names in tree.find_all(nodes.FromImport):
        names.update(name if isinstance(name, str) else name[1] for name in imported_names.names)
    return frozenset(names)


def _misused(node: nodes.Node, captured: frozenset[str], *, printed: bool) -> str | None:
    """The first use of captured text that is not printing it alone."""
    if isinstance(node, nodes.Call) and _root(node.node) in captured:
        if not printed:
            return f"the text of {_root(node.node)}() is used, not printed"
        return next(filter(None, (_misused(child, captured, printed=False) for child in (*node.args, *node.kwargs))), None)
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name in captured and node.name != "loop" and not printed:
        return f"the text of {node.name} is used, not printed"
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop":
        return None
    if isinstance(node, nodes.CallBlock):
        found = next(
            filter(None, (_misused(child, captured, printed=False) for child in (*node.call.args, *node.call.kwargs))), None
        )
        return found or next(filter(None, (_misused(child, captured, printed=False) for child in node.body)), None)
    into = isinstance(node, nodes.Output)
    return next(filter(None, (_misused(child, captured, printed=into) for child in node.iter_child_nodes())), None)


def _root(node: nodes.Node) -> str | None:
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None
