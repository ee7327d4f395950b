"""Options that several commands take, declared once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from omnicli.errors import OmniError
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


def processes(jobs: int | None) -> int:
    """How many processes work: so many as were asked for, else two where there are two processors. The others render, and start
    only where there is much to render."""
    import os

    if jobs is not None:
        return jobs
    return min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def opt(
    flag: str, english: str, french: str, *, metavar: str | None = None, least: int | None = None, most: int | None = None
) -> Any:
    """An option of one command, with its help in both languages; `-o/--output` are two names of
    one; a number below `least` or above `most` is wrong usage."""
    return typer.Option(*flag.split("/"), metavar=metavar, help=t(english, french), min=least, max=most)


Jobs = Annotated[
    int | None,
    opt("-j/--jobs", "processes that work where there is much to render; the result is the same",
        "processus à l'œuvre quand il y a beaucoup à composer ; le résultat est le même", metavar="N", least=1, most=64),
]  # fmt: skip


def arg(english: str, french: str, *, metavar: str) -> Any:
    """An argument of one command, with its help in both languages."""
    return typer.Argument(metavar=metavar, help=t(english, french), show_default=False)


def one_of(option: str, word: str | None, known: Sequence[str]) -> None:
    """OmniError (exit 2) for a value that is none of the known words, with the nearest; no value is no mistake."""
    from omnicli.text import did_you_mean, nearest

    if word is not None and word not in known:
        said = t("{option} is one of {known}.", "{option} vaut {known}.", option=option, known=", ".join(known))
        raise OmniError(said + did_you_mean(word, known), hint=f"{option} {nearest(word, known) or known[0]}", code="usage")


def page(example: str, english: str, french: str, *, exemple: str = "") -> str:
    """A command's help: an example first, then what it does; `exemple` where the example itself speaks a language."""
    return f"{t(example, exemple or example)}\n\n{t(english, french)}"
