"""Is it alive: who calls the tick, what comes back from providers, whose fate nobody knows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.run import last_end
from omnicli.model.spoken import ago
from omnicli.providers import HEARINGS, channels_of
from omnicli.service import installing
from omnicli.service.doctor import crew
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.store import campaigns
from omnicli.store import tables as tb
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.store.connection import Store

#: A provider that took messages and has told nothing for so long is not heard.
SILENT = timedelta(days=1)


def calls(patient: Patient, store: Store) -> Signs:
    """The tick (live), the way back (live), and touches in doubt."""
    if patient.live:
        yield from _tick(patient, store)
        yield from _heard(patient, store)
    yield from _doubts(patient, store)
    yield from _contradictions(patient, store)
    yield from _unlisted(store)
    yield from _journal(store)


def _tick(patient: Patient, store: Store) -> Signs:
    assert patient.loaded.project is not None
    late = patient.loaded.project.schedule.every.about * 4
    where = installing.place(patient.loaded.project, patient.loaded.root, live=patient.live)
    ended, installed = last_end(store), [kind for kind, _ in installing.callers(where)]
    with store.read() as connection:
        running = len(campaigns.known(connection, states=("running",)))
        workers = crew.at_work(connection)
    if workers:
        said = several(workers, ("{n} worker calls the ticks itself", "{n} workers call the ticks themselves"),
                       ("{n} worker donne lui-même les tops", "{n} workers donnent eux-mêmes les tops"))  # fmt: skip
        yield Sign("tick", WELL, said)
        return
    fresh = ended is not None and patient.now - ended <= late
    when = (
        t("none came yet", "aucun encore")
        if ended is None
        else t("the last {d} ago", "le dernier il y a {d}", d=ago(ended, patient.now))
    )
    if fresh or (installed and not running):
        by = ", ".join(installed) or t("a daemon or a person", "un démon ou une personne")
        yield Sign(
            "tick",
            WELL,
            t("the tick is called by {by}: {when}", "le top est donné par {by} : {when}", by=by, when=when),
        )
    elif not installed:
        said = t(
            "nothing calls the tick for this project: {when}",
            "rien ne donne les tops de ce projet : {when}",
            when=when,
        )
        yield Sign("tick", WRONG if running else NOTE, said, "omni schedule install --cron --write --live")
    else:
        said = t("{by} should call the tick, but {when}", "{by} devrait donner les tops, mais {when}",
                 by=", ".join(installed), when=when)  # fmt: skip
        yield Sign("tick", WRONG, said, t("look into .omni/tick.log", "regardez .omni/tick.log"))


def _heard(patient: Patient, store: Store) -> Signs:
    """Each provider that tells what became of a message: when it last told, against when it last took one."""
    assert patient.loaded.project is not None
    h, i = tb.handover.c, tb.inbox.c
    by: dict[str, list[str]] = {}
    for channel, declared in channels_of(patient.loaded.project, live=True).items():
        if declared.provider in HEARINGS and declared.provider != "smtp":
            by.setdefault(declared.provider, []).append(channel)
    for name, channels in sorted(by.items()):
        with store.read() as connection:
            taken = connection.scalar(
                sa.select(sa.func.max(h.started_at)).where(h.provider == name, h.outcome.in_(("accepted", "mixed")))
            )
            told = connection.scalar(sa.select(sa.func.max(i.received_at)).where(i.provider == name))
        which = ", ".join(channels)
        if taken is not None and clock.to_ms(patient.now) - taken > SILENT // timedelta(milliseconds=1) and (told or 0) < taken:
            since = (
                t("never", "jamais")
                if told is None
                else t("not for {d}", "plus depuis {d}", d=ago(clock.from_ms(told), patient.now))
            )
            said = t(
                "{which}: webhook seen {since} (receipts missing)",
                "{which} : webhook {since} (accusés manquants)",
                which=which,
                since=since,
            )
            yield Sign("webhook", NOTE, said, t("omni serve, or omni response sync", "omni serve, ou omni response sync"))
        elif told is not None:
            yield Sign(
                "webhook",
                WELL,
                t(
                    "{which}: last heard {d} ago",
                    "{which} : entendu il y a {d}",
                    which=which,
                    d=ago(clock.from_ms(told), patient.now),
                ),
            )


def _doubts(patient: Patient, store: Store) -> Signs:
    x, a = tb.touch.c, tb.attempt.c
    query = (
        sa.select(sa.func.count(sa.distinct(x.id)), sa.func.min(a.started_at))
        .join(tb.attempt, sa.and_(a.touch_id == x.id, a.outcome == "unknown"))
        .where(x.send_state.in_(("unknown", "parked")))
    )
    with store.read() as connection:
        count, since = connection.execute(query).one()
    if count:
        said = several(
            count, ("{n} touch unknown or parked, for {d}", "{n} touches unknown or parked, the oldest for {d}"),
            ("{n} envoi inconnu ou garé, depuis {d}", "{n} envois inconnus ou garés, le plus ancien depuis {d}"),
            d=ago(clock.from_ms(since), patient.now),
        )  # fmt: skip
        yield Sign("unknown", NOTE, said, "omni touch unknown" + patient.flag)


def _contradictions(patient: Patient, store: Store) -> Signs:
    e = tb.evidence.c
    with store.read() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(tb.evidence).where(e.kind == "contradiction")) or 0
    if count:
        said = several(
            count,
            ("{n} report of a provider contradicts what this store says it did", "{n} reports of providers contradict what this store says it did"),
            ("{n} compte rendu contredit ce que cette base dit avoir fait", "{n} comptes rendus contredisent ce que cette base dit avoir fait"),
        )  # fmt: skip
        yield Sign("contradiction", NOTE, said, "omni touch list" + patient.flag)


def _unlisted(store: Store) -> Signs:
    """Codes of Twilio that this omni does not know: they go by their HTTP class (docs/delivery 9)."""
    from omnicli.providers.twilio import codes

    query = (
        sa.select(tb.attempt.c.code)
        .join(tb.handover, tb.handover.c.id == tb.attempt.c.handover_id)
        .where(tb.handover.c.provider == "twilio")
    )
    with store.read() as connection:
        seen = connection.execute(query.where(tb.attempt.c.code.is_not(None)).distinct()).scalars().all()
    if new := codes.unlisted(seen):
        said = t(
            "codes of Twilio that omni does not know: {codes}",
            "codes de Twilio qu'omni ne connaît pas : {codes}",
            codes=", ".join(new[:8]),
        )
        yield Sign("codes", NOTE, said, "https://www.twilio.com/docs/api/errors")


def _journal(store: Store) -> Signs:
    """Outcomes that could not be written into the store: the next run takes them in."""
    from omnicli.campaigns import journal

    if waiting := len(journal.pending(store)):
        said = several(
            waiting,
            ("{n} outcome waits beside the store, which could not be written", "{n} outcomes wait beside the store, which could not be written"),
            ("{n} résultat attend à côté de la base, qui n'a pu être écrite", "{n} résultats attendent à côté de la base, qui n'a pu être écrite"),
        )  # fmt: skip
        yield Sign("journal", NOTE, said, t("the next run takes them in", "la prochaine exécution les reprend"))
