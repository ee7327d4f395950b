"""omni db: the store brought up to date, looked through, copied, recovered after a restore, begun again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import DryRun, Yes, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from omnicli.app import Place
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.restored import Recovered
    from omnicli.store.connection import Store

app = typer.Typer(
    help=page("omni db check", "Is the store whole? Its upkeep.", "Les données sont-elles saines ? Leur entretien."),
    no_args_is_help=True,
)

Output = Annotated[
    Path | None, opt("-o/--output", "where to (default: .omni/backups)", "où (par défaut : .omni/backups)", metavar="F")
]


Offline = Annotated[
    bool,
    opt("--offline", "do not ask providers who said no meanwhile", "ne pas demander aux prestataires qui a dit non entre-temps"),
]


@app.command(
    help=page(
        "omni db upgrade --live",
        "Migrations, after a backup; -n prints the SQL.",
        "Les migrations, après une sauvegarde ; -n affiche le SQL.",
    )
)
def upgrade(dry_run: DryRun = False) -> None:
    from omnicli.app import place
    from omnicli.store import backups, migrations
    from omnicli.store.carrying.progress import unfinished
    from omnicli.store.preparing import pending_sql, prepare, version_of

    s = session()
    loaded = s.loaded()
    assert loaded.project is not None
    where = place(loaded, live=s.live)

    def print_only(script: str) -> None:
        shown = script or t("nothing to do", "rien à faire")
        s.finish({"sql": script, "backup": None, "done": []}, show=lambda console: console.print(shown, soft_wrap=True))

    if dry_run and where.url is None and not where.path.exists():
        print_only(migrations.sql("sqlite", None))
    store = where.open()
    try:
        standing = version_of(store)
        if standing is not None and (half := unfinished(store)) is not None:
            raise half
        script = pending_sql(store)
        if dry_run:
            print_only(script + (_queue_sql(store) if where.url is not None else ""))
        backup = backups.backup(store, now=s.now()) if script and standing is not None else None
        done = prepare(store, loaded.project, upgrade=True) + (_queue(store) if where.url is not None else [])
    finally:
        store.close()
    said = ", ".join(done) or t("nothing to do", "rien à faire")
    s.finish({"sql": None, "backup": str(backup) if backup else None, "done": done}, show=lambda console: console.print(said))


def _queue(store: Store) -> list[str]:
    """The queue of the workers, so that they need no right to make it."""
    from omnicli.store import queue
    from omnicli.store.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    made = bool(queue.pending_sql(store, store.schema)) and queue.ready(store, store.schema, upgrade=True)
    return [t("the queue of the workers", "la file des workers")] if made else []


def _queue_sql(store: Store) -> str:
    from omnicli.store import queue
    from omnicli.store.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    return queue.pending_sql(store, store.schema)


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
    from omnicli.cli.rows import number
    from omnicli.store import backups

    s = session()
    s.loaded()
    made = backups.backup(s.store(create=False), now=s.now(), to=output)
    rows = sum(backups.manifest_of(made)["rows"].values())
    said = t("{file}: whole, {n} rows, {size} MB. Keys are left out: keep .omni/keys elsewhere.",
             "{file} : intacte, {n} lignes, {size} Mo. Sans les clés : gardez .omni/keys ailleurs.",
             file=made, n=number(rows), size=number(made.stat().st_size / 1e6, 1))  # fmt: skip
    s.finish(
        {"file": str(made), "manifest": f"{made}.json", "rows": rows}, show=lambda console: console.print(said, soft_wrap=True)
    )


@app.command(
    help=page(
        "omni db recover --live --yes",
        "After any restore: what may have been sent meanwhile becomes unknown, then the store is released.",
        "Après toute restauration : ce qui a pu partir entre-temps devient inconnu, puis la base est libérée.",
    )
)
def recover(yes: Yes = False, offline: Offline = False) -> None:
    from omnicli.campaigns import restored
    from omnicli.campaigns.lock import project_lock
    from omnicli.campaigns.run import build_renderer
    from omnicli.providers import build, close
    from omnicli.store import holding

    s = session()
    if not s.live:
        raise OmniError(t("the sandbox sends to nobody: there is nothing to recover", "le bac à sable n'envoie à personne : rien à rétablir"),
                        hint="--live", code="usage")  # fmt: skip
    loaded, store = s.loaded(), s.store(create=False)
    now = s.now()
    with store.read() as connection:
        why, since = holding.held(connection), restored.newest(connection)
        about = restored.doubtful(connection, now=now)
    if why == "copying":
        raise holding.refusal(why, live=s.live)  # half a store: released, it would send without knowing to whom it may not
    s.talk(
        t("The store is on hold: {why}.", "La base est retenue : {why}.", why=holding.said(why))
        if why
        else t(
            "The store is not on hold: this is for a machine that was put back whole, with everything beside the store.",
            "La base n'est pas retenue : ceci sert quand une machine entière a été restaurée, avec tout ce qui est à côté de la base.",
        )
    )
    s.confirm_yes(_twice(why) + _question(about, since, _zone(loaded)), yes=yes)
    providers = build(loaded, live=s.live, root=loaded.root)
    try:
        with project_lock(loaded.root, live=s.live), s.progress(t("recovering", "rétablissement")):
            done = restored.recovered(
                store, loaded, providers, build_renderer(loaded, store, live=s.live), now=now, offline=offline
            )
    finally:
        close(providers)
    result = {"why": done.why, "since": done.since, "doubted": done.doubted, "settled": done.settled, "unknown": done.unknown,
              "parked": done.parked, "dropped": done.dropped, "barred": done.barred}  # fmt: skip
    s.finish(
        result,
        exit=Exit.SOME_FAILED if done.unknown + done.parked else Exit.FINE,
        show=lambda console: _recovered(console, done, live=s.live),
    )


def _zone(loaded: Loaded) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    assert loaded.project is not None
    return ZoneInfo(loaded.project.time_zone)


def _twice(why: str | None) -> str:
    if why not in ("moved", "twin"):
        return ""
    return t(
        "Once released, this store and the other one both send. ",
        "Une fois libérée, cette base et l'autre envoient toutes les deux. ",
    )


def _question(about: int, since: datetime | None, zone: ZoneInfo) -> str:
    from omnicli.cli.rows import moment

    when = t("it was made", "sa création") if since is None else moment(since, zone)
    return t(
        "It knows nothing after {when}: {n} touches due by now, and those of people due meanwhile, may have been sent."
        " They become unknown and are not sent again by themselves. Go on?",
        "Elle ne sait rien après {when} : {n} envois dus à ce jour, et ceux des personnes dues entre-temps, sont peut-être partis."
        " Ils deviennent inconnus et ne repartent pas d'eux-mêmes. Continuer ?", when=when, n=about,
    )  # fmt: skip


def _recovered(console: Console, done: Recovered, *, live: bool) -> None:
    flag = " --live" if live else ""
    facts = [
        (done.doubted, t("may have been sent", "sont peut-être partis")), (done.settled, t("settled by evidence", "tranchés par une preuve")),
        (done.barred, t("barred, as a provider knew", "exclus, un prestataire le savait")), (done.dropped, t("given up by policy", "abandonnés par règle")), (done.unknown, t("unknown", "inconnus")), (done.parked, t("parked", "garés")),
    ]  # fmt: skip
    said = " · ".join(f"{n} {word}" for n, word in facts if n) or t("Nothing was in doubt.", "Rien n'était douteux.")
    console.print(said, soft_wrap=True)
    console.print(t("The store is released.", "La base est libérée."))
    if done.unknown + done.parked:
        console.print(t("Decide about them:  omni touch unknown{f}", "Tranchez :  omni touch unknown{f}", f=flag), soft_wrap=True)


@app.command(
    help=page(
        "omni db reset --yes",
        "The sandbox only: its store and outbox begin again.",
        "Le bac à sable seulement : ses données et ses envois repartent de zéro.",
    )
)
def reset(yes: Yes = False) -> None:
    from omnicli.app import place
    from omnicli.store import keeping

    s = session()
    if s.live:
        raise OmniError(
            t("the live store is never reset", "les données réelles ne se remettent pas à zéro"),
            code="refused",
            exit=Exit.REFUSED,
        )
    loaded = s.loaded()
    where = place(loaded, live=False)
    outbox = loaded.root / "outbox" / "sandbox"
    if where.url is not None:
        _refuse_another(where, loaded)
    s.confirm_yes(t("Take away {path} and {outbox}?", "Effacer {path} et {outbox} ?", path=where.said, outbox=outbox), yes=yes)
    gone = [*(_dropped(where) if where.url is not None else ()), *keeping.reset(where.path, outbox)]
    said = t("The sandbox begins again.", "Le bac à sable repart de zéro.")
    s.finish({"removed": [str(p) for p in gone]}, show=lambda console: console.print(said))


def _refuse_another(where: Place, loaded: Loaded) -> None:
    """A file lies in its project's folder; a schema of PostgreSQL may be the sandbox of whoever else names that database."""
    from omnicli.store.preparing import of_another

    assert loaded.project is not None
    store = where.open()
    try:
        if (strange := of_another(store, loaded.project)) is not None:
            raise strange
    finally:
        store.close()


def _dropped(where: Place) -> list[str]:
    """The schema of the sandbox taken away."""
    from omnicli.store import keeping
    from omnicli.store.postgres import PostgresStore

    store = where.open()
    try:
        assert isinstance(store, PostgresStore)
        return keeping.drop(store)
    finally:
        store.close()
