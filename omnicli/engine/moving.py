"""Where a pass stands when its campaign's version changes: pure, over two flows and what the author wrote in `migrate:`.

A pass stands at a step id. Where the new flow has that step, it stays there unchanged; where it has not, `people` says where it
goes, and without a word it is stranded: nobody is guessed about (docs/language 9.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from omnicli.model.flow import Flow, Node


@dataclass(frozen=True, slots=True)
class Landing:
    """`stay`: at the same step, unchanged; `anew`: at `step`, as if it had just been reached; `exit`: it leaves; `end`: behind
    its step nothing is left of the old way; `stranded`: nobody said."""

    kind: Literal["stay", "anew", "exit", "end", "stranded"]
    step: str | None = None


def landing(old: Flow, new: Flow, people: Mapping[str, str], step: str | None) -> Landing:
    """Where a pass that stands at `step` of the old flow (None: before the first) stands in the new one."""
    if step is None:
        return Landing("stay")
    wanted = people.get(step)
    if wanted is None or (wanted == step and same(old, new, step)):
        return Landing("stay", step) if same(old, new, step) else Landing("stranded", step)
    if wanted == "exit":
        return Landing("exit")
    if wanted == "next":
        return _behind(old, new, step)
    return Landing("anew", wanted) if wanted in new.nodes else Landing("stranded", step)


def same(old: Flow, new: Flow, step: str) -> bool:
    """Whether both flows mean the same step by this name: one that was named does the same kind of thing; one without an id,
    known by its path only, is the same only word for word."""
    if step not in new.nodes:
        return False
    if step not in old.nodes:
        return True
    before, after = old[step].step, new[step].step
    return before == after if before.id is None or after.id is None else before.verb == after.verb


def _behind(old: Flow, new: Flow, step: str) -> Landing:
    """The first step after it, on the old way, that the new flow has too."""
    node: Node | None = old.nodes.get(step)
    seen: set[str] = set()
    while node is not None and node.next is not None and node.next not in seen:
        seen.add(node.next)
        if same(old, new, node.next):
            return Landing("anew", node.next)
        node = old.nodes.get(node.next)
    return Landing("end")


def ahead(flow: Flow, step: str | None) -> frozenset[str]:
    """Every step that a pass may still come to from `step`, that one included; from None: all that the first one leads to."""
    found: set[str] = set()
    waiting = [step if step is not None else flow.first]
    while waiting:
        name = waiting.pop()
        if name is None or name in found or name not in flow.nodes:
            continue
        found.add(name)
        node = flow[name]
        waiting += [node.next, *(first for _, first in node.branches)]
    return frozenset(found)


def place(flow: Flow, at: str | None, step: str) -> Literal["before", "waiting", "past"]:
    """Where somebody who stands at `at` is with regard to `step`."""
    if at == step:
        return "waiting"
    return "before" if step in ahead(flow, at) else "past"
