"""omni response: what comes back is stored once, folded into what is known, and listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, DryRun, arg, opt, page
from omnicli.errors import OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaigns.sync import Synced
    from omnicli.people.responses import ResponseReport

app = typer.Typer(
    help=page(
        "omni response add 4711 purchase --value '39.92 EUR'",
        "Somebody answered. What comes back.",
        "Quelqu'un a répondu. Ce qui revient.",
    ),
    no_args_is_help=True,
)

Contact = Annotated[str, arg("the contact's id, or an address", "l'identifiant du contact, ou une adresse", metavar="CONTACT")]
Event = Annotated[
    str, arg("an event of omni.yaml, or a built-in one", "un événement d'omni.yaml, ou du langage", metavar="EVENT")
]
At = Annotated[str | None, opt("--at", "when it happened", "quand c'est arrivé", metavar="T")]
Message = Annotated[str | None, opt("--message", "the message it answers", "le message auquel elle répond", metavar="M")]
Value = Annotated[
    str | None, opt("--value", "what it is worth, such as '39.92 EUR'", "sa valeur, telle que « 39.92 EUR »", metavar="MONEY")
]
Key = Annotated[
    str | None, opt("--id", "the same id twice is one response", "deux fois le même id : une seule réponse", metavar="KEY")
]
Text = Annotated[str | None, opt("--text", "what they wrote", "ce qui a été écrit", metavar="TEXT")]
Channel = Annotated[str | None, opt("--channel", "by which channel", "par quel canal", metavar="C")]
Campaign = Annotated[str | None, opt("--campaign", "of which campaign", "de quelle campagne", metavar="NAME")]
Topic = Annotated[str | None, opt("--topic", "unsubscribed: from what", "unsubscribed : de quoi", metavar="NAME|everything")]
Fields = Annotated[list[str] | None, opt("--field", "more of the payload", "le reste du contenu", metavar="NAME=VALUE")]
File = Annotated[Path, arg("csv or jsonl", "csv ou jsonl", metavar="FILE")]
Format = Annotated[
    str | None, opt("--format", "csv or jsonl, if its name does not say", "csv ou jsonl, si le nom ne le dit pas", metavar="NAME")
]
Kinds = Annotated[list[str] | None, opt("--kind", "their word for an event", "leur mot pour un événement", metavar="THEIRS=OURS")]
Provider = Annotated[str | None, opt("--provider", "only this one", "celui-ci seulement", metavar="NAME")]
Unmatched = Annotated[bool, opt("--unmatched", "of people the base does not know", "de personnes inconnues de la base")]
Since = Annotated[str | None, opt("--since", "received since then", "reçues depuis", metavar="T")]
Limit = Annotated[int, opt("--limit", "at most so many", "au plus tant", metavar="N", least=1)]


@app.command(
    help=page(
        "omni response add 4711 purchase --value '39.92 EUR'",
        "One response; the same id twice is one.",
        "Une réponse ; deux fois le même id n'en font qu'une.",
    )
)
def add(contact: Contact, event: Event, at: At = None, message: Message = None, value: Value = None, id: Key = None, text: Text = None,
        channel: Channel = None, campaign: Campaign = None, topic: Topic = None, field: Fields = None, as_of: AsOf = None) -> None:  # fmt: skip
    from omnicli.cli.contact import _lived, instant_of
    from omnicli.people import responses
    from omnicli.people.consent import the_contact
    from omnicli.store import campaigns, inbox, tables

    s = session()
    loaded, store = s.loaded(), s.store()
    assert loaded.project is not None
    now = s.now(as_of, changes=True)
    fields = dict(_pair(pair) for pair in field or ())
    if text is not None:
        fields["text"] = text
    _channel(loaded, channel)
    _named(loaded, store, campaign, message)
    with store.read() as connection:
        number = the_contact(connection, contact)
        source_id = connection.execute(tables.contact.select().where(tables.contact.c.id == number)).one().source_id
    response = responses.typed_response(loaded.project, source_id, event, at=instant_of(s, at) or now, id=id, message=message, value=value,
                                        channel=channel, campaign=campaign, fields=fields, topic=topic)  # fmt: skip
    with store.write() as connection:
        new = inbox.receive(connection, [response], now=now)
    folded = _fold(s, now)
    _lived(s, as_of, now)
    result = {"id": response.id, "contact": source_id, "event": event, "at": response.at, "new": bool(new), **folded}
    with store.read() as connection:
        running = " ".join(row.name for row in campaigns.known(connection, states=("running",)) if campaign in (None, row.name))
    running += " --live" if s.live else ""

    def draw(console: Console) -> None:
        console.print(t("{event} of {contact}, recorded.", "{event} de {contact}, enregistré.", event=event, contact=source_id) if new else
                      t("{event} of {contact} was recorded already.", "{event} de {contact} était déjà enregistré.", event=event, contact=source_id))  # fmt: skip
        if folded["woken"]:
            console.print(
                t(
                    "Somebody's next touch may have changed:  omni campaign run {names}",
                    "Un prochain envoi a pu changer :  omni campaign run {names}",
                    names=running,
                )
            )

    s.finish(result, show=draw)


def _channel(loaded: Any, channel: str | None) -> None:
    from omnicli.text import did_you_mean

    known = loaded.project.channels
    if channel is not None and channel not in known:
        raise OmniError(
            t("no channel called '{name}'.", "pas de canal nommé « {name} ».", name=channel) + did_you_mean(channel, known),
            code="no-channel",
        )


def _named(loaded: Any, store: Any, campaign: str | None, message: str | None) -> None:
    """A campaign that a file or the store knows, and a message of it: a mistyped name would be counted nowhere."""
    from omnicli.campaigns.life import unknown
    from omnicli.store import campaigns
    from omnicli.text import did_you_mean

    where, _, bare = (message or "").rpartition("/")
    owner = campaign or where or None
    files = loaded.campaigns
    if owner is not None and owner not in files:
        with store.read() as connection:
            applied = {row.name for row in campaigns.known(connection)}
        if owner in applied:
            return
        raise unknown(owner, {*files, *applied})
    known = {name for one in ([files[owner]] if owner is not None else files.values()) for name in one.messages}
    if bare and known and bare not in known:
        raise OmniError(
            t("no message called '{name}'.", "pas de message nommé « {name} ».", name=bare) + did_you_mean(bare, known),
            code="no-message",
        )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise OmniError(t("--field wants NAME=VALUE", "--field veut NOM=VALEUR"), code="usage")
    return name.strip(), value


def _fold(s: Any, now: Any) -> dict[str, int]:
    from omnicli.campaigns.respond import fold

    folded = fold(s.store(), s.loaded(), now=now)
    return {"events": folded.events, "unmatched": folded.unmatched, "refused_by_fold": folded.refused, "woken": folded.woken,
            "opted_out": folded.opted_out, "cases": folded.cases, "converted": folded.converted}  # fmt: skip


@app.command(
    "import",
    help=page(
        "omni response import events.jsonl",
        "Many responses; repeats are harmless, in whatever order they come.",
        "Beaucoup de réponses ; les répétitions sont sans effet, dans n'importe quel ordre.",
        exemple="omni response import reponses.jsonl",
    ),
)
def import_(file: File, format: Format = None, kind: Kinds = None, dry_run: DryRun = False, as_of: AsOf = None) -> None:
    from omnicli.cli.contact import _lived
    from omnicli.people import responses

    s = session()
    if format not in (None, "csv", "jsonl"):
        raise OmniError(
            t("no format called '{name}'", "pas de format nommé « {name} »", name=format), hint="csv, jsonl", code="usage"
        )
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=True)
    with s.progress(t("importing", "importation")) as step:
        report = responses.import_responses(
            store, loaded, file, now=now, kinds=responses.list_kinds(kind or ()), dry_run=dry_run, progress=step
        )
    folded = {} if dry_run else _fold(s, now)
    if not dry_run:
        _lived(s, as_of, now)
    for warning in report.warnings:
        s.warn(warning)
    s.finish(_json(report, folded, dry_run), show=lambda console: _show(console, report, folded, dry_run))


def _json(report: ResponseReport, folded: dict[str, int], dry_run: bool) -> dict[str, Any]:
    from omnicli.people.responses import amount

    kinds = {
        name: {"lines": k.lines, "new": k.new, **{f: [amount(m, c) for c, m in sums.items()] for f, sums in k.sums.items()}}
        for name, k in sorted(report.kinds.items())
    }  # fmt: skip
    return {
        "file": report.file, "dry_run": dry_run, "lines": report.lines, "new": report.new, "repeated": report.repeated, "refused": report.refused,
        "kinds": kinds, **folded,
        "findings": [{"row": x.row, "line": x.line, "contact": x.contact, "column": x.column, "value": x.value, "reason": x.reason} for x in report.turned],
    }  # fmt: skip


def _money(minor: int, currency: str) -> str:
    """An exact sum as people read it."""
    from decimal import Decimal

    from omnicli.cli.rows import number
    from omnicli.people.responses import amount

    found = Decimal(amount(minor, currency)["amount"])
    return f"{number(found, max(0, -int(found.as_tuple().exponent)))} {currency}"


def _show(console: Console, report: ResponseReport, folded: dict[str, int], dry_run: bool, shown: int = 40) -> None:
    from omnicli.cli.rows import lay, number

    lay(
        console,
        [
            [t("line {line}", "ligne {line}", line=x.line), x.contact or "", x.column, f"'{x.value[:40]}'", x.reason]
            for x in report.turned[:shown]
        ],
        shrink=4,
    )
    if len(report.turned) > shown:
        console.print(
            t("… and {n} more (--json shows all)", "… et {n} autres (--json montre tout)", n=number(len(report.turned) - shown))
        )
    rows = []
    for name, k in sorted(report.kinds.items()):
        sums = " ".join(_money(m, c) for sums in k.sums.values() for c, m in sums.items())
        rows.append([name, number(k.new), sums])
    lay(console, rows, right=(1, 2), indent=1)
    console.print(t("{lines} lines: {new} new, {repeated} repeated, {refused} refused.", "{lines} lignes : {new} nouvelles, {repeated} répétées, {refused} refusées.",
                    lines=number(report.lines), new=number(report.new), repeated=number(report.repeated), refused=number(report.refused)))  # fmt: skip
    if folded.get("unmatched"):
        console.print(t("{n} of people the base does not know: omni response list --unmatched", "{n} de personnes inconnues : omni response list --unmatched",
                        n=number(folded["unmatched"])))  # fmt: skip
    if folded.get("opted_out"):
        console.print(t("{n} said stop.", "{n} ont dit stop.", n=number(folded["opted_out"])))
    if dry_run:
        console.print(t("Nothing was stored (--dry-run).", "Rien n'a été enregistré (--dry-run)."))


@app.command(
    help=page(
        "omni response sync --provider sendgrid --live",
        "Ask providers for their lists of bars and for the fate of unknown touches; it only ever adds.",
        "Demander aux prestataires leurs listes d'exclusion et le sort des envois inconnus ; rien n'est jamais retiré.",
    )
)
def sync(provider: Provider = None, as_of: AsOf = None) -> None:
    from omnicli.campaigns import sync as deed
    from omnicli.providers import build, carrying, close

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=True)
    if provider is not None:
        carrying(loaded, provider, live=s.live)
    providers = build(loaded, live=s.live, root=loaded.root)
    try:
        found = deed.sync(store, loaded, providers, now=now, only=provider)
    finally:
        close(providers)
    for one in found:
        if one.problem is not None:
            s.warn(one.problem)
    rows = [{"provider": f.provider, "asked": f.asked, "listed": f.listed, "new": f.new, "opted_out": f.opted_out, "doubtful": f.doubtful, "settled": f.settled}
            for f in found]  # fmt: skip
    s.finish({"providers": rows}, show=lambda console: _synced(console, found))


def _synced(console: Console, found: list[Synced]) -> None:
    from omnicli.cli.rows import lay, number

    asked = [f for f in found if f.asked]
    rows = [[f.provider, t("{n} listed", "{n} inscrits", n=number(f.listed)), t("{n} new", "{n} nouveaux", n=number(f.new)),
             t("{n} barred", "{n} exclus", n=number(f.opted_out)), t("{n} of {m} doubts settled", "{n} doutes sur {m} levés", n=number(f.settled), m=number(f.doubtful))]
            for f in asked]  # fmt: skip
    lay(
        console,
        rows
        or [
            [
                t(
                    "Nobody here can be asked: in the sandbox nothing leaves.",
                    "Personne à interroger ici : dans le bac à sable, rien ne part.",
                )
            ]
        ],
    )


@app.command(
    "list",
    help=page(
        "omni response list --unmatched",
        "What came in, newest first, and what the ledger holds of each event.",
        "Ce qui est arrivé, le plus récent d'abord, et les comptes de chaque événement.",
    ),
)
def list_(unmatched: Unmatched = False, since: Since = None, limit: Limit = 20, as_of: AsOf = None) -> None:
    from omnicli.cli.contact import instant_of
    from omnicli.people.responses import amount
    from omnicli.store import audience, inbox

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    s.now(as_of)
    assert loaded.project is not None
    with store.read() as connection:
        found = list(
            inbox.listed(connection, since=instant_of(s, since), outcome="unmatched" if unmatched else None, limit=limit)
        )
        ledger = audience.ledger(connection, loaded.project)
        waiting = inbox.unmatched(connection)
        whose = inbox.people_of(connection, [a.response.touch for a, _ in found if a.response.touch and not a.response.contact])
    result = {
        "responses": [{"id": a.response.id, "at": a.response.at, "received_at": a.received_at, "contact": a.response.contact or whose.get(a.response.touch or ""), "event": a.response.name,
                       "channel": a.response.channel, "campaign": a.response.campaign, "outcome": outcome or "not folded"} for a, outcome in found],
        "ledger": {name: {k: v if k == "count" else amount(*v) for k, v in facts.items()} for name, facts in ledger.items()}, "unmatched": waiting,
    }  # fmt: skip

    zone = ZoneInfo(loaded.project.time_zone)

    def draw(console: Console) -> None:
        from omnicli.cli.rows import lay, number
        from omnicli.model.spoken import word

        lay(
            console,
            [
                [
                    f"{a.response.at.astimezone(zone):%Y-%m-%d %H:%M}",
                    a.response.contact or whose.get(a.response.touch or "", ""),
                    a.response.name,
                    a.response.channel or "",
                    word(outcome or ""),
                ]
                for a, outcome in found
            ],
        )
        if unmatched:  # the ledger holds none of theirs
            console.print(_strangers(waiting))
            return
        console.print("")
        lay(console, [[name, number(f["count"]), " ".join(_money(*v) for k, v in f.items() if k != "count")] for name, f in ledger.items()],
            right=(1, 2))  # fmt: skip
        if waiting:
            console.print(_strangers(waiting))

    s.finish(result, show=draw)


def _strangers(waiting: int) -> str:
    from omnicli.cli.rows import number

    if not waiting:
        return t("No response of people whom the base does not know.", "Aucune réponse de personnes inconnues de la base.")
    return t("{n} of people the base does not know", "{n} de personnes inconnues de la base", n=number(waiting))
