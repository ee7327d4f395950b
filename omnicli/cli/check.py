"""omni message check: whether every channel, language and persona says the same, and how well the checker would notice."""

from __future__ import annotations

from typing import Annotated

import typer

from omnicli.cli.message import app
from omnicli.cli.options import AsOf, opt, page
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


Contact = Annotated[
    str | None,
    opt(
        "--contact",
        "what this person of the store was and will be told",
        "ce qui a été et sera dit à ce contact de la base",
        metavar="ID",
    ),
]
Online = Annotated[bool, opt("--online", "read the pages behind the links too", "lire aussi les pages derrière les liens")]
Profile = Annotated[str | None, opt("--profile", "how strict", "avec quelle sévérité", metavar="draft|team|production")]


@app.command(
    "check",
    help=page(
        "omni message check offre-bienvenue",
        "Whether every channel, language and persona says the same: facts traced through every rendering. With --mutate, how well that is checked.",
        "Si chaque canal, langue et persona dit la même chose : les faits suivis dans chaque rendu. Avec --mutate, la finesse de ce contrôle.",
    ),
)
def check(
    name: OneName = None, contact: Contact = None, online: Online = False, profile: Profile = None, mutate: Mutate = False, seed: Seed = "1",
    mutants: Mutants = 2_000, jobs: Jobs = None, as_of: AsOf = None,
) -> None:  # fmt: skip
    if not mutate:
        from omnicli.cli.coherence import compare

        compare(name, contact=contact, online=online, profile=profile, as_of=as_of)
        return
    from omnicli.cli.mutations import mutate as carry_out

    carry_out(name, count=mutants, seed=seed, jobs=jobs, as_of=as_of)
