"""HOLD: a live store from which nothing may leave until a person has looked (docs/delivery 14); webhooks are still taken."""

from __future__ import annotations

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store.outbox.locking import change_standing
from omnicli.store.tables import instance
from omnicli.texts import t

#: Why a store may be on HOLD: word → (English, French). Other reasons are kept as they were written.
WHY: dict[str, tuple[str, str]] = {
    "restored": ("it was restored from a backup", "elle vient d'une sauvegarde"),
    "older": ("more was sent than it knows of: an older copy was put back", "il est parti plus qu'elle n'en sait : une copie ancienne a été remise"),
    "another": ("another database stood here before", "une autre base était ici avant"),
    "copied": ("no mark stands beside it: it was copied here", "aucune marque à côté : elle a été copiée ici"),
    "server": ("it stands on another server or in another database than it was made in", "elle est sur un autre serveur, ou dans une autre base, que là où elle est née"),
    "timeline": ("its server was taken back to an earlier moment, or a standby took over", "son serveur a été ramené à un instant antérieur, ou un secours a pris le relais"),
    "moved": ("it was moved away: another database sends in its place", "elle a été déménagée : une autre base envoie à sa place"),
    "twin": ("it is a copy: what it would send, the original sends too", "c'est une copie : ce qu'elle enverrait, l'original l'envoie aussi"),
    "copying": ("it is being copied into", "une copie y est en cours"),
    "unreadable": ("the mark beside it cannot be read", "la marque à côté est illisible"),
    "contradiction": ("a provider speaks of a message that this database never sent", "un prestataire parle d'un message que cette base n'a jamais envoyé"),
}  # fmt: skip


def said(why: str) -> str:
    """The reason in the language in use."""
    return t(*WHY[why]) if why in WHY else why


def hold(connection: sa.Connection, why: str) -> None:
    """Put the store on HOLD: `why` is a word of WHY, or a text; the first reason stays. No call begins after the commit of it."""
    if held(connection) is None:
        change_standing(connection)
        connection.execute(sa.update(instance).where(instance.c.hold.is_(None)).values(hold=why))


def release(connection: sa.Connection) -> None:
    """Take it off HOLD."""
    connection.execute(sa.update(instance).values(hold=None))


def held(connection: sa.Connection) -> str | None:
    """Why the store is on HOLD, or None."""
    found: str | None = connection.scalar(sa.select(instance.c.hold).where(instance.c.hold.is_not(None)).limit(1))
    return found


def remedy(why: str, *, live: bool) -> str:
    """What mends it. Releasing a store that another one sends for would send everything twice, so that is never the first advice."""
    recover = "omni db recover" + (" --live" if live else "")
    if why == "moved":
        return t("database: in omni.yaml, or OMNI_DATABASE, must name the one it went to; {recover} only when that one is gone for good",
                 "database: dans omni.yaml, ou OMNI_DATABASE, doit désigner celle où elle est partie ; {recover} seulement si celle-là n'est plus", recover=recover)  # fmt: skip
    if why == "twin":
        return t("{recover}, only when the original was stopped for good",
                 "{recover}, seulement une fois l'originale arrêtée pour de bon", recover=recover)  # fmt: skip
    if why == "copying":
        return t(
            "the same omni db copy again: it goes on where it was",
            "la même commande omni db copy : elle reprend où elle en était",
        )
    return recover


def refusal(why: str, *, live: bool) -> OmniError:
    """What whoever wants to send is told: exit 4."""
    return OmniError(
        t("the store is on hold: {why}", "la base est retenue : {why}", why=said(why)), hint=remedy(why, live=live),
        code="hold", exit=Exit.REFUSED,
    )  # fmt: skip
