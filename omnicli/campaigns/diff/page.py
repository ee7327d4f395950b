"""A diff as one page: what changed, the flow before and after, who stands where; no network, readable without a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from omnicli import look
from omnicli.campaigns.diff.compare import Change, Diff
from omnicli.campaigns.diff.effect import Edit
from omnicli.campaigns.diff.people import counted, dearest, standing, titled
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
main{max-width:1080px;margin:0 auto;padding:28px 20px 60px}
h1{font:500 38px/1.12 var(--serif);letter-spacing:-.014em;text-wrap:balance}
h2{font:500 21px/1.25 var(--serif);margin:34px 0 8px}h3{font:600 15px/1.4 var(--sans);margin:16px 0 4px}
h1+p{color:var(--soft);margin-top:8px}
table{width:100%;border-collapse:collapse;table-layout:fixed;background:var(--paper);border:1px solid var(--line);border-radius:12px;overflow:hidden}
td,th{text-align:left;vertical-align:top;padding:9px 14px;border-top:1px solid var(--line);overflow-wrap:anywhere}
thead th{border-top:0;color:var(--soft);font-weight:500;font-size:13px}
th:first-child,td:first-child{width:28%}td:first-child{font-weight:500}
del,ins{border-radius:4px;padding:1px 3px;margin:0 -1px;box-decoration-break:clone;-webkit-box-decoration-break:clone}
del{background:color-mix(in oklab,var(--task) 20%,transparent);text-decoration:line-through;text-decoration-thickness:1px}
ins{background:color-mix(in oklab,var(--sms) 22%,transparent);text-decoration:none}
.steps{list-style:none;margin:0;padding:4px 14px;background:var(--paper);border:1px solid var(--line);border-radius:12px}
.steps li{padding:8px 0;overflow-wrap:anywhere}.steps li+li{border-top:1px solid var(--line)}
.sign{display:inline-block;width:22px;font-weight:700}
.added .sign{color:var(--sms)}.removed .sign{color:var(--task)}.changed .sign{color:var(--push)}.moved .sign{color:var(--email)}
.bad{color:var(--task);font-weight:600}.soft{color:var(--soft)}
details{margin:12px 0 0}summary{cursor:pointer;color:var(--tint)}
.figure{max-width:100%;overflow-x:auto;padding:12px 0}
@media(max-width:640px){main{padding-top:18px}h1{font-size:26px}thead{display:none}tr{display:block;padding:10px 0}tr+tr{border-top:1px solid var(--line)}
td,td:first-child{display:block;width:auto;border:0;padding:2px 14px}td[data-is]::before{content:attr(data-is)" ";color:var(--soft);font-size:13px;display:inline-block;width:104px;margin-left:-104px}td[data-is]{padding-left:118px}}
@media print{details{display:none}table,.steps{break-inside:avoid}}
"""


def html(sides: Sides, found: Diff, edits: Sequence[Edit], project: Project) -> str:
    """The whole page."""
    colours = project.brand.colours if project.brand else {}
    title = f"{sides.name}: {sides.before.label} → {sides.after.label}"
    return look.document(title, "".join(_body(sides, found, edits, project)), css=_CSS, colours=colours)


def _body(sides: Sides, found: Diff, edits: Sequence[Edit], project: Project) -> Iterator[str]:
    inside = sum(g.people for g in sides.groups)
    sides_said = f"{sides.before.label} → {sides.after.label}"
    yield f"<main>{look.eyebrow(t('Differences', 'Différences'), sides_said)}<h1>{escape(sides.name)}</h1>"
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
    for title, campaign in (
        (t("The flow before", "Le parcours d'avant"), sides.before.campaign),
        (t("The flow after", "Le parcours d'après"), sides.after.campaign),
    ):
        if drawn := _drawn(campaign):
            yield f"<details><summary>{title}</summary><div class=figure>{drawn}</div></details>"


def _drawn(campaign: Campaign) -> str:
    return svg(sketch(campaign))


def _people(edits: Sequence[Edit]) -> Iterator[str]:
    if not edits:
        return
    first, second, third = standing()
    heads = "".join(f"<th>{x}</th>" for x in ("", first, second, third))
    yield f"<h2>{t('If you migrate', 'Si vous migrez')}</h2><table><thead><tr>{heads}</tr></thead><tbody>"
    for e in edits:
        before, waiting, past = counted(e)
        bad = " class=bad" if e.code in ("V002", "V004") else ""
        yield f'<tr><td>{escape(titled(e))}</td><td data-is="{first}">{escape(before)}</td>'
        yield f'<td data-is="{second}"{bad}>{escape(waiting)}</td><td data-is="{third}" class=soft>{escape(past)}</td></tr>'
    yield "</tbody></table>"
