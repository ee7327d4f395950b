"""omni contact: people come in, are listed and shown, say yes or no, are barred. Addresses are masked unless asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, DryRun, arg, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.cli.frame import Session
    from omnicli.people.consent import ConsentReport
    from omnicli.people.imports import ImportReport
    from omnicli.people.mapping import ImportMap
    from omnicli.store.audience import Life, Person
    from omnicli.store.promises import Told

app = typer.Typer(
    help=page(
        "omni contact import people.csv",
        "Bring people in. Everything about persons.",
        "Faire entrer des personnes. Tout sur les personnes.",
    ),
    no_args_is_help=True,
)

Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help=t("the contact's id, or an address", "l'identifiant du contact, ou une adresse"), show_default=False
    ),
]
Table = Annotated[Path, arg("csv, tsv, jsonl or xlsx", "csv, tsv, jsonl ou xlsx", metavar="FILE")]
Map = Annotated[str | None, opt("--map", "guess, or the map's file", "guess, ou le fichier de la table", metavar="guess|FILE")]
Key = Annotated[str | None, opt("--key", "who is the same person", "qui est la même personne", metavar="id|email")]
Conflict = Annotated[
    str, opt("--on-conflict", "people who are in already", "les personnes déjà présentes", metavar="keep|replace|refuse")
]
Consents = Annotated[Path | None, opt("--consent", "a file of consents", "un fichier de consentements", metavar="FILE")]
Segment = Annotated[
    str | None, opt("--segment", "only those for whom it holds", "seulement ceux qui y répondent", metavar="EXPR")
]
Limit = Annotated[int, opt("--limit", "at most so many", "au plus tant", metavar="N", least=1)]
After = Annotated[str | None, opt("--after", "go on behind this one", "continuer après celui-ci", metavar="CURSOR")]
Personal = Annotated[bool, opt("--show-personal", "addresses in full; audited", "adresses en clair ; journalisé")]
Channel = Annotated[str | None, arg("by which channel", "par quel canal", metavar="CHANNEL")]
Deed = Annotated[str, arg("look, permit or take back", "regarder, consentir ou retirer", metavar="show|grant|withdraw")]
Source = Annotated[str | None, opt("--source", "where it was said", "où cela a été dit", metavar="TEXT")]
Proof = Annotated[
    Path | None, opt("--proof", "a file; its hash is kept", "un fichier ; son empreinte est gardée", metavar="FILE")
]
Until = Annotated[str | None, opt("--until", "when it ends", "quand cela finit", metavar="DATE")]
OneChannel = Annotated[str | None, opt("--channel", "only this one", "seulement celui-ci", metavar="C")]
Topic = Annotated[str | None, opt("--topic", "only from this topic", "de ce sujet seulement", metavar="NAME")]
Reason = Annotated[str | None, opt("--reason", "why; kept in the log", "pourquoi ; gardé au journal", metavar="TEXT")]


# --- import ---------------------------------------------------------------------------------------------------------
@app.command(
    "import",
    help=page(
        "omni contact import people.csv --map guess",
        "Csv in any encoding, jsonl or xlsx; every value kept, repaired or refused by name. Running it again changes nothing; after a kill it goes on where it stood.",
        "Csv en tout encodage, jsonl ou xlsx ; chaque valeur est gardée, réparée ou refusée nommément. Recommencer ne change rien ; après un arrêt brutal, l'import reprend où il en était.",
        exemple="omni contact import clients.csv --map guess",
    ),
)
def import_(
    file: Table,
    map: Map = None,
    key: Key = None,
    consent: Consents = None,
    on_conflict: Conflict = "keep",
    dry_run: DryRun = False,
    as_of: AsOf = None,
) -> None:
    from omnicli.people.consent import import_consents
    from omnicli.people.imports import import_contacts

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=True)
    mapping = _map(s, file, map, write=not dry_run)
    with s.progress(t("importing", "importation")) as step:
        report = import_contacts(store, loaded, file, mapping=mapping, now=now, key=key, on_conflict=on_conflict, dry_run=dry_run, progress=step)  # fmt: skip
    if report.refused_file is not None and not dry_run:
        _map_beside(report.refused_file, mapping)
    told = import_consents(store, loaded, consent, now=now) if consent is not None and not dry_run else None
    if not dry_run:
        if report.woken:
            from omnicli.campaigns.respond import fold

            fold(store, loaded, now=now)
        _lived(s, as_of, now)
    for warning in report.warnings:
        s.warn(warning)
    result = _import_json(report, dry_run)
    if told is not None:
        result["consents"] = {
            "statements": told.statements, "changed": told.changed,
            "findings": [{"line": f.line, "column": f.column, "value": f.value, "reason": f.reason} for f in told.refused],
        }  # fmt: skip

    def draw(console: Console) -> None:
        _import_show(console, report, dry_run)
        if told is not None:
            _consents_show(console, told)

    s.finish(result, show=draw)


def _consents_show(console: Console, told: ConsentReport) -> None:
    from omnicli.cli.rows import lay, number

    lay(
        console,
        [[t("line {line}", "ligne {line}", line=f.line), f.column, _brief(f.value), f.reason] for f in told.refused[:40]],
        shrink=3,
    )
    console.print(t("Consents: {n} statements, {changed} people changed, {refused} lines refused.",
                    "Consentements : {n} déclarations, {changed} personnes modifiées, {refused} lignes refusées.",
                    n=number(told.statements), changed=number(told.changed), refused=number(len(told.refused))))  # fmt: skip


def _map(s: Session, file: Path, given: str | None, *, write: bool) -> ImportMap:
    """`--map FILE`; else the map beside the file; else a guess, which is written beside it (in `.omni/imports` if that cannot be)."""
    from omnicli.people.mapping import check_map, guess_mapping, read_map, write_map
    from omnicli.people.sheet import open_sheet

    if file.is_dir():
        raise OmniError(t("{path} is a folder, not a table", "{path} est un dossier, pas une table", path=file), code="file")
    project = s.loaded().project
    assert project is not None
    if given is not None and given != "guess":
        return read_map(Path(given), project)
    beside = file.with_suffix(".map.yaml")
    kept = s.root() / ".omni" / "imports" / beside.name
    for path in (beside, kept):
        if path.exists():
            s.talk(t("Using {path}, which stands there already.", "La table {path}, déjà présente, est utilisée.", path=path))
            return read_map(path, project)
    sheet = open_sheet(file)
    first = next(iter(sheet.chunks(200)), None)
    mapping = guess_mapping(sheet.header, project, first.cells if first is not None else ())
    check_map(mapping, sheet.header, project)
    if write:
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (beside, kept):
            try:
                write_map(mapping, path, file.name)
            except OSError:
                continue
            s.talk(
                t(
                    "Guessed which column is what, and wrote {path}: look at it.",
                    "Colonnes devinées, écrites dans {path} : à relire.",
                    path=path,
                )
            )
            break
    _left_out(s, mapping)
    return mapping


def _map_beside(refused: Path, mapping: ImportMap) -> None:
    """What could not be kept is imported again by the map that the whole file had."""
    from contextlib import suppress

    from omnicli.people.mapping import write_map

    path = refused.with_suffix(".map.yaml")
    with suppress(OSError):
        path.unlink(missing_ok=True)
        write_map(mapping, path, refused.name)


def _left_out(s: Session, mapping: ImportMap) -> None:
    """Say what the guess does not bring in, and how to have it: a column that is dropped in silence is missed too late."""
    ignored = [column for column, targets in mapping.columns.items() if all(target.kind == "ignore" for target in targets)]
    if ignored:
        s.talk(
            t(
                "Left out, because omni.yaml declares nothing of that name: {columns}.\n"
                "  To keep one: declare it under contacts.attributes, name it in the map, import again.",
                "Laissées de côté, car omni.yaml ne déclare rien de ce nom : {columns}.\n"
                "  Pour en garder une : la déclarer sous contacts.attributes, la nommer dans la table, réimporter.",
                columns=", ".join(ignored),
            )
        )
    if not mapping.targets("consent"):
        s.warn(
            t(
                "no column of consents was recognised: nobody has agreed to be written to. In the map, for instance: "
                "Newsletter: consent.email",
                "aucune colonne d'accord n'a été reconnue : personne n'a accepté qu'on lui écrive. Dans la table, par exemple : "
                "Newsletter: consent.email",
            )
        )


def _lived(s: Session, as_of: str | None, now: datetime) -> None:
    """A command that changes something at a stated instant: the sandbox has lived until then."""
    if as_of is not None and not s.live:
        from omnicli.store.setting import advance_clock

        with s.store().write() as connection:
            advance_clock(connection, now)


def _import_json(report: ImportReport, dry_run: bool) -> dict[str, Any]:
    return {
        "file": report.file, "dry_run": dry_run, "rows": report.rows, "new": report.new, "changed": report.changed, "same": report.same,
        "repeated": report.repeated, "refused": report.refused, "kept": report.new + report.changed + report.same,
        "values_refused": report.values_refused, "values_repaired": report.values_repaired, "resumed_at_row": report.resumed_at,
        "by_kind": report.kinds, "refused_file": str(report.refused_file) if report.refused_file else None,
        "findings": [
            {"row": f.row, "line": f.line, "contact": f.contact, "column": f.column, "value": f.value, "kind": f.kind, "outcome": f.outcome,
             "reason": f.reason, "became": f.became, "same_as_row": f.same_as_row} for f in report.findings
        ],
    }  # fmt: skip


def _import_show(console: Console, report: ImportReport, dry_run: bool, shown: int = 40) -> None:
    from omnicli.cli.rows import lay, number

    words = {"refused": t("left out", "laissé de côté"), "repaired": t("repaired", "réparé"), "row refused": t("row refused", "ligne refusée"),
             "kept": t("kept", "gardé")}  # fmt: skip
    rows: list[list[Any]] = []
    for f in report.findings[:shown]:
        where = t("line {line}", "ligne {line}", line=f.line) + (f" → {f.same_as_row}" if f.same_as_row else "")
        style = {"row refused": "red", "refused": "yellow"}.get(f.outcome, "dim")
        rows.append([where, f.contact or "", f.column, _brief(f.value), (words[f.outcome], style), f.reason])
    lay(console, rows, shrink=5)
    if len(report.findings) > shown:
        console.print(
            t("… and {n} more (--json shows all)", "… et {n} autres (--json montre tout)", n=number(len(report.findings) - shown))
        )
    said = t("{rows} rows: {new} new, {changed} changed, {same} as they were, {refused} refused.",
             "{rows} lignes : {new} nouveaux, {changed} modifiés, {same} inchangés, {refused} refusées.",
             rows=number(report.rows), new=number(report.new), changed=number(report.changed), same=number(report.same + report.repeated),
             refused=number(report.refused))  # fmt: skip
    values = t("Values: {refused} left out, {repaired} repaired.", "Valeurs : {refused} laissées de côté, {repaired} réparées.",
               refused=number(report.values_refused), repaired=number(report.values_repaired))  # fmt: skip
    console.print(f"{said} {values}")
    if report.resumed_at:
        console.print(t("Taken up again after row {n}.", "Repris après la ligne {n}.", n=number(report.resumed_at)))
    if report.refused_file is not None:
        console.print(t("To mend and import again: {path}", "À corriger puis réimporter : {path}", path=report.refused_file))
    if dry_run:
        console.print(t("Nothing was stored (--dry-run).", "Rien n'a été enregistré (--dry-run)."))


def _brief(value: str, most: int = 32) -> str:
    text = " ".join(value.split())
    return f"'{text[: most - 1]}…'" if len(text) > most else f"'{text}'"


# --- list and show --------------------------------------------------------------------------------------------------
@app.command(
    "list",
    help=page(
        "omni contact list --segment 'orders = 0'",
        "People in the order of their ids, addresses masked.",
        "Les personnes dans l'ordre de leurs identifiants, adresses masquées.",
    ),
)
def list_(
    segment: Segment = None, limit: Limit = 20, after: After = None, show_personal: Personal = False, as_of: AsOf = None
) -> None:
    from omnicli.people import segments

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    now = s.now(as_of)
    found = segments.show(store, loaded, segment, now=now, limit=limit + 1, after=after)  # one more says whether more follow
    people = found[:limit]
    _audited(s, show_personal, "contact list", now)
    result = {
        "contacts": [person_json(p, show_personal, now) for p in people],
        "after": people[-1].id if len(found) > limit else None,
    }

    def draw(console: Console) -> None:
        show_people(console, people, show_personal, now)
        if result["after"] is not None:
            console.print(t("More:  --after {id}, or --limit", "La suite :  --after {id}, ou --limit", id=result["after"]))

    s.finish(result, show=draw)


def _audited(s: Session, shown: bool, what: str, now: datetime) -> None:
    if shown:
        import getpass

        from omnicli.store import audience

        with s.store().write() as connection:
            audience.note(connection, at=now, who=getpass.getuser(), what="show-personal", detail=what)


def person_json(person: Person, shown: bool, now: datetime) -> dict[str, Any]:
    from omnicli.text import mask

    return {
        "id": person.id, "name": person.name if shown else _initial(person.name), "language": person.language, "country": person.country,
        "time_zone": person.time_zone, "created": person.created_at,
        "addresses": {c: a if shown else mask(a) for c, a in person.addresses.items()},
        "channels": {c: _state(r, now) for c, r in person.reach.items()},
        "left": {c: topics for c, r in person.reach.items() if (topics := _left(r, now))},
    }  # fmt: skip


def _initial(name: str) -> str:
    """`Léa Martin` is `Léa M.` where personal data is masked."""
    first, _, last = name.rpartition(" ")
    return f"{first} {last[:1]}." if first else name


def _state(reach: Any, now: datetime) -> str:
    """What may be done on a channel, in one word."""
    if reach.bad:
        return f"bad: {reach.bad}"
    if (bar := reach.barred(now)) is not None:
        return f"barred: {bar}"
    if not reach.address:
        return "no address"
    return "yes" if reach.consents(now) else "never asked" if reach.granted is None else "no"


def _state_said(reach: Any, now: datetime) -> str:
    """The same for people, in the language in use."""
    from omnicli.model import spoken

    code, _, reason = _state(reach, now).partition(": ")
    words = {
        "yes": t("yes", "oui"), "no": t("no", "non"), "never asked": t("never asked", "jamais demandé"),
        "no address": t("no address", "pas d'adresse"), "bad": t("bad", "morte"), "barred": t("barred", "barrée"),
    }  # fmt: skip
    return spoken.both(words[code], spoken.word(reason)) if reason else words[code]


def _fact(name: str, value: Any, zone: Any) -> str:
    """`channel sms`, `due_at Tue 05 Jan 10:00`: one fact of a moment."""
    from omnicli.cli.rows import moment
    from omnicli.model import spoken

    if isinstance(value, datetime):
        return f"{spoken.word(name)} {moment(value, zone)}"
    if value is True:
        return spoken.word(name)
    return f"{spoken.word(name)} {spoken.word(value) if name in ('reason', 'held_by', 'delivery') else value}"


def _attribute(value: Any) -> str:
    """A value of a contact as a person reads it: yes or no, a list with commas."""
    plain = _plain(value)
    if isinstance(plain, bool):
        return t("yes", "oui") if plain else t("no", "non")
    return ", ".join(map(str, plain)) if isinstance(plain, list) else str(plain)


def _left(reach: Any, now: datetime) -> list[str]:
    """The topics that were left on a channel."""
    return [topic for topic, _ in reach.left if reach.without(topic, now)]


def show_people(console: Console, people: list[Person], shown: bool, now: datetime) -> None:
    from omnicli.cli.rows import lay
    from omnicli.text import mask

    if not people:
        console.print(t("nobody", "personne"))
        return
    rows: list[list[Any]] = [
        [(head, "dim") for head in ("id", t("name", "nom"), t("language", "langue"), t("country", "pays"),
                                    t("may be written to by", "joignable par"), t("address", "adresse"))]
    ]  # fmt: skip
    for p in people:
        usable = " ".join(c for c, r in p.reach.items() if _state(r, now) == "yes") or "–"
        address = next(iter(p.addresses.values()), "")
        rows.append([p.id, p.name if shown else _initial(p.name), p.language or "–", p.country or "–", usable,
                     (address if shown else mask(address)).replace("\n", ", ")])  # fmt: skip
    lay(console, rows, shrink=4)


@app.command(
    help=page(
        "omni contact show 4711",
        "One life: touches, answers, consents, what was held and why, open promises.",
        "Une vie : envois, réponses, consentements, ce qui a été retenu et pourquoi, promesses en cours.",
    )
)
def show(id: Id, show_personal: Personal = False, as_of: AsOf = None) -> None:
    from omnicli.people.consent import the_contact
    from omnicli.store import audience
    from omnicli.store.promises import open_promises

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    now = s.now(as_of)
    assert loaded.project is not None
    zone = loaded.project.time_zone
    with store.read() as connection:
        life = audience.life(connection, loaded.project, the_contact(connection, id))
        promises = open_promises(connection, life.person.number, now=now, zone=life.person.time_zone or zone)
    _audited(s, show_personal, f"contact show {life.person.id}", now)
    s.finish(
        {**_life_json(life, show_personal, now), "promises": [_promise_json(told) for told in promises]},
        show=lambda console: _life_show(console, life, show_personal, now, zone, promises),
    )


def _promise_json(told: Told) -> dict[str, Any]:
    facts = {name: {"type": kind, "value": said} for name, (kind, said) in told.facts.items()}
    return {"campaign": told.campaign, "message": told.message, "facts": facts, "until": str(told.until) if told.until else None,
            "under_way": told.under_way}  # fmt: skip


def _promised(console: Console, promises: Sequence[Told]) -> None:
    """What the person was told and still counts on."""
    from omnicli.cli.rows import lay
    from omnicli.lint.passages import shown

    if not promises:
        return
    console.print("")
    console.print(t("Open promises", "Promesses en cours"), style="bold")
    lay(console, [[told.message, t("until {d}", "jusqu'au {d}", d=told.until) if told.until else t("while {c} goes on", "tant que {c} dure", c=told.campaign),
                   (" · ".join(f"{name} {shown(kind, said)}" for name, (kind, said) in told.facts.items()), "dim")] for told in promises],
        shrink=2, indent=1)  # fmt: skip


def _life_json(life: Life, shown: bool, now: datetime) -> dict[str, Any]:
    return {
        **person_json(life.person, shown, now), "place": life.place, "preferred_channel": life.preferred_channel,
        "attributes": {k: _plain(v) for k, v in life.attributes.items() if shown or k not in ("last_name",)},
        "complaint_until": life.complaint_until, "open": [dict(p) for p in life.open_passes],
        "life": [{"at": m.at, "kind": m.kind, "what": m.what, **_facts(m.facts, shown)} for m in life.moments],
    }  # fmt: skip


def _facts(facts: Mapping[str, Any], shown: bool) -> dict[str, Any]:
    """The facts of a moment; what somebody wrote is theirs, so it is masked as an address is."""
    return {k: v if shown or k != "text" else "…" for k, v in facts.items()}


def _plain(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return float(value)
    if hasattr(value, "amount"):
        return {"amount": str(value.amount), "currency": value.currency}
    return list(value) if isinstance(value, tuple) else value if isinstance(value, (bool, int, str)) else str(value)


def _life_show(console: Console, life: Life, shown: bool, now: datetime, zone: str, promises: Sequence[Told]) -> None:
    from zoneinfo import ZoneInfo

    from omnicli.cli.rows import lay, moment
    from omnicli.model import spoken
    from omnicli.text import mask

    p, where = life.person, ZoneInfo(life.person.time_zone or zone)
    console.print(
        f"{p.name if shown else _initial(p.name)} ({p.id})  {p.language or '–'} · {p.country or '–'} · {p.time_zone or zone}",
        style="bold",
    )
    lay(console, [[c, (p.addresses.get(c, "–") if shown else mask(p.addresses.get(c, ""))).replace("\n", ", "), _state_said(r, now),
                   t("left: {topics}", "a quitté : {topics}", topics=", ".join(gone)) if (gone := _left(r, now)) else ""]
                  for c, r in p.reach.items()], indent=1)  # fmt: skip
    if life.attributes:
        console.print(" " + " · ".join(f"{k} {_attribute(v)}" for k, v in life.attributes.items() if shown or k != "last_name"))
    rows = [
        [
            moment(m.at, where),
            spoken.word(m.kind),
            m.what if m.kind == "event" else spoken.word(m.what),
            " ".join(_fact(k, v, where) for k, v in _facts(m.facts, shown).items() if k != "touch"),
        ]
        for m in life.moments
    ]
    if rows:
        console.print("")
        lay(console, rows, shrink=3, indent=1)
    _promised(console, promises)
    for promise in life.open_passes:
        due = (
            moment(promise["due_at"], where)
            if promise["due_at"]
            else t("when its touch is settled", "quand son envoi sera réglé")
        )
        console.print(t("Next: {campaign}, {step}, {due}", "Ensuite : {campaign}, {step}, {due}", campaign=promise["campaign"],
                        step=promise["step"] or "–", due=due))  # fmt: skip


# --- yes and no -----------------------------------------------------------------------------------------------------
@app.command(
    help=page(
        "omni contact consent 4711 grant sms --source 'phone call'",
        "A permission or its withdrawal: append-only, with its proof.",
        "Un consentement ou son retrait : jamais effacé, avec sa preuve.",
        exemple="omni contact consent 4711 grant sms --source 'par téléphone'",
    )
)
def consent(id: Id, deed: Deed = "show", channel: Channel = None, source: Source = None, proof: Proof = None, until: Until = None,
            as_of: AsOf = None) -> None:  # fmt: skip
    from omnicli.people import consent as deeds
    from omnicli.text import did_you_mean

    s = session()
    if deed not in ("show", "grant", "withdraw"):
        raise OmniError(t("'{deed}' is not show, grant or withdraw.", "« {deed} » n'est pas « show », « grant » ou « withdraw ».", deed=deed)
                        + did_you_mean(deed, ("show", "grant", "withdraw")), code="usage")  # fmt: skip
    loaded, store = s.loaded(), s.store(create=False)
    now = s.now(as_of, changes=deed != "show")
    changed = False
    if deed != "show":
        wanted = deeds.the_channel(loaded, channel)
        changed = deeds.change_consent(
            store, loaded, id, wanted, granted=deed == "grant", now=now, until=instant_of(s, until), source=source, proof=proof
        )
        _lived(s, as_of, now)
    with store.read() as connection:
        standing = deeds.standing(connection, deeds.the_contact(connection, id))
    result = {
        "contact": id, "changed": changed,
        "consents": [{"channel": c.channel, "purpose": c.purpose, "granted": c.granted, "at": c.at, "until": c.until, "source": c.source} for c in standing],
    }  # fmt: skip

    def draw(console: Console) -> None:
        from omnicli.cli.rows import lay

        rows = [
            [c.channel, c.purpose, t("yes", "oui") if c.granted else t("no", "non"), f"{c.at:%Y-%m-%d}", c.source or ""]
            for c in standing
        ]
        lay(console, rows or [[t("never asked on any channel", "jamais demandé, sur aucun canal")]])

    s.finish(result, show=draw)


def instant_of(s: Session, text: str | None) -> datetime | None:
    from omnicli import clock

    if text is None:
        return None
    project = s.loaded().project
    assert project is not None
    try:
        return clock.read_instant(text, project.time_zone)
    except ValueError as error:
        raise OmniError(str(error), code="usage") from None


@app.command(
    help=page(
        "omni contact suppress lea@example.com --reason 'asked by phone'",
        "A bar on marketing to this address; no import lifts it.",
        "Plus de marketing à cette adresse ; aucun import ne lève cet interdit.",
        exemple="omni contact suppress lea@example.com --reason 'demandé par téléphone'",
    )
)
def suppress(
    address: Annotated[str, arg("an e-mail address or a number", "une adresse e-mail ou un numéro", metavar="ADDRESS")],
    channel: OneChannel = None, topic: Topic = None, reason: Reason = None, until: Until = None, as_of: AsOf = None,
) -> None:  # fmt: skip
    from omnicli.people.consent import suppress_address
    from omnicli.text import mask

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=True)
    hit = suppress_address(
        store, loaded, address, now=now, channel=channel, reason=reason, until=instant_of(s, until), topic=topic
    )
    _lived(s, as_of, now)
    result = {
        "address": mask(address),
        "topic": topic,
        "reason": reason or "asked",
        "until": until,
        "channels": [{"channel": c, "contacts": n} for c, n in hit],
    }

    def draw(console: Console) -> None:
        for name, people in hit:
            if topic in (None, "everything"):
                said = t("{address} is barred from marketing by {channel}: {n} in the base.", "{address} ne recevra plus de marketing par {channel} : {n} dans la base.",
                         address=mask(address), channel=name, n=people)  # fmt: skip
            else:
                said = t("{address} has left '{topic}' by {channel}: {n} in the base.", "{address} a quitté « {topic} » par {channel} : {n} dans la base.",
                         address=mask(address), topic=topic, channel=name, n=people)  # fmt: skip
            console.print(said)

    s.finish(result, show=draw, exit=Exit.FINE)
