"""omni touch: what left, what was held or skipped and why, the exact message again, and those whose fate nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, one_of, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.store.outbox import Doubt
    from omnicli.store.sent import Listed, Whole

    Seen = tuple[int, str, str, str | None]

app = typer.Typer(
    help=page(
        "omni touch show 7c1e",
        "The exact message again. What left, what did not, and why.",
        "Le message exact, à nouveau. Ce qui est parti, ce qui ne l'est pas, et pourquoi.",
    ),
    no_args_is_help=True,
)

Id = Annotated[
    str, typer.Argument(metavar="ID", help=t("its key, or a beginning of it", "sa clé, ou son début"), show_default=False)
]
Campaign = Annotated[str | None, opt("--campaign", "of one campaign", "d'une campagne", metavar="NAME")]
State = Annotated[
    str | None,
    opt(
        "--state",
        "in this state: accepted, skipped, retry, unknown …",
        "dans cet état : accepted, skipped, retry, unknown…",
        metavar="S",
    ),
]
Reason = Annotated[str | None, opt("--reason", "why it was not sent", "pourquoi il n'est pas parti", metavar="R")]
Since = Annotated[str | None, opt("--since", "from this instant on", "depuis cet instant", metavar="T")]
Contact = Annotated[str | None, opt("--contact", "of one person", "d'une personne", metavar="ID")]
Limit = Annotated[int, opt("--limit", "lines at most", "lignes au plus", metavar="N", least=1)]
After = Annotated[str | None, opt("--after", "go on behind this touch", "continuer après cet envoi", metavar="ID")]
Part = Annotated[
    str | None,
    opt(
        "--part",
        "this part alone, byte for byte: subject, text, html …",
        "cette partie seule, à l'octet : subject, text, html…",
        metavar="P",
    ),
]
Because = Annotated[str | None, opt("--because", "why; kept with it", "pourquoi ; gardé avec lui", metavar="TEXT")]
Accepted = Annotated[bool, opt("--accepted", "it arrived", "il est arrivé")]
NotSent = Annotated[bool, opt("--not-sent", "it never left: try again", "il n'est jamais parti : réessayer")]
Resend = Annotated[bool, opt("--resend", "send again, perhaps twice", "renvoyer, au risque d'un double")]
Drop = Annotated[bool, opt("--drop", "give it up", "y renoncer")]


@app.command(
    "list",
    help=page(
        "omni touch list --campaign bienvenue --state skipped", "Touches, newest first.", "Les envois, les plus récents d'abord."
    ),
)
def list_(
    campaign: Campaign = None, state: State = None, reason: Reason = None, since: Since = None, contact: Contact = None,
    limit: Limit = 50, after: After = None, as_of: AsOf = None,
) -> None:  # fmt: skip
    from omnicli.cli.contact import instant_of
    from omnicli.model.decision import SKIP_REASONS
    from omnicli.model.touch import SEND_STATES
    from omnicli.store.sent import touches

    s = session()
    loaded, store = s.loaded(), s.store()
    s.now(as_of)
    one_of("--state", state, SEND_STATES)
    one_of("--reason", reason, SKIP_REASONS)
    start = instant_of(s, since)
    with store.read() as connection:
        found, total = touches(
            connection, campaign=campaign, state=state, reason=reason, since=start, contact=contact, limit=limit, after=after
        )
    cursor = found[-1].touch if found and total > len(found) else None
    s.finish({"touches": [_as_json(one, loaded) for one in found], "total": total, "after": cursor},
             show=lambda console: _show_list(console, found, total, loaded))  # fmt: skip


@app.command(
    help=page(
        "omni touch show 7c1e9a02",
        "The exact message, its facts, attempts and receipts.",
        "Le message exact, ses faits, ses essais et ses accusés.",
    )
)
def show(touch: Id, part: Part = None, as_of: AsOf = None) -> None:
    from omnicli.render.skeleton import restore
    from omnicli.store.sent import whole

    s = session()
    loaded, store = s.loaded(), s.store()
    s.now(as_of)
    with store.read() as connection:
        found = whole(connection, touch)
    message = dict(restore(*found.parts)) if found.parts else {}
    if part is not None and not s.json:
        _print_part(message, part)
        s.finish({})
    s.finish(_whole_json(found, message, loaded), show=lambda console: _show_whole(console, found, message, loaded))


@app.command(
    help=page(
        "omni touch unknown",
        "Touches whose fate nobody knows yet, and what may be done.",
        "Les envois dont on ignore encore le sort, et ce qu'on peut faire.",
    )
)
def unknown(as_of: AsOf = None) -> None:
    from omnicli.store.inbox import people_of
    from omnicli.store.outbox import doubts, evidence

    s = session()
    s.loaded()
    store = s.store()
    now = s.now(as_of)
    with store.read() as connection:
        found = doubts(connection)
        seen = evidence(connection, [d.id for d in found])
        whose = people_of(connection, [d.key.hex() for d in found])
    s.finish({"touches": [{**_doubt_json(d, now, seen.get(d.id, [])), "contact": whose.get(d.key.hex()), "message": d.message} for d in found]},
             show=lambda console: _show_doubts(console, found, seen, now, whose, live=s.live),
             exit=Exit.SOME_FAILED if found else Exit.FINE)  # fmt: skip


@app.command(
    help=page(
        'omni touch resolve 7c1e --accepted --because "the relay\'s log says so"',
        "A person decides.",
        "Une personne tranche.",
        exemple='omni touch resolve 7c1e --accepted --because "le journal du relais le dit"',
    )
)
def resolve(
    touch: Id, accepted: Accepted = False, not_sent: NotSent = False, resend: Resend = False, drop: Drop = False,
    because: Because = None, as_of: AsOf = None,
) -> None:  # fmt: skip
    import getpass

    from omnicli.campaigns.journal import replay
    from omnicli.campaigns.recover import resolve as settle

    s = session()
    chosen = [how for how, given in (("accepted", accepted), ("not-sent", not_sent), ("resend", resend), ("drop", drop)) if given]
    if len(chosen) != 1:
        raise OmniError(
            t("say one of --accepted, --not-sent, --resend, --drop", "dites l'un de --accepted, --not-sent, --resend, --drop"),
            code="usage",
        )
    if not because:
        raise OmniError(t("say why: --because TEXT", "dites pourquoi : --because TEXTE"), code="usage")
    s.loaded()
    store = s.store()
    now = s.now(as_of, changes=True)
    replay(store, now=now)  # what waits beside the store may be the answer
    found = settle(store, touch, chosen[0], because=because, who=getpass.getuser(), now=now)
    words = {
        "accepted": t("counts as accepted", "compte comme accepté"), "not-sent": t("will be sent by the next run", "partira à la prochaine exécution"),
        "resend": t("will be sent again by the next run: two copies are possible", "repartira à la prochaine exécution : un double est possible"),
        "drop": t("is given up: skipped (dropped)", "est abandonné : écarté (dropped)"),
    }  # fmt: skip
    s.finish(
        {"touch": found.key.hex(), "resolved": chosen[0]},
        show=lambda console: console.print(f"{found.key.hex()[:8]} {words[chosen[0]]}."),
    )


# --- how it is shown ------------------------------------------------------------------------------------------------
def _project(loaded: Loaded) -> Any:
    assert loaded.project is not None
    return loaded.project


def _zone(loaded: Loaded) -> tzinfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(_project(loaded).time_zone)


def _as_json(one: Listed, loaded: Loaded) -> dict[str, Any]:
    from omnicli.engine.pricing import money

    return {
        "touch": one.touch, "contact": one.contact, "campaign": one.campaign, "step": one.step, "message": one.message, "channel": one.channel,
        "state": one.state, "reason": one.reason, "held_by": one.held_by, "delivery": one.delivery, "at": one.at,
        "cost": money(one.cost, _project(loaded).currency),
    }  # fmt: skip


def _whole_json(found: Whole, message: Mapping[str, str], loaded: Loaded) -> dict[str, Any]:
    return {
        **_as_json(found.listed, loaded), "purpose": found.purpose, "address": found.address, "persona": found.persona,
        "language": found.language, "version": found.version, "template": found.template, "due_at": found.due_at, "expires_at": found.expires_at,
        "facts": {name: value for name, (_, value) in found.facts.items()}, "parts": dict(message),
        "attempts": [{"n": a.n, "provider": a.provider, "outcome": a.outcome, "at": a.at, "ref": a.ref, "code": a.code, "detail": a.detail,
                      "waived_by": a.waived_by} for a in found.attempts],
        "evidence": [{"at": at, "source": source, "kind": kind, "detail": detail} for at, source, kind, detail in found.evidence],
        "receipts": [{"at": at, "event": name, "machine": machine} for at, name, machine in found.receipts],
    }  # fmt: skip


def _doubt_json(d: Doubt, now: Any, seen: list[Seen]) -> dict[str, Any]:
    from omnicli import clock

    return {
        "touch": d.key.hex(), "state": d.state, "channel": d.channel, "purpose": d.purpose, "provider": d.provider, "account": d.account,
        "attempt": d.n, "since": clock.from_ms(d.started_at), "age_seconds": int((now - clock.from_ms(d.started_at)).total_seconds()),
        "evidence": [{"at": clock.from_ms(at), "source": source, "kind": kind, "detail": detail} for at, source, kind, detail in seen],
    }  # fmt: skip


_COLOURS = {
    "accepted": "green",
    "rejected": "red",
    "skipped": "yellow",
    "unknown": "bold red",
    "parked": "bold red",
    "retry": "cyan",
}


def _state(one: Listed) -> str:
    from omnicli.model import spoken

    state = spoken.word(one.state)
    if one.reason:
        why = spoken.named(one.reason)
        return why if why.startswith(f"{state} (") else spoken.both(state, why)
    return f"{state} ({spoken.word(one.held_by)})" if one.held_by else state


def _show_list(console: Console, found: list[Listed], total: int, loaded: Loaded) -> None:
    from omnicli.cli.rows import lay, moment, number

    if not found:
        console.print(t("No touches.", "Aucun envoi."))
        return
    zone = _zone(loaded)
    lay(console, [(one.touch[:8], moment(one.at, zone), one.contact, f"{one.campaign} › {one.step}", one.channel,
                   (_state(one), _COLOURS.get(one.state, ""))) for one in found], shrink=3)  # fmt: skip
    if total > len(found):
        console.print(t("{shown} of {total}.  More: --after {last}", "{shown} sur {total}.  Suite : --after {last}", shown=number(len(found)),
                        total=number(total), last=found[-1].touch[:12]))  # fmt: skip


def _show_whole(console: Console, found: Whole, message: Mapping[str, str], loaded: Loaded) -> None:
    from omnicli.cli.rows import Cell, cash, lay, moment
    from omnicli.lint.passages import shown
    from omnicli.text import printable

    one, zone = found.listed, _zone(loaded)
    console.print(f"{one.touch[:8]}  {one.campaign} › {one.step} · {one.message} · {one.channel}")
    rows: list[tuple[Cell, Cell]] = [
        (t("to", "à"), one.contact + (f" <{found.address}>" if found.address else "")), (t("state", "état"), (_state(one), _COLOURS.get(one.state, ""))),
        (t("when", "quand"), moment(one.at, zone)), (t("cost", "coût"), cash(one.cost, _project(loaded).currency) if one.cost else ""),
        (t("persona", "persona"), " · ".join(filter(None, (found.persona, found.language, f"v{found.version}")))),
        (t("facts", "faits"), ", ".join(f"{name} {shown(kind, value)}" for name, (kind, value) in found.facts.items() if value is not None)),
    ]  # fmt: skip
    lay(console, [row for row in rows if row[1]], indent=1)
    _show_history(console, found, zone)
    for name, text in message.items():
        if name == "html" and "text" in message:
            continue  # the text says the same
        console.print(f"\n── {name} " + "─" * max(3, 60 - len(name)))
        console.print("\n".join(printable(line) for line in text.splitlines()), soft_wrap=True)
    if "html" in message and "text" in message:
        console.print(t("\nThe page:  omni touch show {id} --part html > page.html", "\nLa page :  omni touch show {id} --part html > page.html", id=one.touch[:8]),
                      style="dim", soft_wrap=True)  # fmt: skip


def _print_part(message: Mapping[str, str], part: str) -> None:
    """One part exactly as it left, and nothing else."""
    import sys

    from omnicli.text import did_you_mean

    if part not in message:
        said = t("this message has no part '{part}'.", "ce message n'a pas de partie « {part} ».", part=part)
        raise OmniError(said + did_you_mean(part, message), hint=", ".join(message), code="no-part")
    sys.stdout.buffer.write(message[part].encode("utf-8", "surrogatepass"))
    sys.stdout.flush()


def _show_history(console: Console, found: Whole, zone: tzinfo) -> None:
    from omnicli.cli.rows import lay, moment
    from omnicli.model.spoken import word

    rows = [
        (
            moment(a.at, zone),
            f"{a.provider} #{a.n}",
            word(a.outcome),
            " ".join(filter(None, (a.ref, a.code, a.detail, a.waived_by))),
        )
        for a in found.attempts
    ]
    rows += [(moment(at, zone), source, word(kind), detail or "") for at, source, kind, detail in found.evidence]
    rows += [
        (moment(at, zone), "", word(name), t("a machine", "une machine") if machine else "")
        for at, name, machine in found.receipts
    ]
    lay(console, rows, indent=1, shrink=3)


def _show_doubts(
    console: Console, found: list[Doubt], seen: Mapping[int, list[Seen]], now: Any, whose: Mapping[str, str], *, live: bool
) -> None:
    from omnicli import clock
    from omnicli.cli.rows import ago, lay
    from omnicli.model.spoken import word

    if not found:
        console.print(t("No touch is unknown.", "Le sort de chaque envoi est connu."))
        return
    lay(console, [(d.key.hex()[:8], word(d.state), whose.get(d.key.hex(), ""), d.message, d.channel, d.provider, ago(clock.from_ms(d.started_at), now), _last(seen.get(d.id, [])))
                  for d in found], shrink=7)  # fmt: skip
    console.print(t('Decide:  omni touch resolve ID --accepted|--not-sent|--resend|--drop --because "…"{f}',
                    'Décider :  omni touch resolve ID --accepted|--not-sent|--resend|--drop --because "…"{f}',
                    f=" --live" if live else ""), soft_wrap=True)  # fmt: skip


def _last(seen: list[Seen]) -> str:
    """How often a provider was asked, and the newest thing that was said."""
    from omnicli.model import spoken

    if not seen:
        return t("nothing heard", "aucune nouvelle")
    asked = sum(1 for _, _, kind, _ in seen if kind == "asked")
    _, source, kind, detail = seen[-1]
    if kind == "asked":
        return t(
            "{source} asked {n}×: {detail}", "{source} interrogé {n}× : {detail}", source=source, n=asked, detail=detail or ""
        )
    return spoken.both(source, detail or spoken.word(kind))
