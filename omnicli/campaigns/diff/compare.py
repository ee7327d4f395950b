"""Two campaigns side by side: every difference once, at the place where its author looks for it. Pure.

Order of keys, quoting and comments are no difference; order counts in lists, `for`, arms and personas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from omnicli.lint.passages import spelled
from omnicli.model import outline
from omnicli.model.campaign import AnyStep, Campaign, Choose, Message, Split, WaitStep
from omnicli.model.flow import Flow, Node

Kind = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what it is about (`offer`, `fr.body`, `goal.within`), before and after; None where there was or is none."""

    name: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> Kind:
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class MessageChange:
    """One message: its facts, its words (`fr.body`), and what else is written of it."""

    name: str
    kind: Kind
    facts: tuple[Change, ...] = ()
    words: tuple[Change, ...] = ()
    rest: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class StepChange:
    """One step: `step` is its id; `before` and `after` say it in a few words; `changes` are its keys."""

    step: str
    kind: Kind
    before: str | None
    after: str | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that differs; falsy when nothing does."""

    messages: tuple[MessageChange, ...] = ()
    flow: tuple[StepChange, ...] = ()
    guardrails: tuple[Change, ...] = ()
    frame: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.messages or self.flow or self.guardrails or self.frame)


def compare(before: Campaign, after: Campaign) -> Diff:
    """What `after` says otherwise than `before`; both are resolved (personas and shared segments in them)."""
    return Diff(
        tuple(_messages(before, after)), tuple(_flow(before, after)),
        tuple(_keys(_plain(before.guardrails), _plain(after.guardrails))), tuple(_frame(before, after)),
    )  # fmt: skip


# --- messages -------------------------------------------------------------------------------------------------------
def _messages(before: Campaign, after: Campaign) -> Iterator[MessageChange]:
    for name in _union(before.messages, after.messages):
        old, new = before.messages.get(name), after.messages.get(name)
        if old == new:
            continue
        kind: Kind = "added" if old is None else "removed" if new is None else "changed"
        facts = tuple(_keys(_facts(old), _facts(new)))
        words = tuple(_keys(_words(old), _words(new)))
        rest = tuple(_keys(_rest(old), _rest(new)))
        yield MessageChange(name, kind, facts, words, rest)


def _facts(message: Message | None) -> dict[str, str]:
    if message is None:
        return {}
    aged = {name: f", max_age {fact.max_age}" if fact.max_age else "" for name, fact in message.facts.items()}
    return {name: spelled(fact) + aged[name] for name, fact in message.facts.items()}


def _words(message: Message | None) -> dict[str, str]:
    said = message.say if message is not None else {}
    return {f"{language}.{slot}": text for language, slots in said.items() for slot, text in slots.items()}


def _rest(message: Message | None) -> dict[str, str]:
    return {} if message is None else _plain(message, without=("facts", "say"))


# --- the flow -------------------------------------------------------------------------------------------------------
def _flow(before: Campaign, after: Campaign) -> Iterator[StepChange]:
    old, new = Flow.of(before), Flow.of(after)
    pairs = _paired(old, new)
    moved = _moved(old, new, pairs)
    back = {b: a for a, b in pairs.items()}
    for name, node in new.nodes.items():
        if name in back:
            yield from _step(old[back[name]], node, moved=name in moved)
        elif not _hidden(node):
            yield StepChange(name, "added", None, describe(node.step))
    for name, node in old.nodes.items():
        if name not in pairs and not _hidden(node):
            yield StepChange(name, "removed", describe(node.step), None)


def _step(old: Node, new: Node, *, moved: bool) -> Iterator[StepChange]:
    changes = tuple(_keys(_own(old.step), _own(new.step)))
    if changes or old.step.verb != new.step.verb:
        yield StepChange(new.id, "changed", describe(old.step), describe(new.step), changes)
    elif moved:
        yield StepChange(new.id, "moved", old.path, new.path)


def _paired(old: Flow, new: Flow) -> dict[str, str]:
    """Old name → new name of the same step: by its id; without one, the first that says the same, then the one at the same path."""
    found = {name: name for name, node in old.nodes.items() if node.step.id and name in new.nodes}
    free = [n for n, node in new.nodes.items() if not node.step.id]
    left = [n for n, node in old.nodes.items() if not node.step.id]
    for word_for_word in (True, False):
        for a in [a for a in left if a not in found]:
            taken = set(found.values())
            rest = [b for b in sorted(free, key=lambda b: b != a) if b not in taken]
            match = next((b for b in rest if _same(old[a], new[b], word_for_word=word_for_word)), None)
            if match is not None:
                found[a] = match
    return found


def _same(old: Node, new: Node, *, word_for_word: bool) -> bool:
    if word_for_word:
        return _own(old.step) == _own(new.step)
    return old.path == new.path and old.step.verb == new.step.verb


def _moved(old: Flow, new: Flow, pairs: Mapping[str, str]) -> set[str]:
    """Steps whose order among those that stayed, or whose branch, is another: as few as explain it."""
    from difflib import SequenceMatcher

    before = [pairs[n] for n in old.nodes if n in pairs]
    after = [n for n in new.nodes if n in set(pairs.values())]
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    kept = {before[i] for block in matcher.get_matching_blocks() for i in range(block.a, block.a + block.size)}
    back = {b: a for a, b in pairs.items()}
    return {n for n in after if n not in kept or _parent(old, back[n], pairs) != _parent(new, n, {})}


def _parent(flow: Flow, name: str, renamed: Mapping[str, str]) -> tuple[str, str] | None:
    """The branch in which a step stands: (the step that it belongs to, its label)."""
    path = flow[name].path.split(".")[:-1]
    by_path = {node.path: node.id for node in flow}
    for n in range(len(path), 1, -1):
        owner = by_path.get(".".join(path[:n]))
        if owner is not None:
            return renamed.get(owner, owner), ".".join(path[n:])
    return None


def _hidden(node: Node) -> bool:
    """Steps without an id that only lead on say nothing by themselves."""
    return node.step.id is None and node.step.verb == "go"


def _own(step: AnyStep) -> dict[str, str]:
    """What a step says of itself; its branches by their labels, without the steps in them."""
    found = _plain(step, without=("id", "for", "split", "choose"))
    match step:
        case WaitStep(for_=answers) if answers is not None:
            found["for"] = ", ".join(answers)
        case Choose() | Split():
            found[step.verb] = " · ".join(label for label, _, _ in outline.branches(step))
    return found


def describe(step: AnyStep) -> str:
    """A step in a few words, as its file says it, with what it chooses among."""
    labels = " · ".join(label for label, _, _ in outline.branches(step)) if isinstance(step, Choose | Split) else ""
    return f"{outline.step(step)}: {labels}" if labels else outline.step(step)


# --- the frame ------------------------------------------------------------------------------------------------------
_ELSEWHERE = ("messages", "flow", "guardrails", "migrate", "title", "why", "owner", "campaign")


def _frame(before: Campaign, after: Campaign) -> Iterator[Change]:
    yield from _keys(_plain(before, without=_ELSEWHERE), _plain(after, without=_ELSEWHERE))


# --- plain values ---------------------------------------------------------------------------------------------------
def _plain(value: Any, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """A model as `path → text`, defaults and nothing left out."""
    dumped = value.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, exclude=set(_fields(value, without))
    )
    return dict(_leaves(dumped))


def _fields(value: Any, without: tuple[str, ...]) -> Iterator[str]:
    for name, field in type(value).model_fields.items():
        if (field.alias or name) in without:
            yield name


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        if all(not isinstance(one, dict | list) for one in value):
            yield path, ", ".join(map(str, value))
        else:
            for n, one in enumerate(value):
                yield from _leaves(one, f"{path}.{n}")
    else:
        yield path, str(value)


def _keys(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in _union(before, after):
        if before.get(name) != after.get(name):
            yield Change(name, before.get(name), after.get(name))


def _union(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of both, those of `after` first, in the order of their files."""
    return [*after, *(name for name in before if name not in after)]
