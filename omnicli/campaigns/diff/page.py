"""A diff as one page: what changed, the flow before and after, who stands where; no network, readable without a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from omnicli import look
from omnicli.campaigns.diff.compare import Change, Diff
from omnicli.campaigns.diff.effect import Edit
from omnicli.campaigns.diff.people import counted, dearest, titled
from omnicli.campaigns.diff.words import spans
from omnicli.campaigns.graph.sketch import sketch
from omnicli.campaigns.graph.svg import svg
from omnicli.model.campaign import Campaign
from omnicli.model.spoken import number
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaigns.diff.sides import Sides
    from omnicli.model.project import Project

_SIGN = {"added": "+", "removed": "−", "changed": "~", "moved": "↕"}
_CSS = """
main{max-width:68rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h2{margin:2.2rem 0 .6rem}
table{width:100%;border-collapse:collapse;table-layout:fixed}
td,th{text-align:left;vertical-align:top;padding:.45rem .6rem;border-bottom:1px solid color-mix(in srgb,currentColor 14%,transparent);overflow-wrap:anywhere}
th:first-child,td:first-child{width:24%}
del{background:color-mix(in srgb,#d33 18%,transparent);text-decoration:line-through;border-radius:3px}
ins{background:color-mix(in srgb,#2a2 20%,transparent);text-decoration:none;border-radius:3px}
.steps{list-style:none;padding:0}.steps li{padding:.35rem 0;overflow-wrap:anywhere}
.sign{display:inline-block;width:1.4rem;font-weight:700}
.added .sign{color:#1a8a3a}.removed .sign{color:#c33}.changed .sign{color:#b7791f}.moved .sign{color:#2277aa}
.bad{color:#c33;font-weight:600}.soft{opacity:.72}
.figure{max-width:100%;overflow-x:auto}
@media(max-width:640px){.side thead{display:none}.side tr{display:block;padding:.5rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 14%,transparent)}.side td{display:block;width:auto!important;border:0;padding:.15rem 0}}
"""


def html(sides: Sides, found: Diff, edits: Sequence[Edit], project: Project) -> str:
    """The whole page."""
    colours = project.brand.colours if project.brand else {}
    title = f"{sides.name}: {sides.before.label} → {sides.after.label}"
    return look.document(title, "".join(_body(sides, found, edits, project)), css=_CSS, colours=colours)


def _body(sides: Sides, found: Diff, edits: Sequence[Edit], project: Project) -> Iterator[str]:
    inside = sum(g.people for g in sides.groups)
    yield f"<main><h1>{escape(sides.name)}</h1><p class=soft>{escape(sides.before.label)} → {escape(sides.after.label)}</p>"
    if inside:
        said = t("{e} entered {v} · {n} in flight, who stay on it", "{e} entrées dans {v} · {n} en cours, qui y restent",
                 e=number(sides.before.entered), n=number(inside), v=sides.before.label.partition(" ")[0])  # fmt: skip
        yield f"<p>{escape(said)}</p>"
    if not found:
        yield f"<p>{t('They say the same.', 'Elles disent la même chose.')}</p></main>"
        return
    yield from _messages(found)
    yield from _flow(sides, found)
    for heading, changes in ((t("Guardrails", "Garde-fous"), found.guardrails), (t("Frame", "Cadre"), found.frame)):
        if changes:
            yield f"<h2>{heading}</h2>{_table(changes)}"
    yield from _people(edits)
    before, after = dearest(sides.before.campaign, project), dearest(sides.after.campaign, project)
    if before != after:
        yield f"<h2>{t('Cost', 'Coût')}</h2><p>{escape(t('one pass costs at most {a} → {b}', 'un passage coûte au plus {a} → {b}', a=before, b=after))}</p>"
    yield "</main>"


def _messages(found: Diff) -> Iterator[str]:
    if found.messages:
        yield f"<h2>{t('Messages', 'Messages')}</h2>"
    for m in found.messages:
        yield f'<h3 class="{m.kind}"><span class=sign>{_SIGN[m.kind]}</span>{escape(m.name)}</h3>{_table((*m.facts, *m.words, *m.rest))}'


def _table(changes: Sequence[Change]) -> str:
    head = f"<thead><tr><th></th><th>{t('before', 'avant')}</th><th>{t('after', 'après')}</th></tr></thead>"
    rows = "".join(f"<tr><td>{escape(c.name)}</td><td>{a}</td><td>{b}</td></tr>" for c in changes for a, b in [_both(c)])
    return f'<table class="side">{head}<tbody>{rows}</tbody></table>'


def _both(c: Change) -> tuple[str, str]:
    old = new = ""
    for run in spans(c):
        text = escape(run.text).replace("\n", "<br>")
        old += f"<del>{text}</del>" if run.sign == "-" else text if run.sign == " " else ""
        new += f"<ins>{text}</ins>" if run.sign == "+" else text if run.sign == " " else ""
    return old or "–", new or "–"


def _flow(sides: Sides, found: Diff) -> Iterator[str]:
    if not found.flow:
        return
    yield f"<h2>{t('Flow', 'Parcours')}</h2><ul class=steps>"
    for c in found.flow:
        yield f'<li class="{c.kind}"><span class=sign>{_SIGN[c.kind]}</span><strong>{escape(c.step)}</strong> '
        if c.kind == "changed":
            yield " · ".join(
                f"{escape(one.name)} <del>{escape(one.before or '–')}</del> <ins>{escape(one.after or '–')}</ins>"
                for one in c.changes
            )
        else:
            yield (
                escape(c.after or "")
                if c.kind == "added"
                else escape(c.before or "")
                if c.kind == "removed"
                else t("moved", "déplacée")
            )
        yield "</li>"
    yield "</ul>"
    for title, campaign in ((t("before", "avant"), sides.before.campaign), (t("after", "après"), sides.after.campaign)):
        if drawn := _drawn(campaign):
            yield f"<details><summary>{title}</summary><div class=figure>{drawn}</div></details>"


def _drawn(campaign: Campaign) -> str:
    return svg(sketch(campaign))


def _people(edits: Sequence[Edit]) -> Iterator[str]:
    if not edits:
        return
    heads = "".join(
        f"<th>{x}</th>" for x in ("", t("before it", "avant"), t("waiting in it", "en attente"), t("past it", "après"))
    )
    yield f"<h2>{t('If you migrate', 'Si vous migrez')}</h2><table><thead><tr>{heads}</tr></thead><tbody>"
    for e in edits:
        before, waiting, past = counted(e)
        bad = " class=bad" if e.code in ("V002", "V004") else ""
        yield f"<tr><td>{escape(titled(e))}</td><td>{escape(before)}</td><td{bad}>{escape(waiting)}</td><td class=soft>{escape(past)}</td></tr>"
    yield "</tbody></table>"
