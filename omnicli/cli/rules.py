"""`omni rules`: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import one_of, opt
from omnicli.texts import language, t

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(add_completion=False)

FORMATS = ("term", "json", "markdown")


@app.command(
    help=t(
        "omni rules\n\nThe catalogue of rules: code, name, severity, what each does.",
        "omni rules\n\nLe catalogue des règles : code, nom, gravité, effet.",
    )
)
def rules(
    format: Annotated[str, opt("--format", "how it is shown", "sous quelle forme", metavar="term|json|markdown")] = "term",
) -> None:
    from omnicli.lint.rule import catalogue

    s = session()
    one_of("--format", format, FORMATS)
    if format == "json":
        s.options.json = True
    rows = list(catalogue().values())
    lang = language()

    def show(console: Console) -> None:
        from rich.table import Table
        from rich.text import Text

        if format == "markdown":
            print("| code | name | severity | fix | what |\n|---|---|---|---|---|")
            for r in rows:
                print(f"| {r.code} | {r.name} | {r.severity} | {r.fix} | {r.what[lang]} |")
            return
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for title in ("code", t("name", "nom"), "", t("what it does", "ce qu'elle fait")):
            table.add_column(title, no_wrap=title != t("what it does", "ce qu'elle fait"))
        colour = {"error": "red", "warning": "yellow", "info": "cyan"}
        for r in rows:
            table.add_row(Text(r.code, style=colour[r.severity]), r.name, r.fix, r.what[lang])
        console.print(table)
        s.talk(
            t(
                "{n} rules. fix: s safe, u unsafe.  One of them: omni explain R001",
                "{n} règles. s : réparation sûre, u : à vérifier.  L'une d'elles : omni explain R001",
                n=len(rows),
            )
        )

    s.finish(
        {"rules": [{"code": r.code, "name": r.name, "severity": r.severity, "fix": r.fix, "what": r.what[lang]} for r in rows]},
        show=show,
    )
