"""Is the store in order: there, whole, of this omni, writable, private, backed up, with room; and is it on HOLD."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from omnicli import clock
from omnicli.model.spoken import number
from omnicli.service.doctor import server
from omnicli.service.doctor.mending import loose
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.store import backups, holding, keys, migrations, mounted, room, serial
from omnicli.store import tables as tb
from omnicli.store.carrying.progress import unfinished
from omnicli.store.connection import Store
from omnicli.store.postgres import PostgresStore
from omnicli.store.preparing import version_of
from omnicli.texts import t

#: A live store without a backup younger than this is worth a word.
BACKUP_AGE = timedelta(days=7)


def shelf(patient: Patient) -> Signs:
    """The store's file and what lies around it."""
    name = patient.server or patient.path.name
    if patient.refused is not None:
        yield Sign("store", WRONG, patient.refused.message, patient.refused.hint)
        return
    if not patient.path.exists() if patient.server is None else patient.store is not None and version_of(patient.store) is None:
        yield Sign(
            "store",
            NOTE if patient.live else WELL,
            t("no {name} yet: it is made by the first import", "pas encore de {name} : le premier import le crée", name=name),
        )
        return
    store = patient.store
    if store is None:
        yield Sign("store", WRONG, t("{name} cannot be read", "{name} est illisible", name=name), "omni db check" + patient.flag)
        return
    standing = version_of(store)
    if standing != migrations.HEAD:
        said = t("{name} waits for a migration ({found} → {known})", "{name} attend une migration ({found} → {known})",
                 name=name, found=standing, known=migrations.HEAD)  # fmt: skip
        yield Sign("schema", WRONG, said, "omni db upgrade" + patient.flag)
        return
    if (half := unfinished(store)) is not None:
        yield Sign("copy", WRONG, half.message, half.hint)
    if isinstance(store, PostgresStore):
        yield from server.server(patient, store, name)
    else:
        yield _state(patient, store, name)
        yield from _place(patient)
    yield from _privacy(patient)
    if patient.live:
        yield from _hold(store)
        yield from _keys(patient, store)
        yield _backup(patient, store)


def _state(patient: Patient, store: Store, name: str) -> Sign:
    """Writable, intact (a quick look: `db check` looks at everything), how many people."""
    if not os.access(patient.path, os.W_OK) or not os.access(patient.path.parent, os.W_OK):
        return Sign(
            "store", WRONG, t("{name} cannot be written", "{name} n'est pas modifiable", name=name), f"chmod u+w {patient.path}"
        )
    try:
        with store.read() as connection:
            said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
            people = connection.scalar(sa.select(sa.func.count()).select_from(tb.contact).where(tb.contact.c.erased_at.is_(None)))
    except sa.exc.DatabaseError as error:
        said, people = str(error.orig), None
    if said != "ok":
        return Sign("store", WRONG, t("{name} is damaged: {why}", "{name} est abîmé : {why}", name=name, why=said),
                    t("put a backup back, then omni db recover", "remettez une sauvegarde, puis omni db recover") + patient.flag)  # fmt: skip
    return Sign(
        "store",
        WELL,
        t("{name} writable, intact, {n} contacts", "{name} modifiable, intact, {n} contacts", name=name, n=number(people or 0)),
    )


def _place(patient: Patient) -> Signs:
    if (kind := mounted.network(patient.path)) is not None:
        yield Sign("disk", WRONG, t("it lies on a network file system ({kind})", "elle est sur un système de fichiers réseau ({kind})", kind=kind),
                   "OMNI_DATABASE=sqlite:////…")  # fmt: skip
    if (why := room.room(patient.path)) is not None:
        yield Sign("room", WRONG, why, t("make room: nothing is sent until then", "faites de la place : rien ne part d'ici là"))


def _privacy(patient: Patient) -> Signs:
    open_ = loose(patient.path.parent)
    if open_:
        names = ", ".join(p.name for p in open_[:3]) + (" …" if len(open_) > 3 else "")
        yield Sign("privacy", WRONG, t("others on this machine can read {names}", "d'autres sur cette machine peuvent lire {names}", names=names),
                   "omni doctor --fix" + patient.flag)  # fmt: skip


def _hold(store: Store) -> Signs:
    with store.read() as connection:
        why = holding.held(connection)
    why = why or serial.behind(store)
    if why is not None:
        yield Sign(
            "hold",
            WRONG,
            t("on hold, nothing is sent: {why}", "retenue, rien ne part : {why}", why=holding.said(why)),
            holding.remedy(why, live=store.live),
        )


def _keys(patient: Patient, store: Store) -> Signs:
    assert patient.loaded.project is not None
    gone = keys.lost(store, patient.loaded.project.project)
    if gone is not None:
        yield Sign("keys", WRONG, t("keys that it used are gone: {names}", "des clés qu'elle a utilisées ont disparu : {names}", names=gone),
                   t("put .omni/keys or OMNI_KEYS back", "remettez .omni/keys ou OMNI_KEYS"))  # fmt: skip
    elif os.environ.get("OMNI_KEYS") or patient.path.with_name("keys").exists():
        yield Sign(
            "keys",
            WELL,
            t(
                "signing keys there: keep a copy apart from the backups",
                "clés de signature présentes : gardez-en une copie à part",
            ),
        )
    else:
        yield Sign(
            "keys",
            NOTE,
            t(
                "no signing keys yet: the first live command makes them",
                "pas encore de clés : la première commande réelle les crée",
            ),
        )


def _backup(patient: Patient, store: Store) -> Sign:
    found = backups.newest(store)
    fix = "omni db backup --live"
    if found is None:
        return Sign("backup", NOTE, t("never backed up beside it", "jamais sauvegardée à côté"), fix)
    made = clock.read_instant(str(found[1]["made_at"]), "UTC")
    days = max((patient.now - made).days, 0)
    said = (
        t("last backup {n} days ago", "dernière sauvegarde il y a {n} jours", n=days)
        if days
        else t("backed up today", "sauvegardée aujourd'hui")
    )
    return Sign("backup", WELL, said) if patient.now - made < BACKUP_AGE else Sign("backup", NOTE, said, fix)


def opened(path: Path, *, live: bool) -> Store | None:
    """The store as it stands, without bringing it up to date; None when there is none, or no database in the file."""
    if not path.exists():
        return None
    store = Store.sqlite(path, live=live)
    try:
        version_of(store)
    except sa.exc.DatabaseError:
        store.close()
        return None
    return store
