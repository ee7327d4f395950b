"""omni contact why: each rule with its values, read from the ledger; with `--replay` every decision is taken again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from omnicli.cli.contact import Id, app, instant_of
from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.errors import Exit
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaigns.replay import Again
    from omnicli.campaigns.why import Explained, Line

Campaign = Annotated[str | None, opt("--campaign", "in this one only", "dans celle-ci seulement", metavar="NAME")]
Step = Annotated[str | None, opt("--step", "at this one only", "à celle-ci seulement", metavar="S")]
At = Annotated[
    str | None, opt("--at", "only what had happened by then", "seulement ce qui était arrivé à cet instant", metavar="T")
]
Replay = Annotated[
    bool, opt("--replay", "take every decision again, from its premises", "reprendre chaque décision, sur ce qui la fondait")
]


@app.command(
    help=page(
        "omni contact why 4711 --campaign bienvenue",
        "Each rule with its values: why this person did or did not get it.",
        "Chaque règle avec ses valeurs : pourquoi cette personne a reçu, ou non.",
    )
)
def why(id: Id, campaign: Campaign = None, step: Step = None, at: At = None, replay: Replay = False, as_of: AsOf = None) -> None:
    from omnicli.campaigns.replay import repeat
    from omnicli.campaigns.why import why as explain
    from omnicli.people.consent import the_contact
    from omnicli.store import audience

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    now = s.now(as_of)
    until = instant_of(s, at)
    with store.read() as connection:
        source = audience.source_id(connection, the_contact(connection, id))
    found = explain(store, loaded, source, campaign=campaign, step=step, now=now, until=until)
    again: tuple[Again, ...] = ()
    if replay:
        with store.read() as connection:
            again = tuple(repeat(connection, contact=source, campaign=campaign))
    differ = [one for one in again if not one.same]
    result = _as_json(found) | ({"replay": [_again_json(one) for one in again]} if replay else {})
    s.finish(
        result, exit=Exit.FINDINGS if differ else Exit.FINE, show=lambda console: _show(console, found, again if replay else None)
    )


def _as_json(found: Explained) -> dict[str, Any]:
    lines = [{"at": x.at, "campaign": x.campaign, "step": x.step, "rule": x.rule, "answer": x.answer, "text": x.text, "values": dict(x.values),
              "good": x.good, "because": x.because} for x in found.lines]  # fmt: skip
    return {
        "contact": found.contact,
        "verdict": found.verdict,
        "lines": lines,
        "next": found.next,
        "next_at": found.next_at,
        "zone": found.zone,
    }


def _again_json(one: Again) -> dict[str, Any]:
    then = one.then
    return {
        "at": then.at, "campaign": then.campaign, "same": one.same, "then": {"kind": then.kind, "step": then.step, "lines": list(then.lines)},
        "now": {"kind": one.kind, "step": one.step, "lines": list(one.now)},
    }  # fmt: skip


def _show(console: Console, found: Explained, again: Sequence[Again] | None) -> None:
    from zoneinfo import ZoneInfo

    from omnicli.cli.rows import lay, moment

    zone = ZoneInfo(found.zone)
    console.print(found.verdict)
    lay(
        console,
        [[moment(x.at, zone), x.step, _told(x)] for x in found.lines],
        shrink=2,
        indent=1,
    )
    if found.next:
        said = f"{found.next}, {moment(found.next_at, zone)}" if found.next_at else found.next
        console.print(t("Next: {what}", "Ensuite : {what}", what=said))
    if again is not None:
        _show_again(console, again, lambda at: moment(at, zone))


def _told(line: Line) -> Any:
    """The line and behind it what it rests on; what kept a touch back is marked."""
    told = f"{line.text} ({line.because})" if line.because else line.text
    return told if line.good else (f"{told} ✘", "yellow")


def _show_again(console: Console, again: Sequence[Again], spell: Any) -> None:
    """Whether every decision comes out as it did, and those that do not."""
    differ = [one for one in again if not one.same]
    if not again:
        console.print(t("No decision of theirs can be taken again: the ledger holds no premises.",
                        "Aucune de leurs décisions ne peut être reprise : le registre n'en garde pas les fondements."), soft_wrap=True)  # fmt: skip
        return
    console.print(several(
        len(again) - len(differ),
        ("{n} of {all} decision taken again with the same answer.", "{n} of {all} decisions taken again with the same answer."),
        ("{n} décision sur {all} reprise avec la même réponse.", "{n} décisions sur {all} reprises avec la même réponse."), all=len(again),
    ), soft_wrap=True)  # fmt: skip
    for one in differ:
        then, at = one.then, spell(one.then.at)
        console.print(t("  {at} {step}: {then} then, {now} now", "  {at} {step} : {then} alors, {now} maintenant", at=at, step=then.step, then=then.kind,
                        now=one.kind or one.unknown), style="yellow", soft_wrap=True)  # fmt: skip


#: For whoever explains a life that stands in no store of the project (`campaign test --trace`).
show_why, why_json = _show, _as_json
