"""omni doctor: installation, project, store, providers, cron, webhooks, and (with --online) the records of the sender's domain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.cli.frame import Session
    from omnicli.service.doctor import Sign

app = typer.Typer()

Fix = Annotated[
    bool, opt("--fix", "mend what can be mended: who can read .omni", "réparer ce qui peut l'être : qui peut lire .omni")
]
Online = Annotated[
    bool, opt("--online", "ask providers and name servers too", "interroger aussi prestataires et serveurs de noms")
]
Domain = Annotated[list[str] | None, opt("--domain", "with --online: this domain", "avec --online : ce domaine", metavar="NAME")]
Provider = Annotated[
    str | None,
    opt("--provider", "ask this provider; take its account up again", "interroger ce prestataire ; reprendre son compte", metavar="NAME"),
]  # fmt: skip

#: Where arrows stand, when what is said before them is shorter.
COLUMN = 52
MARKS = {"well": ("✔", "green"), "wrong": ("✘", "red"), "note": ("!", "yellow")}


@app.command(
    help=page(
        "omni doctor --live",
        "What must be in order before campaigns can be left alone; exit 1 when something is wrong.",
        "Ce qui doit être en ordre avant de laisser les campagnes seules ; code 1 si quelque chose ne va pas.",
    )
)
def doctor(fix: Fix = False, online: Online = False, domain: Domain = None, provider: Provider = None) -> None:
    s = session()
    changed = _mend(s) if fix else []
    if domain and not online:
        raise OmniError(t("--domain asks name servers", "--domain interroge les serveurs de noms"), hint="--online", code="usage")
    signs = _look(s, online=online, domains=domain or [], provider=provider)
    wrong = sum(1 for sign in signs if sign.state == "wrong")
    result = {
        "signs": [{"name": sign.name, "state": sign.state, "text": sign.text, "fix": sign.fix or None, **({"figures": sign.figures} if sign.figures else {})}
                  for sign in signs],
        "ok": not wrong, "mended": changed,
    }  # fmt: skip
    s.finish(result, exit=Exit.FINDINGS if wrong else Exit.FINE, show=lambda console: _draw(console, signs, changed, wrong))


def _look(s: Session, *, online: bool, domains: list[str], provider: str | None) -> list[Sign]:
    """The signs; outside of a project those of the installation, and that there is none."""
    from omnicli import clock
    from omnicli.service import doctor as deed

    try:
        loaded = s.loaded()
    except OmniError as error:
        if provider is not None or domains:
            raise
        return [*deed.bare(), deed.Sign("project", deed.WRONG, error.message, error.hint)]
    s.as_of = clock.now()
    with s.progress(t("looking", "examen")) as step:
        return deed.examine(loaded, now=s.as_of, live=s.live, online=online, domains=domains, provider=provider, progress=step)


def _mend(s: Session) -> list[str]:
    from omnicli.app import database
    from omnicli.service.doctor import tighten

    return [str(path) for path in tighten(database(s.loaded(), live=s.live).parent)]


def _draw(console: Console, signs: list[Sign], changed: list[str], wrong: int) -> None:
    for path in changed:
        console.print(t("Closed to others: {path}", "Fermé aux autres : {path}", path=path), soft_wrap=True)
    for sign in signs:
        _line(console, sign)
    if wrong:
        console.print()
        console.print(
            t("{n} things are wrong.", "{n} points ne vont pas.", n=wrong)
            if wrong > 1
            else t("One thing is wrong.", "Un point ne va pas.")
        )


def _line(console: Console, sign: Sign) -> None:
    """One line where it fits; else what mends it stands below, indented."""
    from rich.text import Text

    from omnicli.text import printable, width

    mark, style = MARKS[sign.state]
    said, fix = printable(sign.text), printable(sign.fix)
    most = console.width if console.is_terminal else 100_000
    lines = _wrapped(said, most - 4)
    for number, text in enumerate(lines):
        start = Text(" ").append(mark, style).append(" ") if number == 0 else Text("   ")
        beside = number == len(lines) - 1 and fix and max(width(text) + 5, COLUMN) + width(fix) + 2 <= most
        start.append(text)
        if beside:
            start.append(" " * max(COLUMN - width(text) - 3, 2)).append("→ ", "dim").append(fix, "cyan")
            fix = ""
        console.print(start, soft_wrap=True)
    if fix:
        console.print(Text("   → ", "dim").append(fix, "cyan"), soft_wrap=True)


def _wrapped(text: str, most: int) -> list[str]:
    """The text in lines of at most so many columns, broken between words."""
    from omnicli.text import width

    lines = [""]
    for word in re.split(r"(?<!«) (?![:;?!»])", text):  # what French sets apart by a space stays with its word
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width(longer) > most:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
