"""omni schedule: the tick that cron or the daemon calls, and what installs, lists and removes that call."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, Jobs, opt, page, processes
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.cli.frame import Session
    from omnicli.service.installing import Place
    from omnicli.store.connection import Store

app = typer.Typer(
    help=page(
        "omni schedule install --cron",
        "Let cron call the tick. Ticks by cron, systemd or a daemon.",
        "Que cron donne les tops. Les tops par cron, systemd ou un démon.",
    ),
    no_args_is_help=True,
)

Every = Annotated[str, opt("--every", "between two ticks: 10s, 1m", "entre deux tops : 10s, 1m", metavar="10s")]
Cron = Annotated[bool, opt("--cron", "lines for crontab", "des lignes pour crontab")]
Systemd = Annotated[bool, opt("--systemd", "a user service", "un service utilisateur")]
Github = Annotated[bool, opt("--github", "a workflow", "un workflow")]
Write = Annotated[bool, opt("--write", "write it, instead of showing it", "l'écrire, au lieu de le montrer")]
Limit = Annotated[int, opt("--limit", "lines at most", "lignes au plus", metavar="N", least=1)]


@app.command(
    help=page(
        "omni schedule tick --live",
        "One turn and one dispatch for all running campaigns; what cron calls.",
        "Une décision et une distribution pour toutes les campagnes en cours ; ce que cron appelle.",
    )
)
def tick(jobs: Jobs = None, as_of: AsOf = None) -> None:
    from omnicli.cli.campaign import interruptible
    from omnicli.service.scheduler import tick as beat

    s = session()
    loaded, store = s.loaded(), s.store()
    now = _sandbox_now(s, as_of)
    with interruptible(s) as stopping:
        done = beat(store, loaded, live=s.live, now=now, stopping=stopping, processes=processes(jobs))
    if done.alarm:
        s.warn(done.alarm)
    report = done.report
    result: dict[str, Any] = {"without": done.without}
    if report is not None:
        from omnicli.cli import run_view

        result |= run_view.as_json(report, loaded, dry_run=False, live=s.live)
    line = done.line if not s.options.quiet else ""
    s.finish(result, exit=done.exit, show=lambda console: console.print(line, soft_wrap=True) if line else None)


def _sandbox_now(s: Session, as_of: str | None) -> datetime:
    """The instant of a tick, without a word about it: cron mails whatever is printed."""
    from omnicli.app import instant

    s.as_of, _ = instant(s.loaded(), s.store(), live=s.live, as_of=as_of, changes=True)
    return s.as_of


@app.command(
    help=page(
        "omni schedule run --live",
        "Ticks in the foreground until stopped; for systemd or a container.",
        "Des tops au premier plan jusqu'à l'arrêt ; pour systemd ou un conteneur.",
    )
)
def run(every: Every = "10s", jobs: Jobs = None) -> None:
    import sys

    from omnicli.cli.rows import length
    from omnicli.service.scheduler import Metronome

    s = session()
    pause = length(every)
    root = s.root()
    from omnicli.providers import overrides

    moved = overrides(s.loaded(), live=s.live)
    s.store()  # refused now, not at the first tick
    s.close()

    def begun() -> None:
        s.talk(t("Ticking every {every} for {root} ({env}). Ctrl-C or SIGTERM ends it after the batch in hand.",
                 "Un top toutes les {every} pour {root} ({env}). Ctrl-C ou SIGTERM : fin après le lot en cours.",
                 every=every, root=root, env=s.environment))  # fmt: skip
        for line in moved:
            s.warn(line)

    def tell(line: str) -> None:
        if not s.options.quiet:
            print(line, flush=True)

    def alarm(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    code = Metronome(root, s.live, pause, tell, alarm, begun, processes(jobs)).run()
    s.talk(t("Stopped.", "Arrêté."))
    raise typer.Exit(code)


# --- install, remove ------------------------------------------------------------------------------------------------
@app.command(
    help=page(
        "omni schedule install --cron --write",
        "Have the tick called. Without --write it is only shown.",
        "Faire donner les tops. Sans --write, c'est seulement montré.",
    )
)
def install(cron: Cron = False, systemd: Systemd = False, github: Github = False, write: Write = False) -> None:
    from omnicli.service import installing

    s = session()
    if cron + systemd + github != 1:
        raise OmniError(
            t("choose one: --cron, --systemd or --github", "choisissez : --cron, --systemd ou --github"), code="usage"
        )
    loaded = s.loaded()
    assert loaded.project is not None
    where = installing.place(loaded.project, loaded.root, live=s.live)
    kind: Callable[..., None] = _install_cron if cron else _install_file
    kind(s, where, loaded, write=write, systemd=systemd)


def _install_cron(s: Session, where: Place, loaded: Loaded, *, write: bool, systemd: bool) -> None:
    from omnicli.model.spoken import time
    from omnicli.service import installing

    block = installing.cron_block(where)
    if write:
        lines = installing.without_block(installing.read_crontab(), where)
        installing.write_crontab([*lines, *([""] if lines else []), *block])
    assert loaded.project is not None
    late = t("A missed tick is made up for within {d}; what is later is skipped as expired.   (schedule.catch_up)",
             "Un top manqué est rattrapé pendant {d} ; au-delà, c'est écarté (expired).   (schedule.catch_up)",
             d=time(loaded.project.schedule.catch_up))  # fmt: skip

    needed = installing.variables(loaded, where)

    def show(console: Console) -> None:
        console.print(
            t("Written into your crontab:", "Écrit dans votre crontab :")
            if write
            else t("Add these lines with `crontab -e`, or run again with --write:", "Ajoutez ces lignes par `crontab -e`, ou recommencez avec --write :"),
            soft_wrap=True,
        )  # fmt: skip
        for line in block:
            console.print(f"  {line}", soft_wrap=True)
        console.print(late, soft_wrap=True)
        if needed:
            console.print(t("cron knows nothing of this shell. Above those lines, one a line, with their values:  {x}",
                            "cron ignore tout de ce terminal. Au-dessus de ces lignes, une par ligne, avec leur valeur :  {x}",
                            x="  ".join(f"{name}=…" for name in needed)), style="yellow", soft_wrap=True)  # fmt: skip

    s.finish({"kind": "cron", "written": write, "lines": block, "variables": needed}, show=show)


def _install_file(s: Session, where: Place, loaded: Loaded, *, write: bool, systemd: bool) -> None:
    from omnicli.service import installing

    path = installing.unit_path(where) if systemd else installing.workflow_path(where)
    text = installing.systemd_unit(where) if systemd else installing.github_workflow(where)
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    needed = installing.variables(loaded, where) if systemd else []
    after = f"systemctl --user daemon-reload && systemctl --user enable --now {where.unit}" if systemd else f"git add {path}"

    def show(console: Console) -> None:
        if write:
            console.print(t("Wrote {path}", "Écrit : {path}", path=path), soft_wrap=True)
            console.print(t("Next:  {x}", "Ensuite :  {x}", x=after), soft_wrap=True)
        else:
            console.print(t("# {path}   (run again with --write to write it)", "# {path}   (recommencez avec --write pour l'écrire)", path=path), soft_wrap=True)  # fmt: skip
            console.print(text, soft_wrap=True, end="")
        if needed:
            console.print(t("# The service knows nothing of this shell. Into {file} (chmod 600), one a line, with their values:  {x}",
                            "# Le service ignore tout de ce terminal. Dans {file} (chmod 600), une par ligne, avec leur valeur :  {x}",
                            file=where.environment_file, x="  ".join(f"{name}=…" for name in needed)), style="yellow", soft_wrap=True)  # fmt: skip

    s.finish(
        {"kind": "systemd" if systemd else "github", "written": write, "path": str(path), "text": text, "next": after, "variables": needed},
        show=show,
    )  # fmt: skip


@app.command(
    help=page(
        "omni schedule remove",
        "Take out what install wrote for this project and environment.",
        "Enlever ce qu'install a écrit pour ce projet et cet environnement.",
    )
)
def remove() -> None:
    from omnicli.service import installing

    s = session()
    loaded = s.loaded()
    assert loaded.project is not None
    where = installing.place(loaded.project, loaded.root, live=s.live)
    gone = []
    for kind, detail in installing.callers(where):
        if kind == "cron":
            installing.write_crontab(installing.without_block(installing.read_crontab(), where))
        else:
            Path(detail).unlink()
        gone.append("crontab" if kind == "cron" else detail)
    said = (
        t("Taken out: {x}", "Enlevé : {x}", x=", ".join(gone)) if gone else t("Nothing was installed.", "Rien n'était installé.")
    )
    s.finish({"removed": gone}, show=lambda console: console.print(said, soft_wrap=True))


# --- list, next -----------------------------------------------------------------------------------------------------
@app.command(
    "list",
    help=page(
        "omni schedule list",
        "What calls the tick for this project, and when a tick last ended.",
        "Ce qui donne les tops de ce projet, et quand le dernier s'est terminé.",
    ),
)
def list_() -> None:
    from omnicli.campaigns.run import last_end
    from omnicli.cli import rows
    from omnicli.service import installing

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now()
    assert loaded.project is not None
    found = installing.callers(installing.place(loaded.project, loaded.root, live=s.live))
    ended = last_end(store)

    def show(console: Console) -> None:
        if not found:
            console.print(t("Nothing calls the tick here: omni schedule install --cron", "Rien ne donne les tops ici : omni schedule install --cron"), soft_wrap=True)  # fmt: skip
        rows.lay(console, [[(kind, "bold"), detail] for kind, detail in found], indent=1)
        last = t("never", "jamais") if ended is None else t("{d} ago", "il y a {d}", d=rows.ago(ended, now))
        console.print(t("Last run: {x}", "Dernière exécution : {x}", x=last), soft_wrap=True)

    s.finish({"installed": [{"kind": k, "detail": d} for k, d in found], "last_run": ended}, show=show)


@app.command(
    "next",
    help=page(
        "omni schedule next --limit 10",
        "What falls due next: occurrences, timers, touches.",
        "Les prochaines échéances : occurrences, attentes, envois.",
    ),
)
def next_(limit: Limit = 10, as_of: AsOf = None) -> None:
    from zoneinfo import ZoneInfo

    from omnicli.cli import rows

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of)
    assert loaded.project is not None
    zone = ZoneInfo(loaded.project.time_zone)
    found = sorted(
        [*_occurrences(loaded, store, now, limit), *_timers(store, now, limit)], key=lambda f: (f["at"], f["campaign"])
    )[:limit]

    def show(console: Console) -> None:
        if not found:
            console.print(t("Nothing is due.", "Rien n'est dû."))
        rows.lay(console, [[rows.moment(f["at"], zone), (f["campaign"], "bold"), f["what"], rows.number(f["people"]) if f["people"] else ""]
                           for f in found], right=(3,), shrink=2, indent=1)  # fmt: skip

    s.finish({"next": found, "zone": loaded.project.time_zone}, exit=Exit.FINE, show=show)


def _occurrences(loaded: Loaded, store: Store, now: datetime, limit: int) -> list[dict[str, Any]]:
    """The coming occurrences of running campaigns that people enter by the calendar."""
    from datetime import timedelta
    from itertools import islice
    from zoneinfo import ZoneInfo

    from omnicli.campaigns import versions
    from omnicli.engine.occurrence import occurrences
    from omnicli.model.spoken import time
    from omnicli.store import campaigns

    assert loaded.project is not None
    zone = ZoneInfo(loaded.project.time_zone)
    found: list[dict[str, Any]] = []
    with store.read() as connection:
        for row in campaigns.known(connection, states=("running",)):
            if row.version_id is None:
                continue
            enter = versions.standing_tree(connection, row.version_id).enter
            wanted = enter.every or enter.at
            if wanted is not None:
                found += [{"at": o.at, "campaign": row.name, "what": t("people enter ({rule})", "entrées ({rule})", rule=time(wanted)), "people": 0}
                          for o in islice(occurrences(wanted, zone, now, now + timedelta(days=400)), limit)]  # fmt: skip
    return found


def _timers(store: Store, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Timers and planned touches of running campaigns, by minute and step."""
    import sqlalchemy as sa

    from omnicli import clock
    from omnicli.store import tables as tb

    e, x, c = tb.enrollment.c, tb.touch.c, tb.campaign.c
    minute = 60_000
    timer = (
        sa.select((e.due_at // minute).label("m"), c.name, e.step, sa.func.count())
        .join(tb.campaign, c.id == e.campaign_id)
        .where(c.state == "running", e.state == "open", e.due_at.is_not(None))
        .group_by("m", c.name, e.step).order_by("m").limit(limit)
    )  # fmt: skip
    leaving = (
        sa.select((x.due_at // minute).label("m"), c.name, x.step, sa.func.count())
        .join(tb.enrollment, e.id == x.enrollment_id)
        .join(tb.campaign, c.id == e.campaign_id)
        .where(c.state == "running", x.send_state.in_(("planned", "retry")))
        .group_by("m", c.name, x.step).order_by("m").limit(limit)
    )  # fmt: skip
    with store.read() as connection:
        rows = [*connection.execute(timer), *connection.execute(leaving)]
    return [{"at": max(clock.from_ms(int(m) * minute), now), "campaign": name, "what": step or t("first step", "première étape"), "people": n}
            for m, name, step, n in rows]  # fmt: skip
