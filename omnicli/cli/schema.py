"""`omni schema`: the JSON Schemas that give completion in editors, exactly as lint reads the files."""

from __future__ import annotations

from typing import Annotated

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import arg, opt
from omnicli.texts import t

app = typer.Typer(add_completion=False)


@app.command(
    help=t(
        "omni schema campaign > .omni/schema/campaign.json\n\nThe JSON Schema of a kind of file: campaign, test, project or json-output.",
        "omni schema campaign > .omni/schema/campaign.json\n\nLe schéma JSON d'un genre de fichier : campaign, test, project ou json-output.",
    )
)
def schema(
    kind: Annotated[str, arg("the kind of file", "le genre de fichier", metavar="campaign|test|project|json-output")],
    names: Annotated[
        bool,
        opt(
            "--names",
            "offer this project's channels, personas, messages … as completions",
            "proposer les canaux, personas, messages… du projet",
        ),
    ] = False,
) -> None:
    import json

    from omnicli.campaignfile.schema import json_schema

    s = session()
    made = json_schema(kind, loaded=s.loaded() if names else None)
    s.finish({"kind": kind, "schema": made}, show=lambda _console: print(json.dumps(made, ensure_ascii=False, indent=1)))
