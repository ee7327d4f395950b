"""How a campaign looks in a terminal and in JSON: the list, one campaign as a tree with counts, and what was just done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from omnicli.cli import rows
from omnicli.cli.rows import Cell, number
from omnicli.errors import OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    import sqlalchemy as sa
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.life import Resumed, Started, Stopped
    from omnicli.model.campaign import AnyStep, Campaign, Steps
    from omnicli.store.campaigns import Passage, Standing, Version
    from omnicli.store.connection import Store

STATE_STYLE = {"running": "bold green", "paused": "bold yellow", "stopped": "red", "finished": "blue", "draft": "dim"}


@dataclass(frozen=True, slots=True)
class Overview:
    """One campaign in a list. `errors` counts error-level findings of its file; `changed`: the file says something else."""

    name: str
    title: str
    state: str
    version: Version | None
    passage: Passage
    due: Mapping[str, int]
    doubtful: int
    doubtful_since: datetime | None
    changed: bool
    errors: int
    because: str | None = None
    paused_at: datetime | None = None


def overview(store: Store, loaded: Loaded, now: datetime) -> list[Overview]:
    """Every campaign of the files and of the store, by name."""
    from omnicli.store import campaigns

    with store.read() as connection:
        known = {row.name: row for row in campaigns.known(connection)}
        doubts = campaigns.doubtful(connection)
        names = sorted({*known, *loaded.campaigns})
        return [_one(connection, loaded, name, known.get(name), doubts, now) for name in names]


def _one(
    connection: sa.Connection, loaded: Loaded, name: str, row: Standing | None, doubts: Mapping[int, tuple[int, datetime]], now: datetime
) -> Overview:  # fmt: skip
    from omnicli.campaigns import versions
    from omnicli.store import campaigns
    from omnicli.store.campaigns import Passage

    file = loaded.campaigns.get(name)
    errors = len(loaded.errors(name))
    title = file.title if file is not None else t("(no file)", "(pas de fichier)")
    if row is None:
        return Overview(name, title, "draft", None, Passage(), {}, 0, None, False, errors)
    version = campaigns.version(connection, row.version_id) if row.version_id is not None else None
    changed = not errors and file is not None and versions.changed(connection, loaded, row)
    doubt = doubts.get(row.id, (0, None))
    return Overview(name, title, row.state, version, campaigns.passage(connection, row.id), campaigns.due(connection, row.id, now),
                    doubt[0], doubt[1], changed, errors, row.because, row.paused_at)  # fmt: skip


def as_json(o: Overview) -> dict[str, Any]:
    """One entry of `campaign list --json` and `status --json`."""
    return {
        "name": o.name, "title": o.title, "state": o.state, "version": version_json(o.version), "entered": o.passage.entered,
        "in_flight": o.passage.open, "held_out": o.passage.held_out, "converted": o.passage.converted, "due": dict(o.due),
        "unknown": o.doubtful, "changed": o.changed, "errors": o.errors, "because": o.because,
    }  # fmt: skip


def version_json(version: Version | None) -> dict[str, Any] | None:
    return None if version is None else {"number": version.number, "hash": version.hash, "applied_at": version.applied_at}


def notes(o: Overview) -> str:
    """What a person should know about it, in a few words."""
    found = []
    if o.errors:
        found.append(t("{n} errors in the file", "{n} erreurs dans le fichier", n=o.errors))
    if o.changed:
        found.append(t("file changed", "fichier modifié"))
    if o.doubtful:
        found.append(t("{n} unknown or parked", "{n} inconnus ou garés", n=o.doubtful))
    if o.because and o.state in ("paused", "stopped"):
        found.append(f"« {o.because} »")
    return " · ".join(found)


def show_list(console: Console, found: list[Overview], now: datetime) -> None:
    """The table of `campaign list`."""
    from omnicli.campaigns import life

    if not found:
        console.print(t("No campaign yet: campaigns/ is empty.", "Pas encore de campagne : campaigns/ est vide."))
        return
    head: list[Cell] = [(word, "dim") for word in (
        t("Campaign", "Campagne"), t("State", "État"), "Version", t("Entered", "Entrées"), t("Inside", "Dedans"), t("Due", "Dus"), "")]  # fmt: skip
    body: list[list[Cell]] = [
        [
            (o.name, "bold"), (life.state_word(o.state), STATE_STYLE[o.state]), o.version.label if o.version else "–",
            number(o.passage.entered), number(o.passage.open), number(o.due.get("people", 0) + o.due.get("touches", 0)),
            (notes(o) or o.title, "yellow" if notes(o) else "dim"),
        ]
        for o in found
    ]  # fmt: skip
    rows.lay(console, [head, *body], right=(3, 4, 5), shrink=6)


# --- one campaign ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Portrait:
    """One campaign in full: the version shown, counts a step, touches a step."""

    overview: Overview
    campaign: Campaign
    version: Version | None
    at: Mapping[str, int]
    touches: Mapping[str, Mapping[tuple[str, str], int]]
    versions: tuple[tuple[Version, int], ...]
    currency: str
    zone: str


def portrait(store: Store, loaded: Loaded, name: str, *, version: str | None, now: datetime) -> Portrait:
    """The campaign as it stands in the store (else as the file says), or an older version of it."""
    from omnicli.campaigns import life, versions
    from omnicli.store import campaigns

    assert loaded.project is not None
    with store.read() as connection:
        row = campaigns.find(connection, name)
        if row is None and name not in loaded.campaigns:
            life.authored(loaded, name)
        seen = _one(connection, loaded, name, row, campaigns.doubtful(connection), now)
        all_versions = campaigns.versions(connection, row.id) if row is not None else ()
        chosen = _choose(all_versions, version) if version is not None else seen.version
        tree = versions.standing_tree(connection, chosen.id) if chosen is not None else loaded.campaigns[name]
        at: dict[str, int] = {}
        for (version_id, step), count in (seen.passage.at or {}).items():
            if version is None or (chosen is not None and version_id == chosen.id):
                at[step] = at.get(step, 0) + count
        touches = campaigns.touches(connection, row.id) if row is not None else {}
        inside = seen.passage.by_version or {}
        return Portrait(seen, _titled(tree, loaded.campaigns.get(name)), chosen, at, touches,
                        tuple((v, inside.get(v.id, 0)) for v in all_versions), loaded.project.currency, loaded.project.time_zone)  # fmt: skip


def _titled(tree: Campaign, file: Campaign | None) -> Campaign:
    """A version does not hold title, why and owner: those of the file are shown."""
    if file is None or tree is file:
        return tree
    return tree.model_copy(update={"title": file.title, "why": file.why, "owner": file.owner})


def _choose(known: tuple[Version, ...], written: str) -> Version:
    for version in known:
        if written in (f"v{version.number}", str(version.number)) or (len(written) >= 4 and version.hash.startswith(written)):
            return version
    there = ", ".join(v.label for v in known)
    raise OmniError(t("no version '{v}'", "pas de version « {v} »", v=written),
                    hint=t("there are: {there}", "il y a : {there}", there=there) if there else "", code="V005")  # fmt: skip


def portrait_json(p: Portrait) -> dict[str, Any]:
    """`campaign show --json`: the same numbers as the tree."""
    from omnicli.model.flow import Flow

    steps = [
        {"step": node.id, "path": node.path, "verb": node.step.verb, "depth": node.depth, "here": p.at.get(node.id, 0),
         "touches": [{"state": s, "what": w, "count": n} for (s, w), n in sorted(p.touches.get(node.id, {}).items())]}
        for node in Flow.of(p.campaign)
    ]  # fmt: skip
    return {
        **as_json(p.overview), "shown": version_json(p.version), "steps": steps, "gone": dict(p.overview.passage.ended or {}),
        "versions": [{**(version_json(v) or {}), "in_flight": n} for v, n in p.versions],
    }  # fmt: skip


def show_portrait(console: Console, p: Portrait, now: datetime) -> None:
    """The page of `campaign show`."""
    from rich.text import Text

    from omnicli.campaigns import life
    from omnicli.model.spoken import word

    o, c = p.overview, p.campaign
    head = Text(o.name, "bold").append(f"  {c.title}", "not bold").append("   ")
    head.append(life.state_word(o.state), STATE_STYLE[o.state])
    head.append(f" · {p.version.label}" if p.version else t(" · not applied yet", " · pas encore appliquée"), "dim")
    console.print(head, soft_wrap=True)
    if c.why:
        console.print(Text(c.why, "italic"))
    if note := notes(o):
        console.print(Text(note, "yellow"))
    console.print()
    rows.lay(console, list(_frame(p)), shrink=1, indent=1)
    console.print()
    rows.lay(console, [_row(line, p) for line in _tree(c.flow, "flow", "")], shrink=1, right=(0,), indent=1, ragged=True)
    gone = p.overview.passage.ended or {}
    if gone:
        reasons = " · ".join(f"{word(reason)} {number(n)}" for reason, n in sorted(gone.items(), key=lambda kv: (-kv[1], kv[0])))
        console.print()
        console.print(Text(f" {t('Gone', 'Sorties')} {number(sum(gone.values()))}", "bold").append(f"   {reasons}", "not bold"), soft_wrap=True)  # fmt: skip
    older = [(v, n) for v, n in p.versions if p.version is not None and v.id != p.version.id and n]
    if older:
        console.print(Text(" " + t("In flight on older versions: ", "En cours sur d'anciennes versions : ")
                           + ", ".join(f"{v.label} {number(n)}" for v, n in older), "dim"), soft_wrap=True)  # fmt: skip


def _frame(p: Portrait) -> Iterator[list[Cell]]:
    """Who comes in, what is aimed at, what ends it."""
    from omnicli.model import outline

    c, passage = p.campaign, p.overview.passage
    again = f"again {c.enter.again}" if str(c.enter.again) != "never" else ""
    yield [
        ("enter", "dim"),
        ", ".join(w for w in (outline.entry(c.enter), again) if w),
        (t("{n} entered", "{n} entrées", n=number(passage.entered)), "bold"),
    ]
    if c.holdout:
        yield [("holdout", "dim"), str(c.holdout), t("{n} in silence", "{n} dans le silence", n=number(passage.held_out))]
    if c.goal:
        goal = ", ".join(c.goal.when) + (f" within {c.goal.within}" if c.goal.within else "")
        target = t(", target {x}", ", objectif {x}", x=c.goal.target) if c.goal.target else ""
        reached = rows.share(passage.converted, passage.entered)
        yield [
            ("goal", "dim"),
            goal + target,
            (f"{number(passage.converted)}  {reached}".rstrip(), "green" if passage.converted else ""),
        ]
    for rule in c.exit:
        text = rule.if_ or rule.when or ""
        yield [
            ("exit", "dim"),
            text + (f" ({rule.as_})" if rule.as_ else ""),
            number((passage.ended or {}).get(rule.as_ or text, 0)),
        ]


@dataclass(frozen=True, slots=True)
class _Line:
    lead: str
    id: str
    text: str
    step: AnyStep | None


def _tree(steps: Steps, path: str, lead: str) -> Iterator[_Line]:
    """The flow, one line a step or branch, drawn with the glyphs of a tree."""
    from omnicli.model import outline

    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        yield _Line(f"{lead}{'└─ ' if last else '├─ '}", step.id or f"{path}.{i}", outline.step(step), step)
        below = lead + ("   " if last else "│  ")
        branches = list(outline.branches(step))
        for n, (label, key, inner) in enumerate(branches):
            end = n == len(branches) - 1
            yield _Line(f"{below}{'└─ ' if end else '├─ '}", "", label + ("" if inner else "  –"), None)
            yield from _tree(inner, f"{path}.{i}.{key}", below + ("   " if end else "│  "))


def _row(line: _Line, p: Portrait) -> list[Cell]:
    if line.step is None:
        return ["", (line.lead + line.text, "cyan"), ""]
    named = f"{line.id}  " if not line.id.startswith("flow.") else ""
    here = p.at.get(line.id, 0)
    return [
        (number(here) if here else "", "bold"),
        line.lead + named + line.text,
        (_touched(p.touches.get(line.id, {})), "green"),
    ]


def _touched(touches: Mapping[tuple[str, str], int]) -> str:
    """`email 120 · sms 4 · skipped 12`: what became of a step's touches."""
    sent = [f"{word} {number(n)}" for (state, word), n in sorted(touches.items()) if state == "accepted"]
    others: dict[str, int] = {}
    for (state, _word), n in touches.items():
        if state != "accepted":
            others[state] = others.get(state, 0) + n
    words = {
        "skipped": t("skipped", "écartés"), "rejected": t("refused", "refusés"), "held_out": t("in silence", "silence"),
        "planned": t("to leave", "à partir"), "unknown": t("unknown", "inconnus"), "parked": t("parked", "garés"),
        "retry": t("again", "à réessayer"), "claimed": t("leaving", "en partance"), "sending": t("leaving", "en partance"),
    }  # fmt: skip
    return " · ".join([*sent, *(f"{words[state]} {number(n)}" for state, n in sorted(others.items()))])


# --- what was done --------------------------------------------------------------------------------------------------
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


def zone_of(loaded: Loaded) -> ZoneInfo:
    assert loaded.project is not None
    return ZoneInfo(loaded.project.time_zone)
