"""omni status: campaigns, versions, who is in flight, what is due, held or unknown, and what needs a person."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console, RenderableType

    from omnicli.campaignfile import Loaded
    from omnicli.cli.campaign_view import Overview
    from omnicli.cli.frame import Session
    from omnicli.engine.breaker import Account
    from omnicli.store.connection import Store

app = typer.Typer()

Watch = Annotated[bool, opt("--watch", "draw it again every 2 seconds", "redessiner toutes les 2 secondes")]
Positions = Annotated[
    bool, opt("--positions", "JSON: people a step, no ids (for diff)", "JSON : personnes par étape, sans identifiants")
]
Code10 = Annotated[bool, opt("--exit-code", "exit 10 when something is due", "code 10 si quelque chose est dû")]


@app.command(help=page("omni status", "How everything stands, at a glance.", "Où en est tout, d'un coup d'œil."))
def status(watch: Watch = False, positions: Positions = False, exit_code: Code10 = False, as_of: AsOf = None) -> None:
    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of)
    if positions:
        s.options.json = True
        from omnicli.campaigns.diff import sides

        s.finish({"positions": _positions(store), **sides.written(store)})
    if watch and s.console().is_terminal and not s.json:
        _watch(s, loaded, store)
    found = _look(loaded, store, now, live=s.live)
    code = Exit.SOMETHING_TO_DO if exit_code and (found["due_people"] or found["due_touches"]) else Exit.FINE
    overviews = found.pop("overviews")
    s.finish(found, exit=code, show=lambda console: _show(console, found, overviews, now, loaded, live=s.live))


def _look(loaded: Loaded, store: Store, now: datetime, *, live: bool) -> dict[str, Any]:
    """Everything that the page says, as plain values; `overviews` for the table."""
    import sqlalchemy as sa

    from omnicli.campaigns import quality
    from omnicli.campaigns.run import last_end
    from omnicli.cli import campaign_view as view
    from omnicli.store import accounts, campaigns
    from omnicli.store import tables as tb

    overviews = view.overview(store, loaded, now)
    with store.read() as connection:
        judged = [one.said for one in quality.standings(connection, loaded, now=now) if one.level != "fine"]
        people = connection.scalar(sa.select(sa.func.count()).select_from(tb.contact)) or 0
        hold = connection.scalar(sa.select(tb.instance.c.hold))
        accounts_ = accounts.standing(connection) if live else []
        waiting = connection.scalar(sa.select(sa.func.count()).select_from(tb.inbox).where(tb.inbox.c.folded_at.is_(None))) or 0
        tasks = connection.scalar(sa.select(sa.func.count()).select_from(tb.task).where(tb.task.c.state != "done")) or 0
        cases = connection.scalar(sa.select(sa.func.count()).select_from(tb.case).where(tb.case.c.state != "closed")) or 0
        ids = [row.id for row in campaigns.known(connection, states=("running",))]
        ahead = campaigns.next_due(connection, ids) if ids else None
        held = campaigns.held_by(connection) if any(o.due.get("held") for o in overviews) else {}
    ended = last_end(store)
    assert loaded.project is not None
    shared: dict[str, Any] = {} if store.dialect == "sqlite" else {"workers": _workers(store)}
    return {
        **shared,
        "overviews": overviews, "project": loaded.project.project, "contacts": people,
        "campaigns": [view.as_json(o) for o in overviews], "last_run": ended, "next": ahead,
        "due_people": sum(o.due.get("people", 0) for o in overviews if o.state == "running"),
        "due_touches": sum(o.due.get("touches", 0) for o in overviews if o.state == "running"),
        "held": sum(o.due.get("held", 0) for o in overviews), "unknown": sum(o.doubtful for o in overviews),
        "held_by": _most_first(held), "holding": sorted(held, key=lambda name: (-sum(held[name].values()), name)), "unfolded": waiting, "tasks": tasks, "cases": cases, "alerts": [*_alerts(loaded, overviews, hold, ended, now, live=live), *_left_alone(loaded, accounts_), *judged],
    }  # fmt: skip


def _most_first(held: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Guard → people whom it holds in all campaigns, the most frequent first."""
    total = Counter[str]()
    for guards in held.values():
        total.update(guards)
    return dict(sorted(total.items(), key=lambda one: (-one[1], one[0])))


def _workers(store: Store) -> list[dict[str, Any]]:
    """Processes of `omni worker` that were seen within a minute."""
    from omnicli.store import crew

    with store.read() as connection:
        return [{"host": one.host, "threads": one.threads, "jobs": one.done} for one in crew.alive(connection)]


def _alerts(
    loaded: Loaded, overviews: list[Overview], hold: str | None, ended: datetime | None, now: datetime, *, live: bool
) -> list[str]:  # fmt: skip
    """What needs a person, one line each, with the command that helps."""
    from omnicli.cli.rows import ago
    from omnicli.store.holding import remedy, said

    assert loaded.project is not None
    flag = " --live" if live else ""
    found: list[str] = []
    if hold:
        found.append(t("the store is on hold ({why}): {remedy}", "la base est retenue ({why}) : {remedy}",
                       why=said(hold), remedy=remedy(hold, live=live)))  # fmt: skip
    for o in overviews:
        if o.errors:
            found.append(several(
                o.errors, ("{name}: {n} error in its file: omni lint", "{name}: {n} errors in its file: omni lint"),
                ("{name} : {n} erreur dans son fichier : omni lint", "{name} : {n} erreurs dans son fichier : omni lint"), name=o.name,
            ))  # fmt: skip
        if o.doubtful and o.doubtful_since is not None:
            found.append(several(
                o.doubtful,
                ("{name}: {n} touch unknown or parked for {d}: omni touch unknown{f}", "{name}: {n} touches unknown or parked for {d}: omni touch unknown{f}"),
                ("{name} : {n} envoi inconnu ou garé depuis {d} : omni touch unknown{f}", "{name} : {n} envois inconnus ou garés depuis {d} : omni touch unknown{f}"),
                name=o.name, d=ago(o.doubtful_since, now), f=flag,
            ))  # fmt: skip
        if o.changed and o.state == "running":
            found.append(t("{n}: the file was changed since it was applied: omni campaign start {n}{f}",
                           "{n} : le fichier a changé depuis qu'il a été appliqué : omni campaign start {n}{f}", n=o.name, f=flag))  # fmt: skip
    late = loaded.project.schedule.every.about * 4
    if live and any(o.state == "running" for o in overviews) and (ended is None or now - ended > late):
        since = t("never", "jamais") if ended is None else ago(ended, now)
        found.append(t("no tick for {since}: omni schedule install --cron", "pas de top depuis {since} : omni schedule install --cron", since=since))  # fmt: skip
    return found


def _left_alone(loaded: Loaded, standing: list[tuple[str, str, Account]]) -> list[str]:
    """A line for each account in use that answers badly: it comes back by itself, or waits for a person."""
    if all(account.state == "closed" for _, _, account in standing):
        return []
    from omnicli.service.doctor.carriers import shut

    return [
        t("{name} is left alone until it is mended ({why}): omni doctor --live --provider {name}",
          "{name} est laissé de côté jusqu'à réparation ({why}) : omni doctor --live --provider {name}", name=name, why=why)
        if person else
        t("{name} is left alone for a while ({why}); it is tried again by itself",
          "{name} est laissé de côté un moment ({why}) ; nouvel essai de lui-même", name=name, why=why)
        for name, _, why, person in shut(standing, _accounts(loaded))
    ]  # fmt: skip


def _accounts(loaded: Loaded) -> dict[str, str]:
    """Provider → its account by the settings as they are; none where these cannot be read."""
    from omnicli.providers import build, close
    from omnicli.service.doctor.carriers import in_use

    try:
        providers = build(loaded, live=True, root=loaded.root)
    except OmniError:
        return {}
    close(providers)
    return in_use(providers)


def _positions(store: Store) -> list[dict[str, Any]]:
    """People a campaign, version and step: counts only."""
    from omnicli.store import campaigns

    found = []
    with store.read() as connection:
        for row in campaigns.known(connection):
            by_id = {v.id: v for v in campaigns.versions(connection, row.id)}
            passage = campaigns.passage(connection, row.id)
            found.append({
                "campaign": row.name, "state": row.state, "version": by_id[row.version_id].hash if row.version_id in by_id else None,
                "entered": passage.entered, "gone": dict(passage.ended or {}),
                "at": [{"version": by_id[v].hash, "step": step, "people": n} for (v, step), n in sorted((passage.at or {}).items())],
            })  # fmt: skip
    return found


# --- drawing --------------------------------------------------------------------------------------------------------
def _show(
    console: Console, found: dict[str, Any], overviews: list[Overview], now: datetime, loaded: Loaded, *, live: bool
) -> None:
    from rich.text import Text

    from omnicli.cli import campaign_view as view
    from omnicli.cli.rows import ago, moment, number

    console.print(
        Text(found["project"], "bold").append(t("  {n} people", "  {n} personnes", n=number(found["contacts"])), "not bold")
    )
    console.print()
    view.show_list(console, overviews, now)
    console.print()
    facts = [
        (found["due_people"] + found["due_touches"], t("due", "dus")), (found["held"], t("held", "retenus")),
        (found["unknown"], t("unknown", "inconnus")), (found["unfolded"], t("responses to fold", "réponses à prendre en compte")),
        (found["tasks"], t("tasks", "tâches")), (found["cases"], t("open cases", "dossiers ouverts")),
    ]  # fmt: skip
    console.print(
        " · ".join(f"{number(n)} {word}" for n, word in facts if n) or t("Nothing waits.", "Rien n'attend."), soft_wrap=True
    )
    if found["held_by"]:
        console.print(Text(_held(found, live=live)), soft_wrap=True)
    ended, ahead = found["last_run"], found["next"]
    if ended is not None:
        last = t("Last run {d} ago", "Dernière exécution il y a {d}", d=ago(ended, now))
        tail = "" if ahead is None else t(", next due {at}", ", prochaine échéance {at}", at=moment(ahead, view.zone_of(loaded)) if ahead > now else t("now", "maintenant"))  # fmt: skip
        console.print(Text(last + tail, "dim"), soft_wrap=True)
    if "workers" in found:
        console.print(Text(_at_work(found["workers"]), "dim"), soft_wrap=True)
    for alert in found["alerts"]:
        console.print(Text("! ", "bold red").append(alert, "not bold"), soft_wrap=True)


def _held(found: dict[str, Any], *, live: bool) -> str:
    """`Held: quiet hours 61 · capped 22     who: omni campaign plan bienvenue --why`, of the campaign that holds most."""
    from omnicli.cli.run_view import reasons

    why = f"omni campaign plan {found['holding'][0]} --why" + (" --live" if live else "")
    return t(
        "Held: {reasons}     who: {why}",
        "Retenus : {reasons}     qui : {why}",
        reasons=reasons(Counter(found["held_by"])),
        why=why,
    )


def _at_work(workers: list[dict[str, Any]]) -> str:
    """How many processes share the work, and where."""
    if not workers:
        return t(
            "No worker is alive: omni worker, or ticks by omni schedule",
            "Aucun worker en vie : omni worker, ou des tops par omni schedule",
        )
    where = ", ".join(f"{host} ×{n}" for host, n in sorted(Counter(one["host"] for one in workers).items()))
    return several(len(workers), ("{n} worker alive: {where}", "{n} workers alive: {where}"),
                   ("{n} worker en vie : {where}", "{n} workers en vie : {where}"), where=where)  # fmt: skip


def _watch(s: Session, loaded: Loaded, store: Store) -> None:
    """Draw the page again every two seconds, until Ctrl-C."""
    import time
    from io import StringIO

    from rich.console import Console
    from rich.live import Live

    from omnicli.app import instant

    console = s.console()

    def page() -> RenderableType:
        from rich.text import Text

        now, _ = instant(loaded, store, live=s.live, as_of=None, changes=False)
        found = _look(loaded, store, now, live=s.live)
        overviews = found.pop("overviews")
        aside = Console(file=StringIO(), width=console.width, force_terminal=True, no_color=console.no_color, highlight=False)
        _show(aside, found, overviews, now, loaded, live=s.live)
        return Text.from_ansi(aside.file.getvalue())  # type: ignore[attr-defined]

    try:
        with Live(page(), console=console, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(2)
                live.update(page(), refresh=True)
    except KeyboardInterrupt:
        s.close()
        raise typer.Exit(Exit.FINE) from None
