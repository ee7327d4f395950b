"""The entry point: global options in any position, nouns loaded when they are called, and the one error boundary."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from omnicli import texts
from omnicli.cli import frame
from omnicli.errors import Exit, OmniError
from omnicli.texts import t


class Noun(NamedTuple):
    """A word of the command line: the module whose `app` carries it out, the group it is listed under, its help; `more` are the
    modules that add verbs to that `app`, in the order in which they are listed."""

    module: str
    group: str
    english: str
    french: str
    more: tuple[str, ...] = ()


FIRST, PEOPLE, LIFE, HOUSE = "first", "people", "life", "house"

#: Every noun and top-level verb. Modules are imported when called: `omni --help` imports none of them.
NOUNS: dict[str, Noun] = {
    "init": Noun("init", FIRST, "A new project in a folder", "Un nouveau projet dans un dossier"),
    "lint": Noun(
        "lint", FIRST, "Say what is wrong, where, and how to mend it", "Dire ce qui ne va pas, où, et comment le réparer"
    ),
    "explain": Noun(
        "explain", FIRST, "A rule, a key, a reason or an exit code", "Une règle, une clé, un motif ou un code de sortie"
    ),
    "rules": Noun("rules", FIRST, "The catalogue of rules", "Le catalogue des règles"),
    "status": Noun(
        "status", FIRST, "Campaigns, people in flight, what is due and held", "Campagnes, personnes en cours, échéances, retenues"
    ),
    "campaign": Noun(
        "campaign",
        LIFE,
        "Plan, start, run, pause, stop, show",
        "Planifier, lancer, exécuter, suspendre, arrêter, montrer",
        more=("preview", "graph", "scenario", "simulate", "diff", "migrate"),
    ),
    "contact": Noun(
        "contact",
        PEOPLE,
        "Import, list, show; why somebody got something",
        "Importer, lister, montrer ; pourquoi quelqu'un a reçu",
        more=("why",),
    ),
    "segment": Noun(
        "segment", PEOPLE, "Count and explain who fulfils a condition", "Compter et expliquer qui remplit une condition"
    ),
    "message": Noun(
        "message",
        LIFE,
        "What is said, as every channel shows it",
        "Ce qui est dit, tel que chaque canal le montre",
        more=("check",),
    ),
    "response": Noun("response", PEOPLE, "What comes back: add, import, list", "Ce qui revient : ajouter, importer, lister"),
    "task": Noun("task", PEOPLE, "Work for humans: list, claim, done", "Le travail des humains : lister, prendre, finir"),
    "touch": Noun(
        "touch", LIFE, "Each message to each person, as it was sent", "Chaque message à chaque personne, tel qu'envoyé"
    ),
    "schedule": Noun("schedule", HOUSE, "Ticks by cron, systemd or a daemon", "Les tops par cron, systemd ou un démon"),
    "serve": Noun(
        "serve", HOUSE, "Webhooks, clicks, scans and unsubscribes, received", "Recevoir webhooks, clics, scans et désabonnements"
    ),
    "worker": Noun(
        "worker", HOUSE, "Decide and send with others on one PostgreSQL", "Décider et envoyer à plusieurs sur un PostgreSQL"
    ),
    "db": Noun(
        "db",
        HOUSE,
        "The store: upgrade, check, copy, back up, reset",
        "La base : mettre à niveau, vérifier, copier, sauver",
        more=("db_copy",),
    ),
    "doctor": Noun("doctor", HOUSE, "What must be in order, and what mends it", "Ce qui doit être en ordre, et ce qui le répare"),
    "schema": Noun("schema", HOUSE, "JSON Schemas for editors", "Les schémas JSON pour les éditeurs"),
}

_GROUPS = {
    FIRST: ("First day", "Premier jour"), LIFE: ("Campaigns", "Campagnes"), PEOPLE: ("People", "Personnes"),
    HOUSE: ("Housekeeping", "Intendance"),
}  # fmt: skip

_OPTIONS = (
    (
        "-C, --project DIR",
        "the project (default: nearest folder upwards with omni.yaml)",
        "le projet (par défaut : le dossier le plus proche avec omni.yaml)",
    ),
    (
        "--live",
        "the live environment; without it nothing leaves the sandbox",
        "l'environnement réel ; sans elle rien ne sort du bac à sable",
    ),
    ("--json", "one JSON object on standard output", "un objet JSON sur la sortie standard"),
    ("-q, --quiet · -v, --verbose", "less talk, more talk", "parler moins, parler plus"),
    ("--no-color · --no-input", "plain text; never ask", "texte brut ; ne jamais demander"),
    ("--lang en|fr", "the language of what omni says", "la langue de ce que dit omni"),
    ("-h, --help · --version", "this page, or a command's own", "cette page, ou celle d'une commande"),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # cron and daemons may close it (`>&-`): what is said goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Carry out one command line; the exit code. The only place where an error becomes text."""
    try:
        options, words = frame.split_options(argv)
        texts.use(options.lang)
        frame.begin(options)
        return _carry_out(words)
    except OmniError as error:
        return _tell(error)
    except KeyboardInterrupt:
        return _tell(OmniError(t("interrupted", "interrompu"), hint=t("running again is safe", "recommencer est sans risque"),
                               code="interrupted", exit=Exit.INTERRUPTED))  # fmt: skip
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.FINE
    except Exception as error:
        from omnicli.cli.mistyped import of_parser
        from omnicli.cli.trouble import of_machine

        if said := of_parser(error) or of_machine(error):
            return _tell(said)
        from omnicli.cli.crash import report

        return report(error, argv)


def _carry_out(words: list[str]) -> int:
    if not words or words[0] in ("help", "--help", "-h"):
        if len(words) > 1 and words[0] == "help":
            return _carry_out([words[1], "--help"])
        from omnicli.cli.helping import front_page

        front_page(NOUNS, _GROUPS, _OPTIONS)
        return Exit.FINE
    if words[0] == "--version":
        from omnicli import __version__

        print(f"omni {__version__}")
        return Exit.FINE
    if words[:2] == ["campaign", "lint"]:  # the same command under both names (docs/lint)
        words = words[1:]
    noun = NOUNS.get(words[0])
    if noun is None:
        raise _unknown(words[0])
    return _call(noun, words)


def _call(noun: Noun, words: list[str]) -> int:
    import typer.main

    from omnicli.cli.helping import dress
    from omnicli.cli.typed import read_plainly

    app = importlib.import_module(f"omnicli.cli.{noun.module}").app
    for module in noun.more:
        importlib.import_module(f"omnicli.cli.{module}")
    command: Any = typer.main.get_command(app)
    frame.current().command = " ".join(words[:2] if hasattr(command, "commands") and len(words) > 1 else words[:1])
    command.params = [p for p in command.params if p.name not in ("install_completion", "show_completion")]
    dress(command)
    read_plainly(command)
    code = command.main(args=words[1:], prog_name=f"omni {words[0]}", standalone_mode=False)
    return code if isinstance(code, int) else Exit.FINE


def _unknown(word: str) -> OmniError:
    from omnicli.cli.mistyped import meant

    if word.startswith("-"):
        known = [
            "--project",
            "--live",
            "--json",
            "--quiet",
            "--verbose",
            "--no-color",
            "--no-input",
            "--lang",
            "--help",
            "--version",
        ]
        return OmniError(t("no option '{word}'", "pas d'option « {word} »", word=word), hint=meant(word, known), code="usage")
    return OmniError(
        t("no command '{word}'", "pas de commande « {word} »", word=word),
        hint=meant(word, NOUNS) or t("omni --help lists them", "omni --help les énumère"), code="usage",
    )  # fmt: skip


def _tell(error: OmniError) -> int:
    """Print the error where people or programs look for it; give its exit code."""
    if error.message:
        frame.tell_error(error)
    return error.exit


if __name__ == "__main__":
    main()
