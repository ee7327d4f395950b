"""omni campaign simulate: the whole base lives N virtual days, and what that comes to; nothing is sent and nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from omnicli.cli.campaign import Name, app
from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import t
from omnicli.writing import write

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.simulate.simulate import Simulation, Task
    from omnicli.cli.frame import Session
    from omnicli.store.connection import Store

Whose = Annotated[
    str | None, opt("--contacts", "how many invented people, or a list to import; default: the store's own", "combien de gens inventés, ou un fichier ; par défaut, ceux de la base", metavar="N|FILE")
]  # fmt: skip
Days = Annotated[int, opt("--days", "virtual days", "jours virtuels", metavar="N", least=1, most=731)]
Model = Annotated[
    str | None, opt("--model", "how people answer; 'default' prints the one in use", "comment les gens répondent ; « default » montre celui d'origine", metavar="FILE")
]  # fmt: skip
Seed = Annotated[str, opt("--seed", "another seed, other answers", "une autre graine, d'autres réponses", metavar="S")]
Compare = Annotated[
    str | None, opt("--compare", "an older version with the same seed: v3, its hash, or 'applied'", "une version plus ancienne, même graine : v3, son empreinte, ou « applied »", metavar="V")
]  # fmt: skip
Out = Annotated[
    Path | None,
    opt("-o/--output", "a page (.html) or the figures (.json)", "une page (.html) ou les chiffres (.json)", metavar="FILE"),
]
Jobs = Annotated[
    int | None,
    opt("-j/--jobs", "processes; the result is the same", "processus ; le résultat est le même", metavar="N", least=1, most=64),
]
#: People for whom a second process is worth its start.
MANY = 20_000


@app.command(
    help=page(
        "omni campaign simulate bienvenue --contacts 20000 -o bienvenue.html",
        "The whole base lives 90 virtual days through the real engine; the answers are assumptions. Nothing is sent.",
        "Toute la base vit 90 jours virtuels par le vrai moteur ; les réponses sont des hypothèses. Rien ne part.",
    )
)
def simulate(
    name: Name, contacts: Whose = None, days: Days = 90, model: Model = None, seed: Seed = "1", compare: Compare = None, output: Out = None,
    jobs: Jobs = None, as_of: AsOf = None,
) -> None:  # fmt: skip
    from omnicli.campaigns.simulate.model import default_text, read_model
    from omnicli.campaigns.simulate.outcome import differences, outcome
    from omnicli.campaigns.simulate.simulate import Task
    from omnicli.cli import simulate_view as view

    s = session()
    if model == "default":
        s.finish({"model": default_text()}, show=lambda console: console.print(default_text(), end="", soft_wrap=True))
    if output is not None and output.suffix not in (".html", ".json"):
        raise OmniError(
            t("-o wants a name that ends with .html or .json", "-o veut un nom en .html ou .json"), code="usage", exit=Exit.USAGE
        )
    read = read_model(Path(model) if model else None)
    loaded = s.loaded()
    older = _older(s, loaded, name, compare) if compare else None
    with _base(s, loaded, contacts, as_of) as (store, people, source):
        now = tick(s.now(as_of), loaded)
        task = Task(loaded, name, read, seed, now, days, people)
        found = _live(s, task, store, jobs)
        result = outcome(found, source=source)
        if older is not None:
            before = outcome(_live(s, replace(task, loaded=older), store, jobs), source=source)
            result["compare"] = {"version": compare, "figures": differences(result, before)}
    result["assumptions"] = view.assumptions(read)
    _tell_unused(s, task)
    if output is not None:
        _write(output, result, task)
        s.talk(t("written: {file}", "écrit : {file}", file=output))
    s.finish(result, show=lambda console: view.show(console, result, page=str(output) if output else None))


def tick(now: datetime, loaded: Loaded) -> datetime:
    """The tick at or before the instant: a simulation begins on the grid."""
    from omnicli import clock

    assert loaded.project is not None
    grid = max(loaded.project.schedule.every.about, timedelta(minutes=1))
    return clock.EPOCH + (now - clock.EPOCH) // grid * grid


def _live(s: Session, task: Task, store: Store | None, jobs: int | None) -> Simulation:
    import os

    from omnicli.campaigns.simulate.simulate import simulate as live

    processes = jobs or (max(1, os.cpu_count() or 1) if (task.people or MANY) >= MANY else 1)
    with s.progress(t("simulating", "simulation"), total=task.days * 24) as step:
        return live(task, store, processes=processes, progress=step)


@contextmanager
def _base(s: Session, loaded: Loaded, contacts: str | None, as_of: str | None) -> Iterator[tuple[Store | None, int | None, str]]:
    """The store to copy people from, how many are invented, and what the base is called."""
    if contacts is None:
        yield s.store(), None, "store"
        return
    if contacts.isdigit():
        if not 1 <= int(contacts) <= 5_000_000:
            raise OmniError(t("--contacts: 1 to 5,000,000 people", "--contacts : de 1 à 5 000 000 de personnes"), code="usage")
        yield None, int(contacts), "invented"
        return
    file = Path(contacts)
    if not file.is_file():
        raise OmniError(t("'{x}' is neither a number of people nor a file", "« {x} » n'est ni un nombre de personnes ni un fichier", x=contacts),
                        hint="--contacts 10000", code="usage", exit=Exit.USAGE)  # fmt: skip
    store = _imported(loaded, file, now=s.now(as_of))
    try:
        yield store, None, file.name
    finally:
        store.close()


def _imported(loaded: Loaded, file: Path, *, now: datetime) -> Store:
    """The people of a list, through the very import, into a store in memory. A map stands beside the list as `<name>.map.yaml`, else
    the columns are guessed."""
    from omnicli.people.imports import import_contacts
    from omnicli.store.connection import Store
    from omnicli.store.preparing import prepare

    assert loaded.project is not None
    store = Store.memory()
    prepare(store, loaded.project)
    beside = file.with_name(f"{file.stem}.map.yaml")
    import_contacts(store, loaded, file, mapping=beside if beside.is_file() else None, now=now)
    return store


def _older(s: Session, loaded: Loaded, name: str, wanted: str) -> Loaded:
    """The project with the campaign as that version had it."""
    from omnicli.campaigns import versions
    from omnicli.store import campaigns

    with s.store().read() as connection:
        row = campaigns.find(connection, name)
        known = campaigns.versions(connection, row.id) if row is not None else ()
        applied = row.version_id if row is not None else None
        found = next(
            (
                v
                for v in known
                if wanted in (f"v{v.number}", str(v.number))
                or v.hash.startswith(wanted)
                or (wanted == "applied" and v.id == applied)
            ),
            None,
        )
        if found is None:
            raise OmniError(t("'{name}' has no version {v}", "« {name} » n'a pas de version {v}", name=name, v=wanted),
                            hint=t("there are: {known}", "il y a : {known}", known=", ".join(v.label for v in known) or "–"), code="no-version", exit=Exit.USAGE)  # fmt: skip
        tree = versions.standing_tree(connection, found.id)
    return replace(loaded, campaigns={**loaded.campaigns, name: tree})


def _tell_unused(s: Session, task: Task) -> None:
    from omnicli.campaigns.simulate.model import fitting
    from omnicli.campaigns.turn import personas_of
    from omnicli.model.flow import Flow

    assert task.loaded.project is not None
    campaign = task.loaded.campaigns[task.name]
    unused = fitting(task.model, steps=Flow.of(campaign).nodes, personas=personas_of(campaign, task.loaded.project),
                     attributes=task.loaded.project.contacts.attributes)  # fmt: skip
    for one in unused:
        s.warn(
            t(
                "the model speaks of {x}, which this campaign does not have",
                "le modèle parle de {x}, que cette campagne n'a pas",
                x=one,
            )
        )


def _write(output: Path, result: dict[str, Any], task: Task) -> None:
    import json

    from omnicli.campaigns.simulate.page import page as made
    from omnicli.cli.run_view import reason_word

    assert task.loaded.project is not None
    text = (
        made(result, task.loaded.project.brand, word=reason_word)
        if output.suffix == ".html"
        else json.dumps(result, ensure_ascii=False, indent=1) + "\n"
    )
    write(output, text)
