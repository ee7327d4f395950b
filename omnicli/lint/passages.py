"""What another version would mean to the people in flight: who would be stranded, who was told something else, whose timer is longer.

Asked by lint (family V), by `diff` and by `migrate`, of the same groups of people and in the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from omnicli.engine import moving
from omnicli.model.campaign import Campaign, Fact, Migrate, WaitStep
from omnicli.model.flow import Flow
from omnicli.render.facts import fixed_facts
from omnicli.store.positions import Group
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Promise:
    """People who were told `old` by a message; it would say `new` to the next."""

    message: str
    fact: str
    old: str
    new: str
    people: int


def leaving(groups: Iterable[Group], known: Mapping[str, str], migrate: Migrate | None) -> tuple[list[Group], list[str]]:
    """The groups that `migrate.from` names, and the names that are no version. `known` maps hashes to `v1` … labels."""
    wanted: set[str] = set()
    unknown: list[str] = []
    for name in migrate.from_ if migrate is not None else ():
        found = [h for h, number in known.items() if name == number or (len(name) >= 4 and h.startswith(name))]
        wanted |= set(found)
        if not found:
            unknown.append(name)
    return [g for g in groups if g.version in wanted], unknown


def stranded(groups: Iterable[Group], trees: Mapping[str, Campaign], new: Campaign, people: Mapping[str, str]) -> dict[str, int]:
    """Step → people who stand there and for whom the new version has no place."""
    flow, found = Flow.of(new), Counter[str]()
    old = {version: Flow.of(tree) for version, tree in trees.items()}
    for group in groups:
        if moving.landing(old[group.version], flow, people, group.step).kind == "stranded":
            found[group.step or ""] += group.people
    return dict(sorted(found.items()))


def lost(new: Campaign, step: str) -> str:
    """Why nobody can stand at this step any more, in words: a step of the same name that has another verb is another step."""
    if step in Flow.of(new).nodes:
        return t("does something else now", "fait autre chose désormais")
    return t("is gone", "n'existe plus")


def promises(groups: Iterable[Group], trees: Mapping[str, Campaign], new: Campaign) -> tuple[Promise, ...]:
    """What people were told that the new version says otherwise; messages that are gone promise nothing new."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for group in groups:
        for message, told in group.told.items():
            if message in new.messages:
                for fact, old, now in _otherwise(group, message, told, trees[group.version], new):
                    found[message, fact, old, now] += group.people
    return tuple(Promise(*key, people) for key, people in sorted(found.items()))


def _otherwise(
    group: Group, message: str, told: Mapping[str, list[str | None]], old: Campaign, new: Campaign
) -> Iterator[tuple[str, str, str]]:
    """(fact, what was told, what would be told) wherever the two differ."""
    written = new.messages[message]
    fixed = fixed_facts(written, group.persona, group.language)
    for name, (kind, said) in told.items():
        if said is None:
            continue
        fact = written.facts.get(name)
        if fact is None:
            yield name, shown(kind, said), "–"
        elif name in fixed:
            if fixed[name][1] != said:
                yield name, shown(kind, said), shown(*fixed[name])
        elif fact.max_age is None and _was(old, message, name) != fact:
            yield name, shown(kind, said), spelled(fact)


def shown(kind: str | None, spelling: str | None) -> str:
    """A resolved fact as a file writes it."""
    return "–" if spelling is None else f"{spelling} %" if kind == "percent" else spelling


def _was(old: Campaign, message: str, name: str) -> Fact | None:
    return old.messages[message].facts.get(name) if message in old.messages else None


def spelled(fact: Fact) -> str:
    """A fact as its file writes it, in a few words."""
    if fact.from_ is not None:
        return fact.from_
    several = fact.by_persona or fact.by_language
    return ", ".join(f"{key}: {value}" for key, value in several.items()) if several else str(fact.value)


def shortened(
    groups: Iterable[Group], trees: Mapping[str, Campaign], new: Campaign, timers: Mapping[str, str] = {}
) -> dict[str, int]:
    """Wait → people who stand in it and keep a longer timer than the new version gives; those of `timers: shorten` do not."""
    flow, found = Flow.of(new), Counter[str]()
    old = {version: Flow.of(tree) for version, tree in trees.items()}
    for group in groups:
        step = group.step
        if step is not None and timers.get(step, "keep") == "keep" and is_shorter(old[group.version], flow, step):
            found[step] += group.timer
    return {step: n for step, n in sorted(found.items()) if n}


def is_shorter(old: Flow, new: Flow, step: str) -> bool:
    """Whether a wait of this name is shorter in the new flow."""
    if step not in old.nodes or step not in new.nodes:
        return False
    before, after = old[step].step, new[step].step
    if not isinstance(before, WaitStep) or not isinstance(after, WaitStep):
        return False
    if before.wait.length is None or after.wait.length is None:
        return False
    return after.wait.length.about < before.wait.length.about
