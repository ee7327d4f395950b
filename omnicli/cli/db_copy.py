"""omni db copy: a store carried into another, of SQLite or PostgreSQL; the sandbox filled with masked people, a live store moved."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from omnicli.cli.db import app
from omnicli.cli.frame import session
from omnicli.cli.options import Yes, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from omnicli.app import Place
    from omnicli.campaignfile import Loaded
    from omnicli.cli.frame import Session
    from omnicli.store.carrying.copy import Copied
    from omnicli.store.carrying.mask import Masked
    from omnicli.store.connection import Store

From = Annotated[str, opt("--from", "sandbox, live, or an address", "sandbox, live, ou une adresse", metavar="X")]
To = Annotated[str, opt("--to", "sandbox, live, or an address", "sandbox, live, ou une adresse", metavar="Y")]
WithMask = Annotated[
    bool,
    opt("--mask", "make people unknown: names, addresses, words", "rendre les gens méconnaissables : noms, adresses, textes"),
]
Move = Annotated[
    bool, opt("--move", "the target becomes the live store, the source sends no more", "la cible devient la base réelle, la source n'envoie plus")
]  # fmt: skip


@app.command(
    help=page(
        "omni db copy --from live --to sandbox --mask",
        "Carries a store into an empty one, SQLite or PostgreSQL; resumed after a kill, counted and compared at the end.",
        "Porte une base dans une base vide, SQLite ou PostgreSQL ; reprend après un arrêt, compte et compare à la fin.",
    )
)
def copy(from_: From, to: To, mask: WithMask = False, move: Move = False, yes: Yes = False) -> None:
    from omnicli.store.carrying import copy as carrying

    s = session()
    loaded = s.loaded()
    assert loaded.project is not None
    source, target = _place(s, loaded, from_, other=to), _place(s, loaded, to, other=from_)
    _allowed(s, source, target, mask=mask, move=move)
    if source.live and not target.live and not mask:
        s.confirm_yes(t("The sandbox would hold real people, as they are. --mask makes them unknown. Go on?",
                        "Le bac à sable contiendrait de vraies personnes. --mask les rend méconnaissables. Continuer ?"), yes=yes)  # fmt: skip
    if move:
        s.confirm_yes(
            t("{source} will send nothing any more; {target} becomes the live store. Have cron, daemon, workers and serve been stopped?",
              "{source} n'enverra plus rien ; {target} devient la base réelle. Cron, démon, workers et serve sont-ils arrêtés ?",
              source=source.said, target=target.said), yes=yes)  # fmt: skip
    with _opened(s, loaded, source, target) as (one, other):
        hidden = _mask(one, other, loaded) if mask else None
        with s.progress(t("copying", "copie"), total=carrying.size(one, hidden)) as step:
            done = carrying.copy(one, other, loaded.project, mask=hidden, move=move, step=step,
                                 command=_again(from_, to, mask=mask, move=move, live=s.live))  # fmt: skip
    result = {
        "from": source.said, "to": target.said, "masked": mask, "moved": move, "resumed": done.resumed, "on_hold": done.held, "rows": done.rows,
        "tables": {name: {"rows": one.rows, "hash": one.hash} for name, one in sorted(done.tables.items())},
        "left_behind": dict(sorted(done.behind.items())), "unheard_responses": done.unheard,
    }  # fmt: skip
    s.finish(result, show=lambda console: _show(console, done, source, target, move=move))


def _again(from_: str, to: str, *, mask: bool, move: bool, live: bool) -> str:
    """This command once more, as a shell reads it. It holds no password: an address with one is refused."""
    import shlex

    flags = [name for name, wanted in (("--mask", mask), ("--move", move), ("--live", live)) if wanted]
    return shlex.join(["omni", "db", "copy", "--from", from_, "--to", to, *flags])


def _place(s: Session, loaded: Loaded, text: str, *, other: str) -> Place:
    """What `sandbox`, `live` or an address names; an address is of the live store with --live, or when the other side is `live`."""
    from omnicli import settings
    from omnicli.app import place, place_at

    if text in ("sandbox", "live"):
        return place(loaded, live=text == "live")
    live = s.live or other == "live"
    if settings.reference(text) is None and _tells(text):
        raise OmniError(
            t("a password on the command line can be read by everybody on this machine", "un mot de passe sur la ligne de commande se lit par tous sur cette machine"),
            hint=t("export OMNI_OTHER=postgresql://…  and write  '${OMNI_OTHER}'", "export OMNI_OTHER=postgresql://…  et écrivez  '${OMNI_OTHER}'"), code="secret",
        )  # fmt: skip
    return place_at(
        settings.text(settings.resolve(text)), live=live, beside=loaded.root / ".omni" / ("live.db" if live else "sandbox.db")
    )


def _tells(text: str) -> bool:
    """Whether the address holds a password."""
    from omnicli.store.postgres import read_address

    if text.startswith("sqlite:") or "://" not in text:
        return False
    address = read_address(text)
    return address.password is not None or "password" in address.query


def _allowed(s: Session, source: Place, target: Place, *, mask: bool, move: bool) -> None:
    wrong, hint = None, ""
    if source.said == target.said:
        wrong = t("source and target are one", "source et cible ne font qu'un")
        hint = t("live and sandbox are where omni.yaml or OMNI_DATABASE says; the file by its address: --from sqlite:///.omni/live.db",
                 "live et sandbox sont là où le dit omni.yaml ou OMNI_DATABASE ; le fichier, par son adresse : --from sqlite:///.omni/live.db")  # fmt: skip
    elif target.live and not source.live:
        wrong = t("a sandbox never becomes a live store", "un bac à sable ne devient jamais une base réelle")
    elif mask and target.live:
        wrong = t("masked people are for the sandbox", "les gens masqués sont pour le bac à sable")
    elif move and not (source.live and target.live):
        wrong = t("what is moved is a live store", "ce qui déménage est une base réelle")
    if wrong is not None:
        raise OmniError(wrong, hint=hint, code="usage")
    if target.live and not s.live:
        raise OmniError(t("the target is a live store", "la cible est une base réelle"), hint="--live", code="usage")


@contextmanager
def _opened(s: Session, loaded: Loaded, source: Place, target: Place) -> Iterator[tuple[Store, Store]]:
    """Both stores, and nobody else at work on the live one from here."""
    from contextlib import ExitStack, closing

    from omnicli.campaigns.lock import project_lock

    if source.url is None and not source.path.exists():
        raise OmniError(
            t("there is no store to copy: {where}", "il n'y a pas de base à copier : {where}", where=source.said),
            code="no-store",
            exit=Exit.REFUSED,
        )
    with ExitStack() as stack:
        if target.live:
            stack.enter_context(project_lock(loaded.root, live=True))
        one = stack.enter_context(closing(source.open()))
        yield one, stack.enter_context(closing(target.open()))


def _mask(source: Store, target: Store, loaded: Loaded) -> Masked:
    from omnicli.store import consents
    from omnicli.store.carrying.mask import Masked

    assert loaded.project is not None
    name = loaded.project.project
    with source.read() as connection:
        return Masked(connection, loaded.project, pepper=consents.pepper(source, name), own=consents.pepper(target, name))


def _show(console: Console, done: Copied, source: Place, target: Place, *, move: bool) -> None:
    from omnicli.cli.rows import number

    said = t("{rows} rows of {n} tables carried to {target}, counted and compared.", "{rows} lignes de {n} tables portées dans {target}, comptées et comparées.",
             rows=number(done.rows), n=len(done.tables), target=target.said)  # fmt: skip
    console.print(said, soft_wrap=True)
    if done.behind:
        said = t("Left behind: letters as they were sent, raw webhooks, papers of imports, the audit log ({n} rows).",
                 "Laissés là : les envois tels quels, les webhooks bruts, les papiers des imports, le journal d'audit ({n} lignes).",
                 n=number(sum(done.behind.values())))  # fmt: skip
        console.print(said, soft_wrap=True)
    if done.unheard:
        console.print(t("Among them {n} responses that no run has read yet: the copy does not know of them.",
                        "Dont {n} réponses qu'aucun passage n'a encore lues : la copie les ignore.", n=number(done.unheard)), soft_wrap=True)  # fmt: skip
    if done.held:
        console.print(t("It is on hold: what it would send, the original sends too. Only after the original was stopped for good:  omni db recover --live",
                        "Elle est retenue : ce qu'elle enverrait, l'originale l'envoie aussi. Seulement une fois l'originale arrêtée pour de bon :  omni db recover --live"),
                      soft_wrap=True)  # fmt: skip
    if move:
        now = t("database: in omni.yaml (or OMNI_DATABASE)", "database: dans omni.yaml (ou OMNI_DATABASE)") if target.url is not None else \
              t("take database: out of omni.yaml and unset OMNI_DATABASE (or give them {target})",
                "retirez database: d'omni.yaml et OMNI_DATABASE (ou donnez-leur {target})", target=target.said)  # fmt: skip
        console.print(t("{source} sends nothing any more. Now: {now}, then omni doctor --live",
                        "{source} n'envoie plus rien. À présent : {now}, puis omni doctor --live", source=source.said, now=now), soft_wrap=True)  # fmt: skip
