"""omni campaign: list, show, plan, start, run, pause, resume, stop; what they do to people is campaign-language 9.2."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, DryRun, Jobs, Yes, one_of, opt, page, processes
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.cli.frame import Session
    from omnicli.store.connection import Store

app = typer.Typer(
    help=page(
        "omni campaign run bienvenue",
        "Send what is due. Everything about one campaign.",
        "Envoyer ce qui est dû. Tout sur une campagne.",
    ),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help=t("the campaign", "la campagne"), show_default=False)]
Names = Annotated[list[str], typer.Argument(metavar="NAME…", help=t("campaigns", "des campagnes"), show_default=False)]
Because = Annotated[str | None, opt("--because", "why; kept in the log", "pourquoi ; gardé au journal", metavar="TEXT")]
Typed = Annotated[
    list[str] | None, opt("--confirm", "the campaign's name, typed", "le nom de la campagne, recopié", metavar="NAME")
]
Old = Annotated[
    str | None, opt("--version", "an older one: v3, or its hash", "une plus ancienne : v3, ou son empreinte", metavar="V")
]
Until = Annotated[str | None, opt("--until", "7d, or a date: look ahead", "7d, ou une date : voir plus loin", metavar="T")]
By = Annotated[str, opt("--by", "how it is grouped", "comment regrouper", metavar="step|day|hour|channel|persona")]
Whose = Annotated[
    str | None, opt("--contact", "one person's next 30 days", "les 30 prochains jours d'une personne", metavar="ID")
]
Who = Annotated[bool, opt("--why", "who, touch by touch, and why", "qui, envoi par envoi, et pourquoi")]
Limit = Annotated[int, opt("--limit", "with --why: lines at most", "avec --why : lignes au plus", metavar="N", least=1)]
Code10 = Annotated[bool, opt("--exit-code", "exit 10 when something is due", "code 10 si quelque chose est dû")]
Kept = Annotated[
    Path | None, opt("--out", "keep the plan: run --plan carries it out", "garder le plan : run --plan l'exécute", metavar="F")
]
Planned = Annotated[
    Path | None, opt("--plan", "this saved plan, and nothing else", "ce plan enregistré, et rien d'autre", metavar="F")
]
Since = Annotated[
    str | None, opt("--since", "events since then let people in", "les événements depuis lors comptent", metavar="DATE")
]
Max = Annotated[int | None, opt("--max", "stop after N touches", "s'arrêter après N envois", metavar="N", least=1)]
Only = Annotated[list[str] | None, opt("--only", "only these touches", "seulement ces envois", metavar="channel=sms")]
People = Annotated[
    str,
    opt("--people", "those inside: hold still, or finish", "ceux qui sont dedans : attendre, ou finir", metavar="hold|finish"),
]
Timers = Annotated[
    str, opt("--timers", "time passed counts, or shift all", "le temps passé compte, ou tout décaler", metavar="keep|shift")
]


@app.command(
    "list",
    help=page(
        "omni campaign list",
        "Every campaign: its state, its version, its people.",
        "Toutes les campagnes : état, version, personnes.",
    ),
)
def list_(as_of: AsOf = None) -> None:
    from omnicli.cli import campaign_view as view

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of)
    found = view.overview(store, loaded, now)
    s.finish({"campaigns": [view.as_json(o) for o in found]}, show=lambda console: view.show_list(console, found, now))


@app.command(
    help=page(
        "omni campaign show bienvenue", "The flow as a tree, with who stands where.", "Le parcours en arbre, et qui se trouve où."
    )
)
def show(name: Name, version: Old = None, as_of: AsOf = None) -> None:
    from omnicli.cli import portrait_view as view

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of)
    portrait = view.portrait(store, loaded, name, version=version, now=now)
    s.finish(view.portrait_json(portrait), show=lambda console: view.show_portrait(console, portrait, now))


# --- plan -----------------------------------------------------------------------------------------------------------
@app.command(
    help=page(
        "omni campaign plan bienvenue --until 7d",
        "Who, what, when, why, at what cost. Sends nothing, changes nothing.",
        "Qui, quoi, quand, pourquoi, à quel prix. N'envoie rien, ne change rien.",
    )
)
def plan(
    names: Names,
    until: Until = None,
    by: By = "step",
    contact: Whose = None,
    why: Who = False,
    limit: Limit = 50,
    exit_code: Code10 = False,
    out: Kept = None,
    as_of: AsOf = None,
) -> None:
    from omnicli.campaigns.plan import plan as make
    from omnicli.cli import plan_view as view
    from omnicli.cli import saved_plan

    s = session()
    one_of("--by", by, view.GROUPINGS)
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of)
    end = _until(loaded, until or ("30d" if contact else None), now)
    fit(s, loaded, names, now)
    if out is not None:
        saved_plan.fit_to_keep(out, contact=contact)
    if contact is not None:
        _known_contact(store, contact)
    with s.progress(t("planning", "planification")) as step:
        planned = make(
            store, loaded, names, now=now, until=end, live=s.live, contact=contact, progress=step, binding=out is not None
        )
    record = saved_plan.keep(store, loaded, planned, out, until=end if until else None) if out is not None else None
    code = Exit.SOMETHING_TO_DO if exit_code and any(p.at <= now for p in planned.sends) else Exit.FINE
    result = view.as_json(planned, by=by, touches=why or contact is not None, limit=limit)
    if record is not None and out is not None:
        result["plan"] = saved_plan.kept_json(record, out)
    hints = [] if planned.sends or planned.entered or s.json else _hints(s, store, loaded, names, now)
    s.finish(result, exit=code, show=lambda console: view.show(
        console, planned, by=by, who=why, contact=contact, limit=limit, live=s.live, names=names, hints=hints, until=until,
        kept=(str(out), saved_plan.kept_line(record, out)) if record is not None and out is not None else None))  # fmt: skip


def _hints(s: Session, store: Store, loaded: Loaded, names: Sequence[str], now: datetime) -> list[str]:
    """Why nothing is due, where there is something to do about it."""
    from omnicli.cli.life_view import waiting_for

    return waiting_for(store, loaded, names, now=now, live=s.live)


def _until(loaded: Loaded, text: str | None, now: datetime) -> datetime:
    from omnicli import clock
    from omnicli.cli.rows import length

    assert loaded.project is not None
    if text is None:
        return now
    if text[:1].isdigit() and "-" in text:
        try:
            end = clock.read_instant(text, loaded.project.time_zone)
        except ValueError as error:
            raise OmniError(str(error), code="usage") from None
    else:
        end = now + length(text)
    if end < now:
        here = clock.iso(now)
        raise OmniError(t("--until lies before now ({now})", "--until est avant maintenant ({now})", now=here), code="usage")
    return end


def _known_contact(store: Store, contact: str) -> None:
    import sqlalchemy as sa

    from omnicli.store import tables as tb

    with store.read() as connection:
        found = connection.scalar(sa.select(tb.contact.c.id).where(tb.contact.c.source_id == contact))
    if found is None:
        said = t("no contact '{id}'", "pas de contact « {id} »", id=contact)
        raise OmniError(said, hint="omni contact list", code="no-contact")


# --- start and run --------------------------------------------------------------------------------------------------
@app.command(
    help=page(
        "omni campaign start bienvenue --live",
        "Apply the file's version and open the doors. Sends nothing itself.",
        "Appliquer la version du fichier et ouvrir les portes. N'envoie rien par elle-même.",
    )
)
def start(name: Name, since: Since = None, yes: Yes = False, as_of: AsOf = None) -> None:
    from omnicli import clock
    from omnicli.campaigns import life
    from omnicli.cli import life_view as view

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=True)
    assert loaded.project is not None
    begins = None
    if since is not None:
        try:
            begins = clock.read_instant(since, loaded.project.time_zone)
        except ValueError as error:
            raise OmniError(str(error), code="usage") from None
    life.authored(loaded, name)
    fit(s, loaded, [name], now)
    if s.live:
        _ready_to_start(s, store, loaded, name)
        s.talk(view.start_question(store, loaded, name))
        s.confirm_yes(t("Start?", "Lancer ?"), yes=yes)
    started = life.start(store, loaded, name, now=now, since=begins)
    _advance(s, store, now)
    missed = life.missed(store, loaded, name, now=now) if begins is None and started.was != "running" else None
    result = view.started_json(started, missed)
    hints = view.waiting_for(store, loaded, [name], now=now, live=s.live) if begins is None and missed is None else []
    here = begins.astimezone(ZoneInfo(loaded.project.time_zone)) if begins is not None else None
    s.finish(result, show=lambda console: view.show_started(console, started, missed, live=s.live, since=here, hints=hints))


def _ready_to_start(s: Session, store: Store, loaded: Loaded, name: str) -> None:
    """Refuse a live start whose scenarios fail (exit 1) or that could not send (exit 4); say what was looked at, who carries what,
    and what is reached elsewhere than at home."""
    from omnicli.campaigns.launch import launch
    from omnicli.cli.proving import proved

    assert loaded.project is not None
    tests = proved(s, loaded, name)
    found = launch(store, loaded)
    s.talk(t("lint ✔ (profile {p})   {tests}   provider {said}", "lint ✔ (profil {p})   {tests}   prestataire {said}",
             p=loaded.project.lint.profile, tests=tests, said=" ".join(f"{channel} ✔" for channel in found.carried)))  # fmt: skip
    for line in (*found.moved, *found.warnings):
        s.warn(line)


@app.command(
    help=page(
        "omni campaign run bienvenue",
        "One tick now: what is due leaves, into the sandbox unless --live.",
        "Un top, maintenant : ce qui est dû part, dans le bac à sable sauf avec --live.",
    )
)
def run(
    names: Names,
    dry_run: DryRun = False,
    max: Max = None,
    only: Only = None,
    yes: Yes = False,
    confirm: Typed = None,
    plan: Planned = None,
    jobs: Jobs = None,
    as_of: AsOf = None,
) -> None:
    from omnicli.campaigns import run as running
    from omnicli.campaigns.leading import run_lock
    from omnicli.cli import run_view as view

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=not dry_run)
    cut = _only(loaded, only or [])
    fit(s, loaded, names, now)
    if plan is not None:
        from omnicli.cli import saved_plan

        saved_plan.run(s, store, loaded, names, plan, now=now, dry_run=dry_run, max=max, only=cut, confirm=confirm or [], yes=yes)
    began = time.monotonic()
    if dry_run:
        with interruptible(s) as stopping, s.progress(t("rehearsing", "répétition")) as step:
            report = running.rehearse(store, loaded, names=names, now=now, live=s.live, apply=True, max=max, only=cut,
                                      progress=step, stopping=stopping)  # fmt: skip
    else:
        if s.live:
            _heed(s, store, loaded)
        apply = _agree(s, store, loaded, names, now=now, yes=yes, confirm=confirm or [], max=max, only=cut) if s.live else True
        with run_lock(store, loaded.root, live=s.live), interruptible(s) as stopping, s.progress(t("sending", "envoi")) as step:
            report = running.run(store, loaded, names=names, now=now, live=s.live, apply=apply, max=max, only=cut,
                                 progress=step, stopping=stopping, processes=processes(jobs))  # fmt: skip
    seconds = time.monotonic() - began
    for problem in report.problems:
        s.warn(problem)
    with store.read() as connection:
        ahead = view.ahead(connection, names) if not dry_run else None
    result = view.as_json(report, loaded, dry_run=dry_run, live=s.live)
    hints = [] if report.accepted or report.entered or s.json else _hints(s, store, loaded, names, now)
    s.finish(result, exit=report.exit, show=lambda console: view.show(
        console, report, loaded, ahead=ahead, dry_run=dry_run, live=s.live, seconds=seconds, hints=hints))  # fmt: skip


def _heed(s: Session, store: Store, loaded: Loaded) -> None:
    """Before the question: refuse what is not fit to send, and name every address that is not the provider's own."""
    from omnicli.campaigns import startup
    from omnicli.providers import overrides

    startup.refuse(store, loaded)
    for line in overrides(loaded, live=True):
        s.warn(line)


def _agree(
    s: Session, store: Store, loaded: Loaded, names: Sequence[str], *, now: datetime, yes: bool, confirm: Sequence[str],
    max: int | None, only: dict[str, str] | None,
) -> bool:  # fmt: skip
    """Ask what a live run needs: a yes for a changed file, the name for each campaign that would send. True: may apply."""
    from omnicli.campaigns import run as running
    from omnicli.campaigns import versions
    from omnicli.cli.rows import cash, number
    from omnicli.store import campaigns

    assert loaded.project is not None
    changed: list[str] = []
    with store.read() as connection:
        for name in names:
            row = campaigns.find(connection, name)
            if row is not None and row.state in ("running", "paused") and versions.changed(connection, loaded, row):
                changed.append(name)
    for name in changed:
        s.talk(t("{name}: the file was changed since it was applied.",
                 "{name} : le fichier a changé depuis qu'il a été appliqué.", name=name))  # fmt: skip
        s.confirm_yes(t("Apply it?", "L'appliquer ?"), yes=yes)
    for name in names:
        expected = running.rehearse(store, loaded, names=[name], now=now, live=True, apply=True, max=max, only=only)
        if not expected.accepted:
            continue
        question = t(
            "{name}: {n} touches due, about {cost}. Type the campaign's name to send",
            "{name} : {n} envois dus, environ {cost}. Recopiez le nom de la campagne pour envoyer",
            name=name, n=number(expected.accepted), cost=cash(expected.cost, loaded.project.currency),
        )  # fmt: skip
        s.confirm_name(name, confirm=name if name in confirm else None, question=question)
    return True


def _only(loaded: Loaded, written: Sequence[str]) -> dict[str, str] | None:
    from omnicli.text import did_you_mean

    assert loaded.project is not None
    found: dict[str, str] = {}
    for word in written:
        key, _, value = word.partition("=")
        if key != "channel" or not value:
            raise OmniError(
                t("--only wants channel=…, not '{word}'", "--only veut channel=…, pas « {word} »", word=word), code="usage"
            )
        if value not in loaded.project.channels:
            said = t("no channel '{value}'.", "pas de canal « {value} ».", value=value)
            raise OmniError(said + did_you_mean(value, loaded.project.channels), code="usage")
        found[key] = value
    return found or None


# --- pause, resume, stop --------------------------------------------------------------------------------------------
@app.command(
    help=page(
        "omni campaign pause bienvenue",
        "Nobody enters, nothing is sent; responses are still taken.",
        "Personne n'entre, rien ne part ; les réponses sont toujours reçues.",
    )
)
def pause(name: Name, people: People = "hold", because: Because = None, as_of: AsOf = None) -> None:
    from omnicli.campaigns import life
    from omnicli.cli import life_view as view

    s = session()
    one_of("--people", people, ("hold", "finish"))
    store = _existing(s, name)
    now = s.now(as_of, changes=True)
    row = life.pause(store, name, now=now, people="finish" if people == "finish" else "hold", because=because)
    _advance(s, store, now)
    result = {"campaign": name, "state": row.state, "people": people, "because": because}
    s.finish(result, show=lambda console: view.show_paused(console, store, row, people))


@app.command(
    help=page(
        "omni campaign resume bienvenue",
        "Go on. What is overdue is spread or expires; nothing is flushed.",
        "Reprendre. Ce qui est en retard est étalé ou expire ; rien ne part d'un coup.",
    )
)
def resume(name: Name, timers: Timers = "keep", dry_run: DryRun = False, as_of: AsOf = None) -> None:
    from omnicli.campaigns import life
    from omnicli.cli import life_view as view

    s = session()
    one_of("--timers", timers, ("keep", "shift"))
    store = _existing(s, name)
    now = s.now(as_of, changes=not dry_run)
    done = life.resume(store, s.loaded(), name, now=now, timers="shift" if timers == "shift" else "keep", dry_run=dry_run)
    if not dry_run:
        _advance(s, store, now)
    s.finish(
        {"campaign": name, "dry_run": dry_run, "paused_seconds": int(done.pause.total_seconds()), "expired": done.expired,
         "spread": done.spread, "moved": done.moved},
        show=lambda console: view.show_resumed(console, done, s.loaded(), dry_run=dry_run, live=s.live),
    )  # fmt: skip


@app.command(
    help=page(
        "omni campaign stop bienvenue --confirm bienvenue",
        "Everybody leaves, nothing more is sent.",
        "Tout le monde sort, plus rien ne part.",
    )
)
def stop(name: Name, because: Because = None, confirm: Typed = None, as_of: AsOf = None) -> None:
    from omnicli.campaigns import life
    from omnicli.cli import life_view as view
    from omnicli.store import campaigns

    s = session()
    store = _existing(s, name)
    now = s.now(as_of, changes=True)
    with store.read() as connection:
        row = life.known(connection, name)
        inside = campaigns.passage(connection, row.id).open
    question = t(
        "{name}: {n} people are inside; all of them leave. Type the campaign's name",
        "{name} : {n} personnes sont dedans ; toutes partent. Recopiez le nom de la campagne", name=name, n=inside,
    )  # fmt: skip
    s.confirm_name(name, confirm=confirm[-1] if confirm else None, question=question)
    done = life.stop(store, name, now=now, because=because)
    _advance(s, store, now)
    s.finish(
        {"campaign": name, "state": "stopped", "left": done.left, "touches_skipped": done.skipped, "under_way": done.under_way,
         "in_doubt": done.in_doubt},
        show=lambda console: view.show_stopped(console, done, live=s.live),
    )  # fmt: skip


# --- what they share ------------------------------------------------------------------------------------------------
def _existing(s: Session, name: str) -> Store:
    """The store, for a command about a campaign that was started: an unknown name is told with the nearest."""
    from omnicli.campaigns import life

    loaded, store = s.loaded(), s.store()
    with store.read() as connection:
        life.known(connection, name, among=tuple(loaded.campaigns))
    return store


def _advance(s: Session, store: Store, now: datetime) -> None:
    """The sandbox has lived until now."""
    from omnicli.store.setting import advance_clock

    if not s.live:
        with store.write() as connection:
            advance_clock(connection, now)


def fit(s: Session, loaded: Loaded, names: Sequence[str], now: datetime) -> None:
    """Refuse campaigns with an error-level finding (exit 1), showing the findings."""
    from omnicli.campaigns import life
    from omnicli.lint.run import RANK, lint

    for name in names:
        if name not in loaded.campaigns and not loaded.errors(name):
            life.authored(loaded, name)
    files = ["omni.yaml", *(f"campaigns/{name}.yaml" for name in names), *_templates(loaded, names)]
    report = lint(loaded, now=now, files=files)
    level = RANK["warning" if report.profile == "production" else "error"]
    errors = [f for f in report.findings if RANK[f.severity] <= level]
    if not errors:
        return
    from omnicli.lint import report as telling

    if s.json:
        s.finish({"findings": [telling.as_json(f) for f in errors]}, exit=Exit.FINDINGS)
    telling.show_full(_replaced(report, errors), s.console(stderr=True))
    raise life.Unfit(", ".join(names), errors, shown=True)


def _templates(loaded: Loaded, names: Sequence[str]) -> list[str]:
    """The templates that may show these campaigns: a name that one of them does not know would end every message it shows."""
    others = {name for name in loaded.campaigns if name not in names}
    found = sorted(path.name for path in (loaded.root / "templates").glob("*.j2"))
    return [f"templates/{name}" for name in found if not others & set(name.split(".")[1:-2])]


def _replaced(report: Any, findings: Sequence[Any]) -> Any:
    from dataclasses import replace

    return replace(report, findings=tuple(findings))


@contextmanager
def interruptible(s: Session) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C (or SIGTERM) asks to stop after the batch in hand; a second one stops at once, safely."""
    asked = threading.Event()

    def on_signal(_number: int, _frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        s.talk(t("Finishing the batch in hand … (Ctrl-C again stops at once)",
                 "Je finis le lot en cours … (Ctrl-C encore : arrêt immédiat)"))  # fmt: skip

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
