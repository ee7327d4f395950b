"""A diff as Markdown for a pull request: a summary in a line, words side by side, the flow before and after, people, cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from omnicli.campaigns.diff.compare import Change, Diff
from omnicli.campaigns.diff.effect import Edit
from omnicli.campaigns.diff.people import counted, titled
from omnicli.campaigns.diff.words import spans
from omnicli.campaigns.graph.sketch import sketch
from omnicli.campaigns.graph.words import mermaid
from omnicli.model.campaign import Campaign
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaigns.diff.sides import Sides
    from omnicli.model.project import Project

_SIGN = {"added": "+", "removed": "−", "changed": "~", "moved": "↕"}


def markdown(sides: Sides, found: Diff, edits: Sequence[Edit], project: Project) -> str:
    """The whole comment."""
    return "\n".join(_lines(sides, found, edits, project)) + "\n"


def _lines(sides: Sides, found: Diff, edits: Sequence[Edit], project: Project) -> Iterator[str]:
    inside = sum(g.people for g in sides.groups)
    yield f"## `{sides.name}`: {sides.before.label} → {sides.after.label}"
    yield ""
    if not found:
        yield t("They say the same.", "Elles disent la même chose.")
        return
    if inside:
        yield t("{e} entered {v}, **{n} are in flight** and stay on it until somebody migrates them.",
                "{e} entrées dans {v}, **{n} en cours** : elles y restent tant que personne ne les migre.",
                e=sides.before.entered, n=inside, v=sides.before.label.partition(" ")[0])  # fmt: skip
        yield ""
    yield from _messages(found)
    yield from _flow(sides, found)
    yield from _plain(t("Guardrails", "Garde-fous"), found.guardrails)
    yield from _plain(t("Frame", "Cadre"), found.frame)
    yield from _people(edits)
    yield from _cost(sides, project)


def _messages(found: Diff) -> Iterator[str]:
    if not found.messages:
        return
    yield f"### {t('Messages', 'Messages')}"
    yield ""
    yield f"| | {t('before', 'avant')} | {t('after', 'après')} |"
    yield "|---|---|---|"
    for m in found.messages:
        yield f"| **{_cell(m.name)}** {_SIGN[m.kind]} | | |"
        for c in (*m.facts, *m.words, *m.rest):
            before, after = _both(c)
            yield f"| {_cell(c.name)} | {before} | {after} |"
    yield ""


def _both(c: Change) -> tuple[str, str]:
    """The texts side by side, what went struck out, what came in bold."""
    if c.before is None or c.after is None:
        return _cell(c.before or ""), _cell(c.after or "")
    old = new = ""
    for run in spans(c):
        text = _cell(run.text)
        marked = run.text.strip() and run.sign != " "
        old += (f"<del>{text}</del>" if marked else text) if run.sign in " -" else ""
        new += (f"<ins>{text}</ins>" if marked else text) if run.sign in " +" else ""
    return old, new


def _cell(text: str) -> str:
    """Text in a cell: nothing in it is Markdown, HTML or the end of the cell."""
    from html import escape

    safe = escape(text, quote=False)
    for sign in "\\`*_[]~#|":
        safe = safe.replace(sign, f"&#{ord(sign)};")
    return safe.replace("\r", " ").replace("\n", "<br>")


def _flow(sides: Sides, found: Diff) -> Iterator[str]:
    if not found.flow:
        return
    yield f"### {t('Flow', 'Parcours')}"
    yield ""
    for c in found.flow:
        what = " · ".join(f"{one.name} {one.before or '–'} → {one.after or '–'}" for one in c.changes) if c.kind == "changed" else c.after if c.kind == "added" else c.before if c.kind == "removed" else t("moved", "déplacée")  # fmt: skip
        yield f"- {_SIGN[c.kind]} **{_cell(c.step)}** {_cell(what or '')}"
    yield ""
    for title, campaign in ((t("before", "avant"), sides.before.campaign), (t("after", "après"), sides.after.campaign)):
        if drawn := _drawn(campaign):
            yield f"<details><summary>{title}</summary>\n\n```mermaid\n{drawn.rstrip()}\n```\n\n</details>"
            yield ""


def _drawn(campaign: Campaign) -> str:
    """The flow as Mermaid."""
    return mermaid(sketch(campaign))


def _plain(title: str, changes: Sequence[Change]) -> Iterator[str]:
    if changes:
        yield f"### {title}"
        yield ""
        for c in changes:
            yield f"- {_cell(c.name)}: {_cell(c.before or '–')} → **{_cell(c.after or '–')}**"
        yield ""


def _people(edits: Sequence[Edit]) -> Iterator[str]:
    if not edits:
        return
    yield f"### {t('If you migrate', 'Si vous migrez')}"
    yield ""
    yield f"| | {t('before it', 'avant')} | {t('waiting in it', 'en attente')} | {t('past it', 'après')} |"
    yield "|---|---|---|---|"
    for e in edits:
        yield f"| {_cell(titled(e))} | {' | '.join(_cell(cell) for cell in counted(e))} |"
    yield ""


def _cost(sides: Sides, project: Project) -> Iterator[str]:
    from omnicli.campaigns.diff.people import dearest

    before, after = dearest(sides.before.campaign, project), dearest(sides.after.campaign, project)
    if before != after:
        yield f"**{t('Cost', 'Coût')}**: " + t(
            "one pass costs at most {a} → {b}", "un passage coûte au plus {a} → {b}", a=before, b=after
        )
