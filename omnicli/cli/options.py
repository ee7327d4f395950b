"""Options that several commands take, declared once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from omnicli.texts import t

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="T",
        help=t(
            "2027-01-31 10:00: the clock of this command (sandbox)",
            "2027-01-31 10:00 : l'horloge de cette commande (bac à sable)",
        ),
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help=t("decide everything, change nothing", "tout décider, ne rien changer"))
]
Yes = Annotated[bool, typer.Option("--yes", help=t("answer yes", "répondre oui"))]


def opt(flag: str, english: str, french: str, *, metavar: str | None = None, least: int | None = None) -> Any:
    """An option of one command, with its help in both languages; a number below `least` is wrong usage."""
    return typer.Option(flag, metavar=metavar, help=t(english, french), min=least)
