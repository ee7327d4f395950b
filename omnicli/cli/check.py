"""omni message check: whether every channel, language and persona says the same, and how well the checker would notice."""

from __future__ import annotations

from typing import Annotated

import typer

from omnicli.cli.message import app
from omnicli.cli.options import AsOf, opt, page
from omnicli.errors import OmniError
from omnicli.texts import t

OneName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help=t("a message; all without one", "un message ; tous sans nom"), show_default=False),
]
Mutate = Annotated[
    bool,
    opt("--mutate", "seed faults and count those the checker finds", "semer des fautes et compter celles qui sont trouvées"),
]
Seed = Annotated[str, opt("--seed", "draw other mutants", "tirer d'autres mutants", metavar="S")]
Mutants = Annotated[int, opt("--mutants", "how many are counted", "combien on en compte", metavar="N", least=1)]
Jobs = Annotated[int | None, opt("--jobs/-j", "processes; all cores by default", "processus ; tous les cœurs par défaut", metavar="N", least=1)]  # fmt: skip


@app.command(
    "check",
    help=page(
        "omni message check --mutate offre-bienvenue",
        "Seed faults into clean messages, and count what the checker finds at the right place.",
        "Semer des fautes dans des messages propres, et compter ce qui est trouvé au bon endroit.",
    ),
)
def check(name: OneName = None, mutate: Mutate = False, seed: Seed = "1", mutants: Mutants = 2_000, jobs: Jobs = None, as_of: AsOf = None) -> None:  # fmt: skip
    if not mutate:
        raise OmniError(t("'check' wants --mutate for now", "« check » veut --mutate pour l'instant"), code="usage")
    from omnicli.cli.mutations import mutate as carry_out

    carry_out(name, count=mutants, seed=seed, jobs=jobs, as_of=as_of)
