"""What a run shows: what was announced, who came, how many left by which channel, what did not leave and why, what is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from omnicli.cli import rows
from omnicli.cli.rows import Cell, number
from omnicli.engine.pricing import money
from omnicli.errors import Exit
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.run import RunReport


#: reason or guard → as people read it.
REASON_WORDS = {
    "unreachable": ("unreachable", "injoignables"), "condition": ("condition false", "condition fausse"), "capped": ("capped", "plafond"),
    "expired": ("expired", "trop tard"), "budget": ("budget", "budget"), "no_date": ("no date", "sans date"),
    "no_words": ("no words", "sans texte"), "barred_by_law": ("barred by law", "interdit par la loi"),
    "complaint_open": ("open complaint", "réclamation ouverte"), "duplicate": ("duplicate", "doublon"), "ended": ("pass ended", "parcours fini"),
    "stopped": ("stopped", "arrêtés"), "render_failed": ("could not be rendered", "rendu impossible"), "refused": ("refused", "refusés"),
    "exhausted": ("attempts used up", "essais épuisés"), "stale": ("stale facts", "faits périmés"), "dropped": ("dropped", "abandonnés"),
    "quiet_hours": ("quiet hours", "heures calmes"), "cap": ("cap", "plafond"), "min_gap": ("too close", "trop rapprochés"),
    "pack": ("law", "loi"), "approval": ("approval", "accord"), "paused": ("paused", "suspendue"), "hold": ("on hold", "retenue"),
    "rate": ("rate", "débit"), "breaker": ("provider down", "prestataire en panne"),
}  # fmt: skip


def reason_word(reason: str) -> str:
    """A reason of the closed list, or a guard, as people read it."""
    return t(*REASON_WORDS[reason]) if reason in REASON_WORDS else reason


def reasons(counts: Counter[str]) -> str:
    """`quiet hours 61 · capped 22`, the most frequent first."""
    return " · ".join(f"{reason_word(r)} {number(n)}" for r, n in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0])))


def skipped(report: RunReport) -> Counter[str]:
    """Skipped touches by reason."""
    return Counter({reason: n for (state, reason), n in report.outcomes.items() if state == "skipped"})


def silent(report: RunReport) -> int:
    """Ghost touches of held-out people."""
    return sum(n for (state, _), n in report.outcomes.items() if state == "held_out")


def ahead(connection: sa.Connection, names: Sequence[str]) -> tuple[datetime, int] | None:
    """The next instant at which something is due, and how many people have a timer on the same day."""
    import sqlalchemy as sa

    from omnicli import clock
    from omnicli.store import campaigns
    from omnicli.store import tables as tb

    ids = [row.id for row in campaigns.known(connection) if row.name in set(names)]
    first = campaigns.next_due(connection, ids)
    if first is None:
        return None
    e, ms = tb.enrollment.c, clock.to_ms(first)
    people = connection.scalar(
        sa.select(sa.func.count()).where(e.campaign_id.in_(ids), e.state == "open", e.due_at >= ms, e.due_at < ms + 86_400_000)
    )
    return first, people or 0


def as_json(report: RunReport, loaded: Loaded, *, dry_run: bool, live: bool) -> dict[str, Any]:
    """`campaign run --json`."""
    assert loaded.project is not None
    page = outbox_page(loaded) if not live and not dry_run else None
    return {
        "campaigns": list(report.names), "dry_run": dry_run,
        "announced": [{"campaign": a.name, "kind": a.kind, "version": a.version.number, "hash": a.version.hash} for a in report.announced],
        "folded": report.folded, "entered": report.entered, "decided": report.decided, "sent": report.accepted,
        "by_channel": report.by_channel, "refused": report.rejected, "skipped": dict(skipped(report)), "in_silence": silent(report),
        "unknown": report.unknown, "again": report.retried, "held": report.held, "cost": money(report.cost, loaded.project.currency),
        "unknown_touches": list(report.unknown_touches), "open_unknown": report.doubtful,
        "awaiting_approval": [{"campaign": h.name, "touches": h.touches, "approve_above": h.ceiling} for h in report.approval],
        "finished": list(report.finished), "interrupted": report.interrupted, "outbox": page,
    }  # fmt: skip


def outbox_page(loaded: Loaded) -> str | None:
    """The address of the sandbox's page, once there is one."""
    from omnicli.providers.sandbox import index_path

    path = index_path(loaded.root)
    return path.as_uri() if path.exists() else None


def show(
    console: Console, report: RunReport, loaded: Loaded, *, ahead: tuple[datetime, int] | None, dry_run: bool, live: bool, seconds: float,
    hints: Sequence[str] = (),
) -> None:  # fmt: skip
    """The account of a run, with `hints` at what could be done when nothing left. In the sandbox its last line is the address of the page."""
    from rich.text import Text

    assert loaded.project is not None
    for a in report.announced:
        verb = t("started", "lancée") if a.kind == "started" else t("applied: its file was changed", "appliquée : le fichier avait changé")  # fmt: skip
        console.print(Text(f"{a.name} {a.version.label} ", "cyan").append(verb, "not bold"), soft_wrap=True)
    came = sum(report.entered.values())
    moved = [
        t("{n} entered", "{n} entrées", n=number(came)) if came else "",
        t("{n} responses taken in", "{n} réponses prises en compte", n=number(report.folded)) if report.folded else "",
        t("{n} moved on", "{n} ont avancé", n=number(report.decided)) if report.decided and not report.accepted else "",
    ]
    if any(moved):
        console.print(" · ".join(m for m in moved if m), soft_wrap=True)
    channels: list[list[Cell]] = [[channel, (number(n), "bold")] for channel, n in sorted(report.by_channel.items()) if n]
    rows.lay(console, channels, right=(1,), indent=1)
    for line, style in _account(report, loaded, dry_run=dry_run, live=live, seconds=seconds):
        console.print(Text(line, style), soft_wrap=True)
    for hint in hints:
        console.print(Text(f" {hint}", "yellow"), soft_wrap=True)
    if ahead is not None:
        when = rows.moment(ahead[0], ZoneInfo(loaded.project.time_zone))
        console.print(Text(t("Next: {when}, {n} people that day", "Ensuite : {when}, {n} personnes ce jour-là", when=when, n=number(ahead[1])) if ahead[1] > 1
                           else t("Next: {when}, one person that day", "Ensuite : {when}, une personne ce jour-là", when=when) if ahead[1] else t("Next: {when}", "Ensuite : {when}", when=when), "dim"), soft_wrap=True)  # fmt: skip
    if report.exit in (Exit.SOME_FAILED, Exit.INTERRUPTED):
        console.print(t("Exit {n}. Safe to run again: nobody is sent the same step twice.",
                        "Code {n}. Recommencer est sans risque : personne ne reçoit deux fois la même étape.", n=report.exit), soft_wrap=True)  # fmt: skip
    if not live and not dry_run and (page := outbox_page(loaded)):
        console.print(page, soft_wrap=True)


def _account(report: RunReport, loaded: Loaded, *, dry_run: bool, live: bool, seconds: float) -> list[tuple[str, str]]:
    assert loaded.project is not None
    flag = " --live" if live else ""
    cost = rows.cash(report.cost, loaded.project.currency)
    sent = report.accepted
    if dry_run:
        first = t("Would send {n} for {cost}. Nothing was sent, nothing was stored.", "Enverrait {n} pour {cost}. Rien n'est parti, rien n'est gardé.", n=number(sent), cost=cost)  # fmt: skip
    elif sent:
        first = t("Sent {n} for {cost} in {s} s.", "{n} envoyés pour {cost} en {s} s.", n=number(sent), cost=cost, s=rows.number(seconds, 1))  # fmt: skip
    else:
        first = t("Nothing was due.", "Rien n'était dû.") if not (report.decided or report.skipped or report.stuck or report.retried or report.unknown) else t("Nothing was sent.", "Rien n'est parti.")  # fmt: skip
    lines = [(first, "bold")]
    without = skipped(report)
    pieces = [
        (report.rejected, t("Refused {n}: omni touch list --state rejected{f}", "Refusés {n} : omni touch list --state rejected{f}", n=number(report.rejected), f=flag), "yellow"),
        (sum(without.values()), t("Not sent {n}: {why}", "Écartés {n} : {why}", n=number(sum(without.values())), why=reasons(without)), ""),
        (silent(report), t("In silence {n} (held out)", "Dans le silence {n} (groupe témoin)", n=number(silent(report))), ""),
        (report.held, t("Held {n}: they leave when their guard allows", "Retenus {n} : ils partent quand leur garde le permet", n=number(report.held)), ""),
        (report.retried, t("To be tried again {n}", "À réessayer {n}", n=number(report.retried)), "yellow"),
        (report.doubtful, t("Unknown or parked {n}{which}: omni touch unknown{f}", "Inconnus ou garés {n}{which} : omni touch unknown{f}",
                            n=number(report.doubtful), which=_first(report.unknown_touches), f=flag), "red"),
    ]  # fmt: skip
    lines += [(f" {text}", style) for count, text, style in pieces if count]
    for held in report.approval:
        lines.append((t(" {name}: {n} touches above {most} await an approval", " {name} : {n} envois au-dessus de {most} attendent un accord",
                        name=held.name, n=number(held.touches), most=held.ceiling), "red"))  # fmt: skip
    lines += [(t(" {name} is finished: nobody is inside, no way in is left", " {name} est terminée : plus personne, plus d'entrée", name=n), "blue") for n in report.finished]  # fmt: skip
    if report.interrupted:
        lines.append((t("Interrupted: the batch in hand was finished, the rest stays due.", "Interrompu : le lot en cours est fini, le reste demeure dû."), "yellow"))  # fmt: skip
    return lines


def _first(touches: tuple[str, ...]) -> str:
    return f" ({touches[0][:8]}…)" if touches else ""
