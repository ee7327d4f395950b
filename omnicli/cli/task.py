"""omni task: work for people; what they say of it is a response like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.errors import OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.store.sent import Work

app = typer.Typer(
    help=page(
        "omni task done 88 --outcome answered",
        "What a call came to. Work for people.",
        "Ce qu'un appel a donné. Le travail des personnes.",
    ),
    no_args_is_help=True,
)

Id = Annotated[int, typer.Argument(metavar="ID", help=t("the task", "la tâche"), show_default=False)]
Team = Annotated[str | None, opt("--team", "of one team", "d'une équipe", metavar="T")]
Due = Annotated[
    str | None, opt("--due", "today, 7d or a date: due until then", "aujourd'hui, 7d ou une date : dues d'ici là", metavar="T")
]
Mine = Annotated[str | None, opt("--mine", "claimed by this person", "prises par cette personne", metavar="NAME")]
Everything = Annotated[bool, opt("--done", "those that are done too", "celles qui sont faites aussi")]
Limit = Annotated[int, opt("--limit", "lines at most", "lignes au plus", metavar="N", least=1)]
As = Annotated[str | None, opt("--as", "who works on it", "qui s'en occupe", metavar="NAME")]
Outcome = Annotated[
    str, opt("--outcome", "what it came to", "ce que cela a donné", metavar="answered|voicemail|no_answer|refused|callback|done")
]
Note = Annotated[str | None, opt("--note", "what was said", "ce qui s'est dit", metavar="TEXT")]
Next = Annotated[str | None, opt("--next", "when to try again", "quand réessayer", metavar="DATE")]


@app.command(
    "list",
    help=page(
        "omni task list --team conseil --due today",
        "What waits for somebody, most urgent first.",
        "Ce qui attend quelqu'un, le plus urgent d'abord.",
    ),
)
def list_(
    team: Team = None, due: Due = None, mine: Mine = None, done: Everything = False, limit: Limit = 50, as_of: AsOf = None
) -> None:
    from omnicli.people.tasks import names_of
    from omnicli.store.sent import work

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of)
    assert loaded.project is not None
    with store.read() as connection:
        found = work(connection, names=names_of(loaded.project), team=team, mine=mine, done=done, limit=limit,
                     until=_until(due, now, loaded.project.time_zone) if due else None)  # fmt: skip
    s.finish({"tasks": [_as_json(one) for one in found]}, show=lambda console: _show(console, found, loaded, now))


@app.command(help=page("omni task claim 88 --as ines", "The task, and what to say.", "La tâche, et quoi dire."))
def claim(task: Id, as_: As = None, as_of: AsOf = None) -> None:
    import getpass

    from omnicli.people.tasks import claim as take
    from omnicli.render.skeleton import restore
    from omnicli.store.sent import whole

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=True)
    assert loaded.project is not None
    found = take(store, loaded.project, task, as_ or getpass.getuser(), now=now)
    with store.read() as connection:
        touch = whole(connection, found.touch)
    message = dict(restore(*touch.parts)) if touch.parts else {}
    s.finish({**_as_json(found), "address": touch.address, "parts": message},
             show=lambda console: _show_one(console, found, touch.address, message))  # fmt: skip


@app.command(
    help=page(
        'omni task done 88 --outcome answered --note "will come on Friday"',
        "It wakes the pass that waits.",
        "Le parcours qui attendait reprend.",
        exemple='omni task done 88 --outcome answered --note "passera vendredi"',
    )
)
def done(task: Id, outcome: Outcome, note: Note = None, next_: Next = None, as_of: AsOf = None) -> None:
    from omnicli import clock
    from omnicli.campaigns.respond import fold
    from omnicli.people.tasks import done as finish

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=True)
    assert loaded.project is not None
    again = _instant(next_, loaded.project.time_zone) if next_ else None
    found, ended = finish(store, loaded.project, task, outcome, now=now, note=note, next_at=again)
    if ended:
        fold(store, loaded, now=now)
    line = (t("Task {id}: {outcome}. The campaign goes on with the next run.", "Tâche {id} : {outcome}. La campagne continue au prochain passage.",
              id=task, outcome=outcome) if ended
            else t("Task {id}: try {n} noted; again at {at}.", "Tâche {id} : essai {n} noté ; à refaire le {at}.", id=task, n=found.tries,
                   at=clock.iso(found.next_at) if found.next_at else ""))  # fmt: skip
    s.finish(_as_json(found), show=lambda console: console.print(line))


# --- how it is shown ------------------------------------------------------------------------------------------------
def _instant(text: str, zone: str) -> datetime:
    from omnicli import clock

    try:
        return clock.read_instant(text, zone)
    except ValueError as error:
        raise OmniError(str(error), code="usage") from None


def _until(text: str, now: datetime, zone: str) -> datetime:
    """The end of today, so long from now, or the end of that day."""
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from omnicli.cli.rows import length

    if text in ("today", "aujourd'hui"):
        return now.astimezone(ZoneInfo(zone)).replace(hour=23, minute=59, second=59, microsecond=0)
    if text[:1].isdigit() and text[-1:].isalpha():
        return now + length(text)
    instant = _instant(text, zone)
    return instant + timedelta(days=1) if len(text.strip()) == 10 else instant


def _as_json(one: Work) -> dict[str, Any]:
    return {
        "id": str(one.id), "touch": one.touch, "contact": one.contact, "campaign": one.campaign, "step": one.step, "message": one.message,
        "channel": one.channel, "team": one.team, "kind": one.kind, "due_at": one.due_at, "next_at": one.next_at, "state": one.state,
        "claimed_by": one.claimed_by, "outcome": one.outcome, "note": one.note, "tries": one.tries,
    }  # fmt: skip


def _show(console: Console, found: list[Work], loaded: Loaded, now: datetime) -> None:
    from zoneinfo import ZoneInfo

    from omnicli.cli.rows import Cell, lay, moment
    from omnicli.model.spoken import word

    if not found:
        console.print(t("Nothing waits for anybody.", "Rien n'attend personne."))
        return
    assert loaded.project is not None
    zone = ZoneInfo(loaded.project.time_zone)

    def due(one: Work) -> Cell:
        at = one.next_at or one.due_at
        return "" if at is None else (moment(at, zone), "red" if at < now and one.state != "done" else "")

    lay(console, [(str(one.id), due(one), one.team or "", one.kind or one.channel, one.name or one.contact, f"{one.campaign} › {one.step}",
                   word(one.outcome or "") or one.claimed_by or t("open", "à prendre")) for one in found], right=(0,), shrink=5)  # fmt: skip
    console.print(
        t("Take one:  omni task claim {id} --as NAME", "En prendre une :  omni task claim {id} --as NOM", id=found[0].id)
    )


def _show_one(console: Console, one: Work, address: str | None, message: dict[str, str]) -> None:
    from omnicli.text import printable

    console.print(" · ".join(filter(None, (f"#{one.id}", one.name or one.contact, address, one.kind, one.team))))
    for text in message.values():
        console.print("\n".join(printable(line) for line in text.splitlines()), soft_wrap=True)
    console.print(
        t("Then:  omni task done {id} --outcome answered", "Ensuite :  omni task done {id} --outcome answered", id=one.id)
    )
