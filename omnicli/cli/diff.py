"""omni campaign diff: two versions side by side, as trees: words, facts, flow, guardrails, and the people in flight."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.campaign import Name, app
from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, one_of, opt, page
from omnicli.errors import Exit
from omnicli.texts import t

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omnicli.campaigns.diff.checked import Checked
    from omnicli.campaigns.diff.compare import Change, Diff
    from omnicli.campaigns.diff.effect import Edit
    from omnicli.campaigns.diff.sides import Sides

FORMATS = ("term", "markdown", "html", "json")

Side = Annotated[
    str | None,
    typer.Argument(metavar="V", help=t("v3, a hash, applied or file", "v3, une empreinte, applied ou file"), show_default=False),
]
Format = Annotated[str, opt("--format", "how it is shown", "comment le montrer", metavar="|".join(FORMATS))]
Positions = Annotated[
    Path | None, opt("--positions", "people from this file (omni status --positions)", "les personnes de ce fichier (omni status --positions)", metavar="F")
]  # fmt: skip
ExpectNone = Annotated[bool, opt("--expect-none", "exit 1 when anything differs", "code 1 si quelque chose diffère")]


@app.command(
    help=page(
        "omni campaign diff bienvenue",
        "What differs from the applied version: words, facts, flow, people. A and B: v3, a hash, applied, file.",
        "Ce qui diffère de la version appliquée : mots, faits, parcours, personnes. A et B : v3, une empreinte, applied, file.",
    )
)
def diff(
    name: Name, a: Side = None, b: Side = None, format: Format = "term", positions: Positions = None, expect_none: ExpectNone = False,
    as_of: AsOf = None,
) -> None:  # fmt: skip
    from omnicli.campaigns.diff import sides
    from omnicli.campaigns.diff.checked import checked
    from omnicli.campaigns.diff.compare import compare
    from omnicli.campaigns.diff.effect import effects

    s = session()
    one_of("--format", format, FORMATS)
    loaded = s.loaded()
    assert loaded.project is not None
    if positions is not None:
        base = sides.of_file(positions, name)
    else:
        base = sides.of_store(s.store(), name)
        s.now(as_of)
    chosen = sides.choose(loaded, base, name, a, b)
    before, after = chosen.before.campaign, chosen.after.campaign
    found = compare(before, after)
    migrate = loaded.campaigns[name].migrate if chosen.after.number is None else None
    edits = effects(before, after, chosen.groups, migrate) if found and chosen.groups else ()
    code = Exit.FINDINGS if expect_none and found else Exit.FINE
    if format == "json":
        s.options.json = True
    if format in ("markdown", "html") and not s.json:
        from omnicli.campaigns.diff.page import html
        from omnicli.campaigns.diff.pull_request import markdown

        text = (markdown if format == "markdown" else html)(chosen, found, edits, loaded.project)
        s.finish({}, exit=code, show=lambda _console: print(text, end=""))
    from omnicli.cli import diff_view as view

    compared = checked(loaded, name, found.messages, now=s.now(as_of)) if chosen.after.number is None else {}
    s.finish(as_json(chosen, found, edits, compared), exit=code,
             show=lambda console: view.show(console, chosen, found, edits, compared, live=s.live))  # fmt: skip


# --- JSON -----------------------------------------------------------------------------------------------------------
def as_json(sides: Sides, found: Diff, edits: tuple[Edit, ...], compared: Mapping[str, Checked]) -> dict[str, Any]:
    from dataclasses import asdict

    from omnicli.campaigns.diff import effect

    def side(known: Any) -> dict[str, Any]:
        return {"number": known.number, "hash": known.hash, "entered": known.entered}

    return {
        "campaign": sides.name, "before": side(sides.before), "after": side(sides.after), "differs": bool(found),
        "in_flight": sum(g.people for g in sides.groups),
        "messages": [{"message": m.name, "kind": m.kind, "facts": _changes(m.facts), "words": _changes(m.words), "rest": _changes(m.rest),
                      "checked": asdict(compared[m.name]) if m.name in compared else None}
                     for m in found.messages],
        "flow": [{"step": c.step, "kind": c.kind, "before": c.before, "after": c.after, "changes": _changes(c.changes)} for c in found.flow],
        "guardrails": _changes(found.guardrails), "frame": _changes(found.frame), "people": effect.as_json(edits),
    }  # fmt: skip


def _changes(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    return [{"name": c.name, "before": c.before, "after": c.after} for c in changes]
