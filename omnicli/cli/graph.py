"""omni campaign graph: the flow drawn, as a picture, a page, text for other tools or a tree, with counts of people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from omnicli.cli.campaign import Name, Old, app
from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, one_of, opt, page
from omnicli.errors import OmniError
from omnicli.texts import t
from omnicli.writing import write

if TYPE_CHECKING:
    from datetime import datetime

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.graph.counts import Counts
    from omnicli.campaigns.graph.sketch import Sketch
    from omnicli.cli.frame import Session
    from omnicli.cli.portrait_view import Portrait

FORMATS = ("term", "svg", "html", "mermaid", "dot", "png")
COUNTS = ("live", "simulated", "none")

Format = Annotated[str, opt("--format", "how it is drawn", "comment le dessiner", metavar="term|svg|html|mermaid|dot|png")]
Counted = Annotated[str, opt("--counts", "who is counted on it", "qui y est compté", metavar="live|simulated|none")]
Out = Annotated[Path | None, opt("-o/--output", "into this file", "dans ce fichier", metavar="F")]


@app.command(
    help=page(
        "omni campaign graph bienvenue --format html -o bienvenue.html",
        "The flow drawn, with how many people went where.",
        "Le parcours dessiné, avec combien de personnes sont passées où.",
    )
)
def graph(
    name: Name, format: Format = "term", counts: Counted = "live", version: Old = None, output: Out = None, as_of: AsOf = None
) -> None:
    from omnicli.campaigns.graph.sketch import sketch
    from omnicli.cli import portrait_view as view

    s = session()
    format = _format(format, output)
    one_of("--counts", counts, COUNTS)
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of)
    portrait = view.portrait(store, loaded, name, version=version, now=now)
    if format == "term" and output is None:
        s.finish(view.portrait_json(portrait), show=lambda console: view.show_portrait(console, portrait, now))
        return
    drawn = sketch(portrait.campaign, _counts(s, loaded, portrait, counts, now))
    text = _drawn(drawn, format, loaded, _said(s, counts, drawn))
    if output is None and not s.json:
        if isinstance(text, bytes):
            raise OmniError(t("a picture needs a file", "une image va dans un fichier"), hint=f"-o {name}.png", code="usage")
        s.console().print(text, end="", markup=False, soft_wrap=True)
        return
    if output is not None:
        write(output, text)
    result = {"campaign": name, "format": format, "file": str(output) if output else None,
              "drawing": text if output is None and isinstance(text, str) else None}  # fmt: skip
    s.finish(result, show=lambda console: console.print(str(output), soft_wrap=True))


def _format(written: str, output: Path | None) -> str:
    """The format asked for; where none was, the one that the file's name says."""
    one_of("--format", written, FORMATS)
    ending = output.suffix.removeprefix(".") if output is not None else ""
    named = {"mmd": "mermaid", "md": "mermaid", "gv": "dot"}.get(ending, ending)
    if written == "term" and ending and named not in FORMATS:
        raise OmniError(t("a flow is not drawn as .{ending}", "un parcours ne se dessine pas en .{ending}", ending=ending),
                        hint="-o flow.svg · .html · .png · .mmd · .dot", code="usage")  # fmt: skip
    return named if written == "term" and named in FORMATS else written


def _counts(s: Session, loaded: Loaded, portrait: Portrait, wanted: str, now: datetime) -> Counts | None:
    """The counts that were asked for; none for a campaign that nobody started."""
    from omnicli.campaigns.graph.counts import live

    if wanted == "none":
        return None
    if wanted == "simulated":
        return _simulated(s, loaded, portrait.overview.name, now)
    with s.store().read() as connection:
        return live(connection, portrait.overview.name, portrait.campaign)


def _simulated(s: Session, loaded: Loaded, name: str, now: datetime) -> Counts:
    """What the store's people would do in 90 days by the model that stands by."""
    from omnicli.campaigns.graph.counts import simulated
    from omnicli.campaigns.simulate.model import read_model
    from omnicli.campaigns.simulate.simulate import Task, simulate
    from omnicli.cli.simulate import tick

    with s.progress(t("simulating", "simulation"), total=90 * 24) as step:
        return simulated(
            simulate(Task(loaded, name, read_model(None), "1", tick(now, loaded), 90), s.store(), progress=step).counts
        )


def _said(s: Session, counts: str, drawn: Sketch) -> str:
    """Who was counted, in a sentence."""
    if drawn.counts is None:
        return ""
    if counts == "simulated":
        return t("Counts are simulated: the answers are assumptions.", "Chiffres simulés : les réponses sont des hypothèses.")
    where = t("live", "réel") if s.live else t("sandbox", "bac à sable")
    return t("People of every version who came to the step or took the branch ({where}).",
             "Personnes de toutes les versions arrivées à l'étape ou ayant pris la branche ({where}).", where=where)  # fmt: skip


def _drawn(drawn: Sketch, format: str, loaded: Loaded, counted: str) -> str | bytes:
    from omnicli.campaigns.graph import page as pages
    from omnicli.campaigns.graph.svg import svg
    from omnicli.campaigns.graph.words import dot, mermaid

    assert loaded.project is not None
    match format:
        case "svg":
            return svg(drawn)
        case "mermaid":
            return mermaid(drawn)
        case "dot":
            return dot(drawn)
        case "html":
            colours = loaded.project.brand.colours if loaded.project.brand else {}
            return pages.page(drawn, counted=counted, colours=colours)
        case "png":
            from omnicli.campaigns.graph.raster import png

            return png(svg(drawn))
    raise OmniError(t("a tree is for the terminal", "un arbre est pour le terminal"), hint="--format html", code="usage")
