"""omni db: the store brought up to date, looked through, copied, begun again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import DryRun, Yes, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help=page("omni db check", "Is the store whole? Its upkeep.", "Les données sont-elles saines ? Leur entretien."),
    no_args_is_help=True,
)

Output = Annotated[
    Path | None, opt("-o/--output", "where to (default: .omni/backups)", "où (par défaut : .omni/backups)", metavar="F")
]


@app.command(
    help=page(
        "omni db upgrade --live",
        "Migrations, after a backup; -n prints the SQL.",
        "Les migrations, après une sauvegarde ; -n affiche le SQL.",
    )
)
def upgrade(dry_run: DryRun = False) -> None:
    from omnicli.app import database
    from omnicli.store import keeping
    from omnicli.store.connection import Store
    from omnicli.store.preparing import pending_sql, prepare, version_of

    s = session()
    loaded = s.loaded()
    assert loaded.project is not None
    path = database(loaded, live=s.live)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = not path.exists()
    if fresh and dry_run:
        from omnicli.store import migrations

        script = migrations.sql("sqlite", None)
        s.finish({"sql": script, "backup": None, "done": []}, show=lambda console: console.print(script, soft_wrap=True))
    store = Store.sqlite(path, live=s.live)
    try:
        standing = version_of(store)
        script = pending_sql(store)
        if dry_run:
            shown = script or t("nothing to do", "rien à faire")
            s.finish({"sql": script, "backup": None, "done": []}, show=lambda console: console.print(shown, soft_wrap=True))
        backup = keeping.backup(store, now=s.now()) if script and standing is not None else None
        done = prepare(store, loaded.project, upgrade=True)
    finally:
        store.close()
    said = ", ".join(done) or t("nothing to do", "rien à faire")
    s.finish({"sql": None, "backup": str(backup) if backup else None, "done": done}, show=lambda console: console.print(said))


@app.command(
    help=page(
        "omni db check",
        "Integrity, orphans, the invariants of delivery; exit 1 when one fails.",
        "Intégrité, orphelins, invariants de l'envoi ; code 1 si l'un d'eux est violé.",
    )
)
def check() -> None:
    from omnicli.store import keeping

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    assert loaded.project is not None
    found = keeping.check(store, loaded.project, now=s.now())
    bad = [c for c in found if c.wrong]

    def draw(console: Console) -> None:
        from omnicli.cli.rows import lay

        lay(console, [[("✘", "red") if c.wrong else ("✔", "green"), c.title, c.detail] for c in found])

    result = {"checks": [{"name": c.name, "title": c.title, "wrong": c.wrong, "detail": c.detail} for c in found], "ok": not bad}
    s.finish(result, show=draw, exit=Exit.FINDINGS if bad else Exit.FINE)


@app.command(
    help=page(
        "omni db backup",
        "A consistent copy while running, checked, with its manifest.",
        "Une copie cohérente, même en marche, vérifiée, avec son manifeste.",
    )
)
def backup(output: Output = None) -> None:
    from omnicli.store import keeping

    s = session()
    s.loaded()
    made = keeping.backup(s.store(create=False), now=s.now(), to=output)
    s.finish({"file": str(made), "manifest": f"{made}.json"}, show=lambda console: console.print(f"{made}"))


@app.command(
    help=page(
        "omni db reset --yes",
        "The sandbox only: its store and outbox begin again.",
        "Le bac à sable seulement : ses données et ses envois repartent de zéro.",
    )
)
def reset(yes: Yes = False) -> None:
    from omnicli.app import database
    from omnicli.store import keeping

    s = session()
    if s.live:
        raise OmniError(
            t("the live store is never reset", "les données réelles ne se remettent pas à zéro"),
            code="refused",
            exit=Exit.REFUSED,
        )
    loaded = s.loaded()
    path = database(loaded, live=False)
    outbox = loaded.root / "outbox" / "sandbox"
    s.confirm_yes(t("Take away {path} and {outbox}?", "Effacer {path} et {outbox} ?", path=path, outbox=outbox), yes=yes)
    gone = keeping.reset(path, outbox)
    said = t("The sandbox begins again.", "Le bac à sable repart de zéro.")
    s.finish({"removed": [str(p) for p in gone]}, show=lambda console: console.print(said))
