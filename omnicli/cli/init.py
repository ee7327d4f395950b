"""`omni init`: a new project in a folder, ready to lint, plan and run in the sandbox."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from omnicli.cli.frame import session
from omnicli.errors import OmniError
from omnicli.text import system_said
from omnicli.texts import t

app = typer.Typer(add_completion=False)


@app.command(
    help=t("omni init ma-boutique --languages fr,en\n\nA new project: omni.yaml, a welcome campaign, one template a channel. "
           "No account, no network, no question.",
           "omni init ma-boutique --languages fr,en\n\nUn nouveau projet : omni.yaml, une campagne de bienvenue, un modèle par canal. "
           "Ni compte, ni réseau, ni question."),
)  # fmt: skip
def init(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help=t("the folder; without it, this one", "le dossier ; sans lui, celui-ci"), show_default=False
        ),
    ] = Path("."),
    languages: Annotated[
        str,
        typer.Option("--languages", metavar="fr,en", help=t("the first is the default", "la première est la langue par défaut")),
    ] = "fr,en",
    country: Annotated[
        str,
        typer.Option(
            "--country", metavar="FR", help=t("rules, holidays, zone, currency", "règles, jours fériés, fuseau, devise")
        ),
    ] = "FR",
    from_csv: Annotated[
        Path | None,
        typer.Option(
            "--from-csv", metavar="FILE", help=t("guess the attributes from a table", "deviner les attributs d'après un tableau")
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help=t(
                "also in a folder that is not empty; no file is overwritten", "aussi dans un dossier non vide ; rien n'est écrasé"
            ),
        ),
    ] = False,
) -> None:
    from omnicli.campaignfile.starting import starter

    s = session()
    spoken = [word.strip() for word in languages.split(",") if word.strip()]
    if not spoken or len(country) != 2:
        raise OmniError(
            t("--languages wants fr,en and --country wants FR", "--languages veut fr,en et --country veut FR"), code="usage"
        )
    if directory.exists() and not directory.is_dir():
        said = t("{d} is a file", "{d} est un fichier", d=directory)
        raise OmniError(
            said, hint=t("name a folder: omni init ma-boutique", "donnez un dossier : omni init ma-boutique"), code="usage"
        )
    if directory.exists() and any(directory.iterdir()) and not force:
        raise OmniError(t("{d} is not empty", "{d} n'est pas vide", d=directory), hint=t("--force adds what is missing and overwrites nothing",
                        "--force ajoute ce qui manque et n'écrase rien"), code="not-empty")  # fmt: skip
    name = directory.resolve().name
    files = starter(name, languages=spoken, country=country.upper(), attributes=_attributes(from_csv))
    made = _write(directory, files)
    _schemas(directory)

    def show(console: object) -> None:
        print(t("Created {d}: {n} files (omni.yaml, campaigns/bienvenue.yaml + test, templates, .gitignore, .omni/schema).",
                "{d} est prêt : {n} fichiers (omni.yaml, campaigns/bienvenue.yaml + test, templates, .gitignore, .omni/schema).", d=directory, n=len(made)))  # fmt: skip
        steps = (
            (f"cd {directory}", ""),
            ("omni lint && omni campaign test", t("is it right?", "est-ce juste ?")),
            ("omni contact import contacts.csv --map guess", t("your people", "vos contacts")),
            (
                "omni campaign start bienvenue && omni campaign run bienvenue",
                t("sends into outbox/, to nobody", "envoie dans outbox/, à personne"),
            ),
        )
        print(t("Next:", "Ensuite :"))
        for command, what in steps:
            print(f"  {command:<64}{what}".rstrip())

    s.finish({"directory": str(directory), "created": made}, show=show)


def _attributes(table: Path | None) -> dict[str, str]:
    from omnicli.campaignfile.starting import guess_attributes

    if table is None:
        return {}
    try:
        text = table.read_text("utf-8-sig")
    except OSError as error:
        raise OmniError(
            t("cannot read {path}: {why}", "impossible de lire {path} : {why}", path=table, why=system_said(error)), code="usage"
        ) from None
    except UnicodeDecodeError:
        raise OmniError(t("{path} is not UTF-8", "{path} n'est pas en UTF-8", path=table), code="usage") from None
    sample = text[:65536]
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(sample, ",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = list(csv.reader(sample.splitlines(), dialect))
    return guess_attributes(rows[0], rows[1:200]) if rows else {}


def _write(directory: Path, files: dict[str, str]) -> list[str]:
    made = []
    for relative, text in sorted(files.items()):
        path = directory / relative
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            made.append(relative)
    return made


def _schemas(directory: Path) -> None:
    """The JSON Schemas that the modeline of each file names, so that completion works offline."""
    import json

    from omnicli.campaignfile import json_schema

    folder = directory / ".omni" / "schema"
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # people's data will lie there
    folder.mkdir(exist_ok=True)
    for kind in ("campaign", "project", "test"):
        (folder / f"{kind}.json").write_text(json.dumps(json_schema(kind), ensure_ascii=False, indent=1), "utf-8")
