"""Folds what is the same for everybody who gets one message into its template's syntax tree, so that it is decided once.

`brand`, `say`, `language`, which facts there are: all are known when a message, channel and language are. A template that is
then nothing but constants and views is *straight*: every reader's text has the same skeleton, and only values are new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Undefined, nodes

from omnicli.render.sandbox import Sandbox
from omnicli.render.views import Constant, FactsView, FactView, Fields, Link, Own, Picture, Printed, SayView, Slot, Today, Value

_UNKNOWN = object()
_PLAIN = (str, int, float, bool, type(None))
_BLOCKING = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.Assign,
             nodes.AssignBlock, nodes.With)  # fmt: skip


@dataclass(slots=True)
class Fold:
    """One template being folded. `statics` are the views of the message by name, `sure` the facts that everybody has;
    `views` collects the views that the folded tree names
    (by the part they stand in)."""

    environment: Sandbox
    statics: Mapping[str, Any]
    sure: frozenset[str]
    part: str = ""
    views: dict[str, Any] = field(default_factory=dict)

    def template(self, tree: nodes.Template) -> nodes.Template | None:
        """The folded tree (the given one, changed), or None for a template that is better left alone."""
        if next(tree.find_all(_BLOCKING), None) is not None:
            return None
        stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
        if stored & self.statics.keys():
            return None
        tree.body = self.body(tree.body)
        return tree

    def body(self, statements: list[nodes.Node]) -> list[nodes.Node]:
        """Statements with what is decided left out and neighbouring outputs joined."""
        out: list[nodes.Node] = []
        for statement in statements:
            for folded in self.statement(statement):
                if isinstance(folded, nodes.Output) and out and isinstance(out[-1], nodes.Output):
                    out[-1].nodes = [*out[-1].nodes, *folded.nodes]
                else:
                    out.append(folded)
        return out

    def statement(self, node: nodes.Node) -> list[nodes.Node]:
        match node:
            case nodes.Output():
                node.nodes = [self.expression(child) for child in node.nodes]
            case nodes.If():
                return self.decided(node)
            case nodes.For():
                node.iter = self.expression(node.iter)
                node.body, node.else_ = self.body(node.body), self.body(node.else_)
            case nodes.Block():
                node.body = self.body(node.body)
        return [node]

    def decided(self, node: nodes.If) -> list[nodes.Node]:
        truth = self.truth(node.test)
        if truth is True:
            return self.body(node.body)
        if truth is False:
            if not node.elif_:
                return self.body(node.else_)
            first, *others = node.elif_
            return self.decided(
                nodes.If(first.test, first.body, others, node.else_, lineno=first.lineno, environment=self.environment)
            )
        node.test = self.expression(node.test)
        node.body, node.else_ = self.body(node.body), self.body(node.else_)
        for other in node.elif_:
            other.test, other.body = self.expression(other.test), self.body(other.body)
        return [node]

    def expression(self, node: Any) -> Any:
        """The expression as a constant or the name of a view when it is known, else with its parts folded."""
        value = self.value(node)
        if value is not _UNKNOWN and not isinstance(value, Undefined):
            if isinstance(value, _PLAIN):
                return nodes.Const(value, lineno=node.lineno, environment=self.environment)
            if isinstance(value, Printed):
                return self.named(value, node)
        if isinstance(node, nodes.CondExpr):
            truth = self.truth(node.test)
            if truth is not None and (truth or node.expr2 is not None):
                return self.expression(node.expr1 if truth else node.expr2)
        if isinstance(node, (nodes.Test, nodes.Call)):
            return node
        for name, child in list(node.iter_fields()):
            if isinstance(child, nodes.Expr):
                setattr(node, name, self.expression(child))
            elif isinstance(child, list) and name in ("args", "items", "nodes"):
                setattr(node, name, [self.expression(one) if isinstance(one, nodes.Expr) else one for one in child])
        return node

    def named(self, view: Printed, node: nodes.Node) -> nodes.Name:
        name = next((key for key, known in self.views.items() if known is view), None)
        if name is None:
            name = f"{self.part}_view_{len(self.views)}"
            self.views[name] = view
        return nodes.Name(name, "load", lineno=node.lineno, environment=self.environment)

    # -- what is known -----------------------------------------------------------------------------------------------
    def truth(self, node: nodes.Node) -> bool | None:
        value = self.value(node)
        if value is _UNKNOWN:
            return None
        if isinstance(value, Slot):
            return True if any(isinstance(piece, str) and piece for piece in value.text_pieces) else None
        if isinstance(value, (FactView, Own, Link, Picture)):
            return True
        if isinstance(value, Value):
            return None
        return bool(value)

    def value(self, node: nodes.Node | None) -> Any:
        """What the expression is for everybody, or `_UNKNOWN`."""
        match node:
            case nodes.Const():
                return node.value
            case nodes.Name() if node.ctx == "load":
                return self.statics.get(node.name, _UNKNOWN)
            case nodes.Getattr():
                return self.attribute(self.value(node.node), node.attr)
            case nodes.Getitem():
                return self.item(self.value(node.node), node.arg)
            case nodes.Test() if node.name in ("defined", "undefined") and not node.args:
                value = self.value(node.node)
                return _UNKNOWN if value is _UNKNOWN else isinstance(value, Undefined) is (node.name == "undefined")
            case nodes.Not():
                truth = self.truth(node.node)
                return _UNKNOWN if truth is None else not truth
            case nodes.And() | nodes.Or():
                return self.joined(node)
            case nodes.Compare():
                return self.compared(node)
            case nodes.CondExpr():
                truth = self.truth(node.test)
                if truth is None or (not truth and node.expr2 is None):
                    return _UNKNOWN
                return self.value(node.expr1 if truth else node.expr2)
            case nodes.Call():
                return self.called(node)
        return _UNKNOWN

    def attribute(self, value: Any, name: str) -> Any:
        if isinstance(value, FactsView):
            if name in self.sure:
                return value.views[(name, "")]
            return _UNKNOWN if name in value.names else value.look(name)
        if isinstance(value, (Fields, SayView, FactView)):
            return self.environment.getattr(value, name)
        return _UNKNOWN

    def item(self, value: Any, arg: nodes.Node) -> Any:
        if not isinstance(value, Constant):
            return _UNKNOWN
        try:
            index = arg.as_const() if isinstance(arg, nodes.Expr) else None
        except nodes.Impossible:
            return _UNKNOWN
        return self.environment.getitem(value, index) if isinstance(index, (int, slice)) else _UNKNOWN

    def joined(self, node: nodes.And | nodes.Or) -> Any:
        truth = self.truth(node.left)
        if truth is None:
            return _UNKNOWN
        return self.value(node.right if truth is isinstance(node, nodes.And) else node.left)

    def compared(self, node: nodes.Compare) -> Any:
        values = [self.value(node.expr), *(self.value(operand.expr) for operand in node.ops)]
        if not all(isinstance(value, _PLAIN) for value in values) or any(operand.op not in ("eq", "ne") for operand in node.ops):
            return _UNKNOWN
        pairs = zip(values, values[1:], node.ops, strict=False)
        return all((left == right) is (operand.op == "eq") for left, right, operand in pairs)

    def called(self, node: nodes.Call) -> Any:
        function = self.value(node.node)
        if (
            getattr(function, "for_templates", False) is not True
            or len(node.args) != 1
            or node.kwargs
            or node.dyn_args
            or node.dyn_kwargs
        ):
            return _UNKNOWN
        value = self.value(node.args[0])
        return _UNKNOWN if value is _UNKNOWN else function(value)


def is_straight(body: list[nodes.Node], views: Mapping[str, Any]) -> bool:
    """True when folded statements are only text and views whose values are counted alike for everybody."""
    for statement in body:
        if not isinstance(statement, nodes.Output):
            return False
        for child in statement.nodes:
            known = isinstance(child, (nodes.TemplateData, nodes.Const))
            view = views.get(child.name) if isinstance(child, nodes.Name) else None
            if not known and not isinstance(view, (Slot, FactView, Link, Own, Today)):
                return False
    return True
