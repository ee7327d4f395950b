"""What an edit means to the people in flight: who is before it, who waits in it, who is past it (cli 4.2). Counts, nobody's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnicli.campaigns.diff.compare import Diff, MessageChange, StepChange, compare
from omnicli.engine import moving
from omnicli.lint.passages import is_shorter
from omnicli.model.campaign import Campaign, Migrate, Send
from omnicli.model.flow import Flow
from omnicli.store.positions import Group

if TYPE_CHECKING:
    from omnicli.campaigns.migrate.intent import Intent


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit and its people. `kind` is `fact words wait shortened changed added removed moved`; `code` the finding that it is (V002, V003, V004)."""

    kind: str
    name: str
    text: str
    before: int
    waiting: int
    past: int
    code: str | None = None


def of(intent: Intent) -> tuple[Edit, ...]:
    """The edits that a migration carries out, for the people whom it moves."""
    found: dict[tuple[str, str, str], Edit] = {}
    for version, tree in intent.trees.items():
        groups = [g for g in intent.groups if g.version == version]
        if groups:
            for edit in effects(tree, intent.campaign, groups, intent.migrate):
                key = (edit.kind, edit.name, edit.text)
                found[key] = _sum(found[key], edit) if key in found else edit
    return tuple(found.values())


def _sum(a: Edit, b: Edit) -> Edit:
    return Edit(a.kind, a.name, a.text, a.before + b.before, a.waiting + b.waiting, a.past + b.past, a.code or b.code)


def effects(before: Campaign, after: Campaign, groups: Sequence[Group], migrate: Migrate | None = None) -> tuple[Edit, ...]:
    """Every difference with the people of `before` around it."""
    diff = compare(before, after)
    old, new = Flow.of(before), Flow.of(after)
    return (*_messages(diff, old, groups, migrate), *_steps(diff, old, new, groups, migrate))


# --- messages: what people were told --------------------------------------------------------------------------------
def _messages(diff: Diff, old: Flow, groups: Iterable[Group], migrate: Migrate | None) -> Iterator[Edit]:
    listed = tuple(groups)
    for change in diff.messages:
        if change.kind != "changed":
            continue
        sends = [n.id for n in old if isinstance(n.step, Send) and n.step.send == change.name]
        anew = migrate is not None and migrate.facts.get(change.name) == "new"
        for fact in change.facts:
            told = [g for g in listed if fact.name in g.told.get(change.name, {})]
            yield _told(change, f"{fact.name} {fact.before or '–'} → {fact.after or '–'}", listed, told, old, sends, anew=anew)
        if change.words and not change.facts:
            yield _told(change, "", listed, (), old, sends, anew=False, kind="words")


def _told(
    change: MessageChange, text: str, groups: Sequence[Group], told: Sequence[Group], old: Flow, sends: Sequence[str], *, anew: bool,
    kind: str = "fact",
) -> Edit:  # fmt: skip
    """Before: not told yet, and may still be. Waiting: told, and may be told again. Past: nothing of it lies ahead."""
    ahead = {g.step: any(send in moving.ahead(old, g.step) for send in sends) for g in groups}
    waiting = sum(g.people for g in told if ahead[g.step])
    before = sum(g.people for g in groups if ahead[g.step]) - waiting
    past = sum(g.people for g in groups if not ahead[g.step])
    return Edit(kind, change.name, text, before, waiting, past, "V004" if anew and waiting and kind == "fact" else None)


# --- steps ----------------------------------------------------------------------------------------------------------
def _steps(diff: Diff, old: Flow, new: Flow, groups: Sequence[Group], migrate: Migrate | None) -> Iterator[Edit]:
    people: Mapping[str, str] = migrate.people if migrate is not None else {}
    timers: Mapping[str, str] = migrate.timers if migrate is not None else {}
    for change in diff.flow:
        where = _around(change, old, new, groups)
        code = None
        if change.kind == "removed":
            lost = sum(
                g.people for g in groups if g.step == change.step and moving.landing(old, new, people, g.step).kind == "stranded"
            )
            code = "V002" if lost else None
        elif is_shorter(old, new, change.step) and timers.get(change.step) != "shorten" and where[1]:
            code = "V003"
        kind: str = "wait" if change.kind == "changed" and (change.after or "").startswith("wait") else change.kind
        if kind == "wait" and timers.get(change.step) == "shorten":
            kind = "shortened"
        yield Edit(kind, change.step, _text(change), *where, code)


def _text(change: StepChange) -> str:
    if change.kind == "changed":
        return " · ".join(f"{c.name} {c.before or '–'} → {c.after or '–'}" for c in change.changes)
    return change.after or change.before or ""


def _around(change: StepChange, old: Flow, new: Flow, groups: Sequence[Group]) -> tuple[int, int, int]:
    """An added step is looked for on the new way: whoever lands behind it never meets it."""
    counts = {"before": 0, "waiting": 0, "past": 0}
    flow = new if change.kind == "added" else old
    for g in groups:
        counts[moving.place(flow, g.step, change.step)] += g.people
    return counts["before"], counts["waiting"], counts["past"]


def as_json(edits: Iterable[Edit]) -> list[dict[str, Any]]:
    return [{"kind": e.kind, "name": e.name, "text": e.text, "before": e.before, "waiting": e.waiting, "past": e.past, "code": e.code}
            for e in edits]  # fmt: skip
