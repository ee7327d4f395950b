"""What a person reads before and after a campaign is started, paused, resumed or stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from omnicli.cli import rows
from omnicli.cli.campaign_view import version_json
from omnicli.cli.rows import number
from omnicli.texts import several, t

if TYPE_CHECKING:
    import sqlalchemy as sa
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.life import Resumed, Started, Stopped
    from omnicli.store.campaigns import Standing
    from omnicli.store.connection import Store


def start_question(store: Store, loaded: Loaded, name: str) -> str:
    """What a live `start` would do, said before asking."""
    from omnicli.campaigns import versions
    from omnicli.store import campaigns

    assert loaded.project is not None
    with store.read() as connection:
        row = campaigns.find(connection, name)
        inside = campaigns.passage(connection, row.id).open if row is not None else 0
    short = versions.fingerprint(loaded.campaigns[name], loaded.project)[:7]
    tail = t(" {n} in flight finish what they began.", " {n} personnes en cours finissent leur parcours.", n=number(inside)) if inside else ""  # fmt: skip
    return t("Applies {name} · {hash}. New people enter it.{tail}", "Applique {name} · {hash}. Les nouveaux y entrent.{tail}",
             name=name, hash=short, tail=tail)  # fmt: skip


def started_json(started: Started, missed: tuple[datetime, int] | None) -> dict[str, Any]:
    return {
        "campaign": started.name, "state": "running", "was": started.was, "version": version_json(started.version),
        "applied": started.applied, "stay": [{**(version_json(v) or {}), "in_flight": n} for v, n in started.stay],
        "too_early": {"since": missed[0], "people": missed[1]} if missed else None,
    }  # fmt: skip


def show_started(
    console: Console, started: Started, missed: tuple[datetime, int] | None, *, live: bool, since: datetime | None = None,
    hints: Sequence[str] = (),
) -> None:  # fmt: skip
    from rich.text import Text

    flag = " --live" if live else ""
    line = Text(f"{started.name} ", "bold").append(started.version.label, "cyan")
    if started.was == "running" and not started.applied and since is not None:
        line.append(t(" is already running: events since {day} let people in.", " est déjà en cours : les événements depuis le {day} comptent.",
                      day=f"{since:%Y-%m-%d}"), "not bold")  # fmt: skip
    elif started.was == "running" and not started.applied:
        line.append(t(" is already running; nothing changed.", " est déjà en cours ; rien n'a changé."), "not bold")
    elif started.was == "running":
        line.append(t(" applied: new people enter it.", " appliquée : les nouveaux y entrent."), "not bold")
    else:
        line.append(t(" is running: the next run lets people in.", " est lancée : la prochaine exécution fait entrer les gens."), "not bold")  # fmt: skip
    console.print(line, soft_wrap=True)
    for version, count in started.stay:
        console.print(t("  {n} in flight finish on {v}.", "  {n} en cours finissent sur {v}.", n=number(count), v=version.label), soft_wrap=True)  # fmt: skip
    if missed:
        console.print(too_early(started.name, missed, live=live), soft_wrap=True)
    for hint in hints:
        console.print(f"  {hint}", soft_wrap=True)
    console.print(Text(t("Next:  omni campaign plan {n}{f}   ·   omni campaign run {n}{f}",
                         "Ensuite :  omni campaign plan {n}{f}   ·   omni campaign run {n}{f}", n=started.name, f=flag), "dim"), soft_wrap=True)  # fmt: skip


def too_early(name: str, missed: tuple[datetime, int], *, live: bool) -> str:
    """The hint about events that are older than the start."""
    since, count = missed
    if count == 1:
        return t(
            "  One person had that event before the start:  omni campaign start {name} --since {day}{flag}  lets them in.",
            "  Une personne a eu cet événement avant le lancement :  omni campaign start {name} --since {day}{flag}  la fait entrer.",
            name=name, day=f"{since:%Y-%m-%d}", flag=" --live" if live else "",
        )  # fmt: skip
    return t(
        "  {n} people had that event before the start:  omni campaign start {name} --since {day}{flag}  lets them in.",
        "  {n} personnes ont eu cet événement avant le lancement :  omni campaign start {name} --since {day}{flag}  les fait entrer.",
        n=number(count), name=name, day=f"{since:%Y-%m-%d}", flag=" --live" if live else "",
    )  # fmt: skip


def waiting_for(store: Store, loaded: Loaded, names: Sequence[str], *, now: datetime, live: bool) -> list[str]:
    """Why nothing happens in a campaign, and what to do: it is paused, or nobody ever had the event that it is entered by."""
    from omnicli.campaigns import life
    from omnicli.store import campaigns

    found: list[str] = []
    flag = " --live" if live else ""
    for name in names:
        with store.read() as connection:
            row = campaigns.find(connection, name)
            entered = campaigns.passage(connection, row.id).entered if row is not None else 0
            events = _entering_events(loaded, name)
            never = bool(events) and not _recorded(connection, events)
        if row is not None and row.state == "paused":
            found.append(
                t(
                    "{n} is paused:  omni campaign resume {n}{f}",
                    "{n} est suspendue :  omni campaign resume {n}{f}",
                    n=name,
                    f=flag,
                )
            )
        elif never:
            found.append(no_event(name, events, live=live))
        elif (
            row is not None
            and row.state == "running"
            and events
            and not entered
            and (early := life.missed(store, loaded, name, now=now))
        ):
            found.append(too_early(name, early, live=live).strip())
    return found


def no_event(name: str, events: Sequence[str], *, live: bool) -> str:
    """The hint about a campaign that is entered by an event which nobody ever had."""
    return t(
        "{n} is entered by {event}, which nobody has had yet:  omni response add ID {first}{f}   or   omni response import FILE{f}",
        "On entre dans {n} par {event}, que personne n'a encore eu :  omni response add ID {first}{f}   ou   omni response import FILE{f}",
        n=name, event=t(" or ", " ou ").join(events), first=events[0], f=" --live" if live else "",
    )  # fmt: skip


def _entering_events(loaded: Loaded, name: str) -> list[str]:
    """The events by which people enter; none for a campaign that goes by dates or conditions."""
    campaign = loaded.campaigns.get(name)
    if campaign is None or campaign.enter.form != "when":
        return []
    return list(dict.fromkeys(term.split()[0] for term in campaign.enter.when or ()))


def _recorded(connection: sa.Connection, events: Sequence[str]) -> bool:
    import sqlalchemy as sa

    from omnicli.store import tables as tb

    return connection.scalar(sa.select(tb.event.c.contact_id).where(tb.event.c.name.in_(events)).limit(1)) is not None


def show_paused(console: Console, store: Store, row: Standing, people: str) -> None:
    from omnicli.store import campaigns

    with store.read() as connection:
        inside = campaigns.passage(connection, row.id).open
    said = (
        t("{n} people inside hold still.", "{n} personnes dedans attendent.", n=number(inside))
        if people == "hold"
        else t("{n} people inside go on to their end.", "{n} personnes dedans vont au bout.", n=number(inside))
    )
    console.print(t("{name} is paused: nobody enters. {said}", "{name} est suspendue : personne n'entre. {said}", name=row.name, said=said), soft_wrap=True)  # fmt: skip


def show_resumed(console: Console, done: Resumed, loaded: Loaded, *, dry_run: bool, live: bool) -> None:
    assert loaded.project is not None
    first = (
        t("{name} would run again after {d}.", "{name} repartirait après {d}.", name=done.name, d=_length(done))
        if dry_run
        else t("{name} is running again after {d}.", "{name} repart après {d}.", name=done.name, d=_length(done))
    )
    console.print(first, soft_wrap=True)
    if done.expired:
        console.print(t("  {n} touches are too old: skipped as expired.", "  {n} envois trop anciens : écartés (expired).", n=number(done.expired)))  # fmt: skip
    if done.spread:
        console.print(t("  {n} overdue are spread over {d}.", "  {n} en retard sont étalés sur {d}.", n=number(done.spread), d=loaded.project.schedule.spread))  # fmt: skip
    if done.moved:
        console.print(t("  {n} timers moved by that length.", "  {n} délais décalés d'autant.", n=number(done.moved)))


def _length(done: Resumed) -> str:
    from omnicli import clock

    return rows.ago(clock.EPOCH, clock.EPOCH + done.pause)


def show_stopped(console: Console, done: Stopped, *, live: bool) -> None:
    console.print(t("{name} is stopped: {n} people left, {k} touches will not leave.",
                    "{name} est arrêtée : {n} personnes sont sorties, {k} envois ne partiront pas.",
                    name=done.name, n=number(done.left), k=number(done.skipped)), soft_wrap=True)  # fmt: skip
    if done.under_way:
        console.print(
            t("  {n} were already with a provider.", "  {n} étaient déjà chez un prestataire.", n=number(done.under_way))
        )
    if done.in_doubt:
        console.print(several(
            done.in_doubt, ("  {n} is unknown or parked: omni touch unknown{f}", "  {n} are unknown or parked: omni touch unknown{f}"),
            ("  {n} est inconnu ou garé : omni touch unknown{f}", "  {n} sont inconnus ou garés : omni touch unknown{f}"),
            n=number(done.in_doubt), f=" --live" if live else "",
        ))  # fmt: skip
