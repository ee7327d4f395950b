"""The front page of `omni --help`: drawn here, since typer's own rich help costs three times as much to start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnicli.cli import frame
from omnicli.texts import t


def front_page(nouns: Mapping[str, Any], groups: Mapping[str, tuple[str, str]], options: Sequence[tuple[str, str, str]]) -> None:
    """Print the commands by group and the options that every command takes."""
    from rich.table import Table
    from rich.text import Text

    console = frame.current().console()
    console.print()
    console.print(Text("omni", style="bold").append(t("  campaigns as code: one file, every channel, each person's next touch",
                                                      "  la campagne est un fichier : tous les canaux, le prochain contact de chacun"), style="not bold"))  # fmt: skip
    console.print()
    console.print(
        Text(t("  omni lint                      is it right?", "  omni lint                      est-ce juste ?"), style="dim")
    )
    console.print(
        Text(
            t(
                "  omni campaign run bienvenue    send what is due, into the sandbox",
                "  omni campaign run bienvenue    envoyer ce qui est dû, dans le bac à sable",
            ),
            style="dim",
        )
    )
    for group, names in groups.items():
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2), pad_edge=False)
        table.add_column(style="cyan", width=12, no_wrap=True)
        table.add_column()
        for name, noun in nouns.items():
            if noun.group == group:
                table.add_row(name, t(noun.english, noun.french))
        console.print()
        console.print(Text(t(*names), style="bold"))
        console.print(table)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2), pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for written, english, french in options:
        table.add_row(written, t(english, french))
    console.print()
    console.print(Text(t("Options, in any position", "Options, à toute place"), style="bold"))
    console.print(table)
    console.print()
