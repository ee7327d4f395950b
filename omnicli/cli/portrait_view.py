"""How one campaign looks in full, in a terminal and in JSON: a tree of its steps with how many stand where and what was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from omnicli.cli import rows
from omnicli.cli.campaign_view import STATE_STYLE, Overview, as_json, notes, overview_of, version_json
from omnicli.cli.rows import Cell, number
from omnicli.errors import OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import AnyStep, Campaign, Steps
    from omnicli.store.campaigns import Version
    from omnicli.store.connection import Store


@dataclass(frozen=True, slots=True)
class Portrait:
    """One campaign in full: the version shown, counts a step, touches a step."""

    overview: Overview
    campaign: Campaign
    version: Version | None
    at: Mapping[str, int]
    touches: Mapping[str, Mapping[tuple[str, str], int]]
    versions: tuple[tuple[Version, int], ...]
    currency: str
    zone: str


def portrait(store: Store, loaded: Loaded, name: str, *, version: str | None, now: datetime) -> Portrait:
    """The campaign as it stands in the store (else as the file says), or an older version of it."""
    from omnicli.campaigns import life, versions
    from omnicli.store import campaigns

    assert loaded.project is not None
    with store.read() as connection:
        row = campaigns.find(connection, name)
        if row is None and name not in loaded.campaigns:
            life.authored(loaded, name)
        seen = overview_of(connection, loaded, name, row, campaigns.doubtful(connection), now)
        all_versions = campaigns.versions(connection, row.id) if row is not None else ()
        chosen = _choose(all_versions, version) if version is not None else seen.version
        tree = versions.standing_tree(connection, chosen.id) if chosen is not None else loaded.campaigns[name]
        at: dict[str, int] = {}
        for (version_id, step), count in (seen.passage.at or {}).items():
            if version is None or (chosen is not None and version_id == chosen.id):
                at[step] = at.get(step, 0) + count
        touches = campaigns.touches(connection, row.id) if row is not None else {}
        inside = seen.passage.by_version or {}
        return Portrait(seen, _titled(tree, loaded.campaigns.get(name)), chosen, at, touches,
                        tuple((v, inside.get(v.id, 0)) for v in all_versions), loaded.project.currency, loaded.project.time_zone)  # fmt: skip


def _titled(tree: Campaign, file: Campaign | None) -> Campaign:
    """A version does not hold title, why and owner: those of the file are shown."""
    if file is None or tree is file:
        return tree
    return tree.model_copy(update={"title": file.title, "why": file.why, "owner": file.owner})


def _choose(known: tuple[Version, ...], written: str) -> Version:
    for version in known:
        if written in (f"v{version.number}", str(version.number)) or (len(written) >= 4 and version.hash.startswith(written)):
            return version
    there = ", ".join(v.label for v in known)
    raise OmniError(t("no version '{v}'", "pas de version « {v} »", v=written),
                    hint=t("there are: {there}", "il y a : {there}", there=there) if there else "", code="V005")  # fmt: skip


def portrait_json(p: Portrait) -> dict[str, Any]:
    """`campaign show --json`: the same numbers as the tree."""
    from omnicli.model.flow import Flow

    steps = [
        {"step": node.id, "path": node.path, "verb": node.step.verb, "depth": node.depth, "here": p.at.get(node.id, 0),
         "touches": [{"state": s, "what": w, "count": n} for (s, w), n in sorted(p.touches.get(node.id, {}).items())]}
        for node in Flow.of(p.campaign)
    ]  # fmt: skip
    return {
        **as_json(p.overview), "shown": version_json(p.version), "steps": steps, "gone": dict(p.overview.passage.ended or {}),
        "versions": [{**(version_json(v) or {}), "in_flight": n} for v, n in p.versions],
    }  # fmt: skip


def show_portrait(console: Console, p: Portrait, now: datetime) -> None:
    """The page of `campaign show`."""
    from rich.text import Text

    from omnicli.campaigns import life
    from omnicli.model.spoken import word

    o, c = p.overview, p.campaign
    head = Text(o.name, "bold").append(f"  {c.title}", "not bold").append("   ")
    head.append(life.state_word(o.state), STATE_STYLE[o.state])
    head.append(f" · {p.version.label}" if p.version else t(" · not applied yet", " · pas encore appliquée"), "dim")
    console.print(head, soft_wrap=True)
    if c.why:
        console.print(Text(c.why, "italic"))
    if note := notes(o):
        console.print(Text(note, "yellow"))
    console.print()
    rows.lay(console, list(_frame(p)), shrink=1, indent=1)
    console.print()
    rows.lay(console, [_row(line, p) for line in _tree(c.flow, "flow", "")], shrink=1, right=(0,), indent=1, ragged=True)
    gone = p.overview.passage.ended or {}
    if gone:
        reasons = " · ".join(f"{word(reason)} {number(n)}" for reason, n in sorted(gone.items(), key=lambda kv: (-kv[1], kv[0])))
        console.print()
        console.print(Text(f" {t('Gone', 'Sorties')} {number(sum(gone.values()))}", "bold").append(f"   {reasons}", "not bold"), soft_wrap=True)  # fmt: skip
    older = [(v, n) for v, n in p.versions if p.version is not None and v.id != p.version.id and n]
    if older:
        console.print(Text(" " + t("In flight on older versions: ", "En cours sur d'anciennes versions : ")
                           + ", ".join(f"{v.label} {number(n)}" for v, n in older), "dim"), soft_wrap=True)  # fmt: skip


def _frame(p: Portrait) -> Iterator[list[Cell]]:
    """Who comes in, what is aimed at, what ends it."""
    from omnicli.model import outline

    c, passage = p.campaign, p.overview.passage
    again = f"again {c.enter.again}" if str(c.enter.again) != "never" else ""
    yield [
        ("enter", "dim"),
        ", ".join(w for w in (outline.entry(c.enter), again) if w),
        (t("{n} entered", "{n} entrées", n=number(passage.entered)), "bold"),
    ]
    if c.holdout:
        yield [("holdout", "dim"), str(c.holdout), t("{n} in silence", "{n} dans le silence", n=number(passage.held_out))]
    if c.goal:
        goal = ", ".join(c.goal.when) + (f" within {c.goal.within}" if c.goal.within else "")
        target = t(", target {x}", ", objectif {x}", x=c.goal.target) if c.goal.target else ""
        reached = rows.share(passage.converted, passage.entered)
        yield [
            ("goal", "dim"),
            goal + target,
            (f"{number(passage.converted)}  {reached}".rstrip(), "green" if passage.converted else ""),
        ]
    for rule in c.exit:
        text = rule.if_ or rule.when or ""
        yield [
            ("exit", "dim"),
            text + (f" ({rule.as_})" if rule.as_ else ""),
            number((passage.ended or {}).get(rule.as_ or text, 0)),
        ]


@dataclass(frozen=True, slots=True)
class _Line:
    lead: str
    id: str
    text: str
    step: AnyStep | None


def _tree(steps: Steps, path: str, lead: str) -> Iterator[_Line]:
    """The flow, one line a step or branch, drawn with the glyphs of a tree."""
    from omnicli.model import outline

    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        yield _Line(f"{lead}{'└─ ' if last else '├─ '}", step.id or f"{path}.{i}", outline.step(step), step)
        below = lead + ("   " if last else "│  ")
        branches = list(outline.branches(step))
        for n, (label, key, inner) in enumerate(branches):
            end = n == len(branches) - 1
            yield _Line(f"{below}{'└─ ' if end else '├─ '}", "", label + ("" if inner else "  –"), None)
            yield from _tree(inner, f"{path}.{i}.{key}", below + ("   " if end else "│  "))


def _row(line: _Line, p: Portrait) -> list[Cell]:
    if line.step is None:
        return ["", (line.lead + line.text, "cyan"), ""]
    named = f"{line.id}  " if not line.id.startswith("flow.") else ""
    here = p.at.get(line.id, 0)
    return [
        (number(here) if here else "", "bold"),
        line.lead + named + line.text,
        (_touched(p.touches.get(line.id, {})), "green"),
    ]


def _touched(touches: Mapping[tuple[str, str], int]) -> str:
    """`email 120 · sms 4 · skipped 12`: what became of a step's touches."""
    sent = [f"{word} {number(n)}" for (state, word), n in sorted(touches.items()) if state == "accepted"]
    others: dict[str, int] = {}
    for (state, _word), n in touches.items():
        if state != "accepted":
            others[state] = others.get(state, 0) + n
    words = {
        "skipped": t("skipped", "écartés"), "rejected": t("refused", "refusés"), "held_out": t("in silence", "silence"),
        "planned": t("to leave", "à partir"), "unknown": t("unknown", "inconnus"), "parked": t("parked", "garés"),
        "retry": t("again", "à réessayer"), "claimed": t("leaving", "en partance"), "sending": t("leaving", "en partance"),
    }  # fmt: skip
    return " · ".join([*sent, *(f"{words[state]} {number(n)}" for state, n in sorted(others.items()))])
