"""Carries a saved plan out: first everything that refuses it, then the run that it binds, and nothing but it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli.campaigns import life
from omnicli.campaigns import run as running
from omnicli.campaigns.record import make
from omnicli.campaigns.record.check import Change, Verdict
from omnicli.campaigns.record.check import check as look
from omnicli.campaigns.record.written import Record
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Provider
from omnicli.store import campaigns
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.run import RunReport
    from omnicli.render.renderer import Renderer
    from omnicli.store.connection import Store

#: Changes named in one line; the rest is counted.
NAMED = 5


class Stale(OmniError):
    """The plan does not hold any more; nothing was sent (exit 4). `changes` are all of them."""

    def __init__(self, changes: tuple[Change, ...], names: tuple[str, ...]) -> None:
        self.changes = changes
        listed = " · ".join(said(c) for c in changes[:NAMED])
        if len(changes) > NAMED:
            listed += t(" · and {n} more", " · et {n} autres", n=len(changes) - NAMED)
        super().__init__(
            t("the plan no longer holds, nothing was sent: {what}", "le plan ne tient plus, rien n'est parti : {what}", what=listed),
            hint=t("make it anew: omni campaign plan {names} --out FILE", "refaites-le : omni campaign plan {names} --out FICHIER", names=" ".join(names)),
            code="plan-stale", exit=Exit.REFUSED,
        )  # fmt: skip


def fits(store: Store, loaded: Loaded, record: Record, names: tuple[str, ...], *, now: datetime) -> None:
    """Refuse a plan of another project, environment, store or campaign, and one whose time is over (exit 4)."""
    assert loaded.project is not None
    if record.project != loaded.project.project:
        raise _foreign(t("it is of the project '{x}'", "il est du projet « {x} »", x=record.project))
    if record.environment != make.environment(store):
        raise _foreign(t("it was made for the {x} environment", "il est fait pour l'environnement {x}", x=record.environment))
    if record.store != make.identity(store):
        raise _foreign(t("it was made on another store", "il est fait sur une autre base"))
    if set(names) != set(record.names):
        planned = ", ".join(record.names)
        raise _foreign(t("it is of {x}", "il est de {x}", x=planned))
    if now < record.made:
        raise _foreign(t("it was made later than now", "il a été fait plus tard que maintenant"))
    if (paused := _paused(store, record)) is not None:
        raise _foreign(t("'{x}' is paused", "« {x} » est suspendue", x=paused))
    if record.until is not None and now > record.until:
        raise _foreign(t("its time is over", "son temps est passé"))


def _paused(store: Store, record: Record) -> str | None:
    """The first of its campaigns whose people hold still."""
    with store.read() as connection:
        rows = [campaigns.find(connection, name) for name in record.names]
    return next((row.name for row in rows if row is not None and row.state == "paused" and row.pause_people != "finish"), None)


def _foreign(why: str) -> OmniError:
    return OmniError(
        t("this plan is refused: {why}; nothing was sent", "ce plan est refusé : {why} ; rien n'est parti", why=why),
        hint=t("make one: omni campaign plan NAME --out FILE", "faites-en un : omni campaign plan NAME --out FICHIER"),
        code="plan-refused", exit=Exit.REFUSED,
    )  # fmt: skip


def checked(store: Store, loaded: Loaded, record: Record, renderer: Renderer, *, now: datetime) -> Verdict:
    """The verdict of a plan that holds; Stale otherwise."""
    verdict = look(store, loaded, record, renderer, now=now)
    if verdict.changes:
        raise Stale(verdict.changes, record.names)
    return verdict


def carry(
    store: Store, loaded: Loaded, record: Record, renderer: Renderer, *, now: datetime, apply: bool = True, max: int | None = None,
    only: Mapping[str, str] | None = None, providers: Mapping[str, Provider] | None = None,
    progress: Callable[[int], None] | None = None, stopping: Callable[[], bool] = lambda: False,
) -> RunReport:  # fmt: skip
    """Send what is due of a plan that was checked. The caller holds the project's lock since before the check."""
    with store.write() as connection:
        for name in record.names:
            life.note(connection, "plan", name, now, f"{record.by} {record.made:%Y-%m-%d %H:%M} {len(record.touches)}")
    return running.run(
        store, loaded, names=record.names, now=now, live=store.live, apply=apply, max=max, only=only, providers=providers,
        renderer=renderer, progress=progress, stopping=stopping, bound=record.bound(), approved=record.names,
    )  # fmt: skip


# --- in words -------------------------------------------------------------------------------------------------------
def said(c: Change) -> str:
    """One change as a person reads it."""
    from omnicli.model.spoken import named, word

    n = c.people or 0
    match c.kind:
        case "campaign":
            name, _, part = c.name.partition(" ")
            return t("campaign {x} was changed", "la campagne {x} a changé", x=name) + (f" ({part})" if part else "")
        case "template":
            return t("template {x} was changed", "le gabarit {x} a changé", x=c.name)
        case "setting":
            return t("{x} was changed", "{x} a changé", x=c.name)
        case "erased":
            return _people(n, t("{n} erased", "{n} effacée"), t("{n} erased", "{n} effacées"))
        case "consent":
            return _people(n, t("consent by {x} of one person", "l'accord par {x} d'une personne", x=c.name),
                           t("consent by {x} of {n} people", "l'accord par {x} de {n} personnes", x=c.name, n=n))  # fmt: skip
        case "fact":
            return _people(n, t("fact {x} for one person", "le fait {x} pour une personne", x=c.name),
                           t("fact {x} for {n} people", "le fait {x} pour {n} personnes", x=c.name, n=n))  # fmt: skip
        case "price":
            return t("the price of {x}", "le prix de {x}", x=c.name)
        case "address":
            return _people(n, t("the address by {x} of one person", "l'adresse par {x} d'une personne", x=c.name),
                           t("the address by {x} of {n} people", "l'adresse par {x} de {n} personnes", x=c.name, n=n))  # fmt: skip
        case "words":
            return _people(n, t("what {x} says to one person", "ce que {x} dit à une personne", x=c.name),
                           t("what {x} says to {n} people", "ce que {x} dit à {n} personnes", x=c.name, n=n))  # fmt: skip
        case "left":
            return _people(n, t("one person has left ({x})", "une personne est sortie ({x})", x=named(c.name)),
                           t("{n} people have left ({x})", "{n} personnes sont sorties ({x})", x=named(c.name), n=n))  # fmt: skip
        case "entry":
            return _people(n, t("one person may not enter {x} any more", "une personne ne peut plus entrer dans {x}", x=c.name),
                           t("{n} people may not enter {x} any more", "{n} personnes ne peuvent plus entrer dans {x}", x=c.name, n=n))  # fmt: skip
        case "channel":
            return _people(n, t("one person by another channel ({x})", "une personne par un autre canal ({x})", x=c.name),
                           t("{n} people by another channel ({x})", "{n} personnes par un autre canal ({x})", x=c.name, n=n))  # fmt: skip
        case "guard":
            return _people(n, t("one person is held ({x})", "une personne est retenue ({x})", x=word(c.name)),
                           t("{n} people are held ({x})", "{n} personnes sont retenues ({x})", x=word(c.name), n=n))  # fmt: skip
        case "skip":
            return _people(n, t("one touch is skipped ({x})", "un envoi est écarté ({x})", x=named(c.name)),
                           t("{n} touches are skipped ({x})", "{n} envois sont écartés ({x})", x=named(c.name), n=n))  # fmt: skip
        case "version":
            return _people(n, t("one person moved to another version of {x}", "une personne est passée à une autre version de {x}", x=c.name),
                           t("{n} people moved to another version of {x}", "{n} personnes sont passées à une autre version de {x}", x=c.name, n=n))  # fmt: skip
    return _people(n, t("one person is not due at {x} any more", "une personne n'est plus due à {x}", x=c.name),
                   t("{n} people are not due at {x} any more", "{n} personnes ne sont plus dues à {x}", x=c.name, n=n))  # fmt: skip


def _people(n: int, one: str, many: str) -> str:
    return (one if n == 1 else many).replace("{n}", str(n))


def gone(n: int) -> str:
    """`12 have left before`."""
    return several(n, ("{n} left before", "{n} left before"), ("{n} déjà parti", "{n} déjà partis"))
