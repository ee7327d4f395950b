"""The flow as the engine walks it: every step a node with the id of its successor; no tree at run time.

Built once an applied version. A branch that ends falls through to the step after its parent, so each node knows where
one goes from it; `None` is the end of the flow. A step without an `id` is known by its path (`flow.3.replied.1`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from omnicli.model import outline
from omnicli.model.campaign import AnyStep, Campaign, Exit, Go, Send, Steps


@dataclass(frozen=True, slots=True)
class Node:
    """One step. `branches` are (label, first node or None): conditions' indexes for `choose`, event terms and `nothing`
    for `wait`, arm names for `split`; a label with an empty list points to `next`."""

    id: str
    path: str
    step: AnyStep
    next: str | None
    branches: tuple[tuple[str, str | None], ...] = ()
    depth: int = 0

    def branch(self, label: str) -> str | None:
        return dict(self.branches)[label]

    @property
    def stands(self) -> bool:
        """True where people can stand: `send`, `wait` and `call` (a call is settled like a touch)."""
        return self.step.verb in ("send", "wait", "call")


@dataclass(frozen=True)
class Flow:
    """All nodes by id, in file order, and the first one."""

    nodes: Mapping[str, Node]
    first: str | None

    @classmethod
    def of(cls, campaign: Campaign) -> Flow:
        """The flow of the campaign; asked about one campaign again and again, it is laid once."""
        global _last
        known = _last
        if known is None or known[0] is not campaign:
            nodes: dict[str, Node] = {}
            first = _lay(campaign.flow, "flow", None, nodes, 0)
            known = campaign, cls({key: nodes[key] for key in sorted(nodes, key=lambda k: _order(nodes[k].path))}, first)
            _last = known
        return known[1]

    def __getitem__(self, step: str) -> Node:
        return self.nodes[step]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    @cached_property
    def sends(self) -> tuple[Node, ...]:
        return tuple(node for node in self if isinstance(node.step, Send))


_last: tuple[Campaign, Flow] | None = None


def _order(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in path.split(".")]


def _name(step: AnyStep, path: str) -> str:
    return step.id or path


def _lay(steps: Steps, path: str, after: str | None, nodes: dict[str, Node], depth: int) -> str | None:
    """Lay the nodes of one list; gives the id of its first step, or `after` when it is empty."""
    names = [_name(step, f"{path}.{i}") for i, step in enumerate(steps)]
    for i, step in enumerate(steps):
        here = f"{path}.{i}"
        follow = names[i + 1] if i + 1 < len(steps) else after
        branches = tuple((key, _lay(do, f"{here}.{key}", follow, nodes, depth + 1)) for _, key, do in outline.branches(step))
        match step:
            case Go(go=target):
                follow = target
            case Exit():
                follow = None
        nodes[names[i]] = Node(names[i], here, step, follow, branches, depth)
    return names[0] if names else after
