"""Every help page, drawn in one look and in the language in use: typer's own speaks English and is slow to start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnicli.cli import frame
from omnicli.texts import language, t

if TYPE_CHECKING:
    from rich.console import Console

#: What stands in capitals for a value, in French; whatever is not here is the same in both languages (ID, CODE, N …).
_FRENCH = {
    "ADDRESS": "ADRESSE", "CHANNEL": "CANAL", "CURSOR": "CURSEUR", "DIR": "DOSSIER", "EVENT": "ÉVÉNEMENT", "EXPR": "CONDITION", "FILE": "FICHIER",
    "KEY": "CLÉ", "MONEY": "MONTANT", "NAME": "NOM", "OURS": "NÔTRE", "PATH": "CHEMIN", "REF": "RÉF", "TEXT": "TEXTE", "THEIRS": "LEUR", "VALUE": "VALEUR", "WORD": "MOT",
}  # fmt: skip

#: How much of a terminal's width the first column of a help page may take.
WRITTEN = 0.36


def placeholder(metavar: str) -> str:
    """`NAME…` as this language writes it: `NOM…`."""
    if language() == "en":
        return metavar
    return re.sub(r"[A-Z]{2,}", lambda found: _FRENCH.get(found[0], found[0]), metavar)


def front_page(nouns: Mapping[str, Any], groups: Mapping[str, tuple[str, str]], options: Sequence[tuple[str, str, str]]) -> None:
    """Print the commands by group and the options that every command takes."""
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
        found = [(name, t(noun.english, noun.french)) for name, noun in nouns.items() if noun.group == group]
        _block(console, t(*names), found, least=8)
    _block(
        console, t("Options, in any position", "Options, à toute place"), [(placeholder(w), t(en, fr)) for w, en, fr in options]
    )
    console.print()


def dress(command: Any) -> None:
    """Let a command of the option parser, and those below it, show their help by `page`."""
    command.format_help = lambda context, _formatter: page(command, context)
    for inner in getattr(command, "commands", {}).values():
        dress(inner)


def page(command: Any, context: Any) -> None:
    """Print the help of a command or of a noun: an example, what it does, how it is written, its verbs, arguments and options."""
    from rich.text import Text

    console = frame.current().console()
    example, _, what = (command.help or "").partition("\n\n")
    parameters = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    given = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option"]
    verbs = dict(getattr(command, "commands", {}))
    console.print()
    console.print(Text(f"  {example}", style="cyan"), soft_wrap=True)
    console.print()
    console.print(Text(what), soft_wrap=not console.is_terminal)
    usage = [context.command_path, *([t("VERB", "VERBE")] if verbs else []), *map(_usage, given)]
    usage += [t("[OPTIONS]", "[OPTIONS]")] if options or verbs else []
    console.print()
    console.print(Text(t("Usage", "Emploi"), style="bold").append(f"  {' '.join(usage)}", "not bold"), soft_wrap=True)
    _block(console, t("Verbs", "Verbes"), [(name, _first_sentence(c.help or "")) for name, c in verbs.items()])
    _block(console, t("Arguments", "Arguments"), [(placeholder(p.metavar or p.name.upper()), p.help or "") for p in given])
    _block(console, t("Options", "Options"), [(_flags(p), _meaning(p)) for p in options])
    console.print()
    console.print(Text(t("Options of every command: omni --help", "Options de toutes les commandes : omni --help"), style="dim"))


def _usage(parameter: Any) -> str:
    written = placeholder(parameter.metavar or parameter.name.upper())
    return written if parameter.required else f"[{written}]"


def _first_sentence(text: str) -> str:
    what = text.partition("\n\n")[2]
    return what.partition(". ")[0].rstrip(".")


def _flags(parameter: Any) -> str:
    """`-n, --dry-run`, `--max N`: short forms first."""
    names = ", ".join(sorted((*parameter.opts, *parameter.secondary_opts), key=len))
    return names if parameter.is_flag or parameter.count else f"{names} {placeholder(parameter.metavar or '…')}"


def _meaning(parameter: Any) -> str:
    notes = [t("required", "obligatoire")] if parameter.required else []
    if parameter.show_default and parameter.default not in (None, "", False, ()):
        notes.append(t("default: {value}", "par défaut : {value}", value=parameter.default))
    return (parameter.help or "") + (f"  ({', '.join(notes)})" if notes else "")


def _block(console: Console, title: str, rows: Sequence[tuple[str, str]], *, least: int = 0) -> None:
    """A heading and two columns. On a terminal the second is broken at blanks, and what is too long for the first stands on a line
    of its own; nothing is broken or padded in a pipe."""
    from textwrap import wrap

    from rich.text import Text

    if not rows:
        return
    console.print()
    console.print(Text(title, style="bold"))
    wide = max(least, *(len(written) for written, _ in rows))
    if not console.is_terminal:
        for written, what in rows:
            console.print(Text(f"  {written:<{wide}}  {what}".rstrip()), soft_wrap=True)
        return
    wide = max([least, *(len(written) for written, _ in rows if len(written) <= console.width * WRITTEN)])
    for written, what in rows:
        lines = wrap(what, max(console.width - wide - 4, 20), break_long_words=False, break_on_hyphens=False) or [""]
        own_line = len(written) > wide
        head = Text("  ").append(written if own_line else f"{written:<{wide}}", style="cyan")
        console.print(head if own_line else head.append(f"  {lines.pop(0)}", style="default"), soft_wrap=True)
        for line in lines:
            console.print(Text(f"{' ' * (wide + 4)}{line}"), soft_wrap=True)
