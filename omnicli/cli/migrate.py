"""omni campaign migrate: people of older versions move to the applied one, as the file's `migrate:` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from omnicli.cli.campaign import Name, app, fit
from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, DryRun, Yes, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaigns.migrate.intent import Intent
    from omnicli.campaigns.migrate.move import Moved
    from omnicli.cli.frame import Session

Typed = Annotated[
    str | None,
    opt("--confirm", "the campaign's name: breaks a promise (V004)", "le nom de la campagne : rompt une promesse (V004)", metavar="NAME"),
]  # fmt: skip


@app.command(
    help=page(
        "omni campaign migrate bienvenue -n",
        "Move people of older versions to the applied one; -n shows before, waiting and past for each edit.",
        "Faire passer les gens d'anciennes versions à l'actuelle ; -n montre avant, en attente et après pour chaque changement.",
    )
)
def migrate(name: Name, dry_run: DryRun = False, yes: Yes = False, confirm: Typed = None, as_of: AsOf = None) -> None:
    from omnicli.campaigns.lock import project_lock
    from omnicli.campaigns.migrate.intent import intend
    from omnicli.campaigns.migrate.move import move

    s = session()
    loaded, store = s.loaded(), s.store()
    now = s.now(as_of, changes=not dry_run)
    fit(s, loaded, [name], now)
    if dry_run:
        from omnicli.campaigns.diff import effect

        intent = intend(store, loaded, name)
        told = effect.of(intent)
        s.finish({**_json(intent, None), "edits": effect.as_json(told), "dry_run": True},
                 show=lambda console: _show(console, intent, None, told))  # fmt: skip
    with project_lock(loaded.root, live=s.live):
        intent = intend(store, loaded, name)
        if intent.target is None:
            raise OmniError(
                t("the file of '{name}' is not applied yet", "le fichier de « {name} » n'est pas encore appliqué", name=name),
                hint=f"omni campaign start {name}{' --live' if s.live else ''}", code="not-applied", exit=Exit.REFUSED,
            )  # fmt: skip
        if intent.people:
            _agree(s, intent, yes=yes, confirm=confirm)
        with s.progress(t("moving", "déplacement"), total=intent.people) as step:
            moved = move(store, loaded, intent, now=now, progress=step)
    if not s.live:
        from omnicli.cli.campaign import _advance

        _advance(s, store, now)
    s.finish(_json(intent, moved), show=lambda console: _show(console, intent, moved, None))


def _agree(s: Session, intent: Intent, *, yes: bool, confirm: str | None) -> None:
    """A yes to move; the campaign's name where somebody would be told otherwise."""
    from omnicli.campaigns.migrate.intent import broken

    if intent.broken:
        s.confirm_name(intent.name, confirm=confirm, question=broken(intent.broken))
        return
    if s.live:
        s.talk(_headline(intent))
        s.confirm_yes(t("Move them?", "Les déplacer ?"), yes=yes or confirm == intent.name)


def _headline(intent: Intent) -> str:
    left = ", ".join(v.label for v in intent.leaving) or t("older versions", "d'anciennes versions")
    there = intent.target.label if intent.target is not None else t("the file", "le fichier")
    return several(intent.people, ("{n} person of {a} moves to {b}", "{n} people of {a} move to {b}"),
                   ("{n} personne de {a} passe à {b}", "{n} personnes de {a} passent à {b}"), a=left, b=there)  # fmt: skip


def _json(intent: Intent, moved: Moved | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "campaign": intent.name, "from": [{"number": v.number, "hash": v.hash} for v in intent.leaving],
        "to": {"number": intent.target.number, "hash": intent.target.hash} if intent.target else None, "people": intent.people,
        "promises": [{"message": p.message, "fact": p.fact, "told": p.old, "new": p.new, "people": p.people, "kept": p not in intent.broken}
                     for p in (*intent.broken, *intent.kept)],
    }  # fmt: skip
    if moved is not None:
        found |= {
            "moved": moved.moved,
            "landed": dict(moved.kinds),
            "timers": moved.timers,
            "dropped": moved.dropped,
            "told_anew": moved.told_anew,
        }
    return found


def _show(console: Console, intent: Intent, moved: Moved | None, edits: Any) -> None:
    from rich.text import Text

    from omnicli.cli import diff_view, rows
    from omnicli.cli.rows import number

    console.print(Text(f"{intent.name} ", "bold").append(_headline(intent), "not bold"), soft_wrap=True)
    if moved is None:
        if edits:
            console.print()
            diff_view.show_effect(console, edits)
        console.print()
        tail = t("Nobody was moved.", "Personne n'a bougé.")
        tail += (
            t("   Do it:  omni campaign migrate {n}", "   Le faire :  omni campaign migrate {n}", n=intent.name)
            if intent.people
            else ""
        )
        console.print(Text(tail, "dim"), soft_wrap=True)
        return
    words: list[list[rows.Cell]] = []
    said = {
        "stay": t("stay at their step", "restent à leur étape"), "anew": t("go to another step", "vont à une autre étape"),
        "exit": t("leave", "sortent"), "end": t("have come to the end", "sont arrivées au bout"),
    }  # fmt: skip
    words += [[(number(moved.kinds[kind]), "bold"), text] for kind, text in said.items() if moved.kinds[kind]]
    words += [[(number(moved.timers), "bold"), t("timers end earlier", "minuteurs finissent plus tôt")]] if moved.timers else []
    words += [[(number(moved.dropped), "bold"), t("touches dropped", "envois abandonnés")]] if moved.dropped else []
    words += [[(number(moved.told_anew), "yellow"), t("will be told anew", "le liront autrement")]] if moved.told_anew else []
    rows.lay(console, words, right=(0,), indent=1)
    console.print(
        Text(
            t("Moved {n}. Nothing settled is sent again.", "{n} déplacées. Rien de réglé n'est renvoyé.", n=number(moved.moved)),
            "dim",
        )
    )
